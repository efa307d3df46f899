# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-enroll: requests, decisions, certificates.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    fc-sign ca init >/dev/null
}
teardown() { fc_teardown; }

dump() { store_dump; }

# request [ALIAS [NAME]]: a device's request; sets R to its name. NAME: what the CSR says instead.
request() {
    openssl ecparam -name prime256v1 -genkey -noout -out key
    R=$(name_of key)
    openssl req -new -key key -subj "/CN=${2:-$R}" -out csr
    jq -nc --arg n "$R" --arg a "${1:-}" --rawfile csr csr '{apiVersion: "flightctl.io/v1beta1",
        kind: "EnrollmentRequest", metadata: {name: $n}, spec: {csr: $csr, labels: {alias: $a,
        site: "asked"}, deviceStatus: {}}} | del(.spec.deviceStatus)' >er.json
    fc-apply er.json >/dev/null
}

# The device name of a key, computed without the code under test.
name_of() {
    local hex x y
    hex=$(openssl pkey -in "$1" -pubout -outform DER | tail -c 64 | od -An -v -tx1 | tr -d ' \n')
    x=$(printf %s "${hex:0:64}" | sed -E 's/^(00)+//')
    y=$(printf %s "${hex:64}" | sed -E 's/^(00)+//')
    printf %s "$x$y" | sed 's/../\\x&/g' | xargs -0 printf %b | openssl dgst -sha256 -binary |
        base32 -w0 | tr 'A-Z2-7' '0-9A-V' | tr 'A-V' 'a-v' | tr -d =
}

state() { fc-enroll list -o table | awk -v n="$1" '$1 == n {print $NF}'; }

@test "list and show" {
    expect 0 fc-enroll list
    same "" "$output$stderr"
    request kiosk
    expect 0 fc-enroll list
    same "$R" "$(jq -r .metadata.name <<<"$output")"
    expect 0 fc-enroll list -o table
    same "NAME ALIAS AGE STATE" "$(echo ${lines[0]})"
    same "$R kiosk Pending" "$(awk 'NR == 2 {print $1, $2, $4}' <<<"$output")"
    expect 0 fc-enroll list --pending -o name
    same "enrollmentrequest/$R" "$output"
    expect 0 fc-enroll show "$R" -q .spec.labels.alias
    same '"kiosk"' "$output"
    expect 0 fc-enroll show "${R:0:6}" "enrollmentrequest/$R" -o name
    same 2 "${#lines[@]}"
}

@test "approve signs at once: certificate, condition and device come together" {
    request kiosk
    expect 0 fc-enroll approve "${R:0:8}" -l site=berlin -l example.com/floor=1
    same "enrollmentrequest/$R approved" "$output"
    same "" "$stderr"
    same Approved "$(state "$R")"
    same "" "$(fc-enroll list --pending)"
    fc-select "er/$R" -q .status.certificate -o name >cert.pem
    openssl verify -CAfile "$FC_STATE/ca/ca.crt" cert.pem
    openssl x509 -in cert.pem -noout -subject | grep -q "device:$R"
    same '{"alias":"kiosk","example.com/floor":"1","site":"berlin"}' \
        "$(fc-select "device/$R" -q .metadata.labels)"
    same '["Approved","True"]' \
        "$(fc-select "er/$R" -q '.status.conditions[] | [.type, .status]')"
}

@test "the labels that were asked for can be dropped" {
    request kiosk
    fc-enroll approve "$R" --replace-labels -l a=b,c= -l x.io/d=e
    same '{"a":"b","c":"","x.io/d":"e"}' "$(fc-select "device/$R" -q .metadata.labels)"
}

@test "a dry run changes nothing" {
    request
    before=$(dump)
    expect 0 fc-enroll approve -n "$R"
    same "enrollmentrequest/$R approved (dry run)" "$output"
    expect 0 fc-enroll deny -n "$R"
    same "$before" "$(dump)"
}

@test "an approval that is recorded is signed by fc-work, where the authority is" {
    request
    mv "$FC_STATE/ca" ca
    before=$(dump)
    expect 3 fc-enroll approve "$R"
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "--record"
    same "$before" "$(dump)"
    expect 0 fc-enroll approve --record "$R"
    same "enrollmentrequest/$R approved: to be signed by fc-work" "$output"
    same Signing "$(state "$R")"
    expect 3 fc-select "device/$R"
    expect 0 fc-work drain
    same Signing "$(state "$R")"
    same '[]' "$(fc-select "er/$R" -q .status.conditions)"
    mv ca "$FC_STATE/ca"
    expect 0 fc-work drain
    same Approved "$(state "$R")"
    expect 0 fc-select "device/$R"
}

@test "a key that others can read does not sign" {
    request
    chmod 644 "$FC_STATE/ca/ca.key"
    before=$(dump)
    expect 5 fc-enroll approve "$R"
    same 1 "${#stderr_lines[@]}"
    same "$before" "$(dump)"
}

@test "deny, with a reason" {
    request
    expect 0 fc-enroll deny "$R" -m 'not ours'
    same "enrollmentrequest/$R denied" "$output"
    same Denied "$(state "$R")"
    same '"not ours"' "$(fc-select "er/$R" -q '.status.conditions[0].message')"
    expect 3 fc-select "device/$R"
}

@test "a decision is made once" {
    request
    fc-enroll approve "$R"
    before=$(dump)
    expect 6 fc-enroll approve "$R"
    same "fc-enroll: $R: Enrollment request is already approved" "$stderr"
    expect 6 fc-enroll deny "$R"
    same "$before" "$(dump)"
    request
    fc-enroll deny "$R"
    expect 6 fc-enroll approve "$R"
    expect 4 fc-delete -y "er/$(fc-select devices -q .metadata.name -o name)"
}

@test "all that are pending, and several at once or none" {
    request; one=$R
    request; two=$R
    request; three=$R
    fc-enroll deny "$three"
    before=$(dump)
    expect 6 fc-enroll approve "$one" "$three" "$two"
    has "$stderr" "$three"
    same "" "$output"
    same "$before" "$(dump)"
    expect 0 fc-enroll approve -a -o name
    same "$(printf '%s\n' "enrollmentrequest/$one" "enrollmentrequest/$two" | sort)" "$output"
    expect 0 fc-enroll approve -a
    same "" "$output"
}

@test "beginnings of names: six characters, and only one request" {
    request
    expect 3 fc-enroll show "${R:0:5}"
    expect 0 fc-enroll show "${R:0:6}"
    jq -c --arg n "${R:0:20}zzz" '.metadata.name = $n' er.json | fc-apply >/dev/null
    expect 6 fc-enroll approve "${R:0:6}"
    has "$stderr" "fc-enroll: \"${R:0:6}\" begins the names of several: "
    has "$stderr" "$R"
    # A whole name is itself, even if others begin with it.
    jq -c --arg n "${R:0:20}" '.metadata.name = $n' er.json | fc-apply >/dev/null
    expect 0 fc-enroll show "${R:0:20}" -q .metadata.name -o name
    same "${R:0:20}" "$output"
    expect 3 fc-enroll approve nobody-knows-it
    has "$stderr" 'EnrollmentRequest of name "nobody-knows-it" not found'
}

@test "a request whose certificate request is for somebody else is not signed" {
    request kiosk somebody-else
    before=$(dump)
    expect 6 fc-enroll approve "$R"
    same 1 "${#stderr_lines[@]}"
    same "$before" "$(dump)"
}

@test "labels with mistakes" {
    request
    before=$(dump)
    for l in 'a b=c' '=x' '-a=b' 'a=b c' a=b,-c=d "a=$(printf 'x%.0s' {1..64})"; do
        expect 6 fc-enroll approve "$R" -l "$l"
        same 1 "${#stderr_lines[@]}"
    done
    expect 2 fc-enroll approve "$R" -l a
    expect 2 fc-enroll approve "$R" -l a=b,
    same "$before" "$(dump)"
}

@test "wrong command lines are usage errors" {
    for args in "" "nonsense" "list x" "show" "approve" "deny" "approve -a x" "deny -a" \
        "show device/x"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-enroll $args
        has "$stderr" "fc-enroll: "
    done
}
