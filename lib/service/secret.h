/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets on their way into the store, where they are sealed. The key file is read whenever a key
 * is needed, inside the transaction that holds seal_lock, so that nobody seals with a key that
 * fc-store rekey has dropped meanwhile.
 */
#ifndef FC_SERVICE_SECRET_H
#define FC_SERVICE_SECRET_H

#include "base/conf.h"
#include "crypto/seal.h"
#include "fleet/secret.h"
#include "store/store.h"

/* Tells the store where the key file is: [secrets] key-file, else the systemd credential
 * fc-secret-key, else secret.key in the state folder. */
void secret_source(struct store *s, const struct conf *conf);

/* Makes the key file with one key, if there is none. FC_OK in any other case, too: what is wrong
 * with a file is said when it is needed. */
int secret_init(const struct conf *conf, struct err *e);

/* Waits for others that write secrets; before a stored spec with secrets is read to be changed. */
int secret_lock(struct store *s, struct err *e);
/* Reads the key file. FC_FAIL, with the path: missing, malformed, or open to others.
 * seal_keys_wipe is due in any case. */
int secret_keys(const struct store *s, struct seal_keys *out, struct err *e);
/* The key that sealed last, in the arena; "" when nothing was sealed yet. */
int secret_key_used(struct store *s, struct arena *a, const char **id, struct err *e);
/* The uid of an organization, in the arena. */
int secret_org(struct store *s, struct arena *a, int64_t org, const char **uid, struct err *e);

struct secret_place { /* what a sealed text is bound to, beside its member */
    const char *org;  /* uid */
    const struct kind *kind;
    const char *name; /* store name */
};
struct crypto_module;
/* Opens a sealed text. Codes as unseal. Wipe out. */
int secret_open(const struct crypto_module *c, const struct seal_keys *keys,
    const struct secret_place *place, const struct secret *at, const char *text, struct buf *out,
    struct err *e);
/* A text sealed with the first key. *value is replaced. */
int secret_seal(const struct crypto_module *c, const struct seal_keys *keys,
    const struct secret_place *place, const struct secret *at, const char *text, size_t n,
    jv *value, struct err *e);

/* Makes of a spec that came in (replaced) what is stored: secrets that came back masked, or as
 * they were before, stay what they are in stored (may be NULL); others are sealed. trusted: sealed
 * texts are taken as they are, else they are FC_INVALID with their path, as is a mask that stands
 * for nothing. */
int secrets_store(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const char *stored, bool trusted, jv *spec, struct err *e);

#endif
