/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors compiled to SQL. The first requirement that pins one key to one value drives the
 * query: its rows of the label index come in the order of names, so that a page ends where it is
 * full. The other requirements are tested for each row.
 */
#include <string.h>

#include "store/resource.h"

void sql_add(struct sql_buf *q, const char *text)
{
    buf_adds(&q->text, text);
}

static struct sql_param *param(struct sql_buf *q)
{
    q->param = xreallocarray(q->param, q->n + 1, sizeof *q->param);
    q->n++;
    buf_printf(&q->text, "?%zu", q->n);
    return &q->param[q->n - 1];
}

void sql_text_param(struct sql_buf *q, const char *s)
{
    *param(q) = (struct sql_param){.s = s};
}

void sql_int_param(struct sql_buf *q, int64_t n)
{
    *param(q) = (struct sql_param){.n = n};
}

/* "SELECT 1 FROM label l WHERE ..." for one key of row r, with a value or a list of them. */
static void label_of(struct sql_buf *q, const char *key, const struct sel_req *r, size_t column)
{
    size_t i;

    sql_add(q, "SELECT 1 FROM label l WHERE l.id = r.id AND l.key = ");
    sql_text_param(q, key);
    if (!r->nvalues)
        return;
    sql_add(q, " AND l.value IN (");
    for (i = 0; i < r->nvalues; i++) {
        if (i)
            sql_add(q, ",");
        sql_text_param(q, r->values[i * r->nkeys + column]);
    }
    sql_add(q, ")");
}

/* One tuple of a key set: all keys have their values. */
static void tuple(struct sql_buf *q, const struct sel_req *r, size_t t)
{
    size_t k;

    for (k = 0; k < r->nkeys; k++) {
        struct sel_req one = {SEL_IN, 1, &r->keys[k], 1, &r->values[t * r->nkeys + k]};

        sql_add(q, k ? " AND EXISTS (" : "EXISTS (");
        label_of(q, r->keys[k], &one, 0);
        sql_add(q, ")");
    }
}

static void requirement(struct sql_buf *q, const struct sel_req *r)
{
    bool negative = r->op == SEL_NOT_IN || r->op == SEL_NOT_EXISTS;
    size_t t;

    sql_add(q, negative ? " AND NOT " : " AND ");
    if (r->nkeys == 1) {
        sql_add(q, "EXISTS (");
        label_of(q, r->keys[0], r, 0);
        sql_add(q, ")");
        return;
    }
    sql_add(q, "(");
    for (t = 0; t < r->nvalues; t++) {
        sql_add(q, t ? " OR (" : "(");
        tuple(q, r, t);
        sql_add(q, ")");
    }
    sql_add(q, ")");
}

static size_t driver(const struct selector *sel)
{
    size_t i;

    for (i = 0; sel && !sel->nothing && i < sel->n; i++) {
        const struct sel_req *r = &sel->req[i];

        if (r->op == SEL_IN && r->nkeys == 1 && r->nvalues == 1)
            return i;
    }
    return SIZE_MAX;
}

void sql_from(struct sql_buf *q, const struct selector *sel)
{
    bool drives = driver(sel) != SIZE_MAX;

    sql_add(q, drives ? " FROM label k CROSS JOIN resource r " : " FROM resource r ");
    q->id = drives ? "k.id" : "r.id";
    q->name = drives ? "k.name" : "r.name";
}

void sql_selector(struct sql_buf *q, const struct selector *sel, int64_t org, int kind)
{
    size_t i, seek = driver(sel);

    if (sel->nothing) {
        sql_add(q, " AND 1 = 0");
        return;
    }
    if (seek != SIZE_MAX) {
        sql_add(q, " AND r.id = k.id AND k.org = ");
        sql_int_param(q, org);
        sql_add(q, " AND k.kind = ");
        sql_int_param(q, kind);
        sql_add(q, " AND k.key = ");
        sql_text_param(q, sel->req[seek].keys[0]);
        sql_add(q, " AND k.value = ");
        sql_text_param(q, sel->req[seek].values[0]);
    }
    for (i = 0; i < sel->n; i++)
        if (i != seek)
            requirement(q, &sel->req[i]);
}

static struct stmt *prepare(struct db *d, const struct sql_buf *q, struct err *e)
{
    struct stmt *st = db_prepare(d, q->text.p, e);
    size_t i;

    if (!st)
        return NULL;
    for (i = 0; i < q->n; i++) {
        if (q->param[i].s)
            st_text(st, (int)i + 1, q->param[i].s);
        else
            st_int(st, (int)i + 1, q->param[i].n);
    }
    return st;
}

struct stmt *sql_prepare(struct store *s, const struct sql_buf *q, struct err *e)
{
    return prepare(s->db, q, e);
}

struct stmt *sql_prepare_read(struct store *s, const struct sql_buf *q, struct err *e)
{
    /* The record of last contacts is not replicated. */
    return prepare(strstr(q->text.p, "seen.seen") ? s->db : store_reader(s), q, e);
}

void sql_free(struct sql_buf *q)
{
    buf_free(&q->text);
    free(q->param);
    q->param = NULL;
    q->n = 0;
}
