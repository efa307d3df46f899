/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the device is: a key, from which its name follows, and the certificate that the server gave
 * it, in the folder certs of the data folder (agent.key, agent.csr, agent.crt). Only the network
 * half uses this; another place for keys is another implementation of these functions.
 */
#ifndef FC_AGENT_IDENTITY_H
#define FC_AGENT_IDENTITY_H

#include "agent.h"
#include "base/buf.h"
#include "crypto/identity.h"

struct identity {
    const struct identity_module *crypto;
    int dir;                     /* the folder */
    struct buf key;              /* PEM */
    struct buf cert;             /* PEM; empty: not enrolled */
    char name[DEVICE_NAME_LEN];
};

/* Opens the identity. With make, a key is made if there is none, and unreadable parts are set
 * aside; without, both are errors. */
int identity_open(struct identity *id, int dir, bool make, const struct identity_module *crypto,
    struct err *e);
void identity_close(struct identity *id);

/* The request for a certificate; old: one was made before, so it may have been sent. */
int identity_request(struct identity *id, struct buf *csr, bool *old, struct err *e);
/* Takes the server's certificate if it is one for this key, and drops the request. */
int identity_certify(struct identity *id, const char *pem, size_t n, struct err *e);
/* Drops certificate and request; the key, and with it the name, stays. */
int identity_forget(struct identity *id, struct err *e);

/* Adds to a refusal what is wrong with the certificate's time, if that is the reason. */
void identity_explain(const struct identity *id, struct err *e);

#endif
