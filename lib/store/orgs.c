/* SPDX-License-Identifier: Apache-2.0 */
#include "store/orgs.h"

/* Numbers of organizations are never used again and versions only grow, so that no two states that
 * follow one another have the same three numbers. */
int orgs_version(struct store *s, struct orgs_version *v, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_orgs_version, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, ORG_DEFAULT_ID);
    if ((rc = st_step(st, e)) == 1) {
        *v = (struct orgs_version){st_col_int(st, 0), st_col_int(st, 1), st_col_int(st, 2)};
        st_reset(st);
    }
    return rc < 0 ? -1 : 0;
}

int orgs_each(struct store *s, orgs_each_fn *each, void *ctx, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_orgs_each, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, ORG_DEFAULT_ID);
    while ((rc = st_step(st, e)) == 1)
        each(ctx, st_col_int(st, 0), st_col_text(st, 1, NULL), st_col_text(st, 2, NULL),
            st_col_text(st, 3, NULL));
    return rc;
}
