/* SPDX-License-Identifier: Apache-2.0 */
/* Applications as a device reports them. */
#include "apps.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static const char *judge(jv def, const struct app_seen *s)
{
    if (!json_bool(def, "run", true))
        return s->running || s->waiting ? "Stopping" : "Stopped";
    if (!s->total)
        return "Unknown";
    if (s->failed)
        return "Error";
    if (s->running + s->done == s->total && !s->missing)
        return s->running ? "Running" : "Completed";
    return s->running ? "Starting" : "Preparing";
}

static jv volumes_of(jv def)
{
    jv list AUTO_JV = json_get(def, "volumes"), out = jv_array();
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(list), i), o = jv_object();
        const char *image = json_str(v, "image");

        json_sets(&o, "name", json_str(v, "name"));
        json_sets(&o, "reference", image ? image : json_str(v, "volume"));
        out = jv_array_append(out, o);
    }
    return out;
}

/* What is to be said of one that is not well; empty otherwise. */
static void explain(struct buf *info, jv def, const char *status, const struct app_seen *s)
{
    const char *name = json_str(def, "name");

    if (strcmp(status, "Error") == 0)
        buf_printf(info, "%s%s: %d of %d ended with an error, one with exit code %d",
            info->len ? "; " : "", name, s->failed, s->total, s->exit);
    else if (strcmp(status, "Unknown") == 0)
        buf_printf(info, "%s%s: nothing of it is there", info->len ? "; " : "", name);
}

void apps_status(const struct agent *a, jv *status)
{
    jv registry AUTO_JV = jv_invalid(), defs AUTO_JV = jv_invalid(), list = jv_array();
    jv summary = jv_object();
    struct buf info AUTO_BUF = BUF_INIT;
    bool error = false, degraded = false;
    struct err e = {0};
    int i, n;

    if (apps_registry(a, &registry, &e) < 0)
        log_warn("%s", e.msg);
    defs = json_get(registry, "apps");
    n = jv_get_kind(defs) == JV_KIND_ARRAY ? jv_array_length(jv_copy(defs)) : 0;
    for (i = 0; i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(defs), i), o = jv_object();
        struct app_seen s;
        const char *is;
        char ready[32];

        if (seen_app(a, def, &s, &e) < 0) {
            is = "Unknown";
            buf_printf(&info, "%s%s: %s", info.len ? "; " : "", json_str(def, "name"), e.msg);
        } else {
            is = judge(def, &s);
            explain(&info, def, is, &s);
        }
        error |= strcmp(is, "Error") == 0;
        degraded |= strcmp(is, "Running") != 0 && strcmp(is, "Completed") != 0 &&
            strcmp(is, "Stopped") != 0;
        snprintf(ready, sizeof ready, "%d/%d", s.running, s.total ? s.total + s.missing : 0);
        json_sets(&o, "name", json_str(def, "name"));
        json_sets(&o, "appType", json_str(def, "type"));
        json_sets(&o, "status", is);
        json_sets(&o, "ready", ready);
        json_seti(&o, "restarts", s.restarts);
        json_set(&o, "embedded", jv_false());
        json_sets(&o, "runAs", json_str(def, "user"));
        json_set(&o, "volumes", volumes_of(def));
        list = jv_array_append(list, o);
        seen_app_free(&s);
    }
    json_sets(&summary, "status", error ? "Error" : degraded ? "Degraded" : n ? "Healthy" :
        "NoApplications");
    if (info.len)
        json_sets(&summary, "info", info.p);
    json_set(status, "applications", list);
    json_set(status, "applicationsSummary", summary);
}
