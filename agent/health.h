/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this device well? For people, and for greenboot, which goes back to the image before when a boot
 * is not. Programs of health.d are asked as well before an update is committed, so that one of them
 * can take it back.
 */
#ifndef FC_AGENT_HEALTH_H
#define FC_AGENT_HEALTH_H

#include "agent.h"

/* Prints a line for each check, the last state of it after at most a->wait seconds in which it may get
 * well. FC_FAIL: one of them is not. */
int agent_health(struct agent *a, struct err *e);

#endif
