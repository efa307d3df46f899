/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 requests on a connection (RFC 9110, RFC 9112): an incremental parser over bytes that
 * somebody else reads. It is strict, because what one hop reads otherwise than the next is a
 * hole: bare LF, obs-fold, white space before a colon, both length headers, repeated or
 * differing lengths, unknown transfer codings, duplicate Host, and control bytes are refused.
 */
#ifndef FC_NET_HTTP1_H
#define FC_NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {                        /* limits, each with the status that exceeding it gives */
    HTTP_TARGET_MAX = 8192,   /* bytes of the request target: 414 */
    HTTP_HEAD_MAX = 32768,    /* bytes of request line and headers, a certificate included: 431 */
    HTTP_HEADERS_MAX = 100,   /* headers: 431 */
    HTTP_BODY_MAX = 1 << 20,  /* bytes of a body: 413; reports and requests are far smaller */
    HTTP_CHUNK_LINE_MAX = 256, /* bytes of a chunk-size line with its extensions: 400 */
};

struct http_header {
    const char *name;  /* lower case */
    const char *value; /* without outer white space */
};

struct http_request {
    const char *method;   /* token, as sent */
    const char *target;   /* as sent: origin form, or * */
    const char *path;     /* target up to '?', still percent-encoded */
    const char *query;    /* after '?', or "" */
    int minor;            /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;      /* the connection may stay open after the answer */
    bool expect_continue; /* the body is wanted with 100 Continue first */
    size_t nheaders;
    struct http_header header[HTTP_HEADERS_MAX];
    const char *body;     /* whole, dechunked, not NUL-terminated; "" when empty */
    size_t body_len;
};

/* The value of a header (name in lower case), or NULL. A header that came twice and is not a list
 * by its definition was refused while parsing (host, content-length, content-type,
 * authorization, and the certificate headers). */
const char *http_header(const struct http_request *r, const char *name);

struct http1; /* parser of one connection */
struct http1 *http1_new(size_t body_max);
void http1_free(struct http1 *p);

enum http1_result {
    HTTP1_MORE,     /* feed more bytes */
    HTTP1_CONTINUE, /* headers are complete and 100 Continue is due; then feed more bytes */
    HTTP1_REQUEST,  /* *req is complete, valid until http1_next */
    HTTP1_ERROR,    /* answer `status` with message e, close the connection */
};

/* Takes bytes; keeps what belongs to later (pipelined) requests. Call with n == 0 to go on with
 * kept bytes after http1_next; between HTTP1_REQUEST and http1_next, n must be 0. However bytes
 * are split over calls, requests and errors are the same. After HTTP1_ERROR it stays that. */
enum http1_result http1_feed(struct http1 *p, const char *data, size_t n, struct http_request **req,
    int *status, struct err *e);
/* Done with the current request: drops it, keeps the bytes behind it. */
void http1_next(struct http1 *p);
/* The current request will be in use for long: gives back memory that it does not need. */
void http1_hold(struct http1 *p);
/* Are there bytes of a request that is not complete? (For time limits.) */
bool http1_busy(const struct http1 *p);
/* Is the head complete and its body not? */
bool http1_in_body(const struct http1 *p);
/* Bytes kept: of the current request and of what came behind it. */
size_t http1_held(const struct http1 *p);

const char *http_reason(int status); /* "Not Found" */

#endif
