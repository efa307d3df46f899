# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets status and stderr
# The whole way with real agents, and many processes on one store at once.

load helpers
load api
load flow

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
}
teardown() { fc_teardown; }

# What the file of an agent's root says.
file() { cat "$T/$1$2" 2>/dev/null; }
name_of() { fc-select devices -l "alias=$1" -q .metadata.name -o json | jq -r .; }
update_of() { fc-select devices -l "alias=$1" -o json | jq -r .status.updated.status; }

@test "two agents, two fleets, a change, one that cannot, and what was in its way removed" {
    start_api
    fleet shops '{"app": "shop"}' 'one {{ .metadata.labels.alias }}'
    fleet berlin '{"site": "berlin"}' eins
    fc-work drain
    make_agent north app=shop site=berlin
    make_agent south app=shop site=paris
    enroll_agent north
    enroll_agent south
    fc-work drain
    same "one north eins one south " "$(file north /etc/shops) $(file north /etc/berlin) $(file south /etc/shops) $(file south /etc/berlin)"
    same "UpToDate UpToDate" "$(update_of north) $(update_of south)"
    same "Completed Completed" "$(rollout shops .status) $(rollout berlin .status)"

    rm "$T/south/etc/shops"
    mkdir -p "$T/south/etc/shops/in/the/way"
    fleet shops '{"app": "shop"}' 'two {{ .metadata.labels.alias }}'
    fc-work drain
    run_agent north
    run_agent south || :
    fc-work drain
    same "two north" "$(file north /etc/shops)"
    same "Failed 1" "$(rollout shops '"\(.status) \(.devices.failed)"')"
    same "$(name_of south)" "$(rollout shops '.reports[0].name')"
    same OutOfDate "$(update_of south)"
    # Another run is no other try.
    run_agent south || :
    fc-work drain
    same "Failed 1" "$(rollout shops '"\(.status) \(.devices.failed)"')"

    rm -r "$T/south/etc/shops"
    fc-rollout retry shops
    run_agent south
    fc-work drain
    same "two south Completed UpToDate" "$(file south /etc/shops) $(rollout shops .status) $(update_of south)"

    # One fleet goes: its file goes, the other's stays.
    fc-delete -y fleet/berlin
    fc-work drain
    run_agent north
    same "two north " "$(file north /etc/shops) $(file north /etc/berlin)"
}

@test "an agent whose device was deleted enrolls again, and is up to date again" {
    start_api
    fleet shops '{"app": "shop"}' one
    fc-work drain
    make_agent north app=shop
    enroll_agent north
    fleet shops '{"app": "shop"}' two
    fc-work drain
    run_agent north
    same two "$(file north /etc/shops)"
    id=$(name_of north)
    fc-delete -y "device/$id"
    fc-delete -y "enrollmentrequest/$id"
    for _ in 1 2 3; do
        run_agent north || :
        fc-enroll list -o name 2>/dev/null | grep -q . && break
    done
    fc-enroll approve "$id"
    fleet shops '{"app": "shop"}' three
    fc-work drain
    run_agent north || :
    run_agent north
    fc-work drain
    same "three UpToDate Completed" "$(file north /etc/shops) $(update_of north) $(rollout shops .status)"
}

@test "several fc-apply at once: all of it is there, nothing twice" {
    for i in 1 2 3 4; do
        seq 600 | jq -c --arg i "$i" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: "d\($i)-\(.)", labels: {app: "shop", own: $i}}, spec: {}}'
        # And one that all of them write: the last wins, none is lost on the way.
        jq -nc --arg i "$i" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: "shared", labels: {by: $i}}, spec: {}}'
    done >all.json
    fleet shops '{"app": "shop"}' one
    pids=
    for i in 1 2 3 4; do
        jq -c "select(.metadata.labels.own == \"$i\" or .metadata.labels.by == \"$i\")" all.json >"in$i.json"
        fc-apply "in$i.json" >"out$i" 2>"err$i" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
    same "" "$(cat err?)"
    same 2401 "$(fc-select devices -o name | wc -l)"
    same 2400 "$(fc-select devices -l app=shop -o name | wc -l)"
    same 4 "$(store_sql "SELECT version FROM resource_status JOIN resource USING (id) WHERE name = 'shared'")"
    same 4 "$(store_sql "SELECT count(*) FROM revision WHERE name = 'shared'")"
    same 1 "$(fc-select device/shared -q '.metadata.labels | length' -o json)"
    for _ in 1 2 3; do fc-work drain 2>>err & done
    wait
    fc-work drain
    same "" "$(cat err)"
    # A worker may have come to a device before another one gave it the fleet's version: then it is rendered
    # once without the fleet, and once with it.
    same 0 "$(store_sql "SELECT count(*) FROM device WHERE stale > 0 OR rendered NOT IN (1, 2)")"
    same 1 "$(store_sql "SELECT count(DISTINCT hash) FROM device JOIN device_fleet ON device = id")"
    same 2400 "$(store_sql "SELECT count(*) FROM device_fleet WHERE state = 1 AND assigned = rendered")"
}

@test "of several that change what they read, one wins and the others are told" {
    spec shared start | fc-apply -f - >/dev/null
    for i in 1 2 3 4 5 6; do
        fc-select device/shared -o json | jq -c --arg i "$i" '.metadata.labels = {by: $i} |
            {apiVersion, kind, metadata: (.metadata | {name, labels, resourceVersion})}' >"in$i.json"
    done
    for i in 1 2 3 4 5 6; do
        { rc=0; fc-apply "in$i.json" >/dev/null 2>"err$i" || rc=$?; echo $rc >"rc$i"; } &
    done
    wait
    same "0 4 4 4 4 4" "$(sort rc? | xargs)"
    winner=$(grep -l '^0$' rc?)
    same "${winner#rc}" "$(fc-select device/shared -q .metadata.labels.by -o json | jq -r .)"
    same 5 "$(grep -l 'Device of name "shared" was changed meanwhile' err? | wc -l)"
}

@test "changes while devices poll and report: no error, no lost report" {
    start_api
    fleet shops '{"app": "shop"}' v0
    fc-work drain
    devices a:app=shop b:app=shop
    # Two devices and two workers at it, while the template changes ten times.
    : >go
    pids=
    for d in a b; do
        { while [ -e go ]; do succeed "$d" || echo "$d" >>failed; done; } >"$d.log" 2>&1 3>&- &
        pids="$pids $!"
    done
    for _ in 1 2; do
        { while [ -e go ]; do fc-work drain 2>>failed || echo work >>failed; done; } 3>&- &
        pids="$pids $!"
    done
    for i in 1 2 3 4 5 6 7 8 9 10; do
        fleet shops '{"app": "shop"}' "v$i"
        seq 300 | jq -c --arg i "$i" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: "other\(.)", labels: {round: $i}}, spec: {}}' | fc-apply -f - >/dev/null
    done
    WAIT_FOR=30 wait_for completed
    rm go
    for pid in $pids; do wait "$pid"; done
    [ ! -s failed ] || { cat failed a.log b.log; return 1; }
    same "v10 v10" "$(content a /etc/shops) $(content b /etc/shops)"
    same "UpToDate UpToDate" "$(device a .status.updated.status) $(device b .status.updated.status)"
    case $FC_STORE in
    sqlite:*) same ok "$(sqlite3 fc.db 'PRAGMA integrity_check')" ;;
    *) pg_amcheck -h "$FC_TEST_PG" -U fc -d "$PG_NAME" --install-missing --heapallindexed ;;
    esac
}
completed() { [ "$(rollout shops '"\(.version) \(.status)"')" = "v11 Completed" ]; }

@test "last-seen is written while somebody holds the store, and the other way round" {
    start_api
    devices a
    # The store is held: a poll needs nothing of it, and is noted.
    poll a
    store_hold 60
    poll a
    store_release
    # The record is held: no change waits for it.
    seen_hold 60
    spec x hello | timeout 20 fc-apply -f -
    store_release
}

@test "ids are never used again: a new device was not seen when a deleted one was" {
    start_api
    devices a
    succeed a
    id=$(full a)
    wait_for seen_by_name "$id"
    fc-delete -y "device/$id"
    spec b hello | fc-apply -f - >/dev/null
    same Unknown "$(fc-select device/b -o json | jq -r .status.summary.status)"
    answers 204 admin /api/v1/devices/b/lastseen
}
seen_by_name() { answers 200 admin "/api/v1/devices/$1/lastseen"; }
