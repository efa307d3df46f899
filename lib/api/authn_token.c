/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls, by a bearer token: one that fc-sign issued, as long as its row in the store says so, or
 * one of an issuer that an AuthProvider names, by the keys that fc-work has fetched. What a token
 * says is judged on each request; that its signature is right is remembered.
 */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/mod.h"
#include "base/text.h"
#include "fleet/assign.h"
#include "service/issuer.h"
#include "service/token.h"

enum { KEPT = 4096 }; /* signatures that are remembered, 64 bytes each */

#define ASK_EVERY (INT64_C(5) * 1000000) /* us between two calls for an issuer's keys by one process */

struct authn_token {
    const struct jose_module *jose; /* loaded with the first token */
    int64_t skew;                   /* us */
    int64_t asked;                  /* when this process last called for keys */
    struct jwt jwt;                 /* the last token; its claims are those of id */
    struct identity id;
    char kept[KEPT][SHA256_HEX];    /* of a token and the key that its signature is by */
};

struct authn_token *authn_token_new(const struct conf *conf, struct err *e)
{
    int64_t skew;
    struct authn_token *n;

    if (num_parse(conf_get(conf, "auth", "clock-skew"), 0, 3600, &skew, "[auth] clock-skew", e) < 0) {
        e->code = FC_INVALID;
        return NULL;
    }
    n = xcalloc(1, sizeof *n);
    n->skew = skew * 1000000;
    n->jwt = (struct jwt){.header = jv_invalid(), .claims = jv_invalid()};
    return n;
}

void authn_token_free(struct authn_token *n)
{
    if (!n)
        return;
    jwt_free(&n->jwt);
    free(n);
}

/* The token of the header Authorization: 1, 0 there is no such header, -1. */
static int bearer(const struct call *c, const char **token, int *status, struct err *e)
{
    const struct http_request *q = c->q;
    const char *v = NULL;

    for (size_t i = 0; i < q->nheaders; i++)
        if (strcmp(q->header[i].name, "authorization") == 0) {
            if (v) {
                *status = 400;
                return err_set(e, FC_INVALID, "failed to get auth token: there are two of them");
            }
            v = q->header[i].value;
        }
    if (!v)
        return 0;
    if (strncasecmp(v, "Bearer", 6) != 0 || (v[6] && v[6] != ' ')) {
        if (authn_front_speaks(c)) /* what it was told is none of ours */
            return 0;
        *status = 400;
        return err_set(e, FC_INVALID, "failed to get auth token: it must be of type Bearer");
    }
    *token = v + 6 + strspn(v + 6, " ");
    if (**token)
        return 1;
    *status = 400;
    return err_set(e, FC_INVALID, "failed to get auth token: there is none");
}

/* Is the signature that of the key? */
static int genuine(struct authn_token *n, const char *token, const char *key, int *status,
    struct err *e)
{
    struct buf both AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];
    unsigned slot = 0;

    buf_printf(&both, "%s %s", token, key);
    sha256_hex(both.p, both.len, hash);
    for (int i = 0; i < 6; i++)
        slot = slot * 31 + (unsigned char)hash[i];
    if (memcmp(n->kept[slot % KEPT], hash, sizeof hash) == 0)
        return 0;
    if (!n->jose && !(n->jose = mod_symbol("jose", "jose_module", e))) {
        *status = 503;
        return -1;
    }
    if (n->jose->verify(token, strlen(token), n->jwt.alg, key, e) < 0)
        return -1;
    memcpy(n->kept[slot % KEPT], hash, sizeof hash);
    return 0;
}

/* Names the caller; FC_DENIED when that is no name. */
static int set_name(struct identity *id, const char *name, struct err *e)
{
    size_t n = name ? strlen(name) : 0, i;

    if (!n || n >= sizeof id->name)
        return err_set(e, FC_DENIED, "the token does not say who it is of");
    for (i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return err_set(e, FC_DENIED, "the token's name has control characters");
    memcpy(id->name, name, n + 1);
    snprintf(id->actor, sizeof id->actor, "user:%s", name);
    return 0;
}

/* What decides about rights: all that the token says, and who vouches for it. */
static void set_key(struct authn_token *n, const char *voucher)
{
    struct buf b AUTO_BUF = BUF_INIT;

    buf_printf(&b, "%s\n%lld\n", voucher, (long long)n->id.provider_org);
    json_canon(&b, n->jwt.claims);
    sha256_hex(b.p, b.len, n->id.key);
}

/* --- ours ------------------------------------------------------------------------------------- */

static unsigned roles_of(const char *list)
{
    jv v AUTO_JV = jv_parse(list);
    unsigned roles = 0;

    for (int i = 0, n = jv_get_kind(v) == JV_KIND_ARRAY ? jv_array_length(jv_copy(v)) : 0; i < n;
        i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(v), i);

        if (jv_get_kind(one) == JV_KIND_STRING)
            roles |= role_find(jv_string_value(one));
    }
    return roles;
}

static int find_row(struct call *c, struct authn_token *n, struct token *t, int *status,
    struct err *e)
{
    const char *jti = json_str(n->jwt.claims, "jti"), *sub = json_str(n->jwt.claims, "sub");
    int rc = jti && is_uuid(jti) ? token_get(c->s, c->a, jti, t, e) : 0;

    if (rc < 0) {
        *status = 503;
        return -1;
    }
    if (rc == 0 || !sub || strcmp(sub, t->subject) != 0)
        return err_set(e, FC_DENIED, "the token is not known");
    if (t->revoked)
        return err_set(e, FC_DENIED, "the token was revoked");
    return 0;
}

static int issued_here(struct call *c, struct authn_token *n, const char *text, int *status,
    struct err *e)
{
    static const char *const us[] = {TOKEN_AUDIENCE, NULL};
    struct buf key AUTO_BUF = BUF_INIT, set AUTO_BUF = BUF_INIT;
    jv keys AUTO_JV = jv_invalid();
    const char *uid;
    struct token t;

    if (!jwt_audience(&n->jwt, us))
        return err_set(e, FC_DENIED, "the token is for somebody else");
    if (find_row(c, n, &t, status, e) < 0)
        return -1;
    buf_printf(&set, "{\"keys\":[%s]}", t.key);
    keys = jv_parse(set.p);
    if (jwt_key(&n->jwt, keys, &key) != 1)
        return err_set(e, FC_DENIED, "the token is by another key");
    if (genuine(n, text, key.p, status, e) < 0)
        return -1;
    if (org_uid(c->s, c->a, t.org, &uid, e) < 0) {
        *status = e->code == FC_NOTFOUND ? 403 : 503;
        return -1;
    }
    n->id.org = t.org;
    snprintf(n->id.org_uid, sizeof n->id.org_uid, "%s", uid);
    n->id.roles = roles_of(t.roles);
    if (set_name(&n->id, t.subject, e) < 0)
        return -1;
    set_key(n, t.jti);
    return 1;
}

/* --- others' ---------------------------------------------------------------------------------- */

/* A token by a key that is not known may mean that the issuer has a new one: fc-work is to look, at
 * most every ISSUER_SOONEST. */
static void call_for_keys(struct call *c, struct authn_token *n, const struct issuer *i)
{
    int64_t due = i->tried + ISSUER_SOONEST;
    struct err e = {0};

    if (c->pass == PASS_WRITE || c->now - n->asked < ASK_EVERY)
        return;
    n->asked = c->now;
    if (store_begin(c->s, &e) == 0) {
        if (issuer_task(c->s, n->jwt.iss, due > c->now ? due : 0, &e) == 0 &&
            store_commit(c->s, &e) == 0)
            return;
        store_rollback(c->s);
    }
    log_failure(c, &e);
}

static int keys_of(struct call *c, struct authn_token *n, struct buf *key, int *status,
    struct err *e)
{
    jv keys AUTO_JV = jv_invalid();
    struct issuer i;

    if (issuer_get(c->s, c->a, n->jwt.iss, &i, e) < 0) {
        *status = 503;
        return -1;
    }
    if (!i.keys || i.fetched + ISSUER_TRUST < c->now) {
        call_for_keys(c, n, &i);
        return err_set(e, FC_DENIED, "the keys of its issuer are not at hand yet");
    }
    keys = jv_parse(i.keys);
    if (jwt_key(&n->jwt, keys, key) == 1)
        return 0;
    call_for_keys(c, n, &i);
    return err_set(e, FC_DENIED, "the token is by a key that its issuer is not known to have");
}

/* The provider whose audience the token is for. */
static int provider_of(struct call *c, const struct jwt *t, struct provider *out, int *status,
    struct err *e)
{
    struct provider *p;
    int n = provider_list(c->s, c->a, t->iss, &p, e);

    if (n < 0) {
        *status = 503;
        return -1;
    }
    for (int i = 0; i < n; i++)
        if (jwt_audience(t, p[i].audience)) {
            *out = p[i];
            return 0;
        }
    return err_set(e, FC_DENIED, n ? "the token is for somebody else" :
        "the token's issuer is not one that is trusted");
}

static int issued_elsewhere(struct call *c, struct authn_token *n, const char *text, int *status,
    struct err *e)
{
    struct grants *g = arena_alloc(c->a, sizeof *g);
    struct buf key AUTO_BUF = BUF_INIT;
    jv spec AUTO_JV = jv_invalid();
    struct provider p = {0};

    if (provider_of(c, &n->jwt, &p, status, e) < 0 || keys_of(c, n, &key, status, e) < 0 ||
        genuine(n, text, key.p, status, e) < 0)
        return -1;
    spec = jv_parse(p.spec);
    if (provider_grants(c->a, spec, n->jwt.claims, g, e) < 0 ||
        set_name(&n->id, g->user, e) < 0)
        return -1;
    n->id.grants = g;
    n->id.provider_org = p.org;
    set_key(n, arena_printf(c->a, "%s\n%s", p.name, p.spec));
    return 1;
}

int authn_token(struct call *c, int *status, struct err *e)
{
    struct authn_token *n = c->api->token;
    const char *text = NULL;
    int64_t expires;
    int rc;

    *status = 401;
    if ((rc = bearer(c, &text, status, e)) <= 0)
        return rc;
    jwt_free(&n->jwt);
    n->id = (struct identity){.who = WHO_USER, .vouch = BY_TOKEN, .claims = &n->jwt.claims};
    rc = jwt_parse(text, strlen(text), &n->jwt, e);
    if (rc == 0)
        rc = jwt_times(&n->jwt, c->now, n->skew, &expires, e);
    if (rc == 0)
        rc = strcmp(n->jwt.iss, TOKEN_ISSUER) == 0 ? issued_here(c, n, text, status, e) :
            issued_elsewhere(c, n, text, status, e);
    if (rc < 0)
        return *status == 401 ? err_wrap(e, "failed to validate token") : -1;
    n->id.not_after = expires + n->skew;
    c->id = &n->id;
    return 1;
}
