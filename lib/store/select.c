/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: what is tested for each row, and what drives the query. */
#include "store/select.h"

#include <string.h>

#include "fleet/field.h"
#include "fleet/summary.h"
#include "store/arms.h"

/* The key of table label that requirement r is about, its first one: in `own` if it is made up. */
static const char *label_key(const struct sel_req *r, char **own)
{
    if (!r->field)
        return r->keys[0];
    if (r->field->home == FIELD_ALIAS || r->field->home == FIELD_NAME_OR_ALIAS)
        return "alias";
    return *own = xasprintf("@%s", r->field->name);
}

void sql_label_key(struct sql_buf *q, const struct sel_req *r)
{
    char *own = NULL;
    const char *key = label_key(r, &own);

    if (own)
        sql_own_param(q, own);
    else
        sql_text_param(q, key);
}

void sql_label_value(struct sql_buf *q, const struct sel_req *r, const char *value)
{
    struct buf hash AUTO_BUF = BUF_INIT;
    const char *s = r->field && r->field->home == FIELD_MEMBER ?
        field_indexed(&hash, value, strlen(value)) : value;

    if (s == value)
        sql_text_param(q, s);
    else
        sql_own_param(q, buf_steal(&hash));
}

enum field_home sql_home(const struct sql_select *l, const struct sel_req *r)
{
    if (!r->field)
        return FIELD_MEMBER;
    return r->field->home == FIELD_NAME && l->kind->flags & KIND_CHILD ? FIELD_MEMBER :
        r->field->home;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* "EXISTS (SELECT 1 FROM label l WHERE ..." for the rows that have one of the values (none: any) of
 * the column of a key set, for label_end. By name where the rows walk in its order, through the same
 * pages; of what drives, so that only rows that pass are looked up. */
static void label_of(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r,
    size_t column)
{
    sql_add(q, "EXISTS (SELECT 1 FROM label l WHERE ");
    if (r->nvalues == 1) {
        sql_add(q, "l.org = ");
        sql_int_param(q, l->org);
        sql_add(q, " AND l.kind = ");
        sql_int_param(q, l->kind->id);
        sql_add(q, " AND l.name = ");
        sql_add(q, sql_name(l));
    } else {
        sql_add(q, l->drive ? "l.id = k.id" : "l.id = r.id");
    }
    sql_add(q, " AND l.key = ");
    if (r->field)
        sql_label_key(q, r);
    else
        sql_text_param(q, r->keys[column]);
    if (!r->nvalues)
        return;
    sql_add(q, " AND l.value IN (");
    for (size_t i = 0; i < r->nvalues; i++) {
        if (i)
            sql_add(q, ",");
        sql_label_value(q, r, r->values[i * r->nkeys + column]);
    }
    sql_add(q, ")");
}

/* The limit keeps PostgreSQL from making a join of the test: it would read and sort all that both
 * sides pick, where a page needs the first of them. */
static void label_end(struct sql_buf *q)
{
    sql_add(q, " LIMIT 1 OFFSET 0)");
}

/* One tuple of a key set: all keys have their values. */
static void tuple(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r, size_t t)
{
    for (size_t k = 0; k < r->nkeys; k++) {
        struct sel_req one = {.op = SEL_IN, .nkeys = 1, .keys = &r->keys[k], .nvalues = 1,
            .values = &r->values[t * r->nkeys + k]};

        sql_add(q, k ? " AND " : "");
        label_of(q, l, &one, 0);
        label_end(q);
    }
}

/* A requirement on rows of table label, as it is without its negation. */
static void labels_test(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r)
{
    if (r->nkeys == 1) {
        if (sel_positive(r->op) == SEL_CONTAINS) {
            struct sel_req any = *r;

            any.nvalues = 0;
            any.op = SEL_EXISTS;
            label_of(q, l, &any, 0);
            any = *r;
            any.op = SEL_CONTAINS;
            sql_add(q, " AND ");
            sql_column(q, "l.value", &any);
        } else {
            label_of(q, l, r, 0);
        }
        label_end(q);
        return;
    }
    sql_add(q, "(");
    for (size_t t = 0; t < r->nvalues; t++) {
        sql_add(q, t ? " OR (" : "(");
        tuple(q, l, r, t);
        sql_add(q, ")");
    }
    sql_add(q, ")");
}

void sql_state(struct sql_buf *q, enum field_home home, int64_t now)
{
    sql_add(q, "CASE WHEN ");
    if (home == FIELD_LIFECYCLE)
        sql_add(q, "1 = 1");
    else {
        sql_add(q, "n.at >= ");
        sql_int_param(q, now - SUMMARY_DISCONNECTED);
        if (home == FIELD_UPDATED) /* of one that was never seen it is known */
            sql_add(q, " OR coalesce(n.at, 0) = 0");
    }
    sql_add(q, " THEN d.");
    sql_add(q, field_homes[home].state);
    sql_add(q, " ELSE 'Unknown' END");
}

static void state_test(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r)
{
    struct sql_buf state = {0};

    if (r->op == SEL_EXISTS || r->op == SEL_NOT_EXISTS) { /* each device has one */
        sql_add(q, r->op == SEL_EXISTS ? "1 = 1" : "1 = 0");
        return;
    }
    state.n = q->n; /* parameters go on counting */
    state.param = q->param;
    sql_add(&state, "(SELECT ");
    sql_state(&state, r->field->home, l->now);
    sql_add(&state, " FROM device d LEFT JOIN seen.seen n ON n.id = d.id WHERE d.id = ");
    sql_add(&state, l->drive ? "k.id)" : "r.id)");
    q->n = state.n;
    q->param = state.param;
    sql_column(q, state.text.p, r);
    buf_free(&state.text);
}

static void test(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r)
{
    bool negative = sel_positive(r->op) != r->op;
    enum field_home home = sql_home(l, r);
    struct sel_req positive = *r;

    sql_add(q, " AND ");
    switch (home) {
    case FIELD_NAME:
        sql_column(q, sql_name(l), r);
        return;
    case FIELD_MEMBER:
    case FIELD_ALIAS:
        sql_add(q, negative ? "NOT " : "");
        labels_test(q, l, r);
        return;
    case FIELD_NAME_OR_ALIAS:
        positive.op = sel_positive(r->op);
        sql_add(q, negative ? "NOT (" : "(");
        sql_column(q, sql_name(l), &positive);
        sql_add(q, " OR ");
        labels_test(q, l, &positive);
        sql_add(q, ")");
        return;
    case FIELD_OWNER:
        sql_column(q, "coalesce(r.owner, NULL)", r); /* arms are what seeks, in order of name */
        return;
    case FIELD_CREATED:
        sql_column(q, "coalesce(r.created, 0)", r);
        return;
    case FIELD_SUMMARY:
    case FIELD_APPLICATIONS:
    case FIELD_UPDATED:
    case FIELD_LIFECYCLE:
        state_test(q, l, r);
        return;
    case FIELD_LOG:
        break;
    }
    die("field home %d", (int)home);
}

/* --- the query -------------------------------------------------------------------------------- */

static bool nothing(const struct sql_select *l)
{
    return (l->labels && l->labels->nothing) || (l->fields && l->fields->nothing);
}

const char *sql_name(const struct sql_select *l)
{
    return l->drive ? "k.name" : "r.name";
}

const char *sql_order(const struct sql_select *l)
{
    if (!l->sorted) /* few: not by the index of names, which would find them late */
        return " ORDER BY coalesce(k.name, '')";
    return l->drive ? " ORDER BY k.name" : " ORDER BY r.name";
}

/* Rows of table label, by its name in the query, that are one value of one label. */
static void label_is(struct sql_buf *q, const struct sql_select *l, const char *table,
    const struct sel_req *r)
{
    const char *const column[] = {"org = ", "kind = ", "key = ", "value = "};

    for (size_t i = 0; i < LEN(column); i++) {
        sql_add(q, i ? " AND " : "");
        sql_add(q, table);
        sql_add(q, column[i]);
        if (i < 2)
            sql_int_param(q, i == 0 ? l->org : l->kind->id);
        else
            sql_text_param(q, i == 2 ? r->keys[0] : r->values[0]);
    }
}

static void not_before(struct sql_buf *q, const struct sql_select *l, const char *name,
    const struct sel_req *r)
{
    sql_add(q, " AND ");
    sql_add(q, name);
    sql_add(q, " >= (SELECT name FROM label WHERE ");
    label_is(q, l, "", r);
    sql_add(q, " ORDER BY name LIMIT 1)");
}

/* Names that have both labels, in order. Neither is read before the first of the other. */
static void meeting(struct sql_buf *q, const struct sql_select *l, const char *from)
{
    sql_add(q, "SELECT a.name, a.id FROM label a, label m WHERE ");
    label_is(q, l, "a.", l->drive);
    sql_add(q, " AND ");
    label_is(q, l, "m.", l->meet);
    sql_add(q, " AND m.name = a.name");
    not_before(q, l, "a.name", l->meet);
    not_before(q, l, "m.name", l->drive);
    if (from) {
        sql_add(q, " AND a.name >= ");
        sql_text_param(q, from);
        sql_add(q, " AND m.name >= ");
        sql_text_param(q, from);
    }
    sql_add(q, " ORDER BY a.name");
    sql_add(q, l->lazy);
}

void sql_from(struct sql_buf *q, const struct sql_select *l, const char *from)
{
    if (!l->drive) {
        sql_add(q, " FROM resource r ");
        return;
    }
    sql_add(q, " FROM (");
    if (l->meet)
        meeting(q, l, from);
    else
        sql_arms(q, l, l->drive, from);
    sql_add(q, ") k CROSS JOIN resource r ");
}

void sql_where(struct sql_buf *q, const struct sql_select *l, const char *from)
{
    const struct selector *const both[] = {l->labels, l->fields};

    if (l->drive) { /* the arms have organization and kind: again they would mislead a planner */
        sql_add(q, "r.id = k.id");
    } else {
        sql_add(q, "r.org = ");
        sql_int_param(q, l->org);
        sql_add(q, " AND r.kind = ");
        sql_int_param(q, l->kind->id);
        if (from) {
            sql_add(q, " AND r.name >= ");
            sql_text_param(q, from);
        }
    }
    if (nothing(l))
        sql_add(q, " AND 1 = 0");
    for (size_t i = 0; i < LEN(both); i++)
        for (size_t n = 0; both[i] && n < both[i]->n; n++)
            /* one value of one label is just what its arm picks */
            if (&both[i]->req[n] != l->meet &&
                (&both[i]->req[n] != l->drive || !sql_arms_exact(l->drive)))
                test(q, l, &both[i]->req[n]);
}

/* How many rows the arms of r pick, up to SQL_PROBE. */
static int64_t probe(struct store *s, const struct sql_select *l, const struct sel_req *r,
    struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int64_t n = -1;

    sql_add(&q, "SELECT count(*) FROM (SELECT 1 FROM (");
    sql_arms(&q, l, r, NULL);
    sql_add(&q, ") k LIMIT ");
    sql_int_param(&q, SQL_PROBE);
    sql_add(&q, ") p");
    if ((st = sql_prepare(s, &q, e)) && st_step(st, e) == 1)
        n = st_col_int(st, 0);
    st_free(st);
    sql_free(&q);
    return n;
}

static bool has_state(const struct selector *sel)
{
    for (size_t i = 0; sel && i < sel->n; i++)
        if (sel->req[i].field && field_homes[sel->req[i].field->home].state)
            return true;
    return false;
}

static bool one_label(const struct sel_req *r)
{
    return sql_arms_exact(r) && r->op == SEL_IN && r->nvalues == 1;
}

/* Two labels that many have: to test each row of the one for the other is dear where they hardly
 * meet, if each test is a query. The planner joins them by merging or by seeking. */
static void plan_meeting(struct sql_select *l)
{
    if (!*l->lazy || !l->drive || !one_label(l->drive))
        return;
    for (size_t i = 0; l->labels && i < l->labels->n && !l->meet; i++)
        if (&l->labels->req[i] != l->drive && one_label(&l->labels->req[i]))
            l->meet = &l->labels->req[i];
}

int sql_plan(struct store *s, struct sql_select *l, struct err *e)
{
    const struct selector *const both[] = {l->labels, l->fields};
    const struct sel_req *can[2 * SELECTOR_REQS];
    enum arms how[2 * SELECTOR_REQS];
    int64_t least = SQL_PROBE;
    size_t n = 0;

    l->drive = l->meet = NULL;
    l->sorted = true;
    l->lazy = db_lazy(s->db);
    if (nothing(l))
        return 0;
    if (has_state(l->fields) && (db_attach_seen(s->db, e) < 0 || sweep_time(s, &l->swept, e) < 0))
        return -1;
    for (size_t i = 0; i < LEN(both); i++)
        for (size_t k = 0; both[i] && k < both[i]->n; k++)
            if ((how[n] = sql_arms_of(l, &both[i]->req[k])) != ARMS_NONE)
                can[n++] = &both[i]->req[k];
    for (size_t i = 0; i < n; i++)
        if (!l->drive && how[i] == ARMS_SORTED)
            l->drive = can[i];
    if (n == 0 || (n == 1 && l->drive))
        return 0;
    for (size_t i = 0; i < n && least > 0; i++) {
        int64_t rows = probe(s, l, can[i], e);

        if (rows < 0)
            return -1;
        if (rows < least) {
            least = rows;
            l->drive = can[i];
            l->sorted = how[i] == ARMS_SORTED;
        }
    }
    if (least == SQL_PROBE)
        plan_meeting(l);
    return 0;
}
