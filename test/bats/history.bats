# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# Revisions: what leaves one, what the past looks like.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# device NAME LABELS [SPEC]: a document.
device() {
    jq -nc --arg n "$1" --argjson l "$2" --argjson s "${3:-"{}"}" '{apiVersion:
        "flightctl.io/v1beta1", kind: "Device", metadata: {name: $n, labels: $l}, spec: $s}'
}
image() { printf '{"os":{"image":"quay.io/x/os:%s"}}' "$1"; }

# apply WHEN [OPTION ...]: standard input, by the clock of then.
apply() { at_time "$1" fc-apply "${@:2}" >/dev/null; }

names() { fc-select devices -q .metadata.name -o name "$@" | paste -sd' '; }

@test "--at shows resources as they were, deleted ones too and later ones not" {
    device a '{"site":"berlin"}' "$(image 1)" | apply -5h
    device b '{"site":"paris"}' | apply -5h
    device a '{"site":"paris"}' "$(image 2)" | apply -3h
    at_time -2h fc-delete -y device/b >/dev/null
    device c '{"site":"paris"}' | apply -1h
    same "" "$(names --at -6h)"
    same "a b" "$(names --at -4h)"
    same "a b" "$(names --at '2h30m ago')"
    same "a" "$(names --at -90m)"
    same "a c" "$(names --at now)"
    same "b" "$(names --at -4h -l site=paris)"
    same "a b" "$(names --at -150m -l site=paris)"
    same "a" "$(names --at -150m -l site=paris --limit 1)"
    expect 0 fc-select device/a --at -4h -o json
    same "$(device a '{"site":"berlin"}' "$(image 1)" |
        jq -Sc '.metadata.generation = 1')" "$(jq -Sc 'del(.metadata.creationTimestamp)' <<<"$output")"
    created=$(fc-select device/a -q .metadata.creationTimestamp -o name)
    for at in -4h -1h; do
        same "$created" "$(fc-select device/a --at $at -q .metadata.creationTimestamp -o name)"
    done
    same 2 "$(fc-select device/a --at -1h -q .metadata.generation)"
    expect 3 fc-select device/a --at -6h
    has "$stderr" 'there was no Device of name "a" at '
    expect 3 fc-select device/b --at -1h
    expect 0 fc-select device/b --at -3h
}

@test "what --at shows can be applied" {
    device a '{"site":"berlin"}' "$(image 1)" | apply -5h
    device a '{"site":"paris"}' "$(image 2)" | apply -3h
    expect 0 bash -o pipefail -c 'fc-select device/a --at -4h | fc-apply'
    same "berlin quay.io/x/os:1" "$(fc-select device/a -q \
        '"\(.metadata.labels.site) \(.spec.os.image)"' -o name)"
}

@test "times: RFC 3339, a day in UTC, words, so long ago; nothing else, and none to come" {
    device a '{}' | apply '@2026-05-04 03:02:01'
    for at in 2026-05-04T03:02:02Z 2026-05-04T05:02:02+02:00 2026-05-05 now today yesterday -1d1h2s \
        '1w ago'; do
        same a "$(at_time '@2026-07-01 12:00:00' fc-select devices --at "$at" \
            -q .metadata.name -o name)" || { echo "$at"; return 1; }
    done
    same "" "$(at_time '@2026-07-01 12:00:00' fc-select devices --at 2026-05-04)"
    for at in '' x -h 2h -2x -2h3 '-2h ago' 2026-13-01 2026-02-30 2026-05-04T03:02 12:00 2999-01-01 \
        -9999999999d tomorrow '--at'; do
        expect 2 fc-select devices --at "$at" || { echo "$at"; return 1; }
        has "$stderr" "is no time of the past"
    done
}

@test "a clock that was set back: revisions count, not times" {
    device a '{"n":"1"}' | apply -5h
    device a '{"n":"2"}' | apply -1h
    device a '{"n":"3"}' | apply -3h
    for at in -4h:1 -2h:3 -30m:3 now:3; do
        same "${at#*:}" "$(fc-select device/a --at "${at%:*}" -q .metadata.labels.n -o name)"
        same "${at#*:}" "$(fc-select devices --at "${at%:*}" -q .metadata.labels.n -o name)"
    done
}

@test "--at is for what users make, and shows what they made" {
    for kind in templateversions events; do
        expect 2 fc-select $kind --at -1h
        has "$stderr" "made by the system"
    done
    expect 2 fc-select devices --rendered --at -1h
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Repository", metadata: {name: "r"},
        spec: {type: "http", url: "https://x.example/", httpConfig: {username: "u",
        password: "geheim"}}}' | apply -2h
    expect 0 fc-select repository/r --at -1h -o json
    same '*****' "$(jq -r .spec.httpConfig.password <<<"$output")"
    hasnt "$(fc-select repositories --at -1h)" geheim
}
