#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests.
#   sh test/run.sh                    installs what is needed, builds, runs every test: plain, under
#                                     sanitizers, what goes through a store also on PostgreSQL, the
#                                     fuzzing corpora, the checks of the tree
#   sh test/run.sh -b BUILD [FILE ...]  with what is built in BUILD (build, build-san) alone
#   sh test/run.sh FILE ...           only these files of test/bats, plain and under sanitizers
# The output of each test that failed is printed. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1

builds=
while getopts b:h o; do
    case $o in
    b) builds=$OPTARG ;;
    *) sed -n '3,10s/^# \{0,1\}//p' "$0" >&2; [ "$o" = h ] && exit 0; exit 2 ;;
    esac
done
shift $((OPTIND - 1))

give_up() { echo "run.sh: $*" >&2; echo "0 passed, 1 failed"; exit 1; }

sh test/deps.sh build run test || give_up "packages are missing"
jobs=$(nproc)
out=$(mktemp -d "${TMPDIR:-/tmp}/fc-test.XXXXXX") || exit 1
pg='' memory=''
end() {
    [ -z "$pg" ] || sh test/postgres.sh stop "$pg"
    [ -z "$memory" ] || umount -l "$memory"
    rm -rf "$out" "$pg" "$memory"
}
trap end EXIT
trap 'exit 1' HUP INT TERM

# make_quietly ARGUMENT ...: its output only when it fails.
make_quietly() {
    make -j"$jobs" "$@" >"$out/make" 2>&1 || { cat "$out/make"; give_up "make $* failed"; }
}
if [ -z "$builds" ]; then
    builds="build build-san"
    make_quietly
    make_quietly SAN=1
    [ $# -gt 0 ] || make_quietly fuzz
fi
[ "$(id -u)" != 0 ] || make_quietly account

: >"$out/passed"
: >"$out/failed"
: >"$out/skipped"

# check NAME COMMAND ...: one test that is no bats file.
check() {
    name=$1
    shift
    if "$@" >"$out/check" 2>&1; then
        echo "$name" >>"$out/passed"
    else
        echo "$name" >>"$out/failed"
        echo "--- $name"
        cat "$out/check"
    fi
}
completions_are_current() {
    make -s completions COMPLETIONS="$out/completions" && diff -r "$out/completions" share/completions
}
scripts() {
    git ls-files 2>/dev/null | grep -E '\.(sh|bash|bats)$|^\.ci/run$' || :
}
scripts_are_clean() {
    # shellcheck disable=SC2046 # one word a file
    set -- $(scripts)
    [ $# -gt 0 ] || set -- test/*.sh test/bench/*.sh test/bats/*.bats test/bats/*.bash examples/*.sh \
        .ci/run
    # Of tests only errors: shellcheck does not know what bats and its helpers set.
    for f; do
        case $f in *.bats) level=error ;; *) level=warning ;; esac
        shellcheck -S $level -- "$f" || bad=1
    done
    [ -z "${bad:-}" ]
}
manuals_are_clean() { # every one of a command exists, and mandoc has nothing to say
    for c in build/bin/fc-*; do
        ls man/"${c##*/}".[1-8] >/dev/null || return 1
    done
    # References to pages of other packages are no error where those are not installed.
    ! mandoc -T lint -W warning man/*.[1-8] | grep -v 'referenced manual not found' | grep .
}
if [ $# -eq 0 ] && [ "$builds" = "build build-san" ]; then
    check "completions are those that the commands print" completions_are_current
    check "shellcheck has nothing to say about the scripts" scripts_are_clean
    check "every command has a man page, and mandoc nothing to say" manuals_are_clean
    for f in test/fuzz/fuzz_*.c; do
        f=${f##*/fuzz_}
        check "fuzzing corpus of ${f%.c}" make -s "fuzz-run-${f%.c}"
    done
fi

[ $# -gt 0 ] || set -- test/bats/*.bats
# The folders of the tests are in memory where there is enough of it and the right to mount some: a
# third of the time was waiting for a disk.
if [ "$(id -u)" = 0 ] && [ "$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 7 ]; then
    memory=$(mktemp -d /tmp/fc.XXXXXX) || exit 1
    if mount -t tmpfs -o size=4g,mode=1777 fc-test "$memory" 2>/dev/null; then
        export TMPDIR="$memory"
    else
        rmdir "$memory"
        memory=
    fi
fi
# The largest files first, so that the end is not one long file alone. Each runs for itself, two more
# at once than there are processors, since much of the time is waiting. A file with a line
# "# once: WHY" needs one build only; one with "# databases: both" also runs on PostgreSQL, with the
# first build, and with every build if the line goes on ", sanitized".
if grep -q '^# databases: both' "$@"; then
    pg=$(mktemp -d /tmp/fc-pg.XXXXXX) || exit 1 # a short name: a socket is in there
    sh test/postgres.sh start "$pg" max_connections=400 || give_up "no PostgreSQL to test with"
    export FC_TEST_PG="$pg"
fi
export limit=600 # seconds of a file: several times what the slowest one takes on a busy machine
for build in $builds; do
    # shellcheck disable=SC2012 # names of our own
    ls -S -- "$@" | while read -r file; do
        if grep -q '^# databases: both' "$file"; then
            [ "$build" != "${builds%% *}" ] && ! grep -q '^# databases: both, sanitized' "$file" ||
                echo "$build postgres $file"
        fi
        [ "$build" = "${builds%% *}" ] || ! grep -q '^# once: ' "$file" || continue
        echo "$build sqlite $file"
    done
done | xargs -P $((jobs + 2)) -n 3 sh -c '
    out=$0 build=$1 file=$3
    export FC_TEST_DB="$2"
    name=${build##*/}-${file##*/}
    [ "$2" = sqlite ] || name=$name-$2
    case $build in /*) dir=$build ;; *) dir=$PWD/$build ;; esac
    export TOP="$PWD" BUILD="$dir" FC_BUILD="$dir"
    # Not BATS_TEST_TIMEOUT: its clock is a child that a plain `wait` in a test would wait for.
    begun=$(date +%s)
    timeout -k 10 "$limit" bats --formatter tap "$file" >"$out/$name.tap" 2>"$out/$name.err"
    status=$?
    echo $status >"$out/$name.status"
    word=ok
    [ $status = 0 ] || word=FAILED
    if [ $status = 124 ] || [ $status = 137 ]; then # those before it have a line each
        n=$(grep -c "^\(not \)\{0,1\}ok " "$out/$name.tap")
        echo "# did not end within $limit s: $(sed -n "s/^@test //p" "$file" | sed -n "$((n + 1))p")" >>"$out/$name.tap"
    fi
    printf "%-10s %-8s %-28s %4s tests %4s s  %s\n" "$build" "$2" "${file##*/}" \
        "$(grep -c "^\(not \)\{0,1\}ok " "$out/$name.tap")" $(($(date +%s) - begun)) "$word"
' "$out"

for status in "$out"/*.status; do
    [ -e "$status" ] || continue
    name=${status##*/}
    name=${name%.status}
    awk -v name="$name" -v code="$(cat "$status")" -v out="$out" '
        function done() {
            if (!failed) return
            print "--- " title
            printf "%s", text
        }
        /^(not )?ok / {
            done()
            text = ""
            failed = /^not /
            title = name ": " $0
            sub(/(not )?ok [0-9]+ /, "", title)
            skipped = !failed && / # skip/
            print title >>(out (failed ? "/failed" : skipped ? "/skipped" : "/passed"))
            seen++
            if (failed) bad++
            next
        }
        /^1\.\.[0-9]+/ { planned = substr($0, 4) + 0; next }
        { text = text $0 "\n" }
        END {
            done()
            if (seen && seen == planned && (code == 0 || bad)) exit
            print "--- " name ": " seen + 0 " of " planned + 0 " tests ran, bats ended with " code
            printf "%s", failed ? "" : text
            print name ": did not run to its end" >>(out "/failed")
        }' "$out/$name.tap" >"$out/report.new"
    if [ -s "$out/report.new" ]; then cat "$out/report.new" "$out/$name.err"; fi
done

skipped=$(grep -c . "$out/skipped")
[ "$skipped" = 0 ] || { echo "skipped:"; sort "$out/skipped"; }
failed=$(grep -c . "$out/failed")
[ "$failed" = 0 ] || { echo "failed:"; sort "$out/failed"; }
echo "$(grep -c . "$out/passed") passed, $failed failed"
[ "$failed" = 0 ]
