/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors by labels and by fields: parsing and matching. The grammar is that of Kubernetes' label
 * selectors (k, !k, k=v, k==v, k!=v, k in (a,b), k notin (a,b), comma = and). Labels have key sets
 * beside it: (k1,k2) in ((v1,v2),(v3,v4)), (k1,k2)=(v1,v2), (k1,k2)!=(v1,v2); fields that are
 * columns have k contains v and k notcontains v, times have <, <=, > and >=. lib/store compiles the
 * same structure to SQL.
 */
#ifndef FC_FLEET_SELECTOR_H
#define FC_FLEET_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"

/* A requirement becomes a condition of one SQL statement and each string a bound value, of which
 * SQLite takes 32,766. */
enum {
    SELECTOR_TEXT = 64 << 10,  /* bytes of the text form */
    SELECTOR_REQS = 1000,      /* requirements of one selector */
    SELECTOR_SET = 1000,       /* strings in one list of keys or values */
    SELECTOR_STRINGS = 10000,  /* keys and values of one selector */
};

enum sel_op {
    SEL_EXISTS, SEL_NOT_EXISTS, SEL_IN, SEL_NOT_IN, /* = and == are IN, != is NOT_IN */
    SEL_CONTAINS, SEL_NOT_CONTAINS, SEL_LT, SEL_LE, SEL_GT, SEL_GE, /* one value; fields alone */
};

struct field;
struct field_value;

struct sel_req {
    enum sel_op op;
    const struct field *field; /* NULL: labels */
    size_t nkeys;             /* 1, or more for a key set */
    const char *const *keys;
    size_t nvalues;           /* tuples; 0 for (NOT_)EXISTS */
    const char *const *values; /* nvalues * nkeys strings, tuple after tuple */
};

/* All requirements must hold. n == 0 matches everything, unless `nothing` is set. */
struct selector {
    bool nothing;
    size_t n;
    struct sel_req *req;
};

/* Parses the text form; memory comes from the arena. FC_INVALID with the position ("at 7: expected
 * ',' or end, found 'x'", counted in bytes from 1). Empty text matches everything. */
int selector_parse(struct arena *a, const char *text, struct selector *out, struct err *e);
/* The same for fields, of a table that ends with {0}. */
int selector_parse_fields(struct arena *a, const char *text, const struct field *fields,
    struct selector *out, struct err *e);
/* From a resource's {matchLabels, matchExpressions} (borrowed). An empty or missing one matches
 * nothing, as a fleet's selector does. */
int selector_from_json(struct arena *a, jv v, struct selector *out, struct err *e);
/* labels: a JSON object of strings (borrowed), or anything else for none. Negative operators
 * also hold when the key is absent; a key set needs all its keys for IN. */
bool selector_match(const struct selector *s, jv labels);
/* A selector by labels or by fields against a document (borrowed): an absent field is as an absent
 * label. */
bool selector_match_doc(const struct selector *s, jv doc);
/* Does a requirement of a field hold where it has these values? */
bool selector_holds(const struct sel_req *r, const struct field_value *v, size_t n);
/* The operator that op is the negation of, or op itself. */
enum sel_op sel_positive(enum sel_op op);
/* The text form, for messages and tests; parsing it gives the same selector. One that matches
 * nothing has no such form and is written as "<nothing>", which no parser takes. */
void selector_write(struct buf *b, const struct selector *s);

#endif
