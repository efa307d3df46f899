/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issuers of tokens elsewhere, as AuthProviders name them, and their keys: fc-work fetches these
 * over https (discovery, then the key set) into the table issuer; fc-api only reads them there.
 */
#ifndef FC_SERVICE_ISSUER_H
#define FC_SERVICE_ISSUER_H

#include "base/conf.h"
#include "base/json.h"
#include "store/resource.h"
#include "store/token.h"

#define ISSUER_EVERY (INT64_C(3600) * 1000000)  /* us between two looks at an issuer's keys */
#define ISSUER_RETRY (INT64_C(300) * 1000000)   /* us until the next one after a failure */
#define ISSUER_SOONEST (INT64_C(30) * 1000000)  /* us: no token with a strange key makes it sooner */
#define ISSUER_TRUST (INT64_C(86400) * 1000000) /* us: keys that are older count for nothing */

/* An AuthProvider that is not disabled. Texts live in the arena. */
struct provider {
    int64_t org;                 /* whose resource it is */
    const char *name, *spec;     /* spec: canonical JSON, secrets sealed */
    const char *type;            /* "oidc" */
    bool verified;               /* its tokens are verified here: those of type oidc, and of oauth2
                                    with introspection of type jwt; only then is there what follows */
    const char *issuer;          /* what "iss" must be */
    const char *keys_url;        /* where its keys are; NULL: discovery says */
    const char *const *audience; /* one of which "aud" must name; ended by NULL */
};
/* Those whose tokens of this issuer are verified, or (NULL) all; the default organization's first,
 * then by name. How many. */
int provider_list(struct store *s, struct arena *a, const char *issuer, struct provider **out,
    struct err *e);

/* In a write transaction: the keys of an issuer are to be fetched, no sooner than a time. */
int issuer_task(struct store *s, const char *issuer, int64_t due, struct err *e);
/* The same at once of the issuer that an AuthProvider names, after it was written. */
int issuer_changed(struct store *s, const struct res *r, struct err *e);

/* Fetches the keys of an issuer, outside of any transaction; conf: [auth]. Its key set as JSON. */
int issuer_fetch(const struct conf *conf, const struct provider *p, struct buf *keys,
    struct err *e);

#endif
