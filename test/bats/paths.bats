# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154 # set by what is loaded
# What people do over the API beside writing resources, over TLS.

load helpers
load api

setup() {
    fc_setup
    fc-store init >/dev/null
    make_ca
    start_api
}
teardown() { fc_teardown; }

ONE=device-one-0123456789
TWO=device-two-0123456789
V1=/api/v1

# person STATUS METHOD PATH [BODY]
person() {
    answers "$1" admin "$V1$3" -X "$2" ${4:+--json "$4"}
}
# application NAME IMAGE
application() {
    jq -cn --arg name "$1" '{name: $name, appType: "container", image: "quay.io/x/app:1"}'
}
# fleet NAME LABEL=VALUE APPLICATION ...
fleet() {
    jq -cn --arg name "$1" --arg key "${2%=*}" --arg value "${2#*=}" '{apiVersion: "v1beta1",
        kind: "Fleet", metadata: {name: $name}, spec: {selector: {matchLabels: {($key): $value}},
        template: {spec: {applications: $ARGS.named.apps}}}}' --argjson apps "$(shift 2
            for app; do application "$app"; done | jq -sc .)"
}
device() {
    jq -cn --arg name "$1" --argjson labels "$2" \
        '{apiVersion: "v1beta1", kind: "Device", metadata: {name: $name, labels: $labels}}'
}
# rendered_apps DEVICE: each application as it is told to be.
rendered_apps() {
    answers 200 admin "$V1/devices/$1/rendered" &&
        json '.spec.applications[] | "\(.name) \(.desiredState // "-") \(.restartGeneration // 0)"'
}

@test "a device is decommissioned once, and takes nothing any more" {
    new_device $ONE '{"site":"berlin"}'
    person 201 POST /fleets "$(fleet shops site=berlin web)"
    fc-work drain
    person 200 GET /devices/$ONE
    same Fleet/shops "$(json .metadata.owner)"
    generation=$(json .metadata.generation)
    person 400 PUT /devices/$ONE/decommission '{"target":"Sell"}'
    says 'API Error: target: must be one of Unenroll, FactoryReset'
    person 400 PUT /devices/$ONE/decommission '{}'
    says 'API Error: target: is required'
    person 404 PUT /devices/none/decommission '{"target":"Unenroll"}'
    says 'Device of name "none" not found'

    person 200 PUT /devices/$ONE/decommission '{"target":"Unenroll"}'
    same "{\"target\":\"Unenroll\"} null null $generation Decommissioning" "$(json '"\(.spec.decommissioning |
        tojson) \(.metadata.labels) \(.metadata.owner) \(.metadata.generation) \(.status.lifecycle.status)"')"
    person 409 PUT /devices/$ONE/decommission '{"target":"Unenroll"}'
    person 409 PUT /devices/$ONE "$(device $ONE '{"site":"berlin"}')"
    person 200 GET "/events?limit=1&fieldSelector=involvedObject.name=$ONE"
    answers 200 $ONE "$V1/devices/$ONE/rendered?knownRenderedVersion=1"
    same '{"target":"Unenroll"} null' "$(json '"\(.spec.decommissioning | tojson) \(.spec.applications)"')"
    # No fleet takes it, even one whose selector an unlabelled device matches.
    person 201 POST /fleets "$(fleet all x=y web | jq -c '.spec.selector = {matchExpressions:
        [{key: "site", operator: "DoesNotExist"}]}')"
    person 200 GET /devices/$ONE
    same null "$(json .metadata.owner)"
    # It says how far it is; then it gets no more certificates.
    answers 200 $ONE $V1/devices/$ONE/status -X PUT --json "$(report $ONE 1 | jq -c '.status.conditions +=
        [{type: "DeviceDecommissioning", status: "True", reason: "Started", message: "",
        lastTransitionTime: "2026-01-01T00:00:00Z"}]')"
    request_of $ONE-0123abcd $ONE
    answers 401 $ONE $V1/certificatesigningrequests --json "$(csr_of $ONE-0123abcd device-management-renewal)"
    answers 200 $ONE $V1/devices/$ONE/status -X PUT --json "$(report $ONE 1 | jq -c '.status.conditions +=
        [{type: "DeviceDecommissioning", status: "True", reason: "Completed", message: "",
        lastTransitionTime: "2026-01-01T00:00:00Z"}]')"
    person 200 GET "/events?limit=1&fieldSelector=reason=DeviceDecommissioned"
    same $ONE "$(json .items[0].involvedObject.name)"
    person 200 DELETE /devices/$ONE
    same Success "$(json .status)"
}

# csr_of NAME SIGNER [SECONDS]
csr_of() {
    jq -cn --arg name "$1" --arg csr "$(base64 -w0 "$T/$1.csr")" --arg signer "flightctl.io/$2" \
        '{apiVersion: "v1beta1", kind: "CertificateSigningRequest", metadata: {name: $name},
        spec: {request: $csr, signerName: $signer, usages: ["clientAuth", "CA:false"],
            expirationSeconds: 86400}}'
}

@test "applications are stopped, started and restarted; what was said last counts" {
    person 201 POST /fleets "$(fleet shops site=berlin web db)"
    person 201 POST /devices "$(device $ONE '{"site":"berlin"}')"
    person 201 POST /devices "$(device $TWO '{"site":"berlin"}')"
    fc-work drain
    same $'web - 0\ndb - 0' "$(rendered_apps $ONE)"

    person 200 POST /devices/$ONE/applications/web/actions/stop
    same Device "$(json .kind)"
    version=$(json .metadata.resourceVersion)
    same $'web stopped 0\ndb - 0' "$(rendered_apps $ONE)"
    same $'web - 0\ndb - 0' "$(rendered_apps $TWO)"
    person 200 GET "/events?limit=1&fieldSelector=reason=ApplicationLifecycleChanged"
    same "$ONE"' {"action":"stop","appName":"web","detailType":"ApplicationLifecycleChanged"} user:tester' \
        "$(json '.items[0] | "\(.involvedObject.name) \(.details | tojson) \(.actor)"')"
    person 200 POST /devices/$ONE/applications/web/actions/stop
    same "$version" "$(json .metadata.resourceVersion)"
    person 409 POST /devices/$ONE/applications/web/actions/restart
    says 'Application of name "web" is stopped'
    person 404 POST /devices/$ONE/applications/shop/actions/stop
    says 'Application of name "shop" not found'
    person 404 POST /devices/none/applications/web/actions/stop
    person 404 POST /fleets/none/applications/web/actions/stop
    person 404 POST /fleets/shops/applications/shop/actions/stop
    says 'Application of name "shop" not found'

    person 200 POST /fleets/shops/applications/web/actions/start
    same Fleet "$(json .kind)"
    fc-work drain
    same $'web running 0\ndb - 0' "$(rendered_apps $ONE)"
    person 200 POST /devices/$ONE/applications/web/actions/restart
    person 200 POST /devices/$ONE/applications/web/actions/restart
    same $'web running 2\ndb - 0' "$(rendered_apps $ONE)"
    person 200 POST /fleets/shops/applications/db/actions/stop
    person 200 POST /devices/$TWO/applications/db/actions/start
    fc-work drain
    same $'web running 2\ndb stopped 0' "$(rendered_apps $ONE)"
    same $'web running 0\ndb running 0' "$(rendered_apps $TWO)"
    same 'stopped' "$(fc-select device/$ONE -o json | fc-render | jq -r '.spec.applications[1].desiredState')"

    # What a PUT leaves out stays: labels, owner, spec.
    person 200 PUT /devices/$ONE "$(device $ONE null | jq -c 'del(.metadata.labels)')"
    same '{"site":"berlin"} Fleet/shops 1' \
        "$(json '"\(.metadata.labels | tojson) \(.metadata.owner) \(.metadata.generation)"')"

    # A new version of the fleet, and annotations of users, leave it as it is.
    person 200 PUT /fleets/shops "$(fleet shops site=berlin web db more)"
    person 200 PUT /devices/$ONE "$(device $ONE '{"site":"berlin"}' | jq -c '.metadata.annotations = {a: "b"}')"
    fc-work drain
    same $'web running 2\ndb stopped 0\nmore - 0' "$(rendered_apps $ONE)"
    fc-history undo fleet/shops
    fc-work drain
    same $'web running 2\ndb stopped 0' "$(rendered_apps $ONE)"
    # Who comes to a fleet later does as its devices do.
    person 201 POST /devices "$(device late '{"site":"berlin"}')"
    fc-work drain
    same $'web running 0\ndb stopped 0' "$(rendered_apps late)"
}

@test "what a fleet of many devices is told reaches all of them" {
    fleet many site=many web | fc-apply
    seq 600 | jq -c '{apiVersion: "v1beta1", kind: "Device",
        metadata: {name: "m\(.)", labels: {site: "many"}}}' | fc-apply >/dev/null
    fc-work drain
    person 200 POST /fleets/many/applications/web/actions/stop
    # A task walks through them, which waits whether a command does.
    all_stopped() { fc-work drain && [ "$(rendered_apps m600)" = "web stopped 0" ]; }
    wait_for all_stopped
    same '600 2' "$(fc-select devices -l site=many -o json | jq -rs '
        map(.metadata.annotations["device-controller/renderedVersion"]) |
        "\(length) \(unique | join(" "))"')"
}

@test "people ask for certificates, and approve or deny what others ask for" {
    CSR=/certificatesigningrequests
    request_of laptop
    person 201 POST $CSR "$(csr_of laptop enrollment)"
    same '{"conditions":[]}' "$(json '.status | tojson')"
    person 409 POST $CSR "$(csr_of laptop enrollment)"
    person 400 GET '/enrollmentconfig?csr=laptop'
    person 404 GET '/enrollmentconfig?csr=none'
    says 'CertificateSigningRequest of name "none" not found'
    fc-work drain
    person 200 GET $CSR/laptop
    same 'Approved True' "$(json '.status.conditions[] | "\(.type) \(.status)"')"
    json .status.certificate | base64 -d >laptop.crt
    openssl verify -CAfile "$FC_STATE/ca/ca.crt" laptop.crt
    same 'subject=CN = client-enrollment-laptop' "$(openssl x509 -in laptop.crt -noout -subject)"
    openssl x509 -in laptop.crt -noout -checkend 80000
    not openssl x509 -in laptop.crt -noout -checkend 90000
    answers 404 laptop $V1/enrollmentrequests/none # it opens that door

    person 200 GET /enrollmentconfig
    same "\"\" \"\" $API_URL $API_URL" "$(json '."enrollment-service" | "\(.authentication |
        ."client-certificate-data" | tojson) \(.authentication."client-key-data" | tojson) \(
        .service.server) \(."enrollment-ui-endpoint")"')"
    same "$(cat "$FC_STATE/ca/ca.crt")" \
        "$(json '."enrollment-service".service."certificate-authority-data"' | base64 -d)"
    person 200 GET '/enrollmentconfig?csr=laptop'
    same "$(cat laptop.crt)" \
        "$(json '."enrollment-service".authentication."client-certificate-data"' | base64 -d)"

    # All of it as configured.
    stop "$API_PID"
    mkdir trust
    cp laptop.crt trust/agents.crt
    printf '%s\n' '[api]' agent-url=https://fleet.example:7443 ui-url=https://fleet.example \
        "agent-ca-file=$T/trust/agents.crt" >>"$FC_CONF"
    start_api
    person 200 GET /enrollmentconfig
    same 'https://fleet.example:7443 https://fleet.example true' "$(jq -r --rawfile ca laptop.crt \
        '."enrollment-service" | "\(.service.server) \(."enrollment-ui-endpoint") \(
        .service."certificate-authority-data" == ($ca | @base64))"' <<<"$body")"

    # What PUT brings waits for a decision.
    request_of tablet
    person 201 PUT $CSR/tablet "$(csr_of tablet enrollment)"
    fc-work drain
    person 200 GET $CSR/tablet
    same '[]' "$(json '.status.conditions | tojson')"
    person 400 PUT $CSR/tablet/approval "$body"
    says 'status.conditions: one of Approved and Denied must be True'
    person 400 PUT $CSR/tablet/approval "$(jq -c '.status.conditions = [{type: "Approved"}]' <<<"$body")"
    person 200 GET $CSR/tablet
    yes=$(decided Approved) no=$(decided Denied)
    person 400 PUT $CSR/other/approval "$yes"
    says 'API Error: metadata.name: is not the name in the path'
    person 409 PUT $CSR/tablet/approval "$(jq -c '.metadata.resourceVersion = "77"' <<<"$yes")"
    person 200 PUT $CSR/tablet/approval "$yes"
    same 'Approved True by me' "$(json '.status.conditions[] | "\(.type) \(.status) \(.message)"')"
    person 409 PUT $CSR/tablet "$(csr_of laptop enrollment | jq -c '.metadata.name = "tablet"')"
    has "$(json .message)" 'cannot be updated: it was decided about'
    person 200 GET $CSR/tablet
    person 200 PUT $CSR/tablet "$(jq -c '.metadata.labels = {a: "b"}' <<<"$body")"
    person 409 PUT $CSR/tablet/approval "$(jq -c 'del(.metadata.resourceVersion)' <<<"$no")"
    says 'CertificateSigningRequest of name "tablet" is already approved'
    fc-work drain
    person 200 GET $CSR/tablet
    same '1 true' "$(json '"\(.status.conditions | length) \(.status.certificate | length > 500)"')"

    request_of phone
    person 201 PUT $CSR/phone "$(csr_of phone device-management-renewal)"
    no=$(decided Denied)
    person 400 PUT $CSR/phone/approval "$(decided Approved)"
    says 'spec.signerName: "flightctl.io/device-management-renewal" signs for devices alone'
    person 200 PUT $CSR/phone/approval "$no"
    fc-work drain
    person 200 GET $CSR/phone
    same 'Denied null' "$(json '"\(.status.conditions[].type) \(.status.certificate)"')"
    person 200 GET $CSR
    same 'laptop phone tablet' "$(json '[.items[].metadata.name] | join(" ")')"
    person 200 DELETE $CSR/phone
}
# decided TYPE: the request in body with this decision.
decided() {
    jq -c --arg type "$1" '.status.conditions = [{type: $type, status: "True", reason: "", message:
        "by me", lastTransitionTime: "0001-01-01T00:00:00Z"}]' <<<"$body"
}

@test "fleets with their devices' states, versions, organizations, providers, and what is not served" {
    person 201 POST /fleets "$(fleet shops site=berlin web)"
    person 201 POST /fleets "$(fleet none site=none web)"
    person 201 POST /devices "$(device $ONE '{"site":"berlin"}')"
    person 201 POST /devices "$(device $TWO '{"site":"berlin"}')"
    person 201 POST /devices "$(device other '{"site":"paris"}')"
    fc-work drain
    person 200 GET /fleets/shops
    same null "$(json .status.devicesSummary)"
    person 200 GET '/fleets/shops?addDevicesSummary=true'
    same '{"applicationStatus":{"Unknown":2},"summaryStatus":{"Unknown":2},"total":2,"updateStatus":{"OutOfDate":2}}' \
        "$(json '.status.devicesSummary | tojson')"
    person 200 GET '/fleets?addDevicesSummary=true'
    same 'none 0,shops 2' "$(json '[.items[] | "\(.metadata.name) \(.status.devicesSummary.total)"] | join(",")')"
    person 400 GET '/fleets?addDevicesSummary=maybe'
    says 'addDevicesSummary: must be true or false'

    person 409 DELETE /fleets/shops/templateversions/v1
    person 200 PUT /fleets/shops "$(fleet shops site=berlin web db)"
    person 404 DELETE /fleets/shops/templateversions/v9
    person 404 DELETE /fleets/other/templateversions/v1
    person 200 PUT /devices/$ONE "$(device $ONE '{}')"
    person 200 PUT /devices/$TWO "$(device $TWO '{}')"
    fc-work drain
    person 200 DELETE /fleets/shops/templateversions/v1
    same Success "$(json .status)"
    person 404 GET /fleets/shops/templateversions/v1

    person 200 GET /organizations
    same 'OrganizationList 00000000-0000-0000-0000-000000000000' \
        "$(json '"\(.kind) \(.items[].metadata.name)"')"
    person 200 GET '/organizations?fieldSelector=metadata.name=11111111-0000-0000-0000-000000000000'
    same 0 "$(json '.items | length')"
    person 400 GET '/organizations?fieldSelector=x=y'

    provider='{"apiVersion":"v1beta1","kind":"AuthProvider","metadata":{"name":"corp"},"spec":{
        "providerType":"k8s","apiUrl":"https://k8s.example:6443","organizationAssignment":
        {"type":"static","organizationName":"default"},"roleAssignment":{"type":"static","roles":["viewer"]}}}'
    person 201 POST /authproviders "$provider"
    person 409 POST /authproviders "$provider"
    answers 200 admin $V1/authproviders/corp -X PATCH -H 'Content-Type: application/json-patch+json' \
        -d '[{"op":"add","path":"/spec/enabled","value":false}]'
    person 200 GET /authproviders/corp
    same false "$(json .spec.enabled)"
    person 200 GET /authproviders
    same AuthProviderList "$(json .kind)"
    person 200 PUT /authproviders/corp "$provider"
    person 200 DELETE /authproviders/corp

    person 200 POST /deviceactions/resume '{"labelSelector":"site=berlin"}'
    same '{"resumedDevices":0}' "$body"
    person 400 POST /deviceactions/resume '{}'
    person 400 POST /deviceactions/resume '{"labelSelector":"site in ("}'
    has "$(json .message)" 'labelSelector: '
    person 400 GET '/devices?cveId=CVE-1'
    says 'cveId: must be like CVE-2024-12345'
    person 501 GET '/devices?cveId=CVE-2024-12345'
    person 204 GET /devices/$ONE/lastseen
    person 501 POST /repositories/r/check-oci-tag '{}'
    says 'checkRepositoryOciTag is not served here'
    person 501 GET /catalogs
    answers 501 admin $V1/catalogs -H 'Flightctl-API-Version: v1alpha1'
    answers 406 admin $V1/devices -H 'Flightctl-API-Version: v1alpha1'
    answers 406 admin $V1/nothing -H 'Flightctl-API-Version: v1alpha1'
    person 501 GET /vulnerabilities/devices/x/summary
    answers 501 admin /ws/v1/devices/x/console
    for path in /healthz /readyz /api/version; do
        same 200 "$(curl -s -o answer -w '%{http_code}' --cacert "$FC_STATE/ca/ca.crt" "$API_URL$path")"
    done
    same '["version"]' "$(jq -c keys answer)"
    answers 200 bootstrap $V1/openapi.json
    same "$(fc-api --openapi)" "$body"
}
