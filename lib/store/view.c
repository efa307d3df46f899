/* SPDX-License-Identifier: Apache-2.0 */
/* Resources as the API shows them: stored texts spliced together, nothing parsed. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/secret.h"
#include "fleet/summary.h"
#include "store/device.h"

/* The members of a JSON object text without its braces. */
static void add_inner(struct buf *b, const char *object)
{
    size_t n = strlen(object);

    if (n > 2)
        buf_add(b, object + 1, n - 2);
}

static void add_name(struct buf *b, const char *name)
{
    if (b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
        buf_addc(b, ',');
    buf_addc(b, '"');
    buf_adds(b, name);
    buf_adds(b, "\":");
}

static void add_member(struct buf *b, const char *name, const char *text)
{
    add_name(b, name);
    buf_add_jsons(b, text);
}

static void add_time(struct buf *b, const char *name, int64_t us)
{
    char at[TIME_LEN];

    time_format(us, at);
    add_name(b, name);
    buf_addc(b, '"');
    buf_adds(b, at);
    buf_addc(b, '"');
}

/* Annotations that are views of columns: of the newest fleet's row and of the rendered version. */
static void device_annotations(struct buf *b, const struct device *d, const struct member *m, int n)
{
    if (d->rendered) {
        if (d->hash)
            add_member(b, "device-controller/renderedSpecHash", d->hash);
        add_name(b, "device-controller/renderedVersion");
        buf_addc(b, '"');
        buf_add_int(b, d->rendered);
        buf_addc(b, '"');
    }
    if (n > 0) {
        const char *slash;

        m += n - 1;
        if (m->rendered_name && (slash = strchr(m->rendered_name, '/')))
            add_member(b, "fleet-controller/renderedTemplateVersion", slash + 1);
        if (m->assigned_name && (slash = strchr(m->assigned_name, '/')))
            add_member(b, "fleet-controller/templateVersion", slash + 1);
    }
}

struct device_states device_states(const struct device *d, int64_t now)
{
    bool connected = d->last_seen && now - d->last_seen <= SUMMARY_DISCONNECTED;

    return (struct device_states){connected ? d->summary : "Unknown",
        connected ? d->applications : "Unknown",
        connected || !d->last_seen ? d->updated : "Unknown", connected};
}

static void condition(struct buf *b, const char *type, bool status, const char *reason,
    const char *message, int64_t since)
{
    buf_adds(b, b->p[b->len - 1] == '[' ? "{" : ",{");
    add_time(b, "lastTransitionTime", since);
    add_member(b, "message", message ? message : "");
    buf_adds(b, ",\"reason\":\"");
    buf_adds(b, reason);
    buf_adds(b, status ? "\",\"status\":\"True\",\"type\":\"" :
        "\",\"status\":\"False\",\"type\":\"");
    buf_adds(b, type);
    buf_adds(b, "\"}");
}

static void fleet_names(struct buf *b, const struct member *m, int n)
{
    const char **name = xmalloc((size_t)n * sizeof *name);
    int i, j;

    for (i = 0; i < n; i++) { /* few: insertion sort */
        for (j = i; j > 0 && strcmp(name[j - 1], m[i].fleet_name) > 0; j--)
            name[j] = name[j - 1];
        name[j] = m[i].fleet_name;
    }
    for (i = 0; i < n; i++) {
        if (i)
            buf_addc(b, ',');
        buf_adds(b, name[i]);
    }
    free(name);
}

static void state(struct buf *b, const char *name, const char *status, const char *info)
{
    add_name(b, name);
    buf_addc(b, '{');
    if (info && *info)
        add_member(b, "info", info);
    add_member(b, "status", status);
    buf_addc(b, '}');
}

/* The device's report with the server's own conditions and summaries around it. */
static void device_status(struct buf *b, const struct res *r, const struct device *d,
    const struct member *m, int n, int64_t now, unsigned flags)
{
    struct device_states shown = device_states(d, now);
    struct buf names AUTO_BUF = BUF_INIT;

    buf_adds(b, "{\"conditions\":[");
    buf_adds(b, d->conditions);
    if (d->spec_valid >= 0)
        condition(b, "SpecValid", d->spec_valid, d->spec_valid ? "Valid" : "Invalid",
            d->spec_message, d->spec_since);
    if (d->overlap_since) {
        if (n > 1)
            fleet_names(&names, m, n);
        condition(b, "MultipleOwners", n > 1, n > 1 ? "MultipleOwners" : "NoMultipleOwners",
            names.p, d->overlap_since);
    }
    buf_addc(b, ']');
    state(b, "applicationsSummary", shown.applications, NULL);
    state(b, "lifecycle", d->lifecycle, NULL);
    state(b, "summary", shown.summary, shown.connected || !d->last_seen ? NULL :
        "Did not check in for more than 5 minutes.");
    state(b, "updated", shown.updated, shown.connected || !d->last_seen ? d->updated_info : NULL);
    if (flags & VIEW_SEEN && d->last_seen)
        add_time(b, "lastSeen", d->last_seen);
    if (r->status && strlen(r->status) > 2) {
        buf_addc(b, ',');
        add_inner(b, r->status);
    }
    buf_addc(b, '}');
}

/* The one kind of text that is not spliced as it stands: credentials are masked. */
static const char *masked(struct arena *a, const struct kind *k, const char *spec)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_parse(spec);

    secrets_mask(k, &v);
    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

/* A fleet's conditions and current batch are views of its rollout. */
static void fleet_status(struct buf *b, const struct rollout *o)
{
    bool active = o->state.status == ROLLOUT_PENDING || o->state.status == ROLLOUT_INPROGRESS;

    buf_adds(b, "{\"conditions\":[");
    condition(b, "Valid", !o->problem, o->problem ? "Invalid" : "Valid", o->problem,
        o->problem_since);
    condition(b, "RolloutInProgress", active, active ? "Active" :
        o->state.status == ROLLOUT_SUSPENDED ? "Suspended" : "Inactive", o->why, o->changed);
    buf_addc(b, ']');
    if (o->state.batch >= 0)
        buf_printf(b, ",\"rollout\":{\"currentBatch\":%d}", o->state.batch);
    buf_addc(b, '}');
}

static void fleet_annotations(struct buf *b, const struct rollout *o)
{
    char batch[16];

    snprintf(batch, sizeof batch, "%d", o->state.batch);
    add_member(b, "fleet-controller/batchNumber", batch);
    if (o->version_name) {
        const char *v = strchr(o->version_name, '/') + 1;

        add_member(b, "fleet-controller/deployingTemplateVersion", v);
        add_member(b, "fleet-controller/templateVersion", v);
    }
}

/* All members of a resource's metadata but its annotations. deleted: when its deletion began, or
 * 0. */
static void metadata_members(struct buf *b, const struct res *r, int64_t deleted)
{
    add_time(b, "creationTimestamp", r->created);
    if (deleted)
        add_time(b, "deletionTimestamp", deleted);
    buf_adds(b, ",\"generation\":");
    buf_add_int(b, r->generation);
    if (strcmp(r->labels, "{}") != 0) {
        buf_adds(b, ",\"labels\":");
        buf_adds(b, r->labels);
    }
    add_member(b, "name", res_meta_name(r));
    if (r->owner)
        add_member(b, "owner", r->owner);
    buf_adds(b, ",\"resourceVersion\":\"");
    buf_add_int(b, r->version);
    buf_addc(b, '"');
}

void res_metadata_write(struct buf *b, const struct res *r)
{
    buf_addc(b, '{');
    if (strcmp(r->annotations, "{}") != 0) {
        add_name(b, "annotations");
        buf_adds(b, r->annotations);
    }
    metadata_members(b, r, 0);
    buf_addc(b, '}');
}

int res_write(struct store *store, struct arena *a, const struct res *r, int64_t now,
    unsigned flags, struct buf *b, struct err *e)
{
    struct store reads = *store, *s = &reads; /* where the row came from */
    struct device d = {0};
    struct rollout o = {0};
    struct member *m = NULL;
    const char *spec = r->spec;
    bool org = r->kind->effects & EFFECT_ORG;
    int n = 0, rc;

    reads.db = store_reader(store);
    if (r->device) {
        d = *r->device;
    } else if (r->kind->id == KIND_DEVICE) {
        if ((rc = device_get(s, a, r->id, &d, e)) < 0)
            return -1;
        if (rc == 0)
            return err_set(e, FC_NOTFOUND, "Device of name \"%s\" not found", r->name);
        if (s->db != store->db && device_last_seen(store, r->id, &d.last_seen, e) < 0)
            return -1;
    }
    if (r->kind->id == KIND_DEVICE) {
        if (d.member && (n = member_list(s, a, r->id, &m, e)) < 0)
            return -1;
        if (flags & VIEW_RENDERED && d.hash && rendered_get(s, a, d.hash, &spec, e) < 0)
            return -1;
    }
    if (r->kind->id == KIND_FLEET && rollout_get(s, a, r->id, &o, e) < 0)
        return -1;
    buf_adds(b, "{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"");
    buf_adds(b, r->kind->name);
    buf_adds(b, "\",\"metadata\":{");
    if (d.rendered || n || o.fleet || org || strcmp(r->annotations, "{}") != 0) {
        buf_adds(b, "\"annotations\":{");
        add_inner(b, r->annotations);
        device_annotations(b, &d, m, n);
        if (o.fleet)
            fleet_annotations(b, &o);
        if (org)
            add_member(b, ORG_UID, r->uid);
        buf_addc(b, '}');
    }
    metadata_members(b, r, o.deleted);
    buf_addc(b, '}');
    if (spec && kind_has_secrets(r->kind))
        spec = masked(a, r->kind, spec);
    if (spec) {
        buf_adds(b, ",\"spec\":");
        buf_adds(b, spec);
    }
    if (r->kind->id == KIND_DEVICE) {
        buf_adds(b, ",\"status\":");
        device_status(b, r, &d, m, n, now, flags);
    } else if (o.fleet) {
        buf_adds(b, ",\"status\":");
        fleet_status(b, &o);
    } else if (r->status) {
        buf_adds(b, ",\"status\":");
        buf_adds(b, r->status);
    }
    buf_addc(b, '}');
    return 0;
}
