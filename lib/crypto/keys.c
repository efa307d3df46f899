/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/ossl.h"

void buf_wipe(struct buf *b)
{
    if (b->p)
        OPENSSL_cleanse(b->p, b->cap);
    buf_free(b);
}

int key_generate(struct buf *pem, struct err *e)
{
    EVP_PKEY *key AUTO_PKEY = NULL;
    OSSL_ENCODER_CTX *enc;
    unsigned char *text = NULL;
    size_t n = 0;
    int ok;

    ERR_clear_error();
    key = EVP_EC_gen("P-256");
    if (!key)
        return ossl_err(e, FC_FAIL, "cannot generate a key");
    enc = ossl_need(OSSL_ENCODER_CTX_new_for_pkey(key, OSSL_KEYMGMT_SELECT_ALL, "PEM",
        "type-specific", NULL));
    ok = OSSL_ENCODER_to_data(enc, &text, &n);
    OSSL_ENCODER_CTX_free(enc);
    if (ok != 1)
        return ossl_err(e, FC_FAIL, "cannot write the key");
    buf_add(pem, text, n);
    OPENSSL_clear_free(text, n);
    return 0;
}

int key_load(const char *path, struct buf *pem, struct err *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(e, "%s", path);
    if (st.st_mode & 077)
        return err_set(e, FC_DENIED, "%s: a key that others may open (mode %04o); chmod 600 %s",
            path, (unsigned)(st.st_mode & 07777), path);
    buf_reserve(pem, OSSL_TEXT_MAX + 1); /* growing would leave copies in freed memory */
    return file_read(path, OSSL_TEXT_MAX, pem, e);
}

EVP_PKEY *key_read(const char *pem, size_t n, struct err *e)
{
    struct der der AUTO_DER = {0};
    EVP_PKEY *key;

    if (der_read(pem, n, PEM_KEY, true, &der, e) < 0 || !(key = der_key(&der, e)))
        return NULL;
    if (key_check(key, e) < 0) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static int key_check_ec(EVP_PKEY *key, struct err *e)
{
    char curve[64] = "";
    int explicit_params = 0;
    EVP_PKEY_CTX *ctx;
    int ok, nid;

    /* Explicit parameters can describe a curve that only looks like a named one. */
    EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_params);
    if (explicit_params || EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) != 1)
        return err_set(e, FC_INVALID, "the key's curve has no name");
    nid = OBJ_sn2nid(curve);
    if (nid != NID_X9_62_prime256v1 && nid != NID_secp384r1 && nid != NID_secp521r1)
        return err_set(e, FC_INVALID, "key on the curve %s: P-256, P-384 and P-521 are accepted",
            curve);
    ctx = ossl_need(EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL));
    ok = EVP_PKEY_public_check_quick(ctx);
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? 0 : ossl_err(e, FC_INVALID, "the key is no point of its curve");
}

int key_check(EVP_PKEY *key, struct err *e)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return key_check_ec(key, e);
    if (EVP_PKEY_is_a(key, "RSA")) {
        int bits = EVP_PKEY_get_bits(key);

        if (bits < OSSL_RSA_MIN || bits > OSSL_RSA_MAX)
            return err_set(e, FC_INVALID, "RSA key of %d bits: %d to %d are accepted", bits,
                OSSL_RSA_MIN, OSSL_RSA_MAX);
        return 0;
    }
    return err_set(e, FC_INVALID, "the key is neither EC nor RSA");
}

const EVP_MD *key_digest(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_security_bits(key);

    return bits > 192 ? EVP_sha512() : bits > 128 ? EVP_sha384() : EVP_sha256();
}

/* Adds a public number of the key as the shortest big-endian bytes: leading zeros are gone, as in
 * the names that existing devices have. */
static int hash_number(EVP_MD_CTX *md, EVP_PKEY *key, const char *param)
{
    BIGNUM *n AUTO_BN = NULL;
    unsigned char bytes[OSSL_RSA_MAX / 8];

    if (EVP_PKEY_get_bn_param(key, param, &n) != 1 || BN_num_bytes(n) > (int)sizeof bytes)
        return 0;
    return EVP_DigestUpdate(md, bytes, (size_t)BN_bn2bin(n, bytes));
}

int key_name(EVP_PKEY *key, char out[DEVICE_NAME_LEN], struct err *e)
{
    unsigned char hash[32];
    unsigned n = 0;
    struct buf b AUTO_BUF = BUF_INIT;
    EVP_MD_CTX *md;
    int ok;

    if (key_check(key, e) < 0)
        return -1;
    md = ossl_need(EVP_MD_CTX_new());
    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
        (EVP_PKEY_is_a(key, "RSA") ? hash_number(md, key, OSSL_PKEY_PARAM_RSA_N) == 1
            : hash_number(md, key, OSSL_PKEY_PARAM_EC_PUB_X) == 1 &&
                hash_number(md, key, OSSL_PKEY_PARAM_EC_PUB_Y) == 1) &&
        EVP_DigestFinal_ex(md, hash, &n) == 1;
    EVP_MD_CTX_free(md);
    if (!ok || n != sizeof hash)
        return ossl_err(e, FC_FAIL, "cannot hash the public key");
    base32hex_encode(&b, hash, sizeof hash);
    memcpy(out, b.p, b.len + 1);
    return 0;
}

int device_name(const char *pem, size_t n, char out[DEVICE_NAME_LEN], struct err *e)
{
    struct der der AUTO_DER = {0};
    EVP_PKEY *key AUTO_PKEY = NULL;
    X509 *x AUTO_X509 = NULL;
    X509_REQ *req AUTO_REQ = NULL;

    if (der_read(pem, n, PEM_KEY | PEM_CERT | PEM_CSR, true, &der, e) < 0)
        return -1;
    switch (der.kind) {
    case PEM_CERT:
        if (!(x = der_cert(&der, e)))
            return -1;
        key = X509_get_pubkey(x);
        break;
    case PEM_CSR:
        if (!(req = der_req(&der, e)))
            return -1;
        key = X509_REQ_get_pubkey(req);
        break;
    case PEM_KEY:
        if (!(key = der_key(&der, e)))
            return -1;
        break;
    }
    if (!key)
        return ossl_err(e, FC_INVALID, "unknown kind of public key");
    return key_name(key, out, e);
}
