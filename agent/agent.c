/* SPDX-License-Identifier: Apache-2.0 */
/* Folders, lock and account: what every form of the command needs first. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "apps.h"
#include "base/mem.h"
#include "deadline.h"
#include "files.h"
#include "label.h"
#include "pace.h"
#include "place.h"

/* The resolved path of a folder that is open. */
static char *real_path(int fd, struct err *e)
{
    char link[64], path[PATH_LEN];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0) {
        err_errno(e, "%s", link);
        return NULL;
    }
    path[n] = '\0';
    return xstrdup(strcmp(path, "/") ? path : "");
}

/* A folder of the agent's own; the ones above it are everybody's. *out stays -1 when it does not
 * exist and is not to be made. */
static int own_dir(int root, const char *path, bool make, mode_t mode, int *out, struct err *e)
{
    char parent[PATH_LEN];
    const char *name;
    int fd AUTO_CLOSE = -1;

    path_split(path, parent, &name);
    if (make) {
        fd = place_dir(root, parent, true, 0755, e);
        if (fd < 0)
            return -1;
    }
    *out = place_dir(root, path, make, mode, e);
    return *out >= 0 || (!make && e->code == FC_NOTFOUND) ? 0 : -1;
}

/* Who can write there can have root do what he wants. */
static int check_ours(int dir, const char *path, struct err *e)
{
    struct stat st;

    if (dir < 0)
        return 0;
    if (fstat(dir, &st) < 0)
        return err_errno(e, "%s", path);
    return place_is_ours(&st) ? 0 : err_set(e, FC_DENIED, "%s: can be written by others than root: "
        "it must belong to root, or who runs this, with a mode such as 0700", path);
}

int agent_open(struct agent *a, bool make, struct err *e)
{
    const char *data = a->data ? a->data : AGENT_DATA;

    int host AUTO_CLOSE = -1;

    a->data_fd = a->run_fd = a->lock_fd = -1;
    a->apps = apps_cache_new();
    a->labels = labels_new();
    a->root_fd = place_root(a->root, e);
    if (a->root_fd < 0)
        return -1;
    a->root_path = real_path(a->root_fd, e);
    host = a->data ? place_root("/", e) : dup(a->root_fd);
    if (!a->root_path || host < 0 ||
        own_dir(host, data, make, 0700, &a->data_fd, e) < 0 ||
        own_dir(a->root_fd, AGENT_RUN, make, 0755, &a->run_fd, e) < 0 ||
        (make && (check_ours(a->data_fd, data, e) < 0 || check_ours(a->run_fd, AGENT_RUN, e) < 0)))
        return -1;
    if (a->data_fd >= 0)
        a->data_path = real_path(a->data_fd, e);
    return a->data_fd >= 0 && !a->data_path ? -1 : 0;
}

void agent_close(struct agent *a)
{
    const int fds[] = {a->root_fd, a->data_fd, a->run_fd, a->lock_fd};
    size_t i;

    for (i = 0; i < LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(a->root_path);
    free(a->data_path);
    apps_cache_free(a->apps);
    labels_free(a->labels);
}

int agent_account(struct agent *a, struct err *e)
{
    int host AUTO_CLOSE = -1;

    if (!a->split)
        return 0;
    if (geteuid() != 0)
        return err_set(e, FC_DENIED, "must be run by root, so that its network half can run as %s; "
            "--no-split runs all of it as one account, this one", a->account);
    host = place_root("/", e);
    if (host < 0)
        return -1;
    if (account_user(host, a->account, &a->uid, &a->gid, e) < 0)
        return err_set(e, FC_NOTFOUND, "there is no account %s for the network half: make it with "
            "\"useradd --system --no-create-home --shell /usr/sbin/nologin %s\" (make install "
            "does), name another with --user, or run all as one account with --no-split",
            a->account, a->account);
    if (a->uid == 0)
        return err_set(e, FC_USAGE, "--user %s: the network half must not run as root", a->account);
    return 0;
}

int agent_lock(struct agent *a, struct err *e)
{
    int64_t end = uptime_s() + KICK_WAIT;

    a->lock_fd = openat(a->run_fd, "agent.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (a->lock_fd < 0)
        return err_errno(e, AGENT_RUN "/agent.lock");
    while (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_errno(e, AGENT_RUN "/agent.lock");
        if (!pace_kick_waits(a) || uptime_s() >= end)
            return err_set(e, FC_AGAIN, "another run is under way");
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return 0;
}

/* A file that root made is handed over, once. More than one link to it would be somebody's trick
 * to get another file. */
static int hand_over(const struct agent *a, int dir, const char *name, struct err *e)
{
    int fd AUTO_CLOSE = -1;
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "certs/%s", name);
    if (st.st_uid != 0)
        return 0;
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, "certs/%s", name);
    if (st.st_uid != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(e, FC_DENIED, "certs/%s: not a plain file of its own", name);
    return fchown(fd, a->uid, a->gid) < 0 ? err_errno(e, "certs/%s", name) : 0;
}

int agent_certs(struct agent *a, bool make, struct err *e)
{
    static const char *const files[] = {"agent.key", "agent.csr", "agent.crt"};
    int dir;
    struct stat st;
    size_t i;

    if (a->data_fd < 0 || own_dir(a->data_fd, "certs", make, 0700, &dir, e) < 0 || dir < 0)
        return -1;
    if (!a->split || a->dry)
        return dir;
    for (i = 0; i < LEN(files); i++)
        if (hand_over(a, dir, files[i], e) < 0)
            goto fail;
    /* the folder last: until it is handed over, nobody else can put anything into it */
    if (fstat(dir, &st) < 0 ||
        (st.st_uid != a->uid && (fchown(dir, a->uid, a->gid) < 0 || fchmod(dir, 0700) < 0))) {
        err_errno(e, "certs");
        goto fail;
    }
    return dir;
fail:
    close(dir);
    return -1;
}
