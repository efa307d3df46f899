# SPDX-License-Identifier: Apache-2.0
# databases: both
# The API as devices and administrators meet it: TLS, started by its socket.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
}
teardown() { fc_teardown; }

ER=/api/v1/enrollmentrequests
CSR=/api/v1/certificatesigningrequests
ONE=device-one-0123456789 # names as long as those of devices must be
TWO=device-two-0123456789

# Every route of the table: METHOD PATH ROLE ...
routes() {
    fc-api --routes -o name -q '"\(.method) \(.path) \(.who)"' | sed "s/{[a-z]*}/${1:-x}/g"
}

# walk CURL OPTION ...: all routes in one run of curl; prints METHOD PATH STATUS MESSAGE.
walk() {
    local method path

    : >walk.conf
    while read -r method path _; do
        [ ! -s walk.conf ] || echo next >>walk.conf
        printf '%s\n' "request = $method" "url = $API_URL$path" "cacert = $FC_STATE/ca/ca.crt" \
            silent "write-out = \"\\n%{http_code}\\n\"" "$@" >>walk.conf
        case $method in P*) printf '%s\n' 'json = "{}"' >>walk.conf ;; esac
    done <<<"$(routes "${DEVICE:-}")"
    curl -K walk.conf >walked
    paste -d '\t' - - <walked | paste -d ' ' <(routes "${DEVICE:-}") <(jq -Rr '
        split("\t") | "\(.[1]) \(.[0] | fromjson? | .message // "")" // .[1]')
}

# A certificate by openssl with the extensions that are given, signed by the authority.
odd_certificate() {
    local name=$1 cn=$2 ext

    shift 2
    request_of "$name" "$cn"
    printf '%s\n' extendedKeyUsage=clientAuth >ext
    for ext; do echo "1.3.6.1.4.1.99999.1.${ext%%:*}=ASN1:UTF8String:${ext#*:}" >>ext; done
    openssl x509 -req -in "$name.csr" -CA "$FC_STATE/ca/ca.crt" -CAkey "$FC_STATE/ca/ca.key" \
        -days 5 -extfile ext -out "$name.crt" 2>/dev/null
}

# parked FILE: with one process that looks at all its connections by turns, a poll that was sent
# before another request and is unanswered after it waits.
poll() {
    curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert "$ONE.crt" --key "$ONE.key" -v \
        -w '\n%{http_code}\n' "$API_URL/api/v1/devices/$ONE/rendered?knownRenderedVersion=$1" \
        "${@:2}" >poll.out 2>poll.err
}
start_poll() {
    rm -f poll.out poll.err
    poll "$@" 3>&- &
    POLL=$!
    wait_for grep -q '^> GET' poll.err
    answers 200 admin /api/v1/version
    kill -0 "$POLL"
    [ ! -s poll.out ]
}

@test "a device asks for enrollment, is approved over the API, and gets its certificate" {
    start_api
    request_of $ONE
    answers 201 bootstrap $ER --json "$(enrollment_of $ONE '{"site":"berlin"}')"
    same '{"kind":"EnrollmentRequest","api":"flightctl.io/v1beta1","status":{"conditions":[]}}' \
        "$(json '{kind, api: .apiVersion, status} | tojson')"
    answers 200 bootstrap $ER/$ONE
    same '[]' "$(json '.status.conditions | tojson')"
    has "$(json .spec.csr)" 'BEGIN CERTIFICATE REQUEST'
    answers 200 admin $ER
    same "$ONE" "$(json .items[].metadata.name)"

    answers 200 admin $ER/$ONE/approval -X PUT \
        --json '{"approved":true,"labels":{"app":"kiosk"},"replaceLabels":false}'
    same 'true {"app":"kiosk"} false user:tester' \
        "$(json '"\(.approved) \(.labels | tojson) \(.replaceLabels) \(.approvedBy)"')"
    [[ $(json .approvedAt) =~ ^20[0-9-]*T[0-9:.]*Z$ ]]
    answers 400 admin $ER/$ONE/approval -X PUT --json '{"approved":true}'
    says 'Enrollment request is already approved'

    # Condition and certificate come together: agents fail on one without the other.
    answers 200 bootstrap $ER/$ONE
    same '[] null' "$(json '"\(.status.conditions | tojson) \(.status.certificate)"')"
    fc-work drain
    answers 200 bootstrap $ER/$ONE
    same 'Approved True ManuallyApproved Approved by user:tester' \
        "$(json '.status.conditions[] | "\(.type) \(.status) \(.reason) \(.message)"')"
    json .status.certificate >$ONE.crt
    openssl verify -CAfile "$FC_STATE/ca/ca.crt" $ONE.crt
    same "subject=CN = device:$ONE" "$(openssl x509 -in $ONE.crt -noout -subject)"
    answers 200 admin /api/v1/devices/$ONE
    same '{"app":"kiosk","site":"berlin"} Enrolled Unsupported' \
        "$(json '"\(.metadata.labels | tojson) \(.status.lifecycle.status) \(.status.integrity.status)"')"
    answers 200 $ONE /api/v1/devices/$ONE/rendered
}

@test "what cannot be enrolled is refused, and nothing is kept" {
    start_api
    request_of $ONE
    request_of $TWO
    answers 201 bootstrap $ER --json "$(enrollment_of $ONE)"
    answers 409 bootstrap $ER --json "$(enrollment_of $ONE)"
    has "$(json .message)" "$ONE"

    answers 400 bootstrap $ER --json '{"kind":'
    has "$(json .message)" 'API Error: body: '
    answers 400 bootstrap $ER --json '[]'
    answers 400 bootstrap $ER --json "$(enrollment_of $TWO | jq -c 'del(.spec.csr)')"
    has "$(json .message)" 'API Error: spec.csr'
    answers 400 bootstrap $ER --json "$(enrollment_of $TWO | jq -c '.spec.csr = 7')"
    answers 400 bootstrap $ER --json "$(enrollment_of $TWO | jq -c '.spec.csr = "x"')"
    answers 400 bootstrap $ER --json "$(enrollment_of $TWO | jq -c '.metadata.name = "other"')"
    has "$(json .message)" "its common name is \"$TWO\", not metadata.name"
    # The same request with another signature: nobody proved that the key is theirs.
    answers 400 bootstrap $ER --json "$(openssl req -in $TWO.csr -outform DER | head -c -8 |
        { cat; head -c 8 /dev/zero; } | openssl base64 | { echo '-----BEGIN CERTIFICATE REQUEST-----'
        cat; echo '-----END CERTIFICATE REQUEST-----'; } >bad.csr
        enrollment_of $TWO | jq -c --rawfile csr bad.csr '.spec.csr = $csr')"
    answers 400 bootstrap $ER -H 'Content-Type: application/jsonp' -d "$(enrollment_of $TWO)"
    answers 400 bootstrap $ER -H 'Content-Type: text/plain' -d "$(enrollment_of $TWO)"
    answers 404 bootstrap $ER/$TWO
    same "EnrollmentRequest of name \"$TWO\" not found" "$(json .message)"
    answers 200 admin $ER
    same "$ONE" "$(json .items[].metadata.name)"
    # The contract leaves this kind open: what is not known here is kept.
    answers 201 bootstrap $ER -H 'Content-Type: application/json; charset=utf-8' \
        -d "$(enrollment_of $TWO | jq -c '.spec.extra = 1')"
    answers 200 bootstrap $ER/$TWO
    same 1 "$(json .spec.extra)"
}

@test "approval: wrong types, unknown requests, and denial" {
    start_api
    request_of $ONE
    answers 201 bootstrap $ER --json "$(enrollment_of $ONE '{"a":"1","b":"1"}')"
    answers 404 admin $ER/nobody/approval -X PUT --json '{"approved":true}'
    says 'EnrollmentRequest of name "nobody" not found'
    answers 400 admin $ER/$ONE/approval -X PUT --json '{"approved":"yes"}'
    has "$(json .message)" 'API Error: approved: '
    answers 400 admin $ER/$ONE/approval -X PUT --json '{"approved":true,"labels":{"a":1}}'
    answers 401 bootstrap $ER/$ONE/approval -X PUT --json '{"approved":true}'
    answers 200 admin $ER/$ONE
    same 'null' "$(json .status.approval)"
    answers 200 admin $ER/$ONE/approval -X PUT \
        --json '{"approved":true,"labels":{"b":"2"},"replaceLabels":true}'
    fc-work drain
    answers 200 admin /api/v1/devices/$ONE
    same '{"b":"2"}' "$(json '.metadata.labels | tojson')"
    request_of $TWO
    answers 201 bootstrap $ER --json "$(enrollment_of $TWO)"
    answers 200 admin $ER/$TWO/approval -X PUT --json '{"approved":false}' \
        -H 'Flightctl-Reason: who%20is%20that%3f'
    same 'false user:tester' "$(json '"\(.approved) \(.approvedBy)"')"
    answers 200 admin $ER/$TWO
    same 'Denied True who is that?' "$(json '.status.conditions[] | "\(.type) \(.status) \(.message)"')"
    answers 400 admin $ER/$TWO/approval -X PUT --json '{"approved":true}'
}

@test "the rendered specification: new, known, none yet, none any more" {
    local path=/api/v1/devices/$ONE/rendered

    start_api
    new_device $ONE
    answers 200 $ONE "$path?knownRenderedVersion=0"
    same 'Device 1 []' "$(json '"\(.kind) \(.metadata.annotations["device-controller/renderedVersion"]
        ) \(.spec.config | tojson)"')"
    spec $ONE hello | fc-apply -f -
    answers 200 $ONE "$path?knownRenderedVersion=1" # it renders on the spot
    same '2 [{"inline":[{"content":"hello","path":"/etc/motd"}],"name":""}]' "$(jq -r '
        "\(.metadata.annotations["device-controller/renderedVersion"]) \(.spec.config |
        map({inline: .inline | map({content, path}), name}) | tojson)"' <<<"$body")"
    answers 200 $ONE "$path"
    answers 200 $ONE "$path?knownRenderedVersion="
    answers 200 admin "$path"
    answers 204 $ONE "$path?knownRenderedVersion=2" -H 'Prefer: wait=0'
    same '' "$body"
    answers 400 $ONE "$path?knownRenderedVersion=two"
    answers 400 $ONE "$path?knownRenderedVersion=%zz"
    answers 400 $ONE "$path?knownRenderedVersion=-1"

    # The agents that exist enroll anew when they read exactly this.
    fc-delete -y device/$ONE
    answers 404 $ONE "$path?knownRenderedVersion=2"
    says "Device of name \"$ONE\" not found"
    answers 404 admin "/api/v1/devices/$TWO"
    says "Device of name \"$TWO\" not found"
    answers 404 admin "/api/v1/nothing"
    hasnt "$body" 'not found'
}

@test "a device without a rendered version is told so" {
    start_api
    new_device $ONE
    store_sql 'UPDATE device SET rendered = 0, stale = 0'
    answers 409 $ONE "/api/v1/devices/$ONE/rendered?knownRenderedVersion=0"
    says "no rendered version of device \"$ONE\""
}

@test "a poll waits until another process changes something" {
    local began

    needs strace strace
    start_api
    new_device $ONE
    start_poll 1 -H 'Prefer: wait=60'
    began=$SECONDS
    # What is written can be read only when the disk has it, a good while later here.
    # (A process that is traced cannot look for leaks.)
    spec $ONE hello | strace -f -o /dev/null \
        -e trace=fdatasync -e inject=fdatasync:delay_enter=200000 fc-apply -f -
    wait "$POLL"
    [ $((SECONDS - began)) -lt 20 ]
    same 200 "$(tail -n 1 poll.out)"
    same 2 "$(head -n 1 poll.out |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')"

    # What concerns others wakes nobody for good; the next change does.
    new_device $TWO
    start_poll 2 -H 'Prefer: wait=60'
    spec $TWO other | fc-apply -f -
    fc-work drain
    answers 200 $TWO /api/v1/devices/$TWO/rendered
    answers 200 admin /api/v1/version
    kill -0 "$POLL"
    fc-delete -y device/$ONE
    wait "$POLL"
    same 404 "$(tail -n 1 poll.out)"
}

@test "a poll waits as long as it prefers" {
    start_api
    new_device $ONE
    poll 1 -H 'Prefer: respond-async, wait=1' -w '%{http_code} %{time_total}'
    [[ $(cat poll.out) =~ ^204\ ([0-9]+) ]]
    [ "${BASH_REMATCH[1]}" -ge 1 ]
    # Nothing is lost when the server is told to end meanwhile.
    start_poll 1 -H 'Prefer: wait=60'
    kill "$API_PID"
    wait "$POLL"
    same 204 "$(tail -n 1 poll.out)"
}

@test "many polls that wait, and one process" {
    local i

    start_api
    new_device $ONE
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        [ $i = 1 ] || echo next
        printf '%s\n' "url = $API_URL/api/v1/devices/$ONE/rendered?knownRenderedVersion=1" \
            "cert = $ONE.crt" "key = $ONE.key" "cacert = $FC_STATE/ca/ca.crt" silent \
            'header = "Prefer: wait=60"' "output = poll.$i" 'write-out = "%{http_code}\n"'
    done >polls
    curl -Z --parallel-immediate -K polls >answers 2>&1 3>&- &
    POLL=$!
    wait_for sh -c "[ \$(ls -l /proc/$API_PID/fd | grep -c socket:) -ge 13 ]"
    answers 200 admin /api/v1/version
    kill -0 $POLL
    spec $ONE hello | fc-apply -f -
    wait $POLL
    same 12 "$(grep -c '^200$' answers)"
    for i in 1 12; do
        same 2 "$(jq -r '.metadata.annotations["device-controller/renderedVersion"]' poll.$i)"
    done
}

@test "status: reported, counted, shown" {
    local path=/api/v1/devices/$ONE/status

    start_api
    new_device $ONE
    answers 200 $ONE "$path" -X PUT --json "$(report $ONE 1)"
    same "Device $ONE 1" "$(json '"\(.kind) \(.metadata.name) \(.status.config.renderedVersion)"')"
    answers 200 admin /api/v1/devices/$ONE
    same 'UpToDate Online Healthy' \
        "$(json '.status | "\(.updated.status) \(.summary.status) \(.resources.cpu)"')"
    same null "$(json .status.lastSeen)"
    answers 200 admin $path
    same UpToDate "$(json .status.updated.status)"
    answers 200 $ONE $path -X PATCH -H 'Content-Type: application/json-patch+json' \
        -d '[{"op":"replace","path":"/status/resources/cpu","value":"Critical"}]'
    same Critical "$(json .status.resources.cpu)"
    answers 200 admin /api/v1/devices/$ONE
    same 'Error' "$(json .status.summary.status)"
    # Agents that exist send a version without the group, and may send the group.
    answers 200 $ONE $path -X PUT \
        --json "$(report $ONE 1 | jq -c '.apiVersion = "flightctl.io/v1beta1"')"
    # A report touches the status alone.
    answers 200 $ONE $path -X PUT --json "$(report $ONE 1 | jq -c '.metadata.labels = {a: "b"}')"
    answers 200 admin /api/v1/devices/$ONE
    same null "$(json .metadata.labels.a)"
}

@test "status: what is wrong is named, and changes nothing" {
    local path=/api/v1/devices/$ONE/status before

    start_api
    new_device $ONE
    answers 200 $ONE $path -X PUT --json "$(report $ONE 1)"
    before=$(fc-select device/$ONE -o json)
    refused() { answers 400 $ONE $path -X PUT --json "$(report $ONE 1 | jq -c "$1")" && says "$2"; }
    refused '.metadata.name = "other"' 'API Error: metadata.name: is not the name in the path'
    refused 'del(.metadata.name)' 'API Error: metadata.name: is required'
    refused 'del(.status)' 'API Error: status: is required'
    refused '.status.extra = 1' 'API Error: status.extra: unknown field'
    refused 'del(.status.summary)' 'API Error: status.summary: is required'
    refused '.status.summary.status = "Fine"' "$(report $ONE 1 | jq -c '.status.summary.status = "Fine"' |
        api $ONE $path -X PUT --json @- | head -n 1 | jq -r .message)"
    has "$(json .message)" 'API Error: status.summary.status: '
    refused '.kind = "Fleet"' 'API Error: kind: must be Device'
    answers 400 $ONE $path -X PUT --json '{"status":{"a":1,"a":2}}'
    has "$(json .message)" 'duplicate'
    answers 400 $ONE $path -X PUT --json "$(report $ONE 1 | tr -d '\n' | sed 's/"b"/"\xff"/')"
    answers 400 $ONE $path -X PUT --json ''
    patched() {
        answers 400 $ONE $path -X PATCH -H 'Content-Type: application/json-patch+json' -d "$1"
    }
    patched '[{"op":"replace","path":"/metadata/name","value":"other"}]'
    patched '[{"op":"remove","path":"/status"}]'
    patched '[{"op":"add","path":"/status/extra","value":1}]'
    patched '[{"op":"remove","path":"/status/nothing"}]'
    patched '{"status":{}}'
    answers 400 $ONE $path -X PATCH -H 'Content-Type: application/merge-patch+json' -d '[]'
    answers 409 $ONE $path -X PATCH -H 'Content-Type: application/json-patch+json' \
        -d '[{"op":"test","path":"/status/resources/cpu","value":"Critical"}]'
    same "$before" "$(fc-select device/$ONE -o json)"
}

@test "a device speaks for itself alone" {
    start_api
    new_device $ONE
    new_device $TWO
    answers 401 $TWO /api/v1/devices/$ONE/rendered
    answers 401 $TWO /api/v1/devices/$ONE/status -X PUT --json "$(report $ONE 1)"
    says "the client certificate is another device's"
    answers 401 $TWO /api/v1/devices/$ONE/status -X PATCH \
        -H 'Content-Type: application/json-patch+json' -d '[]'
    answers 404 $ONE "/api/v1/devices/$ONE%00/rendered"
    answers 401 $ONE "/api/v1/devices/${ONE%?}/rendered"
    answers 401 $ONE "/api/v1/devices/${ONE^^}/rendered"
    answers 200 $ONE "/api/v1/devices/%64evice-one-0123456789/rendered" # is the same name
}

@test "a device renews its certificate" {
    start_api
    new_device $ONE
    new_device $TWO
    ask() { # NAME SIGNER REQUEST
        jq -cn --arg name "$1" --arg signer "$2" --rawfile csr "$3" '{apiVersion: "v1beta1",
            kind: "CertificateSigningRequest", metadata: {name: $name}, spec: {
            request: ($csr | @base64), signerName: $signer, usages: ["clientAuth", "CA:false"]}}'
    }
    renewal=flightctl.io/device-management-renewal
    answers 201 $ONE $CSR --json "$(ask $ONE-0a1b2c3d $renewal $ONE.csr)"
    same "Device/$ONE" "$(json .metadata.owner)"
    answers 409 $ONE $CSR --json "$(ask $ONE-0a1b2c3d $renewal $ONE.csr)"
    answers 200 $ONE $CSR/$ONE-0a1b2c3d
    same '[]' "$(json '.status.conditions | tojson')"
    fc-work drain
    answers 200 $ONE $CSR/$ONE-0a1b2c3d
    same 'Approved True' "$(json '.status.conditions[] | "\(.type) \(.status)"')"
    json .status.certificate | base64 -d >new.crt
    cp $ONE.key new.key
    same "subject=CN = device:$ONE" "$(openssl x509 -in new.crt -noout -subject)"
    [ "$(openssl x509 -in new.crt -noout -serial)" != "$(openssl x509 -in $ONE.crt -noout -serial)" ]
    answers 200 new /api/v1/devices/$ONE/rendered
    answers 200 new $CSR/$ONE-0a1b2c3d

    answers 401 $TWO $CSR/$ONE-0a1b2c3d
    answers 404 $ONE $CSR/$ONE-00000000
    answers 403 $TWO $CSR --json "$(ask $TWO-1 $renewal $ONE.csr)"
    says "spec.request: its common name is \"$ONE\", not the device's"
    answers 403 $ONE $CSR --json "$(ask $ONE-2 flightctl.io/enrollment $ONE.csr)"
    answers 400 $ONE $CSR --json "$(ask $ONE-2 flightctl.io/admin $ONE.csr)"
    answers 400 $ONE $CSR --json "$(ask $ONE-2 flightctl.io/device-enrollment $ONE.csr)"
    answers 403 $ONE $CSR --json "$(ask $ONE-2 flightctl.io/device-svc-client $ONE.csr)"
    request_of svc svc-$ONE
    answers 201 $ONE $CSR --json "$(ask $ONE-3 flightctl.io/device-svc-client svc.csr)"
    fc-work drain
    answers 200 $ONE $CSR/$ONE-3
    json .status.certificate | base64 -d >svc.crt
    answers 401 svc /api/v1/devices/$ONE/rendered # it is for other services
    answers 400 $ONE $CSR --json "$(ask $ONE-4 $renewal $ONE.csr | jq -c '.spec.request = "%"')"
    answers 400 $ONE $CSR --json "$(ask $ONE-4 $renewal $ONE.csr | jq -c '.spec.usages = "x"')"
}

@test "nobody without a certificate is answered, but where anyone is" {
    start_api
    walk >without
    [ "$(wc -l <without)" -ge 18 ]
    not grep -v -e ' 401 a token or a client certificate is required$' -e ' anyone 200 $' -e ' anyone 501 ' without
    # Nor where nothing is, nor with a certificate in a header.
    for path in / /api /api/v1 /api/v1/ /api/v1/nothing /healthz/ '/api/v1/devices?x=1'; do
        same 401 "$(curl -sS --cacert "$FC_STATE/ca/ca.crt" -o out -w '%{http_code}' "$API_URL$path")"
        body=$(cat out) status_document 401
    done
    walk "header = \"X-SSL-Client-Cert: $(as_header admin)\"" \
        "header = \"Authorization: Bearer x\"" "header = \"X-Forwarded-For: 127.0.0.1\"" >without
    not grep -v -e ' 401 failed to validate token: ' -e ' anyone 200 $' -e ' anyone 501 ' without
}

@test "certificates of another authority, by themselves, and out of date are refused" {
    needs faketime faketime
    start_api
    FC_STATE=$T/other fc-sign ca init >/dev/null
    FC_STATE=$T/other fc-sign admin -o foreign mallory >/dev/null
    walk 'cert = foreign.crt' 'key = foreign.key' >walk.foreign
    not grep -v -e ' 401 ' -e ' anyone 200 $' -e ' anyone 501 ' walk.foreign
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout self.key \
        -subj /CN=tester -addext 1.3.6.1.4.1.99999.1.1=ASN1:UTF8String:flightctl.io/admin \
        -out self.crt 2>/dev/null
    answers 401 self /api/v1/devices
    # Signed in the authority's name, by another key.
    cp other/ca/ca.key forged.ca.key
    openssl req -new -key foreign.key -subj /CN=tester -out forged.csr
    printf '%s\n' extendedKeyUsage=clientAuth \
        1.3.6.1.4.1.99999.1.1=ASN1:UTF8String:flightctl.io/admin >ext
    openssl x509 -req -in forged.csr -CA other/ca/ca.crt -CAkey forged.ca.key -days 5 \
        -extfile ext -out forged.crt 2>/dev/null
    cp foreign.key forged.key
    answers 401 forged /api/v1/devices
    # The server's own is for servers.
    cp server.crt s.crt
    cp server.key s.key
    answers 401 s /api/v1/devices
    answers 401 s $ER --json '{}'

    openssl x509 -req -in forged.csr -CA "$FC_STATE/ca/ca.crt" -CAkey "$FC_STATE/ca/ca.key" \
        -days 5 -extfile ext -out forged.crt 2>/dev/null # now without an organization
    answers 400 forged /api/v1/devices
    says 'no organization ID found in certificate'
    openssl_at -3d x509 -req -in forged.csr -CA "$FC_STATE/ca/ca.crt" \
        -CAkey "$FC_STATE/ca/ca.key" -days 2 -extfile ext -out forged.crt 2>/dev/null
    answers 401 forged /api/v1/devices
    has "$(json .message)" 'has expired'
    openssl_at +3d x509 -req -in forged.csr -CA "$FC_STATE/ca/ca.crt" \
        -CAkey "$FC_STATE/ca/ca.key" -days 2 -extfile ext -out forged.crt 2>/dev/null
    answers 401 forged /api/v1/devices
    has "$(json .message)" 'not yet valid'
}

@test "a certificate that runs out while its connection is open" {
    local preload clock

    needs faketime faketime
    preload=$(clock_lib)
    ! sanitized || preload=$(ldd "$BUILD/bin/fc-api" | awk '/libasan/ { print $3 }'):$preload
    clock=$FC_STATE/clock # where fc-api may read
    echo '+0' >"$clock"
    # The clock of its timers goes on as it is: days later a connection that waits would be closed.
    ACTIVATE_ENV="LD_PRELOAD=$preload FAKETIME_TIMESTAMP_FILE=$clock FAKETIME_NO_CACHE=1 FAKETIME_DISABLE_SHM=1 FAKETIME_DONT_FAKE_MONOTONIC=1" start_api
    fc-sign admin -f -d 1 -o "$T/short" brief >/dev/null
    answers 200 short /api/v1/devices
    mkfifo gate
    printf '%s\n' "url = $API_URL/api/v1/devices" "cert = short.crt" "key = short.key" \
        "cacert = $FC_STATE/ca/ca.crt" 'output = /dev/null' \
        'write-out = "%{stderr}%{http_code} %{num_connects}\n"' >one
    # One connection, and the clock moves between its requests: the identity is kept, not its time.
    { cat one; echo next; printf 'url = file://%s/gate\n' "$T"; echo next; cat one; } >two
    curl -sS -K two >/dev/null 2>out 3>&- &
    POLL=$!
    wait_for grep -q '^200 1$' out
    echo '+2d' >"$clock"
    echo go >gate
    wait $POLL
    same '200 1
401 0' "$(cat out)"
}

@test "signer and organization decide what a certificate is" {
    start_api
    odd_certificate nosigner device:$ONE 2:00000000-0000-0000-0000-000000000000
    answers 401 nosigner /api/v1/devices/$ONE/rendered
    odd_certificate noorg client-enrollment 1:flightctl.io/enrollment
    request_of $ONE
    answers 400 noorg $ER --json "$(enrollment_of $ONE)"
    says 'no organization ID found in certificate'
    odd_certificate otherorg client-enrollment 1:flightctl.io/enrollment \
        2:11111111-1111-1111-1111-111111111111
    answers 403 otherorg $ER --json "$(enrollment_of $ONE)"
    odd_certificate short device:short 1:flightctl.io/device-enrollment \
        2:00000000-0000-0000-0000-000000000000 3:device:short
    answers 401 short /api/v1/devices/short/rendered
    odd_certificate stranger $ONE 1:flightctl.io/nobody 2:00000000-0000-0000-0000-000000000000
    answers 401 stranger /api/v1/version
    odd_certificate good client-enrollment 1:flightctl.io/enrollment \
        2:00000000-0000-0000-0000-000000000000
    answers 201 good $ER --json "$(enrollment_of $ONE)"
}

@test "each identity has its routes, and a mixed-up certificate is told which" {
    local who word signer method path takes code message

    start_api
    DEVICE=$ONE
    new_device $ONE
    for who in bootstrap $ONE admin; do
        case $who in
        bootstrap) word=enrollment signer=flightctl.io/enrollment ;;
        admin) word=admin signer=flightctl.io/admin ;;
        *) word=device signer=flightctl.io/device-enrollment ;;
        esac
        walk "cert = $who.crt" "key = $who.key" 'header = "Prefer: wait=0"' >walk.$who
        while read -r line; do
            [[ $line =~ ^([A-Z]+)\ ([^ ]+)\ ([a-z -]+)\ ([0-9]+)\ ?(.*)$ ]]
            takes=" ${BASH_REMATCH[3]} " code=${BASH_REMATCH[4]} message=${BASH_REMATCH[5]}
            if [[ $takes == *" $word "* || $takes == " anyone " ]]; then
                [ "$code" != 401 ] && [ "$code" != 405 ] && { [ "$code" -lt 500 ] ||
                    [[ $code$message =~ ^501.*\ (not\ served\ here|kept\ by\ the\ server)$ ]]; }
            else
                [ "$code" = 401 ]
                [[ $message == 'unexpected client certificate signer: expected "'*"\", got \"$signer\"" ]]
            fi || { echo "$who: $line"; return 1; }
        done <walk.$who
    done
    answers 401 bootstrap /api/v1/devices/$ONE/rendered
    says 'unexpected client certificate signer: expected "flightctl.io/device-enrollment", got "flightctl.io/enrollment"'
    answers 401 $ONE $ER/$ONE
    says 'unexpected client certificate signer: expected "flightctl.io/enrollment", got "flightctl.io/device-enrollment"'
}

@test "versions, methods and paths that are not there" {
    start_api
    answers 200 admin /api/v1/version -D head -H 'Flightctl-API-Version: v1beta1'
    grep -qi '^Flightctl-API-Version: v1beta1' head
    grep -qi '^Vary: Flightctl-API-Version' head
    [ "$(json .version)" != null ]
    answers 406 admin /api/v1/version -D head -H 'Flightctl-API-Version: v2'
    grep -qi '^Flightctl-API-Versions-Supported: v1beta1' head
    answers 405 admin /api/v1/devices -X DELETE -D head
    grep -qi $'^Allow: GET, POST\r' head
    answers 405 admin /api/v1/devices/x/status -X DELETE -D head
    grep -qi $'^Allow: PUT, PATCH, GET\r' head
    answers 405 admin $ER -X PUT --json '{}' -D head
    grep -qi $'^Allow: POST, GET\r' head
    for path in / /api/v1 /api/v1/ /api/v2/devices /api/v1/devices/ /api/v1/devices/x/ \
        /api/v1//devices /api/v1/devices/a/b /API/v1/devices /api/v1/devices/%2e%2e%2fversion/x \
        /api/v1/%64evices; do
        answers 404 admin "$path" --path-as-is
        hasnt "$body" 'not found'
    done
    answers 404 admin /api/v1/devices/%ff
    answers 404 admin /api/v1/fleets/none
    says 'Fleet of name "none" not found'
    answers 404 admin /api/v1/fleets/none/templateversions
    answers 404 admin /api/v1/fleets/none/templateversions/v1
}

@test "the headers of every answer" {
    local line

    start_api
    for path in /api/v1/version /api/v1/nothing; do
        api admin "$path" -D head -o /dev/null -H 'X-Request-Id: agent/7.a_B-c'
        for line in 'X-Content-Type-Options: nosniff' 'X-Frame-Options: DENY' \
            'Strict-Transport-Security: max-age=31536000' 'Cache-Control: no-store' \
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'" \
            'Content-Type: application/json' 'X-Request-Id: agent/7.a_B-c'; do
            grep -qixF "$line"$'\r' head || { echo "no $line"; cat head; return 1; }
        done
        grep -q '^Date: ' head
        [ "$(grep -ci '^Content-Length:' head)" = 1 ]
        not grep -qi '^Server:' head
    done
    for id in 'a b' '<script>' "$(printf 'a%.0s' {1..129})"; do
        api admin /api/v1/version -D head -o /dev/null -H "X-Request-Id: $id"
        grep -qi '^X-Request-Id: [0-9a-f-]*/[0-9]*'$'\r' head # one of its own instead
    done
}

@test "limits on target, headers and body" {
    start_api
    head -c 1048577 /dev/zero | tr '\0' ' ' >large
    head -c 1048570 large >fits
    echo '{}' >>fits
    answers 413 bootstrap $ER --json @large
    answers 413 bootstrap $ER --json @large -H 'Expect: 100-continue'
    answers 413 bootstrap $ER --json @large -H 'Transfer-Encoding: chunked'
    answers 400 bootstrap $ER --json @fits
    answers 400 bootstrap $ER --json @fits -H 'Expect: 100-continue'
    answers 400 bootstrap $ER --json @fits -H 'Transfer-Encoding: chunked'
    answers 414 admin "/api/v1/devices?labelSelector=$(printf 'a%.0s' {1..8200})"
    printf 'X-A: %s\n' "$(printf 'a%.0s' {1..33000})" >header
    answers 431 admin /api/v1/version -H @header
    for i in {1..101}; do echo "X-$i: 1"; done >header
    answers 431 admin /api/v1/version -H @header
    answers 417 admin /api/v1/version -H 'Expect: tea'
    # Deep nesting and huge numbers end in an answer too.
    answers 400 bootstrap $ER --json "$(printf '[%.0s' {1..20000})"
    answers 400 bootstrap $ER --json '{"a":1e999}'
    answers 400 bootstrap $ER --json '{"a":9007199254740993}'
    answers 200 admin /api/v1/version
}

@test "lists: pages, what remains, labels" {
    local i token

    start_api
    for i in 1 2 3 4 5; do
        echo '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d'$i'","labels":{"site":"s'$((i % 2))'"}},"spec":{}}'
    done | fc-apply -f -
    answers 200 admin /api/v1/devices
    same 'DeviceList flightctl.io/v1beta1 d1 d2 d3 d4 d5 {}' \
        "$(json '[.kind, .apiVersion, .items[].metadata.name, (.metadata | tojson)] | join(" ")')"
    answers 200 admin '/api/v1/devices?limit=2'
    same 'd1 d2 3' "$(json '[.items[].metadata.name, .metadata.remainingItemCount] | join(" ")')"
    token=$(json .metadata.continue)
    answers 200 admin "/api/v1/devices?limit=2" -G --data-urlencode "continue=$token"
    same 'd3 d4 1' "$(json '[.items[].metadata.name, .metadata.remainingItemCount] | join(" ")')"
    token=$(json .metadata.continue)
    fc-delete -y device/d5 # pages are by name, not by number
    echo '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d6"},"spec":{}}' | fc-apply -f -
    answers 200 admin "/api/v1/devices?limit=2" -G --data-urlencode "continue=$token"
    same 'd6 {}' "$(json '[.items[].metadata.name, (.metadata | tojson)] | join(" ")')"
    answers 200 admin '/api/v1/devices?limit=5'
    same '{}' "$(json '.metadata | tojson')"
    answers 200 admin '/api/v1/devices?limit=0'
    same 5 "$(json '.items | length')"
    answers 200 admin '/api/v1/devices?labelSelector=site%3Ds1&limit=1'
    same 'd1 1' "$(json '[.items[].metadata.name, .metadata.remainingItemCount] | join(" ")')"
    answers 200 admin '/api/v1/devices?labelSelector=site+notin+(s0,s1)'
    same 'd6' "$(json '.items[].metadata.name')"
    answers 400 admin '/api/v1/devices?labelSelector=site%3D%3D%3D'
    has "$(json .message)" 'labelSelector: '
    for i in limit=1001 limit=-1 limit=x limit=1e3 'continue=!' continue=e30= fieldSelector=a%3Db \
        'summaryOnly=true&limit=1' summaryOnly=1; do
        answers 400 admin "/api/v1/devices?$i"
        has "$(json .message)" "${i%%=*}"
    done
    answers 200 admin /api/v1/fleets
    same 'FleetList 0' "$(json '"\(.kind) \(.items | length)"')"
}

@test "lists by fields, with a summary; events" {
    start_api
    for i in 1 2 3; do
        echo '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d'$i'","labels":{"alias":"a'$i'","site":"s'$((i % 2))'"}},"spec":{}}'
    done | fc-apply >/dev/null
    answers 200 admin '/api/v1/devices?summaryOnly=true&labelSelector=site%3Ds1'
    same '0 2 {"Unknown":2}' "$(json '"\(.items | length) \(.summary.total) \(.summary.summaryStatus)"')"
    answers 200 admin '/api/v1/devices?limit=1'
    same '1 2' "$(json '"\(.summary.total) \(.metadata.remainingItemCount)"')"
    token=$(json .metadata.continue)
    answers 400 admin '/api/v1/devices?labelSelector=site%3Ds1' -G --data-urlencode "continue=$token"
    has "$(json .message)" 'continue: the token of another list'
    answers 200 admin '/api/v1/devices?fieldSelector=metadata.nameOrAlias%20in%20(d1,a3)&labelSelector=site%3Ds1'
    same 'd1 d3' "$(json '[.items[].metadata.name] | join(" ")')"
    answers 400 admin '/api/v1/devices?fieldSelector=a%3Db'
    has "$(json .message)" 'fieldSelector: at 1: unable to resolve selector name "a". Supported selectors are: [metadata.name, '
    answers 200 admin '/api/v1/events?fieldSelector=reason%3DResourceCreated&order=asc&limit=2'
    same 'EventList d1 d2 1' "$(json '[.kind, .items[].involvedObject.name, .metadata.remainingItemCount] | join(" ")')"
    token=$(json .metadata.continue)
    answers 200 admin '/api/v1/events?fieldSelector=reason%3DResourceCreated&order=asc' -G \
        --data-urlencode "continue=$token"
    same 'd3' "$(json '[.items[].involvedObject.name] | join(" ")')"
    answers 400 admin '/api/v1/events?order=up'
    answers 400 admin '/api/v1/events?labelSelector=a%3Db'
    for i in repositories resourcesyncs certificatesigningrequests enrollmentrequests; do
        answers 200 admin "/api/v1/$i"
        same '0 {}' "$(json '"\(.items | length) \(.metadata)"')"
    done
}

@test "fleets and their template versions" {
    start_api
    fc-apply -f "$TOP/examples/fleet.yaml"
    fc-work drain
    answers 200 admin '/api/v1/fleets?limit=1'
    same 'kiosks 1' "$(json '"\(.items[].metadata.name) \(.metadata.remainingItemCount)"')"
    answers 200 admin /api/v1/fleets/kiosks
    same 'Fleet kiosk' "$(json '"\(.kind) \(.spec.selector.matchLabels.app)"')"
    answers 200 admin /api/v1/fleets/kiosks/templateversions
    same 'TemplateVersionList v1' "$(json '"\(.kind) \(.items[].metadata.name)"')"
    answers 200 admin /api/v1/fleets/kiosks/templateversions/v1
    same 'TemplateVersion kiosks' "$(json '"\(.kind) \(.spec.fleet)"')"
    answers 404 admin /api/v1/fleets/kiosks/templateversions/v2
}

@test "last seen: never, by a poll, by a report" {
    start_api
    new_device $ONE
    new_device $TWO
    answers 204 admin /api/v1/devices/$ONE/lastseen
    answers 404 admin /api/v1/devices/nobody/lastseen
    answers 200 $ONE /api/v1/devices/$ONE/status -X PUT --json "$(report $ONE 1)"
    answers 200 admin /api/v1/devices/$ONE/lastseen # at once, with what it reported
    [ $(($(date +%s) - $(date -d "$(json .lastSeen)" +%s))) -lt 60 ]
    answers 204 $TWO "/api/v1/devices/$TWO/rendered?knownRenderedVersion=1" -H 'Prefer: wait=0'
    wait_for answers 200 admin /api/v1/devices/$TWO/lastseen
    # Lists of people count for nobody.
    same 2 "$(seen_sql 'SELECT count(*) FROM seen WHERE id > 0')"
}

# --- certificates in headers ------------------------------------------------------------------

# on_socket CURL OPTION ...: the status of a request over the Unix socket.
on_socket() {
    curl -sS --unix-socket "$T/sock" -o out -w '%{http_code}' "$@" http://x/api/v1/devices
}

# unix_api CONFIGURATION LINE ...: fc-api on a Unix socket.
unix_api() {
    [ -z "${PID:-}" ] || stop "$PID"
    printf '%s\n' '[api]' "$@" >"$FC_CONF"
    background api.log fc-api -l "unix:$T/sock"
    wait_for test -S sock
}

@test "a header's certificate counts from a configured user id on a Unix socket alone" {
    local pem der

    pem=$(as_header admin)
    der=":$(openssl x509 -in admin.crt -outform DER | base64 -w0):"
    unix_api
    same 660 "$(stat -c %a sock)"
    same 401 "$(on_socket -H "X-SSL-Client-Cert: $pem")"
    same 401 "$(on_socket -H "Client-Cert: $der")"
    unix_api "trusted-header = X-SSL-Client-Cert" "trusted-uid = $(($(id -u) + 1))" \
        'trusted-address = 127.0.0.1'
    same 401 "$(on_socket -H "X-SSL-Client-Cert: $pem")"

    unix_api "trusted-header = X-SSL-Client-Cert" "trusted-uid = 65533, $(id -u)"
    same 200 "$(on_socket -H "X-SSL-Client-Cert: $pem")"
    same 200 "$(on_socket -H "x-ssl-client-cert:   $pem  ")"
    same 401 "$(on_socket)"
    # A server that sets one header passes another on as a stranger sent it.
    same 401 "$(on_socket -H "Client-Cert: $der")"
    same 400 "$(on_socket -H "X-SSL-Client-Cert: $pem" -H "X-SSL-Client-Cert: $pem")"
    for bad in x %zz ::: :AAAA: "$(as_header bootstrap | head -c 200)" "$pem%0A$pem%" \
        "$(printf 'a%.0s' {1..20000})"; do
        same 401 "$(on_socket -H "X-SSL-Client-Cert: $bad")"
        body=$(cat out) status_document 401
    done
    same 401 "$(on_socket -H "X-SSL-Client-Cert: $(as_header bootstrap)")"
    has "$(cat out)" 'unexpected client certificate signer'

    unix_api "trusted-header = Client-Cert" "trusted-uid = $(id -u)"
    same 200 "$(on_socket -H "Client-Cert: $der")"
    same 401 "$(on_socket -H "X-SSL-Client-Cert: $pem")"
    unix_api "trusted-header = X-Our-Own" "trusted-uid = $(id -u)"
    same 200 "$(on_socket -H "X-Our-Own: $pem")"
    same 401 "$(on_socket -H "X-Our-Own: $pem" -H "X-Our-Own: $pem")"

    # The chain is looked at here too.
    FC_STATE=$T/other fc-sign ca init >/dev/null
    FC_STATE=$T/other fc-sign admin -o foreign mallory >/dev/null
    same 401 "$(on_socket -H "X-Our-Own: $(as_header foreign)")"
}

@test "a header's certificate counts from a configured address, never over TLS" {
    local pem

    pem=$(as_header admin)
    by_tcp() {
        curl -sS -o out -w '%{http_code}' -H "X-SSL-Client-Cert: $pem" "$@" "$API_URL/api/v1/devices"
    }
    printf '%s\n' '[api]' 'trusted-header = X-SSL-Client-Cert' 'trusted-address = 127.0.0.2' \
        "trusted-uid = $(id -u)" >"$FC_CONF"
    plain_api
    same 401 "$(by_tcp)"
    same 200 "$(by_tcp --interface 127.0.0.2)"
    stop "$API_PID"
    printf '%s\n' '[api]' 'trusted-header = X-SSL-Client-Cert' \
        'trusted-address = 127.0.0.2 ,127.0.0.1' >"$FC_CONF"
    start_api
    same 401 "$(by_tcp --cacert "$FC_STATE/ca/ca.crt")"
    answers 401 bootstrap /api/v1/devices -H "X-SSL-Client-Cert: $pem"
    has "$(json .message)" 'got "flightctl.io/enrollment"'
}

@test "a configuration that would believe too much is refused" {
    printf '%s\n' '[api]' 'trusted-address = 127.0.0.1' >"$FC_CONF"
    expect 6 fc-api -l "unix:$T/sock"
    has "$stderr" '[api] trusted-header: must name the header'
    [ ! -e sock ]
    printf '%s\n' '[api]' 'trusted-header = A' 'trusted-uid = root' >"$FC_CONF"
    expect 6 fc-api -l "unix:$T/sock"
    printf '%s\n' '[api]' 'trusted-header = A' "trusted-uid = $(seq -s , 20)" >"$FC_CONF"
    expect 6 fc-api -l "unix:$T/sock"
}

# --- many at once -----------------------------------------------------------------------------

# in_all N TEXT: sends it on N connections to a server that stands still, then lets it go; their
# answers are in answer.1 to answer.N.
in_all() {
    local i n=$1 fds=()

    kill -STOP "$API_PID"
    for ((i = 0; i < n; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$API_PORT"
        fds+=("$fd")
        printf '%s' "${@:i % ($# - 1) + 2:1}" >&"$fd"
    done
    kill -CONT "$API_PID"
    for ((i = 0; i < n; i++)); do
        fd=${fds[i]}
        timeout 20 cat <&"$fd" >"answer.$((i + 1))"
        exec {fd}>&-
    done
}

@test "writes that come together share a commit, and one that fails undoes itself alone" {
    local i name doc head requests=()

    needs strace strace
    printf '%s\n' '[api]' 'trusted-header = X-SSL-Client-Cert' 'trusted-address = 127.0.0.1' \
        >"$FC_CONF"
    # What fails does so after its first write.
    case $FC_STORE in
    sqlite:*)
        store_sql "CREATE TRIGGER odd BEFORE INSERT ON event WHEN new.name LIKE 'odd%'
            BEGIN SELECT RAISE(ABORT, 'odd'); END"
        ;;
    *)
        store_sql "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''odd''; END'"
        store_sql "CREATE TRIGGER odd BEFORE INSERT ON event FOR EACH ROW
            WHEN (new.name LIKE 'odd%') EXECUTE FUNCTION refuse()"
        ;;
    esac
    plain_api
    openssl ecparam -name prime256v1 -genkey -noout -out any.key
    head=$(printf 'POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' $ER
        printf 'X-SSL-Client-Cert: %s\r\nContent-Length: ' "$(as_header bootstrap)")
    for i in {1..24}; do
        name=$([ $((i % 3)) = 2 ] && echo odd || echo even)-device-$i
        openssl req -new -key any.key -subj "/CN=$name" -out "$name.csr"
        doc=$(enrollment_of "$name")
        requests+=("$head${#doc}"$'\r\n\r\n'"$doc")
    done
    commits=$(store_sql "SELECT value FROM meta WHERE key = 'fc-commits'")
    background strace.err env strace -f -p "$API_PID" -e trace=fdatasync,fsync -o syncs
    wait_for grep -q attached strace.err
    in_all 24 "${requests[@]}"
    same ' 16 HTTP/1.1 201 Created 
 8 HTTP/1.1 500 Internal Server Error ' "$(head -qn 1 answer.* | sort | uniq -c | tr -s ' \r' ' ')"
    stop "$PID"
    case $FC_STORE in
    sqlite:*)
        grep -q sync syncs
        [ "$(grep -c sync syncs)" -lt 8 ] || { cat syncs; return 1; }
        ;;
    *)
        commits=$(($(store_sql "SELECT value FROM meta WHERE key = 'fc-commits'") - commits))
        [ "$commits" -gt 0 ] && [ "$commits" -lt 8 ] || { echo "$commits commits"; return 1; }
        ;;
    esac
    same 16 "$(fc-select enrollmentrequests -o name | wc -l)"
    hasnt "$(fc-select enrollmentrequests -o name)" odd
}

@test "a store that is busy is said as such" {
    start_api
    request_of $ONE
    answers 200 admin /api/v1/version
    store_hold 60
    # It waits for its turn; here its own sleeps are none.
    background strace.err env strace -f -p "$API_PID" -o /dev/null \
        -e trace=clock_nanosleep -e inject=clock_nanosleep:retval=0
    wait_for grep -q attached strace.err
    answers 503 bootstrap $ER --json "$(enrollment_of $ONE)" -D head
    grep -qi '^Retry-After: ' head
    says 'the store is busy'
    stop "$PID"
    store_release
    answers 201 bootstrap $ER --json "$(enrollment_of $ONE)"
}

@test "a store that is broken is not described to strangers" {
    start_api
    new_device $ONE
    store_sql 'ALTER TABLE device RENAME TO gone'
    answers 500 $ONE /api/v1/devices/$ONE/rendered
    says 'internal error'
    grep -q 'fc-api: ' api.log
}
