# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2031 # T comes from helpers
# databases: both
# fc-store export and import.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >fill.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Organization", "metadata": {"name": "acme"}, "spec": {}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Repository", "metadata": {"name": "git"}, "spec": {"type": "git", "url": "https://example.com/x.git", "httpConfig": {"username": "u", "password": "hunter2"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops", "labels": {"a": "b"}}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"os": {"image": "quay.io/x/os:1"}}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "one", "labels": {"app": "shop"}, "annotations": {"note": "ä€😀\"\\"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "two", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "alone"}, "spec": {"os": {"image": "quay.io/x/os:9"}}}
END
    fc-apply -m "the first" fill.json >/dev/null
    sed -n 4,5p fill.json | fc-apply --org acme - >/dev/null
    fc-work drain
    fc-sign token issue -r viewer -g night --org acme monitor >/dev/null
    fc-sign token list --org acme -o name | xargs fc-sign token revoke --org acme >/dev/null
    fc-sign token issue alice >/dev/null
    sed 's/os:1/os:2/' fill.json | fc-apply -m why - >/dev/null
}
teardown() { fc_teardown; }

# A second store, of SQLite.
other() { echo "sqlite:$T/other.db"; }

# An export with another last line that fits: for those whose lines were changed.
sealed() {
    sed '$d' "$1" >cut.jsonl
    cat cut.jsonl
    printf '{"record":"end","lines":%d,"sha256":"%s"}\n' "$(wc -l <cut.jsonl)" \
        "$(sha256sum cut.jsonl | cut -d' ' -f1)"
}

@test "what is exported, imported and exported again is the same, byte for byte" {
    fc-store export >a.jsonl
    hasnt "$(cat a.jsonl)" hunter2
    for kind in organization resource rendered device member rollout revision event token task; do
        grep -q "^{\"record\":\"$kind\"," a.jsonl || { echo "no $kind"; return 1; }
    done
    fc-store init -S "$(other)" >/dev/null
    expect 0 fc-store import -n -S "$(other)" a.jsonl
    has "$output" "would import $(($(wc -l <a.jsonl) - 2)) records"
    same default "$(FC_STORE=$(other) fc-select organizations -o json | jq -r .metadata.name)"
    expect 0 fc-store import -S "$(other)" a.jsonl
    same "imported $(($(wc -l <a.jsonl) - 2)) records" "$output"
    fc-store export -S "$(other)" | cmp - a.jsonl
    # and what commands show
    for k in devices fleets templateversions repositories events; do
        for org in default acme; do
            fc-select "$k" --org $org -o json | jq -Sc . >here
            fc-select "$k" --org $org -o json -S "$(other)" | jq -Sc . | diff here -
        done
    done
    same "one
two" "$(fc-select devices -l app=shop -S "$(other)" -o json | jq -r .metadata.name)"
    # back into a store of the first kind
    if [ "${FC_TEST_DB:-sqlite}" = postgres ]; then
        store_sql 'TRUNCATE event, revision, task, token, label, device, device_fleet, rollout, rendered CASCADE' >/dev/null
        store_sql "DELETE FROM resource WHERE name <> 'default' OR kind <> 9; DELETE FROM organization WHERE id <> 1" >/dev/null
        fc-store import a.jsonl
        fc-store export | cmp - a.jsonl
    fi
    # It works: tasks that came along are done, and secrets open.
    FC_STORE=$(other) fc-work drain
}

@test "every published manifest comes back" {
    needs_shared
    export FC_STORE_FIRST=sqlite:$T/samples.db
    fc-store init -S "$FC_STORE_FIRST" >/dev/null
    for f in "$SHARED"/samples/*.yaml; do fc-apply -S "$FC_STORE_FIRST" -f "$f" >/dev/null; done
    fc-work drain -S "$FC_STORE_FIRST"
    fc-store export -S "$FC_STORE_FIRST" >a.jsonl
    [ "$(grep -c '"record":"resource"' a.jsonl)" -ge 9 ]
    if [ "${FC_TEST_DB:-sqlite}" = postgres ]; then
        PG_SECOND=${PG_NAME}_b
        psql -XAtq -d "$FC_STORE" -c "CREATE DATABASE $PG_SECOND"
        url=${FC_STORE/$PG_NAME/$PG_SECOND}
    else
        url=$(other)
    fi
    fc-store init -S "$url" >/dev/null
    fc-store import -S "$url" a.jsonl >/dev/null
    fc-store export -S "$url" >b.jsonl
    [ -z "${PG_SECOND:-}" ] || psql -XAtq -d "$FC_STORE" -c "DROP DATABASE $PG_SECOND WITH (FORCE)"
    cmp a.jsonl b.jsonl
}

@test "one organization goes into a store that lacks it" {
    fc-store export --org acme >acme.jsonl
    fc-store init -S "$(other)" >/dev/null
    expect 0 fc-store import -S "$(other)" acme.jsonl
    fc-store export --org acme -S "$(other)" | cmp - acme.jsonl
    expect 4 fc-store import -S "$(other)" acme.jsonl
    has "$stderr" "already exists"
    expect 4 fc-store import acme.jsonl
    fc-store init -S "sqlite:$T/third.db" >/dev/null
    fc-store import -S "sqlite:$T/third.db" --org emca acme.jsonl
    same "one
two" "$(fc-select devices --org emca -S "sqlite:$T/third.db" -o json | jq -r .metadata.name)"
    same emca "$(fc-select organization/emca -S "sqlite:$T/third.db" -o json | jq -r .metadata.name)"
    expect 2 fc-store import -S "$(other)" --org x <(fc-store export)
    expect 3 fc-store export --org nobody
}

@test "organizations that were deleted come along, and back with their history" {
    organization='{"apiVersion": "flightctl.io/v1beta1", "kind": "Organization", "metadata": {"name": "gone"}, "spec": {}}'
    for _ in 1 2; do # two of one name
        fc-apply - <<<"$organization" >/dev/null
        sed -n 4,5p fill.json | fc-apply --org gone - >/dev/null
        sed -n 2p fill.json | fc-apply --org gone - >/dev/null
        fc-delete -y --org gone repository/git device/one device/two >/dev/null
        fc-delete -y organization/gone >/dev/null
    done
    fc-store export >a.jsonl
    same 2 "$(grep -c '^{"record":"deletedOrganization","name":"gone",' a.jsonl)"
    same "" "$(fc-store export --org acme | grep deletedOrganization || :)"
    same "" "$(fc-store export --no-history | grep deletedOrganization || :)"
    fc-store init -S "$(other)" >/dev/null
    # What an import that failed behind them has left is discarded, too.
    sed '$d' a.jsonl >bad
    jq -nc 'range(2000) | {record: "event", at: (1700000000000000 + .), uid: "\(.)", kind: "Device",
        name: "one", reason: "ResourceUpdated", type: "Normal", actor: "user:a", source: "test",
        message: "m"}' >>bad
    for record in token resource organization; do
        { cat bad; grep -m 1 "^{\"record\":\"$record\"" a.jsonl; } >worse
        expect 6 fc-store import -f -S "$(other)" worse
        same "fc-store: worse:$(wc -l <worse): a $record cannot stand here" "$stderr"
    done
    expect 0 fc-store import -f -S "$(other)" a.jsonl
    fc-store export -S "$(other)" | cmp - a.jsonl
    for record in event revision; do
        same "$(grep -c "^{\"record\":\"$record\"" a.jsonl)" \
            "$(sqlite3 other.db "SELECT count(*) FROM $record")"
    done
    for url in "$FC_STORE" "$(other)"; do
        export FC_STORE=$url
        for to in 3 1; do
            expect 0 fc-history undo --to $to organization/gone
            same 2 "$(fc-history --org gone device/one | wc -l)"
            expect 0 fc-history undo --org gone repository/git
            same "repository/git unchanged" "$(sed -n 2p fill.json | fc-apply --org gone -)"
            expect 0 fc-store check
            fc-delete -y --org gone repository/git >/dev/null
            fc-delete -y organization/gone >/dev/null
        done
    done
}

@test "secrets whose key stayed behind are told, and are in nobody's way" {
    local url id

    echo '{"apiVersion": "flightctl.io/v1beta1", "kind": "Repository", "metadata": {"name": "sealed"},
        "spec": {"type": "git", "url": "https://git.example/a",
        "httpConfig": {"username": "u", "password": "p"}}}' >sealed.json
    fc-apply --org acme sealed.json
    id=$(head -1 "$FC_STATE/secret.key" | cut -d' ' -f1)
    fc-store export --org acme >acme.jsonl
    fc-store export >all.jsonl
    url=$(other)
    fc-store init -S "$url" >/dev/null
    expect 0 fc-store import -S "$url" -n acme.jsonl
    same "" "$stderr"
    export FC_STATE=$T/elsewhere
    mkdir elsewhere
    expect 0 fc-store import -S "$url" -n all.jsonl
    has "$stderr" "2 secrets cannot be opened: $FC_STATE/secret.key: the key for secrets is missing"
    fc-store init -S "sqlite:$T/third.db" >/dev/null # with a key file of its own
    expect 0 fc-store import -S "$url" acme.jsonl
    same "fc-store: 1 secrets cannot be opened: $FC_STATE/secret.key has no key $id, with which they \
were sealed" "$stderr"
    # Its neighbours seal with what this host has, and what does not open is replaced.
    sed 's/"p"/"new"/' sealed.json | FC_STORE=$url fc-apply -
    sed 's/"p"/"new"/' sealed.json | FC_STORE=$url fc-apply --org acme -
    fc-store export --org acme -S "$url" >back.jsonl
    ! grep '"record":"resource"' back.jsonl | grep "$id" || return 1
}

@test "history and events may be left out" {
    fc-store export --no-history --no-events >less.jsonl
    run ! grep -E '^.{10}"(revision|event)"' less.jsonl
    fc-store init -S "$(other)" >/dev/null
    fc-store import -S "$(other)" less.jsonl
    fc-store export --no-history --no-events -S "$(other)" | cmp - less.jsonl
}

@test "only an empty store takes a whole one" {
    fc-store export >a.jsonl
    fc-store export >b.jsonl
    cmp a.jsonl b.jsonl
    expect 4 fc-store import a.jsonl
    has "$stderr" "the store is not empty"
    fc-store export | cmp - a.jsonl
}

@test "a cut, a change, and what was never an export are refused" {
    fc-store export >a.jsonl
    fc-store init -S "$(other)" >/dev/null
    : >empty
    seq 10 >numbers
    head -n -1 a.jsonl >short
    head -c -30 a.jsonl >shorter
    sed '5d' a.jsonl >gap
    sed 's/"os:2"/"os:3"/; s/quay.io.x.os:9/quay.io\/x\/os:8/' a.jsonl >changed
    (cat a.jsonl; echo '{}') >more.jsonl
    for f in empty numbers short shorter gap changed more.jsonl; do
        expect 6 fc-store import -n -S "$(other)" $f
        has "$stderr" "fc-store: $f:"
        same 1 "${#stderr_lines[@]}"
    done
    fc-select devices -S "$(other)" >/dev/null
}

@test "hostile lines are refused with their place" {
    fc-store export >a.jsonl
    fc-store init -S "$(other)" >/dev/null
    line=$(grep -n '"name":"alone"' a.jsonl | head -1 | cut -d: -f1)
    # WHAT SED-COMMAND
    while IFS='|' read -r what edit; do
        sed -E "${line}${edit}" a.jsonl >changed
        sealed changed >hostile
        expect 6 fc-store import -n -S "$(other)" hostile
        has "$stderr" "fc-store: hostile:$line: "
        has "$stderr" "$what"
        same 1 "${#stderr_lines[@]}"
    done <<'END'
duplicate key|s/"name":"alone"/"name":"alone","name":"alone"/
unknown member|s/"name":"alone"/"name":"alone","nothing":1/
generation: must be an integer|s/"generation":[0-9]+/"generation":"1"/
generation: is out of range|s/"generation":[0-9]+/"generation":0/
name: is required|s/"name":"alone",//
kind: must be the name of a kind|s/"kind":"Device"/"kind":"Devices"/
metadata.name|s/"name":"alone"/"name":"..\/x"/
labels: must be an object|s/"labels":\{\}/"labels":[]/
spec.os.image|s/quay.io.x.os:9/no image/
\u0000 is not allowed|s/"name":"alone"/"name":"al\\u0000one"/
record: must be a kind of record|s/"record":"resource"/"record":"resources"/
uid: must be a UUID|s/"uid":"[^"]*"/"uid":"x"/
invalid UTF-8|s/quay.io/\xff/
END
    sed "${line}p" a.jsonl >twice
    sealed twice >hostile
    expect 6 fc-store import -n -S "$(other)" hostile
    has "$stderr" "hostile:$((line + 1)): "
    # references to nothing
    for edit in 's/("record":"member","device":")one/\1none/' 's/("record":"rollout","fleet":")shops/\1none/' \
        's/("record":"device","device":")two/\1none/' 's/("record":"rendered","hash":")./\1x/' \
        '/"record":"device","device":"two"/d'; do
        sed -E "$edit" a.jsonl >changed
        run ! cmp -s changed a.jsonl
        sealed changed >hostile
        expect 6 fc-store import -n -S "$(other)" hostile
    done
}

@test "an import that was interrupted is noticed, and begun anew with -f" {
    needs strace strace
    jq -nc 'range(2500) | {apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\(.)"}}' >many.json
    fc-apply many.json >/dev/null
    fc-apply --org acme many.json >/dev/null
    fc-store export >a.jsonl
    fc-store export --org acme >acme.jsonl
    fc-store init -S "$(other)" >/dev/null
    # Its input ends in the middle, and it is killed while it waits for more.
    mkfifo in
    exec 7<>in
    fc-store import -S "$(other)" in >log 2>&1 7>&- 3>&- &
    pid=$!
    head -n 2200 a.jsonl >&7
    wait_for sh -c "fc-select devices -S '$(other)' 2>&1 | grep -q 'an import into it'"
    kill -9 $pid
    wait $pid || :
    exec 7>&-
    expect 6 fc-select devices -S "$(other)"
    has "$stderr" "fc-store import -f"
    expect 4 fc-store import -S "$(other)" a.jsonl
    expect 0 fc-store import -f -S "$(other)" a.jsonl
    fc-store export -S "$(other)" | cmp - a.jsonl
    # One organization: the store is in use, and the organization comes when it is whole.
    url=sqlite:$T/third.db
    fc-store init -S "$url" >/dev/null
    exec 7<>in
    fc-store import -S "$url" in >log 2>&1 7>&- 3>&- &
    pid=$!
    head -n 2200 acme.jsonl >&7
    wait_for sh -c "fc-select organizations -S '$url' -o json | grep -q import:acme"
    fc-apply -S "$url" fill.json >/dev/null
    fc-delete -y organization/acme -S "$url" >/dev/null
    expect 3 fc-select devices --org acme -S "$url"
    kill -9 $pid
    wait $pid || :
    exec 7>&-
    expect 4 fc-store import -S "$url" acme.jsonl
    has "$stderr" "-f begins it anew"
    expect 0 fc-store import -f -S "$url" acme.jsonl
    fc-store export --org acme -S "$url" | cmp - acme.jsonl
    same "" "$(fc-select organizations -S "$url" -o json | grep import: || :)"
}

@test "tasks of an organization meet none of another" {
    url=$(other)
    fc-store init -S "$url" >/dev/null
    sed -n '1s/acme/beta/p' fill.json | fc-apply -S "$url" - >/dev/null # its number is that of acme
    sed -n 4,5p fill.json | fc-apply -S "$url" --org beta - >/dev/null
    sed -n '5s/shop/bar/p' fill.json | fc-apply --org acme - >/dev/null
    fc-store export --org acme >acme.jsonl
    fc-store export --org beta -S "$url" >beta.jsonl
    for f in acme beta; do grep '"record":"task".*"type":"render"' $f.jsonl; done
    fc-store import -S "$url" acme.jsonl
    for f in acme beta; do fc-store export --org $f -S "$url" | cmp - $f.jsonl; done
    fc-work drain -S "$url"
    fc-store export --org acme -S "$url" >done.jsonl
    run ! grep '"record":"task"' done.jsonl
}
