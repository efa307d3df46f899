/* SPDX-License-Identifier: Apache-2.0 */
/* Undoing: resources become again what a revision of theirs says, by ordinary changes. */
#ifndef FC_SERVICE_UNDO_H
#define FC_SERVICE_UNDO_H

#include "service/service.h"

struct undo_step {
    const struct kind *kind;
    const char *name;
    int64_t last;  /* the newest revision when it was planned: none may come between */
    int64_t to;    /* the revision that it becomes like; 0: the time before it was created */
    bool gone;     /* there is none then: it is deleted */
};

struct undo { /* a plan, in the order in which it is carried out */
    struct undo_step *v;
    size_t n;
};
void undo_free(struct undo *u);

/* Back to revision `to`, 0: the one before the last. Names are copied to the arena. FC_NOTFOUND,
 * also when that revision is no longer kept; FC_CONFLICT: something else manages the resource. */
int undo_one(struct store *s, struct arena *a, const struct kind *k, const char *name, int64_t to,
    struct undo *u, struct err *e);
/* All that one actor (NULL: anybody) changed since a time, back to what it was before, the last
 * change first. What others have changed since, too, is FC_CONFLICT, or passed over when there is
 * a function for it, and so is what cannot be undone. */
int undo_since(struct store *s, struct arena *a, int64_t since, const char *actor,
    void (*passed)(void *ctx, const struct err *why), void *ctx, struct undo *u, struct err *e);

struct undo_options {
    bool dry_run;  /* it is done in transactions that are rolled back */
    const struct actor *who;
    /* Each step that was (on a dry run: would be) made, in order. */
    void (*each)(void *ctx, const struct undo_step *v, enum change what);
    void (*progress)(void *ctx, size_t done, size_t total);
    void *ctx;
};
/* FC_CONFLICT: a resource was changed since it was planned. Chunks are those of
 * apply_docs: up to APPLY_SMALL it is all or nothing, the error of a later one names the last one
 * that was undone. */
int undo_run(struct store *s, const struct undo *u, const struct undo_options *o, struct err *e);

#endif
