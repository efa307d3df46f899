/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load of polls: many devices, a few kept-alive connections on a Unix socket, one request at a
 * time on each. Every answer must be a complete 204 without a body.
 *   load SOCKET DEVICES VERSION CONNECTIONS SECONDS
 * DEVICES holds a line for each device: its name, a tab, its certificate for the header. One pass
 * over all of them is not counted. Prints one JSON document.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum { ANSWER_MAX = 4096, EVENTS = 64, STALL_MS = 10000 };

struct request {
    char *p;
    size_t n;
};

struct conn {
    int fd;
    const struct request *q; /* the one under way */
    size_t sent;             /* bytes of it */
    size_t n;                /* bytes of the answer so far */
    char answer[ANSWER_MAX];
};

static struct request *requests;
static size_t nrequests, next_request;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A request for each line of the file. */
static void requests_load(const char *path, const char *version)
{
    size_t room = 0, cap = 0;
    char *line = NULL, *tab;
    FILE *f = fopen(path, "re");
    ssize_t n;

    if (!f)
        die("%s: %s", path, strerror(errno));
    while ((n = getline(&line, &cap, f)) > 0) {
        struct buf b = BUF_INIT;

        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (!(tab = strchr(line, '\t')))
            die("%s: a line without a tab", path);
        *tab = '\0';
        buf_printf(&b, "GET /api/v1/devices/%s/rendered?knownRenderedVersion=%s HTTP/1.1\r\n"
            "Host: localhost\r\nPrefer: wait=0\r\nX-SSL-Client-Cert: %s\r\n\r\n", line, version,
            tab + 1);
        if (nrequests == room)
            requests = xreallocarray(requests, room = room ? 2 * room : 1024, sizeof *requests);
        requests[nrequests].n = b.len;
        requests[nrequests++].p = buf_steal(&b);
    }
    free(line);
    fclose(f);
    if (!nrequests)
        die("%s: no devices", path);
}

static int dial(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof sa.sun_path)
        die("%s: too long for a socket", path);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        die("%s: %s", path, strerror(errno));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void send_some(struct conn *c)
{
    while (c->sent < c->q->n) {
        ssize_t n = send(c->fd, c->q->p + c->sent, c->q->n - c->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            return; /* the socket is edge triggered: it says when there is room */
        if (n < 0)
            die("send: %s", strerror(errno));
        c->sent += (size_t)n;
    }
}

static void start(struct conn *c)
{
    c->q = &requests[next_request++ % nrequests];
    c->sent = c->n = 0;
    send_some(c);
}

/* The whole head is there, ended by an empty line: a 204 that announces no body, and no byte after
 * it. */
static void check(const struct conn *c, const char *end)
{
    const char *p;

    if (strncmp(c->answer, "HTTP/1.1 204 ", 13))
        die("not a 204: %.*s", (int)c->n, c->answer);
    if (end != c->answer + c->n)
        die("a 204 with a body: %s", c->answer);
    for (p = c->answer; p && p < end; p = strchr(p + 1, '\n'))
        if (!strncasecmp(p + 1, "Transfer-Encoding:", 18) ||
            !strncasecmp(p + 1, "Connection: close", 17) ||
            (!strncasecmp(p + 1, "Content-Length:", 15) && atol(p + 16) != 0))
            die("a 204 that announces more: %s", c->answer);
}

/* Reads what is there; 1 when an answer is complete. */
static int receive(struct conn *c)
{
    const char *end;
    ssize_t n;

    for (;;) {
        n = recv(c->fd, c->answer + c->n, sizeof c->answer - 1 - c->n, 0);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            die("the connection ended: %s", n ? strerror(errno) : "closed");
        c->n += (size_t)n;
        c->answer[c->n] = '\0';
        if ((end = strstr(c->answer, "\r\n\r\n"))) {
            check(c, end + 4);
            return 1;
        }
        if (c->n == sizeof c->answer - 1)
            die("an endless head: %.200s", c->answer);
    }
}

/* Runs until `seconds` have gone and every device was asked; 0: one pass over all devices. Each
 * connection is idle afterwards. Returns the number of answers and how long they took. */
static double load(int ep, struct conn *conns, int n, double seconds, double *took)
{
    double begin = now(), answers = 0;
    int i, ready, busy = n;
    struct epoll_event ev[EVENTS];

    next_request = 0;
    for (i = 0; i < n; i++)
        start(&conns[i]);
    while (busy) {
        ready = epoll_wait(ep, ev, EVENTS, STALL_MS);
        if (ready < 0 && errno != EINTR)
            die("epoll_wait: %s", strerror(errno));
        if (ready == 0)
            die("no answer for %d s", STALL_MS / 1000);
        for (i = 0; i < ready; i++) {
            struct conn *c = ev[i].data.ptr;

            if (!c->q)
                continue;
            send_some(c);
            if (!receive(c))
                continue;
            answers++;
            if (next_request < nrequests || now() - begin < seconds)
                start(c);
            else {
                c->q = NULL;
                busy--;
            }
        }
    }
    *took = now() - begin;
    return answers;
}

int main(int argc, char **argv)
{
    struct conn *conns;
    struct err e;
    double n, took;
    int64_t count, seconds;
    int ep, i;

    if (argc != 6 || num_parse(argv[4], 1, 10000, &count, "CONNECTIONS", &e) < 0 ||
        num_parse(argv[5], 1, 3600, &seconds, "SECONDS", &e) < 0) {
        fprintf(stderr, "usage: load SOCKET DEVICES VERSION CONNECTIONS SECONDS\n");
        return 2;
    }
    requests_load(argv[2], argv[3]);
    conns = xcalloc((size_t)count, sizeof *conns);
    ep = epoll_create1(EPOLL_CLOEXEC);
    for (i = 0; i < count; i++) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};

        conns[i].fd = dial(argv[1]);
        if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev) < 0)
            die("epoll_ctl: %s", strerror(errno));
    }
    load(ep, conns, (int)count, 0, &took);
    n = load(ep, conns, (int)count, (double)seconds, &took);
    printf("{\"answers\":%.0f,\"seconds\":%.3f,\"per_second\":%.0f,\"devices\":%zu,"
        "\"connections\":%d}\n", n, took, n / took, nrequests, (int)count);
    return fflush(stdout) ? 1 : 0;
}
