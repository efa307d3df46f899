/* SPDX-License-Identifier: Apache-2.0 */
#include "net/json.h"

#include <string.h>

#include "base/mem.h"

enum {
    ANSWER_MAX = 256 << 10, /* bytes: discovery documents, key sets, tokens have 4 KiB */
    ANSWER_S = 20,          /* seconds for all of it */
};

static int parse(const struct client_response *r, const char *url, jv *out, struct err *e)
{
    if (json_parse(r->body.p ? r->body.p : "", r->body.len, out, e) == 0) {
        if (jv_get_kind(*out) == JV_KIND_OBJECT)
            return 0;
        jv_free(*out);
        *out = jv_invalid();
        err_set(e, FC_INVALID, "must be an object");
    }
    return err_wrap(e, "%s: status %d", url, r->status);
}

int json_fetch(const struct client_module *m, const struct json_request *q, int *status, jv *out,
    struct err *e)
{
    size_t n = strncmp(q->url, "https://", 8) == 0 ? 8 + strcspn(q->url + 8, "/?#") : 0;
    char *server AUTO_FREE = xstrndup(q->url, n), *path AUTO_FREE = NULL;
    struct client_conf conf = {.server = server, .ca = q->ca, .ca_len = q->ca_len,
        .tls_name = q->tls_name, .agent = q->agent};
    struct client_request request = {.method = q->form ? "POST" : "GET", .max = ANSWER_MAX,
        .timeout = ANSWER_S, .headers = q->headers, .body = q->form,
        .body_len = q->form ? strlen(q->form) : 0, .type = "application/x-www-form-urlencoded"};
    struct client_response r = {0};
    struct client *c;
    int rc;

    *out = jv_invalid();
    if (!n)
        return err_set(e, FC_INVALID, "%s: must begin with https://", q->url);
    path = q->url[n] == '/' ? xstrdup(q->url + n) : xasprintf("/%s", q->url + n);
    request.path = path;
    if (m->open(&c, &conf, e) < 0)
        return -1;
    rc = m->send(c, &request, &r, e);
    if (rc == 0) {
        *status = r.status;
        rc = parse(&r, q->url, out, e);
    }
    if (r.body.p)
        explicit_bzero(r.body.p, r.body.cap); /* it may be a token */
    buf_free(&r.body);
    m->close(c);
    return rc;
}
