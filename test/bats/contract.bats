# SPDX-License-Identifier: Apache-2.0
# Our schemas beside the published contract.
# once: it reads schemas

load helpers

@test "schemas differ from the contract only where doc/contract.md says so" {
    needs_shared
    needs jq jq
    run -0 sh "$TOP/test/contract.sh"
    has "$output" "11 accepted differences"
}

@test "a difference that is not accepted is found, and one that is no more" {
    needs_shared
    mkdir "$BATS_TEST_TMPDIR/tree"
    cp -r "$TOP/test" "$TOP/share" "$TOP/doc" "$BATS_TEST_TMPDIR/tree"
    ln -s "$SHARED" "$BATS_TEST_TMPDIR/shared"
    sed -i 's/"maxLength": 253/"maxLength": 63/' "$BATS_TEST_TMPDIR/tree/share/schema/common.json"
    run -1 sh "$BATS_TEST_TMPDIR/tree/test/contract.sh"
    has "$output" "maxLength"
    cp "$TOP/share/schema/common.json" "$BATS_TEST_TMPDIR/tree/share/schema"
    sed -i '/+ Device.kind enum/a | `+ Device.never enum "Never"` | never |' "$BATS_TEST_TMPDIR/tree/doc/contract.md"
    run -1 sh "$BATS_TEST_TMPDIR/tree/test/contract.sh"
    has "$output" "Device.never"
}
