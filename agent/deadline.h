/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a run may take. After the soft deadline nothing new is begun: the run ends in order, and
 * later ones go on. The hard one ends it by a signal, whatever it waits for; the next run undoes
 * what it was about. An undo or the finishing of an update is cut short by neither.
 */
#ifndef FC_AGENT_DEADLINE_H
#define FC_AGENT_DEADLINE_H

#include "agent.h"

/* s since boot, through suspends, whatever the clock says */
int64_t uptime_s(void);

/* soft: s from now. Processes that are started before do not have the hard one. */
void deadline_start(struct agent *a, int soft);
/* FC_AGAIN once the soft one is over. */
int deadline_check(const struct agent *a, struct err *e);
/* s until the soft one, at most max and at least 1: for the time limit of a program. */
int deadline_left(const struct agent *a, int max);
/* Suspends the hard one, and arms it again. */
void deadline_hold(void);
void deadline_resume(const struct agent *a);

#endif
