/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 on accepted connections (OpenSSL). A client certificate is asked for, not demanded: TLS
 * proves that the client has its key, and the core decides what the certificate is worth. */
#ifndef FC_API_TLS_H
#define FC_API_TLS_H

#include <openssl/types.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* client_ca_file: its subjects are named to clients as a hint which certificate to send; NULL: no
 * hint. */
int tls_open(SSL_CTX **out, const char *cert_file, const char *key_file,
    const char *client_ca_file, struct err *e);
void tls_close(SSL_CTX *ctx);

SSL *tls_accept(SSL_CTX *ctx, int fd); /* the caller frees it with tls_free */
void tls_free(SSL *ssl);

/* Results below zero; `write` says that what blocks is the socket's output. */
enum tls_result { TLS_AGAIN_READ = -1, TLS_AGAIN_WRITE = -2, TLS_FAILED = -3 };
int tls_handshake(SSL *ssl); /* 0 when done, or a tls_result */
ssize_t tls_read(SSL *ssl, void *p, size_t n); /* 0: closed by the other side; or a tls_result */
ssize_t tls_write(SSL *ssl, const void *p, size_t n);
void tls_bye(SSL *ssl); /* close_notify, if it can be sent at once */
/* The client's certificate as DER; stays empty when it sent none. */
void tls_peer_cert(SSL *ssl, struct buf *der);

#endif
