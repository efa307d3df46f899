# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # bats sets stderr
# Organizations: resources that others live in, and the layer below their devices' fleets.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# organization NAME [SPEC]: its document.
organization() {
    jq -nc --arg n "$1" --argjson s "${2:-null}" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Organization", metadata: {name: $n}} + if $s then {spec: $s} else {} end'
}

# motd TEXT: a spec whose defaults have one file.
motd() {
    jq -nc --arg t "$1" '{deviceDefaults: {config: [{name: "base",
        inline: [{path: "/etc/motd", content: $t}]}]}}'
}

# devices N: so many of the kiosks' documents.
devices() {
    seq -f 'd%04g' "$1" | jq -Rc '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: ., labels: {app: "kiosk", site: "s\(.[1:])"}}}'
}

# files: DEVICE PATH CONTENT of what the devices were given.
files() {
    fc-select devices "$@" --rendered -o json |
        jq -r '.metadata.name + " " + (.spec.config[]?.inline[] | "\(.path) \(.content)")'
}

uid_of() { fc-select "organization/$1" -o json | jq -r '.metadata.annotations[]'; }

@test "the default organization is a resource like others" {
    expect 0 fc-select organizations -o json
    same '["default","00000000-0000-0000-0000-000000000000",null]' "$(jq -c \
        '[.metadata.name, .metadata.annotations["organization-controller/uid"], .spec]' <<<"$output")"
    organization default '{"displayName": "Head office"}' | fc-apply
    same 'default  Head office   00000000-0000-0000-0000-000000000000  0s' \
        "$(fc-select organizations -o table | sed 1d)"
    expect 4 fc-delete -y organization/default
    same 'fc-delete: Organization of name "default" cannot be deleted: it is the default one' \
        "$stderr"
}

@test "an organization is used by its name and by its uid, in options, environment, configuration" {
    organization trains | fc-apply
    uid=$(uid_of trains)
    devices 1 | fc-apply --org trains
    same device/d0001 "$(fc-select devices --org "$uid" -o name)"
    same device/d0001 "$(fc-select devices --org "${uid^^}" -o name)"
    same device/d0001 "$(FC_ORG=trains fc-select devices -o name)"
    same device/d0001 "$(FC_ORG=$uid fc-select devices -o name)"
    echo "org = trains" >"$FC_CONF"
    same device/d0001 "$(fc-select devices -o name)"
    : >"$FC_CONF"
    same "" "$(fc-select devices -o name)"
    expect 3 fc-select devices --org planes
    same 'fc-select: Organization of name "planes" not found' "$stderr"
    # Organizations are the same ones wherever one stands.
    same "$(fc-select organizations -o name)" "$(fc-select organizations --org trains -o name)"
    fc-sign ca init >/dev/null
    fc-sign enrollment --org trains -o boot >/dev/null
    openssl x509 -in boot.crt -noout -text | grep -q "$uid"
    fc-sign enrollment --org "${uid^^}" -o upper >/dev/null
    openssl x509 -in upper.crt -noout -text | grep -q "$uid"
}

@test "two organizations have resources of the same names" {
    organization a | fc-apply
    organization b | fc-apply
    for o in a b; do
        devices 2 | sed "s/kiosk/$o/" | fc-apply --org $o >/dev/null
        same "$o" "$(fc-select device/d0001 --org $o -o json | jq -r .metadata.labels.app)"
    done
    fc-delete -y --org a device/d0001 >/dev/null
    same "device/d0002" "$(fc-select devices --org a -o name)"
    same "device/d0001 device/d0002" "$(fc-select devices --org b -o name | paste -sd' ')"
}

@test "one that holds resources stays; an empty one goes, and its number never comes back" {
    organization a | fc-apply
    devices 1 | fc-apply --org a >/dev/null
    expect 4 fc-delete -y organization/a
    same 'fc-delete: Organization of name "a" cannot be deleted: it holds resources' "$stderr"
    fc-delete -y --org a device/d0001 >/dev/null
    old=$(uid_of a)
    fc-delete -y organization/a
    expect 3 fc-select devices --org a
    expect 3 fc-select devices --org "$old"
    organization a | fc-apply
    [ "$old" != "$(uid_of a)" ]
    same "" "$(fc-select events --org a -o name)"
    expect 0 fc-store check # the events of the first one are nobody's now
}

@test "a deleted one comes back with its uid and number, and so does what it held" {
    organization a '{"displayName": "A"}' | fc-apply
    devices 1 | fc-apply --org a >/dev/null
    repository='{"apiVersion":"flightctl.io/v1beta1","kind":"Repository","metadata":{"name":"r"},
        "spec":{"type":"git","url":"https://git.example/a","httpConfig":{"username":"u",
        "password":"geheim"}}}'
    fc-apply --org a >/dev/null <<<"$repository"
    first=$(uid_of a)
    number=$(store_sql "SELECT id FROM organization WHERE name = 'a'")
    fc-store export --org a >a.export
    clear() { fc-delete -y --org a device/d0001 repository/r && fc-delete -y organization/a; }
    clear >/dev/null
    expect 3 fc-history --org a device/d0001
    fc-store rekey >/dev/null # also what is deleted
    expect 0 fc-history undo -n organization/a
    expect 3 fc-select devices --org a
    expect 0 fc-history undo organization/a
    same "organization/a restored: as revision 1" "$output"
    same "$first A" "$(fc-select organization/a -o json |
        jq -r '"\(.metadata.annotations[]) \(.spec.displayName)"')"
    same "$number" "$(store_sql "SELECT id FROM organization WHERE name = 'a'")"
    same "$number" "$(store_sql "SELECT id FROM resource WHERE kind = 9 AND name = 'a'")"
    same 2 "$(fc-history --org a device/d0001 | wc -l)"
    expect 0 fc-history undo --org a repository/r
    same "" "$stderr"
    same "repository/r unchanged" "$(fc-apply --org a <<<"$repository")" # its password opens
    # Another one of its name is another one; the first is still there to come back.
    fc-history undo --org a device/d0001 >/dev/null
    clear >/dev/null
    organization a | fc-apply >/dev/null
    second=$(uid_of a)
    [ "$first" != "$second" ]
    fc-delete -y organization/a
    fc-history undo organization/a >/dev/null
    same "$second" "$(uid_of a)"
    fc-delete -y organization/a
    expect 0 fc-history undo --to 1 organization/a
    same "$first" "$(uid_of a)"
    same "$number" "$(store_sql "SELECT id FROM organization WHERE name = 'a'")"
    # One that was imported has a number of its own.
    fc-delete -y organization/a
    fc-store import a.export >/dev/null
    same "$first" "$(uid_of a)"
    number=$(store_sql "SELECT id FROM organization WHERE name = 'a'")
    clear >/dev/null
    fc-history undo organization/a >/dev/null
    same "$first" "$(uid_of a)"
    same "$number" "$(store_sql "SELECT id FROM organization WHERE name = 'a'")"
    fc-history undo --org a device/d0001 >/dev/null
    expect 0 fc-store check
}

@test "history, generation and events are those of every kind; the uid is the system's" {
    organization a '{"displayName": "A"}' | fc-apply
    organization a '{"displayName": "B"}' | fc-apply
    organization a '{"displayName": "B"}' |
        jq -c '.metadata.annotations = {"organization-controller/uid": "6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f", "x/y": "z"}' |
        fc-apply
    expect 0 fc-select organization/a -o json
    same '[2,"3",{"displayName":"B"}]' \
        "$(jq -c '[.metadata.generation, .metadata.resourceVersion, .spec]' <<<"$output")"
    hasnt "$output" 6f1c0f4e
    has "$output" '"x/y":"z"'
    same 3 "$(fc-select events --of organization/a -o json | wc -l)"
}

@test "defaults are validated as a device's spec is, and their parameters" {
    organization a '{"deviceDefaults": {"config": [{"name": "x", "inline":
        [{"path": "etc/motd", "content": "{{ .metadata.nam"}]}], "resources": "none"}}' >bad.json
    expect 6 fc-apply -f bad.json
    has "$stderr" 'spec.deviceDefaults.config[0].inline[0].path: must be an absolute path'
    has "$stderr" 'spec.deviceDefaults.resources: must be a list'
    organization a "$(motd '{{ .metadata.nam')" >bad.json
    expect 6 fc-apply -f bad.json
    has "$stderr" 'spec.deviceDefaults.config[0].inline[0].content: '
    organization 6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f >bad.json
    expect 6 fc-apply -f bad.json
    same 'fc-apply: bad.json:1: metadata.name: must not look like a uid' "$stderr"
}

@test "defaults are the layer below all fleets, and fc-render says so" {
    organization default "$(motd 'default of {{ .metadata.name }}')" | fc-apply
    devices 2 | fc-apply >/dev/null
    fc-work drain >/dev/null
    same 'd0001 /etc/motd default of d0001
d0002 /etc/motd default of d0002' "$(files)"
    same '{"config./etc/motd":"Organization/default"}' \
        "$(fc-render --explain d0001 -o json | jq -c .origins)"
    # A fleet lies above them, a device's own spec above both.
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: "f"}, spec: {
        selector: {matchLabels: {site: "s0001"}}, template: {spec: {config: [{name: "base",
        inline: [{path: "/etc/motd", content: "fleet"}, {path: "/etc/f", content: "f"}]}]}}}}' |
        fc-apply
    fc-work drain >/dev/null
    same 'd0001 /etc/f f
d0001 /etc/motd fleet
d0002 /etc/motd default of d0002' "$(files)"
    same 'Fleet/f@v1' "$(fc-render --explain d0001 -o json | jq -r '.origins["config./etc/motd"]')"
}

@test "changed defaults render all devices of the organization, and no others, in chunks" {
    organization a | fc-apply
    devices 2500 | fc-apply --org a >/dev/null
    devices 2 | fc-apply >/dev/null
    fc-work drain >/dev/null
    organization a "$(motd 'hello {{ .metadata.name }}')" | fc-apply
    # Nothing of the devices is touched by the change itself.
    same '"1"' "$(fc-select device/d2500 --org a -o json |
        jq '.metadata.annotations["device-controller/renderedVersion"]')"
    expect 0 fc-work drain -v
    has "$stderr" "fc-work: render: defaults done"
    same 2500 "$(files --org a | grep -c '/etc/motd hello d')"
    same "" "$(files)"
    organization a "$(motd 'hello {{ .metadata.name }}')" |
        jq -c '.spec.displayName = "A"' | fc-apply
    expect 0 fc-work drain -v
    hasnt "$stderr" "done" # what changes no defaults is no task
    organization a '{}' | fc-apply
    fc-work drain >/dev/null
    same "" "$(files --org a)"
}

@test "a worker that is killed while devices become stale loses none" {
    needs strace strace
    organization a | fc-apply
    devices 2500 | fc-apply --org a >/dev/null
    fc-work drain >/dev/null
    for at in 1 2 3 4; do
        organization a "$(motd "round $at")" | fc-apply
        # One fsync a commit: the first is of task recovery, then come the chunks. A statement is a
        # message to a server.
        case $FC_STORE in
        sqlite:*) calls=fdatasync,fsync when=$((at + 1)) ;;
        *) calls=sendto when=$((9 + 3 * at)) ;;
        esac
        run -137 strace -f -o /dev/null -e trace=$calls \
            -e inject=$calls:signal=KILL:when=$when fc-work drain
        at_time +10m fc-work drain >/dev/null # the lease is over
        at_time +20m fc-work drain >/dev/null # and the pause after it
        same 2500 "$(files --org a | grep -c "/etc/motd round $at")"
    done
}

@test "a store of schema version 1 gets its organization as a resource" {
    export FC_STORE=sqlite:$T/fc.db # PostgreSQL came with version 2
    rm -f fc.db*
    sed -n '/^-- :name migrate_1/,/^-- :name migrate_2/p' "$TOP/lib/store/schema.sql" |
        grep -v '^--' | sqlite3 fc.db
    sqlite3 fc.db "INSERT INTO meta VALUES ('uid', '6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f');
        INSERT INTO organization (uid, name)
            VALUES ('00000000-0000-0000-0000-000000000000', 'default');
        INSERT INTO resource (org, kind, name, uid, generation, created, labels, annotations)
            VALUES (1, 6, 'r', 'u', 1, 1, '{}', '{}');
        INSERT INTO resource_status VALUES (1, 1, NULL);
        PRAGMA application_id = $((0x66632d31)); PRAGMA user_version = 1"
    fc-store migrate >/dev/null
    same organization/default "$(fc-select organizations -o name)"
    organization a | fc-apply
    devices 1 | fc-apply --org a
    same device/d0001 "$(fc-select devices --org a -o name)"
    same "repository/r" "$(fc-select repositories -o name)"
}
