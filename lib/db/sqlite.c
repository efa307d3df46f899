/* SPDX-License-Identifier: Apache-2.0 */
/* The seam over SQLite: write-ahead log, synchronous FULL, foreign keys on. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/mem.h"
#include "db/db.h"

struct stmt {
    sqlite3_stmt *s;
    struct db *db;
};

struct db {
    sqlite3 *h;
    char *path;
    bool seen;      /* attached */
    int depth;      /* savepoints */
    int watch;      /* inotify descriptor or -1 */
    struct stmt *named[SQL_COUNT];
};

static int db_error(struct db *d, struct err *e, int rc)
{
    const char *m = d->h ? sqlite3_errmsg(d->h) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, FC_AGAIN, "%s: the store is busy", d->path);
    case SQLITE_FULL:
        return err_set(e, FC_FAIL, "%s: no space left on the device", d->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(e, FC_DENIED, "%s: the store cannot be written: %s", d->path, m);
    case SQLITE_CANTOPEN:
        return err_set(e, errno == EACCES ? FC_DENIED : FC_NOTFOUND,
            "%s: the store cannot be opened", d->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return err_set(e, FC_FAIL, "%s: the store is damaged: %s", d->path, m);
    case SQLITE_CONSTRAINT:
        return err_set(e, FC_CONFLICT, "%s", m);
    case SQLITE_TOOBIG:
        return err_set(e, FC_INVALID, "too large for the store");
    case SQLITE_NOMEM:
        die("out of memory");
    default:
        return err_set(e, FC_FAIL, "%s: %s", d->path, m);
    }
}

/* The write-ahead log needs shared memory between its users, which such systems do not give. */
static int refuse_network(const char *path, struct err *e)
{
    struct statfs st;
    char *slash, *dir AUTO_FREE = xstrdup(path);

    if (statfs(path, &st) < 0) {
        slash = strrchr(dir, '/');
        if (slash)
            *(slash == dir ? slash + 1 : slash) = '\0';
        if (statfs(slash ? dir : ".", &st) < 0)
            return 0; /* opening will say why */
    }
    switch ((unsigned long)st.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case 0xFF534D42: /* cifs */
    case 0xFE534D42: /* smb2 */
    case V9FS_MAGIC:
    case AFS_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
        return err_set(e, FC_INVALID, "%s: a SQLite store on a network file system is not safe",
            path);
    default:
        return 0;
    }
}

int db_open(struct db **out, const char *url, int flags, struct err *e)
{
    int of = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, rc;
    struct db *d;

    if (strncmp(url, "sqlite:", 7) != 0 || url[7] == '\0') {
        if (strncmp(url, "https://", 8) == 0)
            return err_set(e, FC_USAGE, "%s: this command works on a store of its own, not "
                "through an API", url);
        return err_set(e, FC_USAGE, "store %s: unknown kind of store (sqlite:PATH)", url);
    }
    if (refuse_network(url + 7, e) < 0)
        return -1;
    d = xcalloc(1, sizeof *d);
    d->watch = -1;
    d->path = flags & DB_SEEN ? xasprintf("%s-seen", url + 7) : xstrdup(url + 7);
    if (flags & DB_CREATE || flags & DB_SEEN)
        of |= SQLITE_OPEN_CREATE;
    errno = 0;
    rc = sqlite3_open_v2(d->path, &d->h, of, NULL);
    if (rc != SQLITE_OK) {
        db_error(d, e, rc);
        db_close(d);
        return -1;
    }
    sqlite3_busy_timeout(d->h, DB_BUSY_MS);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if ((flags & DB_CREATE && db_exec(d, "PRAGMA journal_mode=WAL", e) < 0) ||
        (flags & DB_SEEN && db_exec(d, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)",
            e) < 0)) {
        db_close(d);
        return -1;
    }
    *out = d;
    return 0;
}

void db_close(struct db *d)
{
    int i;

    if (!d)
        return;
    for (i = 0; i < SQL_COUNT; i++)
        st_free(d->named[i]);
    sqlite3_close(d->h);
    if (d->watch >= 0)
        close(d->watch);
    free(d->path);
    free(d);
}

int db_attach_seen(struct db *d, struct err *e)
{
    struct stmt *st;
    char *uri AUTO_FREE = NULL;
    int64_t n;
    struct db *side;

    if (d->seen)
        return 0;
    uri = xasprintf("%s-seen", d->path);
    if (access(uri, F_OK) < 0) { /* lossy by design: made again when it is gone */
        free(uri);
        uri = xasprintf("sqlite:%s", d->path);
        if (db_open(&side, uri, DB_SEEN, e) < 0)
            return -1;
        db_close(side);
        free(uri);
        uri = xasprintf("%s-seen", d->path);
    }
    st = db_prepare(d, "ATTACH ?1 AS seen", e);
    if (!st)
        return -1;
    st_text(st, 1, uri);
    n = st_run(st, e);
    st_free(st);
    d->seen = n >= 0;
    return n < 0 ? -1 : 0;
}

int db_exec(struct db *d, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(d, e, rc);
}

int db_begin(struct db *d, bool write, struct err *e)
{
    return db_exec(d, write ? "BEGIN IMMEDIATE" : "BEGIN", e);
}

int db_commit(struct db *d, struct err *e)
{
    if (db_exec(d, "COMMIT", e) < 0) {
        db_rollback(d);
        return -1;
    }
    d->depth = 0;
    return 0;
}

void db_rollback(struct db *d)
{
    if (db_in_transaction(d))
        sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
    d->depth = 0;
}

bool db_in_transaction(struct db *d)
{
    return !sqlite3_get_autocommit(d->h);
}

static int savepoint(struct db *d, const char *verb, int depth, struct err *e)
{
    char sql[64];

    snprintf(sql, sizeof sql, "%s sp%d", verb, depth);
    return db_exec(d, sql, e);
}

int db_savepoint(struct db *d, struct err *e)
{
    if (savepoint(d, "SAVEPOINT", d->depth, e) < 0)
        return -1;
    d->depth++;
    return 0;
}

int db_release(struct db *d, struct err *e)
{
    return savepoint(d, "RELEASE", --d->depth, e);
}

void db_rollback_to(struct db *d)
{
    d->depth--;
    if (db_in_transaction(d)) { /* a full disk may have ended the transaction already */
        savepoint(d, "ROLLBACK TO", d->depth, NULL);
        savepoint(d, "RELEASE", d->depth, NULL);
    }
}

struct stmt *db_prepare(struct db *d, const char *sql, struct err *e)
{
    struct stmt *st = xcalloc(1, sizeof *st);
    int rc = sqlite3_prepare_v3(d->h, sql, -1, 0, &st->s, NULL);

    st->db = d;
    if (rc != SQLITE_OK) {
        db_error(d, e, rc);
        free(st);
        return NULL;
    }
    return st;
}

struct stmt *db_stmt(struct db *d, enum sql name, struct err *e)
{
    struct stmt *st = d->named[name];

    if (!st) {
        st = d->named[name] = db_prepare(d, sql_text[name], e);
        return st;
    }
    st_reset(st);
    return st;
}

void st_free(struct stmt *st)
{
    if (!st)
        return;
    sqlite3_finalize(st->s);
    free(st);
}

/* Binding fails only for an index that the statement lacks or an oversized text: both are bugs. */
static void bound(struct stmt *st, int rc)
{
    if (rc != SQLITE_OK)
        die("bind: %s: %s", sqlite3_errstr(rc), sqlite3_sql(st->s));
}

void st_text(struct stmt *st, int i, const char *s)
{
    bound(st, s ? sqlite3_bind_text(st->s, i, s, -1, SQLITE_STATIC) : sqlite3_bind_null(st->s, i));
}

void st_textn(struct stmt *st, int i, const char *s, size_t n)
{
    bound(st, sqlite3_bind_text64(st->s, i, s, n, SQLITE_STATIC, SQLITE_UTF8));
}

void st_int(struct stmt *st, int i, int64_t n)
{
    bound(st, sqlite3_bind_int64(st->s, i, n));
}

void st_null(struct stmt *st, int i)
{
    bound(st, sqlite3_bind_null(st->s, i));
}

int st_step(struct stmt *st, struct err *e)
{
    int rc = sqlite3_step(st->s);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        db_error(st->db, e, rc);
    st_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int64_t st_run(struct stmt *st, struct err *e)
{
    int rc;

    while ((rc = st_step(st, e)) == 1)
        ;
    return rc < 0 ? -1 : sqlite3_changes64(st->db->h);
}

void st_reset(struct stmt *st)
{
    sqlite3_reset(st->s);
    sqlite3_clear_bindings(st->s);
}

int64_t st_col_int(struct stmt *st, int i)
{
    return sqlite3_column_int64(st->s, i);
}

const char *st_col_text(struct stmt *st, int i, size_t *n)
{
    const char *t = (const char *)sqlite3_column_text(st->s, i);

    if (n)
        *n = t ? (size_t)sqlite3_column_bytes(st->s, i) : 0;
    return t;
}

bool st_col_null(struct stmt *st, int i)
{
    return sqlite3_column_type(st->s, i) == SQLITE_NULL;
}

int64_t db_last_id(struct db *d)
{
    return sqlite3_last_insert_rowid(d->h);
}

int64_t db_data_version(struct db *d)
{
    unsigned v = 0;

    sqlite3_file_control(d->h, "main", SQLITE_FCNTL_DATA_VERSION, &v);
    return v;
}

int db_watch_fd(struct db *d, struct err *e)
{
    char *wal AUTO_FREE = xasprintf("%s-wal", d->path);

    if (d->watch >= 0)
        return d->watch;
    d->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (d->watch < 0)
        return err_errno(e, "inotify");
    /* A commit appends to the log; the log itself stays as long as this connection is open. */
    if (inotify_add_watch(d->watch, wal, IN_MODIFY) < 0 ||
        inotify_add_watch(d->watch, d->path, IN_MODIFY) < 0) {
        err_errno(e, "%s: cannot watch", wal);
        close(d->watch);
        d->watch = -1;
    }
    return d->watch;
}

void db_watch_drain(struct db *d)
{
    char events[4096];

    while (d->watch >= 0 && read(d->watch, events, sizeof events) > 0)
        ;
}

const char *db_path(const struct db *d)
{
    return d->path;
}
