/* SPDX-License-Identifier: Apache-2.0 */
#include "client/loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/jwt.h"

enum {
    HEAD_MAX = 16 << 10, /* bytes of a request's head */
    HEAD_MS = 5000,      /* for one request: a browser also opens connections to say nothing */
};

void sha256_base64url(const char *text, struct buf *out)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256_CTX c;

    SHA256_Init(&c);
    SHA256_Update(&c, (const uint8_t *)text, strlen(text));
    SHA256_Final(hash, &c);
    base64url_encode(out, hash, sizeof hash);
}

int loopback_listen(int *port, struct err *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 8) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0) {
        *port = ntohs(a.sin_port);
        return fd;
    }
    err_errno(e, "cannot listen on 127.0.0.1");
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The target of one request, "" when there is none that makes sense. */
static void read_target(int fd, struct buf *out)
{
    struct buf head AUTO_BUF = BUF_INIT;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end = now_us() + HEAD_MS * 1000;
    const char *s;

    buf_reserve(&head, HEAD_MAX + 1);
    while (head.len < HEAD_MAX && !(head.p && strstr(head.p, "\r\n\r\n")) && now_us() < end &&
        poll(&p, 1, HEAD_MS) > 0) {
        ssize_t n = read(fd, head.p + head.len, HEAD_MAX - head.len);

        if (n <= 0)
            break;
        head.len += (size_t)n;
        head.p[head.len] = '\0';
    }
    if (head.len && strncmp(head.p, "GET ", 4) == 0) {
        s = head.p + 4;
        buf_add(out, s, strcspn(s, " \r\n"));
    }
    buf_addc(out, '\0');
    out->len--;
}

/* A parameter, decoded, for the caller to free; NULL: there is none. */
static char *parameter(const char *target, const char *name)
{
    const char *p = strchr(target, '?');
    size_t n = strlen(name);

    for (p = p ? p + 1 : ""; *p; p += strcspn(p, "&"), p += *p == '&') {
        struct buf b = BUF_INIT;

        if (strncmp(p, name, n) != 0 || p[n] != '=')
            continue;
        if (percent_decode(&b, p + n + 1, strcspn(p + n + 1, "&"), true) == 0)
            return buf_steal(&b);
        buf_free(&b);
    }
    return NULL;
}

static void reply(int fd, const char *status, const char *text)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct err ignored;

    buf_printf(&b, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n%s", status, strlen(text), text);
    if (fd_write(fd, b.p, b.len, "the browser", &ignored) == 0)
        shutdown(fd, SHUT_WR);
}

/* 1: *code; 0: that was something else; -1. */
static int serve(int fd, const char *state, char **code, struct err *e)
{
    struct buf target AUTO_BUF = BUF_INIT;
    char *got AUTO_FREE = NULL, *why AUTO_FREE = NULL;

    read_target(fd, &target);
    if (strncmp(target.p, "/callback?", 10) != 0) {
        reply(fd, "404 Not Found", "There is nothing here.\n");
        return 0;
    }
    got = parameter(target.p, "state");
    if (!got || strcmp(got, state) != 0) { /* somebody else's: keep waiting for ours */
        reply(fd, "400 Bad Request", "This login was not asked for.\n");
        return 0;
    }
    *code = parameter(target.p, "code");
    if (*code) {
        reply(fd, "200 OK", "Logged in. This window can be closed.\n");
        return 1;
    }
    why = parameter(target.p, "error");
    reply(fd, "200 OK", "The login was refused. This window can be closed.\n");
    return err_set(e, FC_DENIED, "the issuer refuses: %s", why ? why : "it does not say why");
}

int loopback_wait(int fd, const char *state, int seconds, char **code, struct err *e)
{
    int64_t end = now_us() + (int64_t)seconds * 1000000, left;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int rc = 0;

    while (rc == 0 && (left = end - now_us()) > 0) {
        int n = poll(&p, 1, (int)(left / 1000) + 1), c;

        if (n < 0 && errno != EINTR)
            return err_errno(e, "poll");
        if (n <= 0 || (c = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
            continue;
        rc = serve(c, state, code, e);
        close(c);
    }
    if (rc == 0)
        return err_set(e, FC_AGAIN, "nobody has logged in within %d seconds", seconds);
    return rc < 0 ? -1 : 0;
}
