/* SPDX-License-Identifier: Apache-2.0 */
#include "client/verbs.h"

#include <string.h>

#include "base/clock.h"
#include "client/remote.h"

int verbs_open(struct session *s, struct err *e)
{
    const char *url;

    if (session_conf(s, &url, e) < 0)
        return -1;
    return service_is_api(url) ? remote_open(&s->remote, s->conf, url, s->org, e) :
        service_open_once(&s->store, s->conf, url, s->org, e);
}

void verbs_close(struct session *s)
{
    remote_close(s->remote);
    session_close(s);
}

int verb_one(struct session *s, const struct list_query *q, const struct target *t,
    list_each *each, void *ctx, struct err *e)
{
    return s->remote ? remote_one(s->remote, s->arena, q, t, each, ctx, e) :
        list_one(&s->store, s->arena, q, t, each, ctx, e);
}

int verb_list(struct session *s, const struct list_query *q, list_each *each, void *ctx,
    struct list_page *out, struct err *e)
{
    return s->remote ? remote_list(s->remote, s->arena, q, each, ctx, out, e) :
        list_read(&s->store, s->arena, q, each, ctx, out, e);
}

int64_t verb_count(struct session *s, const struct list_query *q, struct err *e)
{
    return s->remote ? remote_count(s->remote, q, e) : list_count(&s->store, q, e);
}

int verb_summary(struct session *s, const struct list_query *q, struct buf *b, struct err *e)
{
    return s->remote ? remote_summary(s->remote, q, b, e) :
        list_summary(&s->store, s->arena, q, b, e);
}

int verb_labels(struct session *s, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e)
{
    return s->remote ? remote_labels(s->remote, q, each, ctx, e) :
        labels_list(&s->store, q, each, ctx, e);
}

int verb_select(struct session *s, struct targets *t, const struct kind *k,
    const struct selector *sel, struct err *e)
{
    return s->remote ? remote_select(s->remote, t, s->arena, k, sel, e) :
        targets_select(t, &s->store, s->arena, k, sel, e);
}

int verb_apply(struct session *s, const struct docs *in, size_t n, const struct apply_options *o,
    struct err *e)
{
    return s->remote ? remote_apply(s->remote, in, n, o, e) :
        apply_docs(&s->store, s->store.org, in, n, o, e);
}

int verb_carried(struct session *s, const struct carried *c, const struct apply_options *o,
    struct err *e)
{
    return s->remote ? remote_carried(s->remote, c, o, e) : carried_put(&s->store, c, o, e);
}

int verb_remove(struct session *s, const struct targets *t, const struct remove_options *o,
    struct err *e)
{
    return s->remote ? remote_remove(s->remote, t, o, e) : remove_all(&s->store, t, o, e);
}

int verb_find(struct session *s, const struct kind *k, const char *word, const char **name,
    struct err *e)
{
    return s->remote ? remote_find(s->remote, s->arena, k, word, name, e) :
        target_find(&s->store, s->arena, k, word, name, e);
}

int verb_decide(struct session *s, const char *const *names, size_t n, const struct decision *d,
    struct err *e)
{
    return s->remote ? remote_decide(s->remote, names, n, d, e) :
        request_decide(&s->store, names, n, d, e);
}

struct pending {
    struct arena *a;
    const char **names;
    size_t n;
};

static int add_pending(void *ctx, const char *id, const char *json, size_t n, struct err *e)
{
    struct pending *p = ctx;
    jv doc AUTO_JV = jv_invalid();

    if (json_parse(json, n, &doc, e) < 0)
        return -1;
    if (strcmp(request_state(doc), "Pending"))
        return 0;
    p->names = xreallocarray(p->names, p->n + 1, sizeof *p->names);
    p->names[p->n++] = arena_strdup(p->a, strchr(id, '/') + 1);
    return 0;
}

int verb_pending(struct session *s, const char ***names, size_t *n, struct err *e)
{
    struct list_query q = {.org = s->store.org, .now = now_us(),
        .kind = kind_by_id(KIND_ENROLLMENTREQUEST)};
    struct pending p = {s->arena, *names, *n};
    struct list_page page;
    int rc = verb_list(s, &q, add_pending, &p, &page, e);

    *names = p.names;
    *n = p.n;
    return rc;
}

int verb_preview_named(struct session *s, const struct previews *p, int argc, char **argv,
    struct err *e)
{
    return s->remote ? remote_preview_named(s->remote, p, argc, argv, e) :
        preview_named(&s->store, p, argc, argv, e);
}

int verb_preview_selected(struct session *s, const struct previews *p, const char *selector,
    struct err *e)
{
    return s->remote ? remote_preview_selected(s->remote, p, selector, e) :
        preview_selected(&s->store, p, selector, e);
}

int verb_preview_docs(struct session *s, const struct previews *p, const struct docs *docs,
    struct err *e)
{
    return s->remote ? remote_preview_docs(s->remote, p, docs, e) :
        preview_docs(&s->store, p, docs, e);
}

int verb_preview_compare(struct session *s, const char *name, jv spec, bool colour,
    struct buf *out, struct err *e)
{
    return s->remote ? remote_preview_compare(s->remote, name, spec, colour, out, e) :
        preview_compare(&s->store, name, spec, colour, out, e);
}
