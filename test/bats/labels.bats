# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr
# databases: both
# The label catalogue: which labels devices have, each once.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    seq 5 | jq -c '{apiVersion: "v1beta1", kind: "Device", metadata: {name: "d\(.)", labels: {
        site: (if . % 2 == 0 then "berlin" else "paris" end), alias: "a\(.)", app: "kiosk",
        A: "", "example.com/x": "1"}}}' | fc-apply >/dev/null
}
teardown() { fc_teardown; }

labels() { fc-select labels "$@" -o name | paste -sd' '; }

@test "each label once, in order, as a text; a table shows its parts" {
    same 'A= alias=a1 alias=a2 alias=a3 alias=a4 alias=a5 app=kiosk example.com/x=1 site=berlin site=paris' \
        "$(labels)"
    same '"A="' "$(fc-select lbl --limit 1)"
    same 'alias=a1' "$(labels --limit 2 | cut -d' ' -f2)"
    same 'KEY   VALUE
site  berlin
site  paris' "$(fc-select labels -o table --field-selector metadata.labels.key=site)"
    # What no device has any more is gone; other kinds and organizations are not asked.
    fc-delete -y device/d1 >/dev/null
    hasnt "$(labels)" alias=a1
    jq -nc '{apiVersion: "v1beta1", kind: "Organization", metadata: {name: "o",
        labels: {tier: "gold"}}}' | fc-apply
    hasnt "$(labels)" tier
    same "" "$(labels --org o)"
}

@test "by fields of a label, by devices, by both" {
    same 'site=berlin site=paris' "$(labels --field-selector metadata.labels.key=site)"
    same 'alias=a1 alias=a2' \
        "$(labels --field-selector 'metadata.labels.key=alias,metadata.labels.value in (a1,a2,kiosk)')"
    same 'app=kiosk site=paris' "$(labels --field-selector 'metadata.labels.keyOrValue in (app,paris)')"
    same 'A= example.com/x=1' "$(labels --field-selector \
        'metadata.labels.key notin (alias,site),metadata.labels.keyOrValue!=kiosk')"
    same 'A= alias=a2 alias=a4 app=kiosk example.com/x=1 site=berlin' "$(labels -l site=berlin)"
    same 'alias=a3 site=paris' "$(labels --field-selector \
        'metadata.name=d3,metadata.labels.key in (alias,site)')"
    same 'alias=a3 site=paris' "$(labels --field-selector \
        'metadata.name in (d2,d3),metadata.name=d3,metadata.labels.key in (alias,site)')"
    same '' "$(labels --field-selector metadata.name=d2,metadata.name=d3)"
    same '' "$(labels --field-selector metadata.name=nobody,metadata.name=d3)"
    same 'site=paris' "$(labels -l alias=a3 --field-selector metadata.labels.key=site)"
    same '' "$(labels -l site=nowhere)"
}

@test "all operators that strings have" {
    same 'A= alias=a1 app=kiosk' "$(labels --field-selector \
        'metadata.labels.value notin (berlin,paris,1),metadata.name notin (d2,d3,d4),metadata.name!=d5')"
    same 'example.com/x=1' "$(labels --field-selector 'metadata.labels.key contains ple.c')"
    same 'app=kiosk site=berlin site=paris' "$(labels --field-selector \
        'metadata.labels.value contains i,metadata.labels.value')"
    same 'alias=a1 app=kiosk site=berlin site=paris' "$(labels --field-selector \
        'metadata.labels.value notin (a2,a3,a4,a5),metadata.labels.keyOrValue contains s,metadata.labels.key notcontains A')"
    same 'A= app=kiosk example.com/x=1' "$(labels --field-selector \
        'metadata.labels.keyOrValue notcontains ia,metadata.labels.key!=site')"
    same 'A=' "$(labels --field-selector 'metadata.labels.value=')"
    same '' "$(labels --field-selector '!metadata.labels.value')"
    same '' "$(labels --field-selector '!metadata.name')"
    same 'alias=a2' "$(labels --field-selector \
        'metadata.name in (d1,d2),metadata.name contains 2,metadata.labels.key=alias')"
    # The label of some device that is not it.
    same 'site=berlin site=paris' "$(labels --field-selector metadata.labels.key=site,metadata.name!=d2)"
}

@test "a limit that cuts says so" {
    expect 0 fc-select labels -o name --limit 2 --field-selector metadata.labels.key=alias
    same $'alias=a1\nalias=a2' "$output"
    same "fc-select: there are more than --limit 2" "$stderr"
    expect 0 fc-select labels -o name --limit 2 --field-selector metadata.labels.key=site
    same $'site=berlin\nsite=paris' "$output"
    same "" "$stderr"
}

@test "what is wrong is said" {
    expect 6 fc-select labels --field-selector metadata.owner=x
    same 'fc-select: field selector: at 1: unable to resolve selector name "metadata.owner". Supported selectors are: [metadata.name, metadata.labels.key, metadata.labels.value, metadata.labels.keyOrValue]' \
        "$stderr"
    expect 6 fc-select labels --field-selector 'metadata.labels.key contains a%b'
    expect 6 fc-select labels --field-selector 'metadata.labels.value>a'
    has "$stderr" 'at 22: unsupported operator ">" for metadata.labels.value'
    expect 6 fc-select labels --field-selector 'a in ('
    expect 2 fc-select label/x
    expect 2 fc-delete -y label/x
    expect 6 fc-apply <<<'{"apiVersion":"v1beta1","kind":"Label","metadata":{"name":"x"}}'
    has "$stderr" "resources of this kind are made by the system"
}

@test "over the API" {
    make_ca
    start_api
    same '["alias=a3"]
200' "$(api admin '/api/v1/labels?kind=Device&fieldSelector=metadata.labels.value%20contains%20a3,metadata.name!%3Dd1')"
    get() { api admin "/api/v1/labels?$1" | sed '$!d;s/^/status /'; }
    same '["A=","alias=a1"]
200' "$(api admin '/api/v1/labels?kind=Device&limit=2')"
    same '["site=berlin"]
200' "$(api admin '/api/v1/labels?kind=Device&labelSelector=alias%3Da2&fieldSelector=metadata.labels.key%3Dsite')"
    same '[]
200' "$(api admin '/api/v1/labels?kind=Device&labelSelector=x')"
    same 'status 400' "$(get kind=Fleet)"
    same 'status 400' "$(get limit=1)"
    same 'status 400' "$(get 'kind=Device&limit=1001')"
    same 'status 400' "$(get 'kind=Device&fieldSelector=bogus%3Dx')"
    has "$(api admin '/api/v1/labels?kind=Device&fieldSelector=bogus%3Dx')" \
        'fieldSelector: at 1: unable to resolve selector name \"bogus\"'
}

@test "of many devices it takes as long as there are labels" {
    local count=() many=20000

    [[ $FC_STORE == sqlite:* ]] || many=2000 # it is counted there
    seq $many | jq -c '{apiVersion: "v1beta1", kind: "Device", metadata: {name: "m\(.)", labels: {
        site: "s\(. % 7)", alias: "m\(.)"}}}' | fc-apply >/dev/null
    # The catalogue of one key steps over all values of the others.
    case $FC_STORE in
    sqlite:*)
        needs strace strace
        count=(strace -f -e trace=pread64 -o trace)
        ;;
    *) touch trace ;;
    esac
    "${count[@]}" "$BUILD/bin/fc-select" labels -o name \
        --field-selector metadata.labels.key=site >out
    same 9 "$(wc -l <out)"
    [ "$(grep -c pread64 trace)" -lt 200 ]
}
