#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# fc-agent and its server: enrollment, configuration, whom it trusts, what it makes of answers, what
# it reports.

load helpers
load agent

setup() { fc_setup; }
teardown() { fc_teardown; }

# --- enrollment ---------------------------------------------------------------------------------

@test "a device asks, waits for approval, then becomes what it is to be" {
    serve
    make_agent d1 site=berlin
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {site: berlin}}
  template:
    spec:
      config:
        - name: motd
          inline: [{path: /etc/motd, content: "Welcome to {{ .metadata.labels.site }}\n"}]
END
    fc-apply fleet.yaml
    expect 7 run_agent d1
    name=$(sed -n 's/^fc-agent: asked for enrollment as //p' <<<"$stderr")
    same "fc-agent: asked for enrollment as $name
fc-agent: waiting for approval of $name" "$stderr"
    same "" "$output"
    # Another run asks how it stands, not again.
    expect 7 run_agent d1
    same "fc-agent: waiting for approval of $name" "$stderr"
    same "enrollmentrequest/$name" "$(fc-select enrollmentrequests -o name)"
    same '{"alias":"d1","site":"berlin"}' "$(fc-select enrollmentrequests -q .spec.labels)"
    same "$name false 0" "$(known d1 '"\(.device) \(.enrolled) \(.currentVersion)"')"
    fc-enroll approve "$name"
    fc-work drain
    expect 0 run_agent d1
    same "fc-agent: enrolled as $name
fc-agent: version 1 is applied (was 0)" "$stderr"
    same "Welcome to berlin" "$(cat d1/etc/motd)"
    same "$name true 1" "$(known d1 '"\(.device) \(.enrolled) \(.currentVersion)"')"
    DEVICE=$name
    same "UpToDate Online 1" "$(reported '.status |
        "\(.updated.status) \(.summary.status) \(.config.renderedVersion)"')"
    expect 0 run_agent d1
    same "" "$stderr$output"
}

@test "the device's name is the hash of its key, which is its own" {
    serve
    make_agent d1
    expect 7 run_agent d1
    certs=d1/var/lib/flightctl/certs
    # Of X and Y, each without zero bytes in front.
    name=$(openssl ec -in $certs/agent.key -pubout -outform DER 2>/dev/null | tail -c 64 |
        od -An -v -tx1 -w32 | tr -d " " | tr a-f A-F | sed -E 's/^(00)*//' | tr -d '\n' | basenc --base16 -d | openssl dgst -sha256 -binary | basenc --base32hex | tr -d '=\n' | tr A-V a-v)
    same "$name" "$(known d1 .device)"
    openssl ec -in $certs/agent.key -noout -text 2>/dev/null | grep -q 'ASN1 OID: prime256v1'
    same "-----BEGIN EC PRIVATE KEY-----" "$(head -1 $certs/agent.key)"
    same "subject=CN = $name" "$(openssl req -in $certs/agent.csr -noout -subject)"
    same 600 "$(stat -c %a $certs/agent.key)"
    same 700 "$(stat -c %a $certs)"
    same 700 "$(stat -c %a d1/var/lib/flightctl)"
    before=$(sha256sum <$certs/agent.key)
    fc-enroll approve "$name"
    fc-work drain
    expect 0 run_agent d1
    same "$before" "$(sha256sum <$certs/agent.key)"
    same 600 "$(stat -c %a $certs/agent.crt)"
    [ ! -e $certs/agent.csr ]
}

@test "a device that is denied says so, each time" {
    serve
    make_agent d1
    expect 7 run_agent d1
    fc-enroll deny "$(known d1 .device)"
    before=$(whole_picture d1)
    for _ in 1 2; do
        expect 5 run_agent d1
        has "$stderr" "fc-agent: enrollment of $(known d1 .device): Denied"
    done
    same "$before" "$(whole_picture d1)"
    same "5 false" "$(known d1 '"\(.lastRun.exit) \(.enrolled)"')"
}

@test "a request whose answer was lost is asked for, not made again" {
    serve
    make_agent d1
    expect 7 run_agent d1
    rm d1/var/lib/flightctl/certs/agent.csr
    expect 7 run_agent d1
    same "fc-agent: waiting for approval of $(known d1 .device)" "$stderr"
    same 1 "$(fc-select enrollmentrequests -o name | wc -l)"
    fc-enroll approve "$(known d1 .device)"
    fc-work drain
    rm d1/var/lib/flightctl/certs/agent.csr
    expect 0 run_agent d1
}

@test "a server that is away while a device asks: later, with the same key" {
    serve
    make_agent d1
    echo 'enrollment-service: {service: {server: "https://127.0.0.1:1"}}' >d1/etc/flightctl/conf.d/a.yaml
    expect 7 run_agent d1
    has "$stderr" "https://127.0.0.1:1: "
    key=$(sha256sum <d1/var/lib/flightctl/certs/agent.key)
    rm d1/etc/flightctl/conf.d/a.yaml
    expect 7 run_agent d1
    has "$stderr" "waiting for approval"
    same "$key" "$(sha256sum <d1/var/lib/flightctl/certs/agent.key)"
}

@test "a device that its server forgot asks again, under its old name" {
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    key=$(sha256sum <d1/var/lib/flightctl/certs/agent.key)
    fc-delete -y "device/$DEVICE"
    fc-delete -y "enrollmentrequest/$DEVICE"
    expect 7 run_agent d1
    same "fc-agent: the server does not know $DEVICE any more: the next run asks for enrollment again" \
        "$stderr"
    same "$key" "$(sha256sum <d1/var/lib/flightctl/certs/agent.key)"
    [ ! -e d1/var/lib/flightctl/certs/agent.crt ]
    same 1 "$(cat d1/etc/a)"
    expect 7 run_agent d1
    has "$stderr" "asked for enrollment as $DEVICE"
    same 2 "$(fc-select "enrollmentrequest/$DEVICE" -q .spec.knownRenderedVersion -o json | jq -r .)"
    fc-enroll approve "$DEVICE"
    fc-work drain
    run_agent d1
    # What it is to be now replaces what it was.
    give "$(files "$(file /etc/b 2)")"
    run_agent d1
    same "2 false" "$(cat d1/etc/b) $([ -e d1/etc/a ] && echo true || echo false)"
}

@test "another 404 is no reason to give up a certificate" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    before=$(whole_picture d1)
    for message in 'no such page' 'Fleet of name "x" not found' 'Device of name "x"'; do
        refusal 404 "$message" | answer 404
        expect 1 run_agent d1
        same "fc-agent: poll: the server answered 404: $message" "$stderr"
    done
    same "$before" "$(whole_picture d1)"
    refusal 404 "Device of name \"$DEVICE\" not found" | answer 404
    expect 1 run_agent d1 -n
    same "$before" "$(whole_picture d1)"
}

# --- configuration ------------------------------------------------------------------------------

# configured NAME PATTERN: status 6, and a message of config.yaml that matches.
refused_config() {
    expect 6 run_agent d1
    [[ $stderr == "fc-agent: $T/d1/etc/flightctl/config.yaml:"$1 ]] ||
        { echo "got: $stderr, wanted: $1"; return 1; }
    same 1 "$(wc -l <<<"$stderr")"
}

@test "certificates may be files, by relative and absolute paths, or stand in the configuration" {
    serve
    make_agent d1
    cd d1/etc/flightctl
    mkdir certs
    cp "$T/bootstrap.crt" certs/
    cp "$T/bootstrap.key" "$FC_STATE/ca/ca.crt" .
    cat >config.yaml <<END
enrollment-service:
  authentication:
    client-certificate: certs/bootstrap.crt
    client-key: /etc/flightctl/bootstrap.key
  service:
    server: $API_URL
    certificate-authority: ca.crt
END
    chmod 600 config.yaml bootstrap.key
    cd "$T"
    expect 7 run_agent d1
    has "$stderr" "asked for enrollment"
    # Data goes before a file.
    sed -i 's|certificate-authority:.*|&\n    certificate-authority-data: AAAA|' d1/etc/flightctl/config.yaml
    refused_config " enrollment-service.service.certificate-authority-data: not PEM"
}

@test "drop-ins go over the configuration in the order of their names" {
    serve
    make_agent d1 a=first b=first
    cd d1/etc/flightctl/conf.d
    printf 'default-labels: {b: second, c: second}\n' >m.yml
    printf 'default-labels: {c: third}\nlabel-from-systeminfo: {arch: architecture, none: nothing}\n' >n.yaml
    printf 'default-labels: {c: hidden}\n' | tee .z.yaml z.txt z.yaml~ >/dev/null
    cd "$T"
    expect 7 run_agent d1
    same "{\"a\":\"first\",\"alias\":\"d1\",\"arch\":\"$(uname -m | sed s/x86_64/amd64/\;s/aarch64/arm64/)\",\"b\":\"second\",\"c\":\"third\"}" \
        "$(fc-select enrollmentrequests -q .spec.labels)"
}

@test "without a label, the alias is the host's name" {
    serve
    make_agent d1
    echo 'Kiosk 7!' >d1/etc/hostname
    rm d1/etc/flightctl/conf.d/labels.yaml
    expect 7 run_agent d1
    same '{"alias":"Kiosk-7"}' "$(fc-select enrollmentrequests -q .spec.labels)"
}

@test "unknown keys are said, those of existing agents are not" {
    serve
    make_agent d1
    cat >>d1/etc/flightctl/config.yaml <<'END'
spec-fetch-interval: 0m10s
log-level: info
system-info: [hostname]
colour: green
END
    echo 'enrollment-service: {service: {port: 1}}' >d1/etc/flightctl/conf.d/m.yaml
    line=$(wc -l <d1/etc/flightctl/config.yaml)
    expect 7 run_agent d1
    same "fc-agent: $T/d1/etc/flightctl/config.yaml:$line: colour: unknown key, ignored" "${stderr_lines[0]}"
    has "${stderr_lines[1]}" "conf.d/m.yaml:1: enrollment-service.service.port: unknown key, ignored"
    hasnt "$stderr" "log-level"
}

@test "values of the wrong type are errors with file, line and key" {
    serve
    make_agent d1
    cp d1/etc/flightctl/config.yaml good
    write() { cat good - >d1/etc/flightctl/config.yaml; }
    n=$(($(wc -l <good) + 1))
    write <<<'default-labels: [a]'; refused_config "$n: default-labels: must be a map"
    write <<<'default-labels: {a: 1}'; refused_config "$n: default-labels.a: must be a string"
    write <<<'tpm: {enabled: "yes"}'; refused_config "$n: tpm.enabled: must be true or false"
    sed 's|^    server:.*|    server: 7|' good >d1/etc/flightctl/config.yaml
    refused_config "$(grep -n 'server: 7' d1/etc/flightctl/config.yaml | head -1 | cut -d: -f1): enrollment-service.service.server: must be a string"
    write <<<'default-labels: {a: b'; refused_config "*"
    write < <(printf 'default-labels: {}\ndefault-labels: {}\n'); refused_config "$((n + 1)): *"
    write < <(printf -- '---\na: b\n'); refused_config "*more than one document"
    echo '[]' >d1/etc/flightctl/config.yaml; refused_config "1: must be a map"
    : >d1/etc/flightctl/config.yaml; refused_config "*"
    head -c 2000000 /dev/zero | tr '\0' '#' >d1/etc/flightctl/config.yaml; refused_config "*"
    head -c 1000 /dev/urandom >d1/etc/flightctl/config.yaml; refused_config "*"
    [ ! -e d1/var/lib/flightctl/certs/agent.key ]
    same "" "$(fc-select enrollmentrequests -o name)"
}

@test "what is missing in the configuration is named" {
    serve
    make_agent d1
    cp d1/etc/flightctl/config.yaml good
    change() { sed "$1" good >d1/etc/flightctl/config.yaml; }
    change '/certificate-authority-data/d'
    refused_config " enrollment-service.service.certificate-authority: missing, and no other is trusted"
    change '/^    server:/d'; refused_config " enrollment-service.service.server: missing"
    change '/client-key-data/d'; refused_config " *needs client-certificate and client-key"
    change 's/\(client-key-data:\).*/\1 "?"/'; refused_config " *client-key-data: not base64"
    line=$(sed -n '/^    server:/=' good | head -1)
    for server in http://localhost "https://" localhost "https://a b" "https://me@localhost" "https://localhost?x"; do
        change "s|^    server:.*|    server: $server|"
        refused_config "$line: enrollment-service.service.server: must be https://HOST*"
    done
    # One that only looks like a server is not waited for, once it is mended.
    change 's|^    server:.*|    server: https://localhost:99999|'
    expect 6 fc-agent --root d1 --no-split
    has "$stderr" "server https://localhost:99999: not a URL"
    expect 6 fc-agent --root d1 --no-split
    change 's|^    server:.*|&\n    insecureSkipVerify: true|'
    refused_config "$((line + 1)): enrollment-service.service.insecureSkipVerify: servers are always verified"
    change 's/client-key-data:.*/client-key: none.key/'
    expect 3 run_agent d1
    has "$stderr" "client-key: $T/d1/etc/flightctl/none.key: No such file"
    rm d1/etc/flightctl/config.yaml
    expect 3 run_agent d1
    same "fc-agent: $T/d1/etc/flightctl/config.yaml: No such file or directory" "$stderr"
    same "3" "$(known d1 .lastRun.exit)"
}

@test "a drop-in that cannot be read is said and passed over" {
    with_device d1
    echo 'default-labels: [' >d1/etc/flightctl/conf.d/a.yaml
    echo 'management-service: {service: {server: 8}}' >d1/etc/flightctl/conf.d/b.yaml
    give "$(files "$(file /etc/flightctl/conf.d/a.yaml '{}')")"
    expect 0 run_agent d1
    [[ ${stderr_lines[0]} == *conf.d/a.yaml:*passed\ over ]]
    [[ ${stderr_lines[1]} == *"conf.d/b.yaml:1: management-service.service.server: must be a string: passed over" ]]
    expect 0 run_agent d1
    hasnt "$stderr" "a.yaml"
}

@test "configuration and data may be elsewhere" {
    serve
    make_agent d1
    mkdir conf
    mv d1/etc/flightctl/config.yaml conf/my.yaml
    mv d1/etc/flightctl/conf.d conf/
    expect 7 run_agent d1 --config conf/my.yaml --data-dir data
    DEVICE=$(fc-agent --root d1 --data-dir data status -q .device | jq -r .)
    fc-enroll approve "$DEVICE"
    give "$(files "$(file /etc/x 1)")"
    expect 0 run_agent d1 --config "$T/conf/my.yaml" --data-dir "$T/data/"
    same 1 "$(cat d1/etc/x)"
    [ -e data/state.json ] && [ ! -e d1/var ]
}

# --- whom it trusts -----------------------------------------------------------------------------

# other_server [OPTION]: another authority, in $T/other, and its certificate for 127.0.0.1.
other_server() {
    FC_STATE=$T/other fc-sign ca init "$@" >/dev/null
    FC_STATE=$T/other fc-sign server -o "$T/other-server" localhost 127.0.0.1 >/dev/null
}

@test "a server of another authority is refused, even one that the system trusts" {
    needs_root
    with_device d1
    other_server --cn "Another Authority"
    FAKE_CERT=$T/other-server FAKE_CA=$T/other/ca/ca.crt fake_api
    rendered 2 "$(files "$(file /etc/evil 1)")" | answer 200
    ask d1 "$FAKE_URL"
    before=$(whole_picture d1)
    mkdir system
    cp other/ca/ca.crt system/ca-certificates.crt
    cp other/ca/ca.crt system/other.crt
    openssl rehash system 2>/dev/null
    export FAKE_URL SPLIT before
    # curl, which reads the system's bundle, gets an answer from it; the agent does not.
    unshare -m bash -e -c '
        mount --bind system /etc/ssl/certs
        export SSL_CERT_FILE=$PWD/system/other.crt SSL_CERT_DIR=$PWD/system CURL_CA_BUNDLE=$PWD/system/other.crt
        curl -sS --cert d1/var/lib/flightctl/certs/agent.crt --key d1/var/lib/flightctl/certs/agent.key \
            "$FAKE_URL/api/x" | grep -q evil
        : >requests
        fc-agent --root d1 $SPLIT 2>err || echo "$?" >code'
    same 5 "$(cat code)"
    has "$(cat err)" "$FAKE_URL: "
    same "" "$(cat requests)"
    same "$before" "$(whole_picture d1)"
}

@test "a server with another name, or a certificate that has expired, is refused" {
    with_device d1
    fc-sign server -o named agent.example >/dev/null
    FAKE_CERT=$T/named fake_api
    rendered 1 '[]' | answer 200
    ask d1 "$FAKE_URL"
    expect 5 run_agent d1
    has "$stderr" "$FAKE_URL: "
    same "" "$(cat requests)"
    # With the name that it is to have, it is the right one.
    echo 'management-service: {service: {tls-server-name: agent.example}}' >d1/etc/flightctl/conf.d/z.yaml
    expect 0 run_agent d1
    same 1 "$(wc -l <requests)"
    rm d1/etc/flightctl/conf.d/z.yaml
    stop "$FAKE_PID"
    openssl req -new -key server.key -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -out old.csr
    openssl_at '@2020-01-01 00:00:00' x509 -req -in old.csr -copy_extensions copy -CA "$FC_STATE/ca/ca.crt" \
        -CAkey "$FC_STATE/ca/ca.key" -days 30 -out old.crt 2>/dev/null
    cp server.key old.key
    FAKE_CERT=$T/old fake_api
    ask d1 "$FAKE_URL"
    expect 5 run_agent d1
    same "fc-agent: $FAKE_URL: the server's certificate has expired, or this machine's clock is wrong" \
        "$stderr"
}

@test "a certificate that the server does not take is denied, and why is said" {
    with_device d1
    certs=d1/var/lib/flightctl/certs
    before=$(picture d1)
    openssl req -new -key $certs/agent.key -subj "/CN=device:$DEVICE" -out old.csr
    openssl_at '@2020-01-01 00:00:00' x509 -req -in old.csr -CA "$FC_STATE/ca/ca.crt" \
        -CAkey "$FC_STATE/ca/ca.key" -days 30 -out old.crt 2>/dev/null
    cat old.crt >$certs/agent.crt
    expect 5 run_agent d1
    has "$stderr" "this device's certificate expired at 2020-01-31T00:00:"
    # One that says another name.
    openssl req -new -key $certs/agent.key -subj "/CN=device:somebody" -out new.csr
    openssl x509 -req -in new.csr -CA "$FC_STATE/ca/ca.crt" -CAkey "$FC_STATE/ca/ca.key" -days 30 \
        -out new.crt 2>/dev/null
    cat new.crt >$certs/agent.crt
    expect 5 run_agent d1
    has "$stderr" "fc-agent: poll: the server answered 401"
    same "$before" "$(picture d1)"
}

@test "a device's certificate does not enroll another one" {
    with_device d1
    make_agent d2
    certs=d1/var/lib/flightctl/certs
    sed -i "s/client-certificate-data:.*/client-certificate-data: $(base64 -w0 $certs/agent.crt)/
        s/client-key-data:.*/client-key-data: $(base64 -w0 $certs/agent.key)/" d2/etc/flightctl/config.yaml
    expect 5 run_agent d2
    has "$stderr" "fc-agent: enrollment: the server answered 401"
    same 1 "$(fc-select enrollmentrequests --count)"
}

# --- answers ------------------------------------------------------------------------------------

@test "a server that is away: the device stays as it is, and the run says to try again" {
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    give "$(files "$(file /etc/a 2)")"
    stop "$API_PID"
    before=$(whole_picture d1)
    expect 7 run_agent d1
    has "$stderr" "fc-agent: $API_URL: "
    same "" "$output"
    same "$before" "$(whole_picture d1)"
    same "7" "$(known d1 .lastRun.exit)"
    has "$(known d1 .lastRun.message)" "$API_URL"
}

@test "refusals end with the status of their kind" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    before=$(whole_picture d1)
    for pair in 401:5 403:5 408:7 429:7 500:7 502:7 503:7 400:1 404:1 406:1 418:1; do
        refusal "${pair%:*}" "no $pair" | answer "${pair%:*}"
        expect "${pair#*:}" run_agent d1
        same "fc-agent: poll: the server answered ${pair%:*}: no $pair" "$stderr"
    done
    # No redirect is followed.
    printf 'Status: 302\r\nLocation: %s/api/other\r\n\r\n' "$FAKE_URL" >answer
    : >requests
    expect 1 run_agent d1
    same 1 "$(wc -l <requests)"
    # What the server says is one line, however many it has.
    refusal 500 "$(printf 'a\nfc-agent: forged\033[2J')" | answer 500
    expect 7 run_agent d1
    same 1 "$(wc -l <<<"$stderr")"
    hasnt "$stderr" $'\033'
    same "$before" "$(whole_picture d1)"
    for code in 204 409; do
        answer $code </dev/null
        expect 0 run_agent d1
        same "" "$stderr"
    done
}

@test "what is no rendered device changes nothing" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    before=$(whole_picture d1)
    bad() {
        answer 200
        expect 1 run_agent d1
        same 1 "$(wc -l <<<"$stderr")"
        has "$stderr" "${1:-fc-agent: the rendered device that the server sent: }"
        same "$before" "$(whole_picture d1)" || { head -c 200 "$T/answer"; return 1; }
    }
    ok=$(rendered 9 "$(files "$(file /etc/a 1)")")
    TYPE=text/html bad <<<'<html><body>Please log in</body></html>'
    bad </dev/null
    bad <<<'[]'
    bad <<<'{}'
    bad <<<'null'
    bad <<<"$ok$ok"
    bad <<<"${ok%\}}"
    bad <<<"${ok/\"kind\"/\"kind\":\"x\",\"kind\"}"
    bad <<<"${ok/Device/Fleet}"
    bad < <(head -c 4000 /dev/urandom)
    bad < <(printf '{"kind":"Device\377"}')
    bad < <(head -c 100000 /dev/zero | tr '\0' '[')
    bad <<<"${ok/renderedVersion\":\"9\"/renderedVersion\":9}"
    bad <<<"${ok/renderedVersion\":\"9\"/renderedVersion\":\"-9\"}"
    bad <<<"${ok/renderedVersion\":\"9\"/renderedVersion\":\"99999999999999999999\"}"
    bad <<<"${ok/renderedVersion\"/other\"}"
    bad "metadata.name: is that of another device" < <(rendered 9 "$(files "$(file /etc/a 1)")" other)
    bad "the answer is larger than 16777216 bytes" < <(printf '{"x":"'; head -c 17000000 /dev/zero | tr '\0' x)
    no_temporaries d1
    # The same server, honest again.
    answer 200 <<<"$ok"
    expect 0 run_agent d1
    same 1 "$(cat d1/etc/a)"
}

@test "answers that break off, or come slowly, and such that are no HTTP" {
    with_device d1
    head='HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
    for text in "${head}Content-Length: 1000\r\n\r\n{\"kind\":" "${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a" \
        "$head" '' '\0\001\002 garbage' '220 mail.example ESMTP\r\n' \
        "${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n"; do
        # shellcheck disable=SC2059 # it is a format
        printf "$text" >raw
        say_raw
        ask d1 "$RAW_URL"
        before=$(whole_picture d1)
        run run_agent d1
        echo "$output"
        [ "$status" -eq 7 ] || [ "$status" -eq 1 ]
        same 1 "$(grep -c "^fc-agent: " <<<"$output")"
        same "$before" "$(whole_picture d1)"
    done
    # More headers than anybody has.
    { printf 'HTTP/1.1 200 OK\r\n'; head -c 300000 /dev/zero | tr '\0' x | fold -w 1000 | sed 's/^/X: /'; } >raw
    say_raw
    ask d1 "$RAW_URL"
    expect 1 run_agent d1
    has "$stderr" "the answer is larger than 65536 bytes"
    # One that comes in pieces is waited for.
    rm raw
    mkfifo raw
    body=$(rendered 2 "$(files "$(file /etc/a 1)")")
    { printf "${head}Connection: close\r\nContent-Length: ${#body}\r\n\r\n"
        for ((i = 0; i < ${#body}; i += 100)); do printf %s "${body:i:100}"; sleep 0.02; done; } >raw 3>&- 4>&- &
    say_raw
    ask d1 "$RAW_URL"
    run run_agent d1
    same "1 2" "$(cat d1/etc/a) $(known d1 .currentVersion)"
    # One that never ends is not, once the time for it is over: the clock jumps when it flows.
    { printf "${head}Content-Length: 10000000\r\n\r\n"; head -c 200000 /dev/zero; : >flows
        while printf x; do sleep 0.05; done; } >raw 2>/dev/null 3>&- 4>&- &
    say_raw
    ask d1 "$RAW_URL"
    before=$(whole_picture d1)
    clock +0 # from a file that the network half can read, by its path
    jump() { echo "$1" >d1/var/lib/flightctl/certs/clock; }
    jump +0
    background slow.log env "${CLOCK[@]/#FAKETIME=*/FAKETIME_NO_CACHE=1}" \
        FAKETIME_TIMESTAMP_FILE="$T/d1/var/lib/flightctl/certs/clock" "$BUILD/bin/fc-agent" --root "$T/d1" --now --no-split
    wait_for test -e flows
    jump +300
    status=0; wait "$PID" || status=$?
    same 7 "$status"
    has "$(cat slow.log)" "fc-agent: $RAW_URL: Operation timed out after 3"
    rm d1/var/lib/flightctl/certs/clock
    same "$(grep -v /certs <<<"$before")" "$(whole_picture d1 | grep -v /certs)"
}

@test "an older version is refused, the same one is nothing new" {
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    fake_api
    ask d1 "$FAKE_URL"
    same 2 "$(known d1 .currentVersion)"
    before=$(whole_picture d1)
    rendered 2 "$(files "$(file /etc/a other)")" | answer 200
    expect 0 run_agent d1
    same "" "$stderr"
    same "$before" "$(whole_picture d1)"
    rendered 1 "$(files "$(file /etc/a older)")" | answer 200
    expect 0 run_agent d1
    same "fc-agent: the server offers version 1, older than 2: refused" "$stderr"
    same 1 "$(cat d1/etc/a)"
    same 2 "$(known d1 .desiredVersion)"
}

@test "a version that follows no schema fails, is reported, and asked for no more" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    before=$(picture d1)
    rendered 2 '[{"path":"/etc/a","content":7}]' | answer 200
    expect 1 run_agent d1
    has "$stderr" "fc-agent: version 2: spec.config[0]"
    same "$before" "$(picture d1)"
    same "Error" "$(jq -r '.status.conditions[0].reason' body)"
    has "$(jq -r '.status.conditions[0].message' body)" "version 2: spec.config[0]"
    same '1' "$(jq -r .status.config.renderedVersion body)"
    same "GET /api/v1/devices/$DEVICE/rendered?knownRenderedVersion=1
PUT /api/v1/devices/$DEVICE/status" "$(cat requests)"
    : >requests
    expect 0 run_agent d1
    same "GET /api/v1/devices/$DEVICE/rendered?knownRenderedVersion=2" "$(cat requests)"
    rendered 3 "$(files "$(file /etc/a good)")" | answer 200
    expect 0 run_agent d1
    same good "$(cat d1/etc/a)"
}

# --- reports ------------------------------------------------------------------------------------

@test "a report is whole, sent when something changed, and again until it arrived" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    rendered 5 "$(files "$(file /etc/a 1)")" | answer 200 GET
    refusal 503 "not now" | answer 503 PUT
    expect 7 run_agent d1
    has "$stderr" "fc-agent: report: the server answered 503: not now"
    same 1 "$(cat d1/etc/a)"
    same 5 "$(known d1 .currentVersion)"
    rm answer.PUT answer.GET
    rendered 5 '[]' | answer 200
    : >requests
    : >headers
    expect 0 run_agent d1
    same "GET PUT" "$(cut -d' ' -f1 requests | xargs)"
    same "v1beta1|wait=0||fc-agent/
v1beta1||application/json|fc-agent/" "$(sed 's,[^/]*$,,' headers)"
    same '["apiVersion","kind","metadata","status"]' "$(jq -c keys body)"
    same "v1beta1 Device $DEVICE" "$(jq -r '"\(.apiVersion) \(.kind) \(.metadata.name)"' body)"
    for member in conditions systemInfo applications applicationsSummary resources integrity config \
        os updated summary lifecycle; do
        jq -e --arg m $member '.status | has($m)' body >/dev/null || { echo "no $member"; return 1; }
    done
    same "5 Updated False" "$(jq -r '.status | "\(.config.renderedVersion) \(.conditions[0].reason) \(.conditions[0].status)"' body)"
    : >requests
    expect 0 run_agent d1
    same "GET" "$(cut -d' ' -f1 requests)"
    # A server that took the device for one that came from elsewhere wants to hear it again.
    rendered 5 '[]' | jq -c '.metadata.annotations["device-controller/conflictPaused"] = "true"' | answer 200
    : >requests
    expect 0 run_agent d1
    same "GET PUT" "$(cut -d' ' -f1 requests | xargs)"
}

@test "a new boot, kernel or name of the host is reported" {
    with_device d1
    expect 0 run_agent d1
    before=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "$before" "$(reported .metadata.resourceVersion)"
    echo kiosk >d1/etc/hostname
    expect 0 run_agent d1
    same kiosk "$(reported .status.systemInfo.hostname)"
}
