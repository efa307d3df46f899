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
