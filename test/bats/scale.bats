# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # T comes from helpers
# Changes that concern many devices: no transaction is large, whoever is interrupted leaves a store
# that others finish, and nobody is told anything wrong meanwhile.

load helpers

DEVICES=3000
STEP=1000 # devices of one transaction

setup() {
    fc_setup
    needs strace strace
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

devices() {
    awk -v n="${1:-$DEVICES}" 'BEGIN { for (i = 1; i <= n; i++) printf "{\"apiVersion\":\"flightctl.io/v1beta1\"," \
        "\"kind\":\"Device\",\"metadata\":{\"name\":\"d%05d\",\"labels\":{\"all\":\"\",\"half\":\"%d\"}}}\n",
        i, i % 2 }' | fc-apply -f - >/dev/null
}

# fleet SELECTOR [CONTENT]: the fleet a
fleet() {
    jq -nc --argjson sel "$1" --arg content "${2:-one}" '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet",
        metadata: {name: "a"}, spec: {selector: {matchLabels: $sel}, template: {spec: {config:
        [{name: "c", inline: [{path: "/etc/x", content: $content}]}]}}}}'
}
members() { sqlite3 fc.db 'SELECT count(*) FROM device_fleet'; }
owned() { sqlite3 fc.db "SELECT count(*) FROM resource WHERE kind = 1 AND owner = 'Fleet/a'"; }
walks() { sqlite3 fc.db "SELECT count(*) FROM task WHERE type = 'walk'"; }

# killed N COMMAND ...: at its n-th wait for the disk; fails if it came to its end.
killed() {
    local n=$1 rc=0

    shift
    (strace -qq -f -o /dev/null -e trace=fdatasync -e inject="fdatasync:signal=KILL:when=$n" "$@"
        exit $?) >/dev/null 2>&1 || rc=$?
    [ $rc -eq 137 ]
}

@test "a fleet of many devices: they come, move and leave, and all is as if it were at once" {
    devices
    fleet '{"all": ""}' | fc-apply -f - >out
    same "fleet/a created" "$(cat out)"
    same "$DEVICES $DEVICES 0" "$(members) $(owned) $(walks)"
    fc-work drain
    same "$DEVICES" "$(fc-rollout status a | jq .devices.pending)"
    fleet '{"half": "1"}' | fc-apply -f -
    same "1500 1500 0" "$(members) $(owned) $(walks)"
    fleet '{"half": "0"}' | fc-apply -f -
    same "1500 1500 0" "$(members) $(owned) $(walks)"
    same '"Fleet/a"' "$(fc-select device/d00002 -q .metadata.owner)"
    same null "$(fc-select device/d00001 -q .metadata.owner)"
    expect 0 fc-delete -y fleet/a
    same "fleet/a deleted" "$output"
    same "0 0 0" "$(members) $(owned) $(walks)"
    expect 3 fc-select fleet/a
    same 1 "$(fc-select events --of fleet/a -q .reason | grep -c ResourceDeleted)"
}

@test "no transaction takes in more than $STEP devices" {
    local n=1 now

    devices
    cp fc.db* "$T/home/"
    fleet '{"all": ""}' >fleet.json
    while cp "$T"/home/fc.db* . && killed $n fc-apply -f fleet.json; do
        # A transaction waits for the disk; how many devices it takes in before is a matter of time.
        now=$(members)
        [ "$now" -le $((n * STEP)) ] || { echo "$now by commit $n"; return 1; }
        n=$((n + 1))
    done
    [ $n -gt 4 ]
    same "$DEVICES" "$(members)"
}

@test "whoever is killed on the way, fc-work finishes it in the name of who began" {
    devices
    fleet '{"all": ""}' >fleet.json
    killed 3 fc-apply -m 'for all' -f fleet.json
    [ "$(members)" -lt $DEVICES ]
    # Before it is finished: the rollout waits, what changes by itself is right at once.
    fc-rollout step a >/dev/null
    same Pending "$(fc-rollout status a | jq -r .status)"
    last=$(sqlite3 fc.db "SELECT name FROM resource WHERE kind = 1 AND owner IS NULL ORDER BY id DESC LIMIT 1")
    fc-select "device/$last" -o json | jq '.metadata.labels.new = ""' | fc-apply
    same '"Fleet/a"' "$(fc-select "device/$last" -q .metadata.owner)"
    at_time +1m fc-work drain
    same "$DEVICES $DEVICES 0" "$(members) $(owned) $(walks)"
    same 1 "$(sqlite3 fc.db "SELECT count(DISTINCT actor) FROM event WHERE details LIKE '%DeviceOwnershipChanged%'")"
    same "$DEVICES" "$(fc-rollout status a | jq .devices.pending)"
    killed 3 fc-delete -y fleet/a
    fc-select fleet/a -q .metadata.deletionTimestamp | grep -q T
    # It takes in nobody and is changed by nobody, but can be deleted again.
    fc-select "device/$last" -o json | jq '.metadata.labels.new = "2"' | fc-apply
    same null "$(fc-select "device/$last" -q .metadata.owner)"
    expect 4 fc-apply -f fleet.json
    has "$stderr" "is being deleted"
    cp fc.db* "$T/home/"
    expect 0 fc-delete -y fleet/a
    same "0 0 0" "$(members) $(owned) $(walks)"
    cp "$T"/home/fc.db* .
    at_time +1m fc-work drain
    same "0 0" "$(members) $(owned)"
    expect 3 fc-select fleet/a
    fc-apply -f fleet.json
    same "$DEVICES" "$(members)"
}

@test "a batch, a new version, a new policy and a retry go in steps of their own" {
    devices 5000
    fleet '{"all": ""}' | jq '.spec.rolloutPolicy = {deviceSelection: {strategy: "BatchSequence",
        sequence: [{limit: "90%"}]}, defaultUpdateTimeout: "10m"}' >fleet.json
    fc-apply -f fleet.json
    # Connected, or no batch but the last would have them.
    seen_as "SELECT id, $(date +%s)000000 FROM device"
    fc-rollout step a
    same "4500 4500" "$(fc-rollout status a | jq -r '"\(.current.total) \(.devices.pending)"')"
    # All of them time out, and are tried again.
    at_time +11m fc-rollout step a
    same "4500 Suspended" "$(fc-rollout status a | jq -r '"\(.devices.timedOut) \(.status)"')"
    expect 0 fc-rollout retry a
    has "$output" "4500 devices"
    same 4500 "$(fc-rollout status a | jq .devices.pending)"
    same 4500 "$(sqlite3 fc.db 'SELECT count(*) FROM device WHERE stale = 2')"
    # Another policy begins anew.
    jq 'del(.spec.rolloutPolicy.deviceSelection)' fleet.json | fc-apply -f -
    same 0 "$(sqlite3 fc.db 'SELECT count(*) FROM device_fleet WHERE batch >= 0')"
    fc-rollout step a
    same "5000 5000" "$(fc-rollout status a | jq -r '"\(.current.total) \(.devices.pending)"')"
    # Up to date, until there is a new version.
    sqlite3 fc.db "UPDATE device SET updated = CASE id % 2 WHEN 0 THEN 'UpToDate' ELSE 'Updating' END"
    fleet '{"all": ""}' two | fc-apply -f -
    same 0 "$(sqlite3 fc.db "SELECT count(*) FROM device WHERE updated = 'UpToDate'")"
    same 2500 "$(sqlite3 fc.db "SELECT count(*) FROM device WHERE updated = 'OutOfDate'")"
}

# add N: counts an annotation on, N times; what came between is a conflict, and another try.
add() {
    local n=0 rc

    while [ "$n" -lt "$1" ]; do
        rc=0
        fc-select device/counter -o json | jq -c '.metadata.annotations.n =
            ((.metadata.annotations.n // "0" | tonumber) + 1 | tostring)' | fc-apply >/dev/null 2>>err || rc=$?
        case $rc in
        0) n=$((n + 1)) ;;
        4) ;;
        *) echo "status $rc" >>failed ;;
        esac
    done
}

@test "writers at once lose no update, and are told of conflicts" {
    local pids=() pid

    fc-apply - <<<'{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "counter"}}'
    : >err
    for _ in 1 2 3 4; do
        add 10 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    [ ! -e failed ] || { cat failed err; return 1; }
    same '"40"' "$(fc-select device/counter -q .metadata.annotations.n)"
    # A line each, of nothing but conflicts.
    same "" "$(grep -v 'was changed meanwhile' err || :)"
    fc-select device/counter -o json | jq -c '.metadata.annotations.n = "0" | .metadata.resourceVersion = "40"' >old.json
    expect 4 fc-apply -f old.json
    has "$stderr" "resourceVersion is 41, not 40"
}
