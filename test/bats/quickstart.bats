#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The story of examples/quickstart.sh, from its own output; it stops at the first surprise.
# once: it builds and runs the plain build
load helpers

setup() {
    fc_setup
    unset FC_CONF FC_STATE FC_STORE ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
    export FC_DEMO_DIR=$T/demo
}
teardown() { fc_teardown; }

tell() {
    sh "$TOP/examples/quickstart.sh" "$@" >"$T/out" 2>&1 || { cat "$T/out"; return 1; }
}

# The processes that hold something of the demonstration open.
left_over() { grep -lz "FC_DEMO_DIR=$FC_DEMO_DIR" /proc/[0-9]*/environ 2>/dev/null | grep -v "/$$/"; }

@test "the story ends well, and a second time in the same folder" {
    tell
    grep -q '^1\. ' "$T/out"
    grep -q '^7\. ' "$T/out"
    grep -q 'Suspended: batch 2 of 2: 1 of 2 devices succeeded' "$T/out"
    grep -q 'a folder stands where the file should go' "$T/out"
    grep -Eq '^kiosks +v2 +Completed ' "$T/out"
    grep -qx 'berlin-2: closed for renovation' "$T/out"
    cp "$T/out" "$T/first"
    FC_STATE=$FC_DEMO_DIR/server run fc-select devices -q .status.updated.status -o json
    same 6 "$(grep -c UpToDate <<<"$output")"
    tell -q
    grep -Eq '^kiosks +v2 +Completed ' "$T/out"
    [ "$(wc -l <"$T/out")" -lt "$(wc -l <"$T/first")" ]
}

@test "nothing in it sleeps or writes status" {
    run ! grep -nE '(^|[ ;(])sleep ' "$TOP/examples/quickstart.sh"
    run ! grep -nE '/status|sqlite3|UPDATE ' "$TOP/examples/quickstart.sh"
}

@test "a folder that is somebody's is left alone" {
    mkdir "$FC_DEMO_DIR"
    echo mine >"$FC_DEMO_DIR/file"
    run sh "$TOP/examples/quickstart.sh" -q
    [ "$status" -eq 1 ]
    has "$output" "$FC_DEMO_DIR is not empty"
    same mine "$(cat "$FC_DEMO_DIR/file")"
}

@test "without FC_DEMO_DIR nothing is left, neither a file nor a process" {
    unset FC_DEMO_DIR
    mkdir "$T/tmp"
    chmod 1777 "$T/tmp"
    TMPDIR=$T/tmp tell -q
    FC_DEMO_DIR=$T/tmp
    run ls -A "$T/tmp"
    same "" "$output"
    run left_over
    same "" "$output"
}
