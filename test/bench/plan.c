/* SPDX-License-Identifier: Apache-2.0 */
/* How a database runs the query of a list: prints what EXPLAIN says.
 *   plan URL KIND LABELS FIELDS   selectors, each may be empty */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/list.h"

static int explain(struct store *s, const struct sql_buf *q, bool sqlite, struct err *e)
{
    struct sql_buf x = {.param = q->param, .n = q->n};
    struct stmt *st;
    int rc = -1;

    buf_printf(&x.text, "%s %s", sqlite ? "EXPLAIN QUERY PLAN" : "EXPLAIN (COSTS OFF)", q->text.p);
    if ((st = sql_prepare(s, &x, e)))
        while ((rc = st_step(st, e)) == 1)
            printf("%s\n", st_col_text(st, sqlite ? 3 : 0, NULL));
    st_free(st);
    buf_free(&x.text);
    return rc;
}

static int run(struct store *s, struct arena *a, char **argv, struct err *e)
{
    const struct kind *k = kind_parse(argv[2], e);
    struct res_query l = {.kind = k, .limit = 100, .now = now_us(),
        .shown = true};
    struct event_query v = {.limit = 100};
    struct sql_buf q = {0};
    int rc = 0;

    if (!k || store_open(s, argv[1], e) < 0 || store_org(s, ORG_DEFAULT, &l.org, e) < 0 ||
        db_attach_seen(s->db, e) < 0 || list_labels_parse(a, k, argv[3], &l.labels, e) < 0 ||
        list_fields_parse(a, k, argv[4], &l.fields, e) < 0)
        return -1;
    v.org = l.org;
    v.fields = l.fields;
    if (k->flags & KIND_LOG)
        events_list_sql(s, &v, &q);
    else
        rc = res_list_sql(s, &l, &q, e);
    if (rc == 0)
        rc = explain(s, &q, strncmp(argv[1], "sqlite:", 7) == 0, e);
    sql_free(&q);
    return rc;
}

int main(int argc, char **argv)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct store s = {0};
    struct err e = {0};
    int rc;

    log_name = "plan";
    if (argc != 5)
        return 2;
    rc = run(&s, a, argv, &e);
    store_close(&s);
    if (rc < 0)
        log_err(&e);
    return rc < 0 ? (int)e.code : 0;
}
