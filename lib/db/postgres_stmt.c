/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements on PostgreSQL. A result is fetched whole, so that other statements can run while it
 * is read. One that runs again on a direct connection is prepared there; through a pooler each
 * run may meet another server, so none is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "db/postgres.h"

enum { /* types of parameters (pg_type), so that none is guessed from a constant beside it */
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_TEXT = 25,
};

struct pg_stmt {
    struct stmt st;
    char *sql;
    bool kept;      /* it may run often */
    bool reads;     /* can be done again without harm */
    unsigned runs;
    unsigned epoch; /* of the connection that knows it by its name; 0: none */
    unsigned name;
    int n;          /* parameters */
    const char **value;
    Oid *type;
    char (*number)[24];
    PGresult *rows; /* being read; NULL: not */
    int row;
};

static struct pg_stmt *of(struct stmt *st)
{
    return (struct pg_stmt *)st;
}

struct stmt *pg_prepare(struct db *d, const char *sql, bool kept, struct err *e)
{
    struct pg_stmt *st = xcalloc(1, sizeof *st);

    (void)e;
    st->sql = pg_translate(sql, !pg_of(d)->replica, &st->n);
    st->kept = kept;
    st->reads = strncasecmp(sql + strspn(sql, " \n("), "SELECT", 6) == 0;
    st->value = xcalloc((size_t)st->n + 1, sizeof *st->value);
    st->type = xcalloc((size_t)st->n + 1, sizeof *st->type);
    st->number = xcalloc((size_t)st->n + 1, sizeof *st->number);
    return &st->st;
}

void pg_free(struct stmt *base)
{
    struct pg_stmt *st = of(base);

    PQclear(st->rows);
    free(st->sql);
    free(st->value);
    free(st->type);
    free(st->number);
    free(st);
}

bool pg_busy(struct stmt *st)
{
    return of(st)->rows != NULL;
}

static void bind(struct pg_stmt *st, int i, const char *s, Oid type)
{
    if (i < 1 || i > st->n)
        die("bind: no parameter %d: %s", i, st->sql);
    st->value[i - 1] = s;
    st->type[i - 1] = type;
}

void pg_bind_text(struct stmt *st, int i, const char *s)
{
    bind(of(st), i, s, s ? OID_TEXT : 0);
}

void pg_bind_int(struct stmt *base, int i, int64_t n)
{
    struct pg_stmt *st = of(base);

    if (i >= 1 && i <= st->n)
        snprintf(st->number[i - 1], sizeof *st->number, "%" PRId64, n);
    bind(st, i, i >= 1 && i <= st->n ? st->number[i - 1] : NULL, OID_INT8);
}

void pg_reset(struct stmt *base)
{
    struct pg_stmt *st = of(base);

    PQclear(st->rows);
    st->rows = NULL;
    memset(st->value, 0, (size_t)st->n * sizeof *st->value);
    memset(st->type, 0, (size_t)st->n * sizeof *st->type);
}

/* By its name where the connection knows it, or shall know it. */
static PGresult *send_and_wait(struct pg *p, struct pg_stmt *st, struct err *e)
{
    char name[24];
    int sent;

    if (st->kept && p->direct && (st->epoch == p->epoch || st->runs > 0)) {
        if (!st->name)
            st->name = ++p->names;
        snprintf(name, sizeof name, "fc%u", st->name);
        if (st->epoch != p->epoch) {
            PGresult *r;

            if (pg_settle(p, e) < 0)
                return NULL;
            r = pg_wait(p, PQsendPrepare(p->c, name, st->sql, st->n, st->type), p->limit, e);
            if (!r || PQresultStatus(r) != PGRES_COMMAND_OK)
                return r;
            PQclear(r);
            st->epoch = p->epoch;
        }
        sent = PQsendQueryPrepared(p->c, name, st->n, st->value, NULL, NULL, 0);
    } else
        sent = PQsendQueryParams(p->c, st->sql, st->n, st->type, st->value, NULL, NULL, 0);
    st->runs++;
    return p->posted ? pg_collect(p, sent, e) : pg_wait(p, sent, p->limit, e);
}

/* Outside of a transaction what only reads is done again once, when the connection was lost. */
static PGresult *execute(struct pg_stmt *st, struct err *e)
{
    struct pg *p = pg_of(st->st.db);
    bool again = p->tx == TX_NONE && st->reads;

    if (p->tx == TX_LOST) {
        err_set(e, FC_AGAIN, "%s: the connection to the database was lost, the transaction is "
            "undone", p->db.path);
        return NULL;
    }
    if (!p->c) {
        if (pg_reconnect(p, e) < 0)
            return NULL;
        again = false;
    }
    for (;;) {
        PGresult *r = send_and_wait(p, st, e);

        if (r && pg_check(p, r, e) == 0)
            return r;
        PQclear(r);
        if (p->c || !again)
            return NULL;
        again = false;
        if (pg_reconnect(p, e) < 0)
            return NULL;
    }
}

int pg_step(struct stmt *base, struct err *e)
{
    struct pg_stmt *st = of(base);

    if (!st->rows) {
        if (!(st->rows = execute(st, e))) {
            pg_reset(base);
            return -1;
        }
        if (!st->reads)
            pg_of(base->db)->wrote = true;
        st->row = -1;
    }
    if (++st->row < PQntuples(st->rows))
        return 1;
    pg_reset(base);
    return 0;
}

int64_t pg_run(struct stmt *base, struct err *e)
{
    struct pg_stmt *st = of(base);
    PGresult *r = execute(st, e);
    int64_t n = -1;

    if (r) {
        n = strtoll(PQcmdTuples(r), NULL, 10);
        if (n > 0 && !st->reads)
            pg_of(base->db)->wrote = true;
        PQclear(r);
    }
    pg_reset(base);
    return n;
}

/* Sent only, in libpq's pipeline mode, if the server knows it already. */
int pg_post(struct stmt *base, struct err *e)
{
    struct pg_stmt *st = of(base);
    struct pg *p = pg_of(base->db);
    char name[24];

    if (p->tx != TX_WRITE || !p->direct || st->epoch != p->epoch)
        return pg_run(base, e) < 0 ? -1 : 0;
    if (!p->posted && !PQenterPipelineMode(p->c))
        die("libpq: %s", PQerrorMessage(p->c));
    snprintf(name, sizeof name, "fc%u", st->name);
    p->posted++;
    if (!PQsendQueryPrepared(p->c, name, st->n, st->value, NULL, NULL, 0)) {
        pg_reset(base);
        return pg_gone(p, PQerrorMessage(p->c), e);
    }
    pg_reset(base);
    return p->posted < PG_POSTS ? 0 : pg_settle(p, e);
}

int64_t pg_col_int(struct stmt *base, int i)
{
    struct pg_stmt *st = of(base);
    const char *v = PQgetvalue(st->rows, st->row, i);

    return PQftype(st->rows, i) == OID_BOOL ? *v == 't' : strtoll(v, NULL, 10);
}

const char *pg_col_text(struct stmt *base, int i, size_t *n)
{
    struct pg_stmt *st = of(base);
    bool null = PQgetisnull(st->rows, st->row, i);

    if (n)
        *n = null ? 0 : (size_t)PQgetlength(st->rows, st->row, i);
    return null ? NULL : PQgetvalue(st->rows, st->row, i);
}
