# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets stderr; jq programs have $
# Published manifests and our examples are applied and come back as they were.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# What a document says of itself: without what the system manages, without what is masked, and
# without members that say nothing.
own() {
    jq -cS 'del(.status, .metadata.generation, .metadata.resourceVersion, .metadata.creationTimestamp,
            .metadata.owner) |
        .metadata.annotations |= (. // {} | with_entries(select(.key |
            test("^(device|fleet|organization)-controller/") | not))) |
        .spec |= walk(if type == "object" then with_entries(select(.key |
            IN("password", "token", "clientSecret", "sshPrivateKey") | not)) else . end) |
        del(.. | select(. == null or . == {}))'
}

# round FILE: each of its documents is the same in the store, by -o json and by -o yaml. What the
# file says is found out by another reader of YAML than ours.
round() {
    local file=$1 name

    expect 0 fc-apply -f "$file"
    same "" "$stderr"
    python3 -c 'import json, sys, yaml
for d in yaml.safe_load_all(open(sys.argv[1])):
    print(json.dumps(d))' "$file" >said.json
    same "$(wc -l <said.json)" "${#lines[@]}"
    while read -r doc; do
        name=$(jq -r '(.kind | ascii_downcase) + "/" + .metadata.name' <<<"$doc")
        own <<<"$doc" >said
        fc-select "$name" -o json | own | diff -u said -
        fc-select "$name" -o yaml | python3 -c 'import json, sys, yaml
print(json.dumps(yaml.safe_load(sys.stdin), default=str))' |
            own | diff -u said -
        # What came out goes in again, and changes nothing.
        fc-select "$name" -o yaml >out.yaml
        expect 0 fc-apply -f out.yaml
        has "$output" "$name unchanged"
    done <said.json
}

@test "published manifests come back as they were" {
    needs_shared
    needs python3 python3
    n=0
    for file in "$SHARED"/samples/*.yaml; do
        echo "$file"
        round "$file"
        n=$((n + 1))
    done
    [ "$n" -ge 9 ]
}

@test "so do the examples" {
    needs python3 python3
    for file in "$TOP"/examples/*.yaml; do
        echo "$file"
        round "$file"
    done
}

@test "secrets of every kind are masked on the way out, and kept when the mask comes in" {
    fc-apply "$TOP/examples/repositories.yaml"
    jq -nc '{apiVersion: "v1beta1", kind: "AuthProvider", metadata: {name: "p"}, spec: {
        providerType: "oidc", issuer: "https://id.example", clientId: "fc",
        clientSecret: "open-sesame", organizationAssignment: {type: "perUser"},
        roleAssignment: {type: "static", roles: ["admin"]}}}' | fc-apply
    for out in json yaml; do
        expect 0 fc-select authprovider/p -o $out
        hasnt "$output" sesame
        has "$output" '*****'
        expect 0 fc-select repositories -o $out
        hasnt "$output" change-me
    done
    fc-select authprovider/p -o json | jq -c '.spec.clientId = "other"' | fc-apply
    same '["other","*****"]' \
        "$(fc-select authprovider/p -o json | jq -c '[.spec.clientId, .spec.clientSecret]')"
    hasnt "$(fc-select events -o json)" sesame
}
