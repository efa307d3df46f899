/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts in the store: which devices of a fleet have which version assigned, and how they did. */
#include "store/device.h"

#include "fleet/summary.h"
#include "store/index.h"
#include "store/ints.h"

int rollout_get(struct store *s, struct arena *a, int64_t fleet, struct rollout *out, struct err *e)
{
    struct stmt *st = STMT(s, SQL_rollout_get, e, fleet);
    int rc;

    if (!st)
        return -1;
    if ((rc = st_step(st, e)) != 1)
        return rc;
    *out = (struct rollout){
        .fleet = fleet,
        .version = st_col_int(st, 0),
        .completed = st_col_int(st, 1),
        .digest = arena_strdup(a, st_col_text(st, 2, NULL)),
        .state = {(enum rollout_status)st_col_int(st, 3), (int)st_col_int(st, 4)},
        .started = st_col_int(st, 5),
        .changed = st_col_int(st, 6),
        .why = arena_strdup(a, st_col_text(st, 7, NULL)),
        .problem = arena_strdup(a, st_col_text(st, 8, NULL)),
        .problem_since = st_col_int(st, 9),
        .version_name = arena_strdup(a, st_col_text(st, 10, NULL)),
        .completed_name = arena_strdup(a, st_col_text(st, 11, NULL)),
        .walk = (unsigned)st_col_int(st, 12),
        .deleted = st_col_int(st, 13),
        .remaining = st_col_int(st, 14),
    };
    st_reset(st);
    return 1;
}

int rollout_put(struct store *s, const struct rollout *r, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_rollout_put, e);

    if (!st)
        return -1;
    st_int(st, 1, r->fleet);
    if (r->version)
        st_int(st, 2, r->version);
    if (r->completed)
        st_int(st, 3, r->completed);
    st_text(st, 4, r->digest);
    st_int(st, 5, r->state.status);
    st_int(st, 6, r->state.batch);
    st_int(st, 7, r->started);
    st_int(st, 8, r->changed);
    st_text(st, 9, r->why);
    st_text(st, 10, r->problem);
    st_int(st, 11, r->problem_since);
    st_int(st, 12, r->remaining);
    return st_run(st, e) < 0 ? -1 : 0;
}

int rollout_counts(struct store *s, int64_t fleet, int64_t version, int batch,
    struct rollout_counts *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, batch < -1 ? SQL_rollout_totals : SQL_rollout_counts, e);

    if (!st)
        return -1;
    st_int(st, 1, fleet);
    st_int(st, 2, version);
    if (batch >= -1)
        st_int(st, 3, batch);
    if (st_step(st, e) != 1)
        return -1;
    *out = (struct rollout_counts){
        .total = st_col_int(st, 0),
        .pending = st_col_int(st, 1),
        .succeeded = st_col_int(st, 2),
        .failed = st_col_int(st, 3),
        .timedout = st_col_int(st, 4),
    };
    st_reset(st);
    return 0;
}

static int64_t count_of(struct store *s, const struct sql_buf *q, struct err *e)
{
    struct stmt *st = sql_prepare(s, q, e);
    int64_t n = -1;

    if (st && st_step(st, e) == 1)
        n = st_col_int(st, 0);
    st_free(st);
    return n;
}

/* Which devices a batch may pick from: members that match its selector. */
static void matching(struct sql_buf *q, int64_t fleet, const struct sql_select *how)
{
    sql_from(q, how, NULL);
    sql_add(q, "JOIN device_fleet m ON m.device = r.id WHERE m.fleet = ");
    sql_int_param(q, fleet);
    sql_add(q, " AND ");
    sql_where(q, how, NULL);
}

/* Those of them that do not have the version, were seen lately, and that no other fleet is busy
 * with. */
static void candidates(struct sql_buf *q, int64_t fleet, int64_t version, int64_t seen_since)
{
    sql_add(q, " AND m.assigned IS DISTINCT FROM ");
    sql_int_param(q, version);
    sql_add(q, " AND NOT EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = m.device "
        "AND x.state = 1 AND x.fleet <> ");
    sql_int_param(q, fleet);
    sql_add(q, ") AND EXISTS (SELECT 1 FROM seen.seen v WHERE v.id = m.device AND v.at >= ");
    sql_int_param(q, seen_since);
    sql_add(q, ")");
}

int rollout_members(struct store *s, int64_t org, int64_t fleet, const struct selector *sel,
    int64_t now, void (*each)(void *ctx, const struct rollout_member *m), void *ctx, struct err *e)
{
    struct sql_select how = {.org = org, .kind = kind_by_id(KIND_DEVICE), .labels = sel};
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    if (db_attach_seen(s->db, e) < 0 || sql_plan(s, &how, e) < 0)
        return -1;
    sql_add(&q, "SELECT r.name, r.labels, coalesce(m.fleet, 0), coalesce(m.assigned, 0), "
        "coalesce(m.batch, -1), coalesce(m.state, 0), "
        "CASE WHEN EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = r.id AND x.state = 1 "
        "AND x.fleet <> ");
    sql_int_param(&q, fleet);
    sql_add(&q, ") THEN 1 ELSE 0 END, CASE WHEN EXISTS (SELECT 1 FROM seen.seen v WHERE v.id = r.id "
        "AND v.at >= ");
    sql_int_param(&q, now - SUMMARY_DISCONNECTED);
    sql_add(&q, ") THEN 1 ELSE 0 END ");
    sql_from(&q, &how, NULL);
    sql_add(&q, sel ? "JOIN device d ON d.id = r.id LEFT JOIN device_fleet m ON m.device = r.id AND "
        "m.fleet = " : "JOIN device_fleet m ON m.device = r.id AND m.fleet = ");
    sql_int_param(&q, fleet);
    sql_add(&q, sel ? " WHERE d.lifecycle NOT IN ('Decommissioning', 'Decommissioned') AND " :
        " WHERE ");
    sql_where(&q, &how, NULL);
    sql_add(&q, sql_order(&how));
    st = sql_prepare(s, &q, e);
    while (st && (rc = st_step(st, e)) == 1)
        each(ctx, &(struct rollout_member){
            .name = st_col_text(st, 0, NULL),
            .labels = st_col_text(st, 1, NULL),
            .member = st_col_int(st, 2),
            .assigned = st_col_int(st, 3),
            .batch = (int)st_col_int(st, 4),
            .state = (int)st_col_int(st, 5),
            .busy = st_col_int(st, 6),
            .connected = st_col_int(st, 7),
        });
    st_free(st);
    sql_free(&q);
    return rc;
}

static int64_t batch_size(struct store *s, int64_t fleet, int64_t version, const struct batch *b,
    const struct sql_select *how, int64_t seen_since, struct err *e)
{
    struct sql_buf all = {0}, have = {0}, rest = {0};
    int64_t n_all, n_have, n_rest, n = -1;

    sql_add(&all, "SELECT count(*) ");
    matching(&all, fleet, how);
    sql_add(&have, "SELECT count(*) ");
    matching(&have, fleet, how);
    sql_add(&have, " AND m.assigned = ");
    sql_int_param(&have, version);
    sql_add(&rest, "SELECT count(*) ");
    matching(&rest, fleet, how);
    candidates(&rest, fleet, version, seen_since);
    if ((n_all = count_of(s, &all, e)) >= 0 && (n_have = count_of(s, &have, e)) >= 0 &&
        (n_rest = count_of(s, &rest, e)) >= 0)
        n = rollout_batch_size(b, n_all, n_have, n_rest);
    sql_free(&all);
    sql_free(&have);
    sql_free(&rest);
    return n;
}

/* How the devices that a batch may pick from are found. */
static int batch_plan(struct store *s, struct arena *a, int64_t org, const struct batch *b,
    struct sql_select *how, struct err *e)
{
    struct selector *sel = arena_alloc(a, sizeof *sel);

    *how = (struct sql_select){.org = org, .kind = kind_by_id(KIND_DEVICE)};
    if (db_attach_seen(s->db, e) < 0)
        return -1;
    if (jv_is_valid(b->selector)) {
        if (selector_from_json(a, b->selector, sel, e) < 0)
            return -1;
        how->labels = sel;
    }
    return sql_plan(s, how, e);
}

int64_t rollout_size(struct store *s, struct arena *a, int64_t org, int64_t fleet, int64_t version,
    const struct batch *b, int64_t now, struct err *e)
{
    struct sql_select how;

    if (batch_plan(s, a, org, b, &how, e) < 0)
        return -1;
    return batch_size(s, fleet, version, b, &how, now - SUMMARY_DISCONNECTED, e);
}

/* Runs to the end; one column of ids. */
static int read_ids(struct stmt *st, struct ids *out, struct err *e)
{
    int rc = st ? 0 : -1;

    while (st && (rc = st_step(st, e)) == 1)
        ids_add(out, st_col_int(st, 0));
    return rc;
}

static int pick_batch(struct store *s, struct arena *a, int64_t org, int64_t fleet,
    int64_t version, const struct batch *b, int64_t max, int64_t now, struct ids *out,
    struct err *e)
{
    struct sql_select how;
    struct sql_buf q = {0};
    struct stmt *st;
    int rc;

    if (batch_plan(s, a, org, b, &how, e) < 0)
        return -1;
    sql_add(&q, "SELECT m.device ");
    matching(&q, fleet, &how);
    candidates(&q, fleet, version, now - SUMMARY_DISCONNECTED);
    sql_add(&q, sql_order(&how));
    sql_add(&q, " LIMIT ");
    sql_int_param(&q, max);
    st = sql_prepare(s, &q, e);
    rc = read_ids(st, out, e);
    st_free(st);
    sql_free(&q);
    return rc;
}

int rollout_pick(struct store *s, struct arena *a, int64_t org, int64_t fleet, int64_t version,
    const struct batch *b, int64_t max, int64_t now, struct ids *out, struct err *e)
{
    return b ? pick_batch(s, a, org, fleet, version, b, max, now, out, e) :
        read_ids(STMT(s, SQL_member_unassigned, e, fleet, version, max), out, e);
}

int rollout_failed(struct store *s, int64_t fleet, int64_t version, struct ids *out, struct err *e)
{
    return read_ids(STMT(s, SQL_member_failed, e, fleet, version), out, e);
}

/* Does the query have a row? 1 yes. */
static int any(struct stmt *st, struct err *e)
{
    int rc = st ? st_step(st, e) : -1;

    if (rc == 1)
        st_reset(st);
    return rc;
}

int rollout_pending(struct store *s, int64_t fleet, int64_t version, int batch, struct err *e)
{
    return any(STMT(s, SQL_member_pending, e, fleet, version, batch), e);
}

int rollout_left(struct store *s, int64_t fleet, int64_t version, struct err *e)
{
    return any(STMT(s, SQL_member_left, e, fleet, version), e);
}

int64_t rollout_rebatch(struct store *s, int64_t fleet, int64_t version, int batch, struct err *e)
{
    return RUN(s, SQL_member_rebatch, e, fleet, version, batch, ROLLOUT_STEP);
}

int64_t rollout_overdue(struct store *s, int64_t fleet, int64_t version, int batch, int64_t before,
    int64_t *all, struct err *e)
{
    struct stmt *st = STMT(s, SQL_member_overdue, e, fleet, before, version, batch);
    int64_t n;

    if (!st || st_step(st, e) != 1)
        return -1;
    *all = st_col_int(st, 0);
    n = st_col_int(st, 1);
    st_reset(st);
    return n;
}

int64_t rollout_free(struct store *s, int64_t fleet, int64_t version, struct err *e)
{
    return ONE(s, SQL_rollout_free, e, fleet, version);
}

int64_t rollout_blocked(struct store *s, int64_t fleet, int64_t version, struct err *e)
{
    return ONE(s, SQL_rollout_blocked, e, fleet, version);
}

int64_t rollout_oldest(struct store *s, int64_t fleet, struct err *e)
{
    return ONE(s, SQL_member_deadline, e, fleet);
}

int64_t rollout_timeout(struct store *s, int64_t fleet, int64_t before, struct err *e)
{
    return RUN(s, SQL_member_timeout, e, fleet, before, ROLLOUT_STEP);
}

int64_t rollout_unbatch(struct store *s, int64_t fleet, int64_t version, struct err *e)
{
    return RUN(s, SQL_member_unbatch, e, fleet, version, ROLLOUT_STEP);
}

int rollout_walk(struct store *s, int64_t fleet, unsigned add, struct err *e)
{
    return RUN(s, SQL_walk_mark, e, fleet, add) < 0 ? -1 : 0;
}

int rollout_walked(struct store *s, int64_t fleet, struct err *e)
{
    return RUN(s, SQL_walk_clear, e, fleet) < 0 ? -1 : 0;
}

int rollout_walks(struct store *s, int64_t org, int64_t after, int64_t *ids, int n, struct err *e)
{
    return LIST(s, SQL_walk_list, ids, e, org, after, n);
}

int rollout_deleted(struct store *s, int64_t fleet, int64_t now, struct err *e)
{
    return RUN(s, SQL_rollout_deleted, e, fleet, now) < 0 ? -1 : 0;
}

int64_t template_drop(struct store *s, struct arena *a, const struct res *fleet,
    const char **names, struct err *e)
{
    char *owner AUTO_FREE = xasprintf("Fleet/%s", fleet->name);
    struct stmt *st = STMT(s, SQL_template_drop, e, fleet->org, fleet->id, ROLLOUT_STEP);
    int64_t ids[ROLLOUT_STEP], n = 0, i;
    int rc;

    if (!st)
        return -1;
    st_text(st, 4, owner);
    while ((rc = st_step(st, e)) == 1) {
        ids[n] = st_col_int(st, 0);
        names[n++] = arena_strdup(a, st_col_text(st, 1, NULL));
    }
    for (i = 0; rc == 0 && i < n; i++)
        rc = index_delete(s, ids[i], e);
    return rc < 0 ? -1 : n;
}

int template_list(struct store *s, const struct res *fleet, struct ids *out, struct err *e)
{
    char *owner AUTO_FREE = xasprintf("Fleet/%s", fleet->name);
    struct stmt *st = STMT(s, SQL_template_list, e, fleet->org, ROLLOUT_STEP);

    if (!st)
        return -1;
    st_text(st, 3, owner);
    return read_ids(st, out, e);
}

int rollout_forget(struct store *s, int64_t fleet, struct err *e)
{
    return RUN(s, SQL_rollout_forget, e, fleet) < 0 ? -1 : 0;
}

int template_used(struct store *s, int64_t version, struct err *e)
{
    return any(STMT(s, SQL_template_used, e, version), e);
}

int rollout_open_list(struct store *s, int64_t org, int64_t after, int64_t *ids, int n,
    struct err *e)
{
    return LIST(s, SQL_rollout_open, ids, e, org, after, n);
}

int rollout_progress(struct store *s, int64_t fleet, void (*each)(void *ctx,
    const struct progress *p), void *ctx, struct err *e)
{
    struct stmt *st = STMT(s, SQL_member_progress, e, fleet);
    int rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1)
        each(ctx, &(struct progress){
            .name = st_col_text(st, 0, NULL),
            .state = (int)st_col_int(st, 1),
            .batch = (int)st_col_int(st, 2),
            .assigned_at = st_col_int(st, 3),
            .message = st_col_text(st, 4, NULL),
            .version = st_col_text(st, 5, NULL),
        });
    return rc;
}
