# SPDX-License-Identifier: Apache-2.0
# What the agent's network half gives up, seen from inside as in confine.bats, and the renewal of the
# certificate that it looks after.
# shellcheck disable=SC2154 # set by what is loaded

load helpers
load agent

setup() { fc_setup; }
teardown() { fc_teardown; }

# The network half of the agent with process id $1, while a request of it is held.
half() {
    local net

    net=$(cat "/proc/$1/task/$1/children")
    echo "${net% }"
}
ended() { grep -q '^end' agent.log; }

@test "the network half has its folder, and the calls that a client needs" {
    local preload=$T/probe.so main

    cc -shared -fPIC -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o probe.so "$BATS_TEST_DIRNAME/probe.c"
    ! sanitized || preload=$(ldd "$BUILD/bin/fc-agent" | awk '/libasan/ { print $3 }'):$preload
    with_device d1
    fake_api
    ask d1 "$FAKE_URL"
    answer 204 </dev/null
    : >hold
    # shellcheck disable=SC2086 # words
    background agent.log env LD_PRELOAD="$preload" PROBE=- \
        PROBE_OWN=/etc/hosts fc-agent --root "$T/d1" $SPLIT
    main=$PID
    wait_for test -s requests
    grep -q '^Seccomp:.2$' "/proc/$(half "$main")/status"
    kill -USR1 "$(half "$main")"
    wait_for ended
    same "read-foreign EACCES
read-root EACCES
make-foreign EACCES
read-own ok
exec EPERM
fork EPERM
packets ENOSYS
listen ENOSYS
mount ENOSYS
bpf ENOSYS
code ENOSYS
end ok" "$(sed 's/^fc-agent: //' agent.log)"
    # The other half starts programs, which take no filter along.
    grep -q '^Seccomp:.0$' "/proc/$main/status"
    rm hold
    wait "$main"
}

@test "a kernel that cannot confine it: a run is refused, and --no-split goes on and says so" {
    local no="Landlock: Operation not supported: all files of the account are in reach"

    with_device d1
    cut=(-f -o trace -e inject=landlock_create_ruleset:error=EOPNOTSUPP)
    if [ "$(id -u)" = 0 ]; then
        run traced "${cut[@]}"
        same 1 "$status"
        same "fc-agent: the network half cannot be confined: $no (--no-split goes on without)" "$output"
    fi
    SPLIT="--now --no-split" run traced "${cut[@]}"
    same 0 "$status"
    has "$output" "fc-agent: the network half is not confined: $no"
}

# aged: a run when a third of the certificate's life is over.
aged() {
    # shellcheck disable=SC2086 # words
    at_time +120d fc-agent --root "$T/d1" $SPLIT
}
serial() { openssl x509 -noout -serial -in d1/var/lib/flightctl/certs/agent.crt; }
requests() { fc-select certificatesigningrequests -o name; }

@test "the certificate is renewed after a quarter of its life, by the same key" {
    local before first

    needs faketime faketime
    with_device d1
    before=$(serial)
    run_agent d1
    same "" "$(requests)"
    aged 2>log
    same "" "$(cat log)"
    # One request, however often it is asked for; its name says which device and certificate.
    aged
    first=$(requests)
    same "$DEVICE-$(sha256sum d1/var/lib/flightctl/certs/agent.crt | head -c 8)" "${first#*/}"
    same "$before" "$(serial)"
    fc-work drain
    aged 2>log
    same "fc-agent: the device's certificate is renewed" "$(cat log)"
    [ "$(serial)" != "$before" ]
    same "subject=CN = device:$DEVICE" "$(openssl x509 -noout -subject -in d1/var/lib/flightctl/certs/agent.crt)"
    # It works, and is left alone until its time comes.
    run_agent d1
    same "$first" "$(requests)"
}

@test "a renewal that is refused is said, and the certificate that is there goes on" {
    local name

    needs faketime faketime
    with_device d1
    name=$DEVICE-$(sha256sum d1/var/lib/flightctl/certs/agent.crt | head -c 8)
    openssl req -new -key d1/var/lib/flightctl/certs/agent.key -subj "/CN=client-enrollment" -out x.csr
    jq -cn --arg name "$name" --arg csr "$(base64 -w0 x.csr)" '{apiVersion: "flightctl.io/v1beta1",
        kind: "CertificateSigningRequest", metadata: {name: $name},
        spec: {request: $csr, signerName: "flightctl.io/enrollment",
            usages: ["clientAuth", "CA:false"]}}' | fc-apply >/dev/null
    give "$(files "$(file /etc/a one)")"
    run aged
    same 0 "$status"
    has "$output" "fc-agent: the device's certificate cannot be renewed: \
api/v1/certificatesigningrequests/$name: the server answered 401"
    same one "$(cat d1/etc/a)"
}
