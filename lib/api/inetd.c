/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, request after request, without an event loop. The descriptors belong to others
 * too (ssh, a shell), so their flags stay as they are: poll says when a call will not block.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/mem.h"

enum { READ_STEP = 64 << 10 };

struct inetd {
    struct api *api;
    int in, out;
    struct http1 *parser;
    struct api_peer peer;
    struct buf answers; /* of pipelined requests, written together */
    int64_t since;      /* when the first byte of the request came, later its head; 0: idle */
    bool in_body;
    bool admitted;      /* the body of the request under way may come */
};

/* Waits until fd is ready. 1, 0 at the deadline, -1 on an error. */
static int wait_for(int fd, short events, int64_t deadline, struct err *e)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = deadline - monotonic_us();
        int n;

        if (left <= 0)
            return 0;
        n = poll(&p, 1, (int)(left / 1000) + 1);
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return err_errno(e, "poll");
    }
}

/* A client that went away is no failure of ours: FC_OK. */
static int gone(struct err *e, const char *call)
{
    if (errno == EPIPE || errno == ECONNRESET)
        return err_set(e, FC_OK, "the client has gone");
    return err_errno(e, "%s", call);
}

/* Of a pipe that polls writable at least PIPE_BUF bytes are free. */
static int flush(struct inetd *t, struct err *e)
{
    size_t sent = 0;

    while (sent < t->answers.len) {
        size_t n = t->answers.len - sent;
        ssize_t got;
        int ready = wait_for(t->out, POLLOUT, monotonic_us() + LIMIT_WRITE, e);

        if (ready < 0)
            return -1;
        if (ready == 0)
            return err_set(e, FC_AGAIN, "the client does not read its answers");
        got = write(t->out, t->answers.p + sent, n < PIPE_BUF ? n : PIPE_BUF);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return gone(e, "write");
        if (got > 0)
            sent += (size_t)got;
    }
    buf_reset(&t->answers);
    return 0;
}

static bool answer(struct inetd *t, const struct http_request *q)
{
    struct api_response r = {0};
    struct api_park park = {0};
    bool keep;

    switch (api_handle(t->api, &t->peer, q, false, &r, &park)) {
    case API_DONE:
        break;
    case API_WRITE:
        api_write_now(t->api, &t->peer, q, &r);
        break;
    case API_PARK: /* cannot be: nothing may park here */
        r.status = 204;
        break;
    }
    keep = q->keep_alive && !r.close;
    api_write_response(&t->answers, q, &r, keep);
    api_response_free(&r);
    return keep;
}

static void refuse(struct inetd *t, int status, const char *why)
{
    struct api_response r = {0};

    api_error(&r, status, why);
    api_write_response(&t->answers, NULL, &r, false);
    api_response_free(&r);
}

/* A stranger's body is not taken, nor is it asked for. */
static bool admitted(struct inetd *t, const struct http_request *q)
{
    struct api_response r = {0};

    if (t->admitted || !http1_in_body(t->parser))
        return true;
    t->admitted = api_admit(t->api, &t->peer, q, &r);
    if (!t->admitted)
        api_write_response(&t->answers, q, &r, false);
    api_response_free(&r);
    return t->admitted;
}

/* Answers what came. 1: the connection goes on, 0: it ends, -1: it broke. */
static int work(struct inetd *t, const char *data, size_t n, struct err *e)
{
    struct http_request *q;
    struct err why;
    int status;

    for (;; n = 0) {
        switch (http1_feed(t->parser, data, n, &q, &status, &why)) {
        case HTTP1_MORE:
            if (!admitted(t, q))
                return 0;
            return flush(t, e) < 0 ? -1 : 1;
        case HTTP1_CONTINUE:
            if (!admitted(t, q))
                return 0;
            buf_adds(&t->answers, "HTTP/1.1 100 Continue\r\n\r\n");
            break;
        case HTTP1_REQUEST: {
            bool keep = answer(t, q);

            http1_next(t->parser);
            t->since = 0;
            t->admitted = false;
            if (!keep)
                return 0;
            if (t->answers.len > LIMIT_OUT && flush(t, e) < 0)
                return -1;
            break;
        }
        case HTTP1_ERROR:
            refuse(t, status, why.msg);
            return 0;
        }
    }
}

static int64_t deadline(struct inetd *t)
{
    int64_t now = monotonic_us();

    if (!http1_busy(t->parser)) {
        t->since = 0;
        return now + LIMIT_IDLE;
    }
    if (!t->since || t->in_body != http1_in_body(t->parser)) {
        t->since = now;
        t->in_body = http1_in_body(t->parser);
    }
    return t->since + (t->in_body ? LIMIT_BODY +
        (int64_t)http1_held(t->parser) / LIMIT_RATE * 1000000 : LIMIT_HEAD);
}

/* A socket that is closed with unread bytes is reset, and the last answer may be lost with it. */
static void linger(struct inetd *t, char *scratch)
{
    int64_t end = monotonic_us() + LIMIT_LINGER;
    struct err ignored;
    size_t total = 0;

    if (!is_connected(t->out) || shutdown(t->out, SHUT_WR) < 0)
        return;
    while (total < LIMIT_LINGER_BYTES && wait_for(t->in, POLLIN, end, &ignored) > 0) {
        ssize_t n = read(t->in, scratch, READ_STEP);

        if (n <= 0)
            return;
        total += (size_t)n;
    }
}

static int serve(struct inetd *t, char *scratch, struct err *e)
{
    for (;;) {
        int ready = wait_for(t->in, POLLIN, deadline(t), e), go_on;
        ssize_t n;

        if (ready < 0)
            return -1;
        if (ready == 0) {
            if (!http1_busy(t->parser))
                return 0;
            refuse(t, 408, "the request did not come in time");
            break;
        }
        n = read(t->in, scratch, READ_STEP);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return gone(e, "read");
        if (n == 0) {
            if (!http1_busy(t->parser))
                return 0;
            refuse(t, 400, "the request ends in its middle");
            break;
        }
        go_on = work(t, scratch, (size_t)n, e);
        if (go_on < 0)
            return -1;
        if (go_on == 0)
            break;
        api_idle(t->api);
    }
    if (flush(t, e) < 0)
        return -1;
    linger(t, scratch);
    return 0;
}

int inetd_run(struct api *a, int in, int out, struct err *e)
{
    struct inetd t = {.api = a, .in = in, .out = out, .parser = http1_new(HTTP_BODY_MAX)};
    char *scratch AUTO_FREE = xmalloc(READ_STEP);
    int rc;

    if (is_connected(in))
        peer_of_fd(&t.peer, in, NULL);
    rc = serve(&t, scratch, e);
    api_idle(a);
    http1_free(t.parser);
    buf_free(&t.answers);
    return rc < 0 && e->code != FC_OK ? -1 : 0;
}
