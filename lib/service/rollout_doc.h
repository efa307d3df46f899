/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts as documents and as rows and lines for people. */
#ifndef FC_SERVICE_ROLLOUT_DOC_H
#define FC_SERVICE_ROLLOUT_DOC_H

#include "service/service.h"

/* A plan with all its batches; the caller frees it. */
jv rollout_plan_doc(const char *fleet, const struct rollout_plan_batch *b, size_t n);
/* Batch i of it as a row of a table: "needs" is text, and where names are left out the last one is
 * "...". The caller frees it. */
jv rollout_plan_row(const char *fleet, const struct rollout_plan_batch *b, size_t i);

enum { STATUS_LINES = 20 }; /* devices of a fleet that are said one by one */
/* How a fleet's rollout stands. Which devices it waits for is in "reports" of the document or, with
 * `lines`, text for people that is appended there, after why it does not go on. The caller frees
 * *out; on failure it is invalid. */
int rollout_status_doc(struct store *s, const char *fleet, jv *out, struct buf *lines,
    struct err *e);

#endif
