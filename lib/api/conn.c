/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/loop.h"
#include "api/tls.h"
#include "base/mem.h"

enum {
    IO_AGAIN = -1,
    IO_FAILED = -2,
    READS = 8,          /* TLS records taken in one turn, for fairness */
    KEEP_CAP = 4 << 10, /* an idle connection keeps no larger buffer */
    RETRY_AFTER = 5,    /* s: what was too much may be gone */
};

static int io_result(struct conn *c, ssize_t n)
{
    c->blocked = n == TLS_AGAIN_WRITE;
    return n == TLS_FAILED ? IO_FAILED : IO_AGAIN;
}

static ssize_t io_read(struct conn *c, char *p, size_t size)
{
    ssize_t n;

    if (c->ssl) {
        n = tls_read(c->ssl, p, size);
        if (n < 0)
            return io_result(c, n);
        c->blocked = false;
        return n;
    }
    n = recv(c->fd, p, size, 0);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static ssize_t io_write(struct conn *c, const char *p, size_t size)
{
    ssize_t n;

    if (c->ssl) {
        n = tls_write(c->ssl, p, size);
        return n >= 0 ? n : io_result(c, n);
    }
    n = send(c->fd, p, size, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static bool out_pending(const struct conn *c)
{
    return c->out.len > c->sent;
}

/* --- requests ------------------------------------------------------------------------------ */

static void leave_parked(struct conn *c)
{
    TAILQ_REMOVE(&c->loop->parked, c, parked);
    c->loop->nparked--;
}

void conn_answer(struct conn *c, struct api_response *r)
{
    bool keep = c->req && c->req->keep_alive && !r->close && !c->loop->draining;

    if (c->state == CONN_PARKED)
        leave_parked(c);
    api_write_response(&c->out, c->req, r, keep);
    api_response_free(r);
    c->state = CONN_OPEN;
    c->closing |= !keep;
    c->since = 0;
    c->req = NULL;
    c->admitted = false;
    c->loop->worked = true;
    http1_next(c->parser);
}

static void refuse(struct conn *c, int status, const char *why)
{
    struct api_response r = {0};

    api_error(&r, status, why);
    if (status == 429 || status == 503)
        snprintf(r.headers, sizeof r.headers, "Retry-After: %d\r\n", RETRY_AFTER);
    c->req = NULL;
    conn_answer(c, &r);
}

static void park(struct conn *c)
{
    struct loop *l = c->loop;

    if (c->state == CONN_PARKED)
        return; /* keeps its place and its deadline */
    c->state = CONN_PARKED;
    c->since = monotonic_us();
    http1_hold(c->parser);
    TAILQ_INSERT_TAIL(&l->parked, c, parked);
    l->nparked++;
    loop_parked(l);
}

static void request(struct conn *c, bool may_park)
{
    struct loop *l = c->loop;
    struct api_response r = {0};

    switch (api_handle(l->api, &c->peer, c->req, may_park, &r, &c->park)) {
    case API_DONE:
        conn_answer(c, &r);
        break;
    case API_WRITE:
        api_response_free(&r);
        if (c->state == CONN_PARKED)
            leave_parked(c);
        c->state = CONN_WRITING;
        TAILQ_INSERT_TAIL(&l->writes, c, writes);
        break;
    case API_PARK:
        if (may_park) {
            api_response_free(&r);
            park(c);
            break;
        }
        r.status = 204;
        conn_answer(c, &r);
        break;
    }
}

void conn_again(struct conn *c, bool may_park)
{
    request(c, may_park);
}

/* A stranger's body is not taken, nor is it asked for. */
static bool admitted(struct conn *c)
{
    struct api_response r = {0};

    if (c->admitted || !http1_in_body(c->parser))
        return true;
    c->admitted = api_admit(c->loop->api, &c->peer, c->req, &r);
    if (!c->admitted)
        conn_answer(c, &r);
    return c->admitted;
}

/* Answers requests until bytes are short, one has to wait, or the turn's share is used. */
static void work(struct conn *c, const char *data, size_t n)
{
    struct err why;
    int left = LIMIT_PIPELINE, status;

    while (c->state == CONN_OPEN && !c->closing) {
        if (n == 0 && (left == 0 || c->out.len - c->sent > LIMIT_OUT)) {
            loop_ready(c);
            return;
        }
        switch (http1_feed(c->parser, data, n, &c->req, &status, &why)) {
        case HTTP1_MORE:
            admitted(c);
            return;
        case HTTP1_CONTINUE:
            if (!admitted(c))
                return;
            buf_adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
            return;
        case HTTP1_REQUEST:
            request(c, c->loop->may_park && !c->loop->draining);
            left--;
            break;
        case HTTP1_ERROR:
            refuse(c, status, why.msg);
            break;
        }
        n = 0;
    }
}

/* Bytes that came while the last request waited. */
static void work_ahead(struct conn *c)
{
    struct buf b = c->ahead;

    if (c->state != CONN_OPEN || c->closing)
        return;
    c->ahead = (struct buf)BUF_INIT;
    work(c, b.p, b.len);
    buf_free(&b);
}

/* --- input --------------------------------------------------------------------------------- */

static bool wants_input(const struct conn *c)
{
    if (c->eof)
        return false;
    switch (c->state) {
    case CONN_OPEN:
        return !c->closing && c->out.len - c->sent <= LIMIT_OUT;
    case CONN_WRITING:
    case CONN_PARKED:
        return c->ahead.len < LIMIT_AHEAD;
    case CONN_HANDSHAKE:
    case CONN_LINGER:
        return true;
    case CONN_CLOSED:
        break;
    }
    return false;
}

static void input(struct conn *c, const char *data, size_t n)
{
    if (c->state == CONN_OPEN)
        work(c, data, n);
    else if (c->state == CONN_LINGER) {
        c->dropped += n;
        if (c->dropped > LIMIT_LINGER_BYTES)
            c->state = CONN_CLOSED;
    } else
        buf_add(&c->ahead, data, n);
}

static void input_ended(struct conn *c, bool failed)
{
    c->eof = true;
    if (c->state == CONN_PARKED)
        leave_parked(c);
    if (c->state != CONN_WRITING && (failed || c->state != CONN_OPEN))
        c->state = CONN_CLOSED;
}

/* While lingering, what comes is not decrypted any more. */
static ssize_t read_some(struct conn *c)
{
    ssize_t n;

    if (c->state != CONN_LINGER)
        return io_read(c, c->loop->scratch, SCRATCH);
    n = recv(c->fd, c->loop->scratch, SCRATCH, 0);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? IO_AGAIN : n;
}

/* The kernel says again that there is more to read; what OpenSSL has read ahead must not be
 * forgotten. */
static void read_input(struct conn *c)
{
    for (int i = 0; i < READS; i++) {
        ssize_t n;

        if (c->queued || !wants_input(c))
            break;
        n = read_some(c);
        if (n == IO_AGAIN)
            return;
        if (n <= 0) {
            input_ended(c, n < 0);
            return;
        }
        input(c, c->loop->scratch, (size_t)n);
        if (!c->ssl)
            return;
    }
    if (c->ssl && c->state == CONN_OPEN && !c->closing && !c->eof)
        loop_ready(c);
}

/* TLS is up, or not yet. */
static void handshake(struct conn *c)
{
    int rc = tls_handshake(c->ssl);

    if (rc < 0) {
        if (io_result(c, rc) == IO_FAILED)
            c->state = CONN_CLOSED;
        return;
    }
    c->blocked = false;
    c->since = 0;
    tls_peer_cert(c->ssl, &c->cert);
    if (c->cert.len) {
        c->peer.cert = c->cert.p;
        c->peer.cert_len = c->cert.len;
    }
    c->state = CONN_OPEN;
}

/* --- output -------------------------------------------------------------------------------- */

static void flush(struct conn *c)
{
    while (out_pending(c)) {
        ssize_t n = io_write(c, c->out.p + c->sent, c->out.len - c->sent);

        if (n == IO_AGAIN)
            return;
        if (n < 0) {
            if (c->state == CONN_PARKED)
                leave_parked(c);
            if (c->state == CONN_WRITING) {
                c->eof = c->closing = true; /* what it asked for is done all the same */
                break;
            }
            c->state = CONN_CLOSED;
            return;
        }
        c->sent += (size_t)n;
    }
    c->sent = 0;
    buf_reset(&c->out);
    if (c->out.cap > KEEP_CAP)
        buf_free(&c->out);
}

/* All is sent. A socket closed with unread bytes is reset, and the last answer could be lost. */
static void finish(struct conn *c)
{
    if (c->eof) {
        c->state = CONN_CLOSED;
        return;
    }
    if (c->ssl)
        tls_bye(c->ssl);
    if (shutdown(c->fd, SHUT_WR) < 0) {
        c->state = CONN_CLOSED;
        return;
    }
    c->state = CONN_LINGER;
    c->since = monotonic_us();
}

/* --- what to wait for ---------------------------------------------------------------------- */

static int64_t limit_of(struct conn *c, int64_t now)
{
    if (out_pending(c))
        return c->waits + LIMIT_WRITE + (int64_t)c->sent / LIMIT_RATE * 1000000;
    switch (c->state) {
    case CONN_HANDSHAKE:
        return c->since + LIMIT_HEAD;
    case CONN_PARKED:
        return c->since + c->park.wait;
    case CONN_LINGER:
        return c->since + LIMIT_LINGER;
    case CONN_OPEN:
        break;
    case CONN_WRITING:
    case CONN_CLOSED:
        return INT64_MAX;
    }
    if (!http1_busy(c->parser)) {
        c->since = 0;
        return now + LIMIT_IDLE;
    }
    if (!c->since || c->in_body != http1_in_body(c->parser)) {
        c->since = now;
        c->in_body = http1_in_body(c->parser);
    }
    return c->since + (c->in_body ? LIMIT_BODY +
        (int64_t)c->held / LIMIT_RATE * 1000000 : LIMIT_HEAD);
}

/* The timer is only moved when it would fire too late; when it fires early it is set again. So a
 * busy connection never touches it. */
static void set_deadline(struct conn *c, int64_t now, int64_t deadline)
{
    int64_t in = deadline > now ? deadline - now : 0;
    struct timeval tv = {.tv_sec = in / 1000000, .tv_usec = in % 1000000};

    c->deadline = deadline;
    if (deadline == INT64_MAX || (c->armed && c->armed <= deadline))
        return;
    c->armed = deadline;
    evtimer_add(&c->timer, &tv);
}

static void set_events(struct conn *c)
{
    bool in = wants_input(c), out = out_pending(c) || c->blocked;

    if (in != c->reading) {
        c->reading = in;
        if (in)
            event_add(&c->readable, NULL);
        else
            event_del(&c->readable);
    }
    if (out != c->writing) {
        c->writing = out;
        if (out)
            event_add(&c->writable, NULL);
        else
            event_del(&c->writable);
    }
}

/* The share of memory that it holds; too much in all refuses new large bodies. */
static void account(struct conn *c)
{
    struct loop *l = c->loop;
    size_t now;

    now = c->state == CONN_LINGER ? 0 : http1_held(c->parser) + c->ahead.len + c->out.len;
    l->held = l->held - c->held + now;
    c->held = now;
    if (l->held > LIMIT_HELD && now > LIMIT_HELD_SMALL && http1_in_body(c->parser) && !c->closing)
        refuse(c, 503, "too many large requests at once");
}

static bool between_requests(const struct conn *c)
{
    return c->state == CONN_OPEN && !c->queued && !http1_busy(c->parser);
}

void conn_settle(struct conn *c)
{
    int64_t now;

    account(c);
    if (c->loop->draining && between_requests(c))
        c->closing = true;
    if (c->state != CONN_CLOSED && c->state != CONN_HANDSHAKE)
        flush(c);
    if (c->state == CONN_OPEN && !out_pending(c) && !c->queued && (c->closing || c->eof))
        finish(c);
    if (c->state == CONN_CLOSED) {
        conn_drop(c);
        return;
    }
    now = monotonic_us();
    if (!out_pending(c))
        c->waits = now;
    set_events(c);
    set_deadline(c, now, limit_of(c, now));
}

void conn_continue(struct conn *c)
{
    if (c->state == CONN_OPEN)
        flush(c);
    if (c->state == CONN_OPEN && !out_pending(c)) {
        work(c, NULL, 0);
        if (c->ahead.len)
            work_ahead(c);
        if (c->ssl)
            read_input(c);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    bool was_pending = out_pending(c);

    (void)fd, (void)what;
    if (c->state == CONN_HANDSHAKE)
        handshake(c);
    if (c->state != CONN_HANDSHAKE && c->state != CONN_CLOSED) {
        if (was_pending)
            flush(c);
        if (was_pending && !out_pending(c))
            conn_continue(c);
        read_input(c);
    }
    conn_settle(c);
}

/* Nothing is under way that could be lost. */
static void hang_up(struct conn *c)
{
    if (c->ssl && c->state == CONN_OPEN)
        tls_bye(c->ssl);
    c->state = CONN_CLOSED;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    int64_t now = monotonic_us();

    (void)fd, (void)what;
    c->armed = 0;
    if (now < c->deadline) {
        set_deadline(c, now, c->deadline);
        return;
    }
    if (out_pending(c)) {
        if (c->state == CONN_PARKED)
            leave_parked(c);
        c->state = CONN_CLOSED;
    } else if (c->state == CONN_PARKED) {
        conn_again(c, false);
        conn_continue(c);
    } else if (c->state == CONN_OPEN && http1_busy(c->parser))
        refuse(c, 408, "the request did not come in time");
    else
        hang_up(c);
    conn_settle(c);
}

bool conn_idle(const struct conn *c, int64_t before)
{
    return between_requests(c) && !out_pending(c) && c->deadline - LIMIT_IDLE <= before;
}

void conn_drain(struct conn *c)
{
    if (c->state == CONN_PARKED) {
        conn_again(c, false);
        conn_continue(c);
    } else if (between_requests(c) && !out_pending(c))
        hang_up(c);
    conn_settle(c);
}

/* --- birth and death ----------------------------------------------------------------------- */

void conn_new(struct loop *l, int fd, const struct sockaddr *sa)
{
    struct conn *c = xcalloc(1, sizeof *c);

    c->loop = l;
    c->fd = fd;
    c->parser = http1_new(HTTP_BODY_MAX);
    c->state = l->tls ? CONN_HANDSHAKE : CONN_OPEN;
    c->peer.tls = l->tls != NULL;
    if (l->tls) {
        c->ssl = tls_accept(l->tls, fd);
        c->since = monotonic_us();
    }
    peer_of_fd(&c->peer, fd, sa);
    event_assign(&c->readable, l->base, fd, EV_READ | EV_PERSIST, on_ready, c);
    event_assign(&c->writable, l->base, fd, EV_WRITE | EV_PERSIST, on_ready, c);
    evtimer_assign(&c->timer, l->base, on_timer, c);
    TAILQ_INSERT_TAIL(&l->all, c, all);
    loop_opened(l);
    if (!crowd_enter(c)) {
        if (l->tls)
            c->state = CONN_CLOSED; /* a handshake to say so costs more than it is worth */
        else
            refuse(c, 429, "too many connections from this address");
    }
    conn_settle(c);
}

void conn_drop(struct conn *c)
{
    struct loop *l = c->loop;

    event_del(&c->readable);
    event_del(&c->writable);
    event_del(&c->timer);
    if (c->state == CONN_PARKED)
        leave_parked(c);
    if (c->state == CONN_WRITING)
        TAILQ_REMOVE(&l->writes, c, writes);
    if (c->queued)
        TAILQ_REMOVE(&l->ready, c, ready);
    TAILQ_REMOVE(&l->all, c, all);
    crowd_leave(c);
    l->held -= c->held;
    tls_free(c->ssl);
    close(c->fd);
    http1_free(c->parser);
    buf_free(&c->out);
    buf_free(&c->ahead);
    buf_free(&c->cert);
    free(c);
    loop_closed(l);
}
