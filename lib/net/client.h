/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTPS client over libcurl. Where CA certificates are given they alone are trusted;
 * redirects are not followed; a proxy is taken from the environment (https_proxy, no_proxy) as
 * existing clients of this API do. Programs load it with mod_symbol("curl", "client_module"), so
 * that only the process that talks to the network has libcurl in it.
 */
#ifndef FC_NET_CLIENT_H
#define FC_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CLIENT_BODY_MAX = 16 << 20, /* bytes of an answer's body unless the request says less */
    CLIENT_HEAD_MAX = 64 << 10, /* bytes of an answer's headers */
    CLIENT_CONNECT_S = 10,      /* seconds for name, connection and TLS handshake */
    CLIENT_TIMEOUT_S = 60,      /* seconds for a whole request unless it says otherwise */
    CLIENT_RETRY_MAX = 86400,   /* seconds that a server may ask to be left alone */
};

struct client_conf {      /* borrowed until client_close */
    const char *server;   /* "https://host:7443"; a path in it is put in front of each request's */
    const char *tls_name; /* the name that the server's certificate must have; NULL: the host's */
    const char *ca;       /* PEM bundle; NULL: what the system trusts */
    size_t ca_len;
    const char *cert;     /* client certificate in PEM, or NULL */
    size_t cert_len;
    const char *key;      /* its key in PEM */
    size_t key_len;
    const char *agent;    /* User-Agent */
};

struct client_request {
    const char *method;         /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *path;           /* "/api/v1/...?..."; already percent-encoded */
    const char *const *headers; /* "Name: value", ended by NULL; may be NULL */
    const char *type;           /* Content-Type of the body; NULL: application/json */
    const void *body;           /* NULL: none */
    size_t body_len;
    size_t max;                 /* bytes of the answer's body; 0: CLIENT_BODY_MAX */
    int timeout;                /* s; 0: CLIENT_TIMEOUT_S */
    const struct client_conf *as; /* with this one's cert and key, over a connection for this request
                                   * alone; NULL: the client's own. Borrowed until it is done */
};

struct client_response {
    int status;      /* of HTTP */
    char type[128];  /* Content-Type, "" when there is none */
    int retry_after; /* s, at most CLIENT_RETRY_MAX; 0: the server did not say */
    bool too_large;  /* more came than request.max: that is the error */
    char result[64]; /* header CLIENT_RESULT, "" when there is none */
    struct buf body; /* the caller frees */
};
/* What our server says beside the contract: what a write did, which views an answer has. */
#define CLIENT_RESULT "Flightctl-Result"

struct client; /* one connection that is kept alive between requests */

/* FC_INVALID: the server's URL is not one of https. */
int client_open(struct client **out, const struct client_conf *conf, struct err *e);
void client_close(struct client *c); /* NULL is fine */

/* Sends one request and takes its whole answer, whatever its status. -1: there was none; FC_AGAIN
 * when the server is away or broke off, FC_DENIED when certificates are the reason, FC_INVALID
 * when the answer is too large. r->body is to be freed in any case. */
int client_send(struct client *c, const struct client_request *q, struct client_response *r,
    struct err *e);

/* Many requests, several at a time, each over a connection that is kept until all are done. */
struct client_batch {
    size_t width; /* so many at once */
    /* 1: *q is the next request, *id tells done() which one; what *q points to is copied. 0: none
     * now; *wait: ask again after so many ms, or (-1, which it is before) once another is done. -1
     * ends all. */
    int (*next)(void *ctx, struct client_request *q, size_t *id, int *wait, struct err *e);
    /* One is done, in any order; why as client_send would have it. -1 ends all. */
    int (*done)(void *ctx, size_t id, struct client_response *r, const struct err *why,
        struct err *e);
    void *ctx;
};
/* Until next() has none and none is under way. -1: what a callback said. */
int client_many(struct client *c, const struct client_batch *b, struct err *e);

struct client_module {
    int (*open)(struct client **, const struct client_conf *, struct err *);
    void (*close)(struct client *);
    int (*send)(struct client *, const struct client_request *, struct client_response *,
        struct err *);
    int (*many)(struct client *, const struct client_batch *, struct err *);
};
extern const struct client_module client_module;

#endif
