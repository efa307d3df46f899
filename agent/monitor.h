/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource monitors (spec.resources). No process stays to take samples: each run takes those that
 * are due, and keeps them in the file "samples" of the run folder. It is binary, for this machine and
 * boot alone: a struct head (monitor.c), then one struct series for each monitor. What is damaged or
 * of another boot is begun anew.
 */
#ifndef FC_AGENT_MONITOR_H
#define FC_AGENT_MONITOR_H

#include "agent.h"
#include "base/json.h"

#define MONITOR_SAMPLES "samples" /* in the run folder */

enum {
    SERIES_MAX = 32,   /* monitors of a spec that are sampled */
    SLOTS = 256,       /* spans kept of one; older ones are joined to longer ones */
    SAMPLE_GAP = 600,  /* s without a sample after which nothing is known of the time between */
};

struct slot { /* a span of time that is known */
    int64_t from, to;  /* s since boot; equal for a moment */
    int64_t low;       /* the least that was measured in it, in hundredths of a percent */
};

struct series { /* of one monitor */
    char key[40];          /* hash of what is measured */
    int64_t last;          /* s since boot of the last sample; 0 = none */
    uint64_t busy, total;  /* CPU: ticks since boot at that time */
    uint32_t said;         /* enum load when it was last told */
    uint32_t failed;       /* the last sample could not be taken */
    uint32_t used;         /* slots, in order of time */
    uint32_t spare;
    struct slot slot[SLOTS];
};

enum load { LOAD_UNKNOWN, LOAD_HEALTHY, LOAD_WARNING, LOAD_ERROR, LOAD_CRITICAL }; /* by weight */

/* Notes what was measured at this time. gap: s since the last sample that it stands for at most;
 * INT64_MAX for all of them. */
void monitor_note(struct series *s, int64_t now, int64_t low, int64_t gap);
/* What the rules (alertRules, borrowed) make of a series. A rule fires when each sample of the
 * whole of its duration, up to the last one, is above its percentage. *rule: the index of the one
 * that decided, or -1; may be NULL. Pure. */
enum load monitor_decide(const struct series *s, jv rules, int64_t now, int *rule);

/* Takes the samples that are due for these monitors (spec.resources, borrowed), and says to people
 * what changed. */
void monitor_sample(const struct agent *a, jv monitors);
/* status.resources for these monitors: {"cpu","memory","disk"}. The caller frees. */
jv monitor_status(const struct agent *a, jv monitors);

#endif
