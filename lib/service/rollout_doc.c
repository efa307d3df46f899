/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rollout_doc.h"

#include <string.h>

#include "base/clock.h"

/* --- plans ------------------------------------------------------------------------------------ */

/* Lays a batch over doc, which is consumed, but for what it needs. */
static jv batch_of(jv doc, const struct rollout_plan_batch *b, bool dots)
{
    jv names = jv_array();

    for (int64_t i = 0; i < b->nnames; i++)
        names = jv_array_append(names, jv_string(b->names[i]));
    if (dots && b->total > b->nnames)
        names = jv_array_append(names, jv_string("..."));
    json_sets(&doc, "batch", b->label);
    json_seti(&doc, "devices", b->total);
    json_set(&doc, "names", names);
    return doc;
}

jv rollout_plan_doc(const char *fleet, const struct rollout_plan_batch *b, size_t n)
{
    jv doc = jv_object(), batches = jv_array();

    json_sets(&doc, "fleet", fleet);
    for (size_t i = 0; i < n; i++) {
        jv batch = batch_of(jv_object(), &b[i], false);

        if (i)
            json_seti(&batch, "needs", b[i].threshold);
        batches = jv_array_append(batches, batch);
    }
    json_set(&doc, "batches", batches);
    return doc;
}

jv rollout_plan_row(const char *fleet, const struct rollout_plan_batch *b, size_t i)
{
    jv doc = jv_object();

    json_sets(&doc, "fleet", fleet);
    doc = batch_of(doc, &b[i], true);
    if (i) {
        char *needs AUTO_FREE = xasprintf("%d %%", b[i].threshold);

        json_sets(&doc, "needs", needs);
    }
    return doc;
}

/* --- how they stand --------------------------------------------------------------------------- */

static const char *state_word(int state)
{
    return state == ASSIGN_FAILED ? "failed" : state == ASSIGN_TIMEDOUT ? "timed out" : "pending";
}

struct listing {
    jv devices;        /* an array: for documents */
    struct buf *lines; /* for people; NULL: documents */
    size_t n;
};

static void add_device(void *ctx, const struct progress *p)
{
    const char *slash = p->version ? strchr(p->version, '/') : NULL;
    const char *version = slash ? slash + 1 : NULL;
    struct listing *l = ctx;
    char at[TIME_LEN];
    jv doc;

    if (l->lines) {
        if (l->n++ < STATUS_LINES)
            buf_printf(l->lines, "  %s %s %s%s%s\n", p->name, version ? version : "-",
                state_word(p->state), p->message ? ": " : "", p->message ? p->message : "");
        return;
    }
    doc = jv_object();
    json_sets(&doc, "name", p->name);
    json_sets(&doc, "state", state_word(p->state));
    json_sets(&doc, "version", version);
    json_sets(&doc, "message", p->message);
    if (p->assigned_at) {
        time_format(p->assigned_at, at);
        json_sets(&doc, "assigned", at);
    }
    l->devices = jv_array_append(l->devices, doc);
}

static jv counts_of(const struct rollout_counts *c)
{
    jv v = jv_object();

    json_seti(&v, "total", c->total);
    json_seti(&v, "pending", c->pending);
    json_seti(&v, "succeeded", c->succeeded);
    json_seti(&v, "failed", c->failed);
    json_seti(&v, "timedOut", c->timedout);
    return v;
}

static jv report_of(const struct rollout_report *p)
{
    jv doc = jv_object(), devices = counts_of(&p->all);
    char text[64];

    json_sets(&doc, "fleet", p->fleet);
    json_sets(&doc, "version", p->version);
    json_sets(&doc, "completed", p->completed);
    json_sets(&doc, "status", rollout_status_name(p->status));
    json_sets(&doc, "why", p->why);
    if (p->batch >= 0) {
        json_sets(&doc, "batch", rollout_batch_name(&p->policy, p->batch, text));
        json_set(&doc, "current", counts_of(&p->current));
    }
    json_seti(&devices, "blocked", p->blocked);
    json_set(&doc, "devices", devices);
    time_format(p->started, text);
    json_sets(&doc, "started", text);
    time_format(p->changed, text);
    json_sets(&doc, "changed", text);
    return doc;
}

int rollout_status_doc(struct store *s, const char *fleet, jv *out, struct buf *lines,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct listing l = {.lines = lines};
    struct rollout_report p;
    jv doc;
    int rc;

    *out = jv_invalid();
    if (rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    doc = report_of(&p);
    if (lines && p.why && p.status != ROLLOUT_COMPLETED)
        buf_printf(lines, "%s: %s: %s\n", fleet, rollout_status_name(p.status), p.why);
    else if (lines && p.all.pending + p.all.failed + p.all.timedout)
        buf_printf(lines, "%s: %s\n", fleet, rollout_status_name(p.status));
    l.devices = jv_array();
    rc = rollout_devices(s, a, s->org, fleet, add_device, &l, e);
    if (l.n > STATUS_LINES)
        buf_printf(lines, "  and %zu more\n", l.n - STATUS_LINES);
    if (lines)
        jv_free(l.devices);
    else
        json_set(&doc, "reports", l.devices);
    if (rc < 0)
        jv_free(doc);
    else
        *out = doc;
    return rc;
}
