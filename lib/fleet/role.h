/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: roles over resources and verbs, as one table (role.c). What is not in it is
 * denied. doc/authorization.md shows the same to people.
 */
#ifndef FC_FLEET_ROLE_H
#define FC_FLEET_ROLE_H

#include <stdbool.h>
#include <stddef.h>

enum role {
    ROLE_ADMIN = 1 << 0,      /* everything; assigned in the default organization: in all of them */
    ROLE_ORG_ADMIN = 1 << 1,  /* everything in one organization, but not what it is itself */
    ROLE_OPERATOR = 1 << 2,   /* runs devices and fleets */
    ROLE_VIEWER = 1 << 3,     /* reads */
    ROLE_INSTALLER = 1 << 4,  /* brings devices in */
    /* These come from certificates alone, and nobody is assigned them. */
    ROLE_DEVICE = 1 << 5,     /* an enrolled device, about itself */
    ROLE_ENROLLMENT = 1 << 6, /* a bootstrap certificate */
};
enum { ROLES = 7, ROLES_OF_PEOPLE = 5 }; /* how many; people's come first */

enum verb {
    VERB_GET = 1 << 0,
    VERB_LIST = 1 << 1,
    VERB_CREATE = 1 << 2,
    VERB_UPDATE = 1 << 3,
    VERB_PATCH = 1 << 4,
    VERB_DELETE = 1 << 5,
};
enum { VERBS = 6 };

/* One resource, "devices" or a part of it, "devices/status", and the verbs of each role. */
struct role_rule {
    const char *resource;
    unsigned verbs[ROLES]; /* enum verb, by the number of the role's bit */
};
extern const struct role_rule role_rules[]; /* ended by a row without a resource */

/* May somebody with these roles (enum role, any of) do that? */
bool role_allows(unsigned roles, const char *resource, enum verb verb);
/* The verbs of them together; 0 for a resource that is not in the table. */
unsigned role_verbs(unsigned roles, const char *resource);

const char *role_name(enum role r); /* "org-admin" */
const char *verb_name(enum verb v); /* "update" */
/* The role that people are assigned by this name, or by that of existing servers
 * ("flightctl-org-admin"); 0: there is none. */
unsigned role_find(const char *name);

#endif
