# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets output and stderr; each test has its own T
# What people write over the API: POST, PUT, PATCH, DELETE and the status of any kind.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    start_api
}
teardown() { fc_teardown; }

# send METHOD PATH BODY [TYPE]: sets CODE and BODY.
send() {
    api admin "/api/v1$2" -X "$1" -H "Content-Type: ${4:-application/json}" --data-binary "$3" >out
    CODE=$(tail -1 out)
    BODY=$(head -1 out)
}
# answers CODE MESSAGE: an error, as a Status
answers() {
    same "$1" "$CODE" && has "$(jq -r 'select(.kind == "Status") | .message' <<<"$BODY")" "$2"
}
repository() {
    jq -nc --arg p "$1" '{apiVersion: "v1beta1", kind: "Repository", metadata: {name: "r"},
        spec: {type: "git", url: "https://git.example/a", httpConfig: {username: "u", password: $p}}}'
}
JSON=application/json-patch+json
MERGE=application/merge-patch+json

@test "a repository: created once, replaced, patched, deleted; its secret never comes out" {
    send POST /repositories "$(repository orange-secret)"
    same 201 "$CODE"
    hasnt "$BODY" orange
    hasnt "$BODY" fc-seal
    send POST /repositories "$(repository orange-secret)"
    answers 409 'Repository of name "r" already exists'
    send PUT /repositories/r "$(repository '*****' | jq -c '.spec.httpConfig.username = "v"')"
    same 200 "$CODE"
    same 2 "$(jq .metadata.generation <<<"$BODY")"
    send PATCH /repositories/r '{"spec":{"url":"https://git.example/b"}}' $MERGE
    same 200 "$CODE"
    same '"*****"' "$(jq .spec.httpConfig.password <<<"$BODY")"
    send PATCH /repositories/r '[{"op":"test","path":"/metadata/resourceVersion","value":"1"}]' $JSON
    answers 409 "test failed"
    send PATCH /repositories/r '[{"op":"replace","path":"/metadata/name","value":"s"}]' $JSON
    answers 400 "API Error: metadata.name: cannot be changed"
    send PATCH /repositories/r '[{"op":"add","path":"/spec/x","value":"s"}]' $JSON
    answers 400 "API Error: spec.x: "
    send PATCH /repositories/r '{}' text/plain
    same 400 "$CODE"
    send PUT /repositories/other "$(repository x)"
    answers 400 "metadata.name: is not the name in the path"
    send DELETE /repositories/r ""
    same 200 "$CODE"
    same Success "$(jq -r .status <<<"$BODY")"
    send DELETE /repositories/r ""
    answers 404 'Repository of name "r" not found'
    send PATCH /repositories/r '{}' $MERGE
    answers 404 'Repository of name "r" not found'
}

@test "a device: what is omitted stays, another version is a conflict, the status comes alone" {
    device='{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d","labels":{"a":"b"},"generation":9,"owner":"Fleet/x"},"spec":{"os":{"image":"quay.io/x/os:1"}}}'
    send PUT /devices/d "$device"
    same 201 "$CODE"
    same '{"a":"b"}-1-null' "$(jq -jc '.metadata.labels, "-", .metadata.generation, "-", .metadata.owner' <<<"$BODY")"
    send PUT /devices/d '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d"}}'
    same 200 "$CODE"
    same '{"a":"b"}"quay.io/x/os:1"' "$(jq -jc '.metadata.labels, (.spec.os.image | tojson)' <<<"$BODY")"
    send PUT /devices/d "$(jq -c '.metadata.resourceVersion = "77"' <<<"$device")"
    answers 409 "resourceVersion is 1, not 77"
    send PATCH /devices/d/status '[{"op":"replace","path":"/status/os/image","value":"x"}]' $JSON
    same 200 "$CODE"
    same '"x"-1-"2"' "$(jq -jc '(.status.os.image | tojson), "-", .metadata.generation, "-", (.metadata.resourceVersion | tojson)' <<<"$BODY")"
    send PUT /devices/d/status "$(jq -c '.status.os.image = "y" | .metadata.resourceVersion = "1"' <<<"$BODY")"
    answers 409 "resourceVersion is 2, not 1"
    send PATCH /devices/d '{"spec":{"decommissioning":{"target":"Unenroll"}}}' $MERGE
    same 200 "$CODE"
    send PATCH /devices/d '{"metadata":{"labels":null}}' $MERGE
    answers 409 "is decommissioned and cannot be updated"
    send PATCH /fleets/f/status '{}' $MERGE
    answers 501 "the status of this kind is kept by the server"
}
