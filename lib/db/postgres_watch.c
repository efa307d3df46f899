/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for commits of others: LISTEN on a connection of its own, that has to be direct; where
 * none can be had, a timer, faster while something happens. Both are behind one descriptor, that
 * stays when the connection is lost and made again.
 */
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/postgres.h"

enum {
    POLL_FIRST = 50,  /* ms to the next look after something has changed */
    POLL_LAST = 1000, /* ms when nothing has for a while, and between attempts to LISTEN */
    LISTEN_S = 2,     /* s to connect in: a server's event loop waits */
};

struct pg_watch {
    int epoll;    /* what the caller waits for */
    int timer;
    PGconn *c;    /* listens; NULL: not */
    char *url;    /* where to; NULL: polling only */
    int pace;     /* ms */
    int64_t seen; /* the store's version that was read last */
};

static void ring_in(struct pg_watch *w, int ms)
{
    struct itimerspec t = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};

    timerfd_settime(w->timer, 0, &t, NULL);
}

static int add(struct pg_watch *w, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void deaf(struct pg_watch *w)
{
    if (w->c)
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, PQsocket(w->c), NULL);
    PQfinish(w->c);
    w->c = NULL;
}

/* A pooler would take the statement, and give its server connection to others. */
static bool direct(PGconn *c)
{
    PGresult *r = PQexec(c, "SELECT pg_backend_pid()");
    bool is = PQresultStatus(r) == PGRES_TUPLES_OK &&
        strtol(PQgetvalue(r, 0, 0), NULL, 10) == PQbackendPID(c);

    PQclear(r);
    return is;
}

static void listen_again(struct pg *p, struct pg_watch *w)
{
    PGresult *r;
    bool ok;

    w->c = pg_connection(w->url, p->db.path, LISTEN_S, NULL);
    if (!w->c)
        return;
    if (!direct(w->c)) {
        deaf(w);
        free(w->url);
        w->url = NULL;
        return;
    }
    r = PQexec(w->c, "LISTEN fc_store");
    ok = PQresultStatus(r) == PGRES_COMMAND_OK && add(w, PQsocket(w->c)) == 0;
    PQclear(r);
    if (!ok)
        deaf(w);
}

int pg_watch_fd(struct db *d, struct err *e)
{
    struct pg *p = pg_of(d);
    struct pg_watch *w = p->watch;

    if (w)
        return w->epoll;
    w = xcalloc(1, sizeof *w);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    w->pace = POLL_FIRST;
    if (w->epoll < 0 || w->timer < 0 || add(w, w->timer) < 0) {
        err_errno(e, "a watch of the store");
        pg_watch_free(w);
        return -1;
    }
    if (!p->replica) { /* a replica cannot, and the primary is ahead of what it shows */
        if (p->listen_url)
            w->url = xstrdup(p->listen_url);
        else if (p->direct)
            w->url = xstrdup(p->url);
    }
    if (w->url)
        listen_again(p, w);
    ring_in(w, POLL_FIRST);
    p->watch = w;
    return w->epoll;
}

void pg_watch_drain(struct db *d)
{
    struct pg *p = pg_of(d);
    struct pg_watch *w = p->watch;
    uint64_t rings;
    PGnotify *n;

    if (!w)
        return;
    if (w->c) {
        if (!PQconsumeInput(w->c) || PQstatus(w->c) != CONNECTION_OK)
            deaf(w);
        else
            while ((n = PQnotifies(w->c)) != NULL)
                PQfreemem(n);
    }
    if (read(w->timer, &rings, sizeof rings) > 0 && !w->c && w->url)
        listen_again(p, w);
    if (!w->c) { /* what was missed meanwhile is found by the look that follows */
        w->pace = w->pace * 2 < POLL_LAST ? w->pace * 2 : POLL_LAST;
        ring_in(w, w->url ? POLL_LAST : w->pace);
    }
}

void pg_watch_pace(struct pg *p, int64_t version)
{
    struct pg_watch *w = p->watch;

    if (!w || version == w->seen)
        return;
    w->seen = version;
    w->pace = POLL_FIRST;
    if (!w->c && !w->url)
        ring_in(w, w->pace);
}

void pg_watch_free(struct pg_watch *w)
{
    if (!w)
        return;
    deaf(w);
    if (w->timer >= 0)
        close(w->timer);
    if (w->epoll >= 0)
        close(w->epoll);
    free(w->url);
    free(w);
}
