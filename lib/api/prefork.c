/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/log.h"
#include "base/mem.h"

enum { /* us */
    PAUSE_MIN = 100000,   /* before a crashed process starts again, doubled each time up to */
    PAUSE_MAX = 30000000, /* so that a request that kills us does not keep a core busy */
    STEADY = 60000000,    /* who lived as long starts with the short pause again */
};

struct worker {
    pid_t pid;            /* 0: not running */
    int64_t started;
    int64_t again;        /* when to start it; 0: not any more */
    int64_t pause;
};

struct prefork {
    prefork_fn *run;
    void *arg;
    int n;
    struct worker *worker;
    struct idle_slot *slots;
    sigset_t mask;        /* of the caller, for the children */
    bool stopping;
    enum fc_code code;    /* of the first one that failed by itself */
};

_Noreturn static void child(struct prefork *p, int i, pid_t parent)
{
    struct err e = {0};
    int rc;

    prctl(PR_SET_PDEATHSIG, SIGTERM); /* without its parent nobody would ever stop it */
    if (getppid() != parent)
        exit(FC_FAIL);
    sigprocmask(SIG_SETMASK, &p->mask, NULL);
    rc = p->run(p->arg, p->slots, p->n, i, &e);
    if (rc < 0)
        log_err(&e);
    free(p->worker);
    exit(rc < 0 ? (int)e.code : 0);
}

static void start(struct prefork *p, int i)
{
    struct worker *w = &p->worker[i];
    pid_t parent = getpid();

    w->again = 0;
    w->started = monotonic_us();
    w->pid = fork();
    if (w->pid == 0)
        child(p, i, parent);
    if (w->pid < 0) {
        log_warn("fork: %s", strerror(errno));
        w->pid = 0;
        w->again = w->started + PAUSE_MAX;
    }
}

static void ended(struct prefork *p, int i, int status)
{
    struct worker *w = &p->worker[i];
    int64_t now = monotonic_us();

    w->pid = 0;
    p->slots[i].connections = 0;
    p->slots[i].since = now;
    if (WIFEXITED(status)) {
        if (WEXITSTATUS(status) && !p->code)
            p->code = (enum fc_code)WEXITSTATUS(status);
        return;
    }
    if (p->stopping)
        return;
    w->pause = now - w->started > STEADY || !w->pause ? PAUSE_MIN :
        w->pause * 2 < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
    w->again = now + w->pause;
    log_warn("process %d was killed by signal %d (%s); another starts in %.1f s", i,
        WTERMSIG(status), strsignal(WTERMSIG(status)), (double)w->pause / 1e6);
}

static void reap(struct prefork *p)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < p->n; i++)
            if (p->worker[i].pid == pid)
                ended(p, i, status);
}

/* Starts what is due. Returns how many run or will; *next is when the next is due, or 0. */
static int due(struct prefork *p, int64_t *next)
{
    int64_t now = monotonic_us();
    int alive = 0;

    *next = 0;
    for (int i = 0; i < p->n; i++) {
        struct worker *w = &p->worker[i];

        if (w->again && p->stopping)
            w->again = 0;
        if (w->again && w->again <= now)
            start(p, i);
        if (w->again && (!*next || w->again < *next))
            *next = w->again;
        alive += w->pid || w->again;
    }
    return alive;
}

static void forward(struct prefork *p)
{
    p->stopping = true;
    for (int i = 0; i < p->n; i++)
        if (p->worker[i].pid)
            kill(p->worker[i].pid, SIGTERM);
}

static void supervise(struct prefork *p, const sigset_t *wanted)
{
    int64_t next;

    while (reap(p), due(p, &next) > 0) {
        int64_t left = next - monotonic_us();
        struct timespec t = {0};
        int sig;

        if (left > 0) {
            t.tv_sec = left / 1000000;
            t.tv_nsec = left % 1000000 * 1000;
        }
        sig = sigtimedwait(wanted, NULL, next ? &t : NULL);
        if (sig == SIGTERM || sig == SIGINT)
            forward(p);
    }
}

int prefork(int n, prefork_fn *run, void *arg, struct err *e)
{
    struct prefork p = {.run = run, .arg = arg, .n = n};
    size_t size = (size_t)n * sizeof *p.slots;
    sigset_t wanted;

    p.slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p.slots == MAP_FAILED)
        return err_errno(e, "shared memory");
    p.worker = xcalloc((size_t)n, sizeof *p.worker);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, &p.mask);
    for (int i = 0; i < n; i++) {
        p.slots[i].since = monotonic_us();
        start(&p, i);
    }
    supervise(&p, &wanted);
    sigprocmask(SIG_SETMASK, &p.mask, NULL);
    free(p.worker);
    munmap(p.slots, size);
    return p.code ? err_set(e, p.code, "a serving process failed") : 0;
}
