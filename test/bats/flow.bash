# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, body come from helpers; tests use the rest
# Devices that poll and report over the API as an agent does, beside helpers and api.bash. What a
# device has is in $T/NAME.has (the newest version that it was given), $T/NAME.runs (the one it
# runs) and $T/NAME.rendered (the device with that spec).

# full NAME: as long as the names of devices must be.
full() { echo "$1-0123456789abcdef"; }

# devices NAME[:KEY=VALUE,...] ...: enrolled with these labels.
devices() {
    local d id ids=()

    for d; do
        id=$(full "${d%%:*}")
        ids+=("$id")
        request_of "$id" && answers 201 bootstrap /api/v1/enrollmentrequests --json \
            "$(enrollment_of "$id" "$(labels_of "$d")")" || return
        echo 0 >"$T/${d%%:*}.has"
        echo 0 >"$T/${d%%:*}.runs"
    done
    fc-enroll approve "${ids[@]}" >/dev/null && fc-work drain || return
    for id in "${ids[@]}"; do certificate_of "$id"; done
}

# labels_of NAME:KEY=VALUE,...: as JSON.
labels_of() {
    local pair all=

    [[ $1 != *:* ]] || for pair in $(tr , ' ' <<<"${1#*:}"); do all+=",\"${pair%%=*}\":\"${pair#*=}\""; done
    echo "{${all#,}}"
}

# poll NAME ...: each asks once. What is new is in NAME.rendered.
poll() {
    local name id out code

    for name; do
        id=$(full "$name")
        out=$(api "$id" "/api/v1/devices/$id/rendered?knownRenderedVersion=$(<"$T/$name.has")" \
            -H 'Prefer: wait=0') || return
        code=${out##*$'\n'}
        case $code in
        200) printf '%s' "${out%$'\n'*}" >"$T/$name.rendered"
            [[ $out =~ '"device-controller/renderedVersion":"'([0-9]+)'"' ]] || return
            echo "${BASH_REMATCH[1]}" >"$T/$name.has" ;;
        204) ;;
        *) echo "$name: poll: $out"; return 1 ;;
        esac
    done
}

# reports NAME [FILTER]: it runs what NAME.runs says; FILTER changes the report.
reports() {
    local id

    id=$(full "$1")
    answers 200 "$id" "/api/v1/devices/$id/status" -X PUT --json \
        "$(report "$id" "$(<"$T/$1.runs")" | if [ -z "${2:-}" ]; then cat; else jq -c "$2"; fi)"
}

# succeed NAME ...: each polls, and reports that it runs what it was given.
succeed() {
    local name

    for name; do
        poll "$name" && cp "$T/$name.has" "$T/$name.runs" && reports "$name" || return
    done
}

# fails NAME [MESSAGE [TIME]]: it polls, could not apply that, and reports what it runs still.
fails() {
    poll "$1" && reports "$1" ".status.conditions[0] += {reason: \"Error\",
        message: \"${2:-no room}\", lastTransitionTime: \"${3:-$(date -u +%FT%T.%NZ)}\"}"
}

# content NAME PATH: of a file in its newest spec.
content() {
    jq -r --arg path "$2" '.spec.config[]?.inline[]? | select(.path == $path) | .content' \
        "$T/$1.rendered"
}

# fleet NAME SELECTOR CONTENT [POLICY]: a fleet whose devices have /etc/NAME with this content;
# selector (matchLabels) and policy as JSON.
fleet() {
    jq -cn --arg name "$1" --argjson labels "$2" --arg content "$3" --argjson policy "${4:-null}" '
        {apiVersion: "flightctl.io/v1beta1", kind: "Fleet", metadata: {name: $name}, spec: ({
            selector: {matchLabels: $labels},
            template: {spec: {config: [{name: $name, inline: [
                {path: "/etc/\($name)", content: $content}]}]}}
        } + if $policy then {rolloutPolicy: $policy} else {} end)}' | fc-apply -f - >/dev/null
}

# batches ...: a policy with a batch for each JSON object.
batches() {
    jq -cs '{deviceSelection: {strategy: "BatchSequence", sequence: .}}' <<<"$*"
}

# rollout FLEET FILTER: of its status.
rollout() { fc-rollout status "$1" -o json | jq -r "$2"; }

# device NAME FILTER
device() { fc-select "device/$(full "$1")" -o json | jq -r "$2"; }

# relabel NAME FILTER: its labels anew, of what they were.
relabel() {
    device "$1" "{apiVersion, kind, metadata: {name: .metadata.name, labels: (.metadata.labels | $2)}}" |
        fc-apply -f - >/dev/null
}
