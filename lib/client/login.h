/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in to the API of a server: which provider, a token, and that the server takes it. */
#ifndef FC_CLIENT_LOGIN_H
#define FC_CLIENT_LOGIN_H

#include "client/credentials.h"

struct login {
    const struct conf *conf;
    const char *url;        /* of the server */
    const char *token_file; /* a token that there is already; "-": standard input; or NULL */
    const char *provider;   /* name of an AuthProvider; NULL: the server's default */
    bool device, browser;   /* by device code; with a browser that is opened here */
};
/* Logs in, keeps the token (credentials.h) and says who that is. FC_DENIED: the server does not take
 * it, and nothing is kept. */
int login_run(const struct login *l, struct err *e);

/* As credential_load, and a token that is about to expire is renewed if that can be. FC_DENIED: it
 * has expired, and cannot. */
int login_credential(const struct conf *conf, const char *url, struct credential *out,
    struct err *e);

#endif
