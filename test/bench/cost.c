/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests cost a server: sends the same one again and again, one after the other, and counts the
 * CPU time that its process and those that it started took meanwhile, so that neither who asks nor
 * other load matters.
 *   cost PID SOCKET PATH STATUS COUNT CERTIFICATE          a Unix socket, kept alive; the certificate
 *                                                          goes URL-escaped into a header
 *   cost PID PORT PATH STATUS COUNT CERTIFICATE KEY        a new connection by TLS for each
 *   cost PID PORT PATH STATUS COUNT CERTIFICATE KEY keep   one for all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

enum { ANSWER_MAX = 4 << 20, WARM_UP = 20 };

static SSL_CTX *tls;
static char *answer;

static int dial(const char *where)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(tls ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, rc;

    snprintf(un.sun_path, sizeof un.sun_path, "%s", where);
    in.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
    rc = tls ? connect(fd, (struct sockaddr *)&in, sizeof in) :
        connect(fd, (struct sockaddr *)&un, sizeof un);
    if (rc < 0)
        die("%s: %s", where, strerror(errno));
    /* As clients do. Else the request waits 40 ms for the handshake's last acknowledgement, which a
     * server that sends no session tickets delays, and each request finds its caches cold. */
    if (tls)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Is the answer complete: its head, and the body that this announces? */
static bool complete(size_t n)
{
    const char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "\r\nContent-Length:");

    return end && n >= (size_t)(end + 4 - answer) +
        (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static void exchange(int fd, SSL *ssl, const struct buf *q, const char *status)
{
    size_t n = 0;
    ssize_t got;

    if ((ssl ? SSL_write(ssl, q->p, (int)q->len) : send(fd, q->p, q->len, MSG_NOSIGNAL)) !=
        (ssize_t)q->len)
        die("cannot send");
    answer[0] = '\0';
    while (!complete(n)) {
        got = ssl ? SSL_read(ssl, answer + n, (int)(ANSWER_MAX - 1 - n)) :
            recv(fd, answer + n, ANSWER_MAX - 1 - n, 0);
        if (got <= 0)
            die("the connection ended: %s", answer);
        n += (size_t)got;
        answer[n] = '\0';
    }
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0)
        die("not a %s: %.300s", status, answer);
}

static SSL *tls_dial(const char *where)
{
    SSL *ssl = SSL_new(tls);

    SSL_set_fd(ssl, dial(where));
    if (SSL_connect(ssl) != 1)
        die("no TLS");
    return ssl;
}

static void tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static FILE *proc(const char *pid, const char *name)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    if (!(f = fopen(path, "re")))
        die("%s: cannot be read", path);
    return f;
}

/* ns that the process has run, and its children that have ended. */
static int64_t cpu_of(const char *pid)
{
    FILE *f = proc(pid, "schedstat"), *stat = proc(pid, "stat");
    int64_t ns, user, sys;

    if (fscanf(f, "%" SCNd64, &ns) != 1 || fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u "
        "%*u %*u %*u %*u %*u %*u %" SCNd64 "%" SCNd64, &user, &sys) != 2)
        die("%s: no figures of this process", pid);
    fclose(f);
    fclose(stat);
    return ns + (user + sys) * (1000000000 / sysconf(_SC_CLK_TCK));
}

int main(int argc, char **argv)
{
    struct buf q = BUF_INIT, cert = BUF_INIT;
    int64_t count, i, cpu = 0;
    SSL *kept = NULL;
    int fd = -1;

    if (argc < 7 || argc > 9 || num_parse(argv[5], 1, 1000000, &count, "COUNT", NULL) < 0) {
        fprintf(stderr, "usage: cost PID SOCKET|PORT PATH STATUS COUNT CERTIFICATE [KEY [keep]]\n");
        return 2;
    }
    answer = xmalloc(ANSWER_MAX);
    buf_printf(&q, "GET %s HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=0\r\n", argv[3]);
    if (argc > 7) {
        tls = SSL_CTX_new(TLS_client_method());
        if (SSL_CTX_use_certificate_chain_file(tls, argv[6]) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, argv[7], SSL_FILETYPE_PEM) != 1)
            die("%s: no certificate or key", argv[6]);
        if (argc > 8)
            kept = tls_dial(argv[2]);
    } else {
        if (file_read(argv[6], 65536, &cert, NULL) < 0)
            die("%s: cannot be read", argv[6]);
        buf_adds(&q, "X-SSL-Client-Cert: ");
        percent_encode(&q, cert.p, cert.len);
        buf_adds(&q, "\r\n");
        fd = dial(argv[2]);
    }
    buf_adds(&q, "\r\n");
    for (i = -WARM_UP; i < count; i++) {
        if (i == 0)
            cpu = cpu_of(argv[1]);
        if (tls && !kept) {
            SSL *ssl = tls_dial(argv[2]);

            exchange(-1, ssl, &q, argv[4]);
            tls_close(ssl);
        } else
            exchange(fd, kept, &q, argv[4]);
    }
    cpu = cpu_of(argv[1]) - cpu;
    printf("{\"requests\":%" PRId64 ",\"cpu_us\":%.1f,\"per_core_second\":%.0f}\n", count,
        (double)cpu / 1e3 / (double)count, (double)count / ((double)cpu / 1e9));
    if (kept)
        tls_close(kept);
    buf_free(&q);
    buf_free(&cert);
    free(answer);
    return fflush(stdout) ? 1 : 0;
}
