/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody changed on the device since the running version was applied. It is looked for by
 * each run that has no version to apply, by what the controllers remember, so that it costs next to
 * nothing; what is found is planned as a version is, and repaired by a transaction like any other,
 * or only told, as drift-policy says.
 */
#ifndef FC_AGENT_DRIFT_H
#define FC_AGENT_DRIFT_H

#include "state.h"
#include "txn.h"

/* Looks, and repairs. *changed: st was, and is to be stored, unless a transaction did. -1: it could
 * not be repaired, the device is as it was, and st says why. */
int drift_run(const struct agent *a, struct state *st, bool *changed, struct err *e);

/* Brings the device by a plan for spec (borrowed) to what is no new version. */
int drift_repair(const struct agent *a, struct state *st, struct plan *p, jv spec, struct err *e);

/* The same, from its journal (borrowed), once it is committed. */
bool drift_owns(jv journal);
int drift_finish(const struct agent *a, struct state *st, jv journal, struct err *e);

/* Is there any, by the controllers' quick look? */
bool drift_seen(const struct agent *a);

#endif
