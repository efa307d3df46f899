/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside lib/db: PostgreSQL 13 and later by libpq, directly or through PgBouncer in transaction
 * mode. postgres.c implements struct db_ops, postgres_conn.c has the connection, postgres_stmt.c
 * statements, postgres_watch.c waits for changes, postgres_sql.c translates.
 */
#ifndef FC_DB_POSTGRES_H
#define FC_DB_POSTGRES_H

#include <libpq-fe.h>

#include "db/ops.h"

enum {
    PG_STATEMENT_MS = 60000,  /* a statement, where the server, role or URL sets no other limit */
    PG_MIGRATE_MS = 3600000,  /* a migration, which may rewrite large tables */
    PG_GRACE_MS = 2000,       /* beyond the server's own limit: then it does not answer */
    PG_CONNECT_S = 10,        /* a connection attempt to each host, unless the URL says else */
    PG_POSTS = 100,           /* statements under way: their results fit into a socket's buffer */
};

enum pg_tx {
    TX_NONE,
    TX_READ,
    TX_WRITE,
    TX_LOST, /* its connection is gone: nothing runs before it is rolled back */
};

struct pg {
    struct db db;
    char *url;
    PGconn *c;        /* NULL: lost */
    unsigned epoch;   /* counts connections: each has to prepare statements anew */
    unsigned names;   /* statement names given away */
    enum pg_tx tx;
    bool wrote;       /* the open transaction changed something */
    int posted;       /* statements under way (then libpq is in pipeline mode) */
    bool side;        /* the connection that writes last-seen */
    bool create;      /* DB_CREATE was given */
    bool direct;      /* not through a pooler */
    bool replica;     /* the server only reads */
    int patience;     /* ms to wait for locks and for a server that restarts */
    int limit;        /* ms that a statement may take */
    bool own_limit;   /* the limit is ours: through a pooler each transaction has to be told */
    int64_t version;  /* of the schema, learned on connecting; -1: ask */
    int64_t own;      /* commits of this connection that count in the store's */
    struct stmt *news;
    char *listen_url; /* where to LISTEN, or NULL */
    struct pg_watch *watch;
};

static inline struct pg *pg_of(struct db *d)
{
    return (struct pg *)d;
}

/* --- the connection (postgres_conn.c) -------------------------------------------------------- */

/* Files that a connection reads: certificates, keys, passwords; which are of the user. */
void pg_paths(const char *url, db_path_fn *tell, void *ctx);
/* Connects, learns what the server is and, where a store is expected, its schema version. */
int pg_connect(struct pg *p, struct err *e);
/* The same for a lost one, again and again until the patience ends while the server restarts. */
int pg_reconnect(struct pg *p, struct err *e);
/* A connection of its own to url; *direct: not through a pooler. NULL: error. */
PGconn *pg_connection(const char *url, const char *shown, int seconds, struct err *e);
/* Waits for the results of what was sent (sent: what PQsend... returned) and gives the last one, or
 * the one that failed. NULL with an error: the connection is lost, and a transaction with it. */
PGresult *pg_wait(struct pg *p, int sent, int ms, struct err *e);
/* Waits for all that was posted, and for what was sent after it if anything was: its result, or that
 * of the first that failed. NULL with an error as above. */
PGresult *pg_collect(struct pg *p, int sent, struct err *e);
/* Waits for what was posted, if anything was. -1: one has failed. */
int pg_settle(struct pg *p, struct err *e);
/* 0 if the result is good; else its error, and if the connection went with it, *lost. */
int pg_check(struct pg *p, const PGresult *r, struct err *e);
/* Statements without parameters, after all that was posted; all their results but the last dropped.
 * NULL: error. What posted statements failed of is no matter to a ROLLBACK. */
PGresult *pg_query(struct pg *p, const char *sql, int ms, struct err *e);
/* Drops the connection; with an error that says why. -1. */
void pg_lose(struct pg *p);
int pg_gone(struct pg *p, const char *why, struct err *e);

/* --- statements (postgres_stmt.c) ------------------------------------------------------------ */

struct stmt *pg_prepare(struct db *d, const char *sql, bool kept, struct err *e);
void pg_free(struct stmt *st);
bool pg_busy(struct stmt *st);
void pg_bind_text(struct stmt *st, int i, const char *s);
void pg_bind_int(struct stmt *st, int i, int64_t n);
int pg_step(struct stmt *st, struct err *e);
int64_t pg_run(struct stmt *st, struct err *e);
int pg_post(struct stmt *st, struct err *e);
void pg_reset(struct stmt *st);
int64_t pg_col_int(struct stmt *st, int i);
const char *pg_col_text(struct stmt *st, int i, size_t *n);

/* --- waiting (postgres_watch.c) -------------------------------------------------------------- */

int pg_watch_fd(struct db *d, struct err *e);
void pg_watch_drain(struct db *d);
/* The store's version was read: polling hurries when it is another one. */
void pg_watch_pace(struct pg *p, int64_t version);
void pg_watch_free(struct pg_watch *w);

/* --- text (postgres_sql.c) ------------------------------------------------------------------- */

/* A statement as PostgreSQL reads it, for the caller to free: $N for ?N, the table seen of the
 * lossy side by its name alone, or (not seen) an empty one: a replica has none. *nparams: the
 * largest N. */
char *pg_translate(const char *sql, bool seen, int *nparams);
/* The statements of a migration, with this database's types. */
char *pg_translate_tables(const char *sql);

#endif
