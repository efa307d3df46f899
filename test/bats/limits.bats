# SPDX-License-Identifier: Apache-2.0
# How much may be asked: by one caller, from one address, at once, and how slowly.
# shellcheck disable=SC2154 # set by what is loaded

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    printf '%s\n' '[api]' 'trusted-header = X-Cert' "trusted-uid = $(id -u)" >"$FC_CONF"
    CERT="X-Cert: $(as_header admin)"
}
teardown() { fc_teardown; }

# limits LINE ...: of the section [api], further ones.
limits() { printf '%s\n' "$@" >>"$FC_CONF"; }

# on_socket [OPTION ...]: fc-api on a Unix socket, where the header is believed; sets API_PID.
on_socket() {
    background api.log fc-api -l "unix:$T/api.sock" "$@"
    API_PID=$PID
    wait_for test -S api.sock
}
# asked COUNT [CURL OPTION ...]: the statuses of so many requests, one after the other.
asked() {
    local n=$1

    shift
    curl -sS -o /dev/null -D head -w '%{http_code}\n' --unix-socket api.sock -H "$CERT" "$@" \
        "http://x${URL:-/api/v1/version}?[1-$n]" | sort | uniq -c | awk '{ print $2 "x" $1 }' | paste -sd ' '
}
after() { sed -n 's/^Retry-After: \([0-9]*\)\r$/\1/p' head | tail -n 1; }

@test "an identity has its share of requests, in all processes of the host" {
    limits 'identity-rate = 10/1h'
    on_socket -j 2
    same '200x6' "$(asked 6)"
    same '200x4 429x3' "$(asked 7)"
    [ "$(after)" -gt 0 ] && [ "$(after)" -le 360 ]
    # Neither a new connection, nor a process of its own, nor a restart makes it more.
    same '429x1' "$(asked 1)"
    (GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/api/v1/version \
        SSL_CLIENT_CERT=$(cat admin.crt) fc-api) | grep -q '^Status: 429'
    stop "$API_PID"
    on_socket
    same '429x1' "$(asked 1)"
    # Another has another's.
    fc-sign admin -o "$T/other" other >/dev/null
    CERT="X-Cert: $(as_header other)"
    same '200x2' "$(asked 2)"
    # One of many with one name: each bootstrap certificate for itself.
    fc-sign enrollment -o "$T/second" >/dev/null
    for cert in bootstrap second; do
        CERT="X-Cert: $(as_header $cert)"
        same '404x10 429x2' "$(URL=/api/v1/enrollmentrequests/x asked 12)"
    done
    # The file is nothing but counts: who empties, removes or spoils it gives full buckets.
    : >"$FC_STATE/rates"
    CERT="X-Cert: $(as_header admin)"
    same '200x1' "$(asked 1)"
    for byte in '\377' '\177' '\200'; do
        head -c 1048640 /dev/zero | tr '\0' "$byte" | dd of="$FC_STATE/rates" conv=notrunc status=none
        has "$(asked 12)" '200x'
        head -c 1048576 /dev/urandom | dd of="$FC_STATE/rates" conv=notrunc status=none
        has "$(asked 12)" '200x'
    done
    kill -0 "$API_PID"
    stop "$API_PID"
    same "" "$(cat api.log)"
}

@test "a bucket fills again" {
    limits 'identity-rate = 5/1s'
    on_socket
    asked 50 >/dev/null
    again() { [ "$(asked 1)" = 200x1 ]; }
    wait_for again
}

@test "an address has its share, whoever asks; a server in front is no client" {
    limits 'address-rate = 5/1h'
    on_socket
    same '200x20' "$(asked 20)"
    stop "$API_PID"
    plain_api
    statuses() { for _ in 1 2 3 4 5 6 7; do answers "$1" admin /api/v1/version >/dev/null && echo "$1"; done; }
    same 5 "$(statuses 401 | wc -l)"
    same 7 "$(statuses 429 | wc -l)"
    stop "$API_PID"
    # By CGI it is the web server's client.
    cgi() {
        (GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/api/v1/version REMOTE_ADDR=$1 \
            SSL_CLIENT_CERT=$(cat admin.crt) fc-api) | sed -n 's/^Status: \([0-9]*\).*/\1/p'
    }
    same 429 "$(cgi 127.0.0.1)"
    for n in 1 2 3 4 5; do same 200 "$(cgi 192.0.2.1)"; done
    same 429 "$(cgi 192.0.2.1)"
    same 200 "$(cgi 2001:db8::1)"
}

@test "an address has its share of tokens to be checked, wrong ones first of all" {
    local n

    limits 'auth-rate = 3/1h'
    plain_api
    for n in 1 2 3; do answers 401 admin /api/v1/auth/validate -H 'Authorization: Bearer x'; done
    answers 429 admin /api/v1/auth/validate -H 'Authorization: Bearer x'
    answers 401 admin /api/v1/version
    stop "$API_PID"
    # Behind a server in front, each identity has.
    on_socket
    validated() { asked "$1" --request-target /api/v1/auth/validate; }
    same '200x3 429x1' "$(validated 4)"
    same '200x4' "$(asked 4)"
    fc-sign admin -o "$T/other" other >/dev/null
    CERT="X-Cert: $(as_header other)"
    same '200x3 429x1' "$(validated 4)"
}

@test "what is no rate, and a file that cannot be had" {
    local bad

    for bad in 300 0/1m 300/0s -1/1m 300/x '/1m' '300/' '5000000000/1h' '10 / 1m'; do
        printf '[api]\nidentity-rate = %s\n' "$bad" >"$FC_CONF"
        expect 6 fc-api -l "unix:$T/bad.sock"
        has "$stderr" "[api] identity-rate: \"$bad\" is not NUMBER/DURATION"
    done
    printf '[api]\nidentity-rate = 1/1s\nrate-file = %s\n' "$T/no/such" >"$FC_CONF"
    expect 3 fc-api -l "unix:$T/bad.sock"
    has "$stderr" "[api] rate-file: $T/no/such"
    mkfifo pipe
    printf '[api]\nidentity-rate = 1/1s\nrate-file = %s\n' "$T/pipe" >"$FC_CONF"
    expect 5 fc-api -l "unix:$T/bad.sock"
}

# idle_ones COUNT: opens so many connections that say nothing; their descriptors in fds.
idle_ones() {
    local i fd

    for ((i = 0; i < $1; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
        fds+=("$fd")
    done
}
let_go() {
    local fd

    for fd in "${fds[@]}"; do exec {fd}>&-; done
    fds=()
}

@test "connections of one address, and room for others when all are taken by the idle" {
    fds=()
    limits 'address-connections = 5'
    plain_api
    idle_ones 5
    answers 429 admin /api/v1/version -D head
    [ "$(after)" -gt 0 ]
    let_go
    wait_for answers 401 admin /api/v1/version
    stop "$API_PID"
    sed -i /address-connections/d "$FC_CONF"
    plain_api --max-connections 20
    idle_ones 30
    wait_for answers 401 admin /api/v1/version --max-time 5
    let_go
}

@test "many times what fits: memory stays bounded, and all is well at once when it is over" {
    local fd i rss
    fds=()

    plain_api --max-connections 40
    # Requests that never end, ten times as many as are let in; those for whom there is no place
    # wait in the kernel.
    for ((i = 0; i < 400; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT" || break
        fds+=("$fd")
        printf 'PUT /api/v1/devices/x HTTP/1.1\r\nHost: x\r\nX: %032000d' 0 >&"$fd" || :
    done
    [ "${#fds[@]}" -ge 100 ]
    full() { [ "$(ss -Htn state established "sport = :$API_PORT" | wc -l)" -ge 40 ]; }
    wait_for full
    rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$API_PID/status")
    echo "$rss KiB"
    sanitized || [ "$rss" -lt 40000 ]
    let_go
    answers 401 admin /api/v1/version --max-time 20
}
