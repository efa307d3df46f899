#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Nothing reaches up: the order of the floors, and that a breach of it is seen.
# once: it reads sources
load helpers

setup() { fc_setup; }
teardown() { fc_teardown; }

# A copy of the sources with one more line at the end of a file: plant FILE LINE
plant() {
    mkdir "$T/tree"
    (cd "$TOP" && tar -cf - cmd agent lib) | tar -xf - -C "$T/tree"
    mkdir -p "$T/tree/${1%/*}"
    echo "$2" >>"$T/tree/$1"
}

refused() {
    run sh "$TOP/test/floors.sh" "$T/tree"
    echo "$output"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ ${lines[0]} == *"$1"* ]]
}

@test "no file of the tree reaches up" {
    run sh "$TOP/test/floors.sh"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "the domain may not include the store" {
    plant lib/fleet/summary.c '#include "store/resource.h"'
    refused 'fleet may not include store/resource.h'
}

@test "neighbours may not include each other" {
    plant lib/net/http1.c '#  include "crypto/crypto.h"'
    refused 'net may not include crypto/crypto.h'
}

@test "base may include base alone, with any kind of bracket" {
    plant lib/base/buf.h '#include <fleet/kind.h>'
    refused 'base may not include fleet/kind.h'
}

@test "the service may not include the api above it" {
    plant lib/service/service.h '#include "api/api.h" /* why not */'
    refused 'service may not include api/api.h'
}

@test "the agent never sees the store" {
    plant agent/state.c '#include "db/db.h"'
    refused 'agent may not include db/db.h'
}

@test "statements of the store stay in the store" {
    plant lib/service/open.c '#include "sql.h"'
    refused 'service may not include store/sql.h'
}

@test "a path around the floors is refused" {
    plant lib/fleet/kind.c '#include "../store/store.h"'
    refused '../store/store.h: include by the name below lib/'
}

@test "a folder that is no floor is refused" {
    plant lib/util/misc.c ''
    refused 'util is no floor'
}
