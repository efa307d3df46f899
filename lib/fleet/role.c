/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/role.h"

#include <string.h>

#include "base/mem.h"

enum {
    READ = VERB_GET | VERB_LIST,
    ALL = READ | VERB_CREATE | VERB_UPDATE | VERB_PATCH | VERB_DELETE,
};

/* admin, org-admin, operator, viewer, installer, device, enrollment */
const struct role_rule role_rules[] = {
    /* Whoever writes one in the default organization can make anybody an admin. */
    {"authproviders", {ALL, READ, READ, READ, 0, 0, 0}},
    {"certificatesigningrequests", {ALL, ALL, READ, READ, READ | VERB_CREATE | VERB_UPDATE,
        VERB_GET | VERB_CREATE, 0}},
    {"certificatesigningrequests/approval", {VERB_UPDATE, VERB_UPDATE, 0, 0, 0, 0, 0}},
    {"devices", {ALL, ALL, ALL, READ, 0, 0, 0}},
    {"devices/applications", {VERB_CREATE, VERB_CREATE, VERB_CREATE, 0, 0, 0, 0}},
    {"devices/console", {VERB_GET, VERB_GET, 0, 0, 0, 0, 0}}, /* a root shell */
    {"devices/decommission", {VERB_UPDATE, VERB_UPDATE, VERB_UPDATE, 0, 0, 0, 0}},
    {"devices/lastseen", {VERB_GET, VERB_GET, VERB_GET, VERB_GET, 0, 0, 0}},
    {"devices/rendered", {VERB_GET, VERB_GET, VERB_GET, VERB_GET, 0, VERB_GET, 0}},
    {"devices/resume", {VERB_CREATE, VERB_CREATE, VERB_CREATE, 0, 0, 0, 0}},
    {"devices/status", {VERB_GET | VERB_UPDATE | VERB_PATCH, VERB_GET | VERB_UPDATE | VERB_PATCH,
        VERB_GET, VERB_GET, 0, VERB_UPDATE | VERB_PATCH, 0}},
    {"enrollmentconfig", {VERB_GET, VERB_GET, VERB_GET, VERB_GET, VERB_GET, 0, 0}},
    {"enrollmentrequests", {ALL, ALL, READ, READ, READ, 0, VERB_GET | VERB_CREATE}},
    {"enrollmentrequests/approval", {VERB_UPDATE, VERB_UPDATE, 0, 0, VERB_UPDATE, 0, 0}},
    {"enrollmentrequests/status", {VERB_GET | VERB_UPDATE | VERB_PATCH,
        VERB_GET | VERB_UPDATE | VERB_PATCH, VERB_GET, VERB_GET, VERB_GET, 0, 0}},
    {"events", {READ, READ, READ, READ, 0, 0, 0}},
    {"fleets", {ALL, ALL, ALL, READ, 0, 0, 0}},
    {"fleets/applications", {VERB_CREATE, VERB_CREATE, VERB_CREATE, 0, 0, 0, 0}},
    {"fleets/status", {VERB_GET | VERB_UPDATE | VERB_PATCH, VERB_GET | VERB_UPDATE | VERB_PATCH,
        VERB_GET, VERB_GET, 0, 0, 0}},
    {"fleets/templateversions", {READ | VERB_DELETE, READ | VERB_DELETE, READ | VERB_DELETE, READ,
        0, 0, 0}},
    {"labels", {READ, READ, READ, READ, 0, 0, 0}},
    {"organizations", {ALL, READ, READ, READ, READ, 0, 0}},
    {"repositories", {ALL, ALL, ALL, READ, 0, 0, 0}},
    {"repositories/check", {VERB_CREATE, VERB_CREATE, VERB_CREATE, 0, 0, 0, 0}},
    {"resourcesyncs", {ALL, ALL, ALL, READ, 0, 0, 0}},
    {"version", {VERB_GET, VERB_GET, VERB_GET, VERB_GET, VERB_GET, VERB_GET, VERB_GET}},
    {NULL, {0, 0, 0, 0, 0, 0, 0}},
};

static const char *const roles[ROLES] = {"admin", "org-admin", "operator", "viewer", "installer",
    "device", "enrollment"};
static const char *const verbs[VERBS] = {"get", "list", "create", "update", "patch", "delete"};

unsigned role_verbs(unsigned mask, const char *resource)
{
    const struct role_rule *r;
    unsigned v = 0;

    for (r = role_rules; r->resource && strcmp(r->resource, resource) != 0; r++)
        ;
    for (size_t i = 0; r->resource && i < ROLES; i++)
        if (mask & 1U << i)
            v |= r->verbs[i];
    return v;
}

bool role_allows(unsigned mask, const char *resource, enum verb verb)
{
    return role_verbs(mask, resource) & verb;
}

const char *role_name(enum role r)
{
    return roles[__builtin_ctz(r)];
}

const char *verb_name(enum verb v)
{
    return verbs[__builtin_ctz(v)];
}

unsigned role_find(const char *name)
{
    static const char prefix[] = "flightctl-";

    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    for (size_t i = 0; i < ROLES_OF_PEOPLE; i++)
        if (strcmp(roles[i], name) == 0)
            return 1U << i;
    return 0;
}
