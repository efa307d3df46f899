#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# fc-agent killed, or failed by the kernel, at each system call that changes something: the run
# after it ends where a run without that would have ended.
#
# A first run under strace tells which calls those are; then each has a run of its own, from a copy
# of the same disk. With sanitizers, whose processes take many times as long to start, every 7th
# call has one; FC_SOAK (`make soak`) has all of them everywhere, with each error.

load helpers
load agent
load agent-apps

setup() {
    fc_setup
    needs strace strace
    ! sanitized || seldom 7
    with_device d1
}
teardown() { fc_teardown; }

# again NAME: the disk as it was before.
again() { rm -rf "${T:?}/$1" && cp -a "$T/base" "$T/$1"; }

# files_of_device: what there is on d1, to content, mode and owner, without the agent's own, and without
# what podman has fetched.
files_of_device() { things -path ./var/lib/flightctl -o -path ./var/fake/images; }

# ended: the same with the agent's own state, but for times, the server's count of its writes, and
# what stands in volatile files. That these are no more than usual is part of it.
ended() {
    things -false
    find d1/run -printf '%P %y %m %U:%G\n' | sort
}

# things EXCEPT: one process each, since it is done thousands of times.
things() {
    (
        cd d1 || exit
        find . \( -path ./run -o -path ./bin -o -path ./usr -o "$@" \) -prune -o -printf '%P %y %m %U:%G %l\n' \
            -type f -exec grep -aH '' {} +
    ) | sed -E '/^\.\/var\/lib\/flightctl\/state\.json:/ s/"(time|reported|sha256)":"[^"]*"//g
        /^\.\/var\/lib\/flightctl\/[a-z]+\.json:/ s/"resourceVersion":"[^"]*"//' | sort
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

# versions_of_all: version 2 and 3, each of three files, a quadlet, a container and hooks, which note
# what /etc/a says; so does a rule file that the device has.
versions_of_all() {
    local hooks

    stand_ins d1
    mkdir -p d1/srv d1/etc/flightctl/hooks.d/afterupdating
    echo 0 >d1/etc/a
    cat >d1/etc/flightctl/hooks.d/afterupdating/note.yaml <<'END'
- run: sh -c 'busybox cat ${Files} >/srv/rule'
  if: [{path: /etc/a, op: [created, updated, removed]}]
END
    hooks=$(jq -cn 'def note: {command: ["sh", "-c", "busybox cat /etc/a >" + .]};
        {hooks: {before: ["/run/before" | note], after: ["/srv/after" | note], onFailure: ["/srv/after" | note]}}')
    for i in 1 2; do
        give "$(files "$(file /etc/a "$i")" "$(file "/etc/$i/b" "$i")" "$(file /etc/c 0)")" "$(apps \
            "$(container_app web "quay.io/org/web:$i" "{\"envVars\":{\"N\":\"$i\"}}")" \
            "$(inline_app quad quadlet q.container "$QUADLET# $i")" | jq -c ". + $hooks")"
        [ "$i" = 2 ] || run_agent d1
    done
}

@test "an update of files, a quadlet and a container, with hooks, killed at each call" {
    needs_root
    versions_of_all
    each_call
    same "Updated: version 3 is applied" "$(updating)"
    has "$(state d1)" "q.service [Container] Image=localhost/box:1 # 2"
    has "$(state d1)" "N=2  quay.io/org/web:2"
    # Who reads the files before an update, and after it, or back.
    same "1 2 2" "$(cat d1/run/before) $(cat d1/srv/after) $(cat d1/srv/rule)"
}

@test "an application that does not start, and all goes back, killed at each call" {
    needs_root
    versions_of_all
    state d1 >before
    echo '# 2' >d1/var/fake/bad
    seldom 4
    least=30
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

@test "either half killed while they talk, or not heard" {
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
            for fault in signal=KILL $([ $((i % 4)) != 0 ] && [ -z "${FC_SOAK:-}" ] || echo error=EIO); do
                again d1
                run traced -f -o /dev/null -e "inject=$call:$fault:when=$i"
                [ "$status" -ne 0 ] || continue # neither makes so many, or it was as good
                wait_for run_agent d1
                ended >got
                diff -u want got || { echo "$call $i $fault"; return 1; }
                n=$((n + 1))
            done
        done
    done < <(grep -E 'sendto|sendmsg|recvfrom' counts)
    [ "$n" -ge 8 ]
}

# --- killed or failed by the kernel while it enrolls ------------------------------------------------

# each_fault CHECK: base is the disk before. Once for each call of either half of a run, and again with
# an error of some of them: that run, and CHECK, which is told the fault and the number of the try.
each_fault() {
    local call n fault faults number=0 try=0

    again d1
    traced -f -o trace -e "trace=$CALLS,$SYNCS" 2>first || :
    # Which of the two halves it is does not matter: each has its own count.
    changes <trace >calls
    [ "$(wc -l <calls)" -ge $((15 / every)) ]
    while read -r call n; do
        number=$((number + 1)) faults=
        [[ ,$SYNCS, == *,$call,* ]] || faults=signal=KILL
        if [ -n "${FC_SOAK:-}" ] || [ $((number % 4)) = 0 ]; then
            for fault in $(errors_at $((number / 4))); do faults+=" error=$fault"; done
        fi
        for fault in $faults; do
            try=$((try + 1))
            again d1
            sed -i "s/alias: .*/alias: new$try/" d1/etc/flightctl/conf.d/labels.yaml
            run traced -f -o /dev/null -e "inject=$call:$fault:when=$n"
            "$1" "$fault" $try || { echo "$call $n $fault: $output"; return 1; }
        done
    done <calls
}

@test "a device that is killed, or has an error, while it asks for enrollment asks once, by one name" {
    make_agent new
    rm -r d1
    mv new d1
    cp -a d1 base
    waits() { run_agent d1 2>second; [ $? -eq 7 ] && grep -q 'waiting for approval' second; }
    asked() {
        wait_for waits || return
        name=$(fc-select enrollmentrequests -o json |
            jq -r --arg alias "new$2" 'select(.spec.labels.alias == $alias).metadata.name')
        same "$(known d1 .device)" "$name" && no_temporaries d1
    }
    each_fault asked
}

@test "a device that is killed, or has an error, while it takes its certificate is enrolled by the next run" {
    make_agent new
    rm -r d1
    mv new d1
    run run_agent d1
    DEVICE=$(known d1 .device)
    fc-enroll approve "$DEVICE"
    give "$(files "$(file /etc/a 1)")"
    cp -a d1 base
    run_agent d1
    # Certificates are signed once: the same one comes each time.
    ended | grep -v 'alias: ' >want
    enrolled() {
        wait_for run_agent d1 || return
        # A version may fail by an error, which is not told again.
        if [ "$1" != signal=KILL ] && [ ! -e d1/etc/a ]; then
            same "$DEVICE true" "$(known d1 '"\(.device) \(.enrolled)"')" && no_temporaries d1
            return
        fi
        ended | grep -v 'alias: ' >got
        diff -u want got
    }
    each_fault enrolled
}

# --- failed by the kernel ---------------------------------------------------------------------------

# each_error: d1 is the disk before. Runs it to its end; then once for each call, which fails, and again.
# By then the device is as it was, or as it is to be, and the agent knows which.
each_error() {
    local call n error number=0 runs=0 seen=

    rm -rf base
    cp -a d1 base
    files_of_device >old
    traced -o trace -e "trace=$CALLS,$SYNCS"
    files_of_device >new
    changes <trace >calls
    while read -r call n; do
        number=$((number + 1))
        for error in $(errors_at $number); do
            again d1
            one_error "$call:error=$error:when=$n" || { echo "$call $n $error: $first"; return 1; }
            runs=$((runs + 1))
        done
    done <calls
    echo "$runs runs: $seen"
    # Of many, both happen.
    [[ $runs -lt 12 || ($seen == *n* && $seen == *o*) ]]
}

one_error() {
    local versions

    # What is said on stderr may be lost.
    run traced -o /dev/null -e "inject=$1"
    first=$status:$output
    case $status in 0 | 1 | 5 | 7) ;; *) return 1 ;; esac
    files_of_device >between
    if ! cmp -s between old && ! cmp -s between new && [ ! -e d1/var/lib/flightctl/journal ]; then
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
        echo "then $status: $output $versions"
        diff -u new after
        return 1
    fi
    no_temporaries d1
}

@test "an error at each call ends in the old state or the new one, and the next run knows which" {
    furnish
    seldom 2 # there are many, and each has less to say
    each_error
}

@test "an error at each call of an update of files, applications and hooks" {
    needs_root
    versions_of_all
    seldom 5
    each_error
}
