# SPDX-License-Identifier: Apache-2.0
# databases: both
# How databases run lists, with 100,000 analyzed devices: positive selectors seek, and a page ends
# where it is full. Those that may walk the (org, kind, name) range or the log are named here.

load helpers

# One store for all tests, which only read it.
setup() {
    local filled=$BATS_FILE_TMPDIR/filled san=

    if [ -e "$filled" ]; then
        FC_TEST_DB=sqlite fc_setup # makes and empties no database
        FC_STORE=$(<"$filled")
        return
    fi
    fc_setup
    [[ $FC_STORE == postgres:* ]] || FC_STORE=sqlite:$BATS_FILE_TMPDIR/fc.db
    fc-store init >/dev/null
    fill >/dev/null
    ! sanitized || san=SAN=1
    make -s -C "$TOP" BUILD="${BUILD#"$TOP"/}" $san "${BUILD#"$TOP"/}/bench/plan"
    echo "$FC_STORE" >"$filled"
}
teardown() { fc_teardown; }

# 100,000 devices, 1,000 of other kinds, events; swept.
fill() {
    local now n="WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"

    now=$(date +%s)000000
    store_sql "INSERT INTO resource (id, org, kind, name, uid, generation, created, owner, labels, annotations, spec)
        $n 100000) SELECT i + 10, 1, 1, 'd' || i, 'u' || i, 1, $now - CAST(i AS bigint) * 1000000,
        CASE WHEN i % 2 = 0 THEN 'Fleet/f' || (i % 100) END, '{}', '{}', '{}' FROM n"
    store_sql "INSERT INTO resource (id, org, kind, name, uid, generation, created, owner, labels, annotations, spec)
        $n 1000) SELECT i + 200000, 1, CASE WHEN i % 2 = 0 THEN 2 ELSE 6 END, 'x' || i, 'u' || i, 1, $now, NULL,
        '{}', '{}', '{}' FROM n"
    store_sql "INSERT INTO resource_status (id, version) SELECT id, 1 FROM resource WHERE id > 10"
    store_sql "INSERT INTO label (org, kind, key, value, name, id)
        SELECT 1, 1, 'half', 'h' || (id % 2), name, id FROM resource WHERE kind = 1 UNION ALL
        SELECT 1, 1, 'tenth', 't' || (id % 10), name, id FROM resource WHERE kind = 1 UNION ALL
        SELECT 1, 1, 'rare', 'r' || (id % 5000), name, id FROM resource WHERE kind = 1 UNION ALL
        SELECT 1, 1, 'alias', 'a' || id, name, id FROM resource WHERE kind = 1 UNION ALL
        SELECT 1, kind, '@spec.url', 'u' || (id % 7), name, id FROM resource WHERE kind = 6 UNION ALL
        SELECT 1, kind, '@spec.template.spec.os.image', 'i' || (id % 7), name, id FROM resource WHERE kind = 2"
    store_sql "INSERT INTO device (id, org, name, stale, rendered, rendered_at, fetched, reported, floor, failed,
            spec_valid, spec_since, overlap_since, conditions, updated, summary, applications, lifecycle, disconnected)
        SELECT id, 1, name, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, '', CASE id % 20 WHEN 0 THEN 'OutOfDate' ELSE 'UpToDate' END,
            CASE id % 9 WHEN 0 THEN 'Error' ELSE 'Online' END, 'Healthy', 'Enrolled', CASE id % 8 WHEN 0 THEN 1 ELSE 0 END
        FROM resource WHERE kind = 1"
    store_sql "INSERT INTO device_fleet (device, fleet, state, batch, assigned_at)
        SELECT id, 200002, 0, -1, 0 FROM device WHERE id % 2 = 0"
    seen_as "SELECT id, CASE id % 8 WHEN 0 THEN $now - 3600000000 ELSE $now END FROM device WHERE org = 1"
    seen_sql "INSERT INTO seen (id, at, back) VALUES (0, $now, 0)"
    store_sql "INSERT INTO meta (key, value) VALUES ('sweep', '$now')"
    store_sql "INSERT INTO event (org, at, uid, kind, name, reason, type, actor, source, message)
        $n 100000) SELECT 1, $now, 'e' || i, 1, 'd' || i, CASE i % 3 WHEN 0 THEN 'ResourceCreated' ELSE 'ResourceUpdated' END,
        CASE i % 50 WHEN 0 THEN 'Warning' ELSE 'Normal' END, 'user:a', 'x', 'm' FROM n"
    case $FC_STORE in
    sqlite:*) store_sql "ANALYZE"; seen_sql "ANALYZE" ;;
    *) store_sql "VACUUM ANALYZE" ;;
    esac
}

plan() { "$BUILD/bench/plan" "$FC_STORE" "$@"; }

# through INDEX TABLE COLUMNS: the plan seeks there, by these columns (SQLite says which), and no
# table is read as a whole.
through() {
    local index=$1 table=$2 columns=$3

    ! grep -E 'Seq Scan on|^SCAN' <<<"$output" || return
    case $FC_STORE in
    sqlite:*)
        [ "$index" != resource_org_kind_name_key ] || index='INDEX sqlite_autoindex_resource_1'
        index=${index/label_pkey/PRIMARY KEY}
        grep -E "^SEARCH $table USING (COVERING )?(INDEX )?$index \($columns" <<<"$output" >/dev/null
        ;;
    *) grep -E "Scan (Backward )?using $index on $table" <<<"$output" >/dev/null ;;
    esac || { printf 'not through %s:\n%s\n' "$1" "$output"; return 1; }
}
sorts() { grep -cE 'TEMP B-TREE FOR ORDER BY|->  (Incremental )?Sort$' <<<"$output" || :; }
label='org=. AND kind=. AND key=. AND value=.'

@test "positive selectors seek, and a page is not sorted" {
    while IFS='|' read -r kind l f index table columns; do
        expect 0 plan "$kind" "$l" "$f"
        through "$index" "$table" "$columns"
        # PostgreSQL may sort those that are named, which are few
        [[ $f == *nameOrAlias* ]] || same "$l $f 0" "$l $f $(sorts)"
    done <<END
devices|half=h1||label_pkey|label|$label
devices|rare=r7||label_pkey|label|$label
devices|half=h1,tenth=t3||label_pkey|label|$label
devices|half=h1,tenth=t4||label_pkey|label|$label
devices|half=h1,rare=r8||label_pkey|label|$label
devices|tenth in (t1,t2)||label_pkey|label|$label
devices|(half,tenth) in ((h1,t1),(h0,t2))||label_pkey|label|$label
devices|half!=h0,tenth=t1||label_pkey|label|$label
devices|half=h1|status.updated.status=OutOfDate|label_pkey|label|$label
devices||metadata.owner=Fleet/f4|resource_owner|resource|org=. AND kind=. AND owner=.
devices||metadata.owner in (Fleet/f4,Fleet/f6)|resource_owner|resource|org=. AND kind=. AND owner=.
devices||metadata.name=d5|resource_org_kind_name_key|resource|org=. AND kind=. AND name=.
devices||metadata.alias=a20|label_pkey|label|$label
devices||metadata.nameOrAlias in (d5,a20)|label_pkey|label|$label
repositories||spec.url=u3|label_pkey|label|$label
fleets||spec.template.spec.os.image in (i1,i2)|label_pkey|label|$label
events||reason=ResourceCreated|event_reason|event|org=. AND reason=.
events||type=Warning|event_warning|event|org=.
events||involvedObject.name=d5|event_involved|event|org=. AND name=.
END
}

@test "of two labels the one drives that picks least" {
    expect 0 plan devices 'half=h1,rare=r8' ''
    a=$output
    expect 0 plan devices 'rare=r8,half=h1' ''
    same "$a" "$output"
    expect 0 plan devices 'half=h1' 'metadata.name in (d5,d7)'
    through resource_org_kind_name_key resource 'org=. AND kind=. AND name=.'
}

@test "states of devices are sought by their columns, corrected by the indexes of last-seen" {
    for s in status.updated.status=OutOfDate status.updated.status=Unknown \
        status.summary.status=Unknown status.summary.status=Error; do
        column=${s#status.}
        column=${column%%.*}
        expect 0 plan devices '' "$s"
        case $FC_STORE in
        sqlite:*)
            has "$output" "MERGE (UNION ALL)"
            has "$output" "SEARCH device USING COVERING INDEX device_$column (org=? AND $column=? AND disconnected=?)"
            grep -E 'SEARCH n USING COVERING INDEX seen_(back|at) ' <<<"$output"
            hasnt "$output" "SCAN "
            ;;
        *)
            has "$output" "Merge Append"
            has "$output" "Index Only Scan using device_$column on device"
            ;;
        esac
    done
    expect 0 plan devices '' 'metadata.creationTimestamp<2020-01-01T00:00:00Z'
    through resource_created resource 'org=. AND kind=. AND created<.'
}

@test "those that walk the names of a kind, or the log, until the page is full" {
    while IFS='|' read -r kind l f; do
        expect 0 plan "$kind" "$l" "$f"
        if [ "$kind" != events ]; then
            through resource_org_kind_name_key r 'org=. AND kind=.\)'
            same "$l $f 0" "$l $f $(sorts)"
        elif [[ $FC_STORE == sqlite:* ]]; then # PostgreSQL may read all of so small a log
            through event_org v 'org=.\)'
        fi
    done <<END
devices|half!=h1|
devices|!half|
devices|half notin (h0,h1)|
devices|rare|
devices||metadata.name!=d5
devices||metadata.name contains 77
devices||metadata.alias notcontains 7
devices||!metadata.owner
devices||metadata.creationTimestamp>2020-01-01T00:00:00Z
devices||status.updated.status!=UpToDate
events||metadata.name=e5
events||actor=user:b
events||involvedObject.kind=Fleet
events||type=Normal
END
}
