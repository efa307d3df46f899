# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-apply: what it makes of good and of bad input.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata:
  name: shops
  labels: {team: retail}
spec:
  selector:
    matchLabels: {role: shop}
  template:
    spec:
      os: {image: "quay.io/x/os:1"}
      config:
        - name: motd
          inline:
            - path: /etc/motd
              mode: 0644
              content: "Welcome to {{ .metadata.labels.site }}\n"
END
}
teardown() { fc_teardown; }

# All of the store but the counters that a mere attempt may move.
dump() { store_dump; }

# device NAME [LABELS [SPEC]]: a Device as a line of JSON.
device() {
    jq -nc --arg n "$1" --argjson l "${2:-null}" --argjson s "${3:-{\}}" '{apiVersion:
        "flightctl.io/v1beta1", kind: "Device", metadata: ({name: $n} + if $l then {labels: $l}
        else {} end), spec: $s}'
}

# refused FILE [TEXT ...]: status 6, one line each on stderr, which has the texts; nothing changed.
refused() {
    local file=$1 before text

    shift
    before=$(dump)
    expect 6 fc-apply -f "$file"
    same "" "$output"
    for text; do has "$stderr" "$text"; done
    [ "$(grep -vc '^fc-apply: ' <<<"$stderr")" = 0 ]
    same "$before" "$(dump)"
}

@test "created, unchanged, updated; a line each" {
    expect 0 fc-apply -f fleet.yaml
    same "fleet/shops created" "$output"
    same "" "$stderr"
    before=$(dump)
    expect 0 fc-apply fleet.yaml
    same "fleet/shops unchanged" "$output"
    same "$before" "$(dump)"
    sed -i 's/os:1/os:2/' fleet.yaml
    expect 0 fc-apply <fleet.yaml
    same "fleet/shops updated" "$output"
    same '[2,"2"]' "$(fc-select fleet/shops -q '[.metadata.generation, .metadata.resourceVersion]')"
}

@test "a dry run says the same and changes nothing" {
    before=$(dump)
    expect 0 fc-apply -n fleet.yaml
    same "fleet/shops created (dry run)" "$output"
    same "$before" "$(dump)"
    expect 0 fc-apply -n fleet.yaml -o json
    same '{"change":"created","dryRun":true,"kind":"Fleet","name":"shops"}' "$output"
}

@test "output formats" {
    expect 0 fc-apply fleet.yaml -o json
    same '{"change":"created","kind":"Fleet","name":"shops"}' "$output"
    expect 0 fc-apply fleet.yaml -o name
    same fleet/shops "$output"
    expect 0 fc-apply fleet.yaml -q .change -o name
    same unchanged "$output"
    expect 0 fc-apply fleet.yaml -o table
    has "${lines[0]}" "KIND "
    has "${lines[1]}" "unchanged"
    expect 2 fc-apply fleet.yaml -o nonsense
    expect 2 fc-apply fleet.yaml -q 'nonsense('
    same 1 "${#stderr_lines[@]}"
}

@test "files, folders, standard input, streams and lists" {
    mkdir d
    device a >d/2.json
    device b >d/1.yaml
    device c >d/3.yml
    device x >d/ignored.txt
    device x >d/.hidden.yaml
    mkdir d/sub.yaml
    expect 0 fc-apply d -f fleet.yaml
    same "fleet/shops created
device/b created
device/a created
device/c created" "$output"
    { device d; device e; } >stream
    expect 0 fc-apply - <stream
    same "device/d created
device/e created" "$output"
    { echo '{"kind":"DeviceList","items":['; device f; echo ,; device g; echo ']}'; } >list
    expect 0 fc-apply list
    same "device/f created
device/g created" "$output"
    for list in '{"kind":"DeviceList"}' '{"kind":"List","items":{}}' 'kind: FleetList'; do
        echo "$list" >list
        expect 6 fc-apply list
        same "fc-apply: list:1: items: must be a list" "$stderr"
    done
    # Lists beside others, with line breaks, and one in a list.
    { device s1; echo '{"items" : ['; device s2; echo ' , '; device s3; echo '],"kind":"List"}'
        echo '{"kind":"List","items":[]} {"kind":"List","items":[{"kind":"List"}]}'; } >list
    expect 6 fc-apply list
    same "fc-apply: list:7: items: must be a list" "$stderr"
    sed -i '$d' list
    sed 's/"s3"/""/' list >bad
    expect 6 fc-apply bad
    has "$stderr" "fc-apply: bad:5: metadata.name: "
    expect 0 fc-apply list
    same 3 "${#lines[@]}"
    printf -- '---\n%s\n---\n%s\n---\n' "$(device h)" "$(device i)" >two.yaml
    expect 0 fc-apply two.yaml
    same 2 "${#lines[@]}"
}

@test "missing and unreadable input" {
    before=$(dump)
    expect 3 fc-apply missing.yaml
    has "$stderr" "fc-apply: missing.yaml: "
    expect 3 fc-apply fleet.yaml missing.yaml
    mkdir empty
    expect 6 fc-apply empty
    same "fc-apply: empty: no *.yaml, *.yml or *.json file in this folder" "$stderr"
    : >nothing.yaml
    expect 6 fc-apply nothing.yaml
    same "fc-apply: nothing.yaml: no documents" "$stderr"
    printf '# only a comment\n---\n' >nothing.yaml
    expect 6 fc-apply nothing.yaml
    expect 6 fc-apply </dev/null
    has "$stderr" "(stdin)"
    same "$before" "$(dump)"
}

@test "YAML and JSON that are broken are refused with the line" {
    printf 'kind: Fleet\nmetadata: {name: x\n' >bad.yaml
    refused bad.yaml "bad.yaml:3: "
    printf 'a: 1\nb: 2\na: 3\n' >bad.yaml
    refused bad.yaml "bad.yaml:3: "
    printf '{"kind":"Fleet",\n"kind":"Fleet"}' >bad.json
    refused bad.json "bad.json:2:"
    printf '{"a": "\xff"}' >bad.json
    refused bad.json "bad.json:1:"
    printf '{"a": 9007199254740993}' >bad.json
    refused bad.json "bad.json:1:"
    printf 'a: !!python/object:os.system {}\n' >bad.yaml
    refused bad.yaml "bad.yaml:1: "
    printf '\0\0\0' >bad.yaml
    refused bad.yaml "bad.yaml:1: "
    head -c 100000 /dev/zero | tr '\0' '[' >deep.json
    refused deep.json "deep.json:1:"
    {
        echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'
        for i in b c d e f g h i; do echo "$i: &$i [*${p:-a},*${p:-a},*${p:-a},*${p:-a},*${p:-a},*${p:-a},*${p:-a},*${p:-a}]"; p=$i; done
    } >bomb.yaml
    refused bomb.yaml "bomb.yaml:"
}

@test "an invalid document is refused with file, line and field" {
    sed 's|image: "quay.io/x/os:1"|image: 7|' fleet.yaml >bad.yaml
    refused bad.yaml "fc-apply: bad.yaml:11: spec.template.spec.os.image: must be a string"
    sed 's/name: shops/name: Shops/' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:4: metadata.name: "
    sed 's/team: retail/team: "a b"/' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:5: metadata.labels"
    sed 's/selector:/selektor:/' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:7: spec.selektor: "
    sed 's/kind: Fleet/kind: Flot/' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:2: kind: " "Flot"
    sed '/^kind/d' fleet.yaml >bad.yaml
    refused bad.yaml "kind"
    sed 's|/etc/motd|etc/../motd|' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:15: spec.template.spec.config[0].inline[0].path: "
    sed 's/labels.site }}/labels.site }/' fleet.yaml >bad.yaml
    refused bad.yaml "bad.yaml:17: spec.template.spec.config[0].inline[0].content: "
    device a '{"k":1}' >bad.json
    refused bad.json "bad.json:1: metadata.labels.k: "
    device a null '[]' >bad.json
    refused bad.json "bad.json:1: spec: "
    echo '[1, "x", null]' >bad.json
    refused bad.json "bad.json:1: "
    echo 'just a string' >bad.yaml
    refused bad.yaml "bad.yaml:1: "
}

@test "one of ten refuses all; --partial passes it over and still fails" {
    for i in 1 2 3 4 5 6 7 8 9; do device "d$i"; done >ten.json
    device "BAD" >>ten.json
    refused ten.json "ten.json:10: metadata.name: "
    expect 6 fc-apply --partial ten.json
    same 9 "${#lines[@]}"
    same "device/d1 created" "${lines[0]}"
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "ten.json:10: metadata.name: "
    same 9 "$(fc-select devices -o name | wc -l)"
}

@test "every problem is said, once" {
    { device A; device B; device c '{"k":1}'; } >bad.json
    expect 6 fc-apply bad.json
    same 3 "${#stderr_lines[@]}"
    has "${stderr_lines[2]}" "bad.json:3: metadata.labels.k: "
}

@test "two documents for one resource are refused, across files and with --partial" {
    { device a; device b; device a '{"k":"v"}'; } >dup.json
    refused dup.json 'dup.json:3: metadata.name: Device "a" stands in dup.json:1 already'
    device b >other.json
    device b >another.json
    expect 6 fc-apply --partial other.json another.json
    has "$stderr" 'another.json:1: metadata.name: Device "b" stands in other.json:1 already'
    same 0 "$(fc-select devices | wc -l)"
}

@test "kinds that the system makes are refused" {
    for kind in TemplateVersion Event; do
        echo "{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"$kind\",\"metadata\":{\"name\":\"x\"}}" >x.json
        refused x.json "x.json:1: kind: "
    done
}

@test "unknown members: --allow-unknown keeps them where the contract is open" {
    device a null '{"somethingNew":{"x":1}}' >new.json
    refused new.json "new.json:1: spec.somethingNew: "
    expect 0 fc-apply --allow-unknown new.json
    same '{"x":1}' "$(fc-select device/a -q .spec.somethingNew)"
}

@test "an old resourceVersion is a conflict, and rolls all back" {
    device a >a.json
    fc-apply a.json
    jq -c '.metadata.resourceVersion = "1" | .metadata.labels = {k: "v"}' a.json >v1.json
    expect 0 fc-apply v1.json
    before=$(dump)
    { device b; jq -c '.metadata.labels = {k: "w"}' v1.json; } >both.json
    expect 4 fc-apply both.json
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "both.json:2: "
    same "$before" "$(dump)"
}

@test "what is omitted stays: labels as a whole; what the system keeps is not taken over" {
    device a '{"k":"v"}' >a.json
    fc-apply a.json
    device a >again.json
    same "device/a unchanged" "$(fc-apply again.json)"
    same '{"k":"v"}' "$(fc-select device/a -q .metadata.labels)"
    jq -c '.metadata.owner = "Fleet/x" | .metadata.generation = 77 | .status = {}' a.json >b.json
    same "device/a unchanged" "$(fc-apply b.json)"
    fc-select device/a | fc-apply | grep -qx "device/a unchanged"
}

@test "many resources: chunks, --atomic and its limit" {
    seq 10001 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: "d\(.)"}, spec: {}}' >many.json
    expect 6 fc-apply --atomic many.json
    same 0 "$(fc-select devices --limit 1 | wc -l)"
    head -n 2500 many.json >some.json
    fc-apply some.json >out 2>err
    same 2500 "$(grep -c created out)"
    same "" "$(cat err)"
    same "device/d1 created" "$(head -n 1 out)"
    same "device/d2500 created" "$(tail -n 1 out)"
    # A conflict in a later chunk leaves those before it, and says so.
    { head -n 2400 some.json | jq -c '.metadata.labels = {a: "b"}'
      sed -n 2401p some.json | jq -c '.metadata.resourceVersion = "77"'; } >third.json
    expect 4 fc-apply third.json
    [[ $stderr =~ "committed up to device/d"([0-9]+) ]]
    done=${BASH_REMATCH[1]}
    [ "$done" -ge 64 ] && [ "$done" -le 2400 ]
    same "$done" "$(fc-select devices -l a=b -o name | wc -l)"
    expect 4 fc-apply --atomic third.json
    same "$done" "$(fc-select devices -l a=b -o name | wc -l)"
}

@test "many documents need little more memory than their text" {
    ! sanitized || return 0 # they reserve terabytes of addresses: the plain build tells
    { jq -nc 'range(30000) | {apiVersion: "v1beta1", kind: "Device", metadata: {name: "m\(.)",
        labels: {a: "b", c: "d", e: "f", g: "h", i: "j", k: "l", m: "n", o: "p"}}}'
        echo '{"apiVersion":"v1beta1","kind":"Device"}'; } >many.json
    expect 6 bash -c 'ulimit -v 60000; exec fc-apply many.json'
    same "fc-apply: many.json:30001: metadata: is required" "$stderr"
}

@test "the reason and the user are in the history" {
    fc-apply -m 'ticket 4711' fleet.yaml
    same "ticket 4711|user:$(id -un)" "$(store_sql "SELECT reason, actor FROM revision
        WHERE kind = 2 ORDER BY id LIMIT 1" | sed "s/user:${SUDO_USER:-$(id -un)}/user:$(id -un)/")"
}

@test "a full standard output is a failure" {
    run fc-apply fleet.yaml --output json >/dev/null
    run --separate-stderr bash -c 'fc-apply -n fleet.yaml >/dev/full'
    same 1 "$status"
    same "fc-apply: standard output: No space left on device" "$stderr"
}

@test "a busy store is to be tried again" {
    # A writer that holds the lock for longer than a command waits.
    store_hold 60
    expect 7 fc-apply fleet.yaml
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "the store is busy"
    store_release
    expect 0 fc-apply fleet.yaml
}

@test "a command that is killed leaves all or nothing" {
    seq 900 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: "d\(.)"}, spec: {}}' >many.json
    for delay in 0.005 0.02 0.05; do
        timeout -s KILL "$delay" fc-apply many.json >/dev/null 2>&1 || :
        n=$(fc-select devices -o name | wc -l)
        [ "$n" = 0 ] || [ "$n" = 900 ]
    done
    fc-apply many.json >/dev/null
    same 900 "$(fc-select devices -o name | wc -l)"
}

@test "every published manifest is accepted unchanged" {
    needs_shared
    before=$(dump)
    for f in "$SHARED"/samples/*.yaml; do
        expect 0 fc-apply -n -f "$f"
        has "$output" " created (dry run)"
        same "" "$stderr"
    done
    expect 0 fc-apply -n "$SHARED/samples"
    same "$before" "$(dump)"
    expect 0 fc-apply "$SHARED/samples"
    expect 0 fc-work drain
}

@test "a reference to a repository that does not exist never refuses" {
    needs_shared
    fc-apply "$SHARED/samples/fleet.yaml"
    fc-work drain
    same '["Valid","False"]' \
        "$(fc-select fleet/default -q '.status.conditions[] | select(.type == "Valid") | [.type, .status]')"
}

@test "a fleet that refers to a repository is valid while that is there" {
    valid() { fc-select fleet/f -q '.status.conditions[] | select(.type == "Valid") | .status' -o name; }
    printf '%s\n' 'apiVersion: v1beta1' 'kind: Fleet' 'metadata: {name: f}' 'spec:' '  template:' \
        '    spec: {config: [{name: a, gitRef: {repository: r, targetRevision: main, path: /x}}]}' |
        fc-apply
    same False "$(valid)"
    printf '%s\n' 'apiVersion: v1beta1' 'kind: Repository' 'metadata: {name: r}' \
        'spec: {type: git, url: "https://git.example/r"}' | fc-apply
    same True "$(valid)"
    fc-delete -y repository/r
    same False "$(valid)"
}

@test "input that is no object" {
    for doc in 5 '[]' '"x"'; do
        expect 6 fc-apply <<<"$doc"
        same "fc-apply: (stdin):1: must be an object" "$stderr"
    done
}
