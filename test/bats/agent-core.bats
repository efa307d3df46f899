#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# What surrounds an update: what is told of it, when it may happen, how often a server is asked.

load helpers
load agent

setup() { fc_setup; }
teardown() { fc_teardown; }

# with_fake NAME: a device that runs version 1, and a server from now on that answers as it is told.
with_fake() {
    with_device "$1" && fake_api && ask "$1" "$FAKE_URL" && answer 200 PUT <<<'{}'
}

@test "an update that takes long is told about while it is under way, and so is its undoing" {
    needs strace strace
    with_fake d1
    # All bodies that come, not the last alone.
    sed -i "s|cat >'$T/body'|cat >>'$T/body'|" answer.sh
    rendered 2 "$(files "$(file /etc/a 1)" "$(file /etc/b 1)")" | answer 200 GET
    : >requests
    expect 1 traced -o /dev/null -P "$T/d1/etc" \
        -e inject=renameat2:error=EIO:delay_enter=5100000:when=2
    same "GET PUT PUT" "$(cut -d' ' -f1 requests | xargs)"
    same 'True RollingBack
False Error' "$(jq -r '.status.conditions[] | .status + " " + .reason' body)"
    has "$(jq -r '.status.conditions[].message' body)" "version 2: /etc/b: "
    # In time it is one report, at its end.
    : >requests; : >body
    rendered 3 "$(files "$(file /etc/a 1)" "$(file /etc/b 1)")" | answer 200 GET
    expect 0 run_agent d1
    same "GET PUT" "$(cut -d' ' -f1 requests | xargs)"
    same 'False Updated' "$(jq -r '.status.conditions[] | .status + " " + .reason' body)"
    # Who cannot be told while it is under way is told at the end.
    : >requests; : >body
    rendered 4 "$(files "$(file /etc/c 1)" "$(file /etc/d 1)")" | answer 200 GET
    answer 503 PUT <<<'{}'
    expect 1 traced -o /dev/null -P "$T/d1/etc" \
        -e inject=renameat2:error=EIO:delay_enter=5100000:when=2
    has "$stderr" "fc-agent: the server is not told what the update does: report: the server answered 503"
    same "GET PUT PUT" "$(cut -d' ' -f1 requests | xargs)"
}

# policy KEY TIME GRACE: members for `give` with a window that opens then, each day.
policy() {
    jq -cn --arg key "$1" --arg at "$(date -u -d "@$2" '+%-M %-H * * *')" \
        --arg grace "$3" '{updatePolicy: {($key): {at: $at, timeZone: "UTC", startGraceDuration: $grace}}}'
}

# run_at CLOCK: a run of d1 by another clock. The program itself, and none beside it: sanitizers.
run_at() {
    # shellcheck disable=SC2086 # options
    at_time "$1" "$BUILD/bin/fc-agent" --root "$T/d1" $SPLIT
}

@test "a version waits for its download window, then for its update window" {
    local opens=$(($(date +%s) + 7200))

    with_device d1
    give "$(files "$(file /etc/a 1)")" "$(policy updateSchedule $opens 1h)"
    expect 0 run_agent d1
    has "$stderr" "fc-agent: version 2: waits for its update window, which opens at "
    [ ! -e d1/etc/a ]
    same "True ReadyToUpdate" "$(reported '.status.conditions[] | select(.type == "Updating") | .status + " " + .reason')"
    has "$(updating)" "version 2: waits for its update window, which opens at $(date -u -d @$opens '+%Y-%m-%dT%H:%M')"
    same Updating "$(reported .status.updated.status)"
    # Nothing new is nothing to tell, and nothing to write.
    before=$(whole_picture d1) rv=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "" "$stderr"
    same "$before $rv" "$(whole_picture d1) $(reported .metadata.resourceVersion)"
    # A later version takes the place of one that waits.
    give "$(files "$(file /etc/a 2)")" "$(policy downloadSchedule $opens 1h)"
    expect 0 run_agent d1
    has "$(updating)" "Preparing: version 3: waits for its download window, which opens at "
    expect 0 run_at +2.3h
    same 2 "$(cat d1/etc/a)"
    has "$(updating)" "Updated: version 3 is applied"
    # Opened, and closed again: it is the next day's. What waits is applied without the server.
    give "$(files "$(file /etc/a 3)")" "$(policy updateSchedule $opens 1h)"
    expect 0 run_at +4h
    has "$stderr" "waits for its update window, which opens at $(date -u -d @$((opens + 86400)) '+%Y-%m-%dT%H:%M')"
    same 2 "$(cat d1/etc/a)"
    # A clock that was never set opens nothing.
    run run_at '1970-01-01 00:00:30'
    same 2 "$(cat d1/etc/a)"
    expect 0 run_agent d1
    has "$(updating)" "ReadyToUpdate: version 4: "
    # What runs already, with the same window, waits for nothing and calls off what does.
    give "$(files "$(file /etc/a 2)")" "$(policy downloadSchedule $opens 1h)"
    expect 0 run_agent d1
    same "False Canceled" "$(reported '.status.conditions[] | select(.type == "Updating") | .status + " " + .reason')"
    same "Canceled: version 5 is what runs already: the update that waited is called off" "$(updating)"
    same "2 5 UpToDate" "$(cat d1/etc/a) $(reported '.status.config.renderedVersion + " " + .status.updated.status')"
}

# pace FILTER: of what the device remembers of its failures.
pace() { jq -c "$1" d1/run/flightctl/pace.json; }
# timed: a run of d1 as a timer starts it.
timed() {
    # shellcheck disable=SC2086 # options
    fc-agent --root "$T/d1" ${SPLIT#--now} "$@"
}

@test "a server that fails is asked ever more seldom, as it says itself, or at once after a kick" {
    with_fake d1
    refusal 500 "not today" | answer 500
    expect 7 timed
    same "fc-agent: poll: the server answered 500: not today" "$stderr"
    : >requests
    expect 7 timed
    [[ $stderr == "fc-agent: the server is asked again in "[1-7]" s: poll: the server answered 500: not today" ]]
    same "" "$(cat requests)"
    # Twice as long each time, and some more by chance; five minutes at most.
    for wanted in 10 20 40 80 160 300 300; do
        before=$(cut -d. -f1 /proc/uptime)
        expect 7 run_agent d1
        wait=$(($(pace .poll.until) - before))
        [ "$wait" -ge "$wanted" ] && [ "$wait" -le $((wanted * 6 / 5 + 9)) ] || { echo "$wanted: $wait"; return 1; }
    done
    same 8 "$(pace .poll.failures)"
    # A kick is for one run. What goes well is the end of it.
    : >requests
    expect 0 fc-agent --root d1 kick
    expect 7 timed
    expect 7 timed
    same 1 "$(wc -l <requests)"
    # A server may ask for more, of reports too, but not for ever.
    for asked in 700:700 80000:3600 999999999:3600; do
        { printf 'Status: 503\r\nRetry-After: %s\r\n\r\n' "${asked%:*}"; } >answer
        before=$(cut -d. -f1 /proc/uptime)
        expect 7 run_agent d1
        wait=$(($(pace .poll.until) - before)) wanted=${asked#*:}
        [ "$wait" -ge "$wanted" ] && [ "$wait" -le $((wanted * 6 / 5 + 9)) ] || { echo "$wanted: $wait"; return 1; }
    done
    rendered 2 "$(files "$(file /etc/a 1)")" | answer 200 GET
    printf 'Status: 429\r\nRetry-After: 1000\r\n\r\n' >answer.PUT
    expect 7 run_agent d1
    same 1 "$(cat d1/etc/a)"
    [ "$(pace .poll.until)" -ge $((before + 1000)) ]
    # Across what it cannot ask, the device is looked after.
    answer 200 PUT <<<'{}'
    fc-agent --root d1 kick
    expect 0 timed
    same null "$(pace .poll)"
    # Times of another boot count for nothing.
    jq -c '.poll = {failures: 3, until: 99999999999, message: "x"}' d1/run/flightctl/pace.json >new
    cp new d1/run/flightctl/pace.json
    expect 0 timed
}

@test "a report is sent when it is due, even if nothing changed" {
    with_fake d1
    answer 204 GET </dev/null
    expect 0 run_agent d1
    : >requests
    expect 0 run_agent d1
    same GET "$(cut -d' ' -f1 requests | xargs)"
    echo 'liveness-interval: 1h' >d1/etc/flightctl/conf.d/liveness.yaml
    jq -c ".reported = $(cut -d. -f1 /proc/uptime) - 3590" d1/run/flightctl/pace.json >new
    [ "$(jq .reported new)" -gt 0 ] || echo '{"reported":1}' >new
    cp new d1/run/flightctl/pace.json
    : >requests
    sleep_until() { [ "$(cut -d. -f1 /proc/uptime)" -gt $(($(jq .reported new) + 3600)) ]; }
    wait_for sleep_until
    expect 0 run_agent d1
    expect 0 run_agent d1
    same "GET PUT GET" "$(cut -d' ' -f1 requests | xargs)"
    echo 'liveness-interval: soon' >>d1/etc/flightctl/config.yaml
    expect 6 run_agent d1
    has "$stderr" "liveness-interval: must be a duration from 1s to 168h"
}

@test "a version that waits for its window is applied while the server is away" {
    with_device d1
    give "$(files "$(file /etc/a 1)")" "$(policy updateSchedule $(($(date +%s) + 7200)) 1h)"
    expect 0 run_agent d1
    stop "$API_PID"
    expect 7 run_agent d1
    [ ! -e d1/etc/a ]
    expect 7 run_at +2.3h
    has "$stderr" "fc-agent: version 2 is applied (was 1)"
    same 1 "$(cat d1/etc/a)"
    same "2 Updated" "$(known d1 '"\(.currentVersion) \(.conditions[0].reason)"')"
}

@test "a run whose time is over begins nothing new; one that goes on for ever is ended, but never its undoing" {
    needs strace strace
    with_fake d1
    expect 2 run_agent d1 --timeout 0
    rendered 2 "$(files "$(file /etc/a 1)" "$(file /etc/b 1)")" | answer 200 GET
    : >hold; : >requests
    # shellcheck disable=SC2086 # options
    background agent.log fc-agent --root "$T/d1" --timeout 3 $SPLIT
    wait_for test -s requests
    sleep 3.1
    rm hold
    status=0; wait "$PID" || status=$?
    same 7 "$status"
    same "fc-agent: the run's time is over: a later one goes on" "$(cat agent.log)"
    same "True Retrying" "$(jq -r '.status.conditions[] | .status + " " + .reason' body)"
    [ ! -e d1/etc/a ]
    # Its own backoff: not at once again, though the server is asked.
    answer 204 GET </dev/null
    expect 0 timed
    [ ! -e d1/etc/a ]
    # It is not of another version, even if the run that brings that one is killed.
    cp -a d1 waits
    rendered 3 "$(files "$(file /etc/a 3)")" | answer 200 GET
    expect 137 traced -o /dev/null -e inject=renameat2:signal=KILL:when=1
    answer 204 GET </dev/null
    expect 0 timed
    same 3 "$(cat d1/etc/a)"
    rm -r d1
    mv waits d1
    fc-agent --root d1 kick
    # The signal of the hard one, while it waits for the server.
    : >hold; : >requests
    # shellcheck disable=SC2086 # options
    background agent.log fc-agent --root "$T/d1" $SPLIT
    wait_for test -s requests
    kill -ALRM "$PID"
    status=0; wait "$PID" || status=$?
    same 7 "$status"
    has "$(cat agent.log)" "fc-agent: the run took too long and is given up"
    rm hold
    fc-agent --root d1 kick
    expect 1 traced -o trace -e trace=alarm,renameat2,unlinkat -e inject=renameat2:error=EIO:when=2
    same "alarm renameat2 alarm unlinkat" \
        "$(grep 'alarm\|renameat2\|unlinkat(.*fc-' trace | sed 's/(.*//' | uniq | head -4 | xargs)"
}

@test "a run that is kicked waits for the one that is under way" {
    with_fake d1
    rendered 2 "$(files "$(file /etc/a 1)")" | answer 200 GET
    : >hold; : >requests
    # shellcheck disable=SC2086 # options
    background agent.log fc-agent --root "$T/d1" $SPLIT
    wait_for test -s requests
    expect 7 run_agent d1
    same "fc-agent: another run is under way" "$stderr"
    fc-agent --root d1 kick
    # shellcheck disable=SC2086 # options
    background second.log fc-agent --root "$T/d1" $SPLIT
    kill -0 "$PID"
    rm hold
    wait "$PID"
    same 1 "$(cat d1/etc/a)"
    same "" "$(cat second.log)"
    [ ! -e d1/run/flightctl/kick ]
}

@test "a clock of 1970 or 2100 changes nothing, and the right one goes on" {
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    give "$(files "$(file /etc/a 2)")"
    before=$(picture d1)
    for clock in '1970-01-01 00:00:30' '2100-01-01 00:00:00'; do
        expect 5 run_at "$clock"
        has "$stderr" "clock"
        same "$before" "$(picture d1)"
        expect 0 at_time "$clock" "$BUILD/bin/fc-agent" --root d1 status
        # Without a server: what was changed is repaired, times or not.
        echo x >d1/etc/a
        expect 5 run_at "$clock"
        has "$stderr" "drift: repaired at ${clock%% *}T"
        same 1 "$(cat d1/etc/a)"
        before=$(picture d1)
    done
    expect 0 run_agent d1
    same 2 "$(cat d1/etc/a)"
    expect 0 run_agent d1
    same "" "$stderr"
    no_temporaries d1
}

@test "the report says of itself what a server would" {
    with_device d1
    judged() { known d1 '.status | "\(.summary.status) \(.updated.status) \(.lifecycle.status) \(.integrity.status)"'; }
    same "Online UpToDate Unknown Unknown" "$(judged)"
    give "$(files "$(file /proc/x 1)")"
    expect 1 run_agent d1
    same "Online OutOfDate Unknown Unknown" "$(judged)"
    has "$(known d1 .status.updated.info)" ": version 2: /proc/x: "
    give "$(files "$(file /etc/a 1)")" "$(policy updateSchedule $(($(date +%s) + 7200)) 1h)"
    expect 0 run_agent d1
    same "Online Updating Unknown Unknown" "$(judged)"
    same "$(known d1 .status.updated.status)" "$(reported .status.updated.status)"
}
