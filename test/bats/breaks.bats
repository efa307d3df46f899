# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr
# Documents that are made from the schemas, each broken in one place: fc-apply names the place.

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# schemas: all of them in schemas.json, statuses and bodies that are no resources among them.
schemas() {
    for file in "$TOP"/share/schema/*.json; do
        jq --arg name "$(basename "$file" .json)" '{($name): .}' "$file"
    done | jq -s 'add | . + .Api.definitions + {
        "EnrollmentRequest/status": .EnrollmentRequest.properties.status,
        "CertificateSigningRequest/approval": .CertificateSigningRequest.properties.status}' \
        >schemas.json
    CSR=$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout /dev/null \
        -subj /CN=x 2>/dev/null)
}
# breaks KIND: documents of it, each broken once.
breaks() {
    jq -nc --argjson schemas "$(cat schemas.json)" --arg kind "$1" --arg csr "$CSR" \
        --argjson picks 5 -f "$TOP/test/bats/breaks.jq"
}

@test "each required, typed, bounded and enumerated field of every kind, broken once, is named" {
    schemas
    for kind in AuthProvider CertificateSigningRequest Device EnrollmentRequest Fleet Organization \
        Repository ResourceSync; do
        breaks $kind
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

# What the API takes: SCHEMA METHOD PATH, and what is made of a document of that schema.
bodies() {
    local kind method path filter

    while read -r kind method path filter; do
        breaks "$kind" | jq -c --arg method "$method" --arg path "$path" "
            def status(\$kind; \$spec): .path |= \"status.\(.)\" | .doc |= {apiVersion: \"v1beta1\",
                kind: \$kind, metadata: {name: \"x\"}, spec: \$spec, status: del(.metadata)};
            # To the contract a helm application has an image in any case.
            select([.doc | .. | objects | select(.appType? == \"helm\" and .catalogItemRef)] == []) |
            # What it does not break need not be there: not all that is made up goes together.
            if .path | contains(\"applications\") then . else
                delpaths([.doc | paths | select(.[-2:] == [\"spec\", \"applications\"]) | [\"doc\"] + .]) end |
            $filter | . + {method: \$method, url: \$path}"
    done <<'END'
AuthProvider POST authproviders .
CertificateSigningRequest POST certificatesigningrequests .
Device POST devices .
EnrollmentRequest POST enrollmentrequests .
Fleet POST fleets .
Repository POST repositories .
ResourceSync POST resourcesyncs .
Device PUT devices/x .
DeviceStatus PUT devices/x/status status("Device"; {})
EnrollmentRequest/status PUT enrollmentrequests/x/status status("EnrollmentRequest"; {csr: $ENV.CSR})
CertificateSigningRequest/approval PUT certificatesigningrequests/x/approval status("CertificateSigningRequest"; {request: ($ENV.CSR | @base64), signerName: "flightctl.io/enrollment", usages: ["clientAuth", "CA:false"]})
EnrollmentRequestApproval PUT enrollmentrequests/x/approval .doc |= del(.metadata)
DeviceDecommission PUT devices/x/decommission .doc |= del(.metadata)
DeviceResumeRequest POST deviceactions/resume .doc |= del(.metadata)
END
}

@test "each of them, over one connection to the API, is answered with 400 and the field's path" {
    make_ca
    start_api
    schemas
    export CSR
    bodies >breaks.json
    jq -r --arg url "$API_URL/api/v1" --arg ca "$FC_STATE/ca/ca.crt" '
        (if input_line_number > 1 then "next" else empty end), "request = \(.method)",
        "url = \($url)/\(.url)", "cacert = \($ca)", "cert = admin.crt", "key = admin.key",
        "silent", "write-out = \"\\n%{http_code} %{num_connects}\\n\"",
        "json = \(.doc | tojson | tojson)"' breaks.json >requests
    curl -K requests >answers
    jq -r '[.what, .path, .url] | @tsv' breaks.json |
        paste - <(paste -d '\t' - - <answers) >both
    same 1 "$(awk -F '\t' '{ split($5, n, " "); all += n[2] } END { print all }' both)"
    jq -Rr 'split("\t") | .[3] as $said | ($said | fromjson | .message) as $message | .[1] as $path |
        ($path | sub("[.][^.]*$"; "")) as $parent |
        select((.[4] | startswith("400 ") | not) or
            ($message | startswith("API Error: \($path): ") or
                startswith("API Error: \($parent): must have ") or
                ($path | contains(".") | not) and startswith("API Error: must have ") | not)) |
        "\(.[0]) \(.[1]) \(.[2]): \(.[4]) \($message)"' both >wrong
    cut -c1-300 wrong | head -20
    [ ! -s wrong ]
    [ "$(wc -l <both)" -gt 2500 ]
}
