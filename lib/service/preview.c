/* SPDX-License-Identifier: Apache-2.0 */
#include "service/preview.h"

#include "service/compare.h"
#include "service/input.h"
#include "service/target.h"

/* A device without a valid spec is said and passed over; all else ends the run. */
int preview_doc(struct store *s, const struct previews *p, jv doc, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *name = json_str(doc, "metadata.name");
    struct err why = {FC_OK, ""};
    struct rendered out;
    int rc;

    if (render_preview(s, a, p->org, doc, p->how, &out, &why) < 0) {
        err_wrap(&why, "device/%s", name);
        if (why.code != FC_INVALID)
            return err_set(e, why.code, "%s", why.msg);
        p->invalid(p->ctx, &why);
        return 0;
    }
    rc = p->each(p->ctx, name, doc, &out, e);
    rendered_free(&out);
    return rc;
}

static int preview_stored(struct store *s, const struct previews *p, const struct res *res,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct buf text AUTO_BUF = BUF_INIT;
    jv doc AUTO_JV = jv_invalid();

    if (res_write(s, a, res, p->how->now, 0, &text, e) < 0 ||
        json_parse(text.p, text.len, &doc, e) < 0)
        return -1;
    return preview_doc(s, p, doc, e);
}

int preview_named(struct store *s, const struct previews *p, int argc, char **argv,
    struct err *e)
{
    const struct kind *k = kind_by_id(KIND_DEVICE);

    for (int i = 0; i < argc; i++) {
        struct arena *a AUTO_ARENA = arena_new();
        const char *name = target_name(k, argv[i], e);
        struct res res;
        int rc;

        if (!name || (rc = res_get(s, a, p->org, k, name, &res, e)) < 0)
            return -1;
        if (rc == 0)
            return target_missing(k, name, e);
        if (preview_stored(s, p, &res, e) < 0)
            return -1;
    }
    return 0;
}

int preview_selected(struct store *s, const struct previews *p, const char *selector,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct selector sel;
    struct res_query q = {
        .org = p->org,
        .from = p->from,
        .kind = kind_by_id(KIND_DEVICE),
        .labels = selector ? &sel : NULL,
    };
    struct res_iter *it;
    struct res res;
    int rc;

    if (selector && target_selector(a, q.kind, selector, &sel, e) < 0)
        return -1;
    if (res_list(s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &res, e)) == 1) {
        if (p->stop && p->stop(p->ctx, res.name)) {
            rc = 0;
            break;
        }
        if ((rc = preview_stored(s, p, &res, e)) < 0)
            break;
    }
    res_list_end(it);
    return rc;
}

int preview_check(const struct docs *docs, struct err *e)
{
    for (size_t i = 0; i < docs->n; i++)
        if (input_check(docs, i, kind_by_id(KIND_DEVICE), 0, e) < 0)
            return -1;
    return 0;
}

int preview_docs(struct store *s, const struct previews *p, const struct docs *docs,
    struct err *e)
{
    if (preview_check(docs, e) < 0)
        return -1;
    for (size_t i = 0; i < docs->n; i++)
        if (preview_doc(s, p, docs->doc[i].v, e) < 0)
            return -1;
    return 0;
}

int preview_diff(const char *name, int64_t version, const char *from, jv spec, bool colour,
    struct buf *out, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct comparison c = {.from = from, .to = spec, .colour = colour};

    c.from_label = version
        ? arena_printf(a, "device/%s rendered version %lld", name, (long long)version)
        : arena_printf(a, "device/%s has nothing yet", name);
    c.to_label = arena_printf(a, "device/%s would get", name);
    return compare_specs(&c, out, e);
}

int preview_compare(struct store *s, const char *name, jv spec, bool colour, struct buf *out,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    int64_t id, version;
    const char *from;
    int stale;

    if (render_current(s, a, s->org, name, &from, e) < 0 ||
        device_poll(s, s->org, name, &id, &version, &stale, e) < 0)
        return -1;
    return preview_diff(name, version, from, spec, colour, out, e);
}
