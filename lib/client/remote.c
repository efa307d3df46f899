/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "client/login.h"
#include "client/wire.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mod.h"

enum {
    FILE_MAX = 1 << 20,    /* bytes of a certificate's, key's or token's file */
    TOKEN_MAX = 16 << 10,  /* bytes of a token: what servers take in a head */
};

/* --- opening ---------------------------------------------------------------------------------- */

static int read_setting(const struct conf *conf, const char *key, struct buf *b, struct err *e)
{
    const char *path = conf_get(conf, "client", key);

    if (path && file_read(path, FILE_MAX, b, e) < 0)
        return err_wrap(e, "[client] %s", key);
    return 0;
}

static int read_token(struct remote *r, const struct conf *conf, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;

    if (read_setting(conf, "token-file", &b, e) < 0)
        return -1;
    while (b.len && strchr(" \t\r\n", b.p[b.len - 1]))
        b.p[--b.len] = '\0';
    if (!b.p)
        return 0;
    for (size_t i = 0; i < b.len; i++)
        if (b.p[i] <= ' ' || b.p[i] > '~')
            b.len = 0;
    if (!b.len || b.len > TOKEN_MAX)
        return err_set(e, FC_INVALID, "[client] token-file %s: not a token", conf_get(conf,
            "client", "token-file"));
    r->token = xasprintf("Authorization: Bearer %s", b.p);
    return 0;
}

/* Where no token is configured: what fc-login has kept. */
static int kept_token(struct remote *r, const struct conf *conf, struct err *e)
{
    struct credential c = {0};
    int rc = r->token ? 0 : login_credential(conf, r->server, &c, e);

    if (rc > 0)
        r->token = xasprintf("Authorization: Bearer %s", c.token);
    credential_free(&c);
    return rc < 0 && !r->cert.p ? -1 : 0;
}

static int seconds(const struct conf *conf, const char *key, int64_t min, int64_t *out,
    struct err *e)
{
    char *what AUTO_FREE = xasprintf("[client] %s", key);

    if (num_parse(conf_get(conf, "client", key), min, 86400, out, what, e) == 0)
        return 0;
    e->code = FC_INVALID;
    return -1;
}

static int read_settings(struct remote *r, const struct conf *conf, struct err *e)
{
    int64_t timeout, patience;

    if (read_setting(conf, "ca-file", &r->ca, e) < 0 ||
        read_setting(conf, "certificate-file", &r->cert, e) < 0 ||
        read_setting(conf, "key-file", &r->key, e) < 0 || read_token(r, conf, e) < 0 ||
        kept_token(r, conf, e) < 0 || seconds(conf, "timeout", 1, &timeout, e) < 0 ||
        seconds(conf, "patience", 0, &patience, e) < 0)
        return -1;
    if (!r->cert.p != !r->key.p)
        return err_set(e, FC_INVALID, "[client] certificate-file and key-file go together");
    if (!r->cert.p && !r->token)
        return err_set(e, FC_DENIED, "%s: neither a client certificate nor a token is configured: "
            "see [client] in fc.conf(5)", r->server);
    r->timeout = (int)timeout;
    r->patience = patience * 1000;
    return 0;
}

/* Names are for people: APIs know organizations by their uids, and other servers than ours show
 * no more than a name to display. */
static int find_org(struct remote *r, const char *org, struct err *e)
{
    struct remote_request q = {.method = "GET"};
    struct remote_answer a;
    jv items AUTO_JV = jv_invalid();
    int rc;

    if (is_uuid(org)) {
        r->org = xstrdup(org);
        return 0;
    }
    buf_adds(&q.path, "/organizations");
    rc = remote_ask(r, &q, &a, NULL, e);
    remote_request_free(&q);
    items = json_get(a.doc, "items");
    remote_answer_free(&a);
    if (rc < 0)
        return err_wrap(e, "organization \"%.64s\"", org);
    if (jv_get_kind(items) == JV_KIND_ARRAY)
        jv_array_foreach(items, i, item) {
            const char *id = json_str(item, "metadata.name");
            const char *shown = json_str(item, "spec.displayName");
            jv notes AUTO_JV = json_at(item, "metadata.annotations"), own AUTO_JV = json_get(notes,
                ORG_NAME);
            bool named = jv_get_kind(own) == JV_KIND_STRING && !strcmp(jv_string_value(own), org);

            if (!r->org && id && is_uuid(id) && (named || (shown && !strcmp(shown, org))))
                r->org = xstrdup(id);
            jv_free(item);
        }
    return r->org ? 0 : err_set(e, FC_NOTFOUND, "Organization of name \"%s\" not found", org);
}

int remote_open(struct remote **out, const struct conf *conf, const char *url, const char *org,
    struct err *e)
{
    struct remote *r = xcalloc(1, sizeof *r);
    struct client_conf c;

    *out = r;
    r->server = xstrdup(url);
    if (read_settings(r, conf, e) < 0 || !(r->http = mod_symbol("curl", "client_module", e)))
        return -1;
    c = (struct client_conf){
        .server = r->server, .tls_name = conf_get(conf, "client", "server-name"),
        .ca = r->ca.p, .ca_len = r->ca.len,
        .cert = r->cert.p, .cert_len = r->cert.len,
        .key = r->key.p, .key_len = r->key.len,
        .agent = log_name,
    };
    if (r->http->open(&r->c, &c, e) < 0)
        return -1;
    if (!org)
        org = conf_get(conf, "", "org");
    return org ? find_org(r, org, e) : 0;
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    if (r->http)
        r->http->close(r->c);
    if (r->key.p)
        explicit_bzero(r->key.p, r->key.len);
    if (r->token)
        explicit_bzero(r->token, strlen(r->token));
    buf_free(&r->ca);
    buf_free(&r->cert);
    buf_free(&r->key);
    free(r->server);
    free(r->token);
    free(r->org);
    free(r->reason);
    free(r);
}

void remote_reason(struct remote *r, const char *reason)
{
    struct buf b AUTO_BUF = BUF_INIT;

    if (!reason)
        return;
    buf_adds(&b, "Flightctl-Reason: ");
    percent_encode(&b, reason, strlen(reason));
    free(r->reason);
    r->reason = buf_steal(&b);
}

/* --- paths ------------------------------------------------------------------------------------ */

static void add_part(struct buf *b, const char *s, size_t n)
{
    buf_addc(b, '/');
    percent_encode(b, s, n);
}

void remote_path(struct buf *b, const struct kind *k, const char *parent, const char *name)
{
    const char *slash = name && k->flags & KIND_CHILD ? strchr(name, '/') : NULL;

    if (k->flags & KIND_CHILD && (parent || slash)) {
        buf_adds(b, "/fleets");
        add_part(b, slash ? name : parent, slash ? (size_t)(slash - name) : strlen(parent));
    }
    buf_printf(b, "/%s", k->plural);
    if (slash)
        name = slash + 1;
    if (name)
        add_part(b, name, strlen(name));
}

void remote_arg(struct buf *b, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf(b, "%c%s=", strchr(b->p, '?') ? '&' : '?', key);
    percent_encode(b, value, strlen(value));
}

void remote_request_free(struct remote_request *q)
{
    buf_free(&q->path);
    buf_free(&q->body);
}

void remote_answer_free(struct remote_answer *a)
{
    jv_free(a->doc);
    buf_free(&a->text);
}
