# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # bats sets stderr; jq programs have $
# Every rule that is checked of a document: a breach of each, with the path and the message, and
# beside it what is just right. Breaches are edits (jq) of documents that are fine; all of a table
# go through one fc-apply, where the line of a message tells the document.

load helpers

setup() {
    fc_setup
    fc-store init >/dev/null
    docs >docs.json
}
teardown() { fc_teardown; }

# One good document of each sort, by a name for the tables.
docs() {
    local key=$T/key.pem csr

    openssl ecparam -name prime256v1 -genkey -noout -out "$key"
    csr=$(openssl req -new -key "$key" -subj /CN=x)
    jq -nc --arg csr "$csr" '
        def doc($kind; $spec): {apiVersion: "flightctl.io/v1beta1", kind: $kind,
            metadata: {name: "x"}, spec: $spec};
        def provider($spec): doc("AuthProvider"; {clientId: "fc", clientSecret: "s",
            organizationAssignment: {type: "static", organizationName: "default"},
            roleAssignment: {type: "static", roles: ["admin"]}} + $spec);
        def app($o): {name: "web", appType: "container", image: "quay.io/org/web:1"} + $o;
        {
            device: doc("Device"; {}),
            config: doc("Device"; {config: [{name: "a", inline: [{path: "/etc/a", content: "a"}]},
                {name: "b", gitRef: {repository: "r", targetRevision: "main", path: "/b"}},
                {name: "c", httpRef: {repository: "r", suffix: "/c", filePath: "/etc/c"}},
                {name: "d", secretRef: {name: "s", namespace: "n", mountPath: "/etc/d"}}]}),
            container: doc("Device"; {applications: [app({ports: ["80:80", "81:81"],
                envVars: {A: "1"}, volumes: [{name: "v", mount: {path: "/v:ro"},
                image: {reference: "quay.io/v:1"}}, {name: "w", mount: {path: "/w"}}]}),
                app({name: "two"})]}),
            compose: doc("Device"; {applications: [{name: "c", appType: "compose",
                inline: [{path: "compose.yaml", content: "a"}], volumes: [{name: "v",
                image: {reference: "v:1"}}]}]}),
            quadlet: doc("Device"; {applications: [{name: "q", appType: "quadlet",
                image: "quay.io/q:1", volumes: [{name: "v", image: {reference: "v:1"}}]}]}),
            vm: doc("Device"; {applications: [{name: "vm", appType: "vm", image: "quay.io/vm:1",
                publishPorts: ["53:53/udp", "53:53/tcp"]}]}),
            helm: doc("Device"; {applications: [{name: "h", appType: "helm", image: "quay.io/h:1",
                valuesFiles: ["a/b.yaml"]}]}),
            monitors: doc("Device"; {resources: [{monitorType: "CPU", samplingInterval: "30s",
                alertRules: [{severity: "Warning", duration: "10m", percentage: 50,
                description: "warm"}, {severity: "Critical", duration: "1m", percentage: 90,
                description: "hot"}]}, {monitorType: "Disk", path: "/var", samplingInterval: "5m",
                alertRules: []}], systemd: {matchPatterns: ["ssh*.service", "getty@tty[1-3].service"]}}),
            hooks: doc("Device"; {hooks: {before: [{command: ["/bin/true"], timeout: "5s"}],
                after: [{systemd: {action: "restart", unit: "a.service"}}]}}),
            schedule: doc("Device"; {updatePolicy: {updateSchedule: {at: "0 3 * * MON-FRI",
                timeZone: "Europe/Berlin", startGraceDuration: "2h"}}}),
            fleet: doc("Fleet"; {selector: {matchLabels: {app: "kiosk"}, matchExpressions: [
                {key: "site", operator: "In", values: ["a"]}, {key: "test", operator: "DoesNotExist"}]},
                template: {spec: {os: {image: "quay.io/os:{{ .metadata.labels.v }}"}}},
                rolloutPolicy: {successThreshold: "90%", defaultUpdateTimeout: "10m",
                disruptionBudget: {groupBy: ["site"], minAvailable: 1},
                deviceSelection: {strategy: "BatchSequence", sequence: [{limit: 1}, {limit: "30%",
                successThreshold: "80%", selector: {matchLabels: {site: "a"}}}]}}}),
            git: doc("Repository"; {type: "git", url: "https://git.example/r.git",
                httpConfig: {username: "u", password: "p"}}),
            ssh: doc("Repository"; {type: "git", url: "git@git.example:org/r.git",
                sshConfig: {sshPrivateKey: "k", privateKeyPassphrase: "p"}}),
            http: doc("Repository"; {type: "http", url: "http://[::1]:8080/x",
                httpConfig: {token: "t", "tls.crt": "c", "tls.key": "k"}}),
            oci: doc("Repository"; {type: "oci", registry: "registry.example:5000",
                ociAuth: {authType: "docker", username: "u", password: "p"},
                baseImages: [{imageName: "org/base", tags: ["1"]}]}),
            sync: doc("ResourceSync"; {repository: "r", targetRevision: "main", path: "/fleets"}),
            request: doc("EnrollmentRequest"; {csr: $csr, labels: {site: "a"}}),
            csr: doc("CertificateSigningRequest"; {request: ($csr | @base64),
                signerName: "flightctl.io/enrollment", usages: ["clientAuth", "CA:false"]}),
            organization: doc("Organization"; {displayName: "X", deviceDefaults: {os:
                {image: "quay.io/os:1"}}}),
            oidc: provider({providerType: "oidc", issuer: "https://id.example"}),
            oauth2: provider({providerType: "oauth2", authorizationUrl: "https://id.example/a",
                tokenUrl: "https://id.example/t", userinfoUrl: "https://id.example/u",
                introspection: {type: "rfc7662", url: "https://id.example/i"}}),
            openshift: doc("AuthProvider"; {providerType: "openshift",
                clusterControlPlaneUrl: "https://api.example:6443"}),
            aap: doc("AuthProvider"; {providerType: "aap", apiUrl: "https://aap.example",
                authorizationUrl: "https://aap.example/a", tokenUrl: "https://aap.example/t",
                clientId: "c", clientSecret: "s", scopes: ["read"]}),
            k8s: doc("AuthProvider"; {providerType: "k8s", apiUrl: "https://k8s.example",
                roleAssignment: {type: "dynamic", claimPath: ["groups"]},
                organizationAssignment: {type: "perUser"}}),
        }'
}

# edited: lines "NAME | EDIT | ...": the documents as they become, one a line.
edited() {
    awk -F ' [|] ' '/^[a-z]/ {
        printf "%s(.%s | (%s))", n++ ? ",\n" : "", $1, $2
    }' >edits.jq
    jq -c -f edits.jq docs.json
}

# breaches <TABLE: lines "NAME | EDIT | PATH: MESSAGE" are refused, each with just that message.
breaches() {
    cat >table
    edited <table >bad.json
    grep '^[a-z]' table | awk -F ' [|] ' '{ print "fc-apply: bad.json:" NR ": " $3 }' >wanted
    [ "$(wc -l <bad.json)" = "$(wc -l <wanted)" ] || { echo "an edit has other than one result"; return 1; }
    expect 6 fc-apply -n -f bad.json
    same "" "$output"
    diff -u wanted - <<<"$stderr"
    same "" "$(fc-select devices -o name)"
}

# fine <TABLE: lines "NAME | EDIT": all are taken.
fine() {
    edited >good.json
    jq -c '.metadata.name = "x\(input_line_number)"' good.json >named.json
    expect 0 fc-apply -n -f named.json
    same "" "$stderr"
    same "$(wc -l <good.json)" "${#lines[@]}"
}

@test "the documents that the tables edit are fine" {
    jq -c '[to_entries[] | .key as $k | .value | .metadata.name = $k] | .[]' docs.json >all.json
    expect 0 fc-apply -n -f all.json
    same "$(jq length docs.json)" "${#lines[@]}"
}

@test "names, labels, annotations" {
    breaches <<'END'
device | .metadata.name = "X" | metadata.name: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
device | .metadata.name = "../x" | metadata.name: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
device | .metadata.name = "a'; drop table resource;--" | metadata.name: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
device | .metadata.name = "a..b" | metadata.name: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
device | .metadata.name = "" | metadata.name: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
device | .metadata.name = "a" * 254 | metadata.name: must have at most 253 characters
device | del(.metadata.name) | metadata.name: is required
device | .metadata.labels["a b"] = "x" | metadata.labels.a b: must be a label key: [DNS.PREFIX/]NAME, the name at most 63 letters, digits, -, _ and ., the first and last a letter or digit
device | .metadata.labels["A/b/c"] = "x" | metadata.labels.A/b/c: must be a label key: [DNS.PREFIX/]NAME, the name at most 63 letters, digits, -, _ and ., the first and last a letter or digit
device | .metadata.labels.a = "-x" | metadata.labels.a: must be a label value: at most 63 letters, digits, -, _ and ., the first and last a letter or digit
device | .metadata.labels.a = "x" * 64 | metadata.labels.a: must have at most 63 characters
device | .metadata.labels.a = 1 | metadata.labels.a: must be a string
device | .metadata.annotations["a/"] = "x" | metadata.annotations.a/: must be a label key: [DNS.PREFIX/]NAME, the name at most 63 letters, digits, -, _ and ., the first and last a letter or digit
request | .spec.labels.site = "a b" | spec.labels.site: must be a label value: at most 63 letters, digits, -, _ and ., the first and last a letter or digit
END
    fine <<'END'
device | .metadata.labels = {"a": "", "example.com/A_b.c": "X-1", "0": "0"}
device | .metadata.annotations = {"example.com/x": "any text: at all"}
END
}

@test "configuration: one provider each, paths, contents, modes" {
    breaches <<'END'
config | .spec.config[0].gitRef = .spec.config[1].gitRef | spec.config[0]: must have exactly one of gitRef, httpRef, secretRef, inline
config | del(.spec.config[0].inline) | spec.config[0]: must have exactly one of gitRef, httpRef, secretRef, inline
config | .spec.config[1].name = "a" | spec.config[1].name: is used already
config | .spec.config[1].name = "A" | spec.config[1].name: must be a name of at most 63 lower-case letters, digits and -
config | .spec.config[1].name = "" | spec.config[1].name: must not be empty
config | .spec.config[0].inline[0].path = "etc/a" | spec.config[0].inline[0].path: must be an absolute path
config | .spec.config[0].inline[0].path = "/etc/../a" | spec.config[0].inline[0].path: must not contain ".."
config | .spec.config[0].inline[0].path = "/etc/./a" | spec.config[0].inline[0].path: must not contain "." as a component
config | .spec.config[0].inline[0].path = "/etc//a" | spec.config[0].inline[0].path: must not contain "//"
config | .spec.config[0].inline[0].path = "/etc/a/" | spec.config[0].inline[0].path: must name a file, not a folder
config | .spec.config[0].inline[0].path = "/" | spec.config[0].inline[0].path: must not be the root folder
config | .spec.config[0].inline[0].path = "" | spec.config[0].inline[0].path: must not be empty
config | .spec.config[0].inline[0].path = "/etc/\u0007" | spec.config[0].inline[0].path: must not contain control characters
config | .spec.config[0].inline[0].path = "/etc/" + "a" * 256 | spec.config[0].inline[0].path: has too long a component
config | .spec.config[0].inline[0].path = "/a" * 2048 | spec.config[0].inline[0].path: is too long a path
config | .spec.config[0].inline[0].path = "/var/lib/flightctl/x" | spec.config[0].inline[0].path: belongs to the agent
config | .spec.config[0].inline[0].path = "/usr/lib/flightctl" | spec.config[0].inline[0].path: belongs to the agent
config | .spec.config[0].inline[0].path = "/etc/flightctl/certs/a" | spec.config[0].inline[0].path: belongs to the agent
config | .spec.config[0].inline[0].path = "/etc/flightctl/config.yaml" | spec.config[0].inline[0].path: belongs to the agent
config | .spec.config[0].inline += .spec.config[0].inline | spec.config[0].inline[1].path: is used already
config | .spec.config[0].inline += [{path: "/etc/a/b", content: ""}] | spec.config[0].inline[1].path: lies in "/etc/a", which is a file
config | .spec.config[0].inline += [{path: "/etc", content: ""}] | spec.config[0].inline[0].path: lies in "/etc", which is a file
config | .spec.config[1] = {name: "b", inline: [{path: "/x", content: ""}, {path: "/etc/a/b/c", content: ""}]} | spec.config[1].inline[1].path: lies in "/etc/a", which is a file
config | .spec.config[0].inline[0].mode = 4096 | spec.config[0].inline[0].mode: must be a file mode from 0 to 07777 (4095)
config | .spec.config[0].inline[0].mode = -1 | spec.config[0].inline[0].mode: must be a file mode from 0 to 07777 (4095)
config | .spec.config[0].inline[0].mode = 1.5 | spec.config[0].inline[0].mode: must be an integer
config | .spec.config[0].inline[0].user = "a b" | spec.config[0].inline[0].user: must be a user or group, by name or number
config | .spec.config[0].inline[0] += {contentEncoding: "base64", content: "%"} | spec.config[0].inline[0].content: must be base64
config | .spec.config[0].inline[0].content = (("a" * 1024) * 1024 + "a") | spec.config[0].inline[0].content: is larger than 1048576 bytes
config | .spec.config[0].inline[0].contentEncoding = "gzip" | spec.config[0].inline[0].contentEncoding: must be one of plain, base64
config | .spec.config[1].gitRef.repository = "R" | spec.config[1].gitRef.repository: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
config | .spec.config[1].gitRef.targetRevision = "-x" | spec.config[1].gitRef.targetRevision: must be a branch, tag or commit
config | .spec.config[1].gitRef.path = "/a/../b" | spec.config[1].gitRef.path: must not contain ".."
config | .spec.config[2].httpRef.filePath = "c" | spec.config[2].httpRef.filePath: must be an absolute path
config | .spec.config[3].secretRef.mountPath = "/var/lib/flightctl" | spec.config[3].secretRef.mountPath: belongs to the agent
config | .spec.config[3].secretRef.namespace = "N" | spec.config[3].secretRef.namespace: must be a name of at most 63 lower-case letters, digits and -
config | .spec.config = {} | spec.config: must be a list
device | .spec.confg = [] | spec.confg: unknown field (did you mean "config"?)
END
    fine <<'END'
config | .spec.config[0].inline[0] += {path: "/etc/flightctl/hooks.d/x", mode: 4095, user: "0"}
config | .spec.config[0].inline[0] += {contentEncoding: "base64", content: "AP8="}
config | .spec.config[0].inline[0].content = (("a" * 1024) * 1024)
config | .spec.config[0].inline += [{path: "/etc/ab", content: ""}, {path: "/etc/a-/b", content: ""}]
config | .spec.config[1] = {name: "b", inline: [{path: "/etc/a", content: ""}]}
config | .spec.config[1].gitRef += {path: "tree/", targetRevision: "v1.2/x+y"}
END
}

@test "images" {
    breaches <<'END'
device | .spec.os.image = "Quay.io/Org/x" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: a name has lower-case letters and digits, with ., _ or - between them
device | .spec.os.image = "quay.io//x" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: a name has lower-case letters and digits, with ., _ or - between them
device | .spec.os.image = "quay.io/x:" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: a tag has at most 128 letters, digits, _, . and -
device | .spec.os.image = "quay.io/x:a b" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: a tag has at most 128 letters, digits, _, . and -
device | .spec.os.image = "quay.io:0/x" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: the port is not from 1 to 65535
device | .spec.os.image = "-quay.io/x" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: the host is none
device | .spec.os.image = "x@sha256:12" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: the digest is none, such as sha256: and 64 hex digits
device | .spec.os.image = "https://quay.io/x" | spec.os.image: must be an image reference, such as quay.io/org/name:tag: the port is not from 1 to 65535
device | .spec.os.image = "a" * 256 | spec.os.image: must be an image reference, such as quay.io/org/name:tag: the name is longer than 255 characters
device | .spec.os = {image: "x", catalogItemRef: {catalog: "c", item: "i", version: "1"}} | spec.os: must have at most one of image, catalogItemRef
container | .spec.applications[0].image = "" | spec.applications[0].image: must be an image reference, such as quay.io/org/name:tag: a name has lower-case letters and digits, with ., _ or - between them
quadlet | .spec.applications[0].volumes[0].image.reference = "v 1" | spec.applications[0].volumes[0].image.reference: must be an image reference, such as quay.io/org/name:tag: a name has lower-case letters and digits, with ., _ or - between them
END
    fine <<'END'
device | .spec.os.image = "localhost/a:b"
device | .spec.os.image = "registry.example:5000/org/a__b/c-d.e:V1.2_x-3"
device | .spec.os.image = "[fd00::1]:5000/x@sha256:" + "0a" * 32
device | .spec.os.image = "x:1@sha256:" + "0a" * 32
device | .spec.os.image = ""
device | .spec.os = {catalogItemRef: {catalog: "c", item: "i", version: "1"}}
END
}

@test "applications: one source each, names, variables, ports, volumes" {
    breaches <<'END'
container | .spec.applications[1].name = "web" | spec.applications[1].name: is used already
container | .spec.applications[0].name = "Web" | spec.applications[0].name: must be a name of lower-case letters, digits and -
compose | del(.spec.applications[0].name) | spec.applications[0].name: is required without an image
compose | .spec.applications[0].image = "x:1" | spec.applications[0]: must have exactly one of image, catalogItemRef, inline
compose | del(.spec.applications[0].inline) | spec.applications[0]: must have exactly one of image, catalogItemRef, inline
compose | .spec.applications[0].inline[0].path = "/compose.yaml" | spec.applications[0].inline[0].path: must be a relative path
compose | .spec.applications[0].inline[0].path = "../x" | spec.applications[0].inline[0].path: must not contain ".."
compose | .spec.applications[0].inline += .spec.applications[0].inline | spec.applications[0].inline[1].path: is used already
compose | .spec.applications[0].appType = "swarm" | spec.applications[0].appType: must be one of compose, quadlet, container, helm, vm
compose | del(.spec.applications[0].appType) | spec.applications[0].appType: is required
container | .spec.applications[0].envVars = {"1A": "x"} | spec.applications[0].envVars.1A: must be named by letters, digits and _, no digit first
container | .spec.applications[0].envVars = {"A=B": "x"} | spec.applications[0].envVars.A=B: must be named by letters, digits and _, no digit first
container | .spec.applications[0].ports[0] = "80" | spec.applications[0].ports[0]: must be HOST:CONTAINER, such as 8080:80
container | .spec.applications[0].ports[0] = "0:80" | spec.applications[0].ports[0]: must have ports from 1 to 65535
container | .spec.applications[0].ports[0] = "80:65536" | spec.applications[0].ports[0]: must have ports from 1 to 65535
container | .spec.applications[0].ports[1] = "80:81" | spec.applications[0].ports[1]: takes a port of the host that another one has
vm | .spec.applications[0].publishPorts[1] = "53:54/udp" | spec.applications[0].publishPorts[1]: takes a port of the host that another one has
vm | .spec.applications[0].publishPorts[1] = "53:54/icmp" | spec.applications[0].publishPorts[1]: must be HOST:GUEST or HOST:GUEST/PROTOCOL, such as 5353:53/udp
container | .spec.applications[0].resources.limits.cpu = "half" | spec.applications[0].resources.limits.cpu: must be a number of CPUs, such as 0.5
container | .spec.applications[0].resources.limits.memory = "1T" | spec.applications[0].resources.limits.memory: must be a number with b, k, m or g, such as 256m
container | .spec.applications[0].volumes[1].name = "v" | spec.applications[0].volumes[1].name: is used already
container | .spec.applications[0].volumes[0].mount.path = "v" | spec.applications[0].volumes[0].mount.path: must be an absolute path
container | .spec.applications[0].volumes[0].mount.path = "/v:a b" | spec.applications[0].volumes[0].mount.path: must have options of letters, digits and =, _, -, with commas
container | del(.spec.applications[0].volumes[0].mount) | spec.applications[0].volumes[0].mount: is required in a container
container | .spec.applications[0].volumes[0].image = {} | spec.applications[0].volumes[0].image: must have exactly one of reference, catalogItemRef
container | .spec.applications[0].volumes[0].image.pullPolicy = "Often" | spec.applications[0].volumes[0].image.pullPolicy: must be one of Always, IfNotPresent, Never
container | .spec.applications[0].volumes[0] = {name: "v"} | spec.applications[0].volumes[0]: must have at least one of image, mount
compose | .spec.applications[0].volumes[0] = {name: "v", mount: {path: "/v"}} | spec.applications[0].volumes[0].image: is required: the application makes its other volumes itself
quadlet | .spec.applications[0].volumes[0] = {name: "v", mount: {path: "/v"}} | spec.applications[0].volumes[0].image: is required: the application makes its other volumes itself
helm | .spec.applications[0].valuesFiles[0] = "/x" | spec.applications[0].valuesFiles[0]: must be a relative path
helm | .spec.applications[0].namespace = "A" | spec.applications[0].namespace: must be a name of at most 63 lower-case letters, digits and -
END
    fine <<'END'
container | del(.spec.applications[0].name)
container | .spec.applications[0].resources.limits = {cpu: ".5", memory: "256m"}
compose | .spec.applications[0].inline[0].path = "a/b/compose.yaml"
END
}

@test "monitors and unit patterns" {
    breaches <<'END'
monitors | .spec.resources[1] = .spec.resources[0] | spec.resources[1]: monitors what another one does
monitors | .spec.resources[1].path = "var" | spec.resources[1].path: must be an absolute path
monitors | del(.spec.resources[1].path) | spec.resources[1].path: is required
monitors | .spec.resources[0].monitorType = "GPU" | spec.resources[0].monitorType: must be one of CPU, Memory, Disk
monitors | .spec.resources[0].samplingInterval = "0s" | spec.resources[0].samplingInterval: must be a duration such as 30s, 5m or 1h
monitors | .spec.resources[0].samplingInterval = "30" | spec.resources[0].samplingInterval: must be a duration such as 30s, 5m or 1h
monitors | .spec.resources[0].samplingInterval = "9" * 20 + "h" | spec.resources[0].samplingInterval: is too long a duration
monitors | .spec.resources[0].alertRules[0].duration = "1d" | spec.resources[0].alertRules[0].duration: must be a duration such as 90s, 10m or 1h
monitors | .spec.resources[0].alertRules[0].percentage = 101 | spec.resources[0].alertRules[0].percentage: must be from 0 to 100
monitors | .spec.resources[0].alertRules[0].percentage = "50%" | spec.resources[0].alertRules[0].percentage: must be a number
monitors | .spec.resources[0].alertRules[1].severity = "Warning" | spec.resources[0].alertRules[1].severity: is used already
monitors | .spec.resources[0].alertRules[1].percentage = 50 | spec.resources[0].alertRules[1].percentage: must be more than that of Warning
monitors | .spec.resources[0].alertRules[0].severity = "Fatal" | spec.resources[0].alertRules[0].severity: must be one of Warning, Critical, Info
monitors | .spec.systemd.matchPatterns[0] = "a b" | spec.systemd.matchPatterns[0]: must be a systemd unit name or a pattern of such
monitors | .spec.systemd.matchPatterns[0] = "a" * 257 | spec.systemd.matchPatterns[0]: must have at most 256 characters
END
    fine <<'END'
monitors | .spec.resources[1].path = "/"
monitors | .spec.resources[0].alertRules[0].percentage = 12.5
END
}

@test "hooks: commands, units, time limits" {
    breaches <<'END'
hooks | .spec.hooks.before[0].command = [] | spec.hooks.before[0].command: must not be empty
hooks | .spec.hooks.before[0].command = ("aa" * 64 / "a") | spec.hooks.before[0].command: must have at most 64 elements
hooks | .spec.hooks.before[0].timeout = "2h" | spec.hooks.before[0].timeout: must be a duration from 1s to 1h, such as 30s or 5m
hooks | .spec.hooks.after[0].systemd.unit = "a b.service" | spec.hooks.after[0].systemd.unit: must be the name of a systemd unit
hooks | .spec.hooks.after[0].systemd.unit = "--now.service" | spec.hooks.after[0].systemd.unit: must be the name of a systemd unit
hooks | .spec.hooks.after[0].systemd.action = "mask" | spec.hooks.after[0].systemd.action: must be one of start, stop, restart, try-restart, reload, reload-or-restart, enable, disable
END
    fine <<'END'
hooks | .spec.hooks.onFailure = [{command: ["x", ""], timeout: "1h"}]
hooks | .spec.hooks.after[0].systemd.unit = "getty@tty1.service"
END
}

@test "schedules: cron, time zones, durations" {
    breaches <<'END'
schedule | .spec.updatePolicy.updateSchedule.at = "0 3 * *" | spec.updatePolicy.updateSchedule.at: must have five fields: minute, hour, day of month, month, day of week
schedule | .spec.updatePolicy.updateSchedule.at = "60 3 * * *" | spec.updatePolicy.updateSchedule.at: minute: "60" is not in 0-59
schedule | .spec.updatePolicy.updateSchedule.at = "0 24 * * *" | spec.updatePolicy.updateSchedule.at: hour: "24" is not in 0-23
schedule | .spec.updatePolicy.updateSchedule.at = "0 3 0 * *" | spec.updatePolicy.updateSchedule.at: day of month: "0" is not in 1-31
schedule | .spec.updatePolicy.updateSchedule.at = "0 3 * FOO *" | spec.updatePolicy.updateSchedule.at: month: "FOO" is no value
schedule | .spec.updatePolicy.updateSchedule.at = "0 3 * * FRI-MON" | spec.updatePolicy.updateSchedule.at: day of week: "FRI-MON" runs backwards
schedule | .spec.updatePolicy.updateSchedule.at = "*/0 * * * *" | spec.updatePolicy.updateSchedule.at: minute: "*/0" has no step
schedule | .spec.updatePolicy.updateSchedule.at = "0 3 30 2 *" | spec.updatePolicy.updateSchedule.at: names a date that never comes
schedule | .spec.updatePolicy.updateSchedule.at = "@daily" | spec.updatePolicy.updateSchedule.at: minute: "@daily" is no value
schedule | .spec.updatePolicy.updateSchedule.timeZone = "Europe/Atlantis" | spec.updatePolicy.updateSchedule.timeZone: is no known time zone
schedule | .spec.updatePolicy.updateSchedule.timeZone = "../../etc/passwd" | spec.updatePolicy.updateSchedule.timeZone: must be the name of a time zone, such as Europe/Berlin, or Local
schedule | .spec.updatePolicy.updateSchedule.timeZone = "zone.tab" | spec.updatePolicy.updateSchedule.timeZone: must be the name of a time zone, such as Europe/Berlin, or Local
schedule | .spec.updatePolicy.updateSchedule.timeZone = "Europe" | spec.updatePolicy.updateSchedule.timeZone: is no known time zone
schedule | .spec.updatePolicy.updateSchedule.startGraceDuration = "2d" | spec.updatePolicy.updateSchedule.startGraceDuration: must be a duration such as 90s, 10m or 24h
schedule | del(.spec.updatePolicy.updateSchedule.startGraceDuration) | spec.updatePolicy.updateSchedule.startGraceDuration: is required
END
    fine <<'END'
schedule | .spec.updatePolicy.updateSchedule += {at: "*/15 0-6,22 1,15 JAN-MAR ?", timeZone: "Local"}
schedule | .spec.updatePolicy.downloadSchedule = {at: "0 0 29 2 *", timeZone: "UTC", startGraceDuration: "90s"}
schedule | .spec.updatePolicy.updateSchedule.timeZone = "America/Argentina/Buenos_Aires"
END
}

@test "fleets: selectors, templates, rollout policies" {
    breaches <<'END'
fleet | .spec.selector.matchLabels["a b"] = "x" | spec.selector.matchLabels.a b: must be a label key: [DNS.PREFIX/]NAME, the name at most 63 letters, digits, -, _ and ., the first and last a letter or digit
fleet | .spec.selector.matchLabels.a = "b c" | spec.selector.matchLabels.a: must be a label value: at most 63 letters, digits, -, _ and ., the first and last a letter or digit
fleet | .spec.selector.matchExpressions = [] | spec.selector.matchExpressions: must not be empty
fleet | .spec.selector.matchExpressions[0].values = [] | spec.selector.matchExpressions[0].values: must not be empty with In
fleet | .spec.selector.matchExpressions[1].values = ["a"] | spec.selector.matchExpressions[1].values: must be absent with DoesNotExist
fleet | .spec.selector.matchExpressions[0].operator = "Gt" | spec.selector.matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist
fleet | .spec.selector.matchExpressions[0].key = "a b" | spec.selector.matchExpressions[0].key: must be a label key: [DNS.PREFIX/]NAME, the name at most 63 letters, digits, -, _ and ., the first and last a letter or digit
fleet | .spec.selector.matchExpressions[0].values = ["a b"] | spec.selector.matchExpressions[0].values[0]: must be a label value: at most 63 letters, digits, -, _ and ., the first and last a letter or digit
fleet | .spec.rolloutPolicy.successThreshold = "0%" | spec.rolloutPolicy.successThreshold: must be a percentage from 1% to 100%
fleet | .spec.rolloutPolicy.successThreshold = "101%" | spec.rolloutPolicy.successThreshold: must be a percentage from 1% to 100%
fleet | .spec.rolloutPolicy.successThreshold = "90" | spec.rolloutPolicy.successThreshold: must be a percentage from 1% to 100%
fleet | .spec.rolloutPolicy.successThreshold = 90 | spec.rolloutPolicy.successThreshold: must be a string
fleet | .spec.rolloutPolicy.defaultUpdateTimeout = "soon" | spec.rolloutPolicy.defaultUpdateTimeout: must be a duration such as 90s, 10m or 24h
fleet | .spec.rolloutPolicy.disruptionBudget = {groupBy: ["a"]} | spec.rolloutPolicy.disruptionBudget: must have at least one of minAvailable, maxUnavailable
fleet | .spec.rolloutPolicy.disruptionBudget.minAvailable = 0 | spec.rolloutPolicy.disruptionBudget.minAvailable: must be at least 1
fleet | .spec.rolloutPolicy.disruptionBudget.groupBy = ["a", "a"] | spec.rolloutPolicy.disruptionBudget.groupBy[1]: is listed already
fleet | .spec.rolloutPolicy.disruptionBudget.groupBy = ["a b"] | spec.rolloutPolicy.disruptionBudget.groupBy[0]: must be a label key
fleet | .spec.rolloutPolicy.deviceSelection.sequence = [] | spec.rolloutPolicy.deviceSelection.sequence: must not be empty
fleet | .spec.rolloutPolicy.deviceSelection.sequence[0].limit = 0 | spec.rolloutPolicy.deviceSelection.sequence[0].limit: must be at least 1
fleet | .spec.rolloutPolicy.deviceSelection.sequence[1].limit = "200%" | spec.rolloutPolicy.deviceSelection.sequence[1].limit: must be a percentage from 1% to 100%
fleet | .spec.rolloutPolicy.deviceSelection.sequence[1].successThreshold = "x" | spec.rolloutPolicy.deviceSelection.sequence[1].successThreshold: must be a percentage from 1% to 100%
fleet | .spec.rolloutPolicy.deviceSelection.strategy = "AllAtOnce" | spec.rolloutPolicy.deviceSelection.strategy: must be BatchSequence
fleet | .spec.template.spec.os.image = "quay.io/os:{{ .metadata.labels.v" | spec.template.spec.os.image: {{ .metadata.labels.v: the closing "}}" is missing
fleet | .spec.template.spec.config = [{name: "a-{{ .metadata.name }}", inline: []}] | spec.template.spec.config[0].name: must not have parameters
fleet | .spec.tenplate = {} | spec.tenplate: unknown field
END
    fine <<'END'
fleet | .spec.selector = {}
fleet | .spec.rolloutPolicy.disruptionBudget = {maxUnavailable: 3, groupBy: ["example.com/a", "b"]}
fleet | .spec.template.spec.config = [{name: "a", inline: [{path: "/etc/{{ .metadata.name }}", content: "x"}]}]
END
}

@test "repositories and what is kept as they have it" {
    breaches <<'END'
git | .spec.url = "git.example/r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: there is no scheme
git | .spec.url = "file:///srv/r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: it has another scheme
git | .spec.url = "https://u:secret@git.example/r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: a password in it would be shown: httpConfig has a place for it
git | .spec.url = "https://git .example" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: it has a blank or a control character
git | .spec.url = "https://git..example/r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: the host is none
git | .spec.url = "https://git.example:99999/r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: the port is not from 1 to 65535
git | .spec.url = "" | spec.url: must not be empty
ssh | .spec.url = "git@:r" | spec.url: must be an http, https, ssh or git URL, or USER@HOST:PATH: the host is none
git | .spec.sshConfig = {} | spec: must not have httpConfig and sshConfig together
git | del(.spec.httpConfig.username) | spec.httpConfig.username: is required with a password
git | .spec.httpConfig.token = "t" | spec.httpConfig.token: must not stand beside a password
http | del(.spec.httpConfig["tls.key"]) | spec.httpConfig.tls.key: is required with tls.crt
http | del(.spec.httpConfig["tls.crt"]) | spec.httpConfig.tls.crt: is required with tls.key
ssh | del(.spec.sshConfig.sshPrivateKey) | spec.sshConfig.sshPrivateKey: is required with privateKeyPassphrase
http | .spec.url = "ftp://x" | spec.url: must be an http or https URL: it has another scheme
http | .spec.type = "svn" | spec.type: must be one of git, http, oci
http | del(.spec.type) | spec.type: is required
oci | .spec.registry = "https://registry" | spec.registry: must be HOST or HOST:PORT: there is a scheme before it
oci | .spec.registry = "registry/path" | spec.registry: must be HOST or HOST:PORT: there is a path behind it
oci | .spec.registry = "registry..x" | spec.registry: must be HOST or HOST:PORT: the host is none
oci | .spec.registry = "registry:x" | spec.registry: must be HOST or HOST:PORT: the port is not from 1 to 65535
oci | .spec.registry = "registry:0" | spec.registry: must be HOST or HOST:PORT: the port is not from 1 to 65535
oci | del(.spec.ociAuth.password) | spec.ociAuth.password: is required
oci | .spec.ociAuth.authType = "bearer" | spec.ociAuth.authType: must be docker
oci | .spec.scheme = "ftp" | spec.scheme: must be one of http, https
oci | .spec.accessMode = "Write" | spec.accessMode: must be one of Read, ReadWrite
oci | .spec.baseImages[0].imageName = "Org/x" | spec.baseImages[0].imageName: must be the name of an image, such as org/name: a name has lower-case letters and digits, with ., _ or - between them
oci | .spec.baseImages[0].tags = ["-1"] | spec.baseImages[0].tags[0]: must be an image tag
oci | .spec.url = "https://x" | spec.url: unknown field
sync | .spec.repository = "R" | spec.repository: must be a DNS subdomain: at most 253 lower-case letters, digits, - and ., the first and last a letter or digit
sync | .spec.path = "../x" | spec.path: must not contain ".."
sync | .spec.targetRevision = "a b" | spec.targetRevision: must be a branch, tag or commit
sync | .spec.type = "device" | spec.type: must be one of fleet, catalog
END
    fine <<'END'
git | .spec = {type: "git", url: "ssh://git@git.example:2222/r.git"}
git | .spec = {type: "git", url: "https://user@git.example/r.git", httpConfig: {username: "u", token: "t"}}
oci | .spec.registry = "[fd00::1]:5000"
sync | .spec.path = ""
END
}

@test "organizations and authentication providers, each with what it requires" {
    breaches <<'END'
organization | .metadata.name = "6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f" | metadata.name: must not look like a uid
organization | .spec.deviceDefaults.config = [{name: "a", inline: [{path: "a", content: ""}]}] | spec.deviceDefaults.config[0].inline[0].path: must be an absolute path
organization | .spec.displayName = 1 | spec.displayName: must be a string
oidc | .spec.providerType = "saml" | spec.providerType: must be one of oidc, oauth2, openshift, aap, k8s
oidc | .spec.issuer = "id.example" | spec.issuer: must be an http or https URL: there is no scheme
oidc | del(.spec.issuer) | spec.issuer: is required
oidc | del(.spec.clientSecret) | spec.clientSecret: is required
oidc | .spec.clientId = "" | spec.clientId: must not be empty
oidc | .spec.usernameClaim = [] | spec.usernameClaim: must not be empty
oidc | .spec.scopes = [""] | spec.scopes[0]: must not be empty
oidc | .spec.organizationAssignment = {type: "dynamic"} | spec.organizationAssignment.claimPath: is required
oidc | .spec.organizationAssignment = {type: "dynamic", claimPath: []} | spec.organizationAssignment.claimPath: must not be empty
oidc | .spec.organizationAssignment = {type: "static", organizationName: ""} | spec.organizationAssignment.organizationName: must not be empty
oidc | .spec.organizationAssignment.type = "none" | spec.organizationAssignment.type: must be one of static, dynamic, perUser
oidc | .spec.roleAssignment.roles = [] | spec.roleAssignment.roles: must not be empty
oauth2 | del(.spec.userinfoUrl) | spec.userinfoUrl: is required
oauth2 | .spec.introspection = {type: "jwt"} | spec.introspection.jwksUrl: is required
oauth2 | .spec.introspection.url = "x" | spec.introspection.url: must be an http or https URL: there is no scheme
openshift | .spec.clusterControlPlaneUrl = "https://" | spec.clusterControlPlaneUrl: must be an http or https URL: the host is none
aap | del(.spec.scopes) | spec.scopes: is required
k8s | del(.spec.apiUrl) | spec.apiUrl: is required
k8s | .spec.roleAssignment.claimPath = [""] | spec.roleAssignment.claimPath[0]: must not be empty
k8s | .spec.apiURL = "x" | spec.apiURL: unknown field
END
    fine <<'END'
openshift | .spec = {providerType: "openshift"}
oauth2 | .spec.introspection = {type: "github"}
organization | del(.spec)
END
}

@test "certificate requests parse, have a sound key and are signed by it" {
    openssl req -new -newkey rsa:1024 -noenc -keyout k -subj /CN=x -out weak.pem 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -noenc -keyout k -subj /CN=x \
        -out curve.pem 2>/dev/null
    openssl req -new -newkey rsa:2048 -sha1 -noenc -keyout k -subj /CN=x -out sha1.pem 2>/dev/null
    openssl req -new -newkey rsa:2048 -noenc -keyout k -subj /CN=x -out rsa.pem 2>/dev/null
    # The last byte of the signature is another one.
    openssl req -in rsa.pem -outform DER -out der
    size=$(stat -c %s der)
    { head -c $((size - 1)) der; tail -c 1 der | tr '\0-\377' '\1-\377\0'; } |
        openssl req -inform DER -out forged.pem 2>/dev/null
    openssl req -x509 -key key.pem -subj /CN=x -out cert.pem
    jq -c --rawfile weak weak.pem --rawfile curve curve.pem --rawfile sha1 sha1.pem \
        --rawfile forged forged.pem --rawfile cert cert.pem --rawfile rsa rsa.pem \
        '. + {pem: {$weak, $curve, $sha1, $forged, $cert, $rsa}}' docs.json >more.json
    mv more.json docs.json
    jq -c '.pem[] as $p | (.request | .spec.csr = $p), (.csr | .spec.request = ($p | @base64))' \
        docs.json >bad.json
    sed -i '11,12d' bad.json # the last one is good
    expect 6 fc-apply -n bad.json
    diff -u - <<<"$stderr" <(
        n=0
        while IFS= read -r why; do
            echo "fc-apply: bad.json:$((++n)): spec.csr: $why"
            echo "fc-apply: bad.json:$((++n)): spec.request: $why"
        done <<'END'
RSA key of 1024 bits: 2048 to 8192 are accepted
key on the curve secp256k1: P-256, P-384 and P-521 are accepted
the request must be signed with SHA-256, SHA-384 or SHA-512
the request's signature is not by its key
a certificate request is wanted, not PEM of "CERTIFICATE"
END
    )
    breaches <<'END'
request | .spec.csr = "" | spec.csr: empty: a certificate request is wanted
request | .spec.csr = "TUlJ" | spec.csr: no certificate request in PEM
csr | .spec.request = "%" | spec.request: must be base64
csr | .spec.request = "" | spec.request: empty: a certificate request is wanted
csr | .spec.request = "eHh4" * 1000 | spec.request: no certificate request in PEM
csr | .spec.usages = ["clientAuth"] | spec.usages: must contain clientAuth and CA:false
csr | .spec.signerName = "flightctl.io/server-svc" | spec.signerName: flightctl.io/server-svc signs no certificate signing requests
csr | .spec.signerName = "flightctl.io/other" | spec.signerName: must be one of flightctl.io/enrollment, flightctl.io/device-management-renewal, flightctl.io/device-svc-client
csr | .spec.expirationSeconds = 0 | spec.expirationSeconds: must be at least 1
csr | .spec.expirationSeconds = 3000000000 | spec.expirationSeconds: must fit in 32 bits
END
    jq -c '(.request.spec.csr = .pem.rsa | .request), (.csr.spec.request = (.pem.rsa | @base64) | .csr)' \
        docs.json >good.json
    expect 0 fc-apply good.json
    same 2 "${#lines[@]}"
}

@test "a missing repository is a condition of what refers to it, never a refusal" {
    jq -c '.config | .spec.config |= .[1:2]' docs.json | fc-apply
    jq -c '.fleet | .spec.selector = {matchLabels: {a: "b"}} |
        .spec.template.spec = {config: [{name: "b", httpRef: {repository: "none", filePath: "/x"}}]}' \
        docs.json | fc-apply
    jq -c .sync docs.json | fc-apply
    fc-work drain >/dev/null
    condition() {
        fc-select "$1" -o json | jq -c --arg t "$2" \
            '.status.conditions[] | select(.type == $t) | [.status, .reason]'
    }
    same '["False","Invalid"]' "$(condition device/x SpecValid)"
    same '["False","Invalid"]' "$(condition fleet/x Valid)"
}
