/* SPDX-License-Identifier: Apache-2.0 */
/* The organization that a request acts in: that of a proof, or the one that org_id names. */
#include <string.h>

#include "api/rights.h"

static bool gone(struct call *c)
{
    return refuse(c, 403, "%s is of an organization that does not exist", c->id->actor);
}

/* Its certificate may have been recognized before the organization went. A device need not be looked
 * after: it went with it. */
static bool enrolls_there(struct call *c)
{
    struct err e = {0};
    int64_t org;

    if (store_org(c->s, c->id->org_uid, &org, &e) == 0)
        return true;
    return e.code == FC_NOTFOUND ? gone(c) : undecided(c, &e);
}

/* Agents, and people whose proof names an organization: one that is there still. */
static bool fixed(struct call *c, const struct rights *r, const char *uid)
{
    if (r && !r->n)
        return gone(c);
    if (c->id->who == WHO_ENROLLMENT && !enrolls_there(c))
        return false;
    if (uid && strcmp(uid, c->id->org_uid) != 0)
        return refuse(c, 403, "org_id: %s is of another organization", c->id->actor);
    c->org = c->id->org;
    c->org_uid = c->id->org_uid;
    return true;
}

/* People, who are in any number of them. */
static bool chosen(struct call *c, const struct rights *r, const char *uid)
{
    const struct right *found = NULL;

    if (!uid && r->n > 1)
        return refuse(c, 400, "org_id: must say which of %zu organizations is meant", r->n);
    for (size_t i = 0; i < r->n && !found; i++)
        if (!uid || strcasecmp(r->v[i].uid, uid) == 0)
            found = &r->v[i];
    if (!found)
        return refuse(c, 403, uid ? "org_id: %s is not in that organization" :
            "%s is in no organization", c->id->actor);
    c->org = found->org;
    c->org_uid = found->uid;
    return true;
}

bool step_organization(struct call *c)
{
    const struct rights *r = NULL;
    const char *uid = NULL;
    struct err e = {0};

    c->roles = c->id->roles;
    if (c->id->who == WHO_USER && rights_of(c, &r, &e) < 0)
        return undecided(c, &e);
    if (c->id->who == WHO_ANYONE || c->route->flags & ROUTE_NO_ORG) {
        for (size_t i = 0; r && i < r->n; i++)
            c->roles |= r->v[i].roles;
        c->org_uid = r && r->n ? r->v[0].uid : NULL;
        return true;
    }
    if (query_get(c, "org_id", &uid, &e) < 0)
        return refuse(c, 400, "%s", e.msg);
    if (uid && !*uid)
        uid = NULL;
    if (uid && !is_uuid(uid))
        return refuse(c, 400, "org_id: must be a UUID");
    if (!(c->id->org ? fixed(c, r, uid) : chosen(c, r, uid)))
        return false;
    for (size_t i = 0; r && i < r->n; i++)
        if (r->v[i].org == c->org)
            c->roles |= r->v[i].roles;
    return true;
}
