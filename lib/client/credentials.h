/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who fc-login has logged in where: STATE/credentials.json (0600), an object of servers:
 *   {"https://fc.example.com:3443": {"token": "...", "expires": "2026-05-04T03:02:01Z",
 *     "refreshToken": "...", "tokenUrl": "https://...", "clientId": "...", "caFile": "..."}}
 * Only server and token are always there. Changed under a lock on STATE/credentials.lock.
 */
#ifndef FC_CLIENT_CREDENTIALS_H
#define FC_CLIENT_CREDENTIALS_H

#include "base/conf.h"
#include "base/json.h"

struct credential {
    char *token;     /* what goes behind "Authorization: Bearer " */
    int64_t expires; /* us; 0: the token does not say */
    char *refresh;   /* refresh token, or NULL: then the four below are NULL, too */
    char *token_url; /* where it is turned into a new token */
    char *client_id;
    char *ca_file;   /* certificates that the issuer's must chain to; NULL: as configured */
};
void credential_free(struct credential *c); /* wipes the secrets; fine with one of zeroes */

/* A server as the file names it: https://HOST:PORT[/PATH], host in lower case, port 443 where the URL
 * has none, no slash at the end; for the caller to free. NULL: FC_INVALID. */
char *credential_server(const char *url, struct err *e);
/* Of a server in any spelling: 1 and *out, 0: nobody is logged in there, -1 (FC_DENIED: others may
 * open the file). The token may have expired. */
int credential_load(const struct conf *conf, const char *url, struct credential *out,
    struct err *e);
/* Replaces, or (c NULL) removes what there is of the server. */
int credential_store(const struct conf *conf, const char *url, const struct credential *c,
    struct err *e);
/* The servers that the file names, as an object without any secret: URL -> {expires, refreshes}. The
 * caller frees it with jv_free. */
int credential_list(const struct conf *conf, jv *out, struct err *e);

/* For whoever replaces a token by what it read before: a descriptor that holds the lock until it is
 * closed, -1. credential_store takes it itself; credential_put wants it held. */
int credential_lock(const struct conf *conf, struct err *e);
int credential_put(const struct conf *conf, const char *url, const struct credential *c,
    struct err *e);

#endif
