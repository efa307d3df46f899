# SPDX-License-Identifier: Apache-2.0
# Random requests from an OpenAPI document: `jq -c --argjson seed N --argjson count N -f random.jq
# openapi.json` prints {operation, method, url, type, body} for each. Most are nearly right: what is
# drawn follows the document, but for a value here and there, and names are those of a few resources.

.components.schemas as $defs |
[.paths | to_entries[] | .key as $path | .value | to_entries[] |
    {$path, method: .key, op: .value}] as $ops |

# A key is the state of a generator; all that is drawn follows from it.
def next: (. * 69069 + 1) % 4294967296;
def child($salt): ((. + $salt * 40503) % 4294967296) | next | next | next;
def below($n): (next | next | . / 65536 | floor) % $n;
def pick($list): $list[below($list | length)];

# Names by what stands in front of them in a path; the first ones are there from the start.
def names: {devices: ["d1", "d2", "d3", "d4"], fleets: ["f1", "f2", "f3"], repositories: ["r1", "r2"],
    resourcesyncs: ["s1", "s2"], enrollmentrequests: ["e1", "e2"], authproviders: ["p1", "p2"],
    certificatesigningrequests: ["c1", "c2"], templateversions: ["v1", "v2"]};
def odd: [null, 7, -1, 2147483648, 1.5, "", "x", "..", "a b", "{{ .metadata.name }}", "%s%n", "'\"",
    "\u0001\u007f", "☃", ("a" * 300), true, [], {}, [[]], {"a": {"b": null}}];
def texts: ["a", "web", "/etc/a", "quay.io/x/y:1", "10m", "50%", "https://a.example/r.git", "main",
    "0 3 * * *", "UTC", "True", "user", "1", "0.5", "80:80", "a.b/c", "flightctl.io/enrollment"];

def target: if has("$ref") then $defs[."$ref" | ltrimstr("#/components/schemas/")] | target else . end;
def flat: target | . as $s |
    reduce (.allOf[]? | flat) as $part ($s | del(.allOf); . as $all |
        $part * $all + {required: (($part.required // []) + ($all.required // []) | unique)});

def value($schema; $key; $name; $depth):
    ($schema | flat) as $s |
    if $key | child(1) | below(60) == 0 then $key | child(2) | pick(odd)
    elif $s.enum then $key | child(3) | pick($s.enum)
    elif $s.oneOf then
        ($key | child(4) | pick($s.oneOf)) as $one | ($one | flat) as $o |
        value($s * $o | del(.oneOf) | .required = (($s.required // []) + ($o.required // []));
            $key | child(5); $name; $depth) |
        if $s.discriminator and type == "object" then
            .[$s.discriminator.propertyName] = ([$s.discriminator.mapping | to_entries[] |
                select(.value == $one."$ref") | .key][0]) else . end
    elif $s.type == "object" or $s.properties then
        reduce (($s.properties // {}) | to_entries | to_entries[]) as $m ({};
            ($key | child(10 + $m.key)) as $k | ($s.required // [] | index([$m.value.key])) as $needed |
            if (if $needed then ($k | child(1) | below(60)) > 0
                else $depth > 0 and ($k | child(1) | below(2)) > 0 end) then
                .[$m.value.key] = value($m.value.value; $k; $m.value.key; $depth - 1)
            else . end) |
        if ($s.additionalProperties | type) == "object" and $depth > 0 then
            .[$key | child(6) | pick(["a", "site", "a/b", "-"])] =
                value($s.additionalProperties; $key | child(7); "a"; $depth - 1) else . end |
        if $key | child(8) | below(80) == 0 then .unknown = 1 else . end
    elif $s.type == "array" then
        [range($key | child(6) | below(3)) as $i | value($s.items; $key | child(20 + $i); $name; $depth - 1)]
    elif $s.type == "integer" then $key | child(6) | pick([0, 1, 2, 10, 420])
    elif $s.type == "number" then $key | child(6) | pick([1, 50, 99.5])
    elif $s.type == "boolean" then $key | child(6) | below(2) == 0
    elif $s.format == "date-time" then "2026-05-04T03:02:01Z"
    elif $s.format == "byte" then $ENV.CSR | @base64
    elif $name == "csr" then $ENV.CSR
    elif $name == "name" then $key | child(6) | pick([names[][0]])
    elif $name == "resourceVersion" then $key | child(6) | pick(["1", "2", "3"])
    elif $s.type == "string" then $key | child(6) | pick(texts)
    else $key | child(6) | pick(odd) end;

def parameter($p; $key):
    if $p.schema.type == "integer" then $key | pick(["0", "1", "3", "1000", "1001", "-1", "x"])
    elif $p.schema.type == "boolean" then $key | pick(["true", "false", "true", "maybe"])
    elif $p.schema.enum then $key | pick($p.schema.enum + ["other"])
    else $key | pick({
        labelSelector: ["a=b", "site", "!site", "site in (a,b)", "site notin (x)", "==", "a=b,", "(a,b)=(c,d)"],
        fieldSelector: ["metadata.name=d1", "metadata.name in (d1,f1)", "metadata.owner",
            "metadata.creationTimestamp>2026-01-01T00:00:00Z", "no.such=x", "reason=ResourceCreated", "="],
        continue: ["", "x", "eyJWZXJzaW9uIjoxfQ==", "e30="],
        org_id: ["00000000-0000-0000-0000-000000000000", "", "x"],
        cveId: ["CVE-1", "x"], csr: ["c1", "x", ""], view: ["lastSeen", "rendered", "all"],
        knownRenderedVersion: ["0", "1", "99", "x", ""]}[$p.name] // ["x"]) end;

def odd_parts: ["%00", "%2e%2e", "%ff", "a%2Fb", ("a" * 300)];

def url($o; $key):
    reduce ($o.op.parameters // [] | to_entries[] | select(.value.in == "path")) as $p ($o.path;
        ($key | child(30 + $p.key)) as $k |
        (capture("/(?<kind>[a-z]+)/[{]").kind as $kind | if $p.value.name == "appname" then "web"
            elif $k | child(1) | below(30) == 0 then $k | child(2) | pick(odd_parts)
            else $k | child(3) | pick(names[$kind] // ["x"]) end) as $part |
        sub("[{][a-z]+[}]"; $part)) +
    ([$o.op.parameters // [] | to_entries[] | select(.value.in == "query") |
        .key as $i | .value as $p | ($key | child(50 + $i)) as $k |
        select(($k | child(1) | below(if $p.required then 20 elif $p.name == "org_id" then 1 else 3 end)) >
            if $p.required then 0 elif $p.name == "org_id" then (if $k | child(4) | below(15) == 0 then -1 else 0 end)
            else 1 end) |
        "\($p.name)=\(parameter($p; $k | child(2)) | @uri)"] | if . == [] then "" else "?" + join("&") end);

# Most of what is there stays.
def seldom: .op.operationId | test("^delete|^decommission");

range($count) as $i | ($seed + $i * 9973 | child(1)) as $key |
($key | child(2) | pick($ops)) as $o |
select(($o | seldom | not) or ($key | child(9) | below(6)) == 0) |
($o.op.requestBody.content // {} | to_entries[0]) as $content |
{operation: $o.op.operationId, method: ($o.method | ascii_upcase), url: url($o; $key | child(3)),
    type: $content.key,
    body: (if $content then value($content.value.schema; $key | child(4); ""; 5) |
        # Kinds are what they say, and patches mostly lead somewhere.
        if type == "object" and has("apiVersion") and ($key | child(5) | below(20)) > 0 then
            .apiVersion = "v1beta1" else . end |
        if type == "object" and (.metadata | type) == "object" and ($key | child(6) | below(10)) > 0 then
            .metadata.name = (url($o; $key | child(3)) | ltrimstr("/api/v1/") | sub("[?].*"; "") | split("/") |
                if length > 1 then .[1] else .[0] as $kind | $key | child(7) | pick(names[$kind]) end)
        else . end |
        if type == "array" and $content.key == "application/json-patch+json" then
            map(if type == "object" then .path = ($key | child(8) | pick(["/metadata/labels", "/spec", "/metadata/labels/a",
                "/status", "/metadata/resourceVersion", "/a/b", "x", "/spec/os"])) else . end) else . end
        else null end)}
