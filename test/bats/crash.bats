# SPDX-License-Identifier: Apache-2.0
# once: a killed process says nothing of its memory
# shellcheck disable=SC2154 # T comes from helpers
# Commands that are killed at any write to the disk: the store is whole, all was done or nothing,
# and the same command again ends where it would have ended at once.

load helpers
load api

setup() {
    fc_setup
    needs strace strace
    fc-store init >/dev/null
    cat >one.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"config": [{"name": "c", "inline": [{"path": "/etc/x", "content": "one"}]}]}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "a", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "b", "labels": {"app": "shop"}}}
END
    sed 's/"one"/"two"/' one.json >two.json
}
teardown() { fc_teardown; }

# The store without what differs from run to run: times, random names, keys of rows.
dump() {
    contents "$1"
    sqlite3 "$1" "
        SELECT name, rendered FROM device ORDER BY name;
        SELECT hash FROM rendered ORDER BY hash;
        SELECT kind, CASE kind WHEN 3 THEN '' ELSE name END, reason FROM event ORDER BY seq;"
}

# And without how it came there.
contents() {
    sqlite3 "$1" "
        SELECT kind, name, generation, owner, labels, spec FROM resource ORDER BY kind, name;
        SELECT r.name, s.version, s.status LIKE '%certificate%' FROM resource r
            JOIN resource_status s USING (id) ORDER BY r.kind, r.name;
        SELECT org, kind, key, value, name FROM label ORDER BY 1, 2, 3, 4, 5;
        SELECT name, stale, hash, reported, spec_valid, updated FROM device ORDER BY name;
        SELECT d.name, f.name, a.name, m.state, m.batch FROM device_fleet m
            JOIN resource d ON d.id = m.device JOIN resource f ON f.id = m.fleet
            LEFT JOIN resource a ON a.id = m.assigned ORDER BY 1, 2;
        SELECT v.name, o.status, o.batch FROM rollout o JOIN resource v ON v.id = o.version ORDER BY 1;
        SELECT queue, type, subject, state FROM task ORDER BY 1, 2, 3, 4;
        SELECT kind, name, generation FROM revision ORDER BY id;"
}

# Copies of the store as it is; restore brings it back.
keep() { rm -rf kept && mkdir kept && cp fc.db* kept/; }
restore() { rm -f fc.db* && cp kept/fc.db* .; }

whole() { same ok "$(sqlite3 fc.db 'PRAGMA integrity_check; PRAGMA foreign_key_check')"; }

# kills CHECK COMMAND ...: kills the command at its n-th write, sync and so on, for each n there is,
# and has CHECK look at the store; then it (or AGAIN) runs, and must leave what is in $T/after.
kills() {
    local check=$1 call n calls

    shift
    restore
    strace -qq -f -o calls -e trace="$CALLS" "$@" >/dev/null 2>&1
    for call in ${CALLS//,/ }; do
        calls=$(grep -Ec "^[0-9]+ +$call\(" calls || :)
        for ((n = 1; n <= calls; n++)); do
            killed_at "$call" "$n" "$check" "$@" || { echo "$call $n of $calls"; return 1; }
        done
    done
}
killed_at() {
    local call=$1 n=$2 check=$3 rc=0

    shift 3
    restore
    # In a shell of its own, which says so of what was killed.
    (strace -qq -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" "$@"
        exit $?) >/dev/null 2>&1 || rc=$?
    [ $rc -eq 137 ] || { echo "not killed: $rc"; return 1; }
    whole && "$check" || return
    "${AGAIN[@]:-$@}" >/dev/null 2>err || { echo "again: $(cat err)"; return 1; }
    whole && dump fc.db >now && diff after now
}
CALLS=pwrite64,fdatasync,fsync,ftruncate,unlink

all_or_nothing() {
    dump fc.db >now
    cmp -s now before || cmp -s now after || { diff before now; diff after now; }
}
anything() { :; } # each of its steps is all or nothing: what comes at the end tells

@test "fc-apply, killed at each of its writes: new resources" {
    dump fc.db >before
    keep
    fc-apply -f one.json
    dump fc.db >after
    kills all_or_nothing fc-apply -f one.json
}

@test "fc-apply, killed at each of its writes: changed ones" {
    fc-apply -f one.json
    fc-work drain
    dump fc.db >before
    keep
    fc-apply -f two.json
    dump fc.db >after
    kills all_or_nothing fc-apply -f two.json
}

@test "fc-delete, killed at each of its writes" {
    fc-apply -f one.json
    fc-work drain
    dump fc.db >before
    keep
    fc-delete -y fleet/shops
    dump fc.db >after
    AGAIN=(fc-delete -y --ignore-missing fleet/shops)
    kills all_or_nothing fc-delete -y fleet/shops
}

@test "fc-work drain, killed at each of its writes, ends in the same state when its leases ran out" {
    needs faketime faketime
    fc-apply -f one.json
    keep
    fc-work drain
    # Rendering and rollout may come in another order then, by way of another version.
    dump() { contents "$@"; }
    dump fc.db >after
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
    dump fc.db >before
    keep
    fc-enroll approve device-0123456789abcdef
    dump fc.db >after
    again() { fc-enroll approve device-0123456789abcdef 2>&1 | grep -Eq '^$|approved'; }
    AGAIN=(again)
    kills all_or_nothing fc-enroll approve device-0123456789abcdef
}

@test "fc-store init, killed at each of its writes, makes one when it runs again" {
    rm fc.db*
    mkdir kept
    : >kept/fc.db # restore has something to copy; an empty file is none yet
    fc-store init
    dump fc.db >after
    again() { fc-store init || fc-select devices; }
    AGAIN=(again)
    kills anything fc-store init
}
