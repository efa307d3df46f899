/* SPDX-License-Identifier: Apache-2.0 */
#include "db/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/db.h"

enum { PAGES = 1024 }; /* copied between two looks at the progress */

const char *sqlite_path(const char *url)
{
    return strncmp(url, "sqlite:", 7) == 0 && url[7] ? url + 7 : NULL;
}

static int failed(sqlite3 *h, int rc, const char *path, struct err *e)
{
    int why = h ? sqlite3_system_errno(h) : 0;

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, FC_AGAIN, "%s: the store is busy", path);
    case SQLITE_FULL:
        return err_set(e, FC_FAIL, "%s: no space left on the device", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(e, FC_DENIED, "%s: cannot be written", path);
    case SQLITE_NOTADB:
        return err_set(e, FC_INVALID, "%s: not a store: %s", path, sqlite3_errstr(rc));
    case SQLITE_CORRUPT:
        return err_set(e, FC_FAIL, "%s: the store is damaged", path);
    case SQLITE_NOMEM:
        die("out of memory");
    default:
        if (why == ENOSPC || why == EDQUOT)
            return err_set(e, FC_FAIL, "%s: no space left on the device", path);
        errno = why;
        return why ? err_errno(e, "%s", path) : err_set(e, FC_FAIL, "%s: %s", path,
            sqlite3_errstr(rc));
    }
}

/* Closed by sqlite3_close, also after a failure. */
static int open_at(sqlite3 **h, const char *path, struct err *e)
{
    /* A path is never taken for the URI that it looks like. */
    char *name AUTO_FREE = strncmp(path, "file:", 5) ? xstrdup(path) : xasprintf("./%s", path);
    int rc = sqlite3_open_v2(name, h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        return failed(*h, rc, path, e);
    sqlite3_busy_timeout(*h, DB_BUSY_MS);
    return 0;
}

static int run(sqlite3 *h, const char *sql, const char *path, struct err *e)
{
    int rc = sqlite3_exec(h, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : failed(h, rc, path, e);
}

/* The source is in a transaction that reads, so that what others commit starts nothing anew. */
static int copy(sqlite3 *from, sqlite3 *to, const char *path, sqlite_progress *progress, void *ctx,
    struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int rc;

    if (!b)
        return failed(to, sqlite3_errcode(to), path, e);
    while ((rc = sqlite3_backup_step(b, PAGES)) == SQLITE_OK)
        if (progress)
            progress(ctx, (size_t)(sqlite3_backup_pagecount(b) - sqlite3_backup_remaining(b)),
                (size_t)sqlite3_backup_pagecount(b));
    sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? 0 : failed(to, rc, path, e);
}

static int sync_file(const char *path, struct err *e)
{
    int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? err_errno(e, "%s", path) : 0;
}

/* What is read from, in a transaction. A full disk may have no room for what its users share: then
 * the others are kept out. */
static int open_source(sqlite3 **h, const char *path, struct err *e)
{
    static const char begin[] = "BEGIN; SELECT count(*) FROM sqlite_schema";
    struct err why = {0};

    if (open_at(h, path, e) < 0)
        return -1;
    if (run(*h, begin, path, &why) == 0)
        return 0;
    if (sqlite3_extended_errcode(*h) != SQLITE_IOERR_SHMSIZE)
        return err_set(e, why.code, "%s", why.msg);
    sqlite3_close(*h);
    *h = NULL;
    return open_at(h, path, e) < 0 || run(*h, "PRAGMA locking_mode=EXCLUSIVE", path, e) < 0 ||
        run(*h, begin, path, e) < 0 ? -1 : 0;
}

static int transfer(const char *from, const char *to, const char *setting,
    sqlite_progress *progress, void *ctx, struct err *e)
{
    sqlite3 *src = NULL, *dst = NULL;
    int rc = -1;

    if (open_source(&src, from, e) == 0 && open_at(&dst, to, e) == 0 &&
        run(dst, setting, to, e) == 0)
        rc = copy(src, dst, to, progress, ctx, e);
    sqlite3_close(src);
    sqlite3_close(dst);
    return rc;
}

int sqlite_copy(const char *from, const char *to, sqlite_progress *progress, void *ctx,
    struct err *e)
{
    /* A copy that was cut short is thrown away: no journal, and one sync at the end. */
    if (transfer(from, to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", progress, ctx, e) < 0)
        return -1;
    return sync_file(to, e);
}

int sqlite_replace(const char *from, const char *to, sqlite_progress *progress, void *ctx,
    struct err *e)
{
    return transfer(from, to, "PRAGMA synchronous=FULL", progress, ctx, e);
}

bool sqlite_in_use(const char *path)
{
    char *wal AUTO_FREE = xasprintf("%s-wal", path);
    sqlite3 *h = NULL;
    struct err why = {0};

    if (access(wal, F_OK) < 0)
        return false;
    /* One that a killed process has left goes with the last connection. */
    if (open_at(&h, path, &why) == 0)
        run(h, "SELECT count(*) FROM sqlite_schema", path, &why);
    sqlite3_close(h);
    return access(wal, F_OK) == 0;
}

struct faults {
    void (*each)(void *ctx, const char *what);
    void *ctx;
};

static int integrity_row(void *ctx, int n, char **value, char **name)
{
    const struct faults *f = ctx;

    (void)name;
    if (n > 0 && value[0] && strcmp(value[0], "ok") != 0)
        f->each(f->ctx, value[0]);
    return 0;
}

/* table, rowid (NULL for a table without), the table that it refers to, which of its references */
static int reference_row(void *ctx, int n, char **value, char **name)
{
    const struct faults *f = ctx;
    char *what AUTO_FREE = NULL;

    (void)name;
    if (n < 3)
        return 0;
    what = xasprintf("table %s: row %s refers to a row of table %s that is not there", value[0],
        value[1] ? value[1] : "(without a number)", value[2]);
    f->each(f->ctx, what);
    return 0;
}

int sqlite_integrity(const char *path, void (*each)(void *ctx, const char *what), void *ctx,
    struct err *e)
{
    struct faults f = {each, ctx};
    sqlite3 *h = NULL;
    int rc = open_at(&h, path, e);

    if (rc == 0) {
        int code = sqlite3_exec(h, "PRAGMA integrity_check", integrity_row, &f, NULL);

        if (code == SQLITE_OK)
            code = sqlite3_exec(h, "PRAGMA foreign_key_check", reference_row, &f, NULL);
        if ((code & 0xff) == SQLITE_CORRUPT) /* too damaged to be looked through */
            each(ctx, sqlite3_errmsg(h));
        else if (code != SQLITE_OK)
            rc = failed(h, code, path, e);
    }
    sqlite3_close(h);
    return rc;
}
