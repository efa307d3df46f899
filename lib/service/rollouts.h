/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts of several fleets, as people plan and move them. Without an open transaction. */
#ifndef FC_SERVICE_ROLLOUTS_H
#define FC_SERVICE_ROLLOUTS_H

#include "service/service.h"
#include "service/target.h"

/* The fleets that operands name, each of which exists (FC_NOTFOUND), or without operands all. Names
 * are borrowed from argv or live in the arena. */
int rollouts_find(struct targets *t, struct store *s, struct arena *a, int argc, char **argv,
    struct err *e);

struct rollout_plans {
    const jv *docs;               /* Fleet documents, planned for instead of the store's */
    size_t ndocs;
    const struct targets *fleets; /* those of the store, after them */
    int64_t now, names;           /* names of a batch, at most; 0: all */
    /* The batches are valid during the call only. Less than 0 ends it all. */
    int (*each)(void *ctx, const char *fleet, const struct rollout_plan_batch *b, size_t n,
        struct err *e);
    void *ctx;
};
int rollouts_plan(struct store *s, const struct rollout_plans *p, struct err *e);

struct rollout_moves {
    bool retry;   /* failed devices try again; else it goes as far as reports allow */
    bool dry_run;
    const struct actor *who;
    /* Each fleet: "advanced", "unchanged" or "retried", and how it stands now. */
    void (*each)(void *ctx, const char *fleet, const char *change, const char *detail);
    void *ctx;
};
/* One fleet after the other, each committed before `each` is called; the first that cannot be moved
 * ends it. */
int rollouts_move(struct store *s, const struct targets *fleets, const struct rollout_moves *m,
    struct err *e);

#endif
