# SPDX-License-Identifier: Apache-2.0
# databases: both
# once: a killed process says nothing of its memory
# shellcheck disable=SC2154 # T comes from helpers
# Commands that are killed at any write to the disk: the store is whole, all was done or nothing,
# and the same command again ends where it would have ended at once.

load helpers
load crash
load api

setup() {
    fc_setup
    crash_setup
    fc-store init >/dev/null
    cat >one.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"config": [{"name": "c", "inline": [{"path": "/etc/x", "content": "one"}]}]}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "a", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "b", "labels": {"app": "shop"}}}
END
    sed 's/"one"/"two"/' one.json >two.json
}
teardown() {
    crash_teardown
    fc_teardown
}

# The store without what differs from run to run: times, random names, keys of rows.
dump() {
    look "$CONTENTS;
        SELECT name, rendered FROM device ORDER BY name;
        SELECT hash FROM rendered ORDER BY hash;
        SELECT kind, CASE kind WHEN 3 THEN '' ELSE name END, reason FROM event ORDER BY seq"
}

# And without how it came there.
CONTENTS="SELECT kind, name, generation, owner, labels, spec FROM resource ORDER BY kind, name;
    SELECT r.name, s.version, s.status LIKE '%certificate%' FROM resource r
        JOIN resource_status s ON s.id = r.id ORDER BY r.kind, r.name;
    SELECT org, kind, key, CASE WHEN key = '@status.certificate' THEN '' ELSE value END, name
        FROM label ORDER BY 1, 2, 3, 4, 5;
    SELECT name, stale, hash, reported, spec_valid, updated FROM device ORDER BY name;
    SELECT d.name, f.name, a.name, m.state, m.batch FROM device_fleet m
        JOIN resource d ON d.id = m.device JOIN resource f ON f.id = m.fleet
        LEFT JOIN resource a ON a.id = m.assigned ORDER BY 1, 2;
    SELECT v.name, o.status, o.batch, o.walk, o.remaining FROM rollout o
        JOIN resource v ON v.id = o.version ORDER BY 1;
    SELECT queue, type, subject, state FROM task ORDER BY 1, 2, 3, 4;
    SELECT kind, name, generation FROM revision ORDER BY id"

@test "fc-apply, killed at each of its writes: new resources" {
    dump >before
    keep
    fc-apply -f one.json
    dump >after
    kills all_or_nothing fc-apply -f one.json
}

@test "fc-apply, killed at each of its writes: changed ones" {
    fc-apply -f one.json
    fc-work drain
    dump >before
    keep
    fc-apply -f two.json
    dump >after
    kills all_or_nothing fc-apply -f two.json
}

@test "fc-delete, killed at each of its writes" {
    fc-apply -f one.json
    fc-work drain
    dump >before
    keep
    fc-delete -y fleet/shops
    dump >after
    AGAIN=(fc-delete -y --ignore-missing fleet/shops)
    kills all_or_nothing fc-delete -y fleet/shops
}

@test "fc-work drain, killed at each of its writes, ends in the same state when its leases ran out" {
    needs faketime faketime
    fc-apply -f one.json
    keep
    fc-work drain
    # Rendering and rollout may come in another order then, by way of another version.
    dump() { look "$CONTENTS"; }
    dump >after
    # The first run takes back what was leased, which is due again a while later.
    again() { at_time +2m fc-work drain && at_time +5m fc-work drain; }
    AGAIN=(again)
    kills anything fc-work drain
}

@test "fc-enroll approve, killed at each of its writes: condition, certificate and device are one" {
    make_ca
    start_api
    request_of device-0123456789abcdef
    answers 201 bootstrap /api/v1/enrollmentrequests --json "$(enrollment_of device-0123456789abcdef)"
    stop "$API_PID"
    dump >before
    keep
    fc-enroll approve device-0123456789abcdef
    dump >after
    again() { fc-enroll approve device-0123456789abcdef 2>&1 | grep -Eq '^$|approved'; }
    AGAIN=(again)
    kills all_or_nothing fc-enroll approve device-0123456789abcdef
}

# fleet SELECTOR CONTENT
fleet() {
    jq -nc --argjson sel "$1" --arg content "$2" '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet",
        metadata: {name: "shops"}, spec: {selector: {matchLabels: $sel}, template: {spec: {config:
        [{name: "c", inline: [{path: "/etc/x", content: $content}]}]}}}}'
}

@test "a fleet that takes in others, killed at each of its writes" {
    fc-apply -f one.json
    fc-work drain
    fc-apply - <<<'{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "c", "labels": {"app": "bar"}}}'
    fleet '{"app": "bar"}' two >moved.json
    dump >before
    keep
    fc-apply -f moved.json
    dump >after
    kills all_or_nothing fc-apply -f moved.json
}

@test "a step of a rollout, killed at each of its writes" {
    fc-apply -f one.json
    fc-work drain
    fc-apply -f two.json
    dump >before
    keep
    fc-rollout step shops
    dump >after
    kills all_or_nothing fc-rollout step shops
}

@test "fc-history undo, killed at each of its writes" {
    fc-apply -f one.json
    fc-work drain
    fc-apply -f two.json
    dump >before
    keep
    fc-history undo -y --to 1 fleet/shops
    dump >after
    kills all_or_nothing fc-history undo -y --to 1 fleet/shops
}

init_on_server() {
    RESTORE='DROP SCHEMA public CASCADE; CREATE SCHEMA public;'
    dump >after
    again() { fc-store init || fc-select devices; }
    AGAIN=(again)
    kills anything fc-store init
}

@test "fc-store init, killed at each of its writes, makes one when it runs again" {
    case $FC_STORE in
    sqlite:*) ;;
    *) init_on_server; return ;;
    esac
    rm fc.db*
    mkdir kept
    : >kept/fc.db # restore has something to copy; an empty file is none yet
    fc-store init
    dump >after
    again() { fc-store init || fc-select devices; }
    AGAIN=(again)
    kills anything fc-store init
}
