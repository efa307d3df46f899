/* SPDX-License-Identifier: Apache-2.0 */
/* Events about what devices report. Each function returns how many it added, or -1. */
#ifndef FC_SERVICE_DEVICE_EVENTS_H
#define FC_SERVICE_DEVICE_EVENTS_H

#include "fleet/summary.h"
#include "service/service.h"

/* What differs between two reported statuses (borrowed): resources, the OS image. */
int device_status_events(struct store *s, struct arena *a, const struct res *r, jv old, jv now,
    const struct actor *who, struct err *e);
/* What differs between the stored summary and the one that is to be: content, applications,
 * rebooting, decommissioning. */
int device_summary_events(struct store *s, const struct res *r, const struct device *old,
    const struct summary *now, bool decommission_failed, const struct actor *who, struct err *e);

#endif
