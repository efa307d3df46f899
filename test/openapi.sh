#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares our OpenAPI document with the contract: paths, methods, operations, parameters, bodies,
# statuses. Prints what differs beyond the table "Accepted differences of operations" in
# doc/contract.md. Status 1: it does. FC_API is the fc-api that prints the document.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
shared=$top/../shared/contract
api=${FC_API:-$top/build/bin/fc-api}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An operation becomes a set of facts, a line each: "METHOD PATH WHAT".
cat >"$work/facts.jq" <<'EOT'
def name: if . == null then "nothing" else (."$ref" // .type // "any") | sub(".*/"; "") end;

.paths | to_entries[] | .key as $path |
(if $path | startswith("/ws/") then $path else "\($prefix)\($path)" end) as $p |
.value as $item | $item | to_entries[] |
select(.key | IN("get", "put", "post", "patch", "delete")) |
"\(.key | ascii_upcase) \($p)" as $op | .value |
"\($op) is \(.operationId)",
((($item.parameters // []) + (.parameters // []))[] |
    select(.in != "header") |
    "\($op) \(.in) \(.name) \(if .required then "required " else "" end)\(.schema | [.type,
        .format, .pattern, .minimum, .maximum, .maxLength, .enum] | map(select(. != null)) |
        tojson)"),
(.requestBody // empty | .content | to_entries[] |
    select(.key != "application/x-www-form-urlencoded") |
    "\($op) takes \(.key) \(.value.schema | name)"),
(.responses | to_entries[] | .key as $code |
    "\($op) answers \($code)",
    (.value.content // {} | to_entries[] | select($code | test("^2")) |
        "\($op) answers \($code) \(.key) \(.value.schema | name)"))
EOT

"$api" --openapi | jq -r --arg prefix "" -f "$work/facts.jq" >"$work/facts"
LC_ALL=C sort -u "$work/facts" >"$work/ours"
if [ ! -e "$shared/core.json" ]; then
    echo "openapi.sh: $shared/core.json is missing: nothing is compared" >&2
    exit 0
fi
for f in core agent; do
    jq -r --arg prefix /api/v1 -f "$work/facts.jq" "$shared/$f.json"
done >"$work/facts"
LC_ALL=C sort -u "$work/facts" >"$work/theirs"

{
    LC_ALL=C comm -23 "$work/theirs" "$work/ours" | sed 's/^/- /'
    LC_ALL=C comm -13 "$work/theirs" "$work/ours" | sed 's/^/+ /'
} | LC_ALL=C sort >"$work/differences"
sed -n '/^## Accepted differences of operations/,/^## /s/^| `\([-+] .*\)` |.*/\1/p' \
    "$top/doc/contract.md" | sed 's/\\|/|/g' >"$work/accepted"
# A word "*" stands for any, at the end for all that follows.
awk 'FNR == NR { rule[++n] = $0; next }
    {
        found = 0
        for (i = 1; i <= n && !found; i++)
            if (fits(rule[i], $0)) { found = 1; used[i] = 1 }
        if (!found) print
    }
    function fits(r, line,    a, b, na, nb, k) {
        na = split(r, a, " "); nb = split(line, b, " ")
        for (k = 1; k <= na; k++)
            if (a[k] == "*" && k == na) return nb >= k
            else if (a[k] != "*" && a[k] != b[k]) return 0
        return na == nb
    }
    END { for (i = 1; i <= n; i++) if (!used[i]) print rule[i] >unused }
' unused="$work/unused" "$work/accepted" "$work/differences" >"$work/left"

status=0
if grep . "$work/left"; then
    echo "openapi.sh: the lines above (-: the contract alone, +: ours alone) are not accepted" >&2
    status=1
fi
if [ -e "$work/unused" ] && grep . "$work/unused"; then
    echo "openapi.sh: doc/contract.md accepts the lines above, but they are no differences" >&2
    status=1
fi
if [ $status = 0 ]; then
    echo "$(wc -l <"$work/theirs") facts of $(grep -c ' is ' "$work/theirs") operations," \
        "$(wc -l <"$work/accepted") accepted differences"
fi
exit $status
