/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the store: named statements whose parameters are integers alone, bound in their order. */
#ifndef FC_STORE_INTS_H
#define FC_STORE_INTS_H

#include "store/store.h"

/* The statement with its parameters, for the caller to step. NULL: error. */
struct stmt *ints_stmt(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e);
/* Run to its end. Rows changed or -1. */
int64_t ints_run(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e);
/* The number that a query of one row answers, which is never negative; -1: error. */
int64_t ints_one(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e);
/* Ids that a query answers; its last parameter is how many there is room for. Their number or
 * -1. */
int ints_list(struct store *s, enum sql name, size_t n, const int64_t *v, int64_t *ids,
    struct err *e);

/* The same with the parameters spelled out at the end. */
#define INTS(...) LEN(((int64_t[]){__VA_ARGS__})), (int64_t[]){__VA_ARGS__}
#define STMT(s, name, e, ...) ints_stmt(s, name, INTS(__VA_ARGS__), e)
#define RUN(s, name, e, ...) ints_run(s, name, INTS(__VA_ARGS__), e)
#define ONE(s, name, e, ...) ints_one(s, name, INTS(__VA_ARGS__), e)
#define LIST(s, name, ids, e, ...) ints_list(s, name, INTS(__VA_ARGS__), ids, e)

#endif
