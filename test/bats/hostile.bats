# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets stderr; others expand
# Input that means harm: refused with the reason, in bounded time and memory, and nothing changes.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    jq -nc '{apiVersion: "v1beta1", kind: "Device", metadata: {name: "there"}}' | fc-apply >/dev/null
    before=$(state)
}
teardown() { fc_teardown; }

# What a user can see of the store.
state() {
    for kind in devices fleets repositories organizations events; do
        fc-select $kind -o json --limit 0
    done
}

# refused FILE TEXT: status 6 and the reason, within 20 seconds and 1.5 GB (the address space is not
# bounded where a sanitizer needs all of it), and the store is as it was.
refused() {
    local limit=1500000

    ! sanitized || limit=unlimited
    expect 6 timeout 20 bash -c 'ulimit -v "$1" && exec fc-apply -f "$2"' - "$limit" "$1"
    same "" "$output"
    has "$stderr" "$2"
    [ "${#stderr}" -lt 10000 ] || { echo "${#stderr} bytes of messages"; return 1; }
    same "$before" "$(state)"
}

device() { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"%s"%s}}\n' "$1" "${2:-}"; }

@test "a manifest of 100 MB: one document, many files' worth of text, and more than a stream may have" {
    { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x"},"spec":{"x":"'
        head -c 100000000 /dev/zero | tr '\0' a
        printf '"}}'; } >big.json
    refused big.json "big.json:1: "
    { printf 'apiVersion: v1beta1\nkind: Device\nmetadata: {name: x}\nspec:\n  x: '
        head -c 100000000 /dev/zero | tr '\0' a; } >big.yaml
    refused big.yaml "big.yaml:"
    rm big.*
    head -c 300000000 /dev/zero | tr '\0' ' ' >blank.json
    refused blank.json "blank.json: "
}

@test "a million labels, a million members, a million elements" {
    { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x","labels":{'
        seq -f '"k%.0f":"v",' 1000000 | tr -d '\n'
        printf '"z":"v"}}}'; } >labels.json
    refused labels.json "labels.json:1: too many members in one object"
    { printf 'apiVersion: v1beta1\nkind: Device\nmetadata:\n  name: x\n  labels:\n'
        seq -f '    k%.0f: v' 1000000; } >labels.yaml
    refused labels.yaml "labels.yaml:5006: too many members in one object"
    { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x"},"spec":{"config":['
        seq 1000000 | paste -sd, | tr -d '\n'
        printf ']}}'; } >list.json
    refused list.json "list.json:1: spec.config[0]: must be an object"
}

@test "deep nesting, alias bombs" {
    { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x"},"spec":'
        head -c 1000000 /dev/zero | tr '\0' '['; } >deep.json
    refused deep.json "deep.json:1: "
    { printf 'a: '; head -c 1000000 /dev/zero | tr '\0' '['; } >deep.yaml
    refused deep.yaml "deep.yaml:1: "
    {
        echo 'a: &a [x, x, x, x, x, x, x, x, x, x]'
        p=a
        for n in b c d e f g h i; do
            echo "$n: &$n [*$p, *$p, *$p, *$p, *$p, *$p, *$p, *$p, *$p, *$p]"
            p=$n
        done
    } >bomb.yaml
    refused bomb.yaml "bomb.yaml:"
}

@test "NUL and invalid UTF-8" {
    device "a\\u0000b" >nul.json
    refused nul.json "nul.json:1: \\u0000 is not allowed"
    device x ',"labels":{"a\u0000b":"c"}' >nul.json
    refused nul.json "nul.json:1: \\u0000 is not allowed"
    device "a_b" | tr _ '\0' >nul.json
    refused nul.json "nul.json:1: "
    device "a_b" | tr _ '\377' >utf8.json
    refused utf8.json "utf8.json:1: "
    printf 'apiVersion: v1beta1\nkind: Device\nmetadata: {name: "a\300\257b"}\n' >utf8.yaml
    refused utf8.yaml "utf8.yaml:"
    printf 'apiVersion: v1beta1\nkind: Device\nmetadata: {name: "a\\0b"}\n' >nul.yaml
    refused nul.yaml "nul.yaml:"
    device "a\\ud800b" >half.json
    refused half.json "half.json:1: "
}

@test "names that try SQL, paths, options, terminals" {
    local n=0 name

    for name in '../x' '../../etc/passwd' "a'; drop table resource;--" 'a" OR 1=1 --' 'x/y' '.' '..' \
        '-rf' '--org' '%s%n' $'\e[2J' $'a\nb' '*' 'a b' '~' '`id`' "$(printf 'x%.0s' {1..300})"; do
        jq -nc --arg n "$name" '{apiVersion: "v1beta1", kind: "Device", metadata: {name: $n}}' \
            >name.json
        refused name.json "name.json:1: metadata.name: "
        hasnt "$stderr" $'\e'
        n=$((n + 1))
    done
    [ $n = 17 ]
    # As values they are text like any other.
    jq -nc --arg t "'); drop table label; --" '{apiVersion: "v1beta1", kind: "Device",
        metadata: {name: "quoted", annotations: {a: $t}}}' | fc-apply
    same "'); drop table label; --" "$(fc-select device/quoted -o json | jq -r .metadata.annotations.a)"
    expect 0 fc-select devices -o name
    # And as operands they are names of nothing.
    for name in "a'; drop table resource;--" '../x' '%'; do
        expect 3 fc-select "device/$name"
        expect 3 fc-delete -y "device/$name"
    done
    for command in 'fc-select devices' 'fc-select devices a' 'fc-delete -y device' 'fc-render' 'fc-rollout status' \
        'fc-history device' 'fc-patch -p {} device' 'fc-enroll approve' 'fc-watch devices'; do
        expect 6 $command $'d1\xff'
        same "${command%% *}: \"d1?\": not UTF-8" "$stderr"
    done
    expect 6 fc-select events --of $'device/d1\xff'
    same 'fc-select: --of: "device/d1?": not UTF-8' "$stderr"
}

@test "the same name twice in one stream" {
    { device a; device b; device a; } >twice.json
    refused twice.json 'twice.json:3: metadata.name: Device "a" stands in twice.json:1 already'
    # Of several the problems come by line, each with the first of its name.
    { device b; device a; device b; device a; device b; } >more.json
    refused more.json 'more.json:3: metadata.name: Device "b" stands in more.json:1 already'
    same 'fc-apply: more.json:4: metadata.name: Device "a" stands in more.json:2 already' "${stderr_lines[1]}"
    same 'fc-apply: more.json:5: metadata.name: Device "b" stands in more.json:1 already' "${stderr_lines[2]}"
    # Of many thousands it is found at once.
    { seq -f 'd%06.0f' 50000; echo d025000; } |
        sed 's/.*/{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"&"}}/' >many.json
    refused many.json 'many.json:50001: metadata.name: Device "d025000" stands in many.json:25000'
    # Two organizations' devices may be called alike, one organization's kinds as well.
    device same >kinds.json
    device same | sed 's/Device/Organization/' >>kinds.json
    expect 0 fc-apply -n kinds.json
}

@test "many thousands of faults are said in few lines a document" {
    { printf '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x","labels":{'
        seq -f '"bad key %.0f":"v",' 4000 | tr -d '\n'
        printf '"z":"v"}}}'; } >faults.json
    refused faults.json "faults.json:1: metadata.labels.bad key "
}
