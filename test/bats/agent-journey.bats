# SPDX-License-Identifier: Apache-2.0
# The life of a device on a system that systemd boots, with its server beside it: enrollment, files, hooks,
# applications by podman and podman-compose, an OS image with a real reboot, an update that fails, drift,
# an alert, the end. A stand-in is bootc, which Debian does not have, and the generator of quadlets, which
# came after this podman.
# once: it is systemd and podman that take the time, whatever the agent was built with
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load agent
load agent-apps
load boot

setup() {
    fc_setup
    needs_root
    needs systemd-nspawn systemd-container && needs podman podman && needs podman-compose podman-compose &&
        needs busybox busybox-static
}
teardown() {
    [ -n "${BATS_TEST_COMPLETED:-}" ] || [ -z "${LEADER:-}" ] ||
        inside journalctl --no-pager -o cat -u 'fc-agent*' | tail -n 40
    fc_teardown
    boot_down
}

fc-apply() { inside fc-apply "$@"; }
fc-select() { inside fc-select "$@"; }
fc-work() { inside fc-work "$@"; }
not() { ! "$@"; }
agent() { inside systemctl start fc-agent.service; }
said() { inside journalctl --no-pager -o cat -u fc-agent.service; }
app() { reported ".status.applications[] | select(.name == \"$1\") | .status"; }
asked() { [ -n "$(inside fc-enroll list -o name)" ]; }

# A generator and bootc, into $T/add. A boot makes what is staged, or was before, what runs.
stand_ins_of_system() {
    mkdir -p add/etc/systemd/{system,user}-generators add/etc/systemd/system.conf.d add/usr/local/bin add/etc/containers add/etc/bootc
    cat >add/etc/systemd/system-generators/quadlet <<'END'
#!/bin/sh
for f in /etc/containers/systemd/*.container; do
    [ -e "$f" ] || continue
    n=${f##*/} n=${n%.container}
    image=$(sed -n 's/^Image=//p' "$f")
    printf '[Service]\nExecStart=/usr/bin/podman run --rm --replace --name systemd-%s %s\nExecStop=/usr/bin/podman rm -f -t 0 systemd-%s\n' \
        "$n" "$image" "$n" >"$1/$n.service"
done
END
    cat >add/usr/local/bin/bootc <<'END'
#!/bin/sh
echo "bootc $*" >>/etc/bootc/calls
cd /etc/bootc
boot=$(cat /proc/sys/kernel/random/boot_id)
if [ "$boot" != "$(cat boot)" ]; then
    echo "$boot" >boot
    if [ -s staged ]; then mv booted rollback && mv staged booted
    elif [ -e queued ]; then mv booted x && mv rollback booted && mv x rollback; fi
    rm -f queued
fi
entry() { if [ -s "$1" ]; then jq -cR '{image: {image: {image: ., transport: "registry"}, imageDigest: "sha256:0"}}' "$1"; else echo null; fi; }
case "$1 $2" in
"status --json") jq -cn --argjson staged "$(entry staged)" --argjson booted "$(entry booted)" --argjson rollback "$(entry rollback)" \
    --argjson queued "$([ -e queued ] && echo true || echo false)" '{apiVersion: "org.containers.bootc/v1", kind: "BootcHost",
    status: {staged: $staged, booted: $booted, rollback: $rollback, rollbackQueued: $queued, type: "bootcHost"}}' ;;
"switch --retain") echo "$3" >staged ;;
rollback*) : >queued; rm -f staged ;;
esac
END
    # That of an account knows one kind of container.
    cat >add/etc/systemd/user-generators/quadlet <<'END'
#!/bin/sh
for f in /etc/containers/systemd/users/"$(id -u)"/*.container; do
    [ ! -e "$f" ] || printf '[Service]\nExecStart=/bin/sleep 1000\n' >"$1/$(basename "$f" .container).service"
done
END
    chmod 755 add/etc/systemd/*-generators/quadlet add/usr/local/bin/bootc
    echo quay.io/org/os:1 >add/etc/bootc/booted
    : >add/etc/bootc/boot
    # The first process of a container heeds no TERM: a reboot is not to wait for it.
    printf '[Manager]\nDefaultTimeoutStopSec=2s\n' >add/etc/systemd/system.conf.d/stop.conf
    # Where limits cannot be raised they are given, and where there is no whole cgroup v2, containers go
    # without.
    cat >add/etc/containers/containers.conf <<'END'
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:20000","nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
[network]
network_backend = "netavark"
END
    printf '[storage]\ndriver = "vfs"\ngraphroot = "/var/lib/storage"\nrunroot = "/run/storage"\n' \
        >add/etc/containers/storage.conf
}

rebooted() { LEADER=$(leader) && [ "$LEADER" != "$before" ] && booted; }

@test "a device from its enrollment to its end" {
    local before

    stand_ins_of_system
    mkdir var
    boot "--bind=$T/var:/var/lib"
    # A kick is spent even before there is anything to run; what waits for the next goes on.
    inside systemctl --quiet start fc-agent.path
    inside fc-agent kick
    wait_for not inside test -e /run/flightctl/kick
    same active "$(inside systemctl is-active fc-agent.path)"
    inside sh -euc 'fc-store init
        fc-sign ca init
        fc-sign server localhost 127.0.0.1
        mkdir -p /etc/flightctl/conf.d
        fc-sign enrollment --server https://localhost:7443 -o /etc/flightctl/config.yaml
        echo "application-ready-timeout: 10s" >/etc/flightctl/conf.d/apps.yaml
        systemctl --quiet enable --now fc-api-agent.socket
        useradd -u 4321 bob
        mkdir -p /var/lib/tree/bin
        cp /bin/busybox /var/lib/tree/bin
        ln -s busybox /var/lib/tree/bin/sleep
        tar -C /var/lib/tree -c bin | podman import -q --change "CMD [\"/bin/sleep\",\"1000\"]" \
            --change "STOPSIGNAL SIGKILL" - localhost/box:1' >/dev/null 2>setup.log || { cat setup.log; return 1; }

    # The timer starts the first run, which asks; a person approves.
    inside systemctl --quiet enable --now fc-agent.timer fc-agent.path
    WAIT_FOR=60 wait_for asked
    inside fc-enroll approve --all >/dev/null
    fc-work drain
    agent
    DEVICE=$(fc-select devices -o json | jq -r .metadata.name)
    same "quay.io/org/os:1 image" "$(reported '.status | "\(.os.image) \(.capabilities.osMode)"')"

    # Files, and the three kinds of applications.
    all() {
        give "$(files "$(file /etc/motd "$1")")" "$(apps \
            "$(container_app web localhost/box:1)" \
            "$(inline_app proj compose compose.yaml 'services: {a: {image: "localhost/box:1"}}')" \
            "$(inline_app quad quadlet q.container $'[Container]\nImage=localhost/box:1\n')" \
            "$(inline_app own quadlet own.container $'[Container]\nImage=own.image\n' '{"runAs":"bob"}')" | jq -c ". + ${2:-null}")"
    }
    all one
    inside fc-agent kick # the path unit starts a run
    applied() { [ "$(updating)" = "Updated: version $1 is applied" ]; }
    WAIT_FOR=60 wait_for applied 2
    same one "$(inside cat /etc/motd)"
    for name in web proj quad own; do same "$name Running" "$name $(app $name)"; done
    same bob "$(inside ps -o user= -C sleep | grep -v root)"
    same "systemd-q web" "$(inside podman ps --format '{{.Names}}' | grep -v proj | sort | xargs)"

    # An OS image, and the reboot into it.
    inside systemctl stop fc-agent.timer fc-agent.path
    all two '{"os": {"image": "quay.io/org/os:2"}}'
    before=$LEADER
    agent 2>/dev/null || : # the reboot may come before the run has ended
    WAIT_FOR=60 wait_for rebooted
    same "bootc switch --retain quay.io/org/os:2" "$(inside grep switch /etc/bootc/calls)"
    agent
    same "Updated: version 3 is applied" "$(updating)"
    same "two quay.io/org/os:2" "$(inside cat /etc/motd) $(reported .status.os.image)"
    agent
    for name in web proj quad own; do same "$name Running" "$name $(app $name)"; done

    # An update with an application that does not run takes everything back.
    give "$(files "$(file /etc/motd three)" "$(file /etc/more x)")" \
        "$(apps "$(inline_app proj compose compose.yaml 'services: {a: {image: "localhost/box:1", command: /none}}')")"
    not agent
    has "$(updating)" "Error: version 4: "
    same two "$(inside cat /etc/motd)"
    not inside test -e /etc/more
    agent
    for name in web proj quad own; do same "$name Running" "$name $(app $name)"; done

    # Drift is repaired; an alert is raised by what is used.
    inside sh -c 'echo mine >/etc/motd; podman rm -f -t 0 web' >/dev/null
    agent
    same two "$(inside cat /etc/motd)"
    agent
    same Running "$(app web)"
    all four '{"os": {"image": "quay.io/org/os:2"}, "resources": [{"monitorType": "Disk", "path": "/",
        "samplingInterval": "1m", "alertRules": [{"severity": "Critical", "percentage": 0, "duration": "0s",
        "description": "used"}]}]}'
    agent
    agent
    same Critical "$(reported .status.resources.disk)"

    # The end: no key, no state, and a reboot.
    inside sh -euc 'fc-sign admin -o /root/admin tester >/dev/null
        curl -sS --cacert /var/lib/fc/ca/ca.crt --cert /root/admin.crt --key /root/admin.key -X PUT --json "{\"target\":\"Unenroll\"}" \
            "https://localhost:7443/api/v1/devices/$1/decommission"' sh "$DEVICE" >/dev/null
    fc-work drain
    before=$LEADER
    agent 2>/dev/null || :
    WAIT_FOR=60 wait_for rebooted
    not inside test -e /var/lib/flightctl/certs/agent.key
    same Decommissioned "$(reported .status.lifecycle.status)"
}
