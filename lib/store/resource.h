/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: rows of every kind, their labels, lists. */
#ifndef FC_STORE_RESOURCE_H
#define FC_STORE_RESOURCE_H

#include "store/select.h"
#include "store/store.h"

struct res {
    int64_t id;               /* row; 0 before it is inserted */
    int64_t org;
    const struct kind *kind;
    const char *name;         /* store name: of a KIND_CHILD "parent/name" */
    const char *uid;
    int64_t generation, version, created;
    const char *owner;        /* "Fleet/x" or NULL */
    const char *labels, *annotations; /* canonical JSON objects, "{}" for none */
    const char *spec, *status;        /* canonical JSON or NULL */
    const struct device *device;      /* of lists with `shown`: what is shown of a device; or NULL */
};

/* metadata.name of a resource: the store name without its parent. */
const char *res_meta_name(const struct res *r);

/* The organization that rows of kind k belong to, for one who acts in `org`. */
static inline int64_t res_scope(const struct kind *k, int64_t org)
{
    return k->flags & KIND_GLOBAL ? ORG_DEFAULT_ID : org;
}

/* 1 found, 0 not, -1 error. */
int res_get(struct store *s, struct arena *a, int64_t org, const struct kind *k, const char *name,
    struct res *out, struct err *e);
int res_get_id(struct store *s, struct arena *a, int64_t id, struct res *out, struct err *e);

/* Fills, where they are NULL or 0, id, uid, version (1) and created. A taken name is FC_CONFLICT. */
int res_insert(struct store *s, struct arena *a, struct res *r, struct err *e);
/* Replaces owner, labels, annotations, spec, generation of old's row (label rows follow) and
 * counts the version on. FC_CONFLICT if the row is no longer at old->version. Sets new->version. */
int res_update(struct store *s, const struct res *old, struct res *new, struct err *e);
/* Writes status alone and counts the version on; no revision, no generation. */
int res_set_status(struct store *s, int64_t id, const char *status, struct err *e);
/* The system's own bookkeeping: does not move the version. */
int res_set_owner(struct store *s, int64_t id, const char *owner, struct err *e);
/* Is a row what its kind's schema allows? FC_INVALID with the member and what is wrong; its texts
 * must be JSON. */
int res_validate(const struct res *r, struct err *e);
int res_delete(struct store *s, const struct res *r, struct err *e);

/* Ids of up to max resources with a label, in any order. How many. */
int label_some(struct store *s, int64_t org, int kind, const char *key, const char *value, int max,
    int64_t *ids, struct err *e);

struct res_query {
    int64_t org;
    const struct kind *kind;
    const struct selector *labels; /* NULL: all */
    const struct selector *fields; /* NULL: all; of the kind's */
    int64_t now;                   /* where fields are states of devices: which time's */
    const char *parent;            /* KIND_CHILD: only those of this parent, or NULL */
    const char *const *names;      /* only these, or NULL */
    size_t nnames;
    const char *from;              /* first name (inclusive), or NULL */
    int64_t limit;                 /* 0: no limit */
    bool shown;                    /* lists: res_write follows */
};
struct res_iter;
/* By name, read a page of LIST_MAX at a time: in a transaction all of one instant, outside of one
 * each page as it is then. What q points to stays until the end. */
int res_list(struct store *s, const struct res_query *q, struct res_iter **it, struct err *e);
/* The query that res_list makes of q for its first page, with a limit: to look at its plan. */
int res_list_sql(struct store *s, const struct res_query *q, struct sql_buf *out, struct err *e);
/* 1: *out is filled, valid until the next call; 0: end; -1: error. */
int res_next(struct res_iter *it, struct res *out, struct err *e);
void res_list_end(struct res_iter *it); /* NULL is fine */
/* Appends a query of their ids, of the first by name with a limit; texts are borrowed. */
int res_ids(struct store *s, const struct res_query *q, struct sql_buf *out, struct err *e);
/* How many match, counted up to cap (0: all). -1: error. */
int64_t res_count(struct store *s, const struct res_query *q, int64_t cap, struct err *e);

#endif
