/* SPDX-License-Identifier: Apache-2.0 */
#include "service/issuer.h"

#include <string.h>

#include "base/file.h"
#include "base/mod.h"
#include "net/json.h"
#include "service/service.h"

enum {
    CA_MAX = 1 << 20, /* bytes of the certificates that issuers must chain to */
    AUDIENCE_MAX = 100,
};

/* --- providers ---------------------------------------------------------------------------------- */

/* The text of a member, in the arena; NULL: none, or empty. */
static const char *text(struct arena *a, jv v, const char *path)
{
    const char *s = json_str(v, path);

    return s && *s ? arena_strdup(a, s) : NULL;
}

static const char *const *audience(struct arena *a, jv spec)
{
    jv list AUTO_JV = json_at(spec, "introspection.audience");
    int n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0, i, k = 0;
    const char **out = arena_alloc(a, (AUDIENCE_MAX + 2) * sizeof *out);

    for (i = 0; i < n && k < AUDIENCE_MAX; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);

        if (jv_get_kind(one) == JV_KIND_STRING)
            out[k++] = arena_strdup(a, jv_string_value(one));
    }
    if (!k)
        out[k++] = text(a, spec, "clientId");
    return out;
}

/* False: it is disabled. */
static bool read_spec(struct arena *a, jv spec, struct provider *p)
{
    const char *how = json_str(spec, "introspection.type");

    p->type = text(a, spec, "providerType");
    if (!p->type || !json_bool(spec, "enabled", true))
        return false;
    p->issuer = text(a, spec, "issuer");
    if (strcmp(p->type, "oauth2") == 0 && how && strcmp(how, "jwt") == 0) {
        p->keys_url = text(a, spec, "introspection.jwksUrl");
        if (json_has(spec, "introspection.issuer"))
            p->issuer = text(a, spec, "introspection.issuer");
    }
    p->audience = audience(a, spec);
    p->verified = p->issuer && p->audience[0] && (p->keys_url || strcmp(p->type, "oidc") == 0);
    return true;
}

int provider_list(struct store *s, struct arena *a, const char *issuer, struct provider **out,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_provider_list, e);
    struct provider *list = NULL;
    int n = 0, rc;

    *out = NULL;
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        jv spec AUTO_JV = jv_parse(st_col_text(st, 2, NULL));
        struct provider p = {.org = st_col_int(st, 0)};

        if (!read_spec(a, spec, &p) ||
            (issuer && !(p.verified && strcmp(issuer, p.issuer) == 0)))
            continue;
        p.name = arena_strdup(a, st_col_text(st, 1, NULL));
        p.spec = arena_strdup(a, st_col_text(st, 2, NULL));
        if ((n & (n + 1)) == 0 || !list) { /* full: twice as many */
            struct provider *more = arena_alloc(a, (2 * (size_t)n + 2) * sizeof *more);

            if (n)
                memcpy(more, list, (size_t)n * sizeof *more);
            list = more;
        }
        list[n++] = p;
    }
    *out = list;
    return rc < 0 ? -1 : n;
}

/* --- tasks --------------------------------------------------------------------------------------- */

int issuer_task(struct store *s, const char *issuer, int64_t due, struct err *e)
{
    char *key AUTO_FREE = xasprintf("issuer/%s", issuer);

    return task_add(s, "issuer", "issuer", ORG_DEFAULT_ID, issuer, NULL, key, due, e);
}

int issuer_changed(struct store *s, const struct res *r, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    jv spec AUTO_JV = jv_parse(r->spec);
    struct provider p = {0};

    return read_spec(a, spec, &p) && p.verified ? issuer_task(s, p.issuer, 0, e) : 0;
}

/* --- fetching ------------------------------------------------------------------------------------ */

struct fetch {
    const struct client_module *client;
    struct buf ca;
};

static int get(const struct fetch *f, const char *url, jv *out, struct err *e)
{
    struct json_request q = {.url = url, .ca = f->ca.p, .ca_len = f->ca.len, .agent = "fc-work"};
    int status;

    if (json_fetch(f->client, &q, &status, out, e) < 0)
        return -1;
    return status == 200 ? 0 : err_set(e, FC_AGAIN, "%s: status %d", url, status);
}

/* OpenID Connect Discovery 1.0, section 4. */
static int discover(const struct fetch *f, const char *issuer, char **keys_url, struct err *e)
{
    size_t n = strlen(issuer);
    char *url AUTO_FREE = xasprintf("%.*s/.well-known/openid-configuration",
        (int)(n && issuer[n - 1] == '/' ? n - 1 : n), issuer);
    jv doc AUTO_JV = jv_invalid();
    const char *said, *keys;

    if (get(f, url, &doc, e) < 0)
        return -1;
    said = json_str(doc, "issuer");
    keys = json_str(doc, "jwks_uri");
    if (!said || strcmp(said, issuer) != 0) /* whoever answers there is somebody else */
        return err_set(e, FC_INVALID, "%s: it says that the issuer is \"%s\"", url,
            said ? said : "");
    if (!keys)
        return err_set(e, FC_INVALID, "%s: there is no jwks_uri", url);
    *keys_url = xstrdup(keys);
    return 0;
}

static int fetch(const struct fetch *f, const struct provider *p, struct buf *keys, struct err *e)
{
    char *found AUTO_FREE = NULL;
    jv set AUTO_JV = jv_invalid(), list AUTO_JV = jv_invalid();

    if (!p->keys_url && discover(f, p->issuer, &found, e) < 0)
        return -1;
    if (get(f, p->keys_url ? p->keys_url : found, &set, e) < 0)
        return -1;
    jv_free(list);
    list = json_get(set, "keys");
    if (jv_get_kind(list) != JV_KIND_ARRAY || !json_nonempty(list))
        return err_set(e, FC_INVALID, "%s: there are no keys", p->keys_url ? p->keys_url : found);
    json_canon(keys, set);
    return 0;
}

int issuer_fetch(const struct conf *conf, const struct provider *p, struct buf *keys,
    struct err *e)
{
    struct fetch f = {.client = mod_symbol("curl", "client_module", e)};
    const char *ca = conf ? conf_get(conf, "auth", "ca-file") : NULL;
    int rc = -1;

    if (f.client && (!ca || file_read(ca, CA_MAX, &f.ca, e) == 0))
        rc = fetch(&f, p, keys, e);
    buf_free(&f.ca);
    return rc;
}
