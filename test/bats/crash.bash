# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T comes from helpers
# Commands that are killed at any write to the store: load it behind helpers; crash_teardown before
# fc_teardown. The test has a function `dump`, which prints what is to be equal in the end.

crash_teardown() {
    case ${PG_NAME:-} in
    ?*) psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres -c "DROP DATABASE IF EXISTS ${PG_NAME}_kept WITH (FORCE)" ;;
    esac
}

# Copies of the store as it is; restore brings it back.
keep() {
    case $FC_STORE in
    sqlite:*) rm -rf kept && mkdir kept && cp fc.db* kept/ ;;
    *) psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres -c "CREATE DATABASE ${PG_NAME}_kept TEMPLATE $PG_NAME" ;;
    esac
}
restore() {
    case $FC_STORE in
    sqlite:*) rm -f fc.db* && cp kept/fc.db* . ;;
    *)
        psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres -c "DROP DATABASE IF EXISTS $PG_NAME WITH (FORCE)" \
            -c "CREATE DATABASE $PG_NAME TEMPLATE ${PG_NAME}_kept"
        ;;
    esac
}

whole() {
    case $FC_STORE in
    sqlite:*) same ok "$(sqlite3 fc.db 'PRAGMA integrity_check; PRAGMA foreign_key_check')" ;;
    *) wait_for abandoned ;; # what was sent to the server is done or undone
    esac
}
abandoned() {
    [ "$(store_sql 'SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()')" = 0 ]
}

# What a command does to the store can be seen of its calls: writes and waits for the disk, or what
# it sends to a server, a statement each.
calls() {
    case $FC_STORE in
    sqlite:*) echo pwrite64 fdatasync fsync ftruncate unlink ;;
    *) echo sendto ;;
    esac
}

# kills CHECK COMMAND ...: kills the command at its n-th call, for each n there is up to EACH and
# some beyond, and has CHECK look at the store; then it (or AGAIN) runs, and must leave what is in
# $T/after.
EACH=50 BEYOND=10
kills() {
    local check=$1 call n count all

    shift
    RANDOM=${SEED:=$RANDOM}
    restore
    all=$(calls)
    strace -qq -f -o calls -e trace="${all// /,}" "$@" >/dev/null 2>&1
    for call in $all; do
        count=$(awk -v call="$call(" '$2 ~ "^" substr(call, 1, length(call) - 1) "[(]" { n++ } END { print n + 0 }' calls)
        for n in $(some_of "$count"); do
            killed_at "$call" "$n" "$check" "$@" || { echo "$call $n of $count, seed $SEED"; return 1; }
        done
    done
}
some_of() {
    local i

    seq $(($1 < EACH ? $1 : EACH))
    for ((i = 0; $1 > EACH && i < BEYOND; i++)); do
        echo $((EACH + 1 + RANDOM % ($1 - EACH)))
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
    whole && dump >now && diff after now
}

all_or_nothing() {
    dump >now
    cmp -s now before || cmp -s now after || { diff before now; diff after now; }
}
anything() { :; } # each of its steps is all or nothing: what comes at the end tells
