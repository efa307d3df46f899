/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollouts: the decision what happens next, from policy, state and counts alone. The caller
 * carries the action out in the store and asks again until it is told to wait.
 *
 * Batches 0..n-1 are those of rolloutPolicy.deviceSelection.sequence; batch n is the implicit one
 * that takes all remaining devices, disconnected ones too. Without deviceSelection there is only
 * that one (n = 0). A batch may start when the report of the one before it reaches the starting
 * batch's successThreshold (else the policy's, else 90 percent); the first always may.
 */
#ifndef FC_FLEET_ROLLOUT_H
#define FC_FLEET_ROLLOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"

enum { ROLLOUT_THRESHOLD = 90 };                              /* percent */
#define ROLLOUT_TIMEOUT (INT64_C(24) * 3600 * 1000000)        /* us, from assignment to report */

enum limit_type { LIMIT_NONE, LIMIT_COUNT, LIMIT_PERCENT };

struct batch {
    jv selector;         /* LabelSelector, borrowed from the policy; invalid jv: every device */
    enum limit_type limit_type;
    int limit;           /* devices, or percent of all that match; 100 % is LIMIT_NONE */
    int threshold;       /* percent of the batch before it that must have succeeded */
};

struct rollout_policy {
    size_t n;            /* explicit batches */
    struct batch *batch;
    int threshold;       /* percent, for the final batch */
    int64_t timeout;     /* us */
    char digest[SHA256_HEX]; /* of the canonical policy: another one restarts the rollout */
};

/* From a fleet's spec.rolloutPolicy (borrowed, must outlive *out; may be invalid or null). */
int rollout_policy_parse(struct arena *a, jv policy, struct rollout_policy *out, struct err *e);

enum rollout_status {    /* stored: never renumber */
    ROLLOUT_PENDING = 0,     /* a new template version, no batch started */
    ROLLOUT_INPROGRESS = 1,
    ROLLOUT_SUSPENDED = 2,   /* a batch stayed below its threshold: retry or a new version */
    ROLLOUT_COMPLETED = 3,
    ROLLOUT_FAILED = 4,      /* the last batch stayed below the threshold */
};
const char *rollout_status_name(enum rollout_status s); /* "Pending", "InProgress", ... */

struct rollout_state {
    enum rollout_status status;
    int batch;           /* current one; -1 before the first */
};

struct rollout_counts {  /* of the current batch */
    int64_t total, pending, succeeded, failed, timedout;
};

enum rollout_act {
    ROLLOUT_WAIT,        /* reports are missing: nothing to do */
    ROLLOUT_START,       /* pick devices for `batch`, assign them, set INPROGRESS, ask again */
    ROLLOUT_SUSPEND,     /* set SUSPENDED with `why` */
    ROLLOUT_COMPLETE,
    ROLLOUT_FAIL,
};

struct rollout_action {
    enum rollout_act act;
    int batch;
    bool final;          /* the implicit last batch: all remaining devices, no selector or limit */
    int percent;         /* success of the batch that ended; 100 when it was empty */
    char why[256];       /* "batch 1 of 3: 0 of 1 devices succeeded (0 %), 90 % needed" */
};

/* The next action. Once a batch has no pending devices it has ended. */
struct rollout_action rollout_step(const struct rollout_policy *p, const struct rollout_state *s,
    const struct rollout_counts *c);

/* How many devices a batch takes: matching all that match its selector (offline ones included),
 * already those of them that have the version, candidates those still to pick from. Percentages
 * round half away from zero. */
int64_t rollout_batch_size(const struct batch *b, int64_t matching, int64_t already,
    int64_t candidates);

/* "batch 2 of 3", "the last batch": for messages. */
const char *rollout_batch_name(const struct rollout_policy *p, int batch, char out[64]);

#endif
