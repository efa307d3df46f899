/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>

#include "fleet/summary.h"
#include "monitor.h"
#include "sysinfo.h"
#include "txn.h"
#include "units.h"
#include "watch.h"

static jv one(const char *key, const char *value)
{
    jv o = jv_object();

    json_sets(&o, key, value);
    return o;
}

static jv add_condition(jv list, const char *type, bool is, const struct outcome *o)
{
    jv c;

    if (!o->reason[0])
        return list;
    c = jv_object();
    json_sets(&c, "type", type);
    json_sets(&c, "status", is ? "True" : "False");
    json_sets(&c, "reason", o->reason);
    json_sets(&c, "message", o->message);
    json_sets(&c, "lastTransitionTime", o->time);
    return jv_array_append(list, c);
}

static jv conditions(const struct state *st)
{
    return add_condition(add_condition(jv_array(), "Updating", state_updating(&st->outcome),
        &st->outcome), "DeviceDecommissioning", true, &st->leaving);
}

static void set_judged(jv *s, const char *key, const char *status, const char *info)
{
    jv o = one("status", status);

    if (info && *info)
        json_sets(&o, "info", info);
    json_set(s, key, o);
}

/* As a server would judge that had just heard of it, by the same function; what only a server can
 * know is left to it. */
static void judge(const struct state *st, jv *s)
{
    const struct summary_in in = {.status = *s, .last_seen = 1, .rendered = st->desired.number,
        .reported = st->current.number, .fleets_current = true, .spec_valid = true};
    struct summary out;

    summarize(&in, in.last_seen, &out);
    set_judged(s, "summary", out.summary, out.summary_info);
    if (st->desired.number)
        set_judged(s, "updated", out.updated, out.updated_info);
    if (st->leaving.reason[0])
        set_judged(s, "lifecycle", out.lifecycle, NULL);
}

jv status_sample(const struct agent *a, const struct state *st)
{
    jv watch = watch_load(a, st), monitors AUTO_JV = json_get(watch, "resources");

    if (!a->dry)
        monitor_sample(a, monitors);
    return watch;
}

jv status_make(const struct agent *a, const struct state *st)
{
    jv s = jv_object(), info = sysinfo_make(a), os = one("image", ""), units;
    jv watch AUTO_JV = status_sample(a, st), monitors AUTO_JV = json_get(watch, "resources");
    jv patterns AUTO_JV = json_get(watch, "patterns");
    char version[32];
    size_t i;

    snprintf(version, sizeof version, "%" PRId64, st->current.number);
    if (st->drift[0])
        json_sets(&info, "drift", st->drift);
    json_sets(&os, "imageDigest", "");
    json_set(&s, "conditions", conditions(st));
    json_set(&s, "systemInfo", info);
    json_set(&s, "applications", jv_array());
    json_set(&s, "applicationsSummary", one("status", "NoApplications"));
    json_set(&s, "resources", monitor_status(a, monitors));
    units = units_status(a, patterns);
    if (jv_is_valid(units))
        json_set(&s, "systemd", units);
    else
        jv_free(units);
    json_set(&s, "integrity", one("status", "Unknown"));
    json_set(&s, "config", one("renderedVersion", version));
    json_set(&s, "os", os);
    json_set(&s, "updated", one("status", "Unknown"));
    json_set(&s, "summary", one("status", "Unknown"));
    json_set(&s, "lifecycle", one("status", "Unknown"));
    json_set(&s, "capabilities", one("osMode", "package"));
    for (i = 0; controllers[i]; i++)
        if (controllers[i]->status)
            controllers[i]->status(a, &s);
    judge(st, &s);
    return s;
}
