#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From nothing to a working fleet on one machine: installs what it needs, builds, and tells the
# story of a fleet of six devices. Every command is shown before it runs.
#   sh examples/quickstart.sh [-q]     -q: only the commands and what they print
# FC_DEMO_DIR names a folder where everything is kept for a look; by default it is removed.
set -eu
cd "$(dirname "$0")/.."

quiet=
while getopts qh o; do
    case $o in
    q) quiet=1 ;;
    *) sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; [ "$o" = h ] && exit 0; exit 2 ;;
    esac
done

bold='' cyan='' plain=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') cyan=$(printf '\033[36m') plain=$(printf '\033[0m')
fi

# say LINE ...: explains. step N TITLE: begins a chapter. run COMMAND: shows it and runs it.
say() { [ -n "$quiet" ] || printf '%s\n' "$@"; }
step() { printf '\n%s%s. %s%s\n\n' "$bold" "$1" "$2" "$plain"; }
show() { printf '%s$ %s%s\n' "$cyan" "$1" "$plain"; }
run() { show "$1"; eval "$1"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# --- what is needed -------------------------------------------------------------------------------

sh test/deps.sh build run
make -s -j"$(nproc)" >/dev/null || make
account="--no-split"
if [ "$(id -u)" = 0 ]; then
    make -s account
    account="--user _fc-agent"
fi

if [ -n "${FC_DEMO_DIR:-}" ]; then
    mkdir -p "$FC_DEMO_DIR"
    FC_DEMO_DIR=$(cd "$FC_DEMO_DIR" && pwd)
    # What an earlier run left makes room; anything else is not ours to remove.
    if [ -e "$FC_DEMO_DIR/.fc-demo" ]; then
        rm -rf "$FC_DEMO_DIR/server" "$FC_DEMO_DIR/image" "$FC_DEMO_DIR/devices"
    elif [ -n "$(ls -A "$FC_DEMO_DIR")" ]; then
        fail "$FC_DEMO_DIR is not empty"
    fi
    keep=1
else
    FC_DEMO_DIR=$(mktemp -d "${TMPDIR:-/tmp}/fc-demo.XXXXXX")
    keep=
fi
: >"$FC_DEMO_DIR/.fc-demo"
chmod 755 "$FC_DEMO_DIR" # the agents' account passes through
api='' log=''
finish() {
    status=$?
    trap - EXIT HUP INT TERM
    exec 3>&-
    for pid in $api $log; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || :; done
    rm -f "$FC_DEMO_DIR/api.pipe"
    [ -n "$keep" ] || rm -rf "$FC_DEMO_DIR"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
mkdir "$FC_DEMO_DIR/devices"
export FC_DEMO_DIR
PATH=$PWD/build/bin:$PATH
unset FC_CONF FC_STORE FC_ORG XDG_CONFIG_HOME http_proxy https_proxy HTTPS_PROXY
: >"$FC_DEMO_DIR/fc.conf"
export FC_CONF="$FC_DEMO_DIR/fc.conf"
devices="berlin-1 berlin-2 berlin-3 paris-1 paris-2 paris-3"

# Each device's agent once, as its timer would start it, then what that gave the server to do.
# What an agent could not do it reports to the server, which is where the story looks for it.
round='for d in $devices; do fc-agent --root $FC_DEMO_DIR/devices/$d $account; done; fc-work drain'
agents() { show "$round"; { eval "$round" || :; } 2>&1; }

# until_all FILTER: rounds until the jq filter holds for the devices, all in one array.
until_all() {
    rounds=0
    while :; do
        agents
        [ "$(fc-select devices -o json | jq -s "$1")" != true ] || return 0
        rounds=$((rounds + 1))
        [ $rounds -lt 12 ] || fail "after $rounds rounds the devices are not where they should be"
    done
}

# ---------------------------------------------------------------------------------------------------

say "" \
    "Flight Control as a Unix toolkit: small commands over one database, no daemon." \
    "Six information kiosks, three in Berlin and three in Paris, become a fleet here. Each is a" \
    "folder of this machine that stands for a device's disk; all else is as it would be in the" \
    "field."
[ -n "$quiet" ] || [ "$account" != --no-split ] || say "" \
    "(You are not root: the agents run in one process and account each, --no-split, instead of" \
    "giving the network to an account that may write nothing.)"

step 1 "A store and a certificate authority"
say "The store is a SQLite file in the state folder. Every server, device and person is known by" \
    "a certificate of the authority: one each for the server, for devices that ask to be let in" \
    "(it can do nothing else), and for an administrator." ""
run 'export FC_STATE=$FC_DEMO_DIR/server'
run 'fc-store init'
run 'fc-sign ca init'
run 'fc-sign server localhost 127.0.0.1'
run 'fc-sign enrollment'
run 'fc-sign admin alice'

step 2 "The API, started by its socket"
say "Nothing runs until somebody connects: systemd holds the socket and starts fc-api then. It" \
    "speaks TLS 1.3 and answers nobody without a certificate." ""
mkfifo "$FC_DEMO_DIR/api.pipe"
exec 3<>"$FC_DEMO_DIR/api.pipe"
command='systemd-socket-activate -E FC_STATE -E FC_CONF -l 127.0.0.1:$port $PWD/build/bin/fc-api -t'
seed=$$
for try in 1 2 3 4 5 6 7 8; do
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    port=$((10000 + seed / 65536 % 20000))
    # shellcheck disable=SC2086 # words
    eval "exec $command" >&3 2>&1 3>&- &
    api=$!
    # It says whether it listens, and nothing before.
    read -r line <&3
    case $line in *Listening*) break ;; esac
    wait "$api" || :
    api=
    [ "$try" -lt 8 ] || fail "no port to listen on: $line"
done
cat <&3 >"$FC_DEMO_DIR/api.log" 3>&- &
log=$!
show "port=$port"
show "$command &"
run 'curl -sS --cacert $FC_STATE/ca/ca.crt https://localhost:$port/api/v1/devices; echo'
run 'curl -sS --cacert $FC_STATE/ca/ca.crt --cert $FC_STATE/admin-alice.crt --key $FC_STATE/admin-alice.key https://localhost:$port/api/v1/devices; echo'

step 3 "What the fleet should look like"
say "examples/fleet.yaml describes the fleet of all kiosks, a second one that overlaps it for" \
    "Berlin, and one device that differs from both. Try first, then apply." ""
run 'fc-apply -n -f examples/fleet.yaml'
run 'fc-apply -f examples/fleet.yaml'
run 'fc-select fleets -o table'

step 4 "Six devices ask to be let in"
say "A device's image has the address of the server, the bootstrap certificate and some labels." \
    "Its agent makes a key that never leaves it; the device's name follows from the key. berlin-2" \
    "brings a key from the workshop, so that it could be described before." ""
run 'mkdir -p $FC_DEMO_DIR/image/etc/flightctl/conf.d'
run 'fc-sign enrollment --server https://localhost:$port -f -o $FC_DEMO_DIR/image/etc/flightctl/config.yaml'
for d in $devices; do
    role=kiosk
    [ "$d" != berlin-1 ] || role=canary
    cp -R "$FC_DEMO_DIR/image" "$FC_DEMO_DIR/devices/$d"
    printf 'default-labels:\n  alias: %s\n  app: kiosk\n  site: %s\n  role: %s\n' "$d" "${d%-*}" \
        $role >"$FC_DEMO_DIR/devices/$d/etc/flightctl/conf.d/labels.yaml"
done
run 'cat $FC_DEMO_DIR/devices/berlin-1/etc/flightctl/conf.d/labels.yaml'
run 'install -D -m 600 examples/berlin-2.key $FC_DEMO_DIR/devices/berlin-2/var/lib/flightctl/certs/agent.key'
say "" "On a device a timer starts the agent; here a loop does." ""
run "devices=\"$devices\""
run "account=\"$account\""
agents
run 'fc-enroll list -o table'
say "" "A person approves. The certificate is signed here, where the authority's key is." ""
run 'fc-enroll list -o name | xargs fc-enroll approve'

step 5 "The devices become what they should be"
say "Each agent fetches its certificate and its rendered spec, writes the files, and reports." ""
until_all 'length == 6 and all(.status.updated.status == "UpToDate" and .status.summary.status == "Online")'
run 'fc-select devices -o table'
say "" "Both fleets and the device's own spec have a word on the opening hours; the last wins:" ""
run 'cd $FC_DEMO_DIR/devices && grep . */etc/motd */etc/kiosk/hours; cd "$OLDPWD"'

step 6 "A change, canary first"
say "A new template. What would it do to each device? (The whole difference has the lines around" \
    "these, too.)" ""
run "fc-render --diff -f examples/fleet-v2.yaml | grep '^[-+]'"
say "" "Meanwhile somebody left a folder on berlin-3, right where the new file should go." ""
run 'mkdir -p $FC_DEMO_DIR/devices/berlin-3/etc/kiosk/display.conf/old'
run 'fc-apply -f examples/fleet-v2.yaml'
run 'fc-rollout plan kiosks -o table'
run 'fc-work drain'
say "" "The first batch has its new version; the agents fetch it. Only what they report moves the" \
    "rollout on." ""
rounds=0
while agents; do
    [ "$(fc-rollout status kiosks -o json | jq -r .status)" = InProgress ] || break
    rounds=$((rounds + 1))
    [ $rounds -lt 12 ] || fail "the rollout neither ended nor stopped in $rounds rounds"
done
say "" "The canary took it. berlin-3 could not, went back to what it ran before, and said why; so" \
    "the rollout stopped, and Paris never saw the change." ""
run 'fc-rollout status kiosks -o table'
run 'fc-select devices -o table'
run 'cat $FC_DEMO_DIR/devices/berlin-2/etc/motd $FC_DEMO_DIR/devices/berlin-3/etc/motd $FC_DEMO_DIR/devices/paris-1/etc/motd'
say "" "The folder goes, and the rollout may try again." ""
run 'rm -r $FC_DEMO_DIR/devices/berlin-3/etc/kiosk/display.conf'
run 'fc-rollout retry kiosks'
until_all 'length == 6 and all(.status.updated.status == "UpToDate")'
run 'fc-rollout status kiosks -o table'
run 'fc-select devices -o table'
run 'cat $FC_DEMO_DIR/devices/berlin-2/etc/motd $FC_DEMO_DIR/devices/berlin-3/etc/motd $FC_DEMO_DIR/devices/paris-1/etc/motd'

step 7 "Pipelines"
say "On a pipe the commands write one JSON document a line, and read them, too. When are the" \
    "kiosks of Berlin open?" ""
run "fc-select devices -l site=berlin | fc-render | jq -j '.metadata.labels.alias + \": \" + (.spec.config[].inline[] | select(.path == \"/etc/kiosk/hours\").content)'"
say "" "And who says so?" ""
run 'fc-select devices -l alias=berlin-2 | fc-render --explain -o table'
say ""
if [ -n "$keep" ]; then
    say "All of it is in $FC_DEMO_DIR. To go on: export FC_STATE=$FC_DEMO_DIR/server"
else
    say "That was it; nothing is left of it. With FC_DEMO_DIR=DIR everything stays for a look."
fi
