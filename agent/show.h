/* SPDX-License-Identifier: Apache-2.0 */
/* What fc-agent prints. */
#ifndef FC_AGENT_SHOW_H
#define FC_AGENT_SHOW_H

#include "agent.h"
#include "base/json.h"
#include "state.h"

#define LAST_RUN "last-run.json" /* in the run folder */

/* The ordered steps to a device document's spec (borrowed), one document each. */
int show_plan(const struct agent *a, jv device, struct err *e);
/* Those that repair what was changed since the running version was applied, if anything was. */
int show_drift(const struct agent *a, const struct state *st, struct err *e);

#endif
