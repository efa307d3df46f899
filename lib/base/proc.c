/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    KILL_AFTER = 2000000, /* us from TERM to KILL */
    LINGER = 200000,      /* us to read what grandchildren still write after the child's end */
    CHUNK = 64 << 10,
};

/* Search path of children that get no environment of their own. */
static const char path_default[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct child {
    pid_t pid;
    int pidfd;
    int in, out, err; /* our ends; -1 when closed */
};

static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* In the child, between fork and exec: system calls only. The parent reads errno from report. path is
 * NULL when the program is looked for below another root. */
_Noreturn static void become(const struct proc *p, const char *path, const char *const *env,
    const int fd[3], int report, pid_t parent)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t none;
    int i, en;

    setpgid(0, 0);
    if (p->bound && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        _exit(126);
    for (i = 1; i < NSIG; i++)
        sigaction(i, &dfl, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (i = 0; i < 3; i++)
        if (dup2(fd[i], i) < 0)
            goto fail;
    /* What is above 2 goes, but for the report, which exec closes. */
    if (dup2(report, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
        goto fail;
    report = 3;
    if (syscall(SYS_close_range, 4, ~0U, 0) < 0)
        for (i = (int)sysconf(_SC_OPEN_MAX); i > 3; i--)
            close(i);
    if (p->root && (chroot(p->root) < 0 || chdir("/") < 0))
        goto fail;
    if (p->dir && chdir(p->dir) < 0)
        goto fail;
    if (path)
        execve(path, (char *const *)p->argv, (char *const *)env);
    else
        execvpe(p->argv[0], (char *const *)p->argv, (char *const *)env);
fail:
    en = errno;
    if (write(report, &en, sizeof en) < 0)
        _exit(126);
    _exit(127);
}

/* The program of argv[0], for the caller to free; NULL with errno. */
static char *find_program(const char *name)
{
    const char *dirs = getenv("PATH"), *end;

    if (strchr(name, '/'))
        return xstrdup(name);
    if (!dirs || !*dirs)
        dirs = path_default;
    for (;; dirs = end + 1) {
        char *path;

        end = strchrnul(dirs, ':');
        if (end > dirs && *dirs == '/') { /* a relative folder would be a trap */
            path = xasprintf("%.*s/%s", (int)(end - dirs), dirs, name);
            if (!access(path, X_OK))
                return path;
            free(path);
        }
        if (!*end)
            break;
    }
    errno = ENOENT;
    return NULL;
}

static void close_pair(int p[2])
{
    if (p[0] >= 0)
        close(p[0]);
    if (p[1] >= 0)
        close(p[1]);
}

/* A pipe whose ends are not 0, 1 or 2, so that dup2 in the child cannot step on them. */
static int make_pipe(int p[2])
{
    int i;

    if (pipe2(p, O_CLOEXEC) < 0) {
        p[0] = p[1] = -1;
        return -1;
    }
    for (i = 0; i < 2; i++)
        if (p[i] < 4) {
            int high = fcntl(p[i], F_DUPFD_CLOEXEC, 4);

            if (high < 0)
                return -1;
            close(p[i]);
            p[i] = high;
        }
    return 0;
}

static int spawn(const struct proc *p, struct child *c, struct err *e)
{
    char *path AUTO_FREE = p->root ? NULL : find_program(p->argv[0]);
    const char *path_env = getenv("PATH");
    char *path_var AUTO_FREE = xasprintf("PATH=%s", path_env ? path_env : path_default);
    const char *const minimal[] = {path_var, "LANG=C.UTF-8", NULL};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
    int en = 0, rc = -1;
    pid_t parent;
    ssize_t n;

    if (!path && !p->root)
        return err_errno(e, "%s", p->argv[0]);
    if (make_pipe(in) < 0 || make_pipe(out) < 0 || make_pipe(err) < 0 || make_pipe(report) < 0) {
        err_errno(e, "%s", p->argv[0]);
        goto done;
    }
    if (!p->in) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0) {
            err_errno(e, "/dev/null");
            goto done;
        }
        if (dup3(null, in[0], O_CLOEXEC) < 0)
            die("dup3: %s", strerror(errno));
        close(null);
        close(in[1]);
        in[1] = -1;
    }
    parent = getpid();
    c->pid = fork();
    if (c->pid < 0) {
        err_errno(e, "fork");
        goto done;
    }
    if (c->pid == 0) {
        const int fd[3] = {in[0], out[1], err[1]};

        become(p, path, p->env ? p->env : minimal, fd, report[1], parent);
    }
    setpgid(c->pid, c->pid); /* here, too: whoever comes first; a failure means the child was */
    close(report[1]);
    report[1] = -1;
    do
        n = read(report[0], &en, sizeof en);
    while (n < 0 && errno == EINTR);
    if (n == sizeof en) {
        waitpid(c->pid, NULL, 0);
        errno = en;
        err_errno(e, "%s", p->argv[0]);
        goto done;
    }
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        err_errno(e, "pidfd_open");
        kill(-c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        goto done;
    }
    c->in = in[1];
    c->out = out[0];
    c->err = err[0];
    in[1] = out[0] = err[0] = -1;
    rc = 0;
done:
    close_pair(in);
    close_pair(out);
    close_pair(err);
    close_pair(report);
    return rc;
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Reads once; beyond max bytes are dropped. */
static void take(int *fd, struct buf *b, size_t max)
{
    char chunk[CHUNK];
    ssize_t n = read(*fd, chunk, sizeof chunk);

    if (n > 0)
        buf_add(b, chunk, b->len >= max ? 0 : (size_t)n < max - b->len ? (size_t)n : max - b->len);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        shut(fd);
}

static void feed(int *fd, const struct proc *p, size_t *sent)
{
    ssize_t n = write(*fd, (const char *)p->in + *sent, p->in_len - *sent);

    if (n > 0)
        *sent += (size_t)n;
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        shut(fd); /* it does not want more */
    if (*sent == p->in_len)
        shut(fd);
}

struct timer {
    int64_t next;  /* when to do it; 0: never */
    int signal;    /* what to send then; 0: stop reading */
};

/* What is due: TERM, later KILL, and after the child's end no more waiting for its heirs. */
static void expire(struct child *c, struct timer *t, struct proc_result *r)
{
    if (t->signal) {
        r->timed_out = 1;
        kill(-c->pid, t->signal);
        t->next = t->signal == SIGTERM ? clock_us() + KILL_AFTER : 0;
        t->signal = SIGKILL;
    } else {
        shut(&c->out);
        shut(&c->err);
    }
}

/* Until the child has ended and its output is read. The zombie keeps the process group's id. */
static void attend(const struct proc *p, struct child *c, struct proc_result *r)
{
    struct timer t = {p->timeout ? clock_us() + p->timeout : 0, SIGTERM};
    bool running = true;
    size_t sent = 0;

    if (c->in >= 0) {
        fcntl(c->in, F_SETFL, O_NONBLOCK);
        if (!p->in_len)
            shut(&c->in);
    }
    while (running || c->out >= 0 || c->err >= 0) {
        struct pollfd f[4] = {{c->out, POLLIN, 0}, {c->err, POLLIN, 0}, {c->in, POLLOUT, 0},
            {running ? c->pidfd : -1, POLLIN, 0}};
        int64_t left = t.next ? t.next - clock_us() : 0;

        if (poll(f, 4, t.next ? left > 0 ? (int)(left / 1000 < 1 << 30 ? left / 1000 + 1 :
            1 << 30) : 0 : -1) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (f[0].revents)
            take(&c->out, &r->out, p->out_max);
        if (f[1].revents)
            take(&c->err, &r->err, p->out_max);
        if (f[2].revents)
            feed(&c->in, p, &sent);
        if (f[3].revents) {
            running = false;
            shut(&c->in);
            t = (struct timer){clock_us() + LINGER, 0};
        }
        if (t.next && clock_us() >= t.next)
            expire(c, &t, r);
    }
    shut(&c->in);
}

int proc_run(const struct proc *p, struct proc_result *r, struct err *e)
{
    struct child c = {.in = -1, .out = -1, .err = -1, .pidfd = -1};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    int status;

    *r = (struct proc_result){0};
    sigaction(SIGPIPE, &ignore, &old); /* a child need not read its input */
    if (spawn(p, &c, e) < 0) {
        sigaction(SIGPIPE, &old, NULL);
        return -1;
    }
    attend(p, &c, r);
    if (r->timed_out)
        kill(-c.pid, SIGKILL); /* what it started and left behind */
    while (waitpid(c.pid, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid: %s", strerror(errno));
    close(c.pidfd);
    sigaction(SIGPIPE, &old, NULL);
    buf_reserve(&r->out, 0);
    buf_reserve(&r->err, 0);
    r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}
