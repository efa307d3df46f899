/* SPDX-License-Identifier: Apache-2.0 */
/* In which organizations people are, and with which roles: decided once, kept for a while. */
#ifndef FC_API_RIGHTS_H
#define FC_API_RIGHTS_H

#include "api/core.h"

enum { RIGHTS_KEPT = 300 }; /* s; how long a decision is kept at most. A change of any organization
                               drops all of them at once */

struct right {
    int64_t org;
    const char *uid, *name; /* of the organization */
    unsigned roles;         /* enum role; 0: is in it, and may nothing */
};
struct rights {
    size_t n;
    struct right v[]; /* by org */
};

struct rights_cache;
struct rights_cache *rights_cache_new(void);
void rights_cache_free(struct rights_cache *k);
/* Forgets all: what was read in a transaction that is undone was never true. */
void rights_cache_drop(struct rights_cache *k);

/* What the caller (WHO_USER) has; valid until the next call. One whose proof names an organization
 * has that alone, with what the proof gives beside what is assigned. */
int rights_of(struct call *c, const struct rights **out, struct err *e);

#endif
