/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revisions: what users made of resources, and who, when and why. They outlive the resource, and
 * count on when one of its name comes again. Their order is that of their numbers: a clock may have
 * been set back.
 */
#ifndef FC_STORE_REVISION_H
#define FC_STORE_REVISION_H

#include "store/resource.h"

struct revision {
    const struct kind *kind;
    const char *name;          /* store name */
    int64_t rev;               /* from 1; older ones may be gone */
    int64_t at;                /* us: when */
    const char *uid;
    int64_t generation, created;
    const char *owner;         /* as it was after the change, or NULL */
    const char *actor, *reason; /* who, and why or NULL */
    const char *doc;           /* {"annotations","labels"[,"spec"]} as stored; NULL: deleted */
};

/* A revision of what a user made of r; deleted: that there is none any more. For after the effects
 * of the change, since they may decide the owner. */
int revision_add(struct store *s, const struct actor *who, const struct res *r, bool deleted,
    struct err *e);
/* The last one whose number is up to rev and whose time is up to `at` (INT64_MAX: any), in the
 * arena. 1 found, 0 not, -1 error. */
int revision_find(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, int64_t rev, int64_t at, struct revision *out, struct err *e);
/* Number of the oldest one that is kept; 0: none. -1: error. */
int64_t revision_first(struct store *s, int64_t org, const struct kind *k, const char *name,
    struct err *e);

/* The number that an organization (org, kind, name and uid count) had. 1 found, 0 not, -1 error. */
int revision_number(struct store *s, const struct res *r, int64_t *number, struct err *e);

/* The document as it was, without status and resourceVersion; credentials are masked. Not of a
 * deletion. */
jv revision_doc(const struct revision *v);

struct revision_iter;
/* Of one resource, the newest first; limit 0: all. */
int revision_list(struct store *s, int64_t org, const struct kind *k, const char *name,
    int64_t limit, struct revision_iter **it, struct err *e);
/* Each resource of a kind that there was at a time, as it was then, in the order of names. */
int revision_past(struct store *s, int64_t org, const struct kind *k, int64_t at,
    struct revision_iter **it, struct err *e);
/* 1: *out is filled, valid until the next call; 0: end; -1: error. */
int revision_next(struct revision_iter *it, struct revision *out, struct err *e);
void revision_end(struct revision_iter *it); /* NULL is fine */
/* Of how many resources of a kind it is no longer known what they were at a time. -1: error. */
int64_t revision_lost(struct store *s, int64_t org, const struct kind *k, int64_t at,
    struct err *e);

struct revision_span { /* changes of one resource since a time */
    const struct kind *kind;
    const char *name;
    int64_t first, last, n; /* numbers, and how many there are of the actor asked for */
};
/* Calls each, the last changed resource first, until it returns non-zero. actor NULL: all. */
int revision_since(struct store *s, int64_t org, int64_t since, const char *actor,
    int (*each)(void *ctx, const struct revision_span *v), void *ctx, struct err *e);
/* How many revisions others have made since the first of a span. -1: error. */
int64_t revision_others(struct store *s, int64_t org, const struct revision_span *v,
    const char *actor, struct err *e);

enum { REVISION_CHUNK = 1000 }; /* removed in one transaction */
/* Removes revisions of all organizations in transactions of its own, none may be open: all but the
 * newest `keep` of a name (0: no limit), and those that were outdated, or deletions, at the time
 * `before` (INT64_MIN: none). What resources were after that can still be read, and the newest one of
 * a living resource stays. dry: counts alone. */
int revision_gc(struct store *s, int64_t keep, int64_t before, bool dry, int64_t *removed,
    struct err *e);

#endif
