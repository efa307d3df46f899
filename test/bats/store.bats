# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# fc-store, and stores that commands cannot work on.

load helpers

setup() { fc_setup; }
teardown() { fc_teardown; }

@test "init makes a store that its owner alone can read, and never twice" {
    expect 0 fc-store init
    same "made sqlite:$T/fc.db" "$output"
    same "" "$stderr"
    same 600 "$(stat -c %a fc.db)"
    fc-select devices
    sum=$(sha256sum <fc.db)
    expect 4 fc-store init
    same "fc-store: $T/fc.db: there is a store already" "$stderr"
    same "$sum" "$(sha256sum <fc.db)"
}

@test "init makes the state folder, and no other one" {
    unset FC_STORE
    export FC_STATE=$T/new/state
    expect 0 fc-store init
    same "made sqlite:$T/new/state/fc.db" "$output"
    same 700 "$(stat -c %a new/state)"
    expect 3 fc-store init -S "sqlite:$T/nowhere/fc.db"
    has "$stderr" "fc-store: $T/nowhere/fc.db"
    [ ! -e nowhere ]
}

@test "the store comes from -S, then FC_STORE, then the configuration" {
    echo "store = sqlite:$T/conf.db" >"$FC_CONF"
    FC_STORE='' fc-store init | grep -qx "made sqlite:$T/conf.db"
    fc-store init | grep -qx "made sqlite:$T/fc.db"
    fc-store init -S "sqlite:$T/opt.db" | grep -qx "made sqlite:$T/opt.db"
    echo "store = sqlite:$T/other.db" >other.conf
    FC_STORE='' fc-store init -C other.conf | grep -qx "made sqlite:$T/other.db"
}

@test "what is no store is refused: missing, empty, another file, a newer schema, another URL" {
    expect 3 fc-select devices
    same "fc-select: sqlite:$T/fc.db: no such store (fc-store init makes one)" "$stderr"
    sqlite3 fc.db 'CREATE TABLE t (a)'
    expect 6 fc-select devices
    has "$stderr" "not a store"
    rm fc.db
    seq 2000 >fc.db
    sum=$(sha256sum <fc.db)
    expect 6 fc-apply -n </dev/null
    has "$stderr" "$T/fc.db"
    same "$sum" "$(sha256sum <fc.db)"
    rm fc.db
    fc-store init
    sqlite3 fc.db 'PRAGMA user_version = 1000'
    for c in "fc-select devices" "fc-work drain" "fc-rollout step" "fc-enroll list"; do
        # shellcheck disable=SC2086 # words
        expect 6 $c
        has "$stderr" "the store has schema version 1000"
        same 1 "${#stderr_lines[@]}"
    done
    for url in mysql://x/y https://host/ nonsense; do
        expect 2 fc-work drain -S "$url"
        has "$stderr" "$url"
        same 1 "${#stderr_lines[@]}"
    done
}

@test "an unreadable store, and one that cannot be written, is denied" {
    fc-store init
    if [ "$(id -u)" = 0 ]; then
        chmod 755 "$T"
        expect 5 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ FC_CONF= fc-select devices
    else
        chmod 0 fc.db
        expect 5 fc-select devices
    fi
    has "$stderr" "$T/fc.db"
    same 1 "${#stderr_lines[@]}"
}

@test "a full disk changes nothing, and says so" {
    [ "$(id -u)" = 0 ] || { echo "mounting needs root"; return 1; }
    mkdir full
    mount -t tmpfs -o size=1m tmpfs full
    export FC_STORE=sqlite:$T/full/fc.db
    fc-store init
    sqlite3 full/fc.db .dump >before
    jq -nc '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "big"},
        spec: {config: [{name: "c", inline: [range(4) | {path: "/etc/big\(.)", content: ("x" * 500000)}]}]}}' >big.json
    run --separate-stderr fc-apply big.json
    sqlite3 full/fc.db .dump >after
    umount -l full
    same 1 "$status"
    same 1 "${#stderr_lines[@]}"
    has "$stderr" "full"
    cmp before after
}

@test "the organization is found by name and by UUID" {
    fc-store init
    fc-select devices --org default
    FC_ORG=00000000-0000-0000-0000-000000000000 fc-select devices
    expect 3 fc-select devices --org nobody
    same 'fc-select: Organization of name "nobody" not found' "$stderr"
}

@test "wrong command lines are usage errors" {
    for args in "" "nonsense" "init extra" "init --nonsense" "init -S"; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-store $args
        has "$stderr" "fc-store: "
    done
    expect 0 fc-store -h
    has "$output" "init"
}

@test "a configuration with a mistake is refused with its line" {
    printf '# fine\nstore = x\nnonsense = 1\n' >"$FC_CONF"
    expect 6 fc-store init
    same "fc-store: $FC_CONF:3: unknown key \"nonsense\"" "$stderr"
    expect 3 fc-store init -C missing.conf
    has "$stderr" missing.conf
}

# bars COMMAND FIRST: on a terminal it draws this on stderr first, and takes all of it away.
bars() {
    script -qec "$1 >stdout" log </dev/null >/dev/null || return
    sed -i -e 1d -e '$d' log
    has "$(cat log)" $'\r\e[K'"$2"
    same $'\r\e[K' "$(tail -c 5 log | tr -d '\n')" # the last thing, but for a line break of script's
    hasnt "$(cat stdout)" $'\e'
    $1 2>stderr >/dev/null || return
    same "" "$(cat stderr)"
}

@test "long work shows on a terminal how far it is, and nowhere else" {
    needs script bsdutils
    fc-store init >/dev/null
    jq -nc 'range(1100) | {apiVersion: "v1beta1", kind: "Device", metadata: {name: "d\(.)"}}' >many
    bars 'fc-apply many' 'applying ['
    same 1100 "$(wc -l <stdout)"
    bars 'fc-store export' 'export ['
    cp stdout all
    bars 'fc-store check' 'check ['
    bars 'fc-store gc' 'gc [..............................] 0 of 7'
    bars 'fc-history undo -n --since -1h' 'undoing ['
    bars 'fc-delete -n device -l !x' 'deleting ['
    store_wipe
    fc-store init >/dev/null
    bars 'fc-store import -n all' 'import 1000'
}
