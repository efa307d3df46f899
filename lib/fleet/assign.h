/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gives people their roles: assignments in an Organization (spec.roleAssignments) and what an
 * AuthProvider (organizationAssignment, roleAssignment, usernameClaim) makes of a token's claims.
 * Values in, values out.
 */
#ifndef FC_FLEET_ASSIGN_H
#define FC_FLEET_ASSIGN_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "fleet/role.h"

enum { ORGS_MAX = 1000 }; /* organizations that one token can name */

struct subject {
    const char *user;
    const jv *claims; /* an object, whose "groups" are the groups; or NULL */
};
/* The roles (enum role) that an organization's spec (borrowed) assigns: an assignment counts for
 * its users, the members of its groups, and whoever has one of its claims. */
unsigned roles_assigned(jv spec, const struct subject *who);

/* Where somebody is, and what they may there, as their provider says. */
struct grant {
    const char *org; /* NULL: in each organization that they are in */
    unsigned roles;  /* enum role */
};
struct grants {
    const char *user;        /* what usernameClaim says */
    const char *const *orgs; /* organizations that they are in: their names here, uids or externalIds */
    size_t norgs;
    const struct grant *roles;
    size_t nroles;
};
/* Reads claims (an object) as the spec of an AuthProvider says; both are borrowed. Texts live in
 * the arena. A claim that is not there, or not of the right type, gives nothing, and so does a role
 * that is not known. FC_DENIED: the claims do not say who it is. */
int provider_grants(struct arena *a, jv spec, jv claims, struct grants *out, struct err *e);
/* The roles that grants give in an organization by its names (any may be NULL); *in says whether
 * they are in it at all, without which there are none. */
unsigned grants_in(const struct grants *g, const char *const names[3], bool *in);

#endif
