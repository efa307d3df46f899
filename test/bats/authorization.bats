# SPDX-License-Identifier: Apache-2.0
# databases: both
# Who may do what: every route, asked by everybody, against the table of doc/authorization.md.
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    organization here '{"roleAssignments": []}'
    organization there '{}'
    HERE=$(uid_of here)
    THERE=$(uid_of there)
}
teardown() { fc_teardown; }

# organization NAME SPEC: applied.
organization() {
    jq -nc --arg n "$1" --argjson s "$2" '{apiVersion: "flightctl.io/v1beta1", kind: "Organization",
        metadata: {name: $n}, spec: $s}' | fc-apply -f - >/dev/null
}
uid_of() { fc-select "organization/$1" -o json | jq -r '.metadata.annotations[]'; }

# person NAME [ORGANIZATION]: $T/NAME.{key,crt}, whose roles are assigned.
person() {
    request_of "$1" && fc-sign csr --signer user --org "${2:-here}" "$T/$1.csr" >"$T/$1.crt"
}

# assigned ROLE=USER ...: of the organization here, in full.
assigned() {
    organization here "$(printf '%s\n' "$@" | jq -Rnc '{roleAssignments: [inputs | select(. != "") |
        split("=") | {role: .[0], users: [.[1]]}]}')"
}

# The table of the page: {RESOURCE: {ROLE: VERBS}}.
page() {
    sed -n 's/^| \(Resource\|`[a-z/]*`\) | /\1 | /p' "$TOP/doc/authorization.md" | jq -Rnc '
        [inputs | rtrimstr(" |") | split(" |") | map(gsub("[ `]"; ""))] | .[0] as $roles | .[1:] |
        map({key: .[0], value: (. as $row | [range(1; $roles | length) |
            {key: $roles[.], value: ($row[.] // "")}] | from_entries)}) | from_entries'
}

# What ROLE is to get, when it asks as itself and names its own device and another one: a line for
# each request, METHOD URL WANT with what it is about behind.
requests() {
    fc-api --routes -o json | jq -rn --arg role "$1" --arg own "$2" --arg other "$OTHER" \
        --arg here "$HERE" --arg there "$THERE" --slurpfile page page.json '
        (if $role == "device" or $role == "enrollment" then $role else "user" end) as $class |
        {get: "G", list: "L", create: "C", update: "U", patch: "P", delete: "D"} as $letters |
        inputs | . as $r | (.callers | split(" ")) as $callers |
        ("", $here, $there) as $org |
        (if .own then $own, $other else "x" end) as $name |
        (if $callers | index("anyone") then "allowed"
        elif .organization and $org == $there then "403"
        elif ($callers | index($class)) == null then "401"
        elif .own and $class == "device" and $name != $own then "401"
        elif .resource == null then "allowed"
        elif ($page[0][.resource][$role] // "" | contains($letters[$r.verb])) then "allowed"
        else "403" end) as $want |
        (.path | sub("\\{[a-z]*\\}"; $name) | gsub("\\{[a-z]*\\}"; "x")) as $path |
        "\(.method) \($path)\(if $org == "" then "" else "?org_id=\($org)" end) \($want)"'
}

# ask WHO <REQUESTS: all of them on one connection; those that got something else are printed.
ask() {
    local method url next=

    cat >asked
    while read -r method url _; do
        printf "$next"
        next='next\n'
        printf '%s\n' "request = $method" "url = $API_URL$url" "cacert = $FC_STATE/ca/ca.crt" \
            "cert = $1.crt" "key = $1.key" silent 'output = /dev/null' 'header = "Prefer: wait=0"' \
            'write-out = "%{http_code}\n"'
        case $method in P*) echo 'json = "{}"' ;; esac
    done <asked >ask.conf
    curl -K ask.conf | paste -d ' ' asked - | awk -v who="$1" '
        { n++ }
        $3 == "allowed" ? $4 == 401 || $4 == 403 || $4 < 200 : $4 != $3 { print who ": " $0; bad = 1 }
        END { exit bad || n < 100 }'
}

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

    for name in own other; do
        request_of $name
        openssl req -in $name.csr -noout -pubkey >/dev/null
    done
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

# name_of KEY: the name of the device that has $T/KEY.key.
name_of() {
    expect 6 fc-sign csr --signer device --org here --cn x "$1.csr"
    sed 's/.* of the key, //' <<<"$stderr"
}

@test "a role that is taken away is gone with the next request" {
    local i

    start_api
    person eve
    answers 403 eve /api/v1/devices
    says 'user:eve may not list devices'
    for i in 1 2 3; do
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
    says 'the organization of the certificate does not exist'
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
