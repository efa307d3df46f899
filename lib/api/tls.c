/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"

enum { READ_BUFFER = 16 << 10 }; /* a record and its head in one read(2) */

static int ssl_error(struct err *e, enum fc_code code, const char *what, const char *file)
{
    unsigned long n = ERR_peek_error();
    const char *reason = ERR_reason_error_string(n);

    if (ERR_GET_LIB(n) == ERR_LIB_SYS) {
        errno = ERR_GET_REASON(n);
        err_errno(e, "%s: %s", what, file);
    } else
        err_set(e, code, "%s: %s: %s", what, file, reason ? reason : "unusable");
    ERR_clear_error();
    return -1;
}

/* Chain, time and revocation are the core's to judge, at each request. */
static int accept_any(X509_STORE_CTX *store, void *arg)
{
    (void)store, (void)arg;
    return 1;
}

static int choose_http11(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl, (void)arg;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, outlen, ours, sizeof ours - 1, in,
        inlen) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int load(SSL_CTX *ctx, const char *cert, const char *key, const char *ca, struct err *e)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return ssl_error(e, FC_INVALID, "certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return ssl_error(e, FC_INVALID, "key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return ssl_error(e, FC_INVALID, "key", key);
    if (ca) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);

        if (!names)
            return ssl_error(e, FC_INVALID, "client CA", ca);
        SSL_CTX_set_client_CA_list(ctx, names);
    }
    return 0;
}

int tls_open(SSL_CTX **out, const char *cert_file, const char *key_file,
    const char *client_ca_file, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        die("TLS cannot start");
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER);
    /* No resumption: clients here connect seldom or stay, their libraries do not keep sessions by
     * default, and without tickets nothing but the key itself ever stands for a client. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, choose_http11, NULL);
    ERR_clear_error();
    if (load(ctx, cert_file, key_file, client_ca_file, e) < 0) {
        SSL_CTX_free(ctx);
        return -1;
    }
    *out = ctx;
    return 0;
}

void tls_close(SSL_CTX *ctx)
{
    SSL_CTX_free(ctx);
}

SSL *tls_accept(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        die("out of memory for TLS");
    SSL_set_accept_state(ssl);
    return ssl;
}

void tls_free(SSL *ssl)
{
    SSL_free(ssl);
}

static int result_of(SSL *ssl, int rc)
{
    int err = SSL_get_error(ssl, rc);

    ERR_clear_error();
    switch (err) {
    case SSL_ERROR_WANT_READ: return TLS_AGAIN_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_AGAIN_WRITE;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: return TLS_FAILED; /* no close_notify counts as this: the end may be forged */
    }
}

int tls_handshake(SSL *ssl)
{
    int rc = SSL_do_handshake(ssl), result;

    if (rc == 1)
        return 0;
    result = result_of(ssl, rc);
    return result == 0 ? TLS_FAILED : result;
}

ssize_t tls_read(SSL *ssl, void *p, size_t n)
{
    int rc = SSL_read(ssl, p, n > INT_MAX ? INT_MAX : (int)n);

    return rc > 0 ? rc : result_of(ssl, rc);
}

ssize_t tls_write(SSL *ssl, const void *p, size_t n)
{
    int rc = SSL_write(ssl, p, n > INT_MAX ? INT_MAX : (int)n), result;

    if (rc > 0)
        return rc;
    result = result_of(ssl, rc);
    return result == 0 ? TLS_FAILED : result;
}

void tls_bye(SSL *ssl)
{
    if (SSL_is_init_finished(ssl))
        SSL_shutdown(ssl);
    ERR_clear_error();
}

void tls_peer_cert(SSL *ssl, struct buf *der)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    int n = cert ? i2d_X509(cert, NULL) : 0;
    unsigned char *p;

    if (n <= 0)
        return;
    buf_reserve(der, (size_t)n);
    p = (unsigned char *)der->p + der->len;
    i2d_X509(cert, &p);
    der->len += (size_t)n;
    der->p[der->len] = '\0';
}
