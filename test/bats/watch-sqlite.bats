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
    jq -en --argjson at "$at" 'now - $at < 2' # its next look is due later than that
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

@test "a store that is restored in its place has another past: followers end, unless they saw none of it" {
    device a
    fc-store backup early.db >/dev/null
    follow ahead
    device b
    wait_for lines ahead 1
    ahead=$PID
    fc-store restore -f early.db >/dev/null
    wait_for gone "$ahead"
    same "fc-watch: $T/fc.db: the store was restored from a backup" "$(cat ahead.err)"
    wait "$ahead" || status=$?
    same 7 "$status"
    expect 6 fc-watch --since "$(tail -1 ahead | jq -r .cursor)" --timeout 1s
    has "$stderr" "taken back"
    # Who has read no more than the backup has goes on.
    follow even devices
    fc-store restore -f early.db >/dev/null
    device c
    wait_for lines even 1
    same "ADDED c" "$(told even)"
    stop "$PID"
    # As many events as before, and more, but others: stopped while that comes about.
    follow same
    kill -STOP "$PID"
    fc-store restore -f early.db >/dev/null
    device d && device e
    kill -CONT "$PID"
    wait_for gone "$PID"
    has "$(cat same.err)" "was restored from a backup"
    same "" "$(told same)"
    # That of another store.
    fc-store init -S "sqlite:$T/other.db" >/dev/null
    follow other
    fc-store restore -f other.db >/dev/null
    wait_for gone "$PID"
    has "$(cat other.err)" "was restored from a backup"
    # One that runs behind what gc removes is told that, and one that does not goes on.
    device f
    follow late devices
    at_time +60d fc-store gc >/dev/null
    device g
    wait_for lines late 1
    same "ADDED g" "$(told late)"
}
