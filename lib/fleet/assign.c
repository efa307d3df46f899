/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/assign.h"

#include <string.h>

#include "base/text.h"

/* The claim that a list of member names leads to; owned by the caller, invalid if there is none. */
static jv claim_at(jv claims, jv path)
{
    int n = jv_get_kind(path) == JV_KIND_ARRAY ? jv_array_length(jv_copy(path)) : 0;
    jv v = n ? jv_copy(claims) : jv_invalid();

    for (int i = 0; i < n; i++) {
        jv name AUTO_JV = jv_array_get(jv_copy(path), i);
        jv next = jv_get_kind(name) == JV_KIND_STRING ? json_get(v, jv_string_value(name)) :
            jv_invalid();

        jv_free(v);
        v = next;
    }
    return v;
}

/* The i-th text of a claim: a list's, or the claim itself. NULL: no text. *more: ask for i + 1. */
static char *claim_text(jv claim, int i, bool *more)
{
    jv v AUTO_JV = jv_invalid();

    if (jv_get_kind(claim) == JV_KIND_ARRAY) {
        *more = i < jv_array_length(jv_copy(claim));
        if (*more)
            v = jv_array_get(jv_copy(claim), i);
    } else {
        *more = i == 0;
        if (*more)
            v = jv_copy(claim);
    }
    return jv_get_kind(v) == JV_KIND_STRING && *jv_string_value(v) &&
        strlen(jv_string_value(v)) == (size_t)jv_string_length_bytes(jv_copy(v)) ?
        xstrdup(jv_string_value(v)) : NULL;
}

/* Is text the claim, or one of its list? */
static bool claim_has(jv claim, const char *text)
{
    bool more, found = false;
    int i = 0;

    do {
        char *s AUTO_FREE = claim_text(claim, i++, &more);

        found = s && strcmp(s, text) == 0;
    } while (more && !found);
    return found;
}

/* --- assignments of an organization ----------------------------------------------------------- */

/* Does one of the wanted claims hold? */
static bool claims_match(jv wanted, jv claims)
{
    bool found = false;

    if (jv_get_kind(wanted) != JV_KIND_ARRAY)
        return false;
    for (int i = 0, n = jv_array_length(jv_copy(wanted)); i < n && !found; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(wanted), i), path AUTO_JV = json_get(one, "path");
        jv claim AUTO_JV = claim_at(claims, path);
        const char *value = json_str(one, "value");

        found = value && *value && claim_has(claim, value);
    }
    return found;
}

static bool groups_match(jv wanted, jv claims)
{
    jv groups AUTO_JV = json_get(claims, "groups");
    bool found = false;

    if (jv_get_kind(wanted) != JV_KIND_ARRAY)
        return false;
    for (int i = 0, n = jv_array_length(jv_copy(wanted)); i < n && !found; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(wanted), i);

        found = jv_get_kind(one) == JV_KIND_STRING && claim_has(groups, jv_string_value(one));
    }
    return found;
}

static bool is_for(jv assignment, const struct subject *who)
{
    jv users AUTO_JV = json_get(assignment, "users"), groups AUTO_JV = json_get(assignment, "groups");
    jv claims AUTO_JV = json_get(assignment, "claims");

    return (jv_get_kind(users) == JV_KIND_ARRAY && *who->user && claim_has(users, who->user)) ||
        (who->claims && (groups_match(groups, *who->claims) ||
        claims_match(claims, *who->claims)));
}

unsigned roles_assigned(jv spec, const struct subject *who)
{
    jv list AUTO_JV = json_get(spec, "roleAssignments");
    unsigned roles = 0;

    if (jv_get_kind(list) != JV_KIND_ARRAY)
        return 0;
    for (int i = 0, n = jv_array_length(jv_copy(list)); i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);
        const char *name = json_str(one, "role");

        if (name && is_for(one, who))
            roles |= role_find(name);
    }
    return roles;
}

/* --- an authentication provider ---------------------------------------------------------------- */

struct reading {
    struct arena *a;
    jv spec, claims; /* borrowed */
    const char *prefix, *suffix; /* around names of organizations that claims give */
    const char **orgs;
    struct grant *roles;
    struct grants *out;
};

/* A member of the spec that is a text, or what it is by default. */
static const char *text_of(jv v, const char *path, const char *dflt)
{
    const char *s = json_str(v, path);

    return s ? s : dflt;
}

static void add_org(struct reading *r, const char *name)
{
    if (*name && r->out->norgs < ORGS_MAX)
        r->orgs[r->out->norgs++] = arena_strdup(r->a, name);
}

static const char *framed(const struct reading *r, const char *name)
{
    return arena_printf(r->a, "%s%s%s", r->prefix, name, r->suffix);
}

static void read_orgs(struct reading *r)
{
    jv path AUTO_JV = json_at(r->spec, "organizationAssignment.claimPath");
    jv claim AUTO_JV = claim_at(r->claims, path);
    const char *type = text_of(r->spec, "organizationAssignment.type", "");
    bool per_user = strcmp(type, "perUser") == 0, more = strcmp(type, "dynamic") == 0;

    if (strcmp(type, "static") == 0)
        add_org(r, text_of(r->spec, "organizationAssignment.organizationName", ""));
    if (!per_user && !more)
        return;
    r->prefix = text_of(r->spec, "organizationAssignment.organizationNamePrefix",
        per_user ? "user-org-" : "");
    r->suffix = text_of(r->spec, "organizationAssignment.organizationNameSuffix", "");
    if (per_user)
        add_org(r, framed(r, r->out->user));
    for (int i = 0; more; i++) {
        char *s AUTO_FREE = claim_text(claim, i, &more);

        if (s)
            add_org(r, framed(r, s));
    }
}

/* "role" or, scoped, "organization:role"; the provider may hang a suffix of its own on roles. */
static void add_role(struct reading *r, char *text, const char *separator)
{
    const char *suffix = text_of(r->spec, "roleSuffix", "");
    char *at = separator && *separator ? strstr(text, separator) : NULL;
    char *role = at ? at + strlen(separator) : text;
    size_t n = strlen(role), k = strlen(suffix);
    unsigned known;

    if (k && n > k + 1 && strcmp(role + n - k, suffix) == 0 && role[n - k - 1] == '-')
        role[n - k - 1] = '\0';
    known = role_find(role);
    if (!known || at == text || r->out->nroles == ORGS_MAX)
        return;
    if (at)
        *at = '\0';
    r->roles[r->out->nroles++] = (struct grant){at ? framed(r, text) : NULL, known};
}

static void read_roles(struct reading *r)
{
    const char *type = text_of(r->spec, "roleAssignment.type", "");
    bool dynamic = strcmp(type, "dynamic") == 0, more = dynamic || strcmp(type, "static") == 0;
    jv path AUTO_JV = json_at(r->spec, "roleAssignment.claimPath");
    jv list AUTO_JV = dynamic ? claim_at(r->claims, path) : json_at(r->spec, "roleAssignment.roles");
    const char *separator = text_of(r->spec, "roleAssignment.separator", ":");

    for (int i = 0; more; i++) {
        char *s AUTO_FREE = claim_text(list, i, &more);

        if (s)
            add_role(r, s, !dynamic ? NULL : *separator ? separator : ":");
    }
}

int provider_grants(struct arena *a, jv spec, jv claims, struct grants *out, struct err *e)
{
    struct reading r = {.a = a, .spec = spec, .claims = claims, .prefix = "", .suffix = "",
        .orgs = arena_alloc(a, ORGS_MAX * sizeof *r.orgs),
        .roles = arena_alloc(a, ORGS_MAX * sizeof *r.roles), .out = out};
    jv path AUTO_JV = json_get(spec, "usernameClaim");
    jv usual AUTO_JV = jv_array_append(jv_array(), jv_string("preferred_username"));
    jv claim AUTO_JV = claim_at(claims, json_nonempty(path) ? path : usual);
    char *user AUTO_FREE = NULL;
    bool more;

    if (jv_get_kind(claim) == JV_KIND_STRING)
        user = claim_text(claim, 0, &more);
    if (!user)
        return err_set(e, FC_DENIED, "the claims do not say who it is");
    *out = (struct grants){.user = arena_strdup(a, user), .orgs = r.orgs, .roles = r.roles};
    read_orgs(&r);
    read_roles(&r);
    return 0;
}

static bool one_of(const char *name, const char *const names[3])
{
    for (size_t i = 0; i < 3; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return true;
    return false;
}

unsigned grants_in(const struct grants *g, const char *const names[3], bool *in)
{
    unsigned roles = 0;

    *in = false;
    for (size_t i = 0; i < g->norgs && !*in; i++)
        *in = one_of(g->orgs[i], names);
    for (size_t i = 0; *in && i < g->nroles; i++)
        if (!g->roles[i].org || one_of(g->roles[i].org, names))
            roles |= g->roles[i].roles;
    return roles;
}
