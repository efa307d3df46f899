/* SPDX-License-Identifier: Apache-2.0 */
/* What devices would get, and where it comes from: the extension that fc-render asks. */
#include <string.h>

#include "api/core.h"
#include "base/clock.h"
#include "service/preview.h"

enum { /* of one answer: the caller asks for the others */
    RENDER_MAX = 100,        /* devices */
    RENDER_US = 100000,      /* other requests wait meanwhile */
    RENDER_BYTES = 4 << 20,
};

struct rendering {
    struct call *c;
    struct previews p;
    struct preview_options how;
    int64_t start;
    int64_t n;
    const char *next; /* by labels: the device that the next answer begins with, or NULL */
};

static bool full(const struct rendering *r)
{
    return r->n > 0 && (r->n >= RENDER_MAX || now_us() - r->start >= RENDER_US ||
        r->c->r->body.len >= RENDER_BYTES);
}

static bool stop(void *ctx, const char *name)
{
    struct rendering *r = ctx;

    if (!full(r))
        return false;
    r->next = arena_strdup(r->c->a, name);
    return true;
}

static struct buf *begin_item(struct rendering *r)
{
    struct buf *b = &r->c->r->body;

    if (r->n++)
        buf_addc(b, ',');
    return b;
}

static int each(void *ctx, const char *name, jv doc, const struct rendered *out, struct err *e)
{
    struct buf *b = begin_item(ctx);

    (void)name;
    (void)e;
    buf_adds(b, "{\"device\":");
    render_write(b, doc, out);
    buf_adds(b, ",\"origins\":");
    json_canon(b, out->origins);
    buf_addc(b, '}');
    return 0;
}

static void invalid(void *ctx, const struct err *why)
{
    struct buf *b = begin_item(ctx);

    buf_adds(b, "{\"invalid\":");
    buf_add_jsons(b, utf8_valid(why->msg, strlen(why->msg)) ? why->msg : "not valid");
    buf_addc(b, '}');
}

/* --- which ones ------------------------------------------------------------------------------- */

/* Those of a list from the first on. One that cannot be is the error of the answer that would begin
 * with it. */
static int in_turn(struct rendering *r, jv list, bool documents, struct err *e)
{
    int n = jv_array_length(jv_copy(list));

    for (int i = 0; i < n && !full(r); i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(list), i);
        char *name = documents ? NULL : arena_strdup(r->c->a, jv_string_value(item));
        int rc = documents ? preview_doc(r->c->s, &r->p, item, e) :
            preview_named(r->c->s, &r->p, 1, &name, e);

        if (rc < 0)
            return r->n ? 0 : -1;
    }
    return 0;
}

static int valid_all(jv list, enum kind_id kind, struct err *e)
{
    int n = jv_array_length(jv_copy(list));

    for (int i = 0; i < n; i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(list), i);

        if (body_valid(kind_by_id(kind), item, 0, e) < 0)
            return -1;
    }
    return 0;
}

/* The Fleet documents as an array of values, in the arena; they live as long as fleets. */
static int take_fleets(struct rendering *r, jv fleets, struct err *e)
{
    size_t n = (size_t)jv_array_length(jv_copy(fleets));
    jv *v;

    if (valid_all(fleets, KIND_FLEET, e) < 0)
        return -1;
    v = arena_alloc(r->c->a, (n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i] = jv_array_get(jv_copy(fleets), (int)i);
        jv_free(v[i]); /* the array holds it */
    }
    r->how.overlay = v;
    r->how.noverlay = n;
    return 0;
}

static int pick(struct rendering *r, struct err *e)
{
    jv doc = r->c->doc, names AUTO_JV = json_get(doc, "names"), devices AUTO_JV = json_get(doc,
        "devices");

    if (jv_is_valid(names) + jv_is_valid(devices) + json_has(doc, "labelSelector") > 1)
        return err_set(e, FC_INVALID, "API Error: names, devices or labelSelector");
    if (jv_is_valid(names))
        return in_turn(r, names, false, e);
    if (jv_is_valid(devices))
        return valid_all(devices, KIND_DEVICE, e) < 0 ? -1 : in_turn(r, devices, true, e);
    r->p.from = json_str(doc, "continue");
    r->p.stop = stop;
    return preview_selected(r->c->s, &r->p, json_str(doc, "labelSelector"), e);
}

int render_devices(struct call *c, struct err *e)
{
    struct rendering r = {.c = c, .start = now_us(), .how = {.now = c->now,
        .latest = json_bool(c->doc, "latest", false)}};
    jv fleets AUTO_JV = json_get(c->doc, "fleets");
    struct buf *b = &c->r->body;

    r.p = (struct previews){.how = &r.how, .org = c->org, .each = each, .invalid = invalid,
        .ctx = &r};
    if (jv_is_valid(fleets) && take_fleets(&r, fleets, e) < 0)
        return -1;
    buf_adds(b, "{\"apiVersion\":\"" API_VERSION "\",\"items\":[");
    if (pick(&r, e) < 0)
        return -1;
    buf_adds(b, "],\"kind\":\"RenderList\",\"metadata\":{");
    if (r.next) {
        buf_adds(b, "\"continue\":");
        buf_add_jsons(b, r.next);
    }
    buf_adds(b, "}}");
    c->r->status = 200;
    return HANDLED;
}
