/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment requests through an API: found by the beginning of a name, decided about. */
#include <string.h>

#include "client/remote.h"

/* --- names ------------------------------------------------------------------------------------ */

struct found {
    const char *word;
    size_t hits;
    char *first;
    struct buf names;
};

static int candidate(void *ctx, const char *id, const char *json, size_t n, struct err *e)
{
    struct found *f = ctx;
    const char *name = strchr(id, '/') + 1;

    (void)json;
    (void)n;
    (void)e;
    if (f->hits == TARGET_HITS || strncmp(name, f->word, strlen(f->word)))
        return 0;
    if (f->hits++ == 0)
        f->first = xstrdup(name);
    buf_printf(&f->names, "%s%s", f->names.len ? ", " : "", name);
    return 0;
}

/* 1: there is one of just this name, 0: not, -1. */
static int exact(struct remote *r, const struct kind *k, const char *name, struct err *e)
{
    struct remote_request ask = {.method = "GET"};
    struct remote_answer got;
    int rc;

    remote_path(&ask.path, k, NULL, name);
    rc = remote_ask(r, &ask, &got, NULL, e);
    if (rc == 0)
        rc = remote_check(k, name, got.doc, e);
    remote_request_free(&ask);
    remote_answer_free(&got);
    return rc == 0 ? 1 : e->code == FC_NOTFOUND ? 0 : -1;
}

int remote_find(struct remote *r, struct arena *a, const struct kind *k, const char *word,
    const char **name, struct err *e)
{
    struct found f = {.word = word};
    struct list_query q = {.kind = k};
    struct list_page page;
    int rc;

    if (word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789.-")])
        return target_missing(k, word, e);
    if ((rc = exact(r, k, word, e)) < 0)
        return -1;
    if (rc > 0) {
        *name = arena_strdup(a, word);
        return 0;
    }
    if (strlen(word) < PREFIX_MIN)
        return target_missing(k, word, e);
    rc = list_fields_parse(a, k, arena_printf(a, "metadata.name contains %s", word), &q.fields, e);
    if (rc == 0)
        rc = remote_list(r, a, &q, candidate, &f, &page, e);
    if (rc == 0)
        rc = target_found(k, word, f.names.p, f.hits, e);
    if (rc == 0)
        *name = arena_strdup(a, f.first);
    free(f.first);
    buf_free(&f.names);
    return rc;
}

/* --- decisions -------------------------------------------------------------------------------- */

struct decisions {
    const char *const *names;
    const struct decision *d;
    const struct kind *kind;
};

static int make_get(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct decisions *m = ctx;

    (void)e;
    q->method = "GET";
    remote_path(&q->path, m->kind, NULL, m->names[i]);
    return 0;
}

static int got(void *ctx, size_t i, const struct remote_answer *a, const struct err *why,
    struct err *e)
{
    struct decisions *m = ctx;
    jv status AUTO_JV = json_get(a->doc, "status");

    if (why->code != FC_OK)
        return err_set(e, why->code, "%s", why->msg);
    if (remote_check(m->kind, m->names[i], a->doc, e) < 0)
        return -1;
    return enroll_undecided(status, e) < 0 ? err_wrap(e, "%s", m->names[i]) : 0;
}

static int make_put(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct decisions *m = ctx;
    jv body AUTO_JV = jv_object();

    make_get(ctx, i, q, e);
    buf_adds(&q->path, "/approval");
    q->method = "PUT";
    q->once = true; /* a decision is made once: the second time it would be refused */
    json_set(&body, "approved", jv_bool(m->d->approve));
    if (m->d->approve) {
        json_set(&body, "labels", jv_copy(m->d->how->labels));
        json_set(&body, "replaceLabels", jv_bool(m->d->how->replace_labels));
    }
    json_canon(&q->body, body);
    return 0;
}

static int put(void *ctx, size_t i, const struct remote_answer *a, const struct err *why,
    struct err *e)
{
    struct decisions *m = ctx;

    if (why->code != FC_OK) {
        err_set(e, why->code, "%s", why->msg);
        return strstr(why->msg, m->names[i]) ? -1 : err_wrap(e, "%s", m->names[i]);
    }
    if (json_bool(a->doc, "approved", !m->d->approve) != m->d->approve)
        return err_set(e, FC_FAIL, "%s: the API answered with another decision", m->names[i]);
    m->d->each(m->d->ctx, m->names[i]);
    return 0;
}

int remote_decide(struct remote *r, const char *const *names, size_t n, const struct decision *d,
    struct err *e)
{
    struct decisions m = {names, d, kind_by_id(KIND_ENROLLMENTREQUEST)};
    struct remote_batch look = {.n = n, .make = make_get, .done = got, .ctx = &m};
    struct remote_batch go = {.n = n, .make = make_put, .done = put, .ctx = &m};
    int rc = remote_all(r, &look, e);

    remote_reason(r, d->message ? d->message : d->who->reason);
    for (size_t i = 0; rc == 0 && d->dry_run && i < n; i++)
        d->each(d->ctx, names[i]);
    return rc == 0 && !d->dry_run ? remote_all(r, &go, e) : rc;
}
