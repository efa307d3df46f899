/* SPDX-License-Identifier: Apache-2.0 */
#include "store/token.h"

#include <stdio.h>
#include <string.h>

int token_add(struct store *s, const struct token *t, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_token_add, e);

    if (!st)
        return -1;
    st_text(st, 1, t->jti);
    st_int(st, 2, t->org);
    st_text(st, 3, t->subject);
    st_text(st, 4, t->roles);
    st_text(st, 5, t->groups);
    st_text(st, 6, t->key);
    st_int(st, 7, t->issued);
    st_text(st, 8, t->issued_by);
    st_int(st, 9, t->expires);
    return st_run(st, e) < 0 ? -1 : 0;
}

/* The row that the statement stands at. */
static void read_row(struct stmt *st, struct arena *a, struct token *out)
{
    *out = (struct token){
        .org = st_col_int(st, 1),
        .subject = arena_strdup(a, st_col_text(st, 2, NULL)),
        .roles = arena_strdup(a, st_col_text(st, 3, NULL)),
        .groups = arena_strdup(a, st_col_text(st, 4, NULL)),
        .key = arena_strdup(a, st_col_text(st, 5, NULL)),
        .issued = st_col_int(st, 6),
        .issued_by = arena_strdup(a, st_col_text(st, 7, NULL)),
        .expires = st_col_int(st, 8),
        .revoked = st_col_int(st, 9),
        .revoked_by = arena_strdup(a, st_col_text(st, 10, NULL)),
    };
    snprintf(out->jti, sizeof out->jti, "%s", st_col_text(st, 0, NULL));
}

int token_get(struct store *s, struct arena *a, const char *jti, struct token *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_token_get, e);
    int rc;

    if (!st)
        return -1;
    st_text(st, 1, jti);
    if ((rc = st_step(st, e)) == 1) {
        read_row(st, a, out);
        st_reset(st);
    }
    return rc;
}

int token_list(struct store *s, int64_t org, int (*each)(void *ctx, const struct token *t,
    struct err *e), void *ctx, struct err *e)
{
    struct token last = {0};
    int n, rc;

    do {
        struct arena *a AUTO_ARENA = arena_new();
        struct stmt *st = db_stmt(s->db, SQL_token_list, e);

        if (!st)
            return -1;
        st_int(st, 1, org);
        st_int(st, 2, last.issued);
        st_text(st, 3, last.jti);
        st_int(st, 4, LIST_MAX);
        for (n = 0; (rc = st_step(st, e)) == 1; n++) {
            struct token t;

            read_row(st, a, &t);
            if ((rc = each(ctx, &t, e)) != 0) {
                st_reset(st);
                return rc;
            }
            last.issued = t.issued;
            memcpy(last.jti, t.jti, sizeof last.jti); /* bound until the statement is done */
        }
    } while (rc == 0 && n == LIST_MAX);
    return rc;
}

int token_revoke(struct store *s, int64_t org, const char *jti, int64_t now, const char *by,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_token_revoke, e);
    int64_t n;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_text(st, 2, jti);
    st_int(st, 3, now);
    st_text(st, 4, by);
    n = st_run(st, e);
    return n < 0 ? -1 : n > 0;
}

/* --- keys of issuers --------------------------------------------------------------------------- */

int issuer_get(struct store *s, struct arena *a, const char *url, struct issuer *out,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_issuer_get, e);
    int rc;

    *out = (struct issuer){0};
    if (!st)
        return -1;
    st_text(st, 1, url);
    if ((rc = st_step(st, e)) != 1)
        return rc;
    *out = (struct issuer){
        .keys = arena_strdup(a, st_col_text(st, 0, NULL)),
        .fetched = st_col_int(st, 1),
        .tried = st_col_int(st, 2),
        .error = arena_strdup(a, st_col_text(st, 3, NULL)),
    };
    st_reset(st);
    return 1;
}

int issuer_keys(struct store *s, const char *url, const char *keys, int64_t now, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_issuer_keys, e);

    if (!st)
        return -1;
    st_text(st, 1, url);
    st_text(st, 2, keys);
    st_int(st, 3, now);
    return st_run(st, e) < 0 ? -1 : 0;
}

int issuer_failed(struct store *s, const char *url, const char *why, int64_t now, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_issuer_failed, e);

    if (!st)
        return -1;
    st_text(st, 1, url);
    st_int(st, 2, now);
    st_text(st, 3, why);
    return st_run(st, e) < 0 ? -1 : 0;
}

int issuer_drop(struct store *s, const char *url, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_issuer_drop, e);

    if (!st)
        return -1;
    st_text(st, 1, url);
    return st_run(st, e) < 0 ? -1 : 0;
}
