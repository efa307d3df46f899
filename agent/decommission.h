/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a device's life with a server: spec.decommissioning. It is told to the server twice,
 * as begun and as done, before key and certificate go with all of the data folder; then the device
 * reboots. With the target FactoryReset, what the version brought (files, applications) goes first;
 * with Unenroll it stays. A marker in the data folder says what happened, and keeps the device from
 * asking for enrollment until it is given another bootstrap certificate.
 */
#ifndef FC_AGENT_DECOMMISSION_H
#define FC_AGENT_DECOMMISSION_H

#include "run.h"

#define DECOMMISSIONED "decommissioned" /* the marker: {"bootstrap","boot","time"} */

/* The target that this device document (borrowed, as the result) names; NULL: it is to live on. */
const char *decommission_target(jv device);

/* Goes as far as the server's word is needed; then r->leaving is set. -1: a later run goes on. */
int decommission_tell(struct run *r, jv device, struct err *e);
/* The rest: from here on there is no way back. */
int decommission_wipe(struct run *r, struct err *e);

/* Is this device decommissioned? Then 1, and what a killed run left of it is done. With a bootstrap
 * certificate that came since, it is not any more. */
int decommission_found(struct run *r, struct err *e);

#endif
