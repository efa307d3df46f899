/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/summary.h"

#include <string.h>

#include "base/mem.h"
#include "fleet/condition.h"

#define OUT_OF_DATE "Device has not been updated to the latest device spec"

static bool member_is(jv v, const char *path, const char *value)
{
    const char *s = json_str(v, path);

    return s && !strcmp(s, value);
}

/* The one of known (ended by NULL) that the text at path equals; dflt when none does. */
static const char *one_of(jv v, const char *path, const char *const *known, const char *dflt)
{
    for (; *known; known++)
        if (member_is(v, path, *known))
            return *known;
    return dflt;
}

/* Copies what fits, without cutting a character in two. */
static void set_info(char out[512], const char *text)
{
    size_t n = strnlen(text, 512);

    if (n == 512)
        for (n = 511; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    memcpy(out, text, n);
    out[n] = '\0';
}

static bool resource_is(jv status, const char *level, int *which)
{
    static const char *const paths[] = {"resources.cpu", "resources.memory", "resources.disk"};

    for (*which = 0; *which < (int)LEN(paths); ++*which)
        if (member_is(status, paths[*which], level))
            return true;
    return false;
}

static void sum_up(const struct summary_in *in, bool disconnected, bool rebooting,
    struct summary *out)
{
    static const char *const critical[] = {"CPU utilization has reached a critical level.",
        "Memory utilization has reached a critical level.",
        "Disk utilization has reached a critical level."};
    static const char *const warning[] = {"CPU utilization has reached a warning level.",
        "Memory utilization has reached a warning level.",
        "Disk utilization has reached a warning level."};
    int which;

    if (in->awaiting_reconnect) {
        out->summary = "AwaitingReconnect";
        out->summary_info = "Device has not reconnected since the server was restored.";
    } else if (in->conflict_paused) {
        out->summary = "ConflictPaused";
        out->summary_info = "Device reported a newer spec than the server has; it waits for a"
            " person to resume it.";
    } else if (disconnected) {
        out->summary = "Unknown";
        out->summary_info = in->last_seen ? "Device is disconnected (not seen for 5 minutes)."
            : "Device has never been seen.";
    } else if (rebooting) {
        out->summary = "Rebooting";
        out->summary_info = "Device is rebooting.";
    } else if (resource_is(in->status, "Critical", &which)) {
        out->summary = "Error";
        out->summary_info = critical[which];
    } else if (resource_is(in->status, "Warning", &which)) {
        out->summary = "Degraded";
        out->summary_info = warning[which];
    } else {
        out->summary = "Online";
        out->summary_info = "All system resources healthy.";
    }
}

static void say_out_of_date(const struct summary_in *in, jv updating, struct summary *out)
{
    const char *message = json_str(updating, "message");
    bool failed = member_is(updating, "status", "False") && member_is(updating, "reason", "Error");

    out->updated = "OutOfDate";
    if (failed && message && *message) {
        char *text = xasprintf(OUT_OF_DATE ": %s", message);

        set_info(out->updated_info, text);
        free(text);
    } else if (failed) {
        set_info(out->updated_info, OUT_OF_DATE ": the update failed.");
    } else if (!in->spec_valid) {
        set_info(out->updated_info, OUT_OF_DATE ": it cannot be rendered.");
    } else if (in->managed && !in->fleets_current) {
        set_info(out->updated_info,
            "Device has not yet been scheduled for update to the fleet's latest spec.");
    } else {
        set_info(out->updated_info, OUT_OF_DATE ".");
    }
}

static void judge_update(const struct summary_in *in, bool disconnected, jv updating,
    struct summary *out)
{
    const char *image = json_str(in->status, "os.image"), *message = json_str(updating, "message");
    bool os_differs = in->os_image && *in->os_image && (!image || strcmp(image, in->os_image))
        && json_str(in->status, "capabilities.osMode");

    if (disconnected && in->last_seen) {
        out->updated = "Unknown";
        set_info(out->updated_info, "Device is disconnected (not seen for 5 minutes).");
    } else if (member_is(updating, "status", "True")) {
        out->updated = "Updating";
        set_info(out->updated_info, message && *message ? message
            : "Device is updating to the latest device spec.");
    } else if ((in->rendered && in->rendered != in->reported) || !in->spec_valid
        || (in->managed && !in->fleets_current) || os_differs) {
        say_out_of_date(in, updating, out);
    } else {
        out->updated = "UpToDate";
        set_info(out->updated_info, in->managed
            ? "Device was updated to the fleet's latest device spec."
            : "Device was updated to the latest device spec.");
    }
}

static const char *judge_applications(jv status, bool disconnected, bool rebooting)
{
    static const char *const known[] = {"NoApplications", "Healthy", "Degraded", "Error", "Unknown",
        NULL};
    AUTO_JV jv applications = json_get(status, "applications");

    if (disconnected)
        return "Unknown";
    if (!json_nonempty(applications))
        return "NoApplications";
    return rebooting ? "Degraded" : one_of(status, "applicationsSummary.status", known, "Unknown");
}

static const char *judge_lifecycle(const struct summary_in *in)
{
    static const char *const known[] = {"Enrolled", "Decommissioning", "Decommissioned", NULL};
    AUTO_JV jv c = condition_get(in->status, "DeviceDecommissioning", NULL, NULL);

    if (member_is(c, "reason", "Started"))
        return "Decommissioning";
    if (member_is(c, "reason", "Completed") || member_is(c, "reason", "Error"))
        return "Decommissioned";
    if (in->decommissioned)
        return "Decommissioning";
    /* Agents report Unknown; one that was seen has a certificate. */
    return one_of(in->status, "lifecycle.status", known, in->last_seen ? "Enrolled" : "Unknown");
}

void summarize(const struct summary_in *in, int64_t now, struct summary *out)
{
    AUTO_JV jv updating = condition_get(in->status, "Updating", NULL, NULL);
    bool disconnected = !in->last_seen || now - in->last_seen > SUMMARY_DISCONNECTED;
    bool rebooting = member_is(updating, "status", "True")
        && member_is(updating, "reason", "Rebooting");

    *out = (struct summary){0};
    sum_up(in, disconnected, rebooting, out);
    judge_update(in, disconnected, updating, out);
    out->applications = judge_applications(in->status, disconnected, rebooting);
    out->lifecycle = judge_lifecycle(in);
}
