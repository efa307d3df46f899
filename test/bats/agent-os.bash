# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # T comes from helpers; tests use the rest
# A stand-in for bootc, which Debian does not have, in the root of a device, and boots of that device.
# It notes how it is called in run/calls and keeps in var/bootc which images are booted, staged and to
# go back to; `bootc status --json` prints them in the shape that bootc documents. run/fail is a pattern
# of calls that fail. A boot does with them what the boot loader does. systemctl is noted only.
# With var/bootc/new it can keep what it downloads, until the next boot, without staging it for that
# (bootc switch --download-only, --from-downloaded).

bootc_stand_in() { # NAME IMAGE: the image that the device was installed from
    local d=$T/$1

    [ -x /usr/bin/busybox ] || { echo "busybox is missing: apt-get install busybox-static"; return 1; }
    mkdir -p "$d/bin" "$d/usr/bin" "$d/var/bootc" "$d/tmp" "$d/run" "$d/etc"
    cp /usr/bin/busybox "$d/bin/busybox"
    ln -sf busybox "$d/bin/sh"
    echo "$2" >"$d/var/bootc/booted"
    cat >"$d/usr/bin/bootc" <<'END'
#!/bin/sh
echo "bootc $*" >>/run/calls
S=/var/bootc
[ ! -e /run/fail ] || ! echo "bootc $*" | busybox grep -q -f /run/fail || {
    echo "Fetching layers" >&2
    echo "error: Pulling: unauthorized" >&2
    exit 1
}
entry() {
    [ -s "$S/$1" ] || { printf null; return; }
    image=$(busybox cat "$S/$1")
    [ "$1" = staged ] && [ -e $S/kept ] && kept=true || kept=false
    printf '{"image":{"image":{"image":"%s","transport":"registry"},"version":"1","timestamp":null,"imageDigest":"sha256:%s"},"incompatible":false,"pinned":false,"downloadOnly":%s,"ostree":{"checksum":"0","deploySerial":0}}' \
        "$image" "$(busybox sha256sum "$S/$1" | busybox cut -c 1-64)" $kept
}
unknown() {
    echo "error: unexpected argument '$1' found" >&2
    exit 2
}
case "$1 $2" in
"status --json")
    [ ! -e /run/garbage ] || { echo "<html>"; exit 0; }
    printf '{"apiVersion":"org.containers.bootc/v1","kind":"BootcHost","metadata":{"name":"host"},"spec":{"image":null,"bootOrder":"default"},"status":{"staged":'
    entry staged
    printf ',"booted":'
    entry booted
    printf ',"rollback":'
    entry rollback
    [ -e $S/queued ] && queued=true || queued=false
    printf ',"rollbackQueued":%s,"type":"bootcHost"}}\n' $queued ;;
"switch --help")
    echo "Target a new container image reference to boot"
    [ ! -e $S/new ] || printf '      --download-only\n          Download and stage the update without applying it\n' ;;
"switch --retain")
    [ "$3" != --download-only ] || [ -e $S/new ] || unknown "$3"
    [ "$3" != --download-only ] || { keep=1; shift; }
    # What it is asked for is staged already, kept or not: it leaves that as it is.
    [ "$3" != "$(busybox cat $S/staged 2>/dev/null)" ] || { echo "Image specification is unchanged."; exit 0; }
    busybox rm -f $S/queued $S/kept
    [ -z "$keep" ] || : >$S/kept
    echo "$3" >$S/staged ;;
"switch --from-downloaded")
    [ -e $S/new ] || unknown "$2"
    [ -s $S/staged ] || { echo "error: Switching: No staged deployment found" >&2; exit 1; }
    busybox rm -f $S/kept ;;
rollback*) [ -s $S/rollback ] || { echo "error: No rollback available" >&2; exit 1; }
    : >$S/queued; busybox rm -f $S/staged ;;
*) echo "error: unrecognized subcommand '$1'" >&2; exit 2 ;;
esac
END
    cat >"$d/usr/bin/systemctl" <<'END'
#!/bin/sh
echo "systemctl $*" >>/run/calls
END
    chmod +x "$d"/usr/bin/*
    boot "$1"
}

# boot NAME [back]: the machine starts anew, into what is staged or queued; back: what was booted into
# does not come up, and the boot loader takes the one before.
boot() {
    local s=$T/$1/var/bootc

    [ ! -e "$s/kept" ] || rm "$s/kept" "$s/staged"
    if [ -s "$s/staged" ]; then
        mv "$s/booted" "$s/rollback"
        mv "$s/staged" "$s/booted"
    elif [ -e "$s/queued" ]; then
        mv "$s/booted" "$s/swap" && mv "$s/rollback" "$s/booted" && mv "$s/swap" "$s/rollback"
    fi
    rm -f "$s/queued"
    if [ "${2:-}" = back ]; then
        mv "$s/booted" "$s/swap" && mv "$s/rollback" "$s/booted" && mv "$s/swap" "$s/rollback"
    fi
    rm -rf "${T:?}/$1"/run/*
    cat /proc/sys/kernel/random/uuid >"$T/boot_id"
}

# booted_agent NAME [OPTION ...]: a run in the boot that is now.
booted_agent() {
    local name=$1

    shift
    unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" \
        fc-agent --root "$T/$name" --user _fc-agent "$@"
}

# calls NAME: since the last time, without those that only look.
calls() {
    grep -v '^bootc status' "$T/$1/run/calls"
    : >"$T/$1/run/calls"
}
running() { cat "$T/$1/var/bootc/booted"; }
