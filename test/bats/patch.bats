# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets output and stderr; each test has its own T
# fc-patch: JSON patches, merge patches, the status alone, and when a change is refused.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    fc-apply >/dev/null <<'END'
{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"shops"},"spec":{"selector":{"matchLabels":{"role":"shop"}},"template":{"spec":{"os":{"image":"quay.io/x/os:1"}}}}}
{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"d1","labels":{"role":"till","site":"berlin"}},"spec":{"os":{"image":"quay.io/x/os:1"}}}
{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"d2"},"spec":{}}
{"apiVersion":"flightctl.io/v1beta1","kind":"Repository","metadata":{"name":"r"},"spec":{"type":"git","url":"https://git.example/a","httpConfig":{"username":"u","password":"orange-secret"}}}
END
}
teardown() { fc_teardown; }

get() { fc-select "$1" -o json | jq -c "$2"; }
labels() { get "device/$1" .metadata.labels; }
versions() { get "$1" '[.metadata.generation, (.metadata.resourceVersion | tonumber)]'; }
revisions() { store_sql "SELECT count(*) FROM revision WHERE name = '$1'"; }

@test "a merge patch lays members over, and null takes them away" {
    expect 0 fc-patch device/d1 -p '{"metadata":{"labels":{"ring":"1","site":null}}}'
    same "device/d1 updated" "$output"
    same '{"ring":"1","role":"till"}' "$(labels d1)"
    same '[1,2]' "$(versions device/d1)"
    expect 0 fc-patch device/d1 -p '{"metadata":{"labels":{"ring":"1"}}}'
    same "device/d1 unchanged" "$output"
    same '[1,2]' "$(versions device/d1)"
    fc-patch device/d1 -p '{"spec":{"os":{"image":"quay.io/x/os:2"}}}' -m "newer"
    same '[2,3]' "$(versions device/d1)"
    same newer "$(store_sql "SELECT reason FROM revision WHERE name = 'd1' ORDER BY rev DESC LIMIT 1")"
    fc-patch device/d1 -p '{"metadata":{"labels":null},"spec":null}'
    same null "$(labels d1)"
    same '{}' "$(get device/d1 .spec)"
}

@test "a JSON patch, and several patches, are all or nothing" {
    fc-patch device/d1 -p '[{"op":"test","path":"/metadata/labels/role","value":"till"},
        {"op":"add","path":"/metadata/labels/a~1b","value":"x"},
        {"op":"move","from":"/metadata/labels/site","path":"/metadata/labels/town"}]'
    same '{"a/b":"x","role":"till","town":"berlin"}' "$(labels d1)"
    echo '[{"op":"remove","path":"/metadata/labels/town"}]' >one.json
    fc-patch device/d1 -f one.json -p '{"metadata":{"labels":{"a/b":null,"last":"y"}}}'
    same '{"last":"y","role":"till"}' "$(labels d1)"
    expect 6 fc-patch device/d1 -p '{"metadata":{"labels":{"more":"y"}}}' -f one.json
    same "fc-patch: device/d1: patch[0]: /metadata/labels/town: no such member" "$stderr"
    same '{"last":"y","role":"till"}' "$(labels d1)"
    fc-patch device/d1 -f - <one.json 2>err && return 1
    echo '{"metadata":{"labels":null}}' | fc-patch device/d1 -f - --type merge
    same null "$(labels d1)"
}

@test "several resources: none is patched unless the patch fits all" {
    expect 6 fc-patch device/d1 fleet/shops -p '{"spec":{"os":{"image":"quay.io/x/os:3"}}}'
    has "$stderr" "fc-patch: fleet/shops: spec.os: unknown field"
    same '[1,1]' "$(versions device/d1)"
    expect 3 fc-patch device d1 d9 -p '{"metadata":{"labels":{"a":"b"}}}'
    same 'fc-patch: Device of name "d9" not found' "$stderr"
    same '[1,1]' "$(versions device/d1)"
    expect 0 fc-patch device d1 d2 -p '{"metadata":{"labels":{"a":"b"}}}' -o name
    same "device/d1
device/d2" "$output"
    for n in $(seq 250); do
        jq -nc --arg n "m$n" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: $n}, spec: {}}'
    done | fc-apply >/dev/null
    # shellcheck disable=SC2046 # words
    fc-patch device $(seq -f 'm%.0f' 250) -p '{"metadata":{"labels":{"all":"yes"}}}' >out
    same 250 "$(grep -c updated out)"
    same 250 "$(fc-select devices -l all=yes -o name | grep -c .)"
}

@test "a dry run and --diff change nothing" {
    expect 0 fc-patch device/d1 -n -p '{"metadata":{"labels":{"ring":"1"}}}'
    same "device/d1 updated (dry run)" "$output"
    expect 1 fc-patch device/d1 --diff -p '{"metadata":{"labels":{"ring":"1"}}}'
    has "$output" "+    ring: \"1\""
    expect 0 fc-patch device/d1 --diff -p '{"metadata":{"labels":{"site":"berlin"}}}'
    same "" "$output"
    expect 1 fc-patch repository/r --diff -p '{"spec":{"httpConfig":{"username":"other"}}}'
    has "$output" "username: other"
    hasnt "$output" orange
    hasnt "$output" fc-seal
    expect 1 fc-patch repository/r --diff -p '{"spec":{"httpConfig":{"password":"plum-secret"}}}'
    has "$output" "+    password: '***** (new)'"
    hasnt "$output" plum
    expect 6 fc-patch device/d1 --diff -p '{"spec":1}'
    expect 3 fc-patch device/d9 --diff -p '{"spec":{}}'
    same '[1,1]' "$(versions device/d1)"
}

@test "what a patch may not change, and what makes no patch" {
    refused() { # PATCH MESSAGE [OPTION ...]
        local patch=$1 message=$2
        shift 2
        expect 6 fc-patch device/d1 -p "$patch" "$@" || return
        has "$stderr" "$message"
    }
    refused '{"metadata":{"name":"other"}}' "device/d1: metadata.name: cannot be changed"
    refused '{"kind":"Fleet"}' "kind: cannot be changed"
    refused '[{"op":"remove","path":"/apiVersion"}]' "apiVersion: cannot be changed"
    refused '{"metadata":1}' "metadata.name: cannot be changed"
    refused '{"metadata":{"labels":{"-x":"y"}}}' "metadata.labels.-x: must be a label key"
    refused '{"spec":{"osx":1}}' "spec.osx: unknown field"
    refused '{"a":1' "-p: 1:"
    refused '{"a":1,"a":2}' "duplicate key"
    refused '12' "-p: must be an object"
    refused '{}' "-p: must be an array" --type json
    refused '[]' "-p: must be an object" --type merge
    refused '[{"op":"replace","path":"/nowhere","value":1}]' "/nowhere: no such member"
    fc-patch device/d1 -p '{"metadata":{"generation":77,"owner":"Fleet/x","creationTimestamp":"2001-01-01T00:00:00Z"},"status":{"lifecycle":{"status":"x"}}}' >out
    same "device/d1 unchanged" "$(cat out)"
    expect 2 fc-patch tv/shops/v1 -p '{"metadata":{"labels":{"a":"b"}}}'
    expect 2 fc-patch device -p '{}'
    expect 2 fc-patch device/d1
}

@test "preconditions: a version or a test that does not hold is a conflict" {
    expect 4 fc-patch device/d1 -p '{"metadata":{"resourceVersion":"7","labels":{"a":"b"}}}'
    has "$stderr" "resourceVersion is 1, not 7"
    expect 4 fc-patch device/d1 -p '[{"op":"test","path":"/metadata/resourceVersion","value":"7"},
        {"op":"add","path":"/metadata/labels/a","value":"b"}]'
    has "$stderr" "/metadata/resourceVersion: test failed"
    fc-patch device/d1 -p '{"metadata":{"resourceVersion":"1","labels":{"a":"b"}}}'
    expect 4 fc-patch device/d1 -p '{"metadata":{"resourceVersion":"1","labels":{"a":"c"}}}'
    expect 4 fc-patch device/d1 --status -p '{"metadata":{"resourceVersion":"1"},"status":{"os":{"image":"x"}}}'
}

@test "patches at the same time: each counts, none is lost" {
    for n in 1 2 3 4; do
        for k in 1 2 3 4 5; do
            fc-patch device/d2 -p "{\"metadata\":{\"labels\":{\"w$n\":\"$k\",\"l$n-$k\":\"x\"}}}" \
                >/dev/null 2>>errors || echo $? >>failed
        done &
    done
    wait
    [ ! -e failed ] || { cat errors; return 1; }
    same 24 "$(labels d2 | jq length)"
    same '[1,21]' "$(versions device/d2)"
}

@test "secrets: untouched ones stay, and a patch can set one" {
    stored() { store_sql "SELECT spec FROM resource WHERE name = 'r'" | jq -r .httpConfig.password; }
    before=$(stored)
    fc-patch repository/r -p '{"spec":{"url":"https://git.example/b"}}'
    same "$before" "$(stored)"
    fc-patch repository/r -p '[{"op":"test","path":"/spec/httpConfig/password","value":"*****"}]'
    expect 4 fc-patch repository/r -p '[{"op":"test","path":"/spec/httpConfig/password","value":"orange-secret"}]'
    expect 6 fc-patch repository/r -p '[{"op":"move","from":"/spec/httpConfig/password","path":"/spec/httpConfig/token"}]'
    has "$stderr" "patch[0]: /spec/httpConfig/password: a secret cannot be moved or copied: it is not shown"
    expect 6 fc-patch repository/r -p '[{"op":"copy","from":"/spec/httpConfig/password","path":"/spec/httpConfig/username"}]'
    has "$stderr" "a secret cannot be moved or copied"
    expect 6 fc-patch repository/r -p '[{"op":"copy","from":"/spec/httpConfig","path":"/spec/sshConfig"}]'
    has "$stderr" "patch[0]: /spec/httpConfig: a secret cannot be moved or copied"
    for odd in '[1,null,[],"x",{}]' '[{"op":"copy","from":[]}]' '[{"op":1,"from":"/spec"}]'; do
        expect 6 fc-patch repository/r -p "$odd"
    done
    expect 6 fc-patch repository/r --type json -p '"a"'
    expect 6 fc-patch repository/r -p '{"spec":{"httpConfig":{"password":null,"token":"*****"}}}'
    has "$stderr" "spec.httpConfig.token: \"*****\" stands for a value"
    same "$before" "$(stored)"
    echo '{"spec":{"httpConfig":{"password":"peach-secret"}}}' >p.json
    fc-patch repository/r -f p.json
    [ "$before" != "$(stored)" ]
    has "$(stored)" fc-seal:1:
    expect 0 fc-patch repository/r -f p.json
    same "repository/r unchanged" "$output"
}

@test "the status alone: no generation, no revision" {
    expect 0 fc-patch device/d1 --status -p '{"status":{"os":{"image":"quay.io/x/os:1"}}}'
    same "device/d1 updated" "$output"
    same '"quay.io/x/os:1"' "$(get device/d1 .status.os.image)"
    same '[1,2]' "$(versions device/d1)"
    same 1 "$(revisions d1)"
    fc-patch repository/r --status -p '{"status":{"conditions":[{"type":"Accessible","status":"True","reason":"Ok","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}'
    same '"Ok"' "$(get repository/r '.status.conditions[0].reason')"
    same '[1,2]' "$(versions repository/r)"
    expect 6 fc-patch repository/r --status -p '{"spec":{"url":"https://git.example/b"}}'
    same "fc-patch: repository/r: only the status can be changed here" "$stderr"
    expect 6 fc-patch repository/r --status -p '{"status":{"conditions":1}}'
    has "$stderr" "status.conditions: must be a list"
    expect 2 fc-patch fleet/shops --status -p '{"status":{"conditions":[]}}'
    same "fc-patch: the status of a fleet is kept by the system" "$stderr"
}

@test "what an approval decides is not written as a status" {
    openssl ecparam -name prime256v1 -genkey -noout -out k.pem 2>/dev/null
    openssl req -new -key k.pem -subj /CN=x -out x.csr 2>/dev/null
    jq -nc --rawfile csr x.csr '{apiVersion: "flightctl.io/v1beta1", kind: "EnrollmentRequest",
        metadata: {name: "e1"}, spec: {csr: $csr}}' | fc-apply
    for status in '{"certificate":"x"}' '{"approval":{"approved":true}}' \
        '{"conditions":[{"type":"Approved","status":"True","reason":"x","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}'; do
        expect 6 fc-patch er/e1 --status -p "{\"status\":$status}" || return
    done
    has "$stderr" "come by approval alone"
    fc-patch er/e1 --status -p '{"status":{"conditions":[{"type":"TPMVerified","status":"False","reason":"x","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}'
}

@test "a decommissioned device, and the spec of what a sync owns, are not changed" {
    fc-patch device/d1 -p '{"spec":{"decommissioning":{"target":"Unenroll"}}}'
    expect 4 fc-patch device/d1 -p '{"metadata":{"labels":{"a":"b"}}}'
    has "$stderr" "is decommissioned and cannot be updated"
    store_sql "UPDATE resource SET owner = 'ResourceSync/s' WHERE name = 'shops'"
    expect 4 fc-patch fleet/shops -p '{"spec":{"template":{"spec":{"os":{"image":"quay.io/x/os:2"}}}}}'
    has "$stderr" "updating the resource is not allowed because it has an owner"
    fc-patch fleet/shops -p '{"metadata":{"labels":{"a":"b"}}}'
    fc-select fleet/shops -o json | fc-apply
}
