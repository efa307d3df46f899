# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # programs of jq; T and API_URL come from helpers
# Tokens of an issuer elsewhere, a real provider of OpenID Connect, and fc-login.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    [ -d "$TOP/test/npm/node_modules/oidc-provider" ] ||
        { echo "oidc-provider is not there: sh test/deps.sh test"; return 1; }
    printf '[auth]\nca-file = %s/ca/ca.crt\n[client]\nca-file = %s/ca/ca.crt\n' "$FC_STATE" \
        "$FC_STATE" >"$FC_CONF"
}
teardown() { fc_teardown; }

oidc() { node "$TOP/test/npm/oidc.mjs" "$@"; }

# start_issuer KEYS: sets ISSUER, ISSUER_PID; at its port if there is one already.
start_issuer() {
    local _

    for _ in 1 2 3 4 5; do
        ISSUER_PORT=${ISSUER_PORT:-$(free_port)}
        : >issuer.log
        background issuer.log node "$TOP/test/npm/oidc.mjs" "$ISSUER_PORT" server.crt server.key "$1"
        ISSUER_PID=$PID
        wait_for grep -qE '^ready|EADDRINUSE' issuer.log
        if grep -q '^ready' issuer.log; then
            ISSUER=https://127.0.0.1:$ISSUER_PORT
            return 0
        fi
        [ -n "${ISSUER:-}" ] || ISSUER_PORT=
        stop "$ISSUER_PID"
    done
    cat issuer.log
    return 1
}

provider() {
    jq -nc --arg i "$ISSUER" '{apiVersion: "flightctl.io/v1beta1", kind: "AuthProvider",
        metadata: {name: "corp"}, spec: {providerType: "oidc", issuer: $i, clientId: "fc",
            clientSecret: "unused", organizationAssignment: {type: "static", organizationName: "default"},
            roleAssignment: {type: "dynamic", claimPath: ["groups"]}}}' | fc-apply - >/dev/null
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Organization","metadata":{"name":"default"},"spec":{
        "roleAssignments":[{"role":"operator","groups":["night"]}]}}' | fc-apply - >/dev/null
}

# shows STATUS TOKEN [PATH]: a request with this token; sets body.
shows() {
    local out

    out=$(curl -sS --cacert "$FC_STATE/ca/ca.crt" -w '\n%{http_code}\n' -H "Authorization: Bearer $2" \
        "$API_URL/api/v1${3:-/auth/validate}")
    body=${out%$'\n'*}
    same "$1" "${out##*$'\n'}" || { echo "$body"; return 1; }
}

# signed KEYS HEADER [FILTER]: a token for us, with the claims changed by a filter of jq.
signed() {
    oidc sign "$1" "$2" "$(jq -nc --arg i "$ISSUER" --argjson now "$(date +%s)" '{iss: $i, aud: "fc",
        sub: "1", preferred_username: "bob", groups: ["night"], iat: $now, exp: ($now + 600)} |
        '"${3:-.}")"
}

# Is the issuer to be asked within a minute, not in an hour? Any strange key may have seen to that.
moved_forward() {
    shows 401 "$(signed two.json '{"alg":"ES256","kid":"two-ec"}')"
    [ $(($(store_sql "SELECT due FROM task WHERE queue = 'issuer'") / 1000000 - $(date +%s))) -lt 60 ]
}

@test "tokens of an issuer count by its keys, and by new ones when they are there" {
    local ec='{"alg":"ES256","kid":"one-ec"}'

    oidc keys one >one.json
    oidc keys two >two.json
    start_issuer one.json
    provider
    start_api
    shows 401 "$(signed one.json "$ec")"
    has "$body" "the keys of its issuer are not at hand yet"
    fc-work drain
    shows 200 "$(signed one.json "$ec")"
    shows 200 "$(signed one.json "$ec")" /devices
    shows 200 "$(signed one.json "$ec")" /auth/userinfo
    same '["1","bob","default"]' "$(jq -c '[.sub, .preferred_username, .organizations[].spec.displayName]' <<<"$body")"
    shows 403 "$(signed one.json "$ec" '.groups = ["day"]')" /devices
    shows 200 "$(signed one.json '{"alg":"RS256","kid":"one-rsa"}')"
    shows 200 "$(signed one.json '{"alg":"RS256"}' '.aud = ["x", "fc"]')"
    # What is not quite right.
    shows 401 "$(signed one.json "$ec" '.aud = "other"')"
    has "$body" "for somebody else"
    shows 401 "$(signed one.json "$ec" 'del(.aud)')"
    shows 401 "$(signed one.json "$ec" '.iss = "https://127.0.0.1:1"')"
    has "$body" "not one that is trusted"
    shows 401 "$(signed one.json "$ec" '.exp = $now - 61')"
    has "$body" "has expired"
    shows 401 "$(signed one.json "$ec" 'del(.exp)')"
    shows 401 "$(signed one.json "$ec" '.nbf = $now + 300')"
    has "$body" "is not valid yet"
    shows 401 "$(signed one.json "$ec" 'del(.preferred_username)')"
    shows 401 "$(signed one.json '{"alg":"none"}')"
    shows 401 "$(signed one.json '{"alg":"none","kid":"one-ec"}')"
    shows 401 "$(signed one.json '{"alg":"HS256","kid":"one-rsa"}')"
    shows 401 "$(signed one.json '{"alg":"PS256","kid":"one-rsa"}')" # its key says RS256
    shows 401 "$(signed one.json '{"alg":"RS256","kid":"one-ec"}')"
    shows 401 "$(signed two.json "$ec")"
    has "$body" "signature is wrong"
    # It has other keys now: a token by one of them is refused, and the task moves forward.
    stop "$ISSUER_PID"
    start_issuer two.json
    wait_for moved_forward # a process asks every few seconds at most
    has "$body" "a key that its issuer is not known to have"
    at_time +40 fc-work drain
    shows 200 "$(signed two.json '{"alg":"ES256","kid":"two-ec"}')"
    shows 401 "$(signed one.json "$ec")"
    # A provider that is gone or off vouches for nobody.
    fc-patch authprovider/corp -p '{"spec":{"enabled":false}}' >/dev/null
    shows 401 "$(signed two.json '{"alg":"ES256","kid":"two-ec"}')"
    fc-delete -y authprovider/corp >/dev/null
    at_time '+2h' fc-work drain
    same 0 "$(store_sql 'SELECT count(*) FROM issuer')"
    same '["fc-sign"]' "$(curl -sS --cacert "$FC_STATE/ca/ca.crt" "$API_URL/api/v1/auth/config" |
        jq -c '[.providers[].metadata.name]')"
}

# The address that an answer sends to.
next() { sed -n 's/^[Ll]ocation: \([^\r]*\)\r*$/\1/p' headers | tail -n 1; }

visit() {
    local to

    curl -sS --cacert "$FC_STATE/ca/ca.crt" -b jar -c jar -D headers -o page "$@" || return
    to=$(next)
    [ -z "$to" ] || case $to in
    http*) target=$to ;;
    *) target=$ISSUER$to ;;
    esac
}

# form: where the page's form goes.
form() { sed -n 's/.*action="\([^"]*\)".*/\1/p' page | head -n 1 | sed 's/&amp;/\&/g'; }

# From where $target is, logs in and consents; ends where no form is.
person() {
    local _ action

    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        while :; do
            was=$target
            visit "$target"
            [ "$target" != "$was" ] || break
            [[ $target != http://127.0.0.1:*/callback* ]] || { curl -sS "$target" >back; return; }
        done
        action=$(form)
        [ -n "$action" ] || return 0
        [[ $action == http* ]] || action=$ISSUER$action
        was=$action target=$action
        visit -d prompt="$(sed -n 's/.*name="prompt" value="\([^"]*\)".*/\1/p' page)" -d login=alice \
            -d password=x -d xsrf="$(sed -n 's/.*name="xsrf" value="\([^"]*\)".*/\1/p' page | head -n 1)" \
            -d user_code="$(sed -n 's/.*name="user_code" value="\([^"]*\)".*/\1/p' page | head -n 1)" \
            -d confirm=yes "$action"
        [ "$target" != "$action" ] || [ -n "$(form)" ] || return 0
    done
}

@test "fc-login: by browser, by device code, by a file; renewed, shown and forgotten" {
    local token

    oidc keys one >one.json
    OIDC_TTL=65 start_issuer one.json
    provider
    fc-work drain
    start_api
    printf '[client]\nca-file = %s/ca/ca.crt\n[auth]\nca-file = %s/ca/ca.crt\n' "$FC_STATE" "$FC_STATE" >me.conf
    mkdir me
    mine=(env FC_STATE="$T/me" FC_CONF="$T/me.conf" FC_STORE="$API_URL")
    background login.log "${mine[@]}" fc-login
    login=$PID
    wait_for grep -q '^https://' login.log
    target=$(grep '^https://' login.log)
    person
    has "$(cat back)" "Logged in"
    wait_for grep -q "logged in to $API_URL as alice" login.log
    wait "$login"
    [ "$(stat -c %a me/credentials.json)" = 600 ]
    same "$API_URL true" "$("${mine[@]}" fc-login --status -o json | jq -r '"\(.server) \(.refreshes)"')"
    hasnt "$("${mine[@]}" fc-login --status -o json)" "$(jq -r '.[].token' me/credentials.json)"
    expect 0 "${mine[@]}" fc-select devices
    # Renewed when it is about to end, and the refresh token with it.
    jq -c '.[].refreshToken' me/credentials.json >first
    jq '.[].expires = "2020-01-01T00:00:00Z"' me/credentials.json >c
    cat c >me/credentials.json
    expect 0 "${mine[@]}" fc-select devices
    [ "$(jq -c '.[].refreshToken' me/credentials.json)" != "$(cat first)" ]
    jq -e '.[].expires > "2020-01-02"' me/credentials.json
    "${mine[@]}" fc-login --logout
    expect 3 "${mine[@]}" fc-login --logout
    same '{}' "$(jq -c . me/credentials.json)"
    expect 5 "${mine[@]}" fc-select devices

    rm -f jar
    : >login.log
    background login.log "${mine[@]}" fc-login --device
    login=$PID
    wait_for grep -q '^https://' login.log
    target=$(grep '^https://' login.log)
    person
    wait_for grep -q "logged in to $API_URL as alice" login.log
    wait "$login"
    expect 0 "${mine[@]}" fc-select devices

    token=$(fc-sign token issue -r viewer carol 2>/dev/null)
    echo "$token" >token
    has "$("${mine[@]}" fc-login --token-file token)" "as carol"
    has "$("${mine[@]}" fc-login --token-file - <token)" "as carol"
    expect 0 "${mine[@]}" fc-select devices
    echo "$token"x >token
    expect 5 "${mine[@]}" fc-login --token-file token
    expect 6 "${mine[@]}" fc-login --token-file /dev/null
    expect 0 "${mine[@]}" fc-select devices # with the one before
    chmod 644 me/credentials.json
    expect 5 "${mine[@]}" fc-select devices
    expect 6 "${mine[@]}" fc-login --token-file token http://127.0.0.1
    expect 3 "${mine[@]}" fc-login --provider nobody
    expect 6 "${mine[@]}" fc-login --provider fc-sign
    expect 2 "${mine[@]}" fc-login --device --logout
}
