#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares what our schemas say with the contract: kinds, members, types, formats, enums, patterns,
# bounds, required, open and closed objects. Prints what differs beyond the table "Accepted
# differences of schemas" in doc/contract.md. Status 1: it does, or a keyword is not compared.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
contract=$top/../shared/contract/core.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A schema becomes a set of facts, a line each: "PATH WHAT". References are followed and allOf is
# flattened, so that only meaning counts, not layout. [] is an element, {} a member of a map, <x>
# a branch of oneOf: by its discriminator, or by what it requires, or by its type.
cat >"$work/facts.jq" <<'EOF'
def target($defs): if has("$ref") then $defs[."$ref"] // error("no \(."$ref")") else . end;

def needs($defs):
    target($defs) as $t | ($t.required // []) +
    ([$t.allOf[]? | needs($defs)] | add // []) +
    (if $t | has("$ref") then $t | needs($defs) else [] end) | unique;

def name_of($defs; $d):
    . as $branch |
    ([$d.mapping // {} | to_entries[] | select(.value == $branch."$ref") | .key] | first) //
    (needs($defs) | select(length > 0) | join("+")) //
    (target($defs) | .type);

def facts($defs; $at; $seen):
    . as $s |
    def say($what): "\($at) \($what)";
    (if has("$ref") then
        ."$ref" as $ref |
        if $seen | index([$ref]) then say("recursive")
        else target($defs) | facts($defs; $at; $seen + [$ref]) end
    else empty end),
    (("type", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
        "maxProperties", "nullable", "readOnly", "writeOnly", "deprecated") as $k |
        select(has($k)) | say("\($k) \(.[$k])")),
    # What says nothing about values: descriptions, examples, and our own keywords, which are tested
    # one by one. All others are compared here and below.
    (keys_unsorted[] | select(startswith("x-") | not) | select(IN("$ref", "type", "format",
        "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
        "maxProperties", "nullable", "readOnly", "writeOnly", "deprecated", "default", "enum",
        "required", "properties", "additionalProperties", "items", "allOf", "not",
        "discriminator", "oneOf", "anyOf", "description", "example", "title", "definitions") |
        not) | error("\($at): the keyword \(.) is not compared")),
    (select((.minLength // 0) > 0) | say("minLength \(.minLength)")),
    (select(has("default")) | say("default \(.default | tojson)")),
    (.enum[]? | say("enum \(tojson)")),
    (.required[]? | say("required \(.)")),
    (.properties // {} | to_entries[] | .key as $k | .value |
        facts($defs; "\($at).\($k)"; $seen)),
    (select(has("additionalProperties")) | .additionalProperties |
        if type == "object" then facts($defs; "\($at){}"; $seen)
        elif . then say("open") else say("closed") end),
    (.items // empty | facts($defs; "\($at)[]"; $seen)),
    (.allOf[]? | facts($defs; $at; $seen)),
    (select(has("not")) | say("not \(.not.required | sort | tojson)")),
    (.discriminator // empty | say("discriminator \(.propertyName)"),
        (.mapping | keys[] | say("mapping \(.)"))),
    ((.oneOf, .anyOf | arrays)[] | name_of($defs; $s.discriminator) as $l |
        facts($defs; "\($at)<\($l)>"; $seen));

. as $defs | $kinds[] | . as $k | $defs[$k] | facts($defs; $k; [$k])
EOF

facts() {
    jq -r --argjson kinds "$(cat "$work/kinds.json")" -f "$work/facts.jq" "$work/$1.json" \
        >"$work/facts"
    LC_ALL=C sort -u "$work/facts" >"$work/$1"
}

# Ours: all files as one map, the definition X of file F under "F#X".
for f in "$top"/share/schema/*.json; do
    jq --arg file "$(basename "$f" .json)" '
        def absolute: if startswith("#") then $file + . else . end |
            sub("\\.json"; "") | sub("#/definitions/"; "#");
        walk(if type != "object" then . else
            (if has("$ref") then ."$ref" |= absolute else . end) |
            (if has("mapping") then .mapping |= map_values(absolute) else . end) end) |
        {($file): del(.definitions)} +
            (.definitions // {} | with_entries(.key |= "\($file)#\(.)"))' "$f"
done | jq -s add >"$work/ours.json"
# A kind is what has a kind and metadata of its own.
cat >"$work/kinds.jq" <<'EOF'
[to_entries[] | select(.value.properties | .kind? and .metadata?) | .key |
    select(contains("#") or endswith("List") | not)] | sort
EOF
jq -f "$work/kinds.jq" "$work/ours.json" >"$work/kinds.json"
facts ours

if [ ! -e "$contract" ]; then
    echo "contract.sh: $contract is missing: nothing is compared" >&2
    exit 0
fi
jq '.components.schemas | walk(if type != "object" then . else
        (if has("$ref") then ."$ref" |= sub(".*/"; "") else . end) |
        (if has("mapping") then .mapping |= map_values(sub(".*/"; "")) else . end) end)' \
    "$contract" >"$work/theirs.json"
facts theirs
for k in ours theirs; do
    jq -r -f "$work/kinds.jq" "$work/$k.json" | jq -r '.[] + " kind"' >>"$work/$k"
    LC_ALL=C sort -o "$work/$k" "$work/$k"
done

{
    LC_ALL=C comm -23 "$work/theirs" "$work/ours" | sed 's/^/- /'
    LC_ALL=C comm -13 "$work/theirs" "$work/ours" | sed 's/^/+ /'
} | LC_ALL=C sort >"$work/differences"
sed -n '/^## Accepted differences of schemas/,/^## /s/^| `\([-+] .*\)` |.*/\1/p' \
    "$top/doc/contract.md" | sed 's/\\|/|/g' | LC_ALL=C sort >"$work/accepted"
# "+ PATH *" stands for a member of ours with all that is in it.
sed -n 's/^+ \(.*\) \*$/\1/p' "$work/accepted" | while read -r path; do
    awk -v path="$path" '{
        rest = substr($2, length(path) + 1)
        ours = $1 == "+" && index($2, path) == 1 && (rest == "" || rest ~ /^[.[{<]/)
        if (!ours) print
        else if (!n++) print "+ " path " *"
    }' "$work/differences" >"$work/folded"
    LC_ALL=C sort "$work/folded" >"$work/differences"
done

status=0
if LC_ALL=C comm -23 "$work/differences" "$work/accepted" | grep .; then
    echo "contract.sh: the lines above (-: the contract alone, +: ours alone) are not accepted" >&2
    status=1
fi
if LC_ALL=C comm -13 "$work/differences" "$work/accepted" | grep .; then
    echo "contract.sh: doc/contract.md accepts the lines above, but they are no differences" >&2
    status=1
fi
if [ $status = 0 ]; then
    echo "$(wc -l <"$work/theirs") facts of $(jq length "$work/kinds.json") kinds," \
        "$(wc -l <"$work/accepted") accepted differences"
fi
exit $status
