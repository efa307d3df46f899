# SPDX-License-Identifier: Apache-2.0
# Simulated devices against a real API.
# shellcheck disable=SC2154 # set by what is loaded

load helpers
load agent

setup() {
    fc_setup
    serve
    make_agent d1 site=x
    CONFIG=d1/etc/flightctl/config.yaml
}
teardown() { fc_teardown; }

# simulate OPTION ...: one that ends in any case.
simulate() { timeout 60 fc-simulate --interval 1s --state sims "$@" "$CONFIG" >result; }
result() { jq -c "$1" result; }
# simulate_until FUNCTION OPTION ...: one that ends when it succeeds.
simulate_until() {
    local met=$1

    shift
    : >result
    background result fc-simulate --interval 1s --state sims --time 10m "$@" "$CONFIG"
    WAIT_FOR=60 wait_for "$met"
    kill -INT "$PID"
    wait "$PID"
}
# enrolled N: so many devices, which the server knows.
enrolled() {
    asked() { [ "$(fc-select enrollmentrequests --count)" = "$n" ]; }
    local n=$1

    simulate_until asked -n "$n" -l fleet=sim
    fc-enroll approve --all >/dev/null
}

@test "devices enroll, keep their identity, run what they are given, and report it" {
    enrolled 20
    same '{"devices":20,"enrolled":0}' "$(result '{devices, enrolled}')"
    same 600 "$(stat -c %a sims)"
    simulate -n 20 --rounds 2
    same '{"devices":20,"enrolled":20,"current":20,"failed":0,"denied":0}' \
        "$(result '{devices, enrolled, current, failed, denied}')"
    same 20 "$(fc-select devices -l fleet=sim --count)"
    # Each made its requests, and as many are counted.
    same '[20,true,20]' "$(result '[.requests | .enroll.count, .poll.count >= 40, .report.count]')"
    same 20 "$(result '.requests.poll.count - .statuses["204"]')"
    same true "$(result '.requests.poll | .p50 > 0 and .p50 <= .p99 and .p99 <= .max')"
    same '[60,true]' "$(result '[.statuses | .["200"], .["204"] >= 20]')"
    # A new version for all, which they have again from the file.
    fc-apply -f - <<'END' >/dev/null
{"apiVersion":"flightctl.io/v1beta1","kind":"Fleet","metadata":{"name":"sim"},"spec":{"selector":
{"matchLabels":{"fleet":"sim"}},"template":{"spec":{"config":[{"name":"c","inline":[{"path":"/etc/a",
"content":"one"}]}]}}}}
END
    fc-work drain
    simulate -n 20 --rounds 2
    same '[0,20]' "$(result '[.requests | .enroll.count, .report.count]')"
    same 20 "$(fc-select devices -l fleet=sim --field-selector status.updated.status=UpToDate --count)"
}

@test "some fail, some are slow, some are away, and answers are lost" {
    enrolled 20
    told() {
        [ 20 = "$(fc-select devices -o json | jq -s '[.[] | select(.status.conditions[]? |
            select(.type == "Updating" and .reason == "Error"))] | length')" ]
    }
    simulate_until told -n 20 --fail 100 --lose 30 --seed 7
    same '[20,0,20]' "$(result '[.enrolled, .current, .failed]')"
    enrolled 30
    simulate -n 30 --rounds 1 --slow 100:60s
    same 30 "$(result .enrolled)"
    [ "$(result .current)" -le 20 ]
    # Away for longer than it lasts, about half of them: these do not poll.
    simulate -n 30 --time 2s --offline 100:1h
    polls=$(result .requests.poll.count)
    [ "$polls" -gt 0 ]
    [ "$polls" -lt 55 ]
}

@test "a device that was turned away stays away; one that was forgotten asks again" {
    three() { [ "$(fc-select enrollmentrequests --count)" = 3 ]; }
    simulate_until three -n 3
    fc-select enrollmentrequests -o name | head -1 | xargs fc-enroll deny >/dev/null
    fc-enroll approve --all >/dev/null
    simulate -n 3 --rounds 1
    same '[2,1]' "$(result '[.enrolled, .denied]')"
    fc-select devices -o name | xargs fc-delete -y >/dev/null
    fc-select enrollmentrequests -o name | xargs fc-delete -y >/dev/null
    simulate_until three -n 3
    same 0 "$(result .enrolled)"
}

@test "a server that is away is counted, an interruption ends it with what there is" {
    stop "$API_PID"
    simulate -n 5 --time 1s
    same '[0,true]' "$(result '[.requests.enroll | .count, .errors > 0]')"
    same '["none"]' "$(result '.statuses | keys')"
    background log fc-simulate -n 5 --interval 1s --time 10m -o json "$CONFIG"
    # It, and not yet the shell that it was before.
    catches() { tr '\n' ' ' <"/proc/$PID/status" | grep -q '^Name:.fc-simulate .*SigCgt:.[0-9a-f]*[2367abef] '; }
    wait_for catches
    kill -INT "$PID"
    wait "$PID"
    same 5 "$(jq .devices log)"
    # The devices of one file are not two simulations' at once.
    exec {fd}<>sims
    flock "$fd"
    run fc-simulate --state sims "$CONFIG"
    same 4 "$status"
    same "fc-simulate: sims: another simulation has it" "$output"
    exec {fd}>&-
}

@test "what it cannot begin with is said" {
    run fc-simulate none.yaml
    same 3 "$status"
    echo 'enrollment-service: {service: {server: "https://x"}}' >bad.yaml
    run fc-simulate bad.yaml
    same 6 "$status"
    same "fc-simulate: bad.yaml: enrollment-service.service.certificate-authority-data: missing" "$output"
    echo '{"key":1}' >sims
    run fc-simulate --state sims --time 1s "$CONFIG"
    same 6 "$status"
    same "fc-simulate: sims:1: no key and certificate of a device" "$output"
    for bad in '--slow 5' '--slow x:1s' '--fail 101' '--interval soon' '-n 0' '-l a'; do
        # shellcheck disable=SC2086 # words
        run fc-simulate $bad "$CONFIG"
        same 2 "$status"
    done
}
