#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# How one run of fc-agent is built: accounts, lock, dry run, what it costs; what status and plan say.

load helpers
load agent

setup() { fc_setup; }
teardown() { fc_teardown; }

@test "a run with nothing to do is one request, no fsync, and writes below /run alone" {
    needs strace strace
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    fake_api
    ask d1 "$FAKE_URL"
    answer 204 </dev/null
    run_agent d1
    before=$(whole_picture d1)
    : >requests
    expect 0 traced -f -o trace -e trace=fsync,fdatasync,sync,syncfs,sync_file_range,connect
    same "" "$stderr"
    same "$before" "$(whole_picture d1)"
    same "GET /api/v1/devices/$DEVICE/rendered?knownRenderedVersion=2" "$(cat requests)"
    same "" "$(grep sync trace)"
    same 1 "$(grep 'connect(' trace | grep -vc AF_UNIX)"
    same "agent.lock last-run.json os.json pace.json sysinfo.json watch.json" "$(find d1/run/flightctl -type f -printf '%f\n' | sort | xargs)"
}

# gone PID: ended, whether or not anybody has taken note.
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

@test "the network half has an account of its own and nothing else" {
    needs_root
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    answer 204 </dev/null
    : >hold
    background agent.log setpriv --groups 0,4,27 fc-agent --root "$T/d1" --user _fc-agent
    main=$PID
    wait_for test -s requests
    net=$(cat "/proc/$main/task/$main/children")
    net=${net% }
    id=$(id -u _fc-agent) group=$(id -g _fc-agent)
    line() { sed -n "s/^$1:[ \t]*//p" "/proc/$2/status" | xargs; }
    same "$id $id $id $id" "$(line Uid "$net")"
    same "$group $group $group $group" "$(line Gid "$net")"
    same "" "$(line Groups "$net")"
    same "0000000000000000 0000000000000000 0000000000000000" \
        "$(line CapInh "$net") $(line CapPrm "$net") $(line CapEff "$net")"
    same 1 "$(line NoNewPrivs "$net")"
    same "0 0" "$(awk '/core file size/ { print $5, $6 }' "/proc/$net/limits")"
    # It holds stderr, the pair, its folder and the connection; no file of the system.
    held() { find "/proc/$1/fd" -mindepth 1 -printf '%l\n'; }
    same "" "$(held "$net" | grep '^/' | grep -vxE "$T/(d1/var/lib/flightctl/certs|agent.log)|/dev/null" |
        grep -v "^$T/sanitizer")"
    # The other half has no connection, and neither TLS nor HTTP in it.
    same 0 "$(line Uid "$main" | cut -d' ' -f2)"
    ip=$(awk 'NR > 1 { print "socket:[" $10 "]" }' /proc/net/tcp)
    [ "$(held "$net" | grep -cxF "$ip")" -eq 1 ]
    [ "$(held "$main" | grep -cxF "$ip")" -eq 0 ]
    grep -q libcurl "/proc/$net/maps"
    run ! grep -E 'libcurl|libssl|libcrypto' "/proc/$main/maps"
    # It ends with the other half, at once.
    kill -9 "$main"
    wait_for gone "$net"
    rm hold
    same "_fc-agent:600 _fc-agent:600" "$(stat -c %U:%a d1/var/lib/flightctl/certs/agent.{key,crt} | xargs)"
    same "_fc-agent:700 root:700" "$(stat -c %U:%a d1/var/lib/flightctl/certs d1/var/lib/flightctl | xargs)"
    same on "$(reported .status.systemInfo.privilegeSplit)"
    same on "$(known d1 .privilegeSplit)"
}

@test "without that account, or without being root, a run is refused, and the way out said" {
    needs_root
    serve
    make_agent d1
    before=$(whole_picture d1)
    expect 3 fc-agent --root d1 --user nobody-such
    has "$stderr" "there is no account nobody-such"
    has "$stderr" "useradd --system"
    has "$stderr" "--no-split"
    expect 2 fc-agent --root d1 --user root
    expect 2 fc-agent --root d1 --user 0
    expect 5 setpriv --reuid 65534 --regid 65534 --clear-groups fc-agent --root d1
    same "fc-agent: must be run by root, so that its network half can run as _fc-agent; --no-split runs all of it as one account, this one" \
        "$stderr"
    same "$before" "$(whole_picture d1)"
    # A kick is for one run, also for one that cannot begin: the path unit would start the next at once.
    fc-agent --root d1 kick
    expect 3 fc-agent --root d1 --user nobody-such -n
    [ -e d1/run/flightctl/kick ]
    expect 3 fc-agent --root d1 --user nobody-such
    [ ! -e d1/run/flightctl/kick ]
    # What the agent knows is root's.
    expect 7 run_agent d1
    expect 5 setpriv --reuid 65534 --regid 65534 --clear-groups fc-agent --root d1 status
    same "fc-agent: /var/lib/flightctl: Permission denied" "$stderr"
}

@test "--no-split needs no root, and shows in the status" {
    serve
    make_agent d1
    as=()
    if [ "$(id -u)" = 0 ]; then
        chown -R 65534:65534 d1
        as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fi
    expect 7 "${as[@]}" fc-agent --root d1 --no-split
    DEVICE=$(known d1 .device)
    fc-enroll approve "$DEVICE"
    give "$(files "$(file /etc/a 1)")"
    expect 0 "${as[@]}" fc-agent --root d1 --no-split
    same 1 "$(cat d1/etc/a)"
    same off "$(reported .status.systemInfo.privilegeSplit)"
    same off "$(known d1 .privilegeSplit)"
    same off "$(fc-agent --root d1 status -o wide | awk 'NR == 2' | grep -ow off)"
    # A file for another account fails the version.
    give "$(files "$(file /etc/a 2 '{"user":"0"}')")"
    if [ "$(id -u)" = 0 ]; then
        expect 1 "${as[@]}" fc-agent --root d1 --no-split
        has "$stderr" "/etc/a: cannot give it to 0:"
        same 1 "$(cat d1/etc/a)"
    fi
}

@test "what is said goes into no file when standard output and error are closed" {
    with_device d1
    for n in 1 2; do
        give "$(files "$(file /etc/a $n)")"
        # shellcheck disable=SC2086 # options
        expect 0 sh -c 'fc-agent --root d1 "$@" <&- >&- 2>&-' sh $SPLIT
        same $n "$(cat d1/etc/a)"
    done
    same "Updated: version 3 is applied" "$(updating)"
    expect 1 sh -c 'fc-agent --root d1 status >&-'
    same "fc-agent: standard output: Bad file descriptor" "$stderr"
    no_temporaries d1
}

@test "a key that root made is taken over once; a trick with links is not fallen for" {
    needs_root
    with_device d1
    chown -R root:root d1/var
    expect 0 run_agent d1
    same "_fc-agent:600 _fc-agent:700" "$(stat -c %U:%a d1/var/lib/flightctl/certs/{agent.key,.} | xargs)"
    certs=d1/var/lib/flightctl/certs
    echo secret >secret
    chmod 600 secret
    mv $certs/agent.crt kept
    ln -s "$T/secret" $certs/agent.crt
    expect 1 run_agent d1
    has "$stderr" "certs/agent.crt: Too many levels of symbolic links"
    same root "$(stat -c %U secret)"
    rm -f $certs/agent.crt
    for folder in d1/var/lib/flightctl d1/run/flightctl; do
        mode=$(stat -c %a $folder)
        chmod 777 $folder
        expect 5 run_agent d1
        has "$stderr" "fc-agent: ${folder#d1}: can be written by others than root"
        chmod "$mode" $folder
    done
    ln secret $certs/agent.crt
    expect 5 run_agent d1
    has "$stderr" "certs/agent.crt: not a plain file of its own"
    same root:600 "$(stat -c %U:%a secret)"
}

@test "two runs at once: the second one says to try again" {
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    rendered 2 "$(files "$(file /etc/a 1)")" | answer 200
    : >hold
    # shellcheck disable=SC2086 # options
    background agent.log fc-agent --root "$T/d1" $SPLIT
    first=$PID
    wait_for test -s requests
    expect 7 run_agent d1
    same "fc-agent: another run is under way" "$stderr"
    # What only looks does not wait.
    expect 0 fc-agent --root d1 status
    rm hold
    wait "$first"
    same 1 "$(cat d1/etc/a)"
    expect 0 run_agent d1
}

@test "with --wait the server holds the poll until there is something new" {
    with_device d1
    # shellcheck disable=SC2086 # options
    background agent.log fc-agent --root "$T/d1" --wait 60 $SPLIT
    waiting=$PID
    sleep 0.5
    kill -0 "$waiting"
    before=$SECONDS
    give "$(files "$(file /etc/a 1)")"
    wait "$waiting"
    same 1 "$(cat d1/etc/a)"
    [ $((SECONDS - before)) -lt 30 ]
    # Nothing new for that long is nothing to do.
    expect 0 run_agent d1 --wait 1
    same "" "$stderr"
    expect 2 run_agent d1 --wait x
    expect 2 run_agent d1 --wait 9999999
}

@test "a dry run says what would be done and changes nothing" {
    serve
    make_agent d1
    before=$(whole_picture d1)
    expect 0 run_agent d1 -n
    same "fc-agent: the device would ask $API_URL for enrollment" "$stderr"
    same "$before" "$(whole_picture d1)"
    [ ! -e d1/run ] && [ ! -e d1/var ]
    enroll_agent d1
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 22 '{"mode":384}')")"
    run_agent d1
    give "$(files "$(file /etc/b 2)" "$(file /etc/new/c 3)")"
    before=$(whole_picture d1) rv=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1 -n -q '[.action, .path, .mode, .size]'
    same '["remove","/etc/a",null,null]
["write","/etc/b","0644",1]
["write","/etc/new/c","0644",1]' "$output"
    same "" "$stderr"
    same "$before" "$(whole_picture d1)"
    same "$rv" "$(reported .metadata.resourceVersion)"
    expect 0 run_agent d1 -n -o table
    same "ACTION PATH MODE OWNER SIZE" "$(xargs <<<"${lines[0]}")"
    # A version that cannot be applied is an error of the dry run too.
    mkdir d1/etc/new d1/etc/new/c
    expect 1 run_agent d1 -n
    has "$stderr" "/etc/new/c: a folder stands where the file should go"
    rmdir d1/etc/new/c d1/etc/new
    expect 0 run_agent d1
    expect 0 run_agent d1 -n
    same "" "$output"
    expect 2 run_agent d1 -o json
    expect 2 fc-agent frobnicate
}

@test "plan is about the version that was received, status about all that is known" {
    serve
    make_agent d1
    expect 3 fc-agent --root d1 plan
    same "fc-agent: no version was received yet" "$stderr"
    same '{"conditions":[],"currentVersion":0,"desiredVersion":0,"device":null,"enrolled":false,"failedVersion":null,"interrupted":false}' \
        "$(fc-agent --root d1 status -o json)"
    enroll_agent d1
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1)")"
    mkdir -p d1/etc/b/x
    expect 1 run_agent d1
    expect 0 fc-agent --root d1 status -q '[.currentVersion, .desiredVersion, .failedVersion, .lastRun.exit]'
    same '[1,2,2,1]' "$output"
    expect 0 fc-agent --root d1 status -q '.message'
    has "$output" "version 2: /etc/b: a folder stands where the file should go"
    expect 0 fc-agent --root d1 status -o table
    same "DEVICE ENROLLED RUNS RECEIVED LAST RUN EXIT MESSAGE" "$(xargs <<<"${lines[0]}")"
    expect 0 fc-agent --root d1 status -o yaml
    has "$output" "currentVersion: 1"
    run fc-agent --root d1 plan
    has "$output" "a folder stands where"
    rm -r d1/etc/b
    expect 0 fc-agent --root d1 plan -q '.path'
    same "\"/etc/a\"
\"/etc/b\"" "$output"
    has "$stderr" "version 2 failed before: a run does not try it again"
    expect 3 fc-agent --root nowhere status
}

@test "what cannot be read in the data folder is set aside by a run, not by a look" {
    with_device d1
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    data=d1/var/lib/flightctl
    for file in state.json files.json certs/agent.crt; do
        give "$(files "$(file /etc/a "$file")" "$(file "/etc/b-${file//\//-}" '')")"
        echo '{"broken' >$data/$file
        before=$(whole_picture d1)
        run fc-agent --root d1 status
        run fc-agent --root d1 plan
        run run_agent d1 -n
        echo "$output"
        same "$before" "$(whole_picture d1)"
        run run_agent d1
        echo "$file: $output"
        [ -e $data/$file.broken ]
        [ "$(head -1 $data/$file.broken)" = '{"broken' ]
        [ "$status" -eq 0 ] || { [ "$status" -eq 7 ] && expect 0 run_agent d1; }
        same "$file" "$(cat d1/etc/a)"
        rm $data/$file.broken
    done
    # A version that was received, but damaged before it could be applied, is asked for again.
    give "$(files "$(file /etc/a last)")"
    expect 1 traced -o /dev/null -P journal -e inject=openat:error=ENOSPC:when=2
    has "$stderr" "journal: No space left on device"
    same 1 "$(known d1 '.desiredVersion - .currentVersion')"
    echo ' ' >>$data/desired.json
    before=$(whole_picture d1)
    expect 6 run_agent d1 -n
    same "$before" "$(whole_picture d1)"
    expect 7 run_agent d1
    has "$stderr" "the received version is lost: the next run asks for it again"
    expect 0 run_agent d1
    same "last 0" "$(cat d1/etc/a) $(known d1 '.desiredVersion - .currentVersion')"
}
