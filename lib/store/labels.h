/* SPDX-License-Identifier: Apache-2.0 */
/* The label catalogue: which labels there are, each once. */
#ifndef FC_STORE_LABELS_H
#define FC_STORE_LABELS_H

#include "store/resource.h"

struct label_query {
    int64_t org;
    const struct kind *kind;       /* whose labels */
    const struct selector *labels; /* only those of resources that it picks; or NULL */
    const struct selector *fields; /* by those of kind Label; or NULL */
    int64_t limit;                 /* 0: no limit */
};
/* Calls each for every pair, sorted by key and value; the walk ends where it fails. A pair costs a
 * seek in the label index, a key that is not wanted one for all of its values. */
int labels_list(struct store *s, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e);

#endif
