#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Which shared libraries each command loads: every one costs each request a good part of a
# millisecond, so a large one comes by a module, when it is needed.
load helpers

setup() {
    fc_setup
    # libonig comes with libjq; the sanitizers bring their own.
    hot="libc libjq libm libmd libonig libsqlite3"
}
teardown() { fc_teardown; }

# The names before .so, without the loader, the sanitizers' libraries and ours.
names() {
    sed -n 's|.*/\(lib[^/ ]*\)\.so.*|\1|p; s|^\(lib[^/ ]*\)\.so.*|\1|p' |
        grep -Ev '^lib(asan|ubsan|lsan|gcc_s|stdc\+\+|dl|pthread|rt)$' | sort -u |
        sed 's/-[0-9.]*$//' | paste -sd' '
}

# Those that the command names, and theirs.
linked() { ldd "$BUILD/bin/$1" | sed 's/^[ \t]*//' | names; }

# Those that a run maps, modules' too. Its output goes to $T/out.
loaded() {
    LD_DEBUG=files LD_DEBUG_OUTPUT="$T/ld" "$@" >"$T/out" 2>"$T/err"
    cat "$T"/ld.* | sed -n 's/.*calling init: //p' | grep -v 'modules/fc_' | names
    rm -f "$T"/ld.*
}

# only ALLOWED FOUND: each found one is allowed.
only() {
    local lib

    for lib in $2; do
        [[ " $1 " == *" $lib "* ]] || { echo "$lib is loaded; allowed: $1"; return 1; }
    done
}

@test "hot commands are linked with libc, libm, libsqlite3, libjq and libmd alone" {
    local c

    for c in fc-api fc-apply fc-delete fc-history fc-login fc-patch fc-render fc-rollout fc-select fc-simulate \
        fc-store fc-watch; do
        echo "$c: $(linked "$c")"
        only "$hot" "$(linked "$c")"
    done
}

@test "those that sign are linked with libcrypto beside" {
    local c

    for c in fc-sign fc-enroll fc-work; do
        echo "$c: $(linked "$c")"
        only "$hot libcrypto" "$(linked "$c")"
    done
}

@test "the agent has no database" {
    only "libc libjq libm libmd libonig" "$(linked fc-agent)"
}

@test "no module carries a second copy of another's library" {
    local m

    for m in "$BUILD"/bin/modules/fc_*.so; do
        m=${m##*/}
        echo "$m: $(linked "modules/$m")"
        case $m in
        fc_yaml.so) only "$hot libyaml" "$(linked "modules/$m")" ;;
        fc_crypto.so | fc_identity.so) only "$hot libcrypto" "$(linked "modules/$m")" ;;
        fc_serve.so)
            only "$hot libcrypto libssl libevent libevent_openssl libevent_core" \
                "$(linked "modules/$m")"
            ;;
        fc_jose.so) only "$hot libcrypto libcjose libjansson" "$(linked "modules/$m")" ;;
        fc_postgres.so) linked "modules/$m" | grep -w libpq ;; # and a dozen of its own
        fc_curl.so) ;; # libcurl brings a dozen: that is what the module is for
        *) echo "$m: not in this table"; return 1 ;;
        esac
    done
}

@test "a run of fc-select and fc-apply on JSON loads nothing more; YAML brings libyaml" {
    echo '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"d1"},"spec":{}}' \
        >"$T/d.json"
    printf 'apiVersion: flightctl.io/v1beta1\nkind: Device\nmetadata: {name: d2}\nspec: {}\n' \
        >"$T/d.yaml"
    fc-store init
    same "$hot" "$(loaded fc-apply -f "$T/d.json")"
    same "$hot" "$(loaded fc-select device/d1 -o json)"
    grep -q '"d1"' "$T/out"
    loaded fc-apply -f "$T/d.yaml" | grep -w libyaml
    fc-select device/d2
    # A certificate request is parsed by the crypto module, and by nothing else.
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout k -subj /CN=x \
        -out csr 2>/dev/null
    jq -nc --rawfile csr csr '{apiVersion: "flightctl.io/v1beta1", kind: "EnrollmentRequest",
        metadata: {name: "x"}, spec: {csr: $csr}}' >er.json
    loaded fc-apply -f er.json | grep -w libcrypto
    fc-select enrollmentrequest/x
}

@test "a store of PostgreSQL brings libpq, to no command before it is asked for" {
    local c

    for c in "$BUILD"/bin/fc-*; do
        hasnt "$(linked "${c##*/}")" libpq
    done
    pg_cluster
    pg_database
    fc-store init
    loaded fc-select devices | grep -w libpq
    export FC_STORE=sqlite:$T/fc.db
    fc-store init
    same "$hot" "$(loaded fc-select devices)"
}

@test "an API as a store brings libcurl, and no database" {
    fc-store init
    make_ca
    same "$hot" "$(loaded fc-select devices)"
    printf '[client]\nca-file = %s\ncertificate-file = %s\nkey-file = %s\n' \
        "$FC_STATE/ca/ca.crt" "$T/admin.crt" "$T/admin.key" >"$FC_CONF"
    start_api
    loaded fc-select -S "$API_URL" devices | grep -w libcurl
}
