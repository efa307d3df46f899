/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "db/sqlite_file.h"

/* The path of a store of SQLite; another database is sent to its own tools. */
static const char *path_of(const char *url, bool restore, struct err *e)
{
    const char *path = sqlite_path(url);

    if (!path && strncmp(url, "postgres", 8) == 0)
        err_set(e, FC_USAGE, "a PostgreSQL store is %s; fc-store %s works with every store",
            restore ? "restored by pg_restore --clean --if-exists -d URL FILE" :
            "backed up by pg_dump -Fc -f FILE URL", restore ? "import" : "export");
    else if (!path)
        err_set(e, FC_USAGE, "store %s: not a store of this machine", url);
    return path;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return !slash ? xstrdup(".") : slash == path ? xstrdup("/") :
        xstrndup(path, (size_t)(slash - path));
}

/* A new empty file in a folder, 0600: its path, to be freed and removed; NULL: error. */
static char *temporary(const char *folder, struct err *e)
{
    char *path;
    uint64_t r;
    int fd;

    for (;;) {
        if (getrandom(&r, sizeof r, 0) != sizeof r) {
            err_errno(e, "getrandom");
            return NULL;
        }
        path = xasprintf("%s/.fc-%016" PRIx64, folder, r);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
            return path;
        }
        if (errno != EEXIST) {
            err_errno(e, "%s", folder);
            free(path);
            return NULL;
        }
        free(path);
    }
}

static void remove_beside(const char *path, const char *suffix)
{
    char *name AUTO_FREE = xasprintf("%s%s", path, suffix);

    unlink(name);
}

/* What a store that was removed has left would be taken for the new one's. */
static void remove_left(const char *path)
{
    static const char *const left[] = {"-wal", "-shm", "-seen", "-seen-wal", "-seen-shm"};

    for (size_t i = 0; i < LEN(left); i++)
        remove_beside(path, left[i]);
}

/* A database's file with what SQLite may have put beside it; path is freed. */
static void discard(char *path)
{
    if (!path)
        return;
    remove_beside(path, "-wal");
    remove_beside(path, "-shm");
    unlink(path);
    free(path);
}

/* Gives the temporary its name: a new one, or (over) also that of a file that exists. */
static int put_in_place(const char *tmp, const char *path, bool over, struct err *e)
{
    char *folder AUTO_FREE = folder_of(path);

    if (over ? rename(tmp, path) < 0 : link(tmp, path) < 0)
        return errno == EEXIST ? err_set(e, FC_CONFLICT, "%s: exists already", path) :
            err_errno(e, "%s", path);
    return dir_sync(folder, e);
}

static int pour(int from, const char *what, int to, const char *where, struct err *e)
{
    enum { SIZE = 1 << 18 };
    char *buf AUTO_FREE = xmalloc(SIZE);

    for (;;) {
        ssize_t n = read(from, buf, SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_errno(e, "%s", what) : 0;
        if (fd_write(to, buf, (size_t)n, where, e) < 0)
            return -1;
    }
}

static void first_fault(void *ctx, const char *what)
{
    char **first = ctx;

    if (!*first)
        *first = xstrdup(what);
}

/* Is it a store that this code can work on, whole? file names it in messages. */
static int examine(const char *tmp, const char *file, int64_t *version, struct err *e)
{
    char *url AUTO_FREE = xasprintf("sqlite:%s", tmp), *fault AUTO_FREE = NULL;
    struct err why = {0};

    if (store_version(url, version, &why) < 0 || sqlite_integrity(tmp, first_fault, &fault, &why) < 0) {
        const char *what = strstr(why.msg, tmp);

        return err_set(e, FC_INVALID, "%s%s", file, what ? what + strlen(tmp) : why.msg);
    }
    return fault ? err_set(e, FC_INVALID, "%s: damaged: %s", file, fault) : 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int to_stdout(const char *path, const struct backup_options *o, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char *tmp = temporary(dir && *dir ? dir : "/tmp", e);
    int fd AUTO_CLOSE = -1, rc = -1;

    if (tmp && sqlite_copy(path, tmp, o->progress, o->ctx, e) == 0) {
        fd = open(tmp, O_RDONLY | O_CLOEXEC);
        rc = fd < 0 ? err_errno(e, "%s", tmp) : pour(fd, tmp, STDOUT_FILENO, "standard output", e);
    }
    discard(tmp);
    return rc;
}

int store_backup(const char *url, const char *file, const struct backup_options *o, struct err *e)
{
    const char *path = path_of(url, false, e);
    char *folder AUTO_FREE = folder_of(file), *tmp;
    int64_t version;
    int rc = -1;

    if (!path || store_version(url, &version, e) < 0)
        return -1;
    if (strcmp(file, "-") == 0)
        return to_stdout(path, o, e);
    if (same_file(path, file))
        return err_set(e, FC_USAGE, "%s: is the store itself", file);
    if (!o->force && access(file, F_OK) == 0)
        return err_set(e, FC_CONFLICT, "%s: exists already", file);
    if (access(file, F_OK) == 0 && sqlite_in_use(file))
        return err_set(e, FC_CONFLICT, "%s: a store in use: fc-store restore puts a backup in its "
            "place", file);
    if (!(tmp = temporary(folder, e)))
        return -1;
    /* What another backup makes room for is looked through first. */
    if (sqlite_copy(path, tmp, o->progress, o->ctx, e) == 0 &&
        (access(file, F_OK) < 0 || examine(tmp, path, &version, e) == 0)) {
        remove_left(file);
        rc = put_in_place(tmp, file, o->force, e);
    }
    discard(tmp);
    return rc;
}

/* The bytes of a backup. One that somebody works on has more in the log beside it. */
static int fetch(const char *file, const char *tmp, struct err *e)
{
    char *wal AUTO_FREE = xasprintf("%s-wal", file);
    int from AUTO_CLOSE = -1, to AUTO_CLOSE = -1;
    struct stat st;

    if (strcmp(file, "-") && stat(wal, &st) == 0 && st.st_size > 0)
        return err_set(e, FC_INVALID, "%s: a store in use: fc-store backup makes a copy of it",
            file);
    from = strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    if (from < 0)
        return err_errno(e, "%s", file);
    to = open(tmp, O_WRONLY | O_CLOEXEC);
    if (to < 0)
        return err_errno(e, "%s", tmp);
    if (pour(from, file, to, tmp, e) < 0)
        return -1;
    return fsync(to) < 0 ? err_errno(e, "%s", tmp) : 0;
}

/* Rows of last-seen go by numbers that another store gives to other devices. */
static int forget_seen(const char *url, struct err *e)
{
    struct db *side;
    int rc;

    if (db_open(&side, url, DB_SEEN, e) < 0)
        return -1;
    rc = db_exec(side, "DELETE FROM seen", e);
    db_close(side);
    return rc;
}

static int put_new(const char *tmp, const char *path, struct err *e)
{
    remove_left(path);
    return put_in_place(tmp, path, false, e);
}

/* Over a store that exists; what is not even a database any more is put aside. */
static int put_over(const char *tmp, const char *url, const char *path,
    const struct backup_options *o, struct err *e)
{
    char *broken AUTO_FREE = xasprintf("%s.broken", path);
    struct err why = {0};

    if (forget_seen(url, e) < 0)
        return -1;
    if (sqlite_replace(tmp, path, o->progress, o->ctx, &why) == 0)
        return 0;
    if (why.code != FC_INVALID)
        return err_set(e, why.code, "%s", why.msg);
    if (rename(path, broken) < 0)
        return err_errno(e, "%s", path);
    log_warn("%s: put aside as %s", path, broken);
    return put_new(tmp, path, e);
}

/* Another program's database is not ours to replace. */
static int may_replace(const char *url, struct err *e)
{
    struct err why = {0};
    int64_t version;

    if (store_version(url, &version, &why) < 0 && why.code == FC_INVALID &&
        strstr(why.msg, "another program's"))
        return err_set(e, FC_INVALID, "%s", why.msg);
    return 0;
}

int store_restore(const char *url, const char *file, const struct backup_options *o,
    int64_t *version, struct err *e)
{
    const char *path = path_of(url, true, e);
    char *folder AUTO_FREE = NULL, *tmp;
    bool exists;
    int rc = -1;

    if (!path)
        return -1;
    folder = folder_of(path);
    exists = access(path, F_OK) == 0;
    if (exists && same_file(path, file))
        return err_set(e, FC_USAGE, "%s: is the store itself", file);
    if (exists && !o->force)
        return err_set(e, FC_CONFLICT, "%s: there is a store already", path);
    if (!(tmp = temporary(folder, e)))
        return -1;
    if (fetch(file, tmp, e) == 0 && examine(tmp, file, version, e) == 0) {
        if (!exists)
            rc = put_new(tmp, path, e);
        else if (may_replace(url, e) == 0)
            rc = put_over(tmp, url, path, o, e);
    }
    discard(tmp);
    return rc;
}
