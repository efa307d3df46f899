/* SPDX-License-Identifier: Apache-2.0 */
#include "proto.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    HEAD = 5,                          /* type, length */
    NAME_BODY = DEVICE_NAME_LEN,       /* 52 characters, fresh */
    HASH = SHA256_HEX - 1,
    VERSION = 8,                       /* a version */
    DESIRED_HEAD = VERSION + HASH,     /* version, SHA-256; the JSON follows */
    ERROR_HEAD = 5,                    /* exit status, s to wait; the message follows */
    VERSION_BITS = 53,                 /* what JSON's numbers hold */
};

struct layout {
    size_t min, max; /* bytes of the body */
};

static const struct layout layouts[MSG_TYPES] = {
    [MSG_NAME] = {NAME_BODY, NAME_BODY},
    [MSG_PENDING] = {0, 0},
    [MSG_LOST] = {0, 0},
    [MSG_NOTHING] = {1, 1},
    [MSG_DESIRED] = {DESIRED_HEAD + 2, DESIRED_HEAD + SPEC_MAX},
    [MSG_REFUSED] = {VERSION, VERSION + ERR_LEN},
    [MSG_REPORT] = {2, STATUS_MAX},
    [MSG_SENT] = {0, 0},
    [MSG_ERROR] = {ERROR_HEAD, ERROR_HEAD + ERR_LEN - 1},
};

size_t proto_max(unsigned type)
{
    return type && type < MSG_TYPES ? layouts[type].max : 0;
}

static bool all_in(const char *s, size_t n, const char *set)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!s[i] || !strchr(set, s[i]))
            return false;
    return true;
}

static int bad(const char *what, struct err *e)
{
    return err_set(e, FC_INVALID, "the other half sent %s", what);
}

static int flag(unsigned char c, bool *out, struct err *e)
{
    *out = c == 1;
    return c > 1 ? bad("a flag that is none", e) : 0;
}

static int decode_name(const char *p, struct msg *m, struct err *e)
{
    if (!all_in(p, DEVICE_NAME_LEN - 1, "0123456789abcdefghijklmnopqrstuv"))
        return bad("a name that is none", e);
    memcpy(m->name, p, DEVICE_NAME_LEN - 1);
    m->name[DEVICE_NAME_LEN - 1] = '\0';
    return flag((unsigned char)p[DEVICE_NAME_LEN - 1], &m->fresh, e);
}

static uint64_t get_be(const char *p, size_t bytes)
{
    uint64_t v = 0;

    while (bytes--)
        v = v << 8 | (unsigned char)*p++;
    return v;
}

static int decode_version(const char *p, struct msg *m, struct err *e)
{
    uint64_t v = get_be(p, VERSION);

    m->version = (int64_t)v;
    return v == 0 || v > UINT64_C(1) << VERSION_BITS ? bad("a version that is none", e) : 0;
}

static int decode_desired(const char *p, size_t n, struct msg *m, struct err *e)
{
    char hash[SHA256_HEX];

    if (decode_version(p, m, e) < 0)
        return -1;
    if (!all_in(p + VERSION, HASH, "0123456789abcdef"))
        return bad("a hash that is none", e);
    memcpy(m->hash, p + VERSION, HASH);
    m->hash[HASH] = '\0';
    m->json = p + DESIRED_HEAD;
    m->json_len = n - DESIRED_HEAD;
    sha256_hex(m->json, m->json_len, hash);
    return strcmp(hash, m->hash) == 0 ? 0 : bad("bytes of another hash", e);
}

static int decode_text(unsigned char code, const char *p, size_t n, struct msg *m, struct err *e)
{
    if (code == FC_OK || code > FC_DIFFER)
        return bad("an error that is none", e);
    if (!utf8_valid(p, n))
        return bad("a message that is no text", e);
    err_set(&m->err, code, "%.*s", (int)n, p);
    return 0;
}

int proto_decode(unsigned type, const void *body, size_t n, struct msg *m, struct err *e)
{
    const char *p = body;

    memset(m, 0, sizeof *m);
    if (!type || type >= MSG_TYPES)
        return bad("a message of no known type", e);
    if (n < layouts[type].min || n > layouts[type].max)
        return bad("a message of the wrong length", e);
    m->type = (enum msg_type)type;
    switch (m->type) {
    case MSG_NAME:
        return decode_name(p, m, e);
    case MSG_NOTHING:
        return flag((unsigned char)p[0], &m->resend, e);
    case MSG_DESIRED:
        return decode_desired(p, n, m, e);
    case MSG_REFUSED:
        return decode_version(p, m, e) < 0 ? -1 :
            decode_text(FC_INVALID, p + VERSION, n - VERSION, m, e);
    case MSG_REPORT:
        m->json = p;
        m->json_len = n;
        return 0;
    case MSG_ERROR:
        m->after = (uint32_t)get_be(p + 1, 4);
        return decode_text((unsigned char)p[0], p + ERROR_HEAD, n - ERROR_HEAD, m, e);
    case MSG_PENDING:
    case MSG_LOST:
    case MSG_SENT:
    case MSG_TYPES:
        return 0;
    }
    return bad("a message of no known type", e);
}

static void add_be(struct buf *b, uint64_t v, int bytes)
{
    while (bytes-- > 0)
        buf_addc(b, (char)(v >> (8 * bytes)));
}

void proto_encode(const struct msg *m, struct buf *out)
{
    struct buf body AUTO_BUF = BUF_INIT;

    switch (m->type) {
    case MSG_NAME:
        buf_add(&body, m->name, DEVICE_NAME_LEN - 1);
        buf_addc(&body, m->fresh);
        break;
    case MSG_NOTHING:
        buf_addc(&body, m->resend);
        break;
    case MSG_DESIRED:
        add_be(&body, (uint64_t)m->version, VERSION);
        buf_add(&body, m->hash, HASH);
        buf_add(&body, m->json, m->json_len);
        break;
    case MSG_REFUSED:
        add_be(&body, (uint64_t)m->version, VERSION);
        buf_add(&body, m->err.msg, strnlen(m->err.msg, ERR_LEN - 1));
        break;
    case MSG_REPORT:
        buf_add(&body, m->json, m->json_len);
        break;
    case MSG_ERROR:
        buf_addc(&body, (char)m->err.code);
        add_be(&body, m->after, 4);
        buf_add(&body, m->err.msg, strnlen(m->err.msg, ERR_LEN - 1));
        break;
    case MSG_PENDING:
    case MSG_LOST:
    case MSG_SENT:
    case MSG_TYPES:
        break;
    }
    buf_addc(out, (char)m->type);
    add_be(out, body.len, 4);
    buf_add(out, body.p, body.len);
}

int proto_send(int fd, const struct msg *m, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    size_t done = 0;

    proto_encode(m, &b);
    while (done < b.len) {
        ssize_t n = send(fd, b.p + done, b.len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return err_errno(e, "the other half");
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int take(int fd, char *p, size_t n, int64_t deadline, struct err *e)
{
    while (n) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = deadline < 0 ? -1 : deadline - now_ms();
        ssize_t got;
        int ready = deadline >= 0 && left <= 0 ? 0 : poll(&pfd, 1, (int)left);

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return err_errno(e, "poll");
        if (ready == 0)
            return err_set(e, FC_AGAIN, "the network half did not answer in time");
        got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ECONNRESET)
            return err_errno(e, "the other half");
        if (got <= 0)
            return err_set(e, FC_NOTFOUND, "the other half of the agent ended early");
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

int proto_recv(int fd, int timeout, struct buf *keep, struct msg *m, struct err *e)
{
    int64_t deadline = timeout < 0 ? -1 : now_ms() + timeout;
    unsigned char head[HEAD];
    uint32_t n;

    if (take(fd, (char *)head, HEAD, deadline, e) < 0)
        return -1;
    n = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    if (n > proto_max(head[0]))
        return bad("a message of the wrong length", e);
    buf_reset(keep);
    buf_reserve(keep, n);
    if (take(fd, keep->p, n, deadline, e) < 0)
        return -1;
    keep->len = n;
    keep->p[n] = '\0';
    return proto_decode(head[0], keep->p, n, m, e);
}
