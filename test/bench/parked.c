/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents whose polls wait. Each device of the file gets a connection and asks for news of the version
 * that it has; when all wait, the command that changes one device is run for a few of them, and its
 * answer is waited for. Nobody else may be answered.
 *   parked SERVER-PID SOCKET DEVICES VERSION CHANGES COMMAND      a Unix socket; DEVICES as for load
 *   parked SERVER-PID PORT DEVICES VERSION CHANGES COMMAND CERTIFICATE KEY      TLS on 127.0.0.1
 * COMMAND is run with the device's name. Prints the memory of the server, and the time from the start
 * of the command to the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

extern char **environ;

enum { ANSWER_MAX = 65536, STALL_MS = 20000, QUIET_MS = 1500 };

struct agent {
    char *name, *cert;
    int fd;
    SSL *ssl;
};

static struct agent *agents;
static size_t nagents;
static SSL_CTX *tls;

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void load(const char *path)
{
    FILE *f = fopen(path, "re");
    size_t room = 0, cap = 0;
    char *line = NULL, *tab;
    ssize_t n;

    if (!f)
        die("%s: %s", path, strerror(errno));
    while ((n = getline(&line, &cap, f)) > 0) {
        line[n - 1] = '\0';
        if (!(tab = strchr(line, '\t')))
            die("%s: a line without a tab", path);
        *tab = '\0';
        if (nagents == room)
            agents = xreallocarray(agents, room = room ? 2 * room : 1024, sizeof *agents);
        agents[nagents++] = (struct agent){.name = xstrdup(line), .cert = xstrdup(tab + 1)};
    }
    free(line);
    fclose(f);
}

static int dial(const char *where)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(tls ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    if (tls) {
        in.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
        rc = connect(fd, (struct sockaddr *)&in, sizeof in);
    } else {
        snprintf(un.sun_path, sizeof un.sun_path, "%s", where);
        rc = connect(fd, (struct sockaddr *)&un, sizeof un);
    }
    if (rc < 0)
        die("%s: %s", where, strerror(errno));
    return fd;
}

static void ask(struct agent *a, const char *where, const char *version)
{
    struct buf b = BUF_INIT;

    a->fd = dial(where);
    buf_printf(&b, "GET /api/v1/devices/%s/rendered?knownRenderedVersion=%s HTTP/1.1\r\n"
        "Host: localhost\r\nPrefer: wait=300\r\n", a->name, version);
    if (!tls)
        buf_printf(&b, "X-SSL-Client-Cert: %s\r\n", a->cert);
    buf_adds(&b, "\r\n");
    if (tls) {
        a->ssl = SSL_new(tls);
        SSL_set_fd(a->ssl, a->fd);
        if (SSL_connect(a->ssl) != 1 || SSL_write(a->ssl, b.p, (int)b.len) != (int)b.len)
            die("%s: no TLS", a->name);
    } else if (send(a->fd, b.p, b.len, MSG_NOSIGNAL) != (ssize_t)b.len)
        die("%s: %s", a->name, strerror(errno));
    buf_free(&b);
}

/* The server's resident memory, KiB. */
static long rss_of(const char *pid)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/status", pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    if (kib < 0)
        die("%s: no such process", pid);
    return kib;
}

static void expect_answer(struct agent *a)
{
    static char answer[ANSWER_MAX];
    ssize_t n = a->ssl ? SSL_read(a->ssl, answer, sizeof answer - 1) :
        recv(a->fd, answer, sizeof answer - 1, 0);

    answer[n > 0 ? n : 0] = '\0';
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
        die("%s: not a 200: %s", a->name, answer);
}

/* ms from the start of the command until this agent, and no other, is answered. */
static double change(int ep, struct agent *a, const char *command)
{
    char *argv[] = {(char *)(uintptr_t)command, a->name, NULL};
    struct epoll_event ev;
    double began = now_ms(), took;
    int status;
    pid_t pid;

    if (posix_spawnp(&pid, command, NULL, NULL, argv, environ) != 0)
        die("%s cannot be started", command);
    if (epoll_wait(ep, &ev, 1, STALL_MS) != 1)
        die("%s: no answer", a->name);
    took = now_ms() - began;
    if (ev.data.ptr != a)
        die("%s was answered, not %s", ((struct agent *)ev.data.ptr)->name, a->name);
    expect_answer(a);
    epoll_ctl(ep, EPOLL_CTL_DEL, a->fd, NULL);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("%s failed", command);
    return took;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN};
    int64_t changes;
    double *took, began = now_ms();
    long before, after;

    if ((argc != 7 && argc != 9) || num_parse(argv[5], 1, 1000, &changes, "CHANGES", NULL) < 0) {
        fprintf(stderr, "usage: parked PID SOCKET DEVICES VERSION CHANGES COMMAND [CERT KEY]\n");
        return 2;
    }
    load(argv[3]);
    if (argc == 9) {
        tls = SSL_CTX_new(TLS_client_method());
        if (SSL_CTX_use_certificate_chain_file(tls, argv[7]) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, argv[8], SSL_FILETYPE_PEM) != 1)
            die("%s: no certificate or key", argv[7]);
        SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    }
    before = rss_of(argv[1]);
    for (size_t i = 0; i < nagents; i++) {
        ask(&agents[i], argv[2], argv[4]);
        ev.data.ptr = &agents[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, agents[i].fd, &ev);
    }
    if (epoll_wait(ep, &ev, 1, QUIET_MS) != 0) {
        expect_answer(ev.data.ptr);
        die("%s was answered, and nothing changed", ((struct agent *)ev.data.ptr)->name);
    }
    began = now_ms() - began;
    after = rss_of(argv[1]);
    took = xcalloc((size_t)changes, sizeof *took);
    for (int64_t i = 0; i < changes; i++)
        took[i] = change(ep, &agents[(size_t)i * 7919 % nagents], argv[6]);
    qsort(took, (size_t)changes, sizeof *took, by_size);
    printf("{\"agents\":%zu,\"tls\":%s,\"set_up_s\":%.1f,\"empty_kib\":%ld,\"rss_mib\":%.1f,"
        "\"change_ms\":%.1f,\"worst_ms\":%.1f}\n", nagents, tls ? "true" : "false", began / 1e3,
        before, (double)after / 1024, took[changes / 2], took[changes - 1]);
    return fflush(stdout) ? 1 : 0;
}
