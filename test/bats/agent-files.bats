#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# What fc-agent does to a device's files: writes, leaves alone, removes, restores; and how an update
# that cannot be goes back, is reported, and is tried again.

load helpers
load agent

setup() {
    fc_setup
    with_device d1
    root=d1
}
teardown() { fc_teardown; }

# apply: one run that must succeed.
apply() { expect 0 run_agent d1 && no_temporaries d1; }

# at FILE ...: mode, owner and group of each.
at() { stat -c '%a %u:%g' "$@"; }

me() { [ "$(id -u)" = 0 ] && echo 0:0 || echo "$(id -u):$(id -g)"; }

# --- writing ------------------------------------------------------------------------------------

@test "files come with content, mode and owner; folders are made" {
    umask 077
    give "$(files "$(file /etc/plain "$(printf 'a\n"b" \\ \u00e9\n.')")" \
        "$(file /etc/app/deep/er/conf "x" '{"mode":384}')" \
        "$(file /usr/local/bin/tool '#!/bin/sh' '{"mode":493}')" \
        "$(file /etc/setid '' '{"mode":3565}')" \
        "$(file /opt/a/b "" '{"mode":0}')")"
    apply
    same "fc-agent: version 2 is applied (was 1)" "$stderr"
    same "$(printf 'a\n"b" \\ \u00e9\n.')" "$(cat $root/etc/plain)"
    same "644 $(me)
600 $(me)
755 $(me)
6755 $(me)
0 $(me)
755 $(me)
755 $(me)" "$(at $root/etc/plain $root/etc/app/deep/er/conf $root/usr/local/bin/tool $root/etc/setid \
        $root/opt/a/b $root/etc/app/deep $root/usr/local/bin)"
}

@test "owners are those of the root's own passwd and group, or numbers" {
    needs_root
    printf 'root:x:0:0::/:/bin/sh\nkiosk:x:4711:4712::/:/bin/sh\n' >$root/etc/passwd
    printf 'root:x:0:\nkiosk:x:4712:\nvideo:x:4444:kiosk\n' >$root/etc/group
    give "$(files "$(file /etc/a 1 '{"user":"kiosk"}')" "$(file /etc/b 1 '{"group":"video"}')" \
        "$(file /etc/c 1 '{"user":"4711","group":"99"}')" "$(file /etc/d 1 '{"user":"kiosk","group":"video","mode":2541}')" \
        "$(file /etc/e 1 '{"user":"root","group":"root"}')")"
    apply
    same "644 4711:0
644 0:4444
644 4711:99
4755 4711:4444
644 0:0" "$(at $root/etc/{a,b,c,d,e})"
    # Names of this host mean nothing there.
    before=$(picture d1)
    give "$(files "$(file /etc/a 2)" "$(file /etc/f 1 '{"user":"_fc-agent"}')")"
    expect 1 run_agent d1
    has "$stderr" 'version 3: /etc/f: no user "_fc-agent"'
    give "$(files "$(file /etc/a 2)" "$(file /etc/f 1 '{"group":"nogroup"}')")"
    expect 1 run_agent d1
    has "$stderr" 'version 4: /etc/f: no group "nogroup"'
    same "$before" "$(picture d1)"
    # An image has its accounts in /usr/lib.
    mkdir -p $root/usr/lib
    printf 'sys:x:77:77::/:/bin/sh\n' | tee $root/usr/lib/passwd >/dev/null
    printf 'sys:x:78:\n' >$root/usr/lib/group
    give "$(files "$(file /etc/f 1 '{"user":"sys","group":"sys"}')")"
    apply
    same "644 77:78" "$(at $root/etc/f)"
}

@test "content may be base64, of any bytes and size" {
    head -c 700000 /dev/urandom >big
    printf 'a\0b\377' >small
    give "$(jq -n --rawfile big <(base64 -w0 big) --arg small "$(base64 small)" '[
        {path: "/etc/big", contentEncoding: "base64", content: $big},
        {path: "/etc/small", contentEncoding: "base64", content: $small, mode: 256},
        {path: "/etc/none", contentEncoding: "base64", content: ""},
        {path: "/etc/plain", contentEncoding: "plain", content: "YQ=="}]')"
    apply
    cmp big $root/etc/big
    cmp small $root/etc/small
    same 0 "$(stat -c %s $root/etc/none)"
    same "YQ==" "$(cat $root/etc/plain)"
}

@test "what is right already is not touched; what is wrong becomes right" {
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1)" "$(file /etc/c 1)" "$(file /etc/d 1)")"
    apply
    before=$(stat -c '%i %Z' $root/etc/a)
    echo changed >$root/etc/b
    chmod 600 $root/etc/c
    rm $root/etc/d
    # A run with the same version leaves everything as it is, if it is told to.
    echo 'drift-policy: report' >d1/etc/flightctl/conf.d/drift.yaml
    apply
    same changed "$(cat $root/etc/b)"
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1)" "$(file /etc/c 1)" "$(file /etc/d 1)" "$(file /etc/e 1)")"
    run_agent d1 -n -q .path >planned
    same '"/etc/b"
"/etc/c"
"/etc/d"
"/etc/e"' "$(cat planned)"
    apply
    same "$before" "$(stat -c '%i %Z' $root/etc/a)"
    same "1 1 644 1" "$(cat $root/etc/b) $(cat $root/etc/c) $(stat -c %a $root/etc/c) $(cat $root/etc/d)"
}

# A library in place of SELinux's own, which says that it is enabled; labels can be set anyway.
@test "where SELinux is enabled, files, links and folders come with the labels of their places" {
    needs_root
    mkdir lib
    cat >selinux.c <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int is_selinux_enabled(void) { return 1; }
void *selabel_open(unsigned backend, const void *options, unsigned n) { return backend || options || n ? NULL : malloc(1); }
void selabel_close(void *policy) { free(policy); }
void freecon(char *label) { free(label); }
int selabel_lookup_raw(void *policy, char **label, const char *path, int mode)
{
    errno = ENOENT;
    return strstr(path, "none") || asprintf(label, "%s:%o", path, (unsigned)mode) < 0 ? -1 : 0;
}
END
    "${CC:-cc}" -shared -fPIC -o lib/libselinux.so.1 selinux.c
    labels() { # FILE ...: their labels
        python3 -c 'import os, sys
for f in sys.argv[1:]:
    try: print(os.getxattr(f, "security.selinux", follow_symlinks=False).decode().rstrip("\0"))
    except OSError: print("no label")' "$@"
    }
    cd $root
    mkdir -p real
    echo mine >etc/file
    ln -s file etc/link
    ln -s ../real etc/folder
    cd ..
    give "$(files "$(file /etc/file 1 '{"mode":384}')" "$(file /etc/link 1)" "$(file /new/deep/er 1)" \
        "$(file /etc/folder/none 1)" "$(file /etc/folder/a 1)" "$(file /top 1)")"
    LD_LIBRARY_PATH=$T/lib expect 0 run_agent d1
    same "/etc/file:100600 /etc/link:100644 /new:40755 /new/deep:40755 /new/deep/er:100644 no label /real/a:100644 /top:100644" \
        "$(cd $root && labels etc/file etc/link new new/deep new/deep/er real/none real/a top | xargs)"
    give '[]'
    LD_LIBRARY_PATH=$T/lib expect 0 run_agent d1
    no_temporaries d1
    same "mine file" "$(cat $root/etc/file) $(readlink $root/etc/link)"
    same "/etc/file:100644 /etc/link:120777" "$(cd $root && labels etc/file etc/link | xargs)"
}

# --- leaving ------------------------------------------------------------------------------------

@test "what leaves the spec goes, and what stood there before comes back" {
    printf 'old motd\n' >$root/etc/motd
    chmod 640 $root/etc/motd
    [ "$(id -u)" != 0 ] || chown 12:34 $root/etc/motd
    ln -s ../run/resolv.conf $root/etc/resolv.conf
    echo same >$root/etc/same
    owned=$(at $root/etc/motd)
    give "$(files "$(file /etc/motd new)" "$(file /etc/resolv.conf new)" "$(file /etc/same same)" \
        "$(file /etc/mine/a 1)" "$(file /etc/shared/a 1)" "$(file /etc/alone 1)")"
    apply
    [ -f $root/etc/resolv.conf ] && [ ! -L $root/etc/resolv.conf ]
    same "new 644 $(me)" "$(cat $root/etc/motd) $(at $root/etc/motd)"
    # Later versions do not forget what was there first.
    give "$(files "$(file /etc/motd newer)" "$(file /etc/resolv.conf newer)" "$(file /etc/same other)" \
        "$(file /etc/mine/a 2)" "$(file /etc/shared/a 2)" "$(file /etc/alone 2)")"
    apply
    echo theirs >$root/etc/shared/b
    give '[]'
    apply
    same "old motd" "$(cat $root/etc/motd)"
    same "$owned" "$(at $root/etc/motd)"
    same ../run/resolv.conf "$(readlink $root/etc/resolv.conf)"
    same same "$(cat $root/etc/same)"
    # Folders that the agent made go when they are empty.
    [ ! -e $root/etc/mine ] && [ ! -e $root/etc/alone ] && [ ! -e $root/etc/shared/a ]
    same theirs "$(cat $root/etc/shared/b)"
    same "" "$(ls $root/var/lib/flightctl/backup)"
    # Once more, from the start.
    give "$(files "$(file /etc/motd third)")"
    apply
    give '[]'
    apply
    same "old motd" "$(cat $root/etc/motd)"
}

@test "a file may become a folder and a folder a file" {
    give "$(files "$(file /etc/a/b/c 1)" "$(file /etc/x file)")"
    apply
    give "$(files "$(file /etc/a 'now a file')" "$(file /etc/x/y 2)")"
    apply
    same "now a file 2" "$(cat $root/etc/a) $(cat $root/etc/x/y)"
    give "$(files "$(file /etc/a/b/c 3)" "$(file /etc/x 4)")"
    apply
    same "3 4" "$(cat $root/etc/a/b/c) $(cat $root/etc/x)"
    # One that fails brings all of that back.
    before=$(picture d1 | grep -v ' d ')
    mkdir -p $root/etc/z/z
    give "$(files "$(file /etc/a 'a file')" "$(file /etc/x/y 2)" "$(file /etc/z 1)")"
    expect 1 run_agent d1
    same "$before" "$(picture d1 | grep -v ' d ')"
}

# --- places that files must not lead to ----------------------------------------------------------

@test "symbolic links lead nowhere outside of the root" {
    mkdir outside $root/inside
    echo untouched >outside/file
    ln -s "$T/outside" $root/etc/absolute
    ln -s ../../../../../../../../../../../../inside $root/etc/relative
    ln -s ../../outside $root/etc/up
    ln -s "$T/outside/file" $root/etc/final
    before=$(find outside -printf '%p %i %C@ %s\n')
    # Inside of the root, a link leads where it says.
    give "$(files "$(file /etc/relative/a 1)")"
    apply
    same 1 "$(cat $root/inside/a)"
    # One that is the file itself is replaced.
    give "$(files "$(file /etc/final 2)")"
    apply
    same "2 no" "$(cat $root/etc/final) $([ -L $root/etc/final ] && echo yes || echo no)"
    for path in /etc/absolute/file /etc/up/file; do
        was=$(picture d1)
        give "$(files "$(file $path evil)" "$(file /etc/final 3)")"
        expect 1 run_agent d1
        same "$was" "$(picture d1)"
    done
    same "$before" "$(find outside -printf '%p %i %C@ %s\n')"
    # A user who owns a folder on the way does not choose where it leads.
    if [ "$(id -u)" = 0 ]; then
        mkdir $root/home $root/victim
        chown 4321 $root/home
        ln -s /victim $root/home/dot
        give "$(files "$(file /home/dot/a 1)")"
        apply
        same 1 "$(cat $root/victim/a)"
        chown -h 4321 $root/home/dot
        was=$(picture d1)
        for path in /home/dot/b /home/dot/new/b; do
            give "$(files "$(file $path evil)" "$(file /home/dot/a 1)")"
            expect 1 run_agent d1
            has "$stderr" "is behind a symbolic link of another user"
            same "$was" "$(picture d1)"
        done
        rm $root/home/dot
        give '[]'
        apply
        same "a 1" "$(cd $root/victim && echo a "$(cat a)")"
    fi
    give '[]'
    apply
    same "$T/outside/file" "$(readlink $root/etc/final)"
    same "$before" "$(find outside -printf '%p %i %C@ %s\n')"
    # Nor when a folder is swapped for a link between two versions.
    give "$(files "$(file /etc/app/file 1)")"
    apply
    rm -r $root/etc/app
    ln -s "$T/outside" $root/etc/app
    give '[]'
    run run_agent d1
    same "$before" "$(find outside -printf '%p %i %C@ %s\n')"
}

@test "the agent's own state and what is no file cannot be managed" {
    fake_api
    ask d1 "$FAKE_URL"
    ln -s ../var/lib $root/etc/state
    mkdir -p $root/dev
    mkfifo $root/etc/fifo
    before=$(picture d1)
    version=1
    # no REASON PATH [MEMBERS]
    no() {
        version=$((version + 1))
        rendered $version "$(files "$(file /etc/good 1)" "$(file "$2" x "${3:-null}")")" | answer 200
        expect 1 run_agent d1
        has "$stderr" "fc-agent: version $version: "
        echo "$stderr"
        has "$stderr" "$1"
        same "$before" "$(picture d1)"
        has "$(jq -r '.status.conditions[0].message' body)" "$1"
    }
    no '/proc/sys/kernel/hostname: /proc is not for managed files' /proc/sys/kernel/hostname
    no '/sys/x: /sys is not for managed files' /sys/x
    no '/dev/sda: /dev is not for managed files' /dev/sda
    no '/run/flightctl/x: /run/flightctl is not for managed files' /run/flightctl/x
    no "inline[1].path: belongs to the agent" /var/lib/flightctl/state.json
    no "inline[1].path: belongs to the agent" /var/lib/flightctl/certs/agent.key
    no "/etc/state/flightctl/state.json: /var/lib/flightctl is not for managed files" \
        /etc/state/flightctl/state.json
    ln -s flightctl $root/etc/agent
    before=$(picture d1)
    no "/etc/agent/config.yaml: /etc/flightctl/config.yaml is not for managed files" /etc/agent/config.yaml
    no "/etc/agent/certs/ca.crt: /etc/flightctl/certs is not for managed files" /etc/agent/certs/ca.crt
    no '[1].path: must not contain ".."' /etc/../etc/x
    no '[1].path: must be an absolute path' etc/x
    no '[1].path: must name a file, not a folder' /etc/x/
    no '/etc/fifo: what stands there is no regular file' /etc/fifo
    no '[1].path: must not contain "//"' //etc//good
    no '[1].path: is used already' /etc/good
    no '[1].path: lies in "/etc/good", which is a file' /etc/good/x
    no '/etc/passwdless: no user "nobody-such"' /etc/passwdless '{"user":"nobody-such"}'
    no '[1].content: must be base64' /etc/x '{"contentEncoding":"base64","content":"?"}'
    no '[1].contentEncoding: must be one of plain, base64' /etc/x '{"contentEncoding":"rot13"}'
    no '[1].mode: must be a file mode from 0 to 07777' /etc/x '{"mode":99999}'
    no '[1].path: has too long a component' "/etc/$(head -c 300 /dev/zero | tr '\0' x)"
    no '[1].path: is too long a path' "/$(head -c 5000 /dev/zero | tr '\0' /x)"
    no_temporaries d1
}

# --- an update that cannot be --------------------------------------------------------------------

@test "a folder in the way: all goes back, is reported, and not tried again until it is told to" {
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1 '{"mode":384}')" "$(file /etc/gone 1)")"
    apply
    mkdir -p $root/etc/z/inner
    before=$(picture d1)
    give "$(files "$(file /etc/a 2)" "$(file /etc/b 2 '{"mode":420}')" "$(file /etc/new/c 2)" \
        "$(file /etc/z 2)")"
    expect 1 run_agent d1
    same "fc-agent: version 3: /etc/z: a folder stands where the file should go" "$stderr"
    same "$before" "$(picture d1)"
    no_temporaries d1
    same "Error: version 3: /etc/z: a folder stands where the file should go" "$(updating)"
    same "2 OutOfDate" "$(reported '"\(.status.config.renderedVersion) \(.status.updated.status)"')"
    same "OutOfDate" "$(fc-select "device/$DEVICE" -o table | awk 'NR == 2' | grep -o OutOfDate)"
    same "2 3 3" "$(known d1 '"\(.currentVersion) \(.desiredVersion) \(.failedVersion)"')"
    # The obstacle goes; but that version has failed.
    rm -r $root/etc/z
    was=$(whole_picture d1)
    expect 0 run_agent d1
    same "" "$stderr"
    same "$was" "$(whole_picture d1)"
    # Another version is tried.
    give "$(files "$(file /etc/a 3)" "$(file /etc/z 3)")"
    apply
    same "3 3" "$(cat $root/etc/a) $(cat $root/etc/z)"
    [ ! -e $root/etc/gone ]
    same "Updated: version 4 is applied" "$(updating)"
    same "UpToDate" "$(reported .status.updated.status)"
    same null "$(known d1 .failedVersion)"
}

@test "something that fails while files are put in place takes all of them back" {
    needs strace strace
    mkdir -p $root/usr/share
    echo old >$root/usr/share/old
    give "$(files "$(file /etc/a 1)" "$(file /etc/b 1 '{"mode":384}')" "$(file /etc/gone 1)")"
    apply
    before=$(picture d1)
    give "$(files "$(file /etc/a 2)" "$(file /etc/b 2 '{"mode":420}')" "$(file /etc/new/c 2)" \
        "$(file /usr/share/old 2)")"
    # The rename that puts a file where none was; others have been replaced by then.
    expect 1 traced -o trace -e trace=renameat,renameat2 -e inject=renameat2:error=EIO:when=1
    same "a b" "$(sed '/renameat2/,$d' trace | sed -n 's/.*\.new", [0-9]*, "\(.*\)") *= 0$/\1/p' | xargs)"
    has "$stderr" "Input/output error"
    same "$before" "$(picture d1)"
    no_temporaries d1
    has "$(updating)" "Error: version 3: "
}

@test "fc-rollout retry has a failed version tried again" {
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: all}
spec:
  selector: {matchLabels: {alias: d1}}
  rolloutPolicy:
    deviceSelection: {strategy: BatchSequence, sequence: [{limit: 1}]}
  template:
    spec:
      config: [{name: app, inline: [{path: /etc/app, content: one}]}]
END
    fc-apply fleet.yaml
    fc-work drain
    run_agent d1
    fc-work drain
    mkdir $root/etc/app.d
    sed -i 's|/etc/app, content: one|/etc/app.d, content: two|' fleet.yaml
    fc-apply fleet.yaml
    fc-work drain
    expect 1 run_agent d1
    same one "$(cat $root/etc/app)"
    fc-work drain
    rmdir $root/etc/app.d
    expect 0 run_agent d1
    [ ! -e $root/etc/app.d ]
    failed=$(known d1 .failedVersion)
    fc-rollout retry all
    fc-work drain
    apply
    same "two no" "$(cat $root/etc/app.d) $([ -e $root/etc/app ] && echo yes || echo no)"
    [ "$(known d1 .currentVersion)" -gt "$failed" ]
    same UpToDate "$(reported .status.updated.status)"
}

@test "OS images and what else is not for this agent are refused before anything is changed" {
    give "$(files "$(file /etc/a 1)")"
    apply
    before=$(picture d1)
    give "$(files "$(file /etc/a 2)")" '{"os":{"image":"quay.io/x/os:2"}}'
    expect 1 run_agent d1
    same "Error: OSUpdateFailed: version 3: spec.os.image: this system was not installed as an image: bootc cannot switch it to quay.io/x/os:2" \
        "$(updating)"
    same "OSUpdateFailed True" "$(fc-agent --root d1 status -o json |
        jq -r '.conditions[1] | "\(.type) \(.status)"')"
    give "$(files "$(file /etc/a 2)")" \
        '{"applications":[{"name":"web","appType":"helm","image":"quay.io/x/web:1"}]}'
    expect 1 run_agent d1
    same "Error: version 4: spec.applications[0] (web): appType helm: this agent runs applications of the types container, compose and quadlet only" "$(updating)"
    same "$before" "$(picture d1)"
    run grep -c '"do":' $root/var/lib/flightctl/journal
    same "OutOfDate" "$(reported .status.updated.status)"
    give "$(files "$(file /etc/a 3)")"
    apply
    same "3 Updated: version 5 is applied" "$(cat $root/etc/a) $(updating)"
    same 1 "$(fc-agent --root d1 status -o json | jq '.conditions | length')"
}

@test "a reference to git ends in SpecValid=False, and the device keeps what it has" {
    give "$(files "$(file /etc/a 1)")"
    apply
    before=$(whole_picture d1)
    jq -cn --arg name "$DEVICE" '{apiVersion: "v1beta1", kind: "Device", metadata: {name: $name},
        spec: {config: [{name: "git", gitRef: {repository: "nowhere", targetRevision: "main",
            path: "/etc"}}]}}' | fc-apply
    fc-work drain
    same False "$(reported '.status.conditions[] | select(.type == "SpecValid").status')"
    expect 0 run_agent d1
    same "" "$stderr"
    same "$before" "$(whole_picture d1)"
    same OutOfDate "$(reported .status.updated.status)"
    give "$(files "$(file /etc/a 2)")"
    apply
    same "2 True" "$(cat $root/etc/a) $(reported '.status.conditions[] | select(.type == "SpecValid").status')"
}

@test "a full disk: nothing is changed, it is said, and a later version goes through" {
    needs_root
    give "$(files "$(file /etc/a 1)" "$(file /etc/app/b 1)")"
    apply
    mkdir $root/srv
    before=$(picture d1)
    head -c 400000 /dev/zero | tr '\0' x >big
    big=$(jq -n --rawfile big big '[{path: "/etc/a", content: "2"}, {path: "/etc/app/b", content: "2"},
        {path: "/srv/big", content: $big}]')
    give "$big"
    # The data folder has no room for the version itself.
    cp -a $root/var/lib/flightctl data
    unshare -m bash -e -c 'mount -t tmpfs -o size=256k,mode=700 tmpfs d1/var/lib/flightctl
        cp -a data/. d1/var/lib/flightctl
        fc-agent --root d1 --user _fc-agent 2>err || echo "$?" >code
        (cd d1/var/lib/flightctl && find . -type f | sort) >left'
    same 1 "$(cat code)"
    same "fc-agent: desired.json: No space left on device" "$(cat err)"
    same "$(cd data && find . -type f | sort)" "$(cat left)"
    same "$before" "$(picture d1)"
    # The device has none for a file.
    unshare -m bash -e -c 'mount -t tmpfs -o size=64k,mode=755 tmpfs d1/srv
        fc-agent --root d1 --user _fc-agent 2>err || echo "$?" >code
        ls -A d1/srv >left'
    same 1 "$(cat code)"
    same "fc-agent: version 3: /srv/big: cannot write: No space left on device" "$(cat err)"
    same "" "$(cat left)"
    same "$before" "$(picture d1)"
    no_temporaries d1
    has "$(updating)" "Error: version 3: /srv/big: "
    give "$(jq 'map(select(.path != "/etc/app/b"))' <<<"$big")"
    apply
    same "2 400000" "$(cat $root/etc/a) $(stat -c %s $root/srv/big)"
}

@test "a read-only file system: nothing is changed, and it is said" {
    needs_root
    mkdir $root/srv
    give "$(files "$(file /srv/a 1)" "$(file /etc/b 1)")"
    apply
    before=$(picture d1)
    give "$(files "$(file /etc/b 2)" "$(file /srv/a 2)" "$(file /srv/c 2)")"
    # In the order of paths /etc comes first: it is read-only, or only what comes later.
    for folder in srv etc; do
        export folder
        unshare -m bash -e -c 'mount --bind "d1/$folder" "d1/$folder"
            mount -o remount,ro,bind "d1/$folder"
            fc-agent --root d1 --user _fc-agent 2>err || echo "$?" >code'
        same 1 "$(cat code)"
        has "$(cat err)" "Read-only file system"
        same "$before" "$(picture d1)"
        no_temporaries d1
        has "$(updating)" "Read-only file system"
        give "$(files "$(file /etc/b 2)" "$(file /srv/a 2)" "$(file /srv/$folder 2)")"
    done
    apply
    same "222" "$(cat $root/etc/b $root/srv/a $root/srv/etc)"
}

@test "a file system of its own inside of the root is written to as well" {
    needs_root
    mkdir $root/srv
    give "$(files "$(file /srv/app/a 1)" "$(file /etc/b 1)")"
    unshare -m bash -e -c 'mount -t tmpfs -o mode=755 tmpfs d1/srv
        fc-agent --root d1 --user _fc-agent 2>err
        cat d1/srv/app/a >got'
    same 1 "$(cat got)"
    same 1 "$(cat $root/etc/b)"
}
