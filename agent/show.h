/* SPDX-License-Identifier: Apache-2.0 */
/* What fc-agent prints. */
#ifndef FC_AGENT_SHOW_H
#define FC_AGENT_SHOW_H

#include "agent.h"
#include "base/json.h"

#define LAST_RUN "last-run.json" /* in the run folder */

/* The ordered steps to a device document's spec (borrowed), one document each. */
int show_plan(const struct agent *a, jv device, struct err *e);

#endif
