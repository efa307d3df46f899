# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# databases: both
# Revisions: what leaves one, what the past looks like.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# device NAME LABELS [SPEC]: a document.
device() {
    jq -nc --arg n "$1" --argjson l "$2" --argjson s "${3:-"{}"}" '{apiVersion:
        "flightctl.io/v1beta1", kind: "Device", metadata: {name: $n, labels: $l}, spec: $s}'
}
image() { printf '{"os":{"image":"quay.io/x/os:%s"}}' "$1"; }

# apply WHEN [OPTION ...]: standard input, by the clock of then.
apply() { at_time "$1" fc-apply "${@:2}" >/dev/null; }

names() { fc-select devices -q .metadata.name -o name "$@" | paste -sd' '; }

@test "--at shows resources as they were, deleted ones too and later ones not" {
    device a '{"site":"berlin"}' "$(image 1)" | apply -5h
    device b '{"site":"paris"}' | apply -5h
    device a '{"site":"paris"}' "$(image 2)" | apply -3h
    at_time -2h fc-delete -y device/b >/dev/null
    device c '{"site":"paris"}' | apply -1h
    same "" "$(names --at -6h)"
    same "a b" "$(names --at -4h)"
    same "a b" "$(names --at '2h30m ago')"
    same "a" "$(names --at -90m)"
    same "a c" "$(names --at now)"
    same "b" "$(names --at -4h -l site=paris)"
    same "a b" "$(names --at -150m -l site=paris)"
    same "a" "$(names --at -150m -l site=paris --limit 1)"
    expect 0 fc-select device/a --at -4h -o json
    same "$(device a '{"site":"berlin"}' "$(image 1)" |
        jq -Sc '.metadata.generation = 1')" "$(jq -Sc 'del(.metadata.creationTimestamp)' <<<"$output")"
    created=$(fc-select device/a -q .metadata.creationTimestamp -o name)
    for at in -4h -1h; do
        same "$created" "$(fc-select device/a --at $at -q .metadata.creationTimestamp -o name)"
    done
    same 2 "$(fc-select device/a --at -1h -q .metadata.generation)"
    expect 3 fc-select device/a --at -6h
    has "$stderr" 'there was no Device of name "a" at '
    expect 3 fc-select device/b --at -1h
    expect 0 fc-select device/b --at -3h
}

@test "what --at shows can be applied" {
    device a '{"site":"berlin"}' "$(image 1)" | apply -5h
    device a '{"site":"paris"}' "$(image 2)" | apply -3h
    expect 0 bash -o pipefail -c 'fc-select device/a --at -4h | fc-apply'
    same "berlin quay.io/x/os:1" "$(fc-select device/a -q \
        '"\(.metadata.labels.site) \(.spec.os.image)"' -o name)"
}

@test "times: RFC 3339, a day in UTC, words, so long ago; nothing else, and none to come" {
    device a '{}' | apply '@2026-05-04 03:02:01'
    for at in 2026-05-04T03:02:02Z 2026-05-04T05:02:02+02:00 2026-05-05 now today yesterday -1d1h2s \
        '1w ago'; do
        same a "$(at_time '@2026-07-01 12:00:00' fc-select devices --at "$at" \
            -q .metadata.name -o name)" || { echo "$at"; return 1; }
    done
    same "" "$(at_time '@2026-07-01 12:00:00' fc-select devices --at 2026-05-04)"
    for at in '' x -h 2h -2x -2h3 '-2h ago' 2026-13-01 2026-02-30 2026-05-04T03:02 12:00 2999-01-01 \
        -9999999999d tomorrow '--at'; do
        expect 2 fc-select devices --at "$at" || { echo "$at"; return 1; }
        has "$stderr" "is no time of the past"
    done
}

@test "a clock that was set back: revisions count, not times" {
    device a '{"n":"1"}' | apply -5h
    device a '{"n":"2"}' | apply -1h
    device a '{"n":"3"}' | apply -3h
    for at in -4h:1 -2h:3 -30m:3 now:3; do
        same "${at#*:}" "$(fc-select device/a --at "${at%:*}" -q .metadata.labels.n -o name)"
        same "${at#*:}" "$(fc-select devices --at "${at%:*}" -q .metadata.labels.n -o name)"
    done
}

@test "--at with field selectors: as the fields were then" {
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Repository", metadata: {name: "r"},
        spec: {type: "git", url: "https://h/x"}}' >r.json
    apply -5h <r.json
    sed 's/"r"/"other"/' r.json | apply -5h
    sed 's,h/x,h/y,' r.json | apply -3h
    at_time -2h fc-delete -y repository/r >/dev/null
    urls() { fc-select repositories -q .metadata.name -o name "$@" | paste -sd' '; }
    same "other r" "$(urls --at -4h --field-selector spec.url=https://h/x)"
    same "other" "$(urls --at -150m --field-selector spec.url=https://h/x)"
    same "r" "$(urls --at -150m --field-selector 'spec.url!=https://h/x,spec.type')"
    same "r" "$(urls --at -4h --field-selector 'spec.url=https://h/x,metadata.name notin (other)')"
    same "" "$(urls --at now --field-selector 'metadata.name contains r,spec.url=https://h/y')"
    device a '{"alias":"till"}' | apply -5h
    device b '{"site":"rome"}' | apply -4h
    device a '{"alias":"door"}' | apply -3h
    same "a" "$(names --at -4h --field-selector metadata.alias=till)"
    same "b" "$(names --at -2h --field-selector metadata.alias!=door -l site=rome)"
    same "a" "$(names --at -2h --field-selector \
        "metadata.creationTimestamp<$(date -u -d '-270 minutes' +%FT%TZ)")"
    same "a b" "$(names --at -2h --field-selector '!metadata.owner')"
    for field in status.summary.status=Online '!status.capabilities.osMode'; do
        expect 2 fc-select devices --at -2h --field-selector "$field"
        field=${field#!}
        same "fc-select: field selector: ${field%%=*}: what a status was is not kept" "$stderr"
    done
    expect 6 fc-select devices --at -2h --field-selector reason=x
    expect 2 fc-select labels --at -2h
}

@test "--at is for what users make, and shows what they made" {
    for kind in templateversions events; do
        expect 2 fc-select $kind --at -1h
        has "$stderr" "made by the system"
    done
    expect 2 fc-select devices --rendered --at -1h
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Repository", metadata: {name: "r"},
        spec: {type: "http", url: "https://x.example/", httpConfig: {username: "u",
        password: "geheim"}}}' | apply -2h
    expect 0 fc-select repository/r --at -1h -o json
    same '*****' "$(jq -r .spec.httpConfig.password <<<"$output")"
    hasnt "$(fc-select repositories --at -1h)" geheim
}

# --- fc-history -----------------------------------------------------------------------------------

# The list in short: "3 user:x updated spec, labels: why", a line each.
listed() {
    fc-history "$@" -q '"\(.rev) \(.actor) \(.change)\(if .fields then " " + (.fields | join(", "))
        else "" end)\(if .reason then ": " + .reason else "" end)"' -o name
}
me() { echo "user:$(id -un)"; }

@test "the list says who did what and why, the newest first, for deleted resources too" {
    device a '{"site":"berlin"}' | fc-apply -m 'first' >/dev/null
    device a '{"site":"paris"}' "$(image 2)" | fc-apply -m 'move it' >/dev/null
    device a '{"site":"paris"}' "$(image 2)" | fc-apply -m 'nothing new' >/dev/null
    device a '{"site":"paris"}' "$(image 3)" | fc-apply >/dev/null
    device a '{"site":"paris"}' "$(image 3)" | jq -c '.metadata.annotations = {note: "x"}' |
        fc-apply >/dev/null
    fc-delete -y -m sold device/a >/dev/null
    device a '{}' | fc-apply >/dev/null
    same "6 $(me) created
5 $(me) deleted: sold
4 $(me) updated annotations
3 $(me) updated spec
2 $(me) updated spec, labels: move it
1 $(me) created: first" "$(listed device/a)"
    same "6 5" "$(fc-history device/a --limit 2 -q .rev | paste -sd' ')"
    same 6 "$(fc-history device/a --limit 0 -q .rev | wc -l)"
    same '["1","3","3","3","2","1"]' "$(fc-history device a | jq -sc 'map(.generation | tostring)')"
    same "device/a@6" "$(fc-history device/a --limit 1 -o name)"
    expect 0 fc-history device/a -o table
    same "REV WHEN WHO WHAT GENERATION WHY" "$(head -1 <<<"$output" | xargs)"
    has "$output" "updated spec, labels"
    expect 3 fc-history device/b
    has "$stderr" 'Device of name "b" has no history'
    expect 2 fc-history templateversion/x/v1
    expect 2 fc-history device
    expect 2 fc-history
}

@test "what the system keeps leaves no revision" {
    device a '{"role":"shop"}' | fc-apply >/dev/null
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template: {spec: {os: {image: "quay.io/x/os:1"}}}
END
    fc-apply fleet.yaml >/dev/null
    sed -i 's/os:1/os:2/' fleet.yaml
    fc-apply fleet.yaml >/dev/null
    fc-work drain >/dev/null
    same Fleet/shops "$(fc-select device/a -q .metadata.owner -o name)"
    same 2 "$(fc-select templateversions | wc -l)"
    same "1 $(me) created" "$(listed device/a)"
    same "2 $(me) updated spec
1 $(me) created" "$(listed fleet/shops)"
    # An owner that was there when it was changed is told.
    device a '{"role":"shop","x":"y"}' | fc-apply >/dev/null
    same Fleet/shops "$(fc-select device/a --at now -q .metadata.owner -o name)"
    fc-delete -y templateversion/shops/v1 >/dev/null
    same 4 "$(store_sql 'SELECT count(*) FROM revision')"
}

@test "requests of agents count as theirs, and an approval tells who and why" {
    fc-sign ca init >/dev/null
    name=$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem 2>/dev/null &&
        echo device-1)
    openssl req -new -key k.pem -subj "/CN=$name" -out k.csr
    jq -nc --arg n "$name" --rawfile csr k.csr '{apiVersion: "flightctl.io/v1beta1",
        kind: "EnrollmentRequest", metadata: {name: $n}, spec: {csr: $csr, labels: {a: "b"}}}' |
        fc-apply -m asked >/dev/null
    fc-enroll approve -m 'seen on site' "$name" >/dev/null
    same "1 $(me) created: seen on site" "$(listed "device/$name")"
    same "1 $(me) created: asked" "$(listed "enrollmentrequest/$name")"
}

@test "--diff shows what changed between revisions, with its status" {
    device a '{"site":"berlin"}' "$(image 1)" | fc-apply >/dev/null
    device a '{"site":"berlin"}' "$(image 2)" | fc-apply >/dev/null
    device a '{"site":"paris"}' "$(image 2)" | fc-apply >/dev/null
    expect 1 fc-history device/a --diff
    same "--- device/a revision 2
+++ device/a revision 3
@@ -2,7 +2,7 @@
 kind: Device
 metadata:
   labels:
-    site: berlin
+    site: paris
   name: a
 spec:
   os:" "$output"
    expect 1 fc-history device/a --diff 2
    has "$output" "-    image: quay.io/x/os:1
+    image: quay.io/x/os:2"
    same "$output" "$(fc-history --diff 1..2 device/a || [ $? = 1 ])"
    expect 1 fc-history --diff device/a 1..
    same 2 "$(grep -c '^-  ' <<<"$output")"
    expect 1 fc-history device/a --diff 2..1
    has "$output" "+    image: quay.io/x/os:1"
    expect 1 fc-history device/a --diff 1
    has "$output" "--- device/a before it was created"
    expect 0 fc-history device/a --diff 3..3
    same "" "$output"
    fc-delete -y device/a >/dev/null
    expect 1 fc-history device/a --diff
    run ! grep '^+ ' <<<"$output"
    run script -qec 'fc-history device/a --diff' /dev/null </dev/null
    has "$output" $'\e[31m-'
    NO_COLOR=1 run script -qec 'fc-history device/a --diff' /dev/null </dev/null
    hasnt "$output" $'\e['
}

@test "wrong ranges and revisions change nothing and say why" {
    device a '{}' | fc-apply >/dev/null
    device a '{"x":"y"}' | fc-apply >/dev/null
    for range in .. . ... 1.2 0 ..2 1...2 1..2..3 99999999999999999999 1..99999999999999999999; do
        expect 2 fc-history device/a --diff "$range" || { echo "$range"; return 1; }
        has "$stderr" "is no range of revisions"
    done
    for range in 3 1..3 3.. 7..8; do
        expect 3 fc-history device/a --diff "$range" || { echo "$range"; return 1; }
        has "$stderr" "has revisions 1 to 2, and no"
    done
    expect 3 fc-history device/a --show 3
    expect 2 fc-history device/a --show 0
    expect 2 fc-history device/a --show x
    expect 2 fc-history device/a --limit -1
    expect 2 fc-history device/a --diff -o json
    expect 2 fc-history device/a --diff 1 --show 1
    expect 2 fc-history device/a device/b
    expect 2 fc-history device/a -n
    expect 2 fc-history undo device/a --limit 3
    expect 2 fc-history undo device/a --who x
    expect 2 fc-history undo device/a --since -1h
    expect 2 fc-history undo device/a --to 0
    expect 3 fc-history undo device/a --to 3
    expect 3 fc-history undo device/b
    expect 2 fc-history undo templateversion/a/v1
    # What else would be 1 is 8.
    printf '#!/bin/sh\nexit 2\n' >./diff
    chmod +x ./diff
    PATH=$T:$PATH expect 8 fc-history device/a --diff
    same 2 "$(fc-history device/a | wc -l)"
}

@test "--show gives a manifest that fc-apply takes" {
    device a '{"site":"berlin"}' "$(image 1)" | fc-apply >/dev/null
    device a '{"site":"paris"}' "$(image 2)" | fc-apply >/dev/null
    expect 0 fc-history device/a --show 1 -o json
    same "$(device a '{"site":"berlin"}' "$(image 1)" | jq -Sc .)" "$output"
    fc-history device/a --show 1 -o yaml >a.yaml
    expect 0 fc-apply a.yaml
    expect 0 fc-history device/a --diff 1..3
    fc-delete -y device/a >/dev/null
    expect 3 fc-history device/a --show 4
    has "$stderr" "is its deletion"
}

# --- undo -----------------------------------------------------------------------------------------

now() { fc-select "$1" -q 'del(.status) | .metadata |= {name, labels, annotations}' -o json; }

@test "undo brings back the revision before the last, or another one" {
    device a '{"site":"berlin"}' "$(image 1)" | fc-apply >/dev/null
    one=$(now device/a)
    device a '{"site":"berlin"}' "$(image 2)" | jq -c '.metadata.annotations = {a: "b"}' |
        fc-apply >/dev/null
    two=$(now device/a)
    device a '{"site":"paris","x":"y"}' "$(image 3)" | fc-apply >/dev/null
    three=$(now device/a)
    expect 0 fc-history undo -n device/a
    has "$output" "+    site: berlin"
    has "$output" "device/a updated: as revision 2 (dry run)"
    same "$three" "$(now device/a)"
    expect 0 fc-history undo -m wrong device/a
    same "device/a updated: as revision 2" "$output"
    same "$two" "$(now device/a)"
    same "4 $(me) updated spec, labels: wrong" "$(listed device/a --limit 1)"
    expect 0 fc-history undo device/a -o json
    same '{"change":"updated","detail":"as revision 3","kind":"Device","name":"a"}' "$output"
    same "$three" "$(now device/a)"
    same "5 $(me) updated spec, labels: undone: as revision 3" "$(listed device/a --limit 1)"
    expect 0 fc-history undo --to 1 device/a
    same "$one" "$(now device/a)"
    expect 0 fc-history undo --to 1 device/a
    same "device/a unchanged: as revision 1" "$output"
    same 6 "$(fc-history device/a | wc -l)"
    same "" "$(fc-select devices -l x)"
    same a "$(fc-select devices -l site=berlin -q .metadata.name -o name)"
}

@test "undo has the effects of a change" {
    device a '{"role":"shop"}' | fc-apply >/dev/null
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "shops"},
        spec: {selector: {matchLabels: {role: "shop"}},
        template: {spec: {os: {image: "quay.io/x/os:1"}}}}}' >fleet.json
    fc-apply fleet.json >/dev/null
    fc-work drain >/dev/null
    sed 's/os:1/os:2/' fleet.json | fc-apply >/dev/null
    fc-work drain >/dev/null
    image_of() { fc-select device/a --rendered -q .spec.os.image -o name; }
    before=$(fc-select events | wc -l)
    fc-history undo fleet/shops >/dev/null
    fc-work drain >/dev/null
    same quay.io/x/os:1 "$(fc-render a -q .spec.os.image -o name)"
    same 3 "$(fc-select fleet/shops -q .metadata.generation)"
    [ "$(fc-select events | wc -l)" -gt "$before" ]
    # A label that is undone takes the device out of the fleet.
    device a '{"role":"other"}' | fc-apply >/dev/null
    same null "$(fc-select device/a -q .metadata.owner)"
    fc-history undo device/a >/dev/null
    same Fleet/shops "$(fc-select device/a -q .metadata.owner -o name)"
}

@test "a deleted resource comes back as old as it was; what was created goes, when asked" {
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "shops"},
        spec: {selector: {matchLabels: {role: "shop"}},
        template: {spec: {os: {image: "quay.io/x/os:1"}}}}}' >fleet.json
    apply -3h <fleet.json
    sed 's/"shops"/"more"/; s/os:1/os:2/' fleet.json | apply -2h
    device a '{"role":"shop"}' | apply -1h
    fc-work drain >/dev/null
    before=$(fc-select fleet/shops -q .metadata.creationTimestamp -o name)
    same Fleet/more "$(fc-select device/a -q .metadata.owner -o name)"
    fc-delete -y fleet/shops >/dev/null
    expect 0 fc-history undo fleet/shops
    same "fleet/shops restored: as revision 1" "$output"
    same "$before" "$(fc-select fleet/shops -q .metadata.creationTimestamp -o name)"
    same Fleet/more "$(fc-select device/a -q .metadata.owner -o name)"
    fc-work drain >/dev/null
    same quay.io/x/os:2 "$(fc-render --latest a -q .spec.os.image -o name)"
    same "3 $(me) restored: undone: as revision 1" "$(listed fleet/shops --limit 1)"
    # Back to when it was deleted, or not there yet, is a deletion.
    expect 2 fc-history undo fleet/shops </dev/null
    has "$stderr" "-y"
    run script -qec 'fc-history undo fleet/shops' /dev/null <<<n
    has "$output" "Delete fleet/shops? [y/N]"
    has "$output" "nothing was undone"
    fc-select fleet/shops >/dev/null
    run script -qec 'fc-history undo fleet/shops' /dev/null <<<y
    has "$output" "fleet/shops deleted"
    expect 3 fc-select fleet/shops
    expect 0 fc-history undo -y device/a
    same "device/a deleted" "$output"
    expect 0 fc-history undo -y device/a --to 2
    same "device/a unchanged" "$output"
    expect 0 fc-history undo -y device/a
    same "device/a restored: as revision 1" "$output"
    # A new one of the name counts on, and is another one.
    sed 's/os:1/os:3/' fleet.json | fc-apply >/dev/null
    same "5 $(me) created" "$(listed fleet/shops --limit 1)"
    expect 0 fc-history undo --to 1 fleet/shops
    same "fleet/shops updated: as revision 1" "$output"
}

@test "an undo that came too late is a conflict; one of many at once wins" {
    device a '{}' "$(image 1)" | fc-apply >/dev/null
    device a '{}' "$(image 2)" | fc-apply >/dev/null
    # The question is answered after somebody else has changed it.
    device b '{}' | fc-apply >/dev/null
    {
        wait_for grep -q 'y/N' out
        device b '{"x":"y"}' | fc-apply >/dev/null
        echo y
    } | timeout 60 script -qefc 'fc-history undo device/b' out >/dev/null || [ $? = 4 ]
    grep -q 'was changed meanwhile: revision 2 came after 1' out
    fc-select device/b >/dev/null
    # Writers at once: each change has its revision, in order, and none is lost.
    for i in 1 2 3 4 5 6 7 8; do
        { fc-history undo device/a || [ $? = 4 ]; } >/dev/null 2>&1 &
        device a "{\"n\":\"$i\"}" "$(image 2)" | fc-apply >/dev/null &
    done
    wait
    n=$(fc-history device/a | wc -l)
    same "$(seq "$n" -1 1)" "$(fc-history device/a -q .rev)"
    same "$(fc-history device/a --show "$n" -q '.spec, .metadata.labels')" \
        "$(fc-select device/a -q '.spec, .metadata.labels')"
}

@test "what a resource sync manages is undone there" {
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "shops"},
        spec: {selector: {matchLabels: {role: "shop"}}, template: {spec: {}}}}' |
        fc-apply >/dev/null
    store_sql "UPDATE revision SET owner = 'ResourceSync/git'"
    expect 4 fc-history undo -y fleet/shops
    has "$stderr" "is managed by ResourceSync/git"
    fc-select fleet/shops >/dev/null
}

@test "undo --since takes back what one person applied, and nothing else" {
    device a '{}' "$(image 1)" | apply -5h
    device gone '{"was":"here"}' | apply -5h
    device other '{}' | apply -5h
    device a '{}' "$(image 2)" | apply -1h
    device a '{}' "$(image 3)" | apply -1h
    device new '{}' | apply -1h
    at_time -1h fc-delete -y device/gone >/dev/null
    before=$(fc-select devices)
    expect 2 fc-history undo --since -2h </dev/null
    expect 0 fc-history undo -n --since -2h
    same "device/a updated: as revision 1 (dry run)
device/gone restored: as revision 1 (dry run)
device/new deleted (dry run)" "$(sort <<<"$output")"
    same "$before" "$(fc-select devices)"
    expect 3 fc-history undo -y --since -2h --who nobody
    expect 3 fc-history undo -y --since -2m
    run script -qec 'fc-history undo --since -2h' /dev/null <<<y
    has "$output" "Undo the changes of device/"
    same "a gone other" "$(names)"
    same quay.io/x/os:1 "$(fc-select device/a -q .spec.os.image -o name)"
    same here "$(fc-select device/gone -q .metadata.labels.was -o name)"
    # To repeat it is safe.
    expect 0 fc-history undo -y --since -2h
    same "" "$output"
    expect 0 fc-history undo -y --since -2h --who "$(id -un)"
    same "" "$output"
}

@test "a mistaken apply of hundreds is taken back in chunks" {
    all() { jq -nc --arg s "$1" 'range(300) | {apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: "d\(.)", labels: {site: $s}}, spec: {}}'; }
    all berlin | apply -5h
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "berlin"},
        spec: {selector: {matchLabels: {site: "berlin"}}, template: {spec: {}}}}' | apply -4h
    all paris | fc-apply -m oops >/dev/null
    fc-delete -y fleet/berlin >/dev/null
    expect 0 fc-history undo -y --since -1h
    same 301 "${#lines[@]}"
    same 300 "$(fc-select devices -l site=berlin | wc -l)"
    same 300 "$(fc-select devices -q 'select(.metadata.owner == "Fleet/berlin")' | wc -l)"
    expect 0 fc-history undo -y --since -1h
    same "" "$output"
}

@test "undo --since does not take back what others changed, too" {
    device a '{}' "$(image 1)" | apply -5h
    device b '{}' "$(image 1)" | apply -5h
    device a '{}' "$(image 2)" | apply -1h
    device b '{}' "$(image 2)" | apply -1h
    store_sql "UPDATE revision SET actor = 'user:anna' WHERE rev = 2"
    device a '{}' "$(image 3)" | fc-apply >/dev/null
    expect 4 fc-history undo -y --since -2h --who anna
    has "$stderr" 'Device of name "a" was changed by others, too, since revision 2'
    same quay.io/x/os:2 "$(fc-select device/b -q .spec.os.image -o name)"
    expect 0 fc-history undo -y --since -2h --who user:anna --partial
    same "device/b updated: as revision 1" "$output"
    has "$stderr" 'Device of name "a" was changed by others'
    same quay.io/x/os:3 "$(fc-select device/a -q .spec.os.image -o name)"
}

@test "undo --since says what a clock that was set back means" {
    device a '{}' "$(image 1)" | apply -5h
    device a '{}' "$(image 2)" | apply -1h
    device a '{}' "$(image 3)" | apply -3h
    for who in "" "--who=$(id -un)"; do
        # shellcheck disable=SC2086 # a word or none
        expect 4 fc-history undo -y --since -2h $who
        same "fc-history: Device of name \"a\": revisions after 2 are of an earlier time, since\
 a clock was set back: it is to be undone by itself, with --to" "$stderr"
    done
    expect 0 fc-history undo --to 1 device/a
    same quay.io/x/os:1 "$(fc-select device/a -q .spec.os.image -o name)"
}

@test "credentials are not shown, and come back" {
    repo() { jq -nc --arg p "$1" '{apiVersion: "flightctl.io/v1beta1", kind: "Repository",
        metadata: {name: "r"}, spec: {type: "http", url: "https://x.example/",
        httpConfig: {username: "u", password: $p}}}'; }
    repo geheim-1 | fc-apply >/dev/null
    stored() { store_sql "SELECT spec FROM resource WHERE name = 'r'"; }
    first=$(stored)
    repo geheim-2 | fc-apply >/dev/null
    expect 1 fc-history repository/r --diff
    same "Credentials differ, which are not shown." "$output"
    hasnt "$(fc-history repository/r --show 1; fc-history repository/r)" geheim
    expect 0 fc-history undo -n repository/r
    hasnt "$output" geheim
    fc-history undo repository/r >/dev/null
    same "$first" "$(stored)"
    fc-delete -y repository/r >/dev/null
    fc-history undo repository/r >/dev/null
    same "$first" "$(stored)"
}

@test "organizations have histories of their own" {
    fc-apply >/dev/null <<<'{"apiVersion":"flightctl.io/v1beta1","kind":"Organization",
        "metadata":{"name":"acme"},"spec":{}}'
    device a '{}' "$(image 1)" | fc-apply >/dev/null
    device a '{}' "$(image 2)" | fc-apply --org acme >/dev/null
    device a '{}' "$(image 3)" | fc-apply --org acme >/dev/null
    same 1 "$(fc-history device/a | wc -l)"
    same 2 "$(fc-history --org acme device/a | wc -l)"
    fc-history undo --org acme device/a >/dev/null
    same quay.io/x/os:2 "$(fc-select --org acme device/a -q .spec.os.image -o name)"
    same quay.io/x/os:1 "$(fc-select device/a -q .spec.os.image -o name)"
    same acme "$(fc-select organizations --at now -q .metadata.name -o name | grep acme)"
    same "1 $(me) created" "$(listed --org acme organization/acme)"
}

@test "a long history and a large document" {
    device a '{"n":"1"}' | fc-apply >/dev/null
    store_sql "INSERT INTO revision (org, kind, name, uid, generation, at, actor, doc, created, rev)
        WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < 10000)
        SELECT r.org, r.kind, r.name, r.uid, 1, r.at + c.i, r.actor,
            '{\"annotations\":{},\"labels\":{\"n\":\"' || c.i || '\"},\"spec\":{}}', r.created, c.i
        FROM revision r CROSS JOIN c"
    same 10000 "$(fc-history device/a | wc -l)"
    same "10000 9999" "$(fc-history device/a --limit 2 -q .rev | paste -sd' ')"
    expect 1 fc-history device/a --diff 17..9000
    has "$output" '+    "n": "9000"'
    same '"10000"' "$(fc-select devices --at now -q .metadata.labels.n)"
    fc-history undo device/a --to 5000 >/dev/null
    same '"5000"' "$(fc-select device/a -q .metadata.labels.n)"
    same "10001 updated" "$(fc-history device/a --limit 1 -q '"\(.rev) \(.change)"' -o name)"
    big() {
        jq -nc --arg x "$1" '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: "big"}, spec: {config: [range(40) | {name: "c\(.)", inline:
            [{path: "/etc/\(.)", content: ("0123456789abcde\n" * 5000 + (if . == 3 then $x else ""
            end))}]}]}}'
    }
    big one | fc-apply >/dev/null
    big two | fc-apply >/dev/null
    expect 1 fc-history device/big --diff
    has "$output" "-        one
+        two"
    fc-history undo device/big >/dev/null
    same "$(big one | jq -Sc .spec)" "$(fc-select device/big | jq -Sc .spec)"
}

@test "a reason or a name that is not UTF-8 is refused on every database" {
    bad=$'x\377'
    echo '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"utf"}}' >utf.json
    expect 6 fc-apply -m "$bad" utf.json
    has "$stderr" "a text that is not UTF-8"
    expect 3 fc-select device/utf
    expect 0 fc-apply utf.json
    expect 6 fc-patch device/utf -m "$bad" -p '{"metadata":{"labels":{"a":"b"}}}'
    expect 6 fc-history undo -n --since -1h --who "$bad"
    for name in "device/$bad" "event --of device/$bad" "device --org $bad"; do
        # shellcheck disable=SC2086 # words
        expect 6 fc-select $name
    done
    expect 0 fc-select device/utf
    same 1 "$(fc-history device/utf -q .rev)"
}
