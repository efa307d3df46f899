/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The renewal of the device's certificate, by the key that it has: a CertificateSigningRequest of
 * the signer device-management-renewal. Its name follows from the certificate that is to be
 * replaced, so that a run that was killed, or one that comes before somebody approved, finds it again.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "net.h"

#define REQUESTS "/api/v1/certificatesigningrequests"

enum {
    RENEW_AFTER = 4, /* when this part of its life is over */
    TAG = 8,         /* hex digits of the certificate's hash in the name of the request */
    NAME_MAX_LEN = DEVICE_NAME_LEN + TAG + 1,
};

static bool due(const struct net *n)
{
    struct cert_info info;
    int64_t now = now_us();

    if (n->id.crypto->cert_info(n->id.cert.p, n->id.cert.len, &info, NULL) < 0)
        return false;
    return now > info.not_before + (info.not_after - info.not_before) / RENEW_AFTER &&
        now < info.not_after;
}

static jv make_request(const char *name, const struct buf *csr)
{
    jv o = jv_object(), metadata = jv_object(), spec = jv_object();
    struct buf text AUTO_BUF = BUF_INIT;

    base64_encode(&text, csr->p, csr->len);
    json_sets(&metadata, "name", name);
    json_set(&spec, "request", jv_string_sized(text.p, (int)text.len));
    json_sets(&spec, "signerName", SIGNER_RENEWAL);
    json_set(&spec, "usages", jv_array_append(jv_array_append(jv_array(), jv_string("clientAuth")),
        jv_string("CA:false")));
    json_sets(&o, "apiVersion", "v1beta1");
    json_sets(&o, "kind", "CertificateSigningRequest");
    json_set(&o, "metadata", metadata);
    json_set(&o, "spec", spec);
    return o;
}

/* 409 is one that the server has already. */
static int post(struct net *n, struct client *c, const char *name, struct err *e)
{
    struct buf csr AUTO_BUF = BUF_INIT;
    struct client_response r = {0};
    jv o AUTO_JV = jv_invalid();
    int rc;

    if (n->id.crypto->csr_create(n->id.key.p, n->id.key.len, n->id.name, &csr, e) < 0)
        return -1;
    o = make_request(name, &csr);
    rc = net_send(n, c, "POST", REQUESTS, o, -1, &r, e);
    if (rc == 0 && r.status != 200 && r.status != 201 && r.status != 409)
        rc = net_refused(&r, REQUESTS + 1, e);
    buf_free(&r.body);
    return rc;
}

/* Existing servers publish these conditions only when they hold, whatever their status. */
static bool has_condition(jv csr, const char *a, const char *b)
{
    jv conditions AUTO_JV = json_at(csr, "status.conditions");
    int i, count = jv_get_kind(conditions) == JV_KIND_ARRAY ?
        jv_array_length(jv_copy(conditions)) : 0;
    bool found = false;

    for (i = 0; i < count; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(conditions), i);
        const char *type = json_str(c, "type");

        found |= type && (strcmp(type, a) == 0 || strcmp(type, b) == 0);
    }
    return found;
}

static int take(struct net *n, const char *name, jv csr, struct err *e)
{
    const char *text = json_str(csr, "status.certificate");
    struct buf pem AUTO_BUF = BUF_INIT;

    if (has_condition(csr, "Denied", "Failed"))
        return err_set(e, FC_DENIED, "%s was refused", name);
    if (!text || !*text || !has_condition(csr, "Approved", "Approved")) {
        log_debug("%s is not approved yet", name);
        return 0;
    }
    if (base64_decode(&pem, text, strlen(text)) < 0)
        return err_set(e, FC_FAIL, "%s: status.certificate: not base64", name);
    if (identity_certify(&n->id, pem.p ? pem.p : "", pem.len, e) < 0)
        return -1;
    log_info("the device's certificate is renewed");
    return 0;
}

/* missing: the server has no such request. */
static int get(struct net *n, struct client *c, const char *name, bool *missing, struct err *e)
{
    struct client_response r = {0};
    jv csr AUTO_JV = jv_invalid();
    char path[sizeof REQUESTS + NAME_MAX_LEN + 1];
    int rc;

    snprintf(path, sizeof path, REQUESTS "/%s", name);
    rc = net_send(n, c, "GET", path, jv_invalid(), -1, &r, e);
    *missing = rc == 0 && r.status == 404;
    if (rc == 0 && r.status != 200)
        rc = net_refused(&r, path + 1, e);
    if (rc == 0)
        rc = json_parse(r.body.p ? r.body.p : "", r.body.len, &csr, e);
    buf_free(&r.body);
    return rc < 0 ? rc : take(n, name, csr, e);
}

static int ask(struct net *n, const char *name, struct err *e)
{
    bool missing;
    struct client *c;
    int rc;

    /* of its own: the one that polls has the certificate that it finds */
    if (net_client(n, &n->job->settings->management, false, &c, e) < 0)
        return -1;
    rc = get(n, c, name, &missing, e);
    if (missing && (rc = post(n, c, name, e)) == 0)
        rc = get(n, c, name, &missing, e);
    n->http->close(c);
    return rc;
}

void renew(struct net *n)
{
    char name[NAME_MAX_LEN], hash[SHA256_HEX];
    struct err e = {0};

    if (!due(n))
        return;
    sha256_hex(n->id.cert.p, n->id.cert.len, hash);
    snprintf(name, sizeof name, "%s-%.*s", n->id.name, TAG, hash);
    if (ask(n, name, &e) < 0) { /* the certificate that it has still does */
        err_wrap(&e, "the device's certificate cannot be renewed");
        log_err(&e);
    }
}
