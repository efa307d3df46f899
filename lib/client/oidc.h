/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token from an issuer of OpenID Connect, as a public client: authorization code with PKCE over a
 * loopback address (RFC 8252, RFC 7636), device code (RFC 8628), and renewal. The token is the ID
 * token, whose audience the client itself is.
 */
#ifndef FC_CLIENT_OIDC_H
#define FC_CLIENT_OIDC_H

#include "client/credentials.h"
#include "net/json.h"

struct oidc {
    const struct client_module *client;
    const char *issuer, *client_id, *scope;
    const char *ca_file; /* what the issuer must chain to; NULL: what the system trusts */
    struct buf ca;       /* its contents */
    jv found;            /* what discovery says */
};
/* Loads the client and asks the issuer; texts are borrowed. oidc_close in any case. */
int oidc_open(struct oidc *o, const char *issuer, const char *client_id, const char *scope,
    const char *ca_file, struct err *e);
void oidc_close(struct oidc *o);

/* Prints the URL that a browser is to open on standard output, and waits for it to come back;
 * browser: it is opened with xdg-open as well. */
int oidc_by_code(struct oidc *o, bool browser, struct credential *out, struct err *e);
/* Prints where a person is to enter which code, and waits until they have. */
int oidc_by_device(struct oidc *o, struct credential *out, struct err *e);
/* Replaces the token by its refresh token. FC_DENIED: the issuer does not want to. */
int oidc_renew(struct credential *c, struct err *e);

#endif
