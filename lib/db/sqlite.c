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
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/ops.h"

enum { APPLICATION = 0x66632d31 }; /* "fc-1": what file(1) and we know a store by */

struct sqlite {
    struct db db;
    sqlite3 *h;
    bool seen;      /* attached */
    bool seen_lost; /* it was found damaged: attached again at the next call */
    bool side;      /* this is the lossy side itself */
    bool create;    /* DB_CREATE was given */
    bool once;      /* DB_ONCE was given */
    bool alone;     /* it keeps the others out */
    bool synced;    /* a commit waits for the disk, and there is room for many changed pages */
    int patience;   /* ms that a writer waits for others */
    int64_t waiting; /* ms: since when it does */
    int watch;      /* inotify descriptor or -1 */
    struct stmt *version;
    bool held;      /* a transaction that reads is open for db_hold */
    struct stmt *hold, *let_go;
};

struct sqlite_stmt {
    struct stmt st;
    sqlite3_stmt *s;
};

static struct sqlite *of(struct db *d)
{
    return (struct sqlite *)d;
}

static sqlite3_stmt *raw(struct stmt *st)
{
    return ((struct sqlite_stmt *)st)->s;
}

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
static bool seen_damaged(struct sqlite *d)
{
    bool ok = false;

    if (!d->seen || d->seen_lost)
        return d->seen_lost;
    if (sqlite3_exec(d->h, "PRAGMA seen.quick_check(1)", is_ok, &ok, NULL) == SQLITE_OK && ok)
        return false;
    seen_put_aside(d->db.path);
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

static int cannot_open(struct sqlite *d, struct err *e)
{
    int why = d->h ? sqlite3_system_errno(d->h) : 0;
    struct stat st;

    if ((d->create || access(d->db.path, F_OK) == 0) && on_read_only(d->db.path))
        return err_set(e, FC_DENIED, "%s: the store cannot be opened: the file system is read-only",
            d->db.path);

    if (stat(d->db.path, &st) < 0)
        return err_set(e, errno == EACCES ? FC_DENIED : FC_NOTFOUND, "%s: the store cannot be "
            "opened: %s", d->db.path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, FC_INVALID, "%s: not a store: not a file", d->db.path);
    return err_set(e, why == EACCES || why == EPERM ? FC_DENIED : FC_FAIL,
        "%s: the store cannot be opened%s%s", d->db.path, why ? ": " : "", why ? strerror(why) : "");
}

static int db_error(struct sqlite *d, struct err *e, int rc)
{
    int extended = d->h ? sqlite3_extended_errcode(d->h) : rc;
    int why = d->h ? sqlite3_system_errno(d->h) : 0;
    char *m AUTO_FREE = xstrdup(d->h ? sqlite3_errmsg(d->h) : sqlite3_errstr(rc));

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, FC_AGAIN, "%s: the store is busy", d->db.path);
    case SQLITE_FULL:
        return err_set(e, FC_FAIL, "%s: no space left on the device", d->db.path);
    case SQLITE_IOERR:
        if (why == ENOSPC || why == EDQUOT || extended == SQLITE_IOERR_SHMSIZE)
            return err_set(e, FC_FAIL, "%s: no space left on the device", d->db.path);
        return err_set(e, FC_FAIL, "%s: %s%s%s", d->db.path, m, why ? ": " : "",
            why ? strerror(why) : "");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(e, FC_DENIED, "%s: the store cannot be written: %s", d->db.path, m);
    case SQLITE_CANTOPEN:
        return cannot_open(d, e);
    case SQLITE_NOTADB:
        return err_set(e, FC_INVALID, "%s: not a store: %s", d->db.path, m);
    case SQLITE_CORRUPT:
        if (seen_damaged(d))
            return err_set(e, FC_AGAIN, "%s-seen: damaged and made anew: try again", d->db.path);
        return err_set(e, FC_FAIL, "%s: the store is damaged: %s", d->db.path, m);
    case SQLITE_CONSTRAINT:
        switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            return err_set(e, FC_CONFLICT, "%s", m);
        default: /* a rule of the tables that this code should have kept */
            return err_set(e, FC_FAIL, "%s: %s", d->db.path, m);
        }
    case SQLITE_TOOBIG:
        return err_set(e, FC_INVALID, "too large for the store");
    case SQLITE_NOMEM:
        die("out of memory");
    default:
        return err_set(e, FC_FAIL, "%s: %s", d->db.path, m);
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
static int seen_make(struct sqlite *side, const char *store, struct err *e)
{
    int fd AUTO_CLOSE = -1;
    struct stat st;

    fd = open(side->db.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : err_errno(e, "%s", side->db.path);
    if (stat(store, &st) == 0 && (fchmod(fd, st.st_mode & 0777) < 0 ||
        (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0)))
        return err_errno(e, "%s", side->db.path);
    return 0;
}

static const char seen_tables[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    "CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, "
    "back INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX IF NOT EXISTS seen_at ON seen (at)";
/* Those of earlier versions have no such column. */
static const char seen_back[] = "ALTER TABLE seen ADD COLUMN back INTEGER NOT NULL DEFAULT 0";
static const char seen_index[] = "CREATE INDEX IF NOT EXISTS seen_back ON seen (back)";

static bool has_back(sqlite3 *h, const char *db)
{
    return sqlite3_table_column_metadata(h, db, "seen", "back", NULL, NULL, NULL, NULL, NULL) ==
        SQLITE_OK;
}

static int64_t mono_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Each of it may be done already. */
static int seen_try(sqlite3 *h)
{
    int rc = sqlite3_exec(h, seen_tables, NULL, NULL, NULL);

    if (rc == SQLITE_OK && !has_back(h, "main")) {
        rc = sqlite3_exec(h, seen_back, NULL, NULL, NULL);
        if (rc == SQLITE_ERROR && has_back(h, "main")) /* another process was faster */
            rc = SQLITE_OK;
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(h, seen_index, NULL, NULL, NULL);
    return rc;
}

/* Of those who make it at once some are told at once that it is busy, where two that read wait to
 * write. */
static int seen_setup(struct sqlite *side, struct err *e)
{
    int64_t begun = mono_ms();
    int rc;

    while (((rc = seen_try(side->h)) & 0xff) == SQLITE_BUSY && mono_ms() - begun < side->patience)
        usleep(1000);
    return rc == SQLITE_OK ? 0 : db_error(side, e, rc);
}

/* The library's own waiting asks ever more seldom, and never gets through to a busy store. */
static int wait_for_writer(void *p, int tries)
{
    struct sqlite *d = p;
    int64_t ms = mono_ms();

    if (tries == 0)
        d->waiting = ms;
    if (ms - d->waiting >= d->patience)
        return 0;
    usleep(tries < 4 ? 1000 : 4000);
    return 1;
}

static int connect_to(struct sqlite *d, int flags, struct err *e)
{
    /* A path is never taken for the URI that it looks like. */
    char *path AUTO_FREE = strncmp(d->db.path, "file:", 5) ? xstrdup(d->db.path) :
        xasprintf("./%s", d->db.path);
    int rc = sqlite3_open_v2(path, &d->h, flags, NULL);

    if (rc != SQLITE_OK)
        return db_error(d, e, rc);
    d->patience = DB_BUSY_MS;
    sqlite3_busy_handler(d->h, wait_for_writer, d);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return 0;
}

static int open_seen(struct sqlite *d, const char *store, int flags, struct err *e)
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
static int write_ahead(struct sqlite *d, struct err *e)
{
    struct stmt *st = db_prepare(&d->db, "PRAGMA schema_version", e);
    int rc = st ? st_step(st, e) : -1;
    bool empty = rc == 1 && st_col_int(st, 0) == 0;

    st_free(st);
    return rc < 0 ? -1 : empty ? db_exec(&d->db, "PRAGMA journal_mode=WAL", e) : 0;
}

static void sqlite_close(struct db *db)
{
    struct sqlite *d = of(db);

    st_free(d->version);
    st_free(d->hold);
    st_free(d->let_go);
    sqlite3_close(d->h);
    if (d->watch >= 0)
        close(d->watch);
    free(d);
}

enum { SHARED = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
    SQLITE_OPEN_URI };

static int sqlite_open(struct db **out, const char *url, int flags, struct err *e)
{
    int of = SHARED, rc;
    struct sqlite *d;

    if (refuse_network(url + 7, e) < 0)
        return -1;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody asks; each allocation would take a lock */
    d = xcalloc(1, sizeof *d);
    d->db.ops = &db_sqlite;
    d->watch = -1;
    d->side = flags & DB_SEEN;
    d->create = flags & DB_CREATE;
    d->once = flags & DB_ONCE;
    d->db.path = flags & DB_SEEN ? seen_path(url + 7) : xstrdup(url + 7);
    if (flags & DB_CREATE)
        of |= SQLITE_OPEN_CREATE;
    if (flags & DB_SEEN)
        rc = open_seen(d, url + 7, of, e);
    else
        rc = connect_to(d, of, e);
    if (rc == 0 && flags & DB_CREATE)
        rc = write_ahead(d, e);
    if (rc < 0) {
        db_close(&d->db);
        return -1;
    }
    *out = &d->db;
    return 0;
}

/* The log and its index come and go beside the file; what else SQLite spills is to go there, too. */
static void sqlite_paths(const char *url, db_path_fn *tell, void *ctx)
{
    char *dir AUTO_FREE = xstrdup(url + 7), *slash = strrchr(dir, '/');

    if (slash)
        slash[slash == dir] = '\0';
    tell(ctx, slash ? dir : ".", true);
    sqlite3_free(sqlite3_temp_directory);
    sqlite3_temp_directory = sqlite3_mprintf("%s", slash ? dir : ".");
}

static void sqlite_patience(struct db *d, int ms)
{
    of(d)->patience = ms;
}

/* "file:PATH?mode=ro", escaped. Read only, because a transaction that writes takes the write lock
 * of every attached file, and would keep the writers of last-seen out; but who is alone does that. */
static char *seen_uri(const char *path, bool alone)
{
    char *uri = xmalloc(3 * strlen(path) + sizeof "file:-seen?mode=ro"), *p = stpcpy(uri, "file:");

    for (; *path; path++)
        if (strchr("%?#", *path))
            p += sprintf(p, "%%%02X", (unsigned char)*path);
        else
            *p++ = *path;
    strcpy(p, alone ? "-seen?mode=rw" : "-seen?mode=ro");
    return uri;
}

static void sqlite_bind_text(struct stmt *st, int i, const char *s);

static int attach(struct db *d, const char *uri, struct err *e)
{
    struct stmt *st = db_prepare(d, "ATTACH ?1 AS seen", e);
    int64_t n;

    if (!st)
        return -1;
    sqlite_bind_text(st, 1, uri); /* a path may have any bytes */
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

static int sqlite_attach_seen(struct db *db, struct err *e)
{
    char *path AUTO_FREE = NULL, *uri AUTO_FREE = NULL;
    struct sqlite *d = of(db);
    struct err why = {0};

    if (d->seen && (!d->seen_lost || db_in_transaction(db)))
        return 0;
    db_let_go(db); /* nothing is attached in a transaction */
    if (d->seen && db_exec(db, "DETACH seen", e) < 0)
        return -1;
    d->seen = d->seen_lost = false;
    path = seen_path(db->path);
    uri = seen_uri(db->path, d->alone);
    if (access(path, F_OK) < 0 && make_seen(db, e) < 0)
        return -1;
    if (attach(db, uri, &why) < 0) { /* damaged: opened to be written it is made anew */
        if (make_seen(db, e) < 0 || attach(db, uri, e) < 0)
            return -1;
    }
    d->seen = true;
    /* Whoever makes it just now may not be done, or was killed. */
    if (!has_back(d->h, "seen"))
        return make_seen(db, e);
    return 0;
}

static int one_number(struct db *d, const char *sql, int64_t *out, struct err *e)
{
    struct stmt *st = db_prepare(d, sql, e);
    int rc = st ? st_step(st, e) : -1;

    if (rc == 1)
        *out = st_col_int(st, 0);
    st_free(st);
    return rc == 1 ? 0 : -1;
}

/* One look at the version, by a connection of its own that waits for nobody. The index of the log,
 * which its users share, is a file that finds no room on a full disk; who has the store alone needs
 * none. */
static int look_again(struct sqlite *d, bool alone, int64_t *v, struct err *e)
{
    sqlite3_close(d->h);
    d->h = NULL;
    d->alone = alone;
    if (connect_to(d, SHARED, e) < 0)
        return -1;
    d->patience = 0; /* who waits with a foot in the door keeps it open for all */
    if (alone && db_exec(&d->db, "PRAGMA locking_mode=EXCLUSIVE", e) < 0)
        return -1;
    return one_number(&d->db, "PRAGMA user_version", v, e);
}

/* The version, by what is the first look into the store. */
static int first_look(struct sqlite *d, int64_t *v, struct err *e)
{
    int64_t end = mono_ms() + d->patience;
    unsigned seed = (unsigned)getpid();
    struct err why = {0};
    int rc;

    if (!d->once)
        return one_number(&d->db, "PRAGMA user_version", v, e);
    d->patience = 0;
    rc = one_number(&d->db, "PRAGMA user_version", v, &why);
    while (rc < 0) {
        bool full = sqlite3_extended_errcode(d->h) == SQLITE_IOERR_SHMSIZE && !d->alone;

        if (!full && (why.code != FC_AGAIN || mono_ms() >= end))
            return err_set(e, why.code, "%s", why.msg);
        if (!full) { /* those that ask at once part, and none holds on to it meanwhile */
            sqlite3_close(d->h);
            d->h = NULL;
            seed = seed * 1103515245 + 12345;
            usleep(1000 + (seed >> 16) % 8192);
        }
        rc = look_again(d, full, v, &why);
    }
    d->patience = DB_BUSY_MS;
    return 0;
}

static int sqlite_schema(struct db *d, int64_t *v, struct err *e)
{
    int64_t app, tables;

    if (first_look(of(d), v, e) < 0 || one_number(d, "PRAGMA application_id", &app, e) < 0)
        return -1;
    if (app == APPLICATION && *v > 0)
        return 0;
    if (one_number(d, "SELECT count(*) FROM sqlite_schema", &tables, e) < 0)
        return -1;
    if (app || *v || tables)
        return err_set(e, FC_INVALID, "%s: not a store: another program's database", d->path);
    return 0;
}

static int sqlite_migrate(struct db *d, const char *sql, int version, struct err *e)
{
    char pragma[96];

    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d; PRAGMA application_id = %d",
        version, APPLICATION);
    return db_exec(d, sql, e) < 0 ? -1 : db_exec(d, pragma, e);
}

static int sqlite_exec(struct db *d, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(of(d)->h, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(of(d), e, rc);
}

/* An error may have ended it already. */
static void sqlite_let_go(struct db *db)
{
    struct sqlite *d = of(db);

    if (!d->held)
        return;
    d->held = false;
    if (!sqlite3_get_autocommit(d->h) && (!d->let_go || st_run(d->let_go, NULL) < 0))
        sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
}

static int sqlite_hold(struct db *db, struct err *e)
{
    struct sqlite *d = of(db);

    if (d->held && sqlite3_get_autocommit(d->h))
        d->held = false;
    if (!sqlite3_get_autocommit(d->h))
        return 0;
    if ((!d->hold && !(d->hold = db_prepare(db, "BEGIN", e))) ||
        (!d->let_go && !(d->let_go = db_prepare(db, "COMMIT", e))) || st_run(d->hold, e) < 0)
        return -1;
    d->held = true;
    return 0;
}

static int sqlite_begin(struct db *db, bool write, struct err *e)
{
    struct sqlite *d = of(db);

    sqlite_let_go(db);
    /* The builder of the library may have chosen less; readers need not be told. */
    if (write && !d->side && !d->synced) {
        if (db_exec(db, "PRAGMA synchronous=FULL; PRAGMA cache_size=-65536", e) < 0)
            return -1;
        d->synced = true;
    }
    return db_exec(db, write ? "BEGIN IMMEDIATE" : "BEGIN", e);
}

static bool sqlite_in_transaction(struct db *d)
{
    return !of(d)->held && !sqlite3_get_autocommit(of(d)->h);
}

static void sqlite_rollback(struct db *d)
{
    if (sqlite_in_transaction(d))
        sqlite3_exec(of(d)->h, "ROLLBACK", NULL, NULL, NULL);
}

static int sqlite_commit(struct db *d, struct err *e)
{
    if (db_exec(d, "COMMIT", e) == 0)
        return 0;
    sqlite_rollback(d);
    return -1;
}

static struct stmt *sqlite_prepare(struct db *d, const char *sql, bool kept, struct err *e)
{
    struct sqlite_stmt *st = xcalloc(1, sizeof *st);
    int rc = sqlite3_prepare_v3(of(d)->h, sql, -1, 0, &st->s, NULL);

    (void)kept;
    if (rc != SQLITE_OK) {
        db_error(of(d), e, rc);
        free(st);
        return NULL;
    }
    return &st->st;
}

static void sqlite_free(struct stmt *st)
{
    sqlite3_finalize(raw(st));
    free(st);
}

static bool sqlite_busy(struct stmt *st)
{
    return sqlite3_stmt_busy(raw(st));
}

/* Binding fails only for an index that the statement lacks or an oversized text: both are bugs. */
static void bound(struct stmt *st, int rc)
{
    if (rc != SQLITE_OK)
        die("bind: %s: %s", sqlite3_errstr(rc), sqlite3_sql(raw(st)));
}

static void sqlite_bind_text(struct stmt *st, int i, const char *s)
{
    bound(st, s ? sqlite3_bind_text(raw(st), i, s, -1, SQLITE_STATIC) :
        sqlite3_bind_null(raw(st), i));
}

static void sqlite_bind_int(struct stmt *st, int i, int64_t n)
{
    bound(st, sqlite3_bind_int64(raw(st), i, n));
}

static void sqlite_reset(struct stmt *st)
{
    sqlite3_reset(raw(st));
    sqlite3_clear_bindings(raw(st));
}

static int sqlite_step(struct stmt *st, struct err *e)
{
    int rc = sqlite3_step(raw(st));

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        db_error(of(st->db), e, rc);
    sqlite_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int64_t sqlite_run(struct stmt *st, struct err *e)
{
    int rc;

    while ((rc = sqlite_step(st, e)) == 1)
        ;
    return rc < 0 ? -1 : sqlite3_changes64(of(st->db)->h);
}

static int64_t sqlite_col_int(struct stmt *st, int i)
{
    return sqlite3_column_int64(raw(st), i);
}

static const char *sqlite_col_text(struct stmt *st, int i, size_t *n)
{
    const char *t = (const char *)sqlite3_column_text(raw(st), i);

    if (n)
        *n = t ? (size_t)sqlite3_column_bytes(raw(st), i) : 0;
    return t;
}

static int64_t sqlite_data_version(struct db *db, struct err *e)
{
    struct sqlite *d = of(db);
    int64_t v;

    sqlite_let_go(db);
    /* Unlike the file control of that name it begins to read, so that it sees what is new. */
    if (!d->version && !(d->version = db_prepare(db, "PRAGMA main.data_version", e)))
        return -1;
    if (st_step(d->version, e) != 1)
        return -1;
    v = st_col_int(d->version, 0);
    st_reset(d->version);
    return v;
}

static int sqlite_watch_fd(struct db *db, struct err *e)
{
    char *wal AUTO_FREE = xasprintf("%s-wal", db->path);
    struct sqlite *d = of(db);

    if (d->watch >= 0)
        return d->watch;
    d->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (d->watch < 0)
        return err_errno(e, "inotify");
    /* A commit appends to the log; the log itself stays as long as this connection is open. */
    if (inotify_add_watch(d->watch, wal, IN_MODIFY) < 0 ||
        inotify_add_watch(d->watch, db->path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) < 0) {
        err_errno(e, "%s: cannot watch", wal);
        close(d->watch);
        d->watch = -1;
    }
    return d->watch;
}

static void sqlite_watch_drain(struct db *d)
{
    char events[4096];

    while (of(d)->watch >= 0 && read(of(d)->watch, events, sizeof events) > 0)
        ;
}

static bool sqlite_moved(struct db *d)
{
    int moved = 0;

    return sqlite3_file_control(of(d)->h, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
        moved;
}

const struct db_ops db_sqlite = {
    .open = sqlite_open,
    .paths = sqlite_paths,
    .close = sqlite_close,
    .patience = sqlite_patience,
    .lazy = "",
    .attach_seen = sqlite_attach_seen,
    .schema = sqlite_schema,
    .migrate = sqlite_migrate,
    .exec = sqlite_exec,
    .begin = sqlite_begin,
    .hold = sqlite_hold,
    .let_go = sqlite_let_go,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .in_transaction = sqlite_in_transaction,
    .prepare = sqlite_prepare,
    .free = sqlite_free,
    .busy = sqlite_busy,
    .bind_text = sqlite_bind_text,
    .bind_int = sqlite_bind_int,
    .step = sqlite_step,
    .run = sqlite_run,
    .reset = sqlite_reset,
    .col_int = sqlite_col_int,
    .col_text = sqlite_col_text,
    .data_version = sqlite_data_version,
    .watch_fd = sqlite_watch_fd,
    .watch_drain = sqlite_watch_drain,
    .moved = sqlite_moved,
};
