#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets status, output, stderr; others expand
# once: it is podman that takes the time, whatever the agent was built with
# Applications of a device with the real podman and podman-compose, in mount and network namespaces of
# the test's own: the agent's root folder is /, with another /etc, /var/lib and /run. Of systemd there is
# a stand-in, since this podman has no generator for quadlets.

load helpers
load agent
load agent-apps

# inside COMMAND ...: in the namespaces.
inside() { nsenter --mount --net --target "$NS" --wd="$T" -- env PATH="$T/bin:$PATH" "$@"; }
# Servers and runs of this file are there, too.
activate() {
    local name args=()

    for name in HOME FC_STATE FC_STORE FC_CONF TZ $SANITIZER_VARS; do args+=(-E "$name"); done
    exec nsenter --mount --net --target "$NS" --wd="$T" -- systemd-socket-activate "${args[@]}" "$@"
}
run_agent() { shift; inside fc-agent --user _fc-agent "$@"; }

# image NAME COMMAND-JSON FILE...: of files of $T/tree and busybox.
image() {
    local name=$1 cmd=$2

    shift 2
    tar -C "$T/tree" -c "$@" | inside podman import -q --change "CMD $cmd" \
        --change "STOPSIGNAL SIGKILL" - "localhost/$name" >/dev/null
}

setup() {
    fc_setup
    needs_root
    needs podman podman && needs podman-compose podman-compose && needs crun crun &&
        needs slirp4netns slirp4netns && needs newuidmap uidmap || return
    needs busybox busybox-static && needs strace strace
    mkdir -p "$T/bin" "$T/tree/bin" "$T/tree/conf" "$T/over" "$T/dev/etc/flightctl" "$T/units"
    # What podman wants to know: storage of the test's own. Where limits cannot be raised they are given,
    # and where there is no whole cgroup v2, containers go without.
    cat >"$T/namespaces" <<END
set -e
mount -t tmpfs tmpfs "$T/over"
for d in etc var/lib; do
    mkdir -p "$T/over/\$d/up" "$T/over/\$d/work"
    mount -t overlay overlay -o "lowerdir=/\$d,upperdir=$T/over/\$d/up,workdir=$T/over/\$d/work" "/\$d"
done
mount -t tmpfs tmpfs /run
mkdir -p /etc/flightctl /etc/containers /run/lock
mount --bind "$T/dev/etc/flightctl" /etc/flightctl
rm -rf /etc/containers/systemd
cat >/etc/containers/storage.conf <<X
[storage]
driver = "vfs"
graphroot = "$T/storage"
runroot = "/run/containers/storage"
X
cat >/etc/containers/containers.conf <<X
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:20000","nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
[network]
network_backend = "netavark"
X
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
# An account that runs containers of its own, and may open the device that their networks need.
mknod -m 666 "$T/over/tun" c 10 200
mount --bind "$T/over/tun" /dev/net/tun
useradd -u 4321 -d "$T/bob" -m bob
mkdir -m 700 -p /run/user/4321
chown 4321:4321 /run/user/4321
touch "$T/ready"
exec sleep 20000
END
    background "$T/namespaces.log" unshare --mount --net --propagation private sh "$T/namespaces"
    NS=$PID
    wait_for test -e "$T/ready" || { cat "$T/namespaces.log"; return 1; }
    cat >"$T/bin/systemctl" <<END
#!/bin/sh
echo "\$*" >>"$T/systemctl"
verb=\$1
case \$verb in
start | restart) shift 2; for u; do touch "$T/units/\$u"; done ;;
stop) shift 2; for u; do rm -f "$T/units/\$u"; done ;;
show) shift 3; for u; do
    s=inactive; [ ! -e "$T/units/\$u" ] || s=active
    printf 'Id=%s\nLoadState=loaded\nActiveState=%s\nSubState=running\nNRestarts=0\n\n' "\$u" \$s; done ;;
esac
END
    chmod +x "$T/bin/systemctl"
    cp /usr/bin/busybox "$T/tree/bin/busybox"
    for name in sh sleep cat true; do ln -s busybox "$T/tree/bin/$name"; done
    image box:1 '["/bin/sleep","1000"]' bin
    image box:2 '["/bin/sleep","1001"]' bin
    image dies:1 '["/bin/sh","-c","sleep 0.2; exit 3"]' bin
    echo one >"$T/tree/conf/text"
    image conf:1 '["none"]' -C "$T/tree/conf" text
    echo "$COMPOSE" >"$T/tree/conf/compose.yaml"
    image project:1 '["none"]' -C "$T/tree/conf" compose.yaml
    serve
    make_agent dev
    enroll_agent dev >/dev/null 2>&1
}
teardown() {
    [ ! -d "$T/bob/.local" ] || as_bob podman rm -fa -t 0 >/dev/null 2>&1 || echo "containers are left"
    pkill -KILL -u 4321 -x podman || : # what holds its namespaces
    [ -z "${NS:-}" ] || inside podman rm -fa -t 0 >/dev/null 2>&1 || echo "containers are left"
    fc_teardown
}

app() { reported ".status.applications[] | select(.name == \"$1\") | $2"; }
# containers: name, image and state of all there are.
containers() { inside podman ps -a --format json | jq -r '.[] | "\(.Names[0]) \(.Image) \(.State)"' | sort; }
about() { inside podman inspect "$1" | jq -r ".[0] | $2"; }

# as_bob COMMAND ...: as the agent runs things with runAs.
as_bob() {
    inside setpriv --reuid 4321 --regid 4321 --init-groups --reset-env -- \
        env -C / XDG_RUNTIME_DIR=/run/user/4321 "$@"
}

# cut_short time SECONDS | FAULT CALL N: a run that is killed after a while, if it is still under way, or
# one whose N-th call kills it, or fails.
cut_short() {
    local agent=(fc-agent --user _fc-agent) pid

    # a process that becomes the agent; its other half ends by itself
    [ "$1" = time ] || agent=(strace -qq -o /dev/null -e "inject=$2:$1:when=$3" "${agent[@]}")
    nsenter --mount --net --target "$NS" --wd="$T" -- env PATH="$T/bin:$PATH" \
        ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" "${agent[@]}" >first 2>&1 3>&- 4>&- &
    pid=$!
    if [ "$1" = time ]; then
        sleep "$2"
        kill -KILL "$pid" 2>/dev/null || :
    fi
    status=0
    wait "$pid" || status=$?
    [ "$status" != 137 ] || killed=$((killed + 1))
}

# points: arguments of cut_short. As many points in time as FC_KILLS says: few, since each takes
# seconds. With FC_SOAK each call that changes something, too, as the file trace has them.
points() {
    local n call at

    for ((n = 0; n < ${FC_KILLS:-2}; n++)); do echo "time $((RANDOM % 3)).$((RANDOM % 10))"; done
    [ -n "${FC_SOAK:-}" ] || return 0
    changes <trace >calls
    while read -r call at; do
        echo "signal=KILL $call $at"
        echo "error=$(errors_at 0 | cut -d' ' -f$((n++ % 3 + 1))) $call $at"
    done <calls
}

@test "an update with podman that is killed is done, or taken back, by the next run" {
    local old now next point hooks

    mkdir -p "$T/dev/etc/flightctl/hooks.d/afterupdating"
    cat >"$T/dev/etc/flightctl/hooks.d/afterupdating/note.yaml" <<'END'
- run: sh -c 'cat ${Files} >/run/rule'
  if: [{path: /etc/a, op: [created, updated, removed]}]
END
    hooks=$(jq -cn 'def note: {command: ["sh", "-c", "cat /etc/a >/run/after"]};
        {hooks: {before: [{command: ["true"]}], after: [note], onFailure: [note]}}')
    for i in 1 2; do
        files "$(file /etc/a "$i")" "$(file "/etc/$i.b" "$i")" "$(file /etc/c "$i")" >"files.$i"
        apps "$(container_app web "localhost/box:$i" "{\"envVars\":{\"N\":\"$i\"}}")" \
            "$(inline_app proj compose compose.yaml "$COMPOSE" "{\"envVars\":{\"TAG\":\"$i\"}}")" \
            "$(inline_app quad quadlet "q$i.container" "$QUADLET")" | jq -c ". + $hooks" >"apps.$i"
    done
    old=1 killed=0 failed=0 n=0
    give "$(cat files.1)" "$(cat apps.1)"
    expect 0 run_agent dev
    if [ -n "${FC_SOAK:-}" ]; then
        give "$(cat files.2)" "$(cat apps.2)"
        inside strace -qq -o trace -e "trace=$CALLS,$SYNCS" fc-agent --user _fc-agent
        old=2
    fi
    points >points
    while read -r -a point; do
        next=$((3 - old))
        # a version that failed is not tried again until it is another
        give "$(jq -c ". + [$(file /etc/n "$n")]" files.$next)" "$(cat apps.$next)"
        cut_short "${point[@]}"
        done_now() { run_agent dev --now 2>second; ! grep -q "another run is under way" second; }
        wait_for done_now
        now=$(inside cat /etc/a)
        about_now "$now" || { echo "after ${point[*]}: $(cat first); then: $(cat second)"; return 1; }
        # Nothing was wrong with it, but for an error.
        [[ $now = "$next" || ${point[0]} = error=* ]] || { echo "${point[*]}: $now"; return 1; }
        [ "$now" = "$next" ] || failed=$((failed + 1))
        old=$now n=$((n + 1))
    done <points
    echo "# of $n $killed were killed, and $failed failed their version" >&3
}

# about_now VERSION: all is as this version has it.
about_now() {
    containers >got
    diff - got <<END || return
proj_a_1 localhost/box:$1 running
web localhost/box:$1 running
END
    same "N=$1" "$(inside cat /etc/flightctl/env/web.env)" &&
        same "$1 $1" "$(inside cat /etc/c) $(inside sh -c 'cat /etc/*.b')" &&
        same "q$1.service" "$(ls "$T/units")" &&
        same "$1 $1" "$(inside cat /run/after) $(inside cat /run/rule)" &&
        same "" "$(inside find /etc /run/flightctl /var/lib/flightctl \
            -name '.fc-*' -o -name journal -o -name package)"
}

@test "applications with podman: they come, change, fail and come back, drift, and go" {
    data='{"name":"data","mount":{"path":"/data"}}'
    conf='{"name":"conf","mount":{"path":"/conf"},"image":{"reference":"localhost/conf:1"}}'
    web="{\"envVars\":{\"A\":\"x y\"},\"ports\":[\"8080:80\"],\"resources\":{\"limits\":{\"cpu\":\"0.5\",\"memory\":\"64m\"}},\"volumes\":[$data,$conf]}"
    proj=$(inline_app proj compose compose.yaml 'services: {a: {image: "localhost/box:${TAG}", volumes: ["conf:/conf"]}}
volumes: {conf: {external: true}}' '{"envVars":{"TAG":"1"},"volumes":[{"name":"conf","image":{"reference":"localhost/conf:1"}}]}')
    packaged='{"name":"packaged","appType":"compose","image":"localhost/project:1"}'
    quad=$(inline_app quad quadlet q.container "$QUADLET")
    own=$(container_app own localhost/box:1 '{"runAs":"bob","envVars":{"B":"2"},"ports":["8081:80"]}')
    tar -C "$T/tree" -c bin | as_bob podman import -q --change 'CMD ["/bin/sleep","1000"]' \
        --change "STOPSIGNAL SIGKILL" - localhost/box:1 >/dev/null
    give "$(files "$(file /etc/a 1)")" \
        "$(apps "$(container_app web localhost/box:1 "$web")" "$proj" "$packaged" "$quad" "$own")"
    expect 0 run_agent dev
    same "own 2" "$(as_bob podman ps --format '{{.Names}}') $(
        as_bob podman exec own sh -c 'echo $B')"
    same "bob Running 1/1" "$(app own '"\(.runAs) \(.status) \(.ready)"')"
    containers >got
    diff - got <<'END'
packaged_a_1 localhost/box:1 running
proj_a_1 localhost/box:1 running
web localhost/box:1 running
END
    same "x y one" "$(inside podman exec web sh -c 'echo $A $(cat /conf/text)')"
    same one "$(inside podman exec proj_a_1 cat /conf/text)"
    same '500000000 67108864 always {"80/tcp":[{"HostIp":"","HostPort":"8080"}]}' \
        "$(about web '.HostConfig | "\(.NanoCpus) \(.Memory) \(.RestartPolicy.Name) \(.PortBindings | tojson)"')"
    same "daemon-reload start -- q.service" "$(grep -v ^show "$T/systemctl" | xargs)"
    for name in web proj packaged quad; do same "Running 1/1" "$(app $name '"\(.status) \(.ready)"')"; done
    same Healthy "$(reported .status.applicationsSummary.status)"

    # What stays the same is left alone, what changes is another container with the same volume.
    inside podman exec web sh -c 'echo kept >/data/x'
    same_one=$(about proj_a_1 .Id)
    give "$(files "$(file /etc/a 2)")" \
        "$(apps "$(container_app web localhost/box:2 "$web")" "$proj" "$packaged" "$quad")"
    expect 0 run_agent dev
    same "localhost/box:2 kept" "$(about web .ImageName) $(inside podman exec web cat /data/x)"
    same "$same_one" "$(about proj_a_1 .Id)"
    same "" "$(as_bob podman ps -aq)"

    # One that ends again and again fails the version, and all is as it was.
    echo 'application-ready-timeout: 4s' >"$T/dev/etc/flightctl/conf.d/apps.yaml"
    containers >before
    give "$(files "$(file /etc/a 3)" "$(file /etc/b 3)")" \
        "$(apps "$(container_app web localhost/dies:1 "$web")" "$packaged")"
    expect 1 run_agent dev
    echo "$stderr"
    has "$stderr" "version 4: spec.applications[0] (web): does not"
    rm "$T/dev/etc/flightctl/conf.d/apps.yaml"
    diff before <(containers)
    same "2 kept" "$(inside cat /etc/a) $(inside podman exec web cat /data/x)"
    inside test ! -e /etc/b
    # An image that is nowhere is asked for again later, and nothing was touched.
    id=$(about web .Id)
    give "$(files "$(file /etc/a 4)")" "$(apps "$(container_app web 127.0.0.1:1/none:1 "$web")")"
    expect 7 run_agent dev
    has "$stderr" "spec.applications[0] (web): 127.0.0.1:1/none:1: podman: ended with 125"
    has "$(updating)" "Retrying: version 5"
    same "$id" "$(about web .Id)"

    # Stopped by somebody, or gone: it comes back.
    give "$(files "$(file /etc/a 5)")" "$(apps "$(container_app web localhost/box:1 "$web")" "$proj")"
    expect 0 run_agent dev
    inside podman rm -f -t 0 web proj_a_1
    expect 0 run_agent dev
    has "$stderr" "repaired"
    containers >got
    diff - got <<'END'
proj_a_1 localhost/box:1 running
web localhost/box:1 running
END

    # All go. Volumes and, as long as nothing else is said, images stay.
    echo 'image-pruning: {enabled: true}' >"$T/dev/etc/flightctl/conf.d/prune.yaml"
    give '[]'
    expect 0 run_agent dev
    same "" "$(containers)"
    same "podman" "$(inside podman network ls --format '{{.Name}}')"
    same "proj-conf web-conf web-data" "$(inside podman volume ls -q | sort | xargs)"
    same "localhost/conf:1" "$(inside podman images --format '{{.Repository}}:{{.Tag}}' | xargs)"
    inside test ! -e /etc/containers/systemd -a ! -e /etc/flightctl/compose
    same NoApplications "$(reported .status.applicationsSummary.status)"
}
