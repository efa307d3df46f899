/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gc.h"

#include <stdio.h>
#include <string.h>

#include "store/device.h"
#include "store/ints.h"

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

/* --- what most rows are looked at for, to find some: before the write lock is taken ------------- */

struct hashes {
    char v[GC_PART][SHA256_HEX];
    int n;
    char last[SHA256_HEX];
};

static int find_rendered(struct store *s, int64_t before, struct hashes *h, struct err *e)
{
    struct stmt *st = STMT(s, SQL_gc_rendered_some, e, before);
    int rc;

    h->n = 0;
    if (!st)
        return -1;
    st_text(st, 2, h->last);
    st_int(st, 3, GC_PART);
    while ((rc = st_step(st, e)) == 1)
        snprintf(h->v[h->n++], sizeof *h->v, "%s", st_col_text(st, 0, NULL));
    if (h->n)
        memcpy(h->last, h->v[h->n - 1], sizeof h->last);
    return rc;
}

static int64_t drop_rendered(struct store *s, int64_t before, const struct hashes *h, struct err *e)
{
    int64_t all = 0, n;

    if (store_begin(s, e) < 0)
        return -1;
    for (int i = 0; i < h->n; i++) {
        struct stmt *st = STMT(s, SQL_gc_rendered, e, before);

        if (st)
            st_text(st, 2, h->v[i]);
        if (!st || (n = st_run(st, e)) < 0)
            goto fail;
        all += n;
    }
    if (store_commit(s, e) == 0)
        return all;
fail:
    store_rollback(s);
    return -1;
}

int64_t gc_rendered(struct store *s, int64_t before, bool dry, struct err *e)
{
    struct hashes *h AUTO_FREE = NULL;
    int64_t all = 0, n;

    if (dry)
        return ONE(s, SQL_gc_rendered_count, e, before);
    h = xcalloc(1, sizeof *h);
    do {
        if (find_rendered(s, before, h, e) < 0 || (n = h->n ? drop_rendered(s, before, h, e) : 0) < 0)
            return -1;
        all += n;
        if (h->n)
            store_pause();
    } while (h->n == GC_PART);
    return all;
}

int64_t gc_tasks(struct store *s, int64_t before, bool dry, struct err *e)
{
    return dry ? ONE(s, SQL_gc_tasks_count, e, before) : remove_all(s, SQL_gc_tasks, before, e);
}

int64_t gc_tokens(struct store *s, int64_t before, bool dry, struct err *e)
{
    return dry ? ONE(s, SQL_gc_tokens_count, e, before) : remove_all(s, SQL_gc_tokens, before, e);
}

/* 1: it is gone, 0: it is in use after all. */
static int drop_template(struct store *s, int64_t id, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res r;
    int rc = template_used(s, id, e);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if ((rc = res_get_id(s, a, id, &r, e)) != 1)
        return rc;
    return res_delete(s, &r, e) < 0 ? -1 : 1;
}

static int64_t drop_templates(struct store *s, const int64_t *ids, int n, struct err *e)
{
    int64_t all = 0;
    int rc;

    if (store_begin(s, e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        if ((rc = drop_template(s, ids[i], e)) < 0)
            goto fail;
        all += rc;
    }
    if (store_commit(s, e) == 0)
        return all;
fail:
    store_rollback(s);
    return -1;
}

int64_t gc_templates(struct store *s, int64_t before, int64_t keep, bool dry, struct err *e)
{
    int64_t ids[GC_PART], after = 0, all = 0, gone;
    int n;

    do {
        if ((n = LIST(s, SQL_gc_templates, ids, e, before, keep, after, GC_PART)) < 0)
            return -1;
        if (n)
            after = ids[n - 1];
        if ((gone = dry || !n ? n : drop_templates(s, ids, n, e)) < 0)
            return -1;
        all += gone;
        if (n && !dry)
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
