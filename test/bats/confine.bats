# SPDX-License-Identifier: Apache-2.0
# databases: both
# What fc-api gives up before it reads what strangers send, seen from inside: a library that is loaded
# into it tries what a process that was taken over would try, see probe.c.
# shellcheck disable=SC2154 # set by what is loaded

load helpers
load api

setup_file() {
    cc -shared -fPIC -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/probe.so" \
        "$BATS_TEST_DIRNAME/probe.c"
}
setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    PRELOAD=$BATS_FILE_TMPDIR/probe.so
    ! sanitized || PRELOAD=$(ldd "$BUILD/bin/fc-api" | awk '/libasan/ { print $3 }'):$PRELOAD
}
teardown() { fc_teardown; }

# In front of the one in PATH: with the library.
fc-api() {
    exec env LD_PRELOAD="$PRELOAD" PROBE="$T/probe" PROBE_OWN="$FC_STATE/ca/ca.crt" "$BUILD/bin/fc-api" "$@"
}

# refused FILE: of what was tried, all but the own file, by whom it has to be.
refused() {


    same "read-foreign EACCES
read-root EACCES
make-foreign EACCES
read-own ok
exec EPERM
fork EPERM
packets ENOSYS
listen ENOSYS
mount ENOSYS
bpf ENOSYS
code ENOSYS
end ok" "$(cat "$1")"
}

# confined PID: as the kernel says it.
confined() {
    grep -q '^NoNewPrivs:.1$' "/proc/$1/status" && grep -q '^Seccomp:.2$' "/proc/$1/status"
}
ended() { grep -q '^end' "$T/probe"; }

# The store is read, written and watched, over a connection that was lost as well.
works() {
    answers 201 admin /api/v1/devices --json "$(spec "$1" x)" -H "X-Cert: $CERT" &&
        answers 200 admin "/api/v1/devices/$1" -H "X-Cert: $CERT"
}

@test "an event loop has the store, what names callers, and sockets" {
    printf '%s\n' '[api]' 'trusted-header = X-Cert' 'trusted-address = 127.0.0.1' >>"$FC_CONF"
    CERT=$(as_header admin)
    plain_api
    wait_for confined "$API_PID"
    works one
    kill -USR1 "$API_PID"
    wait_for ended
    refused probe
    works two
    same "" "$(cat plain.log)" # nothing is missing in this kernel
    stop "$API_PID"
}

@test "each of several processes, and one that was started again" {
    local pids pid

    plain_api -j 2
    both() { pids=$(pgrep -P "$API_PID") && [ "$(wc -w <<<"$pids")" = 2 ] && for pid in $pids; do confined "$pid"; done; }
    wait_for both
    kill -9 "${pids%%[[:space:]]*}"
    wait_for both
    stop "$API_PID"
}

@test "one request by CGI, one connection by inetd" {
    export PROBE_END=1
    (REQUEST_METHOD=GET REQUEST_URI=/api/v1/version GATEWAY_INTERFACE=CGI/1.1 fc-api) >out
    grep -q '^Status: 401' out
    refused probe
    rm probe
    (printf 'GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n' | fc-api) >out
    grep -q '^HTTP/1.1 401' out
    refused probe
}

@test "what the kernel lacks is said at start, and served without" {
    plain_api
    stop "$API_PID"
    fc-api() {
        ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 exec strace -f -qq -o "$T/trace" \
            -e inject=landlock_create_ruleset:error=EOPNOTSUPP -e inject=prctl:error=EINVAL:when=2 \
            "$BUILD/bin/fc-api" "$@"
    }
    plain_api
    answers 401 admin /api/v1/version
    same "fc-api: Landlock: Operation not supported: all files of the account are in reach; \
seccomp: Invalid argument: system calls are not filtered" "$(cat plain.log)"
    pkill -P "$API_PID" # strace lets go of it when it ends itself
    stop "$API_PID"
}
