# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T comes from helpers; tests use the rest
# For tests of fc-watch: devices that change, and who follows them.

# device NAME [LABELS JSON]
device() {
    jq -nc --arg n "$1" --argjson l "${2:-null}" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Device", metadata: {name: $n, labels: ($l // {})}, spec: {}}' | fc-apply >/dev/null
}

# follow FILE [OPTION ...]: in the background, its bookmark is there.
follow() {
    local out=$1

    shift
    fc-watch "$@" >"$out" 2>"$out.err" </dev/null 3>&- 4>&- &
    PID=$!
    echo "$PID" >>"$T/pids"
    wait_for grep -q BOOKMARK "$out"
}
lines() { [ "$(grep -vc BOOKMARK "$1")" -ge "$2" ]; }

# What happened, as "TYPE NAME" each.
told() { jq -r 'select(.type != "BOOKMARK") | .type + " " + .object.metadata.name' "$1" |
    paste -sd, ; }
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }
