#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fc-api on a socket that systemd-socket-activate holds: what the units do, without systemd as
# process 1, to try it or where somebody else supervises.
#   sh socket-activate.sh ADDRESS [OPTION ...]            one process for all connections
#   sh socket-activate.sh --accept ADDRESS [OPTION ...]   one for each connection
# ADDRESS is a port, HOST:PORT, or the path of a Unix socket; the options are fc-api's, such as --tls.
set -eu

accept=
[ "${1:-}" != --accept ] || { accept=--accept; shift; }
[ $# -gt 0 ] || { sed -n '3,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
address=$1
shift

# Variables are handed on only when they are named.
set -- "$(command -v fc-api)" "$@"
for name in HOME FC_CONF FC_STATE FC_STORE; do
    eval "value=\${$name-}"
    [ -z "$value" ] || set -- -E "$name" "$@"
done
exec systemd-socket-activate $accept -l "$address" "$@"
