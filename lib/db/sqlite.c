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
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/log.h"
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
    bool seen_lost; /* it was found damaged: attached again at the next call */
    bool side;      /* this is the lossy side itself */
    bool create;    /* DB_CREATE was given */
    bool synced;    /* a commit waits for the disk */
    int depth;      /* savepoints */
    int watch;      /* inotify descriptor or -1 */
    struct stmt *version;
    struct stmt *named[SQL_COUNT];
};

static char *seen_path(const char *path)
{
    return xasprintf("%s-seen", path);
}

/* The lossy side is written without syncs, so power may damage it; it is put aside and made anew.
 * Its log goes first: nobody may apply it to the new file. */
static void seen_put_aside(const char *path)
{
    char *seen AUTO_FREE = seen_path(path);
    char *wal AUTO_FREE = xasprintf("%s-wal", seen), *shm AUTO_FREE = xasprintf("%s-shm", seen);
    char *broken AUTO_FREE = xasprintf("%s.broken", seen);

    unlink(wal);
    unlink(shm);
    if (rename(seen, broken) < 0)
        log_debug("%s: %s", seen, strerror(errno));
    else
        log_warn("%s: damaged, put aside as %s", seen, broken);
}

static int is_ok(void *ctx, int n, char **value, char **name)
{
    (void)name;
    *(bool *)ctx = n > 0 && value[0] && strcmp(value[0], "ok") == 0;
    return 0;
}

/* Something read is damaged: is it the lossy side? Then the same call works again later. */
static bool seen_damaged(struct db *d)
{
    bool ok = false;

    if (!d->seen || d->seen_lost)
        return d->seen_lost;
    if (sqlite3_exec(d->h, "PRAGMA seen.quick_check(1)", is_ok, &ok, NULL) == SQLITE_OK && ok)
        return false;
    seen_put_aside(d->path);
    d->seen_lost = true;
    return true;
}

/* Even reading needs to write: the write-ahead log's index is a file beside the store. */
static bool on_read_only(const char *path)
{
    char *dir AUTO_FREE = xstrdup(path), *slash = strrchr(dir, '/');
    struct statvfs v;

    if (slash)
        slash[slash == dir] = '\0';
    return statvfs(slash ? dir : ".", &v) == 0 && v.f_flag & ST_RDONLY;
}

static int cannot_open(struct db *d, struct err *e)
{
    int why = d->h ? sqlite3_system_errno(d->h) : 0;
    struct stat st;

    if ((d->create || access(d->path, F_OK) == 0) && on_read_only(d->path))
        return err_set(e, FC_DENIED, "%s: the store cannot be opened: the file system is read-only",
            d->path);

    if (stat(d->path, &st) < 0)
        return err_set(e, errno == EACCES ? FC_DENIED : FC_NOTFOUND, "%s: the store cannot be "
            "opened: %s", d->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, FC_INVALID, "%s: not a store: not a file", d->path);
    return err_set(e, why == EACCES || why == EPERM ? FC_DENIED : FC_FAIL,
        "%s: the store cannot be opened%s%s", d->path, why ? ": " : "", why ? strerror(why) : "");
}

static int db_error(struct db *d, struct err *e, int rc)
{
    int extended = d->h ? sqlite3_extended_errcode(d->h) : rc;
    int why = d->h ? sqlite3_system_errno(d->h) : 0;
    char *m AUTO_FREE = xstrdup(d->h ? sqlite3_errmsg(d->h) : sqlite3_errstr(rc));

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, FC_AGAIN, "%s: the store is busy", d->path);
    case SQLITE_FULL:
        return err_set(e, FC_FAIL, "%s: no space left on the device", d->path);
    case SQLITE_IOERR:
        if (why == ENOSPC || why == EDQUOT || extended == SQLITE_IOERR_SHMSIZE)
            return err_set(e, FC_FAIL, "%s: no space left on the device", d->path);
        return err_set(e, FC_FAIL, "%s: %s%s%s", d->path, m, why ? ": " : "",
            why ? strerror(why) : "");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(e, FC_DENIED, "%s: the store cannot be written: %s", d->path, m);
    case SQLITE_CANTOPEN:
        return cannot_open(d, e);
    case SQLITE_NOTADB:
        return err_set(e, FC_INVALID, "%s: not a store: %s", d->path, m);
    case SQLITE_CORRUPT:
        if (seen_damaged(d))
            return err_set(e, FC_AGAIN, "%s-seen: damaged and made anew: try again", d->path);
        return err_set(e, FC_FAIL, "%s: the store is damaged: %s", d->path, m);
    case SQLITE_CONSTRAINT:
        switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            return err_set(e, FC_CONFLICT, "%s", m);
        default: /* a rule of the tables that this code should have kept */
            return err_set(e, FC_FAIL, "%s: %s", d->path, m);
        }
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

/* The lossy side, as private as the store and of the same owner, whoever comes first. Made again
 * when it is gone or damaged. */
static int seen_make(struct db *side, const char *store, struct err *e)
{
    int fd AUTO_CLOSE = -1;
    struct stat st;

    fd = open(side->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : err_errno(e, "%s", side->path);
    if (stat(store, &st) == 0 && (fchmod(fd, st.st_mode & 0777) < 0 ||
        (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0)))
        return err_errno(e, "%s", side->path);
    return 0;
}

static const char seen_tables[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    "CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)";

static int seen_setup(struct db *side, struct err *e)
{
    int rc = sqlite3_exec(side->h, seen_tables, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(side, e, rc);
}

static int connect_to(struct db *d, int flags, struct err *e)
{
    /* A path is never taken for the URI that it looks like. */
    char *path AUTO_FREE = strncmp(d->path, "file:", 5) ? xstrdup(d->path) :
        xasprintf("./%s", d->path);
    int rc = sqlite3_open_v2(path, &d->h, flags, NULL);

    if (rc != SQLITE_OK)
        return db_error(d, e, rc);
    sqlite3_busy_timeout(d->h, DB_BUSY_MS);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return 0;
}

static int open_seen(struct db *d, const char *store, int flags, struct err *e)
{
    int again = 1;

    for (;;) {
        struct err why = {0};

        if (seen_make(d, store, e) < 0)
            return -1;
        if (connect_to(d, flags, &why) == 0 && seen_setup(d, &why) == 0)
            return 0;
        if (!again-- || sqlite3_errcode(d->h) != SQLITE_NOTADB) {
            if (e)
                *e = why;
            return -1;
        }
        sqlite3_close(d->h);
        d->h = NULL;
        seen_put_aside(store);
    }
}

/* The mode stays with the file, so what is somebody else's keeps its own. */
static int write_ahead(struct db *d, struct err *e)
{
    struct stmt *st = db_prepare(d, "PRAGMA schema_version", e);
    int rc = st ? st_step(st, e) : -1;
    bool empty = rc == 1 && st_col_int(st, 0) == 0;

    st_free(st);
    return rc < 0 ? -1 : empty ? db_exec(d, "PRAGMA journal_mode=WAL", e) : 0;
}

int db_open(struct db **out, const char *url, int flags, struct err *e)
{
    int of = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
        SQLITE_OPEN_URI, rc;
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
    d->side = flags & DB_SEEN;
    d->create = flags & DB_CREATE;
    d->path = flags & DB_SEEN ? seen_path(url + 7) : xstrdup(url + 7);
    if (flags & DB_CREATE)
        of |= SQLITE_OPEN_CREATE;
    if (flags & DB_SEEN)
        rc = open_seen(d, url + 7, of, e);
    else
        rc = connect_to(d, of, e);
    if (rc == 0 && flags & DB_CREATE)
        rc = write_ahead(d, e);
    if (rc < 0) {
        db_close(d);
        return -1;
    }
    *out = d;
    return 0;
}

void db_patience(struct db *d, int ms)
{
    sqlite3_busy_timeout(d->h, ms);
}

void db_close(struct db *d)
{
    int i;

    if (!d)
        return;
    for (i = 0; i < SQL_COUNT; i++)
        st_free(d->named[i]);
    st_free(d->version);
    sqlite3_close(d->h);
    if (d->watch >= 0)
        close(d->watch);
    free(d->path);
    free(d);
}

/* "file:PATH?mode=ro", escaped. Read only, because a transaction that writes takes the write lock
 * of every attached file, and would keep the writers of last-seen out. */
static char *seen_uri(const char *path)
{
    char *uri = xmalloc(3 * strlen(path) + sizeof "file:-seen?mode=ro"), *p = stpcpy(uri, "file:");

    for (; *path; path++)
        if (strchr("%?#", *path))
            p += sprintf(p, "%%%02X", (unsigned char)*path);
        else
            *p++ = *path;
    strcpy(p, "-seen?mode=ro");
    return uri;
}

static int attach(struct db *d, const char *uri, struct err *e)
{
    struct stmt *st = db_prepare(d, "ATTACH ?1 AS seen", e);
    int64_t n;

    if (!st)
        return -1;
    st_text(st, 1, uri);
    n = st_run(st, e);
    st_free(st);
    return n < 0 ? -1 : 0;
}

static int make_seen(struct db *d, struct err *e)
{
    char *url AUTO_FREE = xasprintf("sqlite:%s", d->path);
    struct db *side;

    if (db_open(&side, url, DB_SEEN, e) < 0)
        return -1;
    db_close(side);
    return 0;
}

int db_attach_seen(struct db *d, struct err *e)
{
    char *path AUTO_FREE = NULL, *uri AUTO_FREE = NULL;
    struct err why = {0};

    if (d->seen && (!d->seen_lost || db_in_transaction(d)))
        return 0;
    if (d->seen && db_exec(d, "DETACH seen", e) < 0)
        return -1;
    d->seen = d->seen_lost = false;
    path = seen_path(d->path);
    uri = seen_uri(d->path);
    if (access(path, F_OK) < 0 && make_seen(d, e) < 0)
        return -1;
    if (attach(d, uri, &why) < 0) { /* damaged: opened to be written it is made anew */
        if (make_seen(d, e) < 0 || attach(d, uri, e) < 0)
            return -1;
    }
    d->seen = true;
    /* Whoever makes it just now may not be done, or was killed. */
    if (sqlite3_table_column_metadata(d->h, "seen", "seen", "at", NULL, NULL, NULL, NULL, NULL))
        return make_seen(d, e);
    return 0;
}

int db_exec(struct db *d, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(d, e, rc);
}

int db_begin(struct db *d, bool write, struct err *e)
{
    /* The builder of the library may have chosen less; readers need not be told. */
    if (write && !d->side && !d->synced) {
        if (db_exec(d, "PRAGMA synchronous=FULL", e) < 0)
            return -1;
        d->synced = true;
    }
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
    if (!db_in_transaction(d)) /* a full disk may have ended it; alone this one would commit */
        return err_set(e, FC_FAIL, "%s: the transaction was undone", d->path);
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
    if (sqlite3_stmt_busy(st->s)) /* somebody up the stack still reads from it */
        die("used inside itself: %s", sql_text[name]);
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

int64_t db_data_version(struct db *d, struct err *e)
{
    int64_t v;

    /* Unlike the file control of that name it begins to read, so that it sees what is new. */
    if (!d->version && !(d->version = db_prepare(d, "PRAGMA main.data_version", e)))
        return -1;
    if (st_step(d->version, e) != 1)
        return -1;
    v = st_col_int(d->version, 0);
    st_reset(d->version);
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
