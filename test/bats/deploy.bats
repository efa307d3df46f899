# SPDX-License-Identifier: Apache-2.0
# fc-api as it is deployed: what starts it is real, and so is the agent that it serves.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api
load deploy

setup() { deploy_setup; }
teardown() { fc_teardown; }

# A device's whole way: enrollment, the first specification, a change, the report.
agent_works() { # NAME
    make_agent "$1" site=berlin
    expect 7 run_agent "$1"
    enroll_agent "$1"
    spec "$DEVICE" "hello $1" | fc-apply -f - >/dev/null
    run_agent "$1"
    same "hello $1" "$(cat "$1/etc/motd")"
    answers 200 admin "/api/v1/devices/$DEVICE"
    same "2 UpToDate Online" "$(json '.status |
        "\(.config.renderedVersion) \(.updated.status) \(.summary.status)"')"
}

served() { api admin /api/v1/version; }

processes() { pgrep -P "$1" | wc -l; }

# --- CGI --------------------------------------------------------------------------------------

lighttpd_on() { # PORT
    filled lighttpd.conf "port=$1" >lighttpd.conf
    started lighttpd.log "$1" lighttpd -D -f "$T/lighttpd.conf"
}

start_lighttpd() {
    needs lighttpd "lighttpd lighttpd-mod-openssl"
    on_ports 1 lighttpd_on
}

@test "CGI under lighttpd: a device from enrollment to report, approved over the API" {
    start_lighttpd
    make_agent one site=berlin
    expect 7 run_agent one
    answers 200 admin '/api/v1/enrollmentrequests?limit=1'
    DEVICE=$(json .items[].metadata.name)
    answers 200 admin "/api/v1/enrollmentrequests/$DEVICE/approval" -X PUT \
        --json '{"approved":true,"labels":{"rack":"7"}}'
    fc-work drain
    run_agent one
    spec "$DEVICE" hello | fc-apply -f - >/dev/null
    run_agent one
    same hello "$(cat one/etc/motd)"
    answers 200 admin "/api/v1/devices/$DEVICE"
    same "7 2 UpToDate Online" "$(json '"\(.metadata.labels.rack) \(.status.config.renderedVersion
        ) \(.status.updated.status) \(.status.summary.status)"')"
    run_agent one # 204 at once: nothing may wait here
    fc-delete -y "device/$DEVICE" >/dev/null
    answers 404 admin "/api/v1/devices/$DEVICE"
}

@test "CGI under lighttpd" {
    start_lighttpd
    serves_all
    for path in /server.key /ca/ca.key / /api/v1 /api/v1/../../server.key /fc-api; do
        run api admin "$path" --path-as-is -o /dev/null
        [[ ${lines[-1]} == 40[34] ]]
    done
    answers 200 admin '/api/v1/devices?labelSelector=site%3Da&limit=1' --http2
}

@test "CGI by itself: an environment that no server would make" {
    cgi() {
        env GATEWAY_INTERFACE=CGI/1.1 SSL_CLIENT_CERT="$(cat admin.crt)" REQUEST_METHOD=GET \
            REQUEST_URI=/api/v1/version SERVER_PROTOCOL=HTTP/1.1 "$@" timeout 20 fc-api >out || [ $want = 503 ]
        same "Status: $want" "$(head -n 1 out | tr -d '\r' | cut -d ' ' -f 1,2)"
    }
    want=200 cgi
    want=200 cgi REQUEST_URI= SCRIPT_NAME=/api PATH_INFO=/v1/version
    want=200 cgi REQUEST_URI=/cgi-bin/fc-api/api/v1/version SCRIPT_NAME=/cgi-bin/fc-api
    want=401 cgi SSL_CLIENT_CERT=
    want=401 cgi SSL_CLIENT_CERT= HTTP_X_SSL_CLIENT_CERT="$(as_header admin)" REMOTE_ADDR=127.0.0.1
    want=401 cgi SSL_CLIENT_CERT=x
    want=404 cgi REQUEST_URI=/
    want=400 cgi REQUEST_URI='/api/v1/a b'
    want=400 cgi REQUEST_URI=version
    want=400 cgi REQUEST_METHOD=
    want=501 cgi REQUEST_METHOD=ABCDEFGHIJKLMNOPQ
    want=414 cgi REQUEST_URI="/$(printf 'a%.0s' {1..9000})"
    want=414 cgi QUERY_STRING="$(printf 'a%.0s' {1..9000})"
    want=431 cgi HTTP_A="$(printf 'a%.0s' {1..40000})"
    want=400 cgi HTTP_A=$'a\rb'
    want=400 cgi CONTENT_LENGTH=x
    want=400 cgi CONTENT_LENGTH=-1
    want=413 cgi CONTENT_LENGTH=99999999999999999999
    want=400 cgi CONTENT_LENGTH=5 </dev/null # a server that promises more than it sends
    # A header is never believed here: the address is that of the web server's client.
    printf '[api]\ntrusted-header = X-Cert\ntrusted-address = 127.0.0.1\n' >"$FC_CONF"
    want=401 cgi SSL_CLIENT_CERT= HTTP_X_CERT="$(as_header admin)" REMOTE_ADDR=127.0.0.1
    rm "$FC_STATE/fc.db"
    want=503 cgi
    hasnt "$(cat out)" "$T"
}

@test "CGI: a certificate is verified once an hour, and again when anything has changed" {
    # by CERTIFICATE: an answer to who has it, at the time AT if that is set, and whether that took
    # cryptography.
    by() {
        (
            export GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/api/v1/auth/userinfo
            SSL_CLIENT_CERT=$(cat "$1.crt")
            export SSL_CLIENT_CERT LD_DEBUG=files LD_DEBUG_OUTPUT="$T/ld"
            if [ -n "${AT:-}" ]; then at_time "$AT" fc-api; else fc-api; fi
        ) </dev/null >out
        body=$(sed '1,/^\r*$/d' out)
        echo "$(sed -n 's/^Status: \([0-9]*\).*/\1/p' out) $(json '.sub // .preferred_username // ""') $(
            grep -q 'calling init: .*libcrypto' ld.* && echo verified)"
        rm ld.*
    }
    local kept=$FC_STATE/verified

    same '200 tester verified' "$(by admin)"
    same '200 tester ' "$(by admin)"
    same 600 "$(stat -c %a "$kept")"
    # Another's is another's.
    fc-sign admin -o other somebody >/dev/null
    same '200 somebody verified' "$(by other)"
    same '200 somebody ' "$(by other)"
    same '200 tester ' "$(by admin)"
    # An hour is the most; what has run out meanwhile does not count for that long.
    same '200 tester ' "$(AT=+59m by admin)"
    same '200 tester verified' "$(AT=+61m by admin)"
    openssl req -new -key admin.key -subj /CN=brief -out brief.csr
    printf '%s\n' extendedKeyUsage=clientAuth 1.3.6.1.4.1.99999.1.1=ASN1:UTF8String:flightctl.io/admin \
        1.3.6.1.4.1.99999.1.2=ASN1:UTF8String:00000000-0000-0000-0000-000000000000 >ext
    needs faketime faketime
    openssl_at -84600s x509 -req -in brief.csr -CA "$FC_STATE/ca/ca.crt" \
        -CAkey "$FC_STATE/ca/ca.key" -days 1 -extfile ext -out brief.crt 2>/dev/null
    same '200 brief verified' "$(by brief)"
    same '200 brief ' "$(by brief)"
    same '401  ' "$(AT=+31m by brief)"
    # A row that is damaged is none, and so is one in a file that others can write.
    sed -i 's/somebody/superman/' "$kept"
    same '200 somebody verified' "$(by other)"
    same '200 somebody ' "$(by other)"
    truncate -s -100 "$kept"
    head -c 200000 /dev/urandom | dd of="$kept" conv=notrunc status=none
    has "$(by admin) $(by other)" '200 tester'
    rm "$kept"
    by admin
    same '200 tester ' "$(by admin)"
    chmod 666 "$kept"
    same '200 tester verified' "$(by admin)"
    rm "$kept"
    ln -s "$T/elsewhere" "$kept"
    same '200 tester verified' "$(by admin)"
    [ ! -e elsewhere ]
    # Another authority: what the first one has signed is worth nothing.
    rm "$kept"
    by admin
    same '200 tester ' "$(by admin)"
    FC_STATE=$T/new fc-sign ca init >/dev/null
    cp new/ca/ca.crt "$FC_STATE/ca/ca.crt"
    same '401  verified' "$(by admin)"
    same '401  verified' "$(by admin)"
}

@test "CGI: when a device was seen is written once a minute, by whichever process" {
    local one=device-one-0123456789 first

    request_of $one
    enrollment_of $one | fc-apply -f - >/dev/null
    fc-enroll approve $one >/dev/null
    fc-work drain
    fc-select enrollmentrequest/$one -q .status.certificate -o json | jq -r . >$one.crt
    # polls: it asks, at the time AT if that is set; when it was seen, then.
    polls() {
        (
            export GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET QUERY_STRING=knownRenderedVersion=1
            SSL_CLIENT_CERT=$(cat $one.crt)
            export SSL_CLIENT_CERT REQUEST_URI="/api/v1/devices/$one/rendered?$QUERY_STRING"
            if [ -n "${AT:-}" ]; then at_time "$AT" fc-api; else fc-api; fi
        ) </dev/null >out
        grep -q '^Status: 204' out && fc-select device/$one -o json -q .status.lastSeen | jq -re .
    }
    first=$(polls)
    same "$first" "$(AT=+20s polls)"
    [[ "$(AT=+61s polls)" > "$first" ]]
    first=$(AT=+62s polls)
    # The marks are lost, spoilt, another's.
    rm "$FC_STATE/seen"
    [[ "$(AT=+63s polls)" > "$first" ]]
    first=$(AT=+64s polls)
    head -c 1048576 /dev/urandom | dd of="$FC_STATE/seen" conv=notrunc status=none
    [[ "$(AT=+65s polls)" > "$first" ]]
    chmod 622 "$FC_STATE/seen"
    first=$(AT=+66s polls)
    [[ "$(AT=+67s polls)" > "$first" ]]
}

# --- inetd ------------------------------------------------------------------------------------

inetd_on() { # PORT PORT PORT
    filled inetd.conf "user=$(id -un)" idle=1 "wait=127.0.0.1:$1" "nowait=127.0.0.1:$2" \
        "plain=127.0.0.1:$3" >inetd.conf
    started inetd.log "$*" inetd -i -R 10000 "$T/inetd.conf"
    INETD=$SERVER NOWAIT_PORT=$2 PLAIN_PORT=$3
}

start_inetd() {
    needs inetd openbsd-inetd
    printf '[api]\ntrusted-header = Client-Cert\ntrusted-address = 127.0.0.1\n' >>"$FC_CONF"
    on_ports 3 inetd_on
}

@test "inetd wait: one process for all, which ends when idle and is started again" {
    local first

    start_inetd
    childless "$INETD"
    agent_works one
    first=$(pgrep -P "$INETD")
    served
    same "$first" "$(pgrep -P "$INETD")"
    WAIT_FOR=90 wait_for childless "$INETD"
    served
    children "$INETD"
    [ "$(pgrep -P "$INETD")" != "$first" ]
    run_agent one
    serves_all
}

@test "inetd nowait: a process for each connection" {
    start_inetd
    API_URL=https://127.0.0.1:$NOWAIT_PORT
    agent_works one
    serves_all
    WAIT_FOR=90 wait_for childless "$INETD"
    # One connection, many requests; a poll is not kept waiting.
    same '200 1
200 0
204 0' "$(curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert one/var/lib/flightctl/certs/agent.crt \
        --key one/var/lib/flightctl/certs/agent.key -o /dev/null -o /dev/null -o /dev/null \
        -w '%{http_code} %{num_connects}\n' "$API_URL/api/v1/version" \
        "$API_URL/api/v1/devices/$DEVICE/rendered?knownRenderedVersion=1" \
        "$API_URL/api/v1/devices/$DEVICE/rendered?knownRenderedVersion=2")"
    WAIT_FOR=90 wait_for childless "$INETD"
}

@test "inetd nowait, plain, behind somebody who speaks TLS" {
    start_inetd
    API_URL=http://127.0.0.1:$PLAIN_PORT
    cert=":$(openssl x509 -in admin.crt -outform DER | base64 -w0):"
    same '200 1
200 0' "$(curl -sS -H "Client-Cert: $cert" -o /dev/null -o /dev/null \
        -w '%{http_code} %{num_connects}\n' "$API_URL/api/v1/devices" "$API_URL/api/v1/version")"
    same 401 "$(curl -sS -o /dev/null -w '%{http_code}' "$API_URL/api/v1/devices")"
    same 401 "$(curl -sS -o /dev/null -w '%{http_code}' -H "Client-Cert: $cert" \
        --interface 127.0.0.3 "$API_URL/api/v1/devices")"
    WAIT_FOR=90 wait_for childless "$INETD"
    # inetd's standard error is the connection: what is wrong here is not for strangers. (It is wrong
    # before a request could come.)
    mv "$FC_STATE/fc.db" away
    exec {fd}<>"/dev/tcp/127.0.0.1/$PLAIN_PORT"
    same '' "$(timeout 20 cat <&"$fd")"
    exec {fd}>&-
}

# --- socket activation ------------------------------------------------------------------------

@test "socket activation, two processes: both serve, one that is killed is replaced" {
    local pids one

    start_api -j 2
    agent_works one
    same 2 "$(processes "$API_PID")"
    pids=$(pgrep -P "$API_PID")
    for one in $pids; do kill -9 "$one"; served; done # the other one, then a new one
    wait_for sh -c "[ \$(pgrep -P $API_PID | wc -l) = 2 ]"
    [ "$(pgrep -P "$API_PID")" != "$pids" ]
    grep -q 'was killed by signal 9' api.log
    run_agent one
    # A poll that waits in one process hears of what another commits.
    curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert one/var/lib/flightctl/certs/agent.crt \
        --key one/var/lib/flightctl/certs/agent.key -v -o poll.out \
        "$API_URL/api/v1/devices/$DEVICE/rendered?knownRenderedVersion=2" 2>poll.err 3>&- &
    one=$!
    wait_for grep -q '^> GET' poll.err
    spec "$DEVICE" again | fc-apply -f - >/dev/null
    wait "$one"
    same 3 "$(jq -r '.metadata.annotations["device-controller/renderedVersion"]' poll.out)"
    pids=$(pgrep -P "$API_PID")
    stop "$API_PID"
    for one in $pids; do not kill -0 "$one" 2>/dev/null; done
}

activate_on() { # PORT
    PATH=$(bindir):$PATH started activate.log "$1" sh "$TOP/examples/socket-activate.sh" \
        $accept "127.0.0.1:$1" -t
}

@test "socket activation: one process for all" {
    accept=''
    on_ports 1 activate_on
    serves_all
}

@test "socket activation for each connection" {
    accept=--accept
    on_ports 1 activate_on
    agent_works one
    serves_all
    wait_for childless "$SERVER"
}

piped_on() { # PORT
    printf '%s\n' '#!/bin/sh' "cat | '$(bindir)/fc-api' --config '$FC_CONF' -t | cat" >piped
    chmod 755 piped
    started piped.log "$1" systemd-socket-activate -a --inetd -l "127.0.0.1:$1" "$T/piped"
}

@test "TLS over two pipes, as ssh hands them over" {
    on_ports 1 piped_on
    serves_all
    wait_for childless "$SERVER"
}

@test "idle: it ends by itself, not while somebody is connected" {
    local fd

    printf '[api]\nidle = 1\n' >"$FC_CONF"
    start_api
    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    served
    not timeout 1.5 tail -f /dev/null --pid="$API_PID"
    kill -0 "$API_PID"
    exec {fd}>&-
    wait_for sh -c "! kill -0 $API_PID"
    wait "$API_PID"
}

@test "the end: what is under way is answered" {
    local fd doc

    printf '%s\n' '[api]' 'trusted-header = X-Cert' 'trusted-address = 127.0.0.1' >"$FC_CONF"
    plain_api
    request_of device-one-0123456789
    doc=$(enrollment_of device-one-0123456789)
    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    printf 'POST /api/v1/enrollmentrequests HTTP/1.1\r\nHost: x\r\nX-Cert: %s\r\nContent-Length: %d\r\n\r\n%s' \
        "$(as_header bootstrap)" "${#doc}" "${doc:0:100}" >&"$fd"
    # Others are answered, so the head has been read. A second connection says nothing.
    exec {idle}<>"/dev/tcp/127.0.0.1/$API_PORT"
    same 401 "$(curl -sS -o /dev/null -w '%{http_code}' "$API_URL/")"
    kill "$API_PID"
    timeout 20 cat <&"$idle" >idle.out # closed at once
    [ ! -s idle.out ]
    kill -0 "$API_PID"
    printf '%s' "${doc:100}" >&"$fd"
    timeout 20 cat <&"$fd" >out
    has "$(head -n 1 out)" '201 Created'
    grep -q '^Connection: close' out
    exec {fd}>&- {idle}>&-
    wait "$API_PID"
    fc-select enrollmentrequest/device-one-0123456789 -o name
}

# --- by itself --------------------------------------------------------------------------------

@test "a Unix socket: a stale one is replaced, a live one and other files are not" {
    background one.log fc-api -l "unix:$T/sock"
    wait_for test -S sock
    first=$PID
    expect 4 fc-api -l "unix:$T/sock"
    same "fc-api: $T/sock: another process listens there" "$stderr"
    kill -9 "$first"
    wait_for sh -c "! kill -0 $first"
    [ -S sock ]
    background two.log fc-api -l "unix:$T/sock"
    wait_for curl -sS --unix-socket sock http://x/
    stop "$PID"
    [ ! -e sock ]
    echo mine >file
    expect 4 fc-api -l "unix:$T/file"
    same mine "$(cat file)"
    expect 2 fc-api -l "unix:$T/$(printf 'a%.0s' {1..200})"
    expect 2 fc-api -l nonsense
    expect 2 fc-api -l 127.0.0.1:70000
    expect 2 fc-api -l 127.0.0.1:1 extra
    expect 2 fc-api -j 0 -l "unix:$T/sock"
}

@test "what is missing or wrong is said before anybody is served" {
    expect 3 fc-api -t -l "unix:$T/sock" --certificate "$T/none.crt" --key "$T/server.key"
    rm "$FC_STATE/server.crt"
    expect 3 fc-api -t -l "unix:$T/sock" # no server.crt in the state folder
    expect 6 fc-api -t -l "unix:$T/sock" --certificate "$T/server.crt" --key "$T/admin.key"
    echo junk >junk
    expect 6 fc-api -t -l "unix:$T/sock" --certificate "$T/junk" --key "$T/server.key"
    expect 3 fc-api -S "sqlite:$T/none.db" -l "unix:$T/sock"
    expect 3 fc-api -S "sqlite:$T/none.db" </dev/null
    expect 6 fc-api -S "sqlite:$T/junk" </dev/null || expect 1 fc-api -S "sqlite:$T/junk" </dev/null
    printf '[api]\njobs = 0\n' >"$FC_CONF"
    expect 6 fc-api -l "unix:$T/sock"
    has "$stderr" '[api] jobs'
    printf '[api]\nunknown = 0\n' >"$FC_CONF"
    expect 6 fc-api -l "unix:$T/sock"
    [ ! -e sock ]
}
