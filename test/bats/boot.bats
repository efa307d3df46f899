# SPDX-License-Identifier: Apache-2.0
# The units of systemd: sound by its own tools, and on a system that it boots: this one, with what
# make install adds, in a container that writes to memory alone.
# once: a unit starts what is installed
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api
load deploy
load boot

setup() { fc_setup; }
teardown() {
    [ -n "${BATS_TEST_COMPLETED:-}" ] || [ -z "${LEADER:-}" ] ||
        inside journalctl --no-pager -u 'fc-*' | tail -n 40
    fc_teardown
    boot_down
}

@test "the units of systemd are sound" {
    needs systemd-analyze systemd
    mkdir units
    for unit in "$TOP"/share/systemd/fc-*; do
        sed "s|@bindir@|$BUILD/bin|g" "$unit" >"units/${unit##*/}"
    done
    run systemd-analyze verify --man=no units/*
    same '' "$(grep 'units/fc-' <<<"$output")"
    # What serves strangers, and what holds the authority's key, keeps little of what it could do.
    for unit in fc-api@ fc-work fc-gc; do
        systemd-analyze security --offline=true --threshold=12 "units/$unit.service" >security ||
            { cat security; return 1; }
    done
}

# What the shared checks ask for happens inside, by its commands and units.
in_net() { nsenter -t "$LEADER" -n "$@"; }
curl() { in_net curl "$@"; }
fc-enroll() { inside fc-enroll "$@"; }
fc-select() { inside fc-select "$@"; }
fc-work() { inside systemctl start fc-work.service; }

active() { inside systemctl is-active "fc-api@$1.service"; }
inactive() { ! active "$1"; }
main_pid() { inside systemctl show -P MainPID "fc-api@$1.service"; }

@test "booted: sockets start the service, which is nobody, may write the store alone, and ends" {
    local pid uid first

    [ "$(id -u)" = 0 ] || { echo "run this test as root: it boots a container"; return 1; }
    needs systemd-nspawn systemd-container
    boot
    # As the manual tells it.
    inside sh -euc 'fc-store init
        fc-sign ca init
        fc-sign server localhost 127.0.0.1
        fc-sign enrollment -o /root/bootstrap
        fc-sign admin -o /root/admin tester
        fc-sign token issue -r viewer watcher >/root/token
        systemctl --quiet enable --now fc-api-agent.socket fc-api-user.socket' >/dev/null
    cp "/proc/$LEADER/root/root"/{{bootstrap,admin}.{crt,key},token} .
    FC_STATE=/proc/$LEADER/root/var/lib/fc
    inactive agent
    API_URL=https://127.0.0.1:7443
    serves_all agent
    active agent
    inactive user
    API_URL=https://127.0.0.1:3443
    answers 200 admin /api/v1/devices
    active user

    # An account that nobody has, and the folder is its own.
    pid=$(main_pid agent)
    uid=$(inside stat -c %u "/proc/$pid")
    [ "$uid" -ge 61184 ] && [ "$uid" -le 65519 ]
    same "$uid" "$(inside stat -c %u "/proc/$(main_pid user)")"
    inside find /var/lib/fc/ ! -uid "$uid" | grep -v lost+found >others || :
    same '' "$(cat others)"
    inside grep -qx 'NoNewPrivs:	1' "/proc/$pid/status"
    inside grep -qx 'Seccomp:	2' "/proc/$pid/status"
    inside grep -qx 'CapBnd:	0*' "/proc/$pid/status"
    # Root could write what its mounts let it.
    in_service() { inside nsenter -t "$pid" -m "$@"; }
    in_service touch /var/lib/fc/file
    in_service rm /var/lib/fc/file
    for place in /etc /usr/local/bin /var/lib /var/lib/fc/ca /root; do
        not in_service touch $place/file
    done
    inside test -s /var/lib/fc/ca/ca.key
    not in_service test -s /var/lib/fc/ca/ca.key
    same lo: "$(inside awk 'NR > 2 { print $1 }' "/proc/$pid/net/dev")"
    # What it gives up by itself it may give up here.
    not grep 'not permitted' <<<"$(inside journalctl -u 'fc-api@*' -o cat)"

    # A front's account on its socket, and nobody else.
    local examples=/usr/local/share/doc/fc/examples cert
    inside sh -euc '
        cp "$1/fc-api-front.socket" /etc/systemd/system/
        install -D -m 644 "$1/fc-api-front.conf" /etc/systemd/system/fc-api@front.service.d/front.conf
        mkdir -p /etc/fc
        printf "%s\n" "[api]" "trusted-header = X-SSL-Client-Cert" "trusted-uid = 33" >/etc/fc/fc.conf
        systemctl daemon-reload
        systemctl --quiet enable --now fc-api-front.socket' sh $examples
    cert=$(as_header admin)
    by() {
        inside setpriv "$@" curl -sS -o /dev/null -w '%{http_code}' --unix-socket /run/fc-api.sock \
            -H "X-SSL-Client-Cert: $cert" http://x/api/v1/devices
    }
    same 200 "$(by --reuid 33 --regid 65534 --groups 33)"
    same 401 "$(by --reuid 34 --regid 65534 --groups 33)"
    same 401 "$(by --reuid 0 --regid 0 --clear-groups)"
    not by --reuid 34 --regid 65534 --clear-groups

    # What root writes later is given to the account; idle ends the service, the socket starts it.
    inside mkdir -p /etc/systemd/system/fc-api@.service.d
    printf '%s\n' '[Service]' ExecStart= 'ExecStart=/usr/local/bin/fc-api --tls --idle 1' |
        inside tee /etc/systemd/system/fc-api@.service.d/idle.conf >/dev/null
    inside sh -euc 'systemctl daemon-reload
        systemctl stop fc-api@agent.service fc-api@user.service
        fc-sign server -f localhost 127.0.0.1
        echo "{\"apiVersion\":\"v1beta1\",\"kind\":\"Device\",\"metadata\":{\"name\":\"late\"}}" | fc-apply -f -
        chown -R --reference=/var/lib/fc/ /var/lib/fc/' >/dev/null
    answers 200 admin /api/v1/devices/late
    first=$(main_pid user)
    wait_for inactive user
    answers 200 admin /api/v1/devices/late
    [ "$(main_pid user)" != "$first" ]
    inside systemctl start fc-gc.service
    same '' "$(inside systemctl list-units --failed --no-legend 'fc-*')"

    # What an agent says of units and loads, here without a server.
    inside fc-agent apply - <<'EOF'
apiVersion: flightctl.io/v1beta1
kind: Device
metadata: {name: here, annotations: {device-controller/renderedVersion: "1"}}
spec:
  systemd: {matchPatterns: [fc-api-*.socket, fc-gc.timer, nobody.service]}
  resources:
    - {monitorType: Memory, samplingInterval: 1m, alertRules: [{severity: Critical, percentage: 100, duration: 1m, description: full}]}
    - {monitorType: Disk, path: /var/lib, samplingInterval: 1m, alertRules: [{severity: Critical, percentage: 0, duration: 0s, description: used}]}
EOF
    same "fc-api-agent.socket enabled loaded active open
fc-api-front.socket enabled loaded active open
fc-api-user.socket enabled loaded active open
fc-gc.timer disabled loaded inactive dead
nobody.service  not-found inactive dead
Unknown Healthy Critical" "$(inside fc-agent status -o json | jq -r '.status | (.systemd[] |
        "\(.unit) \(.enableState) \(.loadState) \(.activeState) \(.subState | sub("listening|running"; "open"))"),
        (.resources | "\(.cpu) \(.memory) \(.disk)")')"
}
