# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, API_URL come from helpers; tests use the rest
# What tests of the API share, beside helpers: requests with their answers checked, identities.

# answers STATUS CERTIFICATE PATH [CURL OPTION ...]: a request as `api` makes it; sets body. A
# refusal must be a Status document that says the same.
answers() {
    local want=$1 out code

    shift
    out=$(api "$@") || return
    code=${out##*$'\n'}
    body=${out%$'\n'*}
    if [ "$code" != "$want" ]; then
        printf '%s: %s, not %s: %s\n' "$*" "$code" "$want" "$body"
        return 1
    fi
    [ "$code" -lt 400 ] || status_document "$code"
}

# status_document CODE: is body a refusal's document?
status_document() {
    jq -e --argjson code "$1" '.apiVersion == "flightctl.io/v1beta1" and .kind == "Status" and
        .status == "Failure" and .code == $code and (.reason | length > 0) and
        (.message | type == "string")' <<<"$body" >/dev/null ||
        { echo "not a Status document of $1: $body"; return 1; }
}

# json FILTER: of body, raw.
json() { jq -r "$1" <<<"$body"; }

# says MESSAGE: body's message is this.
says() { same "$1" "$(json .message)"; }

# not COMMAND ...: succeeds if it fails; the shell's own ! would not fail a test.
not() { ! "$@"; }

# request_of NAME: a key and a request for it, $T/NAME.key and $T/NAME.csr.
request_of() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$T/$1.key" &&
        openssl req -new -key "$T/$1.key" -subj "/CN=${2:-$1}" -out "$T/$1.csr"
}

# What is made often is made by the shell: jq takes longer to start than what is tested to answer.

# enrollment_of NAME [LABELS]: the document with which it asks to be enrolled.
enrollment_of() {
    local csr

    csr=$(<"$T/$1.csr")
    cat <<END
{"apiVersion": "v1beta1", "kind": "EnrollmentRequest", "metadata": {"name": "$1"},
    "spec": {"csr": "${csr//$'\n'/\\n}\n"${2:+, "\"labels\": $2"}}}
END
}

# new_device NAME [LABELS]: enrolled, its certificate in $T/NAME.crt.
new_device() {
    request_of "$1" &&
        answers 201 bootstrap /api/v1/enrollmentrequests --json "$(enrollment_of "$@")" &&
        fc-enroll approve "$1" >/dev/null && fc-work drain >/dev/null &&
        certificate_of "$1"
}
certificate_of() {
    fc-select "enrollmentrequest/$1" -q .status.certificate -o name >"$T/$1.crt"
}

# spec NAME CONTENT: as JSON, a device whose /etc/motd has this content.
spec() {
    jq -cn --arg name "$1" --arg content "$2" '{apiVersion: "v1beta1", kind: "Device",
        metadata: {name: $name}, spec: {config: [{name: "motd", inline:
        [{path: "/etc/motd", content: $content}]}]}}'
}

# report NAME VERSION: a status report, complete.
report() {
    cat <<END
{"apiVersion": "v1beta1", "kind": "Device", "metadata": {"name": "$1"}, "status": {
    "conditions": [{"type": "Updating", "status": "False", "reason": "Updated", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    "systemInfo": {"architecture": "amd64", "bootID": "b", "operatingSystem": "linux",
        "agentVersion": "1"},
    "applications": [], "applicationsSummary": {"status": "Unknown"},
    "resources": {"cpu": "Healthy", "memory": "Healthy", "disk": "Healthy"},
    "integrity": {"status": "Unknown"}, "config": {"renderedVersion": "$2"},
    "os": {"image": "", "imageDigest": ""}, "updated": {"status": "Unknown"},
    "summary": {"status": "Unknown"}, "lifecycle": {"status": "Unknown"}}}
END
}

# as_header CERTIFICATE: URL-escaped PEM, as nginx sends it.
as_header() { jq -sRr @uri "$T/$1.crt"; }

# plain_api [OPTION ...]: fc-api without TLS on a port; sets API_PID, API_PORT, API_URL.
plain_api() {
    local try

    for try in 1 2 3 4 5; do
        API_PORT=$(free_port)
        background "$T/plain.log" fc-api -l "127.0.0.1:$API_PORT" "$@"
        API_PID=$PID API_URL=http://127.0.0.1:$API_PORT
        WAIT_FOR=10 wait_for listens "$API_PORT" "$API_PID" && kill -0 "$API_PID" && return 0
    done
    cat "$T/plain.log"
    return 1
}

# listens PORT [PID]: or PID has ended.
listens() {
    grep -q "$(printf ':%04X 00000000:0000 0A' "$1")" /proc/net/tcp ||
        { [ -n "${2:-}" ] && ! kill -0 "$2" 2>/dev/null; }
}
