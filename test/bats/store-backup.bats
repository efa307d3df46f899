# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2030,SC2031 # T comes from helpers; each test sets its own FC_STORE
# fc-store migrate, backup and restore with SQLite, whose stores are files.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    cat >one.json <<'END'
{"apiVersion": "flightctl.io/v1beta1", "kind": "Fleet", "metadata": {"name": "shops"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": {"spec": {"os": {"image": "quay.io/x/os:1"}}}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "a", "labels": {"app": "shop"}}}
{"apiVersion": "flightctl.io/v1beta1", "kind": "Device", "metadata": {"name": "b", "labels": {"app": "shop"}}}
END
    fc-apply one.json >/dev/null
    fc-work drain
}
teardown() { fc_teardown; }

all_kinds() { for k in devices fleets templateversions; do fc-select "$k" -o json; done; }

# A store of schema version 1, as the released text of that migration makes it, with rows.
old_store() {
    {
        awk '/^-- :name / { on = ($3 == "migrate_1") } on && !/^--/' "$TOP/lib/store/schema.sql"
        cat <<'END'
PRAGMA user_version = 1;
PRAGMA application_id = 0x66632d31;
INSERT INTO meta VALUES ('uid', '11111111-2222-4333-8444-555555555555');
INSERT INTO organization VALUES (1, '00000000-0000-0000-0000-000000000000', 'default');
INSERT INTO resource VALUES (7, 1, 1, 'old', 'aaaaaaaa-2222-4333-8444-555555555555', 2, 1700000000123456, NULL, '{"site":"berlin"}', '{}', '{"os":{"image":"quay.io/x/os:1"}}');
INSERT INTO resource_status VALUES (7, 5, '{"config":{"renderedVersion":"3"}}');
INSERT INTO label VALUES (1, 1, 'site', 'berlin', 'old', 7);
INSERT INTO device VALUES (7, 1, 'old', 0, 3, NULL, 0, 3, 3, 0, 0, NULL, -1, NULL, 0, 0, '', 'UpToDate', NULL, 'Online', 'Healthy', 'Enrolled');
INSERT INTO revision VALUES (1, 1, 1, 'old', 'aaaaaaaa-2222-4333-8444-555555555555', 1, 1700000000123456, 'user:x', NULL, '{"annotations":{},"labels":{},"spec":{}}');
INSERT INTO revision VALUES (2, 1, 1, 'gone', 'bbbbbbbb-2222-4333-8444-555555555555', 1, 1700000000200000, 'user:x', NULL, NULL);
INSERT INTO revision VALUES (3, 1, 1, 'old', 'aaaaaaaa-2222-4333-8444-555555555555', 2, 1700000000300000, 'user:y', 'why', '{"annotations":{},"labels":{"site":"berlin"},"spec":{}}');
INSERT INTO event VALUES (9, 1, 1700000000123456, 'cccccccc-2222-4333-8444-555555555555', 1, 'old', 'ResourceCreated', 'Normal', 'user:x', 'fc-apply', 'The resource was created.', NULL);
PRAGMA journal_mode = WAL;
END
    } | sqlite3 "$1" >/dev/null
}

@test "a store of the first schema version is refused until migrate brings it forward, with its data" {
    old_store old.db
    export FC_STORE=sqlite:$T/old.db
    for c in "fc-select devices" "fc-work drain" "fc-apply one.json"; do
        # shellcheck disable=SC2086 # words
        expect 6 $c
        has "$stderr" "the store has schema version 1, this command needs"
        has "$stderr" "fc-store migrate"
    done
    sqlite3 old.db .dump >before
    expect 0 fc-store migrate -n
    has "$output" "would go to schema version 2: revisions are numbered"
    sqlite3 old.db .dump | cmp - before
    expect 0 fc-store migrate --backup old.backup
    has "$output" "to schema version 2: "
    sqlite3 old.backup .dump | cmp - before
    same '{"name":"old","generation":2,"created":"2023-11-14T22:13:20.123456Z","labels":{"site":"berlin"},"os":"quay.io/x/os:1"}' \
        "$(fc-select devices -l site=berlin -o json | jq -c '{name: .metadata.name,
            generation: .metadata.generation, created: .metadata.creationTimestamp,
            labels: .metadata.labels, os: .spec.os.image}')"
    same "gone|1
old|1
old|2" "$(sqlite3 old.db 'SELECT name, rev FROM revision ORDER BY name, rev')"
    expect 0 fc-store migrate
    has "$output" "nothing to do"
    # It is what init makes: tables, columns, indexes.
    fc-store init -S "sqlite:$T/new.db"
    for db in old new; do
        for t in $(sqlite3 $db.db 'SELECT name FROM sqlite_schema ORDER BY name'); do
            sqlite3 $db.db "SELECT '$t', name, type, \"notnull\", pk FROM pragma_table_info('$t')
                ORDER BY name; SELECT '$t', name FROM pragma_index_info('$t')"
        done >$db.tables
    done
    diff old.tables new.tables
}

@test "a migration that is killed leaves the old store or the new one" {
    needs strace strace
    dump() { sqlite3 old.db .dump | sed -E 's/\b1[78][0-9]{14}\b/TIME/g'; }
    old_store kept.db
    cp kept.db old.db
    dump >before
    strace -qq -f -o calls -e trace=pwrite64,fdatasync fc-store migrate -S "sqlite:$T/old.db" >/dev/null
    dump >after
    for call in pwrite64 fdatasync; do
        total=$(grep -c " $call(" calls)
        for n in $(seq 1 $((total / 8 + 1)) "$total") "$total"; do
            rm -f old.db*
            cp kept.db old.db
            (strace -qq -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when="$n" \
                fc-store migrate -S "sqlite:$T/old.db"; exit $?) >/dev/null 2>&1 && exit 1
            dump >now
            cmp -s now before || cmp now after
            fc-store migrate -S "sqlite:$T/old.db" >/dev/null
            dump | cmp - after
        done
    done
}

@test "a backup is a store of its own, private, made while others write" {
    all_kinds >before
    expect 0 fc-store backup kept.db
    same "" "$stderr$output"
    same 600 "$(stat -c %a kept.db)"
    same ok "$(sqlite3 kept.db 'PRAGMA integrity_check')"
    FC_STORE=sqlite:$T/kept.db all_kinds | cmp - before
    expect 4 fc-store backup kept.db
    same "fc-store: kept.db: exists already" "$stderr"
    sed 's/os:1/os:2/' one.json | fc-apply - >/dev/null
    expect 0 fc-store backup -f kept.db
    FC_STORE=sqlite:$T/kept.db fc-select fleet/shops -o json | grep -q os:2
    fc-store backup - >stream.db
    FC_STORE=sqlite:$T/stream.db fc-select fleet/shops -o json | grep -q os:2
    expect 2 fc-store backup -f fc.db
    has "$stderr" "is the store itself"
    expect 3 fc-store backup nowhere/kept.db
    ls -A >files
    run ! grep '^\.fc-' files
}

@test "a backup over a store: never beside what is left of that one, never under who has it open" {
    local other=sqlite:$T/other.db

    fc-store init -S "$other" >/dev/null
    # More than fits into the backup, in the log alone: its writer is killed before it is copied.
    sqlite3 other.db 'PRAGMA wal_autocheckpoint = 0' 'CREATE TABLE more (a)' \
        "INSERT INTO more SELECT hex(zeroblob(1000)) FROM generate_series(1, 500)" \
        ".shell kill -9 \$PPID" || :
    test -s other.db-wal
    FC_STORE=$other seen_sql 'INSERT INTO seen VALUES (2, 5, 5)'
    expect 0 fc-store backup -f other.db
    test ! -e other.db-wal
    test ! -e other.db-seen
    expect 0 fc-store check -S "$other"
    all_kinds >before
    FC_STORE=$other all_kinds | cmp - before
    FC_STORE=$other store_hold 60
    expect 4 fc-store backup -f other.db
    same "fc-store: other.db: a store in use: fc-store restore puts a backup in its place" "$stderr"
    FC_STORE=$other store_release || :
    expect 0 fc-store backup -f other.db
    # The log of a store that was removed.
    echo 'not of this one' >new.db-wal
    expect 0 fc-store backup new.db
    test ! -e new.db-wal
}

@test "writers do not wait for a backup, and it is of one instant" {
    jq -nc 'range(3000) | {apiVersion: "flightctl.io/v1beta1", kind: "Device",
        metadata: {name: "d\(.)", annotations: {text: ("x" * 2000)}}}' >many.json
    fc-apply many.json >/dev/null
    # Each page that it writes takes its time, so that it is stopped in their midst.
    # shellcheck disable=SC2016 # for another shell
    background backup.log strace -qq -f -o /dev/null -e trace=pwrite64 \
        -e inject=pwrite64:delay_enter=500 sh -c 'echo $$ >pid; exec fc-store backup slow.db'
    wait_for sh -c 'find . -name ".fc-*" -size +1k | grep -q .'
    kill -STOP "$(cat pid)"
    [ ! -e slow.db ]
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"late"}}' |
        timeout 20 fc-apply - >/dev/null
    kill -CONT "$(cat pid)"
    wait_for test -e slow.db
    same ok "$(sqlite3 slow.db 'PRAGMA integrity_check')"
    expect 3 fc-select device/late -S "sqlite:$T/slow.db"
    fc-select device/late >/dev/null
}

@test "a killed backup leaves no file of that name, a full disk no file at all" {
    needs strace strace
    for call in pwrite64:5 fsync:1 link:1; do
        (strace -qq -f -o /dev/null -e trace="${call%:*}" \
            -e inject="${call%:*}:signal=KILL:when=${call#*:}" fc-store backup kept.db
            exit $?) >/dev/null 2>&1 && exit 1
        [ ! -e kept.db ] || [ "${call%:*}" = link ]
        rm -f kept.db .fc-*
    done
    [ "$(id -u)" = 0 ] || { echo "mounting needs root"; return 1; }
    mkdir full
    mount -t tmpfs -o size=64k tmpfs full
    run --separate-stderr fc-store backup full/kept.db
    left=$(ls -A full)
    umount -l full
    same 1 "$status"
    has "$stderr" "no space left on the device"
    same "" "$left"
}

@test "restore makes a store of a backup, and replaces one only when told" {
    all_kinds >before
    fc-store backup kept.db
    sed 's/os:1/os:2/' one.json | fc-apply - >/dev/null
    fc-delete -y device/a >/dev/null
    expect 4 fc-store restore kept.db
    same "fc-store: $T/fc.db: there is a store already" "$stderr"
    fc-select fleet/shops -o json | grep -q os:2
    expect 0 fc-store restore -f kept.db
    same "restored sqlite:$T/fc.db" "$output"
    all_kinds | cmp - before
    # uids and creation times are those of the backup
    same "$(sqlite3 kept.db 'SELECT name, uid, created FROM resource ORDER BY id')" \
        "$(sqlite3 fc.db 'SELECT name, uid, created FROM resource ORDER BY id')"
    export FC_STORE=sqlite:$T/new.db
    expect 0 fc-store restore - <kept.db
    all_kinds | cmp - before
    same 600 "$(stat -c %a new.db)"
}

@test "who has the store open sees what was restored at its next transaction" {
    fc-store backup kept.db
    mkfifo in
    exec 7<>in
    sqlite3 fc.db <in >seen.log 3>&- 7>&- &
    reader=$!
    echo "$reader" >>"$T/pids"
    echo "SELECT count(*) FROM resource WHERE name = 'late';" >&7
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"late"}}' | fc-apply - >/dev/null
    echo "SELECT 'after', count(*) FROM resource WHERE name = 'late';" >&7
    wait_for grep -q 'after|1' seen.log
    fc-store restore -f kept.db
    echo "SELECT 'restored', count(*) FROM resource WHERE name = 'late';" >&7
    wait_for grep -q 'restored|0' seen.log
    exec 7>&-
    stop $reader
}

@test "what is no backup is refused before anything is touched" {
    fc-store backup kept.db
    sqlite3 fc.db .dump >before
    seq 2000 >text
    head -c 50000 kept.db >cut.db
    cp kept.db bad.db
    dd if=/dev/urandom of=bad.db bs=4096 seek=4 count=8 conv=notrunc status=none
    sqlite3 other.db 'CREATE TABLE t (a)'
    cp kept.db newer.db
    sqlite3 newer.db 'PRAGMA user_version = 1000'
    : >empty
    for f in text cut.db bad.db other.db newer.db empty; do
        expect 6 fc-store restore -f $f
        has "$stderr" "fc-store: $f: "
        same 1 "${#stderr_lines[@]}"
    done
    expect 3 fc-store restore -f missing.db
    expect 2 fc-store restore -f fc.db
    sqlite3 fc.db .dump | cmp - before
    ls -A >files
    run ! grep '^\.fc-' files
    # nor is another program's database replaced
    expect 6 fc-store restore -f kept.db -S "sqlite:$T/other.db"
    has "$stderr" "another program's database"
}

@test "a good backup makes no room for one of a damaged store" {
    fc-store backup kept.db
    cksum <kept.db >before
    root=$(sqlite3 fc.db "PRAGMA wal_checkpoint(TRUNCATE); SELECT rootpage FROM sqlite_schema
        WHERE name = 'resource_created'" | tail -1)
    size=$(sqlite3 fc.db 'PRAGMA page_size')
    printf 'damaged!' | dd of=fc.db bs=1 seek=$((size * root - 8)) conv=notrunc status=none
    expect 6 fc-store backup -f kept.db
    has "$stderr" "fc.db: damaged: "
    cksum <kept.db | cmp - before
    same kept.db "$(ls -A | grep -e kept -e '^\.fc-')"
}

@test "a store that is damaged beyond reading is put aside" {
    all_kinds >before
    fc-store backup kept.db
    rm -f fc.db-wal fc.db-shm
    head -c 100000 /dev/urandom >fc.db
    expect 0 fc-store restore -f kept.db
    has "$stderr" "put aside as $T/fc.db.broken"
    all_kinds | cmp - before
}

@test "a restore that is killed leaves the old store or the new one" {
    needs strace strace
    fc-store backup kept.db
    all_kinds >new
    sed 's/os:1/os:2/' one.json | fc-apply - >/dev/null
    fc-work drain
    all_kinds >old
    fc-store backup live.db
    for call in pwrite64:1 pwrite64:5 pwrite64:30 fdatasync:1 fdatasync:2 fsync:1; do
        rm -f fc.db*
        cp live.db fc.db
        (strace -qq -f -o /dev/null -e trace="${call%:*}" \
            -e inject="${call%:*}:signal=KILL:when=${call#*:}" fc-store restore -f kept.db
            exit $?) >/dev/null 2>&1 && exit 1
        same ok "$(sqlite3 fc.db 'PRAGMA integrity_check')"
        all_kinds >now
        cmp -s now old || cmp now new
        fc-store restore -f kept.db >/dev/null
        all_kinds | cmp - new
    done
}

@test "a restored store issues above what its devices know already" {
    fc-store backup kept.db
    version() { sqlite3 fc.db "SELECT rendered FROM device WHERE name = 'a'"; }
    known=$(version)
    sed 's/os:1/os:2/' one.json | fc-apply - >/dev/null
    fc-work drain
    [ "$(version)" -gt "$known" ]
    fc-store restore -f kept.db >/dev/null
    same "$known" "$(version)"
}
