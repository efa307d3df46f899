/* SPDX-License-Identifier: Apache-2.0 */
#include "service/patch.h"

#include <string.h>

#include "base/clock.h"
#include "fleet/patch.h"
#include "fleet/secret.h"
#include "service/compare.h"

enum { TRIES = 5 }; /* when others are faster */

/* --- one resource ----------------------------------------------------------------------------- */

static int find(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, struct res *r, struct err *e)
{
    int rc = res_get(s, a, res_scope(k, org), k, name, r, e);

    return rc < 0 ? -1 : rc ? 0 : target_missing(k, name, e);
}

static int shown(struct store *s, struct arena *a, const struct res *r, jv *doc, struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;

    if (res_write(s, a, r, now_us(), 0, &text, e) < 0)
        return -1;
    *doc = jv_parse_sized(text.p, (int)text.len);
    return 0;
}

static int unchanged(jv before, jv after, const char *path, struct err *e)
{
    jv was = json_at(before, path), is = json_at(after, path);

    return jv_equal(was, is) ? 0 : err_set(e, FC_INVALID, "%s: cannot be changed", path);
}

/* Status and nothing else? resourceVersion is a precondition, not a change. */
static int status_alone(jv before, jv after, struct err *e)
{
    jv was = jv_copy(before), is = jv_copy(after);
    jv v = json_get(was, "metadata"), w = json_get(is, "metadata");

    if (jv_get_kind(w) == JV_KIND_OBJECT) {
        json_del(&v, "resourceVersion");
        json_del(&w, "resourceVersion");
    }
    json_set(&was, "metadata", v);
    json_set(&is, "metadata", w);
    json_del(&was, "status");
    json_del(&is, "status");
    return jv_equal(was, is) ? 0 : err_set(e, FC_INVALID, "only the status can be changed here");
}

/* A patch can take away what a document that leaves it out would keep. */
static void take_away(const struct kind *k, jv before, jv *after)
{
    jv meta = json_get(*after, "metadata");

    if (!json_has(meta, "labels"))
        json_set(&meta, "labels", jv_object());
    if (!json_has(meta, "annotations"))
        json_set(&meta, "annotations", jv_object());
    json_set(after, "metadata", meta);
    if (k->id == KIND_DEVICE && json_has(before, "spec") && !json_has(*after, "spec"))
        json_set(after, "spec", jv_object());
}

/* A secret is shown as its mask, so a JSON patch would move or copy the mask of one. */
static int spares_secrets(const struct kind *k, jv patch, struct err *e)
{
    if (jv_get_kind(patch) != JV_KIND_ARRAY)
        return 0; /* json_patch says so */
    jv_array_foreach(patch, i, op) {
        jv one AUTO_JV = op;
        const char *what = json_str(one, "op"), *from = json_str(one, "from");

        if (!what || !from || (strcmp(what, "move") && strcmp(what, "copy")))
            continue;
        for (const struct secret *at = secrets; at->kind != KIND_NONE; at++) {
            struct buf path AUTO_BUF = BUF_INIT;
            size_t n = strlen(from);

            buf_adds(&path, "/spec");
            for (size_t m = 0; m < LEN(at->at) && at->at[m]; m++)
                buf_printf(&path, "/%s", at->at[m]);
            if (at->kind == k->id && strncmp(path.p, from, n) == 0 &&
                (path.p[n] == '\0' || path.p[n] == '/'))
                return err_set(e, FC_INVALID, "patch[%d]: %.500s: a secret cannot be moved or copied: "
                    "it is not shown", i, from);
        }
    }
    return 0;
}

/* *after: the valid document that the patches make of before. */
static int patched(const struct kind *k, const struct patches *p, jv before, jv *after,
    struct err *e)
{
    static const char *const fixed[] = {"apiVersion", "kind", "metadata.name"};
    jv doc AUTO_JV = jv_copy(before);
    struct violation bad;

    for (size_t i = 0; i < p->n; i++) {
        const struct patch *v = &p->v[i];

        if (v->type == PATCH_JSON && spares_secrets(k, v->body, e) < 0)
            return -1;
        if ((v->type == PATCH_JSON ? json_patch : json_merge)(&doc, v->body, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < LEN(fixed); i++)
        if (unchanged(before, doc, fixed[i], e) < 0)
            return -1;
    if (p->status && status_alone(before, doc, e) < 0)
        return -1;
    if (!p->status)
        take_away(k, before, &doc);
    if (kind_validate(k, doc, p->validate | (p->status ? VALIDATE_STATUS : 0), &bad, 1) > 0)
        return err_set(e, FC_INVALID, "%s%s%s", bad.path, *bad.path ? ": " : "", bad.what);
    *after = doc;
    doc = jv_invalid();
    return 0;
}

static int writable(const struct kind *k, const struct patches *p, struct err *e)
{
    if (k->flags & (p->status ? KIND_STATUS : KIND_APPLY))
        return 0;
    return p->status ? err_set(e, FC_USAGE, "the status of a %s is kept by the system",
        k->singular) : err_set(e, FC_USAGE, "kind %s cannot be written by users", k->name);
}

/* One try, in a savepoint of its own. *again: somebody else was faster, and the patch had no wish
 * for a version. */
static int try(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const struct patches *p, const struct actor *who, enum change *what,
    struct res *out, bool *again, struct err *e)
{
    jv before AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid();

    *again = false;
    if (find(s, a, org, k, name, out, e) < 0 || shown(s, a, out, &before, e) < 0 ||
        patched(k, p, before, &after, e) < 0 || change_check_version(out, after, e) < 0)
        return -1;
    if (p->status)
        return status_put(s, a, out, after, who, what, e);
    if (change_put(s, a, org, k, after, who, 0, what, out, e) == 0)
        return 0;
    *again = e->code == FC_CONFLICT;
    return -1;
}

int patch_put(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const struct patches *p, const struct actor *who, enum change *what,
    struct res *out, struct err *e)
{
    struct err why = {FC_OK, ""};
    bool again = true;

    if (writable(k, p, e) < 0)
        return -1;
    for (int i = 0; i < TRIES && again; i++) {
        if (db_savepoint(s->db, e) < 0)
            return -1;
        if (try(s, a, org, k, name, p, who, what, out, &again, &why) == 0)
            return db_release(s->db, e);
        db_rollback_to(s->db);
        store_cache_drop(s);
    }
    return err_set(e, why.code, "%s", why.msg);
}

/* --- many ------------------------------------------------------------------------------------- */

static int check_one(struct store *s, const struct target *t, const struct patches *p,
    jv *before, jv *after, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res r;

    if (writable(t->kind, p, e) < 0 || find(s, a, s->org, t->kind, t->name, &r, e) < 0)
        return -1;
    if (shown(s, a, &r, before, e) < 0 || patched(t->kind, p, *before, after, e) < 0 ||
        change_check_version(&r, *after, e) < 0)
        return err_wrap(e, "%s/%s", t->kind->singular, t->name);
    return 0;
}

static int check_all(struct store *s, const struct targets *t, const struct patches *p,
    struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        jv before AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid();

        if (check_one(s, &t->v[i], p, &before, &after, e) < 0)
            return -1;
    }
    return 0;
}

static int patch_chunk(struct store *s, const struct targets *t, size_t from, size_t to,
    const struct patch_options *o, enum change *what, struct err *e)
{
    int rc = store_begin(s, e);

    for (size_t i = from; i < to && rc == 0; i++) {
        struct arena *a AUTO_ARENA = arena_new();
        const struct target *v = &t->v[i];
        struct res r;

        rc = patch_put(s, a, s->org, v->kind, v->name, &o->patches, o->who, &what[i - from], &r, e);
        if (rc < 0 && e->code != FC_NOTFOUND)
            err_wrap(e, "%s/%s", v->kind->singular, v->name);
    }
    if (rc == 0 && !o->dry_run)
        rc = store_commit(s, e);
    store_rollback(s); /* nothing is left to undo after a commit */
    return rc;
}

int patch_all(struct store *s, const struct targets *t, const struct patch_options *o,
    struct err *e)
{
    enum change what[PATCH_CHUNK];
    int rc = check_all(s, t, &o->patches, e);

    for (size_t from = 0, to; rc == 0 && from < t->n; from = to) {
        if (from)
            store_pause();
        to = t->n - from > PATCH_CHUNK ? from + PATCH_CHUNK : t->n;
        rc = patch_chunk(s, t, from, to, o, what, e);
        if (rc < 0 && from > 0 && !o->dry_run)
            err_wrap(e, "after %s/%s was patched", t->v[from - 1].kind->singular,
                t->v[from - 1].name);
        for (size_t i = from; rc == 0 && i < to; i++)
            o->each(o->ctx, t->v[i].kind, t->v[i].name, what[i - from]);
        if (rc == 0 && o->progress)
            o->progress(o->ctx, to, t->n);
    }
    return rc;
}

/* Of a status patch the status, else what is not status. */
static void only(jv *doc, const struct patches *p)
{
    jv meta = json_get(*doc, "metadata");

    if (p->status) {
        jv status = json_get(*doc, "status");

        jv_free(*doc);
        *doc = jv_object();
        json_set(doc, "status", status);
    } else
        json_del(doc, "status");
    if (jv_get_kind(meta) == JV_KIND_OBJECT && !p->status) {
        for (const char *const *m = (const char *const[]){"labels", "annotations", NULL}; *m; m++) {
            jv v AUTO_JV = json_get(meta, *m);

            if (!json_nonempty(v))
                json_del(&meta, *m);
        }
        json_set(doc, "metadata", meta);
    } else
        jv_free(meta);
}

/* What is stored stands there as its mask already. */
static int hide(void *ctx, const struct secret *at, jv *value, struct err *e)
{
    (void)ctx;
    (void)at;
    (void)e;
    if (strcmp(jv_string_value(*value), SECRET_MASK) != 0 &&
        strcmp(jv_string_value(*value), SECRET_LOST) != 0) {
        jv_free(*value);
        *value = jv_string(SECRET_MASK " (new)");
    }
    return 0;
}

static int hide_secrets(const struct kind *k, jv *doc, struct err *e)
{
    jv spec;
    int rc;

    if (!kind_has_secrets(k)) /* those that have some always have a spec */
        return 0;
    spec = json_get(*doc, "spec");
    rc = secrets_each(k, &spec, hide, NULL, e);
    json_set(doc, "spec", spec);
    return rc;
}

int patch_diff(struct store *s, const struct targets *t, const struct patches *p, bool colour,
    struct buf *out, struct err *e)
{
    int differ = 0;

    for (size_t i = 0; i < t->n; i++) {
        jv before AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid();
        struct buf text AUTO_BUF = BUF_INIT;
        char *is AUTO_FREE = xasprintf("%s/%s", t->v[i].kind->singular, t->v[i].name);
        char *would AUTO_FREE = xasprintf("%s patched", is);
        struct comparison c = {.from_label = is, .to_label = would, .colour = colour};
        int rc;

        if (check_one(s, &t->v[i], p, &before, &after, e) < 0 ||
            hide_secrets(t->v[i].kind, &after, e) < 0)
            return -1;
        only(&before, p);
        only(&after, p);
        json_canon(&text, before);
        c.from = text.p;
        c.to = after;
        if ((rc = compare_specs(&c, out, e)) < 0)
            return -1;
        differ |= rc;
    }
    return differ;
}
