/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTPS client over libcurl. Only the given CA certificates are trusted, never the system's;
 * redirects are not followed; a proxy is taken from the environment (https_proxy, no_proxy) as
 * existing clients of this API do. Programs load it with mod_symbol("curl", "client_module"), so
 * that only the process that talks to the network has libcurl in it.
 */
#ifndef FC_NET_CLIENT_H
#define FC_NET_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CLIENT_BODY_MAX = 16 << 20, /* bytes of an answer's body unless the request says less */
    CLIENT_HEAD_MAX = 64 << 10, /* bytes of an answer's headers */
    CLIENT_CONNECT_S = 10,      /* seconds for name, connection and TLS handshake */
    CLIENT_TIMEOUT_S = 60,      /* seconds for a whole request unless it says otherwise */
};

struct client_conf {      /* borrowed until client_close */
    const char *server;   /* "https://host:7443"; a path in it is put in front of each request's */
    const char *tls_name; /* the name that the server's certificate must have; NULL: the host's */
    const char *ca;       /* PEM bundle */
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
};

struct client_response {
    int status;      /* of HTTP */
    char type[128];  /* Content-Type, "" when there is none */
    int retry_after; /* s; 0: the server did not say */
    struct buf body; /* the caller frees */
};

struct client; /* one connection that is kept alive between requests */

/* FC_INVALID: the server's URL is not one of https. */
int client_open(struct client **out, const struct client_conf *conf, struct err *e);
void client_close(struct client *c); /* NULL is fine */

/* Sends one request and takes its whole answer, whatever its status. -1: there was none; FC_AGAIN
 * when the server is away or broke off, FC_DENIED when certificates are the reason, FC_INVALID
 * when the answer is too large. r->body is to be freed in any case. */
int client_send(struct client *c, const struct client_request *q, struct client_response *r,
    struct err *e);

struct client_module {
    int (*open)(struct client **, const struct client_conf *, struct err *);
    void (*close)(struct client *);
    int (*send)(struct client *, const struct client_request *, struct client_response *,
        struct err *);
};
extern const struct client_module client_module;

#endif
