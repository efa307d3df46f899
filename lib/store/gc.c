/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gc.h"

#include "store/ints.h"
#include "store/resource.h"

int64_t gc_in_parts(struct store *s, gc_part *part, void *ctx, struct err *e)
{
    int64_t n, all = 0;

    do {
        if (store_begin(s, e) < 0)
            return -1;
        if ((n = part(s, ctx, e)) < 0 || store_commit(s, e) < 0) {
            store_rollback(s);
            return -1;
        }
        all += n;
        if (n)
            store_pause();
    } while (n == GC_PART);
    return all;
}

struct old {
    enum sql verb; /* a DELETE of so many */
    int64_t before;
};

static int64_t remove_some(struct store *s, void *ctx, struct err *e)
{
    const struct old *o = ctx;

    return RUN(s, o->verb, e, o->before, GC_PART);
}

static int64_t remove_all(struct store *s, enum sql verb, int64_t before, struct err *e)
{
    struct old o = {verb, before};

    return gc_in_parts(s, remove_some, &o, e);
}

int64_t gc_rendered(struct store *s, int64_t before, bool dry, struct err *e)
{
    return dry ? ONE(s, SQL_gc_rendered_count, e, before) :
        remove_all(s, SQL_gc_rendered, before, e);
}

int64_t gc_tasks(struct store *s, int64_t before, bool dry, struct err *e)
{
    return dry ? ONE(s, SQL_gc_tasks_count, e, before) : remove_all(s, SQL_gc_tasks, before, e);
}

int64_t gc_tokens(struct store *s, int64_t before, bool dry, struct err *e)
{
    return dry ? ONE(s, SQL_gc_tokens_count, e, before) : remove_all(s, SQL_gc_tokens, before, e);
}

static int drop_template(struct store *s, int64_t id, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res r;
    int rc = res_get_id(s, a, id, &r, e);

    return rc == 1 ? res_delete(s, &r, e) : rc;
}

struct templates {
    int64_t before, keep;
};

static int64_t drop_templates(struct store *s, void *ctx, struct err *e)
{
    const struct templates *t = ctx;
    int64_t ids[GC_PART];
    int n = LIST(s, SQL_gc_templates, ids, e, t->before, t->keep, GC_PART);

    for (int i = 0; i < n; i++)
        if (drop_template(s, ids[i], e) < 0)
            return -1;
    return n;
}

int64_t gc_templates(struct store *s, int64_t before, int64_t keep, bool dry, struct err *e)
{
    struct templates t = {before, keep};
    struct stmt *st;
    int64_t all = 0;
    int rc;

    if (!dry)
        return gc_in_parts(s, drop_templates, &t, e);
    if (!(st = STMT(s, SQL_gc_templates, e, before, keep, INT64_MAX)))
        return -1;
    while ((rc = st_step(st, e)) == 1)
        all++;
    return rc < 0 ? -1 : all;
}

int64_t gc_seen(struct store *s, bool dry, struct err *e)
{
    int64_t ids[GC_PART], all = 0;
    int n;

    if (db_attach_seen(s->db, e) < 0)
        return -1;
    do {
        n = LIST(s, SQL_gc_seen, ids, e, GC_PART);
        if (n < 0 || (!dry && seen_drop(s, ids, (size_t)n, e) < 0))
            return -1;
        all += n;
    } while (n == GC_PART && !dry);
    return all;
}
