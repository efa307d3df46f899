/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in specs: which members are, and how they look. Stored they are sealed (SECRET_SEALED and
 * what lib/crypto makes of them), on every way out they are shown as SECRET_MASK.
 */
#ifndef FC_FLEET_SECRET_H
#define FC_FLEET_SECRET_H

#include "fleet/kind.h"

#define SECRET_MASK "*****"
#define SECRET_LOST "***** (lost)" /* stored and shown: nobody can open it any more */
#define SECRET_SEALED "fc-seal:"

/* A member of a kind's spec. */
struct secret {
    enum kind_id kind;
    const char *at[4]; /* names from spec down, ended by NULL */
};
extern const struct secret secrets[]; /* ended by a row of KIND_NONE */

/* May documents of this kind hold secrets? */
bool kind_has_secrets(const struct kind *k);
bool secret_sealed(const char *text);
/* The string at its place in a spec (borrowed); an invalid jv when there is none. */
jv secret_get(const struct secret *at, jv spec);
/* "spec.httpConfig.password", for messages. */
const char *secret_path(const struct secret *at, char buf[256]);

/* Calls each for every secret of a spec that is a string, with its value, which each may replace.
 * The first failure ends it. */
typedef int secret_fn(void *ctx, const struct secret *at, jv *value, struct err *e);
int secrets_each(const struct kind *k, jv *spec, secret_fn *each, void *ctx, struct err *e);

/* Puts the mask in the place of each. */
void secrets_mask(const struct kind *k, jv *spec);

#endif
