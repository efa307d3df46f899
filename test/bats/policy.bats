#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# once: a pure function, by a program around it
# When windows are open: agent/policy.c.

load helpers

setup_file() {
    local build=${FC_BUILD:-build} flags=

    case $build in /*) ;; *) build=$BATS_TEST_DIRNAME/../../$build ;; esac
    ! readelf -d "$build/bin/fc-sign" | grep -q libasan || flags=-fsanitize=address,undefined
    # shellcheck disable=SC2086 # none or some
    cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $flags -I"$BATS_TEST_DIRNAME/../../lib" \
        -I"$BATS_TEST_DIRNAME/../../agent" -o "$BATS_FILE_TMPDIR/policy" "$BATS_TEST_DIRNAME/policy.c" \
        "$build/agent/policy.o" "$build/libfc.a" -ljq -lonig -lm -lmd
}
setup() { fc_setup; }
teardown() { fc_teardown; }

# cases [ROOT]: lines of CRON|ZONE|GRACE|NOW => WANTED on standard input.
cases() {
    grep -v '^$' >cases
    sed 's/ => .*//' cases | jq -Rc 'split("|") | {now: .[3],
        schedule: ({at: .[0], timeZone: .[1], startGraceDuration: .[2]} | del(..|select(. == "")))}' >in
    sed 's/.* => //' cases >wanted
    "$BATS_FILE_TMPDIR/policy" "${1:-}" <in >got
    paste -d'|' cases got >both
    diff wanted got || { cat both; return 1; }
}

@test "a window is open from its minute for as long as it says, and two minutes at least" {
    cases <<'END'
0 3 * * *|UTC|1h|2026-05-04T02:59:59Z => shut 2026-05-04T03:00:00Z
0 3 * * *|UTC|1h|2026-05-04T03:00:00Z => open 2026-05-05T03:00:00Z
0 3 * * *|UTC|1h|2026-05-04T03:59:59Z => open 2026-05-05T03:00:00Z
0 3 * * *|UTC|1h|2026-05-04T04:00:00Z => shut 2026-05-05T03:00:00Z
0 3 * * *|UTC|0s|2026-05-04T03:01:59Z => open 2026-05-05T03:00:00Z
0 3 * * *|UTC|0s|2026-05-04T03:02:00Z => shut 2026-05-05T03:00:00Z
0 23 * * *|UTC|48h|2026-05-04T22:00:00Z => open 2026-05-04T23:00:00Z
* 0-4 * * *|UTC|1m|2026-05-04T03:14:15Z => open 2026-05-04T03:15:00Z
* 0-4 * * *|UTC|1m|2026-05-04T05:14:15Z => shut 2026-05-05T00:00:00Z
*/20 9-17/4 * * MON-FRI|UTC|1m|2026-05-02T10:00:00Z => shut 2026-05-04T09:00:00Z
0 0 1,15 * FRI|UTC|1m|2026-05-04T00:00:00Z => shut 2026-05-08T00:00:00Z
59 23 31 12 *|UTC|1m|2026-05-04T00:00:00Z => shut 2026-12-31T23:59:00Z
0 0 29 2 *|UTC|1m|2096-03-01T00:00:00Z => shut 2104-02-29T00:00:00Z
|UTC||2026-05-04T00:00:00Z => open -
END
}

@test "windows follow the clocks of their zone, when these change too" {
    cases <<'END'
0 3 * * *|Europe/Berlin|1h|2026-05-04T00:59:00Z => shut 2026-05-04T01:00:00Z
0 3 * * *|Europe/Berlin|1h|2026-12-04T01:59:00Z => shut 2026-12-04T02:00:00Z
0 3 * * *|Asia/Kathmandu|1h|2026-05-04T21:14:00Z => shut 2026-05-04T21:15:00Z
30 2 * * *|Europe/Berlin|10m|2026-03-28T12:00:00Z => shut 2026-03-29T01:00:00Z
30 2 * * *|Europe/Berlin|10m|2026-03-29T01:09:59Z => open 2026-03-30T00:30:00Z
30 2 * * *|Europe/Berlin|10m|2026-03-29T01:10:00Z => shut 2026-03-30T00:30:00Z
30 2 * * *|Europe/Berlin|10m|2026-10-24T12:00:00Z => shut 2026-10-25T00:30:00Z
30 2 * * *|Europe/Berlin|10m|2026-10-25T00:35:00Z => open 2026-10-25T01:30:00Z
30 2 * * *|Europe/Berlin|10m|2026-10-25T01:35:00Z => open 2026-10-26T01:30:00Z
0 3 * * *|Europe/Berlin|10m|2026-03-28T12:00:00Z => shut 2026-03-29T01:00:00Z
15 2 29 3 *|Australia/Lord_Howe|1m|2026-01-01T00:00:00Z => shut 2026-03-28T15:15:00Z
15 0 * * *|Africa/Cairo|1m|2026-04-23T21:30:00Z => shut 2026-04-23T22:00:00Z
0 12 * * *|Pacific/Apia|1m|2026-05-04T00:00:00Z => shut 2026-05-04T23:00:00Z
END
}

@test "Local is the zone of the device, below its root too" {
    export TZ=America/New_York
    cases <<'END'
0 3 * * *||1h|2026-05-04T06:59:00Z => shut 2026-05-04T07:00:00Z
0 3 * * *|Local|1h|2026-05-04T06:59:00Z => shut 2026-05-04T07:00:00Z
0 3 * * *|Europe/Berlin|1h|2026-05-04T00:59:00Z => shut 2026-05-04T01:00:00Z
0 3 * * *|Local|1h|2026-05-04T06:59:00Z => shut 2026-05-04T07:00:00Z
END
    mkdir -p root/etc root/usr/share/zoneinfo
    cp /usr/share/zoneinfo/Asia/Tokyo root/etc/localtime
    cases "$T/root" <<'END'
0 3 * * *|Local|1h|2026-05-04T06:59:00Z => shut 2026-05-04T18:00:00Z
0 3 * * *|UTC|1h|2026-05-04T02:59:00Z => shut 2026-05-04T03:00:00Z
0 3 * * *|Europe/Berlin|1h|2026-05-04T00:59:00Z => timeZone: this device has no time zone Europe/Berlin
END
}

@test "a clock that was never set opens nothing; one of the next century does" {
    cases <<'END'
* * * * *|UTC|1h|1970-01-01T00:00:01Z => shut -
0 3 * * *|Europe/Berlin|1h|1970-01-01T02:00:00Z => shut -
0 3 * * *|UTC|1h|2100-02-28T03:30:00Z => open 2100-03-01T03:00:00Z
0 3 * * *|Europe/Berlin|1h|2100-07-01T00:59:00Z => shut 2100-07-01T01:00:00Z
END
}
