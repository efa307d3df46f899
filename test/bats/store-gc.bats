# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # T comes from helpers
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
    same '{"deadTasks":0,"events":0,"lastSeen":0,"renderedSpecs":0,"revisions":0,"templateVersions":0}' "$output"
    expect 0 fc-store check
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
