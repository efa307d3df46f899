/* SPDX-License-Identifier: Apache-2.0 */
/* What resources were, and what changed: reads of the revisions. */
#ifndef FC_SERVICE_HISTORY_H
#define FC_SERVICE_HISTORY_H

#include "service/service.h"

/* One resource as it was at a time; *doc is the caller's. FC_NOTFOUND: there was none, or what it
 * was is no longer known. FC_USAGE: a kind that users do not make, which has no history. */
int history_at(struct store *s, const struct kind *k, const char *name, int64_t at, jv *doc,
    struct err *e);
/* All of a kind that there were at a time and that the selector (NULL: all) matched then, by name, at
 * most `limit` (0: all); id is "device/x", doc borrowed. *lost: of how many others it is no longer
 * known what they were. */
int history_past(struct store *s, const struct kind *k, int64_t at, const struct selector *labels,
    int64_t limit, int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx,
    int64_t *lost, struct err *e);

#endif
