/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/client share about requests on their way. */
#ifndef FC_CLIENT_WIRE_H
#define FC_CLIENT_WIRE_H

#include "client/remote.h"

struct remote {
    const struct client_module *http;
    struct client *c;
    struct buf ca, cert, key;
    char *server, *token, *org, *reason; /* header lines but for server and org; or NULL */
    int timeout;        /* s of one request */
    int64_t patience;   /* ms of waiting for a busy server */
    bool answered;      /* it is there: when it breaks off, it may come back */
};

/* A request as the module takes it. path is the caller's to free, after it was handed over. */
struct wire {
    char id[64];
    struct buf path;
    const char *headers[5];
    struct client_request q;
};
void wire_make(struct wire *w, const struct remote *r, const struct remote_request *q);

struct tries { /* of one request */
    int n;
    int64_t since; /* ms; when the first one failed */
};
/* It came to an answer (in), or to none (why): after how many ms it is to be tried again. -1:
 * not. */
int64_t wire_again(const struct remote *r, struct tries *t, const struct remote_request *q,
    const struct client_response *in, const struct err *why);
/* What it is in the end; the body goes from in to out. */
int wire_done(struct remote *r, struct client_response *in, const struct err *why,
    struct remote_answer *out, struct err *e);
int64_t wire_now(void); /* ms; monotonic */

#endif
