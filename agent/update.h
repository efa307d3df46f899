/* SPDX-License-Identifier: Apache-2.0 */
/* From a version received to a version that runs, or back. */
#ifndef FC_AGENT_UPDATE_H
#define FC_AGENT_UPDATE_H

#include "pace.h"
#include "state.h"

/* Finishes or takes back what a killed run left, or goes on after a reboot. 1: the reboot is to come
 * yet; until then, and while reboot_wanted, nothing else may be done to the device. asked: how often
 * it was asked for, which *st says when that was in vain. */
int update_recover(const struct agent *a, struct state *st, const struct backoff *asked,
    struct err *e);

/* Stores a device document (its bytes) as the newest version received. */
int update_store(const struct agent *a, struct state *st, int64_t number, const char *hash,
    const char *json, size_t n, struct err *e);

/* Notes that a received version cannot be applied, and why. Returns -1 with the message. */
int update_refuse(const struct agent *a, struct state *st, int64_t number, const char *why,
    struct err *e);

/* Brings the device to st->desired, whose document is given (borrowed). 1: it waits for a window of
 * its update policy or for a reboot (reboot_wanted), and *st says so. -1: it could not, the device is
 * as it was, and *st says why; the version is not tried again, unless with FC_AGAIN. */
int update_apply(const struct agent *a, struct state *st, jv device, struct err *e);

#endif
