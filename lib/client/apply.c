/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of users, which were validated here, on their way to an API. */
#include <string.h>

#include "base/text.h"
#include "client/remote.h"
#include "fleet/secret.h"

struct apply {
    const struct apply_options *o;
    const struct apply_item *items;
    size_t n, done; /* done: that worked */
    struct err bad; /* the first that did not */
};

/* --- what would change ------------------------------------------------------------------------ */

static bool same(jv a, jv b)
{
    struct buf x AUTO_BUF = BUF_INIT, y AUTO_BUF = BUF_INIT;

    json_canon(&x, a);
    json_canon(&y, b);
    return x.len == y.len && !memcmp(x.p, y.p, x.len);
}

/* Annotations without those that nobody writes. */
static jv written(jv meta)
{
    jv all = json_get(meta, "annotations"), out;

    if (jv_get_kind(all) != JV_KIND_OBJECT) {
        jv_free(all);
        return jv_object();
    }
    out = jv_copy(all);
    jv_object_foreach(all, k, v) {
        if (change_is_view(jv_string_value(k)))
            out = jv_object_delete(out, jv_copy(k));
        jv_free(k);
        jv_free(v);
    }
    jv_free(all);
    return out;
}

/* Would a member of the document replace what is there? One that is absent or null would not. */
static bool replaces(jv now, jv doc, const char *key, jv none)
{
    jv have = json_get(now, key), want = json_get(doc, key);
    bool differs = jv_is_valid(want) && jv_get_kind(want) != JV_KIND_NULL;

    if (!jv_is_valid(have)) {
        jv_free(have);
        have = jv_copy(none);
    }
    differs = differs && !same(have, want);
    jv_free(have);
    jv_free(want);
    jv_free(none);
    return differs;
}

/* What a PUT would do to a resource as the API shows it. */
static int compare(const struct apply_item *it, jv now, enum change *what, struct err *e)
{
    jv doc AUTO_JV = doc_value(it->doc);
    jv old AUTO_JV = json_get(now, "metadata"), new AUTO_JV = json_get(doc, "metadata");
    jv was AUTO_JV = written(old), is AUTO_JV = written(new);
    const char *version = json_str(old, "resourceVersion"), *want = json_str(new,
        "resourceVersion");

    if (want && *want && version && strcmp(version, want))
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" was changed meanwhile: resourceVersion "
            "is %s, not %s", it->kind->name, it->name, version, want);
    *what = replaces(old, new, "labels", jv_object()) ||
        (json_has(new, "annotations") && !same(was, is)) ||
        replaces(now, doc, "spec", jv_null()) ? CHANGE_UPDATED : CHANGE_NONE;
    return 0;
}

/* --- requests --------------------------------------------------------------------------------- */

static int make(void *ctx, size_t i, struct remote_request *q, struct err *e)
{
    struct apply *a = ctx;
    const struct apply_item *it = &a->items[i];
    jv doc AUTO_JV = a->o->dry_run ? jv_null() : doc_value(it->doc);

    (void)e;
    q->method = a->o->dry_run ? "GET" : "PUT";
    remote_path(&q->path, it->kind, NULL, it->name);
    if (!a->o->dry_run)
        json_canon(&q->body, doc);
    return 0;
}

static int understand(const struct apply *a, const struct apply_item *it,
    const struct remote_answer *got, const struct err *why, enum change *what, struct err *e)
{
    bool dry = a->o->dry_run;

    *what = CHANGE_CREATED;
    if (dry && why->code == FC_NOTFOUND)
        return 0;
    if (why->code != FC_OK)
        return err_set(e, why->code, "%s", why->msg);
    if (remote_check(it->kind, it->name, got->doc, e) < 0)
        return -1;
    if (dry)
        return compare(it, got->doc, what, e);
    if (!strcmp(got->result, change_name(CHANGE_NONE)))
        *what = CHANGE_NONE;
    else if (got->status != 201)
        *what = CHANGE_UPDATED;
    return 0;
}

static int done(void *ctx, size_t i, const struct remote_answer *got, const struct err *why,
    struct err *e)
{
    struct apply *a = ctx;
    const struct apply_item *it = &a->items[i];
    enum change what;

    if (understand(a, it, got, why, &what, e) < 0)
        return err_wrap(e, "%s:%d", it->in->source, it->doc->line);
    a->done++;
    if (a->o->each)
        a->o->each(a->o->ctx, it->kind, it->name, what);
    if (a->o->progress)
        a->o->progress(a->o->ctx, i + 1, a->n);
    return 0;
}

static int send(const struct apply_options *o, const struct apply_item *items, size_t n,
    struct err *e)
{
    struct apply a = {.o = o, .items = items, .n = n};
    struct remote_batch b = {.n = n, .make = make, .done = done, .ctx = &a};
    struct err why;

    if (remote_all(o->to, &b, &why) == 0)
        return 0;
    return a.done && !o->dry_run ?
        err_set(e, why.code, "%s (%zu of %zu were applied; it is safe to repeat)", why.msg, a.done,
            n) : err_set(e, why.code, "%s", why.msg);
}

int remote_apply(struct remote *r, const struct docs *in, size_t n, const struct apply_options *o,
    struct err *e)
{
    struct apply_options here = *o;

    if (o->atomic)
        return err_set(e, FC_USAGE, "--atomic works on a store of its own, not through an API");
    remote_reason(r, o->who->reason);
    here.send = send;
    here.to = r;
    return apply_docs(NULL, 0, in, n, &here, e);
}
