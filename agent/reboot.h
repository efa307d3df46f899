/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FC_AGENT_REBOOT_H
#define FC_AGENT_REBOOT_H

#include "agent.h"

/* Which boot this is, as the kernel says it; "" when it does not. */
enum { BOOT_ID_LEN = 40 };
void boot_id(char out[BOOT_ID_LEN]);

/* Asks the system to reboot: systemctl, else shutdown(8). It happens soon, while the run goes on. */
int reboot_request(const struct agent *a, struct err *e);

/* The run is to end by asking for a reboot, once all is stored and reported. */
void reboot_want(void);
bool reboot_wanted(void);

#endif
