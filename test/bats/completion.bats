# SPDX-License-Identifier: Apache-2.0
# once: completion scripts are the same whatever the build
# shellcheck disable=SC2016,SC2154 # zsh and fish have their own variables; helpers set TOP
# Completion of resources' names, from the store that is configured.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    {
        seq -f '%03.0f' 150 | sed 's/.*/{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d&"},"spec":{}}/'
        for name in shops depot; do
            echo "{\"apiVersion\":\"v1beta1\",\"kind\":\"Fleet\",\"metadata\":{\"name\":\"$name\"},\"spec\":{\"selector\":{},\"template\":{\"spec\":{}}}}"
        done
    } | fc-apply >/dev/null
}
teardown() { fc_teardown; }

# completed WORD ...: what bash offers for the last one, in a line.
completed() {
    local COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()

    # shellcheck disable=SC1090 # any of them
    source "$TOP/share/completions/bash/$1"
    "_${1//-/_}"
    echo "${COMPREPLY[*]}"
}

@test "bash: names after a kind, behind a slash, of a kind of its own, at most 100" {
    same "device" "$(completed fc-delete dev)"
    same "depot shops" "$(completed fc-select fleets '')"
    same "d120 d121 d122 d123 d124 d125 d126 d127 d128 d129" "$(completed fc-select -o json devices d001 d12)"
    same "devices/d140 devices/d141 devices/d142 devices/d143 devices/d144 devices/d145 devices/d146 devices/d147 devices/d148 devices/d149" \
        "$(completed fc-select devices/d14)"
    same 100 "$(completed fc-patch device '' | wc -w)"
    same 100 "$(completed fc-watch devices/ | wc -w)"
    same "fleet/shops" "$(completed fc-history fleet/s)"
    same "undo" "$(completed fc-history u)"
    same "fleet/shops" "$(completed fc-history undo fleet/s)"
    same "shops" "$(completed fc-rollout retry s)"
    same "d007" "$(completed fc-render d007)"
    same "depot" "$(completed fc-select templateversions --fleet d)"
    same "device/d150" "$(completed fc-select events --of device/d15)"
}

@test "bash: where there is nothing to be had, nothing is said" {
    same "" "$(completed fc-select devices x 2>&1)"
    same "" "$(completed fc-select nonsense/ 2>&1)"
    export FC_STORE="sqlite:$PWD/none.db"
    same "" "$(completed fc-select devices d 2>&1)"
    same "devices" "$(completed fc-select dev 2>&1)"
    export FC_STORE=https://127.0.0.1:1
    same "" "$(completed fc-delete device/d 2>&1)"
}

@test "fish and zsh: the same names" {
    offers() { fish --no-config -c "source $TOP/share/completions/fish/$1.fish; complete -C '$2'" | cut -f 1 | paste -sd' '; }
    needs fish fish
    needs zsh zsh
    same "d120 d121 d122 d123 d124 d125 d126 d127 d128 d129" "$(offers fc-select 'fc-select -o json devices d12')"
    same "devices/d150" "$(offers fc-select 'fc-select devices/d15')"
    same "shops" "$(offers fc-rollout 'fc-rollout retry s')"
    same "fleet/depot fleet/shops" "$(offers fc-history 'fc-history fleet/')"
    found() {
        zsh -fc 'compdef() { :; }; compadd() { shift; print -- $@; }; f=$1; PREFIX=$2; shift 2
            line=("$@"); source $f; _fc_names "device fleet"' zsh "$TOP/share/completions/zsh/_fc-delete" "$@"
    }
    same "d150" "$(found d15 device d15)"
    same "device/d150" "$(found device/d15 device/d15)"
    same "device fleet" "$(found de de)"
}

@test "fc-select --prefix: resources by the beginning of their names" {
    same "device/d149
device/d140" "$(fc-select devices --prefix d14 -o name | sed -n '10p;1p' | sort -r)"
    same 10 "$(fc-select devices --prefix d14 -o name | wc -l)"
    same "device/d100" "$(fc-select devices --prefix d1 --limit 1 -o name)"
    same "fleet/shops" "$(fc-select fleets --prefix s -o name)"
    same "templateversion/shops/v1" "$(fc-select templateversions --prefix shops/ -o name)"
    expect 0 fc-select devices --prefix e
    same "" "$output"
    for args in 'devices d001' 'devices --count' 'devices --at -1h' 'events' 'labels' 'templateversions --fleet shops'; do
        # shellcheck disable=SC2086 # words
        expect 2 fc-select $args --prefix d
        has "$stderr" "--prefix goes with resources"
    done
}
