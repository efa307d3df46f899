# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-render: what devices get, where it comes from, and what would change.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fleets.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template:
    spec:
      os: {image: "quay.io/x/os:1"}
      config:
        - name: motd
          inline:
            - {path: /etc/motd, mode: 0600, content: "Welcome to {{ .metadata.labels.site | upper }}\n"}
            - {path: /etc/hours, content: "9-18\n"}
---
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: berlin}
spec:
  selector: {matchExpressions: [{key: site, operator: In, values: [berlin]}]}
  template:
    spec:
      config:
        - name: late
          inline: [{path: /etc/hours, content: "10-22\n"}]
END
    cat >devices.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Device
metadata: {name: b-1, labels: {role: shop, site: berlin}}
spec:
  config:
    - name: own
      inline: [{path: /etc/own, content: "{{ not a template }}"}]
---
apiVersion: flightctl.io/v1beta1
kind: Device
metadata: {name: p-1, labels: {role: shop, site: paris}}
spec: {}
---
apiVersion: flightctl.io/v1beta1
kind: Device
metadata: {name: x-1}
spec: {}
END
    fc-apply fleets.yaml devices.yaml >/dev/null
    sed 's/Welcome/Hello/' fleets.yaml >v2.yaml
}
teardown() { fc_teardown; }

dump() { store_dump; }
# content PATH: jq program for the content of a rendered file.
content() { echo ".spec.config[0].inline[] | select(.path == \"$1\") | .content"; }

@test "fleets from the oldest to the newest, then the device, parameters filled" {
    expect 0 fc-render b-1
    same 1 "${#lines[@]}"
    same '{"config":[{"inline":[{"content":"10-22\n","contentEncoding":"plain","mode":420,"path":"/etc/hours"},{"content":"Welcome to BERLIN\n","contentEncoding":"plain","mode":384,"path":"/etc/motd"},{"content":"{{ not a template }}","contentEncoding":"plain","mode":420,"path":"/etc/own"}],"name":""}],"consoles":[],"os":{"image":"quay.io/x/os:1"}}' \
        "$(jq -cS .spec <<<"$output")"
    same 'Device b-1 null' "$(jq -r '"\(.kind) \(.metadata.name) \(.status)"' <<<"$output")"
    same '{"config":[],"consoles":[]}' "$(fc-render x-1 -q .spec)"
}

@test "nothing is changed by it" {
    before=$(dump)
    fc-render -a >/dev/null
    fc-render -a --diff -f v2.yaml >/dev/null || :
    fc-render -a --explain >/dev/null
    same "$before" "$(dump)"
}

@test "which devices: names, a selector, all, a pipeline" {
    all() { fc-render "$@" -q .metadata.name -o name | paste -sd' '; }
    same "p-1 b-1" "$(all p-1 device/b-1)"
    same "b-1 p-1" "$(all -l role=shop)"
    same "b-1 p-1 x-1" "$(all -a)"
    same "b-1 p-1" "$(fc-select devices -l role=shop | all)"
    same "b-1 p-1" "$(fc-select devices -l role=shop -o yaml | all -)"
    same "" "$(all -l site=rome)"
    expect 3 fc-render b-1 nobody
    has "$stderr" 'Device of name "nobody" not found'
    expect 2 fc-render -a b-1
    expect 2 fc-render fleet/shops
    expect 6 fc-render -l ,
}

@test "a device that the store does not have" {
    expect 0 bash -c "fc-select device/p-1 | jq '.metadata.name = \"new\" | .metadata.labels.site = \"rome\"' |
        fc-render -q '$(content /etc/motd)'"
    same '"Welcome to ROME\n"' "$output"
    for doc in '{"kind":"Fleet"}' '{"kind":"Device"}' '{' '[]' \
        '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"A"},"spec":{}}' \
        '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"a"},"spec":{"os":7}}'; do
        expect 6 fc-render <<<"$doc"
        same "" "$output"
        same 1 "${#stderr_lines[@]}"
        has "$stderr" "fc-render: (stdin):"
    done
}

@test "the assigned version counts, and the newest with --latest" {
    fc-rollout step >/dev/null
    fc-work drain
    fc-apply v2.yaml >/dev/null
    same '"Welcome to PARIS\n"' "$(fc-render p-1 -q "$(content /etc/motd)")"
    same '"Hello to PARIS\n"' "$(fc-render p-1 --latest -q "$(content /etc/motd)")"
}

@test "--explain says where each part comes from" {
    expect 0 fc-render --explain b-1
    same '{"device":"b-1","origins":{"config./etc/hours":"Fleet/berlin","config./etc/motd":"Fleet/shops","config./etc/own":"Device/b-1","os":"Fleet/shops"}}' \
        "$(jq -cS . <<<"$output" | sed 's/@v1//g')"
    expect 0 fc-render --explain b-1 p-1 -o table
    same "DEVICE PART ORIGIN" "$(echo ${lines[0]})"
    same "b-1 config./etc/own Device/b-1" "$(echo ${lines[3]})"
    same 8 "${#lines[@]}"
    expect 2 fc-render --explain --diff b-1
}

@test "--diff against what devices have, with a changed fleet" {
    fc-delete -y fleet/berlin >/dev/null
    sed -i '/^---/,$d' fleets.yaml v2.yaml
    fc-rollout step >/dev/null
    fc-work drain
    expect 0 fc-render --diff -a
    same "" "$output"
    expect 1 fc-render --diff -f v2.yaml
    same "" "$stderr"
    same "--- device/b-1 rendered version 1" "${lines[0]}"
    same "+++ device/b-1 would get" "${lines[1]}"
    same '-      Welcome to BERLIN
+      Hello to BERLIN
-      Welcome to PARIS
+      Hello to PARIS' "$(grep '^[-+] ' <<<"$output")"
    expect 1 fc-render --diff -f v2.yaml -o name
    same "device/b-1
device/p-1" "$output"
    expect 1 fc-render --diff -f v2.yaml p-1
    hasnt "$output" b-1
    expect 0 fc-render --diff -f fleets.yaml
    # A fleet that there is not yet, and one that lets a device go.
    sed 's/name: shops/name: more/; s/role: shop/site: paris/; s|/etc/hours|/etc/new|' \
        fleets.yaml >more.yaml
    expect 1 fc-render --diff -f more.yaml -o name
    same device/p-1 "$output"
    sed 's/role: shop/role: other/' fleets.yaml >gone.yaml
    expect 1 fc-render --diff -f gone.yaml p-1
    has "$output" "-  image: quay.io/x/os:1"
}

@test "--diff of a device that has nothing yet, with its own spec" {
    expect 1 fc-render --diff x-1
    same "--- device/x-1 has nothing yet" "${lines[0]}"
    same "+++ device/x-1 would get" "${lines[1]}"
    expect 1 bash -c 'fc-rollout step >/dev/null; fc-work drain
        fc-select device/p-1 | jq ".spec.os.image = \"quay.io/x/os:9\"" | fc-render --diff'
    same '-  image: quay.io/x/os:1
+  image: quay.io/x/os:9' "$(grep '^[-+] ' <<<"$output")"
}

@test "in --diff forms errors keep their status, and 1 becomes 8" {
    expect 3 fc-render --diff nobody
    expect 3 fc-render --diff -f missing.yaml
    expect 2 fc-render --diff b-1 -o json
    run --separate-stderr bash -c 'fc-render --diff -f v2.yaml >/dev/full'
    same 8 "$status"
    same 1 "${#stderr_lines[@]}"
    printf '#!/bin/sh\nexit 2\n' >./diff
    chmod +x ./diff
    PATH=$T:$PATH expect 8 fc-render --diff -f v2.yaml
    has "$stderr" "fc-render: diff: "
}

@test "overlay files: only valid fleets, each once; other kinds are passed over" {
    cat devices.yaml - fleets.yaml <<<--- >mixed.yaml
    expect 0 fc-render b-1 -f mixed.yaml
    expect 6 fc-render b-1 -f devices.yaml
    same "fc-render: devices.yaml: there is no Fleet in it" "$stderr"
    expect 6 fc-render b-1 -f fleets.yaml -f v2.yaml
    has "$stderr" 'v2.yaml:3: metadata.name: Fleet "shops" '
    sed 's/quay.io.x.os:1"/", colour: "red"/' fleets.yaml >bad.yaml
    expect 6 fc-render b-1 -f bad.yaml
    has "$stderr" "bad.yaml:8: spec.template.spec.os"
}

@test "a spec that cannot be rendered is said; the others are rendered" {
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "n-1",
        labels: {role: "shop"}}, spec: {}}' | fc-apply >/dev/null
    expect 6 fc-render -a -q .metadata.name -o name
    same "b-1
p-1
x-1" "$output"
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "fc-render: device/n-1: Fleet/shops"
    has "$stderr" "site"
    expect 6 fc-render --diff -f v2.yaml
    # Of many only the first are said.
    seq 30 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "o-\(.)",
        labels: {role: "shop"}}, spec: {}}' | fc-apply >/dev/null
    expect 6 fc-render -a
    same 21 "${#stderr_lines[@]}"
    same "fc-render: 11 more devices have no valid spec" "${stderr_lines[20]}"
}

@test "on a terminal: YAML, and coloured differences" {
    needs script bsdutils
    run script -qec 'fc-render x-1' /dev/null </dev/null
    has "${lines[0]}" "apiVersion: flightctl.io/v1beta1"
    run script -qec 'fc-render --diff x-1' /dev/null </dev/null
    has "$output" $'\e['
    has "$output" "1 of 1 devices would change"
    NO_COLOR=1 run script -qec 'fc-render --diff x-1' /dev/null </dev/null
    hasnt "$output" $'\e[3'
}

@test "wrong command lines are usage errors" {
    for args in "--nonsense" "-o nonsense b-1" "-l a=b b-1" "device/" "nonsense/x"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-render $args </dev/null
        has "$stderr" "fc-render: "
    done
}
