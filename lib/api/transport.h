/* SPDX-License-Identifier: Apache-2.0 */
/* What the transports share: limits, who the other end of a socket is, sockets that were handed
 * over or are to be made, processes. */
#ifndef FC_API_TRANSPORT_H
#define FC_API_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/err.h"

enum { /* time in us */
    LIMIT_HEAD = 20000000,       /* first byte of a request to the end of its head; also a TLS
                                    handshake: one round trip is enough, a train's tunnel fits */
    LIMIT_BODY = 60000000,       /* end of head to end of body, and more for */
    LIMIT_RATE = 4096,           /* each of these bytes: slow links may be slow */
    LIMIT_IDLE = 75000000,       /* between requests: one poll a minute keeps its connection */
    LIMIT_IDLE_FULL = 1000000,   /* the same when no more connections fit: others want to come in */
    LIMIT_WRITE = 60000000,      /* for answers to be taken, and as much more as for bodies */
    LIMIT_LINGER = 2000000,      /* for a client to read our last answer before the reset */
    LIMIT_DRAIN = 10000000,      /* after SIGTERM: a supervisor kills after more */
    LIMIT_LINGER_BYTES = 4 << 20, /* read and dropped meanwhile: no endless upload */
    LIMIT_OUT = 256 << 10,       /* bytes of answers that wait for their reader before the next
                                    pipelined request is looked at */
    LIMIT_AHEAD = 64 << 10,      /* bytes kept from behind a request that waits */
    LIMIT_HELD = 512 << 20,      /* bytes of requests and answers in one process: a small machine's
                                    memory; beyond it large bodies get 503 */
    LIMIT_HELD_SMALL = 64 << 10, /* what is not a large body: a device's status fits */
    LIMIT_PIPELINE = 64,         /* requests of one connection in one turn, for fairness */
    LIMIT_BATCH = 256,           /* writes in one transaction: others wait for its lock */
    LIMIT_ACCEPT = 32,           /* connections taken in one turn, so that processes share them */
    LIMIT_PARKED = 1000,         /* parked polls asked about in one query */
    LIMIT_CONNECTIONS = 4096,    /* per process, by default; a parked one costs about 8 KiB */
};

int64_t monotonic_us(void); /* for time limits: no step of the clock touches it */

/* Content type and length, security headers, the request's id: lines of a response head that all
 * transports send. q may be NULL (no request could be read). */
void response_headers(struct buf *out, const struct http_request *q, const struct api_response *r);

/* The id that a client sent (NULL: none), or one of our own when it is not fit to be repeated. */
void request_id(const char *sent, char out[REQUEST_ID_LEN]);

/* A request that returned API_WRITE, in a transaction of its own. */
void api_write_now(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r);

/* Fills *p from the socket fd; anything but a connected socket is an unknown peer. sa is its
 * address when accept gave it, or NULL. */
void peer_of_fd(struct api_peer *p, int fd, const struct sockaddr *sa);

/* --- listen.c ------------------------------------------------------------------------------ */

/* "ADDR:PORT", ":PORT", "[V6]:PORT" or "unix:PATH" (mode 0660; a stale socket is replaced, a live
 * one is FC_CONFLICT). Returns a listening socket. */
int listen_on(const char *spec, struct err *e);
/* Removes the file of a unix socket that listen_on made. */
void listen_done(const char *spec);
bool is_listening(int fd); /* a stream socket that accepts */
bool is_connected(int fd); /* a stream socket with a peer */
/* The socket of sd_listen_fds(3): its descriptor, or -1 with code FC_OK when there is none. Clears
 * the variables, so that child processes do not take it for theirs. */
int listen_inherited(struct err *e);

/* --- pipes.c ------------------------------------------------------------------------------- */

/* Two pipes as one socket, copied by processes that end with this one. */
struct pipes {
    int fd;               /* our end of the socket */
    int written;          /* ends with the process that writes; no call of wait(2) is left to us */
};
int pipes_open(struct pipes *p, int in, int out, struct err *e);
/* Returns when all that was written has left, or nobody takes it. */
void pipes_close(struct pipes *p);

/* --- prefork.c ----------------------------------------------------------------------------- */

/* What processes of one listening socket tell each other, in shared memory: none is idle alone. */
struct idle_slot {
    _Atomic int connections;
    _Atomic int64_t since; /* monotonic us: when the last one closed */
};

/* Runs `run(arg, slots, n, i, e)` in n processes and waits until all have ended. One that a signal
 * killed is said and started again, with growing pauses. SIGTERM and SIGINT are handed on. */
typedef int prefork_fn(void *arg, struct idle_slot *slots, int n, int i, struct err *e);
int prefork(int n, prefork_fn *run, void *arg, struct err *e);

#endif
