#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# A device that is decommissioned.

load helpers
load agent

setup() {
    fc_setup
    needs_root
    with_device d1
    data=d1/var/lib/flightctl
    echo old >d1/etc/motd
    give "$(files "$(file /etc/motd new)" "$(file /etc/a 1)")"
    run_agent d1
    reboots systemctl
}
teardown() { fc_teardown; }

# reboots NAME: the device has this program, which notes what it is told in d1/reboots.
reboots() {
    needs /bin/busybox busybox-static
    mkdir -p d1/bin d1/usr/bin
    cp /bin/busybox d1/bin/sh
    rm -f d1/usr/bin/* d1/reboots
    printf '#!/bin/sh\necho "%s $*" >>/reboots\n' "$1" >"d1/usr/bin/$1"
    chmod +x "d1/usr/bin/$1"
}

decommission() {
    api admin "/api/v1/devices/$DEVICE/decommission" -X PUT --json "{\"target\":\"$1\"}" | grep -qx 200
}

left() { find $data -mindepth 1 -printf '%P\n' | sort; }
leaving() { reported '.status.lifecycle.status + " " + (.status.conditions[] | select(.type == "DeviceDecommissioning") | .status + " " + .reason)'; }

@test "Unenroll: key, certificate and state go, what runs stays, and the device reboots" {
    decommission Unenroll
    before=$(whole_picture d1)
    expect 0 run_agent d1 -n
    same "fc-agent: the device would be decommissioned (Unenroll)" "$stderr"
    same "$before" "$(whole_picture d1)"
    expect 0 run_agent d1
    same decommissioned "$(left)"
    same "new 1" "$(cat d1/etc/motd d1/etc/a | xargs | sed 's/new/new /')"
    same "systemctl reboot" "$(cat d1/reboots)"
    same "Decommissioned True Completed" "$(leaving)"
    # From now on it says so, until there is another bootstrap certificate.
    cp d1/etc/flightctl/config.yaml old.yaml
    expect 0 run_agent d1
    has "$stderr" "fc-agent: this device was decommissioned at "
    same decommissioned "$(left)"
    rm d1/etc/flightctl/config.yaml
    expect 0 run_agent d1
    cp old.yaml d1/etc/flightctl/config.yaml
    # Once it has rebooted, it does not again.
    jq -c '.boot = "another"' $data/decommissioned >marker
    cp marker $data/decommissioned
    rm d1/reboots
    expect 0 run_agent d1
    [ ! -e d1/reboots ]
    fc-sign enrollment -f --server "$API_URL" -o "$T/d1/etc/flightctl/config.yaml" >/dev/null
    expect 7 run_agent d1
    has "$stderr" "there is another bootstrap certificate: asking for enrollment"
    [ "$(known d1 .device)" != "$DEVICE" ]
    same 2 "$(fc-select enrollmentrequests --count)"
    [ ! -e $data/decommissioned ]
}

@test "FactoryReset takes along what the version brought, by shutdown where there is no systemd" {
    reboots shutdown
    decommission FactoryReset
    expect 0 run_agent d1 -n -q '[.action, .path]'
    same '["restore","/etc/motd"]
["remove","/etc/a"]' "$(sort -r <<<"$output")"
    expect 0 run_agent d1
    same decommissioned "$(left)"
    same old "$(cat d1/etc/motd)"
    [ ! -e d1/etc/a ]
    same "shutdown -r now" "$(cat d1/reboots)"
    same "Decommissioned True Completed" "$(leaving)"
}

@test "what cannot be taken along is told as the error that it is" {
    decommission FactoryReset
    expect 0 traced -o /dev/null -P "$T/d1/etc" -e inject=renameat,renameat2,unlinkat,link,linkat:error=EIO:when=1
    same "Decommissioned True Error" "$(leaving)"
    same decommissioned "$(left)"
}

@test "an update that waits is called off" {
    give "$(files "$(file /etc/a 2)")" "$(jq -cn --arg at "$(date -u -d '+2 hours' '+%-M %-H * * *')" \
        '{updatePolicy: {updateSchedule: {at: $at, timeZone: "UTC", startGraceDuration: "1h"}}}')"
    run_agent d1
    has "$(updating)" "ReadyToUpdate: "
    decommission Unenroll
    expect 0 run_agent d1
    same "Canceled: the update that waited is called off: the device is decommissioned" "$(updating)"
    same 1 "$(cat d1/etc/a)"
}

@test "the key stays until the server knows; one that knows the device no more need not" {
    decommission Unenroll
    fake_api
    real=$API_URL
    ask d1 "$FAKE_URL"
    api admin "/api/v1/devices/$DEVICE/rendered" | head -1 | answer 200 GET
    : >requests
    refusal 503 "not now" | answer 503 PUT
    expect 7 run_agent d1
    same "GET PUT" "$(cut -d' ' -f1 requests | xargs)"
    same "Started" "$(jq -r '.status.conditions[] | select(.type == "DeviceDecommissioning") | .reason' body)"
    [ -e $data/certs/agent.key ]
    [ ! -e d1/reboots ]
    stop "$FAKE_PID"
    expect 7 run_agent d1
    [ -e $data/certs/agent.key ]
    ask d1 "$real"
    fc-delete -y "device/$DEVICE" >/dev/null
    expect 0 run_agent d1
    same decommissioned "$(left)"
    same "systemctl reboot" "$(cat d1/reboots)"
}

@test "a run that is killed on the way is ended by the next one" {
    needs strace strace
    decommission Unenroll
    cp -a d1 base
    traced -o calls -e trace=unlinkat,renameat
    n=$(grep -c unlinkat calls) r=$(grep -c renameat calls)
    [ "$n" -gt 5 ] && [ "$r" -ge 3 ]
    for kill in unlinkat:2 unlinkat:$((n / 2)) unlinkat:$((n - 1)) renameat:1 renameat:2 renameat:$((r - 1)); do
        rm -rf d1
        cp -a base d1
        run traced -o /dev/null -e "inject=${kill%:*}:signal=KILL:when=${kill#*:}"
        run run_agent d1
        echo "$kill: $output"
        same decommissioned "$(left)"
        same "systemctl reboot" "$(cat d1/reboots)"
    done
}
