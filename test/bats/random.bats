# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # set by what is loaded
# Random requests that are made from our OpenAPI document. Each run makes the same ones, those of
# RANDOM_SEED (1).

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    start_api
}
teardown() { fc_teardown; }

# Something of each kind, so that requests meet it.
some_resources() {
    local csr

    for name in e1 c1; do request_of $name; done
    csr=$(base64 -w0 c1.csr)
    fc-apply <<END >/dev/null &&
{"apiVersion":"v1beta1","kind":"Fleet","metadata":{"name":"f1"},"spec":{"selector":{"matchLabels":{"site":"a"}},
    "template":{"spec":{"applications":[{"name":"web","appType":"container","image":"quay.io/x/y:1"}]}}}}
{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d1","labels":{"site":"a"}}}
{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d2","labels":{"a":"b"}}}
{"apiVersion":"v1beta1","kind":"Repository","metadata":{"name":"r1"},"spec":{"type":"git","url":"https://a.example/r.git"}}
{"apiVersion":"v1beta1","kind":"ResourceSync","metadata":{"name":"s1"},"spec":{"repository":"r1","targetRevision":"main","path":"/x"}}
{"apiVersion":"v1beta1","kind":"CertificateSigningRequest","metadata":{"name":"c1"},"spec":{"request":"$csr","signerName":"flightctl.io/enrollment","usages":["clientAuth","CA:false"]}}
END
        answers 201 bootstrap /api/v1/enrollmentrequests --json "$(enrollment_of e1)" &&
        fc-work drain
}

@test "3,000 random requests: no failure, and no answer that the document does not describe" {
    some_resources
    CSR=$(cat c1.csr)
    export CSR
    fc-api --openapi >openapi.json
    jq -c --argjson seed "${RANDOM_SEED:-1}" --argjson count 3800 -f "$TOP/test/bats/random.jq" \
        openapi.json | head -3000 >asked
    same 3000 "$(wc -l <asked)"
    jq -r --arg url "$API_URL" --arg ca "$FC_STATE/ca/ca.crt" '
        (if input_line_number > 1 then "next" else empty end), "request = \(.method)",
        "url = \"\($url)\(.url)\"", "cacert = \($ca)", "cert = admin.crt", "key = admin.key",
        "silent", "globoff", "path-as-is", "write-out = \"\\n%{http_code}\\n\"",
        "header = \"Prefer: wait=0\"",
        if .type then "header = \"Content-Type: \(.type)\"", "data-binary = \(.body | tojson | tojson)"
        else empty end' asked >requests
    curl -K requests >answers
    paste <(jq -r .operation asked) asked <(paste -d '\t' - - <answers) >both
    jq -rR --slurpfile doc openapi.json -f "$TOP/test/bats/answers.jq" both >wrong
    cut -c1-600 wrong | head -60
    [ ! -s wrong ]
    # They are no empty noise: of most operations there are some, and much of it succeeds.
    [ "$(jq -r .operation asked | sort -u | wc -l)" -ge 60 ]
    [ "$(grep -c $'\t2[0-9][0-9]$' both)" -gt 500 ]
    for method in DELETE GET PATCH POST PUT; do
        grep "\"method\":\"$method\"" both | grep -q $'\t2[0-9][0-9]$' ||
            { echo "no $method succeeds"; return 1; }
    done
}
