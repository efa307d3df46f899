/* SPDX-License-Identifier: Apache-2.0 */
/* What people have devices do, beside writing specs. In the caller's write transaction. */
#ifndef FC_SERVICE_ACTION_H
#define FC_SERVICE_ACTION_H

#include "fleet/lifecycle.h"
#include "service/service.h"

/* The device is to wipe itself (target: "Unenroll" or "FactoryReset"): it leaves its fleets and its
 * labels, and nothing of it can be changed any more. FC_CONFLICT: it was told so before. */
int device_decommission(struct store *s, struct arena *a, int64_t org, const char *name,
    const char *target, const struct actor *who, struct res *out, struct err *e);

/* Stops, starts or restarts an application of a device, or of all devices of a fleet; what is said
 * last, here or there, counts. FC_NOTFOUND: no such resource, or it has no such application;
 * FC_CONFLICT: the device is decommissioned, the fleet is being deleted, or what is to be restarted
 * is stopped. */
int app_act(struct store *s, struct arena *a, int64_t org, const struct kind *k, const char *name,
    const char *app, enum app_action what, const struct actor *who, struct res *out,
    struct err *e);

#endif
