#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# A device without a network: what it is to be comes in a file, and how it is goes back in one.

load helpers
load agent

setup() {
    fc_setup
    fc-store init >/dev/null
    DEVICE=d1
    mkdir -p d1/etc
}
teardown() { fc_teardown; }

agent() { fc-agent --root "$T/d1" "$@"; }
# stick FILES [MEMBERS]: what the server has for the device, in the file stick.json.
stick() { give "$@" && fc-render device/d1 >stick.json; }
state() { agent status -q '"\(.currentVersion) \(.desiredVersion) \(.failedVersion) \(.conditions[0].reason)"'; }

@test "a spec goes there by a stick, and its status back" {
    needs strace strace
    stick "$(files "$(file /etc/a 1)")"
    same OutOfDate "$(reported .status.updated.status)"
    for way in "apply -n" plan; do
        # shellcheck disable=SC2086 # words
        expect 0 agent $way stick.json -q '[.action, .path]'
        same '["write","/etc/a"]' "$output"
    done
    [ ! -e d1/var ] && [ ! -e d1/run ]
    expect 0 strace -f -o trace -e trace=socket,connect,fork,clone,clone3,vfork "$BUILD/bin/fc-agent" --root d1 apply - <stick.json
    has "$stderr" "fc-agent: version 1 is applied (was 0)"
    same "" "$(grep -v exited trace)"
    same 1 "$(cat d1/etc/a)"
    same '"1 1 null Updated"' "$(state)"
    agent status -o json >status.json
    same "d1 Device 1" "$(jq -r '"\(.metadata.name) \(.kind) \(.status.config.renderedVersion)"' status.json)"
    before=$(store_dump)
    expect 0 fc-apply -n -f status.json --device-status
    same "device/d1 updated (dry run)" "$output"
    same "$before" "$(store_dump)"
    expect 0 fc-apply -f status.json --device-status
    same "device/d1 updated" "$output"
    same "UpToDate 1 Updated" "$(reported '"\(.status.updated.status) \(.status.config.renderedVersion) \(.status.conditions[] | select(.type == "Updating") | .reason)"')"
    same /etc/a "$(reported '.spec.config[0].inline[0].path')"
    # The next one, and one that fails.
    stick "$(files "$(file /etc/a 2)")"
    same OutOfDate "$(reported .status.updated.status)"
    expect 0 agent apply stick.json
    same 2 "$(cat d1/etc/a)"
    stick "$(files "$(file /etc/a 3)" "$(file /proc/x 3)")"
    expect 1 agent apply stick.json
    has "$stderr" "version 3: /proc/x: /proc is not for managed files"
    same 2 "$(cat d1/etc/a)"
    agent status -o json | fc-apply --device-status
    same "OutOfDate 2 Error" "$(reported '"\(.status.updated.status) \(.status.config.renderedVersion) \(.status.conditions[] | select(.type == "Updating") | .reason)"')"
    expect 4 agent apply stick.json
    has "$stderr" "version 3 failed before (--force tries it again)"
    expect 1 agent apply --force stick.json
}

@test "what is older, another's or not valid is refused; --force takes an older one" {
    stick "$(files "$(file /etc/a 1)")"
    cp stick.json one.json
    stick "$(files "$(file /etc/a 2)")"
    expect 0 agent apply stick.json
    expect 0 agent apply stick.json
    same "fc-agent: version 2 runs already" "$stderr"
    # What somebody changed meanwhile is repaired.
    echo x >d1/etc/a
    expect 0 agent apply stick.json
    has "$stderr" "drift: repaired at "
    same 2 "$(cat d1/etc/a)"
    before=$(whole_picture d1)
    refused() {
        local code=$1 why=$2

        shift 2
        expect "$code" agent apply "$@"
        has "$stderr" "fc-agent: $why"
        same "$before" "$(whole_picture d1)"
    }
    refused 4 "version 1 is older than 2, which this device has received (--force applies it)" one.json
    jq -c '.spec.config = []' stick.json >other.json
    refused 4 "version 2 is not the one that this device has received" other.json
    jq -c '.metadata.name = "d2"' stick.json >other.json
    refused 6 "other.json: metadata.name: is that of another device" other.json
    jq -c 'del(.metadata.annotations)' stick.json >other.json
    refused 6 "other.json: metadata.annotations: no device-controller/renderedVersion" other.json
    jq -c '.metadata.annotations["device-controller/renderedVersion"] = "3" | .spec.config[0].inline[0].mode = "x"' \
        stick.json >other.json
    refused 6 "other.json:1: spec.config[0].inline[0].mode: " other.json
    jq . other.json >pretty.json
    refused 6 "pretty.json:$(grep -n '"mode"' pretty.json | cut -d: -f1): spec.config[0].inline[0].mode: " pretty.json
    cat stick.json stick.json >other.json
    refused 6 "other.json: more than one document" other.json
    refused 6 "(stdin):1: " - <<<'{"kind'
    refused 3 "missing.json: " missing.json
    expect 2 agent apply
    expect 2 agent --force
    expect 2 agent status stick.json
    expect 2 agent -n kick
    [ ! -e d1/run/flightctl/kick ]
    expect 0 agent apply --force one.json
    same 1 "$(cat d1/etc/a)"
    same '"1 1 null Updated"' "$(state)"
    agent status -o json | fc-apply --device-status
    same OutOfDate "$(reported .status.updated.status)"
}

@test "a version waits for its window here too, unless it is told not to" {
    at=$(date -u -d '+2 hours' '+%-M %-H * * *')
    stick "$(files "$(file /etc/a 1)")" \
        "{\"updatePolicy\":{\"updateSchedule\":{\"at\":\"$at\",\"timeZone\":\"UTC\",\"startGraceDuration\":\"1h\"}}}"
    expect 7 agent apply stick.json
    has "$stderr" "version 1: waits for its update window, which opens at "
    [ ! -e d1/etc/a ]
    expect 0 agent apply --force stick.json
    same 1 "$(cat d1/etc/a)"
}

@test "a status that was carried is checked as one that is sent" {
    stick "$(files "$(file /etc/a 1)")"
    agent apply stick.json
    agent status -o json >status.json
    before=$(store_dump)
    refused() {
        expect "$1" fc-apply --device-status -f other.json
        has "$stderr" "fc-apply: other.json:1: $2"
        same "$before" "$(store_dump)"
    }
    jq -c '.kind = "Fleet"' status.json >other.json
    refused 6 "kind: must be Device"
    jq -c 'del(.status)' status.json >other.json
    refused 6 "status: is required"
    jq -c 'del(.metadata)' status.json >other.json
    refused 6 "metadata.name: is required"
    jq -c '.status.config = 1' status.json >other.json
    refused 6 "status.config: "
    jq -c '.status.more = 1' status.json >other.json
    refused 6 "status.more: "
    jq -c '.metadata.name = "d2"' status.json | cat status.json - | jq -c . >other.json
    expect 3 fc-apply --device-status -f other.json
    has "$stderr" 'other.json:2: Device of name "d2" not found'
    same "$before" "$(store_dump)"
    expect 2 fc-apply --device-status --atomic -f status.json
}

@test "a status that was carried goes to a remote store, too" {
    make_ca
    start_api
    stick "$(files "$(file /etc/a 1)")"
    agent apply stick.json
    agent status -o json >status.json
    printf '[client]\ncertificate-file = %s\nkey-file = %s\nca-file = %s\n' "$T/admin.crt" "$T/admin.key" \
        "$FC_STATE/ca/ca.crt" >>fc.conf
    expect 0 fc-apply -S "$API_URL" -n --device-status status.json
    same OutOfDate "$(reported .status.updated.status)"
    expect 0 fc-apply -S "$API_URL" --device-status status.json
    same "device/d1 updated" "$output"
    same UpToDate "$(reported .status.updated.status)"
    expect 0 fc-apply -S "$API_URL" --device-status status.json
    same "device/d1 unchanged" "$output"
    jq -c '.metadata.name = "d2"' status.json >other.json
    expect 3 fc-apply -S "$API_URL" --device-status other.json
    has "$stderr" 'Device of name "d2" not found'
}
