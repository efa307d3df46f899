# SPDX-License-Identifier: Apache-2.0
# databases: both
# once: commands that are refused or killed, by the hundred
# shellcheck disable=SC2154,SC2031 # T comes from helpers
# fc-store import: what it refuses, and what it leaves when it is killed.

load helpers
load crash

# An export with all records there are, of a store beside that of the test, which stays empty.
setup() {
    fc_setup
    crash_setup
    fc-store init >/dev/null
    SOURCE=sqlite:$T/source.db
    cat >fill.json <<'END2'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Organization", "metadata": {"name": "acme"}, "spec": {}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"os": {"image": "quay.io/x/os:1"}}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "one", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "two", "labels": {"app": "shop"}}}
END2
}
teardown() {
    crash_teardown
    fc_teardown
}

fill() {
    (
        export FC_STORE=$SOURCE
        fc-store init
        fc-apply -m "the first" fill.json
        sed -n 2,4p fill.json | fc-apply --org acme -
        fc-work drain
        fc-sign token issue -r viewer -g night monitor
        fc-sign token issue -r viewer -g night --org acme monitor
        sed 's/os:1/os:2/' fill.json | fc-apply -m why -
        sed -n '2s/os:1/os:2/p' fill.json | fc-apply --org acme -
        sed -n '1s/acme/gone/p' fill.json | fc-apply -
        fc-apply --org gone - <<<"$(sed -n 4p fill.json)"
        fc-delete -y --org gone device/two
        fc-delete -y organization/gone
    ) >/dev/null 2>&1
}

# sealed FILE: with another last line that fits.
sealed() {
    sed '$d' "$1" >cut.jsonl
    cat cut.jsonl
    printf '{"record":"end","lines":%d,"sha256":"%s"}\n' "$(wc -l <cut.jsonl)" \
        "$(sha256sum cut.jsonl | cut -d' ' -f1)"
}

# refused LINE RECORD MESSAGE: the export up to a line which is that one instead.
refused() {
    head -n $(($1 - 1)) a.jsonl >hostile
    echo "$2" >>hostile
    expect 6 fc-store import hostile
    same "fc-store: hostile:$1: $3" "$stderr"
}

@test "each member of each record is asked for, and of its type" {
    local optional=" resource.owner resource.spec resource.status organization.owner
 organization.spec organization.status device.hash device.failure device.specMessage
 device.updatedInfo device.lastSeen member.assigned member.rendered member.good member.message
 rollout.version rollout.completed rollout.why rollout.problem revision.reason revision.owner
 revision.doc event.parent event.details event.was token.revokedBy task.payload task.dedupe
 task.owner task.error " n=0

    fill
    fc-store export -S "$SOURCE" >a.jsonl
    # Of each kind of record the line with most members.
    jq -c '{n: input_line_number, doc: .}' a.jsonl | jq -s -r 'map(select(.doc.record |
        IN("organization", "resource", "rendered", "device", "member", "rollout", "revision",
        "event", "token", "task", "deletedOrganization"))) | group_by(.doc.record) | map(max_by(.doc | length)) | .[] |
        .n as $n | .doc as $d | ($d | del(.record) | keys_unsorted[]) as $k |
        [$n, $d.record, $k, ($d[$k] | {string: "a string", number: "an integer", object: "an object",
        array: "an array"}[type]), ($d | del(.[$k]) | tojson), ($d | .[$k] |= (if type == "string"
        then 1 elif type == "number" then "1" elif type == "object" then [] else {} end) | tojson)] |
        join("\t")' >members
    same 11 "$(cut -f2 members | sort -u | wc -l)"
    while IFS=$'\t' read -r line record member type without wrong; do
        n=$((n + 1))
        # What reads them does not know the database: on a server some of them tell.
        [[ $FC_STORE == sqlite:* ]] || [ $((n % 5)) = 0 ] || continue
        refused "$line" "$wrong" "$member: must be $type"
        case $optional in
        *[[:space:]]"$record.$member"[[:space:]]*) ;;
        *) refused "$line" "$without" "$member: is required" ;;
        esac
    done <members
    [ $n -gt 80 ] || { echo "only $n members"; return 1; }
    # Nothing of all these is left.
    fc-store import a.jsonl
    fc-store export | cmp - a.jsonl
}

@test "members that no record has, and records that stand there twice" {
    fill
    fc-store export -S "$SOURCE" >a.jsonl
    for record in organization resource rendered device member rollout revision event token task \
        deletedOrganization; do
        line=$(grep -n "^{\"record\":\"$record\"" a.jsonl | tail -1 | cut -d: -f1)
        text=$(sed -n "${line}p" a.jsonl)
        refused "$line" "${text%\}},\"nothing\":1}" "nothing: unknown member of a $record"
        case $record in
        rendered | event) continue ;; # one that is there already; a log may repeat itself
        esac
        sed "${line}p" a.jsonl | head -n $((line + 1)) >hostile
        expect 6 fc-store import hostile
        has "$stderr" "fc-store: hostile:$((line + 1)): "
        case $record in
        resource) has "$stderr" "already exists" ;;
        *) has "$stderr" "stands there twice" ;;
        esac
    done
    fc-store import a.jsonl
    fc-store export | cmp - a.jsonl
}

# many FILE: the same with so many events that it is imported in two transactions.
many() {
    line=$(grep -n '^{"record":"\(token\|task\)"' "$1" | head -1 | cut -d: -f1)
    {
        head -n $((line - 1)) "$1"
        jq -nc 'range(1000) | {record: "event", at: (1700000000000000 + .), uid:
            "00000000-0000-4000-8000-\(100000000000 + .)", kind: "Device", name: "one",
            reason: "ResourceUpdated", type: "Normal", actor: "user:a", source: "test", message: "m"}'
        tail -n +"$line" "$1"
    } >longer
    sealed longer
}

# A few, from the first to the last.
some_of() {
    seq "$1" | awk -v n="$1" 'n <= 6 || NR <= 2 || NR > n - 3 || NR == int(n / 2)'
}

# Nothing, all of it, or a store that nobody takes for one, and that says how to go on.
whole_or_told() {
    if fc-store export >now 2>err; then
        cmp -s now before || cmp now a.jsonl
        return
    fi
    expect 6 fc-select devices
    has "$stderr" "fc-store import -f"
    expect 4 fc-store import a.jsonl
    has "$stderr" "(-f begins it anew)"
}
# What is said to go on with.
go_on() {
    local rc=0

    fc-store import "$@" 2>why || rc=$?
    case $rc-$(cat why) in
    0-*) ;;
    4-*"-f begins it anew"*) fc-store import -f "$@" ;;
    4-*"is not empty"* | 4-*"already exists"*) ;; # it was all there
    *) cat why >&2; return 1 ;;
    esac
}

@test "an import of a whole store, killed at its writes" {
    fill
    fc-store export -S "$SOURCE" >few.jsonl
    many few.jsonl >a.jsonl
    fc-store export >before
    dump() { fc-store export; }
    cp a.jsonl after
    keep
    AGAIN=(go_on a.jsonl)
    kills whole_or_told fc-store import a.jsonl
}

@test "an import that is begun anew, killed at its writes" {
    fill
    fc-store export -S "$SOURCE" >few.jsonl
    many few.jsonl >a.jsonl
    : >before # it is not empty, and not whole
    dump() { fc-store export; }
    cp a.jsonl after
    head -n 1010 a.jsonl >half
    expect 6 fc-store import half
    has "$stderr" "half:1011: cut short"
    expect 6 fc-store export
    keep
    AGAIN=(go_on a.jsonl)
    kills whole_or_told fc-store import -f a.jsonl
}

# The organization is not there, or whole; its neighbours are not disturbed, and who imports it again
# is told what to do.
apart_or_told() {
    fc-store export --org default --no-events --no-history | cmp - neighbour
    if fc-store export --org acme >now 2>err; then
        cmp now a.jsonl
        return
    fi
    expect 3 fc-select devices --org acme
    run --separate-stderr fc-store import -n a.jsonl
    [ "$status" = 0 ] || [[ $status-$stderr == 4-*"(-f begins it anew)" ]]
}

@test "an import of one organization, killed at its writes" {
    fill
    fc-store export -S "$SOURCE" --org acme >few.jsonl
    many few.jsonl >a.jsonl
    sed -n 2,4p fill.json | fc-apply - >/dev/null
    fc-store export --org default --no-events --no-history >neighbour
    dump() { fc-store export --org acme; fc-store export --org default --no-events --no-history; }
    cat a.jsonl neighbour >after
    keep
    AGAIN=(go_on a.jsonl)
    kills apart_or_told fc-store import a.jsonl
}

@test "what a fleet's change had still to do when it was exported is done after the import" {
    fill
    export FC_STORE_KEPT=$FC_STORE FC_STORE=$SOURCE
    jq -nc 'range(1200) | {apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata:
        {name: "d\(.)", labels: {app: "bar"}}}' | fc-apply - >/dev/null
    fc-work drain
    sed -n 2p fill.json | jq -c '.spec.selector.matchLabels.app = "bar"' >moved.json
    # Its command is killed between the change's commit and the end of the walk.
    cp source.db kept.db
    for n in $(seq 20); do
        (strace -qq -f -o /dev/null -e trace=fdatasync -e inject="fdatasync:signal=KILL:when=$n" \
            fc-apply moved.json; exit $?) >/dev/null 2>&1 || :
        fc-store export >a.jsonl
        ! grep -q '^{"record":"rollout".*"walk":[1-9]' a.jsonl || break
        rm -f source.db source.db-wal source.db-shm
        cp kept.db source.db
    done
    grep -q '^{"record":"rollout".*"walk":[1-9]' a.jsonl
    grep -q '^{"record":"task".*"type":"walk"' a.jsonl
    export FC_STORE=$FC_STORE_KEPT
    fc-store import a.jsonl
    same 2 "$(fc-select devices --field-selector metadata.owner=Fleet/shops --count)"
    at_time +1m fc-work drain
    same 1200 "$(fc-select devices --field-selector metadata.owner=Fleet/shops --count)"
    same 1200 "$(fc-select devices -l app=bar --field-selector metadata.owner=Fleet/shops --count)"
    fc-store export >b.jsonl
    run ! grep -q '^{"record":"rollout".*"walk":[1-9]' b.jsonl
    run ! grep -q '^{"record":"task".*"type":"walk"' b.jsonl
    same 1202 "$(grep -c '^{"record":"member"' b.jsonl)" # two of the other organization
    fc-store check
}
