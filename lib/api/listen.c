/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/mem.h"
#include "base/text.h"

enum { FIRST_FD = 3 /* SD_LISTEN_FDS_START */ };

static bool stream_option(int fd, int option)
{
    int type = 0, value = 0;
    socklen_t n = sizeof type, m = sizeof value;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM
        && (option < 0 || (getsockopt(fd, SOL_SOCKET, option, &value, &m) == 0 && value));
}

bool is_listening(int fd)
{
    return stream_option(fd, SO_ACCEPTCONN);
}

bool is_connected(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;

    return stream_option(fd, -1) && getpeername(fd, (struct sockaddr *)&ss, &n) == 0;
}

int listen_inherited(struct err *e)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    int64_t p = 0, n = 0;
    bool ours = pid && fds && num_parse(pid, 1, INT32_MAX, &p, "LISTEN_PID", NULL) == 0
        && p == getpid();
    bool one = ours && num_parse(fds, 0, INT32_MAX, &n, "LISTEN_FDS", NULL) == 0;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    e->code = FC_OK;
    if (!ours || (one && n == 0))
        return -1;
    if (n != 1)
        return err_set(e, FC_USAGE, "one socket is wanted from the supervisor, not %lld",
            (long long)n);
    if (!is_listening(FIRST_FD) && !is_connected(FIRST_FD))
        return err_set(e, FC_USAGE, "the supervisor's descriptor %d is no stream socket", FIRST_FD);
    if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0)
        return err_errno(e, "descriptor %d", FIRST_FD);
    return FIRST_FD;
}

/* A socket file that nobody serves is what a killed process left. */
static int remove_stale(const struct sockaddr_un *un, struct err *e)
{
    struct stat st;
    int fd AUTO_CLOSE = -1;

    if (lstat(un->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "%s", un->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, FC_CONFLICT, "%s: exists and is no socket", un->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, "socket");
    if (connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 || errno != ECONNREFUSED)
        return err_set(e, FC_CONFLICT, "%s: another process listens there", un->sun_path);
    if (unlink(un->sun_path) < 0)
        return err_errno(e, "%s", un->sun_path);
    return 0;
}

static int listen_unix(const char *path, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd AUTO_CLOSE = -1, made, out;
    mode_t old;

    if (!*path || strlen(path) >= sizeof un.sun_path)
        return err_set(e, FC_USAGE, "unix:%s: the path must have 1 to %zu bytes", path,
            sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, strlen(path));
    if (remove_stale(&un, e) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "socket");
    old = umask(0117);
    made = bind(fd, (const struct sockaddr *)&un, sizeof un);
    umask(old);
    if (made < 0 || listen(fd, SOMAXCONN) < 0)
        return err_errno(e, "unix:%s", path);
    out = fd;
    fd = -1;
    return out;
}

static int listen_tcp(const char *spec, struct err *e)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list = NULL;
    const char *colon = strrchr(spec, ':');
    char *host AUTO_FREE = NULL;
    size_t n = colon ? (size_t)(colon - spec) : 0;
    int64_t port;
    int fd AUTO_CLOSE = -1, out, rc, on = 1;

    if (!colon || num_parse(colon + 1, 0, 65535, &port, "port", NULL) < 0)
        return err_set(e, FC_USAGE, "%s: neither ADDR:PORT nor unix:PATH", spec);
    host = n > 2 && spec[0] == '[' && spec[n - 1] == ']' ? xstrndup(spec + 1, n - 2) :
        xstrndup(spec, n);
    rc = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &list);
    if (rc != 0)
        return err_set(e, FC_USAGE, "%s: %s", spec, gai_strerror(rc));
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (rc == 0)
        rc = bind(fd, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    if (rc < 0 || listen(fd, SOMAXCONN) < 0) {
        if (errno == EADDRINUSE)
            return err_set(e, FC_CONFLICT, "%s: another process listens there", spec);
        return err_errno(e, "%s", spec);
    }
    out = fd;
    fd = -1;
    return out;
}

int listen_on(const char *spec, struct err *e)
{
    return strncmp(spec, "unix:", 5) == 0 ? listen_unix(spec + 5, e) : listen_tcp(spec, e);
}

void listen_done(const char *spec)
{
    if (strncmp(spec, "unix:", 5) == 0)
        unlink(spec + 5);
}
