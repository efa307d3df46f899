#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016,SC2086,SC2094 # bats sets status, output, stderr; ${} is for hooks; $hooks has no blanks
# Hooks around an update: those of a version, those of rule files, and such that misbehave.

load helpers
load agent

setup() {
    fc_setup
    needs_root
    with_device d1
    shell
}
teardown() { fc_teardown; }

# shell: the device has a shell with what busybox has, and systemctl and note, which note their
# arguments and, if it is there, what /etc/a holds.
shell() {
    needs /bin/busybox busybox-static
    mkdir -p d1/bin d1/usr/bin d1/tmp
    cp /bin/busybox d1/bin/busybox
    ln -sf busybox d1/bin/sh
    ln -sf busybox d1/bin/sleep
    for name in systemctl note; do
        cat >d1/usr/bin/$name <<'END'
#!/bin/sh
printf '%s' "${0##*/}" >>/calls
for word; do printf ' [%s]' "$word" >>/calls; done
[ ! -e /etc/a ] || a=$(busybox cat /etc/a)
printf ' %s\n' "$a$MARK" >>/calls
[ "$1" != fail ] || { echo "what it $2" >&2; exit 3; }
END
        chmod +x d1/usr/bin/$name
    done
    hooks=d1/etc/flightctl/hooks.d
    mkdir -p $hooks/{before,after}updating
}
calls() { [ ! -e d1/calls ] || cat d1/calls; rm -f d1/calls; }

@test "hooks of a version: before, after, and nothing when nothing changes" {
    version='{"hooks":{"before":[{"command":["note","be fore",""]},{"command":["/usr/bin/note","2"],"timeout":"5s"}],
        "after":[{"systemd":{"action":"restart","unit":"kiosk@1.service"}}],"onFailure":[{"command":["note","not"]}]}}'
    give "$(files "$(file /etc/a 1)")" "$version"
    expect 0 run_agent d1
    same 'note [be fore] [] 
note [2] 
systemctl [restart] [--] [kiosk@1.service] 1' "$(calls)"
    fc-agent --root d1 plan >plan
    same "" "$(cat plan)"
    give "$(files "$(file /etc/a 1)")" "$(jq -c '.resources = []' <<<"$version")"
    give "$(files "$(file /etc/a 1)")" "$(jq -c '.hooks.after = []' <<<"$version")"
    expect 0 run_agent d1
    same "" "$(calls)"
    same "Updated: version 3 is applied" "$(updating)"
    give "$(files "$(file /etc/a 2)")" "$version"
    run_agent d1 || :
    same "$(printf 'note [be fore] [] 1\nnote [2] 1\nsystemctl [restart] [--] [kiosk@1.service] 2')" "$(calls)"
}

@test "a hook that fails takes the version back, whenever it is, and onFailure comes last" {
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    give "$(files "$(file /etc/a 2)")" '{"hooks":{"before":[{"command":["note","fail","says\nat last"]}],
        "after":[{"command":["note"]}],"onFailure":[{"command":["note","fail"]},{"command":["note","down"]}]}}'
    expect 1 run_agent d1
    has "$stderr" 'fc-agent: version 3: spec.hooks.before[0]: note: ended with 3: at last'
    same 'note [fail] [says
at last] 1
note [fail] 1
note [down] 1' "$(calls)"
    same "Error: version 3: spec.hooks.before[0]: note: ended with 3: at last" "$(updating)"
    give "$(files "$(file /etc/a 3)" "$(file /etc/b 3)")" '{"hooks":{"after":[{"command":["note","fail","x"]}],
        "onFailure":[{"command":["note","down"]}]}}'
    expect 1 run_agent d1
    same "$(printf 'note [fail] [x] 3\nnote [down] 1')" "$(calls)"
    [ ! -e d1/etc/b ]
    no_temporaries d1
    expect 0 run_agent d1
    same "" "$(calls)"
}

@test "rule files: words, variables, conditions, /etc over /usr" {
    mkdir -p d1/usr/lib/flightctl/hooks.d/afterupdating d1/srv
    cat >d1/usr/lib/flightctl/hooks.d/afterupdating/10-a.yaml <<'END'
- run: note hidden
END
    echo "- run: note usr ' '" >d1/usr/lib/flightctl/hooks.d/afterupdating/20-b.yaml
    cat >$hooks/afterupdating/10-a.yaml <<'END'
- run: note "a \"b\" ${None}" '${ Path }' x${Files}y \$HOME ''
  if:
  - path: /etc/conf.d/
    op: [created, updated, removed]
  envVars: {MARK: "=v"}
- run: sh -c 'note "$PWD" "$@"' sh ${CreatedFiles} ${UpdatedFiles} ${RemovedFiles}
  workDir: /srv
  timeout: 1m
  if: ["rebooted == false", {path: /etc/conf.d/, op: [created, removed]}]
- run: note backup ${Backup}
  if: [{path: /etc/a, op: [updated]}]
- run: note never
  if: [rebooted == true]
- run: note file
  if: [{path: /etc/conf.d, op: [created, updated]}]
- run: note one
  if: [{path: /etc/conf.d/y, op: [updated]}]
END
    echo '- run: note soon' >$hooks/beforeupdating/x.yml
    echo '- run: note no rule file' >$hooks/beforeupdating/x.txt
    give "$(files "$(file /etc/a 1)" "$(file '/etc/conf.d/x z' 1)" "$(file /etc/conf.d/y 1)")"
    expect 0 run_agent d1
    same 'note [soon] 
note [a "b" ${None}] [/etc/conf.d/] [x/etc/conf.d/x z /etc/conf.d/yy] [$HOME] [] 1=v
note [/srv] [/etc/conf.d/x z /etc/conf.d/y] [] [] 1
note [usr] [ ] 1' "$(calls)"
    same "" "$(find d1 -name hooks-ran)"
    # The old file is there until all is well.
    cat >$hooks/afterupdating/10-a.yaml <<'END'
- run: sh -c 'note backup $(busybox cat ${Backup})'
  if: [{path: /etc/a, op: [updated]}]
- run: note one ${Files}
  if: [{path: /etc/conf.d/y, op: [removed]}]
END
    give "$(files "$(file /etc/a 2)" "$(file '/etc/conf.d/x z' 1)")"
    expect 0 run_agent d1
    same 'note [soon] 1
note [backup] [1] 2
note [one] [/etc/conf.d/y] 2
note [usr] [ ] 2' "$(calls)"
}

@test "rules that come with a version count for it, and a bad one refuses it" {
    give "$(files "$(file /etc/a 1)" "$(file /etc/flightctl/hooks.d/afterupdating/50-x.yaml \
        '- {run: note came, if: [{path: /etc/a, op: [created]}]}')")"
    expect 0 run_agent d1
    same "note [came] 1" "$(calls)"
    n=2
    while IFS='|' read -r rule what; do
        n=$((n + 1))
        give "$(files "$(file /etc/a 1)" "$(file /etc/flightctl/hooks.d/beforerebooting/50-x.yaml "$rule")")"
        expect 1 run_agent d1
        has "$stderr" "version $n: /etc/flightctl/hooks.d/beforerebooting/50-x.yaml:1: $what"
    done <<'END'
run: x|must be a list of rules
- {run: 'note ''x'}|[0].run: has a quote that does not end, or too many words
- {if: []}|[0].run: is missing
- {run: ''}|[0].run: names no program
- {run: x, timeout: 2h}|[0].timeout: must be a duration such as 30s or 5m, of at most 3600 s
- {run: x, timeout: 5}|[0].timeout: must be a string
- {run: x, workDir: here}|[0].workDir: must be an absolute path
- {run: x, workdir: /y}|[0].workdir: is unknown
- {run: x, envVars: {A B: c}}|[0]: envVars: must be names of variables and strings
- {run: x, if: [rebooted = true]}|[0].if[0]: must be "rebooted == true" or "rebooted == false"
- {run: x, if: [{path: etc, op: [created]}]}|[0].if[0].path: must be an absolute path
- {run: x, if: [{path: /etc, op: [deleted]}]}|[0].if[0].op: must be a list of created, updated, removed
- {runs: x}|[0].runs: is unknown
END
    same "" "$(calls)"
    # One that came some other way is passed over: else nothing could mend it.
    echo '- run: [' >$hooks/beforeupdating/50-x.yaml
    give "$(files "$(file /etc/a 9)")"
    expect 0 run_agent d1
    has "$stderr" "hooks.d/beforeupdating/50-x.yaml:"
    has "$stderr" ": passed over"
}

@test "the default rules, also on the way back" {
    make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$T/inst" install
    cp -r inst/usr/lib/flightctl d1/usr/lib/flightctl 2>/dev/null || { mkdir -p d1/usr/lib; cp -r inst/usr/lib/flightctl d1/usr/lib/; }
    give "$(files "$(file /etc/a 1)")"
    expect 0 run_agent d1
    same "" "$(calls)"
    give "$(files "$(file /etc/a 2)" "$(file /etc/systemd/system/x.service '[Unit]')")" \
        '{"hooks":{"after":[{"command":["note","fail"]}],"onFailure":[{"command":["note","down"]}]}}'
    expect 1 run_agent d1
    same 'systemctl [daemon-reload] 2
note [fail] 2
systemctl [daemon-reload] 1
note [down] 1' "$(calls)"
    same "" "$(find d1 -name hooks-ran)"
}

@test "a hook that never ends, floods, or kills who started it" {
    give "$(files "$(file /etc/a 1)")"
    run_agent d1
    give "$(files "$(file /etc/a 2)")" '{"hooks":{"after":[{"command":["sh","-c","trap : TERM; while :; do sleep 314159; done"],"timeout":"1s"}]}}'
    expect 1 run_agent d1
    has "$stderr" "version 3: spec.hooks.after[0]: sh: did not end within 1 s"
    same 1 "$(cat d1/etc/a)"
    # What it started is gone with it.
    gone() { ! pgrep -x -f 'sleep 314159'; }
    wait_for gone
    give "$(files "$(file /etc/a 3)")" '{"hooks":{"before":[{"command":["sh","-c","busybox yes | busybox head -c 100000000"],"timeout":"1m"}]}}'
    expect 0 run_agent d1
    same 3 "$(cat d1/etc/a)"
    give "$(files "$(file /etc/a 4)")" '{"hooks":{"after":[{"command":["sh","-c","kill -9 $PPID"]}]}}'
    for _ in 1 2 3; do
        expect 137 run_agent d1
        same 4 "$(cat d1/etc/a)"
    done
    expect 0 run_agent d1
    has "$stderr" "version 5: was cut short 3 times"
    same 3 "$(cat d1/etc/a)"
    same "Error: version 5: was cut short 3 times" "$(updating)"
    no_temporaries d1
}
