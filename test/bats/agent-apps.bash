# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # T comes from helpers; tests use the rest
# Stand-ins for podman, a compose tool and systemctl in the root of a device, for tests that look at
# what the agent does with them, or run it thousands of times. They note how they are called in
# run/calls, and keep what they made below var/fake: containers, volumes, units, running services.
# var/fake/bad is a pattern of units that do not start. They do as run/hang (wait for ever), run/fail (a pattern of
# calls that fail, the first one alone with run/fail-once) and run/garbage say.

# stand_ins NAME: into $T/NAME. Needs root, since programs of another root run by chroot.
stand_ins() {
    local d=$T/$1

    [ -x /usr/bin/busybox ] || { echo "busybox is missing: apt-get install busybox-static"; return 1; }
    mkdir -p "$d/bin" "$d/usr/bin" "$d/tmp" "$d/run" "$d/etc" \
        "$d"/var/fake/{containers,volumes,images,units,active}
    cp /usr/bin/busybox "$d/bin/busybox"
    ln -sf busybox "$d/bin/sh"
    # Time limits that fit a test; 0s: what was started is looked at once.
    cat >"$d/etc/flightctl/conf.d/apps.yaml" <<'END'
application-timeout: 20s
application-ready-timeout: 0s
END
    cat >"$d/usr/bin/common" <<'END'
name=${0##*/} PATH=/bin:/usr/bin
echo "$name $*" >>/run/calls
[ ! -e /run/fail ] || ! echo "$name $*" | busybox grep -q -f /run/fail || {
    [ ! -e /run/fail-once ] || busybox rm /run/fail /run/fail-once
    echo "refused" >&2
    exit 125
}
[ ! -e /run/hang ] || ! echo "$name $*" | busybox grep -q -f /run/hang || {
    [ ! -e /run/hang-once ] || busybox rm /run/hang /run/hang-once
    exec busybox sleep 1000
}
S=/var/fake
id() { echo "$1" | busybox sha256sum | busybox cut -c 1-64; }
# container NAME LABELS MORE
container() { echo "{\"Id\":\"$(id "$1")\",\"Names\":[\"$1\"],\"State\":\"running\",\"ExitCode\":0,\"Restarts\":0,\"Labels\":{$2},\"x\":\"$3\"}" >$S/containers/"$(id "$1")"; }
END
    cat >"$d/usr/bin/podman" <<'END'
#!/bin/sh
. /usr/bin/common
case "$1 $2" in
"ps --all")
    [ ! -e /run/garbage ] || { busybox cat /run/garbage; exit 0; }
    sep='['
    for f in $S/containers/*; do
        [ ! -e "$f" ] || { echo "$sep"; read -r line <"$f"; echo "$line"; sep=,; }
    done
    [ "$sep" = , ] || echo "["
    echo "]" ;;
"run --detach")
    labels= made=
    while [ $# -gt 0 ]; do
        case $1 in
        --name) name=$2; shift ;;
        --label) labels="$labels${labels:+,}\"${2%%=*}\":\"${2#*=}\""; shift ;;
        --env-file) [ -e "$2" ] || exit 1; made="$made $(busybox tr '\n' ' ' <"$2")"; shift ;;
        *) made="$made $1" ;;
        esac
        shift
    done
    [ ! -e "$S/containers/$(id "$name")" ] || { echo "name in use" >&2; exit 125; }
    container "$name" "$labels" "$made" ;;
"rm --force") for i; do busybox rm -f "$S/containers/$i"; done ;;
"image exists") [ -e "$S/images/$(id "$4")" ] ;;
"image rm") busybox rm "$S/images/$(id "$4")" ;;
"pull --quiet")
    case $4 in */art:*)
        echo 'Error: parsing image configuration: unsupported image-specific operation on artifact with type "x"' >&2
        exit 125 ;;
    esac
    echo "$4" >"$S/images/$(id "$4")" ;;
"version --format") busybox cat $S/version ;;
artifact\ *) # with var/fake/artifact as the files of all, titles as names
    [ "$(busybox cat $S/version)" = 5.5.0 ] || { echo "See 'podman --help'" >&2; exit 125; }
    busybox mkdir -p $S/artifacts
    case $* in
    "artifact pull --quiet -- "*) : >"$S/artifacts/$(id "$5")" ;;
    "artifact inspect -- "*) [ -e "$S/artifacts/$(id "$4")" ] ;;
    "artifact rm -- "*) busybox rm "$S/artifacts/$(id "$4")" ;;
    "artifact extract -- "*) [ -e "$S/artifacts/$(id "$4")" ] && [ -d "$5" ] && busybox cp $S/artifact/* "$5" ;;
    esac ;;
"volume inspect")
    [ -e "$S/volumes/$6" ] || exit 125
    case $4 in
    *Mountpoint*) busybox mkdir -p "$S/mount/$6"; echo "$S/mount/$6" ;;
    *) busybox cat "$S/volumes/$6" ;;
    esac ;;
"volume rm") busybox rm "$S/volumes/$4" ;;
"volume create") shift 2; l=${2#*=}; d=local; [ "$3" != --driver ] || d=image
    while [ "$1" != -- ]; do shift; done; echo "$l:$d" >"$S/volumes/$2" ;;
"network ls" | "network rm") ;;
*) echo "what?" >&2; exit 125 ;;
esac
END
    cat >"$d/usr/bin/podman-compose" <<'END'
#!/bin/sh
. /usr/bin/common
[ "$3" = -f ] && [ -e "$4" ] || { echo "no such file: $4" >&2; exit 1; }
container "$2-a" "\"com.docker.compose.project\":\"$2\",\"com.docker.compose.service\":\"a\"" "$(busybox tr -d '\n"' <"$4") $(busybox cat "${4%/*}/.env" 2>/dev/null | busybox tr '\n' ' ')"
END
    cat >"$d/usr/bin/systemctl" <<'END'
#!/bin/sh
. /usr/bin/common
user= dir=/etc/containers/systemd
if [ "$1" = --user ]; then
    [ -e "$XDG_RUNTIME_DIR/systemd/private" ] || { echo "Failed to connect to bus" >&2; exit 1; }
    user=bob. dir=$dir/users/${XDG_RUNTIME_DIR##*/}
    shift
fi
case $1 in
daemon-reload)
    busybox rm -f $S/units/"$user"*.service
    for f in $dir/*.container; do
        [ ! -e "$f" ] || { n=${f##*/}; busybox cp "$f" "$S/units/$user${n%.container}.service"; }
    done
    for kind in pod volume network image build artifact; do
        for f in "$dir"/*.$kind; do
            [ ! -e "$f" ] || { n=${f##*/}; busybox cp "$f" "$S/units/$user${n%.*}-$kind.service"; }
        done
    done
    for f in "$dir"/*.kube; do
        [ ! -e "$f" ] || { n=${f##*/}; busybox cp "$f" "$S/units/$user${n%.kube}.service"; }
    done ;;
start | restart)
    shift 2
    for u; do
        [ -e "$S/units/$user$u" ] || { echo "Unit $u not found." >&2; exit 5; }
        [ ! -e $S/bad ] || ! busybox grep -q -f $S/bad "$S/units/$user$u" || { echo "$u failed" >&2; exit 1; }
        busybox cp "$S/units/$user$u" "$S/active/$user$u"
    done ;;
stop)
    shift 2
    for u; do
        [ -e "$S/units/$user$u" ] || { echo "Unit $u not loaded." >&2; exit 5; }
        busybox rm -f "$S/active/$user$u"
    done ;;
show)
    shift 3
    for u; do
        load=not-found active=inactive sub=dead
        [ ! -e "$S/units/$user$u" ] || load=loaded
        [ ! -e "$S/active/$user$u" ] || active=active sub=running
        printf 'Id=%s\nLoadState=%s\nActiveState=%s\nSubState=%s\nNRestarts=0\nExecMainStatus=0\nExecMainStartTimestampMonotonic=0\n\n' "$u" $load $active $sub
    done ;;
esac
END
    cat >"$d/usr/bin/loginctl" <<'END'
#!/bin/sh
. /usr/bin/common
[ "$*" = "enable-linger bob" ] || exit 1
busybox mkdir -p /var/lib/systemd/linger /run/user/1234/systemd
: >/var/lib/systemd/linger/bob
: >/run/user/1234/systemd/private
END
    cat >"$d/usr/bin/setpriv" <<'END'
#!/bin/sh
. /usr/bin/common
while [ "$1" != -- ]; do shift; done
shift 2
exec busybox env "$@"
END
    chmod +x "$d"/usr/bin/*
}

# calls NAME [PATTERN]: the calls that change something since the last time, without those that match.
calls() {
    local f=$T/$1/run/calls

    [ ! -e "$f" ] || grep -v -E -e "^podman (ps|image exists)|^systemctl (--user )?show|^setpriv|${2:-^$}" "$f"
    : >"$f"
}

# Applications for `give`.
apps() { printf '%s\n' "$@" | jq -cs '{applications: .}'; }
container_app() { # NAME IMAGE [MEMBERS]
    jq -cn --arg n "$1" --arg i "$2" --argjson m "${3:-null}" \
        '{name: $n, appType: "container", image: $i} + ($m // {})'
}
inline_app() { # NAME TYPE FILE CONTENT [MEMBERS]
    jq -cn --arg n "$1" --arg t "$2" --arg f "$3" --arg c "$4" --argjson m "${5:-null}" \
        '{name: $n, appType: $t, inline: [{path: $f, content: $c}]} + ($m // {})'
}
COMPOSE='services: {a: {image: "localhost/box:${TAG:-1}"}}'
QUADLET=$'[Container]\nImage=localhost/box:1\n'

# state NAME: what the stand-ins have, by what it was made from.
state() {
    (cd "$T/$1/var/fake" && cat containers/* 2>/dev/null | jq -r '"\(.Names[0]) \(.State) \(.x)"' | sort
        for u in active/*; do [ ! -e "$u" ] || echo "${u##*/} $(tr '\n' ' ' <"$u")"; done)
}
