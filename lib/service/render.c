/* SPDX-License-Identifier: Apache-2.0 */
/* Rendering with the store around it: layers in, renderedVersion out. */
#include <string.h>

#include "base/clock.h"
#include "fleet/lifecycle.h"
#include "service/service.h"

/* Layers of one device, with the values that they borrow, and what people did with applications. */
struct layers {
    struct layer *layer;
    size_t n;
    jv lifecycle;
};

static void layers_free(struct layers *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        jv_free(l->layer[i].spec);
    free(l->layer);
    jv_free(l->lifecycle);
}

static void layer_add(struct layers *l, const char *origin, jv spec, bool template)
{
    l->layer = xreallocarray(l->layer, l->n + 1, sizeof *l->layer);
    l->layer[l->n++] = (struct layer){.origin = origin, .spec = spec, .is_template = template};
}

static void overlay_add(struct layers *l, enum kind_id kind, const char *annotations)
{
    jv overlay AUTO_JV = lifecycle_read(kind_by_id(kind), annotations);

    if (!jv_is_valid(l->lifecycle))
        l->lifecycle = jv_object();
    lifecycle_merge(&l->lifecycle, overlay);
}

/* The spec that a template version carries: its status without what is about the version. */
static int version_spec(struct store *s, struct arena *a, int64_t version, jv *spec,
    const char **origin, struct err *e)
{
    struct res tv;
    char *slash;
    int rc = res_get_id(s, a, version, &tv, e);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_FAIL, "template version %lld is missing from the store",
            (long long)version);
    *spec = jv_parse(tv.status);
    json_del(spec, "conditions");
    json_del(spec, "updatedAt");
    slash = strchr(tv.name, '/');
    *origin = arena_printf(a, "Fleet/%.*s@%s", (int)(slash - tv.name), tv.name, slash + 1);
    return 0;
}

static jv metadata_of(const char *name, const char *labels)
{
    jv m = jv_object();

    json_sets(&m, "name", name);
    json_set(&m, "labels", jv_parse(labels));
    return m;
}

static int defaults_layer(struct store *s, struct arena *a, int64_t org, struct layers *l,
    struct err *e)
{
    const char *origin;
    jv spec;

    if (org_defaults(s, a, org, &spec, &origin, e) < 0)
        return -1;
    if (jv_is_valid(spec))
        layer_add(l, origin, spec, true);
    return 0;
}

static int device_layers(struct store *s, struct arena *a, const struct res *r,
    const struct member *m, int n, struct layers *l, struct err *e)
{
    const char *origin;
    jv spec;
    int i;

    if (defaults_layer(s, a, r->org, l, e) < 0)
        return -1;
    overlay_add(l, KIND_DEVICE, r->annotations);
    for (i = 0; i < n; i++) {
        overlay_add(l, KIND_FLEET, m[i].fleet_annotations);
        if (!m[i].assigned)
            continue;
        if (version_spec(s, a, m[i].assigned, &spec, &origin, e) < 0)
            return -1;
        layer_add(l, origin, spec, true);
    }
    if (r->spec)
        layer_add(l, arena_printf(a, "Device/%s", r->name), jv_parse(r->spec), false);
    return 0;
}

static int spec_event(struct store *s, const struct res *r, bool valid, const char *message,
    const struct actor *who, struct err *e)
{
    struct event ev = {.kind = KIND_DEVICE, .name = r->name,
        .reason = valid ? "DeviceSpecValid" : "DeviceSpecInvalid",
        .type = valid ? "Normal" : "Warning", .message = message};

    return events_add(s, r->org, who, &ev, e);
}

/* The device keeps what it has, and what was assigned to it has failed. */
static int invalid(struct store *s, struct arena *a, const struct res *r, const struct device *d,
    const char *why, int64_t now, const struct actor *who, struct err *e)
{
    if (device_invalid(s, r->id, why, now, e) < 0 || member_fail(s, r->id, false, why, e) < 0 ||
        task_rollouts_of(s, a, r->org, r->id, e) < 0)
        return -1;
    if (d->spec_valid == 0 && d->spec_message && strcmp(d->spec_message, why) == 0)
        return 0;
    return spec_event(s, r, false, why, who, e);
}

/* Devices take a version only if it is above all that they know. */
static int64_t next_version(const struct device *d)
{
    int64_t v = d->rendered > d->reported ? d->rendered : d->reported;

    return (v > d->floor ? v : d->floor) + 1;
}

/* Nothing new for the device under another template version: it runs that already, or it could not
 * and does not try again. */
static int same_content(struct store *s, struct arena *a, const struct res *r,
    const struct device *d, struct err *e)
{
    bool runs = d->reported == d->rendered;

    if (!runs && d->failed != d->rendered)
        return 0; /* its report is still to come */
    if ((runs ? member_succeed(s, r->id, e) :
        member_fail(s, r->id, false, "the device could not apply this content before", e)) < 0)
        return -1;
    return task_rollouts_of(s, a, r->org, r->id, e);
}

static int valid(struct store *s, struct arena *a, const struct res *r, const struct device *d,
    const struct rendered *out, int64_t now, const struct actor *who, struct err *e)
{
    bool same = d->rendered && d->hash && strcmp(d->hash, out->hash) == 0 &&
        d->stale != STALE_REISSUE;
    int64_t version = d->rendered;

    if (!same) {
        struct buf text AUTO_BUF = BUF_INIT;

        version = next_version(d);
        json_canon(&text, out->spec);
        if (rendered_put(s, out->hash, text.p, now, e) < 0)
            return -1;
    }
    if (device_rendered(s, r->id, version, out->hash, same ? d->rendered_at : now, e) < 0)
        return -1;
    if (same && same_content(s, a, r, d, e) < 0)
        return -1;
    if (d->spec_valid <= 0)
        return spec_event(s, r, true, d->spec_valid ? "The spec is valid." :
            "The spec is valid again.", who, e);
    /* What a device runs being out of date from now on is told with its summary. */
    if (same || (*d->conditions && strcmp(d->updated, "UpToDate") == 0))
        return 0;
    return event_of(s, r, who, (struct event){.reason = "DeviceContentOutOfDate",
        .message = "There is a new version of the device's spec."}, e);
}

/* Filled-in parameters make texts that the fleet's own validation could not see. */
static int check_result(const struct rendered *r, struct err *e)
{
    struct violation bad;

    if (schema_validate("DeviceSpec", NULL, r->spec, 0, &bad, 1) == 0)
        return 0;
    return err_set(e, FC_INVALID, "rendered spec: %s%s%s", bad.path, *bad.path ? ": " : "",
        bad.what);
}

/* render, and its result checked: what both a device and a preview get. */
static int render_checked(const struct layers *l, jv meta, struct rendered *out, struct err *e)
{
    if (render(l->layer, l->n, meta, NULL, NULL, out, e) < 0)
        return -1;
    if (json_nonempty(l->lifecycle)) {
        lifecycle_lay(&out->spec, l->lifecycle);
        json_hash(out->spec, out->hash);
    }
    if (check_result(out, e) == 0)
        return 0;
    rendered_free(out);
    return -1;
}

int render_device(struct store *s, struct arena *a, int64_t device, int64_t now,
    const struct actor *who, struct err *e)
{
    struct err why = {0};
    struct layers l = {0};
    struct rendered out;
    struct device d;
    struct member *m;
    struct res r;
    jv meta AUTO_JV = jv_invalid();
    int n, rc = -1;

    if (res_get_id(s, a, device, &r, e) != 1 || device_get(s, a, device, &d, e) != 1 ||
        (n = member_list(s, a, device, &m, e)) < 0)
        return -1;
    if (d.stale == STALE_NO)
        return 0;
    meta = metadata_of(r.name, r.labels);
    if (device_layers(s, a, &r, m, n, &l, e) < 0)
        goto out;
    if (render_checked(&l, meta, &out, &why) < 0)
        rc = invalid(s, a, &r, &d, why.msg, now, who, e);
    else {
        rc = valid(s, a, &r, &d, &out, now, who, e);
        rendered_free(&out);
    }
    if (rc == 0)
        rc = device_refresh(s, a, &r, now, who, e);
out:
    layers_free(&l);
    return rc;
}

/* --- previews -------------------------------------------------------------------------------- */

/* A fleet document that stands in for the store's one of that name. */
static jv overlay_of(const struct preview_options *o, const char *fleet)
{
    size_t i;

    for (i = 0; i < o->noverlay; i++) {
        const char *name = json_str(o->overlay[i], "metadata.name");

        if (name && strcmp(name, fleet) == 0)
            return o->overlay[i];
    }
    return jv_invalid();
}

static int matches(struct arena *a, jv fleet_spec, jv labels, struct err *e)
{
    jv sel AUTO_JV = json_get(fleet_spec, "selector");
    struct selector parsed;

    if (selector_from_json(a, sel, &parsed, e) < 0)
        return -1;
    return selector_match(&parsed, labels);
}

static int64_t assigned_to(const struct member *m, int n, int64_t fleet)
{
    int i;

    for (i = 0; i < n; i++)
        if (m[i].fleet == fleet)
            return m[i].assigned;
    return 0;
}

struct preview {
    struct store *s;
    struct arena *a;
    const struct preview_options *o;
    const struct member *m;
    int n;
    jv labels; /* borrowed */
    struct layers *l;
};

static int preview_fleet(struct preview *p, int64_t id, const char *name, const char *spec_text,
    const char *annotations, struct err *e)
{
    jv doc = overlay_of(p->o, name);
    jv spec AUTO_JV = jv_is_valid(doc) ? json_get(doc, "spec") : jv_parse(spec_text);
    int64_t version = p->o->latest ? 0 : assigned_to(p->m, p->n, id);
    const char *origin;
    jv part;
    int rc = matches(p->a, spec, p->labels, e);

    if (rc <= 0)
        return rc;
    overlay_add(p->l, KIND_FLEET, annotations);
    if (version && !jv_is_valid(doc)) {
        if (version_spec(p->s, p->a, version, &part, &origin, e) < 0)
            return -1;
        layer_add(p->l, origin, part, true);
    } else
        layer_add(p->l, arena_printf(p->a, "Fleet/%s", name), json_at(spec, "template.spec"), true);
    return 0;
}

/* Fleets of the store from the oldest to the newest, then overlays that the store does not have. */
static int preview_fleets(struct preview *p, int64_t org, struct err *e)
{
    struct stmt *st = db_stmt(p->s->db, SQL_fleet_list, e);
    const char **seen = xcalloc(p->o->noverlay + 1, sizeof *seen);
    size_t i, k, nseen = 0;
    int rc = -1;

    if (!st)
        goto out;
    st_int(st, 1, org);
    while ((rc = st_step(st, e)) == 1) {
        const char *name = st_col_text(st, 1, NULL);

        for (i = 0; i < p->o->noverlay; i++) {
            const char *over = json_str(p->o->overlay[i], "metadata.name");

            if (over && strcmp(over, name) == 0 && nseen < p->o->noverlay)
                seen[nseen++] = over;
        }
        if (preview_fleet(p, st_col_int(st, 0), arena_strdup(p->a, name),
            arena_strdup(p->a, st_col_text(st, 3, NULL)),
            arena_strdup(p->a, st_col_text(st, 5, NULL)), e) < 0) {
            st_reset(st);
            rc = -1;
            goto out;
        }
    }
    for (i = 0; rc == 0 && i < p->o->noverlay; i++) {
        const char *name = json_str(p->o->overlay[i], "metadata.name");

        for (k = 0; k < nseen && strcmp(seen[k], name) != 0; k++)
            ;
        if (k == nseen)
            rc = preview_fleet(p, 0, name, "{}", "{}", e);
    }
out:
    free(seen);
    return rc;
}

int render_preview(struct store *s, struct arena *a, int64_t org, jv doc,
    const struct preview_options *o, struct rendered *out, struct err *e)
{
    const char *name = json_str(doc, "metadata.name");
    jv labels AUTO_JV = json_at(doc, "metadata.labels"), spec AUTO_JV = json_get(doc, "spec");
    jv meta AUTO_JV = jv_object();
    struct layers l = {0};
    struct member *m = NULL;
    struct res r;
    int rc, n = 0;

    if (!name)
        return err_set(e, FC_INVALID, "metadata.name: is required");
    if (jv_get_kind(labels) != JV_KIND_OBJECT) {
        jv_free(labels);
        labels = jv_object();
    }
    json_sets(&meta, "name", name);
    json_set(&meta, "labels", jv_copy(labels));
    if ((rc = res_get(s, a, org, kind_by_id(KIND_DEVICE), name, &r, e)) < 0 ||
        (rc && (n = member_list(s, a, r.id, &m, e)) < 0))
        return -1;
    overlay_add(&l, KIND_DEVICE, rc ? r.annotations : NULL);
    rc = defaults_layer(s, a, org, &l, e);
    if (rc == 0)
        rc = preview_fleets(&(struct preview){s, a, o, m, n, labels, &l}, org, e);
    if (rc == 0 && jv_get_kind(spec) == JV_KIND_OBJECT)
        layer_add(&l, arena_printf(a, "Device/%s", name), jv_copy(spec), false);
    if (rc == 0)
        rc = render_checked(&l, meta, out, e);
    layers_free(&l);
    return rc;
}

void render_write(struct buf *b, jv doc, const struct rendered *r)
{
    jv v AUTO_JV = jv_copy(doc);

    json_set(&v, "spec", jv_copy(r->spec));
    json_del(&v, "status");
    json_canon(b, v);
}

int render_current(struct store *s, struct arena *a, int64_t org, const char *device,
    const char **spec, struct err *e)
{
    int64_t id, version;
    struct device d;
    int stale, rc = device_poll(s, org, device, &id, &version, &stale, e);

    *spec = NULL;
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "Device of name \"%s\" not found", device);
    if (device_get(s, a, id, &d, e) != 1)
        return -1;
    return d.hash ? rendered_get(s, a, d.hash, spec, e) : 0;
}
