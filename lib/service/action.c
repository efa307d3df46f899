/* SPDX-License-Identifier: Apache-2.0 */
#include "service/action.h"

#include <string.h>

#include "base/clock.h"
#include "service/target.h"

static const char *canon(struct arena *a, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

/* A resource that people may still act on. */
static int find(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, struct res *r, struct err *e)
{
    struct rollout o = {0};
    int rc = res_get(s, a, org, k, name, r, e);

    if (rc <= 0)
        return rc < 0 ? -1 : target_missing(k, name, e);
    if (k->effects & EFFECT_FLEET && rollout_get(s, a, r->id, &o, e) < 0)
        return -1;
    if (o.deleted)
        return err_set(e, FC_CONFLICT, "Fleet of name \"%s\" is being deleted", name);
    return k->effects & EFFECT_DEVICE && device_decommissioned(r) ? err_set(e, FC_CONFLICT,
        "Device of name \"%s\" is decommissioned and cannot be updated", name) : 0;
}

/* The device is to be rendered anew. */
static int changed(struct store *s, struct arena *a, const struct res *r, int64_t now,
    const struct actor *who, struct err *e)
{
    return device_stale(s, r->id, STALE_YES, e) < 0 || device_refresh(s, a, r, now, who, e) < 0 ||
        task_render(s, r->org, e) < 0 ? -1 : 0;
}

int device_decommission(struct store *s, struct arena *a, int64_t org, const char *name,
    const char *target, const struct actor *who, struct res *out, struct err *e)
{
    struct buf was AUTO_BUF = BUF_INIT;
    jv spec AUTO_JV = jv_invalid(), how = jv_object();
    int64_t now = now_us();
    struct res old;

    json_sets(&how, "target", target);
    if (find(s, a, org, kind_by_id(KIND_DEVICE), name, &old, e) < 0) {
        jv_free(how);
        return -1;
    }
    spec = old.spec ? jv_parse(old.spec) : jv_object();
    json_set(&spec, "decommissioning", how);
    *out = old;
    out->spec = canon(a, spec);
    out->labels = "{}";
    res_metadata_write(&was, &old);
    if (res_update(s, &old, out, e) < 0 || event_of(s, out, who, (struct event){
        .reason = "ResourceUpdated", .message = "The device is to be decommissioned.",
        .details = strcmp(old.labels, "{}") == 0 ?
            "{\"detailType\":\"ResourceUpdated\",\"updatedFields\":[\"spec\"]}" :
            "{\"detailType\":\"ResourceUpdated\",\"updatedFields\":[\"labels\",\"spec\"]}",
        .was = was.p}, e) < 0 ||
        membership_of_device(s, a, out, false, now, who, e) < 0 ||
        changed(s, a, out, now, who, e) < 0 || res_get_id(s, a, out->id, out, e) != 1)
        return -1;
    return revision_add(s, who, out, false, e);
}

/* --- applications ------------------------------------------------------------------------------ */

/* The spec that says which applications there are: what the device was given last, or the fleet's
 * template. */
static int spec_of(struct store *s, struct arena *a, const struct res *r, int64_t now,
    const struct actor *who, jv *spec, struct err *e)
{
    const char *text;
    jv whole AUTO_JV = jv_invalid();

    if (r->kind->effects & EFFECT_FLEET) {
        whole = jv_parse(r->spec);
        *spec = json_at(whole, "template.spec");
        return 0;
    }
    if (render_device(s, a, r->id, now, who, e) < 0 ||
        render_current(s, a, r->org, r->name, &text, e) < 0)
        return -1;
    *spec = text ? jv_parse(text) : jv_object();
    return 0;
}

/* What counts for the device: its own overlay and those of its fleets. */
static int effective(struct store *s, struct arena *a, const struct res *r, jv own, jv *all,
    struct err *e)
{
    struct member *m;
    int n = member_list(s, a, r->id, &m, e);

    *all = jv_copy(own);
    for (int i = 0; i < n; i++) {
        jv fleet AUTO_JV = lifecycle_read(kind_by_id(KIND_FLEET), m[i].fleet_annotations);

        lifecycle_merge(all, fleet);
    }
    return n < 0 ? -1 : 0;
}

/* 1: there is something to do; 0: it is so already. */
static int due(struct store *s, struct arena *a, const struct res *r, jv own, const char *app,
    enum app_action what, struct err *e)
{
    jv all AUTO_JV = jv_invalid();
    bool stopped;

    if (r->kind->effects & EFFECT_FLEET)
        return 1; /* devices may have been told otherwise meanwhile */
    if (effective(s, a, r, own, &all, e) < 0)
        return -1;
    stopped = lifecycle_stopped(all, app);
    if (what == APP_RESTART && stopped)
        return err_set(e, FC_CONFLICT, "Application of name \"%s\" is stopped", app);
    return what == APP_RESTART || stopped != (what == APP_STOP);
}

static int app_event(struct store *s, struct arena *a, const struct res *r, const char *app,
    enum app_action what, const struct actor *who, struct err *e)
{
    static const char *const verb[] = {[APP_START] = "start", [APP_STOP] = "stop",
        [APP_RESTART] = "restart"};
    jv d AUTO_JV = jv_object();

    json_sets(&d, "detailType", "ApplicationLifecycleChanged");
    json_sets(&d, "appName", app);
    json_sets(&d, "action", verb[what]);
    return event_of(s, r, who, (struct event){.reason = "ApplicationLifecycleChanged",
        .message = arena_printf(a, "Application \"%s\" is to %s.", app, verb[what]),
        .details = canon(a, d)}, e);
}

int app_act(struct store *s, struct arena *a, int64_t org, const struct kind *k, const char *name,
    const char *app, enum app_action what, const struct actor *who, struct res *out,
    struct err *e)
{
    jv spec AUTO_JV = jv_invalid(), own AUTO_JV = jv_invalid(), all AUTO_JV = jv_invalid();
    int64_t now = now_us();
    struct res old;
    int rc;

    if (find(s, a, org, k, name, &old, e) < 0 || spec_of(s, a, &old, now, who, &spec, e) < 0)
        return -1;
    if (!lifecycle_has(spec, app))
        return err_set(e, FC_NOTFOUND, "Application of name \"%s\" not found", app);
    own = lifecycle_read(k, old.annotations);
    *out = old;
    if ((rc = due(s, a, &old, own, app, what, e)) <= 0)
        return rc;
    lifecycle_prune(&own, spec);
    lifecycle_note(&own, app, what, now);
    all = lifecycle_write(k, old.annotations, jv_copy(own));
    out->annotations = canon(a, all);
    if (res_update(s, &old, out, e) < 0 || app_event(s, a, out, app, what, who, e) < 0 ||
        (k->effects & EFFECT_FLEET ? walk_stale(s, out, who, e) : changed(s, a, out, now, who,
        e)) < 0)
        return -1;
    return revision_add(s, who, out, false, e);
}
