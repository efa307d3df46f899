/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fleet/kind.h"
#include "proto.h"
#include "spec.h"
#include "split.h"
#include "state.h"

int net_client(struct net *n, const struct service *s, bool bootstrap, struct client **out,
    struct err *e)
{
    const struct settings *st = n->job->settings;
    const struct buf *cert = bootstrap ? &st->cert : &n->id.cert;
    const struct buf *key = bootstrap ? &st->key : &n->id.key;
    struct client_conf conf = {
        .server = s->server, .tls_name = s->tls_name,
        .ca = s->ca.p, .ca_len = s->ca.len,
        .cert = cert->p, .cert_len = cert->len,
        .key = key->p, .key_len = key->len,
        .agent = "fc-agent/" FC_VERSION,
    };

    return n->http->open(out, &conf, e);
}

int net_send(struct net *n, struct client *c, const char *method, const char *path, jv body,
    int wait, struct client_response *r, struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;
    char prefer[48];
    const char *headers[] = {"Flightctl-API-Version: v1beta1", wait < 0 ? NULL : prefer, NULL};
    struct client_request q = {
        .method = method, .path = path, .headers = headers, .max = SPEC_MAX,
        .timeout = wait < 0 ? ENROLL_TIMEOUT : POLL_TIMEOUT + wait,
    };

    snprintf(prefer, sizeof prefer, "Prefer: wait=%d", wait);
    if (jv_is_valid(body)) {
        json_canon(&text, body);
        q.body = text.p;
        q.body_len = text.len;
    }
    log_debug("%s %s", method, path);
    if (n->http->send(c, &q, r, e) < 0) {
        if (e->code == FC_INVALID) /* what is wrong is not ours */
            e->code = FC_FAIL;
        return -1;
    }
    log_debug("%d, %zu bytes", r->status, r->body.len);
    n->after = r->status == 429 || r->status == 503 ? r->retry_after : 0;
    return 0;
}

int net_refused(const struct client_response *r, const char *what, struct err *e)
{
    enum fc_code code = FC_FAIL;
    jv body AUTO_JV = jv_invalid();
    const char *message = NULL;

    if (r->body.len && json_parse(r->body.p, r->body.len, &body, NULL) == 0)
        message = json_str(body, "message");
    if (r->status == 401 || r->status == 403)
        code = FC_DENIED;
    else if (r->status == 408 || r->status == 429 || r->status >= 500)
        code = FC_AGAIN;
    return err_set(e, code, "%s: the server answered %d%s%s", what, r->status,
        message && *message ? ": " : "", message ? message : "");
}

/* --- the poll ----------------------------------------------------------------------------- */

/* The server forgot this device, as existing servers say it. Another 404 says less. */
static bool is_lost(const struct client_response *r)
{
    return r->status == 404 && r->body.p && strstr(r->body.p, "Device of name") &&
        strstr(r->body.p, "not found");
}

static int tell(struct net *n, enum msg_type type, struct err *e)
{
    struct msg m = {.type = type};

    return proto_send(n->sock, &m, e);
}

/* A device that is not ours, older, invalid or no device at all is refused here, and again by the
 * other half. Its status is what we reported, so it is not kept. */
static int take_device(struct net *n, jv *device, struct err *e)
{
    jv annotations AUTO_JV = json_at(*device, "metadata.annotations");
    jv paused AUTO_JV = json_get(annotations, ANNOTATION_PAUSED);
    struct msg m = {.type = MSG_NOTHING};
    struct buf text AUTO_BUF = BUF_INIT;
    int64_t version;

    if (spec_identify(*device, n->id.name, &version, e) < 0)
        return -1;
    m.resend = jv_get_kind(paused) == JV_KIND_STRING &&
        strcmp(jv_string_value(paused), "true") == 0;
    if (version < n->job->known) {
        log_warn("the server offers version %" PRId64 ", older than %" PRId64 ": refused", version,
            n->job->known);
        m.resend = true;
    }
    if (version <= n->job->known)
        return proto_send(n->sock, &m, e);
    json_del(device, "status");
    m = (struct msg){.type = MSG_REFUSED, .version = version};
    if (spec_check(*device, NULL, &m.err) == 0) {
        json_canon(&text, *device);
        m.type = MSG_DESIRED;
        m.json = text.p;
        m.json_len = text.len;
        sha256_hex(text.p, text.len, m.hash);
    }
    return proto_send(n->sock, &m, e);
}

static int poll_server(struct net *n, struct client *c, struct err *e)
{
    char path[160];
    struct client_response r = {0};
    jv device AUTO_JV = jv_invalid();
    int rc;

    snprintf(path, sizeof path, "/api/v1/devices/%s/rendered?knownRenderedVersion=%" PRId64,
        n->id.name, n->job->known);
    rc = net_send(n, c, "GET", path, jv_invalid(), n->job->a->wait, &r, e);
    if (rc == 0 && r.status == 200) {
        rc = json_parse(r.body.p ? r.body.p : "", r.body.len, &device, e);
        buf_free(&r.body);
        if (rc == 0)
            rc = take_device(n, &device, e);
        if (rc < 0) {
            e->code = FC_FAIL;
            err_wrap(e, "the rendered device that the server sent");
        }
    } else if (rc == 0 && (r.status == 204 || r.status == 409))
        rc = tell(n, MSG_NOTHING, e);
    else if (rc == 0 && is_lost(&r) && !n->job->a->dry)
        rc = identity_forget(&n->id, e) < 0 ? -1 : tell(n, MSG_LOST, e);
    else if (rc == 0)
        rc = net_refused(&r, "poll", e);
    buf_free(&r.body);
    return rc;
}

/* --- the report --------------------------------------------------------------------------- */

static int report(struct net *n, struct client *c, const struct msg *m, struct err *e)
{
    jv device AUTO_JV = jv_object(), status = jv_invalid(), metadata = jv_object();
    struct client_response r = {0};
    char path[128];
    int rc;

    if (json_parse(m->json, m->json_len, &status, e) < 0)
        return -1;
    json_sets(&metadata, "name", n->id.name);
    json_sets(&device, "apiVersion", "v1beta1");
    json_sets(&device, "kind", "Device");
    json_set(&device, "metadata", metadata);
    json_set(&device, "status", status);
    snprintf(path, sizeof path, "/api/v1/devices/%s/status", n->id.name);
    rc = net_send(n, c, "PUT", path, device, -1, &r, e);
    if (rc == 0 && r.status != 200)
        rc = net_refused(&r, "report", e);
    buf_free(&r.body);
    return rc < 0 ? rc : tell(n, MSG_SENT, e);
}

/* Sends what it is told to until the other half has no more to say, which may take as long as an
 * update does. A report that fails is answered; the next one may go through. */
static int reports(struct net *n, struct client *c, struct err *e)
{
    struct buf keep AUTO_BUF = BUF_INIT;
    struct msg m, answer = {.type = MSG_ERROR};

    for (;;) {
        alarm(0);
        if (proto_recv(n->sock, -1, &keep, &m, e) < 0)
            return e->code == FC_NOTFOUND ? 0 : -1;
        if (m.type != MSG_REPORT)
            return err_set(e, FC_FAIL, "the other half sent no report");
        alarm(RUN_SLACK);
        if (report(n, c, &m, &answer.err) == 0)
            continue;
        identity_explain(&n->id, &answer.err);
        answer.after = (uint32_t)n->after;
        if (proto_send(n->sock, &answer, e) < 0)
            return -1;
    }
}

static int talk(struct net *n, struct err *e)
{
    struct client *c;
    int rc;

    if (!n->job->a->dry)
        renew(n);
    if (net_client(n, &n->job->settings->management, false, &c, e) < 0)
        return -1;
    rc = poll_server(n, c, e);
    if (rc == 0)
        rc = reports(n, c, e);
    n->http->close(c);
    if (rc < 0)
        identity_explain(&n->id, e);
    return rc;
}

static int name_and_talk(struct net *n, struct err *e)
{
    struct msg m = {.type = MSG_NAME};
    enum enroll_result r;

    memcpy(m.name, n->id.name, sizeof m.name);
    if (!n->id.cert.len && !n->job->settings->cert.len)
        return err_set(e, FC_AGAIN, "no usable certificate: the next run asks for enrollment");
    if (!n->id.cert.len) {
        r = enroll(n, e);
        m.fresh = r == ENROLL_DONE;
        if (proto_send(n->sock, &m, r == ENROLL_FAILED ? NULL : e) < 0 || r == ENROLL_FAILED)
            return -1;
        if (r == ENROLL_PENDING)
            return tell(n, MSG_PENDING, e);
    } else if (proto_send(n->sock, &m, e) < 0)
        return -1;
    return talk(n, e);
}

/* The child's whole life, after it gave up its rights. */
void net_main(struct net *n)
{
    struct msg m = {.type = MSG_ERROR};

    m.err.code = FC_FAIL;
    if (identity_open(&n->id, n->job->certs, !n->job->a->dry, n->id.crypto, &m.err) < 0 ||
        name_and_talk(n, &m.err) < 0) {
        m.after = (uint32_t)n->after;
        proto_send(n->sock, &m, NULL);
    }
    identity_close(&n->id);
}
