/* SPDX-License-Identifier: Apache-2.0 */
/* The child process that the network half runs in, and what it gives up before it starts. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"
#include "split.h"

enum {
    FILE_SIZE_MAX = 1 << 20,    /* bytes: a key and a certificate are all that it writes */
    STOP_MS = 2000,             /* that it has to end by itself */
};

/* Only stderr and these two stay. */
static void close_others(int a, int b)
{
    unsigned lo = (unsigned)(a < b ? a : b), hi = (unsigned)(a < b ? b : a);

    if (lo > 3)
        close_range(3, lo - 1, 0);
    if (hi > lo + 1)
        close_range(lo + 1, hi - 1, 0);
    close_range(hi + 1, ~0U, 0);
}

static int limit(int what, rlim_t n, struct err *e)
{
    struct rlimit r = {n, n};

    return setrlimit((__rlimit_resource_t)what, &r) < 0 ? err_errno(e, "setrlimit") : 0;
}

/* The order matters: groups, group, user, and only then the things that need no right. */
static int drop_rights(const struct agent *a, struct err *e)
{
    pid_t parent = getppid();

    if (a->split) {
        if (setgroups(0, NULL) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
            setresuid(a->uid, a->uid, a->uid) < 0)
            return err_errno(e, "account %s", a->account);
        if (setuid(0) == 0 || setgid(0) == 0)
            return err_set(e, FC_FAIL, "account %s: could get its rights back", a->account);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(e, "prctl");
    if (limit(RLIMIT_CORE, 0, e) < 0 || limit(RLIMIT_FSIZE, FILE_SIZE_MAX, e) < 0)
        return -1;
    umask(077);
    /* Ends with the other half: a change of user clears this, so it comes after. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(e, "prctl");
    return getppid() == parent ? 0 : err_set(e, FC_FAIL, "the other half is gone");
}

/* Libraries are loaded while the folder that holds them can be read for sure; they are started
 * (net_main) only without rights. */
static int load_modules(struct net *n, struct err *e)
{
    n->http = mod_symbol("curl", "client_module", e);
    n->id.crypto = n->http ? mod_symbol("identity", "identity_module", e) : NULL;
    return n->id.crypto ? 0 : -1;
}

/* Files but those of its folder go, and the system calls that a client does not need; on a kernel
 * that cannot do this, only a run that asked for no split goes on. */
static int confine(const struct net_job *job, struct err *e)
{
    struct confine *c = confine_new(true);
    struct err lacks = {0};

    confine_opened(c, job->certs, CONFINE_READ | (job->a->dry ? 0 : CONFINE_WRITE | CONFINE_MAKE));
    confine_enter(c, &lacks);
    if (!lacks.code)
        return 0;
    if (job->a->split)
        return err_set(e, FC_FAIL, "the network half cannot be confined: %s (--no-split goes on "
            "without)", lacks.msg);
    log_warn("the network half is not confined: %s", lacks.msg);
    return 0;
}

_Noreturn static void child(const struct net_job *job, int sock)
{
    struct net n = {.job = job, .sock = sock};
    struct msg m = {.type = MSG_ERROR};

    close_others(sock, job->certs);
    signal(SIGPIPE, SIG_IGN);
    alarm((unsigned)(job->a->wait + RUN_SLACK));
    if (load_modules(&n, &m.err) < 0 || drop_rights(job->a, &m.err) < 0 ||
        confine(job, &m.err) < 0)
        proto_send(sock, &m, NULL);
    else
        net_main(&n);
    _exit(0);
}

int net_start(const struct net_job *job, pid_t *pid, int *sock, struct err *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(e, "socketpair");
    *pid = fork();
    if (*pid == 0) {
        close(pair[0]);
        child(job, pair[1]);
    }
    close(pair[1]);
    if (*pid < 0) {
        close(pair[0]);
        return err_errno(e, "fork");
    }
    *sock = pair[0];
    return 0;
}

void net_stop(pid_t pid, int sock)
{
    int fd AUTO_CLOSE = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};

    close(sock);
    if (fd < 0 || poll(&end, 1, STOP_MS) <= 0) {
        log_debug("the network half did not end: killed");
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
