/* SPDX-License-Identifier: Apache-2.0 */
#include "service/undo.h"

#include <string.h>

#include "base/clock.h"
#include "service/history.h"

void undo_free(struct undo *u)
{
    free(u->v);
    *u = (struct undo){0};
}

static void add(struct undo *u, const struct undo_step *v)
{
    if ((u->n & (u->n - 1)) == 0) /* full at each power of two */
        u->v = xreallocarray(u->v, u->n ? 2 * u->n : 1, sizeof *u->v);
    u->v[u->n++] = *v;
}

/* --- plans ------------------------------------------------------------------------------------ */

/* The newest revision of a resource that users may bring back. */
static int newest(struct store *s, struct arena *a, const struct kind *k, const char *name,
    struct revision *out, struct err *e)
{
    int rc;

    if (!(k->flags & KIND_APPLY))
        return err_set(e, FC_USAGE, "%s are made by the system and have no history", k->plural);
    if ((rc = revision_find(s, a, s->org, k, name, INT64_MAX, INT64_MAX, out, e)) < 0)
        return -1;
    if (!rc)
        return err_set(e, FC_NOTFOUND, "%s of name \"%s\" has no history", k->name, name);
    if (out->owner && !strncmp(out->owner, "ResourceSync/", 13))
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" is managed by %s: it is to be undone "
            "there", k->name, name, out->owner);
    return 0;
}

/* The step from the newest revision to the one before number `at`. 1; 0: it is like that already. */
static int step_before(struct store *s, struct arena *a, const struct revision *last, int64_t at,
    struct undo_step *v, struct err *e)
{
    struct revision to = {.doc = NULL};

    *v = (struct undo_step){last->kind, last->name, last->rev, at - 1, true};
    if (at > 1 && history_get(s, a, last->kind, last->name, at - 1, &to, e) < 0)
        return err_wrap(e, "what it was before is no longer kept");
    v->gone = !to.doc;
    return to.doc && last->doc ? strcmp(to.doc, last->doc) != 0 : to.doc != last->doc;
}

int undo_one(struct store *s, struct arena *a, const struct kind *k, const char *name, int64_t to,
    struct undo *u, struct err *e)
{
    struct revision last, like;
    struct undo_step v;

    if (newest(s, a, k, name, &last, e) < 0)
        return -1;
    if (to) {
        if (history_get(s, a, k, name, to, &like, e) < 0)
            return -1;
        v = (struct undo_step){k, last.name, last.rev, to, !like.doc};
    } else if (step_before(s, a, &last, last.rev, &v, e) < 0)
        return -1;
    add(u, &v);
    return 0;
}

struct spans {
    struct arena *a;
    struct revision_span *v;
    size_t n;
};

static int keep_span(void *ctx, const struct revision_span *v)
{
    struct spans *all = ctx;

    if ((all->n & (all->n - 1)) == 0)
        all->v = xreallocarray(all->v, all->n ? 2 * all->n : 1, sizeof *all->v);
    all->v[all->n] = *v;
    all->v[all->n++].name = arena_strdup(all->a, v->name);
    return 0;
}

/* Why there are more revisions since than those that are asked for. */
static int mixed(struct store *s, const struct revision_span *span, const char *actor,
    struct err *e)
{
    int64_t others = actor ? revision_others(s, s->org, span, actor, e) : 0;

    if (others < 0)
        return -1;
    if (others)
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" was changed by others, too, since "
            "revision %lld", span->kind->name, span->name, (long long)span->first);
    return err_set(e, FC_CONFLICT, "%s of name \"%s\": revisions after %lld are of an earlier "
        "time, since a clock was set back: it is to be undone by itself, with --to", span->kind->name,
        span->name, (long long)span->first);
}

static int plan_span(struct store *s, struct arena *keep, const struct revision_span *span,
    const char *actor, struct undo *u, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct revision last;
    struct undo_step v;
    int rc;

    if (newest(s, a, span->kind, span->name, &last, e) < 0)
        return -1;
    if ((rc = step_before(s, a, &last, span->first, &v, e)) < 0)
        return err_wrap(e, "%s/%s", span->kind->singular, span->name);
    if (rc == 0)
        return 0;
    if (last.rev - span->first + 1 != span->n)
        return mixed(s, span, actor, e);
    v.name = arena_strdup(keep, v.name);
    add(u, &v);
    return 0;
}

int undo_since(struct store *s, struct arena *a, int64_t since, const char *actor,
    void (*passed)(void *ctx, const struct err *why), void *ctx, struct undo *u, struct err *e)
{
    struct spans all = {.a = a};
    int rc = revision_since(s, s->org, since, actor, keep_span, &all, e);

    if (rc == 0 && !all.n) {
        char at[TIME_LEN];

        time_format(since, at);
        rc = err_set(e, FC_NOTFOUND, "%s changed %s since %s",
            actor ? actor : "nobody", actor ? "nothing" : "anything", at);
    }
    for (size_t i = 0; rc == 0 && i < all.n; i++) {
        struct err why = {FC_OK, ""};

        if (plan_span(s, a, &all.v[i], actor, u, &why) == 0)
            continue;
        if (passed && (why.code == FC_CONFLICT || why.code == FC_NOTFOUND))
            passed(ctx, &why);
        else
            rc = err_set(e, why.code, "%s", why.msg);
    }
    free(all.v);
    return rc;
}

/* --- doing it --------------------------------------------------------------------------------- */

/* The document that makes it so again: what is not there now is taken away, too, and credentials are
 * the stored ones. */
static jv document(const struct revision *v, const char *version)
{
    jv stored AUTO_JV = jv_parse(v->doc), doc = jv_object(), meta = jv_object();
    jv notes, spec;
    char at[TIME_LEN];

    time_format(v->created, at);
    json_sets(&meta, "name", v->name);
    json_sets(&meta, "creationTimestamp", at);
    json_sets(&meta, "resourceVersion", version);
    if (!(v->kind->effects & EFFECT_DEVICE)) /* whose owner follows from its labels */
        json_sets(&meta, "owner", v->owner);
    json_set(&meta, "labels", json_get(stored, "labels"));
    notes = json_get(stored, "annotations");
    if (v->kind->effects & EFFECT_ORG)
        json_sets(&notes, ORG_UID, v->uid);
    json_set(&meta, "annotations", notes);
    json_set(&doc, "metadata", meta);
    spec = json_get(stored, "spec");
    if (jv_is_valid(spec))
        json_set(&doc, "spec", spec);
    else {
        jv_free(spec);
        json_set(&doc, "spec", jv_object());
    }
    return doc;
}

static int valid(const struct revision *v, struct err *e)
{
    jv doc AUTO_JV = revision_doc(v);
    struct violation bad;

    if (kind_validate(v->kind, doc, 0, &bad, 1) == 0)
        return 0;
    return err_set(e, FC_INVALID, "revision %lld of %s of name \"%s\" is no longer valid: %s: %s",
        (long long)v->rev, v->kind->name, v->name, bad.path, bad.what);
}

/* now: the resource as it is, which it still must be when it is written. */
static int put(struct store *s, struct arena *a, const struct res *now, const struct revision *to,
    const struct actor *who, enum change *what, struct err *e)
{
    const char *version = now ? arena_printf(a, "%lld", (long long)now->version) : NULL;
    jv doc AUTO_JV = document(to, version);

    if (valid(to, e) < 0)
        return -1;
    return change_put(s, a, s->org, to->kind, doc, who, PUT_TRUSTED | (now ? 0 : PUT_CREATE_ONLY),
        what, NULL, e);
}

static int step(struct store *s, const struct undo_step *v, const struct actor *who,
    enum change *what, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct actor why = *who;
    struct revision last, to;
    struct res now;
    int there = res_get(s, a, s->org, v->kind, v->name, &now, e);

    if (!why.reason)
        why.reason = v->to ? arena_printf(a, "undone: as revision %lld", (long long)v->to) :
            "undone";
    if (there < 0 || newest(s, a, v->kind, v->name, &last, e) < 0)
        return -1;
    if (last.rev != v->last)
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" was changed meanwhile: revision %lld "
            "came after %lld", v->kind->name, v->name, (long long)last.rev, (long long)v->last);
    *what = last.doc ? CHANGE_DELETED : CHANGE_NONE;
    if (v->gone)
        return last.doc ? change_delete(s, a, s->org, v->kind, v->name, &why, e) : 0;
    if (history_get(s, a, v->kind, v->name, v->to, &to, e) < 0)
        return -1;
    return put(s, a, there ? &now : NULL, &to, &why, what, e);
}

/* Up to *n steps in one transaction; *n: how many it was. */
static int chunk(struct store *s, const struct undo_step *v, size_t *n, enum change *what,
    const struct undo_options *o, struct err *e)
{
    int rc = store_begin(s, e);
    int64_t start = now_us();
    size_t i;

    for (i = 0; rc == 0 && i < *n && (i < APPLY_SMALL || now_us() - start < APPLY_US); i++)
        rc = step(s, &v[i], o->who, &what[i], e);
    *n = i;
    if (rc == 0 && !o->dry_run)
        rc = store_commit(s, e);
    store_rollback(s); /* nothing is left to undo after a commit */
    return rc == 0 && !o->dry_run ? walk_all(s, s->org, o->who, e) : rc;
}

int undo_run(struct store *s, const struct undo *u, const struct undo_options *o, struct err *e)
{
    enum change what[APPLY_CHUNK];
    size_t done, n;

    for (done = 0; done < u->n; done += n) {
        if (done)
            store_pause();
        n = u->n - done > APPLY_CHUNK ? APPLY_CHUNK : u->n - done;
        if (chunk(s, u->v + done, &n, what, o, e) < 0)
            return done ? err_wrap(e, "after %s/%s was undone", u->v[done - 1].kind->singular,
                u->v[done - 1].name) : -1;
        for (size_t i = 0; i < n; i++)
            o->each(o->ctx, &u->v[done + i], what[i]);
        if (o->progress)
            o->progress(o->ctx, done + n, u->n);
    }
    return o->dry_run ? 0 : walk_all(s, s->org, o->who, e);
}
