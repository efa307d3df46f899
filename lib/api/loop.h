/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop (loop.c) and its connections (conn.c). A turn is: what the kernel says is ready
 * is read and answered; then the writes that came together are committed together; then parked
 * polls are looked at if the store changed. Connections are freed only in conn_settle and
 * conn_drop, which are the last thing that anybody does with them in a turn.
 */
#ifndef FC_API_LOOP_H
#define FC_API_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/api.h"
#include "api/transport.h"
#include "base/buf.h"
#include "net/http1.h"

enum conn_state {
    CONN_HANDSHAKE, /* TLS */
    CONN_OPEN,      /* reads and answers */
    CONN_WRITING,   /* its request waits for the transaction of this turn */
    CONN_PARKED,    /* its poll waits for news */
    CONN_LINGER,    /* answered for the last time; drops what still comes */
    CONN_CLOSED,    /* to be freed by conn_settle */
};

struct conn {
    struct loop *loop;
    enum conn_state state;
    int fd;
    SSL *ssl;               /* NULL: plain */
    struct event readable, writable, timer;
    bool reading, writing;  /* readable, writable are waited for */
    bool blocked;           /* TLS wants to write before it can read on */
    bool eof;               /* the other side sends no more */
    bool closing;           /* after what is in out */
    bool queued;            /* in loop->ready */
    int64_t armed;          /* when timer fires; 0: not set. At or before deadline */
    int64_t deadline;       /* monotonic us */
    int64_t since;          /* when the request's first byte, then its body, the wait or the
                               linger began; 0: between requests */
    bool in_body;
    bool counted;           /* in loop->near */
    bool admitted;          /* the body of the request under way may come */
    int64_t waits;          /* since when out is not empty */
    struct http1 *parser;
    struct http_request *req; /* while WRITING or PARKED */
    struct buf out;         /* answers; [sent, len) is still to go */
    size_t sent;
    struct buf ahead;       /* bytes read while WRITING or PARKED */
    size_t held;            /* its share of loop->held */
    size_t dropped;         /* bytes while LINGER */
    struct api_peer peer;
    struct buf cert;        /* peer.cert points here */
    struct api_park park;
    TAILQ_ENTRY(conn) all, parked, writes, ready, near;
};
TAILQ_HEAD(conns, conn);

enum { NEARS = 1024 };     /* lists that connections are in by the hash of their address */

struct loop {
    const struct serve_options *o;
    struct api *api;
    SSL_CTX *tls;
    struct event_base *base;
    struct event *accepting, *accept_again, *watch, *term, *intr, *tick, *wake, *news, *idle,
        *drained;
    struct idle_slot *slots; /* of all processes; own is slots[me] */
    int nslots, me;
    struct conns all, parked, writes, ready;
    struct conns near[NEARS]; /* when connections of one address are limited */
    int nconns, nparked;
    size_t held;            /* bytes of requests in all connections */
    bool may_park;
    bool paused;            /* not accepting: too many connections */
    bool draining, stop;
    bool changed;           /* the store has changed since parked polls were looked at */
    int64_t pause;          /* before it is asked for news again; 0: enough was asked */
    bool worked;            /* something was answered since api_idle */
    int64_t looked_again;   /* not before this time are they looked at again */
    int64_t complained;     /* when accept's failure was last said */
    int64_t flushed;        /* when api_idle was called */
    struct api_response *batch; /* of one transaction */
    char *scratch;
};

enum { SCRATCH = 64 << 10 };

/* --- conn.c ------------------------------------------------------------------------------- */

/* Takes over fd, which must not block. */
void conn_new(struct loop *l, int fd, const struct sockaddr *sa);
/* Answers the request that it waits with: after a commit, or when its wait is over. */
void conn_answer(struct conn *c, struct api_response *r);
/* Handles the request of a parked connection again; it may park once more if may_park. */
void conn_again(struct conn *c, bool may_park);
/* Sends what is there and goes on with bytes that came already. */
void conn_continue(struct conn *c);
/* Sends, sets what to wait for and until when, frees a closed one. */
void conn_settle(struct conn *c);
void conn_drop(struct conn *c);
/* Is it between requests, since before this time? Such a one may be closed at any time. */
bool conn_idle(const struct conn *c, int64_t before);
/* The server stops: closes what is between requests, ends what waits. */
void conn_drain(struct conn *c);

/* --- crowd.c ------------------------------------------------------------------------------ */

void crowd_init(struct loop *l);
/* A new one: false if its address has as many as it may. */
bool crowd_enter(struct conn *c);
void crowd_leave(struct conn *c);
/* Closes some that are idle, so that others can come in. */
void crowd_shed(struct loop *l);

/* --- loop.c ------------------------------------------------------------------------------- */

/* Serves until a signal, or until idle for o->idle. tls NULL: plain. */
int loop_run(const struct serve_options *o, SSL_CTX *tls, struct idle_slot *slots, int n, int me,
    struct err *e);
/* For conn.c: it is one more, one less. */
void loop_opened(struct loop *l);
void loop_closed(struct loop *l);
void loop_parked(struct loop *l);
void loop_ready(struct conn *c); /* conn_continue in the next turn */

#endif
