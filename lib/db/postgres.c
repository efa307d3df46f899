/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam over PostgreSQL: one writer at a time, like SQLite's. Each write transaction takes the
 * store's advisory lock, so that the same code sees the same on both databases, and sequences of
 * events commit in their order.
 */
#include "db/postgres.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The lock's number: of the meta table, so that several stores of a database have one each. */
#define LOCK_KEY "(CAST(1717775665 AS bigint) << 32) | " \
    "coalesce(CAST(CAST(to_regclass('meta') AS oid) AS bigint), 0)"
#define LOCK "SELECT pg_advisory_xact_lock(" LOCK_KEY ")"
/* Writers of last-seen have one of their own, and lose a little with the server's power. */
#define LOCK_SIDE "SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock(-(" \
    LOCK_KEY "))"
/* A commit waits for the disk, whatever the role's default; an administrator may ask for more. */
#define DURABLE "SELECT set_config('synchronous_commit', 'on', true) " \
    "WHERE current_setting('synchronous_commit') = 'off'; "

/* What a store has here beside the tables that migrations make: last-seen, which a crash of the
 * server empties, and the count of commits. */
static const char own_tables[] =
    ";CREATE UNLOGGED TABLE seen (id BIGINT PRIMARY KEY, at BIGINT NOT NULL, "
    "back BIGINT NOT NULL DEFAULT 0);"
    "CREATE INDEX seen_at ON seen (at); CREATE INDEX seen_back ON seen (back);"
    "INSERT INTO meta (key, value) VALUES ('fc-commits', '0')";

static void pg_close(struct db *db)
{
    struct pg *p = pg_of(db);

    st_free(p->news);
    pg_watch_free(p->watch);
    PQfinish(p->c);
    free(p->url);
    free(p->listen_url);
    free(p);
}

static int pg_open(struct db **out, const char *url, int flags, struct err *e)
{
    struct pg *p = xcalloc(1, sizeof *p);

    p->db.ops = &db_postgres;
    p->db.path = db_shown(url);
    p->url = xstrdup(url);
    p->side = flags & DB_SEEN;
    p->create = flags & DB_CREATE;
    p->patience = DB_BUSY_MS;
    if (pg_connect(p, e) < 0) {
        db_close(&p->db);
        return -1;
    }
    *out = &p->db;
    return 0;
}

static void pg_patience(struct db *d, int ms)
{
    pg_of(d)->patience = ms;
}

static void pg_listen(struct db *d, const char *url)
{
    struct pg *p = pg_of(d);

    free(p->listen_url);
    p->listen_url = xstrdup(url);
}

static int pg_attach_seen(struct db *d, struct err *e)
{
    (void)d, (void)e; /* a table beside the others */
    return 0;
}

static int pg_exec_limited(struct db *d, const char *sql, int ms, struct err *e)
{
    struct pg *p = pg_of(d);
    PGresult *r;

    if (p->tx == TX_LOST)
        return err_set(e, FC_AGAIN, "%s: the connection to the database was lost, the transaction "
            "is undone", d->path);
    if (!p->c && pg_reconnect(p, e) < 0)
        return -1;
    if (!(r = pg_query(p, sql, ms, e)))
        return -1;
    PQclear(r);
    return 0;
}

static int pg_exec(struct db *d, const char *sql, struct err *e)
{
    return pg_exec_limited(d, sql, pg_of(d)->limit, e);
}

/* --- the schema ------------------------------------------------------------------------------ */

static int foreign(struct db *d, struct err *e)
{
    return err_set(e, FC_INVALID, "%s: not a store: another program's database", d->path);
}

static int pg_schema(struct db *d, int64_t *v, struct err *e)
{
    struct pg *p = pg_of(d);
    bool there, empty;
    PGresult *r;

    if (p->version >= 0) { /* as it was on connecting; ask when asked again */
        *v = p->version;
        p->version = -1;
        return 0;
    }
    r = pg_query(p, "SELECT current_schema(), EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = "
        "to_regnamespace(quote_ident(current_schema()))), (SELECT count(*) FROM pg_attribute WHERE "
        "attrelid = to_regclass('meta') AND attname IN ('key', 'value'))", p->limit, e);
    if (!r)
        return -1;
    if (PQgetisnull(r, 0, 0)) {
        PQclear(r);
        return err_set(e, FC_NOTFOUND, "%s: its search_path names no schema that exists", d->path);
    }
    empty = PQgetvalue(r, 0, 1)[0] == 'f';
    there = strcmp(PQgetvalue(r, 0, 2), "2") == 0;
    PQclear(r);
    *v = 0;
    if (!there)
        return empty ? 0 : foreign(d, e);
    r = pg_query(p, "SELECT value FROM meta WHERE key = 'fc-schema'", p->limit, e);
    if (!r)
        return -1;
    if (PQntuples(r) == 1)
        *v = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return *v > 0 ? 0 : foreign(d, e);
}

static int pg_migrate(struct db *d, const char *sql, int version, struct err *e)
{
    char *tables AUTO_FREE = pg_translate_tables(sql);
    char *all AUTO_FREE = xasprintf("SET LOCAL statement_timeout = %d; %s%s; "
        "INSERT INTO meta (key, value) VALUES ('fc-schema', '%d') ON CONFLICT (key) "
        "DO UPDATE SET value = excluded.value", PG_MIGRATE_MS, tables,
        version == 1 ? own_tables : "", version);

    pg_of(d)->wrote = true;
    return pg_exec_limited(d, all, PG_MIGRATE_MS, e);
}

/* --- transactions ---------------------------------------------------------------------------- */

static int pg_begin(struct db *d, bool write, struct err *e)
{
    struct pg *p = pg_of(d);
    bool again = p->c != NULL;
    char sql[768], limit[64] = "";
    PGresult *r;

    p->tx = TX_NONE;
    p->version = -1; /* what it was on connecting may have changed */
    if (!p->c && pg_reconnect(p, e) < 0)
        return -1;
    for (;;) {
        if (!p->direct && p->own_limit)
            snprintf(limit, sizeof limit, "SET LOCAL statement_timeout = %d; ", PG_STATEMENT_MS);
        if (write)
            snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; %s"
                "SET LOCAL lock_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d; "
                "%s", limit, p->patience > 0 ? p->patience : 1,
                PG_STATEMENT_MS, p->side ? LOCK_SIDE : DURABLE LOCK);
        else
            snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; %s", limit);
        r = pg_query(p, sql, p->limit > p->patience ? p->limit : p->patience, e);
        if (r)
            break;
        if (p->c) { /* it began, and the lock was not to be had */
            PQclear(pg_query(p, "ROLLBACK", p->limit, NULL));
            return write && p->replica ? err_set(e, FC_DENIED, "%s: the store cannot be written: "
                "the server is a replica", d->path) : -1;
        }
        if (!again || pg_reconnect(p, e) < 0)
            return -1;
        again = false;
    }
    PQclear(r);
    p->tx = write ? TX_WRITE : TX_READ;
    p->wrote = false;
    return 0;
}

static bool pg_in_transaction(struct db *d)
{
    return pg_of(d)->tx == TX_READ || pg_of(d)->tx == TX_WRITE;
}

static void pg_rollback(struct db *d)
{
    struct pg *p = pg_of(d);

    if (pg_in_transaction(d)) {
        PGresult *r = pg_query(p, "ROLLBACK", p->limit, NULL);

        if (!r)
            pg_lose(p);
        PQclear(r);
    }
    p->tx = TX_NONE;
}

static int pg_commit(struct db *d, struct err *e)
{
    struct pg *p = pg_of(d);
    struct err why = {0};
    bool counts, done;
    PGresult *r;

    if (p->tx == TX_LOST) {
        p->tx = TX_NONE;
        return err_set(e, FC_AGAIN, "%s: the connection to the database was lost, the transaction "
            "is undone", d->path);
    }
    if (pg_settle(p, e) < 0) {
        pg_rollback(d);
        return -1;
    }
    counts = p->wrote && !p->side;
    r = pg_query(p, counts ? "UPDATE meta SET value = CAST(CAST(value AS bigint) + 1 AS text) "
        "WHERE key = 'fc-commits'; NOTIFY fc_store; COMMIT" : "COMMIT", p->limit, &why);
    if (!r) {
        bool unknown = !p->c;

        pg_rollback(d);
        return err_set(e, why.code, unknown ? "%s: the connection to the database was lost during "
            "a commit: whether it happened is not known" : "%s", unknown ? d->path : why.msg);
    }
    /* One that an error has aborted ends so, too. */
    done = strcmp(PQcmdStatus(r), "COMMIT") == 0;
    PQclear(r);
    p->tx = TX_NONE;
    if (!done)
        return err_set(e, FC_FAIL, "%s: the transaction was undone", d->path);
    p->own += counts;
    return 0;
}

static int64_t pg_data_version(struct db *d, struct err *e)
{
    struct pg *p = pg_of(d);
    int64_t v;

    if (!p->news) {
        p->news = pg_prepare(d, "SELECT value FROM meta WHERE key = 'fc-commits'", true, e);
        p->news->ops = d->ops;
        p->news->db = d;
    }
    if (st_step(p->news, e) != 1)
        return -1;
    v = st_col_int(p->news, 0) - p->own;
    st_reset(p->news);
    pg_watch_pace(p, v);
    return v;
}

const struct db_ops db_postgres = {
    .open = pg_open,
    .paths = pg_paths,
    .close = pg_close,
    .patience = pg_patience,
    .listen = pg_listen,
    .lazy = " LIMIT (SELECT 9223372036854775807)",
    .attach_seen = pg_attach_seen,
    .schema = pg_schema,
    .migrate = pg_migrate,
    .exec = pg_exec,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .in_transaction = pg_in_transaction,
    .prepare = pg_prepare,
    .free = pg_free,
    .busy = pg_busy,
    .bind_text = pg_bind_text,
    .bind_int = pg_bind_int,
    .step = pg_step,
    .run = pg_run,
    .post = pg_post,
    .reset = pg_reset,
    .col_int = pg_col_int,
    .col_text = pg_col_text,
    .data_version = pg_data_version,
    .watch_fd = pg_watch_fd,
    .watch_drain = pg_watch_drain,
};
