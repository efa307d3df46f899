/* SPDX-License-Identifier: Apache-2.0 */
/* What devices report, and what follows from it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/condition.h"
#include "service/device_events.h"

/* Conditions that the server keeps itself; a device's word on them does not count. */
static bool is_service_condition(const char *type)
{
    return strcmp(type, "SpecValid") == 0 || strcmp(type, "MultipleOwners") == 0;
}

/* The device's conditions as JSON objects joined by commas. */
static void conditions_text(struct buf *b, jv status)
{
    jv all AUTO_JV = json_get(status, "conditions");

    if (jv_get_kind(all) != JV_KIND_ARRAY)
        return;
    jv_array_foreach(all, i, c) {
        const char *type = json_str(c, "type");

        if (type && !is_service_condition(type)) {
            if (b->len)
                buf_addc(b, ',');
            json_canon(b, c);
        }
        jv_free(c);
    }
}

/* The status without the members that are kept in columns. Integrity is the server's own finding:
 * what is stored of it stays. */
static void status_text(struct buf *b, jv status, const char *stored)
{
    jv old AUTO_JV = stored ? jv_parse(stored) : jv_object(), integrity;
    static const char *const kept[] = {"conditions", "summary", "updated", "lifecycle",
        "applicationsSummary", "lastSeen"};
    jv v AUTO_JV = jv_copy(status);
    size_t i;

    for (i = 0; i < LEN(kept); i++)
        json_del(&v, kept[i]);
    integrity = json_get(old, "integrity");
    if (jv_is_valid(integrity))
        json_set(&v, "integrity", integrity);
    json_canon(b, v);
}

/* A failed update in the device's words: what makes one report of it different from the next is
 * when it happened. NULL: none. */
static const char *failure_of(struct arena *a, jv status, const char **message)
{
    jv c AUTO_JV = condition_get(status, "Updating", "reason", "Error");

    if (!jv_is_valid(c))
        return NULL;
    *message = arena_strdup(a, json_str(c, "message"));
    return arena_printf(a, "%s %s", json_str(c, "lastTransitionTime"), *message);
}

static int64_t reported_version(jv status)
{
    const char *v = json_str(status, "config.renderedVersion");
    int64_t n;

    return v && *v && num_parse(v, 0, INT64_MAX / 2, &n, "", NULL) == 0 ? n : 0;
}

/* The status document as it would be shown, for summarize: stored text and stored conditions. */
static jv stored_status(const struct res *r, const struct device *d)
{
    struct buf c AUTO_BUF = BUF_INIT;
    jv v = r->status ? jv_parse(r->status) : jv_object();

    buf_printf(&c, "[%s]", d->conditions);
    json_set(&v, "conditions", jv_parse(c.p));
    return v;
}

bool device_decommissioned(const struct res *r)
{
    jv spec AUTO_JV = jv_invalid();

    if (!r->spec || !strstr(r->spec, "\"decommissioning\"")) /* most are not */
        return false;
    spec = jv_parse(r->spec);
    return json_has(spec, "decommissioning");
}

/* The image of the spec that the device was given, for a device that says how its OS is updated. */
static int os_image(struct store *s, struct arena *a, const struct device *d, jv status,
    const char **image, struct err *e)
{
    jv spec AUTO_JV = jv_invalid();
    const char *text;

    *image = NULL;
    if (!d->hash || !json_str(status, "capabilities.osMode"))
        return 0;
    if (rendered_get(s, a, d->hash, &text, e) < 0)
        return -1;
    spec = jv_parse(text);
    *image = arena_strdup(a, json_str(spec, "os.image"));
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void take(struct device *d, const struct summary *out)
{
    d->updated = out->updated;
    d->updated_info = out->updated_info[0] ? out->updated_info : NULL;
    d->summary = out->summary;
    d->applications = out->applications;
    d->lifecycle = out->lifecycle;
}

/* applications: the device's own summary of them, NULL: the one that it gave last. told: how many
 * events it led to. */
static int refresh(struct store *s, struct arena *a, const struct res *r, const char *applications,
    int64_t now, const struct actor *who, int *told, struct err *e)
{
    struct summary out;
    struct device d;
    struct member *m;
    jv status AUTO_JV = jv_invalid(), of_apps = jv_object();
    struct summary_in in;
    const char *image, *info;
    int n, i;

    if (device_get(s, a, r->id, &d, e) != 1 || (n = member_list(s, a, r->id, &m, e)) < 0) {
        jv_free(of_apps);
        return -1;
    }
    status = stored_status(r, &d);
    json_sets(&of_apps, "status", applications ? applications : d.applications);
    json_set(&status, "applicationsSummary", of_apps); /* no part of the text that is stored */
    if (os_image(s, a, &d, status, &image, e) < 0)
        return -1;
    in = (struct summary_in){
        .status = status,
        .last_seen = now, /* the columns say how it is while connected; views correct that */
        .rendered = d.rendered,
        .reported = d.reported,
        .managed = n > 0,
        .fleets_current = true,
        .spec_valid = d.spec_valid != 0,
        .os_image = image,
        .decommissioned = device_decommissioned(r),
    };
    for (i = 0; i < n; i++)
        if (m[i].latest && m[i].rendered != m[i].latest)
            in.fleets_current = false;
    summarize(&in, now, &out);
    if ((*told = device_summary_events(s, r, &d, &out, condition_is(status,
        "DeviceDecommissioning", "reason", "Error"), who, e)) < 0)
        return -1;
    info = out.updated_info[0] ? out.updated_info : NULL;
    if (same_text(d.updated, out.updated) && same_text(d.updated_info, info) &&
        same_text(d.summary, out.summary) && same_text(d.applications, out.applications) &&
        same_text(d.lifecycle, out.lifecycle))
        return 0;
    take(&d, &out);
    return device_summary(s, &d, e);
}

int device_create(struct store *s, const struct res *r, int64_t now, struct err *e)
{
    struct device d = {.id = r->id, .conditions = ""};
    jv status AUTO_JV = stored_status(r, &d);
    struct summary out;

    summarize(&(struct summary_in){.status = status, .last_seen = now, .fleets_current = true,
        .spec_valid = true}, now, &out);
    take(&d, &out);
    return device_add(s, r, &d, e);
}

int device_refresh(struct store *s, struct arena *a, const struct res *r, int64_t now,
    const struct actor *who, struct err *e)
{
    int told;

    return refresh(s, a, r, NULL, now, who, &told, e);
}

static int update_failed(struct store *s, const struct res *r, const char *message,
    const struct actor *who, struct err *e)
{
    struct event ev = {.kind = KIND_DEVICE, .name = r->name, .reason = "DeviceUpdateFailed",
        .type = "Warning", .message = message};

    return events_add(s, r->org, who, &ev, e);
}

int device_report(struct store *s, struct arena *a, int64_t org, const char *name, jv doc,
    const struct actor *who, struct err *e)
{
    jv status AUTO_JV = json_get(doc, "status");
    struct buf text AUTO_BUF = BUF_INIT, conditions AUTO_BUF = BUF_INIT;
    const char *failure, *message = "";
    int64_t now = now_us(), version, was;
    int told = 0, more;
    bool failed, changed;
    struct device d;
    struct res r;
    int rc = res_get(s, a, org, kind_by_id(KIND_DEVICE), name, &r, e);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "Device of name \"%s\" not found", name);
    if (device_get(s, a, r.id, &d, e) != 1)
        return -1;
    version = reported_version(status);
    failure = failure_of(a, status, &message);
    conditions_text(&conditions, status);
    status_text(&text, status, r.status);
    /* A failure counts once, and only from a device that has fetched what it was given last. */
    failed = failure && d.stale != STALE_REISSUE && version != d.rendered &&
        d.fetched == d.rendered && (!d.failure || strcmp(d.failure, failure) != 0);
    changed = !r.status || strcmp(r.status, text.p) != 0 ||
        strcmp(d.conditions, conditions.p ? conditions.p : "") != 0;
    if (changed) {
        jv old AUTO_JV = r.status ? jv_parse(r.status) : jv_object();

        if ((told = device_status_events(s, a, &r, old, status, who, e)) < 0)
            return -1;
        if (res_set_status(s, r.id, text.p, e) < 0)
            return -1;
        r.status = text.p;
    }
    was = d.reported;
    d.reported = version;
    d.conditions = conditions.p ? conditions.p : "";
    if (failed) {
        d.failure = failure;
        d.failed = d.rendered;
    }
    if (device_reported(s, &d, e) < 0 || device_silent(s, &r, false, who, e) < 0)
        return -1;
    if (version && version == d.rendered) {
        if (member_succeed(s, r.id, e) < 0)
            return -1;
    } else if (failed && (member_fail(s, r.id, true, message, e) < 0 ||
        update_failed(s, &r, message, who, e) < 0))
        return -1;
    if ((failed || version != was) && task_rollouts_of(s, a, org, r.id, e) < 0)
        return -1;
    if (refresh(s, a, &r, json_str(status, "applicationsSummary.status"), now, who, &more, e) < 0)
        return -1;
    /* Whatever moved the resource's version is told. */
    if (!changed || failed || told || more)
        return 0;
    return event_of(s, &r, who, (struct event){.reason = "ResourceUpdated",
        .message = "The device reported its status.",
        .details = "{\"detailType\":\"ResourceUpdated\",\"updatedFields\":[]}"}, e);
}
