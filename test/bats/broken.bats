# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# Stores that are damaged, somebody else's, or short of room: one line, the right status, and
# nothing is changed that could have been kept.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    seq 200 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\(.)",
        labels: {n: "\(.)"}}, spec: {}}' >devices.json
    fc-apply devices.json >/dev/null
    fc-work drain
}
teardown() { fc_teardown; }

# refused STATUS TEXT: by commands that read, write and work; the file stays as it is.
refused() {
    local sum c

    sum=$(sha256sum <fc.db)
    for c in "fc-select devices" "fc-apply devices.json" "fc-work drain" "fc-store init"; do
        # shellcheck disable=SC2086 # words
        expect "$1" $c
        has "$stderr" "$T/fc.db"
        has "$stderr" "$2"
        same 1 "${#stderr_lines[@]}"
    done
    same "$sum" "$(sha256sum <fc.db)"
}

@test "a file without a byte is no store, and init makes it one" {
    : >fc.db
    expect 6 fc-select devices
    same "fc-select: sqlite:$T/fc.db: not a store (fc-store init makes one)" "$stderr"
    same 0 "$(stat -c %s fc.db)"
    fc-store init
    expect 0 fc-select devices -o name
    same "" "$output"
}

@test "a header that is not SQLite's" {
    printf 'SQLite format 4' | dd of=fc.db conv=notrunc status=none
    refused 6 "not a store"
}

@test "another program's database, whatever version it says it has" {
    rm fc.db*
    sqlite3 fc.db 'CREATE TABLE t (a); PRAGMA user_version = 1'
    refused 6 "another program's database"
    sqlite3 fc.db 'PRAGMA user_version = -5'
    refused 6 "another program's database"
    sqlite3 fc.db 'PRAGMA user_version = 0'
    refused 6 "another program's database"
    sqlite3 fc.db "PRAGMA application_id = 0x66632d31; PRAGMA user_version = -5"
    refused 6 "not a store"
}

@test "pages that are damaged are said as such, and not guessed at" {
    # The rows of resources, in the middle of the file.
    size=$(stat -c %s fc.db)
    dd if=/dev/urandom of=fc.db bs=4096 seek=4 count=$((size / 4096 - 8)) conv=notrunc status=none
    sum=$(sha256sum <fc.db)
    for c in "fc-select devices" "fc-apply devices.json"; do
        # shellcheck disable=SC2086 # words
        expect 1 $c
        has "$stderr" "$T/fc.db: the store is damaged"
        same 1 "${#stderr_lines[@]}"
    done
    same "$sum" "$(sha256sum <fc.db)"
}

@test "a folder, and a path through a file" {
    rm fc.db*
    mkdir fc.db
    expect 6 fc-select devices
    has "$stderr" "$T/fc.db: not a store: not a file"
    FC_STORE=sqlite:$T/devices.json/fc.db expect 3 fc-store init
    has "$stderr" "devices.json/fc.db"
    same 1 "${#stderr_lines[@]}"
    FC_STORE=sqlite:$T/none/fc.db expect 3 fc-select devices
}

# as_nobody COMMAND ...: without the rights of root, in the build's own way.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ FC_CONF= "$@"; }

@test "who may read alone cannot write, and is told" {
    [ "$(id -u)" = 0 ] || { echo "needs root to be somebody else"; return 1; }
    chmod 755 "$T"
    chmod 644 fc.db*
    expect 5 as_nobody fc-apply devices.json
    has "$stderr" "$T/fc.db"
    same 1 "${#stderr_lines[@]}"
}

@test "the record of last contacts is as private as the store, and its owner's, whoever makes it" {
    [ "$(id -u)" = 0 ] || { echo "needs root to be somebody else"; return 1; }
    chown 65534:65534 fc.db "$T"
    rm -f fc.db-*
    expect 0 fc-select devices -o name
    same "65534 600" "$(stat -c '%u %a' fc.db-seen)"
    expect 0 as_nobody fc-select devices -o name
}

@test "the record of last contacts is made again when it is lost or damaged" {
    rm fc.db-seen*
    expect 0 fc-select devices -o name
    same 200 "${#lines[@]}"
    # Not even a database any more.
    rm -f fc.db-seen-*
    seq 3000 >fc.db-seen
    expect 0 fc-select devices -o name
    same 200 "${#lines[@]}"
    has "$stderr" "put aside as $T/fc.db-seen.broken"
    same "$(seq 3000 | sha256sum)" "$(sha256sum <fc.db-seen.broken)"
    # Damaged within: it may take a second call.
    sqlite3 fc.db-seen "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO seen (id, at) SELECT i, 1 FROM n; PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
    rm -f fc.db-seen-*
    dd if=/dev/urandom of=fc.db-seen bs=4096 seek=1 count=8 conv=notrunc status=none
    expect 7 fc-select devices
    has "$stderr" "damaged and made anew: try again"
    expect 0 fc-select devices -o name
    same 200 "${#lines[@]}"
    expect 0 fc-apply devices.json
}

@test "commands that come at once, the record of last contacts gone" {
    for _ in 1 2 3 4 5; do
        rm -f fc.db-seen*
        for i in 1 2 3 4 5 6; do fc-select device/d1 -o name >"out$i" 2>&1 & done
        wait
        same "device/d1" "$(cat out? | sort -u)"
    done
}

@test "a path that looks like a URI is a path" {
    for name in 'file:x?mode=memory' 'a b%20c?d#e'; do
        FC_STORE="sqlite:$name" fc-store init
        [ -f "$name" ]
        FC_STORE="sqlite:$name" fc-apply devices.json >/dev/null
        FC_STORE="sqlite:$name" expect 0 fc-select devices -o name
        same 200 "${#lines[@]}"
        [ -f "$name-seen" ]
    done
}

@test "a full disk: nothing half, and all is well when there is room" {
    [ "$(id -u)" = 0 ] || { echo "mounting needs root"; return 1; }
    # A mount of its own, gone with its process.
    expect 0 env T="$T" unshare -m bash -c '
        mount -t tmpfs -o size=2m tmpfs "$HOME" && cd "$HOME" || exit 90
        export FC_STORE=sqlite:$HOME/fc.db
        fc-store init && fc-apply "$T/devices.json" >/dev/null || exit 91
        sqlite3 fc.db .dump >"$T/before"
        dd if=/dev/zero of=ballast bs=4096 2>/dev/null
        # It can be read, by several at once, and be brought elsewhere.
        for i in 1 2 3 4; do timeout 60 fc-select devices -o name >"$T/names$i" & done
        wait
        for i in 1 2 3 4; do [ "$(wc -l <"$T/names$i")" = 200 ] || exit 97; done
        for c in "fc-select devices --summary" "fc-history device/d1" "fc-render d1" "fc-store info" \
            "fc-store export" "fc-store backup $T/backup"; do
            $c >/dev/null || { echo "$c"; exit 98; }
        done
        fc-select -S "sqlite:$T/backup" device/d200 -o name || exit 99
        for c in "fc-work drain" "fc-apply -f $T/devices.json --atomic" "fc-delete -y device/d1"; do
            $c >/dev/null 2>"$T/err"
            rc=$?
            case "$c $rc" in
            fc-apply*" 0") ;; # unchanged, all of them: nothing is written
            *" 1") [ "$(wc -l <"$T/err")" = 1 ] && grep -q "no space left" "$T/err" ||
                { cat "$T/err"; exit 93; } ;;
            *) echo "$c: $rc"; cat "$T/err"; exit 92 ;;
            esac
        done
        rm ballast
        sqlite3 fc.db "PRAGMA integrity_check" | grep -qx ok || exit 94
        sqlite3 fc.db .dump >"$T/after"
        cmp "$T/before" "$T/after" || exit 95
        fc-work drain && fc-delete -y device/d1 >/dev/null || exit 96
        [ "$(fc-select devices -o name | wc -l)" = 199 ]'
}

@test "a disk that is full from the start" {
    [ "$(id -u)" = 0 ] || { echo "mounting needs root"; return 1; }
    expect 0 env T="$T" unshare -m bash -c '
        mount -t tmpfs -o size=64k tmpfs "$HOME" && cd "$HOME" || exit 90
        FC_STORE=sqlite:$HOME/fc.db fc-store init 2>"$T/err"
        [ $? = 1 ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -q "no space left" "$T/err" || { cat "$T/err"; exit 91; }'
}

@test "a store that is held is waited for, and then said to be busy" {
    # A short hold is waited for.
    sqlite3 fc.db 'BEGIN IMMEDIATE' '.shell touch held; sleep 1' >/dev/null 2>&1 &
    wait_for test -e held
    expect 0 fc-apply devices.json
    expect 0 fc-delete -y device/d1
    wait
    # Readers wait for nobody.
    store_hold 60
    expect 0 timeout 20 fc-select devices -o name
    store_release
}

@test "a store on a read-only file system says so" {
    [ "$(id -u)" = 0 ] || { echo "mounting needs root"; return 1; }
    mkdir ro
    fc-store init -S "sqlite:$T/ro/fc.db" >/dev/null
    expect 5 unshare -m sh -c 'mount --bind "$1/ro" "$1/ro" && mount -o remount,bind,ro "$1/ro" &&
        fc-select -S "sqlite:$1/ro/fc.db" fleets' - "$T"
    has "$stderr" "the file system is read-only"
    expect 5 unshare -m sh -c 'mount --bind "$1/ro" "$1/ro" && mount -o remount,bind,ro "$1/ro" &&
        fc-store init -S "sqlite:$1/ro/new.db"' - "$T"
    has "$stderr" "the file system is read-only"
}
