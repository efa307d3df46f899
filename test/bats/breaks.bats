# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr
# Documents that are made from the schemas, each broken in one place: fc-apply names the place.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

@test "each required, typed, bounded and enumerated field of every kind, broken once, is named" {
    csr=$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout /dev/null \
        -subj /CN=x 2>/dev/null)
    for file in "$TOP"/share/schema/*.json; do
        jq --arg name "$(basename "$file" .json)" '{($name): .}' "$file"
    done | jq -s add >schemas.json
    for kind in AuthProvider CertificateSigningRequest Device EnrollmentRequest Fleet Organization \
        Repository ResourceSync; do
        jq -nc --argjson schemas "$(cat schemas.json)" --arg kind "$kind" --arg csr "$csr" \
            --argjson picks 5 -f "$TOP/test/bats/breaks.jq"
    done >breaks.json
    jq -c .doc breaks.json >docs.json
    expect 6 fc-apply -n -f docs.json
    same "" "$output"
    # A member that tells the forms of an object apart is missed by the object: "must have one of".
    jq -r '[.what, .path] | @tsv' breaks.json >wanted
    awk -F '\t' -v said=/dev/stdin '
        BEGIN {
            while ((getline line <said) > 0) {
                sub(/^fc-apply: docs.json:/, "", line)
                n = line; sub(/:.*/, "", n)
                sub(/^[0-9]+: /, "", line)
                all[n] = all[n] "\n" line
            }
        }
        {
            parent = $2; sub(/\.[^.]*$/, "", parent)
            if (!index(all[FNR], "\n" $2 ": ") && !index(all[FNR], "\n" parent ": must have ")) {
                print $1 " " $2 " of document " FNR ": not in" all[FNR]; bad = 1
            }
            count[$1]++
        }
        END {
            for (what in count) print count[what], what
            exit bad || count["required"] < 500 || count["type"] < 1000 || count["enum"] < 100 ||
                count["length"] < 30 || count["items"] < 10
        }' wanted <<<"$stderr"
}
