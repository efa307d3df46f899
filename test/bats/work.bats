# SPDX-License-Identifier: Apache-2.0
# databases: both, sanitized
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-work: tasks that a change leaves, done once, in any number of processes.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template: {spec: {os: {image: "quay.io/x/os:1"}}}
END
    seq 500 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\(.)",
        labels: {role: "shop"}}, spec: {}}' >devices.json
}
teardown() { fc_teardown; }

rendered() {
    fc-select devices -q '.metadata.annotations["device-controller/renderedVersion"]' | sort | uniq -c |
        sed 's/^ *//'
}
ready() { store_sql 'SELECT count(*) FROM task WHERE state = 0'; }

@test "nothing to do is nothing said" {
    expect 0 fc-work drain
    same "" "$output$stderr"
    expect 0 fc-work drain -v
    has "$stderr" "fc-work: nothing is signed here: "
    has "$stderr" "fc-work: 0 tasks, 0 of them failed"
}

@test "a change leads to rendered devices, once" {
    fc-apply devices.json fleet.yaml >/dev/null
    expect 0 fc-work drain -v
    has "$stderr" "fc-work: rollout: rollout shops done"
    has "$stderr" "fc-work: render: render done"
    same '500 "1"' "$(rendered)"
    expect 0 fc-work drain
    same '500 "1"' "$(rendered)"
}

# All have the fleet's version, and nothing is left to do. One who renders may have been there before
# another one assigned it: then it is a device's second version, and never a third.
same_end() {
    same "500|1|0|0" "$(store_sql 'SELECT count(*), count(DISTINCT hash), sum(stale),
        sum(CASE WHEN rendered IN (1, 2) THEN 0 ELSE 1 END) FROM device')"
    same 500 "$(store_sql 'SELECT count(*) FROM device_fleet WHERE assigned = rendered')"
}

@test "many processes at once do each task once" {
    fc-apply devices.json fleet.yaml >/dev/null
    for _ in 1 2 3 4; do fc-work drain 2>>err & done
    wait
    fc-work drain
    same "" "$(cat err)"
    same_end
}

@test "what is rendered before its fleet's version is assigned is rendered once more" {
    fc-apply devices.json fleet.yaml >/dev/null
    fc-work drain -Q render
    same '500 "1"' "$(rendered)"
    fc-work drain
    same '500 "2"' "$(rendered)"
    same_end
}

@test "one that is killed is followed by one that ends in the same state" {
    fc-apply devices.json fleet.yaml >/dev/null
    for delay in 0.01 0.02 0.04; do
        timeout -s KILL "$delay" fc-work drain || :
    done
    # What was leased comes back when the lease is over, and is done a while later.
    store_sql 'UPDATE task SET lease = 1 WHERE lease > 0'
    fc-work drain
    store_sql "UPDATE task SET due = 0 WHERE queue = 'render' OR error IS NOT NULL"
    fc-work drain
    same_end
}

@test "only some queues, only so many tasks" {
    fc-apply devices.json fleet.yaml >/dev/null
    expect 0 fc-work drain -Q rollout
    same '500 null' "$(rendered)"
    expect 0 fc-work drain -Q render --max 1 -v
    has "$stderr" "fc-work: 1 tasks, 0 of them failed"
    same '500 "1"' "$(rendered)"
    expect 3 fc-work drain -Q sign
    has "$stderr" "ca.key"
    same 1 "${#stderr_lines[@]}"
}

@test "a task that fails is said, tried again, and kept in the end" {
    # A request that was never approved cannot be signed.
    fc-sign ca init >/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout k -subj /CN=x \
        -out csr 2>/dev/null
    jq -nc --rawfile csr csr '{apiVersion: "flightctl.io/v1beta1", kind: "EnrollmentRequest",
        metadata: {name: "x"}, spec: {csr: $csr}}' | fc-apply >/dev/null
    store_sql "INSERT INTO task (queue, type, org, subject, state, attempts, due, lease, created)
        VALUES ('sign', 'enrollmentrequest', 1, 'x', 0, 0, 0, 0, 0)"
    for attempt in 1 2 3; do
        expect 1 fc-work drain
        has "$stderr" "fc-work: sign: enrollmentrequest x failed (attempt $attempt of 3): "
        same 1 "${#stderr_lines[@]}"
        expect 0 fc-work drain # it waits
        store_sql "UPDATE task SET due = 0 WHERE queue = 'sign'"
    done
    expect 0 fc-work drain
    same 1 "$(store_sql "SELECT count(*) FROM task WHERE queue = 'sign' AND error IS NOT NULL")"
    fc-select events -q .reason | grep -q InternalTaskPermanentlyFailed
}

@test "wrong command lines are usage errors" {
    for args in "" "nonsense" "drain x" "drain -Q nonsense" "drain --max -1" "drain --max x"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-work $args
        has "$stderr" "fc-work: "
    done
}
