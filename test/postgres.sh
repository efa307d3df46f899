#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A private PostgreSQL for the tests: reached by a socket in DIR alone, as the superuser fc.
#   sh test/postgres.sh start DIR [SETTING=VALUE ...]   makes a cluster in DIR/data and starts it
#   sh test/postgres.sh again DIR [SETTING=VALUE ...]   starts one that was stopped
#   sh test/postgres.sh stop DIR [MODE]                 MODE as pg_ctl has it, by default immediate
#   sh test/postgres.sh run DIR COMMAND ...             COMMAND as its account, the programs of
#                                                       PostgreSQL in PATH
# Without syncs unless the setting fsync=on is given. Run by root it has the account postgres.
set -eu
[ $# -ge 2 ] || { sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
what=$1 dir=$2
shift 2

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -1)
PATH=${bin:+$bin:}$PATH
command -v initdb >/dev/null || { echo "initdb is missing: apt-get install postgresql" >&2; exit 1; }

account() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
start() {
    options="-c fsync=off -c full_page_writes=off"
    for set; do options="$options -c $set"; done
    account pg_ctl -D "$dir/data" -l "$dir/log" -s -w \
        -o "-k $dir -c listen_addresses= -c autovacuum=off $options" start </dev/null >/dev/null
}

case $what in
start)
    mkdir -p "$dir"
    chmod 755 "$dir"
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    cd "$dir"
    account initdb -D "$dir/data" -A trust -U fc --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null
    start "$@"
    ;;
again) cd "$dir"; start "$@" ;;
stop) cd "$dir"; account pg_ctl -D "$dir/data" -s -w -m "${1:-immediate}" stop ;;
run) cd "$dir"; account "$@" ;;
*) exit 2 ;;
esac
