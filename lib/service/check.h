/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a store whole? Looks at the database itself, then at each resource (its texts, schema, owner,
 * label rows, memberships) and at what refers to what. What is derived can be mended: label rows,
 * memberships, rows of devices, rendered specs that are to be rendered again.
 */
#ifndef FC_SERVICE_CHECK_H
#define FC_SERVICE_CHECK_H

#include "store/store.h"

struct problem {
    const char *org, *kind, *name; /* "" where it is of none */
    const char *what;
    bool fixed;
};
struct check_options {
    bool fix;
    const struct actor *who;
    void (*problem)(void *ctx, const struct problem *p);
    void (*progress)(void *ctx, size_t done, size_t total); /* resources; may be NULL */
    void *ctx;
};
/* In transactions of its own, each of CHECK_PAGE resources. *left: problems that were not fixed. */
enum { CHECK_PAGE = 200 };
int check_store(struct store *s, const struct check_options *o, int64_t *left, struct err *e);

#endif
