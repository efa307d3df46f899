/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define TEMP_PREFIX ".fc-tmp-"
enum {
    RACE_RETRIES = 16, /* openat2 gives up with EAGAIN when something is renamed meanwhile */
    READ_CHUNK = 64 << 10,
    TRAIL_MAX = 256, /* folders on the way to one that is behind a link */
    LINKS_MAX = 40,  /* links on it, as the kernel follows them */
};

int place_root(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_errno(e, "%s", path) : fd;
}

static int open_below(int root, const char *path, int flags, mode_t mode, uint64_t links)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | links,
    };
    int i;

    while (*path == '/')
        path++;
    if (!*path)
        path = ".";
    for (i = 0; i < RACE_RETRIES; i++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);

        if (fd >= 0 || errno != EAGAIN)
            return (int)fd;
    }
    return -1;
}

int place_open(int root, const char *path, int flags, mode_t mode)
{
    return open_below(root, path, flags, mode, RESOLVE_NO_MAGICLINKS);
}

/* The folders from the root to where a walk is, so that ".." leads back. */
struct trail {
    int fd[TRAIL_MAX];
    size_t n;
    int links;       /* followed so far */
    char rest[8192]; /* of the path */
};

static void go_back(struct trail *t, size_t to)
{
    while (t->n > to)
        close(t->fd[--t->n]);
}

/* Puts where a link leads in front of the rest. */
static int follow(struct trail *t, const char *name)
{
    int fd AUTO_CLOSE = openat(t->fd[t->n - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char target[4096], rest[sizeof t->rest];
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    errno = ENOTDIR;
    if (!S_ISLNK(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()))
        return -1;
    errno = ELOOP;
    if (++t->links > LINKS_MAX)
        return -1;
    n = readlinkat(fd, "", target, sizeof target);
    if (n < 0)
        return -1;
    if (*target == '/')
        go_back(t, 1);
    if ((size_t)snprintf(rest, sizeof rest, "%.*s/%s", (int)n, target, t->rest) >= sizeof rest) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(t->rest, rest, sizeof rest);
    return 0;
}

/* One part of the way. 1: there is no more. */
static int walk_on(struct trail *t)
{
    size_t skip = strspn(t->rest, "/"), n = strcspn(t->rest + skip, "/");
    char name[256];
    int fd;

    if (!n)
        return 1;
    if (n >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(name, sizeof name, "%.*s", (int)n, t->rest + skip);
    memmove(t->rest, t->rest + skip + n, strlen(t->rest + skip + n) + 1);
    if (strcmp(name, "..") == 0)
        go_back(t, t->n > 1 ? t->n - 1 : 1);
    if (strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
        return 0;
    fd = openat(t->fd[t->n - 1], name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? follow(t, name) : -1;
    if (t->n == TRAIL_MAX) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    t->fd[t->n++] = fd;
    return 0;
}

int place_folder(int root, const char *path)
{
    int fd = open_below(root, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS), rc, saved;
    struct trail t = {.n = 0};

    if (fd >= 0 || errno != ELOOP)
        return fd;
    t.fd[0] = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (t.fd[0] < 0)
        return -1;
    t.n = 1;
    rc = (size_t)snprintf(t.rest, sizeof t.rest, "%s", path) < sizeof t.rest ? 0 : -1;
    errno = ENAMETOOLONG;
    while (rc == 0)
        rc = walk_on(&t);
    fd = rc < 0 ? -1 : openat(t.fd[t.n - 1], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    saved = errno;
    go_back(&t, 0);
    errno = saved;
    return fd;
}

/* One step of making a path: the folder NAME in dir. Its parent is made durable, since a rename
 * into a folder that is lost is lost with it. */
static int make_one(int root, const char *path, mode_t mode)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');
    int fd AUTO_CLOSE = -1;

    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 0, path);
    fd = place_folder(root, parent);
    if (fd < 0)
        return -1;
    if (mkdirat(fd, slash ? slash + 1 : path, mode) < 0)
        return errno == EEXIST ? 0 : -1;
    return fsync(fd);
}

int place_dir(int root, const char *path, bool make, mode_t mode, struct err *e)
{
    int fd = place_folder(root, path);
    char part[4096];
    const char *p = path;

    if (fd >= 0)
        return fd;
    if (!make || errno != ENOENT)
        return err_errno(e, "%s", path);
    if (strlen(path) >= sizeof part)
        return err_set(e, FC_INVALID, "%s: name too long", path);
    while (p) {
        p = strchr(p + strspn(p, "/"), '/');
        snprintf(part, sizeof part, "%.*s", p ? (int)(p - path) : (int)strlen(path), path);
        if (make_one(root, part, mode) < 0)
            return err_errno(e, "%s", part);
    }
    fd = place_folder(root, path);
    return fd < 0 ? err_errno(e, "%s", path) : fd;
}

static int read_regular(int fd, const char *what, size_t max, struct buf *b, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, "%s", what);
    if (!S_ISREG(st.st_mode))
        return err_set(e, FC_INVALID, "%s: not a regular file", what);
    return fd_read(fd, what, max, b, e);
}

int place_read(int dir, const char *name, const char *what, size_t max, struct buf *b,
    struct err *e)
{
    int fd AUTO_CLOSE = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, "%s", what);
    return read_regular(fd, what, max, b, e);
}

int place_read_path(int root, const char *path, const char *what, size_t max, struct buf *b,
    struct err *e)
{
    int fd AUTO_CLOSE = place_open(root, path, O_RDONLY | O_NONBLOCK, 0);

    if (fd < 0)
        return err_errno(e, "%s", what);
    return read_regular(fd, what, max, b, e);
}

int place_write(int dir, const char *name, const void *p, size_t n, mode_t mode,
    enum place_sync sync, struct err *e)
{
    char temp[64];
    uint64_t id;
    int fd AUTO_CLOSE = -1;

    if (getrandom(&id, sizeof id, 0) != sizeof id)
        return err_errno(e, "getrandom");
    snprintf(temp, sizeof temp, TEMP_PREFIX "%016llx", (unsigned long long)id);
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "%s", name);
    if (fd_write(fd, p, n, name, e) < 0)
        goto fail;
    if (fchmod(fd, mode) < 0 || (sync == PLACE_DURABLE && fsync(fd) < 0) ||
        renameat(dir, temp, dir, name) < 0) {
        err_errno(e, "%s", name);
        goto fail;
    }
    if (sync == PLACE_DURABLE && fsync(dir) < 0)
        return err_errno(e, "%s", name);
    return 0;
fail:
    unlinkat(dir, temp, 0);
    return -1;
}

void place_sweep(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *ent;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((ent = readdir(d)))
        if (strncmp(ent->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0 &&
            unlinkat(dir, ent->d_name, 0) < 0)
            log_debug("%s: %s", ent->d_name, strerror(errno));
    closedir(d);
}

void place_set_aside(int dir, const char *name, const struct err *why)
{
    char broken[300];

    snprintf(broken, sizeof broken, "%s.broken", name);
    log_warn("%s: %s: moved to %s", name, why->msg, broken);
    if (renameat(dir, name, dir, broken) < 0 && errno != ENOENT)
        log_warn("%s: %s", broken, strerror(errno));
}

static int hash_file(int dir, const char *name, char out[SHA256_HEX], struct err *e)
{
    int fd AUTO_CLOSE = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    unsigned char *chunk AUTO_FREE = xmalloc(READ_CHUNK), digest[SHA256_DIGEST_LENGTH];
    struct buf hex AUTO_BUF = BUF_INIT;
    SHA2_CTX ctx;
    ssize_t n;

    if (fd < 0)
        return err_errno(e, "%s", name);
    SHA256Init(&ctx);
    while ((n = read(fd, chunk, READ_CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "%s", name);
        SHA256Update(&ctx, chunk, (size_t)n);
    }
    SHA256Final(digest, &ctx);
    hex_encode(&hex, digest, sizeof digest);
    memcpy(out, hex.p, SHA256_HEX);
    return 0;
}

int place_look(int dir, const char *name, bool hash, struct seen *s, struct err *e)
{
    struct stat st;
    ssize_t n;

    memset(s, 0, sizeof *s);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", name);
    s->mode = st.st_mode & 07777;
    s->uid = st.st_uid;
    s->gid = st.st_gid;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->size = st.st_size;
    s->kind = S_ISREG(st.st_mode) ? SEEN_FILE : S_ISLNK(st.st_mode) ? SEEN_LINK :
        S_ISDIR(st.st_mode) ? SEEN_DIR : SEEN_OTHER;
    if (s->kind == SEEN_LINK) {
        n = readlinkat(dir, name, s->target, sizeof s->target - 1);
        if (n < 0)
            return err_errno(e, "%s", name);
        s->target[n] = '\0';
    }
    return s->kind == SEEN_FILE && hash ? hash_file(dir, name, s->sha256, e) : 0;
}

bool place_is_ours(const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}
