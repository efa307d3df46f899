# SPDX-License-Identifier: Apache-2.0
# Do answers fit an OpenAPI document? `jq -rR --slurpfile doc openapi.json -f answers.jq` reads lines
# of OPERATION, REQUEST, BODY, STATUS with tabs between, and prints what does not.

$doc[0].components.schemas as $defs |
([$doc[0].paths[][] | {key: .operationId, value: .}] | from_entries) as $ops |

def is($want): if $want == "integer" then type == "number" and . == floor else type == $want end;

# The branches of a oneOf: of several kinds of objects the one that the object says it is.
def branches($s): . as $v | $s.discriminator as $d |
    (($d | .mapping[$v[.propertyName]?]?) // null) as $ref | if $ref then {"$ref": $ref} else $s.oneOf[] end;

def errors($s; $at):
    . as $v |
    if $s | has("$ref") then errors($defs[$s."$ref" | ltrimstr("#/components/schemas/")]; $at)
    elif $v == null and $s.nullable then empty
    else
        (select($s.type and (is($s.type) | not)) | "\($at): is \(type), not \($s.type)"),
        (select($s.enum and ($s.enum | index([$v]) | not)) | "\($at): \(tojson) is not in the enum"),
        ($s.allOf[]? as $part | errors($part; $at)),
        (select($s.oneOf) | [branches($s) as $part | select([errors($part; $at)] == [])] |
            select(length != 1) | "\($at): fits \(length) of oneOf"),
        (select($s.anyOf) | select([$s.anyOf[] as $part | select([errors($part; $at)] == [])] == []) |
            "\($at): fits none of anyOf"),
        (select($s.not) | select([errors($s.not; $at)] == []) | "\($at): fits what it must not"),
        (select(type == "object") |
            ($s.required[]? as $r | select(has($r) | not) | "\($at).\($r): is missing"),
            (to_entries[] | .key as $k | .value as $m |
                if $s.properties[$k]? then $m | errors($s.properties[$k]; "\($at).\($k)")
                elif $s.additionalProperties == false then "\($at).\($k): is unknown"
                elif ($s.additionalProperties | type) == "object" then
                    $m | errors($s.additionalProperties; "\($at).\($k)")
                else empty end)),
        (select(type == "array" and $s.items) | to_entries[] | .key as $i | .value |
            errors($s.items; "\($at)[\($i)]")),
        (select(type == "string") |
            (select($s.maxLength and length > $s.maxLength) | "\($at): is too long"),
            (select($s.minLength and length < $s.minLength) | "\($at): is too short"),
            (select($s.format == "date-time" and
                (test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]+)?(Z|[+-][0-9:]{5})$") | not)) |
                "\($at): is no time")),
        (select(type == "number") |
            (select($s.minimum and . < $s.minimum) | "\($at): is too small"))
    end;

split("\t") | .[0] as $id | .[1] as $request | .[2] as $body | .[3] as $status |
$ops[$id].responses as $known | ($known[$status] // $known.default) as $response |
(if ($status | test("^[1-4]")) or ($status == "501" and $known["501"]) then empty else "is a failure" end,
    if $known[$status] or ($status | IN("405", "406", "413", "414", "431")) then empty else "is not in the document" end,
    if ($response.content["application/json"].schema | not) then
        select($status == "204" and $body != "") | "has a body"
    else $body | (fromjson? // "no JSON") | errors($response.content["application/json"].schema; "") end) |
"\($id): \($status) \(.)\n    \($request)\n    \($body[:600])"
