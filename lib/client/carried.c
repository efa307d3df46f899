/* SPDX-License-Identifier: Apache-2.0 */
/* Status reports that were carried, on their way to an API: each as its device would send it. */
#include <string.h>

#include "client/remote.h"

struct job {
    const struct carried *c;
    const struct apply_options *o;
};

static int make(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct job *j = ctx;

    (void)e;
    q->method = j->o->dry_run ? "GET" : "PUT";
    remote_path(&q->path, kind_by_id(KIND_DEVICE), NULL, j->c->v[i].name);
    if (j->o->dry_run)
        return 0;
    buf_adds(&q->path, "/status");
    json_canon(&q->body, j->c->v[i].doc);
    return 0;
}

static int done(void *ctx, size_t i, const struct remote_answer *got, const struct err *why,
    struct err *e)
{
    struct job *j = ctx;
    const struct carried_report *v = &j->c->v[i];
    const struct kind *k = kind_by_id(KIND_DEVICE);

    if (why->code != FC_OK)
        return err_set(e, why->code, "%s:%d: %s", v->source, v->line, why->msg);
    if (remote_check(k, v->name, got->doc, e) < 0)
        return err_wrap(e, "%s:%d", v->source, v->line);
    j->o->each(j->o->ctx, k, v->name, strcmp(got->result, change_name(CHANGE_NONE)) == 0 ?
        CHANGE_NONE : CHANGE_UPDATED);
    if (j->o->progress)
        j->o->progress(j->o->ctx, i + 1, j->c->n);
    return 0;
}

int remote_carried(struct remote *r, const struct carried *c, const struct apply_options *o,
    struct err *e)
{
    struct job j = {.c = c, .o = o};
    const struct remote_batch b = {.n = c->n, .make = make, .done = done, .ctx = &j};

    remote_reason(r, o->who->reason);
    return remote_all(r, &b, e);
}
