/* SPDX-License-Identifier: Apache-2.0 */
/* What a device reports: the contract's DeviceStatus. */
#ifndef FC_AGENT_STATUS_H
#define FC_AGENT_STATUS_H

#include "state.h"

/* The whole status with all members that servers insist on; those that only a server can know are
 * "Unknown". It changes only when the device does, so that its hash says whether to report. The
 * caller frees. */
jv status_make(const struct agent *a, const struct state *st);

/* Takes the samples that are due, of what the running spec has watched. Returns that, as watch_load
 * does. For runs that make no status. */
jv status_sample(const struct agent *a, const struct state *st);

#endif
