# SPDX-License-Identifier: Apache-2.0
# HTTP/1.1 byte by byte: what one hop could read otherwise than the next is refused, by the event
# loop on a socket and by the process of one connection on a pipe.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    printf '%s\n' '[api]' 'trusted-header = X-Cert' 'trusted-address = 127.0.0.1' >"$FC_CONF"
    plain_api
    CERT="X-Cert: $(as_header admin)"
    EN="X-Cert: $(as_header bootstrap)"
}
teardown() { fc_teardown; }

# raw FORMAT [ARGUMENT ...]: sends what printf makes of it on one connection; all answers to
# $T/raw, their statuses to $statuses.
raw() {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    # shellcheck disable=SC2059 # the format is the request
    printf "$@" 1>&"$fd" 2>/dev/null || : # it may have closed already
    timeout 20 cat <&"$fd" >raw || { echo "the connection stays open"; return 1; }
    exec {fd}>&-
    statuses=$(statuses_of raw)
}
statuses_of() { tr -d '\r' <"$1" | sed -n 's/.*HTTP\/1\.1 \([0-9]*\) .*/\1/p' | paste -sd ' '; }

# gives STATUSES FORMAT [ARGUMENT ...]: on a socket; and on a pipe, where nobody is known, so that
# what would be 200 is 401.
gives() {
    local want=$1

    shift
    raw "$@"
    same "$want" "$statuses" || { echo "socket:"; cat raw; return 1; }
    # shellcheck disable=SC2059
    printf "$@" | timeout 20 fc-api >pipe
    same "$(sed 's/20[0-9]\|404/401/g' <<<"$want")" "$(statuses_of pipe)" || { cat pipe; return 1; }
}

# Pieces of a request that is answered with 200.
V='GET /api/v1/version HTTP/1.1\r\n'
H='Host: x\r\n'
END='Connection: close\r\n\r\n'

@test "what is right is answered" {
    gives 200 "$V$H%s\r\n$END" "$CERT"
    gives 200 "\r\n$V$H%s\r\n$END" "$CERT" # an empty line before it, as old clients send
    gives 200 "GET /api/v1/version?a HTTP/1.1\r\nHost: [::1]:80\r\n%s\r\n$END" "$CERT"
    gives 200 "$V""hOsT:\t x \t\r\n%s\r\nX-Empty:\r\n$END" "$CERT"
    gives 200 "GET /api/v1/version HTTP/1.0\r\n%s\r\n\r\n" "$CERT"
    gives '200 200' "GET /api/v1/version HTTP/1.0\r\nConnection: keep-alive\r\n%s\r\n\r\n$V$H%s\r\n$END" \
        "$CERT" "$CERT"
    gives 200 "$V${H}Content-Length: 4\r\n%s\r\n${END}body" "$CERT" # read, and nobody's
    gives 200 "$V${H}Content-Length: 0\r\n%s\r\n$END" "$CERT"
    gives 200 "$V${H}Connection: a, Close ,b\r\n%s\r\n\r\n$V$H%s\r\n\r\n" "$CERT" "$CERT"
}

@test "two lengths, and lengths that are none" {
    gives 400 "$V${H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n%s\r\n\r\n0\r\n\r\nGET /" "$CERT"
    gives 400 "$V${H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n%s\r\n\r\n0\r\n\r\nGET /" "$CERT"
    gives 400 "$V${H}Content-Length: 4\r\nContent-Length: 4\r\n%s\r\n\r\nbody" "$CERT"
    gives 400 "$V${H}Content-Length: 4\r\nContent-Length: 5\r\n%s\r\n\r\nbody" "$CERT"
    for length in '4, 4' '4,5' +4 -4 0x4 '4 4' '"4"' 4.0 '' ' ' 1e2; do
        gives 400 "$V${H}Content-Length: %s\r\n%s\r\n\r\nbody" "$length" "$CERT"
    done
    gives 413 "$V${H}Content-Length: 18446744073709551620\r\n%s\r\n\r\nbody" "$CERT"
    gives 413 "$V${H}Content-Length: 1048577\r\n%s\r\n\r\n" "$CERT"
}

@test "transfer codings" {
    gives 400 "$V${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n%s\r\n\r\n0\r\n\r\n" "$CERT"
    gives 400 "$V${H}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n%s\r\n\r\n0\r\n\r\n" "$CERT"
    for coding in gzip 'gzip, chunked' 'chunked, chunked' 'chunked, gzip' xchunked identity 'chunked;a' \
        $'\vchunked' "'chunked'"; do
        raw "$V${H}Transfer-Encoding: %s\r\n%s\r\n\r\n0\r\n\r\n" "$coding" "$CERT"
        [[ $statuses == 501 || $statuses == 400 ]]
    done
    gives 400 "$V${H}Transfer-Encoding : chunked\r\n%s\r\n\r\n0\r\n\r\n" "$CERT"
    gives 400 "GET /api/v1/version HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n%s\r\n\r\n0\r\n\r\n" "$CERT"
    gives 200 "$V${H}Transfer-Encoding: CHUNKED\r\n%s\r\n${END}0\r\n\r\n" "$CERT"
}

@test "chunks" {
    local head="$V${H}Transfer-Encoding: chunked\r\n%s\r\n$END" bad

    gives 200 "${head}4\r\nbody\r\n0\r\n\r\n" "$CERT"
    gives 200 "${head}0004;name=value;q=\"x\"\r\nbody\r\nA\r\n0123456789\r\n00\r\n\r\n" "$CERT"
    gives 200 "${head}1\r\na\r\n0\r\nTrailer: x\r\nContent-Length: 7\r\n\r\n" "$CERT"
    for bad in 'x\r\nbody\r\n' '4 \r\nbody\r\n' ' 4\r\nbody\r\n' '0x4\r\nbody\r\n' '-4\r\nbody\r\n' \
        '+4\r\nbody\r\n' '\r\nbody\r\n' ';a\r\nbody\r\n' '4\nbody\r\n' '4\r\nbody\n0\r\n\r\n' \
        '4\r\nbody\rX' '3\r\nbody\r\n' '5\r\nbody\r\n0\r\n' '4\r\nbodyX\r\n' '4\rbody\r\n' \
        '0\r\n Folded: x\r\n\r\n' '0\r\nNo colon\r\n\r\n' '0\r\n\nX' '4;a\x01b\r\nbody\r\n' '4;a\0b\r\nb'; do
        gives 400 "$head${bad}0\r\n\r\n" "$CERT"
    done
    gives 413 "${head}100001\r\n" "$CERT"
    gives 413 "${head}FFFFFFFFFFFFFFFF\r\n" "$CERT"
    gives 413 "${head}10000000000000000000\r\n" "$CERT"
    gives 400 "${head}1;%0300d\r\na\r\n0\r\n\r\n" "$CERT" 0 # endless extensions
    gives 431 "${head}0\r\n$(printf 'T: %0500d\\r\\n%.0s' {1..140})\r\n" "$CERT"
}

@test "a body in chunks is the body" {
    local doc='{"apiVersion":"v1beta1","kind":"EnrollmentRequest"}'

    raw "POST /api/v1/enrollmentrequests HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n%s\r\n$END%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" \
        "$EN" 16 "${doc:0:16}" $((${#doc} - 16)) "${doc:16}"
    same 400 "$statuses"
    has "$(tail -n 1 raw)" 'API Error: metadata' # or spec: it was read whole
}

@test "line ends, folds, and control bytes" {
    gives 400 "GET /api/v1/version HTTP/1.1\nHost: x\n%s\n\n" "$CERT"
    gives 400 "${V}Host: x\n%s\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\n\n" "$CERT"
    gives 400 "${V}Host: x\r%s\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA: b\r\n c\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA: b\r\n\tc\r\n\r\n" "$CERT"
    gives 400 "$V A: b\r\n$H%s\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA: b\0c\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA: b\x0bc\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA\0: b\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA : b\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\n: b\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA\r\n\r\n" "$CERT"
    gives 400 "$V$H%s\r\nA(b): c\r\n\r\n" "$CERT"
    gives 400 '\r\n\r\n'"$V$H%s\r\n$END" "$CERT"
    gives 400 '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' # a TLS client hello
    raw 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    same 505 "$statuses"
}

@test "request lines" {
    for line in 'GET  /api/v1/version HTTP/1.1' 'GET /api/v1/version  HTTP/1.1' \
        'GET /api/v1/version HTTP/1.1 ' 'GET /api/v1/version' 'GET /api/v1/version HTTP/1' \
        'GET /api/v1/version http/1.1' 'GET /api/v1/version HTTP/1.10' 'GET' ' GET / HTTP/1.1' \
        'GET	/api/v1/version HTTP/1.1' 'GET /api/v1/ver sion HTTP/1.1' 'GET api/v1/version HTTP/1.1' \
        'GET /api/v1/version#f HTTP/1.1' 'G@T /api/v1/version HTTP/1.1' 'GET * HTTP/1.1' \
        'CONNECT x:80 HTTP/1.1' 'GET http://x@y/api/v1/version HTTP/1.1' 'GET http:///a HTTP/1.1' \
        'GET http://other/api/v1/version HTTP/1.1' 'GET http://x/api/v1/version HTTP/1.1' \
        'GET HTTPS://x/api/v1/version HTTP/1.1' $'GET /\x7f HTTP/1.1' $'GET /\xc3\xa4 HTTP/1.1'; do
        gives 400 "%s\r\n$H%s\r\n\r\n" "$line" "$CERT"
    done
    gives 505 "GET /api/v1/version HTTP/2.0\r\n$H%s\r\n\r\n" "$CERT"
    gives 505 "GET /api/v1/version HTTP/0.9\r\n$H%s\r\n\r\n" "$CERT"
    gives 505 "GET /api/v1/version HTTP/1.2\r\n$H%s\r\n\r\n" "$CERT"
    gives 501 "ABCDEFGHIJKLMNOPQ /api/v1/version HTTP/1.1\r\n$H%s\r\n\r\n" "$CERT"
    gives 414 "GET /%08192d HTTP/1.1\r\n$H%s\r\n\r\n" 0 "$CERT"
    gives 414 "GET /%09999d" 0 # without waiting for its end
}

@test "hosts" {
    gives 400 "$V%s\r\n\r\n" "$CERT"
    gives 400 "$V$H$H%s\r\n\r\n" "$CERT"
    gives 400 "$V${H}host: y\r\n%s\r\n\r\n" "$CERT"
    for host in 'x y' 'a/b' 'a@b' 'x?y' 'x#y' '<x>'; do
        gives 400 "${V}Host: %s\r\n%s\r\n\r\n" "$host" "$CERT"
    done
}

@test "pipelined requests are answered in their order, each by itself" {
    raw "$V${H}X-Request-Id: 1\r\n%s\r\n\r\nGET /api/v1/devices HTTP/1.1\r\n${H}X-Request-Id: 2\r\n%s\r\n\r\n${V}${H}X-Request-Id: 3\r\n\r\nPOST /api/v1/enrollmentrequests HTTP/1.1\r\n${H}X-Request-Id: 4\r\nContent-Length: 2\r\n%s\r\n\r\n{}${V}${H}X-Request-Id: 5\r\n%s\r\n${END}" \
        "$CERT" "$CERT" "$EN" "$CERT"
    same '200 200 401 400 200' "$statuses"
    same '1 2 3 4 5' "$(tr -d '\r' <raw | sed -n 's/^X-Request-Id: //p' | paste -sd ' ')"
    # A writing request in the middle waits for its commit; what is behind it waits too.
    request_of device-one-0123456789
    doc=$(enrollment_of device-one-0123456789)
    raw "$V${H}X-Request-Id: 1\r\n%s\r\n\r\nPOST /api/v1/enrollmentrequests HTTP/1.1\r\n${H}X-Request-Id: 2\r\nContent-Length: %d\r\n%s\r\n\r\n%sGET /api/v1/enrollmentrequests/device-one-0123456789 HTTP/1.1\r\n${H}X-Request-Id: 3\r\n%s\r\n$END" \
        "$CERT" "${#doc}" "$EN" "$doc" "$EN"
    same '200 201 200' "$statuses"
    # After an error nothing more is read as a request.
    raw "$V$H%s\r\n\r\n$V\r\n$V$H%s\r\n\r\n" "$CERT" "$CERT"
    same '200 400' "$statuses"
    grep -q '^Connection: close' raw
    # Many, so that answers fill buffers and turns end in between.
    raw "$(printf 'GET /api/v1/version HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n%.0s' {1..3000})$V$H%s\r\n$END" "$CERT"
    same 3001 "$(wc -w <<<"$statuses")"
    same 200 "${statuses##* }"
}

@test "however the bytes are cut, the answers are the same" {
    local fd text i

    text=$(printf "%b" "$V${H}Transfer-Encoding: chunked\r\n$CERT\r\n\r\n4;x\r\nbody\r\n0\r\nT: u\r\n\r\n$V$H$CERT\r\n$END."; echo)
    text=${text%.*}
    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    for ((i = 0; i < ${#text}; i++)); do printf '%s' "${text:i:1}" >&"$fd"; done
    timeout 20 cat <&"$fd" >raw
    exec {fd}>&-
    same '200 200' "$(statuses_of raw)"
    # A body of which nothing comes before the server asks for it.
    same 400 "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Expect: 100-continue' -H "$EN" \
        --expect100-timeout 60 --json @<(head -c 300000 /dev/zero) "$API_URL/api/v1/enrollmentrequests")"
}

@test "a client that leaves early, and one that sends nothing" {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    printf 'POST /api/v1/enrollmentrequests HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf' >&"$fd"
    exec {fd}>&-
    exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
    exec {fd}>&-
    raw "$V$H%s\r\n$END" "$CERT"
    same 200 "$statuses"
    printf 'GET / HTTP/1.1\r\nHost' | fc-api >pipe # a pipe that ends
    same 400 "$(statuses_of pipe)"
    fc-api </dev/null >pipe
    [ ! -s pipe ]
}

@test "the same over TLS" {
    stop "$API_PID"
    start_api
    tls() {
        # shellcheck disable=SC2059
        printf "$@" | timeout 20 openssl s_client -quiet -connect "127.0.0.1:$API_PORT" \
            -CAfile "$FC_STATE/ca/ca.crt" -cert admin.crt -key admin.key -alpn http/1.1 \
            >raw 2>tls.err || :
        statuses=$(statuses_of raw)
    }
    tls "$V$H\r\n$V$H$END"
    same '200 200' "$statuses"
    tls "$V${H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$V$H\r\n"
    same 400 "$statuses"
    tls "$(printf 'GET /api/v1/version HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n%.0s' {1..1000})$V$H$END"
    same 1001 "$(wc -w <<<"$statuses")"
    # TLS 1.3 alone, HTTP/1.1 alone.
    run curl -sS --tls-max 1.2 --cacert "$FC_STATE/ca/ca.crt" "$API_URL/api/v1/version"
    same 35 "$status" # no handshake
    not openssl s_client -connect "127.0.0.1:$API_PORT" -alpn h2 </dev/null >/dev/null 2>&1
    printf 'GET / HTTP/1.1\r\n\r\n' >"/dev/tcp/127.0.0.1/$API_PORT" # plain where TLS is spoken
    tls "$V$H$END"
    same 200 "$statuses"
}

@test "a stranger's body is neither asked for nor taken" {
    local fd

    # The answer comes after the head alone; no 100 Continue.
    raw "PUT /api/v1/devices/x/status HTTP/1.1\r\n${H}Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    same 401 "$statuses"
    raw "PUT /api/v1/devices/x/status HTTP/1.1\r\n${H}Content-Length: 1000000\r\n\r\nsome of it"
    same 401 "$statuses"
    # Nor is the body of somebody who may not call there.
    raw "PUT /api/v1/devices/x/status HTTP/1.1\r\n${H}%s\r\nContent-Length: 1000000\r\n\r\n" "$EN"
    same 401 "$statuses"
    raw "POST /api/v1/enrollmentrequests HTTP/1.1\r\n${H}%s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" "$EN"
    same 400 "$statuses"
}

@test "an organization that is not the certificate's is refused" {
    gives 200 "GET /api/v1/version?org_id=00000000-0000-0000-0000-000000000000 HTTP/1.1\r\n$H%s\r\n$END" "$CERT"
    raw "GET /api/v1/version?org_id=00000000-0000-0000-0000-000000000001 HTTP/1.1\r\n$H%s\r\n$END" "$CERT"
    same 403 "$statuses"
}
