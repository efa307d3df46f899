# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, API_URL, DEVICE come from helpers; tests use the rest
# What tests of the agent share, beside helpers: devices with a spec, pictures of a device's disk,
# and a server that answers what it is told.

# serve: a store, a certificate authority and fc-api.
serve() {
    fc-store init >/dev/null && make_ca && start_api
}

# with_device NAME: serve, and one device, enrolled, that runs version 1, which has no files.
with_device() {
    serve && make_agent "$1" && enroll_agent "$1" >/dev/null 2>&1
}

# give FILES [MEMBERS]: a new version for $DEVICE, with these files (a JSON array) and, beside
# them, these members of the spec.
give() {
    local doc="{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"Device\",\"metadata\":{\"name\":\"$DEVICE\"},
        \"spec\":{\"config\":[{\"name\":\"files\",\"inline\":$1}]}}"

    [ -z "${2:-}" ] || doc=$(jq -c --argjson more "$2" '.spec += $more' <<<"$doc") || return
    fc-apply <<<"$doc" >/dev/null && fc-work drain
}

# file PATH CONTENT [MEMBERS]: one for `give`. (What is plain is made by the shell: jq takes long to start.)
file() {
    case $3$1$2 in
    *[![:alnum:]\ /.,:_-]*) jq -cn --arg path "$1" --arg content "$2" --argjson more "${3:-null}" \
        '{path: $path, content: $content} + ($more // {})' ;;
    *) echo "{\"path\":\"$1\",\"content\":\"$2\"}" ;;
    esac
}

# files FILE ...: an array of them.
files() {
    local IFS=,

    echo "[$*]"
}

# reported FILTER: of the device as the server has it.
reported() { fc-select "device/$DEVICE" -o json | jq -r "$1"; }

# The condition Updating, as the server has it.
updating() { reported '.status.conditions[] | select(.type == "Updating") | .reason + ": " + .message'; }

# known NAME FILTER: of what the agent itself says.
known() { fc-agent --root "$T/$1" status -o json | jq -r "$2"; }

# picture NAME: the device's disk but for what the agent keeps for itself, to the inode and time.
picture() {
    (cd "$T/$1" && find . \( -path ./run -o -path ./var/lib/flightctl \) -prune -o \
        \( -type d -printf '%P d %m %U:%G\n' -o -printf '%P %y %m %U:%G %s %i %T@ %l\n' \) | sort)
}

# Everything, the agent's own state too, but for what is volatile.
whole_picture() {
    (cd "$T/$1" && find . -path ./run -prune -o -printf '%P %y %m %U:%G %s %i %T@ %C@ %l\n' | sort)
}

# no_temporaries NAME: nothing that only a run under way has.
no_temporaries() {
    run find "$T/$1" -name '.fc-*' -o -name journal -o -name '*.broken'
    same "" "$output"
}

# The options of `run_agent`, for runs that another command starts.
if [ "$(id -u)" = 0 ]; then SPLIT="--now --user _fc-agent"; else SPLIT="--now --no-split"; fi
# traced STRACE-OPTION ...: a run of d1 under strace, with the command $under in front. Leaks cannot
# be looked for there.
traced() {
    # shellcheck disable=SC2086 # words
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 ${under:-} strace -qq "$@" fc-agent --root "$T/d1" $SPLIT
}
# The calls that change something. Between one that only makes durable and the next one there is
# nothing that a kill could tell from it; errors can.
CALLS=write,pwrite64,writev,openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat
CALLS+=,rmdir,symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,truncate,ftruncate
CALLS+=,fallocate,utimensat,sendto,sendmsg
SYNCS=fsync,fdatasync,sync_file_range,syncfs
# changes <TRACE: "CALL N" for each N-th call of its name, in one process, that changes something:
# opening a file to read it does not, nor does what is not there to be removed. $every-th of them.
every=1
changes() {
    awk '{ process = ""; if (/^[0-9]+ /) { process = $1; sub(/^[0-9]+ +/, "") }
            call = $0; sub(/\(.*/, "", call) }
        call !~ /^[a-z0-9_]+$/ { next }
        { n[process, call]++ }
        (call != "openat" || /O_CREAT|O_WRONLY|O_RDWR/) && !/ = -1 E/ { print call, n[process, call] }' | sort -u |
        awk -v e="$every" 'NR % e == 0'
}
# seldom N: each N-th call is enough.
seldom() { [ -n "${FC_SOAK:-}" ] || every=$((every * $1)); }
# errors_at N: those that the N-th call of all fails with.
errors_at() {
    local all=(ENOSPC EIO EACCES)

    if [ -n "${FC_SOAK:-}" ]; then echo "${all[*]}"; else echo "${all[$1 % 3]}"; fi
}
needs_root() { [ "$(id -u)" = 0 ] || { echo "needs root"; return 1; }; }

# fake_api: a web server with fc-api's certificate that asks for one of the same authority. It
# answers each request with the file $T/answer.METHOD or $T/answer (as CGI has it), waits while
# $T/hold is there, and notes method and path in $T/requests, some headers in $T/headers, the last
# body in $T/body. FAKE_CERT names another certificate, FAKE_CA its authority. Sets FAKE_URL, FAKE_PID.
fake_api() {
    local try port

    needs lighttpd lighttpd || return
    cat >"$T/answer.sh" <<END
#!/bin/sh
printf '%s %s\n' "\$REQUEST_METHOD" "\$REQUEST_URI" >>'$T/requests'
printf '%s|%s|%s|%s\n' "\$HTTP_FLIGHTCTL_API_VERSION" "\$HTTP_PREFER" "\$CONTENT_TYPE" "\$HTTP_USER_AGENT" >>'$T/headers'
cat >'$T/body'
while [ -e '$T/hold' ]; do sleep 0.02; done
file='$T/answer'.\$REQUEST_METHOD
[ -e "\$file" ] || file='$T/answer'
exec cat "\$file"
END
    chmod +x "$T/answer.sh"
    : >"$T/requests"
    # With its authority's behind it, the server does not check its own certificate.
    cat "${FAKE_CERT:-$T/server}.crt" "${FAKE_CA:-$FC_STATE/ca/ca.crt}" >"$T/fake.pem"
    for try in 1 2 3 4 5; do
        port=$(free_port)
        cat >"$T/lighttpd.conf" <<END
server.modules = ("mod_openssl", "mod_alias", "mod_cgi")
server.document-root = "$T"
server.bind = "127.0.0.1"
server.port = $port
ssl.engine = "enable"
ssl.pemfile = "$T/fake.pem"
ssl.privkey = "${FAKE_CERT:-$T/server}.key"
ssl.verifyclient.ca-file = "$FC_STATE/ca/ca.crt"
ssl.verifyclient.activate = "enable"
ssl.verifyclient.enforce = "enable"
alias.url = ("/api" => "$T/answer.sh")
cgi.assign = ("answer.sh" => "")
END
        background "$T/fake.log" lighttpd -D -f "$T/lighttpd.conf"
        FAKE_PID=$PID FAKE_URL=https://127.0.0.1:$port
        WAIT_FOR=10 wait_for settled "$port" "$FAKE_PID" && kill -0 "$FAKE_PID" && return 0
    done
    cat "$T/fake.log"
    return 1
}

# say_raw: a TLS server that says $T/raw to the first who connects, whatever that one wants, and
# ends. Sets RAW_URL.
say_raw() {
    local port

    port=$(free_port)
    openssl s_server -accept "127.0.0.1:$port" -cert "$T/server.crt" -key "$T/server.key" -quiet \
        -naccept 1 <"$T/raw" >>"$T/raw.log" 2>&1 3>&- 4>&- &
    echo $! >>"$T/pids"
    RAW_URL=https://127.0.0.1:$port
    wait_for settled "$port" $!
}

# settled PORT PID: somebody listens there, or PID has ended.
settled() {
    grep -q "$(printf ':%04X 00000000:0000 0A' "$1")" /proc/net/tcp || ! kill -0 "$2" 2>/dev/null
}

# ask NAME URL: the device asks this server from now on.
ask() {
    printf '%s-service: {service: {server: "%s"}}\n' enrollment "$2" management "$2" \
        >"$T/$1/etc/flightctl/conf.d/server.yaml"
}

# answer STATUS [METHOD] <BODY: to all requests, or those of a method.
answer() {
    { printf 'Status: %s\r\nContent-Type: %s\r\n\r\n' "$1" "${TYPE:-application/json}"; cat; } \
        >"$T/answer.new" && mv "$T/answer.new" "$T/answer${2:+.$2}"
}

# refusal CODE MESSAGE: as a body.
refusal() {
    jq -cn --argjson code "$1" --arg message "$2" '{apiVersion: "flightctl.io/v1beta1",
        kind: "Status", status: "Failure", code: $code, reason: "x", message: $message}'
}

# rendered VERSION FILES [NAME]: a rendered device as a body.
rendered() {
    jq -cn --arg version "$1" --argjson files "$2" --arg name "${3:-$DEVICE}" '{
        apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: $name,
            annotations: {"device-controller/renderedVersion": $version}},
        spec: {config: [{name: "files", inline: $files}]}}'
}
