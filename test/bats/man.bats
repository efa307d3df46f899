# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# The manual: complete, and true. Lines of EXAMPLES that begin with "$ " are run, in order, in a
# folder that has what they speak of, and must succeed.

load helpers

setup() { fc_setup; }
teardown() { fc_teardown; }

# The literal blocks of a page's EXAMPLES, as a reader sees them.
examples() {
    awk '
        /^\.Sh/ { inside = ($2 == "EXAMPLES") }
        inside && /^\.Bd -literal/ { block = 1; next }
        /^\.Ed/ { block = 0; next }
        block { gsub(/\\e/, "\\"); print }
    ' "$1"
}

# Of a literal block stream: commands alone, each with its continuation lines (after a backslash, a
# pipe or an open quote, and indented), as one shell program.
commands() {
    awk '
        /^\$ / { go = 1; print substr($0, 3); next }
        go && /^ +/ { print; next }
        { go = 0 }
    '
}

# What the examples speak of: fleets, devices, requests.
furnish() {
    fc-store init
    fc-sign ca init
    fc-sign server localhost
    cat >fleet.yaml <<'END'
apiVersion: flightctl.io/v1beta1
kind: Fleet
metadata: {name: shops}
spec:
  selector: {matchLabels: {role: shop}}
  template:
    spec:
      os: {image: "quay.io/x/os:1"}
      config:
        - name: motd
          inline: [{path: /etc/motd, content: "Welcome to {{ .metadata.labels.site }}\n"}]
END
    sed 's/Welcome/Hello/' fleet.yaml >fleet-v2.yaml
    for d in 'berlin-1 berlin' 'berlin-2 berlin' 'paris-1 paris'; do
        jq -nc --arg n "${d% *}" --arg s "${d#* }" '{apiVersion: "flightctl.io/v1beta1",
            kind: "Device", metadata: {name: $n, labels: {role: "shop", site: $s}}, spec: {}}'
    done >devices.json
    fc-apply devices.json fleet.yaml
    fc-work drain
    mkdir manifests
    sed 's/name: shops/name: kiosks/; s/role: shop/role: kiosk/' fleet.yaml >manifests/kiosks.yaml
    # A request whose name begins with so84ef: that of a key that lies with the examples.
    key=$TOP/examples/berlin-2.key
    name=$(sed -n 's/^ *name: \(so84ef.*\)/\1/p' "$TOP/examples/fleet.yaml")
    openssl req -new -key "$key" -subj "/CN=$name" -out berlin-2.csr
    jq -nc --arg n "$name" --rawfile csr berlin-2.csr '{apiVersion: "flightctl.io/v1beta1",
        kind: "EnrollmentRequest", metadata: {name: $n}, spec: {csr: $csr}} |
        ., (.metadata.name = "another-one")' | fc-apply
}

@test "every command and its options are in its page, and nothing else is" {
    for bin in "$BUILD"/bin/fc-*; do
        command=${bin##*/}
        page=$(ls "$TOP/man/$command".[18])
        subs=$("$bin" -h | sed -n '/^commands:/,/^$/s/^  \([a-z]\+\( [a-z]\+\)\?\).*/\1/p')
        if "$bin" -h | grep -q '^commands:'; then
            help=$("$bin" -h; while read -r s; do
                # shellcheck disable=SC2086 # words
                "$bin" $s -h; done <<<"$subs")
        else
            help=$("$bin" -h)
        fi
        # Long names, without those that all commands have, which fc(7) describes.
        sed -n 's/^  \(-., \)\? *--\([a-z-]*\).*/\2/p' <<<"$help" | sort -u |
            grep -vxE 'help|verbose|version|completion' >known || :
        sed -n 's/^\.It .*Fl \\-\([a-z-]*\).*/\1/p' "$page" | sort -u |
            grep -vxE 'help|verbose|version|completion' >described || :
        diff -u described known || { echo "$page"; return 1; }
    done
}

@test "options are sorted in the pages of commands" {
    for page in "$TOP"/man/fc-*.1; do
        awk '/^\.Bl -tag/ { n++; last = "" }
            /^\.It Fl [A-Za-z] / { k = $3; if (tolower(k) < tolower(last)) bad = bad " " k; last = k }
            END { if (bad) { print FILENAME ":" bad; exit 1 } }' "$page"
    done
}

@test "pages have their sections and mandoc nothing to say" {
    needs mandoc mandoc
    for page in "$TOP"/man/fc-*.[18]; do
        for section in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -qx "\.Sh $section" "$page" || { echo "$page: no $section"; return 1; }
        done
    done
    for page in "$TOP"/man/*.[1-8]; do
        mandoc -T lint -W warning "$page" >lint || :
        ! grep -v 'referenced manual not found' lint
    done
}

@test "every setting is in fc.conf(5), and no other" {
    sed -n '/conf_keys\[\]/,/^};/s/^    {"\([a-z]*\)", "\([a-z-]*\)".*/\1 \2/p' \
        "$TOP/lib/base/conf.c" | sort >known
    awk '/^\.Ss Before/ { s = "" } /^\.Ss \[/ { s = substr($2, 2, length($2) - 2) }
        /^\.It Cm/ { print s " " $3 }' "$TOP/man/fc.conf.5" | sort >described
    diff -u known described
}

@test "the exit statuses of fc(7) are those of the code" {
    sed -n 's/^    FC_[A-Z]* = \([0-9]\),.*/\1/p' "$TOP/lib/base/err.h" >known
    awk '/^\.Sh/ { inside = /EXIT STATUS/ } inside && /^\.It/ { print $2 }' "$TOP/man/fc.7" >described
    diff known described
}

@test "examples run: fc-sign" { fc-store init >/dev/null; run_examples fc-sign.1; }
@test "examples run: fc-login" { run_examples fc-login.1; }
@test "examples run: fc-store" { furnish >/dev/null; FC_STORE='' run_examples fc-store.1; }
@test "examples run: fc-apply" { furnish >/dev/null; run_examples fc-apply.1; }
@test "examples run: fc-select" { furnish >/dev/null; run_examples fc-select.1; }
@test "examples run: fc-watch" { furnish >/dev/null; run_examples fc-watch.1; }
@test "examples run: fc-delete" { furnish >/dev/null; run_examples fc-delete.1; }
@test "examples run: fc-history" { furnish >/dev/null; run_examples fc-history.1; }
@test "examples run: fc-patch" { furnish >/dev/null; run_examples fc-patch.1; }
@test "examples run: fc-render" { furnish >/dev/null; run_examples fc-render.1; }
@test "examples run: fc-rollout" { furnish >/dev/null; run_examples fc-rollout.1; }
@test "examples run: fc-enroll" { furnish >/dev/null; run_examples fc-enroll.1; }
@test "examples run: fc-simulate" { run_examples fc-simulate.1; }
@test "examples run: fc-work" { furnish >/dev/null; run_examples fc-work.1; }
@test "examples run: fc-api" { furnish >/dev/null; run_examples fc-api.8; }
@test "examples run: fc-agent" { run_examples fc-agent.8; }
@test "examples run: fc and fc.conf" {
    furnish >/dev/null
    run_examples fc.7
    FC_STORE='' run_examples fc.conf.5
}

# run_examples PAGE: all that there are, and there is one at least.
run_examples() {
    examples "$TOP/man/$1" | commands >program
    [ -s program ] || { echo "$1: no examples"; return 1; }
    bash -e -o pipefail program </dev/null >stdout 2>stderr || {
        cat program
        echo "$1: status $?"
        cat stdout stderr
        return 1
    }
}
