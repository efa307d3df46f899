#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# fc-agent killed, or failed by the kernel, at each system call that changes something: the run
# after it ends where a run without that would have ended.
#
# A first run under strace tells which calls those are; then each has a run of its own, from a copy
# of the same disk. With sanitizers, whose processes take many times as long to start, every 7th
# call has one.

load helpers
load agent
load agent-apps

setup() {
    fc_setup
    needs strace strace
    if sanitized; then every=7; else every=1; fi
    with_device d1
}
teardown() { fc_teardown; }

# Between a call that only makes durable and the next one there is nothing that a kill could tell
# from it; errors can.
CALLS=write,pwrite64,writev,openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat
CALLS+=,rmdir,symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,truncate,ftruncate
CALLS+=,fallocate,utimensat,sendto,sendmsg
SYNCS=fsync,fdatasync,sync_file_range,syncfs

# changes <TRACE: "CALL N" for each N-th call of its name, in one process, that changes something:
# opening a file to read it does not, nor does what is not there to be removed.
changes() {
    awk '{ process = ""; if (/^[0-9]+ /) { process = $1; sub(/^[0-9]+ +/, "") }
            call = $0; sub(/\(.*/, "", call) }
        call !~ /^[a-z0-9_]+$/ { next }
        { n[process, call]++ }
        (call != "openat" || /O_CREAT/) && !/ = -1 E/ { print call, n[process, call] }' | sort -u |
        awk -v e="$every" 'NR % e == 0'
}

# again NAME: the disk as it was before.
again() { rm -rf "${T:?}/$1" && cp -a "$T/base" "$T/$1"; }

# files_of_device: what there is on d1, to content, mode and owner, without the agent's own.
files_of_device() {
    (
        cd d1 || exit
        find . \( -path ./run -o -path ./var/lib/flightctl \) -prune -o -printf '%P %y %m %U:%G %l\n'
        find . \( -path ./run -o -path ./var/lib/flightctl \) -prune -o -type f -exec sha256sum {} +
    ) | sort
}

# ended: the same with the agent's own state, but for times, the server's count of its writes, and
# what stands in volatile files. That these are no more than usual is part of it.
ended() {
    (
        cd d1 || exit
        find . -printf '%P %y %m %U:%G %l\n'
        find . -path ./run -prune -o -type f ! -path './var/lib/flightctl/*.json' -exec sha256sum {} +
        cd var/lib/flightctl || exit
        jq -c '[input_filename, del(.outcome.time, .reported, .metadata.resourceVersion,
            (.current, .desired | objects.sha256))]' ./*.json
    ) | sort
}

# each_call: d1 is the disk before. Runs it to its end; then once for each call, killed there, and
# again; both must end the same way. $until: a pattern of the last of these calls.
each_call() {
    local call n status first runs=0

    rm -rf base
    cp -a d1 base
    traced -o trace -e "trace=$CALLS" 2>first || :
    ended >want
    first=$(cat first)
    sed "/${until:-^$}/q" trace | changes >calls
    [ "$(wc -l <calls)" -ge $((${least:-40} / every)) ] || { echo "only these calls:"; cat calls; return 1; }
    while read -r call n; do
        again d1
        status=0
        traced -o /dev/null -e "inject=$call:signal=KILL:when=$n" 2>killed || status=$?
        [ "$status" -eq 137 ] || { echo "$call $n: not killed, but $status"; return 1; }
        # The half that lost its other one lets go of the lock when it notices.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            status=0
            # shellcheck disable=SC2086 # options
            $under fc-agent --root d1 $SPLIT 2>second || status=$?
            grep -q "another run is under way" second || break
            sleep 0.05
        done
        ended >got
        diff -u want got || { echo "killed at $call $n: $(cat killed); then $status: $(cat second)"; return 1; }
        runs=$((runs + 1))
    done <calls
    echo "$runs runs: $first"
}

# The device of most of these tests: version 2, and a version 3 that replaces, adds, takes over,
# restores and removes.
furnish() {
    mkdir d1/srv
    echo "before a" >d1/etc/a
    echo "before c" >d1/etc/c
    chmod 640 d1/etc/c
    ln -s nowhere d1/etc/link
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1 '{"mode":384}')" "$(file /etc/gone/deep/x 1)" \
        "$(file /etc/link 1)")"
    run_agent d1
    give "$(files "$(file /etc/b 2 '{"mode":420}')" "$(file /etc/c 2)" "$(file /etc/new/dir/d 2)" "$@")"
}

# --- killed -------------------------------------------------------------------------------------

@test "an update, killed at each call" {
    furnish
    each_call
    same 222 "$(cat d1/etc/b d1/etc/c d1/etc/new/dir/d)"
    same "before a nowhere" "$(cat d1/etc/a) $(readlink d1/etc/link)"
    [ ! -e d1/etc/gone ]
    same "Updated: version 3 is applied" "$(updating)"
}

# versions_of_apps MEMBERS: version 2 and 3, each of three files, a quadlet and a container.
versions_of_apps() {
    stand_ins d1
    for i in 1 2; do
        give "$(files "$(file /etc/a "$i")" "$(file "/etc/$i/b" "$i")" "$(file /etc/c 0)")" "$(apps \
            "$(container_app web "quay.io/org/web:$i" "{\"envVars\":{\"N\":\"$i\"}}")" \
            "$(inline_app quad quadlet q.container "$QUADLET# $i")")"
        [ "$i" = 2 ] || run_agent d1
    done
}

@test "an update of files, a quadlet and a container, killed at each call" {
    needs_root
    versions_of_apps
    each_call
    same "Updated: version 3 is applied" "$(updating)"
    has "$(state d1)" "q.service [Container] Image=localhost/box:1 # 2"
    has "$(state d1)" "N=2  quay.io/org/web:2"
}

@test "an application that does not start, and all goes back, killed at each call" {
    needs_root
    versions_of_apps
    state d1 >before
    echo '# 2' >d1/var/fake/bad
    every=$((every * 3)) least=30
    each_call
    diff before <(state d1)
    same "Error: version 3: application quad: systemctl: ended with 1: q.service failed" "$(updating)"
}

@test "an update that fails midway and goes back, killed at each call" {
    needs_root
    furnish "$(file /srv/busy 2)" "$(file /zz 2)"
    echo theirs >d1/srv/busy
    picture d1 >before
    # What is mounted at a place cannot be replaced, which shows only when its turn comes.
    cat >mounted <<'END'
#!/bin/sh
mount --bind d1/srv/busy d1/srv/busy
exec "$@"
END
    chmod +x mounted
    under="unshare -m ./mounted"
    each_call
    has "$(cat first)" "fc-agent: version 3: /srv/busy: Device or resource busy"
    # Four were in place by then.
    same "a b c d" "$(sed -n 's/.*\.new", [0-9]*, "\(.\)".* = 0$/\1/p' trace | xargs)"
    picture d1 | sed 's/ [0-9]* [0-9.]* / /' >after
    diff <(sed 's/ [0-9]* [0-9.]* / /' before) after
    has "$(updating)" "Error: version 3: /srv/busy"
}

@test "a run that finishes or takes back an update, killed at each call too" {
    furnish
    cp -a d1 start
    # Just before the commit is written, and just behind it: a run begins with taking a kick away.
    traced -o trace -e "trace=fdatasync"
    [ "$(grep -c fdatasync trace)" -eq 2 ]
    # What comes after the journal is gone is an update like any other.
    until='"journal", 0' least=10
    for when in fdatasync:signal=KILL:when=2 unlinkat:signal=KILL:when=2; do
        rm -r d1
        cp -a start d1
        expect 137 traced -o /dev/null -e "inject=$when"
        same true "$(known d1 .interrupted)"
        each_call
        same "Updated: version 3 is applied" "$(updating)"
        same false "$(known d1 .interrupted)"
    done
}

@test "either half killed while they talk" {
    give "$(files "$(file /etc/a 1)")"
    every=1
    rm -rf base
    cp -a d1 base
    traced -f -o trace -e trace=sendto,sendmsg,recvfrom
    ended >want
    sed -E 's/^[0-9]+ +//; s/\(.*//; s/^<\.\.\. ([a-z]+) resumed.*/\1/' trace | sort | uniq -c >counts
    n=0
    while read -r count call; do
        for ((i = 1; i <= count; i++)); do
            again d1
            run traced -f -o /dev/null -e "inject=$call:signal=KILL:when=$i"
            [ "$status" -ne 0 ] || continue # neither makes so many
            wait_for run_agent d1
            ended >got
            diff -u want got || { echo "$call $i"; return 1; }
            n=$((n + 1))
        done
    done < <(grep -E 'sendto|sendmsg|recvfrom' counts)
    [ "$n" -ge 8 ]
}

# --- killed while it enrolls ----------------------------------------------------------------------

# The calls of both halves of a request for enrollment; the disk before is base.
enrollment_calls() {
    traced -f -o trace -e "trace=$CALLS" 2>first || :
    # Which of the two halves it is does not matter: each has its own count.
    changes <trace
}

@test "a device that is killed while it asks for enrollment asks once, by one name" {
    make_agent new
    rm -r d1
    mv new d1
    cp -a d1 base
    enrollment_calls >calls
    [ "$(wc -l <calls)" -ge $((15 / every)) ]
    n=0
    while read -r call when; do
        n=$((n + 1))
        again d1
        sed -i "s/alias: .*/alias: new$n/" d1/etc/flightctl/conf.d/labels.yaml
        run traced -f -o /dev/null -e "inject=$call:signal=KILL:when=$when"
        waits() { run_agent d1 2>second; [ $? -eq 7 ] && grep -q 'waiting for approval' second; }
        wait_for waits
        name=$(fc-select enrollmentrequests -o json |
            jq -r --arg alias "new$n" 'select(.spec.labels.alias == $alias).metadata.name')
        same "$(known d1 .device)" "$name" || { echo "$call $when"; return 1; }
        run find d1 -name '.fc-*' -o -name '*.broken'
        same "" "$output"
    done <calls
}

@test "a device that is killed while it takes its certificate is enrolled by the next run" {
    make_agent new
    rm -r d1
    mv new d1
    run run_agent d1
    DEVICE=$(known d1 .device)
    fc-enroll approve "$DEVICE"
    give "$(files "$(file /etc/a 1)")"
    cp -a d1 base
    enrollment_calls >calls
    # Certificates are signed once: the same one comes each time.
    ended >want
    [ "$(wc -l <calls)" -ge $((20 / every)) ]
    while read -r call when; do
        again d1
        run traced -f -o /dev/null -e "inject=$call:signal=KILL:when=$when"
        wait_for run_agent d1
        ended >got
        diff -u want got || { echo "$call $when"; return 1; }
    done <calls
}

# --- failed by the kernel ---------------------------------------------------------------------------

@test "an error at each call ends in the old state or the new one, and the next run knows which" {
    furnish
    every=$((every * 2)) # there are many, and each has less to say
    cp -a d1 base
    files_of_device >old
    traced -o trace -e "trace=$CALLS,$SYNCS"
    files_of_device >new
    changes <trace >calls
    seen=
    while read -r call n; do
        # What is said on stderr may be lost.
        again d1
        run traced -o /dev/null -e "inject=$call:error=EIO:when=$n"
        first=$status:$output
        case $status in 0 | 1 | 7) ;; *) echo "$call $n: $first"; return 1 ;; esac
        files_of_device >between
        if ! cmp -s between old && ! cmp -s between new && [ ! -e d1/var/lib/flightctl/journal ]; then
            echo "$call $n: $first"
            diff -u old between
            return 1
        fi
        run run_agent d1
        files_of_device >after
        versions=$(jq -r '"\(.current.version) \(.desired.version) \(.failed)"' d1/var/lib/flightctl/state.json)
        if cmp -s after new && [ "$status $versions" = "0 3 3 0" ]; then
            seen+=n
        elif cmp -s after old && [ "$status $versions" = "0 2 3 3" ]; then
            seen+=o
        else
            echo "$call $n: $first, then $status: $output $versions"
            diff -u new after
            return 1
        fi
        [ -z "$(find d1 -name '.fc-*' -o -name journal -o -name '*.broken')" ] ||
            { echo "$call $n: $first"; find d1; return 1; }
    done <calls
    # Both happen.
    [[ $seen == *n* && $seen == *o* ]]
}
