# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-rollout: plans, states, steps. What reports do to a rollout is tested with the API.

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
  rolloutPolicy:
    successThreshold: 80%
    deviceSelection:
      strategy: BatchSequence
      sequence:
        - {selector: {matchLabels: {canary: "yes"}}, limit: 1}
        - {limit: 50%, successThreshold: 100%}
  template: {spec: {os: {image: "quay.io/x/os:1"}}}
END
    for n in 1 2 3 4 5 6; do
        jq -nc --arg n "$n" '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\($n)",
            labels: {role: "shop", canary: (if $n == "4" or $n == "5" then "yes" else "no" end)}}, spec: {}}'
    done >devices.json
    fc-apply devices.json fleet.yaml >/dev/null
}
teardown() { fc_teardown; }

dump() { store_dump; }

# All devices were seen now, as their polls would say.
seen() {
    seen_as "SELECT id, $(date +%s000000) FROM device"
}

@test "a plan of devices that never came: all of them are in the last batch" {
    before=$(dump)
    expect 0 fc-rollout plan
    same '{"batches":[{"batch":"batch 1 of 3","devices":0,"names":[]},{"batch":"batch 2 of 3","devices":0,"names":[],"needs":100},{"batch":"batch 3 of 3","devices":6,"names":["d1","d2","d3","d4","d5","d6"],"needs":80}],"fleet":"shops"}' \
        "$(sed 's/the last batch/batch 3 of 3/; s/batch 1 of 2/batch 1 of 3/; s/batch 2 of 2/batch 2 of 3/' <<<"$output")"
    same "$before" "$(dump)"
    expect 0 fc-rollout plan shops -o table --names 2
    same "FLEET BATCH DEVICES NEEDS NAMES" "$(echo ${lines[0]})"
    has "${lines[3]}" "d1,d2,..."
    same 4 "${#lines[@]}"
}

@test "a plan of connected devices: a canary, up to the half, the rest" {
    seen
    expect 0 fc-rollout plan -q '.batches[] | [.devices, .needs, .names]'
    same '[1,null,["d4"]]
[2,100,["d1","d2"]]
[3,80,["d3","d5","d6"]]' "$output"
    # Five minutes later nobody is connected any more.
    later=$(date -u -d '+6 minutes' +%Y-%m-%dT%H:%M:%SZ)
    same '[0,0,6]' "$(fc-rollout plan --now "$later" -q '.batches | map(.devices)')"
    expect 0 fc-rollout step
    same "fleet/shops advanced: InProgress: Rolling out batch 1 of 3" \
        "${output/batch 1 of 2/batch 1 of 3}"
    fc-work drain
    expect 0 fc-rollout status -o table
    same "  d4 v1 pending" "${lines[3]}"
    same 4 "${#lines[@]}"
    same '{"pending":1,"total":1}' "$(fc-rollout status -q '.current | {pending, total}')"
}

@test "a plan for a file, of a fleet that is and of one that is not there" {
    before=$(dump)
    sed '/rolloutPolicy/,/limit: 50/d; s/os:1/os:2/' fleet.yaml >v2.yaml
    expect 0 fc-rollout plan -f v2.yaml -q '.batches | map(.devices)'
    same "[6]" "$output"
    sed 's/name: shops/name: new/' fleet.yaml >new.yaml
    expect 0 fc-rollout plan -f new.yaml -f v2.yaml -q '[.fleet, (.batches | map(.devices) | add)]' -o json
    same 2 "${#lines[@]}"
    has "${lines[0]}" '"new"'
    same "$before" "$(dump)"
    sed 's/80%/180%/' fleet.yaml >bad.yaml
    expect 6 fc-rollout plan -f bad.yaml
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "fc-rollout: bad.yaml:7: spec.rolloutPolicy.successThreshold: "
    expect 3 fc-rollout plan -f missing.yaml
    expect 6 fc-rollout plan -f devices.json
}

@test "status of a rollout that did not begin, as a document and for people" {
    expect 0 fc-rollout status shops
    same '["shops","v1","Pending",6,0]' \
        "$(jq -c '[.fleet, .version, .status, .devices.total, .devices.pending]' <<<"$output")"
    expect 0 fc-rollout status -o table
    same "FLEET VERSION STATUS BATCH DEVICES DONE PENDING FAILED SINCE" "$(echo ${lines[0]})"
    has "${lines[1]}" "shops "
    same 2 "${#lines[@]}"
    expect 0 fc-rollout status -o name
    same fleet/shops "$output"
}

@test "step: dry, then really, then there is nothing to do without reports" {
    before=$(dump)
    expect 0 fc-rollout step -n
    same "fleet/shops advanced: InProgress: Rolling out the last batch (dry run)" "$output"
    same "$before" "$(dump)"
    expect 0 fc-rollout step shops
    same "fleet/shops advanced: InProgress: Rolling out the last batch" "$output"
    expect 0 fc-rollout step
    same "fleet/shops unchanged: InProgress: Rolling out the last batch" "$output"
    expect 0 fc-rollout step -o json
    same '{"change":"unchanged","detail":"InProgress: Rolling out the last batch","kind":"Fleet","name":"shops"}' "$output"
    fc-work drain
    expect 0 fc-rollout status -o table
    same "shops: InProgress: Rolling out the last batch" "${lines[2]}"
    same "  d1 v1 pending" "${lines[3]}"
    same 9 "${#lines[@]}"
    same '"pending"' "$(fc-rollout status -q '.reports[0].state')"
}

@test "a new template begins anew" {
    fc-rollout step >/dev/null
    fc-work drain
    sed -i 's/os:1/os:2/' fleet.yaml
    fc-apply fleet.yaml >/dev/null
    same '["v2","Pending"]' "$(fc-rollout status -q '[.version, .status]')"
    fc-work drain
    same '["v2","InProgress"]' "$(fc-rollout status -q '[.version, .status]')"
    fc-select events --of fleet/shops -q .reason | grep -q FleetRolloutStarted
}

@test "devices that do not report in time have failed, and retry issues the version again" {
    expect 4 fc-rollout retry shops
    same "fc-rollout: fleet shops: no device failed or timed out" "$stderr"
    fc-rollout step >/dev/null
    fc-work drain
    expect 0 at_time +25h fc-rollout step
    has "$output" "fleet/shops advanced: Failed: "
    expect 0 fc-rollout status -o table
    has "${lines[2]}" "shops: Failed: "
    has "${lines[2]}" "80 % needed"
    same "  d1 v1 timed out: no report within the update timeout" "${lines[3]}"
    before=$(dump)
    expect 0 fc-rollout retry -n shops
    same "fleet/shops retried: v1 is issued again to 6 devices (dry run)" "$output"
    same "$before" "$(dump)"
    expect 0 fc-rollout retry shops
    same "fleet/shops retried: v1 is issued again to 6 devices" "$output"
    same '"1"' "$(fc-select device/d1 -q '.metadata.annotations["device-controller/renderedVersion"]')"
    fc-work drain
    same '"2"' "$(fc-select device/d1 -q '.metadata.annotations["device-controller/renderedVersion"]')"
    same '"InProgress"' "$(fc-rollout status -q .status)"
}

@test "a fleet without devices is done at once" {
    sed 's/name: shops/name: empty/; s/role: shop/role: none/' fleet.yaml | fc-apply >/dev/null
    fc-work drain
    same '["Completed","v1"]' "$(fc-rollout status empty -q '[.status, .completed]')"
}

@test "fleets that do not exist" {
    for sub in plan status step retry; do
        expect 3 fc-rollout $sub nobody
        same 'fc-rollout: Fleet of name "nobody" not found' "$stderr"
        same "" "$output"
    done
    before=$(dump)
    expect 3 fc-rollout step shops nobody
    same "$before" "$(dump)"
}

@test "wrong command lines are usage errors" {
    for args in "" "nonsense" "retry" "plan --names x" "plan --now yesterday" "step -f fleet.yaml" \
        "status -o nonsense" "plan device/d1"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-rollout $args
        has "$stderr" "fc-rollout: "
    done
}

@test "--now plans for another time, and only plans" {
    expect 0 fc-rollout plan --now 2030-01-02T03:04:05Z -q '.batches | map(.devices) | add'
    same 6 "$output"
    expect 2 fc-rollout step --now 2030-01-02T03:04:05Z
}
