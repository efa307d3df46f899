/* SPDX-License-Identifier: Apache-2.0 */
/* Deletion of many resources, as users ask for it. */
#ifndef FC_SERVICE_REMOVE_H
#define FC_SERVICE_REMOVE_H

#include "service/target.h"

struct remove_options {
    bool dry_run;        /* it is done in transactions that are rolled back */
    bool ignore_missing; /* what does not exist is passed over */
    const struct actor *who;
    /* Each one that was (on a dry run: would be) deleted, in order. */
    void (*each)(void *ctx, const struct kind *k, const char *name);
    void (*progress)(void *ctx, size_t done, size_t total);
    void *ctx;
};
enum {
    REMOVE_CHUNK = 1000, /* resources of one transaction */
    REMOVE_US = 60000,   /* it ends earlier after this time: others want to write, too */
    REMOVE_SMALL = 32,   /* so many are one transaction, whatever the time */
};

/* May resources of the kind be deleted? FC_USAGE. */
int remove_check(const struct kind *k, struct err *e);
/* Which of the targets are template versions of a fleet among them; the caller frees. */
bool *remove_along(const struct targets *t);
/* A template version whose fleet is a target, too, goes along with that and is told of last.
 * Nothing is deleted unless all exist (FC_NOTFOUND names the first that does not). Up to
 * REMOVE_SMALL it is all or nothing; the error of a later chunk names the last deleted one. */
int remove_all(struct store *s, const struct targets *t, const struct remove_options *o,
    struct err *e);

#endif
