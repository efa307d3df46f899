# SPDX-License-Identifier: Apache-2.0
# databases: both
# shellcheck disable=SC2154,SC2094,SC2258 # bats sets output, stderr and stderr_lines
# Selectors: that the store and a stream pick the same, whatever is asked; that what is shown is what
# is found; states of devices since the last sweep; pages; counts; bad input.

load helpers
load agent

setup() {
    fc_setup
    fc-store init >/dev/null
}
teardown() { fc_teardown; }

# Random resources and selectors, from a seed: `random resources|selectors N`.
random() {
    awk -v seed="$SEED" -v what="$1" -v count="$2" '
        function pick(list,  a, n) { n = split(list, a, " "); return a[int(rand() * n) + 1] }
        function chance(p) { return rand() < p }
        function labels(  s, i, k) {
            s = ""
            for (i = 0; i < 4; i++) {
                k = substr("abcd", i + 1, 1)
                if (chance(0.6)) s = s (s ? "," : "") "\"" k "\":\"" pick(VALUES) "\""
            }
            if (chance(0.5)) s = s (s ? "," : "") "\"alias\":\"" pick(NAMES) "\""
            if (chance(0.1)) s = s (s ? "," : "") "\"x.org/y\":\"\""
            return "{" s "}"
        }
        function meta(name) { return "{\"name\":\"" name "\",\"labels\":" labels() "}" }
        function doc(kind, name, spec) {
            print "{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"" kind "\",\"metadata\":" \
                meta(name) ",\"spec\":" spec "}"
        }
        function image() { return "quay.io/x/" pick("os os2 os-3") ":" pick("1 2") }
        function url() { return chance(0.2) ? LONG pick("a b") : "https://h" pick("1 2 3") ".example/r" }
        function resource(i,  r) {
            r = rand()
            if (r < 0.6) doc("Device", "d-" i, "{}")
            else if (r < 0.75) doc("Fleet", "f-" i, "{\"selector\":{\"matchLabels\":{\"none\":\"" i "\"}}," \
                "\"template\":{\"spec\":" (chance(0.7) ? "{\"os\":{\"image\":\"" image() "\"}}" : "{}") "}}")
            else if (r < 0.9) {
                if (chance(0.4)) doc("Repository", "r-" i, "{\"type\":\"git\",\"url\":\"" url() "\"}")
                else if (chance(0.5)) doc("Repository", "r-" i, "{\"type\":\"http\",\"url\":\"" url() "\"}")
                else doc("Repository", "r-" i, "{\"type\":\"oci\",\"registry\":\"r" pick("1 2") ".example\",\"accessMode\":\"" pick("Read ReadWrite") "\"}")
            } else doc("ResourceSync", "s-" i, "{\"repository\":\"r-" pick("1 2 3") "\",\"targetRevision\":\"main\",\"path\":\"/x\"}")
        }
        function list(from,  s, n) {
            s = ""
            for (n = int(rand() * 4) + 1; n > 0; n--) s = s (s ? "," : "") pick(from)
            return s
        }
        function key() { return pick("a b c d alias x.org/y zz") }
        function onelabel(  r, k) {
            r = rand()
            if (r < 0.25) return key() "=" pick(VALUES " v9")
            if (r < 0.4) return key() "!=" pick(VALUES)
            if (r < 0.55) return key() " in (" list(VALUES " v9") ")"
            if (r < 0.7) return key() " notin (" list(VALUES) ")"
            if (r < 0.8) return key()
            if (r < 0.9) return "!" key()
            return "(a,b) " pick("in notin") " ((" pick(VALUES) "," pick(VALUES) "),(" pick(VALUES) "," pick(VALUES) "))"
        }
        function field(kind,  f, v, r, values, column) {
            f = pick(FIELDS[kind]); column = f ~ /^metadata|^reason|^actor|^type$|^involved/
            values = "zz"
            if (f == "metadata.creationTimestamp") {
                v = TIMES
                r = rand()
                if (r < 0.1) return f
                if (r < 0.2) return "!" f
                if (r < 0.7) return f pick("> >= < <=") pick(v)
                return f pick("= !=") pick(v)
            }
            if (f ~ /name$|nameOrAlias$|alias$/) values = NAMES " r-1 f-2 v1 Device"
            if (f ~ /status.status$|\.status$/) values = "Online Unknown Degraded UpToDate OutOfDate Healthy Enrolled"
            if (f ~ /image$/) values = "quay.io/x/os:1 quay.io/x/os2:2"
            if (f ~ /url$/) values = "https://h1.example/r https://h2.example/r " LONG "a"
            if (f == "spec.type") values = "git http oci"
            if (f ~ /registry|repository/) values = "r1.example r2.example r-1 r-2"
            if (f ~ /accessMode/) values = "Read ReadWrite"
            if (f ~ /owner$/) values = "Fleet/f-1 Fleet/f-2 Fleet/f-3"
            if (f == "reason") values = "ResourceCreated ResourceUpdated DeviceConnected"
            if (f == "type") values = "Normal Warning"
            if (f ~ /kind$/) values = "Device Fleet Repository Nothing"
            r = rand()
            if (column && r < 0.2) return f " " pick("contains notcontains") " " pick("d- e 1 a R r")
            if (r < 0.4) return f "=" pick(values)
            if (r < 0.55) return f "!=" pick(values)
            if (r < 0.7) return f " in (" list(values) ")"
            if (r < 0.85) return f " notin (" list(values) ")"
            return (chance(0.5) ? "" : "!") f
        }
        function all(kind, how,  s, n) {
            s = ""
            for (n = int(rand() * 3) + 1; n > 0; n--)
                s = s (s ? "," : "") (how == "l" ? onelabel() : field(kind))
            return s
        }
        function query(  k, s) {
            k = pick("devices devices devices fleets repositories resourcesyncs templateversions events")
            s = k
            if (k !~ /^t|^e/ && chance(0.6)) s = s "\t-l\t" all(k, "l")
            if (s == k || chance(0.5)) s = s "\t--field-selector\t" all(k, "f")
            print s
        }
        BEGIN {
            srand(seed)
            VALUES = "v1 v2 v3 V1"; NAMES = "d-1 d-2 d-3 d-17 d-40 one One two"
            LONG = "https://long.example/"; for (i = 0; i < 60; i++) LONG = LONG "abcde"
            TIMES = "2020-01-01T00:00:00Z 2099-01-01T00:00:00Z 2026-05-04T03:02:01+02:00 " ENVIRON["ONE_TIME"]
            COMMON = "metadata.name metadata.owner metadata.creationTimestamp "
            FIELDS["devices"] = COMMON "metadata.alias metadata.nameOrAlias status.summary.status status.applicationsSummary.status status.updated.status status.lifecycle.status status.capabilities.osMode"
            FIELDS["fleets"] = COMMON "spec.template.spec.os.image"
            FIELDS["repositories"] = COMMON "spec.type spec.url spec.registry spec.accessMode"
            FIELDS["resourcesyncs"] = COMMON "spec.repository spec.type"
            FIELDS["templateversions"] = COMMON
            FIELDS["events"] = COMMON "reason actor type involvedObject.name involvedObject.kind"
            for (n = 0; n < count; n++) if (what == "resources") resource(n); else query()
        }'
}

# Devices in all states: seen lately, silent, never; swept, and since then silent or back.
scatter() {
    local now

    now=$(date +%s)000000
    store_sql "DELETE FROM meta WHERE key = 'sweep'" >/dev/null # all are looked at again
    store_sql "UPDATE device SET
        summary = CASE id % 4 WHEN 0 THEN 'Online' WHEN 1 THEN 'Degraded' WHEN 2 THEN 'Unknown' ELSE 'Error' END,
        updated = CASE id % 3 WHEN 0 THEN 'UpToDate' WHEN 1 THEN 'OutOfDate' ELSE 'Unknown' END,
        applications = CASE id % 2 WHEN 0 THEN 'Healthy' ELSE 'NoApplications' END,
        lifecycle = CASE id % 5 WHEN 0 THEN 'Unknown' ELSE 'Enrolled' END" >/dev/null
    seen_as "SELECT id, CASE WHEN id % 7 < 4 THEN $now - 10000000 ELSE $now - 3600000000 END
        FROM device WHERE id % 7 <> 6"
    [ "$1" = unswept ] && return
    fc-work drain
    [ "$1" = swept ] && return
    seen_sql "UPDATE seen SET at = $now - 330000000 WHERE id % 11 = 1 AND id > 0"
    seen_sql "UPDATE seen SET at = $now - 20000000, back = $now - 20000000
        WHERE id % 11 = 2 AND id > 0 AND at < $now - 300000000"
    seen_as "SELECT id, $now - 20000000 FROM device WHERE id % 7 = 6 AND id % 11 = 3"
    seen_sql "UPDATE seen SET back = at WHERE id % 7 = 6 AND id > 0"
}

# What each query picks of the store and of a stream of all is the same; so is what it counts.
compare() { # N
    local kind a b q=0 args

    for kind in devices fleets repositories resourcesyncs templateversions; do
        fc-select "$kind" >"$kind"
    done
    fc-select events --limit 0 --order asc >events
    while IFS=$'\t' read -r -a args; do
        kind=${args[0]}
        order=()
        [ "$kind" != events ] || order=(--limit 0 --order asc)
        a=$(fc-select "${args[@]}" "${order[@]}" -o name 2>&1) || :
        b=$(fc-select "$kind" - "${args[@]:1}" -o name <"$kind" 2>&1) || :
        [ "$a" = "$b" ] || { echo "seed $SEED: ${args[*]}"; diff <(echo "$a") <(echo "$b"); return 1; }
        q=$((q + 1))
        [ $((q % 10)) = 0 ] || continue
        [[ $a != *fc-select:* ]] || continue
        same "$(grep -c / <<<"$a")" "$(fc-select "${args[@]}" --count)" || return
    done < <(random selectors "$1")
    same "$1" "$q"
}

@test "the store and a stream pick the same, for random resources and selectors" {
    SEED=${FC_SEED:-$RANDOM}
    echo "seed $SEED"
    n=500
    ! sanitized || n=60
    random resources 800 >all.json
    fc-apply all.json >/dev/null
    ONE_TIME=$(fc-select devices -q .metadata.creationTimestamp -o name | head -1)
    export ONE_TIME
    fc-work drain
    scatter unswept
    compare $((n / 5))
}

@test "the same after a sweep, and when devices fell silent or came back since" {
    SEED=${FC_SEED:-$RANDOM}
    echo "seed $SEED"
    n=500
    ! sanitized || n=60
    random resources 800 >all.json
    fc-apply all.json >/dev/null
    ONE_TIME=$(fc-select devices -q .metadata.creationTimestamp -o name | sed -n 5p)
    export ONE_TIME
    scatter since
    compare "$n"
}

@test "what is counted is what is shown, whenever the sweep was" {
    SEED=11
    random resources 300 >all.json
    fc-apply all.json >/dev/null
    for when in unswept swept since; do
        scatter "$when"
        fc-select devices >devices
        same "$(jq -Scs '{applicationStatus: (map(.status.applicationsSummary.status) | group_by(.) |
                map({(.[0]): length}) | add), summaryStatus: (map(.status.summary.status) |
                group_by(.) | map({(.[0]): length}) | add), total: length, updateStatus:
                (map(.status.updated.status) | group_by(.) | map({(.[0]): length}) | add)}' devices)" \
            "$(fc-select devices --summary)"
        same "$(jq -c 'select(.metadata.labels.a == "v1") | .status.summary.status' devices | sort | uniq -c |
            awk '{ n += $1 } END { print n }')" "$(fc-select devices --summary -l a=v1 -q .total)"
    done
    same 300 "$(fc-select - --count <all.json)"
}

@test "the same of labels and states that thousands have" {
    awk 'BEGIN { for (i = 1; i <= 4500; i++) printf "{\"apiVersion\":\"flightctl.io/v1beta1\"," \
        "\"kind\":\"Device\",\"metadata\":{\"name\":\"d%05d\",\"labels\":{\"half\":\"%d\",\"third\":\"%d\"," \
        "\"late\":\"%s\"}}}\n", i, i % 2, i % 3, (i > 3000) }' | fc-apply -f - >/dev/null
    awk 'BEGIN { for (i = 1; i <= 4500; i++) if (i % 6 == 5) printf "device/d%05d\n", i }' >wanted
    same 750 "$(wc -l <wanted)"
    for l in half=1,third=2 third=2,half=1; do
        fc-select devices -l "$l" -o name | cmp - wanted
        fc-select devices -l "$l" -o name --limit 350 >page 2>next
        cmp page <(head -350 wanted)
        fc-select devices -l "$l" -o name --continue "$(sed 's/.*--continue //' next)" | cmp - <(tail -400 wanted)
        same 750 "$(fc-select devices -l "$l" --count)"
    done
    same "250 0 500" "$(fc-select devices -l half=1,late=1,third=2 --count) $(fc-select devices \
        -l third=2,third=1 --count) $(fc-select devices -l late=1,third=2 --count)"
    scatter since
    fc-select devices -q '.status | [.applicationsSummary.status, .summary.status, .updated.status]' >states
    same "$(jq -Scs '{applicationStatus: (group_by(.[0]) | map({(.[0][0]): length}) | add), summaryStatus:
            (group_by(.[1]) | map({(.[0][1]): length}) | add), total: length, updateStatus:
            (group_by(.[2]) | map({(.[0][2]): length}) | add)}' states)" "$(fc-select devices --summary)"
    has "$(cat states)" NoApplications
    for f in 'status.updated.status=OutOfDate' 'status.summary.status!=Online' 'status.summary.status' \
        'status.applicationsSummary.status in (Healthy,Unknown),status.applicationsSummary.status!=Unknown' \
        'status.updated.status notin (UpToDate,Unknown)'; do
        same "$(fc-select devices --field-selector "$f" -o name | wc -l)" \
            "$(fc-select devices --field-selector "$f" --count)"
    done
    # As in most fleets: all are the same, but a few.
    store_sql "UPDATE device SET summary = 'Online', updated = CASE WHEN id % 500 = 0 THEN 'OutOfDate'
        ELSE 'UpToDate' END, applications = 'Healthy', disconnected = 0" >/dev/null
    seen_as "SELECT id, $(date +%s)000000 FROM device"
    same '{"applicationStatus":{"Healthy":4500},"summaryStatus":{"Online":4500},"total":4500,'\
'"updateStatus":{"OutOfDate":9,"UpToDate":4491}}' "$(fc-select devices --summary)"
}

@test "pages: each once, whatever comes and goes meanwhile" {
    seq -w 1 25 | jq -Rc '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\(.)",
        labels: {site: "a"}}, spec: {}}' | fc-apply >/dev/null
    expect 0 fc-select devices -l site=a --limit 10 -o name
    same "device/d01 device/d10" "${lines[0]} ${lines[9]}"
    [[ $stderr =~ ^'fc-select: 15 more: --continue '([A-Za-z0-9+/=]+)$ ]]
    token=${BASH_REMATCH[1]}
    fc-delete -y device/d11 device/d02 >/dev/null
    echo '{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"d115","labels":{"site":"a"}},"spec":{}}' |
        fc-apply >/dev/null
    expect 0 fc-select devices -l site=a --limit 10 --continue "$token" -o name
    same "device/d115 device/d20" "${lines[0]} ${lines[9]}"
    [[ $stderr =~ ^'fc-select: 5 more: --continue '(.*)$ ]]
    last=${BASH_REMATCH[1]}
    expect 0 fc-select devices -l site=a --limit 10 --continue "$last" -o name
    same "5 " "${#lines[@]} $stderr"
    for wrong in '' x "${token%?????}" e30= "$(base64 <<<'{"Version":1,"Names":["d1"]}')"; do
        expect 6 fc-select devices -l site=a --continue "$wrong"
        same 1 "${#stderr_lines[@]}"
    done
    # Whoever changes a token does not get another page.
    base64 -d <<<"$token" >page
    same "1 d11 15" "$(jq -r '"\(.Version) \(.Names[0]) \(.Count)"' page)"
    for edit in '.Names = ["d01"]' '.Names = ["d20"]' '.Names += ["x"]' '.Names = [1]' 'del(.Sum)' \
        '.Count = 16' '.Count = "15"' '.Version = 2' '.x = 1' '.Names[0] += "\u0000"' '.Sum = "x"' \
        '.List = .Sum' '[.]' '.Names = "d11"'; do
        expect 6 fc-select devices -l site=a --continue "$(jq -jSc "$edit" page | base64 -w0)"
        same "" "$output"
    done
    expect 6 fc-select devices -l site=a --continue "$(jq -S . page | base64 -w0)"
    expect 6 fc-select devices -l site=a --continue "$(fold -w 40 <<<"$token")"
    expect 0 fc-select devices -l site=a --continue "$(jq -jSc . page | base64 -w0)"
    expect 6 fc-select devices -l site=b --limit 10 --continue "$token"
    same "fc-select: continue: the token of another list" "$stderr"
    expect 6 fc-select fleets --continue "$token"
}

@test "what remains is exact up to 1000, and --count beyond" {
    seq 1 1102 | jq -c '{apiVersion: "flightctl.io/v1beta1", kind: "Device", metadata: {name: "d\(.)"},
        spec: {}}' | fc-apply >/dev/null
    expect 0 fc-select devices --limit 102 -o name
    has "$stderr" "fc-select: 1000 more: --continue "
    expect 0 fc-select devices --limit 101 -o name
    has "$stderr" "fc-select: more: --continue "
    same 1102 "$(fc-select devices --count)"
    same 1102 "$(fc-select events --count --field-selector reason=ResourceCreated)"
    expect 0 fc-select devices --limit 0 -o name
    same "1102 " "${#lines[@]} $stderr"
}

@test "events by fields, pages and order" {
    fc-apply >/dev/null <<'END'
{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"x"},"spec":{}}
{"apiVersion":"v1beta1","kind":"Device","metadata":{"name":"y"},"spec":{}}
{"apiVersion":"v1beta1","kind":"Repository","metadata":{"name":"x"},"spec":{"type":"git","url":"https://h/x"}}
END
    uid=$(fc-select events --of device/x -q .metadata.name -o name)
    same Device "$(fc-select events --field-selector "metadata.name=$uid" -q .involvedObject.kind -o name)"
    same "Repository Device" "$(fc-select events --field-selector involvedObject.name=x \
        -q .involvedObject.kind -o name | paste -sd' ')"
    same "Device y" "$(fc-select events -q '"\(.involvedObject.kind) \(.involvedObject.name)"' -o name \
        --field-selector 'involvedObject.kind contains evic,involvedObject.name!=x')"
    same "" "$(fc-select events --field-selector metadata.owner)"
    expect 0 fc-select events --order asc --limit 2 --field-selector reason=ResourceCreated \
        -q .involvedObject.name -o name
    same "x y" "$(paste -sd' ' <<<"$output")"
    [[ $stderr =~ ^'fc-select: 1 more: --continue '(.*)$ ]]
    expect 0 fc-select events --order asc --field-selector reason=ResourceCreated \
        --continue "${BASH_REMATCH[1]}" -q .involvedObject.kind -o name
    same Repository "$output"
    expect 2 fc-select events --order up
    expect 2 fc-select devices --order asc
}

@test "members of spec and status are found by what they are now" {
    repo() {
        jq -nc --arg u "$1" '{apiVersion: "v1beta1", kind: "Repository", metadata: {name: "r"},
            spec: {type: "git", url: $u}}' | fc-apply >/dev/null
    }
    found() { fc-select repositories --field-selector "spec.url=$1" -o name; }
    long=https://h/$(printf 'x%.0s' {1..400})
    repo https://h/1
    same repository/r "$(found https://h/1)"
    repo "$long"
    same "/repository/r/" "$(found https://h/1)/$(found "$long")/$(found "${long}x")"
    fc-delete -y repository/r >/dev/null
    same "" "$(found "$long")"
    same 0 "$(store_sql "SELECT count(*) FROM label WHERE kind = 6")"
}

@test "a stream: kinds, YAML, lists, nothing, and no store" {
    export FC_STORE=sqlite:$T/none/such.db FC_CONF=$T/none.conf
    cat >in.yaml <<'END'
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c, labels: {site: berlin}}}
- {apiVersion: flightctl.io/v1beta1, kind: Device, metadata: {name: d, labels: {site: berlin, alias: al}}}
---
{apiVersion: flightctl.io/v1beta1, kind: Fleet, metadata: {name: f}, spec: {template: {spec: {os: {image: i}}}}}
END
    expect 0 fc-select - -l site=berlin -o name <in.yaml
    same "configmap/c device/d" "$(paste -sd' ' <<<"$output")"
    same device/d "$(fc-select devices - -o name <in.yaml)"
    same fleet/f "$(fc-select - --field-selector spec.template.spec.os.image=i -o name <in.yaml)"
    same "configmap/c" "$(fc-select - --field-selector metadata.name=c -o name <in.yaml)"
    same "device/d" "$(fc-select - --field-selector metadata.nameOrAlias=al -o name <in.yaml)"
    same 2 "$(fc-select - --count -l site <in.yaml)"
    same configmap/c "$(fc-select - --limit 1 -o name <in.yaml)"
    expect 0 fc-select - -o table <in.yaml
    has "$output" "ConfigMap"
    expect 0 fc-select - </dev/null
    same "" "$output$stderr"
    expect 6 fc-select - --field-selector spec.nothing=1 <in.yaml
    expect 6 fc-select fleets - --field-selector metadata.alias=1 <in.yaml
    expect 6 fc-select - <<<'{"kind":'
    expect 2 fc-select - --of device/d <in.yaml
    [ ! -e "$T/none" ]
}

@test "field selectors with a mistake are refused, with their place" {
    for s in , = a 'metadata.name in' 'metadata.name in ()' 'metadata.name>a' 'metadata.name contains' \
        '(metadata.name,metadata.owner)=(a,b)' 'metadata.name contains a%b' 'metadata.name=a b' \
        "metadata.name=a'; DROP TABLE resource" 'metadata.creationTimestamp=yesterday' \
        'metadata.creationTimestamp contains 2' 'status.summary.status contains O' \
        "$(seq -f 'metadata.name!=%g' -s, 1001)" "$(printf 'x%.0s' {1..70000})" $'metadata.name=\xff' \
        "metadata.name in ($(seq -s, 10000))" 'metadata.name=a,,metadata.name=b' 'METADATA.NAME=a'; do
        expect 6 fc-select devices --field-selector "$s"
        expect 6 fc-select devices - --field-selector "$s" </dev/null
        same "" "$output"
        same 1 "${#stderr_lines[@]}"
        has "$stderr" "fc-select: field selector: "
    done
    expect 6 fc-select enrollmentrequests --field-selector status.approval.approved=maybe
    expect 0 fc-select er --field-selector 'status.approval.approved=t,!status.certificate'
    expect 6 fc-select fleets --field-selector metadata.alias=x
    has "$stderr" 'at 1: unable to resolve selector name "metadata.alias". Supported selectors are: [metadata.name, metadata.owner, metadata.creationTimestamp, spec.template.spec.os.image]'
    for s in "metadata.name=x'OR'1" 'metadata.name contains _' 'metadata.name contains "' \
        "metadata.name in ($(seq -s, 900))" 'metadata.name=%' 'metadata.name='; do
        expect 0 fc-select devices --field-selector "$s"
    done
}

@test "requests by their approval and certificate, devices by what they report" {
    make_ca
    start_api
    make_agent one site=x
    run_agent one || :
    er() { fc-select er --field-selector "$1" -q .metadata.name -o name; }
    name=$(fc-select er -q .metadata.name -o name)
    same "" "$(er status.approval.approved)"
    same "$name" "$(er '!status.certificate,status.approval.approved!=true')"
    fc-enroll approve "$name"
    same "$name" "$(er status.approval.approved=true,status.certificate)"
    same "" "$(er status.approval.approved=false)"
    run_agent one
    same "device/$name" "$(fc-select devices --field-selector status.summary.status=Online -o name)"
    mode=$(fc-select devices -q .status.capabilities.osMode -o name)
    same "device/$name" "$(fc-select devices --field-selector "status.capabilities.osMode=$mode" -o name)"
    same "" "$(fc-select devices --field-selector "status.capabilities.osMode!=$mode" -o name)"
    fc-store check
}
