/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FC_AGENT_UNITS_H
#define FC_AGENT_UNITS_H

#include "agent.h"
#include "base/json.h"

/* status.systemd: the units that these patterns (spec.systemd.matchPatterns, borrowed) match, in
 * the order of their names. Invalid when there are no patterns, or when systemd does not say. The
 * caller frees. */
jv units_status(const struct agent *a, jv patterns);

#endif
