/* SPDX-License-Identifier: Apache-2.0 */
#include "service/remove.h"

#include <string.h>

#include "base/clock.h"
#include "service/service.h"

/* 1: it is there; 0: not, which is fine; -1 */
static int exists(struct store *s, struct arena *a, const struct target *t,
    const struct remove_options *o, struct err *e)
{
    struct res r;
    int rc = res_get(s, a, s->org, t->kind, t->name, &r, e);

    if (rc == 0 && !o->ignore_missing)
        return target_missing(t->kind, t->name, e);
    return rc;
}

int remove_check(const struct kind *k, struct err *e)
{
    if (k->flags & (KIND_LOG | KIND_CATALOG))
        return err_set(e, FC_USAGE, "%s cannot be deleted", k->plural);
    return 0;
}

/* The names of the fleets among the targets: their template versions go along with them. */
struct along {
    const struct targets *all;
    const char **fleets; /* sorted */
    size_t n;
};

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void find_fleets(struct along *v)
{
    v->fleets = xcalloc(v->all->n + 1, sizeof *v->fleets);
    for (size_t i = 0; i < v->all->n; i++)
        if (v->all->v[i].kind->effects & EFFECT_FLEET)
            v->fleets[v->n++] = v->all->v[i].name;
    qsort(v->fleets, v->n, sizeof *v->fleets, by_text);
}

bool *remove_along(const struct targets *t)
{
    bool *goes = xcalloc(t->n + 1, sizeof *goes);
    struct along v = {.all = t};

    find_fleets(&v);
    for (size_t i = 0; i < t->n; i++) {
        const struct target *it = &t->v[i];
        const char *slash = it->kind->flags & KIND_CHILD ? strchr(it->name, '/') : NULL;
        char *fleet AUTO_FREE = slash ? xstrndup(it->name, (size_t)(slash - it->name)) : NULL;

        goes[i] = fleet && v.n && bsearch(&fleet, v.fleets, v.n, sizeof *v.fleets, by_text);
    }
    free(v.fleets);
    return goes;
}

/* All must be there. What goes along with another target comes into *along, else into *alone. */
static int sort_out(struct store *s, const struct targets *t, const struct remove_options *o,
    struct targets *alone, struct targets *along, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    bool *goes AUTO_FREE = remove_along(t);
    int rc = 0;

    for (size_t i = 0; i < t->n && rc >= 0; i++) {
        const struct kind *k = t->v[i].kind;

        if ((rc = remove_check(k, e)) == 0 && (rc = exists(s, a, &t->v[i], o, e)) >= 0)
            targets_add(rc && goes[i] ? along : alone, k, t->v[i].name);
        arena_reset(a);
    }
    return rc < 0 ? -1 : 0;
}

/* Deletes targets from..*to in the open transaction, which may end earlier, then *to is less; gone[]
 * says which there were. */
static int remove_chunk(struct store *s, struct arena *a, const struct targets *t, size_t from,
    size_t *to, bool *gone, const struct remove_options *o, struct err *e)
{
    int64_t start = now_us();

    for (size_t i = from; i < *to; i++) {
        const struct target *v = &t->v[i];
        int rc = exists(s, a, v, o, e);

        if (rc < 0)
            return -1;
        gone[i - from] = rc > 0;
        if (rc > 0 && change_delete(s, a, s->org, v->kind, v->name, o->who, e) < 0)
            return -1;
        arena_reset(a);
        if (i - from >= REMOVE_SMALL && now_us() - start >= REMOVE_US)
            *to = i + 1;
    }
    return 0;
}

static int remove_alone(struct store *s, const struct targets *t, const struct remove_options *o,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    bool gone[REMOVE_CHUNK];
    size_t from, to, i;
    int rc = 0;

    for (from = 0; rc == 0 && from < t->n; from = to) {
        if (from)
            store_pause();
        to = t->n - from > REMOVE_CHUNK ? from + REMOVE_CHUNK : t->n;
        if (store_begin(s, e) < 0) {
            rc = -1;
        } else {
            rc = remove_chunk(s, a, t, from, &to, gone, o, e);
            if (rc == 0 && !o->dry_run)
                rc = store_commit(s, e);
            store_rollback(s); /* nothing is left to undo after a commit */
            if (rc == 0 && !o->dry_run)
                rc = walk_all(s, s->org, o->who, e);
        }
        if (rc < 0 && from > 0)
            err_wrap(e, "after %s \"%s\" was deleted", t->v[from - 1].kind->singular,
                t->v[from - 1].name);
        for (i = from; rc == 0 && i < to; i++)
            if (gone[i - from])
                o->each(o->ctx, t->v[i].kind, t->v[i].name);
        if (rc == 0 && o->progress)
            o->progress(o->ctx, to, t->n);
    }
    return rc;
}

int remove_all(struct store *s, const struct targets *t, const struct remove_options *o,
    struct err *e)
{
    struct targets alone = {0}, along = {0};
    int rc = sort_out(s, t, o, &alone, &along, e);

    if (rc == 0)
        rc = remove_alone(s, &alone, o, e);
    for (size_t i = 0; rc == 0 && i < along.n; i++)
        o->each(o->ctx, along.v[i].kind, along.v[i].name);
    targets_free(&alone);
    targets_free(&along);
    return rc;
}
