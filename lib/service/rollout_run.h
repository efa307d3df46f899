/* SPDX-License-Identifier: Apache-2.0 */
/* One rollout, as those see it who move it on, plan it or tell of it. */
#ifndef FC_SERVICE_ROLLOUT_RUN_H
#define FC_SERVICE_ROLLOUT_RUN_H

#include "service/service.h"

struct rollout_run {
    struct store *s;
    struct arena *a;
    struct res fleet;
    jv spec;                      /* the fleet's; the caller frees it, after a failure, too */
    struct rollout_policy policy; /* borrows it */
    struct rollout o;
};
/* Reads it, with s and a set. FC_NOTFOUND: there is no such fleet. */
int rollout_open(struct rollout_run *r, int64_t org, const char *fleet, struct err *e);
const char *rollout_version_name(const struct rollout *o); /* "v3" */
/* The fleet, FC_NOTFOUND; the policy in its spec (borrowed, must outlive it). */
int rollout_fleet(struct store *s, struct arena *a, int64_t org, const char *name, struct res *r,
    struct err *e);
int rollout_policy_of(struct arena *a, jv spec, struct rollout_policy *p, struct err *e);
/* The version that a device gets when it joins (member.c): what the fleet's devices run. While a
 * rollout is under way that is the version before, and its batches bring the new one. 0: none. */
int64_t rollout_joining(const struct rollout *r);

#endif
