/* SPDX-License-Identifier: Apache-2.0 */
/* What resources were, and what changed: reads of the revisions. */
#ifndef FC_SERVICE_HISTORY_H
#define FC_SERVICE_HISTORY_H

#include "service/service.h"

/* One resource as it was at a time; *doc is the caller's. FC_NOTFOUND: there was none, or what it
 * was is no longer known. FC_USAGE: a kind that users do not make, which has no history. */
int history_at(struct store *s, const struct kind *k, const char *name, int64_t at, jv *doc,
    struct err *e);
/* All of a kind that there were at a time and that the selectors (NULL: all) matched then, by name,
 * at most `limit` (0: all); id is "device/x", doc borrowed. *lost: of how many others it is no longer
 * known what they were. FC_USAGE: a field of the status, which no revision has. */
int history_past(struct store *s, const struct kind *k, int64_t at, const struct selector *labels,
    const struct selector *fields, int64_t limit,
    int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx, int64_t *lost,
    struct err *e);

/* The changes of one resource, the newest first, at most `limit` (0: all): {kind, name, rev, time,
 * actor, change, fields, generation, reason}. id is "device/x@3", doc borrowed. change is one of
 * created, updated (of fields: spec, labels, annotations), deleted, restored. FC_NOTFOUND. */
int history_list(struct store *s, const struct kind *k, const char *name, int64_t limit,
    int (*each)(void *ctx, const char *id, jv doc, struct err *e), void *ctx, struct err *e);
/* "updated spec, labels": change and fields of such a document in words. */
void history_words(jv doc, struct buf *b);

/* The revision of that number, in the arena. FC_NOTFOUND names those that there are. */
int history_get(struct store *s, struct arena *a, const struct kind *k, const char *name,
    int64_t rev, struct revision *out, struct err *e);
/* What a user would apply to make it so again: name, labels, annotations, spec; credentials are
 * masked. FC_NOTFOUND: it is a deletion. */
int history_manifest(const struct revision *v, jv *doc, struct err *e);

struct history_range {
    int64_t from, to; /* numbers of revisions; from 0: before there was one */
};
/* "3..5", "3.." (to now), "3" (what it changed), NULL (what the last one changed). FC_USAGE. */
int history_range(const char *text, struct store *s, const struct kind *k, const char *name,
    struct history_range *out, struct err *e);
/* Appends a unified diff of their manifests. 1: they differ; 0: they are equal; -1: error. */
int history_diff(struct store *s, const struct kind *k, const char *name,
    const struct history_range *r, bool colour, struct buf *out, struct err *e);

/* Applies the settings [history] keep and age: revision_gc. No transaction may be open. *removed: how
 * many went, or (dry) would go. FC_INVALID: a setting is wrong. */
int history_gc(struct store *s, const struct conf *conf, int64_t now, bool dry, int64_t *removed,
    struct err *e);

#endif
