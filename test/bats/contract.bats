# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets stderr; tables have `
# Our schemas beside the published contract.
# once: it reads schemas

load helpers

@test "schemas differ from the contract only where doc/contract.md says so" {
    needs_shared
    needs jq jq
    run -0 sh "$TOP/test/contract.sh"
    has "$output" "12 accepted differences"
}

# broken SED FILE: what contract.sh says when FILE is edited like this; fails if nothing.
broken() {
    local tree=$BATS_TEST_TMPDIR/tree

    cp -r "$TOP/share" "$TOP/doc" "$tree"
    sed -i "$1" "$tree/$2"
    ! cmp -s "$TOP/$2" "$tree/$2" || { echo "$1 changes nothing in $2"; return 1; }
    run "-${WANTED:-1}" --separate-stderr sh "$tree/test/contract.sh"
}

@test "a difference that is not accepted is found, and one that is no more" {
    needs_shared
    mkdir "$BATS_TEST_TMPDIR/tree"
    cp -r "$TOP/test" "$BATS_TEST_TMPDIR/tree"
    ln -s "$SHARED" "$BATS_TEST_TMPDIR/shared"
    # A bound, what is required, an open object, a format, a value, a pattern, a member, a type.
    broken 's/"maxLength": 253/"maxLength": 63/' share/schema/common.json
    has "$output" "- Fleet.metadata.name maxLength 253"
    broken 's/"required": \["fleet"\]/"required": []/' share/schema/TemplateVersion.json
    same "- TemplateVersion.spec required fleet" "$output"
    broken 's/"additionalProperties": false/"additionalProperties": true/' share/schema/Device.json
    has "$output" "- Device closed"
    broken 's/"format": "int32"/"format": "int64"/' share/schema/CertificateSigningRequest.json
    has "$output" "- CertificateSigningRequest.spec.expirationSeconds format int32"
    broken 's/"enum": \["Retain"\]/"enum": ["Retain", "Drop"]/' share/schema/DeviceSpec.json
    has "$output" '+ Device.spec.applications[]<quadlet>.volumes[].reclaimPolicy enum "Drop"'
    broken 's/\[smh\]/[smhd]/' share/schema/common.json
    has "$output" "+ Fleet.spec.rolloutPolicy.defaultUpdateTimeout pattern"
    broken 's/"externalId"/"externId"/' share/schema/Organization.json
    has "$output" "- Organization.spec.externalId type string"
    broken 's/"enabled": {"type": "boolean"/"enabled": {"type": "string"/' \
        share/schema/AuthProvider.json
    has "$output" "+ AuthProvider.spec<oidc>.enabled type string"
    # A kind of ours alone, and one of the contract alone.
    broken 's/"kind": {"type": "string", "enum": \["Event"\]}/"sort": {"type": "string"}/' \
        share/schema/Event.json
    has "$output" "- Event kind"
    # A keyword that nobody compares.
    WANTED=5 broken 's/"minimum"/"exclusiveMin"/' share/schema/Fleet.json
    has "$stderr" "the keyword exclusiveMin is not compared"
    # What is accepted, but no difference.
    broken '/+ Device.kind enum/a | `+ Device.never enum "Never"` | never |' doc/contract.md
    same '+ Device.never enum "Never"' "$output"
    has "$stderr" "they are no differences"
    broken 's/deviceDefaults \*/deviceNoDefaults */' doc/contract.md
    has "$output" "+ Organization.spec.deviceNoDefaults *"
}
