/* SPDX-License-Identifier: Apache-2.0 */
/* What all databases share: which one a URL means, the named statements, savepoints. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/mod.h"
#include "base/text.h"
#include "db/ops.h"

static bool begins(const char *url, const char *scheme)
{
    return strncmp(url, scheme, strlen(scheme)) == 0;
}

static bool is_sqlite(const char *url)
{
    return begins(url, "sqlite:") && url[7];
}

static bool is_postgres(const char *url)
{
    return begins(url, "postgres://") || begins(url, "postgresql://");
}

static const struct db_ops *postgres(struct err *e)
{
    const struct db_ops *const *ops = mod_symbol("postgres", "postgres_ops", e);

    return ops ? *ops : NULL;
}

void db_paths(const char *url, db_path_fn *tell, void *ctx)
{
    const struct db_ops *ops = is_sqlite(url) ? &db_sqlite :
        is_postgres(url) ? postgres(NULL) : NULL;

    if (ops)
        ops->paths(url, tell, ctx);
}

int db_open(struct db **out, const char *url, int flags, struct err *e)
{
    const struct db_ops *ops;
    char *shown AUTO_FREE = NULL;

    if (is_sqlite(url))
        return db_sqlite.open(out, url, flags, e);
    if (is_postgres(url))
        return (ops = postgres(e)) ? ops->open(out, url, flags, e) : -1;
    if (begins(url, "https://"))
        return err_set(e, FC_USAGE, "%s: this command works on a store of its own, not "
            "through an API", url);
    shown = db_shown(url);
    return err_set(e, FC_USAGE, "store %s: unknown kind of store (sqlite:PATH, postgres://... or "
        "https://HOST)", shown);
}

/* "scheme://user:PASSWORD@host/db?password=PASSWORD&...", without the passwords. */
char *db_shown(const char *url)
{
    struct buf b = BUF_INIT;
    const char *s = strstr(url, "://"), *at, *colon;
    size_t n;

    if (!s || begins(url, "sqlite:"))
        return xstrdup(url);
    s += 3;
    at = strchr(s, '@');
    colon = strchr(s, ':');
    if (at && colon && colon < at && !memchr(s, '?', (size_t)(at - s))) {
        /* a password may hold an unescaped '@' by mistake */
        while (strchr(at + 1, '@') && strcspn(at, "/?") > strcspn(at + 1, "@"))
            at = strchr(at + 1, '@');
        buf_add(&b, url, (size_t)(colon - url));
        url = at;
    }
    n = strcspn(url, "?");
    buf_add(&b, url, n);
    for (url += n; *url; url += n) { /* at '?' or '&' */
        n = 1 + strcspn(url + 1, "&");
        if (!memmem(url, n, "password=", 9))
            buf_add(&b, url, n);
    }
    return buf_steal(&b);
}

void db_listen(struct db *d, const char *url)
{
    if (d->ops->listen)
        d->ops->listen(d, url);
}

void db_patience(struct db *d, int ms)
{
    d->ops->patience(d, ms);
}

static void drop(struct stmt *st)
{
    if (!st)
        return;
    free(st->text);
    st->ops->free(st);
}

void db_close(struct db *d)
{
    int i;

    if (!d)
        return;
    for (i = 0; i < SQL_COUNT; i++)
        st_free(d->named[i]);
    for (i = 0; i < DB_SPARES; i++)
        drop(d->spare[i]);
    free(d->path);
    d->ops->close(d);
}

int db_attach_seen(struct db *d, struct err *e)
{
    return d->ops->attach_seen(d, e);
}

int db_schema(struct db *d, int64_t *version, struct err *e)
{
    return d->ops->schema(d, version, e);
}

int db_migrate(struct db *d, const char *sql, int version, struct err *e)
{
    return d->ops->migrate(d, sql, version, e);
}

int db_exec(struct db *d, const char *sql, struct err *e)
{
    return d->ops->exec(d, sql, e);
}

int db_begin(struct db *d, bool write, struct err *e)
{
    return d->ops->begin(d, write, e);
}

int db_hold(struct db *d, struct err *e)
{
    return d->ops->hold ? d->ops->hold(d, e) : 0;
}

void db_let_go(struct db *d)
{
    if (d->ops->let_go)
        d->ops->let_go(d);
}

int db_commit(struct db *d, struct err *e)
{
    d->depth = 0;
    return d->ops->commit(d, e);
}

void db_rollback(struct db *d)
{
    d->depth = 0;
    d->ops->rollback(d);
}

bool db_in_transaction(struct db *d)
{
    return d->ops->in_transaction(d);
}

static int savepoint(struct db *d, const char *verb, int depth, struct err *e)
{
    char sql[64];

    snprintf(sql, sizeof sql, "%s sp%d", verb, depth);
    return db_exec(d, sql, e);
}

int db_savepoint(struct db *d, struct err *e)
{
    if (!db_in_transaction(d)) /* a full disk may have ended it; alone this one would commit */
        return err_set(e, FC_FAIL, "%s: the transaction was undone", d->path);
    if (savepoint(d, "SAVEPOINT", d->depth, e) < 0)
        return -1;
    d->depth++;
    return 0;
}

int db_release(struct db *d, struct err *e)
{
    if (savepoint(d, "RELEASE", d->depth - 1, e) < 0) { /* what was posted has failed */
        db_rollback_to(d);
        return -1;
    }
    d->depth--;
    return 0;
}

void db_rollback_to(struct db *d)
{
    d->depth--;
    if (db_in_transaction(d)) { /* a full disk may have ended the transaction already */
        savepoint(d, "ROLLBACK TO", d->depth, NULL);
        savepoint(d, "RELEASE", d->depth, NULL);
    }
}

static struct stmt *prepare(struct db *d, const char *sql, bool kept, struct err *e)
{
    struct stmt *st = d->ops->prepare(d, sql, kept, e);

    if (st) {
        st->ops = d->ops;
        st->db = d;
    }
    return st;
}

struct stmt *db_prepare(struct db *d, const char *sql, struct err *e)
{
    return prepare(d, sql, false, e);
}

struct stmt *db_stmt(struct db *d, enum sql name, struct err *e)
{
    struct stmt *st = d->named[name];

    if (!st)
        return d->named[name] = prepare(d, sql_text[name], true, e);
    if (st->ops->busy(st)) /* somebody up the stack still reads from it */
        die("used inside itself: %s", sql_text[name]);
    st_reset(st);
    return st;
}

struct stmt *db_prepare_again(struct db *d, const char *sql, struct err *e)
{
    struct stmt *st;

    for (int i = 0; i < DB_SPARES && d->spare[i]; i++) {
        if (strcmp(d->spare[i]->text, sql) != 0)
            continue;
        st = d->spare[i];
        memmove(&d->spare[i], &d->spare[i + 1], (size_t)(DB_SPARES - 1 - i) * sizeof st);
        d->spare[DB_SPARES - 1] = NULL;
        return st;
    }
    st = prepare(d, sql, false, e);
    if (st && strlen(sql) <= DB_SPARE_TEXT)
        st->text = xstrdup(sql);
    return st;
}

void st_free(struct stmt *st)
{
    struct stmt **spare;

    if (!st || !st->text) {
        drop(st);
        return;
    }
    st_reset(st);
    spare = st->db->spare;
    drop(spare[DB_SPARES - 1]);
    memmove(&spare[1], &spare[0], (DB_SPARES - 1) * sizeof st);
    spare[0] = st;
}

void st_text(struct stmt *st, int i, const char *s)
{
    st->bad = st->bad || (s && !utf8_valid(s, strlen(s)));
    st->ops->bind_text(st, i, s);
}

void st_int(struct stmt *st, int i, int64_t n)
{
    st->ops->bind_int(st, i, n);
}

void st_null(struct stmt *st, int i)
{
    st->ops->bind_text(st, i, NULL);
}

/* SQLite would store it, and PostgreSQL end the transaction. */
static int refuse(struct stmt *st, struct err *e)
{
    st_reset(st);
    return err_set(e, FC_INVALID, "a text that is not UTF-8");
}

int st_step(struct stmt *st, struct err *e)
{
    if (st->bad)
        return refuse(st, e);
    return st->ops->step(st, e);
}

int64_t st_run(struct stmt *st, struct err *e)
{
    if (st->bad)
        return refuse(st, e);
    return st->ops->run(st, e);
}

int st_post(struct stmt *st, struct err *e)
{
    if (st->bad)
        return refuse(st, e);
    if (st->ops->post)
        return st->ops->post(st, e);
    return st->ops->run(st, e) < 0 ? -1 : 0;
}

void st_reset(struct stmt *st)
{
    st->bad = false;
    st->ops->reset(st);
}

int64_t st_col_int(struct stmt *st, int i)
{
    return st->ops->col_int(st, i);
}

const char *st_col_text(struct stmt *st, int i, size_t *n)
{
    return st->ops->col_text(st, i, n);
}

bool st_col_null(struct stmt *st, int i)
{
    return st->ops->col_text(st, i, NULL) == NULL;
}

int64_t db_data_version(struct db *d, struct err *e)
{
    return d->ops->data_version(d, e);
}

bool db_moved(struct db *d)
{
    return d->ops->moved && d->ops->moved(d);
}

int db_watch_fd(struct db *d, struct err *e)
{
    return d->ops->watch_fd(d, e);
}

void db_watch_drain(struct db *d)
{
    d->ops->watch_drain(d);
}

const char *db_path(const struct db *d)
{
    return d->path;
}

const char *db_lazy(const struct db *d)
{
    return d->ops->lazy;
}
