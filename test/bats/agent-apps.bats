#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# Applications of a device, by stand-ins that note what the agent does with podman and systemd.

load helpers
load agent
load agent-apps

setup() {
    fc_setup
    needs_root
    with_device d1
    stand_ins d1
}
teardown() { fc_teardown; }

# app NAME FILTER: of what the device reported.
app() { reported ".status.applications[] | select(.name == \"$1\") | $2"; }

# three MEMBERS-OF-WEB TAG MEMBERS-OF-QUAD: one of each kind, and a file.
three() {
    give "$(files "$(file /etc/a "$2")")" "$(apps \
        "$(container_app web "quay.io/org/web:$2" "$1")" \
        "$(inline_app proj compose compose.yaml "$COMPOSE" "{\"envVars\":{\"TAG\":\"$2\"}}")" \
        "$(inline_app quad quadlet q.container "$QUADLET# $2" "$3")")"
}

# summary STATUS: of all applications, as the server has it.
summary() { [ "$(reported .status.applicationsSummary.status)" = "$1" ]; }

# changes: the calls since the last time that change something, without what differs each time.
changes() {
    calls d1 '^podman (pull|volume|artifact)' | sed 's/hash=[0-9a-f]*/hash=H/; s/ [0-9a-f]\{64\}/ ID/g'
}

# Pictures without what the stand-ins have, and times of folders.
unimportant() { grep -v -e '^var/fake' | sed 's/ [0-9]* [0-9.]* $//'; }

# action APP VERB: by a person; then the device runs.
action() {
    api admin "/api/v1/devices/$DEVICE/applications/$1/actions/$2" -X POST >/dev/null && fc-work drain &&
        : >d1/run/calls && run_agent d1
}

@test "three kinds of applications come, change, are stopped and restarted, and go" {
    three '{"envVars":{"A":"x y"},"ports":["8080:80"],"resources":{"limits":{"cpu":"0.5","memory":"64m"}},
        "volumes":[{"name":"data","mount":{"path":"/data:Z"}},
        {"name":"conf","mount":{"path":"/conf"},"image":{"reference":"quay.io/org/conf:1"}}]}' 1 '{"envVars":{"B":"2"}}'
    expect 0 run_agent d1
    calls d1 | sed 's/hash=[0-9a-f]*/hash=H/' >got
    diff - got <<'END'
podman pull --quiet -- quay.io/org/web:1
podman artifact inspect -- quay.io/org/conf:1
podman pull --quiet -- quay.io/org/conf:1
podman pull --quiet -- localhost/box:1
systemctl daemon-reload
podman volume inspect --format {{index .Labels "io.flightctl.image"}}:{{.Driver}} -- web-conf
podman volume create --label io.flightctl.image=quay.io/org/conf:1 --driver image --opt image=quay.io/org/conf:1 -- web-conf
podman run --detach --name web --restart always --label io.flightctl.app=web --label io.flightctl.hash=H --volume web-data:/data:Z --volume web-conf:/conf --env-file /etc/flightctl/env/web.env --publish 8080:80 --cpus 0.5 --memory 64m quay.io/org/web:1
podman-compose -p proj -f /etc/flightctl/compose/proj/compose.yaml up -d
systemctl start -- q.service
END
    same "A=x y 600" "$(cat d1/etc/flightctl/env/web.env) $(stat -c %a d1/etc/flightctl/env/web.env)"
    same "TAG=1" "$(cat d1/etc/flightctl/compose/proj/.env)"
    same "EnvironmentFile=/etc/flightctl/env/quad.env" "$(tail -1 d1/etc/containers/systemd/q.container)"
    for name in web proj quad; do
        same "Running 1/1 0 false" "$(app $name '"\(.status) \(.ready) \(.restarts) \(.embedded)"')"
    done
    same '[["data","web-data"],["conf","quay.io/org/conf:1"]]' \
        "$(app web '.volumes | map([.name, .reference]) | tojson')"
    wait_for summary Healthy

    # Nothing changed: one look at containers and one at units, and nothing else.
    : >d1/run/calls
    expect 0 run_agent d1
    same "podman ps 1 systemctl show 1" "$(awk '{print $1, $2}' d1/run/calls | sort | uniq -c |
        awk '{print $2, $3, $1}' | xargs)"

    # The container loses its options, the quadlet changes, the project stays.
    three null 1 '{"envVars":{"B":"3"}}'
    : >d1/run/calls
    expect 0 run_agent d1
    changes >got
    diff - got <<'END'
systemctl stop -- q.service
podman rm --force --ignore --depend --time 10 ID
systemctl daemon-reload
podman run --detach --name web --restart always --label io.flightctl.app=web --label io.flightctl.hash=H quay.io/org/web:1
systemctl start -- q.service
END
    [ ! -e d1/etc/flightctl/env/web.env ]

    # What people do with one of them.
    action web restart
    same "podman rm --force --ignore --depend --time 10 ID" "$(changes | head -1)"
    action web stop
    same "podman rm --force --ignore --depend --time 10 ID" "$(changes)"
    same "Stopped 0/0" "$(app web '"\(.status) \(.ready)"')"
    action quad stop
    same "systemctl stop -- q.service" "$(changes)"
    same "Stopped" "$(app quad .status)"
    action quad start
    same "systemctl start -- q.service" "$(changes)"
    action web start
    same "podman run" "$(changes | cut -c 1-10)"
    action quad restart
    same "systemctl restart -- q.service" "$(changes)"
    wait_for summary Healthy

    # All go: files, containers and units; volumes stay.
    give "$(files "$(file /etc/a 1)")"
    expect 0 run_agent d1
    changes >got
    diff - got <<'END'
systemctl stop -- q.service
podman rm --force --ignore --depend --time 10 ID
podman network ls --quiet --filter label=com.docker.compose.project=proj
podman rm --force --ignore --depend --time 10 ID
systemctl daemon-reload
END
    same "" "$(state d1)"
    same "web-conf" "$(ls d1/var/fake/volumes)"
    [ ! -e d1/etc/containers ] && [ ! -e d1/etc/flightctl/compose ] && [ ! -e d1/etc/flightctl/env ]
    wait_for summary NoApplications
    : >d1/run/calls
    expect 0 run_agent d1
    same "" "$(cat d1/run/calls)"
    no_temporaries d1

    # Artifacts bring files, also in archives, and fill volumes.
    echo 5.5.0 >d1/var/fake/version
    mkdir d1/var/fake/artifact
    echo "$COMPOSE" >d1/var/fake/artifact/compose.yaml
    echo more >more
    tar -czf d1/var/fake/artifact/rest.tgz more
    ln -s busybox d1/bin/tar
    give '[]' "$(apps '{"name":"proj","appType":"compose","image":"quay.io/org/art:1",
            "volumes":[{"name":"c","image":{"reference":"quay.io/org/c:1"}}]}' \
        "$(container_app web localhost/box:1 '{"volumes":[{"name":"v","mount":{"path":"/v"},"image":{"reference":"quay.io/org/art:2"}}]}')")"
    : >d1/run/calls
    expect 0 run_agent d1
    grep -E '^podman (pull|artifact) .*art:' d1/run/calls >got
    diff - got <<'END'
podman artifact inspect -- quay.io/org/art:1
podman pull --quiet -- quay.io/org/art:1
podman artifact pull --quiet -- quay.io/org/art:1
podman artifact extract -- quay.io/org/art:1 /run/flightctl/package
podman artifact inspect -- quay.io/org/art:2
podman pull --quiet -- quay.io/org/art:2
podman artifact pull --quiet -- quay.io/org/art:2
podman artifact extract -- quay.io/org/art:2 /var/fake/mount/web-v
END
    same "compose.yaml flightctl-volumes.yaml more" "$(ls d1/etc/flightctl/compose/proj | xargs)"
    same '{"volumes":{"c":{"external":true,"name":"proj-c"}}}' "$(cat d1/etc/flightctl/compose/proj/flightctl-volumes.yaml)"
    has "$(cat d1/run/calls)" "-f /etc/flightctl/compose/proj/compose.yaml -f /etc/flightctl/compose/proj/flightctl-volumes.yaml up -d"
    has "$(cat d1/run/calls)" "--driver image --opt image=quay.io/org/c:1 -- proj-c"
    same "compose.yaml rest.tgz" "$(ls d1/var/fake/mount/web-v | xargs)"
    # One that is in use is not filled anew.
    rm d1/var/fake/containers/*
    echo "podman volume rm" >d1/run/fail
    expect 0 run_agent d1
    same "Running Running" "$(app web .status) $(app proj .status)"
    has "$(cat d1/run/calls)" "podman volume rm -- web-v"
    rm d1/run/fail

    # Quadlets of all kinds: what runs is started, images are fetched, and all is stopped.
    give '[]' "$(apps "$(jq -cn --arg k 'spec: {containers: [{image: quay.io/org/k:1}]}' '{name: "quad", appType: "quadlet", inline: [
        {path: "a.container", content: "[Container]\nImage=b.build\nPod=p.pod\n"}, {path: "k.kube", content: "[Kube]\nYaml=k.yaml\n"},
        {path: "k.yaml", content: $k}, {path: "p.pod", content: "[Pod]\n"}, {path: "v.volume", content: "[Volume]\n"},
        {path: "n.network", content: "[Network]\n"}, {path: "i.image", content: "[Image]\nImage=quay.io/org/i:1\n"},
        {path: "b.build", content: "[Build]\nImageTag=localhost/b\n"}, {path: "r.artifact", content: "[Artifact]\nArtifact=quay.io/org/r:1\n"},
        {path: "a.container.d/1.conf", content: "[Service]\nRestart=always\n"}]}')")"
    : >d1/run/calls
    expect 0 run_agent d1
    same "podman pull --quiet -- quay.io/org/k:1,podman pull --quiet -- quay.io/org/i:1,systemctl daemon-reload,systemctl start -- a.service k.service p-pod.service," \
        "$(grep -E '^(podman pull|systemctl (start|daemon))' d1/run/calls | tr '\n' ,)"
    same "Running 3/3" "$(app quad '"\(.status) \(.ready)"')"
    [ -e d1/etc/containers/systemd/a.container.d/1.conf ]
    # A boot that brought some of it only.
    rm -r d1/run/flightctl d1/var/fake/active/k.service
    expect 0 run_agent d1
    same "Running 3/3" "$(app quad '"\(.status) \(.ready)"')"
    give '[]'
    : >d1/run/calls
    expect 0 run_agent d1
    same "systemctl stop -- a.service k.service p-pod.service v-volume.service n-network.service i-image.service b-build.service r-artifact.service,podman network rm -- systemd-n,systemctl daemon-reload," \
        "$(calls d1 '^podman (image|artifact)' | tr '\n' ,)"
    [ ! -e d1/etc/containers ]
}

@test "an update that fails brings back what ran, and leaves alone what it had not touched" {
    three null 1 null
    run_agent d1
    state d1 >before
    seen=$(picture d1 | unimportant)

    # The last one does not start: all come back.
    three null 2 '{"envVars":{"B":"3"}}'
    echo "systemctl start.* q.service" >d1/run/fail
    touch d1/run/fail-once
    : >d1/run/calls
    expect 1 run_agent d1
    same "fc-agent: version 3: application quad: systemctl: ended with 125: refused" "$stderr"
    same "Error: version 3: application quad: systemctl: ended with 125: refused" "$(updating)"
    diff before <(state d1)
    same "$seen" "$(picture d1 | unimportant)"
    same "Running Running Running" "$(app web .status) $(app proj .status) $(app quad .status)"
    changes >got
    diff - got <<'END'
systemctl stop -- q.service
podman rm --force --ignore --depend --time 10 ID
podman network ls --quiet --filter label=com.docker.compose.project=proj
podman rm --force --ignore --depend --time 10 ID
systemctl daemon-reload
podman run --detach --name web --restart always --label io.flightctl.app=web --label io.flightctl.hash=H quay.io/org/web:2
podman-compose -p proj -f /etc/flightctl/compose/proj/compose.yaml up -d
systemctl start -- q.service
systemctl stop -- q.service
podman rm --force --ignore --depend --time 10 ID
podman network ls --quiet --filter label=com.docker.compose.project=proj
podman rm --force --ignore --depend --time 10 ID
systemctl daemon-reload
podman run --detach --name web --restart always --label io.flightctl.app=web --label io.flightctl.hash=H quay.io/org/web:1
podman-compose -p proj -f /etc/flightctl/compose/proj/compose.yaml up -d
systemctl start -- q.service
END

    # What fails while files are staged has stopped nothing.
    three null 4 null
    : >d1/run/calls
    cp -a d1 d2
    traced -o trace -e trace=openat
    n=$(grep ^openat trace | grep -n -m 1 '"\.fc-[0-9a-f]*\.new"' | cut -d: -f 1)
    rm -r d1
    mv d2 d1
    : >d1/run/calls
    expect 1 traced -o /dev/null -e "inject=openat:error=ENOSPC:when=$n"
    has "$stderr" "cannot make a temporary: No space left on device"
    same "" "$(changes)"
    diff before <(state d1)

    # A program that never ends is ended, and the update with it.
    three null 5 null
    echo "podman run" >d1/run/hang
    touch d1/run/hang-once
    echo 'application-timeout: 1s' >d1/etc/flightctl/conf.d/apps2.yaml
    expect 1 run_agent d1
    same "fc-agent: version 5: application web: podman: did not end within 1 s" "$stderr"
    diff before <(state d1)
    # One that only tells nothing is asked once in a run, which goes on.
    echo "podman ps" >d1/run/hang
    : >d1/run/calls
    expect 0 run_agent d1
    has "$stderr" "cannot be looked at: podman: did not end within 1 s"
    same "1 Unknown Running" "$(grep -c 'podman ps' d1/run/calls) $(app web .status) $(app quad .status)"
    wait_for summary Degraded
    rm d1/run/hang

    # Disks that are full before anything is fetched: podman's, then the agent's own, too.
    three null 6 null
    : >d1/run/calls
    seen=$(picture d1 | unimportant)
    full="mount -t tmpfs -o nr_inodes=1 full d1/var/fake/images"
    expect 7 unshare -m sh -c "$full && exec fc-agent --root d1 $SPLIT"
    has "$stderr" "spec.applications[0] (web): quay.io/org/web:6: podman: ended with 1: "
    has "$stderr" "No space left on device"
    has "$(updating)" "Retrying: version 6: spec.applications[0] (web): quay.io/org/web:6: "
    fc-agent --root d1 kick
    expect 7 unshare -m sh -c "$full && cp -a d1/var/lib/flightctl kept &&
        mount -t tmpfs -o mode=700,nr_inodes=20 full d1/var/lib/flightctl && cp -a kept/. d1/var/lib/flightctl &&
        while echo x >d1/var/lib/flightctl/x\$((n += 1)); do :; done 2>/dev/null
        fc-agent --root d1 $SPLIT; code=\$?; ls -A d1/var/lib/flightctl >left; exit \$code"
    has "$stderr" "state.json: No space left on device"
    same "$(ls -A kept)" "$(grep -v '^x[0-9]*$' left)"
    same "" "$(changes)"
    diff before <(state d1)
    same "$seen" "$(picture d1 | unimportant)"
    fc-agent --root d1 kick
    expect 0 run_agent d1
    same "6 Running" "$(cat d1/etc/a) $(app web .status)"
}

@test "what is not for this agent is refused by its field, and nothing is touched" {
    give '[]' "$(apps "$(container_app old localhost/box:1)")"
    run_agent d1
    state d1 >before
    : >d1/run/calls
    n=2
    refused() { # MESSAGE APP ...
        local message=$1

        shift
        n=$((n + 1))
        give '[]' "$(apps "$(container_app old localhost/box:1)" "$@")"
        expect 1 run_agent d1
        same "fc-agent: version $n: $message" "$stderr"
        same "Error: version $n: $message" "$(updating)"
    }
    only="this agent runs applications of the types container, compose and quadlet only"
    refused "spec.applications[1] (h): appType helm: $only" \
        '{"name":"h","appType":"helm","image":"quay.io/x/chart:1"}'
    refused "spec.applications[2] (v): appType vm: $only" "$(container_app a localhost/box:1)" \
        "$(inline_app v vm vm.yaml 'kind: VirtualMachine')"
    refused "spec.applications[1] (c): has no compose.yaml" "$(inline_app c compose x.yaml "$COMPOSE")"
    refused "spec.applications[1] (c): compose.yaml:2: did not find expected node content while parsing a flow node" \
        "$(inline_app c compose compose.yaml 'services: [')"
    refused "spec.applications[1] (q): has no quadlet file, such as app.container" \
        "$(inline_app q quadlet x.conf 1)"
    refused "spec.applications[1] (w): envVars.A: cannot have more than one line" \
        "$(container_app w localhost/box:1 '{"envVars":{"A":"1\n2"}}')"
    refused 'spec.applications[1] (w): runAs: no user "nobody-here"' \
        "$(container_app w localhost/box:1 '{"runAs":"nobody-here"}')"
    echo 'bob:x:1234:1234::/home/bob:/bin/sh' >>d1/etc/passwd
    echo loginctl >d1/run/fail
    refused 'spec.applications[1] (w): runAs: bob is not logged in, and cannot linger: loginctl: ended with 125: refused' \
        "$(container_app w localhost/box:1 '{"runAs":"bob"}')"
    rm d1/run/fail d1/run/calls
    refused "/etc/containers/systemd/q.container: stands twice in the spec" \
        "$(inline_app p quadlet q.container "$QUADLET")" "$(inline_app q quadlet q.container "$QUADLET")"
    refused "spec.applications[1] (w): quay.io/x/y:1: is not on the device, and pullPolicy is Never" \
        "$(container_app w localhost/box:1 '{"volumes":[{"name":"v","mount":{"path":"/v"},
            "image":{"reference":"quay.io/x/y:1","pullPolicy":"Never"}}]}')"
    echo 4.3.1 >d1/var/fake/version
    refused "spec.applications[1] (p): quay.io/org/art:1: is an artifact, and podman 4.3.1 cannot take files out of one: 5.5 is the first that can" \
        '{"name":"p","appType":"compose","image":"quay.io/org/art:1"}'
    same "" "$(changes | grep -v '^podman version')"
    diff before <(state d1)
    # A volume of that name that is not ours is somebody's data.
    mkdir -p d1/var/fake/volumes
    echo :local >d1/var/fake/volumes/w-v
    refused "application w: volume w-v: is there already, with other content" \
        "$(container_app w localhost/box:1 '{"volumes":[{"name":"v","mount":{"path":"/v"},
            "image":{"reference":"quay.io/x/y:1"}}]}')"
    same ":local" "$(cat d1/var/fake/volumes/w-v)"
    diff before <(state d1)
    # A project that comes without one of its services, unless that one need not come.
    two='services: {a: {image: "localhost/box:1"}, b: {image: "localhost/box:1"'
    refused "spec.applications[1] (p): does not run: 1 of 2 up" "$(inline_app p compose compose.yaml "$two}}")"
    diff before <(state d1)
    give '[]' "$(apps "$(inline_app p compose compose.yaml "$two, profiles: [x]}, c: {scale: 0}}")")"
    expect 0 run_agent d1
    same "Running 1/1" "$(app p '"\(.status) \(.ready)"')"
}

@test "accounts of their own, what is gone or was left by a boot, garbage, images that go" {
    echo 'bob:x:1234:1234::/home/bob:/bin/sh' >>d1/etc/passwd
    bob='{"runAs":"bob","envVars":{"A":"1"}}'
    give '[]' "$(apps "$(container_app web localhost/box:1 "$bob")" \
        "$(inline_app quad quadlet q.container "$QUADLET" "$bob")" \
        "$(inline_app proj compose compose.yaml "$COMPOSE")")"
    expect 0 run_agent d1
    same "1234:1234 600" "$(stat -c '%u:%g %a' d1/etc/flightctl/env/web.env)"
    has "$(cat d1/run/calls)" "setpriv --reuid 1234 --regid 1234 --init-groups --reset-env -- env XDG_RUNTIME_DIR=/run/user/1234 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1234/bus podman run --detach --name web"
    as_bob=setpriv$(grep -m 1 -o ' --reuid.* DBUS[^ ]* ' d1/run/calls)
    has "$(cat d1/run/calls)" "${as_bob}systemctl --user daemon-reload"
    has "$(cat d1/run/calls)" "${as_bob}systemctl --user start -- q.service"
    same "loginctl enable-linger bob" "$(grep loginctl d1/run/calls)"
    [ -e d1/etc/containers/systemd/users/1234/q.container ]
    same "bob Running bob Running null Running" "$(app web '"\(.runAs) \(.status)"') $(
        app quad '"\(.runAs) \(.status)"') $(app proj '"\(.runAs) \(.status)"')"

    # Whoever is gone comes back; who ended by itself is told of.
    ended() { # EXIT: all that has a container
        sed -i "s/\"running\",\"ExitCode\":0/\"exited\",\"ExitCode\":$1/" d1/var/fake/containers/*
    }
    rm d1/var/fake/containers/* d1/var/fake/active/*
    rm d1/var/fake/units/*
    expect 0 run_agent d1
    has "$stderr" "repaired"
    same "Running Running Running" "$(app web .status) $(app quad .status) $(app proj .status)"
    ended 3
    : >d1/run/calls
    expect 0 run_agent d1
    same "Running Error 0/1" "$(app web .status) $(app proj '"\(.status) \(.ready)"')"
    hasnt "$(cat d1/run/calls)" podman-compose
    wait_for summary Error
    # After a boot everything is started once, then left alone again.
    rm -r d1/run/flightctl d1/run/user
    ended 0
    expect 0 run_agent d1
    same "Running Running" "$(app web .status) $(app proj .status)"
    ended 0
    : >d1/run/calls
    run_agent d1
    hasnt "$(cat d1/run/calls)" podman-compose
    same "Running Completed" "$(app web .status) $(app proj .status)"
    wait_for summary Healthy

    # podman that prints something else: what it was to tell cannot be known, so the update is taken
    # back as soon as it can, and tried again.
    tag=1
    for text in '{"a":1}' '[{"Id":"-f","State":"running"}]' 'Error: no' "$(printf '[\x80]')"; do
        tag=$((tag + 1))
        echo "$text" >d1/run/garbage
        give '[]' "$(apps "$(container_app web "localhost/box:$tag" "$bob")")"
        expect 1 run_agent d1
        has "$stderr" "podman: what it prints is no"
        has "$(updating)" "podman: what it prints is no"
        rm d1/run/garbage
        expect 0 run_agent d1
        has "$(state d1)" "localhost/box:$tag"
    done

    # Images that nobody needs any more go, when they may.
    echo 'image-pruning: {enabled: true}' >d1/etc/flightctl/conf.d/prune.yaml
    : >d1/run/calls
    give '[]' "$(apps "$(container_app web localhost/box:9 "$bob")")"
    expect 0 run_agent d1
    for tag in 1 2 3 4 5; do has "$(cat d1/run/calls)" "podman image rm -- localhost/box:$tag"; done
    hasnt "$(cat d1/run/calls)" "podman image rm -- localhost/box:9"
    # Those of a version that failed go when the next one is fetched.
    echo "podman run" >d1/run/fail
    give '[]' "$(apps "$(container_app web localhost/box:10 "$bob")")"
    expect 1 run_agent d1
    rm d1/run/fail
    : >d1/run/calls
    give '[]' "$(apps "$(container_app web localhost/box:11 "$bob")")"
    expect 0 run_agent d1
    same "image rm -- localhost/box:10,pull --quiet -- localhost/box:11,image rm -- localhost/box:9," \
        "$(sed -n 's/^podman \(image rm\|pull\)/\1/p' d1/run/calls | tr '\n' ,)"

    # Without its own record the agent goes by the running spec.
    rm d1/var/lib/flightctl/apps.json
    expect 0 run_agent d1
    same Running "$(app web .status)"
    [ -e d1/var/lib/flightctl/apps.json ]
    echo '{' >d1/var/lib/flightctl/apps.json
    : >d1/run/calls
    give '[]'
    expect 0 run_agent d1
    same "" "$(state d1)"
    same "podman image rm -- localhost/box:11" "$(grep '^podman image rm' d1/run/calls)"
}
