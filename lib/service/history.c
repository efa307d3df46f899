/* SPDX-License-Identifier: Apache-2.0 */
#include "service/history.h"

#include "base/clock.h"
#include "service/target.h"

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

int history_past(struct store *s, const struct kind *k, int64_t at, const struct selector *labels,
    int64_t limit, int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx,
    int64_t *lost, struct err *e)
{
    struct revision_iter *it;
    struct revision v;
    int64_t shown = 0;
    int rc = 0;

    if (check_kind(k, e) < 0 || (*lost = revision_lost(s, s->org, k, at, e)) < 0 ||
        revision_past(s, s->org, k, at, &it, e) < 0)
        return -1;
    while ((!limit || shown < limit) && (rc = revision_next(it, &v, e)) == 1) {
        char *id AUTO_FREE = xasprintf("%s/%s", k->singular, v.name);
        jv doc AUTO_JV = revision_doc(&v), had AUTO_JV = json_at(doc, "metadata.labels");

        if (labels && !selector_match(labels, had))
            continue;
        shown++;
        if ((rc = each(ctx, id, doc, e)) < 0)
            break;
    }
    revision_end(it);
    return rc < 0 ? -1 : 0;
}
