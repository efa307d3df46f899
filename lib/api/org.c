/* SPDX-License-Identifier: Apache-2.0 */
/* The organization that a request acts in. */
#include <string.h>

#include "api/core.h"

bool step_organization(struct call *c)
{
    const char *uid;
    struct err e = {0};

    if (c->route->flags & ROUTE_NO_ORG)
        return true;
    if (query_get(c, "org_id", &uid, &e) < 0)
        return refuse(c, 400, "%s", e.msg);
    if (uid && *uid && strcmp(uid, c->id->org_uid) != 0)
        return refuse(c, 403, "org_id: the certificate is of another organization");
    c->org = c->id->org;
    c->org_uid = c->id->org_uid;
    return true;
}
