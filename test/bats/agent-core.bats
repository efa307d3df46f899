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
    : >requests >body
    rendered 3 "$(files "$(file /etc/a 1)" "$(file /etc/b 1)")" | answer 200 GET
    expect 0 run_agent d1
    same "GET PUT" "$(cut -d' ' -f1 requests | xargs)"
    same 'False Updated' "$(jq -r '.status.conditions[] | .status + " " + .reason' body)"
    # Who cannot be told while it is under way is told at the end.
    : >requests >body
    rendered 4 "$(files "$(file /etc/c 1)" "$(file /etc/d 1)")" | answer 200 GET
    answer 503 PUT <<<'{}'
    expect 1 traced -o /dev/null -P "$T/d1/etc" \
        -e inject=renameat2:error=EIO:delay_enter=5100000:when=2
    has "$stderr" "fc-agent: the server is not told what the update does: report: the server answered 503"
    same "GET PUT PUT" "$(cut -d' ' -f1 requests | xargs)"
}

# policy KEY SECONDS GRACE: members for `give` with a window that opens so many seconds from now.
policy() {
    jq -cn --arg key "$1" --arg at "$(date -u -d "+$2 seconds" '+%M %H * * *' | sed 's/^0*\([0-9]\)/\1/; s/ 0\([0-9]\)/ \1/')" \
        --arg grace "$3" '{updatePolicy: {($key): {at: $at, timeZone: "UTC", startGraceDuration: $grace}}}'
}

@test "a version waits for its download window, then for its update window" {
    with_device d1
    give "$(files "$(file /etc/a 1)")" "$(policy updateSchedule 7200 1h)"
    expect 0 run_agent d1
    has "$stderr" "fc-agent: version 2: waits for its update window, which opens at "
    [ ! -e d1/etc/a ]
    same "True ReadyToUpdate" "$(reported '.status.conditions[] | select(.type == "Updating") | .status + " " + .reason')"
    has "$(updating)" "version 2: waits for its update window, which opens at $(date -u -d '+7200 seconds' '+%Y-%m-%dT%H:%M')"
    same Updating "$(reported .status.updated.status)"
    # Nothing new is nothing to tell, and nothing to write.
    before=$(whole_picture d1) rv=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "" "$stderr"
    same "$before $rv" "$(whole_picture d1) $(reported .metadata.resourceVersion)"
    # A later version takes the place of one that waits.
    give "$(files "$(file /etc/a 2)")" "$(policy downloadSchedule 7200 1h)"
    expect 0 run_agent d1
    has "$(updating)" "Preparing: version 3: waits for its download window, which opens at "
    expect 0 at_time +2.3h run_agent d1
    same 2 "$(cat d1/etc/a)"
    has "$(updating)" "Updated: version 3 is applied"
    # Opened, and closed again: it is the next day's. What waits is applied without the server.
    give "$(files "$(file /etc/a 3)")" "$(policy updateSchedule 7200 1h)"
    expect 0 at_time +4h run_agent d1
    has "$stderr" "waits for its update window, which opens at $(date -u -d '+1 day +7200 seconds' '+%Y-%m-%dT%H:')"
    same 2 "$(cat d1/etc/a)"
    # A clock that was never set opens nothing.
    run at_time '1970-01-01 00:00:30' run_agent d1
    same 2 "$(cat d1/etc/a)"
    expect 0 run_agent d1
    has "$(updating)" "ReadyToUpdate: version 4: "
}
