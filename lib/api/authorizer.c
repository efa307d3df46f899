/* SPDX-License-Identifier: Apache-2.0 */
#include "api/authorizer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mod.h"
#include "net/client.h"

enum {
    SLOTS = 4096,          /* decisions that are kept */
    KEEP_MAX = 300,        /* s; nothing older decides */
    TIMEOUT_MAX = 30,      /* s; all requests of the process wait for an answer */
    DOWN = 5 * 1000000,    /* us; after a failure it is left alone for so long */
    TOKEN_MAX = 8192,      /* bytes of the file of the token */
    CA_MAX = 1 << 20,      /* bytes of the file of certificates */
    ANSWER_MAX = 4 << 20,  /* bytes of an answer: about 1,000 for each organization */
};

struct slot {
    char key[SHA256_HEX]; /* of subject, organization and permission; "": empty */
    int64_t at;
    bool allowed;
};

struct authorizer {
    const struct client_module *http;
    struct client *client;
    struct client_conf conf;
    char *server;
    struct buf ca;
    char *authorization; /* header line */
    int64_t keep;        /* us */
    int64_t down;        /* us; when it failed; 0: it did not */
    int timeout;         /* s */
    struct slot slot[SLOTS];
};

/* --- settings ---------------------------------------------------------------------------------- */

static int seconds(const struct conf *conf, const char *key, int64_t min, int64_t max, int64_t *out,
    struct err *e)
{
    char what[64];

    snprintf(what, sizeof what, "[api] %s", key);
    if (num_parse(conf_get(conf, "api", key), min, max, out, what, e) == 0)
        return 0;
    e->code = FC_INVALID;
    return -1;
}

/* The token's only line. */
static int read_token(struct authorizer *z, const char *path, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    size_t n;

    if (file_read(path, TOKEN_MAX, &b, e) < 0)
        return -1;
    n = b.len;
    while (n && isspace((unsigned char)b.p[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)b.p[i]))
            return err_set(e, FC_INVALID, "%s: must hold one token", path);
    if (!n)
        return err_set(e, FC_INVALID, "%s: is empty", path);
    z->authorization = xasprintf("Authorization: Bearer %.*s", (int)n, b.p);
    return 0;
}

static int configure(struct authorizer *z, const struct conf *conf, struct err *e)
{
    const char *token = conf_get(conf, "api", "authorizer-token-file");
    const char *ca = conf_get(conf, "api", "authorizer-ca-file");
    int64_t timeout, keep;

    if (seconds(conf, "authorizer-timeout", 1, TIMEOUT_MAX, &timeout, e) < 0 ||
        seconds(conf, "authorizer-keep", 0, KEEP_MAX, &keep, e) < 0)
        return -1;
    z->timeout = (int)timeout;
    z->keep = keep * 1000000;
    if (!token || !ca)
        return err_set(e, FC_INVALID, "[api] authorizer: wants authorizer-token-file and "
            "authorizer-ca-file");
    if (read_token(z, token, e) < 0 || file_read(ca, CA_MAX, &z->ca, e) < 0)
        return -1;
    z->conf = (struct client_conf){.server = z->server, .ca = z->ca.p, .ca_len = z->ca.len,
        .agent = "fc-api"};
    z->http = mod_symbol("curl", "client_module", e);
    return z->http && z->http->open(&z->client, &z->conf, e) == 0 ? 0 : -1;
}

int authorizer_new(struct authorizer **out, const struct conf *conf, struct err *e)
{
    const char *server = conf_get(conf, "api", "authorizer");
    struct authorizer *z;

    *out = NULL;
    if (!server)
        return 0;
    z = xcalloc(1, sizeof *z);
    z->server = xstrdup(server);
    if (configure(z, conf, e) < 0) {
        authorizer_free(z);
        return -1;
    }
    *out = z;
    return 0;
}

void authorizer_free(struct authorizer *z)
{
    if (!z)
        return;
    if (z->client)
        z->http->close(z->client);
    free(z->server);
    free(z->authorization);
    buf_free(&z->ca);
    free(z);
}

int64_t authorizer_keeps(const struct authorizer *z)
{
    return z->keep;
}

/* --- questions --------------------------------------------------------------------------------- */

/* An object's id may not have all characters of a name: others are =XX. */
static char *subject_id(struct arena *a, const char *name)
{
    struct buf b AUTO_BUF = BUF_INIT;

    for (; *name; name++)
        if (isalnum((unsigned char)*name) || strchr("_-+|/", *name))
            buf_addc(&b, *name);
        else
            buf_printf(&b, "=%02x", (unsigned char)*name);
    return arena_strndup(a, b.p ? b.p : "", b.len);
}

static char *permission_of(struct arena *a, const char *resource, enum verb verb)
{
    char *s = arena_printf(a, "%s_%s", verb_name(verb), resource);

    for (char *p = s; *p; p++)
        if (*p == '/')
            *p = '_';
    return s;
}

/* {"permission": ..., "resource": ..., "subject": ...} */
static jv question(struct call *c, const char *org_uid, const char *permission)
{
    jv q = jv_object(), resource = jv_object(), object = jv_object(), subject = jv_object();

    json_sets(&resource, "objectType", "organization");
    json_sets(&resource, "objectId", org_uid);
    json_sets(&object, "objectType", "user");
    json_sets(&object, "objectId", subject_id(c->a, c->id->name));
    json_set(&subject, "object", object);
    json_set(&q, "resource", resource);
    json_sets(&q, "permission", permission);
    json_set(&q, "subject", subject);
    return q;
}

static bool yes(jv answer)
{
    const char *s = json_str(answer, "permissionship");

    return s && strcmp(s, "PERMISSIONSHIP_HAS_PERMISSION") == 0;
}

static int read_answer(struct authorizer *z, const struct client_response *r, jv *answer,
    struct err *e)
{
    struct err why;

    if (r->status != 200)
        return err_set(e, FC_AGAIN, "%s answers %d", z->server, r->status);
    if (json_parse(r->body.p ? r->body.p : "", r->body.len, answer, &why) < 0)
        return err_set(e, FC_AGAIN, "%s: %s", z->server, why.msg);
    return 0;
}

/* Asks once; what goes wrong keeps others from waiting for the same. Consumes q. */
static int ask(struct call *c, const char *path, jv q, jv *answer, struct err *e)
{
    struct authorizer *z = c->api->authorizer;
    const struct trace *t = trace_of(c);
    const char *headers[] = {z->authorization, arena_printf(c->a, "traceparent: 00-%s-%s-%s", t->id,
        t->parent, t->flags), NULL};
    struct client_response r = {0};
    struct buf body AUTO_BUF = BUF_INIT;
    jv consistency = jv_object();
    int rc;

    json_set(&consistency, "fullyConsistent", jv_true()); /* what was revoked counts at once */
    json_set(&q, "consistency", consistency);
    json_canon(&body, q);
    jv_free(q);
    if (z->down && c->now - z->down >= 0 && c->now - z->down < DOWN)
        return err_set(e, FC_AGAIN, "%s did not answer a moment ago", z->server);
    rc = z->http->send(z->client, &(struct client_request){.method = "POST", .path = path,
        .headers = headers, .body = body.p, .body_len = body.len, .max = ANSWER_MAX,
        .timeout = z->timeout}, &r, e);
    if (rc == 0)
        rc = read_answer(z, &r, answer, e);
    buf_free(&r.body);
    z->down = rc < 0 ? c->now : 0;
    if (rc < 0)
        e->code = FC_AGAIN;
    return rc;
}

int authorizer_allows(struct call *c, const char *org_uid, const char *resource, enum verb verb,
    struct err *e)
{
    struct authorizer *z = c->api->authorizer;
    const char *permission = permission_of(c->a, resource, verb);
    const char *text = arena_printf(c->a, "%s\n%s\n%s", c->id->name, org_uid, permission);
    jv answer AUTO_JV = jv_invalid();
    char key[SHA256_HEX];
    struct slot *s;
    unsigned n = 0;

    sha256_hex(text, strlen(text), key);
    for (int i = 0; i < 8; i++)
        n = n * 31 + (unsigned char)key[i];
    s = &z->slot[n % SLOTS];
    if (strcmp(s->key, key) == 0 && c->now - s->at >= 0 && c->now - s->at < z->keep)
        return s->allowed;
    if (ask(c, "/v1/permissions/check", question(c, org_uid, permission), &answer, e) < 0)
        return -1;
    memcpy(s->key, key, sizeof s->key);
    s->at = c->now;
    s->allowed = yes(answer);
    return s->allowed;
}

int authorizer_member(struct call *c, const char *const *uids, size_t n, bool *in, struct err *e)
{
    const char *permission = permission_of(c->a, "organizations", VERB_GET);
    jv q = jv_object(), items = jv_array(), answer AUTO_JV = jv_invalid();
    jv pairs AUTO_JV = jv_invalid();

    for (size_t i = 0; i < n; i++)
        items = jv_array_append(items, question(c, uids[i], permission));
    json_set(&q, "items", items);
    if (ask(c, "/v1/permissions/checkbulk", q, &answer, e) < 0)
        return -1;
    pairs = json_get(answer, "pairs");
    if (jv_get_kind(pairs) != JV_KIND_ARRAY || (size_t)jv_array_length(jv_copy(pairs)) != n)
        return err_set(e, FC_AGAIN, "the authorizer's answer is not one to the question");
    for (size_t i = 0; i < n; i++) { /* in the order of the items */
        jv pair AUTO_JV = jv_array_get(jv_copy(pairs), (int)i), item AUTO_JV = json_get(pair, "item");
        const char *uid = json_str(pair, "request.resource.objectId");

        in[i] = uid && strcmp(uid, uids[i]) == 0 && yes(item);
    }
    return 0;
}
