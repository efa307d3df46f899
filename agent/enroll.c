/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "net.h"

enum { LABEL_VALUE_MAX = 63 };

/* A label value made from any text: other characters become '-', the ends are letters or digits.
 * Empty when nothing is left. */
static void label_value(const char *s, char out[LABEL_VALUE_MAX + 1])
{
    size_t n = 0;

    for (; *s && n < LABEL_VALUE_MAX; s++) {
        bool good = isalnum((unsigned char)*s);

        if (n || good)
            out[n++] = good || strchr("-_.", *s) ? *s : '-';
    }
    while (n && !isalnum((unsigned char)out[n - 1]))
        n--;
    out[n] = '\0';
}

/* The host's name as label `alias`, unless it names no host in particular. */
static void add_alias(jv *labels, const char *hostname)
{
    static const char *const none[] = {"localhost", "localhost.localdomain", "localhost4",
        "localhost6", "localhost4.localdomain4", "localhost6.localdomain6", "(none)"};
    char value[LABEL_VALUE_MAX + 1];
    size_t i;

    for (i = 0; hostname && i < sizeof none / sizeof none[0]; i++)
        if (strcmp(hostname, none[i]) == 0)
            return;
    label_value(hostname ? hostname : "", value);
    if (*value)
        json_sets(labels, "alias", value);
}

/* The text of a member of systemInfo, or of customInfo in it; NULL: there is none. */
static const char *info_text(jv info, jv custom, const char *name)
{
    static const char prefix[] = "customInfo.";
    bool own = strncmp(name, prefix, sizeof prefix - 1) == 0;
    jv v AUTO_JV = json_get(own ? custom : info, own ? name + sizeof prefix - 1 : name);

    return jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : NULL;
}

static jv make_labels(const struct net_job *job)
{
    const struct settings *s = job->settings;
    jv labels = jv_object(), info AUTO_JV = json_get(job->status, "systemInfo");
    jv custom AUTO_JV = json_get(info, "customInfo");
    char host[256] = "";

    if (gethostname(host, sizeof host - 1) < 0)
        *host = '\0';
    add_alias(&labels, json_has(info, "hostname") ? json_str(info, "hostname") : host);
    jv_object_foreach(s->info_labels, key, field) {
        const char *text = info_text(info, custom, jv_string_value(field));
        char value[LABEL_VALUE_MAX + 1];

        label_value(text ? text : "", value);
        /* one that the server would refuse would keep the device out */
        if (!is_label_key(jv_string_value(key)))
            log_warn("label-from-systeminfo: %s: not a label, left out", jv_string_value(key));
        else if (*value)
            json_sets(&labels, jv_string_value(key), value);
        jv_free(key);
        jv_free(field);
    }
    jv_object_foreach(s->labels, name, value) {
        if (is_label_key(jv_string_value(name)) && is_label_value(jv_string_value(value)))
            json_set(&labels, jv_string_value(name), value);
        else {
            log_warn("default-labels: %s: not a label, left out", jv_string_value(name));
            jv_free(value);
        }
        jv_free(name);
    }
    return labels;
}

static jv make_request(struct net *n, const struct buf *csr)
{
    jv er = jv_object(), metadata = jv_object(), spec = jv_object();
    char known[32];

    json_sets(&metadata, "name", n->id.name);
    json_set(&spec, "csr", jv_string_sized(csr->p, (int)csr->len));
    json_set(&spec, "deviceStatus", jv_copy(n->job->status));
    json_set(&spec, "labels", make_labels(n->job));
    json_sets(&spec, "osMode", json_str(n->job->status, "capabilities.osMode"));
    if (n->job->known) {
        snprintf(known, sizeof known, "%" PRId64, n->job->known);
        json_sets(&spec, "knownRenderedVersion", known);
    }
    json_sets(&er, "apiVersion", "v1beta1");
    json_sets(&er, "kind", "EnrollmentRequest");
    json_set(&er, "metadata", metadata);
    json_set(&er, "spec", spec);
    return er;
}

/* 201 is a request taken, 409 one that the server has already. */
static int post(struct net *n, struct client *c, const struct buf *csr, struct err *e)
{
    jv er AUTO_JV = make_request(n, csr);
    struct client_response r = {0};
    int rc = net_send(n, c, "POST", "/api/v1/enrollmentrequests", er, -1, &r, e);

    if (rc == 0 && r.status != 201 && r.status != 409)
        rc = net_refused(&r, "enrollment", e);
    if (rc == 0 && r.status == 201)
        log_info("asked for enrollment as %s", n->id.name);
    buf_free(&r.body);
    return rc;
}

/* Approved counts whatever its status, and so do the others: existing servers publish a condition
 * only when it holds. */
static enum enroll_result judge(struct net *n, jv er, struct err *e)
{
    jv conditions AUTO_JV = json_at(er, "status.conditions");
    const char *pem = json_str(er, "status.certificate");
    int i, count = jv_get_kind(conditions) == JV_KIND_ARRAY ?
        jv_array_length(jv_copy(conditions)) : 0;
    bool approved = false;

    for (i = 0; i < count; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(conditions), i);
        const char *type = json_str(c, "type"), *message = json_str(c, "message");

        if (!type)
            continue;
        approved |= strcmp(type, "Approved") == 0;
        if (strcmp(type, "Denied") == 0 || strcmp(type, "Failed") == 0) {
            err_set(e, FC_DENIED, "enrollment of %s: %s%s%s", n->id.name, type,
                message && *message ? ": " : "", message ? message : "");
            return ENROLL_FAILED;
        }
    }
    if (!approved)
        return ENROLL_PENDING;
    if (!pem || !*pem) {
        err_set(e, FC_AGAIN, "enrollment of %s: approved, but its certificate is not there yet",
            n->id.name);
        return ENROLL_FAILED;
    }
    return identity_certify(&n->id, pem, strlen(pem), e) < 0 ? ENROLL_FAILED : ENROLL_DONE;
}

/* missing: the server has no such request (set, not an error). */
static enum enroll_result get(struct net *n, struct client *c, bool *missing, struct err *e)
{
    struct client_response r = {0};
    enum enroll_result result = ENROLL_FAILED;
    jv er AUTO_JV = jv_invalid();
    char path[128];

    *missing = false;
    snprintf(path, sizeof path, "/api/v1/enrollmentrequests/%s", n->id.name);
    if (net_send(n, c, "GET", path, jv_invalid(), -1, &r, e) < 0) {
        buf_free(&r.body);
        return result;
    }
    if (r.status == 404)
        *missing = true;
    if (r.status != 200)
        net_refused(&r, "enrollment", e);
    else if (json_parse(r.body.p ? r.body.p : "", r.body.len, &er, e) < 0) {
        e->code = FC_FAIL;
        err_wrap(e, "the enrollment request that the server sent");
    } else
        result = judge(n, er, e);
    buf_free(&r.body);
    return result;
}

enum enroll_result enroll(struct net *n, struct err *e)
{
    enum enroll_result r = ENROLL_FAILED;
    struct buf csr AUTO_BUF = BUF_INIT;
    struct client *c;
    bool old, missing;

    if (identity_request(&n->id, &csr, &old, e) < 0 ||
        net_client(n, &n->job->settings->enrollment, true, &c, e) < 0)
        return ENROLL_FAILED;
    missing = !old;
    if (old) /* asked before: one small request tells how it stands */
        r = get(n, c, &missing, e);
    if (missing && post(n, c, &csr, e) == 0)
        r = get(n, c, &missing, e);
    n->http->close(c);
    return r;
}
