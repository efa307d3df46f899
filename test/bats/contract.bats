# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets stderr; tables have `
# Our schemas beside the published contract.
# once: it reads schemas

load helpers

@test "schemas differ from the contract only where doc/contract.md says so" {
    needs_shared
    needs jq jq
    run -0 sh "$TOP/test/contract.sh"
    has "$output" "15 accepted differences"
}

# breaks SED FILE: edits FILE like this, in a copy of the tree; fails if that changes nothing.
breaks() {
    sed -i "$1" "tree/$2"
    ! cmp -s "$TOP/$2" "tree/$2" || { echo "$1 changes nothing in $2"; return 1; }
}
# compares STATUS: what contract.sh says of the copy, which is whole again then.
compares() {
    run "-$1" --separate-stderr sh tree/test/contract.sh
    cp -r "$TOP/share" "$TOP/doc" tree
}

@test "a difference that is not accepted is found, and one that is no more" {
    needs_shared
    cd "$BATS_TEST_TMPDIR"
    mkdir -p tree/test
    cp "$TOP/test/contract.sh" tree/test
    cp -r "$TOP/share" "$TOP/doc" tree
    ln -s "$SHARED" shared
    # A bound, what is required, an open object, a format, a value, a pattern, a member, a type.
    breaks 's/"maxLength": 253/"maxLength": 63/' share/schema/common.json
    breaks 's/"additionalProperties": false/"additionalProperties": true/' share/schema/Device.json
    breaks 's/"format": "int32"/"format": "int64"/' share/schema/CertificateSigningRequest.json
    breaks 's/"enum": \["Retain"\]/"enum": ["Retain", "Drop"]/' share/schema/DeviceSpec.json
    breaks 's/\[smh\]/[smhd]/' share/schema/common.json
    breaks 's/"externalId"/"externId"/' share/schema/Organization.json
    breaks 's/"enabled": {"type": "boolean"/"enabled": {"type": "string"/' share/schema/AuthProvider.json
    # A kind of ours alone, and one of the contract alone.
    breaks 's/"kind": {"type": "string", "enum": \["Event"\]}/"sort": {"type": "string"}/' \
        share/schema/Event.json
    compares 1
    has "$output" "- Fleet.metadata.name maxLength 253"
    has "$output" "- Device closed"
    has "$output" "- CertificateSigningRequest.spec.expirationSeconds format int32"
    has "$output" '+ Device.spec.applications[]<quadlet>.volumes[].reclaimPolicy enum "Drop"'
    has "$output" "+ Fleet.spec.rolloutPolicy.defaultUpdateTimeout pattern"
    has "$output" "- Organization.spec.externalId type string"
    has "$output" "+ AuthProvider.spec<oidc>.enabled type string"
    has "$output" "- Event kind"
    # One alone is all that is said.
    breaks 's/"required": \["fleet"\]/"required": []/' share/schema/TemplateVersion.json
    compares 1
    same "- TemplateVersion.spec required fleet" "$output"
    # A keyword that nobody compares.
    breaks 's/"minimum"/"exclusiveMin"/' share/schema/Fleet.json
    compares 5
    has "$stderr" "the keyword exclusiveMin is not compared"
    # What is accepted, but no difference.
    breaks '/+ Device.kind enum/a | `+ Device.never enum "Never"` | never |' doc/contract.md
    compares 1
    same '+ Device.never enum "Never"' "$output"
    has "$stderr" "they are no differences"
    breaks 's/deviceDefaults \*/deviceNoDefaults */' doc/contract.md
    compares 1
    has "$output" "+ Organization.spec.deviceNoDefaults *"
}

# other JQ FILTER: what openapi.sh says when our document is another one; fails if nothing.
other() {
    printf '%s\n' '#!/bin/sh' "exec jq -c '$1' '$BATS_TEST_TMPDIR/ours.json'" >"$BATS_TEST_TMPDIR/api"
    chmod +x "$BATS_TEST_TMPDIR/api"
    FC_API=$BATS_TEST_TMPDIR/api run -1 --separate-stderr sh "$TOP/test/openapi.sh"
}

@test "operations differ from the contract only where doc/contract.md says so" {
    needs_shared
    FC_API=$BUILD/bin/fc-api run -0 sh "$TOP/test/openapi.sh"
    has "$output" "35 accepted differences"
    "$BUILD/bin/fc-api" --openapi >"$BATS_TEST_TMPDIR/ours.json"
    # Each reference leads somewhere.
    jq -e '(.components.schemas | keys) as $known | [.. | objects | ."$ref" // empty | strings |
        sub(".*/"; "")] | unique - $known == []' "$BATS_TEST_TMPDIR/ours.json"
    # A path, a method, an operation, a parameter and its bound, a body, a status.
    other 'del(.paths["/api/v1/labels"])'
    has "$output" '- GET /api/v1/labels is listLabels'
    other '.paths["/api/v1/labels"].put = .paths["/api/v1/labels"].get'
    has "$output" '+ PUT /api/v1/labels is listLabels'
    other '.paths["/api/v1/labels"].get.operationId = "labels"'
    has "$output" '+ GET /api/v1/labels is labels'
    other '(.paths[][].parameters[]? | select(.name == "limit").schema.maximum) = 500'
    has "$output" '- GET /api/v1/devices query limit ["integer","int32",0,1000]'
    other '.paths["/api/v1/devices"].post.requestBody.content["application/json"].schema = {type: "string"}'
    has "$output" '- POST /api/v1/devices takes application/json Device'
    other 'del(.paths["/api/v1/devices"].post.responses["201"])'
    has "$output" '- POST /api/v1/devices answers 201 application/json Device'
    # What is accepted, but no difference.
    other 'del(.paths["/healthz"])'
    same '+ GET /healthz *' "$output"
    has "$stderr" "they are no differences"
}
