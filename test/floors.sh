#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that nothing reaches up: a file includes headers of its own floor and of floors below.
#   sh test/floors.sh [DIR]     DIR: a source tree, by default this one
# Prints each include that breaks the order; status 1 if there is one. The named statements
# (sql.h, made at build from lib/store/*.sql) are for the store and for the seam that prepares them.
set -eu
cd "${1:-$(dirname "$0")/..}"

# Each floor and what it may include beside itself.
floors='
cmd      api client service source store db fleet crypto net base
api      client service source store db fleet crypto net base
client   service source store db fleet crypto net base
service  source store db fleet crypto net base
source   store db fleet crypto net base
store    db fleet crypto net base
db       fleet crypto net base
fleet    base
crypto   base
net      base
base
agent    fleet crypto net base
'
# shellcheck disable=SC2046 # names without blanks
awk -v floors="$floors" '
    BEGIN {
        n = split(floors, lines, "\n")
        for (i = 1; i <= n; i++) {
            m = split(lines[i], w, " ")
            if (m) known[w[1]]
            for (j = 1; j <= m; j++) may[w[1], w[j]]
        }
    }
    function say(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
    FNR == 1 {
        split(FILENAME, part, "/")
        mine = part[1] == "lib" ? part[2] : part[1]
        if (!(mine in known)) say(mine " is no floor")
    }
    /^[ \t]*#[ \t]*include/ {
        name = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
        quoted = name ~ /^"/
        sub(/^["<]/, "", name)
        sub(/[">].*/, "", name)
        if (name ~ /(^|\/)\.\.\//) { say(name ": include by the name below lib/"); next }
        if (name == "sql.h" && mine != "db") name = "store/sql.h" # the named statements
        floor = name
        if (!sub(/\/.*/, "", floor)) floor = mine
        if (!(floor in known)) {
            if (quoted) say(name ": of no floor")
            next # a header of the system
        }
        if (!((mine, floor) in may) || (name == "store/sql.h" && mine != "store"))
            say(mine " may not include " name)
    }
    END { exit bad }
' $(find cmd agent lib -name '*.[ch]' | LC_ALL=C sort)
