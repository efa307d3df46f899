/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask about logging in: by whom, who they are then, what they may. */
#include <string.h>

#include "api/rights.h"
#include "service/issuer.h"

/* Clients that have a token all the same want to see a provider: this one stands for fc-sign. */
static const char own_provider[] = "fc-sign";

/* As the client called us; it is told only what it knows. */
static const char *own_url(struct call *c)
{
    const char *host = http_header(c->q, "host");

    if (!host || !*host || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        ".-:[]") != strlen(host))
        host = "localhost";
    return arena_printf(c->a, "https://%s", host);
}

/* Each enabled provider of any organization, its secret masked. *first: the first of OpenID Connect,
 * or NULL. */
static int add_providers(struct call *c, const char **first, struct err *e)
{
    struct provider *p;
    int n = provider_list(c->s, c->a, NULL, &p, e);

    *first = NULL;
    for (int i = 0; i < n; i++) {
        struct res r;
        int rc = res_get(c->s, c->a, p[i].org, kind_by_id(KIND_AUTHPROVIDER), p[i].name, &r, e);

        if (rc < 0 || (rc && res_write(c->s, c->a, &r, c->now, 0, &c->r->body, e) < 0))
            return -1;
        if (rc)
            buf_addc(&c->r->body, ',');
        if (rc && !*first && strcmp(p[i].type, "oidc") == 0)
            *first = p[i].name;
    }
    return n < 0 ? -1 : 0;
}

int get_auth_config(struct call *c, struct err *e)
{
    const char *first;

    c->r->status = 200;
    buf_adds(&c->r->body, "{\"apiVersion\":\"flightctl.io/v1beta1\",\"organizationsEnabled\":true,"
        "\"providers\":[");
    if (add_providers(c, &first, e) < 0)
        return -1;
    buf_printf(&c->r->body, "{\"apiVersion\":\"flightctl.io/v1beta1\",\"kind\":\"AuthProvider\","
        "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"providerType\":\"k8s\",\"displayName\":"
        "\"Token of fc-sign\",\"enabled\":true,\"apiUrl\":", own_provider);
    buf_add_jsons(&c->r->body, own_url(c));
    buf_adds(&c->r->body, "}}],\"defaultProvider\":");
    buf_add_jsons(&c->r->body, first ? first : own_provider);
    buf_addc(&c->r->body, '}');
    return HANDLED;
}

int get_auth_validate(struct call *c, struct err *e)
{
    (void)e;
    c->r->status = 200;
    buf_adds(&c->r->body, "{\"apiVersion\":\"flightctl.io/v1beta1\",\"code\":200,\"kind\":\"Status\","
        "\"message\":\"the caller is known\",\"reason\":\"OK\",\"status\":\"Success\"}");
    return HANDLED;
}

int get_auth_permissions(struct call *c, struct err *e)
{
    struct buf *b = &c->r->body;
    bool some = false;

    (void)e;
    c->r->status = 200;
    buf_adds(b, "{\"permissions\":[");
    for (const struct role_rule *t = role_rules; t->resource; t++) {
        unsigned verbs = role_verbs(c->roles, t->resource);
        bool more = false;

        if (!verbs)
            continue;
        buf_printf(b, "%s{\"resource\":\"%s\",\"operations\":[", some ? "," : "", t->resource);
        some = true;
        for (unsigned i = 0; i < VERBS; i++)
            if (verbs & 1u << i) {
                buf_printf(b, "%s\"%s\"", more ? "," : "", verb_name((enum verb)(1u << i)));
                more = true;
            }
        buf_adds(b, "]}");
    }
    buf_adds(b, "]}");
    return HANDLED;
}

/* *out: the name that people read, in the arena of the call. */
static int display_name(struct call *c, const struct right *in, const char **out, struct err *e)
{
    struct res r;
    int rc = res_get(c->s, c->a, ORG_DEFAULT_ID, kind_by_id(KIND_ORGANIZATION), in->name, &r, e);
    jv spec AUTO_JV = rc > 0 && r.spec ? jv_parse(r.spec) : jv_object();
    const char *name = json_str(spec, "displayName");

    *out = arena_strdup(c->a, name ? name : in->name);
    return rc < 0 ? -1 : 0;
}

int get_auth_userinfo(struct call *c, struct err *e)
{
    const char *sub = c->id->claims ? json_str(*c->id->claims, "sub") : NULL;
    const char *name = c->id->claims ? json_str(*c->id->claims, "name") : NULL;
    const struct rights *r;
    jv v AUTO_JV = jv_object(), orgs = jv_array();

    if (rights_of(c, &r, e) < 0) {
        jv_free(orgs);
        return -1;
    }
    for (size_t i = 0; i < r->n; i++) {
        jv org, meta, spec;
        const char *shown;

        if (display_name(c, &r->v[i], &shown, e) < 0) {
            jv_free(orgs);
            return -1;
        }
        org = jv_object(), meta = jv_object(), spec = jv_object();
        json_sets(&meta, "name", r->v[i].uid);
        json_sets(&spec, "displayName", shown);
        json_sets(&org, "apiVersion", "flightctl.io/v1beta1");
        json_sets(&org, "kind", "Organization");
        json_set(&org, "metadata", meta);
        json_set(&org, "spec", spec);
        orgs = jv_array_append(orgs, org);
    }
    json_sets(&v, "sub", sub ? sub : c->id->name);
    json_sets(&v, "preferred_username", c->id->name);
    json_sets(&v, "name", name ? name : c->id->name);
    json_set(&v, "organizations", orgs);
    c->r->status = 200;
    json_canon(&c->r->body, v);
    return HANDLED;
}

/* Passing a secret on to an issuer would take talking to it, which fc-api never does. */
int post_auth_token(struct call *c, struct err *e)
{
    (void)e;
    refuse(c, 501, "a token comes from the provider itself, by PKCE or device code: passing the "
        "request on is not served here");
    return HANDLED;
}
