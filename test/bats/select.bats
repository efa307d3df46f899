# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-select: names, lists, selectors, events, formats.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    while read -r name site role; do
        [ "$site" != - ] || site=
        jq -nc --arg n "$name" --arg s "$site" --arg r "$role" '{apiVersion: "flightctl.io/v1beta1",
            kind: "Device", metadata: {name: $n, labels: {site: $s, role: $r, ($n): ""}}, spec: {}}'
    done >devices.json <<'END'
b-1 berlin shop
b-2 berlin depot
p-1 paris shop
x-1 - shop
END
    fc-apply devices.json >/dev/null
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template: {spec: {os: {image: "quay.io/x/os:1"}}}
END
    fc-apply fleet.yaml >/dev/null
}
teardown() { fc_teardown; }

names() { fc-select devices -l "$1" -q .metadata.name -o name | paste -sd' '; }

@test "one resource, in every format" {
    expect 0 fc-select device/b-1
    same 1 "${#lines[@]}"
    same "Device b-1 berlin" "$(jq -r '"\(.kind) \(.metadata.name) \(.metadata.labels.site)"' <<<"$output")"
    json=$output
    expect 0 fc-select device b-1 -o json
    same "$json" "$output"
    expect 0 fc-select dev/b-1 -o yaml
    same "apiVersion: flightctl.io/v1beta1" "${lines[0]}"
    expect 0 fc-select Devices b-1 -o name
    same device/b-1 "$output"
    expect 0 fc-select device/b-1 -o table
    same 2 "${#lines[@]}"
    has "${lines[0]}" "NAME "
    hasnt "${lines[0]}" LABELS
    expect 0 fc-select device/b-1 -o wide
    has "${lines[1]}" "b-1=,role=depot,site=berlin" || has "${lines[1]}" "b-1=,role=shop,site=berlin"
    expect 0 fc-select device/b-1 -q '.metadata.labels.site, .kind'
    same '"berlin"
"Device"' "$output"
}

@test "what does not exist is status 3, whatever its place" {
    expect 3 fc-select device/nobody
    same "" "$output"
    same 'fc-select: Device of name "nobody" not found' "$stderr"
    expect 3 fc-select fleet nobody
    same 'fc-select: Fleet of name "nobody" not found' "$stderr"
    for args in "nobody b-1 p-1" "b-1 nobody p-1" "b-1 p-1 nobody"; do
        # shellcheck disable=SC2086 # words
        expect 3 fc-select -o name devices $args
        same "device/b-1
device/p-1" "$output"
        same 1 "${#stderr_lines[@]}"
    done
}

@test "several kinds at once" {
    expect 0 fc-select device/p-1 fleet/shops templateversion/shops/v1 -o name
    same "device/p-1
fleet/shops
templateversion/shops/v1" "$output"
    expect 0 fc-select device/p-1 fleet/shops -o table
    has "$output" "OS IMAGE" || has "$output" "MATCH LABELS"
    expect 2 fc-select device/p-1 shops
}

@test "lists are in order of name and may be cut" {
    same "device/b-1 device/b-2 device/p-1 device/x-1" "$(fc-select devices -o name | paste -sd' ')"
    same "device/b-1 device/b-2" "$(fc-select devices --limit 2 -o name | paste -sd' ')"
    same 4 "$(fc-select devices --limit 0 | wc -l)"
}

@test "selectors" {
    same "b-1 b-2" "$(names site=berlin)"
    same "b-1 b-2" "$(names 'site == berlin')"
    same "p-1 x-1" "$(names site!=berlin)"
    same "b-1 p-1" "$(names 'site in (berlin, paris), role=shop')"
    same "x-1" "$(names 'site notin (berlin,paris)')"
    same "x-1" "$(names site=)"
    same "b-1" "$(names b-1)"
    same "b-2 p-1 x-1" "$(names '!b-1')"
    same "b-1 p-1" "$(names '(site,role) in ((berlin,shop),(paris,shop))')"
    same "b-1 b-2 p-1 x-1" "$(names '')"
}

@test "a selector for nothing is an empty list" {
    expect 0 fc-select devices -l site=rome
    same "" "$output$stderr"
    expect 0 fc-select devices -l site=rome -o table
    same "fc-select: no devices found" "$stderr"
    expect 0 fc-select repositories
    same "" "$output$stderr"
}

@test "a selector with a mistake is refused, with its place" {
    for s in ',' '=' 'a=b,' 'a in' 'a in (' 'a in ()x' '(a,b)=(c)' 'a b' '!' 'a==b=c' 'a in (b' \
        'UPPER/x=y' "$(printf 'a%.0s' {1..300})" 'a=b;DROP TABLE resource' $'a=\x01'; do
        expect 6 fc-select devices -l "$s"
        same "" "$output"
        same 1 "${#stderr_lines[@]}"
        has "$stderr" "fc-select: selector: "
    done
    expect 6 fc-select devices -l "$(seq -f 'k%g=v' -s, 9000)"
    same 1 "${#stderr_lines[@]}"
}

@test "names that look like SQL or paths are only names" {
    for n in "x' OR '1'='1" '../../etc/passwd' '%' '"' $'a\nb'; do
        expect 3 fc-select device "$n"
        same 1 "${#stderr_lines[@]}"
    done
}

@test "template versions, of all fleets and of one" {
    sed -i 's/os:1/os:2/' fleet.yaml
    fc-apply fleet.yaml
    sed 's/name: shops/name: shops-2/' fleet.yaml | fc-apply
    same "templateversion/shops/v1 templateversion/shops/v2" \
        "$(fc-select tv --fleet shops -o name | paste -sd' ')"
    same 3 "$(fc-select templateversions -o name | wc -l)"
    same quay.io/x/os:1 "$(fc-select tv/shops/v1 -q .status.os.image -o name)"
    same quay.io/x/os:2 "$(fc-select tv v2 --fleet shops -q .status.os.image -o name)"
    expect 2 fc-select tv v1
    expect 2 fc-select devices --fleet shops
    expect 2 fc-select tv -l a=b
}

@test "events, newest first, of one resource, and so many" {
    expect 0 fc-select events -q '[.involvedObject.kind, .involvedObject.name]'
    has "$output" '["Fleet","shops"]'
    same "$(fc-select events -q .metadata.creationTimestamp)" \
        "$(fc-select events -q .metadata.creationTimestamp | sort -r)"
    expect 0 fc-select events --of fleet/shops -q .involvedObject.name
    same '"shops"' "$(sort -u <<<"$output")"
    expect 0 fc-select ev --limit 2
    same 2 "${#lines[@]}"
    seq 120 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "m\(.)"},
        spec: {}}' | fc-apply >/dev/null
    same 100 "$(fc-select events | wc -l)"
    [ "$(fc-select events --limit 0 | wc -l)" -ge 120 ]
    expect 2 fc-select event/x
    expect 2 fc-select events --of fleet
    expect 2 fc-select events -l a=b
    expect 2 fc-select devices --of fleet/shops
}

@test "the rendered spec" {
    fc-rollout step >/dev/null
    fc-work drain
    same null "$(fc-select device/b-1 -q .spec.os)"
    same quay.io/x/os:1 "$(fc-select device/b-1 --rendered -q .spec.os.image -o name)"
}

@test "wrong command lines are usage errors" {
    for args in "" "nonsense" "device/" "nonsense/x" "devices --limit -1" "devices --limit x" \
        "devices -o nonsense" "devices b-1 -l a=b" "devices --nonsense"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-select $args
        has "$stderr" "fc-select: "
        same "" "$output"
    done
    expect 2 fc-select nonsense
    has "$stderr" "must be one of device, fleet"
}

@test "a filter that fails on a document, and one that does not compile" {
    expect 1 fc-select device/b-1 -q '.kind | error'
    same 1 "${#stderr_lines[@]}"
    expect 2 fc-select device/b-1 -q '.['
    same 1 "${#stderr_lines[@]}"
    expect 1 fc-select devices -q '.metadata.name | halt_error'
    same "fc-select: filter: it was halted: b-1" "$stderr"
    expect 1 fc-select device/b-1 -q '.metadata.name, halt'
    same '"b-1"' "$output"
    same "fc-select: filter: it was halted" "$stderr"
    expect 1 fc-select device/b-1 -q '{a: 1} | halt_error(0)'
    same 'fc-select: filter: it was halted: {"a":1}' "$stderr"
}

@test "a reader that goes away, and a full disk" {
    seq 3000 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "m\(.)"},
        spec: {}}' | fc-apply >/dev/null
    run --separate-stderr bash -c 'fc-select devices | head -n 1 | wc -l'
    same 1 "$output"
    run --separate-stderr bash -c 'fc-select devices >/dev/full'
    same 1 "$status"
    same "fc-select: standard output: No space left on device" "$stderr"
}

@test "on a terminal there is a table" {
    needs script bsdutils
    run script -qec 'fc-select devices' /dev/null </dev/null
    has "${lines[0]}" "NAME"
    has "${lines[1]}" "b-1"
}

@test "a long list needs no more memory than a short one" {
    ! sanitized || return 0 # they reserve terabytes of addresses: the plain build tells
    seq 7000 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "m\(.)"},
        spec: {config: [{name: "c", inline: [{path: "/x", content: ("x" * 8000)}]}]}}' | fc-apply >/dev/null
    bash -c 'ulimit -v 60000; exec fc-select devices' | wc -l | grep -qx 7004
}
