/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int fd_read(int fd, const char *what, size_t max, struct buf *b, struct err *e)
{
    size_t start = b->len, chunk = 4096;
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        if ((uint64_t)st.st_size > max)
            goto large;
        chunk = (size_t)st.st_size + 1; /* the last byte is for seeing the end */
    }
    for (;;) {
        ssize_t n;

        buf_reserve(b, chunk);
        n = read(fd, b->p + b->len, b->cap - b->len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "%s", what);
        if (n == 0)
            break;
        b->len += (size_t)n;
        b->p[b->len] = '\0';
        if (b->len - start > max)
            goto large;
        chunk = chunk < 1 << 20 ? 64 << 10 : 1;
    }
    return 0;
large:
    if (b->p) {
        b->len = start;
        b->p[start] = '\0';
    }
    return err_set(e, FC_INVALID, "%s: larger than %zu bytes", what, max);
}

int file_read(const char *path, size_t max, struct buf *b, struct err *e)
{
    int fd AUTO_CLOSE = -1;

    if (!strcmp(path, "-"))
        return fd_read(STDIN_FILENO, "(stdin)", max, b, e);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, "%s", path);
    return fd_read(fd, path, max, b, e);
}

int fd_write(int fd, const void *p, size_t n, const char *what, struct err *e)
{
    const char *s = p;

    while (n) {
        ssize_t k = write(fd, s, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_errno(e, "%s", what);
        s += k;
        n -= (size_t)k;
    }
    return 0;
}

/* The folder of path, for the caller to free. */
static char *folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int sync_fd(int fd, const char *what, struct err *e)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno == EINVAL) /* a file system that cannot: nothing is promised there */
        return 0;
    return rc < 0 ? err_errno(e, "%s", what) : 0;
}

int dir_sync(const char *path, struct err *e)
{
    int fd AUTO_CLOSE = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_errno(e, "%s", path) : sync_fd(fd, path, e);
}

/* Fills the new file; its descriptor is closed in any case. */
static int fill(int fd, const void *p, size_t n, mode_t mode, const char *path, struct err *e)
{
    int rc = fd_write(fd, p, n, path, e);

    if (!rc && fchmod(fd, mode) < 0)
        rc = err_errno(e, "%s", path);
    if (!rc)
        rc = sync_fd(fd, path, e);
    if (close(fd) < 0 && !rc)
        rc = err_errno(e, "%s", path);
    return rc;
}

static int replace(const char *path, const void *p, size_t n, mode_t mode, bool fresh,
    struct err *e)
{
    char *dir AUTO_FREE = folder(path), *tmp AUTO_FREE = NULL;
    uint64_t r;
    int fd, rc;

    do {
        if (getrandom(&r, sizeof r, 0) != sizeof r)
            return err_errno(e, "getrandom");
        free(tmp);
        tmp = xasprintf("%s/.fc-%016" PRIx64, dir, r);
        fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0600);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0)
        return err_errno(e, "%s", path);
    rc = fill(fd, p, n, mode, path, e);
    if (!rc && fresh) {
        if (link(tmp, path) < 0)
            rc = errno == EEXIST ? err_set(e, FC_CONFLICT, "%s: exists already", path) :
                err_errno(e, "%s", path);
    } else if (!rc && rename(tmp, path) < 0)
        rc = err_errno(e, "%s", path);
    if (rc < 0 || fresh)
        unlink(tmp);
    return rc < 0 ? rc : dir_sync(dir, e);
}

int file_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(path, p, n, mode, false, e);
}

int file_create(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(path, p, n, mode, true, e);
}

int file_open_own(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022))
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
    char *part AUTO_FREE = xstrdup(path);
    char *slash = part;
    struct stat st;

    while (slash) {
        while (*slash == '/')
            slash++;
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (*part && mkdir(part, mode) < 0) {
            int en = errno;

            if (stat(part, &st) < 0) {
                errno = en;
                return err_errno(e, "%s", part);
            }
            if (!S_ISDIR(st.st_mode)) {
                errno = ENOTDIR;
                return err_errno(e, "%s", part);
            }
        }
        if (slash)
            *slash = '/';
    }
    return 0;
}
