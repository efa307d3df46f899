# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # T comes from helpers
# databases: both
# Tokens that fc-sign issues.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# part N TOKEN: its Nth part, decoded.
part() {
    local s

    s=$(cut -d. -f"$1" <<<"$2" | tr -- '-_' '+/')
    while [ $((${#s} % 4)) != 0 ]; do s=$s=; done
    base64 -d <<<"$s"
}

# genuine TOKEN KEY: does openssl find the signature of that private key under it?
genuine() {
    local hex

    hex=$(part 3 "$1" | od -An -v -tx1 | tr -d ' \n')
    [ ${#hex} = 128 ] || return 1
    printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "${hex:0:64}" "${hex:64}" >sig.conf
    openssl asn1parse -genconf sig.conf -noout -out sig.der
    openssl pkey -in "$2" -pubout -out pub.pem
    printf %s "${1%.*}" | openssl dgst -sha256 -verify pub.pem -signature sig.der
}

@test "a token is signed, says what was asked for, and is kept nowhere" {
    local token before after

    before=$(date +%s)
    token=$(fc-sign token issue -r viewer -r operator -g night --for 8h alice 2>err)
    after=$(date +%s)
    [ "$(stat -c %a "$FC_STATE/ca/token.key")" = 600 ]
    genuine "$token" "$FC_STATE/ca/token.key"
    same '{"alg":"ES256","typ":"JWT"}' "$(part 1 "$token" | jq -c 'del(.kid)')"
    same '{"aud":"fc-api","groups":["night"],"iss":"urn:flightctl:fc-sign","organization":"00000000-0000-0000-0000-000000000000","roles":["viewer","operator"],"sub":"alice"}' \
        "$(part 2 "$token" | jq -Sc 'del(.jti, .iat, .nbf, .exp)')"
    part 2 "$token" | jq -e --argjson a "$before" --argjson b "$after" \
        '.iat >= $a and .iat <= $b and .nbf == .iat and (.exp - .iat | . == 28800)'
    jti=$(part 2 "$token" | jq -r .jti)
    has "$(cat err)" "$jti for alice, valid until"
    same '{"groups":["night"],"issuedBy":"user:root","roles":["viewer","operator"],"state":"Valid","subject":"alice"}' \
        "$(fc-sign token list -o json | jq -Sc 'del(.jti, .issuedAt, .expiresAt)')"
    same "$jti" "$(fc-sign token list -o name)"
    # The signature would be all that is missing.
    fc-sign token list -o json >shown
    fc-sign token list -o wide >>shown
    fc-store export >>shown
    hasnt "$(cat shown)" "$(cut -d. -f3 <<<"$token")"
    # The same key signs the next one, and another one after it was replaced.
    same "$(part 1 "$token")" "$(part 1 "$(fc-sign token issue bob 2>/dev/null)")"
    rm "$FC_STATE/ca/token.key"
    [ "$(part 1 "$token")" != "$(part 1 "$(fc-sign token issue bob 2>/dev/null)")" ]
    [ "$(part 1 "$token" | jq -r .kid | wc -c)" = 44 ]
}

@test "what is revoked says so, by whom, and the log has it" {
    local a b

    fc-store init -S "sqlite:$T/other.db" >/dev/null
    expect 3 fc-sign token revoke -S "sqlite:$T/other.db" 6e7e5c1e-0000-4000-8000-000000000000
    fc-sign token issue alice >/dev/null
    a=$(fc-sign token list -o name)
    fc-sign token issue bob >/dev/null
    b=$(fc-sign token list -o json -q 'select(.subject == "bob").jti' | jq -r .)
    expect 3 fc-sign token revoke nobody "$a"
    has "$output" "revoked $a"
    has "$stderr" "there is no token nobody"
    expect 4 fc-sign token revoke "$a"
    has "$stderr" "was revoked before, by user:root"
    same '["alice","Revoked","user:root"]
["bob","Valid",null]' "$(fc-sign token list -o json -q '[.subject, .state, .revokedBy]')"
    same "The token $a of alice was issued.
The token $a of alice was revoked." "$(fc-select events -o json | jq -r .message | sort | grep "$a")"
    same "The token $b of bob was issued." "$(fc-select events -o json | jq -r .message | grep "$b")"
    fc-select events -o json | jq -se 'all(.actor == "user:root" and .source.component == "fc-sign" and
        .involvedObject.kind == "Organization")'
    expect 0 fc-store check
}

@test "a token belongs to its organization" {
    local uid token

    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Organization","metadata":{"name":"acme"},"spec":{}}' |
        fc-apply - >/dev/null
    token=$(fc-sign token issue --org acme carol 2>/dev/null)
    uid=$(fc-select organization/acme -o json | jq -r '.metadata.annotations["organization-controller/uid"]')
    same "$uid" "$(part 2 "$token" | jq -r .organization)"
    same '' "$(fc-sign token list -o name)"
    expect 3 fc-sign token revoke "$(fc-sign token list --org acme -o name)"
    fc-sign token revoke --org acme "$(fc-sign token list --org acme -o name)"
    fc-sign token issue --org acme carol >/dev/null
    fc-delete -y organization/acme >/dev/null
    expect 0 fc-store check
    same 0 "$(store_sql 'SELECT count(*) FROM token')"
}

@test "lifetimes have bounds, and tokens that ended are forgotten after a while" {
    expect 5 fc-sign token issue --for 366d alice
    has "$stderr" "longer than 365d, which [tokens] lifetime-max allows"
    printf '[tokens]\nlifetime = 2h\nlifetime-max = 3h\nkey-file = %s/k.pem\n' "$T" >fc.conf
    token=$(fc-sign -C fc.conf token issue alice 2>/dev/null)
    same 7200 "$(part 2 "$token" | jq '.exp - .iat')"
    genuine "$token" k.pem
    [ ! -e "$FC_STATE/ca/token.key" ]
    expect 5 fc-sign -C fc.conf token issue --for 4h alice
    for t in 0h -1h 1y '' h 8; do expect 6 fc-sign token issue --for "$t" alice; done
    same Expired "$(at_time '+3 hours' fc-sign token list -o json | jq -r .state)"
    same 0 "$(at_time '+29 days' fc-store gc -o json | jq .tokens)"
    same 1 "$(at_time '+31 days' fc-store gc -n -o json | jq .tokens)"
    same 1 "$(at_time '+31 days' fc-store gc -o json | jq .tokens)"
    same '' "$(fc-sign token list)"
}

@test "bad input issues nothing" {
    expect 2 fc-sign token issue
    expect 2 fc-sign token issue a b
    expect 2 fc-sign token list a
    expect 2 fc-sign token revoke
    expect 6 fc-sign token issue ''
    expect 6 fc-sign token issue $'a\nb'
    expect 6 fc-sign token issue $'\xff'
    expect 6 fc-sign token issue -g '' alice
    for role in '' veiwer device; do expect 6 fc-sign token issue -r viewer -r "$role" alice; done
    has "$stderr" "there is no role device"
    expect 6 fc-sign token issue "$(printf 'a%.0s' {1..254})"
    expect 0 fc-sign token issue -n -r viewer alice
    has "$stderr" "would issue a token for alice, valid until"
    [ ! -e "$FC_STATE/ca/token.key" ]
    same '' "$(fc-sign token list)"
    fc-sign token issue alice >/dev/null
    chmod 644 "$FC_STATE/ca/token.key"
    expect 5 fc-sign token issue alice
    has "$stderr" "a key that others may open"
    openssl genrsa -out rsa.pem 2048 2>/dev/null
    chmod 600 rsa.pem
    printf '[tokens]\nkey-file = %s/rsa.pem\n' "$T" >fc.conf
    expect 6 fc-sign -C fc.conf token issue alice
    same alice "$(fc-sign token list -o json | jq -r .subject)"
}

# bearer STATUS TOKEN PATH [CURL OPTION ...]: a request with this token; sets body.
bearer() {
    local want=$1 out

    out=$(curl -sS --cacert "$FC_STATE/ca/ca.crt" -D head -w '\n%{http_code}\n' \
        -H "Authorization: Bearer $2" "${@:4}" "$API_URL/api/v1$3")
    body=${out%$'\n'*}
    same "$want" "${out##*$'\n'}" || { echo "$3: $body"; return 1; }
}

# tampered TOKEN FILTER: with a header that jq has changed.
tampered() {
    local s

    s=$(part 1 "$1" | jq -c "$2" | base64 -w0 | tr -- '+/' '-_' | tr -d =)
    printf '%s.%s' "$s" "${1#*.}"
}

@test "the API knows who shows a token, and no longer when it was revoked" {
    local token uid alg

    make_ca
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Organization","metadata":{"name":"acme"},"spec":{}}' |
        fc-apply - >/dev/null
    uid=$(fc-select organization/acme -o json | jq -r '.metadata.annotations["organization-controller/uid"]')
    start_api
    # Without the key in reach of whoever serves.
    printf '[tokens]\nkey-file = %s/k.pem\n' "$T" >"$FC_CONF"
    token=$(fc-sign token issue -r operator -g night --org acme alice 2>/dev/null)
    bearer 200 "$token" /auth/validate
    bearer 200 "$token" /auth/userinfo
    same "[\"alice\",\"$uid\",\"acme\"]" \
        "$(jq -c '[.preferred_username, .organizations[].metadata.name, .organizations[].spec.displayName]' <<<"$body")"
    bearer 200 "$token" /auth/permissions
    same '["create","delete","get","list","patch","update"]' \
        "$(jq -c '.permissions[] | select(.resource == "fleets").operations | sort' <<<"$body")"
    bearer 201 "$token" /devices --json '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"d1"}}'
    same user:alice "$(fc-history device/d1 --org acme -o json | jq -r .actor)"
    bearer 200 "$token" "/devices?org_id=$uid"
    bearer 403 "$token" "/devices?org_id=00000000-0000-0000-0000-000000000000"
    # What it was not given.
    bearer 403 "$(fc-sign token issue -r viewer --org acme eve 2>/dev/null)" /devices/d1 -X DELETE
    fc-sign token list --org acme -o json -q 'select(.subject == "eve").jti' | jq -r . |
        xargs fc-sign token revoke --org acme
    # Not quite the same token.
    for alg in none HS256 ES384 RS256; do
        bearer 401 "$(tampered "$token" ".alg = \"$alg\"")" /auth/validate
        grep -qi '^www-authenticate: bearer' head
        has "$body" "failed to validate token"
    done
    bearer 401 "$(tampered "$token" '.typ = "jwt"')" /auth/validate
    bearer 401 "$(tampered "$token" '.kid = "other"')" /auth/validate
    bearer 401 "$(tampered "$token" '.crit = ["x"]')" /auth/validate
    bearer 401 "${token%.*}." /auth/validate
    bearer 401 "${token%?????}AAAAA" /auth/validate
    bearer 401 "$token.x" /auth/validate
    bearer 401 "x.y.z" /auth/validate
    bearer 400 "$token" /auth/validate -H "Authorization: Bearer $token"
    bearer 400 "" /auth/validate
    # A token that the same key has signed is none without its row.
    fc-store init -S "sqlite:$T/other.db" >/dev/null
    bearer 401 "$(fc-sign token issue -S "sqlite:$T/other.db" mallory 2>/dev/null)" /auth/validate
    has "$body" "is not known"
    fc-sign token revoke --org acme "$(part 2 "$token" | jq -r .jti)" >/dev/null
    bearer 401 "$token" /auth/validate
    has "$body" "was revoked"
}

# cgi STATUS PATH VARIABLE=VALUE ...: a request as a web server makes it, at the time AT if that is
# set; sets body.
cgi() {
    local want=$1 path=$2

    shift 2
    (
        # shellcheck disable=SC2163 # names and values
        export GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI="/api/v1$path" "$@"
        if [ -n "${AT:-}" ]; then at_time "$AT" fc-api; else fc-api; fi
    ) </dev/null >answer 2>err || { cat err; return 1; }
    body=$(sed '1,/^\r*$/d' answer)
    same "$want" "$(sed -n 's/^Status: \([0-9]*\).*/\1/p' answer)" || { echo "$path: $body"; cat err; return 1; }
}

# moment SECONDS: so long after the token was issued, for at_time.
moment() { date -d "@$((issued + $1))" '+@%F %T'; }

@test "under CGI a token ends in time, and REMOTE_USER counts where it is configured" {
    local token issued

    make_ca
    token=$(fc-sign token issue -r viewer --for 1h alice 2>/dev/null)
    cgi 200 /devices HTTP_AUTHORIZATION="Bearer $token"
    cgi 403 /devices/x HTTP_AUTHORIZATION="bearer $token" REQUEST_METHOD=DELETE
    # The clocks of others may differ by a minute.
    issued=$(part 2 "$token" | jq .iat)
    AT=$(moment 3655) cgi 200 /auth/validate HTTP_AUTHORIZATION="Bearer $token"
    AT=$(moment 3661) cgi 401 /auth/validate HTTP_AUTHORIZATION="Bearer $token"
    has "$body" "has expired"
    AT=$(moment -55) cgi 200 /auth/validate HTTP_AUTHORIZATION="Bearer $token"
    AT=$(moment -70) cgi 401 /auth/validate HTTP_AUTHORIZATION="Bearer $token"
    has "$body" "is not valid yet"

    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Organization","metadata":{"name":"acme"},"spec":{
        "roleAssignments":[{"role":"viewer","users":["carol"]},{"role":"operator","groups":["night shift"]}]}}' |
        fc-apply - >/dev/null
    cgi 401 /devices REMOTE_USER=carol
    printf '[api]\nremote-user = yes\nremote-groups = AUTHENTICATE_MEMBEROF\n' >"$FC_CONF"
    cgi 200 /devices REMOTE_USER=carol
    cgi 200 /auth/userinfo REMOTE_USER=carol
    same '["carol","acme"]' "$(jq -c '[.sub, .organizations[].spec.displayName]' <<<"$body")"
    cgi 403 /devices REMOTE_USER=dave
    cgi 200 /devices REMOTE_USER=dave AUTHENTICATE_MEMBEROF='day, night shift ,x' HTTP_AUTHORIZATION='Basic ZGF2ZTp4'
    cgi 401 /devices REMOTE_USER=
    cgi 401 /devices HTTP_REMOTE_USER=carol
    cgi 400 /devices HTTP_AUTHORIZATION='Basic ZGF2ZTp4'
    cgi 401 /devices REMOTE_USER=$'ca\trol'
    printf '[api]\nremote-user = yes\nremote-groups = HTTP_GROUPS\n' >"$FC_CONF"
    expect 6 env GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/api/v1/devices fc-api
    has "$stderr" "HTTP_GROUPS is a header that clients send"
}
