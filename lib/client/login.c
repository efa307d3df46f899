/* SPDX-License-Identifier: Apache-2.0 */
#include "client/login.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"
#include "client/oidc.h"
#include "crypto/jwt.h"

enum { CA_MAX = 1 << 20 }; /* bytes of certificates */

#define EARLY (INT64_C(60) * 1000000)  /* us before its end at which a token is renewed */
#define TRY_S 20                       /* tries, a second apart, while a server fetches keys */

/* --- the server ---------------------------------------------------------------------------------- */

/* GET below /api/v1; token NULL: as anybody. */
static int server_get(const struct login *l, const char *path, const char *token, int *status,
    jv *out, struct err *e)
{
    const struct client_module *m = mod_symbol("curl", "client_module", e);
    const char *ca_file = conf_get(l->conf, "client", "ca-file");
    char *base AUTO_FREE = NULL, *url AUTO_FREE = NULL, *bearer AUTO_FREE = NULL;
    const char *headers[2] = {NULL};
    struct buf ca AUTO_BUF = BUF_INIT;
    struct json_request q = {.headers = headers, .agent = "fc-login",
        .tls_name = conf_get(l->conf, "client", "server-name")};

    if (!m || !(base = credential_server(l->url, e)) ||
        (ca_file && file_read(ca_file, CA_MAX, &ca, e) < 0))
        return -1;
    q.url = url = xasprintf("%s/api/v1%s", base, path);
    q.ca = ca.p;
    q.ca_len = ca.len;
    if (token)
        headers[0] = bearer = xasprintf("Authorization: Bearer %s", token);
    return json_fetch(m, &q, status, out, e);
}

/* The AuthProvider to ask, of the server's; an object for the caller to free. */
static int choose(const struct login *l, jv *spec, struct err *e)
{
    jv config AUTO_JV = jv_invalid(), list AUTO_JV = jv_invalid();
    const char *want = l->provider, *type;
    int status;

    if (server_get(l, "/auth/config", NULL, &status, &config, e) < 0)
        return -1;
    if (status != 200)
        return err_set(e, FC_FAIL, "%s: status %d for who can log in there", l->url, status);
    if (!want)
        want = json_str(config, "defaultProvider");
    jv_free(list);
    list = json_get(config, "providers");
    for (int i = 0, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;
        i < n && !jv_is_valid(*spec); i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);
        const char *name = json_str(one, "metadata.name");

        if (want && name && strcmp(name, want) == 0) {
            jv_free(*spec);
            *spec = json_get(one, "spec");
        }
    }
    type = json_str(*spec, "providerType");
    if (!type)
        return err_set(e, FC_NOTFOUND, "%s: there is no provider %s", l->url, want ? want : "");
    if (strcmp(type, "oidc") != 0 || !json_str(*spec, "issuer") || !json_str(*spec, "clientId"))
        return err_set(e, FC_INVALID, "the provider %s is not one of OpenID Connect: give a token "
            "with --token-file", want);
    return 0;
}

/* Those that the provider names; without openid there is no ID token, without offline_access it
 * cannot be renewed. */
static void scopes(jv spec, struct buf *out)
{
    static const char *const needed[] = {"openid", "profile", "offline_access"};
    jv list AUTO_JV = json_get(spec, "scopes");
    int n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    for (int i = 0; i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);

        if (jv_get_kind(one) == JV_KIND_STRING)
            buf_printf(out, "%s%s", out->len ? " " : "", jv_string_value(one));
    }
    for (size_t i = 0; n == 0 && i < LEN(needed); i++)
        buf_printf(out, "%s%s", out->len ? " " : "", needed[i]);
}

static int by_issuer(const struct login *l, struct credential *c, struct err *e)
{
    jv spec AUTO_JV = jv_invalid();
    struct buf scope AUTO_BUF = BUF_INIT;
    struct oidc o = {.found = jv_invalid()};
    int rc;

    if (choose(l, &spec, e) < 0)
        return -1;
    scopes(spec, &scope);
    rc = oidc_open(&o, json_str(spec, "issuer"), json_str(spec, "clientId"), scope.p,
        conf_get(l->conf, "auth", "ca-file"), e);
    if (rc == 0)
        rc = l->device ? oidc_by_device(&o, c, e) : oidc_by_code(&o, l->browser, c, e);
    oidc_close(&o);
    return rc;
}

static int by_file(const struct login *l, struct credential *c, struct err *e)
{
    struct buf b = BUF_INIT;
    struct jwt t;
    struct err ignored;
    int rc;

    buf_reserve(&b, JWT_MAX + 64); /* growing would leave copies */
    rc = file_read(l->token_file, JWT_MAX, &b, e);
    while (rc == 0 && b.len && isspace((unsigned char)b.p[b.len - 1]))
        b.p[--b.len] = '\0';
    for (size_t i = 0; rc == 0 && i < b.len; i++)
        if (b.p[i] <= ' ' || b.p[i] >= 0x7f)
            rc = err_set(e, FC_INVALID, "%s: not a token", l->token_file);
    if (rc == 0 && !b.len)
        rc = err_set(e, FC_INVALID, "%s: there is no token in it", l->token_file);
    if (rc == 0) {
        c->token = xstrdup(b.p);
        if (jwt_parse(b.p, b.len, &t, &ignored) == 0)
            c->expires = json_int(t.claims, "exp", 0) * 1000000;
        jwt_free(&t);
    }
    if (b.p)
        explicit_bzero(b.p, b.cap);
    buf_free(&b);
    return rc;
}

/* Does the server take it? It may have to fetch the issuer's keys first. */
static int tried(const struct login *l, const struct credential *c, struct err *e)
{
    jv who AUTO_JV = jv_invalid();
    int status = 0, tries = l->token_file ? 1 : TRY_S;
    const char *name;

    while (tries-- > 0) {
        struct timespec second = {.tv_sec = 1};

        jv_free(who);
        if (server_get(l, "/auth/userinfo", c->token, &status, &who, e) < 0)
            return -1;
        if (status != 401 || !tries)
            break;
        nanosleep(&second, NULL);
    }
    name = json_str(who, "preferred_username");
    if (status != 200 || !name)
        return err_set(e, FC_DENIED, "%s does not take the token: %s (status %d)", l->url,
            json_str(who, "message") ? json_str(who, "message") : "it does not say why", status);
    printf("logged in to %s as %s\n", l->url, name);
    return 0;
}

int login_run(const struct login *l, struct err *e)
{
    struct credential c = {0};
    int rc = l->token_file ? by_file(l, &c, e) : by_issuer(l, &c, e);

    if (rc == 0)
        rc = tried(l, &c, e);
    if (rc == 0)
        rc = credential_store(l->conf, l->url, &c, e);
    credential_free(&c);
    return rc;
}

/* --- renewal -------------------------------------------------------------------------------------- */

static bool ends_soon(const struct credential *c)
{
    return c->expires && c->expires - EARLY < now_us();
}

/* Under the lock, since a refresh token counts once: whoever came before may have done it. */
static int renew(const struct conf *conf, const char *url, struct credential *c, struct err *e)
{
    int fd AUTO_CLOSE = credential_lock(conf, e), rc;

    if (fd < 0)
        return -1;
    credential_free(c);
    if ((rc = credential_load(conf, url, c, e)) <= 0)
        return rc < 0 ? -1 : err_set(e, FC_DENIED, "%s: logged out meanwhile", url);
    if (!ends_soon(c))
        return 0;
    return oidc_renew(c, e) < 0 ? -1 : credential_put(conf, url, c, e);
}

int login_credential(const struct conf *conf, const char *url, struct credential *out,
    struct err *e)
{
    int rc = credential_load(conf, url, out, e);

    if (rc <= 0 || !ends_soon(out))
        return rc;
    if (out->refresh && renew(conf, url, out, e) < 0) {
        if (!out->token || out->expires <= now_us()) {
            err_wrap(e, "%s: the token cannot be renewed (fc-login gets another)", url);
            credential_free(out);
            return -1;
        }
        log_warn("%s: the token cannot be renewed: %s", url, e->msg);
    }
    if (out->expires > now_us())
        return 1;
    credential_free(out);
    return err_set(e, FC_DENIED, "%s: the token has expired: fc-login gets another", url);
}
