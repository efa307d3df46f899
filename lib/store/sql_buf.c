/* SPDX-License-Identifier: Apache-2.0 */
/* SQL text with its parameters. */
#include <string.h>

#include "base/clock.h"
#include "fleet/field.h"
#include "store/select.h"

void sql_add(struct sql_buf *q, const char *text)
{
    buf_adds(&q->text, text);
}

static struct sql_param *param(struct sql_buf *q)
{
    if ((q->n & (q->n - 1)) == 0) /* full at each power of two */
        q->param = xreallocarray(q->param, q->n ? 2 * q->n : 1, sizeof *q->param);
    q->n++;
    buf_printf(&q->text, "?%zu", q->n);
    return &q->param[q->n - 1];
}

void sql_text_param(struct sql_buf *q, const char *s)
{
    *param(q) = (struct sql_param){.s = s};
}

void sql_own_param(struct sql_buf *q, char *s)
{
    *param(q) = (struct sql_param){.s = s, .own = s};
}

void sql_int_param(struct sql_buf *q, int64_t n)
{
    *param(q) = (struct sql_param){.n = n};
}

static void value(struct sql_buf *q, const struct sel_req *r, size_t i)
{
    int64_t at = 0;

    if (r->field->type != FIELD_TIME) {
        sql_text_param(q, r->values[i]);
        return;
    }
    time_parse(r->values[i], &at); /* checked when it was parsed */
    sql_int_param(q, at);
}

static void in_list(struct sql_buf *q, const char *column, const struct sel_req *r)
{
    sql_add(q, column);
    sql_add(q, " IN (");
    for (size_t i = 0; i < r->nvalues; i++) {
        if (i)
            sql_add(q, ",");
        value(q, r, i);
    }
    sql_add(q, ")");
}

void sql_column(struct sql_buf *q, const char *column, const struct sel_req *r)
{
    static const char *const order[] = {
        [SEL_LT] = " < ", [SEL_LE] = " <= ", [SEL_GT] = " > ", [SEL_GE] = " >= ",
    };

    switch (r->op) {
    case SEL_EXISTS:
    case SEL_NOT_EXISTS:
        sql_add(q, column);
        sql_add(q, r->op == SEL_EXISTS ? " IS NOT NULL" : " IS NULL");
        return;
    case SEL_IN:
        in_list(q, column, r);
        return;
    case SEL_NOT_IN:
        sql_add(q, "NOT coalesce(");
        in_list(q, column, r);
        sql_add(q, ", 1 = 0)");
        return;
    case SEL_CONTAINS: /* without the value it is another text: unlike LIKE the same everywhere */
    case SEL_NOT_CONTAINS:
        sql_add(q, r->op == SEL_CONTAINS ? "coalesce(replace(" : "NOT coalesce(replace(");
        sql_add(q, column);
        sql_add(q, ", ");
        sql_text_param(q, r->values[0]);
        sql_add(q, ", '') <> ");
        sql_add(q, column);
        sql_add(q, ", 1 = 0)");
        return;
    case SEL_LT:
    case SEL_LE:
    case SEL_GT:
    case SEL_GE:
        sql_add(q, column);
        sql_add(q, order[r->op]);
        value(q, r, 0);
        return;
    }
    die("selector operator %d", (int)r->op);
}

static struct stmt *prepare(struct db *d, const struct sql_buf *q, struct err *e)
{
    struct stmt *st = db_prepare_again(d, q->text.p, e);

    if (!st)
        return NULL;
    for (size_t i = 0; i < q->n; i++) {
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
    for (size_t i = 0; i < q->n; i++)
        free(q->param[i].own);
    free(q->param);
    q->param = NULL;
    q->n = 0;
}
