# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T comes from helpers
# Commands that are killed at any write to the store: load it behind helpers; crash_setup behind
# fc_setup, crash_teardown before fc_teardown. The test has a function `dump`, which prints what is to be equal in the end.

crash_setup() {
    needs strace strace
    case $FC_STORE in postgres:*)
        mkfifo ask told
        psql -XAtq -d "$FC_STORE" <ask >told 2>&1 3>&- 4>&- &
        SQL_PID=$!
        exec {SQL_IN}>ask {SQL_OUT}<told
        look "SET client_min_messages = error"
    esac
}
crash_teardown() {
    [ -z "${SQL_PID:-}" ] || stop "$SQL_PID"
}

# look STATEMENTS: as store_sql, but on a server by one session for all, since a start takes longer
# than what a killed command does.
look() {
    local line

    case $FC_STORE in
    sqlite:*) store_sql "$1"; return ;;
    esac
    printf '\\o looked\n%s;\n\\o\n\\echo done\n' "$1" >&"$SQL_IN"
    while read -r line <&"$SQL_OUT" && [ "$line" != "done" ]; do echo "$line"; done
    echo "$(<looked)"
}

# Copies of the store as it is; restore brings it back. On a server these are tables beside its own,
# since a database takes ten times as long.
keep() {
    case $FC_STORE in
    sqlite:*) rm -rf kept && mkdir kept && cp fc.db* kept/ ;;
    *)
        RESTORE=$(look "CREATE SCHEMA kept; $(look "SELECT format('CREATE TABLE kept.%I AS TABLE %I;',
                relname, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'");
            SELECT format('DELETE FROM %I; INSERT INTO %I OVERRIDING SYSTEM VALUE TABLE kept.%I;',
                relname, relname, relname) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r';
            SELECT format('SELECT FROM setval(%L, %s, %L);', schemaname || '.' || sequencename,
                coalesce(last_value, start_value), last_value IS NOT NULL) FROM pg_sequences") ;;
    esac
}
restore() {
    case $FC_STORE in
    sqlite:*) rm -f fc.db* && cp kept/fc.db* . ;;
    *) same "" "$(look "BEGIN; SET LOCAL session_replication_role = replica; $RESTORE COMMIT")" ;;
    esac
}

# Nobody works on it any more, and it is sound.
whole() {
    case $FC_STORE in
    sqlite:*) same ok "$(look 'PRAGMA integrity_check; PRAGMA foreign_key_check')" ;;
    *) wait_for abandoned ;; # what was sent to the server is done or undone
    esac
}
abandoned() {
    [ "$(look 'SELECT count(*) FROM pg_stat_activity
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
