# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets stderr and stderr_lines
# Events: one for every change, in the transaction of the change, as the contract has them.

load helpers
load api

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
reasons() {
    fc-select events --of "$1" -q .reason -o name | tac | grep -v DeviceSpecValid | paste -sd' '
}

# seen_at NAME SECONDS: the device was last seen at this time.
seen_at() {
    seen_as "SELECT id, ${2}000000 FROM device WHERE name = '$1'"
}

@test "a sweep tells who fell silent and who came back, once" {
    now=$(date +%s)
    device a b c never
    seen_at a $((now - 240)) && seen_at b $((now - 301)) && seen_at c $((now - 100000))
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

# fleet NAME LABELS IMAGE
fleet() {
    jq -nc --arg n "$1" --argjson l "$2" --arg i "$3" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Fleet", metadata: {name: $n}, spec: {selector: {matchLabels: $l},
        template: {spec: {os: {image: $i}}}}}' | fc-apply >/dev/null
}

@test "fleets, rollouts and owners, with details as the contract has them" {
    device d
    fleet shops '{"role":"shop"}' "x:1"
    fc-work drain
    fleet more '{"role":"shop"}' "x:2"
    fc-work drain
    fc-delete -y fleet/more >/dev/null
    fc-work drain
    fleet shops '{"role":"shop"}' "x:3"
    fc-work drain
    same "ResourceCreated FleetValid FleetRolloutCreated" \
        "$(reasons fleet/shops | cut -d' ' -f1-3)"
    for r in FleetRolloutStarted FleetRolloutBatchDispatched; do has "$(reasons fleet/shops)" $r; done
    for r in DeviceMultipleOwnersDetected DeviceMultipleOwnersResolved FleetRolloutDeviceSelected; do
        has "$(reasons device/d)" $r
    done
    same '["Fleet/shops",["shops","more"],"FleetDeleted"]' \
        "$(fc-select events -q 'select(.reason == "DeviceMultipleOwnersResolved") | .details |
            [.assignedOwner, .previousMatchingFleets, .resolutionType]')"
    same '{"detailType":"FleetRolloutDeviceSelected","fleetName":"shops","templateVersion":"v2"}' \
        "$(fc-select events -q 'select(.reason == "FleetRolloutDeviceSelected") | .details' |
            grep '"shops"' | head -1)"
    same ResourceDeleted "$(fc-select events -q 'select(.involvedObject.kind == "TemplateVersion" and
        .reason == "ResourceDeleted") | .reason' -o name)"
}

@test "every event has a reason, a type and details that the contract knows" {
    needs_shared
    device d
    fleet shops '{"role":"shop"}' "x:1"
    fc-work drain
    fleet more '{"role":"shop"}' "x:{{ .metadata.labels.none }}"
    fc-work drain
    fc-delete -y fleet/more device/d >/dev/null
    fc-work drain
    fc-select events --limit 0 >all
    jq -r '.components.schemas // . | .Event.properties.reason.enum[]' "$SHARED/contract/core.json" |
        sort >known
    same "" "$(jq -r .reason all | sort -u | comm -23 - known)"
    # The members of each one's details are those of its type, the required ones there.
    jq -c '.components.schemas // .' "$SHARED/contract/core.json" >schemas
    jq -es --slurpfile s schemas 'map(select(.details) | .details as $d |
        ($s[0].EventDetails.discriminator.mapping[$d.detailType] | sub(".*/"; "")) as $n |
        ($d | keys) - ($s[0][$n].properties | keys) + ($s[0][$n].required - ($d | keys))) | add == []' \
        all
}

@test "what a device reports is told once, and what no other reason fits as an update" {
    make_ca
    start_api
    new_device one-0123456789abcdef
    id=one-0123456789abcdef
    put() {
        answers 200 $id /api/v1/devices/$id/status -X PUT --json "$(report $id 0 | jq -c "$1")"
    }
    put .
    put .
    n=$(fc-select events --of device/$id --limit 0 | wc -l)
    put .
    same "$n" "$(fc-select events --of device/$id --limit 0 | wc -l)"
    put '.status.resources.cpu = "Critical" | .status.resources.disk = "Warning"'
    put '.status.resources.memory = "Warning" | .status.os.image = "x:1"'
    put '.status.os.image = "x:2"'
    put '.status.os.image = "x:2" | .status.systemInfo.bootID = "c"'
    put '.status.conditions[0] += {status: "True", reason: "Rebooting"}'
    same "DeviceCPUCritical DeviceDiskWarning DeviceCPUNormal DeviceMemoryWarning DeviceDiskNormal \
DeviceMemoryNormal DeviceOSImageChanged ResourceUpdated" \
        "$(reasons device/$id | cut -d' ' -f$((n + 1 - $(specs)))-$((n + 8 - $(specs))))"
    has "$(reasons device/$id)" DeviceIsRebooting
    put '.status.conditions += [{type: "DeviceDecommissioning", status: "True", reason: "Error",
        message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]'
    has "$(reasons device/$id)" DeviceDecommissionFailed
    same "device:$id" "$(fc-select events --of device/$id --limit 1 -q .actor -o name)"
}
specs() { fc-select events --of device/$id --limit 0 -q .reason | grep -c DeviceSpecValid; }
