/* SPDX-License-Identifier: Apache-2.0 */
#include "store/labels.h"

#include <string.h>

#include "fleet/field.h"

#define AFTER_KEYS "@\xF4\x8F\xBF\xBF" /* behind all keys that begin with @: those are no labels */

static bool is_field(const struct sel_req *r, const char *name)
{
    return strcmp(r->field->name, name) == 0;
}

static struct field_value value_of(const char *text)
{
    return (struct field_value){.s = text, .n = strlen(text)};
}

static bool key_wanted(const struct selector *sel, const char *key)
{
    const struct field_value v = value_of(key);

    for (size_t i = 0; sel && i < sel->n; i++)
        if (is_field(&sel->req[i], "metadata.labels.key") && !selector_holds(&sel->req[i], &v, 1))
            return false;
    return true;
}

static bool pair_wanted(const struct selector *sel, const char *key, const char *value)
{
    const struct field_value v[2] = {value_of(key), value_of(value)};

    for (size_t i = 0; sel && i < sel->n; i++) {
        const struct sel_req *r = &sel->req[i];

        if ((is_field(r, "metadata.labels.value") && !selector_holds(r, &v[1], 1)) ||
            (is_field(r, "metadata.labels.keyOrValue") && !selector_holds(r, v, 2)))
            return false;
    }
    return true;
}

/* What is asked of the resource that has the label, as requirements of its kind. */
static struct selector of_resource(struct arena *a, const struct label_query *q)
{
    struct selector sel = {0};

    if (!q->fields)
        return sel;
    sel.req = arena_alloc(a, q->fields->n * sizeof *sel.req + 1);
    for (size_t i = 0; i < q->fields->n; i++)
        if (is_field(&q->fields->req[i], "metadata.name")) {
            sel.req[sel.n] = q->fields->req[i];
            sel.req[sel.n++].field = field_find(q->kind->fields, "metadata.name");
        }
    return sel;
}

/* Has a resource that the query picks this label? 1, 0, -1. */
static int carried(struct store *s, const struct label_query *q, const struct selector *fields,
    const char *key, const char *value, struct err *e)
{
    size_t n = q->labels ? q->labels->n : 0;
    struct sel_req *req = xcalloc(n + 1, sizeof *req);
    struct selector sel = {.nothing = q->labels && q->labels->nothing, .n = n + 1, .req = req};
    struct res_query of = {.org = q->org, .kind = q->kind, .labels = &sel,
        .fields = fields->n ? fields : NULL, .limit = 1};
    int64_t found;

    req[0] = (struct sel_req){.op = SEL_IN, .nkeys = 1, .keys = &key, .nvalues = 1,
        .values = &value};
    if (n)
        memcpy(req + 1, q->labels->req, n * sizeof *req);
    found = q->labels || fields->n ? res_count(s, &of, 1, e) : 1;
    free(req);
    return found < 0 ? -1 : found > 0;
}

/* The first pair from (key, value) on, copied over both. 1, 0: there is none, -1. */
static int next(struct store *s, const struct label_query *q, struct buf *key, struct buf *value,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_label_next, e);
    struct buf k = BUF_INIT, v = BUF_INIT;
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, res_scope(q->kind, q->org));
    st_int(st, 2, q->kind->id);
    st_text(st, 3, key->p);
    st_text(st, 4, value->p);
    if ((rc = st_step(st, e)) != 1)
        return rc;
    buf_adds(&k, st_col_text(st, 0, NULL));
    buf_adds(&v, st_col_text(st, 1, NULL));
    st_reset(st);
    buf_free(key);
    buf_free(value);
    *key = k;
    *value = v;
    return 1;
}

int labels_list(struct store *s, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct buf key AUTO_BUF = BUF_INIT, value AUTO_BUF = BUF_INIT;
    struct selector fields = of_resource(a, q);
    int64_t n = 0;
    int rc = 0;

    buf_adds(&key, "");
    buf_adds(&value, "");
    while ((!q->limit || n < q->limit) && (rc = next(s, q, &key, &value, e)) == 1) {
        if (key.p[0] == '@' || !key_wanted(q->fields, key.p)) {
            if (key.p[0] == '@') {
                buf_reset(&key);
                buf_adds(&key, AFTER_KEYS);
            } else {
                buf_addc(&key, '\x01'); /* no key has it: the next one in order */
            }
            buf_reset(&value);
            buf_adds(&value, "");
            continue;
        }
        if (pair_wanted(q->fields, key.p, value.p)) {
            if ((rc = carried(s, q, &fields, key.p, value.p, e)) < 0 ||
                (rc && each(ctx, key.p, value.p, e) < 0))
                return -1;
            n += rc;
        }
        buf_addc(&value, '\x01');
    }
    return rc < 0 ? -1 : 0;
}
