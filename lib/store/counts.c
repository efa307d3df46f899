/* SPDX-License-Identifier: Apache-2.0 */
#include "store/counts.h"

#include <string.h>

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

/* As a column has it. */
static int count_column(struct store *s, struct arena *a, int64_t org, enum device_state which,
    struct device_counts *out, struct err *e)
{
    const char *column = sql_state_column(homes[which]);
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    sql_add(&q, "SELECT ");
    sql_add(&q, column);
    sql_add(&q, ", disconnected, count(*) FROM device WHERE org = ");
    sql_int_param(&q, org);
    sql_add(&q, " GROUP BY ");
    sql_add(&q, column);
    sql_add(&q, ", disconnected");
    st = sql_prepare(s, &q, e);
    while (st && (rc = st_step(st, e)) == 1) {
        int64_t silent = st_col_int(st, 1), n = st_col_int(st, 2);
        bool known = silent == 0 || (silent == 2 && which == STATE_UPDATED);

        if (which == STATE_SUMMARY)
            out->total += n;
        if (tally(a, out, which, known ? st_col_text(st, 0, NULL) : "Unknown", n, e) < 0) {
            rc = -1;
            break;
        }
    }
    st_free(st);
    sql_free(&q);
    return rc;
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
    for (int i = 0; i < STATES; i++)
        if (count_column(s, a, l->org, (enum device_state)i, out, e) < 0)
            return -1;
    return correct(s, a, l, out, e);
}

int device_count(struct store *s, struct arena *a, const struct res_query *q,
    struct device_counts *out, struct err *e)
{
    struct sql_select all = {.org = q->org, .kind = q->kind, .now = q->now};

    if (db_attach_seen(s->db, e) < 0 || sweep_time(s, &all.swept, e) < 0)
        return -1;
    if (q->labels || q->fields || q->limit || q->from || !all.swept)
        return count_each(s, a, q, out, e);
    return count_all(s, a, &all, out, e);
}
