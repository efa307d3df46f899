/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are issued here: ES256 under a key of their own beside the authority's. */
#ifndef FC_SERVICE_TOKEN_H
#define FC_SERVICE_TOKEN_H

#include "base/conf.h"
#include "crypto/jwt.h"
#include "store/store.h"
#include "store/token.h"

#define TOKEN_ISSUER "urn:flightctl:fc-sign" /* "iss" */
#define TOKEN_AUDIENCE "fc-api"              /* "aud" */

enum {
    TOKEN_WORDS_MAX = 100,   /* roles, groups of one token */
    TOKEN_WORD_MAX = 253,    /* bytes of one, and of a subject */
};

/* --- token_issue.c: for commands that hold the key, links libcrypto ------------------------------ */

struct token_request {
    const char *subject;        /* who it is for */
    const char *const *roles;   /* ended by NULL */
    const char *const *groups;
    const char *lifetime;       /* "8h", "30d"; NULL: [tokens] lifetime */
    bool dry;                   /* it is checked and printed nowhere, and not kept */
};
/* Issues one for the store's organization, in a transaction of its own. The key is made with the
 * first. *token (empty on a dry run) is the only copy there is. */
int token_issue(struct store *s, const struct conf *conf, const struct token_request *q,
    const struct actor *who, struct token *made, struct arena *a, struct buf *token,
    struct err *e);

/* --- token.c ------------------------------------------------------------------------------------- */

/* The event of what was done to a token ("issued", "revoked"), about its organization. */
int token_told(struct store *s, const struct token *t, const char *what, const struct actor *who,
    struct err *e);
/* Revokes one of the store's organization, in a transaction of its own. FC_NOTFOUND: there is none;
 * FC_CONFLICT: it was revoked before. */
int token_withdraw(struct store *s, const char *jti, const struct actor *who, struct err *e);
/* As people see it, without anything that opens a door: jti, subject, roles, groups, issuedAt,
 * issuedBy, expiresAt, revokedAt, revokedBy, state (Valid, Expired, Revoked). For the caller to
 * free. */
jv token_shown(const struct token *t, int64_t now);

#endif
