/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a login in a browser: it comes back to an address of this machine alone. */
#ifndef FC_CLIENT_LOOPBACK_H
#define FC_CLIENT_LOOPBACK_H

#include "base/buf.h"
#include "base/err.h"

/* A socket that listens on 127.0.0.1, and its port. -1: error. */
int loopback_listen(int *port, struct err *e);
/* Waits for GET /callback with this state; *code is the caller's. FC_DENIED: the issuer refused, or
 * the state is another; FC_AGAIN: nobody came. */
int loopback_wait(int fd, const char *state, int seconds, char **code, struct err *e);
/* SHA-256 of a text in base64url: the challenge of RFC 7636. */
void sha256_base64url(const char *text, struct buf *out);

#endif
