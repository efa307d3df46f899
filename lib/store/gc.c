/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gc.h"

#include "store/ints.h"
#include "store/resource.h"

/* Runs a DELETE of parts until there is nothing left. */
static int64_t remove_all(struct store *s, enum sql verb, int64_t before, struct err *e)
{
    int64_t n, all = 0;

    do {
        if (store_begin(s, e) < 0)
            return -1;
        if ((n = RUN(s, verb, e, before, GC_PART)) < 0 || store_commit(s, e) < 0) {
            store_rollback(s);
            return -1;
        }
        all += n;
        if (n)
            store_pause();
    } while (n == GC_PART);
    return all;
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

int64_t gc_templates(struct store *s, int64_t before, int64_t keep, bool dry, struct err *e)
{
    int64_t ids[GC_PART], all = 0;
    int n = 0;

    if (dry) {
        struct stmt *st = STMT(s, SQL_gc_templates, e, before, keep, INT64_MAX);
        int rc;

        if (!st)
            return -1;
        while ((rc = st_step(st, e)) == 1)
            all++;
        return rc < 0 ? -1 : all;
    }
    do {
        int rc = -1;

        if (store_begin(s, e) < 0)
            return -1;
        n = LIST(s, SQL_gc_templates, ids, e, before, keep, GC_PART);
        for (int i = 0; i < n; i++)
            if ((rc = drop_template(s, ids[i], e)) < 0)
                break;
        if (n < 0 || (n > 0 && rc < 0) || store_commit(s, e) < 0) {
            store_rollback(s);
            return -1;
        }
        all += n;
        if (n)
            store_pause();
    } while (n == GC_PART);
    return all;
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
