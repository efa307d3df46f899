/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of tokens, by libcjose. */
#include <cjose/cjose.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/jwt.h"
#include "crypto/ossl.h"

static void auto_jwk(cjose_jwk_t **k) { if (*k) cjose_jwk_release(*k); }
static void auto_jws(cjose_jws_t **s) { if (*s) cjose_jws_release(*s); }
static void auto_header(cjose_header_t **h) { if (*h) cjose_header_release(*h); }
#define AUTO_JWK __attribute__((cleanup(auto_jwk)))
#define AUTO_JWS __attribute__((cleanup(auto_jws)))
#define AUTO_HEADER __attribute__((cleanup(auto_header)))

static int failed(const char *what, const cjose_err *why, enum fc_code code, struct err *e)
{
    ERR_clear_error();
    return err_set(e, code, "%s: %s", what, why->message ? why->message : "unknown");
}

int jose_verify(const char *text, size_t n, const char *alg, const char *key, struct err *e)
{
    cjose_jwk_t *jwk AUTO_JWK = NULL;
    cjose_jws_t *jws AUTO_JWS = NULL;
    const char *said;
    cjose_err why = {0};

    if (!(jwk = cjose_jwk_import(key, strlen(key), &why)))
        return failed("the issuer's key", &why, FC_DENIED, e);
    if (!(jws = cjose_jws_import(text, n, &why)))
        return failed("the token", &why, FC_DENIED, e);
    /* The algorithm that was accepted is the one that counts, not another reading of the header. */
    said = cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &why);
    if (!said || strcmp(said, alg) != 0)
        return err_set(e, FC_DENIED, "the token's algorithm is ambiguous");
    if (!cjose_jws_verify(jws, jwk, &why)) {
        ERR_clear_error();
        return err_set(e, FC_DENIED, "the token's signature is wrong");
    }
    return 0;
}

/* A coordinate, or the private number, as base64url of all its 32 bytes. */
static int add_number(jv *v, const char *name, EVP_PKEY *key, const char *param, struct err *e)
{
    struct buf b AUTO_WIPED = BUF_INIT;
    BIGNUM *n AUTO_BN = NULL;
    unsigned char bytes[32];

    if (EVP_PKEY_get_bn_param(key, param, &n) != 1 || BN_bn2binpad(n, bytes, sizeof bytes) < 0)
        return ossl_err(e, FC_INVALID, "the token key cannot be read");
    buf_reserve(&b, 64);
    base64url_encode(&b, bytes, sizeof bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
    json_sets(v, name, b.p);
    return 0;
}

/* {"crv","kty","x","y"}: what the thumbprint of RFC 7638 goes over. */
static int public_half(EVP_PKEY *key, jv *v, struct err *e)
{
    char curve[64] = "";

    if (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) != 1 ||
        OBJ_sn2nid(curve) != NID_X9_62_prime256v1)
        return err_set(e, FC_INVALID, "the token key is not on P-256");
    *v = jv_object();
    json_sets(v, "kty", "EC");
    json_sets(v, "crv", "P-256");
    if (add_number(v, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, e) < 0 ||
        add_number(v, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, e) < 0)
        return -1;
    return 0;
}

static void thumbprint(jv v, char out[JWT_KID_LEN])
{
    struct buf text AUTO_BUF = BUF_INIT, b AUTO_BUF = BUF_INIT;
    unsigned char hash[32];
    unsigned n = 0;

    json_canon(&text, v);
    if (EVP_Digest(text.p, text.len, hash, &n, EVP_sha256(), NULL) != 1 || n != sizeof hash)
        die("SHA-256 failed");
    base64url_encode(&b, hash, sizeof hash);
    memcpy(out, b.p, JWT_KID_LEN);
}

int jose_public_key(const char *pem, size_t n, struct buf *jwk, struct err *e)
{
    EVP_PKEY *key AUTO_PKEY = key_read(pem, n, e);
    jv v AUTO_JV = jv_invalid();
    char kid[JWT_KID_LEN];

    if (!key || public_half(key, &v, e) < 0)
        return -1;
    thumbprint(v, kid);
    json_sets(&v, "kid", kid);
    json_sets(&v, "alg", CJOSE_HDR_ALG_ES256);
    json_sets(&v, "use", "sig");
    json_canon(jwk, v);
    return 0;
}

/* The whole key for libcjose, and its name. */
static cjose_jwk_t *private_key(const char *pem, size_t n, char kid[JWT_KID_LEN], struct err *e)
{
    EVP_PKEY *key AUTO_PKEY = key_read(pem, n, e);
    struct buf text AUTO_WIPED = BUF_INIT;
    jv v AUTO_JV = jv_invalid();
    cjose_err why = {0};
    cjose_jwk_t *jwk;

    if (!key || public_half(key, &v, e) < 0)
        return NULL;
    thumbprint(v, kid);
    if (add_number(&v, "d", key, OSSL_PKEY_PARAM_PRIV_KEY, e) < 0)
        return NULL;
    buf_reserve(&text, 1024);
    json_canon(&text, v);
    jwk = cjose_jwk_import(text.p, text.len, &why);
    if (!jwk)
        failed("the token key", &why, FC_INVALID, e);
    return jwk;
}

int jose_sign(const char *pem, size_t n, const char *claims, struct buf *token, struct err *e)
{
    char kid[JWT_KID_LEN];
    cjose_jwk_t *jwk AUTO_JWK = private_key(pem, n, kid, e);
    cjose_header_t *header AUTO_HEADER = NULL;
    cjose_jws_t *jws AUTO_JWS = NULL;
    const char *text;
    cjose_err why = {0};

    if (!jwk)
        return -1;
    header = cjose_header_new(&why);
    if (!header || !cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, &why) ||
        !cjose_header_set(header, CJOSE_HDR_KID, kid, &why) ||
        !cjose_header_set(header, "typ", "JWT", &why) ||
        !(jws = cjose_jws_sign(jwk, header, (const uint8_t *)claims, strlen(claims), &why)) ||
        !cjose_jws_export(jws, &text, &why))
        return failed("cannot sign the token", &why, FC_FAIL, e);
    buf_adds(token, text);
    return 0;
}
