/* SPDX-License-Identifier: Apache-2.0 */
#include "api/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/mem.h"

enum { /* us */
    SECOND = 1000000,
    ACCEPT_PAUSE = 100000, /* when descriptors, memory or places are short: one will be free */
    COMPLAIN = 60000000,   /* between two lines that say so */
    LOOK_SHARE = 9,        /* looking at parked polls takes at most a tenth of the time, if that is */
    LOOK_PAUSE = 25000,    /* no longer wait than this: then as much of it as that takes */
    NEWS_FIRST = 1000,     /* after a write by another process news are asked for, after this */
    NEWS_LAST = 60000000,  /* time again, then doubled, up to this: no commit takes longer */
};

static void after(struct event *ev, int64_t us)
{
    struct timeval tv;

    if (us < 0)
        us = 0;
    tv.tv_sec = us / SECOND;
    tv.tv_usec = us % SECOND;
    event_add(ev, &tv);
}

/* --- connections come and go --------------------------------------------------------------- */

static void set_accepting(struct loop *l)
{
    if (!l->accepting)
        return;
    if (l->draining || l->nconns >= l->o->max_connections) {
        event_del(l->accepting);
        l->paused = !l->draining;
        if (l->paused)
            after(l->accept_again, ACCEPT_PAUSE);
    } else if (l->paused) {
        l->paused = false;
        event_add(l->accepting, NULL);
    }
}

void loop_opened(struct loop *l)
{
    l->nconns++;
    if (l->slots)
        l->slots[l->me].connections = l->nconns;
    if (l->nconns >= l->o->max_connections)
        set_accepting(l);
}

void loop_closed(struct loop *l)
{
    l->nconns--;
    if (l->slots) {
        l->slots[l->me].since = monotonic_us();
        l->slots[l->me].connections = l->nconns;
    }
    if (l->paused)
        set_accepting(l);
    if (l->nconns == 0) {
        if (l->draining || l->o->conn_fd >= 0)
            l->stop = true;
        else if (l->o->idle > 0)
            after(l->idle, l->o->idle);
    }
}

static void accept_later(struct loop *l)
{
    int64_t now = monotonic_us();

    if (!l->complained || now - l->complained > COMPLAIN) {
        log_warn("accept: %s", strerror(errno));
        l->complained = now;
    }
    event_del(l->accepting);
    after(l->accept_again, ACCEPT_PAUSE);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct sockaddr_storage ss;

    (void)what;
    for (int i = 0; i < LIMIT_ACCEPT && l->nconns < l->o->max_connections; i++) {
        socklen_t len = sizeof ss;
        int s = accept4(fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (s >= 0) {
            conn_new(l, s, (const struct sockaddr *)&ss);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_later(l);
            return;
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static bool somebody_waits(struct loop *l)
{
    struct pollfd p = {.fd = l->o->listen_fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd, (void)what;
    if (l->paused && somebody_waits(l))
        crowd_shed(l);
    if (l->paused)
        after(l->accept_again, ACCEPT_PAUSE);
    else if (!l->draining)
        event_add(l->accepting, NULL);
}

/* All processes of the socket have to be idle, else the busy one would lose its helpers. */
static void on_idle(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    int64_t now = monotonic_us(), due = now;

    (void)fd, (void)what;
    if (l->nconns > 0)
        return; /* the last one to close sets the timer again */
    for (int i = 0; i < l->nslots; i++) {
        int64_t until = l->slots[i].connections ? now + l->o->idle :
            l->slots[i].since + l->o->idle;

        if (until > due)
            due = until;
    }
    if (due > now)
        after(l->idle, due - now);
    else
        l->stop = true;
}

/* --- the end ------------------------------------------------------------------------------- */

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd, (void)what;
    l->stop = true;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct conn *c, *next;

    (void)fd, (void)what;
    if (l->draining)
        return;
    l->draining = true;
    set_accepting(l);
    after(l->drained, LIMIT_DRAIN);
    if (l->nconns == 0)
        l->stop = true;
    for (c = TAILQ_FIRST(&l->all); c; c = next) {
        next = TAILQ_NEXT(c, all);
        conn_drain(c);
    }
}

/* --- the end of a turn --------------------------------------------------------------------- */

void loop_ready(struct conn *c)
{
    if (c->queued)
        return;
    c->queued = true;
    TAILQ_INSERT_TAIL(&c->loop->ready, c, ready);
}

static void run_ready(struct loop *l)
{
    struct conn *last = TAILQ_LAST(&l->ready, conns), *c;

    while (last && (c = TAILQ_FIRST(&l->ready))) {
        bool end = c == last; /* what queues itself meanwhile is for the next turn */

        TAILQ_REMOVE(&l->ready, c, ready);
        c->queued = false;
        conn_continue(c);
        conn_settle(c);
        if (end)
            break;
    }
}

/* Group commit: one transaction and one fsync for the writes that came in this turn. */
static void run_writes(struct loop *l)
{
    struct conn *batch[LIMIT_BATCH], *c;
    struct err e;
    int n = 0;
    bool ok;

    while (n < LIMIT_BATCH && (c = TAILQ_FIRST(&l->writes))) {
        TAILQ_REMOVE(&l->writes, c, writes);
        batch[n++] = c;
    }
    if (n == 0)
        return;
    memset(l->batch, 0, (size_t)n * sizeof *l->batch);
    ok = api_begin(l->api, &e) == 0;
    for (int i = 0; ok && i < n; i++)
        api_write(l->api, &batch[i]->peer, batch[i]->req, &l->batch[i]);
    ok = ok && api_commit(l->api, &e) == 0;
    l->changed |= ok;
    api_idle(l->api); /* who reports is seen when it has its answer */
    for (int i = 0; i < n; i++) {
        if (!ok) {
            api_response_free(&l->batch[i]);
            memset(&l->batch[i], 0, sizeof l->batch[i]);
            api_commit_failed(&e, &l->batch[i]);
        }
        conn_answer(batch[i], &l->batch[i]);
        conn_continue(batch[i]);
        conn_settle(batch[i]);
    }
}

static int64_t pause_after(int64_t took)
{
    int64_t most = took > LOOK_PAUSE ? took : LOOK_PAUSE;

    return took * LOOK_SHARE < most ? took * LOOK_SHARE : most;
}

/* Asks about parked polls, many in one query, and handles again those that have news. */
static void look_at_parked(struct loop *l)
{
    struct conn *asked[LIMIT_PARKED], *c, *last = TAILQ_LAST(&l->parked, conns);
    const struct api_park *park[LIMIT_PARKED];
    bool ready[LIMIT_PARKED], end = false;
    int64_t began = monotonic_us();
    struct err e;

    l->changed = false;
    for (c = TAILQ_FIRST(&l->parked); c && !end;) {
        size_t n = 0;

        for (; c && !end && n < LIMIT_PARKED; c = TAILQ_NEXT(c, parked)) {
            end = c == last;
            asked[n] = c;
            park[n++] = &c->park;
        }
        memset(ready, 0, sizeof ready);
        if (api_parked(l->api, park, n, ready, &e) < 0) {
            log_err(&e);
            l->changed = true;
            l->looked_again = monotonic_us() + SECOND;
            after(l->wake, SECOND);
            return;
        }
        for (size_t i = 0; i < n; i++)
            if (ready[i]) {
                conn_again(asked[i], true);
                conn_continue(asked[i]);
                conn_settle(asked[i]);
            }
    }
    l->looked_again = monotonic_us() + pause_after(monotonic_us() - began);
}

static void run_parked(struct loop *l)
{
    int64_t wait;

    if (!l->changed)
        return;
    if (l->nparked == 0) {
        l->changed = false;
        return;
    }
    wait = l->looked_again - monotonic_us();
    if (wait <= 0)
        look_at_parked(l);
    else if (!evtimer_pending(l->wake, NULL))
        after(l->wake, wait);
}

void loop_parked(struct loop *l)
{
    if (!l->watch && !evtimer_pending(l->tick, NULL))
        after(l->tick, SECOND);
}

static void run_idle(struct loop *l)
{
    int64_t now;

    if (!l->worked)
        return;
    now = monotonic_us();
    if (now - l->flushed >= SECOND) {
        l->flushed = now;
        l->worked = false;
        api_idle(l->api);
    } else if (!evtimer_pending(l->tick, NULL))
        after(l->tick, l->flushed + SECOND - now);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd, (void)what;
    if (l->watch || l->nparked == 0)
        return; /* run_idle follows at the end of this turn */
    l->changed |= api_news(l->api);
    after(l->tick, SECOND);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg; /* run_parked follows at the end of this turn */
}

/* The watch tells of writes; what they wrote can be read only after a sync of the disk, of which
 * nothing tells. So news are asked for again, each time after as long as since the write: they
 * come at most as late again as the commit took. */
static void on_news(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd, (void)what;
    l->changed |= api_news(l->api);
    l->pause = l->pause * 2 < NEWS_LAST ? l->pause * 2 : 0;
    if (l->pause)
        after(l->news, l->pause);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd, (void)what;
    api_watched(l->api);
    l->pause = NEWS_FIRST / 2;
    on_news(-1, 0, l);
}

static void run(struct loop *l)
{
    while (!l->stop) {
        bool more = !TAILQ_EMPTY(&l->ready) || !TAILQ_EMPTY(&l->writes);

        event_base_loop(l->base, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
        run_ready(l);
        api_turn(l->api);
        run_writes(l);
        run_parked(l);
        api_turn(l->api); /* those that it woke may have read, too */
        run_idle(l);
    }
}

/* --- set up -------------------------------------------------------------------------------- */

static int listen_setup(struct loop *l, struct err *e)
{
    int fd = l->o->listen_fd, on = 1, flags = fcntl(fd, F_GETFL);
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0
        || getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return err_errno(e, "the listening socket");
    if (ss.ss_family != AF_UNIX) /* accepted sockets inherit it */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    l->accepting = event_new(l->base, fd, EV_READ | EV_PERSIST, on_accept, l);
    event_add(l->accepting, NULL);
    if (l->o->idle > 0)
        after(l->idle, l->o->idle);
    return 0;
}

static int connection_setup(struct loop *l, struct err *e)
{
    int fd = dup(l->o->conn_fd), on = 1, flags;

    if (fd < 0)
        return err_errno(e, "the connection");
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        close(fd);
        return err_errno(e, "the connection");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on others, without harm */
    conn_new(l, fd, NULL);
    return 0;
}

static void setup(struct loop *l)
{
    struct event_config *config = event_config_new();
    int watched;

    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!l->base)
        die("no event loop");
    TAILQ_INIT(&l->all);
    TAILQ_INIT(&l->parked);
    TAILQ_INIT(&l->writes);
    TAILQ_INIT(&l->ready);
    crowd_init(l);
    l->batch = xcalloc(LIMIT_BATCH, sizeof *l->batch);
    l->scratch = xmalloc(SCRATCH);
    l->accept_again = evtimer_new(l->base, on_accept_again, l);
    l->tick = evtimer_new(l->base, on_tick, l);
    l->wake = evtimer_new(l->base, on_wake, l);
    l->news = evtimer_new(l->base, on_news, l);
    l->idle = evtimer_new(l->base, on_idle, l);
    l->drained = evtimer_new(l->base, on_drained, l);
    l->term = evsignal_new(l->base, SIGTERM, on_signal, l);
    l->intr = evsignal_new(l->base, SIGINT, on_signal, l);
    event_add(l->term, NULL);
    event_add(l->intr, NULL);
    watched = api_watch_fd(l->api);
    if (watched >= 0) {
        l->watch = event_new(l->base, watched, EV_READ | EV_PERSIST, on_watch, l);
        event_add(l->watch, NULL);
    }
}

static void forget(struct event *ev)
{
    if (ev)
        event_free(ev);
}

static void teardown(struct loop *l)
{
    struct conn *c;

    while ((c = TAILQ_FIRST(&l->all)))
        conn_drop(c);
    forget(l->accepting);
    forget(l->accept_again);
    forget(l->watch);
    forget(l->term);
    forget(l->intr);
    forget(l->tick);
    forget(l->wake);
    forget(l->news);
    forget(l->idle);
    forget(l->drained);
    event_base_free(l->base);
    free(l->batch);
    free(l->scratch);
}

int loop_run(const struct serve_options *o, SSL_CTX *tls, struct idle_slot *slots, int n, int me,
    struct err *e)
{
    struct loop l = {.o = o, .tls = tls, .slots = slots, .nslots = n, .me = me};
    int rc;

    if (api_open(&l.api, o->conf, o->store_url, e) < 0)
        return -1;
    l.may_park = o->conn_fd < 0; /* one process a connection is too dear for waiting */
    setup(&l);
    api_confine(l.api, o, true);
    rc = o->conn_fd >= 0 ? connection_setup(&l, e) : listen_setup(&l, e);
    if (rc == 0)
        run(&l);
    api_idle(l.api);
    teardown(&l);
    api_close(l.api);
    return rc;
}
