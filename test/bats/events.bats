# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets stderr and stderr_lines
# Events: one for every change, in the transaction of the change, as the contract has them.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# device NAME ...
device() {
    local d

    for d; do
        jq -nc --arg n "$d" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: $n, labels: {role: "shop"}}, spec: {}}'
    done | fc-apply >/dev/null
}

# reasons KIND/NAME: oldest first.
reasons() { fc-select events --of "$1" -q .reason -o name | tac | paste -sd' '; }

# seen_at NAME SECONDS: the device was last seen at this time.
seen_at() {
    seen_as "SELECT id, ${2}000000 FROM device WHERE name = '$1'"
}

@test "a sweep tells who fell silent and who came back, once" {
    now=$(date +%s)
    device a b c never
    seen_at a $((now - 299)) && seen_at b $((now - 301)) && seen_at c $((now - 100000))
    fc-work drain
    same "ResourceCreated" "$(reasons device/a)"
    same "ResourceCreated DeviceDisconnected" "$(reasons device/b)"
    same "ResourceCreated DeviceDisconnected" "$(reasons device/c)"
    same "ResourceCreated" "$(reasons device/never)"
    same Warning "$(fc-select events --of device/b --limit 1 -q .type -o name)"
    # The next one is due two minutes later.
    seen_at b "$now"
    fc-work drain
    same "ResourceCreated DeviceDisconnected" "$(reasons device/b)"
    at_time +125s fc-work drain
    same "ResourceCreated DeviceDisconnected DeviceConnected" "$(reasons device/b)"
    same "ResourceCreated DeviceDisconnected" "$(reasons device/a)"
    same "ResourceCreated DeviceDisconnected" "$(reasons device/c)"
    at_time +900s fc-work drain
    same "ResourceCreated DeviceDisconnected DeviceConnected DeviceDisconnected" \
        "$(reasons device/b)"
    same "ResourceCreated DeviceDisconnected" "$(reasons device/c)"
}

@test "a sweep of many is made of short transactions, and two at once tell each once" {
    seq -f 'd%g' 1500 | jq -Rc '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: .}, spec: {}}' | fc-apply >/dev/null
    seen_as 'SELECT id, 1000000 FROM device'
    for _ in 1 2 3; do fc-work drain 2>>err & done
    wait
    same "" "$(cat err)"
    same 1500 "$(fc-select events --limit 0 -q 'select(.reason == "DeviceDisconnected") |
        .involvedObject.name' -o name | sort -u | wc -l)"
    same 1500 "$(fc-select events --limit 0 -q .reason -o name | grep -c DeviceDisconnected)"
}
