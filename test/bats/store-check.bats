# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # T comes from helpers
# databases: both
# fc-store check: a store that is damaged by hand.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fill.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"os": {"image": "quay.io/x/os:1"}}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "one", "labels": {"app": "shop", "site": "x"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "two", "labels": {"app": "none"}}, "spec": {"os": {"image": "quay.io/x/os:1"}}}
END
    fc-apply fill.json >/dev/null
    fc-work drain
}
teardown() { fc_teardown; }

# damaged SQL WHAT: is found, and not mended.
damaged() {
    store_sql "$1" >/dev/null
    expect 1 fc-store check -o json
    has "$output" "$2"
    has "$stderr" "problems"
}
# mendable SQL WHAT: --fix mends it, and says so.
mendable() {
    damaged "$1" "$2" || return
    expect 0 fc-store check --fix -o json
    has "$output" "$2"
    has "$output" '"fixed":true'
    expect 0 fc-store check
    same "" "$output$stderr"
}

@test "a store that is whole has no problems" {
    expect 0 fc-store check
    same "" "$output$stderr"
    expect 0 fc-store check --fix
    same "" "$output$stderr"
}

# SQLite guesses until it has been told what the rows are like, which may be never.
@test "what is looked up for each resource is found by its number, in a store never analyzed" {
    local text

    text=$(awk '/^-- :name/ { on = $3 == "check_labels" } on && !/^--/' "$TOP/lib/store/check.sql" |
        sed "s/?[0-9]/'1'/g")
    has "$text" SELECT
    fc-store init -S "sqlite:$T/new.db" >/dev/null
    has "$(sqlite3 new.db "EXPLAIN QUERY PLAN $text")" 'label_id (id=?)'
}

@test "label rows, memberships, rows of devices and rendered specs are mended" {
    mendable "DELETE FROM label WHERE key = 'site'" '"name":"one","organization":"default","problem":"its label rows'
    same one "$(fc-select devices -l site=x -o json | jq -r .metadata.name)"
    mendable "UPDATE label SET value = 'y' WHERE key = 'site'" "its label rows"
    mendable "INSERT INTO label (org, kind, key, value, name, id) VALUES (1, 1, 'a', 'b', 'ghost', 999)" \
        "a label row is of no resource (a)"
    mendable "DELETE FROM device_fleet" "is not in fleet shops, which selects it"
    same Fleet/shops "$(fc-select device/one -o json | jq -r .metadata.owner)"
    mendable "INSERT INTO device_fleet (device, fleet, state, batch, assigned_at)
        SELECT d.id, f.id, 0, -1, 0 FROM resource d, resource f WHERE d.name = 'two' AND f.kind = 2" \
        "is in fleet shops, which does not select it"
    mendable "DELETE FROM rendered" "the rendered spec is not there"
    fc-work drain
    fc-store check
    mendable "DELETE FROM device WHERE name = 'two'" "the device has no row of its own"
    mendable "DELETE FROM resource_status WHERE id = (SELECT id FROM resource WHERE name = 'shops')" \
        "has no row of its status"
}

@test "texts: no JSON, not canonical, not of the schema" {
    damaged "UPDATE resource SET spec = '{\"os\":' WHERE name = 'two'" "spec: is no JSON"
    damaged "UPDATE resource SET spec = '[]' WHERE name = 'two'" "spec: is no object"
    damaged "UPDATE resource SET spec = '{ \"os\":{\"image\":\"quay.io/x/os:1\"}}' WHERE name = 'two'" \
        "spec: is not canonical"
    damaged "UPDATE resource SET spec = '{\"os\":{\"image\":\"no image\"}}' WHERE name = 'two'" "spec.os.image"
    damaged "UPDATE resource SET annotations = '{}}' WHERE name = 'one'" "annotations: is no JSON"
    damaged "UPDATE resource_status SET status = 'x'" "status: is no JSON"
}

@test "references: owners, versions, hashes, revisions, tasks, kinds" {
    damaged "UPDATE resource SET owner = 'Fleet/none' WHERE name = 'one'" "owner: there is no Fleet/none"
    damaged "UPDATE resource SET uid = 'x' WHERE name = 'one'" "uid: must be a UUID"
    damaged "UPDATE rendered SET spec = '{}'" "the rendered spec is not that of its hash"
    damaged "UPDATE device_fleet SET state = 9" "a membership is not of a device"
    damaged "UPDATE revision SET rev = 5 WHERE name = 'two'; INSERT INTO revision (org, kind, name, uid, generation, at, actor, rev)
        VALUES (1, 1, 'two', 'x', 1, 1, 'x', 1)" "revisions are missing in between"
    damaged "INSERT INTO task (queue, type, org, subject, state, attempts, due, lease, created)
        VALUES ('render', 'all', 77, '', 0, 0, 0, 0, 0)" "the task is in no state"
    damaged "UPDATE device SET name = 'three' WHERE name = 'two'" "the row of the device is of another"
    damaged "UPDATE resource SET kind = 99 WHERE name = 'two'" "is of kind 99"
}
