/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent's configuration has to say about enrollment. */
#include <string.h>

#include "api/core.h"
#include "base/file.h"

enum { BUNDLE_MAX = 1 << 20 }; /* bytes of the certificates that agents are to trust */

/* Where agents reach us: as configured, else where this caller did. */
static const char *agent_url(struct call *c, struct err *e)
{
    const char *url = conf_get(c->api->conf, "api", "agent-url");
    const char *host = http_header(c->q, "host");

    if (url)
        return url;
    if (host && *host)
        return arena_printf(c->a, "https://%s", host);
    err_set(e, FC_INVALID, "Host: is required, since agent-url is not configured");
    return NULL;
}

/* The certificate of a request for one, base64 of PEM; "" without a request. */
static int certificate(struct call *c, const char *csr, const char **out, struct err *e)
{
    jv status AUTO_JV = jv_invalid();
    const char *text;
    struct res r;

    *out = "";
    if (!csr || !*csr)
        return 0;
    if (find_resource(c, csr, &r, e) < 0)
        return -1;
    status = r.status ? jv_parse(r.status) : jv_object();
    if (!(text = json_str(status, "certificate")))
        return err_set(e, FC_INVALID, "csr: %s has no certificate yet", csr);
    *out = arena_strdup(c->a, text);
    return 0;
}

int get_enrollment_config(struct call *c, struct err *e)
{
    const struct conf *conf = c->api->conf;
    const char *file = conf_get(conf, "api", "agent-ca-file"), *ui = conf_get(conf, "api", "ui-url");
    const char *csr, *url = agent_url(c, e), *cert;
    struct buf ca AUTO_BUF = BUF_INIT, b64 AUTO_BUF = BUF_INIT;
    jv all AUTO_JV = jv_invalid(), service, auth, server;

    if (!url || query_get(c, "csr", &csr, e) < 0 || certificate(c, csr, &cert, e) < 0)
        return -1;
    if (file_read(file ? file : conf_get(conf, "api", "ca-file"), BUNDLE_MAX, &ca, e) < 0) {
        e->code = FC_AGAIN; /* which file is no business of the caller's */
        return -1;
    }
    base64_encode(&b64, ca.p ? ca.p : "", ca.len);
    auth = jv_object();
    json_sets(&auth, "client-certificate-data", cert);
    json_sets(&auth, "client-key-data", "");
    server = jv_object();
    json_sets(&server, "certificate-authority-data", b64.p ? b64.p : "");
    json_sets(&server, "server", url);
    service = jv_object();
    json_set(&service, "authentication", auth);
    json_set(&service, "service", server);
    json_sets(&service, "enrollment-ui-endpoint", ui ? ui : url);
    all = jv_object();
    json_set(&all, "enrollment-service", service);
    c->r->status = 200;
    json_canon(&c->r->body, all);
    return HANDLED;
}
