#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures what the project promises, side by side with its measure in the same run, and prints one
# JSON document a measurement.
#   sh test/bench/run.sh [-b BUILD] [start] [polls] [polls-postgres] [agent] [update] [size] [parked] [list]
#          [connections] [cgi] [fleet]      all of them by default
# Status 1 if an answer was wrong or a promise is not kept. Use `make bench`, which builds first.
set -eu
cd "$(dirname "$0")/../.."

build=build
while getopts b:h o; do
    case $o in
    b) build=$OPTARG ;;
    *) sed -n '3,7s/^# \{0,1\}//p' "$0" >&2; [ "$o" = h ] && exit 0; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- start polls polls-postgres agent update size parked list connections cgi fleet
case $build in /*) ;; *) build=$PWD/$build ;; esac
bench=$build/bench
PATH=$build/bin:$PATH:/usr/sbin

DEVICES=10000   # different ones that poll
CONNECTIONS=64  # kept alive
SECONDS_EACH=6  # a measurement of polls; three of either server, by turns
STARTS=300      # runs of each command
RUNS=40         # of the agent and of curl
FILES=200       # of an update
UPDATES=7       # and as many of the minimal program
CHANGES=9       # that waiting agents hear of
LISTS=1000      # of 100 devices each
HANDSHAKES=500  # at either server, three times
REQUESTS=300    # of either CGI program, three times

T=$(mktemp -d "${TMPDIR:-/tmp}/fc-bench.XXXXXX")
chmod 755 "$T"
pids=''
finish() {
    status=$?
    trap - EXIT HUP INT TERM
    for pid in $pids; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || :; done
    [ ! -d "$T/pg/data" ] || sh test/postgres.sh stop "$T/pg" fast 2>/dev/null || :
    rm -rf "$T"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
fail() { echo "bench: $*" >&2; exit 1; }
note() { echo "bench: $*" >&2; }

export HOME="$T" FC_STATE="$T/state" FC_CONF="$T/fc.conf"
unset FC_STORE FC_ORG XDG_CONFIG_HOME XDG_DATA_HOME http_proxy https_proxy HTTPS_PROXY
printf '[api]\ntrusted-header = X-SSL-Client-Cert\ntrusted-uid = %s\n' "$(id -u)" >"$FC_CONF"
bad=0
# promise NAME FILTER BOUND JSON: prints it with the value that the filter makes of it.
promise() {
    line=$(echo "$4" | jq -c --arg name "$1" --arg bound "$3" "($2) as \$v |
        {bench: \$name, value: \$v, promised: \$bound, kept: (\$v | . $3)} + .")
    echo "$line"
    [ "$(echo "$line" | jq .kept)" = true ] || bad=1
}

# until COMMAND ...: waits up to 10 s.
until_ok() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || fail "waited in vain for: $*"
        sleep 0.02
    done
}

# One core for what serves, one for what asks; where there is one alone they share it.
cpus=$(taskset -pc $$ | sed 's/.*: //')
first=${cpus%%[-,]*}
last=${cpus##*[-,]}

fc-store init >/dev/null
fc-sign ca init >/dev/null
org=00000000-0000-0000-0000-000000000000

devices_made=
devices() {
    [ -z "$devices_made" ] || return 0
    note "$DEVICES devices"
    # Two halves at once: keys and signatures are most of it.
    half=$((DEVICES / 2))
    "$bench/certs" "$FC_STATE/ca/ca.key" "$FC_STATE/ca/ca.crt" $org $half "$T/keys.1" \
        >"$T/devices.1" &
    other=$!
    "$bench/certs" "$FC_STATE/ca/ca.key" "$FC_STATE/ca/ca.crt" $org $((DEVICES - half)) "$T/keys" \
        >"$T/devices"
    wait $other
    cat "$T/devices.1" >>"$T/devices"
    cat "$T/keys.1" >>"$T/keys"
    tail -n 1 "$T/keys" | jq -r .key >"$T/device.key"
    tail -n 1 "$T/keys" | jq -r .cert >"$T/device.crt"
    awk -F'\t' '{ printf "{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"Device\",\"metadata\":" \
        "{\"name\":\"%s\",\"labels\":{\"site\":\"s%d\"}},\"spec\":{\"config\":[{\"name\":\"a\"," \
        "\"inline\":[{\"path\":\"/etc/motd\",\"content\":\"hello\"}]}]}}\n", $1, NR % 100 }' \
        "$T/devices" >"$T/devices.json"
    fc-apply -f "$T/devices.json" >/dev/null
    fc-work drain >/dev/null
    devices_made=1
}

bench_start() {
    devices
    name=$(sed -n '5000s/\t.*//p' "$T/devices")
    fc-select "device/$name" -o json >"$T/select.want"
    [ "$(jq -r .metadata.name "$T/select.want")" = "$name" ] || fail "fc-select shows another device"
    echo "$name" >"$T/minimal.want"
    statement="select name from resource where org = 1 and kind = 1 and name = ?1"
    promise start '.a.wall_ms / .b.wall_ms * 1000 | round / 1000' '<= 1.5' "$("$bench/spawn" $STARTS \
        "$T/select.want" "$T/minimal.want" fc-select "device/$name" -o json -- \
        "$bench/minimal" "$FC_STATE/fc.db" "$statement" "$name")"
}

answers_204=
# What polls are measured by: nginx that answers 204 to everything, on a Unix socket.
nginx_204() {
    [ -z "$answers_204" ] || return 0
    cat >"$T/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $T/nginx.pid;
error_log $T/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_header_buffer_size 4k;
    keepalive_requests 1000000000;
    client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;
    uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
    server { listen unix:$T/nginx.sock; location / { return 204; } }
}
END
    taskset -c "$first" nginx -c "$T/nginx.conf" -e "$T/nginx.log" 2>"$T/nginx.err" &
    answers_204=$!
    pids="$pids $answers_204"
    until_ok test -S "$T/nginx.sock"
}

# polls_measure TRY ...: polls against the store, by turns with nginx. Sets polls, what came of it.
polls_measure() {
    nginx_204
    taskset -c "$first" fc-api -l "unix:$T/api.sock" 2>"$T/api.log" &
    api=$!
    pids="$pids $api"
    until_ok test -S "$T/api.sock"
    version=$(fc-select "device/$(sed -n '1s/\t.*//p' "$T/devices")" -o json |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')
    rm -f "$T/load.nginx" "$T/load.api"
    for try; do
        for server in nginx api; do
            taskset -c "$last" "$bench/load" "$T/$server.sock" "$T/devices" "$version" \
                $CONNECTIONS $SECONDS_EACH >>"$T/load.$server" || fail "$server, run $try: see above"
        done
    done
    sleep 1.5 # fc-api writes what it saw at least once a second
    kill "$api"
    wait "$api" || fail "fc-api ended with status $?: $(cat "$T/api.log")"
    seen=$(fc-select devices -o json | jq -s 'map(select(.status.lastSeen)) | length')
    [ "$seen" = "$DEVICES" ] || fail "last-seen is kept of $seen devices, not of $DEVICES"
    polls=$(jq -s -c --slurpfile nginx "$T/load.nginx" --argjson seen "$seen" '
        def median: map(.per_second) | sort | .[length / 2 | floor];
        {api_per_second: median, nginx_per_second: ($nginx | median),
         devices: .[0].devices, connections: .[0].connections, last_seen_kept: $seen} |
        .ratio = (.api_per_second / .nginx_per_second * 1000 | round / 1000)' "$T/load.api")
}

bench_polls() {
    devices
    note "polls"
    polls_measure 1 2 3
    promise polls '.ratio' '>= 0.3' "$polls"
}

# The same on PostgreSQL, whose server runs where there is room: no promise, so one run has to do.
bench_polls_postgres() {
    if ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        note "no PostgreSQL here: polls on SQLite alone"
        return 0
    fi
    devices
    note "polls on PostgreSQL"
    sh test/postgres.sh start "$T/pg" # polls write nothing that has to last
    sh test/postgres.sh run "$T/pg" psql -XAtq -h "$T/pg" -U fc -d postgres \
        -c 'CREATE DATABASE polls'
    export FC_STORE="postgres://fc@/polls?host=$T/pg"
    fc-store init >/dev/null
    fc-apply -f "$T/devices.json" >/dev/null
    fc-work drain >/dev/null
    polls_measure 1
    echo "$polls" | jq -c '{bench: "polls-postgres", value: .ratio} + .'
    unset FC_STORE
    sh test/postgres.sh stop "$T/pg" fast
}

# serve_tls [OPTION ...]: fc-api with TLS on a port; sets api, its process, and port.
serve_tls() {
    for try in 1 2 3 4 5; do
        port=$((10000 + ($$ * 7 + try * 1009) % 20000))
        fc-api -l "127.0.0.1:$port" -t "$@" 2>"$T/tls.log" &
        api=$!
        until_ok sh -c "! kill -0 $api || grep -q $(printf ':%04X' $port) /proc/net/tcp"
        if kill -0 $api 2>/dev/null; then break; fi
    done
    pids="$pids $api"
}

# one_agent: a device that is enrolled, once. Sets agent, the command of a run, name and port.
agent=
one_agent() {
    [ -z "$agent" ] || return 0
    note "an agent"
    fc-sign server -f -o "$FC_STATE/server" localhost 127.0.0.1 >/dev/null
    account=--no-split
    if [ "$(id -u)" = 0 ]; then account='--user _fc-agent'; fi
    serve_tls
    mkdir -p "$T/device/etc/flightctl"
    fc-sign enrollment --server "https://localhost:$port" -o "$T/device/etc/flightctl/config.yaml" \
        >/dev/null
    agent="fc-agent --root $T/device $account"
    $agent 2>"$T/agent.log" || :
    name=$(fc-enroll list -o name | sed 's|.*/||')
    [ -n "$name" ] || fail "the agent did not ask for enrollment: $(cat "$T/agent.log")"
    fc-enroll approve "$name" >/dev/null
}
# give_device FILES: a new version for it, with these files (a JSON array).
give_device() {
    printf '{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"%s"},
        "spec":{"config":[{"name":"a","inline":%s}]}}' "$name" "$1" | fc-apply -f - >/dev/null
    fc-work drain >/dev/null
}

bench_agent() {
    one_agent
    give_device '[{"path":"/etc/motd","content":"hello"}]'
    for try in 1 2 3; do $agent; fc-work drain >/dev/null; done
    [ "$(cat "$T/device/etc/motd")" = hello ] || fail "the agent did not write its file"
    version=$(fc-select "device/$name" -o json |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')
    $agent >"$T/agent.want"
    printf 204 >"$T/curl.want"
    certs=$T/device/var/lib/flightctl/certs
    # shellcheck disable=SC2086 # words
    promise agent '.cpu_more_ms' '<= 20' "$("$bench/spawn" $RUNS "$T/agent.want" "$T/curl.want" $agent \
        -- curl -sS --cacert "$FC_STATE/ca/ca.crt" --cert "$certs/agent.crt" --key "$certs/agent.key" \
        -H 'Prefer: wait=0' -w '%{http_code}' \
        "https://localhost:$port/api/v1/devices/$name/rendered?knownRenderedVersion=$version" |
        jq -c '.cpu_more_ms = ((.a.cpu_ms - .b.cpu_ms) * 1000 | round / 1000)' | tee "$T/agent.json")"
    promise agent-memory '.a.max_rss_kib' '<= 15360' "$(cat "$T/agent.json")"
}

# An update of many files, from the poll to the report, against their bare writing.
bench_update() {
    one_agent
    note "updates"
    size=4000
    : >"$T/update.a"
    : >"$T/update.b"
    try=0
    while [ $try -lt $UPDATES ]; do
        try=$((try + 1))
        give_device "$(jq -cn --argjson n $FILES --argjson size $size --arg mark "$try" '[range($n) |
            {path: "/etc/many/f\(.)", content: ($mark + "x" * ($size - 1))}]')"
        start=$(date +%s%N)
        $agent 2>"$T/agent.log" || fail "update $try: $(cat "$T/agent.log")"
        middle=$(date +%s%N)
        "$bench/files" "$T/files" $FILES $size || fail "files: see above"
        end=$(date +%s%N)
        [ "$(cat "$T"/device/etc/many/* | grep -o '[0-9]x' | sort | uniq -c | xargs)" = "$FILES ${try}x" ] ||
            fail "the agent did not write the files of update $try"
        rm -r "$T/files"
        echo $(((middle - start) / 1000)) >>"$T/update.a"
        echo $(((end - middle) / 1000)) >>"$T/update.b"
        $agent 2>"$T/agent.log" || fail "after update $try: $(cat "$T/agent.log")"
    done
    promise update '.agent_ms / .minimal_ms * 1000 | round / 1000' '<= 2' "$(jq -n -c \
        --slurpfile a "$T/update.a" --slurpfile b "$T/update.b" --argjson files $FILES \
        'def median: sort | .[length / 2 | floor] / 1000;
        {files: $files, agent_ms: ($a | median), minimal_ms: ($b | median)}')"
}

# What make install puts on a device for the agent, with its modules and manual.
bench_size() {
    make -s BUILD="$build" DESTDIR="$T/installed" install
    find "$T/installed" -type f \( -name 'fc-agent*' -o -name '_fc-agent' -o -name fc_curl.so -o \
        -name fc_identity.so -o -name fc_yaml.so \) -printf '{"name":"%f","bytes":%s}\n' >"$T/size"
    promise size '.kib' '<= 1024' "$(jq -s -c '{kib: (map(.bytes) | add / 1024 | round),
        program_kib: (map(select(.name == "fc-agent") | .bytes) | max / 1024 | round)}' "$T/size")"
}

# One process, and agents that wait in it, each with a connection of its own.
bench_parked() {
    devices
    fc-sign server -f -o "$FC_STATE/server" localhost 127.0.0.1 >/dev/null
    admin
    files=$(prlimit --nofile --output HARD --noheadings | tr -d ' ')
    [ "$files" = unlimited ] || [ "$files" -gt $((DEVICES + 100)) ] ||
        fail "$DEVICES connections need as many descriptors, not $files"
    prlimit --pid $$ --nofile="$files:$files"
    cat >"$T/change" <<'END'
#!/bin/sh
echo "$1" >>"$HOME/changed"
exec fc-apply >/dev/null <<JSON
{"apiVersion":"flightctl.io/v1beta1","kind":"Device","metadata":{"name":"$1"},
"spec":{"config":[{"name":"a","inline":[{"path":"/etc/motd","content":"$$"}]}]}}
JSON
END
    chmod +x "$T/change"
    version=$(fc-select "device/$(sed -n '1s/\t.*//p' "$T/devices")" -o json |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')
    : >"$T/changed"
    note "$DEVICES agents that wait"
    fc-api -l "unix:$T/parked.sock" --max-connections $((DEVICES + 10)) 2>"$T/parked.log" &
    api=$!
    pids="$pids $api"
    until_ok test -S "$T/parked.sock"
    "$bench/parked" $api "$T/parked.sock" "$T/devices" "$version" $CHANGES "$T/change" \
        >"$T/parked.json" || fail "parked: see above"
    kill $api
    wait $api || fail "fc-api ended with status $?: $(cat "$T/parked.log")"
    promise parked-memory '.rss_mib' '<= 100' "$(cat "$T/parked.json")"
    promise parked-change '.change_ms' '< 100' "$(cat "$T/parked.json")"
    # Those that were changed have another version now.
    grep -vFf "$T/changed" "$T/devices" >"$T/devices.tls"
    note "the same with TLS"
    serve_tls --max-connections $((DEVICES + 10))
    "$bench/parked" "$api" "$port" "$T/devices.tls" "$version" $CHANGES "$T/change" "$T/admin.crt" \
        "$T/admin.key" >"$T/parked.json" || fail "parked: see above"
    kill "$api"
    wait "$api" || fail "fc-api ended with status $?: $(cat "$T/tls.log")"
    promise parked-memory-tls '.rss_mib' '<= 500' "$(cat "$T/parked.json")"
    promise parked-change-tls '.change_ms' '< 100' "$(cat "$T/parked.json")"
}

# admin: a certificate for who reads; once.
admin() {
    [ -e "$T/admin.crt" ] || fc-sign admin -o "$T/admin" bench >/dev/null
}
# some_poll: sets poll, the path with which a device that is up to date asks, and its name.
some_poll() {
    name=$(tail -n 1 "$T/devices" | sed 's/\t.*//')
    poll="/api/v1/devices/$name/rendered?knownRenderedVersion=$(fc-select "device/$name" -o json |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')"
}

bench_list() {
    devices
    admin
    note "lists"
    fc-api -l "unix:$T/list.sock" 2>"$T/list.log" &
    api=$!
    pids="$pids $api"
    until_ok test -S "$T/list.sock"
    promise list '.per_core_second' '>= 2000' "$("$bench/cost" $api "$T/list.sock" \
        '/api/v1/devices?limit=100' 200 $LISTS "$T/admin.crt")"
    kill $api
    wait $api || fail "fc-api ended with status $?: $(cat "$T/list.log")"
}

# New connections, each with a handshake, a client certificate, one request and its 204; by what they
# cost the server. Neither server lets sessions be resumed.
bench_connections() {
    devices
    admin
    some_poll
    note "connections with TLS"
    fc-sign server -f -o "$FC_STATE/server" localhost 127.0.0.1 >/dev/null
    serve_tls
    reference=$((port + 1))
    cat >"$T/nginx-tls.conf" <<END
daemon off;
master_process off;
pid $T/nginx-tls.pid;
error_log $T/nginx-tls.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;
    uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
    server {
        listen 127.0.0.1:$reference ssl;
        ssl_certificate $FC_STATE/server.crt; ssl_certificate_key $FC_STATE/server.key;
        ssl_client_certificate $FC_STATE/ca/ca.crt; ssl_verify_client on;
        ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
        ssl_conf_command NumTickets 0;
        location / { return 204; }
    }
}
END
    nginx -c "$T/nginx-tls.conf" -e "$T/nginx-tls.log" 2>"$T/nginx.err" &
    nginx=$!
    pids="$pids $nginx"
    until_ok grep -q "$(printf ':%04X 00000000:0000 0A' $reference)" /proc/net/tcp
    for try in 1 2 3; do
        "$bench/cost" $nginx $reference / 204 $HANDSHAKES "$T/admin.crt" "$T/admin.key" \
            >>"$T/tls.nginx"
        "$bench/cost" "$api" "$port" "$poll" 204 $HANDSHAKES "$T/admin.crt" "$T/admin.key" \
            >>"$T/tls.api"
    done
    promise connections '.ratio' '>= 0.8' "$(jq -s -c --slurpfile nginx "$T/tls.nginx" '
        def median: map(.per_core_second) | sort | .[length / 2 | floor];
        {api_per_core_second: median, nginx_per_core_second: ($nginx | median)} |
        .ratio = (.api_per_core_second / .nginx_per_core_second * 1000 | round / 1000)' "$T/tls.api")"
}

# Both programs under one lighttpd, as examples/lighttpd.conf has it, by a connection that is kept; by
# what a request costs the server and the program together.
bench_cgi() {
    devices
    some_poll
    note "CGI"
    fc-sign server -f -o "$FC_STATE/server" localhost 127.0.0.1 >/dev/null
    lighttpd=''
    for try in 1 2 3 4 5; do
        port=$((10000 + ($$ * 11 + try * 1009) % 20000))
        sed "s|@bindir@|$build/bin|; s|@conf@|$FC_CONF|; s|@state@|$FC_STATE|; s|@port@|$port|
            s|@address@|127.0.0.1|" examples/lighttpd.conf >"$T/lighttpd.conf"
        cat >>"$T/lighttpd.conf" <<END
server.max-keep-alive-requests = 65535
alias.url += ("/minimal/" => "$bench/cgi/")
cgi.assign += ("/bench/cgi" => "")
setenv.set-environment += ("DB" => "$FC_STATE/fc.db", "FC_STATE" => "$FC_STATE")
END
        taskset -c "$first" lighttpd -D -f "$T/lighttpd.conf" 2>"$T/lighttpd.err" &
        lighttpd=$!
        until_ok sh -c "! kill -0 $lighttpd || grep -q $(printf ':%04X' $port) /proc/net/tcp"
        if kill -0 $lighttpd 2>/dev/null; then break; fi
    done
    pids="$pids $lighttpd"
    for try in 1 2 3; do
        for program in minimal api; do
            case $program in minimal) path="/minimal/$name?${poll#*\?}" ;; api) path=$poll ;; esac
            taskset -c "$last" "$bench/cost" "$lighttpd" "$port" "$path" 204 $REQUESTS \
                "$T/device.crt" "$T/device.key" keep >>"$T/cgi.$program" || fail "CGI, $program: see above"
        done
    done
    kill "$lighttpd"
    wait "$lighttpd" || :
    promise cgi '.ratio' '>= 0.8' "$(jq -s -c --slurpfile minimal "$T/cgi.minimal" '
        def median: map(.per_core_second) | sort | .[length / 2 | floor];
        {api_per_core_second: median, minimal_per_core_second: ($minimal | median)} |
        .ratio = (.api_per_core_second / .minimal_per_core_second * 1000 | round / 1000)' "$T/cgi.api")"
}

# Devices that poll each minute, every time over a new connection, as agents that a timer starts do. The
# one process that serves them has one core.
bench_fleet() {
    devices
    fc-sign server -f -o "$FC_STATE/server" localhost 127.0.0.1 >/dev/null
    serve_tls
    taskset -a -p -c "$first" "$api" >/dev/null
    fc-sign enrollment -f --server "https://localhost:$port" -o "$T/fleet.yaml" >/dev/null
    version=$(fc-select "device/$(sed -n '1s/\t.*//p' "$T/devices")" -o json |
        jq -r '.metadata.annotations["device-controller/renderedVersion"]')
    sed "s/}\$/,\"known\":$version,\"runs\":$version}/" "$T/keys" >"$T/fleet.state"
    simulate="taskset -c $last fc-simulate -n $DEVICES --state $T/fleet.state"
    note "$DEVICES devices poll each minute"
    before=$(awk '{ print $14 + $15 }' "/proc/$api/stat")
    $simulate --interval 60s --time 30s "$T/fleet.yaml" >"$T/fleet.json"
    after=$(awk '{ print $14 + $15 }' "/proc/$api/stat")
    kill "$api"
    wait "$api" || fail "fc-api ended with status $?: $(cat "$T/tls.log")"
    jq -e ".enrolled == $DEVICES and .current == $DEVICES and .requests.poll.errors == 0 and
        .requests.poll.count > $DEVICES * 2 / 5" "$T/fleet.json" >/dev/null ||
        fail "fleet: $(cat "$T/fleet.json")"
    promise fleet '.p99' '< 100' "$(jq -c --argjson ticks $((after - before)) \
        --argjson hz "$(getconf CLK_TCK)" '{devices} + .requests.poll + {unit: "ms",
        busy: ($ticks / $hz / .seconds * 100 | round / 100)}' "$T/fleet.json")"
}

for part; do
    case $part in
    start | polls | agent | update | size | parked | list | connections | cgi | fleet) "bench_$part" ;;
    polls-postgres) bench_polls_postgres ;;
    *) fail "$part: no such measurement" ;;
    esac
done
exit $bad
