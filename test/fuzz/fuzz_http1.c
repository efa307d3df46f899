/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says where the rest is split. However it is split, the same requests and the same
 * error must come out; a trap says that they did not. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "net/http1.h"

enum { BODY_MAX = 4096 };

static void note(struct buf *log, const char *s)
{
    buf_add(log, s, strlen(s) + 1);
}

static void note_request(struct buf *log, const struct http_request *q)
{
    note(log, q->method);
    note(log, q->target);
    note(log, q->path);
    note(log, q->query);
    buf_printf(log, "%d %d %d", q->minor, q->keep_alive, q->expect_continue);
    for (size_t i = 0; i < q->nheaders; i++) {
        note(log, q->header[i].name);
        note(log, q->header[i].value);
    }
    buf_add(log, q->body, q->body_len);
}

/* Pieces are 1, 2, 3 ... bytes long, starting anew after `step` of them; 0: one piece. */
static void feed(struct buf *log, const char *p, size_t n, unsigned step)
{
    struct http1 *h = http1_new(BODY_MAX);
    struct http_request *q;
    struct err e;
    size_t at = 0, piece = 0, take;
    unsigned turn = 0;
    int status;

    for (;;) {
        take = piece;
        piece = 0;
        switch (http1_feed(h, p + at - take, take, &q, &status, &e)) {
        case HTTP1_REQUEST:
            note_request(log, q);
            http1_next(h);
            continue;
        case HTTP1_ERROR:
            buf_printf(log, "%d %s", status, e.msg);
            break;
        case HTTP1_CONTINUE:
        case HTTP1_MORE:
            if (at == n) {
                buf_printf(log, "%d", http1_busy(h));
                break;
            }
            piece = step ? 1 + turn++ % step : n;
            if (piece > n - at)
                piece = n - at;
            at += piece;
            continue;
        }
        break;
    }
    http1_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, split = BUF_INIT;

    if (size == 0)
        return 0;
    feed(&whole, (const char *)data + 1, size - 1, 0);
    feed(&split, (const char *)data + 1, size - 1, 1 + data[0] % 37u);
    if (whole.len != split.len || memcmp(whole.p, split.p, whole.len) != 0)
        __builtin_trap();
    buf_free(&whole);
    buf_free(&split);
    return 0;
}
