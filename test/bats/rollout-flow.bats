# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr
# Rollouts over the API: only what devices report moves them.

load helpers
load api
load flow

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    start_api
}
teardown() { fc_teardown; }

CANARY=$(batches '{"selector": {"matchLabels": {"role": "canary"}}, "limit": 1}')

# A fleet "shops" that all devices run: a canary c and others.
shops() {
    fleet shops '{"app": "shop"}' one "$CANARY" && fc-work drain &&
        devices c:app=shop,role=canary a:app=shop b:app=shop && succeed c a b && fc-work drain
}

@test "canary first, then the rest; each device gets a version of its own count" {
    shops
    same Completed "$(rollout shops .status)"
    same one "$(content a /etc/shops)"
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    same "batch 1 of 1 1" "$(rollout shops '"\(.batch) \(.devices.pending)"')"
    poll a b
    same one "$(content a /etc/shops)"
    same "OutOfDate OutOfDate" "$(device a .status.updated.status) $(device b .status.updated.status)"
    succeed c
    same two "$(content c /etc/shops)"
    fc-work drain
    same "the last batch 2" "$(rollout shops '"\(.batch) \(.devices.pending)"')"
    succeed a
    same InProgress "$(rollout shops .status)"
    succeed b
    fc-work drain
    same "Completed v2 v2" "$(rollout shops '"\(.status) \(.version) \(.completed)"')"
    same "UpToDate" "$(fc-select devices -o json | jq -r .status.updated.status | sort -u)"
    same "v2 v2" "$(device b '.metadata.annotations | "\(.["fleet-controller/templateVersion"]
        ) \(.["fleet-controller/renderedTemplateVersion"])"' | tr -d '\n')"
}

@test "a device that fails stops it, once; when it recovers by itself the rollout goes on" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    fails c "no room"
    fc-work drain
    same Suspended "$(rollout shops .status)"
    has "$(rollout shops .why)" "0 of 1 devices succeeded (0 %), 90 % needed"
    same "$(full c) failed no room" "$(rollout shops '.reports[] | "\(.name) \(.state) \(.message)"')"
    events=$(fc-select events -q 'select(.reason == "FleetRolloutFailed")' -o name | wc -l)
    same 1 "$events"
    expect 0 fc-rollout step shops
    has "$output" unchanged
    succeed c
    fc-work drain
    same InProgress "$(rollout shops .status)"
    succeed a b
    fc-work drain
    same Completed "$(rollout shops .status)"
}

@test "retry issues the same content under a new version, to those that failed alone" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    expect 4 fc-rollout retry shops
    has "$stderr" "no device failed or timed out"
    fails c
    fc-work drain
    before=$(cat c.has)
    # It does not try again by itself.
    poll c
    same "$before" "$(cat c.has)"
    expect 0 fc-rollout retry shops
    same InProgress "$(rollout shops .status)"
    poll c
    same $((before + 1)) "$(cat c.has)"
    same two "$(content c /etc/shops)"
    fails c "still no room"
    fc-work drain
    same "Suspended still no room" "$(rollout shops '"\(.status) \(.reports[0].message)"')"
    fc-rollout retry shops
    succeed c
    fc-work drain
    succeed a b
    fc-work drain
    same Completed "$(rollout shops .status)"
    same "$((before + 2)) 2 2" "$(cat c.has a.has b.has | xargs)"
}

@test "an old failure is not counted against what comes after it" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    fails c "no room" 2026-01-01T00:00:00Z
    fc-work drain
    same Suspended "$(rollout shops .status)"
    fc-rollout retry shops
    fc-work drain
    # It has the new version, and says once more how the last one ended.
    fails c "no room" 2026-01-01T00:00:00Z
    fc-work drain
    same "InProgress 1" "$(rollout shops '"\(.status) \(.devices.pending)"')"
}

@test "a threshold lets some fail" {
    policy=$(jq -cn '{successThreshold: "60%"}')
    fleet shops '{"app": "shop"}' one "$policy"
    fc-work drain
    devices a:app=shop b:app=shop c:app=shop
    succeed a b c
    fleet shops '{"app": "shop"}' two "$policy"
    fc-work drain
    fails a
    succeed b
    fc-work drain
    same InProgress "$(rollout shops .status)"
    succeed c
    fc-work drain
    same "Completed 1" "$(rollout shops '"\(.status) \(.devices.failed)"')"
}

@test "a newer template takes over in the middle" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    poll c
    fleet shops '{"app": "shop"}' three "$CANARY"
    fc-work drain
    same "v3 1" "$(rollout shops '"\(.version) \(.devices.pending)"')"
    # What it says of the version before is no success of this one.
    cp c.has c.runs
    reports c
    fc-work drain
    same 1 "$(rollout shops .devices.pending)"
    succeed c
    same three "$(content c /etc/shops)"
    fc-work drain
    succeed a b
    same three "$(content a /etc/shops)"
    fc-work drain
    same "Completed v3" "$(rollout shops '"\(.status) \(.completed)"')"
}

@test "a new policy starts the batches anew, without those that have the version" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    fails c
    fc-work drain
    same Suspended "$(rollout shops .status)"
    # c failed as batch 1 of the old policy; that says nothing of batch 1 of the new one.
    fleet shops '{"app": "shop"}' two "$(batches '{"limit": 1}')"
    fc-work drain
    same "InProgress 1 1" "$(rollout shops '"\(.status) \(.current.total) \(.current.pending)"')"
    same v2 "$(rollout shops .version)"
    succeed a
    fc-work drain
    succeed b
    fc-work drain
    same "Completed 1" "$(rollout shops '"\(.status) \(.devices.failed)"')"
}

@test "a new policy still waits for those that are at it" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    fleet shops '{"app": "shop"}' two
    fc-work drain
    succeed a b
    fc-work drain
    same "InProgress 1" "$(rollout shops '"\(.status) \(.devices.pending)"')"
    succeed c
    fc-work drain
    same Completed "$(rollout shops .status)"
}

@test "equal content under a new template is done without the device" {
    fleet shops '{"app": "shop"}' one "$CANARY"
    fc-work drain
    devices c:app=shop,role=canary a:app=shop
    # Its own spec decides what stands in the file.
    for d in c a; do
        jq -cn --arg d "$(full $d)" '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: $d},
            spec: {config: [{name: "own", inline: [{path: "/etc/shops", content: "mine"}]}]}}'
    done | fc-apply -f - >/dev/null
    fc-work drain
    succeed c a
    fc-work drain
    before=$(cat a.has)
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    same "Completed v2 2" "$(rollout shops '"\(.status) \(.completed) \(.devices.succeeded)"')"
    same mine "$(content a /etc/shops)"
    poll a c
    same "$before" "$(cat a.has)"
    same UpToDate "$(device a .status.updated.status)"
}

@test "content that a device failed before fails at once under a new template" {
    shops
    relabel c '. + {text: "two"}'
    relabel a '. + {text: "three"}'
    relabel b '. + {text: "three"}'
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    fails c "no room"
    fc-work drain
    # The new template differs, but not for c.
    jq -cn --argjson policy "$CANARY" '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet",
        metadata: {name: "shops"}, spec: {selector: {matchLabels: {app: "shop"}}, rolloutPolicy: $policy,
        template: {spec: {config: [{name: "shops", inline: [{path: "/etc/shops",
            content: "{{ .metadata.labels.text }}"}]}]}}}}' >third.json
    fc-apply -f third.json
    fc-work drain
    same "v3 Suspended" "$(rollout shops '"\(.version) \(.status)"')"
    has "$(rollout shops .reports[0].message)" "could not apply this content before"
}

@test "a canary that leaves or is deleted does not hold the rollout up" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    same 1 "$(rollout shops .current.pending)"
    # Its label goes: it is no device of the fleet any more.
    relabel c 'del(.app)'
    fc-work drain
    same "the last batch 2" "$(rollout shops '"\(.batch) \(.devices.pending)"')"
    poll c
    same "" "$(content c /etc/shops)"
    fc-delete -y "device/$(full b)"
    succeed a
    fc-work drain
    same Completed "$(rollout shops .status)"
    # It comes back, and gets what the fleet runs.
    relabel c '. + {app: "shop"}'
    poll c
    same two "$(content c /etc/shops)"
}

@test "a device that joins in the middle gets what the fleet ran, then its turn" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    devices late:app=shop
    poll late
    same one "$(content late /etc/shops)"
    succeed late c
    fc-work drain
    same "the last batch 3" "$(rollout shops '"\(.batch) \(.devices.pending)"')"
    # One that comes when the others are at it already is waited for too.
    devices later:app=shop
    succeed a b late
    fc-work drain
    same InProgress "$(rollout shops .status)"
    succeed later
    fc-work drain
    succeed later
    same two "$(content later /etc/shops)"
    fc-work drain
    same Completed "$(rollout shops .status)"
}

@test "a batch that nobody is in is over at once" {
    fleet shops '{"app": "shop"}' one "$CANARY"
    fc-work drain
    devices a:app=shop
    succeed a
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    same "the last batch 1" "$(rollout shops '"\(.batch) \(.devices.pending)"')"
}

@test "two fleets: one unfinished assignment at a time, and both arrive" {
    fleet shops '{"app": "shop"}' one
    fleet berlin '{"site": "berlin"}' eins
    fc-work drain
    devices a:app=shop b:app=shop,site=berlin
    succeed a b
    same "one eins" "$(content b /etc/shops) $(content b /etc/berlin)"
    fc-work drain
    fleet shops '{"app": "shop"}' two
    fc-work drain
    fleet berlin '{"site": "berlin"}' zwei
    fc-work drain
    same "0 1" "$(rollout berlin '"\(.devices.pending) \(.devices.blocked)"')"
    poll b
    same "two eins" "$(content b /etc/shops) $(content b /etc/berlin)"
    succeed a b
    fc-work drain
    same Completed "$(rollout shops .status)"
    same "InProgress 1 0" "$(rollout berlin '"\(.status) \(.devices.pending) \(.devices.blocked)"')"
    poll b
    same "two zwei" "$(content b /etc/shops) $(content b /etc/berlin)"
    # One fails, and only the fleet whose turn it was is to blame.
    fails b
    fc-work drain
    same "Failed Completed" "$(rollout berlin .status) $(rollout shops .status)"
    fleet shops '{"app": "shop"}' three
    fc-work drain
    same 0 "$(rollout shops .devices.blocked)"
    # While the other fleet is at it, there is nothing to retry.
    expect 4 fc-rollout retry berlin
    has "$stderr" "another fleet's version is pending"
    succeed a b
    fc-work drain
    same "Completed Completed" "$(rollout berlin .status) $(rollout shops .status)"
}

@test "a fleet that goes sets its devices free for others" {
    fleet shops '{"app": "shop"}' one
    fleet berlin '{"site": "berlin"}' eins
    fc-work drain
    devices b:app=shop,site=berlin
    succeed b
    fleet shops '{"app": "shop"}' two
    fc-work drain
    fleet berlin '{"site": "berlin"}' zwei
    fc-work drain
    same 1 "$(rollout berlin .devices.blocked)"
    fc-delete -y fleet/shops
    fc-work drain
    same "1 0" "$(rollout berlin '"\(.devices.pending) \(.devices.blocked)"')"
    succeed b
    same " zwei" "$(content b /etc/shops) $(content b /etc/berlin)"
    fc-work drain
    same Completed "$(rollout berlin .status)"
    same "Fleet/berlin" "$(device b .metadata.owner)"
    expect 3 fc-select fleet/shops
    same "" "$(fc-select templateversions -q 'select(.metadata.owner == "Fleet/shops")' -o name)"
}

@test "devices that never report time out, in each of their fleets, and hold no other one up" {
    fleet shops '{"app": "shop"}' one
    fleet berlin '{"site": "berlin"}' eins
    fc-work drain
    # Described before it ever came: pending in both of its fleets.
    jq -cn '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "never",
        labels: {app: "shop", site: "berlin"}}}' | fc-apply -f - >/dev/null
    devices a:app=shop
    succeed a
    fc-work drain
    fleet shops '{"app": "shop"}' two
    fc-work drain
    succeed a
    fc-work drain
    same "InProgress 1" "$(rollout shops '"\(.status) \(.devices.blocked)"')"
    at_time +25h fc-work drain
    same "1 0" "$(rollout shops '"\(.devices.pending) \(.devices.blocked)"')"
    same 1 "$(fc-rollout status berlin -o json | jq -r '[.reports[] | select(.state == "timed out")] | length')"
    at_time +50h fc-work drain
    same "Failed 1" "$(rollout shops '"\(.status) \(.devices.timedOut)"')"
    same "never no report within the update timeout" "$(rollout shops '.reports[] | "\(.name) \(.message)"')"
}

@test "a parameter that a device lacks counts as its failure; the device keeps what it has" {
    shops
    fleet shops '{"app": "shop"}' 'at {{ .metadata.labels.site }}' "$CANARY"
    fc-work drain
    same Suspended "$(rollout shops .status)"
    has "$(rollout shops .reports[0].message)" site
    same "Invalid" "$(device c '.status.conditions[] | select(.type == "SpecValid") | .reason')"
    before=$(cat c.has)
    poll c
    same "$before one" "$(cat c.has) $(content c /etc/shops)"
    # The label comes, and it is rendered again by itself.
    relabel c '. + {site: "x"}'
    succeed c
    same "at x" "$(content c /etc/shops)"
    fc-work drain
    same "the last batch" "$(rollout shops .batch)"
    same "Failed 2" "$(rollout shops '"\(.status) \(.devices.failed)"')"
}

@test "who enrolls again is given a version above the one that it knows" {
    devices a:app=shop
    succeed a
    a=$(full a) b=$(full b)
    fc-delete -y "device/$a"
    fc-delete -y "enrollmentrequest/$a"
    answers 404 "$a" "/api/v1/devices/$a/rendered?knownRenderedVersion=1"
    answers 201 bootstrap /api/v1/enrollmentrequests --json "$(enrollment_of "$a" |
        jq -c '.spec.knownRenderedVersion = "7"')"
    fc-enroll approve "$a"
    certificate_of "$a"
    # Before anything is rendered it may say that it runs nothing.
    echo >a.runs
    reports a
    echo 7 >a.has
    poll a
    same 8 "$(cat a.has)"
    succeed a
    same UpToDate "$(device a .status.updated.status)"
    # One that was described, and rendered, before it came.
    spec "$b" hello | fc-apply -f - >/dev/null
    fc-work drain
    same 1 "$(device b '.metadata.annotations["device-controller/renderedVersion"]')"
    request_of "$b"
    answers 201 bootstrap /api/v1/enrollmentrequests --json "$(enrollment_of "$b" |
        jq -c '.spec.knownRenderedVersion = "4"')"
    fc-enroll approve "$b"
    fc-work drain
    same 5 "$(device b '.metadata.annotations["device-controller/renderedVersion"]')"
}

@test "a device's own spec can always be written, and its report still counts for the fleet" {
    shops
    fleet shops '{"app": "shop"}' two "$CANARY"
    fc-work drain
    poll c
    spec "$(full c)" mine | fc-apply -f - >/dev/null
    fc-work drain
    # The version from before is not what it should run by now.
    cp c.has c.runs
    reports c
    fc-work drain
    same 1 "$(rollout shops .current.pending)"
    succeed c
    same "two mine" "$(content c /etc/shops) $(content c /etc/motd)"
    fc-work drain
    same "the last batch" "$(rollout shops .batch)"
}

@test "many devices in batches of a third: no device twice, none left" {
    policy=$(batches '{"limit": "33%"}' '{"limit": "66%"}')
    fleet shops '{"app": "shop"}' one "$policy"
    fc-work drain
    names=$(seq -f 'd%02g' 12)
    # shellcheck disable=SC2086,SC2046 # words
    devices $(printf '%s:app=shop ' $names)
    # shellcheck disable=SC2086
    succeed $names
    fleet shops '{"app": "shop"}' two "$policy"
    sizes=
    for _ in 1 2 3; do
        fc-work drain
        sizes="$sizes$(rollout shops .current.total) "
        for d in $(rollout shops '.reports[].name'); do succeed "${d%%-*}"; done
    done
    fc-work drain
    same "4 4 4 Completed" "$sizes$(rollout shops .status)"
    same 12 "$(grep -lx 2 ./*.has | wc -l)"
}

@test "a store restored from a backup issues again, above what its devices know" {
    fleet shops '{"app": "shop"}' one
    fc-work drain
    devices a:app=shop
    succeed a
    fc-work drain
    store_keep old
    fleet shops '{"app": "shop"}' two
    fc-work drain
    succeed a
    fc-work drain
    same "two 2" "$(content a /etc/shops) $(cat a.has)"
    stop "$API_PID"
    store_back old
    start_api
    succeed a
    fc-work drain
    same "one 3" "$(content a /etc/shops) $(cat a.has)"
    same "Completed UpToDate" "$(rollout shops .status) $(device a .status.updated.status)"
}
