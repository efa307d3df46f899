/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short secrets at rest: AES-256-GCM under a key of a key file. A sealed text is "1:ID:BASE64" of
 * nonce (96 bits, random), ciphertext and tag (128 bits); ID names the key. What the secret belongs
 * to goes in as associated data, so that a sealed text opens in its own place alone.
 *
 * A key file has lines "ID BASE64", the base64 of 32 bytes; empty lines and those that begin with #
 * do not count. The first key seals, all open.
 */
#ifndef FC_CRYPTO_SEAL_H
#define FC_CRYPTO_SEAL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SEAL_KEY_LEN = 32,       /* bytes */
    SEAL_ID_MAX = 32,        /* letters, digits, - and _ */
    SEAL_KEYS_MAX = 64,      /* keys of a file: a rotation drops the old ones */
    SEAL_FILE_MAX = 16 << 10, /* bytes of a key file */
};

struct seal_key {
    char id[SEAL_ID_MAX + 1];
    unsigned char key[SEAL_KEY_LEN];
};
struct seal_keys {
    struct seal_key v[SEAL_KEYS_MAX];
    size_t n;
};

/* --- keyring.c: keys and their file, without OpenSSL ------------------------------------------ */

/* Parses a key file's text; source names it in messages, which never show a key. FC_INVALID; *out
 * holds at least one key otherwise. seal_keys_wipe is due in any case. */
int seal_keys_parse(const char *text, size_t n, const char *source, struct seal_keys *out,
    struct err *e);
void seal_keys_wipe(struct seal_keys *k);
/* Appends the text of a key file. Wipe it with buf_erase. */
void seal_keys_write(const struct seal_keys *k, struct buf *out);
/* A new key with an ID of its own becomes the first one. FC_FAIL: there are SEAL_KEYS_MAX. */
int seal_keys_add(struct seal_keys *k, struct err *e);
/* Drops all but the first. */
void seal_keys_keep_first(struct seal_keys *k);
const struct seal_key *seal_keys_find(const struct seal_keys *k, const char *id); /* or NULL */
/* The ID in a sealed text. -1: not one. */
int seal_id(const char *sealed, char id[SEAL_ID_MAX + 1]);
/* Zeroes and frees, as buf_wipe does, where libcrypto is not linked. */
void buf_erase(struct buf *b);

/* --- seal.c ----------------------------------------------------------------------------------- */

/* Appends the sealed text of n bytes. aad: what they belong to. */
int seal(const struct seal_key *k, const char *aad, const char *text, size_t n, struct buf *out,
    struct err *e);
/* Appends the bytes of a sealed text; wipe them. FC_NOTFOUND: no such key; FC_INVALID: malformed,
 * altered, moved from elsewhere, or sealed by another key of the same ID. */
int unseal(const struct seal_keys *keys, const char *aad, const char *sealed, struct buf *out,
    struct err *e);

#endif
