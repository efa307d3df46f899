/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs two commands by turns and prints medians of their wall time, their CPU time (user and
 * system, with the processes that they waited for) and the size of their largest process.
 *   spawn COUNT FILE-A FILE-B A ... -- B ...
 * Each run must end with status 0 and print exactly what is in its file, or the measurement fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

extern char **environ;

enum { WARM_UP = 3, OUTPUT_MAX = 1 << 20, COUNT_MAX = 100000 };

struct side {
    char **argv;
    char *want;      /* what it must print */
    size_t nwant;
    double *wall, *cpu; /* ms, of each run */
    long rss;        /* KiB, the most of all runs */
};

static char *load(const char *path, size_t *n)
{
    int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    char *p = xmalloc(OUTPUT_MAX);
    ssize_t got = fd < 0 ? -1 : read(fd, p, OUTPUT_MAX);

    if (got < 0 || got == OUTPUT_MAX)
        die("%s: cannot be read", path);
    *n = (size_t)got;
    return p;
}

static double ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* One run; i < 0 is not counted. */
static void run(struct side *s, int i)
{
    static char got[OUTPUT_MAX];
    posix_spawn_file_actions_t actions;
    struct rusage used;
    double start;
    size_t n = 0;
    int pipe_fd[2], status;
    ssize_t r;
    pid_t pid;

    if (pipe2(pipe_fd, O_CLOEXEC) < 0)
        die("pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 1);
    start = now();
    if ((errno = posix_spawnp(&pid, s->argv[0], &actions, NULL, s->argv, environ)))
        die("%s: %s", s->argv[0], strerror(errno));
    close(pipe_fd[1]);
    while ((r = read(pipe_fd[0], got + n, sizeof got - n)) > 0)
        n += (size_t)r;
    while (wait4(pid, &status, 0, &used) < 0)
        if (errno != EINTR)
            die("wait4: %s", strerror(errno));
    if (i >= 0) {
        s->wall[i] = now() - start;
        s->cpu[i] = ms(used.ru_utime) + ms(used.ru_stime);
        if (used.ru_maxrss > s->rss)
            s->rss = used.ru_maxrss;
    }
    close(pipe_fd[0]);
    posix_spawn_file_actions_destroy(&actions);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        die("%s: ended with status %d", s->argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    if (n != s->nwant || memcmp(got, s->want, n))
        die("%s: printed %.*s", s->argv[0], (int)n, got);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void report(const char *name, struct side *s, int n)
{
    printf("\"%s\":{\"wall_ms\":%.3f,\"cpu_ms\":%.3f,\"max_rss_kib\":%ld}", name,
        median(s->wall, n), median(s->cpu, n), s->rss);
}

int main(int argc, char **argv)
{
    struct side a = {0}, b = {0};
    struct err e;
    int64_t n = 0;
    int i;

    for (i = 4; i < argc && strcmp(argv[i], "--"); i++)
        ;
    if (i <= 4 || i + 1 >= argc || num_parse(argv[1], 1, COUNT_MAX, &n, "COUNT", &e) < 0) {
        fprintf(stderr, "usage: spawn COUNT FILE-A FILE-B A ... -- B ...\n");
        return 2;
    }
    argv[i] = NULL;
    a.argv = argv + 4;
    b.argv = argv + i + 1;
    a.want = load(argv[2], &a.nwant);
    b.want = load(argv[3], &b.nwant);
    a.wall = xcalloc((size_t)n, sizeof *a.wall);
    a.cpu = xcalloc((size_t)n, sizeof *a.cpu);
    b.wall = xcalloc((size_t)n, sizeof *b.wall);
    b.cpu = xcalloc((size_t)n, sizeof *b.cpu);
    for (i = -WARM_UP; i < n; i++) {
        run(&a, i);
        run(&b, i);
    }
    printf("{\"runs\":%d,", (int)n);
    report("a", &a, (int)n);
    putchar(',');
    report("b", &b, (int)n);
    puts("}");
    return fflush(stdout) ? 1 : 0;
}
