/* SPDX-License-Identifier: Apache-2.0 */
#include "service/carried.h"

#include <string.h>

#include "service/patch.h"

static jv only_status(jv doc)
{
    jv out = jv_object(), meta = jv_object(), status = json_get(doc, "status");

    json_sets(&out, "apiVersion", "flightctl.io/v1beta1");
    json_sets(&out, "kind", "Device");
    json_sets(&meta, "name", json_str(doc, "metadata.name"));
    json_set(&out, "metadata", meta);
    if (jv_is_valid(status))
        json_set(&out, "status", status);
    else
        jv_free(status);
    return out;
}

static int bad(const struct docs *in, const struct doc *d, const char *path, const char *what,
    struct err *e)
{
    return err_set(e, FC_INVALID, "%s:%d: %s%s%s", in->source, doc_line(d, path), path,
        *path ? ": " : "", what);
}

static int add(const struct docs *in, const struct doc *d, struct carried *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_DEVICE);
    const char *kind = json_str(d->v, "kind"), *name = json_str(d->v, "metadata.name");
    struct carried_report *r;
    struct violation v;

    if (!kind || strcmp(kind, k->name) != 0)
        return bad(in, d, "kind", "must be Device", e);
    if (!name)
        return bad(in, d, "metadata.name", "is required", e);
    if (!json_has(d->v, "status"))
        return bad(in, d, "status", "is required", e);
    out->v = xreallocarray(out->v, out->n + 1, sizeof *out->v);
    r = &out->v[out->n++];
    *r = (struct carried_report){.doc = only_status(d->v), .source = in->source, .line = d->line};
    r->name = json_str(r->doc, "metadata.name");
    return kind_validate(k, r->doc, VALIDATE_STATUS, &v, 1) > 0 ? bad(in, d, v.path, v.what, e) : 0;
}

int carried_read(const struct docs *in, size_t n, struct carried *out, struct err *e)
{
    *out = (struct carried){0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < in[i].n; k++)
            if (add(&in[i], &in[i].doc[k], out, e) < 0)
                return -1;
    return 0;
}

void carried_free(struct carried *c)
{
    for (size_t i = 0; i < c->n; i++)
        jv_free(c->v[i].doc);
    free(c->v);
}

static int put(struct store *s, const struct carried_report *v, const struct apply_options *o,
    enum change *what, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res r;
    int rc = res_get(s, a, s->org, kind_by_id(KIND_DEVICE), v->name, &r, e);

    if (rc == 0)
        rc = err_set(e, FC_NOTFOUND, "Device of name \"%s\" not found", v->name);
    if (rc < 0 || status_put(s, a, &r, v->doc, o->who, what, e) < 0)
        return err_wrap(e, "%s:%d", v->source, v->line);
    return 0;
}

static int chunk(struct store *s, const struct carried *c, size_t from, size_t to,
    const struct apply_options *o, enum change *what, struct err *e)
{
    int rc = store_begin(s, e);

    for (size_t i = from; i < to && rc == 0; i++)
        rc = put(s, &c->v[i], o, &what[i - from], e);
    if (rc == 0 && !o->dry_run)
        rc = store_commit(s, e);
    store_rollback(s); /* nothing is left to undo after a commit */
    return rc;
}

int carried_put(struct store *s, const struct carried *c, const struct apply_options *o,
    struct err *e)
{
    const struct kind *k = kind_by_id(KIND_DEVICE);
    enum change what[CARRIED_CHUNK];
    int rc = 0;

    for (size_t from = 0, to; rc == 0 && from < c->n; from = to) {
        to = c->n - from > CARRIED_CHUNK ? from + CARRIED_CHUNK : c->n;
        rc = chunk(s, c, from, to, o, what, e);
        if (rc < 0 && from > 0 && !o->dry_run)
            err_wrap(e, "after that of %s was stored", c->v[from - 1].name);
        for (size_t i = from; rc == 0 && i < to; i++)
            o->each(o->ctx, k, c->v[i].name, what[i - from]);
        if (rc == 0 && o->progress)
            o->progress(o->ctx, to, c->n);
    }
    return rc;
}
