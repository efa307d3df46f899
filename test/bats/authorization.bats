# SPDX-License-Identifier: Apache-2.0
# databases: both
# Who may do what: every route, asked by everybody, against the table of doc/authorization.md.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api
load authorization

setup() { authorization_setup; }
teardown() { fc_teardown; }

@test "every route, for every role, in one's own organization and another one" {
    local role resource

    start_api
    page >page.json
    # The page has every resource that a route is for, and no role that nobody knows.
    while read -r resource; do
        jq -e --arg r "$resource" 'has($r)' page.json >/dev/null ||
            { echo "doc/authorization.md has no row for $resource"; return 1; }
    done < <(fc-api --routes -o name -q '.resource // empty')
    same "admin device enrollment installer operator org-admin viewer" \
        "$(jq -r '[.[] | keys[]] | unique | join(" ")' page.json)"

    request_of own
    request_of other
    OWN=$(name_of own) OTHER=$(name_of other)
    fc-sign csr --signer device --org here --cn "$OWN" own.csr >own.crt
    for name in "$OWN" "$OTHER"; do
        spec "$name" here
    done | fc-apply --org here -f - >/dev/null
    fc-sign enrollment --org here -o strap >/dev/null
    fc-sign admin --org here -o root alice >/dev/null
    for role in admin org-admin operator viewer installer nobody; do
        person "$role"
    done
    assigned admin=admin org-admin=org-admin operator=operator viewer=viewer installer=installer

    requests device "$OWN" | ask own
    requests enrollment x | ask strap
    requests admin x | ask root
    for role in admin org-admin operator viewer installer nobody; do
        requests $role x | ask $role
    done
}

@test "a role that is taken away is gone with the next request" {
    start_api
    person eve
    answers 403 eve /api/v1/devices
    says 'user:eve may not list devices'
    for _ in 1 2 3; do
        assigned viewer=eve
        answers 200 eve /api/v1/devices
        answers 403 eve /api/v1/devices --json '{}'
        assigned operator=eve
        answers 400 eve /api/v1/devices --json '{}'
        assigned
        answers 403 eve /api/v1/devices
    done
    assigned viewer=eve
    answers 200 eve /api/v1/devices
    fc-history undo organization/here >/dev/null
    answers 403 eve /api/v1/devices
    # And an organization that is gone takes its people with it.
    assigned viewer=eve
    answers 200 eve /api/v1/devices
    fc-delete -y organization/here >/dev/null
    answers 403 eve /api/v1/devices
    says 'user:eve is of an organization that does not exist'
}

@test "an organization that is gone enrolls nobody, though its certificate is known" {
    start_api
    fc-sign enrollment --org here -o strap >/dev/null
    request_of own
    OWN=$(name_of own)
    openssl req -new -key own.key -subj "/CN=$OWN" -out own.csr
    jq -Rs --arg n "$OWN" '{apiVersion: "v1beta1", kind: "EnrollmentRequest", metadata: {name: $n},
        spec: {csr: .}}' own.csr >request.json
    answers 404 strap "/api/v1/enrollmentrequests/$OWN"
    fc-delete -y organization/here >/dev/null
    answers 403 strap /api/v1/enrollmentrequests --json @request.json
    says 'enrollment:client-enrollment is of an organization that does not exist'
    answers 403 strap "/api/v1/enrollmentrequests/$OWN"
}

@test "the default organization's admins are admins everywhere, others where they are" {
    start_api
    person eve
    person ann
    person ann-there there
    person bob default
    organization default '{"roleAssignments": [{"role": "viewer", "users": ["eve", "bob"]},
        {"role": "admin", "users": ["ann"]}]}'
    answers 403 eve /api/v1/devices
    answers 200 ann /api/v1/devices
    answers 200 bob /api/v1/devices
    answers 403 bob /api/v1/devices --json '{}'
    fc-sign csr --signer user --org there --cn ann ann-there.csr >ann-there.crt
    answers 200 ann-there /api/v1/devices
    answers 400 ann-there /api/v1/devices --json '{}'
}

@test "org_id: a uuid, and of one's own organization" {
    local id

    start_api
    person eve
    assigned viewer=eve
    answers 200 eve "/api/v1/devices?org_id=$HERE"
    answers 200 eve "/api/v1/devices?org_id="
    answers 403 eve "/api/v1/devices?org_id=$THERE"
    answers 403 eve "/api/v1/devices?org_id=00000000-0000-0000-0000-000000000000"
    for id in here x "${HERE}0" "$HERE%00" "%zz"; do
        answers 400 eve "/api/v1/devices?org_id=$id"
    done
}

@test "what is no assignment is refused" {
    local bad

    while IFS='|' read -r bad what; do
        expect 6 fc-apply -f - <<<"$(jq -nc --argjson a "$bad" '{apiVersion: "v1beta1",
            kind: "Organization", metadata: {name: "here"}, spec: {roleAssignments: [$a]}}')"
        has "$stderr" "$what"
    done <<'END'
{"users": ["eve"]}|spec.roleAssignments[0].role: is required
{"role": "god", "users": ["eve"]}|spec.roleAssignments[0].role: must be one of
{"role": "device", "users": ["eve"]}|spec.roleAssignments[0].role: must be one of
{"role": "admin", "users": "eve"}|spec.roleAssignments[0].users: must be a list
{"role": "admin", "users": [""]}|spec.roleAssignments[0].users[0]: must not be empty
{"role": "admin", "claims": [{"path": [], "value": "x"}]}|spec.roleAssignments[0].claims[0].path: must not be empty
{"role": "admin", "claims": [{"path": ["a"]}]}|spec.roleAssignments[0].claims[0].value: is required
{"role": "admin", "user": ["eve"]}|spec.roleAssignments[0].user: unknown field
END
}

@test "the organizations that one is in, without who may what there" {
    start_api
    person eve
    organization here '{"displayName": "Here", "externalId": "h-1",
        "roleAssignments": [{"role": "viewer", "users": ["eve"]}]}'
    answers 200 eve /api/v1/organizations
    same "$(jq -nc --arg uid "$HERE" '[[$uid, {displayName: "Here", externalId: "h-1"}]]')" \
        "$(jq -c '[.items[] | [.metadata.name, .spec]]' <<<"$body")"
    answers 200 eve /api/v1/auth/userinfo
    same "$HERE Here" "$(json '.organizations[] | "\(.metadata.name) \(.spec.displayName)"')"
    answers 200 eve "/api/v1/organizations?fieldSelector=metadata.name%3D$THERE"
    same 0 "$(json '.items | length')"
    answers 200 admin "/api/v1/organizations?org_id=$HERE"
    same "00000000-0000-0000-0000-000000000000 {}" \
        "$(json '.items[] | "\(.metadata.name) \(.spec)"')"
}

@test "nobody puts a key of their own into what a device asks for" {
    local path=/api/v1/certificatesigningrequests

    # ask_for NAME REQUEST: the document.
    ask_for() {
        jq -cn --arg n "$1" --arg csr "$(base64 -w0 "$2")" '{apiVersion: "v1beta1",
            kind: "CertificateSigningRequest", metadata: {name: $n}, spec: {request: $csr,
            signerName: "flightctl.io/device-management-renewal", usages: ["clientAuth", "CA:false"]}}'
    }
    start_api
    request_of own
    OWN=$(name_of own)
    openssl req -new -key own.key -subj "/CN=$OWN" -out own.csr
    fc-sign csr --signer device --org here own.csr >own.crt
    spec "$OWN" here | fc-apply --org here -f - >/dev/null
    person fitter
    assigned installer=fitter
    request_of mine "$OWN"
    answers 201 own $path --json "$(ask_for "$OWN-1" own.csr)"
    answers 409 fitter "$path/$OWN-1" -X PUT --json "$(ask_for "$OWN-1" mine.csr)"
    fc-work drain
    answers 200 own "$path/$OWN-1"
    json .status.certificate | base64 -d >renewed.crt
    same "$(openssl pkey -in own.key -pubout)" "$(openssl x509 -in renewed.crt -noout -pubkey)"
}

@test "somebody of several organizations says which one is meant" {
    local default=00000000-0000-0000-0000-000000000000

    printf '%s\n' '[api]' 'remote-user = yes' 'remote-groups = GROUPS_OF' >fc.conf
    organization here '{"roleAssignments": [{"role": "viewer", "users": ["eve", "ann"]},
        {"role": "operator", "groups": ["night"]}]}'
    organization there '{"roleAssignments": [{"role": "operator", "users": ["ann"]}]}'
    spec in-here x | fc-apply --org here -f - >/dev/null
    spec in-there x | fc-apply --org there -f - >/dev/null

    # In one: that is it.
    cgi 200 eve '' /devices
    same in-here "$(json '.items[].metadata.name')"
    cgi 200 eve '' "/devices?org_id=${HERE^^}"
    cgi 403 eve '' "/devices?org_id=$THERE"
    cgi 404 eve '' /devices/in-there
    cgi 403 eve '' /devices/in-here REQUEST_METHOD=DELETE
    cgi 200 dan 'day, night' /devices
    # In several: each with its own roles.
    cgi 400 ann '' /devices
    says 'org_id: must say which of 2 organizations is meant'
    cgi 400 ann '' "/devices?org_id=there"
    cgi 200 ann '' "/devices?org_id=$THERE"
    same in-there "$(json '.items[].metadata.name')"
    cgi 403 ann '' "/devices/in-here?org_id=$HERE" REQUEST_METHOD=DELETE
    cgi 404 ann '' "/devices/in-here?org_id=$THERE" REQUEST_METHOD=DELETE
    cgi 403 ann '' "/devices?org_id=$default"
    cgi 200 ann '' /organizations
    same "$(printf '%s\n' "$HERE" "$THERE" | sort)" "$(json '.items[].metadata.name' | sort)"
    # In none, and an admin of all.
    cgi 403 bob night-watch /devices
    says 'user:bob is in no organization'
    cgi 200 bob '' /organizations
    same 0 "$(json '.items | length')"
    organization default '{"roleAssignments": [{"role": "admin", "users": ["bob"]}]}'
    cgi 400 bob '' /devices
    cgi 200 bob '' "/devices/in-here?org_id=$HERE" REQUEST_METHOD=DELETE
    cgi 200 bob '' /organizations
    same 3 "$(json '.items | length')"
    # A certificate stays in the organization that it names.
    person eve
    cgi 403 '' '' "/devices?org_id=$THERE" SSL_CLIENT_CERT="$(cat eve.crt)"
    cgi 200 '' '' "/devices" SSL_CLIENT_CERT="$(cat eve.crt)"
}
