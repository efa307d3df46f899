# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2153 # bats sets status, output, stderr; fc_setup FC_STATE
# https://HOST as a store: the same commands on a store and through its API.

load helpers
load api
load agent

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    printf '[client]\nca-file = %s\ncertificate-file = %s\nkey-file = %s\n' \
        "$FC_STATE/ca/ca.crt" "$T/admin.crt" "$T/admin.key" >"$FC_CONF"
    start_api
}
teardown() { fc_teardown; }

# both COMMAND ...: the same output, messages and status on the store and through its API.
both() {
    local out err code

    run --separate-stderr "$@"
    out=$output err=$stderr code=$status
    run --separate-stderr "$1" -S "$API_URL" "${@:2}"
    if [ "$out" != "$output" ] || [ "$err" != "$stderr" ] || [ "$code" != "$status" ]; then
        printf '%s\nstore: %s\n%s\n%s\napi:   %s\n%s\n%s\n' "$*" "$code" "$out" "$err" "$status" \
            "$output" "$stderr"
        return 1
    fi
}

devices() {
    jq -nc --argjson n "$1" 'range($n) | {apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: "d-\(1000 + .)", labels: {site: (if . % 2 == 0 then "berlin" else "paris" end),
        number: "n\(.)"}}, spec: {}}'
}

fleets() {
    jq -nc '"shops", "shops-a", "trains" | {apiVersion: "flightctl.io/v1beta1", kind: "Fleet",
        metadata: {name: .}, spec: {selector: {matchLabels: {site: "berlin"}},
        template: {spec: {os: {image: "quay.io/x/os:1"}}}}}'
}

@test "fc-select" {
    devices 12 | fc-apply >/dev/null
    fleets | fc-apply >/dev/null
    fc-work drain >/dev/null
    seen_as "SELECT id, $(($(date +%s) - 150))000000 FROM resource WHERE name = 'd-1003'"

    both fc-select device/d-1003
    has "$output" '"lastSeen":'
    both fc-select device d-1003 d-1000 -o yaml
    both fc-select device/nobody
    same 3 "$status"
    both fc-select device/d-1000 fleet/shops device/nobody -o name
    same 3 "$status"
    both fc-select devices
    both fc-select devices --rendered
    both fc-select device/d-1002 --rendered -q .spec
    has "$output" quay.io
    both fc-select devices -o table
    both fc-select devices -o wide
    both fc-select devices -l 'site in (berlin),!x,number!=n2' -o name
    same 5 "${#lines[@]}"
    both fc-select devices --field-selector 'metadata.name contains 100,metadata.owner!=x' -o name
    both fc-select devices --limit 5 -o name
    has "$stderr" '7 more: --continue '
    both fc-select devices --limit 5 -o name --continue "${stderr##* }"
    both fc-select devices --continue nonsense
    same 6 "$status"
    both fc-select devices --count -l site=paris
    same 6 "$output"
    both fc-select fleets --count
    both fc-select devices --summary
    both fc-select devices --summary -o table -l site=berlin
    both fc-select fleets -q .metadata.name
    both fc-select templateversions -o name
    same "templateversion/shops-a/v1
templateversion/shops/v1
templateversion/trains/v1" "$output"
    both fc-select templateversions --fleet shops
    both fc-select templateversion/shops/v1 -o yaml
    both fc-select templateversions --fleet nobody
    both fc-select templateversion v1
    same 2 "$status"
    both fc-select events -o name
    both fc-select events --limit 7
    both fc-select events --order asc --of device/d-1003 --limit 0
    both fc-select events --of device/d-1003 --field-selector type=Normal --count
    both fc-select events --limit 0 --field-selector reason=ResourceCreated -o name
    both fc-select labels
    both fc-select labels --limit 3 -o table
    both fc-select labels --field-selector metadata.labels.key=site -o name
    both fc-select enrollmentrequests -o table
    both fc-select repositories
    both fc-select devices -l 'site=='
    both fc-select devices -l '=x'
    same 6 "$status"
    both fc-select nonsense
    same 2 "$status"
    expect 2 fc-select -S "$API_URL" devices --at now
    has "$stderr" "fc-select: --at works on a store of its own, not through an API"
}

# again COMMAND ...: on the store, on what it was before through its API; compared as `both` does.
again() {
    rm -f "$T/before"
    fc-store backup "$T/before" >/dev/null
    run --separate-stderr "$@"
    local out=$output err=$stderr code=$status

    fc-store restore --force "$T/before" >/dev/null
    run --separate-stderr "$1" -S "$API_URL" "${@:2}"
    if [ "$out" != "$output" ] || [ "$err" != "$stderr" ] || [ "$code" != "$status" ]; then
        printf '%s\nstore: %s\n%s\n%s\napi:   %s\n%s\n%s\n' "$*" "$code" "$out" "$err" "$status" \
            "$output" "$stderr"
        return 1
    fi
}

@test "fc-apply" {
    devices 40 >d.json
    fleets >f.json
    again fc-apply -n d.json f.json
    same 43 "${#lines[@]}"
    again fc-apply d.json f.json
    has "$output" "device/d-1039 created
fleet/shops created"
    again fc-apply d.json f.json -o json
    has "$output" '"change":"unchanged"'
    jq -c 'if .metadata.name == "d-1007" then .metadata.labels.site = "rome" elif
        .metadata.name == "d-1008" then .spec.os.image = "quay.io/x/y:2" elif
        .metadata.name == "d-1009" then .metadata.annotations.a = "b" else . end' d.json >e.json
    again fc-apply -n e.json -o name
    again fc-apply -n e.json
    same 3 "$(grep -c updated <<<"$output")"
    again fc-apply e.json -m 'because: ä & b'
    same 3 "$(grep -c updated <<<"$output")"
    has "$(fc-history device/d-1007 -o json | head -1)" '"reason":"because: ä & b"'
    fc-select device/d-1007 >back.json
    again fc-apply back.json
    has "$output" unchanged
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Repository", metadata: {name: "r"}, spec: {type: "git",
        url: "https://git.example.com/x", httpConfig: {username: "u", password: "hunter2"}}}' >r.json
    again fc-apply r.json
    again fc-apply r.json
    same "repository/r unchanged" "$output"
    hasnt "$(fc-select -S "$API_URL" repository/r)" hunter2
    fc-select -S "$API_URL" repository/r | sed 's/hunter2/x/' >masked.json
    again fc-apply -n masked.json
    same "repository/r unchanged (dry run)" "$output"
    # What is wrong is said here, and nothing is sent.
    jq -c 'if .metadata.name == "d-1005" then .spec.os.image = 5 elif .metadata.name == "d-1006"
        then .metadata.labels["a b"] = "" else .metadata.labels.new = "x" end' d.json >bad.json
    again fc-apply bad.json
    same 6 "$status"
    same 0 "$(fc-select devices -l new --count)"
    again fc-apply --partial bad.json -n
    again fc-apply --partial bad.json
    same 38 "$(fc-select devices -l new --count)"
    again fc-apply nothing.json
    same 3 "$status"
    jq -c '.metadata.resourceVersion = "77"' back.json >old.json
    again fc-apply old.json
    same 4 "$status"
    again fc-apply -n old.json
    same 4 "$status"
    expect 2 fc-apply -S "$API_URL" --atomic d.json
    same "fc-apply: --atomic works on a store of its own, not through an API" "$stderr"
}

@test "fc-delete" {
    devices 20 | fc-apply >/dev/null
    fleets | fc-apply >/dev/null
    devices 3 >some.json
    again fc-delete device d-1000 nobody -y
    same 3 "$status"
    again fc-delete device d-1000 nobody -y -n --ignore-missing
    again fc-delete -y -f some.json
    same 3 "${#lines[@]}"
    again fc-delete -n templateversion/trains/v1 device/d-1011 fleet/trains
    again fc-delete -y templateversion/trains/v1 device/d-1011 fleet/trains
    same "templateversion/trains/v1 deleted" "${lines[2]}"
    again fc-delete -y templateversion/shops/v1
    same 4 "$status"
    again fc-delete -y device/d-1010 fleet/shops -m why
    again fc-delete -y devices -l site=paris
    again fc-delete -y devices -l site=paris
    same "" "$output"
    again fc-delete -y fleets -l 'a in'
    same 6 "$status"
    again fc-delete -y event/x
    same 2 "$status"
    run fc-delete -S "$API_URL" device/d-1012 </dev/null
    same 2 "$status"
    same 1 "$(fc-select device/d-1012 -o name | grep -c .)"
}

@test "fc-enroll" {
    local name

    for name in aaaaaaaa1 aaaaaaaa2 bbbbbbbb1 cc dddddddd; do
        request_of "$name"
        enrollment_of "$name" '{"alias": "x"}'
    done | fc-apply >/dev/null
    both fc-enroll list
    both fc-enroll list --pending -o table
    same 6 "${#lines[@]}"
    both fc-enroll show aaaaaaaa1 bbbbbb
    both fc-enroll show aaaaaa
    same 6 "$status"
    has "$stderr" "aaaaaaaa1, aaaaaaaa2"
    both fc-enroll show aaaaa
    same 3 "$status"
    both fc-enroll show c
    both fc-enroll show cc -o yaml
    both fc-enroll show 'x y/z'
    again fc-enroll approve --record -n aaaaaaaa1 dddddd
    again fc-enroll approve --record aaaaaaaa1 nobody
    same 3 "$status"
    again fc-enroll approve --record aaaaaaaa1 dddddd -l site=berlin -m 'met them'
    has "$output" "enrollmentrequest/aaaaaaaa1 approved: to be signed by fc-work"
    has "$(fc-select enrollmentrequest/aaaaaaaa1 -q .status.approval)" '"labels":{"site":"berlin"}'
    again fc-enroll approve --record bbbbbbbb1 aaaaaaaa1
    same 6 "$status"
    has "$stderr" "aaaaaaaa1: Enrollment request is already approved"
    has "$(fc-enroll list --pending -o name)" bbbbbbbb1
    again fc-enroll deny bbbbbbbb1 -m "who is that?"
    has "$(fc-select enrollmentrequest/bbbbbbbb1 -q .status.conditions)" '"message":"who is that?"'
    again fc-enroll deny bbbbbbbb1
    same 6 "$status"
    again fc-enroll approve --record --all --replace-labels
    same 2 "${#lines[@]}"
    both fc-enroll list --pending
    same "" "$output"
    # Without --record it is the same through an API: the CA's key is elsewhere.
    request_of eeeeeeee
    enrollment_of eeeeeeee | fc-apply
    expect 0 fc-enroll approve -S "$API_URL" eeeeeeee
    same "enrollmentrequest/eeeeeeee approved: to be signed by fc-work" "$output"
    fc-work drain
    fc-select enrollmentrequest/eeeeeeee -q .status.certificate -o name | openssl x509 -noout
}

@test "fc-render" {
    devices 250 >d.json
    jq -c 'if .metadata.name == "d-1002" then .spec.config = [{name: "own", inline:
        [{path: "/etc/own", content: "x"}]}] elif .metadata.name == "d-1006" then
        del(.metadata.labels.number) else . end' d.json >e.json
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "shops"}, spec:
        {selector: {matchLabels: {site: "berlin"}}, template: {spec: {os: {image: "quay.io/x/os:1"},
        config: [{name: "n", inline: [{path: "/n", content: "{{ .metadata.labels.number }}"}]}]}}}}' \
        >fleet.json
    fc-apply e.json fleet.json >/dev/null
    fc-work drain >/dev/null
    sed 's/os:1/os:2/' fleet.json >v2.json

    both fc-render d-1002
    has "$output" "quay.io/x/os:1"
    both fc-render device/d-1001 d-1002 -o yaml
    both fc-render d-1001 nobody d-1002
    same 3 "$status"
    both fc-render fleet/x
    same 2 "$status"
    both fc-render -a
    same 249 "${#lines[@]}"
    same 6 "$status"
    both fc-render -l site=paris -q .spec
    both fc-render -l 'site in'
    both fc-render -l site=berlin,number=n4 -f v2.json
    has "$output" os:2
    both fc-render d-1002 --explain
    has "$output" '"os":"Fleet/shops@v1"'
    both fc-render d-1002 --explain -o table
    both fc-render --latest --explain d-1004 -f v2.json
    both fc-render --diff d-1002
    same 0 "$status"
    both fc-render --diff -f v2.json -l site=berlin
    same 6 "$status"
    both fc-render --diff -f v2.json d-1004
    same 1 "$status"
    has "$output" "+++ device/d-1004 would get"
    both fc-render --diff -f v2.json -o name d-1004 d-1001
    both fc-render --diff nobody
    # Documents, of devices that are there and of others.
    { cat e.json; sed 's/d-1/x-1/' e.json; } >more.json
    run --separate-stderr fc-render - <more.json
    local out=$output err=$stderr code=$status
    run --separate-stderr fc-render -S "$API_URL" - <more.json
    same "$code $err $out" "$status $stderr $output"
    same 498 "${#lines[@]}"
    jq -c '.spec.os.image = 5' d.json >bad.json
    run --separate-stderr fc-render -S "$API_URL" - <bad.json
    same 6 "$status"
    has "$stderr" "(stdin):1: spec.os.image: must be a string"
    # What the route itself refuses.
    answers 400 admin /api/v1/render --json '{"names":["a"],"labelSelector":"a"}'
    answers 400 admin /api/v1/render --json '{"nmaes":["a"]}'
    answers 400 admin /api/v1/render --json '{"devices":[{"kind":"Device"}]}'
    answers 400 admin /api/v1/render --json '{"fleets":[{"kind":"Fleet"}]}'
    answers 401 bootstrap /api/v1/render --json '{"names":["d-1001"]}'
}

@test "every other command refuses an API by name" {
    local line

    export FC_STORE=$API_URL
    while read -ra line; do
        expect 2 "${line[@]}"
        has "$stderr" "${line[0]}: "
        has "$stderr" "this command works on a store of its own, not through an API"
    done <<'END'
fc-history device/x
fc-patch device/x -p {}
fc-rollout status
fc-store check
fc-store init
fc-store migrate
fc-watch devices
fc-work drain
END
    expect 2 fc-api </dev/null
}

@test "who asks, and who answers" {
    printf '[client]\nca-file = %s\n' "$FC_STATE/ca/ca.crt" >none.conf
    expect 5 fc-select -C none.conf -S "$API_URL" devices
    has "$stderr" "neither a client certificate nor a token is configured"
    # Nobody's token, a bootstrap certificate, one that another authority has signed.
    echo nonsense >token
    printf '[client]\nca-file = %s\ntoken-file = token\n' "$FC_STATE/ca/ca.crt" >token.conf
    expect 5 fc-select -C token.conf -S "$API_URL" devices
    sed 's/admin/bootstrap/' "$FC_CONF" >bootstrap.conf
    expect 5 fc-select -C bootstrap.conf -S "$API_URL" devices
    FC_STATE=$T/other fc-sign ca init >/dev/null
    FC_STATE=$T/other fc-sign admin -o "$T/stranger" stranger >/dev/null
    sed 's/admin/stranger/' "$FC_CONF" >stranger.conf
    expect 5 fc-select -C stranger.conf -S "$API_URL" devices
    # What a login has left, once it is over.
    expires() {
        jq -n --arg url "$API_URL" --arg at "$1" '{($url): {token: "x", expires: $at}}' \
            >"$FC_STATE/credentials.json"
        chmod 600 "$FC_STATE/credentials.json"
    }
    expires 2026-01-01T00:00:00Z
    expect 5 fc-select -C none.conf -S "$API_URL" devices
    has "$stderr" "the token has expired: fc-login gets another"
    expires 2999-01-01T00:00:00Z
    expect 5 fc-select -C none.conf -S "$API_URL" devices
    hasnt "$stderr" "expired"
    rm "$FC_STATE/credentials.json"
    # A token of ours, from a file: what its role may, and no more.
    fc-sign token issue -r viewer alice >token 2>/dev/null
    expect 0 fc-select -C token.conf -S "$API_URL" devices
    expect 5 fc-apply -C token.conf -S "$API_URL" <<<'{"apiVersion": "flightctl.io/v1beta1",
        "kind": "Device", "metadata": {"name": "x"}, "spec": {}}'
    # The organization: by its name, by its uid.
    both fc-select devices --org default
    both fc-select devices --org 00000000-0000-0000-0000-000000000000
    both fc-select devices --org nobody
    same 3 "$status"
    expect 5 fc-select -S "$API_URL" devices --org 11111111-0000-0000-0000-000000000000
    # The server's certificate: of another authority, of another name.
    sed "s|^ca-file.*|ca-file = $T/other/ca/ca.crt|" "$FC_CONF" >other.conf
    expect 5 fc-select -C other.conf -S "$API_URL" devices
    { cat "$FC_CONF"; echo 'server-name = localhost'; } >name.conf
    expect 0 fc-select -C name.conf -S "$API_URL" devices
    expect 5 fc-select -C <(sed 's/localhost/elsewhere/' name.conf) -S "$API_URL" devices
    # Settings that cannot be.
    expect 6 fc-select -C <(grep -v key-file "$FC_CONF") -S "$API_URL" devices
    has "$stderr" "certificate-file and key-file go together"
    expect 6 fc-select -C <(cat "$FC_CONF"; echo timeout = soon) -S "$API_URL" devices
    expect 3 fc-select -C <(sed 's/admin.key/nothing.key/' "$FC_CONF") -S "$API_URL" devices
    expect 6 fc-select -S https://user@localhost devices
    expect 7 fc-select -S "https://127.0.0.1:1" devices
}

# from_fake STATUS TEXT COMMAND ...: what it says about the answer that is there.
from_fake() {
    local want=$1 text=$2

    expect "$want" "$3" -S "$FAKE_URL" "${@:4}"
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "$text"
}

@test "answers that are none, hostile ones, and a server that is busy" {
    local device='{"kind": "Device", "metadata": {"name": "x"}}'

    stop "$API_PID"
    fake_api
    # Of something else, or cut off.
    TYPE=text/html answer 200 <<<'<html>'
    from_fake 1 "is it the URL of an API?" fc-select device/x
    TYPE=text/html answer 404 <<<'<html>'
    from_fake 1 "is it the URL of an API?" fc-select device/x
    answer 200 <<<'{"kind": "Dev'
    from_fake 1 "the answer is not JSON: 1:" fc-select device/x
    answer 200 <<<'{"kind": "Device", "kind": "Fleet"}'
    from_fake 1 "duplicate key" fc-select device/x
    answer 302 <<<'{}'
    from_fake 1 "the server redirects (status 302), which is not followed" fc-select device/x
    printf 'Status: 200\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n' >answer
    gzip -c <<<"$device" >>answer
    from_fake 1 "compressed" fc-select device/x
    { printf 'Status: 200\r\nContent-Type: application/json\r\n\r\n"'
        head -c 17000000 /dev/zero | tr '\0' x; } >answer
    from_fake 1 "the answer is larger than 16777216 bytes" fc-select device/x
    from_fake 1 "the answer is larger than 16777216 bytes" fc-select devices --limit 2
    answer 200 <<<'{"result": "fine"}'
    from_fake 1 "the API answered with a document that is no Device" fc-select device/x
    from_fake 1 "the API answered with a document that is no DeviceList" fc-select devices
    from_fake 1 "without a summary" fc-select devices --count
    from_fake 1 "no rendering" fc-render x
    from_fake 1 "no list of labels" fc-select labels
    # Of something that was not asked for.
    answer 200 <<<"$device"
    from_fake 1 'the API answered with Device "x", which was not asked for' fc-select device/y
    from_fake 1 'was not asked for' fc-delete -y device/y
    jq -nc --argjson d "$device" '$d | .metadata.name = "../\u001b[31m\n"' | answer 200
    from_fake 1 'Device "../?[31m?", which was not asked for' fc-select device/y
    jq -c '{kind: "DeviceList", metadata: {}, items: [.]}' <<<"$device" | answer 200
    from_fake 2 "does not know --rendered" fc-select devices --rendered
    jq -c '{kind: "DeviceList", metadata: {continue: "a"}, items: [.]}' <<<"$device" | answer 200
    from_fake 1 "a list that was not asked for" fc-select devices
    jq -c '{kind: "DeviceList", metadata: {continue: "a"}, items: []}' <<<"$device" | answer 200
    from_fake 1 "a list that was not asked for" fc-select devices
    jq -c '{kind: "DeviceList", metadata: {}, items: [., ., .]}' <<<"$device" | answer 200
    from_fake 1 "a list that was not asked for" fc-select devices --limit 2
    answer 200 <<<'["a", 1]'
    from_fake 1 "a label that is none" fc-select labels
    # Refusals: by their statuses, on one line.
    refusal 401 "token expired" | answer 401
    from_fake 5 "token expired" fc-select devices
    refusal 409 $'a\nfc-apply: done \e[1m\u009b1m\u202e' | answer 409
    from_fake 4 '(stdin):1: a?fc-apply: done ?[1m?1m?' fc-apply <<<'{"apiVersion": "flightctl.io/v1beta1",
        "kind": "Device", "metadata": {"name": "x"}, "spec": {}}'
    refusal 405 "method not allowed" | answer 405
    from_fake 1 "method not allowed" fc-select devices
    # Busy: it is asked again, but not for ever.
    echo 'patience = 1' >>"$FC_CONF"
    printf 'Status: 429\r\nContent-Type: application/json\r\nRetry-After: 3600\r\n\r\n{}' >answer
    : >requests
    from_fake 7 "the server answered 429" fc-select device/x
    same 1 "$(wc -l <requests)"
    refusal 503 "the store is busy" | answer 503
    from_fake 7 "the store is busy" fc-select device/x
    [ "$(wc -l <requests)" -ge 3 ]
    sed -i s/patience.*/patience=60/ "$FC_CONF"
    : >requests
    background "$T/out" fc-select -S "$FAKE_URL" device/x -o name
    wait_for test -s requests
    answer 200 <<<"$device"
    wait "$PID"
    same device/x "$(cat out)"
    # It is there, but says nothing.
    echo 'timeout = 1' >>"$FC_CONF"
    touch hold
    from_fake 7 "timed out" fc-select device/x
    rm hold
}

@test "killed in the middle of a long run, and run again" {
    devices 600 >d.json
    background "$T/out" fc-apply -S "$API_URL" d.json
    some() { [ "$(fc-select devices --count)" -gt 20 ]; }
    wait_for some
    kill -9 "$PID"
    wait "$PID" || :
    expect 0 fc-apply -S "$API_URL" d.json
    same "600 device/d-1000 device/d-1599" "$(wc -l <<<"$output") $(sed -n '1s/ .*//p' <<<"$output"
        ) $(sed -n '$s/ .*//p' <<<"$output")"
    has "$output" unchanged
    same 600 "$(fc-select devices --count)"
    # The server goes while it is at work, and comes back.
    jq -c '.metadata.labels.site = "rome"' d.json >e.json
    background "$T/out2" fc-apply -S "$API_URL" e.json
    some() { [ "$(fc-select devices -l site=rome --count)" -gt 20 ]; }
    wait_for some
    stop "$API_PID"
    background "$T/api.log" activate -l "127.0.0.1:$API_PORT" "$BUILD/bin/fc-api" -t \
        --certificate "$T/server.crt" --key "$T/server.key"
    WAIT_FOR=60 wait_for grep -q "device/d-1599 " "$T/out2"
    same 600 "$(wc -l <"$T/out2")"
    same 600 "$(fc-select devices -l site=rome --count)"
}
