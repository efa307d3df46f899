# SPDX-License-Identifier: Apache-2.0
# From a schema to documents that break it once: `jq -nc --argjson schemas {NAME: SCHEMA, ...}
# --arg kind KIND --arg csr PEM --argjson picks N -f broken.jq`, with the first N branches of each
# oneOf, prints {path, what, doc} for each required member that is missing,
# each value of another type, each text that is too long and each that is none of the allowed words.

# What a reference in file $file names: {file, schema}.
def target($file):
    ."$ref" as $ref | ($ref | split("#")) as $p |
    (if $p[0] == "" then $file else $p[0] | rtrimstr(".json") end) as $f |
    {file: $f, schema: (if $p[1] then $schemas[$f].definitions[$p[1] | ltrimstr("/definitions/")]
        else $schemas[$f] end)};

# A schema with references followed and allOf merged; of oneOf the branch $pick (a number modulo how
# many there are). Members keep the file that they stand in.
def flat($file; $pick):
    . as $s |
    def marked: if .properties then .properties |= map_values(. + {"@file": $file}) else . end |
        if .items then .items += {"@file": $file} else . end |
        if (.additionalProperties | type) == "object" then
            .additionalProperties += {"@file": $file} else . end;
    def merged($a; $b): $a * $b + {required: (($a.required // []) + ($b.required // []) | unique)} +
        if $a.enum then {enum: $a.enum} else {} end;
    reduce ((if has("$ref") then target($file) | .file as $f | .schema | flat($f; $pick)
            else empty end),
        (.allOf[]? | flat($file; $pick)),
        (.oneOf // empty | .[$pick % length] as $one | $one | flat($file; $pick) |
            if $s.discriminator then .properties[$s.discriminator.propertyName].enum =
                [$s.discriminator.mapping | to_entries[] | select(.value == $one."$ref") | .key]
            else . end)) as $part
        ($s | del(."$ref", .allOf, .oneOf) | marked; merged(.; $part));

# A good text for each check and pattern that wants more than letters.
def text($s; $word):
    if $s.enum then $s.enum[0]
    elif $s["x-check"] then {
        "absolute": "/a", "file-path": "/etc/a", "folder-path": "/etc/a", "disk-path": "/var",
        "mount-path": "/a", "cron": "0 3 * * *", "time-zone": "UTC", "percentage": "50%",
        "duration": "10m", "url": "https://a.example", "git-url": "https://a.example/r",
        "url-or-none": "https://a.example", "ports": "80:80",
        "signer": "flightctl.io/enrollment"}[$s["x-check"]] // $word
    elif $s.format == "byte" then $csr | @base64
    elif $s.format == "date-time" then "2026-05-04T03:02:01Z"
    else $word end;

# A good value. $deep bounds what is optional, so that documents stay small.
def good($file; $pick; $deep; $name):
    flat($file; $pick) as $s | ($s["@file"] // $file) as $f |
    if $s.type == "object" or $s.properties then
        reduce ($s.properties // {} | to_entries[]) as $m ({};
            if ($m.value.readOnly or $m.value.items.readOnly | not) and ($deep > 0 or ($s.required | index([$m.key]))) then
                .[$m.key] = ($m.value | good($m.value["@file"] // $f; $pick; $deep - 1; $m.key))
            else . end) |
        if $s.not then delpaths([$s.not.required[1:][] | [.]]) else . end |
        if $s["x-check"] | IN("os", "volume-image") then del(.catalogItemRef) else . end |
        if $s["x-check"] == "http-auth" then del(.token) else . end
    elif $s.type == "array" then
        [$s.items | good($s.items["@file"] // $f; $pick; $deep - 1; $name)]
    elif $s.type == "integer" or $s.type == "number" then 1
    elif $s.type == "boolean" then true
    elif $name == "csr" then $csr
    elif $name == "cpu" and ($s.enum | not) then "0.5"
    elif $name == "memory" and ($s.enum | not) then "256m"
    elif $name == "timeout" then "30s"
    elif $name == "unit" then "a.service"
    else text($s; "a") end;

def wrong($types): if $types == "string" then {a: 1} elif $types == "object" then "x"
    elif $types == "array" then "x" else {x: "y"} end;

# What can be broken at a value of schema $s: {path, how, what}; path as getpath takes it.
def breaks($file; $pick; $path; $depth):
    flat($file; $pick) as $s |
    (select($s.type and ($path | length > 1)) |
        {$path, set: wrong($s.type), what: "type"}),
    ($s.required[]? | {path: ($path + [.]), del: true, what: "required"}),
    (select($s.enum and ($path | length > 1)) | {$path, set: "no-such-word", what: "enum"}),
    (select($s.maxLength) | {$path, set: ("a" * ($s.maxLength + 1)), what: "length"}),
    (select($s.minItems) | {$path, set: [], what: "items"}),
    (select($depth > 0) |
        (($s.properties // {}) | to_entries[] | select(.value.readOnly | not) | .key as $k |
            .value | breaks(.["@file"] // $file; $pick; $path + [$k]; $depth - 1)),
        (select($s.items) | $s.items | select(.readOnly | not) | breaks(.["@file"] // $file; $pick; $path + [0]; $depth - 1)));

def shown: reduce .[] as $k (""; if ($k | type) == "number" then "\(.)[\($k)]"
    elif . == "" then $k else "\(.).\($k)" end);

$schemas[$kind] as $s |
range($picks) as $pick |
(($s | del(.properties.status) | good($kind; $pick; 9; "")) + {metadata: {name: "x"}}) as $doc |
[$s | del(.properties.status) | breaks($kind; $pick; []; 12)] | unique_by([.path, .what]) | .[] |
select(.path[0] != "metadata" and (.path | length > 0)) |
# A volume with both may lose one of them.
select(.what != "required" or (.path[-3:-1] != ["volumes", 0])) |
. as $b |
# The break must meet something: the member, or where it would be.
select([$doc | getpath(if $b.del then $b.path[:-1] else $b.path end)?] | .[0] != null) |
{path: ($b.path | shown), what: $b.what,
    doc: ($doc | if $b.del then delpaths([$b.path]) else setpath($b.path; $b.set) end)}
