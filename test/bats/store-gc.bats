# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # T comes from helpers, output from bats
# databases: both
# fc-store gc and info.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fill.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"os": {"image": "quay.io/x/os:1"}}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "one", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "two", "labels": {"app": "none"}}, "spec": {"os": {"image": "quay.io/x/os:1"}}}
END
    for i in 1 2 3 4 5; do
        sed "s/os:1/os:$i/" fill.json | fc-apply - >/dev/null
        fc-work drain
    done
}
teardown() { fc_teardown; }

count() { store_sql "SELECT count(*) FROM $1"; }

@test "gc removes what is old and unused, and keeps the rest" {
    printf '[history]\nkeep = 2\n[gc]\ntemplates = 1\n[events]\nage = 1d\n' >"$FC_CONF"
    store_sql "INSERT INTO task (queue, type, org, subject, state, attempts, due, lease, created)
        VALUES ('render', 'x', 1, 'old', 2, 3, 5, 0, 5)"
    rendered=$(count rendered)
    expect 0 fc-store gc -n -o json
    same 6 "$(jq .revisions <<<"$output")"
    same 0 "$(jq .templateVersions <<<"$output")"
    same 1 "$(jq .deadTasks <<<"$output")"
    same "$rendered" "$(count rendered)"
    same 11 "$(store_sql 'SELECT count(*) FROM revision')"
    # three days later
    expect 0 at_time +3d fc-store gc -n -o json
    planned=$output
    [ "$(jq .templateVersions <<<"$planned")" -ge 1 ]
    [ "$(jq .renderedSpecs <<<"$planned")" -ge 1 ]
    [ "$(jq .events <<<"$planned")" -ge 10 ]
    same 11 "$(count revision)"
    expect 0 at_time +3d fc-store gc -o json
    same "$planned" "$output"
    same 0 "$(count event)"
    same "$((rendered - $(jq .renderedSpecs <<<"$planned")))" "$(count rendered)"
    expect 0 fc-store check
    same quay.io/x/os:5 "$(fc-render device/two -o json | jq -r .spec.os.image)"
    expect 0 at_time +3d fc-store gc -o json --compact
    same '{"deadTasks":0,"events":0,"lastSeen":0,"renderedSpecs":0,"revisions":0,"templateVersions":0,"tokens":0}' "$output"
    expect 0 fc-store check
}

# gc [OFFSET]: says first what would go, and then lets the same go; in output what went.
gc() {
    expect 0 at_time "${1:-+0}" fc-store gc -n -o json
    planned=$output
    expect 0 at_time "${1:-+0}" fc-store gc -o json
    same "$planned" "$output"
}

# revisions OBJECT: their numbers.
revisions() { fc-history "$1" -q .rev -o name | tac | paste -sd' '; }

@test "revisions: by number, by age, and the newest of what there is always stays" {
    fc-delete -y device/one >/dev/null
    same "1 2 3 4 5" "$(revisions fleet/shops)"
    printf '[history]\nkeep = 0\n' >"$FC_CONF"
    gc +400d
    same 0 "$(jq .revisions <<<"$output")"
    printf '[history]\nkeep = 3\n' >"$FC_CONF"
    gc
    same 4 "$(jq .revisions <<<"$output")"
    same "3 4 5|3 4 5|1 2" "$(revisions fleet/shops)|$(revisions device/two)|$(revisions device/one)"
    # Of those that stay by number, age takes what was not so any more at that time.
    printf '[history]\nkeep = 3\nage = 90d\n' >"$FC_CONF"
    gc +89d
    same 0 "$(jq .revisions <<<"$output")"
    gc +91d
    same 6 "$(jq .revisions <<<"$output")"
    same "5|5" "$(revisions fleet/shops)|$(revisions device/two)"
    expect 3 fc-history device/one
    same quay.io/x/os:5 "$(fc-select device/two --at now -q .spec.os.image -o name)"
    expect 3 fc-history fleet/shops --show 4
    # The next change goes on from there, and deleting leaves what is still within the time.
    fc-delete -y device/two >/dev/null
    same "5 6" "$(revisions device/two)"
    for setting in 'keep = x' 'keep = -1' 'age = x'; do
        printf '[history]\n%s\n' "$setting" >"$FC_CONF"
        expect 6 fc-store gc
        has "$stderr" "fc-store: [history] ${setting%% *}: "
    done
}

@test "events: by number, by age, from the oldest on without a gap" {
    all=$(count event)
    printf '[events]\nkeep = 7\n' >"$FC_CONF"
    fc-select events --limit 7 >newest
    gc
    same $((all - 7)) "$(jq .events <<<"$output")"
    same "$(cat newest)" "$(fc-select events --limit 0)"
    gc
    same 0 "$(jq .events <<<"$output")"
    # Both limits; one that a wrong clock made old stays, if there is an older one that stays.
    at_time -3h fc-delete -y device/one >/dev/null
    printf '[events]\nage = 1h\nkeep = 100\n' >"$FC_CONF"
    gc
    same 0 "$(jq .events <<<"$output")"
    gc +2h
    [ "$(jq .events <<<"$output")" -ge 8 ]
    same "" "$(fc-select events)"
    # The default is 30 days.
    : >"$FC_CONF"
    fc-delete -y device/two >/dev/null
    n=$(count event)
    gc +29d
    same 0 "$(jq .events <<<"$output")"
    gc +31d
    same "$n" "$(jq .events <<<"$output")"
    for setting in 'keep = x' 'age = x'; do
        printf '[events]\n%s\n' "$setting" >"$FC_CONF"
        expect 6 fc-store gc
        has "$stderr" "fc-store: [events] ${setting%% *}: "
    done
}

@test "a cursor of an organization where nothing happens moves with the log" {
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Organization", metadata: {name: "quiet"},
        spec: {}}' | fc-apply - >/dev/null
    old=$(fc-watch --org quiet --timeout 1s | tail -1 | jq -r .cursor)
    jq -nc 'range(5) | {apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "n\(.)"}}' |
        fc-apply - >/dev/null
    fc-watch --org quiet --since "$old" --timeout 1s >log
    same BOOKMARK,BOOKMARK "$(jq -r .type log | paste -sd,)"
    now=$(tail -1 log | jq -r .cursor)
    [ "$now" != "$old" ]
    printf '[events]\nkeep = 1\n' >"$FC_CONF"
    gc
    expect 6 fc-watch --org quiet --since "$old" --timeout 1s
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "first"}}' |
        fc-apply --org quiet - >/dev/null
    fc-watch --org quiet --since "$now" --timeout 1s >log
    same first "$(jq -r 'select(.type == "ADDED") | .object.involvedObject.name' log)"
}

@test "a cursor whose events are gone is told so, a later one goes on" {
    fc-watch --from-start --limit 3 --timeout 9s >log
    old=$(sed -n 2p log | jq -r .cursor)
    now=$(fc-watch --timeout 1s | tail -1 | jq -r .cursor)
    printf '[events]\nkeep = 2\n' >"$FC_CONF"
    last=$(fc-select events --limit 3 -q .metadata.name -o name | tail -1)
    edge=$(fc-watch --from-start --timeout 1s | jq -r --arg n "$last" \
        'select(.object.metadata.name == $n).cursor')
    gc
    expect 6 fc-watch --since "$old" --timeout 1s
    same "fc-watch: the events after this cursor are no longer kept" "$stderr"
    expect 6 fc-watch devices --since "$old" --timeout 1s -o name
    # What was removed up to a cursor does not matter to it.
    expect 0 fc-watch --since "$edge" --timeout 1s -o name
    same 2 "$(grep -c ^event/ <<<"$output")"
    expect 0 fc-watch --since "$now" --timeout 1s -o name
    same "" "$output"
    expect 0 fc-watch --from-start --timeout 1s -o name
    same 2 "${#lines[@]}"
    # All of them gone, and one more since.
    printf '[events]\nage = 1d\n' >"$FC_CONF"
    gc +2d
    expect 6 fc-watch --since "$edge" --timeout 1s
    fc-delete -y device/two >/dev/null
    expect 0 fc-watch --since "$now" --timeout 1s -q '.object.reason // empty' -o name
    has "$output" ResourceDeleted
}

@test "a wrong setting is refused" {
    printf '[gc]\ntemplates = x\n' >"$FC_CONF"
    expect 6 fc-store gc
    has "$stderr" "[gc] templates: must be a number"
    printf '[gc]\ndead-tasks = x\n' >"$FC_CONF"
    expect 6 fc-store gc
    has "$stderr" "[gc] dead-tasks"
}

@test "info says what is in a store, without a password" {
    expect 0 fc-store info -o json
    same "$FC_STORE" "$(jq -r .store <<<"$output")"
    same '["default"]' "$(jq -c .organizations <<<"$output")"
    same '2 1 11' "$(jq -r '"\(.resources.Device) \(.resources.Fleet) \(.revisions)"' <<<"$output")"
    same "$(count event)" "$(jq .events <<<"$output")"
    same "{\"dead\":0,\"leased\":0,\"ready\":$(count task)}" "$(jq -c '.tasks' <<<"$output")"
    [ "$(jq .bytes <<<"$output")" -gt 10000 ]
    [[ $(jq -r .database <<<"$output") =~ ^(SQLite|PostgreSQL)\ [0-9] ]]
    same "$(store_sql "SELECT value FROM meta WHERE key = 'uid'")" "$(jq -r .uid <<<"$output")"
    expect 3 fc-store info -S "sqlite:$T/nowhere.db"
}
