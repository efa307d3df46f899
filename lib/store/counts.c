/* SPDX-License-Identifier: Apache-2.0 */
#include "store/counts.h"

#include <string.h>

#include "fleet/field.h"
#include "fleet/summary.h"
#include "store/arms.h"

static const enum field_home homes[STATES] = {
    [STATE_SUMMARY] = FIELD_SUMMARY,
    [STATE_APPLICATIONS] = FIELD_APPLICATIONS,
    [STATE_UPDATED] = FIELD_UPDATED,
};

static int tally(struct arena *a, struct device_counts *c, enum device_state which,
    const char *name, int64_t n, struct err *e)
{
    struct device_tally *t = c->state[which];
    size_t i = 0;

    while (i < c->n[which] && strcmp(t[i].name, name) < 0)
        i++;
    if (i < c->n[which] && strcmp(t[i].name, name) == 0) {
        t[i].n += n;
        return 0;
    }
    if (c->n[which] == COUNTS_MAX)
        return err_set(e, FC_FAIL, "more than %d states of devices", COUNTS_MAX);
    memmove(&t[i + 1], &t[i], (c->n[which]++ - i) * sizeof *t);
    t[i] = (struct device_tally){arena_strdup(a, name), n};
    return 0;
}

int device_count_one(struct arena *a, struct device_counts *c, const struct device *d, int64_t now,
    struct err *e)
{
    struct device_states shown = device_states(d, now);

    c->total++;
    return tally(a, c, STATE_SUMMARY, shown.summary, 1, e) < 0 ||
        tally(a, c, STATE_APPLICATIONS, shown.applications, 1, e) < 0 ||
        tally(a, c, STATE_UPDATED, shown.updated, 1, e) < 0 ? -1 : 0;
}

/* Rows of the three states and a number. */
static int tally_all(struct store *s, struct arena *a, const struct sql_buf *q,
    struct device_counts *out, struct err *e)
{
    struct stmt *st = sql_prepare_read(s, q, e);
    int rc = -1;

    while (st && (rc = st_step(st, e)) == 1) {
        int64_t n = st_col_int(st, STATES);

        out->total += n;
        for (int i = 0; i < STATES && rc == 1; i++)
            if (tally(a, out, (enum device_state)i, st_col_text(st, i, NULL), n, e) < 0)
                rc = -1;
        if (rc < 0)
            break;
    }
    st_free(st);
    return rc;
}

static void add_states(struct sql_buf *q, int64_t now)
{
    for (int i = 0; i < STATES; i++) {
        sql_add(q, i ? ", " : "SELECT ");
        sql_state(q, homes[i], now);
    }
    sql_add(q, ", count(*)");
}

/* By the exact state of each. */
static int count_each(struct store *s, struct arena *a, const struct res_query *l,
    struct device_counts *out, struct err *e)
{
    struct sql_buf q = {0};
    int rc;

    add_states(&q, l->now);
    sql_add(&q, " FROM (");
    if (res_ids(s, l, &q, e) < 0) {
        sql_free(&q);
        return -1;
    }
    sql_add(&q, ") p JOIN device d ON d.id = p.id LEFT JOIN seen.seen n ON n.id = d.id "
        "GROUP BY 1, 2, 3");
    rc = tally_all(s, a, &q, out, e);
    sql_free(&q);
    return rc;
}

/* --- all of an organization ------------------------------------------------------------------- */

enum {
    FEW = 1000,   /* so many of a group are counted before it is known how many groups are large */
    SILENCES = 3, /* values of device.disconnected */
};

/* Devices that have the same in a column of state and are as silent. */
struct group {
    const char *name; /* in the arena */
    int64_t silent, n;
};

/* The first state after this one; NULL and 0 when there is none. An index is sought, none is read
 * along. */
static int next_state(struct store *s, struct arena *a, int64_t org, const char *column,
    const char **name, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    sql_add(&q, "SELECT ");
    sql_add(&q, column);
    sql_add(&q, " FROM device WHERE org = ");
    sql_int_param(&q, org);
    sql_add(&q, " AND ");
    sql_add(&q, column);
    sql_add(&q, " > ");
    sql_text_param(&q, *name);
    sql_add(&q, " ORDER BY org, ");
    sql_add(&q, column);
    sql_add(&q, " LIMIT 1");
    st = sql_prepare(s, &q, e);
    if (st && (rc = st_step(st, e)) == 1)
        *name = arena_strdup(a, st_col_text(st, 0, NULL));
    st_free(st);
    sql_free(&q);
    return rc;
}

/* How many, up to the limit; 0: no limit. */
static int count_group(struct store *s, int64_t org, const char *column, struct group *g,
    int64_t limit, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    sql_add(&q, "SELECT count(*) FROM (SELECT 1 FROM device WHERE org = ");
    sql_int_param(&q, org);
    sql_add(&q, " AND ");
    sql_add(&q, column);
    sql_add(&q, " = ");
    sql_text_param(&q, g->name);
    sql_add(&q, " AND disconnected = ");
    sql_int_param(&q, g->silent);
    if (limit) {
        sql_add(&q, " LIMIT ");
        sql_int_param(&q, limit);
    }
    sql_add(&q, ") x");
    st = sql_prepare(s, &q, e);
    if (st && (rc = st_step(st, e)) == 1)
        g->n = st_col_int(st, 0);
    st_free(st);
    sql_free(&q);
    return rc == 1 ? 0 : -1;
}

/* As a column has it. Once the total is known, one large group is what the others leave. */
static int count_column(struct store *s, struct arena *a, int64_t org, enum device_state which,
    struct device_counts *out, struct err *e)
{
    const char *column = field_homes[homes[which]].state;
    bool known = which != STATE_SUMMARY;
    struct group g[SILENCES * COUNTS_MAX];
    const char *name = "";
    int64_t rest = out->total;
    size_t n = 0, rests = SIZE_MAX;
    int rc;

    while ((rc = next_state(s, a, org, column, &name, e)) == 1) {
        if (n == LEN(g))
            return err_set(e, FC_FAIL, "more than %d states of devices", COUNTS_MAX);
        for (int silent = 0; silent < SILENCES; silent++) {
            g[n] = (struct group){name, silent, 0};
            if (count_group(s, org, column, &g[n++], known ? FEW : 0, e) < 0)
                return -1;
        }
    }
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < n && known; i++) {
        if (g[i].n == FEW) {
            if (rests == SIZE_MAX) {
                rests = i;
                continue;
            }
            if (count_group(s, org, column, &g[i], 0, e) < 0)
                return -1;
        }
        rest -= g[i].n;
    }
    if (rests != SIZE_MAX)
        g[rests].n = rest;
    for (size_t i = 0; i < n; i++) {
        bool shown = g[i].silent == 0 || (g[i].silent == 2 && which == STATE_UPDATED);

        if (!known)
            out->total += g[i].n;
        if (tally(a, out, which, shown ? g[i].name : "Unknown", g[i].n, e) < 0)
            return -1;
    }
    return 0;
}

/* Those whose last-seen says otherwise than their column, at most twice: what they are shown as is
 * added, what they were counted as is taken away. */
static int correct(struct store *s, struct arena *a, const struct sql_select *l,
    struct device_counts *out, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    sql_add(&q, "SELECT d.disconnected, d.summary, d.applications, d.updated");
    for (int i = 0; i < STATES; i++) {
        sql_add(&q, ", ");
        sql_state(&q, homes[i], l->now);
    }
    sql_add(&q, " FROM seen.seen n CROSS JOIN device d WHERE d.id = n.id AND d.org = ");
    sql_int_param(&q, l->org);
    sql_changed(&q, l);
    st = sql_prepare(s, &q, e);
    while (st && (rc = st_step(st, e)) == 1) {
        int64_t silent = st_col_int(st, 0);

        for (int i = 0; i < STATES && rc == 1; i++) {
            bool known = silent == 0 || (silent == 2 && i == STATE_UPDATED);

            if (tally(a, out, (enum device_state)i, known ? st_col_text(st, 1 + i, NULL) :
                "Unknown", -1, e) < 0 || tally(a, out, (enum device_state)i,
                st_col_text(st, 1 + STATES + i, NULL), 1, e) < 0)
                rc = -1;
        }
        if (rc < 0)
            break;
    }
    st_free(st);
    sql_free(&q);
    return rc;
}

static int count_all(struct store *s, struct arena *a, const struct sql_select *l,
    struct device_counts *out, struct err *e)
{
    bool mine = !db_in_transaction(s->db); /* all from one snapshot */
    int rc = 0;

    if (mine && db_begin(s->db, false, e) < 0)
        return -1;
    for (int i = 0; i < STATES && rc == 0; i++)
        rc = count_column(s, a, l->org, (enum device_state)i, out, e);
    if (rc == 0)
        rc = correct(s, a, l, out, e);
    if (mine)
        db_rollback(s->db);
    return rc;
}

int device_count(struct store *s, struct arena *a, const struct res_query *q,
    struct device_counts *out, struct err *e)
{
    struct sql_select all = {.org = q->org, .kind = q->kind, .now = q->now};

    if (db_attach_seen(s->db, e) < 0 || sweep_time(s, &all.swept, e) < 0)
        return -1;
    if (q->labels || q->fields || !all.swept)
        return count_each(s, a, q, out, e);
    return count_all(s, a, &all, out, e);
}

/* Do the fields ask for this state alone? */
static bool asks_for(const struct res_query *q, enum device_state which)
{
    if (q->kind->id != KIND_DEVICE || q->from || q->limit || !q->fields || q->fields->nothing ||
        q->fields->n == 0 || (q->labels && (q->labels->n || q->labels->nothing)))
        return false;
    for (size_t i = 0; i < q->fields->n; i++)
        if (q->fields->req[i].field->home != homes[which])
            return false;
    return true;
}

int64_t device_count_state(struct store *s, const struct res_query *q, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct sql_select all = {.org = q->org, .kind = q->kind, .now = q->now};
    struct device_counts c = {0};
    int which = 0;
    int64_t n = 0;

    while (which < STATES && !asks_for(q, (enum device_state)which))
        which++;
    if (which == STATES)
        return -2;
    if (db_attach_seen(s->db, e) < 0 || sweep_time(s, &all.swept, e) < 0)
        return -1;
    if (!all.swept)
        return -2;
    if (count_all(s, a, &all, &c, e) < 0)
        return -1;
    for (size_t i = 0; i < c.n[which]; i++) {
        const char *name = c.state[which][i].name;
        struct field_value v = {name, strlen(name), 0};
        size_t k = 0;

        while (k < q->fields->n && selector_holds(&q->fields->req[k], &v, 1))
            k++;
        if (k == q->fields->n)
            n += c.state[which][i].n;
    }
    return n;
}
