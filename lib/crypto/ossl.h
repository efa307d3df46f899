/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: OpenSSL's objects, how they are read and how it fails. */
#ifndef FC_CRYPTO_OSSL_H
#define FC_CRYPTO_OSSL_H

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/crypto.h"

enum {
    OSSL_TEXT_MAX = 64 << 10,   /* bytes of one key, request or certificate: real ones have 2 KiB */
    OSSL_BUNDLE_MAX = 1 << 20,  /* bytes of a bundle; a system's whole one has 250 KiB */
    OSSL_BUNDLE_CERTS = 512,    /* certificates in a bundle */
    OSSL_EXTS_MAX = 64,         /* extensions of a certificate: duplicates are searched pairwise */
    OSSL_RSA_MIN = 2048,        /* bits: 112 bits of security */
    OSSL_RSA_MAX = 8192,        /* bits: verification stays below a millisecond */
    OSSL_NAMES_MAX = 100,       /* names of a server certificate */
};

static inline void auto_pkey(EVP_PKEY **p) { EVP_PKEY_free(*p); }
static inline void auto_x509(X509 **p) { X509_free(*p); }
static inline void auto_req(X509_REQ **p) { X509_REQ_free(*p); }
static inline void auto_bio(BIO **p) { BIO_free(*p); }
static inline void auto_bn(BIGNUM **p) { BN_clear_free(*p); }
static inline void auto_wiped(struct buf *b) { buf_wipe(b); }
#define AUTO_PKEY __attribute__((cleanup(auto_pkey)))
#define AUTO_X509 __attribute__((cleanup(auto_x509)))
#define AUTO_REQ __attribute__((cleanup(auto_req)))
#define AUTO_BIO __attribute__((cleanup(auto_bio)))
#define AUTO_BN __attribute__((cleanup(auto_bn)))
#define AUTO_WIPED __attribute__((cleanup(auto_wiped)))

/* --- ossl.c ------------------------------------------------------------------------------- */

/* OpenSSL's constructors fail for want of memory only: p, or the end of the process. */
void *ossl_need(void *p);
/* err_set with OpenSSL's reason appended; empties its error queue. Returns -1. */
int ossl_err(struct err *e, enum fc_code code, const char *what);

/* What a PEM block may hold. Keys are never taken in DER. */
enum pem_kind { PEM_CERT = 1, PEM_CSR = 2, PEM_KEY = 4 };

struct der {
    unsigned char *p;
    long n;
    enum pem_kind kind;
};
/* The first PEM block of text, which must be of a kind in `want`, or DER where `want` is one kind
 * and no key. preamble: text may stand before the block, as openssl x509 -text writes it.
 * FC_INVALID; der_free in any case. */
int der_read(const char *text, size_t n, unsigned want, bool preamble, struct der *out,
    struct err *e);
void der_free(struct der *d); /* wipes */
static inline void auto_der(struct der *d) { der_free(d); }
#define AUTO_DER __attribute__((cleanup(auto_der)))

X509 *der_cert(const struct der *d, struct err *e);
X509_REQ *der_req(const struct der *d, struct err *e);
EVP_PKEY *der_key(const struct der *d, struct err *e);

/* Appends the PEM text that write puts into a BIO. */
int pem_cert(X509 *x, struct buf *pem, struct err *e);
int pem_req(X509_REQ *r, struct buf *pem, struct err *e);

/* The type under which Go's asn1.Marshal encodes s: PrintableString if it can, else UTF8String. */
int str_type(const char *s);
/* Text of an ASN.1 string: PrintableString, UTF8String or IA5String, UTF-8 without control
 * characters, shorter than size. what names it in the message. */
int str_read(const ASN1_STRING *s, char *out, size_t size, const char *what, struct err *e);
/* The common name of a subject; "" when there is none, FC_INVALID when there are two. */
int name_cn(X509_NAME *name, char *out, size_t size, struct err *e);
/* A subject with the common name alone. NULL: cn is empty, too long or no UTF-8. */
X509_NAME *name_new(const char *cn, struct err *e);

/* --- keys.c ------------------------------------------------------------------------------- */

/* FC_INVALID unless EC on P-256, P-384 or P-521, by name, or RSA of a sound size. */
int key_check(EVP_PKEY *key, struct err *e);
int key_name(EVP_PKEY *key, char out[DEVICE_NAME_LEN], struct err *e);
EVP_PKEY *key_read(const char *pem, size_t n, struct err *e);
/* The digest that goes with a key's strength. */
const EVP_MD *key_digest(EVP_PKEY *key);

/* --- csr.c -------------------------------------------------------------------------------- */

/* Parses and checks as csr_parse does. */
X509_REQ *csr_read(const char *text, size_t n, struct err *e);

#endif
