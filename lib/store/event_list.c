/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of events, by what they say; in pages, as lists of resources are. */
#include <string.h>

#include "fleet/field.h"
#include "store/event.h"
#include "store/arms.h"

struct query {
    const struct event_query *q;
    const struct sel_req *drive; /* or NULL: the log from one end */
    int64_t at;                  /* where the page begins; 0: at the end */
    bool begun;                  /* behind it, not with it */
    const char *lazy;            /* db_lazy */
};

static bool is_field(const struct sel_req *r, const char *name)
{
    return strcmp(r->field->name, name) == 0;
}

/* NULL: always absent. */
static const char *column_of(const struct sel_req *r)
{
    static const struct { const char *field, *column; } columns[] = {
        {"metadata.name", "uid"}, {"metadata.creationTimestamp", "at"}, {"reason", "reason"},
        {"actor", "actor"}, {"type", "type"}, {"involvedObject.name", "name"},
    };

    for (size_t i = 0; i < LEN(columns); i++)
        if (is_field(r, columns[i].field))
            return columns[i].column;
    return NULL;
}

/* The kind is a number: those whose name the requirement takes. */
static void kind_test(struct sql_buf *b, const char *table, const struct sel_req *r)
{
    const struct selector one = {.n = 1, .req = (struct sel_req *)(intptr_t)r};

    sql_add(b, table);
    sql_add(b, "kind IN (0");
    for (const struct kind *k = kinds; k->id; k++) {
        jv doc AUTO_JV = JV_OBJECT(jv_string("involvedObject"),
            JV_OBJECT(jv_string("kind"), jv_string(k->name)));

        if (!selector_match_doc(&one, doc))
            continue;
        sql_add(b, ",");
        sql_int_param(b, (int64_t)k->id);
    }
    sql_add(b, ")");
}

static void test(struct sql_buf *b, const char *table, const struct sel_req *r)
{
    char *column AUTO_FREE = NULL;

    sql_add(b, " AND ");
    if (is_field(r, "involvedObject.kind")) {
        kind_test(b, table, r);
    } else if (!column_of(r)) {
        sql_add(b, sel_positive(r->op) == r->op ? "1 = 0" : "1 = 1");
    } else {
        column = xasprintf("%s%s", table, column_of(r));
        sql_column(b, column, r);
    }
}

/* Which way the log is read, and from where. */
static void place(struct sql_buf *b, const char *table, const struct query *p)
{
    if (!p->at)
        return;
    sql_add(b, " AND ");
    sql_add(b, table);
    sql_add(b, p->q->oldest ? "seq >" : "seq <");
    sql_add(b, p->begun ? " " : "= ");
    sql_int_param(b, p->at);
}

static const char *order_of(const struct query *p)
{
    return p->q->oldest ? " ORDER BY seq" : " ORDER BY seq DESC";
}

/* As those of resources: where the database has to be told, in the order of the log. */
static void arm_begin(struct sql_buf *b, const struct query *p, bool first)
{
    sql_add(b, first ? "" : " UNION ALL ");
    sql_add(b, *p->lazy ? "SELECT seq FROM (" : "");
    sql_add(b, "SELECT seq FROM event WHERE org = ");
    sql_int_param(b, p->q->org);
}

static void arm_end(struct sql_buf *b, const struct query *p)
{
    place(b, "", p);
    if (!*p->lazy)
        return;
    sql_add(b, order_of(p));
    sql_add(b, p->lazy);
    sql_add(b, ") a");
}

/* Warnings are few and have an index of their own. */
static bool is_warning(const struct sel_req *r)
{
    return is_field(r, "type") && r->op == SEL_IN && r->nvalues == 1 &&
        strcmp(r->values[0], "Warning") == 0;
}

/* Rows of the indexes, in order of the log: one arm for each value. */
static void arms(struct sql_buf *b, const struct query *p)
{
    const struct sel_req *r = p->drive;
    struct sel_req one = *r;
    bool first = true;

    one.nvalues = 1;
    for (size_t i = 0; i < r->nvalues; i++, one.values++) {
        size_t k = 0;

        while (k < i && strcmp(r->values[k], r->values[i]))
            k++;
        if (k < i)
            continue; /* it was there before */
        arm_begin(b, p, first);
        first = false;
        if (is_warning(r))
            sql_add(b, " AND type = 'Warning'"); /* as the index says it */
        else
            test(b, "", &one);
        arm_end(b, p);
    }
}

static void of_object(struct sql_buf *b, const struct query *p)
{
    arm_begin(b, p, true);
    sql_add(b, " AND kind = ");
    sql_int_param(b, p->q->kind);
    sql_add(b, " AND name = ");
    sql_text_param(b, p->q->name);
    arm_end(b, p);
}

/* FROM and WHERE; driven by the object or by one requirement where there is one. */
static void body(struct sql_buf *b, const struct query *p)
{
    const struct selector *sel = p->q->fields;

    if (p->q->kind || p->drive) {
        sql_add(b, " FROM (");
        if (p->q->kind)
            of_object(b, p);
        else
            arms(b, p);
        sql_add(b, ") k CROSS JOIN event v WHERE v.seq = k.seq AND v.org = ");
        sql_int_param(b, p->q->org);
    } else {
        sql_add(b, " FROM event v WHERE v.org = ");
        sql_int_param(b, p->q->org);
        place(b, "v.", p);
    }
    for (size_t i = 0; sel && i < sel->n; i++)
        test(b, "v.", &sel->req[i]);
}

static int64_t count(struct store *s, const struct query *p, int64_t cap, struct err *e)
{
    struct sql_buf b = {0};
    struct stmt *st;
    int64_t n = -1;

    sql_add(&b, "SELECT count(*) FROM (SELECT 1");
    body(&b, p);
    if (cap) {
        sql_add(&b, " LIMIT ");
        sql_int_param(&b, cap);
    }
    sql_add(&b, ") c");
    if ((st = sql_prepare_read(s, &b, e)) && st_step(st, e) == 1)
        n = st_col_int(st, 0);
    st_free(st);
    sql_free(&b);
    return n;
}

/* Those that an index has in the order of the log: others are looked for in the log itself. */
static bool is_indexed(const struct sel_req *r)
{
    return r->op == SEL_IN && r->nvalues <= ARMS_MAX && (is_field(r, "reason") ||
        is_field(r, "involvedObject.name") || is_warning(r));
}

static void choose(struct query *p)
{
    const struct selector *sel = p->q->fields;

    for (size_t i = 0; sel && i < sel->n && !p->drive; i++)
        if (is_indexed(&sel->req[i]))
            p->drive = &sel->req[i];
}

static void page_sql(struct sql_buf *b, const struct query *p, int64_t limit)
{
    const char *from = p->q->kind || p->drive ? "k" : "v";
    char *columns AUTO_FREE = xasprintf("SELECT %s.seq, v.at, v.uid, v.kind, v.name, v.parent, "
        "v.reason, v.type, v.actor, v.source, v.message, v.details, v.was", from);
    char *order AUTO_FREE = xasprintf(p->q->oldest ? " ORDER BY %s.seq LIMIT " :
        " ORDER BY %s.seq DESC LIMIT ", from);

    sql_add(b, columns);
    body(b, p);
    sql_add(b, order);
    sql_int_param(b, limit);
}

void events_list_sql(struct store *s, const struct event_query *q, struct sql_buf *out)
{
    struct query p = {.q = q, .lazy = db_lazy(s->db)};

    choose(&p);
    page_sql(out, &p, q->limit);
}

/* One page, at most `limit`; *n: how many. 1: the caller has had enough. */
static int page(struct store *s, struct query *p, int64_t limit, int64_t *n, event_each *each,
    void *ctx, struct err *e)
{
    struct sql_buf b = {0};
    struct stmt *st;
    int rc = -1;

    *n = 0;
    page_sql(&b, p, limit);
    if ((st = sql_prepare_read(s, &b, e)))
        while ((rc = st_step(st, e)) == 1) {
            struct event ev = event_row(st);

            p->at = ev.seq;
            p->begun = true;
            ++*n;
            if (each(ctx, &ev))
                break;
        }
    st_free(st);
    sql_free(&b);
    return rc;
}

int events_list(struct store *s, const struct event_query *q, event_each *each, void *ctx,
    struct err *e)
{
    struct query p = {.q = q, .at = q->from, .lazy = db_lazy(s->db)};
    int64_t left = q->limit, most, n;
    int rc;

    choose(&p);
    do {
        most = q->limit && left < LIST_MAX ? left : LIST_MAX;
        if ((rc = page(s, &p, most, &n, each, ctx, e)) != 0)
            return rc < 0 ? -1 : 0;
        left -= n;
    } while (n == most && (!q->limit || left > 0));
    return 0;
}

int64_t events_count(struct store *s, const struct event_query *q, int64_t cap, struct err *e)
{
    struct query p = {.q = q, .at = q->from, .lazy = db_lazy(s->db)};

    choose(&p);
    return count(s, &p, cap, e);
}
