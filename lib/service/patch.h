/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a part: patches of resources as clients see them, and status alone. */
#ifndef FC_SERVICE_PATCH_H
#define FC_SERVICE_PATCH_H

#include "service/service.h"
#include "service/target.h"

enum patch_type { PATCH_JSON, PATCH_MERGE }; /* RFC 6902, RFC 7386 */

struct patch {
    enum patch_type type;
    jv body; /* borrowed */
};
struct patches { /* applied one after the other */
    const struct patch *v;
    size_t n;
    bool status;         /* they change the status alone */
    unsigned validate;   /* VALIDATE_STRICT, or 0 */
};

/* Patches the resource as it is shown (secrets masked: those that are not touched stay), checks all
 * of what comes out and writes it, in the open transaction. FC_NOTFOUND; FC_INVALID, with the path,
 * also for another apiVersion, kind or name; FC_CONFLICT: a failed test, or another resourceVersion
 * than the patch wants. Where it wants none it is done again when somebody else was faster. */
int patch_put(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const struct patches *p, const struct actor *who, enum change *what,
    struct res *out, struct err *e);

struct patch_options {
    struct patches patches;
    bool dry_run;        /* it is done in transactions that are rolled back */
    const struct actor *who;
    /* Each one, in order, after the commit. */
    void (*each)(void *ctx, const struct kind *k, const char *name, enum change what);
    void (*progress)(void *ctx, size_t done, size_t total);
    void *ctx;
};
enum { PATCH_CHUNK = 100 }; /* resources of one transaction: nobody has the lock for long */

/* Patches many: nothing is written unless the patches fit all of them. Up to PATCH_CHUNK it is all
 * or nothing; the error of a later chunk names the last one that was patched. */
int patch_all(struct store *s, const struct targets *t, const struct patch_options *o,
    struct err *e);
/* What would become of each, as a unified diff. 1: there is some; 0: none; -1. */
int patch_diff(struct store *s, const struct targets *t, const struct patches *p, bool colour,
    struct buf *out, struct err *e);

/* The status of a document (validated with VALIDATE_STATUS, borrowed) becomes that of r, which is
 * read anew; never a generation or revision. FC_INVALID where users do not write it; FC_CONFLICT as
 * change_put. */
int status_put(struct store *s, struct arena *a, struct res *r, jv doc, const struct actor *who,
    enum change *what, struct err *e);

#endif
