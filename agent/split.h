/* SPDX-License-Identifier: Apache-2.0 */
/* What the child process of split.c runs once it has given up its rights. */
#ifndef FC_AGENT_SPLIT_H
#define FC_AGENT_SPLIT_H

#include "net.h"
#include "proto.h"

/* Talks to the server as net_job says, and to the other half over n->sock. */
void net_main(struct net *n);

#endif
