/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed tokens: JSON Web Tokens (RFC 7519) as compact JWS (RFC 7515), and the keys that they are
 * verified with (RFC 7517). What a token says is read without any cryptography (jwt.c), so that most
 * bad ones cost nothing; the signature itself is libcjose's work (jose.c), which callers load with
 * mod_symbol("jose", "jose_module").
 */
#ifndef FC_CRYPTO_JWT_H
#define FC_CRYPTO_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum {
    JWT_MAX = 16 << 10,     /* bytes of a token; those of large groups have 8 KiB */
    JWT_KEYS_MAX = 100,     /* keys of a set that are looked at; issuers have two or three */
    JWT_KID_MAX = 256,      /* bytes of a key's name */
    JWT_KID_LEN = 44,       /* a thumbprint in base64url and its NUL */
    JWT_RSA_MIN = 256,      /* bytes of a modulus: 2048 bits */
    JWT_RSA_MAX = 1024,
};

/* What a token says, unverified. */
struct jwt {
    jv header, claims;
    const char *alg;  /* one of the list: ES256, RS256, PS256 */
    const char *kid;  /* or NULL */
    const char *iss;
};
/* FC_DENIED unless text is three parts of strict base64url, header and claims are objects, the
 * algorithm is one of the list (never "none", never a shared secret), nothing is "crit", and there
 * is an issuer. jwt_free in any case. */
int jwt_parse(const char *text, size_t n, struct jwt *out, struct err *e);
void jwt_free(struct jwt *t);

/* FC_DENIED unless the token has an end ("exp") and now is between "nbf", "iat" and it, with so much
 * allowed for clocks that differ; both in us. *expires: the end, without the allowance, in us. */
int jwt_times(const struct jwt *t, int64_t now, int64_t skew, int64_t *expires, struct err *e);
/* Is one of these (ended by NULL) what "aud" is, or has? */
bool jwt_audience(const struct jwt *t, const char *const *any);
/* Finds the key in a set: that of the token's kid, or, without one, the only one that fits its
 * algorithm. 1: *key, public members alone, canonical; 0: no such key (a newer set may have it). */
int jwt_key(const struct jwt *t, jv keys, struct buf *key);

void base64url_encode(struct buf *b, const void *p, size_t n); /* without padding */
int base64url_decode(struct buf *b, const char *s, size_t n);  /* strict; -1 leaves b as it was */

struct jose_module {
    /* FC_DENIED unless the signature of text, whose header says alg, is that of a public key as
     * jwt_key finds it. */
    int (*verify)(const char *text, size_t n, const char *alg, const char *key, struct err *e);
    /* Signs claims (JSON) with a P-256 key in PEM by ES256; header: alg, kid, typ JWT. Appends the
     * token. */
    int (*sign)(const char *pem, size_t n, const char *claims, struct buf *token, struct err *e);
    /* The public half of a P-256 key in PEM as a JWK with kid (its thumbprint, RFC 7638), alg and
     * use, canonical. */
    int (*public_key)(const char *pem, size_t n, struct buf *jwk, struct err *e);
};
extern const struct jose_module jose_module;

/* jose.c */
int jose_verify(const char *text, size_t n, const char *alg, const char *key, struct err *e);
int jose_sign(const char *pem, size_t n, const char *claims, struct buf *token, struct err *e);
int jose_public_key(const char *pem, size_t n, struct buf *jwk, struct err *e);

#endif
