/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/seal.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/ossl.h"

enum { NONCE_LEN = 12, TAG_LEN = 16 };

static inline void auto_cipher(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }
#define AUTO_CIPHER __attribute__((cleanup(auto_cipher)))

/* In place: p holds n bytes, the tag stands or comes behind them. False: OpenSSL failed, or what is
 * to be opened is not what was sealed. */
static bool gcm(const struct seal_key *k, const char *aad, unsigned char *nonce, unsigned char *p,
    size_t n, bool sealing)
{
    EVP_CIPHER_CTX *c AUTO_CIPHER = ossl_need(EVP_CIPHER_CTX_new());
    unsigned char *tag = p + n;
    int len;

    if (!EVP_CipherInit_ex2(c, EVP_aes_256_gcm(), k->key, nonce, sealing, NULL) ||
        (!sealing && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1) ||
        !EVP_CipherUpdate(c, NULL, &len, (const unsigned char *)aad, (int)strlen(aad)) ||
        !EVP_CipherUpdate(c, p, &len, p, (int)n) || EVP_CipherFinal_ex(c, tag, &len) != 1)
        return false;
    return !sealing || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
}

int seal(const struct seal_key *k, const char *aad, const char *text, size_t n, struct buf *out,
    struct err *e)
{
    size_t size = NONCE_LEN + n + TAG_LEN;
    unsigned char *raw = xmalloc(size);
    int rc = 0;

    ERR_clear_error();
    memcpy(raw + NONCE_LEN, text, n);
    if (RAND_bytes(raw, NONCE_LEN) != 1 || !gcm(k, aad, raw, raw + NONCE_LEN, n, true))
        rc = ossl_err(e, FC_FAIL, "cannot seal");
    if (rc == 0) {
        buf_printf(out, "1:%s:", k->id);
        base64_encode(out, raw, size);
    }
    OPENSSL_cleanse(raw, size);
    free(raw);
    return rc;
}

int unseal(const struct seal_keys *keys, const char *aad, const char *sealed, struct buf *out,
    struct err *e)
{
    struct buf raw AUTO_WIPED = BUF_INIT;
    const struct seal_key *k;
    char id[SEAL_ID_MAX + 1];
    size_t n;

    if (seal_id(sealed, id) < 0)
        return err_set(e, FC_INVALID, "malformed");
    if (!(k = seal_keys_find(keys, id)))
        return err_set(e, FC_NOTFOUND, "there is no key %s", id);
    sealed += 2 + strlen(id) + 1;
    if (base64_decode(&raw, sealed, strlen(sealed)) < 0 || raw.len < NONCE_LEN + TAG_LEN)
        return err_set(e, FC_INVALID, "malformed");
    n = raw.len - NONCE_LEN - TAG_LEN;
    ERR_clear_error();
    if (!gcm(k, aad, (unsigned char *)raw.p, (unsigned char *)raw.p + NONCE_LEN, n, false)) {
        ERR_clear_error();
        return err_set(e, FC_INVALID, "altered, moved from elsewhere, or sealed by another key of "
            "ID %s", id);
    }
    buf_reserve(out, n); /* growing would leave copies in freed memory */
    buf_add(out, raw.p + NONCE_LEN, n);
    return 0;
}
