#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# What somebody changes on a device after its version was applied.

load helpers
load agent

setup() {
    fc_setup
    with_device d1
    give "$(files "$(file /etc/a 1)" "$(file /etc/new/b 2 '{"mode":384}')" "$(file /etc/c 3)")"
    run_agent d1
    want=$(disk)
}
teardown() { fc_teardown; }

disk() { (cd d1/etc && stat -c '%n %a %u:%g' a new/b c && cat a new/b c); }

@test "what was edited, removed or made another's is repaired, and told" {
    rv=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "$rv" "$(reported .metadata.resourceVersion)"
    for harm in 'echo x >a' 'rm a' 'rm -r new' 'chmod 666 c' 'rm c; ln -s a c' 'truncate -s 0 new/b'; do
        (cd d1/etc && eval "$harm")
        [ "$want" != "$(disk 2>&1)" ]
        expect 0 run_agent d1
        has "$stderr" "fc-agent: drift: repaired at "
        same "$want" "$(disk)"
        no_temporaries d1
    done
    has "$(reported .status.systemInfo.drift)" "repaired at "
    has "$(reported .status.systemInfo.drift)" ": /etc/new/b"
    same "2 2 Updated" "$(known d1 '"\(.currentVersion) \(.desiredVersion) \(.conditions[0].reason)"')"
    [ ! -e d1/var/lib/flightctl/rollback.json ] || same 1 "$(jq -r '.metadata.annotations["device-controller/renderedVersion"]' d1/var/lib/flightctl/rollback.json)"
    # Several at once; without the server, too.
    rm d1/etc/a d1/etc/c
    stop "$API_PID"
    expect 7 run_agent d1
    has "$stderr" ": /etc/a and 1 more"
    same "$want" "$(disk)"
}

@test "what is there as it was costs no write, and plan and dry run show what is not" {
    before=$(whole_picture d1)
    expect 0 run_agent d1 -n
    same "" "$output"
    expect 0 run_agent d1
    same "$before" "$(whole_picture d1)"
    echo x >d1/etc/a
    before=$(whole_picture d1)
    for way in "run_agent d1 -n" "fc-agent --root d1 plan"; do
        # shellcheck disable=SC2086 # words
        expect 0 $way -q '[.action, .path]'
        same '["write","/etc/a"]' "$output"
    done
    same "$before" "$(whole_picture d1)"
}

@test "by policy it is only told, until it is gone" {
    echo 'drift-policy: report' >d1/etc/flightctl/conf.d/drift.yaml
    echo x >d1/etc/a
    rm d1/etc/c
    expect 0 run_agent d1
    has "$stderr" "fc-agent: drift: left as it is: /etc/a and 1 more"
    same x "$(cat d1/etc/a)"
    same "left as it is: /etc/a and 1 more" "$(reported .status.systemInfo.drift)"
    before=$(whole_picture d1) rv=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "" "$stderr"
    same "$before $rv" "$(whole_picture d1) $(reported .metadata.resourceVersion)"
    expect 0 run_agent d1 -n -q .path
    has "$stderr" "drift-policy is report: a run leaves it as it is"
    # A new version is brought about whole.
    give "$(files "$(file /etc/a 1)" "$(file /etc/c 4)")"
    expect 0 run_agent d1
    same 14 "$(cat d1/etc/a d1/etc/c)"
    same null "$(reported .status.systemInfo.drift)"
    rm d1/etc/a
    expect 0 run_agent d1
    printf 1 >d1/etc/a
    expect 0 run_agent d1
    same null "$(reported .status.systemInfo.drift)"
    echo 'drift-policy: ignore' >>d1/etc/flightctl/config.yaml
    expect 6 run_agent d1
    has "$stderr" "drift-policy: must be repair or report"
}

@test "what cannot be repaired is told, tried again later, and stops no new version" {
    rm d1/etc/a
    mkdir d1/etc/a
    before=$(picture d1)
    expect 1 run_agent d1
    has "$stderr" "fc-agent: drift cannot be repaired: /etc/a: a folder stands where the file should go"
    same "$before" "$(picture d1)"
    has "$(reported .status.systemInfo.drift)" "cannot be repaired: /etc/a: a folder stands"
    expect 0 run_agent d1
    same 1 "$(jq .drift.failures d1/run/flightctl/pace.json)"
    give "$(files "$(file /etc/c 4)")"
    expect 0 run_agent d1
    same 4 "$(cat d1/etc/c)"
    # What fails on the way is taken back.
    echo x >d1/etc/c
    before=$(picture d1)
    fc-agent --root d1 kick
    expect 1 traced -o /dev/null -P "$T/d1/etc" -e inject=renameat,renameat2:error=EIO:when=1
    has "$stderr" "drift cannot be repaired: /etc/c: "
    same "$before" "$(picture d1)"
    no_temporaries d1
    fc-agent --root d1 kick
    expect 0 run_agent d1
    same 4 "$(cat d1/etc/c)"
}
