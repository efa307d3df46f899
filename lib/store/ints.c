/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ints.h"

struct stmt *ints_stmt(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e)
{
    struct stmt *st = db_stmt(s->db, name, e);

    for (size_t i = 0; st && i < n; i++)
        st_int(st, (int)i + 1, v[i]);
    return st;
}

int64_t ints_run(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e)
{
    struct stmt *st = ints_stmt(s, name, n, v, e);

    return st ? st_run(st, e) : -1;
}

int64_t ints_one(struct store *s, enum sql name, size_t n, const int64_t *v, struct err *e)
{
    struct stmt *st = ints_stmt(s, name, n, v, e);
    int64_t one;

    if (!st || st_step(st, e) != 1)
        return -1;
    one = st_col_int(st, 0);
    st_reset(st);
    return one;
}

int ints_list(struct store *s, enum sql name, size_t n, const int64_t *v, int64_t *ids,
    struct err *e)
{
    struct stmt *st = ints_stmt(s, name, n, v, e);
    int k = 0, rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1)
        ids[k++] = st_col_int(st, 0);
    return rc < 0 ? -1 : k;
}
