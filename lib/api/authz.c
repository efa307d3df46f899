/* SPDX-License-Identifier: Apache-2.0 */
/* May the caller do that? Denied is what nothing allows. */
#include <string.h>

#include "api/authorizer.h"

static const char *signer(unsigned who)
{
    return who & WHO_ENROLLMENT ? SIGNER_ENROLLMENT : who & WHO_DEVICE ? SIGNER_DEVICE : SIGNER_ADMIN;
}

/* Is the caller of a class that the route is for? */
static bool of_class(struct call *c)
{
    if (c->route->who & c->id->who)
        return true;
    if (c->id->vouch == BY_CERTIFICATE)
        return refuse(c, 401, "unexpected client certificate signer: expected \"%s\", got \"%s\"",
            signer(c->route->who), signer(c->id->who));
    return refuse(c, 403, "this is for agents");
}

/* What belongs to all organizations is written by whoever may in the default one. */
static bool concerns_all(const struct route *t)
{
    return t->kind && kind_by_id(t->kind)->flags & KIND_GLOBAL &&
        t->verb != VERB_GET && t->verb != VERB_LIST;
}

bool undecided(struct call *c, const struct err *e)
{
    log_failure(c, e);
    add_header(c->r, "Retry-After: 5\r\n");
    return refuse(c, 503, "nobody can say at the moment who may do that");
}

static bool denied(struct call *c)
{
    return refuse(c, 403, "%s may not %s %s", c->id->actor, verb_name(c->route->verb),
        c->route->resource);
}

/* People are judged by the authorizer, if there is one, but for what their proof gives: nobody can
 * lock administrators out. It was asked before the transaction that is open now. */
static bool allowed(struct call *c)
{
    const struct route *t = c->route;
    unsigned roles = c->api->authorizer && c->id->who == WHO_USER ? c->id->roles : c->roles;
    struct err e = {0};
    int rc;

    if (role_allows(roles, t->resource, t->verb))
        return true;
    if (!c->api->authorizer || c->id->who != WHO_USER)
        return denied(c);
    if (c->pass == PASS_WRITE)
        return true;
    rc = authorizer_allows(c, c->org_uid ? c->org_uid : ORG_DEFAULT, t->resource, t->verb, &e);
    if (rc >= 0)
        return rc || denied(c);
    return undecided(c, &e);
}

bool step_authorize(struct call *c)
{
    const struct route *t = c->route;

    if (!of_class(c))
        return false;
    if (c->id->who == WHO_DEVICE && t->flags & ROUTE_OWN && strcmp(c->id->name, c->arg[0]) != 0)
        return refuse(c, 401, "the client certificate is another device's");
    if (concerns_all(t) && c->org != ORG_DEFAULT_ID)
        return refuse(c, 403, "%s may not %s %s outside of the default organization", c->id->actor,
            verb_name(t->verb), t->resource);
    return !t->resource || allowed(c);
}
