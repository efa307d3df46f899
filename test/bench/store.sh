#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures the store, on SQLite and on PostgreSQL, with so many devices of 8 labels each, and prints
# one JSON document a measurement.
#   sh test/bench/store.sh [-b BUILD] [-d DIR] DEVICES ...
# With -d the devices are kept in DIR and are there the next time; without, they are made and
# removed. Status 1 if an answer was wrong or a promise is not kept. Use `make bench` or
# `make bench-full`, which build first.
set -eu
cd "$(dirname "$0")/../.."

build=build dir=
while getopts b:d:h o; do
    case $o in
    b) build=$OPTARG ;;
    d) dir=$OPTARG ;;
    *) sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; [ "$o" = h ] && exit 0; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- 100000
case $build in /*) ;; *) build=$PWD/$build ;; esac
top=$PWD
PATH=$build/bin:$PATH

PIECE=100000  # devices that one fc-apply is given
MORE=10000    # devices that the rate of fc-apply is measured with, beside those that are there
RACK=5000     # devices of one rack: a fleet that goes from one to the next moves twice as many
PAGES=50      # rounds of a list
GETS=20000    # of a get

T=$(mktemp -d "${TMPDIR:-/tmp}/fc-bench.XXXXXX")
data=$T pid=''
[ -z "$dir" ] || { mkdir -p "$dir"; data=$(cd "$dir" && pwd); }
chmod 755 "$T"
finish() {
    status=$?
    trap - EXIT HUP INT TERM
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
    [ ! -d "$data/pg/data" ] || sh "$top/test/postgres.sh" stop "$data/pg" fast 2>/dev/null || :
    rm -rf "$T"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
fail() { echo "bench: $*" >&2; exit 1; }
note() { echo "bench: $*" >&2; }

export HOME="$T" FC_STATE="$T/state" FC_CONF="$T/fc.conf"
unset FC_STORE FC_ORG FC_STORE_READ FC_STORE_LISTEN XDG_CONFIG_HOME XDG_DATA_HOME
: >"$FC_CONF"
bad=0
# promise NAME FILTER BOUND JSON: prints it with the value that the filter makes of it.
promise() {
    line=$(echo "$4" | jq -c --arg name "$1" --arg bound "$3" --arg db "$db" --argjson n "$devices" "($2) as \$v |
        {bench: \$name, database: \$db, devices: \$n, value: \$v, promised: \$bound,
         kept: (\$v | . $3)} + .")
    echo "$line"
    [ "$(echo "$line" | jq .kept)" = true ] || bad=1
}
# right NAME WANTED GOT
right() { [ "$2" = "$3" ] || fail "$db, $devices devices: $1: $3, not $2"; }

# describe PREFIX FROM N TOTAL: devices, a line each. side=left and shift=late hardly meet.
describe() {
    awk -v prefix="$1" -v from="$2" -v n="$3" -v total="$4" 'BEGIN {
        for (i = from; i < from + n; i++) {
            printf "{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"Device\",\"metadata\":{\"name\":\"%s%07d\",", prefix, i
            printf "\"labels\":{\"site\":\"s%d\",\"region\":\"r%d\",\"model\":\"m%d\",\"env\":\"%s\",", i % 1000, i % 10, i * 7 % 50, i % 4 ? "prod" : "staging"
            printf "\"rack\":\"k%d\",\"serial\":\"%d\",\"side\":\"%s\",\"shift\":\"%s\"}}}\n", int((i - 1) / '$RACK'), i * 7919 % 10000019,
                (i <= total / 2) ? "left" : "right", (i > total / 2 || i % int(total / 10) == 0) ? "late" : "early"
        }
    }'
}
# fleet KEY VALUE: one that selects this label.
fleet() {
    printf '{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"bench"},"spec":{"selector":{"matchLabels":{"%s":"%s"}},"template":{"spec":{}}}}\n' "$1" "$2"
}
now() { date +%s%N; }
# took START: seconds since
took() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", (b - a) / 1e9 }'; }

# What the data depends on: when it differs, they are made anew.
mark() { cat lib/store/schema.sql "$0" | cksum | tr ' ' -; }

postgres() {
    if [ -d "$data/pg/data" ]; then
        sh test/postgres.sh again "$data/pg" fsync=on autovacuum=on 2>/dev/null || fail "PostgreSQL does not start: see $data/pg/log"
    else
        sh test/postgres.sh start "$data/pg" fsync=on autovacuum=on
    fi
}
sql() { sh test/postgres.sh run "$data/pg" psql -XAtq -v ON_ERROR_STOP=1 -h "$data/pg" -U fc -d "$@"; }

# make_data: a store with the devices, in FC_STORE.
make_data() {
    made=$data/$db-$devices
    case $db in
    sqlite) export FC_STORE="sqlite:$made/fc.db" ;;
    postgres) export FC_STORE="postgres://fc@/bench$devices?host=$data/pg" ;;
    esac
    if [ -f "$made/ready" ] && [ "$(cat "$made/ready")" = "$(mark)" ]; then
        return 0
    fi
    rm -rf "$made"
    mkdir -p "$made"
    note "$db: making $devices devices"
    if [ "$db" = postgres ]; then
        sql postgres -c "SET client_min_messages = error" -c "DROP DATABASE IF EXISTS bench$devices"
        sql postgres -c "CREATE DATABASE bench$devices"
    fi
    fc-store init >/dev/null
    done=0
    while [ $done -lt "$devices" ]; do
        n=$((devices - done < PIECE ? devices - done : PIECE))
        describe d $((done + 1)) $n "$devices" >"$T/devices"
        fc-apply -f "$T/devices" >"$T/out"
        right "applied" $n "$(grep -c ' created$' "$T/out")"
        done=$((done + n))
    done
    case $db in
    sqlite) sqlite3 "$made/fc.db" 'PRAGMA optimize=0x10002' >/dev/null ;;
    postgres) sql "bench$devices" -c 'VACUUM ANALYZE' ;;
    esac
    mark >"$made/ready"
}

# watched COMMAND ...: how long it took, and how long another writer waited at most meanwhile.
watched() {
    mkfifo "$T/end"
    case $db in
    sqlite) "$build/bench/probe" "$made/fc.db" <"$T/end" >"$T/probe" & ;;
    postgres) "$build/bench/query" "$FC_STORE" probe <"$T/end" >"$T/probe" & ;;
    esac
    pid=$!
    exec 9>"$T/end"
    start=$(now)
    "$@" >"$T/out" || fail "$*: status $?"
    took "$start" >"$T/took"
    exec 9>&-
    wait $pid || fail "the probe failed"
    pid=''
    rm "$T/end"
    longest=$(jq .longest_wait_ms "$T/probe")
    [ "$(echo "$longest > $waited" | bc)" = 0 ] || waited=$longest
}

pages() {
    one=$("$build/bench/query" "$FC_STORE" page region=r3 $PAGES)
    promise page-one-label .median_ms '< 10' "$one"
    right "region=r3" 100 "$(echo "$one" | jq .rows)"
    two=$("$build/bench/query" "$FC_STORE" page env=prod,region=r3 $PAGES)
    promise page-two-labels .median_ms '< 10' "$two"
    right "env=prod,region=r3" 100 "$(echo "$two" | jq .rows)"
    few=$("$build/bench/query" "$FC_STORE" page side=left,shift=late 5)
    promise page-hardly-meet .median_ms '< 1000' "$few"
    right "side=left,shift=late" 5 "$(echo "$few" | jq .rows)"
}

gets() {
    "$build/bench/query" "$FC_STORE" get d "$devices" $GETS >/dev/null # what comes first warms up
    case $db in
    sqlite) bare=$("$build/bench/query" bare-sqlite "$made/fc.db" d "$devices" $GETS) ;;
    postgres) bare=$("$build/bench/query" bare-postgres "$FC_STORE" d "$devices" $GETS) ;;
    esac
    ours=$("$build/bench/query" "$FC_STORE" get d "$devices" $GETS)
    right "get" 1 "$(echo "$ours" | jq .rows)"
    right "bare get" 1 "$(echo "$bare" | jq .rows)"
    promise get '.median_ms / .bare_median_ms * 100 | round / 100' '<= 2' \
        "$(echo "$ours" | jq -c --argjson b "$bare" '.bare_median_ms = $b.median_ms')"
}

counts() {
    count=$("$build/bench/query" "$FC_STORE" count UpToDate 5)
    promise count-state .median_ms '< 200' "$count"
    right "count by update state" "$devices" "$(echo "$count" | jq .rows)"
}

moves() {
    fleet rack k0 | fc-apply -f - >/dev/null
    right "fleet" $RACK "$(fc-rollout status bench | jq .devices.total)"
    fleet rack k1 >"$T/fleet"
    watched fc-apply -f "$T/fleet"
    promise fleet-moves-10000 .seconds '< 2' "{\"seconds\":$(cat "$T/took"),\"moved\":$((2 * RACK))}"
    right "fleet" $RACK "$(fc-rollout status bench | jq .devices.total)"
    right "owner" '"Fleet/bench"' "$(fc-select devices -l rack=k1 --limit 1 -q .metadata.owner 2>"$T/more")"
    right "owner" null "$(fc-select devices -l rack=k0 --limit 1 -q .metadata.owner 2>"$T/more")"
    watched fc-delete -y fleet/bench
    right "owner" null "$(fc-select devices -l rack=k1 --limit 1 -q .metadata.owner 2>"$T/more")"
}

# A fleet of three quarters of all devices, for which only others' waiting counts.
most() {
    n=$((devices * 3 / 4))
    fleet env prod >"$T/fleet"
    watched fc-apply -f "$T/fleet"
    right "fleet" $n "$(fc-rollout status bench -q .devices.total)"
    watched fc-rollout plan bench -o name
    watched fc-work drain -Q rollout
    right "rollout" $n "$(fc-rollout status bench -q .devices.pending)"
    watched fc-delete -y fleet/bench
    right "owner" null "$(fc-select devices -l env=prod --limit 1 -q .metadata.owner 2>"$T/more")"
}

applies() {
    describe x 1 $MORE $MORE >"$T/devices"
    watched fc-apply -f "$T/devices"
    right "applied" $MORE "$(grep -c ' created$' "$T/out")"
    json=$(jq -nc --argjson s "$(cat "$T/took")" '{resources: '$MORE', per_second: ('$MORE' / $s | round)}')
    if [ "$db" = sqlite ]; then
        promise bulk-apply .per_second '>= 5000' "$json"
    else
        promise bulk-apply .per_second '> 0' "$json"
    fi
    watched fc-delete -y -f "$T/devices"
    right "deleted" $MORE "$(grep -c ' deleted$' "$T/out")"
}

databases=sqlite
if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    databases="sqlite postgres"
    postgres
else
    note "no PostgreSQL here: SQLite alone"
fi
for devices; do
    for db in $databases; do
        waited=0
        make_data
        pages
        gets
        counts
        moves
        most
        applies
        promise writer-waits .longest_wait_ms '<= 200' "{\"longest_wait_ms\":$waited}"
    done
done
exit $bad
