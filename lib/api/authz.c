/* SPDX-License-Identifier: Apache-2.0 */
/* May the caller do that? Denied is what nothing allows. */
#include <string.h>

#include "api/core.h"

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
    if (t->resource && !role_allows(c->roles, t->resource, t->verb))
        return refuse(c, 403, "%s may not %s %s", c->id->actor, verb_name(t->verb), t->resource);
    return true;
}
