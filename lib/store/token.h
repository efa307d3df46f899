/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that were issued here, each with the public key that verifies it, so that nothing else is
 * needed to; a token that has no row is none. And the keys of issuers elsewhere, which a task of
 * fc-work brings.
 */
#ifndef FC_STORE_TOKEN_H
#define FC_STORE_TOKEN_H

#include "base/text.h"
#include "store/store.h"

struct token {
    char jti[UUID_LEN];
    int64_t org;
    const char *subject;
    const char *roles, *groups; /* JSON arrays of strings */
    const char *key;            /* public JWK */
    int64_t issued, expires;    /* us */
    const char *issued_by;      /* actor */
    int64_t revoked;            /* us; 0: it is not */
    const char *revoked_by;     /* or NULL */
};
int token_add(struct store *s, const struct token *t, struct err *e);
/* Texts in the arena. 1 found, 0 not, -1. */
int token_get(struct store *s, struct arena *a, const char *jti, struct token *out, struct err *e);
/* Those of an organization, the oldest first; each may end it by an answer other than 0, which is
 * then that of token_list. */
int token_list(struct store *s, int64_t org, int (*each)(void *ctx, const struct token *t,
    struct err *e), void *ctx, struct err *e);
/* 1: it is revoked now; 0: it was before, or there is none. */
int token_revoke(struct store *s, int64_t org, const char *jti, int64_t now, const char *by,
    struct err *e);

struct issuer {
    const char *keys;  /* JSON of its key set, or NULL */
    int64_t fetched;   /* us, when they came; 0: never */
    int64_t tried;     /* us, when they were last asked for */
    const char *error; /* why the last try failed, or NULL */
};
/* Texts in the arena. 1 found, 0 not, -1. */
int issuer_get(struct store *s, struct arena *a, const char *url, struct issuer *out,
    struct err *e);
int issuer_keys(struct store *s, const char *url, const char *keys, int64_t now, struct err *e);
int issuer_failed(struct store *s, const char *url, const char *why, int64_t now, struct err *e);
int issuer_drop(struct store *s, const char *url, struct err *e);

#endif
