# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets output and stderr; each test has its own T
# Secrets at rest: sealed in every row, masked on every way out, kept, moved to another key.

load helpers

setup() {
    fc_setup
    KEY=$FC_STATE/secret.key
    fc-store init >/dev/null
    repository alpha orange-secret >alpha.json
    repository beta banana-secret >beta.json
}
teardown() { fc_teardown; }

# repository NAME PASSWORD [USER]
repository() {
    jq -nc --arg n "$1" --arg p "$2" --arg u "${3:-robot}" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Repository", metadata: {name: $n}, spec: {type: "git", url: "https://git.example/a",
        httpConfig: {username: $u, password: $p, "tls.crt": ($p + "-crt"),
        "tls.key": ($p + "-key")}}}'
}

# All that the store has on disk.
raw() {
    case $FC_STORE in
    sqlite:*) cat "$T"/fc.db* ;;
    *) pg_dump "$FC_STORE" ;;
    esac
}

# sealed NAME: the text that is stored for its password; of all documents, with `docs`.
sealed() { store_sql "SELECT spec FROM resource WHERE name = '$1'" | jq -r .httpConfig.password; }
docs() {
    store_sql "SELECT spec FROM resource WHERE kind = 6" | jq -r '.httpConfig | .password, ."tls.key"'
    store_sql "SELECT doc FROM revision WHERE kind = 6 AND doc IS NOT NULL" |
        jq -r '.spec.httpConfig | .password, ."tls.key"'
}
# all_by ID: is everything sealed, with this key?
all_by() { [ -n "$(docs)" ] && ! docs | grep -v "^fc-seal:1:$1:"; }
key_id() { head -1 "$KEY" | cut -d' ' -f1; }
change() { fc-apply "$1" | cut -d' ' -f2; }
new_key() { echo "$1 $(head -c 32 /dev/urandom | base64)"; }

@test "a secret is nowhere in clear: not in the database, its journal or a revision" {
    same 600 "$(stat -c %a "$KEY")"
    case $FC_STORE in
    sqlite:*) # somebody has it open, so that the journal stays
        mkfifo hold
        sqlite3 fc.db <hold >held 2>&1 3>&- 4>&- &
        echo $! >>"$T/pids"
        exec 9>hold
        echo 'SELECT 1 FROM meta LIMIT 1;' >&9
        wait_for grep -q 1 held
        ;;
    esac
    same created "$(change alpha.json)"
    repository alpha peach-secret >alpha.json
    same updated "$(change alpha.json)"
    case $FC_STORE in sqlite:*) [ -s fc.db-wal ] ;; esac
    raw | grep -q fc-seal:1:
    raw | grep -q git.example
    [ "$(raw | grep -Ec '(orange|peach)-secret')" = 0 ]
    exec 9>&-
    all_by "$(key_id)"
    same 4 "$(docs | sort -u | grep -c .)" # two of the resource are those of the last revision
}

@test "it is masked on every way out, and comes in again as it was" {
    fc-apply alpha.json
    for format in json yaml; do
        fc-select repository/alpha -o $format >out
        hasnt "$(cat out)" fc-seal
        hasnt "$(cat out)" orange
        same 3 "$(grep -o '\*\*\*\*\*' out | grep -c .)"
    done
    fc-select repository/alpha -o json >masked.json
    fc-select events -o json >out
    hasnt "$(cat out)" orange
    hasnt "$(cat out)" fc-seal
    before=$(sealed alpha)
    same unchanged "$(change masked.json)"
    same unchanged "$(change alpha.json)"
    jq -c '.spec.httpConfig.username = "other" | del(.metadata.resourceVersion)' masked.json >edit.json
    same updated "$(change edit.json)"
    same "$before" "$(sealed alpha)"
    repository alpha orange-secret other >alpha.json
    same unchanged "$(change alpha.json)"
}

@test "equal secrets look different, in two places and each time" {
    repository beta orange-secret >beta.json
    fc-apply alpha.json beta.json
    [ "$(sealed alpha)" != "$(sealed beta)" ]
    docs | sort -u >first
    fc-delete repository/alpha repository/beta -y
    fc-apply alpha.json beta.json
    store_sql "SELECT spec FROM resource WHERE kind = 6" | jq -r .httpConfig.password |
        while read -r text; do ! grep -Fq "$text" first || return 1; done
}

@test "the sealed form, and a mask that stands for nothing, are refused with their path" {
    jq -c '.spec.httpConfig.password = "fc-seal:1:abc:AAAA"' alpha.json >bad.json
    expect 6 fc-apply bad.json
    same "fc-apply: bad.json:1: spec.httpConfig.password: must not begin with fc-seal:" "$stderr"
    fc-apply alpha.json
    jq -c --arg s "$(sealed alpha)" '.spec.httpConfig.password = $s' alpha.json >bad.json
    expect 6 fc-apply bad.json
    jq -c '.spec.httpConfig.token = "*****" | del(.spec.httpConfig.password)' alpha.json >bad.json
    expect 6 fc-apply bad.json
    has "$stderr" 'spec.httpConfig.token: "*****" stands for a value that is stored'
    jq -c '.spec.httpConfig.password = 12345678' alpha.json >bad.json
    expect 6 fc-apply bad.json
    has "$stderr" "spec.httpConfig.password: must be a string"
    hasnt "$stderr" 12345678
}

@test "without its key nothing is sealed; reading and what is masked go on" {
    fc-apply alpha.json
    fc-select repository/alpha -o json >masked.json
    mv "$KEY" away
    expect 1 fc-apply beta.json
    has "$stderr" "spec.httpConfig.password: $KEY: the key for secrets is missing"
    expect 1 fc-apply alpha.json
    expect 3 fc-select repository/beta
    fc-select repository/alpha
    jq -c '.spec.url = "https://git.example/b"' masked.json >edit.json
    same updated "$(change edit.json)"
    expect 1 fc-store rekey
    has "$stderr" "$KEY: is missing, and with it the key $(cut -d' ' -f1 away)"
    expect 1 fc-store rekey -n
    has "$stderr" "$KEY: is missing"
    mv away "$KEY"
    jq -c '.spec.url = "https://git.example/b"' alpha.json >edit.json
    same unchanged "$(change edit.json)"
}

@test "a key file that others may open, or that is malformed, is named" {
    bad() { # WHAT: the message
        expect 1 fc-apply alpha.json
        has "$stderr" "$KEY$1"
    }
    chmod 640 "$KEY"
    bad ": keys that others may open (mode 0640); chmod 600"
    chmod 600 "$KEY"
    cp "$KEY" good
    if [ "$(id -u)" = 0 ]; then
        chown 65534 "$KEY"
        bad ": belongs to another account (user id 65534)"
        chown 0 "$KEY"
    fi
    : >"$KEY"
    bad ": there is no key in it"
    echo "a $(head -c 31 /dev/zero | base64)" >"$KEY"
    bad ":1: a key of 31 bytes, not 32"
    { cat good; echo "a AAAA====AAAA"; } >"$KEY"
    bad ":2: the key is not base64"
    echo "$(head -c 32 /dev/zero | base64)" >"$KEY"
    bad ":1: must be an ID"
    cat good good >"$KEY"
    bad ":2: there is a key of ID $(cut -d' ' -f1 good) already"
    rm "$KEY"
    mkdir "$KEY"
    bad ": not a file"
    rmdir "$KEY"
    { echo "# a comment"; echo; cat good; } >"$KEY"
    chmod 600 "$KEY"
    fc-apply alpha.json
}

@test "the key comes from the configuration, or from systemd" {
    mkdir credentials
    new_key fromsystemd >credentials/fc-secret-key
    chmod 440 credentials/fc-secret-key # as systemd gives it to a service of another account
    CREDENTIALS_DIRECTORY=$T/credentials fc-apply alpha.json
    all_by fromsystemd
    expect 1 env CREDENTIALS_DIRECTORY="$T/credentials" fc-store rekey
    has "$stderr" "keys that come as a credential are changed where they are kept"
    new_key fromconf >conf.key
    cat credentials/fc-secret-key >>conf.key
    chmod 600 conf.key
    printf '[secrets]\nkey-file = %s\n' "$T/conf.key" >"$FC_CONF"
    fc-apply beta.json
    has "$(sealed beta)" fc-seal:1:fromconf:
    has "$(sealed alpha)" fc-seal:1:fromsystemd:
    same unchanged "$(change alpha.json)"
}

@test "the first key seals, all open; a host without the newest one seals nothing" {
    fc-apply alpha.json
    cp "$KEY" old
    { new_key second; cat old; } >"$KEY"
    fc-apply beta.json
    has "$(sealed beta)" fc-seal:1:second:
    same unchanged "$(change alpha.json)"
    cp "$KEY" both
    cp old "$KEY"
    repository alpha other-secret >alpha.json
    expect 1 fc-apply alpha.json
    has "$stderr" "$KEY: has no key second, with which the secrets of this store are sealed"
    cp both "$KEY"
    fc-apply alpha.json
    all_of=$(docs | grep -c "^fc-seal:1:second:")
    same 8 "$all_of"
}

@test "a secret that was altered, or moved from another repository, does not open" {
    fc-apply alpha.json beta.json
    a=$(sealed alpha)
    b=$(sealed beta)
    store_sql "UPDATE resource SET spec = replace(spec, '$a', '$b') WHERE name = 'alpha'"
    expect 6 fc-store rekey
    has "$stderr" "repository/alpha: spec.httpConfig.password: cannot be opened: altered, moved"
    has "$stderr" "1 secrets could not be opened"
    same 2 "$(grep -c . "$KEY")" # the old key stays, and all but that one have moved
    all_by "$(key_id)" && return 1
    same "$b" "$(docs | grep -v "^fc-seal:1:$(key_id):")"
    # Writing it again heals it, and says so.
    expect 0 fc-apply alpha.json
    same "repository/alpha updated" "$output"
    has "$stderr" "what was stored cannot be opened and is replaced"
    fc-store rekey
    same 1 "$(grep -c . "$KEY")"
    all_by "$(key_id)"
}

@test "what no key opens is listed, and given up when that is wanted" {
    fc-apply alpha.json beta.json >/dev/null
    repository alpha plum-secret >alpha.json
    fc-apply alpha.json >/dev/null
    fc-select repository/alpha -o json >masked.json
    old=$(key_id)
    mv "$KEY" away
    # 3 secrets each in 2 resources and 3 revisions.
    expect 1 fc-store rekey -n
    same 15 "$(grep -c "cannot be opened: there is no key $old" <<<"$stderr")"
    has "$stderr" "repository/alpha revision 1: spec.httpConfig.password: cannot be opened"
    has "$stderr" "--abandon gives them up"
    expect 2 fc-store rekey --abandon </dev/null
    has "$stderr" "repository/alpha: spec.httpConfig.tls.key: cannot be opened"
    has "$stderr" "-y goes without a question"
    [ ! -e "$KEY" ]
    run script -qec 'fc-store rekey --abandon' /dev/null <<<n
    has "$output" "Give up 15 secrets for good? [y/N]"
    has "$output" "nothing was changed"
    expect 0 fc-store rekey -n --abandon
    same "would seal 2 resources and 3 revisions with a new key, give up 15 secrets" "$output"
    [ ! -e "$KEY" ]
    expect 0 fc-store rekey --abandon -y
    same "sealed 2 resources and 3 revisions with key $(key_id), gave up 15 secrets" "$output"
    same 15 "$(grep -c "cannot be opened" <<<"$stderr")"
    same '"***** (lost)"' "$(fc-select repository/alpha -q .spec.httpConfig.password)"
    same 0 "$(raw | grep -c fc-seal:1:)"
    # Everything goes on; what was lost shows until it is set again.
    expect 0 fc-store rekey -n
    same 6 "$(grep -c "was given up: it must be set again" <<<"$stderr")"
    expect 0 fc-store check
    expect 6 fc-apply masked.json
    has "$stderr" '"*****" stands for a value that is stored, and there is none'
    expect 0 fc-patch repository/beta -p '{"metadata":{"labels":{"a":"b"}}}'
    has "$stderr" "repository/beta: spec.httpConfig.password: was lost with its key"
    expect 0 fc-apply alpha.json
    same "repository/alpha updated" "$output"
    same "" "$stderr"
    same '"*****"' "$(fc-select repository/alpha -q .spec.httpConfig.password)"
    expect 0 fc-history undo repository/alpha
    has "$stderr" "was lost with its key: it must be set again"
    fc-apply alpha.json beta.json >/dev/null
    expect 0 fc-store rekey -n
    same "" "$stderr"
    repository gamma '***** (lost)' >gamma.json
    expect 6 fc-apply gamma.json
    has "$stderr" "stands for a value that was lost: it must be set again"
}

@test "another key of the same ID does not open" {
    fc-apply alpha.json
    new_key "$(key_id)" >"$KEY"
    expect 0 fc-apply alpha.json
    has "$stderr" "sealed by another key of ID"
    same "repository/alpha updated" "$output"
}

@test "fc-store rekey seals everything with a new key, and nobody notices" {
    fc-apply alpha.json beta.json
    repository alpha peach-secret >alpha.json
    fc-apply alpha.json
    fc-select repositories -o json >before
    events=$(fc-select events -o json | grep -c .)
    old=$(key_id)
    expect 0 fc-store rekey -n
    same "would seal 2 resources and 3 revisions with a new key" "$output"
    same "$old" "$(key_id)"
    all_by "$old"
    expect 0 fc-store rekey
    [ "$old" != "$(key_id)" ]
    same "sealed 2 resources and 3 revisions with key $(key_id), dropped 1 old keys" "$output"
    same 1 "$(grep -c . "$KEY")"
    same 600 "$(stat -c %a "$KEY")"
    all_by "$(key_id)"
    fc-select repositories -o json | cmp - before
    same "$events" "$(fc-select events -o json | grep -c .)"
    same unchanged "$(change alpha.json)"
    expect 0 fc-store rekey --keep-old
    hasnt "$output" dropped
    same 2 "$(grep -c . "$KEY")"
    all_by "$(key_id)"
    # A key that somebody has put first is taken, so that it can be distributed before.
    { new_key mine; cat "$KEY"; } >k
    cat k >"$KEY"
    expect 0 fc-store rekey
    same "sealed 2 resources and 3 revisions with key mine, dropped 2 old keys" "$output"
}

@test "fc-store rekey seals what an older version has stored in clear" {
    fc-apply alpha.json beta.json
    store_sql "UPDATE resource SET spec = replace(spec, '$(sealed alpha)', 'orange-secret')
        WHERE name = 'alpha'"
    same unchanged "$(change alpha.json)"
    raw | grep -q orange-secret
    fc-store rekey
    all_by "$(key_id)"
    [ "$(raw | grep -c orange-secret)" = 0 ]
    same unchanged "$(change alpha.json)"
}

@test "fc-store rekey, killed at any of its writes, ends where it would have" {
    needs strace strace
    fc-apply alpha.json beta.json
    calls=pwrite64,fsync,fdatasync,rename,sendto
    strace -qq -f -o trace -e trace=$calls fc-store rekey >/dev/null
    for call in ${calls//,/ }; do
        last=$(grep -Ec "^[0-9]+ +$call\(" trace || :)
        for ((at = 1; at <= last; at++)); do
            (strace -qq -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$at" \
                fc-store rekey) >/dev/null 2>&1 || :
            expect 0 fc-store rekey || return
            same 1 "$(grep -c . "$KEY")" || return
            all_by "$(key_id)" || { echo "$call $at"; return 1; }
            same "unchanged unchanged" "$(fc-apply alpha.json beta.json | cut -d' ' -f2 | xargs)" ||
                return
        done
    done
    same 0 "$(find "$FC_STATE" -name '.fc-*' ! -newer alpha.json | grep -c .)"
}

@test "fc-store rekey beside others that write" {
    for n in $(seq 60); do repository "r$n" "secret-$n"; done >many.json
    fc-apply many.json >/dev/null
    for n in $(seq 20); do
        repository "r$n" "secret-$n" "user-$n" | fc-apply >/dev/null 2>>errors || echo "$?" >>failed
        repository "r$n" "other-$n" | fc-apply >/dev/null 2>>errors || echo "$?" >>failed
    done &
    writer=$!
    while kill -0 $writer 2>/dev/null; do fc-store rekey >>rekeyed; done
    wait $writer
    [ ! -e failed ] || { cat errors; return 1; }
    grep -q 'dropped 1 old keys' rekeyed
    same 1 "$(grep -c . "$KEY")"
    all_by "$(key_id)"
    for n in $(seq 60); do
        if [ "$n" -le 20 ]; then repository "r$n" "other-$n"; else repository "r$n" "secret-$n"; fi
    done >now.json
    same "60 unchanged" "$(fc-apply now.json | cut -d' ' -f2 | sort | uniq -c | xargs)"
}

@test "libcrypto comes with a secret alone" {
    jq -c 'del(.spec.httpConfig)' alpha.json >plain.json
    LD_DEBUG=files LD_DEBUG_OUTPUT=$T/ld fc-apply plain.json
    # libpq brings its own.
    case $FC_STORE in sqlite:*) ! grep -l libcrypto "$T"/ld.* || return 1 ;; esac
    rm "$T"/ld.*
    LD_DEBUG=files LD_DEBUG_OUTPUT=$T/ld fc-apply beta.json
    grep -q libcrypto "$T"/ld.*
}
