#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# once: the sanitizers have run what is the same in the files for both databases
# A store in PostgreSQL: what can be wrong with one, a server that restarts, hangs or is full, poolers
# and replicas. What is the same on both databases is tested by the files that run on both.
load helpers
load api

ONE=device-one-0123456789 # a name as long as those of devices must be

setup() {
    FC_TEST_DB=postgres fc_setup
}
teardown() {
    [ ! -e "$T/stopped" ] || kill -CONT "$(cat "$T/stopped")" 2>/dev/null || :
    [ ! -d "$T/own" ] || sh "$TOP/test/postgres.sh" stop "$T/own" || :
    [ ! -d "$T/copy/data" ] || sh "$TOP/test/postgres.sh" stop "$T/copy" || :
    ! mountpoint -q "$T/full" || umount "$T/full"
    fc_teardown
}

own() { # [SETTING=VALUE ...]: a cluster of the test's own, which it may stop; FC_STORE is there
    sh "$TOP/test/postgres.sh" start "$T/own" "$@" 3>&- 4>&-
    psql -XAtq -h "$T/own" -U fc -d postgres -c 'CREATE DATABASE fc'
    export FC_STORE="postgres://fc@/fc?host=$T/own"
}
admin() { psql -XAtq -h "$FC_TEST_PG" -U fc -d postgres -c "$1"; }

devices() { # FROM TO [LABELS]
    seq "$1" "$2" | jq -c --argjson l "${3:-"{}"}" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Device", metadata: {name: "d\(.)", labels: $l}, spec: {}}'
}
count() { fc-select devices -o name | wc -l; }
# The server process that works for a command, once it waits for a lock.
waiting() {
    store_sql "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND
        application_name = '$1' AND wait_event_type = 'Lock'" | grep .
}
listening() {
    store_sql "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND
        query = 'LISTEN fc_store'" | grep -q 1
}

@test "init makes the tables in an empty database, and in no other" {
    local url=$FC_STORE

    expect 6 fc-select devices
    same "fc-select: $url: not a store (fc-store init makes one)" "$stderr"
    expect 0 fc-store init
    same "made $url" "$output"
    dump=$(store_dump)
    expect 4 fc-store init
    has "$stderr" "there is a store already"
    same "$dump" "$(store_dump)"
    expect 0 fc-select devices
    store_sql "UPDATE meta SET value = '1000' WHERE key = 'fc-schema'"
    expect 6 fc-select devices
    has "$stderr" "the store has schema version 1000"
    store_wipe
    for table in 'other (a int)' 'meta (a int)' 'meta (key text, value text)'; do
        store_sql "CREATE TABLE $table"
        for c in "fc-store init" "fc-select devices"; do
            # shellcheck disable=SC2086 # words
            expect 6 $c
            same "${c%% *}: $url: not a store: another program's database" "$stderr"
        done
        store_wipe
    done
    expect 3 fc-store init -S "$url&dbname=nowhere"
    has "$stderr" 'database "nowhere" does not exist'
    expect 3 fc-store init -S "$url&options=-csearch_path%3Dnowhere"
    has "$stderr" "search_path"
}

@test "two stores in two schemas of a database do not meet" {
    store_sql 'CREATE SCHEMA a; CREATE SCHEMA b'
    for s in a b; do
        export FC_STORE="postgres://fc@/$PG_NAME?host=$FC_TEST_PG&options=-csearch_path%3D$s"
        fc-store init
        devices 1 3 "{\"in\": \"$s\"}" | fc-apply >/dev/null
    done
    fc-delete -y device/d1
    store_hold 60
    same 2 "$(count)"
    FC_STORE=${FC_STORE%b}a
    devices 4 4 | timeout 20 fc-apply >/dev/null
    same 4 "$(count)"
    store_release
}

@test "a database in another encoding is refused" {
    admin "CREATE DATABASE ${PG_NAME}_l ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"
    expect 6 fc-store init -S "postgres://fc@/${PG_NAME}_l?host=$FC_TEST_PG"
    has "$stderr" "encoding of the database is LATIN1, not UTF8"
    admin "DROP DATABASE ${PG_NAME}_l"
}

@test "roles: none, without rights, reading alone" {
    fc-store init
    devices 1 2 | fc-apply >/dev/null
    expect 5 fc-select devices -S "postgres://nobody_$PG_NAME@/$PG_NAME?host=$FC_TEST_PG"
    has "$stderr" "role \"nobody_$PG_NAME\" does not exist"
    admin "CREATE ROLE r_$PG_NAME LOGIN"
    url="postgresql://r_$PG_NAME@/$PG_NAME?host=$FC_TEST_PG"
    expect 5 fc-select devices -S "$url"
    has "$stderr" "permission denied for table meta"
    store_sql "GRANT SELECT ON ALL TABLES IN SCHEMA public TO r_$PG_NAME"
    expect 0 fc-select devices -S "$url" -o name
    same $'device/d1\ndevice/d2' "$output"
    expect 5 fc-delete -y device/d1 -S "$url"
    has "$stderr" "permission denied"
    store_sql "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO r_$PG_NAME;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO r_$PG_NAME"
    expect 0 fc-delete -y device/d1 -S "$url"
    devices 3 3 | fc-apply -S "$url" >/dev/null
    same $'device/d2\ndevice/d3' "$(fc-select devices -o name)"
    store_sql "DROP OWNED BY r_$PG_NAME"
    admin "DROP ROLE r_$PG_NAME"
}

@test "a password that is wrong, missing, or in a file; none is ever shown" {
    own
    store_sql "CREATE ROLE careful LOGIN PASSWORD 's3cret'; GRANT CREATE ON SCHEMA public TO careful"
    sed -i '1i local all careful scram-sha-256' "$T/own/data/pg_hba.conf"
    store_sql 'SELECT pg_reload_conf()'
    url="postgres://careful@/fc?host=$T/own"
    wait_for sh -c "! fc-store init -S '$url' 2>/dev/null"
    expect 5 fc-store init -S "$url"
    hasnt "$stderr" "connection to the database was lost"
    for bad in "postgres://careful:wr0ng@/fc?host=$T/own" "$url&password=wr0ng"; do
        expect 5 fc-select devices -S "$bad"
        has "$stderr" "password authentication failed"
        hasnt "$stderr" wr0ng
        same 1 "${#stderr_lines[@]}"
    done
    for bad in 'postgres://careful:wr0ng@/fc?nonsense=1' 'postgres://careful:wr0ng@[/fc' \
        'postgres://careful:wr%zzng@h/fc'; do
        expect 2 fc-select devices -S "$bad"
        hasnt "$stderr" wr0ng
        hasnt "$stderr" wr%zzng
    done
    expect 0 fc-store init -S "postgres://careful:s3cret@/fc?host=$T/own"
    same "made $url" "$output"
    echo "*:*:*:careful:s3cret" >"$T/pass"
    chmod 600 "$T/pass"
    expect 0 env PGPASSFILE="$T/pass" fc-select devices -S "$url"
    printf '[x]\nhost=%s\ndbname=fc\nuser=careful\npassword=s3cret\n' "$T/own" >"$T/services"
    expect 0 env PGSERVICEFILE="$T/services" fc-select devices -S 'postgres:///?service=x'
}

@test "no server: to be tried again" {
    for url in "postgres://fc@/fc?host=$T" "postgres://127.0.0.1:1/fc"; do
        expect 7 fc-select devices -S "$url"
        has "$stderr" "fc-select: $url: the database cannot be reached: "
        same 1 "${#stderr_lines[@]}"
    done
}

@test "writers at once follow each other" {
    fc-store init
    for i in 1 2 3 4; do
        devices 1 500 "{\"n\": \"$i\"}" | fc-apply >/dev/null 2>>err &
        pids[i]=$!
    done
    wait "${pids[@]}"
    same "" "$(cat err)"
    same 500 "$(count)"
    # Numbers of events, taken in the transactions, are in the order of their commits.
    same 0 "$(store_sql 'SELECT count(*) FROM (SELECT seq - lag(seq) OVER (ORDER BY xmin::text::bigint,
        seq) AS d FROM event) AS q WHERE d < 0')"
    same 500 "$(store_sql "SELECT count(*) FROM label WHERE key = 'n'")"
}

# Nothing half: each device has all its rows.
whole() {
    same "$(count) $(count)" "$(store_sql "SELECT (SELECT count(*) FROM device) || ' ' ||
        (SELECT count(*) FROM event WHERE reason = 'ResourceCreated' AND kind = 1)")"
}

@test "a writer that is killed leaves nothing half, and the lock" {
    fc-store init
    devices 1 2000 >d.json
    for delay in 0.3 0.8 1.3; do
        timeout -s KILL "$delay" fc-apply d.json >/dev/null || :
        devices 6000 6000 '{"alone": "yes"}' | timeout 20 fc-apply >/dev/null
        whole
    done
    fc-apply d.json >/dev/null
    same 2001 "$(count)"
}

@test "a server that restarts while a command writes: undone, said, and done again" {
    own fsync=on
    fc-store init
    devices 1 4000 >d.json
    fc-apply d.json >out 2>err &
    pid=$!
    wait_for grep -q d1 out
    sh "$TOP/test/postgres.sh" stop "$T/own" immediate
    status=0
    wait $pid || status=$?
    cat err
    same 7 "$status"
    # In a transaction, or between two of them, when it waits for the server for a while.
    grep -qE 'the connection to the database was lost|the database cannot be reached' err
    expect 7 fc-select devices
    sh "$TOP/test/postgres.sh" again "$T/own" fsync=on 3>&- 4>&-
    n=$(count)
    echo "$n were committed"
    [ "$n" -gt 0 ] && [ "$n" -lt 4000 ]
    grep -q "(committed up to device/d$n; it is safe to repeat)" err
    whole
    fc-apply d.json >/dev/null
    same 4000 "$(count)"
}

@test "what only reads goes on after its connection was cut" {
    fc-store init
    devices 1 2500 | fc-apply >/dev/null
    mkfifo slow
    fc-select devices -o json >slow 2>err &
    pid=$!
    exec 5<slow
    read -r first <&5
    same d1 "$(jq -r .metadata.name <<<"$first")" # the rest is more than the pipe holds
    same 1 "$(store_sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'fc-select' AND datname = current_database()")"
    same 2499 "$(wc -l <&5)"
    exec 5<&-
    wait $pid
    same "" "$(cat err)"
}

@test "fc-api outlives a restart of the server" {
    own
    fc-store init
    make_ca
    start_api
    new_device $ONE
    answers 200 $ONE /api/v1/devices/$ONE/rendered
    sh "$TOP/test/postgres.sh" stop "$T/own" immediate
    answers 503 $ONE /api/v1/devices/$ONE/rendered
    (sleep 1; exec sh "$TOP/test/postgres.sh" again "$T/own" 3>&- 4>&-) &
    again=$!
    wait_for answers 200 $ONE /api/v1/devices/$ONE/rendered
    wait $again
    kill -0 "$API_PID"
    answers 200 $ONE /api/v1/devices/$ONE/status -X PUT --json "$(report $ONE 1)"
    wait_for listening
}

@test "a server that does not answer is as good as gone" {
    fc-store init
    devices 1 1 | fc-apply >/dev/null
    coproc LOCK { psql -XAtq -d "$FC_STORE" 2>&1; }
    echo "BEGIN; LOCK TABLE resource; SELECT 'locked';" >&"${LOCK[1]}"
    read -r line <&"${LOCK[0]}"
    same locked "$line"
    export PGOPTIONS='-c statement_timeout=1s'
    expect 7 fc-select devices
    has "$stderr" "the database stopped a statement: canceling statement due to statement timeout"
    export PGOPTIONS='-c statement_timeout=3s'
    begun=$SECONDS
    devices 2 2 | fc-apply >out 2>err &
    pid=$!
    unset PGOPTIONS
    stopped() { waiting fc-apply >"$T/stopped" && kill -STOP "$(cat "$T/stopped")"; }
    wait_for stopped
    status=0
    wait $pid || status=$?
    kill -CONT "$(cat "$T/stopped")"
    cat err
    same 7 "$status"
    # Whoever waits for the one that stands still is told so by the server or by itself.
    grep -q -e 'lost, the transaction is undone: it does not answer' -e 'due to statement timeout' err
    [ $((SECONDS - begun)) -lt 20 ]
    echo 'ROLLBACK;' >&"${LOCK[1]}"
    fd=${LOCK[1]}
    exec {fd}>&-
    unlocked() { [ "$(store_sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND
        database = (SELECT oid FROM pg_database WHERE datname = current_database())")" = 0 ]; }
    wait_for unlocked
    devices 2 2 | fc-apply >/dev/null
    same 2 "$(count)"
}

@test "a disk that is full: nothing half, and all is well when there is room" {
    [ "$(id -u)" = 0 ] || { echo "run this test as root: it mounts a file system"; return 1; }
    mkdir full
    mount -t tmpfs -o size=14m full "$T/full"
    mkdir full/space
    chown "$(stat -c %U "$FC_TEST_PG")" full/space
    admin "CREATE TABLESPACE s_$PG_NAME LOCATION '$T/full/space'"
    admin "DROP DATABASE $PG_NAME"
    admin "CREATE DATABASE $PG_NAME TABLESPACE s_$PG_NAME"
    fc-store init
    devices 1 12000 '{"a": "1", "b": "2", "c": "3"}' >d.json
    expect 1 fc-apply d.json
    has "$stderr" "no space left on the device"
    n=$(count)
    [ "$n" -lt 12000 ]
    has "$stderr" "(committed up to device/d$n; it is safe to repeat)"
    whole
    mount -o remount,size=200m "$T/full"
    expect 0 fc-apply d.json
    same 12000 "$(count)"
    admin "DROP DATABASE $PG_NAME"
    PG_NAME=
    admin "DROP TABLESPACE s_$(basename "${FC_STORE%%\?*}")"
}

# pooler: PgBouncer in transaction mode before the cluster; FC_STORE leads through it, DIRECT does not.
pooler() {
    needs pgbouncer pgbouncer
    DIRECT=$FC_STORE
    mkdir pool
    cat >pool/ini <<E
[databases]
* = host=$FC_TEST_PG user=fc
[pgbouncer]
unix_socket_dir = $T/pool
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_round_robin = 1
logfile = $T/pool/log
pidfile = $T/pool/pid
E
    if [ "$(id -u)" = 0 ]; then
        chown -R postgres pool
        background pool.err runuser -u postgres -- pgbouncer pool/ini
    else
        background pool.err pgbouncer pool/ini
    fi
    wait_for test -S pool/.s.PGSQL.6432
    FC_STORE="postgres://fc@/$PG_NAME?host=$T/pool&port=6432"
}

@test "PgBouncer in transaction mode: everything works, nothing stays on its connections" {
    pooler
    fc-store init
    for i in 1 2 3; do
        (devices $((i * 1000)) $((i * 1000 + 99)) '{"app": "x"}' | fc-apply >/dev/null) 2>>err &
        pids[i]=$!
    done
    wait "${pids[@]}"
    same "" "$(cat err)"
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"f"},"spec":{
        "selector":{"matchLabels":{"app":"x"}},"template":{"spec":{}}}}' | fc-apply >/dev/null
    for i in 1 2 3; do
        fc-work drain 2>>err &
        pids[i]=$!
    done
    wait "${pids[@]}"
    same "" "$(cat err)"
    same 300 "$(fc-select devices -l app=x -o name | wc -l)"
    same 300 "$(fc-select devices -q '.metadata.owner' -o name | grep -c Fleet/f)"
    same 0 "$(store_sql 'SELECT count(*) FROM pg_prepared_statements')"
    same 0 "$(store_sql "SELECT count(*) FROM pg_settings WHERE name = 'statement_timeout' AND
        setting <> '0'")"
    store_hold 60
    expect 7 fc-delete -y device/d1000
    has "$stderr" "the store is busy"
    store_release
}

# woken VERSION: a device that waits gets its change, long before it would have waited for long enough.
woken() {
    (answers 200 $ONE "/api/v1/devices/$ONE/rendered?knownRenderedVersion=$1" -H 'Prefer: wait=20') >got 2>&1 &
    pid=$!
    sleep 1 # it may wait before or after the change: this is about the wait
    kill -0 $pid
    jq -nc --arg v "$1" --arg name $ONE '{apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: $name},
        spec: {config: [{name: "c", inline: [{path: "/etc/v", content: $v}]}]}}' | fc-apply >/dev/null
    begun=$SECONDS
    wait $pid || { cat got; return 1; }
    [ $((SECONDS - begun)) -lt 10 ]
}

@test "who waits is woken: by LISTEN on a direct connection, by looking behind a pooler" {
    fc-store init
    make_ca
    start_api
    new_device $ONE
    wait_for listening
    woken 1
    stop "$API_PID"
    wait_for sh -c "! psql -XAtq -d '$FC_STORE' -c \"SELECT 1 FROM pg_stat_activity WHERE datname =
        current_database() AND query = 'LISTEN fc_store'\" | grep -q 1"
    pooler
    start_api
    woken 2
    run ! listening
    stop "$API_PID"
    export FC_STORE_LISTEN=$DIRECT ACTIVATE_ENV=FC_STORE_LISTEN
    start_api
    woken 3
    listening
}

@test "lists from a replica: never what this command wrote, nothing that is no copy" {
    own wal_level=replica
    fc-store init
    devices 1 3 | fc-apply >/dev/null
    mkdir copy
    [ "$(id -u)" != 0 ] || chown postgres copy
    sh "$TOP/test/postgres.sh" run "$T/own" pg_basebackup -c fast -h "$T/own" -U fc -D "$T/copy/data" -R
    sh "$TOP/test/postgres.sh" again "$T/copy" hot_standby=on 3>&- 4>&-
    primary=$FC_STORE
    replica="postgres://fc@/fc?host=$T/copy"
    same 3 "$(FC_STORE=$replica count)"
    FC_STORE=$replica store_sql 'SELECT pg_wal_replay_pause()'
    fc-delete -y device/d1
    same 2 "$(count)"
    export FC_STORE_READ=$replica
    same 3 "$(count)" # it is behind
    devices 1 1 | fc-apply | grep -q created # who writes, reads where it writes
    FC_STORE=$replica store_sql 'SELECT pg_wal_replay_resume()'
    wait_for sh -c "fc-select events -o json | grep -q ResourceDeleted"
    FC_STORE=$replica expect 5 fc-delete -y device/d2
    has "$stderr" "the server is a replica"
    sh "$TOP/test/postgres.sh" stop "$T/copy"
    rm -rf "$T/copy"
    expect 0 fc-select devices -o name
    same 3 "$(wc -l <<<"$output")"
    has "$stderr" "the store itself is read"
    FC_STORE="postgres://fc@/$PG_NAME?host=$FC_TEST_PG" fc-store init
    FC_STORE_READ="postgres://fc@/$PG_NAME?host=$FC_TEST_PG" expect 0 fc-select devices -o name
    has "$stderr" "not a copy of $primary; the store itself is read"
    same 3 "$(wc -l <<<"$output")"
}
