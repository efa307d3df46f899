/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of users: all are validated, then all are committed, in chunks. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/service.h"

enum { VIOLATIONS = 20 }; /* shown of one document */

static void complain(const struct apply_options *o, const struct apply_item *it, const char *path,
    const char *what, struct err *e)
{
    struct err m;

    err_set(&m, FC_INVALID, "%s:%d: %s%s%s", it->in->source, doc_line(it->doc, path), path,
        *path ? ": " : "", what);
    if (o->invalid)
        o->invalid(o->ctx, m.msg);
    if (e && e->code == FC_OK)
        *e = m;
}

/* Finds the kind and checks the document. Returns the number of problems; -1: it cannot be done. */
static int check(const struct apply_options *o, struct arena *names, struct apply_item *it,
    struct err *e)
{
    unsigned flags = o->allow_unknown ? 0 : VALIDATE_STRICT;
    jv doc AUTO_JV = doc_value(it->doc);
    const char *kind = json_str(doc, "kind");
    struct violation v[VIOLATIONS];
    const char *path;
    struct err why;
    int i, n;

    if (!kind) {
        if (jv_get_kind(doc) == JV_KIND_OBJECT)
            complain(o, it, "kind", "is required", e);
        else
            complain(o, it, "", "must be an object", e);
        return 1;
    }
    it->kind = kind_parse(kind, &why);
    if (!it->kind) { /* a List that has items was unfolded */
        bool list = kind_is_list(kind);

        complain(o, it, list ? "items" : "kind", list ? "must be a list" : why.msg, e);
        return 1;
    }
    if (!(it->kind->flags & KIND_APPLY)) {
        complain(o, it, "kind", "resources of this kind are made by the system", e);
        return 1;
    }
    n = kind_validate(it->kind, doc, flags, v, VIOLATIONS);
    for (i = 0; i < n && i < VIOLATIONS; i++)
        complain(o, it, v[i].path, v[i].what, e);
    if (n == 0 && request_check(it->kind, doc, &path, &why) < 0) {
        if (path) {
            complain(o, it, path, why.msg, e);
            return 1;
        }
        *e = why;
        return -1;
    }
    it->name = arena_strdup(names, json_str(doc, "metadata.name"));
    return n;
}

static int by_name(const void *p, const void *q)
{
    const struct apply_item *a = *(const struct apply_item *const *)p, *b = *(const struct apply_item *const *)q;
    int c = (int)a->kind->id - (int)b->kind->id;

    if (c == 0)
        c = strcmp(a->name, b->name);
    return c ? c : a < b ? -1 : a > b; /* in the order that they were given in */
}

/* Two documents of one name: which of them counts is not for us to guess. */
static int duplicates(const struct apply_options *o, struct apply_item *items, size_t n, struct err *e)
{
    const struct apply_item **sorted AUTO_FREE = xcalloc(n, sizeof *sorted);
    const struct apply_item **first AUTO_FREE = xcalloc(n, sizeof *first); /* of each item's name */
    int bad = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sorted[i] = &items[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (i = 0; i < n; i++)
        first[sorted[i] - items] = i && sorted[i]->kind == sorted[i - 1]->kind &&
            strcmp(sorted[i]->name, sorted[i - 1]->name) == 0 ? first[sorted[i - 1] - items] :
            sorted[i];
    for (i = 0; i < n; i++)
        if (first[i] != &items[i]) {
            struct err why;

            err_set(&why, FC_INVALID, "%s \"%s\" stands in %s:%d already", items[i].kind->name,
                items[i].name, first[i]->in->source, doc_line(first[i]->doc, "metadata.name"));
            complain(o, &items[i], "metadata.name", why.msg, e);
            bad++;
        }
    return bad;
}

/* Up to *n resources in one transaction, which ends after so many us where more than APPLY_SMALL
 * are done; *n: how many it was. Results are told after the commit. */
static int chunk(struct store *s, int64_t org, struct apply_item *items, size_t *n, int64_t us,
    const struct apply_options *o, struct err *e)
{
    enum change *what = xcalloc(*n, sizeof *what);
    int64_t start;
    int rc = -1;
    size_t i;

    if (store_begin(s, e) < 0)
        goto out;
    start = now_us();
    for (i = 0; i < *n && (i < APPLY_SMALL || now_us() - start < us); i++) {
        struct arena *a AUTO_ARENA = arena_new();
        jv doc AUTO_JV = doc_value(items[i].doc);

        if (change_put(s, a, org, items[i].kind, doc, o->who, 0, &what[i], NULL,
            e) < 0) {
            store_rollback(s);
            err_wrap(e, "%s:%d", items[i].in->source, items[i].doc->line);
            goto out;
        }
    }
    if (o->dry_run)
        store_rollback(s);
    else if (store_commit(s, e) < 0)
        goto out;
    rc = 0;
    *n = i;
    for (i = 0; i < *n && o->each; i++)
        o->each(o->ctx, items[i].kind, items[i].name, what[i]);
out:
    free(what);
    return rc;
}

static int chunks(struct store *s, int64_t org, struct apply_item *items, size_t n,
    const struct apply_options *o, struct err *e)
{
    size_t done, k, step = o->atomic ? n : APPLY_CHUNK;

    for (done = 0; done < n; done += k) {
        if (done)
            store_pause();
        k = n - done < step ? n - done : step;
        if (chunk(s, org, items + done, &k, o->atomic ? INT64_MAX : APPLY_US, o, e) < 0) {
            if (done > 0 && !o->dry_run) {
                char at[ERR_LEN];

                memcpy(at, e->msg, sizeof at);
                err_set(e, e->code, "%s (committed up to %s/%s; it is safe to repeat)", at,
                    items[done - 1].kind->singular, items[done - 1].name);
            }
            return -1;
        }
        if (o->progress)
            o->progress(o->ctx, done + k, n);
    }
    return o->dry_run ? 0 : walk_all(s, org, o->who, e);
}

int apply_docs(struct store *s, int64_t org, const struct docs *in, size_t n,
    const struct apply_options *o, struct err *e)
{
    struct arena *names AUTO_ARENA = arena_new();
    struct err first = {0};
    struct apply_item *items;
    size_t total = 0, good = 0, i, k;
    int rc = -1, bad = 0;

    for (i = 0; i < n; i++)
        total += in[i].n;
    items = xcalloc(total, sizeof *items);
    for (i = 0; i < n; i++)
        for (k = 0; k < in[i].n; k++) {
            int n_bad;

            items[good] = (struct apply_item){.in = &in[i], .doc = &in[i].doc[k]};
            if ((n_bad = check(o, names, &items[good], &first)) < 0) {
                *e = first;
                goto out;
            }
            bad += n_bad > 0;
            good += n_bad == 0;
        }
    if (good && duplicates(o, items, good, &first) > 0) { /* never passed over */
        *e = first;
        goto out;
    }
    if (bad && !o->partial) {
        *e = first;
        goto out;
    }
    if (o->atomic && good > APPLY_ATOMIC_MAX) {
        err_set(e, FC_INVALID, "%zu resources are too many for one transaction (at most %d)", good,
            APPLY_ATOMIC_MAX);
        goto out;
    }
    rc = o->send ? o->send(o, items, good, e) : chunks(s, org, items, good, o, e);
    if (rc == 0 && bad) {
        *e = first;
        rc = -1;
    }
out:
    free(items);
    return rc;
}
