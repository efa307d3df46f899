/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request from the environment that a web server made (RFC 3875). What the server checked is
 * checked again, since it may be lax or another program may have started us.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

extern char **environ;

enum { READ_STEP = 64 << 10 };
#define API_PREFIX "/api/v1"

static int bad(struct api_response *r, int status, const char *why)
{
    api_error(r, status, why);
    return -1;
}

static const char *env(const char *name)
{
    const char *s = getenv(name);

    return s ? s : "";
}

static bool printable(const char *s)
{
    for (; *s; s++)
        if (*s <= 0x20 || *s >= 0x7f)
            return false;
    return true;
}

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static char *encode_path(struct arena *m, const char *decoded)
{
    struct buf b AUTO_BUF = BUF_INIT;

    while (*decoded) {
        size_t n = strcspn(decoded, "/");

        percent_encode(&b, decoded, n);
        decoded += n;
        for (; *decoded == '/'; decoded++)
            buf_addc(&b, '/');
    }
    return arena_strndup(m, b.p ? b.p : "", b.len);
}

/* REQUEST_URI is the path as it was sent. Where the program stands at a place of its own
 * (/cgi-bin/fc-api/api/v1/...), that place is cut off; without REQUEST_URI the path comes from
 * SCRIPT_NAME and PATH_INFO, which are decoded, in the same way. */
static const char *request_path(struct arena *m)
{
    const char *uri = env("REQUEST_URI"), *script = env("SCRIPT_NAME"), *info = env("PATH_INFO");
    size_t scheme = strncasecmp(uri, "http://", 7) == 0 ? 7 :
        strncasecmp(uri, "https://", 8) == 0 ? 8 : 0;

    if (*uri) {
        char *path;

        if (scheme)
            uri += scheme + strcspn(uri + scheme, "/?");
        path = arena_strndup(m, uri, strcspn(uri, "?#"));
        if (*script && starts(path, script) && starts(path + strlen(script), API_PREFIX))
            path += strlen(script);
        return *path ? path : "/";
    }
    if (starts(info, API_PREFIX))
        return encode_path(m, info);
    return encode_path(m, arena_printf(m, "%s%s", script, info));
}

/* HTTP_X_REQUEST_ID=v as x-request-id: v. */
static int add_headers(struct arena *m, struct http_request *q, struct api_response *r)
{
    size_t total = 0;

    for (char **v = environ; *v; v++) {
        bool plain = starts(*v, "CONTENT_TYPE=") || starts(*v, "CONTENT_LENGTH=");
        const char *name = plain ? *v : *v + 5, *eq, *s;
        struct http_header *h = &q->header[q->nheaders];
        char *lower;

        eq = strchr(*v, '=');
        if ((!plain && !starts(*v, "HTTP_")) || !eq || eq == name || (plain && !eq[1]))
            continue;
        total += strlen(*v);
        if (q->nheaders == HTTP_HEADERS_MAX || total > HTTP_HEAD_MAX)
            return bad(r, 431, "the headers are too long");
        lower = arena_strndup(m, name, (size_t)(eq - name));
        for (char *p = lower; *p; p++)
            *p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
        for (s = eq + 1; *s; s++)
            if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
                return bad(r, 400, "a header value has control bytes");
        h->name = lower;
        h->value = eq + 1;
        q->nheaders++;
    }
    return 0;
}

/* Exactly `want` bytes, or all there are (at most max) when want is negative. */
static int read_body(struct buf *b, int64_t want, struct api_response *r)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t end = monotonic_us() + LIMIT_BODY;

    while (want < 0 || (int64_t)b->len < want) {
        size_t room = want < 0 ? READ_STEP : (size_t)want - b->len;
        int64_t left = end + (int64_t)b->len / LIMIT_RATE * 1000000 - monotonic_us();
        int ready = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;
        ssize_t n;

        if (ready == 0)
            return bad(r, 408, "the body did not come in time");
        if (ready < 0)
            continue;
        buf_reserve(b, room < READ_STEP ? room : READ_STEP);
        n = read(STDIN_FILENO, b->p + b->len, room < READ_STEP ? room : READ_STEP);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0 || (n == 0 && want >= 0))
            return bad(r, 400, "the body is shorter than its Content-Length");
        if (n == 0)
            break;
        b->len += (size_t)n;
        b->p[b->len] = '\0';
        if (b->len > HTTP_BODY_MAX)
            return bad(r, 413, "the body is too large");
    }
    return 0;
}

static int body_of(struct http_request *q, struct buf *b, struct api_response *r)
{
    const char *length = env("CONTENT_LENGTH");
    const char *coding = http_header(q, "transfer-encoding");
    int64_t want = 0;

    if (*length) {
        if (length[strspn(length, "0123456789")])
            return bad(r, 400, "CONTENT_LENGTH is not a number");
        if (num_parse(length, 0, HTTP_BODY_MAX, &want, "CONTENT_LENGTH", NULL) < 0)
            return bad(r, 413, "the body is too large");
    } else if (coding && strcasecmp(coding, "chunked") == 0)
        want = -1; /* Apache hands it over joined, and its end is the end of input */
    if (want != 0 && read_body(b, want, r) < 0)
        return -1;
    q->body = b->len ? b->p : "";
    q->body_len = b->len;
    return 0;
}

static int request_from_env(struct arena *m, struct http_request *q, struct buf *b,
    struct api_response *r)
{
    const char *query = env("QUERY_STRING");

    q->method = env("REQUEST_METHOD");
    q->minor = 1;
    q->body = "";
    if (!*q->method || !printable(q->method) || strlen(q->method) > 16)
        return bad(r, *q->method ? 501 : 400, "no known REQUEST_METHOD");
    q->path = request_path(m);
    q->query = query;
    if (strlen(q->path) + strlen(query) >= HTTP_TARGET_MAX)
        return bad(r, 414, "the request target is too long");
    if (*q->path != '/' || !printable(q->path) || !printable(query))
        return bad(r, 400, "the request target is not a path");
    q->target = *query ? arena_printf(m, "%s?%s", q->path, query) : q->path;
    if (add_headers(m, q, r) < 0)
        return -1;
    return body_of(q, b, r);
}

/* The certificate comes from the server itself, and so does its client's address; a header with a
 * certificate is never believed here, whatever address is trusted elsewhere. */
static void peer_from_env(struct api_peer *p)
{
    const char *cert = env("SSL_CLIENT_CERT");

    p->cgi = true;
    snprintf(p->addr, sizeof p->addr, "%s", env("REMOTE_ADDR"));
    if (*cert) {
        p->cert = cert;
        p->cert_len = strlen(cert);
    }
}

static void answer(struct api *a, const struct http_request *q, struct api_response *r)
{
    struct api_peer peer = {0};
    struct api_park park = {0};

    peer_from_env(&peer);
    switch (api_handle(a, &peer, q, false, r, &park)) {
    case API_DONE:
        break;
    case API_WRITE:
        api_write_now(a, &peer, q, r);
        break;
    case API_PARK: /* cannot be: nothing may park here */
        r->status = 204;
        break;
    }
}

/* What is left of a body that was refused. A server that hands it over on a socket would lose the
 * answer with it. */
static void drain(char *scratch)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t end = monotonic_us() + LIMIT_LINGER;
    size_t total = 0;

    while (total < LIMIT_LINGER_BYTES && monotonic_us() < end) {
        ssize_t n = poll(&p, 1, LIMIT_LINGER / 1000) > 0 ? read(STDIN_FILENO, scratch, READ_STEP) : 0;

        if (n <= 0)
            return;
        total += (size_t)n;
    }
}

int cgi_run(struct api *a, struct err *e)
{
    struct arena *m AUTO_ARENA = arena_new();
    struct http_request *q = arena_alloc(m, sizeof *q);
    struct api_response r = {0};
    struct buf body AUTO_BUF = BUF_INIT, out AUTO_BUF = BUF_INIT;
    int rc;

    if (request_from_env(m, q, &body, &r) == 0)
        answer(a, q, &r);
    buf_printf(&out, "Status: %d %s\r\n", r.status, http_reason(r.status));
    response_headers(&out, q, &r);
    buf_adds(&out, "\r\n");
    if (r.status != 204 && strcmp(q->method, "HEAD") != 0)
        buf_add(&out, r.body.p, r.body.len);
    rc = fd_write(STDOUT_FILENO, out.p, out.len, "standard output", e);
    if (r.status == 413)
        drain(arena_alloc(m, READ_STEP));
    api_response_free(&r);
    api_idle(a);
    return rc;
}

void cgi_unavailable(const struct err *e)
{
    struct api_response r = {0};
    struct buf out AUTO_BUF = BUF_INIT;

    api_error(&r, 503, e->code == FC_AGAIN ? "the store is busy" : "the server is not available");
    buf_printf(&out, "Status: %d %s\r\n", r.status, http_reason(r.status));
    response_headers(&out, NULL, &r);
    buf_adds(&out, "\r\n");
    buf_add(&out, r.body.p, r.body.len);
    fd_write(STDOUT_FILENO, out.p, out.len, "standard output", NULL);
    api_response_free(&r);
}
