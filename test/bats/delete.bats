# SPDX-License-Identifier: Apache-2.0
# databases: both, sanitized
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-delete: what it deletes, and when it does not.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >all.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template: {spec: {os: {image: "quay.io/x/os:1"}}}
---
{apiVersion: flightctl.io/v1beta1, kind: Device, metadata: {name: a, labels: {role: shop}}, spec: {}}
---
{apiVersion: flightctl.io/v1beta1, kind: Device, metadata: {name: b, labels: {role: shop}}, spec: {}}
---
{apiVersion: flightctl.io/v1beta1, kind: Device, metadata: {name: c}, spec: {}}
END
    fc-apply all.yaml >/dev/null
}
teardown() { fc_teardown; }

dump() { store_dump; }
left() { fc-select devices -q .metadata.name -o name | paste -sd' '; }

@test "by name, in both forms, with a line each" {
    expect 0 fc-delete -y device a b
    same "device/a deleted
device/b deleted" "$output"
    same c "$(left)"
    expect 0 fc-delete -y -n device/c fleet/shops device/c # once each
    same "device/c deleted (dry run)
fleet/shops deleted (dry run)" "$output"
    expect 0 fc-delete -y device/c fleet/shops -o json
    same '{"change":"deleted","kind":"Device","name":"c"}
{"change":"deleted","kind":"Fleet","name":"shops"}' "$output"
    same "" "$(fc-select fleets)"
    same "" "$(fc-select templateversions)"
}

@test "where nobody can be asked, nothing goes without -y" {
    before=$(dump)
    expect 2 fc-delete device/a </dev/null
    has "$stderr" "-y"
    same "$before" "$(dump)"
    expect 0 fc-delete -n device/a </dev/null
    same "device/a deleted (dry run)" "$output"
    same "$before" "$(dump)"
}

@test "on a terminal it asks" {
    needs script bsdutils
    before=$(dump)
    run script -qec 'fc-delete device a b' /dev/null <<<n
    has "$output" "Delete device/a, device/b? [y/N]"
    has "$output" "nothing was deleted"
    same "$before" "$(dump)"
    run script -qec 'fc-delete device a b' /dev/null <<<y
    has "$output" "device/b deleted"
    same c "$(left)"
}

@test "all must exist before any is deleted" {
    before=$(dump)
    expect 3 fc-delete -y device a nobody b
    same "" "$output"
    same 'fc-delete: Device of name "nobody" not found' "$stderr"
    same "$before" "$(dump)"
    expect 0 fc-delete -y --ignore-missing device a nobody b
    same "device/a deleted
device/b deleted" "$output"
}

@test "by selector" {
    expect 0 fc-delete -y devices -l role=shop
    same "device/a deleted
device/b deleted" "$output"
    same c "$(left)"
    expect 0 fc-delete -y devices -l role=shop
    same "" "$output"
    expect 6 fc-delete -y devices -l 'role='\''x'
    expect 2 fc-delete -y templateversions -l a=b
}

@test "by document" {
    expect 0 fc-delete -y -f all.yaml
    same 4 "${#lines[@]}"
    same "" "$(left)"
    expect 3 fc-delete -y -f all.yaml
    expect 0 fc-delete -y -f all.yaml --ignore-missing
    same "" "$output"
    echo 'kind: Nonsense' >bad.yaml
    expect 6 fc-delete -y -f bad.yaml
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "bad.yaml:1: kind: "
    echo '{"kind":"Device","metadata":{}}' >bad.json
    expect 6 fc-delete -y -f bad.json
    has "$stderr" "bad.json:1: metadata.name: "
    echo '{"kind":"DeviceList"}' >list.json
    expect 6 fc-delete -y -f list.json
    same "fc-delete: list.json:1: items: must be a list" "$stderr"
}

@test "what the pipeline names" {
    expect 0 bash -c 'fc-select devices -l role=shop | fc-delete -y -f -'
    same c "$(left)"
    fc-select devices -o name | xargs fc-delete -y
    same "" "$(left)"
}

@test "many are deleted in chunks" {
    seq 2500 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata:
        {name: "m\(.)", labels: {many: ""}}, spec: {}}' | fc-apply >/dev/null
    expect 0 fc-delete -y devices -l many
    same 2500 "${#lines[@]}"
    same "a b c" "$(left)"
}

@test "events stay, and cannot be deleted" {
    fc-delete -y -m 'sold' device/a
    fc-select events --of device/a -q .reason | grep -q ResourceDeleted
    same sold "$(store_sql "SELECT reason FROM revision WHERE name = 'a' ORDER BY id DESC LIMIT 1")"
    # One rule for all commands: an operand of a wrong kind is 2, a document of one is 6.
    for kind in event label; do
        expect 2 fc-delete -y $kind/x
        expect 2 fc-patch $kind/x -p '{}'
    done
    echo '{"kind":"Event","metadata":{"name":"x"}}' >event.json
    expect 6 fc-delete -y -f event.json
    same "fc-delete: event.json:1: kind: events cannot be deleted" "$stderr"
    expect 6 fc-apply event.json
}

@test "the devices of a deleted fleet stay, without what it gave them" {
    fc-rollout step >/dev/null
    fc-work drain
    same quay.io/x/os:1 "$(fc-select device/a --rendered -q .spec.os.image -o name)"
    fc-delete -y fleet/shops
    fc-work drain
    same null "$(fc-select device/a --rendered -q .spec.os)"
    same null "$(fc-select device/a -q .metadata.owner)"
}

@test "a template version in use stays" {
    fc-rollout step >/dev/null
    expect 4 fc-delete -y templateversion/shops/v1
    same 1 "${#stderr_lines[@]}"
}

@test "a fleet and its template versions go in one command, in either order" {
    fc-rollout step >/dev/null
    cp "$T/all.yaml" again.yaml
    expect 4 fc-delete -y tv/shops/v1
    expect 0 fc-delete -n fleet/shops tv/shops/v1
    expect 0 fc-delete -y tv/shops/v1 device/a fleet/shops
    same "device/a deleted
fleet/shops deleted
templateversion/shops/v1 deleted" "$output"
    expect 3 fc-select tv/shops/v1
    fc-apply again.yaml >/dev/null
    fc-rollout step >/dev/null
    expect 3 fc-delete -y fleet/shops tv/shops/v1 tv/shops/v2
    tv=$(fc-select templateversions -o name)
    expect 0 fc-delete -y fleet/shops "$tv" tv/shops/v9 --ignore-missing
    same "fleet/shops deleted
$tv deleted" "$output"
    same "" "$(fc-select templateversions)"
}

@test "wrong command lines are usage errors" {
    for args in "" "device" "nonsense x" "device/a b" "device/" "-f all.yaml device a" \
        "device a -l x=y" "-l x=y" "device a --nonsense"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-delete -y $args
        has "$stderr" "fc-delete: "
    done
    same "a b c" "$(left)"
}

@test "an empty selector deletes nothing" {
    expect 2 fc-delete -y devices -l ''
    has "$stderr" "an empty selector would delete all of the kind"
    expect 2 fc-delete -y devices -l ' '
}
