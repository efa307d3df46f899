/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FC_AGENT_REBOOT_H
#define FC_AGENT_REBOOT_H

#include "agent.h"

/* Asks the system to reboot: systemctl, else shutdown(8). It happens soon, while the run goes on. */
int reboot_request(const struct agent *a, struct err *e);

#endif
