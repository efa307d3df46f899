# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, API_URL come from helpers; tests use the rest
# What tests of deployments share, beside helpers and api: the examples, filled in, and what clients
# see of fc-api, whatever stands between.

# The store is where an example looks for it when it is told the state folder alone.
deploy_setup() {
    fc_setup || return
    export FC_STORE=sqlite:$FC_STATE/fc.db
    fc-store init >/dev/null && make_ca && fc-sign token issue -r viewer watcher >token &&
        cp server.crt server.key "$FC_STATE/" &&
        printf 'state = %s\nstore = %s\n' "$FC_STATE" "$FC_STORE" >"$FC_CONF"
}

# bindir: where the examples find fc-api. What starts it hands on no environment, hence with
# sanitizers it is a script that tells them where to write.
bindir() {
    local name

    sanitized || { echo "$BUILD/bin"; return; }
    mkdir -p "$T/bin"
    {
        echo '#!/bin/sh'
        for name in $SANITIZER_VARS; do echo "export $name='${!name}'"; done
        echo "exec '$BUILD/bin/fc-api' \"\$@\""
    } >"$T/bin/fc-api"
    chmod 755 "$T/bin/fc-api"
    echo "$T/bin"
}

# filled FILE NAME=VALUE ...: an example with its placeholders filled in, without its comments.
filled() {
    local file=$1 args=() pair

    shift
    set -- "bindir=$(bindir)" "conf=$FC_CONF" "state=$FC_STATE" address=127.0.0.1 "$@"
    for pair; do args+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
    sed -e '/^#/d' "${args[@]}" "$TOP/examples/$file" >"$T/filled"
    ! grep '@[a-z]*@' "$T/filled" && cat "$T/filled"
}

# account NAME: who a server that root starts becomes; whoever runs the tests otherwise. make account
# makes ours.
account() {
    if [ "$(id -u)" != 0 ]; then id -un
    elif id -u "$1" >/dev/null 2>&1; then echo "$1"
    else echo "no account $1: make account" >&2; return 1
    fi
}

# started LOG PORTS COMMAND ...: in the background, listening on all ports; sets SERVER. Fails when
# it ends instead, because a port is taken.
started() {
    local log=$1 ports=$2 port

    shift 2
    background "$log" "$@"
    SERVER=$PID
    for port in $ports; do
        WAIT_FOR=15 wait_for owns "$SERVER" "$port" && kill -0 "$SERVER" 2>/dev/null ||
            { stop "$SERVER"; return 1; }
    done
}
# owns PID PORT: does it, or its child, listen there? Also when it has ended.
owns() {
    ! kill -0 "$1" 2>/dev/null || ss -Hltnp "sport = :$2" | grep -qE "pid=($1$(pgrep -P "$1" -d '|' |
        sed 's/^/|/')),"
}

children() { pgrep -P "$1" >/dev/null; }
childless() { ! pgrep -P "$1"; }

# on_ports N COMMAND ...: tries `COMMAND PORT ...` with N free ports until it succeeds.
on_ports() {
    local n=$1 try i ports

    shift
    for try in 1 2 3 4 5; do
        ports=()
        for ((i = 0; i < n; i++)); do ports+=("$(free_port)"); done
        if "$@" "${ports[@]}"; then
            API_PORT=${ports[0]} API_URL=https://127.0.0.1:${ports[0]}
            return 0
        fi
    done
    tail -n 20 "$T"/*.log "$FC_STATE"/*.log 2>/dev/null
    return 1
}

# --- what a client sees ------------------------------------------------------------------------

# asked CURL OPTION ...: by somebody without a certificate; sets body, prints the status.
asked() {
    curl -sS --cacert "$FC_STATE/ca/ca.crt" -o "$T/asked" -w '%{http_code}' "$@"
}

in_net() { "$@"; } # where API_URL is reached

# serves_all [TAG]: the checks that each deployment passes. Makes devices, with TAG in their names.
serves_all() {
    local tag=${1:-a} devices=/api/v1/devices pem der spoof code line
    local one=device-$tag-one-0123456789 two=device-$tag-two-0123456789

    # TLS 1.3 alone, by whatever name it is asked for, with the whole chain.
    run asked --tls-max 1.2 "$API_URL$devices"
    [ "$status" -eq 35 ]
    in_net openssl s_client -connect "${API_URL#https://}" -servername fleet.example -showcerts \
        -alpn h2,http/1.1 -verify_return_error -CAfile "$FC_STATE/ca/ca.crt" </dev/null >chain 2>&1
    same 2 "$(grep -c 'BEGIN CERTIFICATE' chain)"
    grep -q '^Acceptable client certificate CA names' chain

    # Nobody, and whoever says that he is somebody else.
    pem=$(as_header admin) der=":$(openssl x509 -in admin.crt -outform DER | base64 -w0):"
    spoof=(-H "X-SSL-Client-Cert: $pem" -H "Client-Cert: $der" -H "SSL-Client-Cert: $pem"
        -H "SSL_CLIENT_CERT: $pem" -H "X_SSL_Client_Cert: $pem" -H "Remote-User: admin")
    same 401 "$(asked "$API_URL$devices")"
    body=$(cat asked) status_document 401
    same 401 "$(asked "${spoof[@]}" "$API_URL$devices")"
    answers 401 bootstrap $devices "${spoof[@]}"
    has "$(json .message)" 'got "flightctl.io/enrollment"'
    [ -e foreign.crt ] || {
        FC_STATE=$T/other fc-sign ca init >/dev/null
        FC_STATE=$T/other fc-sign admin -o foreign mallory >/dev/null
    }
    answers 401 foreign $devices
    answers 401 foreign $devices "${spoof[@]}"

    # A token in a certificate's place.
    same 200 "$(asked -H "Authorization: Bearer $(cat token)" "$API_URL$devices")"
    same 403 "$(asked -H "Authorization: Bearer $(cat token)" -X DELETE "$API_URL$devices/x")"
    same 401 "$(asked -H "Authorization: Bearer $(cat token)x" "$API_URL$devices")"

    # A device.
    new_device $one "{\"site\":\"$tag\"}"
    new_device $two
    answers 200 $one $devices/$one/rendered
    same 1 "$(json '.metadata.annotations["device-controller/renderedVersion"]')"
    answers 204 $one "$devices/$one/rendered?knownRenderedVersion=1" -H 'Prefer: wait=0'
    answers 401 $two $devices/$one/rendered
    answers 401 $one $devices "${spoof[@]}"

    # A person: a change, the device's answer to it, what is seen of it.
    answers 200 admin $devices/$one -X PUT --json "$(spec $one "hello")"
    answers 201 admin $devices/third-$tag -X PUT --json "$(spec third-$tag "hello")" -H 'Expect: 100-continue'
    fc-work drain
    answers 200 $one "$devices/$one/rendered?knownRenderedVersion=1"
    same /etc/motd "$(json .spec.config[0].inline[0].path)"
    answers 200 $one $devices/$one/status -X PUT --json "$(report $one 2)"
    answers 200 admin $devices/$one
    same "2 UpToDate Online" "$(json '.status |
        "\(.config.renderedVersion) \(.updated.status) \(.summary.status)"')"
    answers 200 admin "$devices?labelSelector=site%3D$tag%2Csite%20in%20%28$tag%29&limit=1"
    same $one "$(json '.items[].metadata.name')"
    answers 200 admin $devices/third-$tag -X DELETE

    # Errors keep their status and their document; paths come as they were sent.
    answers 404 admin $devices/third-$tag
    says "Device of name \"third-$tag\" not found"
    answers 404 admin "$devices/%C3%A4?x=y"
    says 'Device of name "ä" not found'
    answers 404 admin $devices/a%2Fb
    answers 404 admin /api/v1/nothing
    answers 400 admin "$devices?limit=x"
    answers 400 admin $devices/$one -X PUT --json '{"a":1,"a":2}'
    answers 405 admin $devices -X DELETE -D head
    grep -qi '^allow: GET' head
    answers 406 admin /api/v1/version -H 'Flightctl-API-Version: v9'
    api admin /api/v1/version -D head -o /dev/null -H 'X-Request-Id: abc'
    for line in 'x-request-id: abc' 'x-content-type-options: nosniff' 'content-type: application/json' \
        'flightctl-api-version: v1beta1'; do
        grep -qi "^$line" head || { echo "no $line in:"; cat head; return 1; }
    done

    # Bodies: one that is too large, also when it does not say so before; one in chunks.
    [ -e large ] || head -c 1100000 /dev/zero >large
    answers 413 admin $devices/$one -X PUT --data-binary @large
    answers 413 admin $devices/$one -X PUT --data-binary @large -H 'Transfer-Encoding: chunked' \
        --http1.1
    answers 201 admin $devices/fourth-$tag -X PUT --json "$(spec fourth-$tag "hello")" --http1.1 \
        -H 'Transfer-Encoding: chunked'

    # One connection, three requests. HEAD has no body that would be taken for the next answer.
    code=$(curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert admin.crt --key admin.key --http1.1 \
        -I "$API_URL$devices" -o /dev/null -w '%{size_download} %{num_connects} ' --next -sS \
        --cacert "$FC_STATE/ca/ca.crt" --cert admin.crt --key admin.key --http1.1 -o /dev/null \
        -w '%{http_code} %{num_connects} ' -o /dev/null "$API_URL/api/v1/version" "$API_URL$devices")
    same "0 1 200 0 200 0 " "$code"
}
