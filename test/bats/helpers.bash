# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # bats sets status, output, stderr; tests use the rest
# What the test files share: `load helpers`, then fc_setup in setup and fc_teardown in teardown.
# FC_BUILD names the build folder, by default build; made with sanitizers it is tested as it is.
# FC_TEST_DB=postgres gives each test a PostgreSQL database instead of a SQLite file: of the cluster in
# FC_TEST_PG, or of one that the file starts for itself. A file that run.sh shall run on both has a
# line "# databases: both", and looks into the store by commands or store_sql.

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${FC_BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
SHARED=$TOP/../shared # data beside a checkout; a test that needs it says so when it is missing
for dir in /usr/lib/postgresql/*/bin; do # its own programs, not Debian's slow wrappers of them
    [ ! -d "$dir" ] || PATH=$dir:$PATH
done
PATH=$BUILD/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# What the sanitizers find is exit status 99, which no command uses, and a file that fc_teardown
# sees also when the process ran in the background.
SANITIZER_VARS="ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS"

# $T: a folder of the test's own, which the accounts of agents may pass through; a store, a home and
# no configuration but its own.
fc_setup() {
    local dir

    T=$BATS_TEST_TMPDIR/t
    mkdir -p "$T/home" "$T/state" "$T/sanitizer"
    chmod 1777 "$T/sanitizer"
    for dir in "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR" "$T"; do
        [ ! -d "$dir" ] || [ ! -O "$dir" ] || chmod a+x "$dir"
    done
    export HOME=$T/home FC_STATE=$T/state TZ=UTC LC_ALL=C.UTF-8
    : >"$T/fc.conf"
    export FC_CONF=$T/fc.conf
    unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR FC_ORG GATEWAY_INTERFACE LISTEN_FDS \
        LISTEN_PID http_proxy https_proxy HTTPS_PROXY no_proxy "${!PG@}"
    # intercept_tls_get_addr: libasan of GCC 12 takes the word before the thread-local block of a
    # loaded library for its address when the allocator happens to place the block at 16 of a page,
    # and the search for leaks reads there ("Tracer caught signal 11").
    export ASAN_OPTIONS=detect_leaks=1:exitcode=99:intercept_tls_get_addr=0:log_path=$T/sanitizer/asan
    export UBSAN_OPTIONS=print_stacktrace=1:exitcode=99:log_path=$T/sanitizer/ubsan
    export LSAN_OPTIONS=exitcode=99
    : >"$T/pids"
    cd "$T" || return
    case ${FC_TEST_DB:-sqlite} in
    sqlite) export FC_STORE=sqlite:$T/fc.db ;;
    postgres) pg_database ;;
    *) echo "FC_TEST_DB is $FC_TEST_DB, not sqlite or postgres"; return 1 ;;
    esac
}

fc_teardown() {
    local pid found=0 file

    [ -n "${T:-}" ] || return 0
    while read -r pid; do
        ! ours "$pid" || pkill -x sleep -P "$pid" || : # of store_hold
        stop "$pid"
    done <"$T/pids"
    for file in "$T"/sanitizer/*; do
        [ ! -s "$file" ] || { echo "sanitizer: $file:"; cat "$file"; found=1; }
    done
    [ -n "${PG_NAME-x}" ] || rm -f "$BATS_FILE_TMPDIR/database" # the test has dropped it
    cd /
    return $found
}

# pg_database: an empty database in FC_STORE; PG_NAME is its name. The tests of a file follow each
# other in one: to empty it takes a tenth of what it takes to make it.
pg_database() {
    pg_cluster || return
    if [ -e "$BATS_FILE_TMPDIR/database" ]; then
        PG_NAME=$(<"$BATS_FILE_TMPDIR/database")
        psql -XAtq -h "$FC_TEST_PG" -U fc -d "$PG_NAME" -v ON_ERROR_STOP=1 -c "$EMPTY_DATABASE" >/dev/null
    else
        PG_NAME=t${BASHPID}_$RANDOM$RANDOM
        psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres -c "CREATE DATABASE $PG_NAME" &&
            echo "$PG_NAME" >"$BATS_FILE_TMPDIR/database"
    fi || return
    export FC_STORE="postgres://fc@/$PG_NAME?host=$FC_TEST_PG"
}
EMPTY_DATABASE="SET client_min_messages = error;
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    DO \$\$ DECLARE s name; BEGIN
        FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND
            nspname <> 'information_schema' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s);
        END LOOP;
        CREATE SCHEMA public;
        GRANT USAGE ON SCHEMA public TO PUBLIC; -- as that of a new database
    END \$\$"

# The cluster of the whole run, or one for this file, which teardown_file stops.
pg_cluster() {
    [ -z "${FC_TEST_PG:-}" ] || return 0
    FC_TEST_PG=$BATS_FILE_TMPDIR/pg
    [ -d "$FC_TEST_PG" ] || sh "$TOP/test/postgres.sh" start "$FC_TEST_PG" 3>&- 4>&-
}
teardown_file() {
    if [ -d "$BATS_FILE_TMPDIR/pg" ]; then
        sh "$TOP/test/postgres.sh" stop "$BATS_FILE_TMPDIR/pg"
    elif [ -e "$BATS_FILE_TMPDIR/database" ]; then
        psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres \
            -c "DROP DATABASE $(<"$BATS_FILE_TMPDIR/database") WITH (FORCE)"
    fi
}

# store_sql STATEMENT: straight to the tables; columns are printed with | between them.
store_sql() {
    case $FC_STORE in
    sqlite:*) sqlite3 -cmd '.timeout 10000' "${FC_STORE#sqlite:}" "$1" ;;
    *) psql -XAtq -d "$FC_STORE" -c "$1" ;;
    esac
}
# store_dump: all that is in it, for comparing.
store_dump() {
    case $FC_STORE in
    sqlite:*) sqlite3 "${FC_STORE#sqlite:}" .dump | grep -v sqlite_sequence ;;
    *) pg_dump -d "$FC_STORE" --data-only --inserts |
        grep -v -e 'pg_catalog.setval' -e '^.restrict' -e '^.unrestrict' ;;
    esac
}
# seen_sql STATEMENT: to the table seen (id, at, back).
seen_sql() {
    case $FC_STORE in
    sqlite:*) sqlite3 "${FC_STORE#sqlite:}-seen" "$1" ;;
    *) store_sql "$1" ;;
    esac
}
# seen_as QUERY: sets when devices were last seen, to the rows (id, at) of a query of the store.
seen_as() {
    local attach=

    case $FC_STORE in sqlite:*) attach="ATTACH '${FC_STORE#sqlite:}' AS store;" ;; esac
    seen_sql "$attach WITH q (id, at) AS ($1)
        INSERT INTO seen (id, at, back) SELECT id, at, at FROM q WHERE 1 = 1
        ON CONFLICT (id) DO UPDATE SET at = excluded.at,
        back = CASE WHEN excluded.at - seen.at > 300000000 THEN excluded.at ELSE seen.back END"
}
# store_hold SECONDS: in the background, as its only writer; returns when it is. store_release ends it.
store_hold() {
    hold "$1" '' ''
}
seen_hold() { hold "$1" -seen -; } # the same of the record of last contacts
hold() {
    rm -f "$T/held"
    case $FC_STORE in
    sqlite:*)
        sqlite3 "${FC_STORE#sqlite:}$2" 'BEGIN IMMEDIATE' ".shell touch '$T/held'; sleep $1" &
        ;;
    *)
        psql -XAtq -d "$FC_STORE" -c 'BEGIN' -c "SELECT pg_advisory_xact_lock($3(
            (CAST(1717775665 AS bigint) << 32) | CAST(CAST(to_regclass('meta') AS oid) AS bigint)))" \
            -c "\\! touch '$T/held'; sleep $1" &
        ;;
    esac >/dev/null 2>&1 3>&- 4>&-
    HOLDER=$!
    echo "$HOLDER" >>"$T/pids"
    wait_for test -e "$T/held"
}
store_release() {
    pkill -P "$HOLDER"
    wait "$HOLDER"
}
# store_keep FILE: a copy of the store; store_back FILE puts it back when nobody has it open.
store_keep() {
    case $FC_STORE in
    sqlite:*) sqlite3 "${FC_STORE#sqlite:}" ".backup $1" ;;
    *) pg_dump -d "$FC_STORE" -Fc -f "$1" ;;
    esac
}
store_back() {
    store_wipe || return
    case $FC_STORE in
    sqlite:*) mv "$1" "${FC_STORE#sqlite:}" ;;
    *) pg_restore -d "$FC_STORE" --clean --if-exists "$1" ;;
    esac
}
# store_wipe: the test's store is gone, for a new one to be made.
store_wipe() {
    case $FC_STORE in
    sqlite:*) rm -f "${FC_STORE#sqlite:}" "${FC_STORE#sqlite:}"-* ;;
    *) psql -XAtq -d "$FC_STORE" -c 'DROP SCHEMA public CASCADE; CREATE SCHEMA public' 2>/dev/null ;;
    esac
}

# Is it a build with sanitizers?
sanitized() {
    readelf -d "$BUILD/bin/fc-sign" | grep -q libasan
}

needs_shared() {
    [ -d "$SHARED" ] || skip "$SHARED is missing: what published manifests and the contract tell"
}

# needs COMMAND PACKAGE: a part that is missing fails the test.
needs() {
    command -v "$1" >/dev/null || { echo "$1 is missing: apt-get install $2"; return 1; }
}

# A leak sanitizer does not work on what is traced.
strace() {
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 command strace "$@"
}

# clock_lib: the library that gives a program another time. Not by its wrapper: that shares the time in a
# semaphore named by its process id, and fails on one that a killed process of that id has left.
clock_lib() {
    echo /usr/lib*/*/faketime/libfaketime.so.1 /usr/lib64/faketime/libfaketime.so.1 |
        tr ' ' '\n' | xargs ls 2>/dev/null | head -1
}
# openssl_at OFFSET ARGUMENT ...: openssl by another clock.
openssl_at() {
    local when=$1

    needs faketime faketime || return
    shift
    env LD_PRELOAD="$(clock_lib)" FAKETIME="$when" FAKETIME_DISABLE_SHM=1 openssl "$@"
}

# clock OFFSET: sets CLOCK, the environment in which a program has another clock. A sanitizer's runtime
# has to be loaded first.
clock() {
    local preload

    needs faketime faketime || return
    preload=$(clock_lib)
    ! sanitized || preload=$(ldd "$BUILD/bin/fc-work" | awk '/libasan/ { print $3 }'):$preload
    CLOCK=("LD_PRELOAD=$preload" "FAKETIME=$1" FAKETIME_DISABLE_SHM=1)
}
# at_time OFFSET COMMAND ...: by another clock.
at_time() {
    clock "$1" || return
    shift
    local -x "${CLOCK[@]}"
    "$@"
}

# expect STATUS COMMAND ...: runs it as `run` does, and fails with its output on another status.
expect() {
    local want=$1

    shift
    run --separate-stderr "$@"
    if [ "$status" -ne "$want" ]; then
        printf '%s: status %s, not %s\nstdout: %s\nstderr: %s\n' "$*" "$status" "$want" "$output" \
            "$stderr"
        return 1
    fi
}

# same WANTED GOT: equal texts, or both are shown.
same() {
    [ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }
}

# has TEXT PART / hasnt TEXT PART
has() {
    [[ $1 == *"$2"* ]] || { printf 'no "%s" in: %s\n' "$2" "$1"; return 1; }
}
hasnt() {
    [[ $1 != *"$2"* ]] || { printf '"%s" is in: %s\n' "$2" "$1"; return 1; }
}

# wait_for COMMAND ...: until it succeeds; fails after WAIT_FOR seconds (20).
wait_for() {
    local end=$((SECONDS + ${WAIT_FOR:-20}))

    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "waited in vain for: $*"; return 1; }
        sleep 0.05
    done
}

# A port below those that the kernel gives away itself. It may be taken by the time it is used:
# starters try again with another.
free_port() {
    local port hex

    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM + BASHPID) % 22000))
        hex=$(printf ':%04X ' "$port")
        grep -q "$hex" /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
    echo "$port"
}

# background LOG COMMAND ...: sets PID; fc_teardown ends it.
background() {
    local log=$1

    shift
    "$@" >>"$log" 2>&1 </dev/null 3>&- 4>&- &
    PID=$!
    echo "$PID" >>"$T/pids"
}

# ours PID: is it a child of this test that runs? What has ended may have its number given to a process
# of another test: there are but 32768, and hundreds of new ones a second.
ours() {
    local stat

    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086 # its fields after the name: state, parent
    set -- ${stat##*) }
    [ "$1" != Z ] && { [ "$2" = "$$" ] || [ "$2" = "$BASHPID" ]; }
}

# stop PID: ends a child and waits until it is gone, hard after WAIT_FOR seconds.
stop() {
    local end=$((SECONDS + ${WAIT_FOR:-20})) signal=TERM

    while ours "$1"; do
        [ -z "$signal" ] || kill -s "$signal" "$1" 2>/dev/null
        signal=
        [ "$SECONDS" -lt "$end" ] || signal=KILL
        sleep 0.02
    done
    wait "$1" 2>/dev/null || :
}

# A certificate authority with a server's, a bootstrap and an administrator's certificate.
make_ca() {
    fc-sign ca init >/dev/null &&
        fc-sign server -o "$T/server" localhost 127.0.0.1 >/dev/null &&
        fc-sign enrollment -o "$T/bootstrap" >/dev/null &&
        fc-sign admin -o "$T/admin" tester >/dev/null
}

# Becomes systemd-socket-activate, for `background`. Variables are handed on only when told.
activate() {
    local name args=()

    for name in HOME FC_STATE FC_STORE FC_CONF TZ $SANITIZER_VARS ${ACTIVATE_ENV:-}; do
        args+=(-E "$name")
    done
    exec systemd-socket-activate "${args[@]}" "$@"
}

# start_api [OPTION ...]: store and make_ca first. fc-api with TLS, by socket activation; sets
# API_PID, API_PORT, API_URL.
start_api() {
    local try

    needs systemd-socket-activate systemd || return
    for try in 1 2 3 4 5; do
        API_PORT=$(free_port)
        background "$T/api.log" activate -l "127.0.0.1:$API_PORT" "$BUILD/bin/fc-api" -t \
            --certificate "$T/server.crt" --key "$T/server.key" "$@"
        API_PID=$PID
        if WAIT_FOR=10 wait_for grep -q "Listening on 127.0.0.1:$API_PORT " "$T/api.log"; then
            API_URL=https://127.0.0.1:$API_PORT
            return 0
        fi
        stop "$API_PID"
    done
    cat "$T/api.log"
    return 1
}

# api CERTIFICATE PATH [CURL OPTION ...]: a request with $T/CERTIFICATE.{crt,key}; the body is
# printed, then a line with the status.
api() {
    local who=$1 path=$2

    shift 2
    curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert "$T/$who.crt" --key "$T/$who.key" \
        -w '\n%{http_code}\n' "$@" "$API_URL$path"
}

# make_agent NAME [LABEL=VALUE ...]: start_api first. A device of its own below $T/NAME.
make_agent() {
    local name=$1 label

    shift
    mkdir -p "$T/$name/etc/flightctl/conf.d"
    fc-sign enrollment -f --server "$API_URL" -o "$T/$name/etc/flightctl/config.yaml" \
        >/dev/null || return
    {
        echo "default-labels:"
        echo "  alias: $name"
        for label; do echo "  ${label%%=*}: ${label#*=}"; done
    } >"$T/$name/etc/flightctl/conf.d/labels.yaml"
}

# run_agent NAME [OPTION ...]: one run, in two accounts where the tests run as root; without waiting
# after a failure.
run_agent() {
    local name=$1

    shift
    if [ "$(id -u)" = 0 ]; then
        id -u _fc-agent >/dev/null 2>&1 || { echo "no account _fc-agent: make account"; return 1; }
        fc-agent --root "$T/$name" --now --user _fc-agent "$@"
    else
        fc-agent --root "$T/$name" --now --no-split "$@"
    fi
}

# enroll_agent NAME: its first run, the approval, and the run after it. Sets DEVICE.
enroll_agent() {
    run_agent "$1" || :
    DEVICE=$(fc-select enrollmentrequests -o json |
        jq -r --arg alias "$1" 'select(.spec.labels.alias == $alias) | .metadata.name')
    [ -n "$DEVICE" ] || { echo "$1 did not ask for enrollment"; return 1; }
    fc-enroll approve "$DEVICE" && fc-work drain && run_agent "$1"
}
