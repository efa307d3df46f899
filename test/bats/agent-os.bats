# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets status, output, stderr
# The OS of a device, by a stand-in for bootc, and updates that go on after a reboot.

load helpers
load agent
load agent-os

setup() {
    fc_setup
    needs_root
    with_device d1
    bootc_stand_in d1 quay.io/org/os:1
}
teardown() { fc_teardown; }

os() { jq -cn --arg i "$1" '{os: {image: $i}}'; }

# to IMAGE CONTENT: a version with this image, and a file.
to() { give "$(files "$(file /etc/a "$2")")" "$(os "$1")"; }

version() { known d1 .currentVersion; }

@test "an image is staged, the device reboots into it, and the version is applied then" {
    to quay.io/org/os:1 one
    expect 0 booted_agent d1
    same "" "$(calls d1)" # it runs
    same '"quay.io/org/os:1" "image"' "$(reported '.status | "\(.os.image | tojson) \(.capabilities.osMode | tojson)"')"
    same "sha256:$(sha256sum <d1/var/bootc/booted | cut -c 1-64)" "$(reported .status.os.imageDigest)"

    to quay.io/org/os:2 two
    expect 0 booted_agent d1
    same "fc-agent: version 3: rebooting into quay.io/org/os:2" "$stderr"
    same "bootc switch --retain quay.io/org/os:2
systemctl reboot" "$(calls d1)"
    same "Rebooting: version 3: rebooting into quay.io/org/os:2" "$(updating)"
    same 2 "$(version)"
    same two "$(cat d1/etc/a)"
    # It did not come yet: nothing else is done meanwhile.
    to quay.io/org/os:3 three
    asked_until 1 3000
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    same two "$(cat d1/etc/a)"

    boot d1
    expect 0 booted_agent d1
    # The next version came at once, behind it.
    same "bootc switch --retain quay.io/org/os:3
systemctl reboot" "$(calls d1)"
    same 3 "$(version)"
    boot d1
    expect 0 booted_agent d1
    same quay.io/org/os:3 "$(reported .status.os.image)"
    same "Updated: version 4 is applied" "$(updating)"
    no_temporaries d1
    # With nothing to do bootc is asked nothing: what runs cannot change within a boot.
    : >d1/run/calls
    expect 0 booted_agent d1
    same "" "$(cat d1/run/calls)"
}

@test "an image that cannot be had: nothing is changed, and it is told as an OS update that failed" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    echo switch >d1/run/fail
    expect 1 booted_agent d1
    same one "$(cat d1/etc/a)"
    same "Error: OSUpdateFailed: version 3: spec.os.image: bootc: ended with 1: error: Pulling: unauthorized" \
        "$(updating)"
    same True "$(known d1 '.conditions[] | select(.type == "OSUpdateFailed") | .status')"
    hasnt "$(calls d1)" reboot
    no_temporaries d1
    # bootc says what is no JSON.
    rm d1/run/fail
    : >d1/run/garbage
    to quay.io/org/os:2 three
    expect 1 booted_agent d1
    has "$(updating)" "OSUpdateFailed: version 4: spec.os.image: bootc status"
    same one "$(cat d1/etc/a)"
}

# in_window IMAGE CONTENT: a version with this image, and a file, that waits for an update window.
in_window() {
    give "$(files "$(file /etc/a "$2")")" "$(jq -cn --arg i "$1" --arg at "$(date -u -d '+2 hours' '+%-M %-H * * *')" \
        '{os: {image: $i}, updatePolicy: {updateSchedule: {at: $at, timeZone: "UTC", startGraceDuration: "1h"}}}')"
}

@test "an image is downloaded before its update window opens, by a bootc that can" {
    to quay.io/org/os:1 one
    booted_agent d1
    : >d1/var/bootc/new
    in_window quay.io/org/os:2 two
    # What cannot be had now is tried again.
    echo download-only >d1/run/fail
    expect 7 booted_agent d1
    same "Retrying: version 3: spec.os.image: bootc: ended with 1: error: Pulling: unauthorized" "$(updating)"
    rm d1/run/fail
    calls d1 >/dev/null
    fc-agent --root d1 kick
    expect 0 booted_agent d1
    same "bootc switch --help
bootc switch --retain --download-only quay.io/org/os:2" "$(calls d1)"
    has "$(updating)" "ReadyToUpdate: version 3: waits for its update window"
    same one "$(cat d1/etc/a)"
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    # A reboot for another reason stays where it is, and what was kept is gone.
    cp -a d1 kept
    boot d1
    expect 0 booted_agent d1
    same quay.io/org/os:1 "$(running d1)"
    to quay.io/org/os:2 three
    expect 0 booted_agent d1
    same "bootc switch --retain quay.io/org/os:2
systemctl reboot" "$(calls d1)"
    # Without one, nothing is downloaded again when the time has come.
    rm -rf d1
    mv kept d1
    expect 0 booted_agent d1
    same "bootc switch --from-downloaded
systemctl reboot" "$(calls d1)"
    boot d1
    expect 0 booted_agent d1
    same "quay.io/org/os:2 three" "$(running d1) $(cat d1/etc/a)"
    same "Updated: version 4 is applied" "$(updating)"
    # What is kept for a version that is called off is nothing to go back from.
    in_window quay.io/org/os:3 four
    expect 0 booted_agent d1
    to quay.io/org/os:2 five
    calls d1 >/dev/null
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    same "Updated: version 6 is applied" "$(updating)"
    boot d1
    same quay.io/org/os:2 "$(running d1)"
    # A bootc that cannot downloads it with the switch.
    rm d1/var/bootc/new
    in_window quay.io/org/os:3 six
    expect 0 booted_agent d1
    same "bootc switch --help" "$(calls d1)"
    to quay.io/org/os:3 seven
    expect 0 booted_agent d1
    same "bootc switch --retain quay.io/org/os:3
systemctl reboot" "$(calls d1)"
}

@test "a boot that went back takes the whole version back" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    booted_agent d1
    boot d1 back
    same quay.io/org/os:1 "$(running d1)"
    expect 0 booted_agent d1
    same one "$(cat d1/etc/a)"
    same 2 "$(version)"
    same "Error: OSUpdateFailed: version 3: quay.io/org/os:2 was not booted into, or did not stay: quay.io/org/os:1 runs" \
        "$(updating)"
    same "" "$(calls d1)"
    no_temporaries d1
    # It is not tried again.
    expect 0 booted_agent d1
    same "" "$(calls d1)"
}

# asked_until TIMES SECONDS: a reboot was asked for so often, and is to be again after so long.
asked_until() {
    jq -c --argjson times "$1" --argjson until "$(($(cut -d. -f1 /proc/uptime) + $2))" \
        '.reboot += {failures: $times, until: $until}' d1/run/flightctl/pace.json >new
    cp new d1/run/flightctl/pace.json
}

@test "a reboot that does not come is asked for ever more seldom, then no more, and that is told" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    booted_agent d1
    calls d1 >/dev/null
    same 1 "$(jq .reboot.failures d1/run/flightctl/pace.json)"
    asked_until 1 0
    expect 0 booted_agent d1
    same "systemctl reboot" "$(calls d1)"
    asked_until 2 3000
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    same "Rebooting: version 3: its reboot was asked for 2 times and did not come" "$(updating)"
    # What keeps it from being asked for is told, too.
    printf '#!/bin/sh\necho "systemctl $*" >>/run/calls\necho Operation inhibited by \\"backup\\" >&2\nexit 1\n' \
        >d1/usr/bin/systemctl
    asked_until 2 0
    expect 1 booted_agent d1
    asked_until 3 3000
    expect 0 booted_agent d1
    same "Rebooting: version 3: its reboot was asked for 3 times and did not come: systemctl: ended with 1: Operation inhibited by \"backup\"" \
        "$(updating)"
    calls d1 >/dev/null
    asked_until 10 0
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    has "$(updating)" "Error: OSUpdateFailed: version 3: its reboot was asked for 10 times and did not come: "
    before=$(whole_picture d1)
    expect 0 booted_agent d1
    same "$before" "$(whole_picture d1)"
    # Somebody may ask, or do it: the update goes on.
    fc-agent --root d1 kick
    expect 1 booted_agent d1
    same "systemctl reboot" "$(calls d1)"
    boot d1
    expect 0 booted_agent d1
    same "Updated: version 3 is applied" "$(updating)"
    no_temporaries d1
}

# cut_power NAME: it starts anew without having gone down in order, so that nothing staged was made the
# next to boot.
cut_power() {
    rm -f "$T/$1/var/bootc/staged"
    boot "$1"
}

@test "an image that a power cut took is staged again, a few times" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    booted_agent d1
    calls d1 >/dev/null
    cut_power d1
    expect 0 booted_agent d1
    has "$stderr" "OSUpdateFailed: quay.io/org/os:2 was lost between its staging and the boot"
    same "bootc switch --retain quay.io/org/os:2
systemctl reboot" "$(calls d1)"
    same "Rebooting: version 3: rebooting into quay.io/org/os:2" "$(updating)"
    # Killed as soon as it was noted that all is to be taken back: the same again.
    cut_power d1
    run unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" \
        env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -qq -o /dev/null -e trace=fdatasync \
        -e inject=fdatasync:signal=KILL:when=1 fc-agent --root "$T/d1" --user _fc-agent
    same 137 "$status"
    grep -q '"again":true.*"t":"undo"' d1/var/lib/flightctl/journal
    expect 0 booted_agent d1
    same "bootc switch --retain quay.io/org/os:2
systemctl reboot" "$(calls d1)"
    same two "$(cat d1/etc/a)"
    cut_power d1
    expect 0 booted_agent d1
    same "Error: OSUpdateFailed: version 3: quay.io/org/os:2 was lost between its staging and the boot 3 times" \
        "$(updating)"
    same "" "$(calls d1)"
    same one "$(cat d1/etc/a)"
    no_temporaries d1
    expect 0 booted_agent d1
    same "" "$(calls d1)"
    # What follows is a version like any other.
    to quay.io/org/os:2 three
    booted_agent d1
    boot d1
    expect 0 booted_agent d1
    same "Updated: version 4 is applied" "$(updating)"
}

@test "a version that is lost when its boot comes is taken back, also by a run after a kill" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    booted_agent d1
    boot d1
    echo x >d1/var/lib/flightctl/desired.json
    run unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" \
        env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -qq -o /dev/null -e trace=fdatasync \
        -e inject=fdatasync:signal=KILL:when=1 fc-agent --root "$T/d1" --user _fc-agent
    same 137 "$status"
    [ ! -e d1/run/calls ] # it is noted first
    grep -q '"t":"undo".*"why":"what was to be applied is lost"' d1/var/lib/flightctl/journal
    expect 0 booted_agent d1
    same "bootc rollback
systemctl reboot" "$(calls d1)"
    same one "$(cat d1/etc/a)"
    same "Error: version 3: what was to be applied is lost" "$(updating)"
    # The boot back is not forgotten, either.
    asked_until 1 0
    expect 0 booted_agent d1
    same "systemctl reboot" "$(calls d1)"
    boot d1
    same quay.io/org/os:1 "$(running d1)"
    expect 0 booted_agent d1
    same "Error: version 3: what was to be applied is lost" "$(updating)"
    no_temporaries d1
}

# Kills a run at the last fdatasync, that of the record of the reboot.
killed_before_reboot() {
    local n=1

    while :; do
        cp -a d1 kept
        unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" \
            env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -qq -f -o trace -e trace=fdatasync \
            -e inject=fdatasync:signal=KILL:when=$n+ fc-agent --root "$T/d1" --user _fc-agent \
            >/dev/null 2>&1 || :
        if grep -q '"t":"reboot"' d1/var/lib/flightctl/journal; then break; fi
        rm -rf d1
        mv kept d1
        n=$((n + 1))
        [ $n -lt 9 ] || return 1
    done
    # The record was written, but nothing says that it is on the disk.
    sed -i '/"t":"reboot"/d' d1/var/lib/flightctl/journal
    rm -rf kept
}

@test "power that goes before the version asked for the reboot: back by another one" {
    to quay.io/org/os:1 one
    booted_agent d1
    to quay.io/org/os:2 two
    # Killed where the files are in place and the image is staged: at the record of the reboot.
    killed_before_reboot
    same two "$(cat d1/etc/a)"
    boot d1
    same quay.io/org/os:2 "$(running d1)"
    expect 0 booted_agent d1
    has "$stderr" "undoing an interrupted update"
    same one "$(cat d1/etc/a)"
    same "bootc rollback
systemctl reboot" "$(calls d1)"
    boot d1
    same quay.io/org/os:1 "$(running d1)"
    # What was interrupted did not fail: it is tried again.
    expect 0 booted_agent d1
    same "bootc switch --retain quay.io/org/os:2
systemctl reboot" "$(calls d1)"
    boot d1
    expect 0 booted_agent d1
    same "Updated: version 3 is applied" "$(updating)"
    same two "$(cat d1/etc/a)"
    no_temporaries d1
}

# hooked: a program that hooks run, which fails as long as run/bad is there, and rules for all times.
hooked() {
    local when

    printf '#!/bin/sh\necho "note $*" >>/run/calls\n[ ! -e /run/bad ] || { echo bad >&2; exit 1; }\n' >d1/usr/bin/note
    chmod +x d1/usr/bin/note
    for when in beforeupdating afterupdating beforerebooting afterrebooting; do
        mkdir -p d1/etc/flightctl/hooks.d/$when
        cat >d1/etc/flightctl/hooks.d/$when/a.yaml <<END
- run: note $when \${Files}
  if: [{path: /etc/a, op: [updated, created]}]
- {run: note $when rebooted, if: [rebooted == true]}
END
    done
}

@test "hooks around a reboot; what they fail leads back, and nowhere else after a kill" {
    to quay.io/org/os:1 one
    booted_agent d1
    hooked
    to quay.io/org/os:2 two
    expect 0 booted_agent d1
    same "bootc switch --retain quay.io/org/os:2
note beforeupdating /etc/a
note beforerebooting /etc/a
systemctl reboot" "$(calls d1)"
    boot d1
    expect 0 booted_agent d1
    same "note afterrebooting /etc/a
note afterrebooting rebooted
note afterupdating /etc/a
note afterupdating rebooted" "$(calls d1)"
    same "Updated: version 3 is applied" "$(updating)"

    to quay.io/org/os:3 three
    booted_agent d1
    boot d1
    : >d1/run/bad
    # Killed as soon as it was noted that all is to be undone.
    run unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" \
        env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" strace -qq -o /dev/null -e trace=fdatasync \
        -e inject=fdatasync:signal=KILL:when=1 fc-agent --root "$T/d1" --user _fc-agent
    same 137 "$status"
    grep -q '"t":"undo"' d1/var/lib/flightctl/journal
    rm d1/run/bad
    calls d1 >/dev/null
    expect 0 booted_agent d1
    same two "$(cat d1/etc/a)"
    has "$(calls d1)" "bootc rollback
systemctl reboot"
    boot d1
    same quay.io/org/os:2 "$(running d1)"
    expect 0 booted_agent d1
    same "Error: version 4: afterrebooting: a.yaml[0]: note: ended with 1: bad" "$(updating)"
    same two "$(cat d1/etc/a)"
    no_temporaries d1
}

@test "without bootc a device is in package mode, and takes no image" {
    rm d1/usr/bin/bootc
    boot d1
    give "$(files "$(file /etc/a one)")"
    expect 0 booted_agent d1
    same package "$(reported .status.capabilities.osMode)"
    to quay.io/org/os:2 two
    expect 1 booted_agent d1
    same "Error: OSUpdateFailed: version 3: spec.os.image: this system was not installed as an image: bootc cannot switch it to quay.io/org/os:2" \
        "$(updating)"
    same one "$(cat d1/etc/a)"
}
