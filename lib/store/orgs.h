/* SPDX-License-Identifier: Apache-2.0 */
/* All organizations at once, for whoever keeps something about them in memory. */
#ifndef FC_STORE_ORGS_H
#define FC_STORE_ORGS_H

#include "store/store.h"

/* Another one after every commit that changed an organization. */
struct orgs_version {
    int64_t count, newest, changes;
};
int orgs_version(struct store *s, struct orgs_version *v, struct err *e);

/* spec: canonical text or NULL. Texts are valid during the call. */
typedef void orgs_each_fn(void *ctx, int64_t id, const char *uid, const char *name,
    const char *spec);
int orgs_each(struct store *s, orgs_each_fn *each, void *ctx, struct err *e);

#endif
