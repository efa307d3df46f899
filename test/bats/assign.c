/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/fleet/assign.c makes of each line of standard input: {"provider": SPEC, "claims": CLAIMS}
 * or {"organization": SPEC, "user": NAME, "claims": CLAIMS}. A line of JSON for each. */
#include <stdio.h>

#include "fleet/assign.h"

static jv names(unsigned roles)
{
    jv list = jv_array();

    for (unsigned i = 0; i < ROLES; i++)
        if (roles & 1U << i)
            list = jv_array_append(list, jv_string(role_name(1U << i)));
    return list;
}

static jv provided(jv doc)
{
    jv spec AUTO_JV = json_get(doc, "provider"), claims AUTO_JV = json_get(doc, "claims");
    struct arena *a AUTO_ARENA = arena_new();
    jv out = jv_object(), in = jv_object();
    struct grants g;
    struct err e = {0};

    if (provider_grants(a, spec, claims, &g, &e) < 0) {
        jv_free(in);
        json_seti(&out, "code", e.code);
        return out;
    }
    json_sets(&out, "user", g.user);
    for (size_t i = 0; i < g.norgs; i++) {
        const char *const known[3] = {NULL, g.orgs[i], NULL};
        bool member;

        json_set(&in, g.orgs[i], names(grants_in(&g, known, &member)));
        if (!member)
            json_sets(&out, "stranger", g.orgs[i]);
    }
    json_set(&out, "in", in);
    for (size_t i = 0; i < g.nroles; i++) { /* nobody has roles where they are not */
        const char *const other[3] = {"elsewhere", NULL, NULL};
        bool member;

        if (grants_in(&g, other, &member) || member)
            json_sets(&out, "stranger", "elsewhere");
    }
    return out;
}

static jv assigned(jv doc)
{
    jv spec AUTO_JV = json_get(doc, "organization"), claims AUTO_JV = json_get(doc, "claims");
    const char *user = json_str(doc, "user");

    return names(roles_assigned(spec, &(struct subject){user ? user : "",
        jv_is_valid(claims) ? &claims : NULL}));
}

int main(void)
{
    static char line[1 << 20];

    while (fgets(line, sizeof line, stdin)) {
        jv doc AUTO_JV = jv_parse(line);
        jv out AUTO_JV = json_has(doc, "provider") ? provided(doc) : assigned(doc);
        struct buf b AUTO_BUF = BUF_INIT;

        json_canon(&b, out);
        puts(b.p);
    }
    return 0;
}
