/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request in, one response out, whatever brings it. The core takes it through the steps of
 * chain.c; the transports (cgi.c, inetd.c, serve_module.c) only move bytes and decide when a
 * transaction begins and ends.
 */
#ifndef FC_API_API_H
#define FC_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/conf.h"
#include "base/json.h"
#include "net/http1.h"

struct api; /* one process: an open store, trust anchors, caches */

int api_open(struct api **out, const struct conf *conf, const char *store_url, struct err *e);
void api_close(struct api *a);

/* What is known of the other end. Fixed when a connection opens. */
struct api_peer {
    bool tls;             /* our own TLS; cert is then the verified-or-not client certificate */
    const char *cert;     /* client certificate, DER or PEM, or NULL; the core verifies its chain */
    size_t cert_len;
    bool is_unix;         /* a Unix socket, uid and its peer's user id (SO_PEERCRED) */
    uid_t uid;
    char addr[64];        /* numeric address otherwise; "" if unknown (a pipe) */
    bool cgi;             /* from the environment of a web server that started us */
};

enum { REQUEST_ID_LEN = 129 };

struct api_response {
    int status;
    struct buf body;          /* empty for 204 */
    const char *content_type; /* "application/json" by default */
    char request_id[REQUEST_ID_LEN]; /* the client's or one of ours; "": response_headers makes one */
    char headers[512];        /* further header lines, each ended by \r\n */
    bool close;               /* close the connection after it */
};
void api_response_free(struct api_response *r);

/* A long poll that waits for a newer rendered version. */
struct api_park {
    int64_t device;       /* its id */
    int64_t known;        /* rendered version that it has */
    int64_t wait;         /* us at most */
};

enum api_result {
    API_DONE,   /* r is the answer */
    API_WRITE,  /* the request changes the store: call api_write with it */
    API_PARK,   /* an up-to-date poll: wait with *park (only when can_park), then api_unpark */
};

/* May the body of this request come? Asked once its head is complete, so that strangers cannot fill
 * memory. False: r is the answer, after which the connection closes. */
bool api_admit(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r);
/* The request up to its answer, unless it writes; r comes zeroed. can_park false (CGI, nowait): an
 * up-to-date poll is 204 at once. Errors of any kind are answers (r->status, a Status body).
 * Identities are cached by the bytes of the certificate: nothing is kept for a connection. */
enum api_result api_handle(struct api *a, const struct api_peer *peer, const struct http_request *q,
    bool can_park, struct api_response *r, struct api_park *park);

/* Requests that returned API_WRITE: begin one transaction, api_write each (a savepoint inside: one
 * that fails undoes only itself), then commit. Answers may leave only after api_commit returned 0;
 * when it fails, each gets the answer that api_commit_failed makes. */
int api_begin(struct api *a, struct err *e);
void api_write(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r);
int api_commit(struct api *a, struct err *e);
void api_commit_failed(const struct err *e, struct api_response *r);

/* A bad request of the transport's own (HTTP1_ERROR, time-out): a Status body. */
void api_error(struct api_response *r, int status, const char *message);

/* Is this a web server in front, which stands for many? */
bool api_is_front(const struct api *a, const struct api_peer *peer);

/* Readable when somebody writes to the store, a while before it can be read (-1: cannot watch; ask
 * every second). api_watched drains it. */
int api_watch_fd(struct api *a);
void api_watched(struct api *a);
/* Has another process committed since this was asked last? */
bool api_news(struct api *a);
/* Which of n parked polls have something newer: sets ready[i]. Those are handled again by
 * api_handle. One query for all. */
int api_parked(struct api *a, const struct api_park *const *park, size_t n, bool *ready,
    struct err *e);

/* A turn of the event loop ends. Polls of one turn read from one moment of the store together, which
 * saves each the locks; who never calls this reads for each alone. */
void api_turn(struct api *a);

/* Called when idle and at least once a second while busy: flushes lossy counters (last seen). */
void api_idle(struct api *a);

/* The response head and body as bytes of HTTP/1.1 (for inetd and the loop; CGI has its own form). */
void api_write_response(struct buf *out, const struct http_request *q, const struct api_response *r,
    bool keep_alive);

/* Every route as a document, in the order of the table: method, path, operation, who may call it
 * (classes of callers and roles). format and filter as printer_open takes them. */
int api_routes(FILE *f, const char *format, const char *filter, struct err *e);

/* The OpenAPI document of all routes, JSON. */
int api_openapi(FILE *f, struct err *e);

/* --- transports ---------------------------------------------------------------------------- */

/* One request from the CGI environment (RFC 3875), the answer to stdout. */
int cgi_run(struct api *a, struct err *e);
/* The answer of a CGI program that could not even open its store. */
void cgi_unavailable(const struct err *e);
/* One connection on descriptors in and out (inetd nowait, ssh), plain HTTP, until it closes. */
int inetd_run(struct api *a, int in, int out, struct err *e);

struct serve_options {
    const struct conf *conf;
    const char *store_url;
    const char *listen;   /* address of a socket that was made here, or NULL */
    int listen_fd;        /* a listening socket (wait, socket activation), or -1 */
    int conn_fd;          /* one accepted connection (nowait with TLS), or -1 */
    bool tls;
    const char *cert_file, *key_file; /* of the server, for tls; the chain may follow in cert_file */
    const char *client_ca_file;       /* whose names are offered to clients; verified by the core */
    int jobs;             /* processes */
    int verbose;          /* log_verbose of the process that loads the module */
    int64_t idle;         /* us without connections after which it ends; 0 = never */
    int max_connections;  /* per process */
    int max_near;         /* of them from one address; 0 = as many */
};

/* Gives up what no request needs: files but the store's and those that identify callers, and most
 * system calls. stays: it serves many, so what identifies callers is read now, and what the kernel
 * cannot is said; one of a single request says so only to who wants details. */
void api_confine(struct api *a, const struct serve_options *o, bool stays);

/* The event loop, in module "serve" (libevent, OpenSSL): symbol "serve_run" of this type. */
typedef int serve_fn(const struct serve_options *o, struct err *e);

#endif
