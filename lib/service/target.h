/* SPDX-License-Identifier: Apache-2.0 */
/* Which resources the operands of a command mean: KIND/NAME ..., or KIND NAME .... */
#ifndef FC_SERVICE_TARGET_H
#define FC_SERVICE_TARGET_H

#include "base/doc.h"
#include "store/resource.h"

struct target {
    const struct kind *kind;
    const char *name; /* store name: of a template version FLEET/VERSION; NULL: the kind as such */
};

struct targets {
    struct target *v;
    size_t n;
};

void targets_add(struct targets *t, const struct kind *k, const char *name);
/* The names are borrowed from argv. FC_USAGE. targets_free is due in any case. */
int targets_parse(struct targets *t, int argc, char **argv, struct err *e);
/* The resources that documents describe; names are copied to the arena. FC_INVALID. */
int targets_of_docs(struct targets *t, struct arena *a, const struct docs *d, struct err *e);
/* All of one kind that a selector matches. */
int targets_select(struct targets *t, struct store *s, struct arena *a, const struct kind *k,
    const struct selector *sel, struct err *e);
/* Leaves each out that stands there already. All of them have names. */
void targets_unique(struct targets *t);
void targets_free(struct targets *t);

/* NAME, or what -o name prints for it: KIND/NAME. Borrowed. FC_USAGE: another kind. */
const char *target_name(const struct kind *k, const char *word, struct err *e);

/* A selector for resources of this kind; FC_USAGE where they have no labels, FC_INVALID. */
int target_selector(struct arena *a, const struct kind *k, const char *text, struct selector *out,
    struct err *e);

enum {
    PREFIX_MIN = 6,  /* characters of a name that has to be typed, at least */
    TARGET_HITS = 5, /* names that are looked for, and said, where several begin so */
};
/* The resource whose name is `word` or, being the only one, begins with it. *name is its whole
 * name, in the arena. FC_NOTFOUND; FC_INVALID: several, which the message lists. */
int target_find(struct store *s, struct arena *a, const struct kind *k, const char *word,
    const char **name, struct err *e);

/* What target_find says about the names (separated by commas) that were found. */
int target_found(const struct kind *k, const char *word, const char *names, size_t hits,
    struct err *e);

/* KIND/NAME as events name what they are about: a child by its own name alone. *name is borrowed.
 * FC_USAGE. */
int target_involved(const char *word, const struct kind **k, const char **name, struct err *e);

/* FC_NOTFOUND as every command says it. Returns -1. */
int target_missing(const struct kind *k, const char *name, struct err *e);

#endif
