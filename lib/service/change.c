/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of a resource and all that follows from it, in the caller's transaction: generation,
 * label rows, revision, event, template version, memberships, tasks.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/secret.h"
#include "service/issuer.h"
#include "service/service.h"

const char *change_name(enum change c)
{
    static const char *const names[] = {
        [CHANGE_NONE] = "unchanged",
        [CHANGE_CREATED] = "created",
        [CHANGE_UPDATED] = "updated",
        [CHANGE_DELETED] = "deleted",
    };

    return names[c];
}

/* Canonical text of a member of v, in the arena; dflt when it is absent or null. */
static const char *canon_of(struct arena *a, jv v, const char *key, const char *dflt)
{
    jv m AUTO_JV = json_get(v, key);
    struct buf b AUTO_BUF = BUF_INIT;

    if (!jv_is_valid(m) || jv_get_kind(m) == JV_KIND_NULL)
        return dflt;
    json_canon(&b, m);
    return arena_strndup(a, b.p, b.len);
}

bool change_is_view(const char *annotation)
{
    return strncmp(annotation, "device-controller/", 18) == 0 ||
        strncmp(annotation, "fleet-controller/", 17) == 0 || strcmp(annotation, ORG_UID) == 0 ||
        strcmp(annotation, ORG_NAME) == 0;
}

/* Adds the system's annotations, or all others. from: borrowed. */
static void add_annotations(jv *out, jv from, bool ours)
{
    jv_object_foreach(from, k, v) {
        if (change_is_view(jv_string_value(k)) == ours)
            *out = jv_object_set(*out, k, v);
        else {
            jv_free(k);
            jv_free(v);
        }
    }
}

/* Annotations of a document; those of the system stay as they are stored, the others of which are
 * views of what it keeps. */
static const char *annotations_of(struct arena *a, jv meta, const char *stored)
{
    jv in AUTO_JV = json_get(meta, "annotations"), old AUTO_JV = jv_invalid();
    jv out AUTO_JV = jv_object();
    struct buf b AUTO_BUF = BUF_INIT;

    if (jv_get_kind(in) != JV_KIND_OBJECT)
        return stored;
    old = jv_parse(stored);
    add_annotations(&out, in, false);
    add_annotations(&out, old, true);
    json_canon(&b, out);
    return arena_strndup(a, b.p, b.len);
}

/* Member `name` of a stored object text, canonical ("null" when absent). */
static const char *part_of(struct arena *a, const char *object, const char *name)
{
    jv v AUTO_JV = object ? jv_parse(object) : jv_null();

    return canon_of(a, v, name, "null");
}

/* Takes the spec of a document to r, as it is stored. */
static int spec_of(struct store *s, struct arena *a, jv doc, bool trusted, struct res *r,
    struct err *e)
{
    jv d AUTO_JV = jv_copy(doc);

    if (kind_has_secrets(r->kind) && json_has(doc, "spec")) {
        jv spec = json_get(doc, "spec");
        int rc = secrets_store(s, a, r->org, r->kind, r->name, r->spec, trusted, &spec, e);

        json_set(&d, "spec", spec);
        if (rc < 0)
            return -1;
    }
    r->spec = canon_of(a, d, "spec", r->spec);
    return 0;
}

static int add_update_event(struct store *s, const struct res *old, const struct res *new,
    bool selector, bool template, const struct actor *who, struct err *e)
{
    bool relabelled = strcmp(old->labels, new->labels) != 0;
    struct buf d AUTO_BUF = BUF_INIT, was AUTO_BUF = BUF_INIT;

    buf_adds(&d, "{\"detailType\":\"ResourceUpdated\",\"updatedFields\":[");
    if (relabelled)
        buf_adds(&d, "\"labels\",");
    if (old->generation != new->generation)
        buf_adds(&d, "\"spec\",");
    if (selector)
        buf_adds(&d, "\"spec.selector\",");
    if (template)
        buf_adds(&d, "\"spec.template\",");
    if (d.p[d.len - 1] == ',')
        d.len--;
    buf_adds(&d, "]}");
    if (relabelled)
        res_metadata_write(&was, old);
    return event_of(s, new, who, (struct event){.reason = "ResourceUpdated",
        .message = "The resource was updated.", .details = d.p, .was = was.p}, e);
}

/* What a first status is for a kind: clients want the members that the contract requires. */
static const char *initial_status(const struct kind *k)
{
    switch (k->id) {
    case KIND_DEVICE:
        return "{\"applications\":[],\"config\":{\"renderedVersion\":\"\"},"
            "\"integrity\":{\"status\":\"Unknown\"},\"os\":{\"image\":\"\",\"imageDigest\":\"\"},"
            "\"resources\":{\"cpu\":\"Unknown\",\"disk\":\"Unknown\",\"memory\":\"Unknown\"},"
            "\"systemInfo\":{\"agentVersion\":\"\",\"architecture\":\"\",\"bootID\":\"\","
            "\"operatingSystem\":\"\"}}";
    case KIND_TEMPLATEVERSION:
    case KIND_EVENT:
    case KIND_ORGANIZATION:
    case KIND_AUTHPROVIDER:
    case KIND_LABEL:
    case KIND_NONE:
        return NULL;
    case KIND_FLEET:
    case KIND_ENROLLMENTREQUEST:
    case KIND_CERTIFICATESIGNINGREQUEST:
    case KIND_REPOSITORY:
    case KIND_RESOURCESYNC:
        return "{\"conditions\":[]}";
    }
    return NULL;
}

/* What a kind's change sets off, as its row in the kind table says. */
static int effects(struct store *s, struct arena *a, const struct res *old, const struct res *new,
    bool selector, bool template, bool policy, const struct actor *who, struct err *e)
{
    bool relabelled = !old || strcmp(old->labels, new->labels) != 0;
    bool respecced = !old || old->generation != new->generation;
    int64_t now = now_us();

    if (new->kind->effects & EFFECT_DEVICE) {
        int moved = 0;

        if (!old && device_create(s, new, now, e) < 0)
            return -1;
        if (relabelled && (moved = membership_of_device(s, a, new, !old, now, who, e)) < 0)
            return -1;
        if ((relabelled || respecced) && ((old && device_stale(s, new->id, STALE_YES, e) < 0) ||
            ((old || moved) && device_refresh(s, a, new, now, who, e) < 0) ||
            task_render(s, new->org, e) < 0))
            return -1;
    }
    if (new->kind->effects & EFFECT_FLEET) {
        if ((template || policy) &&
            rollout_fleet_changed(s, a, new, template, now, who, e) < 0)
            return -1;
        if (selector && membership_of_fleet(s, a, new, false, now, who, e) < 0)
            return -1; /* 1: the walk sees to it */
    }
    if (new->kind->effects & EFFECT_ORG && org_changed(s, old, new, e) < 0)
        return -1;
    if (respecced && new->kind->effects & EFFECT_ISSUER && issuer_changed(s, new, e) < 0)
        return -1;
    if (!old && new->kind->effects & EFFECT_SOURCE)
        return rollout_sources_changed(s, new->org, now, who, e);
    return 0;
}

/* The document's idea of the version, when it has one, must be the stored one. */
int change_check_version(const struct res *old, jv doc, struct err *e)
{
    const char *want = json_str(doc, "metadata.resourceVersion");
    char have[24];

    if (!want || !*want)
        return 0;
    snprintf(have, sizeof have, "%lld", (long long)old->version);
    if (strcmp(want, have) == 0)
        return 0;
    return err_set(e, FC_CONFLICT, "%s of name \"%s\" was changed meanwhile: resourceVersion "
        "is %s, not %s", old->kind->name, old->name, have, want);
}

static int create(struct store *s, struct arena *a, jv doc, struct res *r, const struct actor *who,
    unsigned flags, struct err *e)
{
    const char *created = json_str(doc, "metadata.creationTimestamp");
    bool fleet = r->kind->effects & EFFECT_FLEET;

    if (flags & PUT_TRUSTED) {
        if (created && time_parse(created, &r->created) < 0)
            return err_set(e, FC_INVALID, "metadata.creationTimestamp: not a time");
        r->owner = arena_strdup(a, json_str(doc, "metadata.owner"));
        if (r->kind->effects & EFFECT_ORG && org_again(s, a, doc, r, e) < 0)
            return -1;
    }
    r->status = initial_status(r->kind);
    if (res_insert(s, a, r, e) < 0 ||
        event_of(s, r, who, (struct event){.reason = "ResourceCreated",
            .message = "The resource was created."}, e) < 0 ||
        effects(s, a, NULL, r, fleet, fleet, fleet, who, e) < 0)
        return -1;
    return revision_add(s, who, r, false, e);
}

/* A fleet that is being deleted is not changed any more. */
static int may_update(struct store *s, struct arena *a, const struct res *old, struct err *e)
{
    struct rollout o = {0};

    if (!(old->kind->effects & EFFECT_FLEET))
        return 0;
    if (rollout_get(s, a, old->id, &o, e) < 0)
        return -1;
    return o.deleted ? err_set(e, FC_CONFLICT, "Fleet of name \"%s\" is being deleted", old->name) :
        0;
}

/* What a sync made it alone respecifies; and what a device asks for is for a key of its own. */
static bool owned(const struct res *r)
{
    return r->owner && (strncmp(r->owner, "ResourceSync/", 13) == 0 ||
        (r->kind->flags & KIND_REQUEST && strncmp(r->owner, "Device/", 7) == 0));
}

/* Was it decided about? What was asked for stays what it is, since that will be signed. */
static bool decided(const struct res *request)
{
    jv status AUTO_JV = request->status ? jv_parse(request->status) : jv_object();
    jv all AUTO_JV = json_get(status, "conditions");

    return json_nonempty(all) || json_bool(status, "approval.approved", false);
}

/* A decommissioned device takes nothing any more. */
static int may_change(const struct res *old, bool respecced, struct err *e)
{
    if (old->kind->id == KIND_DEVICE && device_decommissioned(old))
        return err_set(e, FC_CONFLICT, "Device of name \"%s\" is decommissioned and cannot be "
            "updated", old->name);
    if (respecced && owned(old))
        return err_set(e, FC_CONFLICT, "%s of name \"%s\": updating the resource is not allowed "
            "because it has an owner", old->kind->name, res_meta_name(old));
    if (respecced && old->kind->flags & KIND_REQUEST && decided(old))
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" cannot be updated: it was decided about",
            old->kind->name, old->name);
    return 0;
}

static int update(struct store *s, struct arena *a, const struct res *old, struct res *r,
    bool trusted, const struct actor *who, enum change *what, struct err *e)
{
    bool respecced = strcmp(old->spec ? old->spec : "null", r->spec ? r->spec : "null") != 0;
    bool selector = false, template = false, policy = false;

    if (may_update(s, a, old, e) < 0)
        return -1;
    if (!respecced && strcmp(old->labels, r->labels) == 0 &&
        strcmp(old->annotations, r->annotations) == 0) {
        *r = *old;
        *what = CHANGE_NONE;
        return 0;
    }
    *what = CHANGE_UPDATED;
    if (may_change(old, respecced && !trusted, e) < 0)
        return -1;
    if (respecced && r->kind->effects & EFFECT_FLEET) {
        selector = strcmp(part_of(a, old->spec, "selector"), part_of(a, r->spec, "selector")) != 0;
        template = strcmp(part_of(a, old->spec, "template"), part_of(a, r->spec, "template")) != 0;
        policy = strcmp(part_of(a, old->spec, "rolloutPolicy"),
            part_of(a, r->spec, "rolloutPolicy")) != 0;
    }
    r->generation = old->generation + (respecced ? 1 : 0);
    if (res_update(s, old, r, e) < 0 ||
        add_update_event(s, old, r, selector, template, who, e) < 0 ||
        effects(s, a, old, r, selector, template, policy, who, e) < 0)
        return -1;
    return revision_add(s, who, r, false, e);
}

int change_put(struct store *s, struct arena *a, int64_t org, const struct kind *k, jv doc,
    const struct actor *who, unsigned flags, enum change *what, struct res *out, struct err *e)
{
    jv meta AUTO_JV = json_get(doc, "metadata");
    const char *name = json_str(meta, "name");
    struct res old, r;
    int rc;

    org = res_scope(k, org);
    if (!(k->flags & KIND_APPLY))
        return err_set(e, FC_INVALID, "kind %s cannot be written by users", k->name);
    if (!name)
        return err_set(e, FC_INVALID, "metadata.name: is required");
    if (kind_has_secrets(k) && secret_lock(s, e) < 0)
        return -1;
    if ((rc = res_get(s, a, org, k, name, &old, e)) < 0)
        return -1;
    if (rc && flags & PUT_CREATE_ONLY)
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" already exists", k->name, name);
    if (rc && change_check_version(&old, doc, e) < 0)
        return -1;
    if (rc)
        r = old;
    else
        r = (struct res){.org = org, .kind = k, .name = arena_strdup(a, name), .labels = "{}",
            .annotations = "{}"};
    r.labels = canon_of(a, meta, "labels", r.labels);
    r.annotations = annotations_of(a, meta, r.annotations);
    if (spec_of(s, a, doc, flags & PUT_TRUSTED, &r, e) < 0)
        return -1;
    if (!rc) {
        *what = CHANGE_CREATED;
        rc = create(s, a, doc, &r, who, flags, e);
    } else
        rc = update(s, a, &old, &r, flags & PUT_TRUSTED, who, what, e);
    if (out)
        *out = r;
    return rc;
}

/* What must go first. */
static int may_delete(struct store *s, struct arena *a, const struct res *r, struct err *e)
{
    struct res device;
    int rc;

    if (r->kind->id == KIND_ENROLLMENTREQUEST) {
        rc = res_get(s, a, r->org, kind_by_id(KIND_DEVICE), r->name, &device, e);
        if (rc < 0)
            return -1;
        if (rc)
            return err_set(e, FC_CONFLICT, "EnrollmentRequest of name \"%s\" cannot be deleted: "
                "its device exists", r->name);
    }
    if (r->kind->effects & EFFECT_ORG && org_may_delete(s, r, e) < 0)
        return -1;
    if (r->kind->id == KIND_TEMPLATEVERSION) {
        if ((rc = template_used(s, r->id, e)) < 0)
            return -1;
        if (rc)
            return err_set(e, FC_CONFLICT, "TemplateVersion of name \"%s\" cannot be deleted: it "
                "is in use", res_meta_name(r));
    }
    return 0;
}

static int deleted_event(struct store *s, const struct res *r, const struct actor *who,
    struct err *e)
{
    struct buf was AUTO_BUF = BUF_INIT;

    res_metadata_write(&was, r);
    return event_of(s, r, who, (struct event){.reason = "ResourceDeleted",
        .message = "The resource was deleted.", .was = was.p}, e);
}

/* A fleet takes its template versions along: first those that no rollout names. */
static int64_t drop_versions(struct store *s, struct arena *a, const struct res *fleet,
    const struct actor *who, struct err *e)
{
    const char *names[ROLLOUT_STEP];
    int64_t n = template_drop(s, a, fleet, names, e), i;

    for (i = 0; i < n; i++) {
        struct res tv = {.org = fleet->org, .kind = kind_by_id(KIND_TEMPLATEVERSION),
            .name = names[i], .owner = arena_printf(a, "Fleet/%s", fleet->name), .labels = "{}",
            .annotations = "{}", .generation = 1, .version = 1};

        if (deleted_event(s, &tv, who, e) < 0)
            return -1;
    }
    return n;
}

/* What goes before a fleet: its devices leave it, and its template versions. 1: there is more, for
 * a walk. */
static int empty_fleet(struct store *s, struct arena *a, const struct res *r,
    const struct actor *who, struct err *e)
{
    int64_t now = now_us(), n;
    int rc;

    if (rollout_deleted(s, r->id, now, e) < 0)
        return -1;
    if ((rc = membership_of_fleet(s, a, r, true, now, who, e)) != 0)
        return rc;
    if ((n = drop_versions(s, a, r, who, e)) < 0)
        return -1;
    if (n == ROLLOUT_STEP)
        return walk_later(s, r, WALK_MEMBERS, who, e) < 0 ? -1 : 1;
    store_cache_drop(s); /* it was read while the fleet was still there */
    return rollout_forget(s, r->id, e) < 0 || drop_versions(s, a, r, who, e) < 0 ? -1 : 0;
}

int change_delete(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const struct actor *who, struct err *e)
{
    struct res r;
    int rc = res_get(s, a, org, k, name, &r, e);

    org = res_scope(k, org);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "%s of name \"%s\" not found", k->name, name);
    if (may_delete(s, a, &r, e) < 0)
        return -1;
    if (k->effects & EFFECT_DEVICE && task_rollouts_of(s, a, org, r.id, e) < 0)
        return -1; /* those of its fleets no longer wait for it */
    if (k->effects & EFFECT_FLEET && (rc = empty_fleet(s, a, &r, who, e)) != 0)
        return rc < 0 ? -1 : 0;
    if (res_delete(s, &r, e) < 0 ||
        (k->flags & KIND_APPLY && revision_add(s, who, &r, true, e) < 0))
        return -1;
    if (k->effects & EFFECT_ORG && org_deleted(s, &r, e) < 0)
        return -1;
    if (k->effects & EFFECT_SOURCE && rollout_sources_changed(s, org, now_us(), who, e) < 0)
        return -1;
    return deleted_event(s, &r, who, e);
}
