/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of table label: the labels of a resource, its selectable fields that are members of spec or
 * status under the key "@FIELD", and the name of a child without its parent ("@metadata.name").
 * No label's key begins with '@'.
 */
#ifndef FC_STORE_INDEX_H
#define FC_STORE_INDEX_H

#include "store/resource.h"

/* The rows of what INDEX_* parts r has, as an object {key: value}; the caller frees it. */
enum { INDEX_USER = 1 << 0 /* labels, name, spec */, INDEX_STATUS = 1 << 1 };
jv index_rows(const struct res *r, unsigned parts);

int index_add(struct store *s, const struct res *r, struct err *e);
int index_update(struct store *s, const struct res *old, const struct res *new, struct err *e);
int index_status(struct store *s, int64_t id, const char *status, struct err *e);
int index_delete(struct store *s, int64_t id, struct err *e);
/* Adds the rows of fields to the resources of a store that had those of labels alone. */
int index_fields(struct store *s, struct err *e);

#endif
