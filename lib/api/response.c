/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/transport.h"
#include "base/mem.h"
#include "base/text.h"

/* An API answer is never to be sniffed, framed, run or kept. */
static const char constant[] =
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "Cache-Control: no-store\r\n";

void api_response_free(struct api_response *r)
{
    buf_free(&r->body);
}

void api_error(struct api_response *r, int status, const char *message)
{
    const char *text = utf8_valid(message, strlen(message)) ? message : http_reason(status);

    r->status = status;
    r->content_type = NULL;
    buf_reset(&r->body);
    buf_adds(&r->body, "{\"apiVersion\":\"flightctl.io/v1beta1\",\"code\":");
    buf_add_int(&r->body, status);
    buf_adds(&r->body, ",\"kind\":\"Status\",\"message\":");
    buf_add_jsons(&r->body, text);
    buf_adds(&r->body, ",\"reason\":");
    buf_add_jsons(&r->body, http_reason(status));
    buf_adds(&r->body, ",\"status\":\"Failure\"}");
}

/* Anything else could split our head or forge a log line. */
static bool request_id_ok(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-");

    return n > 0 && n < REQUEST_ID_LEN && s[n] == '\0';
}

void request_id(const char *sent, char out[REQUEST_ID_LEN])
{
    static char process[UUID_LEN]; /* random once, then counted: a request costs no system call */
    static uint64_t n;

    if (sent && request_id_ok(sent)) {
        strcpy(out, sent);
        return;
    }
    if (!process[0])
        uuid_random(process);
    snprintf(out, REQUEST_ID_LEN, "%s/%06llu", process, (unsigned long long)++n);
}

static bool has_content(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void response_headers(struct buf *out, const struct http_request *q, const struct api_response *r)
{
    char id[REQUEST_ID_LEN];

    if (has_content(r->status)) {
        if (r->body.len) {
            buf_adds(out, "Content-Type: ");
            buf_adds(out, r->content_type ? r->content_type : "application/json");
            buf_adds(out, "\r\n");
        }
        buf_adds(out, "Content-Length: ");
        buf_add_int(out, (int64_t)r->body.len);
        buf_adds(out, "\r\n");
    }
    buf_add(out, constant, sizeof constant - 1);
    if (!r->request_id[0]) /* what the transport answered by itself */
        request_id(q ? http_header(q, "x-request-id") : NULL, id);
    buf_adds(out, "X-Request-Id: ");
    buf_adds(out, r->request_id[0] ? r->request_id : id);
    buf_adds(out, "\r\n");
    buf_adds(out, r->headers);
}

/* The Date line, made once a second. */
static void add_date(struct buf *out)
{
    static char line[64];
    static time_t made;
    time_t now = time(NULL);
    struct tm tm;

    if (now != made) {
        if (!gmtime_r(&now, &tm))
            return;
        strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made = now;
    }
    buf_adds(out, line);
}

void api_write_response(struct buf *out, const struct http_request *q, const struct api_response *r,
    bool keep_alive)
{
    buf_reserve(out, 1024 + r->body.len);
    buf_adds(out, "HTTP/1.1 ");
    buf_add_int(out, r->status);
    buf_addc(out, ' ');
    buf_adds(out, http_reason(r->status));
    buf_adds(out, "\r\n");
    add_date(out);
    response_headers(out, q, r);
    if (!keep_alive)
        buf_adds(out, "Connection: close\r\n");
    else if (q && q->minor == 0)
        buf_adds(out, "Connection: keep-alive\r\n");
    buf_adds(out, "\r\n");
    if (has_content(r->status) && !(q && strcmp(q->method, "HEAD") == 0))
        buf_add(out, r->body.p, r->body.len);
}
