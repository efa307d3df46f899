/* SPDX-License-Identifier: Apache-2.0 */
#include "service/history.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/compare.h"

static int check_kind(const struct kind *k, struct err *e)
{
    return k->flags & KIND_APPLY ? 0 :
        err_set(e, FC_USAGE, "%s are made by the system and have no history", k->plural);
}

int history_at(struct store *s, const struct kind *k, const char *name, int64_t at, jv *doc,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct revision v;
    char when[TIME_LEN];
    int rc;

    if (check_kind(k, e) < 0 || (rc = revision_find(s, a, s->org, k, name, INT64_MAX, at, &v,
        e)) < 0)
        return -1;
    if (rc && v.doc) {
        *doc = revision_doc(&v);
        return 0;
    }
    time_format(at, when);
    if (!rc && revision_first(s, s->org, k, name, e) > 1)
        return err_set(e, FC_NOTFOUND, "what %s of name \"%s\" was at %s is no longer kept",
            k->name, name, when);
    return err_set(e, FC_NOTFOUND, "there was no %s of name \"%s\" at %s", k->name, name, when);
}

/* A revision is what a user wrote: without a status. */
static int check_fields(const struct selector *fields, struct err *e)
{
    for (size_t i = 0; fields && i < fields->n; i++) {
        const char *name = fields->req[i].field->name;

        if (strncmp(name, "status.", 7) == 0)
            return err_set(e, FC_USAGE, "field selector: %s: what a status was is not kept", name);
    }
    return 0;
}

int history_past(struct store *s, const struct kind *k, int64_t at, const struct selector *labels,
    const struct selector *fields, int64_t limit,
    int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx, int64_t *lost,
    struct err *e)
{
    struct revision_iter *it;
    struct revision v;
    int64_t shown = 0;
    int rc = 0;

    if (check_kind(k, e) < 0 || check_fields(fields, e) < 0 || (*lost = revision_lost(s, s->org, k, at, e)) < 0 ||
        revision_past(s, s->org, k, at, &it, e) < 0)
        return -1;
    while ((!limit || shown < limit) && (rc = revision_next(it, &v, e)) == 1) {
        char *id AUTO_FREE = xasprintf("%s/%s", k->singular, v.name);
        jv doc AUTO_JV = revision_doc(&v);

        if ((labels && !selector_match_doc(labels, doc)) ||
            (fields && !selector_match_doc(fields, doc)))
            continue;
        shown++;
        if ((rc = each(ctx, id, doc, e)) < 0)
            break;
    }
    revision_end(it);
    return rc < 0 ? -1 : 0;
}

/* --- the changes ---------------------------------------------------------------------------- */

static const char *change_of(const struct revision *v, const struct revision *before)
{
    if (!v->doc)
        return "deleted";
    if (!before)
        return v->rev == 1 ? "created" : "updated";
    if (before->doc)
        return "updated";
    return v->created == before->created ? "restored" : "created";
}

/* Which parts of the document differ. */
static jv fields_of(const struct revision *v, const struct revision *before)
{
    static const char *const parts[] = {"spec", "labels", "annotations"};
    jv new AUTO_JV = jv_parse(v->doc), old AUTO_JV = jv_parse(before->doc), out = jv_array();

    for (size_t i = 0; i < LEN(parts); i++) {
        jv a = json_get(new, parts[i]), b = json_get(old, parts[i]);

        if (jv_is_valid(a) && jv_is_valid(b) ? !jv_equal(jv_copy(a), jv_copy(b)) :
            jv_is_valid(a) != jv_is_valid(b))
            out = jv_array_append(out, jv_string(parts[i]));
        jv_free(a);
        jv_free(b);
    }
    return out;
}

static jv change_doc(const struct revision *v, const struct revision *before)
{
    const char *change = change_of(v, before);
    jv doc = jv_object();
    char at[TIME_LEN];

    time_format(v->at, at);
    json_sets(&doc, "kind", v->kind->name);
    json_sets(&doc, "name", v->name);
    json_seti(&doc, "rev", v->rev);
    json_sets(&doc, "time", at);
    json_sets(&doc, "actor", v->actor);
    json_sets(&doc, "change", change);
    if (before && !strcmp(change, "updated"))
        json_set(&doc, "fields", fields_of(v, before));
    json_seti(&doc, "generation", v->generation);
    json_sets(&doc, "reason", v->reason);
    return doc;
}

void history_words(jv doc, struct buf *b)
{
    jv fields AUTO_JV = json_get(doc, "fields");
    const char *sep = " ";

    buf_adds(b, json_str(doc, "change"));
    if (jv_get_kind(fields) == JV_KIND_ARRAY)
        jv_array_foreach(fields, i, f) {
            buf_printf(b, "%s%s", sep, jv_string_value(f));
            jv_free(f);
            sep = ", ";
        }
}

static int no_history(const struct kind *k, const char *name, struct err *e)
{
    return err_set(e, FC_NOTFOUND, "%s of name \"%s\" has no history", k->name, name);
}

static struct revision copied(struct arena *a, const struct revision *v)
{
    struct revision c = *v;

    c.name = arena_strdup(a, v->name);
    c.uid = arena_strdup(a, v->uid);
    c.owner = arena_strdup(a, v->owner);
    c.actor = arena_strdup(a, v->actor);
    c.reason = arena_strdup(a, v->reason);
    c.doc = arena_strdup(a, v->doc);
    return c;
}

static int show_change(const struct revision *v, const struct revision *before,
    int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx, struct err *e)
{
    char *id AUTO_FREE = xasprintf("%s/%s@%lld", v->kind->singular, v->name, (long long)v->rev);
    jv doc AUTO_JV = change_doc(v, before);

    return each(ctx, id, doc, e);
}

int history_list(struct store *s, const struct kind *k, const char *name, int64_t limit,
    int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct revision_iter *it;
    struct revision v, next;
    int rc, more;

    if (check_kind(k, e) < 0 ||
        revision_list(s, s->org, k, name, limit ? limit + 1 : 0, &it, e) < 0)
        return -1;
    rc = more = revision_next(it, &next, e);
    if (rc == 0)
        rc = no_history(k, name, e);
    for (int64_t n = 1; more == 1 && rc >= 0 && (!limit || n <= limit); n++) {
        arena_reset(a);
        v = copied(a, &next); /* until the one before it has been seen */
        if ((rc = more = revision_next(it, &next, e)) >= 0)
            rc = show_change(&v, more ? &next : NULL, each, ctx, e);
    }
    revision_end(it);
    return rc < 0 ? -1 : 0;
}

/* --- one revision, two revisions ------------------------------------------------------------ */

int history_get(struct store *s, struct arena *a, const struct kind *k, const char *name,
    int64_t rev, struct revision *out, struct err *e)
{
    int rc = revision_find(s, a, s->org, k, name, rev, INT64_MAX, out, e);
    struct revision last;
    int64_t first;

    if (rc < 0 || (rc == 1 && out->rev == rev))
        return rc < 0 ? -1 : 0;
    if ((first = revision_first(s, s->org, k, name, e)) < 0 ||
        (rc = revision_find(s, a, s->org, k, name, INT64_MAX, INT64_MAX, &last, e)) < 0)
        return -1;
    if (!rc)
        return no_history(k, name, e);
    return err_set(e, FC_NOTFOUND, "%s of name \"%s\" has revisions %lld to %lld, and no %lld",
        k->name, name, (long long)first, (long long)last.rev, (long long)rev);
}

int history_manifest(const struct revision *v, jv *doc, struct err *e)
{
    static const char *const managed[] = {"creationTimestamp", "generation", "owner"};
    jv meta;

    if (!v->doc)
        return err_set(e, FC_NOTFOUND, "revision %lld of %s of name \"%s\" is its deletion",
            (long long)v->rev, v->kind->name, v->name);
    *doc = revision_doc(v);
    meta = json_get(*doc, "metadata");
    for (size_t i = 0; i < LEN(managed); i++)
        json_del(&meta, managed[i]);
    json_set(doc, "metadata", meta);
    return 0;
}

/* A number in front of `end`; -1: none. */
static int64_t number(const char *s, const char *end)
{
    int64_t n = 0;

    if (s == end || end - s > 15)
        return -1;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        n = n * 10 + (*s - '0');
    }
    return n;
}

int history_range(const char *text, struct store *s, const struct kind *k, const char *name,
    struct history_range *out, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *dots = text ? strstr(text, "..") : NULL;
    bool open = !text || (dots && !dots[2]);
    struct revision last;
    int rc;

    *out = (struct history_range){-1, 0};
    if (text)
        out->from = number(text, dots ? dots : text + strlen(text));
    if (dots && dots[2])
        out->to = number(dots + 2, text + strlen(text));
    if (text && (out->from < 0 || out->to < 0 || (!dots && !out->from)))
        return err_set(e, FC_USAGE, "\"%s\" is no range of revisions like 3..5, 3.. or 3", text);
    if (text && !dots)
        *out = (struct history_range){out->from - 1, out->from};
    if (!open)
        return 0;
    if ((rc = revision_find(s, a, s->org, k, name, INT64_MAX, INT64_MAX, &last, e)) < 0)
        return -1;
    if (!rc)
        return no_history(k, name, e);
    out->to = last.rev;
    if (!text)
        out->from = last.rev - 1;
    return 0;
}

/* One side of a difference: its label, and its manifest unless there was no resource. */
static int side(struct store *s, struct arena *a, const struct kind *k, const char *name,
    int64_t rev, struct revision *v, const char **label, jv *doc, struct err *e)
{
    *v = (struct revision){.rev = 0};
    if (rev && history_get(s, a, k, name, rev, v, e) < 0)
        return -1;
    *label = rev ? arena_printf(a, "%s/%s revision %lld", k->singular, name, (long long)rev) :
        arena_printf(a, "%s/%s before it was created", k->singular, name);
    return v->doc ? history_manifest(v, doc, e) : 0;
}

int history_diff(struct store *s, const struct kind *k, const char *name,
    const struct history_range *r, bool colour, struct buf *out, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct buf text AUTO_BUF = BUF_INIT;
    jv old AUTO_JV = jv_invalid(), new AUTO_JV = jv_invalid();
    struct comparison c = {.colour = colour};
    struct revision from, to;
    int rc;

    if (check_kind(k, e) < 0 || side(s, a, k, name, r->from, &from, &c.from_label, &old, e) < 0 ||
        side(s, a, k, name, r->to, &to, &c.to_label, &new, e) < 0)
        return -1;
    if (jv_is_valid(old)) {
        json_canon(&text, old);
        c.from = text.p;
    }
    c.to = new;
    rc = compare_specs(&c, out, e);
    if (rc == 0 && from.doc && to.doc && strcmp(from.doc, to.doc) != 0) {
        buf_adds(out, "Credentials differ, which are not shown.\n");
        rc = 1;
    }
    return rc;
}

/* --- retention ------------------------------------------------------------------------------ */

int history_gc(struct store *s, const struct conf *conf, int64_t now, bool dry, int64_t *removed,
    struct err *e)
{
    const char *age = conf_get(conf, "history", "age");
    char *ago AUTO_FREE = age ? xasprintf("%s ago", age) : NULL;
    int64_t keep, before = INT64_MIN;

    if (num_parse(conf_get(conf, "history", "keep"), 0, INT32_MAX, &keep, "keep", NULL) < 0)
        return err_set(e, FC_INVALID, "[history] keep: must be a number, 0 or more");
    if (ago && time_past(ago, now, &before) < 0)
        return err_set(e, FC_INVALID, "[history] age: \"%s\" is no time like 90d", age);
    return revision_gc(s, keep, before, dry, removed, e);
}
