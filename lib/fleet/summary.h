/* SPDX-License-Identifier: Apache-2.0 */
/* A device's summary, from what it reported and what the server knows about it. */
#ifndef FC_FLEET_SUMMARY_H
#define FC_FLEET_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define SUMMARY_DISCONNECTED (INT64_C(5) * 60 * 1000000) /* us without being seen */

struct summary_in {
    jv status;             /* as the device reported it, borrowed; invalid when never */
    int64_t last_seen;     /* us; 0 = never */
    int64_t rendered;      /* renderedVersion it should run; 0 = none yet */
    int64_t reported;      /* status.config.renderedVersion; 0 = none */
    bool managed;          /* at least one fleet matches */
    bool fleets_current;   /* each fleet's newest version is the one that was rendered */
    bool spec_valid;
    const char *os_image;  /* of the rendered spec; NULL when it has none or nobody asks */
    bool awaiting_reconnect, conflict_paused;
    bool decommissioned;   /* its spec says so; what it reports says how far it is */
};

struct summary {
    const char *summary;   /* Online, Degraded, Error, Rebooting, Unknown, AwaitingReconnect, ... */
    const char *summary_info; /* one sentence or NULL; static text */
    const char *updated;   /* UpToDate, OutOfDate, Updating, Unknown */
    char updated_info[512]; /* "" for none */
    const char *applications; /* NoApplications, Healthy, Degraded, Error, Unknown */
    const char *lifecycle; /* Enrolled, Decommissioning, Decommissioned, Unknown */
};

/* The rules of the contract's DeviceStatus summaries. Pure. */
void summarize(const struct summary_in *in, int64_t now, struct summary *out);

#endif
