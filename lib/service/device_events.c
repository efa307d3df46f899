/* SPDX-License-Identifier: Apache-2.0 */
/* What a device's report, or what the system found out about it, is worth telling. */
#include <stdio.h>
#include <string.h>

#include "service/device_events.h"

static int tell(struct store *s, const struct res *r, const char *reason, bool bad,
    const char *message, const struct actor *who, struct err *e)
{
    return event_of(s, r, who, (struct event){.reason = reason, .message = message,
        .type = bad ? "Warning" : "Normal"}, e) < 0 ? -1 : 1;
}

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static const struct level {
    const char *path, *critical, *warning, *normal, *names;
} levels[] = {
    {"resources.cpu", "DeviceCPUCritical", "DeviceCPUWarning", "DeviceCPUNormal", "CPU"},
    {"resources.memory", "DeviceMemoryCritical", "DeviceMemoryWarning", "DeviceMemoryNormal",
        "Memory"},
    {"resources.disk", "DeviceDiskCritical", "DeviceDiskWarning", "DeviceDiskNormal", "Disk"},
};

static int level_event(struct store *s, const struct res *r, const struct level *l,
    const char *old, const char *now, const struct actor *who, struct err *e)
{
    bool was_bad = is(old, "Critical") || is(old, "Warning"), bad = true;
    char message[64];
    const char *reason;

    if (!now || is(old, now))
        return 0;
    if (is(now, "Critical"))
        reason = l->critical;
    else if (is(now, "Warning"))
        reason = l->warning;
    else if (is(now, "Healthy") && was_bad) {
        reason = l->normal;
        bad = false;
    } else
        return 0;
    snprintf(message, sizeof message, "%s utilization is %s.", l->names,
        is(now, "Critical") ? "critical" : bad ? "above its warning level" : "normal again");
    return tell(s, r, reason, bad, message, who, e);
}

int device_status_events(struct store *s, struct arena *a, const struct res *r, jv old, jv now,
    const struct actor *who, struct err *e)
{
    const char *had = json_str(old, "os.image"), *has = json_str(now, "os.image");
    int n = 0, rc;
    size_t i;

    for (i = 0; i < LEN(levels); i++) {
        if ((rc = level_event(s, r, &levels[i], json_str(old, levels[i].path),
            json_str(now, levels[i].path), who, e)) < 0)
            return -1;
        n += rc;
    }
    if (had && *had && has && *has && strcmp(had, has) != 0) {
        if (tell(s, r, "DeviceOSImageChanged", false, arena_printf(a, "The OS image is %s, and was "
            "%s.", has, had), who, e) < 0)
            return -1;
        n++;
    }
    return n;
}

static int updated_event(struct store *s, const struct res *r, const char *now,
    const struct actor *who, struct err *e)
{
    if (is(now, "UpToDate"))
        return tell(s, r, "DeviceContentUpToDate", false, "The device runs its newest spec.", who,
            e);
    if (is(now, "OutOfDate"))
        return tell(s, r, "DeviceContentOutOfDate", false,
            "The device does not run its newest spec.", who, e);
    if (is(now, "Updating"))
        return tell(s, r, "DeviceContentUpdating", false, "The device is updating.", who, e);
    return 0;
}

static int applications_event(struct store *s, const struct res *r, const char *old,
    const char *now, const struct actor *who, struct err *e)
{
    if (is(now, "Error"))
        return tell(s, r, "DeviceApplicationError", true, "An application failed.", who, e);
    if (is(now, "Degraded"))
        return tell(s, r, "DeviceApplicationDegraded", true,
            "Not all of the applications run as they should.", who, e);
    if (is(now, "Healthy") && !is(old, "NoApplications"))
        return tell(s, r, "DeviceApplicationHealthy", false, "All applications run.", who, e);
    return 0;
}

int device_summary_events(struct store *s, const struct res *r, const struct device *old,
    const struct summary *now, bool decommission_failed, const struct actor *who, struct err *e)
{
    int n = 0, rc = 0;

    if (!*old->conditions) /* it never said anything */
        return 0;
    if (!is(old->updated, now->updated) && (rc = updated_event(s, r, now->updated, who, e)) < 0)
        return -1;
    n += rc;
    rc = is(old->applications, now->applications) ? 0 :
        applications_event(s, r, old->applications, now->applications, who, e);
    if (rc < 0)
        return -1;
    n += rc;
    if (is(now->summary, "Rebooting") && !is(old->summary, "Rebooting")) {
        if (tell(s, r, "DeviceIsRebooting", false, "The device is rebooting.", who, e) < 0)
            return -1;
        n++;
    }
    if (is(now->lifecycle, "Decommissioned") && !is(old->lifecycle, "Decommissioned")) {
        if (tell(s, r, decommission_failed ? "DeviceDecommissionFailed" : "DeviceDecommissioned",
            decommission_failed, decommission_failed ? "The device could not be decommissioned." :
            "The device is decommissioned.", who, e) < 0)
            return -1;
        n++;
    }
    return n;
}
