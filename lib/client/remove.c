/* SPDX-License-Identifier: Apache-2.0 */
/* Deletion through an API: all must exist, then they go, each by itself. */
#include "client/remote.h"

struct removal {
    const struct targets *t;
    const struct remove_options *o;
    bool *goes;                  /* remove_along */
    const struct target **there, **along; /* those that exist; along: with another one */
    size_t n, nalong, done;
};

static int make_get(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct removal *m = ctx;
    const struct target *t = &m->t->v[i];

    (void)e;
    q->method = "GET";
    remote_path(&q->path, t->kind, NULL, t->name);
    return 0;
}

static int got(void *ctx, size_t i, const struct remote_answer *a, const struct err *why,
    struct err *e)
{
    struct removal *m = ctx;
    const struct target *t = &m->t->v[i];

    if (why->code == FC_NOTFOUND)
        return m->o->ignore_missing ? 0 : target_missing(t->kind, t->name, e);
    if (why->code != FC_OK)
        return err_set(e, why->code, "%s", why->msg);
    if (m->goes[i])
        m->along[m->nalong++] = t;
    else
        m->there[m->n++] = t;
    return remote_check(t->kind, t->name, a->doc, e);
}

static int make_delete(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct removal *m = ctx;

    (void)e;
    q->method = "DELETE";
    remote_path(&q->path, m->there[i]->kind, NULL, m->there[i]->name);
    return 0;
}

static void tell(struct removal *m, const struct target *t)
{
    m->done++;
    m->o->each(m->o->ctx, t->kind, t->name);
    if (m->o->progress)
        m->o->progress(m->o->ctx, m->done, m->n + m->nalong);
}

/* What is not there any more is what was wanted: it may be that our first try came through. */
static int deleted(void *ctx, size_t i, const struct remote_answer *a, const struct err *why,
    struct err *e)
{
    struct removal *m = ctx;

    (void)a;
    if (why->code != FC_OK && why->code != FC_NOTFOUND)
        return err_set(e, why->code, "%s", why->msg);
    tell(m, m->there[i]);
    return 0;
}

static int delete_all(struct remote *r, struct removal *m, struct err *e)
{
    struct remote_batch b = {.n = m->n, .make = make_delete, .done = deleted, .ctx = m};
    struct err why;

    if (remote_all(r, &b, &why) == 0)
        return 0;
    return m->done ? err_set(e, why.code, "%s (%zu of %zu were deleted)", why.msg, m->done, m->n) :
        err_set(e, why.code, "%s", why.msg);
}

int remote_remove(struct remote *r, const struct targets *t, const struct remove_options *o,
    struct err *e)
{
    struct removal m = {.t = t, .o = o, .goes = remove_along(t),
        .there = xcalloc(t->n + 1, sizeof *m.there), .along = xcalloc(t->n + 1, sizeof *m.along)};
    struct remote_batch look = {.n = t->n, .make = make_get, .done = got, .ctx = &m};
    int rc = 0;

    remote_reason(r, o->who->reason);
    for (size_t i = 0; i < t->n && rc == 0; i++)
        rc = remove_check(t->v[i].kind, e);
    if (rc == 0)
        rc = remote_all(r, &look, e);
    if (rc == 0 && !o->dry_run)
        rc = delete_all(r, &m, e);
    for (size_t i = 0; rc == 0 && o->dry_run && i < m.n; i++)
        tell(&m, m.there[i]);
    for (size_t i = 0; rc == 0 && i < m.nalong; i++)
        tell(&m, m.along[i]);
    free(m.goes);
    free(m.along);
    free(m.there);
    return rc;
}
