/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue: tasks are enqueued in the transaction of the change that causes them, leased with a
 * deadline, retried with backoff up to TASK_TRIES times, then kept as dead letters.
 */
#ifndef FC_STORE_QUEUE_H
#define FC_STORE_QUEUE_H

#include "store/store.h"

enum { TASK_TRIES = 3 };
#define TASK_LEASE (INT64_C(60) * 1000000)   /* us; handlers extend it */
#define TASK_BACKOFF (INT64_C(5) * 1000000)  /* us before the second try; doubled for the third */

struct task {
    int64_t id, org;
    const char *queue, *type, *subject, *payload; /* payload: JSON or NULL */
    int attempts;
};

/* dedupe: a ready task of the organization with this key is not added twice (its due time becomes
 * the earlier one); NULL: always added. due 0: at once. */
int task_add(struct store *s, const char *queue, const char *type, int64_t org, const char *subject,
    const char *payload, const char *dedupe, int64_t due, struct err *e);
/* A task that was not leased yet is no longer needed. */
int task_cancel(struct store *s, int64_t org, const char *dedupe, struct err *e);
/* Leases the next due task of a queue for `owner` in a transaction of its own. 1, 0 none, -1. */
int task_lease(struct store *s, struct arena *a, const char *queue, const char *owner, int64_t now,
    struct task *out, struct err *e);
/* Ends a lease; in the caller's transaction. 0 rows (somebody else has it) is FC_CONFLICT. */
int task_done(struct store *s, const struct task *t, const char *owner, struct err *e);
int task_extend(struct store *s, const struct task *t, const char *owner, int64_t until,
    struct err *e);
/* After a failure: backoff or, after TASK_TRIES, dead letter. A busy peer (FC_AGAIN) does not
 * count; a lease that was lost is left alone. Returns 1 if it is dead. */
int task_failed(struct store *s, const struct task *t, const char *owner, const struct err *why,
    int64_t now, struct err *e);
/* Leases that ran out become ready again (or dead letters). In a transaction. How many. */
int task_recover(struct store *s, int64_t now, struct err *e);

#endif
