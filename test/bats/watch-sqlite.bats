# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets stderr and stderr_lines
# fc-watch over a file: no work while nothing happens, and what becomes of the file.

load helpers
load watch

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

@test "an idle watch does nothing, and hears at once" {
    needs strace strace
    follow out devices
    # It looks again for what a commit may still bring, less and less often.
    sleep 9
    timeout -s INT 2 strace -f -o trace -p "$PID" 2>/dev/null || :
    [ "$(grep -c '(' trace)" -le 2 ] || { cat trace; return 1; }
    awk '{ exit $14 + $15 > 20 }' "/proc/$PID/stat" || sanitized
    device a
    at=$(jq -rn 'now')
    wait_for lines out 1
    jq -en --argjson at "$at" 'now - $at < 0.3' # with the time that this test's own tools take
    stop "$PID"
}

@test "a store that is checkpointed is followed on; one that goes or is replaced is said to be" {
    follow out devices
    for n in 1 2 3; do
        device "a$n"
        sqlite3 fc.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
        wait_for lines out "$n"
    done
    mv fc.db was.db
    wait_for gone "$PID"
    has "$(cat out.err)" "the store was replaced or is gone"
    mv was.db fc.db
    follow again devices
    fc-store init -S "sqlite:$T/new.db" >/dev/null
    mv new.db fc.db
    wait_for gone "$PID"
    same "fc-watch: $T/fc.db: the store was replaced or is gone" "$(cat again.err)"
    wait "$PID" || status=$?
    same 7 "$status"
}
