/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watch picks by selectors, and what its reader knows of that: a resource that stops to match
 * is gone for the reader. Events tell labels that were; what a document said in other fields nobody
 * knows later, so it is kept here which resources matched at the beginning, and since.
 */
#ifndef FC_SERVICE_PICK_H
#define FC_SERVICE_PICK_H

#include "service/watch.h"

struct pick;

/* The options (borrowed) name the selectors; events: of these, not of changes. pick_free is due in
 * any case. FC_INVALID: the fields are not of these kinds, or wrong. */
int pick_open(struct pick **out, const struct watch_options *o, bool events, struct err *e);
void pick_free(struct pick *p); /* NULL is fine */
/* Reads which match, with the newest place of the same snapshot. */
int pick_begin(struct pick *p, struct store *s, int64_t newest, struct err *e);

bool pick_event(const struct pick *p, const char *json);

enum pick_was { WAS_NOT, WAS_PICKED, WAS_UNKNOWN };
/* Was it picked before a change at this place? name: its store name; doc: JSON, what it was as far
 * as that is known, at least metadata. */
enum pick_was pick_was(const struct pick *p, const struct kind *k, const char *name, int64_t at,
    const char *doc);
/* Is it, being this? The reader is told, and knows it from then on. */
bool pick_is(struct pick *p, const struct kind *k, const char *name, int64_t at,
    const char *doc);
void pick_gone(struct pick *p, const struct kind *k, const char *name, int64_t at);

#endif
