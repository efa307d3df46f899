/* SPDX-License-Identifier: Apache-2.0 */
/* What nothing needs any more is removed, in transactions of its own, of at most GC_PART rows; none
 * may be open. dry: it is only counted. How many; -1: error. Revisions: revision.h; events: event.h. */
#ifndef FC_STORE_GC_H
#define FC_STORE_GC_H

#include "store/store.h"

enum { GC_PART = 500 };

/* Removes at most GC_PART, in the transaction that is open. How many; -1: error. */
typedef int64_t gc_part(struct store *s, void *ctx, struct err *e);
/* One transaction after the other, between which other writers get in, until one removed less. */
int64_t gc_in_parts(struct store *s, gc_part *part, void *ctx, struct err *e);

/* Rendered specs that no device has, which nobody asked for since `before` (us). */
int64_t gc_rendered(struct store *s, int64_t before, bool dry, struct err *e);
/* Template versions that no device and no rollout knows, made before that, but for the newest
 * `keep` of a fleet. */
int64_t gc_templates(struct store *s, int64_t before, int64_t keep, bool dry, struct err *e);
/* Dead letters that were due before that. */
int64_t gc_tasks(struct store *s, int64_t before, bool dry, struct err *e);
/* Tokens that expired before that. */
int64_t gc_tokens(struct store *s, int64_t before, bool dry, struct err *e);
/* When devices were last seen that are gone. */
int64_t gc_seen(struct store *s, bool dry, struct err *e);

#endif
