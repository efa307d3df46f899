# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, API_URL come from helpers; tests use the rest
# What tests of rights share, beside helpers and api: organizations, people, every route.

# A store with the organizations here and there; HERE and THERE are their uids.
authorization_setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    organization here '{"roleAssignments": []}'
    organization there '{}'
    HERE=$(uid_of here)
    THERE=$(uid_of there)
}

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
# shellcheck disable=SC2016 # backticks of Markdown
page() {
    sed -n 's/^| \(Resource\|`[a-z/]*`\) | /\1 | /p' "$TOP/doc/authorization.md" | jq -Rnc '
        [inputs | rtrimstr(" |") | split(" |") | map(gsub("[ `]"; ""))] | .[0] as $roles | .[1:] |
        map({key: .[0], value: (. as $row | [range(1; $roles | length) |
            {key: $roles[.], value: ($row[.] // "")}] | from_entries)}) | from_entries'
}

# What ROLE is to get, when it asks as itself and names its own device and another one: a line for
# each request, METHOD URL WANT with what it is about behind.
requests() {
    fc-api --routes -o json | jq -rn --arg role "$1" --arg own "$2" --arg other "${OTHER:-x}" \
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
        echo "$next"
        next=next
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

# name_of KEY: the name of the device that has $T/KEY.key.
name_of() {
    expect 6 fc-sign csr --signer device --org here --cn x "$1.csr"
    echo "${stderr##* of the key, }"
}

# cgi STATUS USER GROUPS PATH [VARIABLE ...]: asked through a web server that says who it is.
cgi() {
    local want=$1 user=$2 groups=$3 path=$4 query=

    case $path in *\?*) query=${path#*\?} ;; esac
    env GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI="/api/v1$path" QUERY_STRING="$query" \
        REMOTE_USER="$user" GROUPS_OF="$groups" "${@:5}" fc-api </dev/null >out || return
    body=$(sed '1,/^\r$/d' out)
    head -1 out | grep -q "^Status: $want " || { echo "$user $path: $(cat out)"; return 1; }
}
