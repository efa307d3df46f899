# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets stderr and stderr_lines
# databases: both
# fc-watch: nothing lost, nothing twice, at once, whatever is picked.

load helpers
load watch

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

@test "changes of a kind, as they come" {
    follow out devices
    device a '{"site":"berlin"}'
    wait_for lines out 1
    device a '{"site":"rome"}'
    wait_for lines out 2
    fc-delete -y device/a >/dev/null
    wait_for lines out 3
    same "ADDED a,MODIFIED a,DELETED a" "$(told out)"
    same '["berlin","rome","rome"]' "$(jq -sc 'map(.object.metadata.labels.site // empty)' out)"
    jq -s -e 'map(select(.type != "BOOKMARK") | .object | has("status")) == [true, true, false]' out
    same "" "$(cat out.err)"
}

@test "one resource, of one kind or of several" {
    follow out device/a repository/r
    device b
    device a
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Repository","metadata":{"name":"r"},
        "spec":{"type":"git","url":"https://h/x.git"}}' | fc-apply >/dev/null
    wait_for lines out 2
    same "ADDED a,ADDED r" "$(told out)"
}

@test "template versions go by their fleet and name" {
    follow out templateversion/f/v2
    follow all templateversions
    for image in 1 2 3; do
        for f in e f; do
            echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"'$f'"},
                "spec":{"selector":{"matchLabels":{"a":"b"}},
                "template":{"spec":{"os":{"image":"x:'$image'"}}}}}'
        done | fc-apply >/dev/null
    done
    fc-delete -y fleet/f >/dev/null
    wait_for lines all 9
    same "ADDED v2,DELETED v2" "$(told out)"
    same 6 "$(grep -c '"fleet":"[ef]".*ADDED' all)"
    same 3 "$(grep -c '"owner":"Fleet/f".*DELETED' all)"
}

@test "a selector: what comes to it is added, what leaves it is deleted" {
    follow out devices -l site=berlin
    device a '{"site":"rome"}'
    device a '{"site":"berlin"}'
    wait_for lines out 1
    device a '{"site":"berlin","x":"1"}'
    wait_for lines out 2
    device a '{"site":"rome"}'
    wait_for lines out 3
    fc-delete -y device/a >/dev/null
    device b '{"site":"berlin"}'
    wait_for lines out 4
    fc-delete -y device/b >/dev/null
    wait_for lines out 5
    same "ADDED a,MODIFIED a,DELETED a,ADDED b,DELETED b" "$(told out)"
}

@test "fields that metadata tells: exact from any cursor" {
    start=$(fc-watch --timeout 1s | jq -r .cursor)
    device a '{"alias":"till-1"}'
    device b '{"alias":"door"}'
    device c
    device b '{"alias":"till-2"}'
    device a '{"alias":"office"}'
    fc-delete -y device/c >/dev/null
    now=$(fc-watch --timeout 1s | jq -r .cursor)
    device b '{"alias":"door"}'
    device c '{"alias":"till-3"}'
    fc-watch devices --field-selector 'metadata.alias contains till' --since "$start" \
        --timeout 1s >out
    same "ADDED c" "$(told out)"
    fc-watch devices --field-selector 'metadata.alias contains till' --since "$now" \
        --timeout 1s >out
    same "DELETED b,ADDED c" "$(told out)"
    fc-watch devices --field-selector 'metadata.name in (a,c)' --since "$start" --timeout 1s >out
    same "ADDED a,ADDED c" "$(told out)"
    fc-watch devices --field-selector metadata.name=a -l '!alias' --since "$now" --timeout 1s >out
    same "" "$(told out)"
}

# repository NAME URL
repository() {
    jq -nc --arg n "$1" --arg u "$2" '{apiVersion: "flightctl.io/v1beta1", kind: "Repository",
        metadata: {name: $n}, spec: {type: "git", url: $u}}' | fc-apply >/dev/null
}

@test "fields of spec and status: what comes to match is added, what leaves it is deleted" {
    repository in https://h/x
    repository out https://h/y
    repository later https://h/y
    follow log repositories --field-selector spec.url=https://h/x
    repository out https://h/z # neither before nor after
    repository in https://h/y
    wait_for lines log 1
    repository later https://h/x
    wait_for lines log 2
    fc-patch repository/later -p '{"metadata":{"labels":{"a":"b"}}}' >/dev/null
    wait_for lines log 3
    fc-delete -y repository/out repository/later >/dev/null
    repository new https://h/x
    wait_for lines log 5
    same "DELETED in,ADDED later,MODIFIED later,DELETED later,ADDED new" "$(told log)"
    stop "$PID"
    # From a cursor before these changes it is not known who matched: who changed is said to be gone.
    cursor=$(head -1 log | jq -r .cursor)
    fc-watch repositories --field-selector spec.url=https://h/x --since "$cursor" --timeout 1s >log
    same "DELETED in,DELETED out,DELETED later,ADDED new" "$(told log)"
    # States of devices are among those fields, and so is the owner.
    follow log devices --field-selector status.updated.status=OutOfDate,metadata.owner=Fleet/f
    device d '{"app":"shop"}'
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"f"},
        "spec":{"selector":{"matchLabels":{"app":"shop"}},
        "template":{"spec":{"os":{"image":"x:1"}}}}}' | fc-apply >/dev/null
    fc-work drain
    wait_for lines log 1
    device d
    fc-work drain
    wait_for grep -q DELETED log
    same "ADDED d" "$(told log | cut -d, -f1)"
    same "DELETED d" "$(told log | tr , '\n' | tail -1)"
}

@test "events by their fields" {
    follow out --field-selector 'involvedObject.name in (a,b),reason!=ResourceDeleted'
    follow some --events devices --field-selector 'type=Normal,reason contains Delete'
    device a && device c && device b
    fc-delete -y device/a >/dev/null
    wait_for lines out 2
    wait_for lines some 1
    same "ResourceCreated a,ResourceCreated b" "$(jq -r 'select(.object) |
        .object.reason + " " + .object.involvedObject.name' out | paste -sd,)"
    same "ResourceDeleted" "$(jq -r '.object.reason // empty' some)"
    expect 6 fc-watch --field-selector spec.url=x --timeout 1s
    has "$stderr" 'fc-watch: field selector: at 1: unable to resolve selector name "spec.url"'
    expect 6 fc-watch devices --field-selector reason=x --timeout 1s
    has "$stderr" 'unable to resolve selector name "reason"'
    expect 6 fc-watch device/a repository/r --field-selector spec.url=x --timeout 1s
    same "" "$output"
}

@test "events, of all or of some" {
    follow all
    follow some --events device/a
    device b
    device a
    fc-delete -y device/a >/dev/null
    wait_for lines all 3
    wait_for lines some 2
    same "ResourceCreated b,ResourceCreated a,ResourceDeleted a" "$(jq -r 'select(.object) |
        .object.reason + " " + .object.involvedObject.name' all | paste -sd,)"
    same "ResourceCreated,ResourceDeleted" "$(jq -r '.object.reason // empty' some | paste -sd,)"
    same "$(fc-select events --limit 0 | tac)" "$(jq -cS '.object // empty' all)"
}

@test "who begins again after a cursor misses nothing and gets nothing twice" {
    start=$(fc-watch --timeout 1s | jq -r .cursor)
    for n in $(seq 30); do device "d$n"; done
    fc-watch --since "$start" --timeout 1s >whole
    same 30 "$(grep -c ResourceCreated whole)"
    # In steps of seven lines, from the last cursor each.
    cursor=$start
    for _ in 1 2 3 4 5; do
        fc-watch --since "$cursor" --limit 7 --timeout 1s >part
        cursor=$(tail -1 part | jq -r .cursor)
        grep ResourceCreated part >>parts
    done
    same "$(grep ResourceCreated whole)" "$(cat parts)"
    # From the start, and of devices.
    same 30 "$(fc-watch devices --from-start --limit 30 --timeout 9s -o name | sort -u | wc -l)"
    # What passed without a line is not read again.
    fc-watch fleets --since "$start" --timeout 1s >none
    same '["BOOKMARK","BOOKMARK"]' "$(jq -sc 'map(.type)' none)"
    same 0 "$(fc-watch --since "$(tail -1 none | jq -r .cursor)" --timeout 1s | grep -c Created || :)"
}

@test "many changes of one resource at once are one line, and its cursor stands for all" {
    start=$(fc-watch --timeout 1s | jq -r .cursor)
    for n in $(seq 20); do device a "{\"n\":\"$n\"}"; done
    device gone
    fc-delete -y device/gone >/dev/null
    fc-watch devices --since "$start" --timeout 1s >out
    same "ADDED a" "$(told out)"
    same 20 "$(jq -r '.object.metadata.labels.n // empty' out)"
    device b
    fc-watch devices --since "$(sed -n 2p out | jq -r .cursor)" --timeout 1s >rest
    same "ADDED b" "$(told rest)"
}

@test "cursors that this store cannot serve" {
    device a
    cursor=$(fc-watch --from-start --limit 1 --timeout 9s | tail -1 | jq -r .cursor)
    for bad in x '' "$cursor." "$cursor-1" "${cursor%.*}.G" "${cursor%.*}" \
        "${cursor%.*}.fffffffffffffffff"; do
        expect 6 fc-watch --since "$bad" --timeout 1s
        same "fc-watch: cursor: not one" "$stderr"
        same "" "$output"
    done
    expect 6 fc-watch --since "${cursor%.*}.ffff" --timeout 1s
    has "$stderr" "taken back"
    FC_STORE=sqlite:$T/other.db fc-store init >/dev/null
    expect 6 fc-watch --since "$cursor" --timeout 1s -S "sqlite:$T/other.db"
    same "fc-watch: cursor: of another store" "$stderr"
}

@test "an end by time, by number, and when nobody reads" {
    SECONDS=0
    expect 0 fc-watch --timeout 2s
    [ "$SECONDS" -ge 2 ] && [ "$SECONDS" -le 12 ]
    device a && device b
    same "device/a device/b" "$(fc-watch devices --from-start --limit 2 -o name | paste -sd' ')"
    # The reader goes while nothing happens.
    mkfifo pipe
    fc-watch >pipe 2>err 3>&- 4>&- &
    pid=$!
    echo "$pid" >>pids
    head -1 pipe >/dev/null
    wait_for gone "$pid"
    same "" "$(cat err)"
}

@test "thousands of events a second, each once, in little memory" {
    follow events
    follow changes devices -o name -q '.object.metadata.name // .type'
    each=1000
    # Memory is told by the plain build over a file.
    sanitized || [[ $FC_STORE != sqlite:* ]] || each=5000
    for k in 1 2 3 4; do
        seq -f "d$k-%g" $each | jq -Rc '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
            metadata: {name: .}, spec: {}}' >"many$k"
    done
    before=$(awk '/VmHWM/ { print $2 }' "/proc/$PID/status")
    for k in 1 2 3 4; do fc-apply "many$k" >/dev/null; done
    all=$((4 * each))
    wait_for lines events $all
    wait_for lines changes $all
    same $all "$(jq -r '.object.involvedObject.name // empty' events | sort -u | wc -l)"
    same $all "$(grep -vc BOOKMARK events)"
    same $all "$(sort -u changes | grep -c '^d')"
    after=$(awk '/VmHWM/ { print $2 }' "/proc/$PID/status")
    echo "$before kB, $after kB"
    sanitized || [ "$after" -lt $((before + 8000)) ]
}

@test "formats and filters" {
    device a
    expect 0 fc-watch devices --from-start --limit 1 -o table
    has "${lines[0]}" "CHANGE"
    has "${lines[1]}" "ADDED   Device  a"
    expect 0 fc-watch --from-start --limit 1 -o yaml
    has "$output" "reason: ResourceCreated"
    same "device/a" "$(fc-watch devices --from-start --limit 1 -o name)"
    same ADDED "$(fc-watch devices --from-start --limit 1 -q 'select(.object) | .type' -o name)"
}

@test "wrong command lines are usage errors" {
    for args in "--now --from-start" "--timeout x" "--timeout 0s" "--limit -1" "nokind" \
        "event/x" "events -l a=b" "-l a=b" "devices -l a=b --events" "templateversions -l a=b" labels; do
        # shellcheck disable=SC2086 # words
        expect 2 timeout 9 fc-watch $args
    done
    expect 6 fc-watch devices -l '=' --timeout 1s
}
