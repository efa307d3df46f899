# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# Whether a device is well: as a person asks, as greenboot does, and before an update is committed.

load helpers
load agent
load agent-os

setup() {
    fc_setup
    needs_root
    with_device d1
    bootc_stand_in d1 quay.io/org/os:1
    mkdir -p d1/etc/flightctl/health.d d1/usr/lib/flightctl/health.d
}
teardown() { fc_teardown; }

# program DIR NAME STATUS [LINE]: of health.d.
program() {
    printf '#!/bin/sh\necho "%s"\nexit %s\n' "${4:-}" "$3" >"d1/$1/flightctl/health.d/$2"
    chmod 755 "d1/$1/flightctl/health.d/$2"
}
# health: as "CHECK STATUS MESSAGE" lines.
health() { fc-agent --root d1 health -o json "$@" | jq -r '"\(.check) \(.status) \(.message)"'; }

@test "last run, identity, timer and programs are looked at, and one that is not well counts" {
    booted_agent d1
    end=$(date -u -d "$(openssl x509 -noout -enddate -in d1/var/lib/flightctl/certs/agent.crt | cut -d= -f2)" +%FT%TZ)
    expect 0 fc-agent --root d1 health
    same "last-run Healthy succeeded
identity Healthy certificate is valid until $end
timer Healthy active" "$(health)"
    # Those of /etc hide those of /usr, and all go by their names.
    program usr/lib 20-disk 1 "disk is full"
    program usr/lib 10-net 0
    same "10-net Healthy 
20-disk Error /usr/lib/flightctl/health.d/20-disk: ended with 1: disk is full" "$(health | tail -2)"
    run fc-agent --root d1 health -o json
    same 1 "$status"
    has "$stderr$output" "fc-agent: this device is not well"
    program etc 20-disk 0
    expect 0 fc-agent --root d1 health
    # What others could have written is not run.
    chmod 777 d1/etc/flightctl/health.d/20-disk
    expect 1 fc-agent --root d1 health
    has "$(health)" "20-disk Error /etc/flightctl/health.d/20-disk: file or folder can be written by others"
    # One that is no program hides as well; a link is neither run nor passed over.
    chmod 644 d1/etc/flightctl/health.d/20-disk
    expect 0 fc-agent --root d1 health
    same "10-net Healthy " "$(health | tail -1)"
    ln -sf ../../../usr/lib/flightctl/health.d/10-net d1/etc/flightctl/health.d/20-disk
    expect 1 fc-agent --root d1 health
    has "$(health)" "20-disk Error /etc/flightctl/health.d/20-disk: is not a plain file, and so is not run"
    rm d1/etc/flightctl/health.d/20-disk d1/usr/lib/flightctl/health.d/20-disk
    # No run since the boot; a server that is away is no illness, a failed update is one.
    boot d1
    expect 1 fc-agent --root d1 health
    same "last-run Error no run since this boot" "$(health | head -1)"
    stop "$API_PID"
    booted_agent d1 2>/dev/null || same 7 $?
    expect 0 fc-agent --root d1 health
    has "$(health | head -1)" "last-run Healthy https://"
    # A certificate whose time is over; a timer that is off; none at all.
    same Error "$(at_time +400d fc-agent --root d1 health -o json | jq -r 'select(.check == "identity") | .status')"
    printf '#!/bin/sh\necho inactive\nexit 3\n' >d1/usr/bin/systemctl
    same "timer Error systemctl: ended with 3: inactive" "$(health | sed -n 3p)"
    rm d1/usr/bin/systemctl
    expect 0 fc-agent --root d1 health
    same "timer Unknown there is no systemd here" "$(health | sed -n 3p)"
}

@test "greenboot's script waits until the device is well, and its diagnostics end well" {
    cp -r "$TOP/share/greenboot" .
    sed -i "s|@bindir@/fc-agent|fc-agent --root $T/d1|" greenboot/*/*.sh greenboot/*/*/*.sh
    booted_agent d1
    program etc check 1 "not yet"
    background log greenboot/check/required.d/01-flightctl-health.sh
    tried() { pgrep -P "$PID" >/dev/null || kill -0 "$PID"; }
    wait_for tried
    kill -0 "$PID"
    program etc check 0
    wait "$PID"
    expect 0 greenboot/red.d/01-flightctl-diagnostics.sh
    has "$output" '"check":"identity"'
    has "$output" '"enrolled":true'
}

@test "an update with which the device is not well is taken back" {
    give "$(files "$(file /etc/a one)")"
    booted_agent d1
    cat >d1/usr/lib/flightctl/health.d/a <<'END'
#!/bin/sh
read -r a </etc/a
[ "$a" = one ] || { echo "a is $a"; exit 1; }
END
    chmod 755 d1/usr/lib/flightctl/health.d/a
    give "$(files "$(file /etc/a two)")"
    expect 1 booted_agent d1
    same one "$(cat d1/etc/a)"
    same "Error: version 3: health: /usr/lib/flightctl/health.d/a: ended with 1: a is two" "$(updating)"
    # After a reboot as well.
    give "$(files "$(file /etc/a three)")" '{"os":{"image":"quay.io/org/os:2"}}'
    booted_agent d1
    boot d1
    same quay.io/org/os:2 "$(running d1)"
    expect 0 booted_agent d1
    same one "$(cat d1/etc/a)"
    has "$(updating)" "Error: version 4: health: "
    same "bootc rollback
systemctl reboot" "$(calls d1 | tail -2)"
    boot d1
    expect 0 booted_agent d1
    same quay.io/org/os:1 "$(reported .status.os.image)"
    no_temporaries d1
}
