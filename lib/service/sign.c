/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for what was approved. Only commands that hold the CA's key link this. */
#include <string.h>

#include "base/clock.h"
#include "fleet/condition.h"
#include "service/service.h"

/* Unless who decided said so himself. */
static void add_approved(jv *status, const char *message)
{
    if (!condition_is(*status, "Approved", NULL, NULL))
        condition_add(status, "Approved", "ManuallyApproved", message, now_us());
}

static int set_status(struct store *s, struct arena *a, struct res *r, jv status, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, status);
    r->status = arena_strndup(a, b.p, b.len);
    r->version++;
    return res_set_status(s, r->id, r->status, e);
}

/* The labels of the new device: the request's with the approval's on top, or those alone. */
static jv device_labels(jv spec, jv status)
{
    jv mine = json_get(spec, "labels"), theirs = json_at(status, "approval.labels");

    if (jv_get_kind(theirs) != JV_KIND_OBJECT) {
        jv_free(theirs);
        theirs = jv_object();
    }
    if (jv_get_kind(mine) != JV_KIND_OBJECT || json_bool(status, "approval.replaceLabels", false)) {
        jv_free(mine);
        mine = jv_object();
    }
    return jv_object_merge(mine, theirs);
}

static int add_device(struct store *s, struct arena *a, const struct res *er, jv spec, jv status,
    const struct actor *who, struct err *e)
{
    jv doc AUTO_JV = jv_object(), report, integrity, meta = jv_object(),
        first AUTO_JV = jv_invalid();
    const char *known = json_str(spec, "knownRenderedVersion");
    enum change what;
    struct res old, device;
    int64_t floor;
    int rc = res_get(s, a, er->org, kind_by_id(KIND_DEVICE), er->name, &old, e);
    jv labels = device_labels(spec, status);

    if (rc == 1) /* prepared before it came: what stands there gives way only where both speak */
        labels = jv_object_merge(jv_parse(old.labels), labels);
    json_sets(&meta, "name", er->name);
    json_set(&meta, "labels", labels);
    json_set(&doc, "metadata", meta);
    if (rc < 0 || change_put(s, a, er->org, kind_by_id(KIND_DEVICE), doc, who, 0, &what, &device,
        e) < 0)
        return -1;
    first = device.status ? jv_parse(device.status) : jv_object();
    integrity = jv_object();
    json_sets(&integrity, "status", "Unsupported"); /* a plain key: nothing was attested */
    json_set(&first, "integrity", integrity);
    if (set_status(s, a, &device, first, e) < 0)
        return -1;
    if (known && num_parse(known, 1, INT64_MAX / 2, &floor, "", NULL) == 0 &&
        (device_floor(s, device.id, floor, e) < 0 || task_render(s, er->org, e) < 0))
        return -1;
    report = json_get(spec, "deviceStatus");
    if (jv_get_kind(report) != JV_KIND_OBJECT) {
        jv_free(report);
        return 0;
    }
    json_set(&doc, "status", report);
    return device_report(s, a, er->org, er->name, doc, who, e);
}

static int signed_event(struct store *s, const struct res *r, const struct actor *who,
    struct err *e)
{
    return event_of(s, r, who, (struct event){.reason = "ResourceUpdated",
        .message = "The certificate was signed."}, e);
}

static int sign_enrollment(struct store *s, struct arena *a, struct res *r, struct ca *ca,
    const struct actor *who, struct err *e)
{
    jv spec AUTO_JV = jv_parse(r->spec), status AUTO_JV = jv_parse(r->status);
    const char *csr = json_str(spec, "csr"), *cn, *by;
    struct buf pem AUTO_BUF = BUF_INIT;
    struct cert_profile p = {.signer = SIGNER_DEVICE};
    struct csr_info info;

    if (json_str(status, "certificate"))
        return 0; /* done before */
    if (!json_bool(status, "approval.approved", false))
        return err_set(e, FC_INVALID, "enrollment request %s is not approved", r->name);
    if (csr_parse(csr, strlen(csr), &info, e) < 0)
        return err_wrap(e, "%s: spec.csr", r->name);
    cn = strncmp(info.cn, "device:", 7) == 0 ? info.cn + 7 : info.cn;
    if (strcmp(cn, r->name) != 0)
        return err_set(e, FC_INVALID, "%s: spec.csr: its common name is \"%s\"", r->name, info.cn);
    p.cn = p.fingerprint = arena_printf(a, "device:%s", r->name);
    if (org_uid(s, a, r->org, &p.org, e) < 0 || ca_sign(ca, csr, strlen(csr), &p, &pem, e) < 0)
        return -1;
    by = json_str(status, "approval.approvedBy");
    json_sets(&status, "certificate", pem.p);
    add_approved(&status, arena_printf(a, "Approved by %s", by ? by : who->name));
    if (set_status(s, a, r, status, e) < 0 || signed_event(s, r, who, e) < 0)
        return -1;
    return add_device(s, a, r, spec, status, who, e);
}

/* A device's own: for its management, or for one of its services. */
static int sign_device(struct arena *a, const char *device, const char *signer,
    const struct buf *csr, const char *org, int64_t seconds, struct ca *ca, struct buf *pem,
    struct err *e)
{
    struct cert_profile p = {.signer = signer, .org = org};
    struct csr_info info;

    if (csr_parse(csr->p, csr->len, &info, e) < 0)
        return -1;
    if (seconds > 0 && seconds < CERT_DAYS * INT64_C(86400))
        p.seconds = seconds;
    if (strcmp(signer, SIGNER_RENEWAL) == 0)
        p.cn = p.fingerprint = arena_printf(a, "device:%s", device);
    else {
        p.cn = info.cn;
        p.fingerprint = device;
    }
    return ca_sign(ca, csr->p, csr->len, &p, pem, e);
}

static int sign_csr(struct store *s, struct arena *a, struct res *r, struct ca *ca,
    const struct actor *who, struct err *e)
{
    jv spec AUTO_JV = jv_parse(r->spec), status AUTO_JV = jv_parse(r->status);
    const char *request = json_str(spec, "request"), *signer = json_str(spec, "signerName");
    const char *device = r->owner && strncmp(r->owner, "Device/", 7) == 0 ? r->owner + 7 : NULL;
    struct buf csr AUTO_BUF = BUF_INIT, pem AUTO_BUF = BUF_INIT, b64 AUTO_BUF = BUF_INIT;
    struct issue i = {.signer = signer, .seconds = json_int(spec, "expirationSeconds", 0)};
    int rc;

    if (json_str(status, "certificate") || condition_is(status, "Denied", NULL, NULL))
        return 0;
    if (!device && strcmp(signer, SIGNER_ENROLLMENT) != 0)
        return err_set(e, FC_INVALID, "%s: no device owns this request", r->name);
    if (org_uid(s, a, r->org, &i.org, e) < 0)
        return -1;
    if (base64_decode(&csr, request, strlen(request)) < 0)
        return err_set(e, FC_INVALID, "%s: spec.request: must be base64", r->name);
    rc = device ? sign_device(a, device, signer, &csr, i.org, i.seconds, ca, &pem, e) :
        issue_csr(ca, csr.p, csr.len, &i, &pem, e);
    if (rc < 0)
        return err_wrap(e, "%s: spec.request", r->name);
    base64_encode(&b64, pem.p, pem.len);
    json_sets(&status, "certificate", b64.p);
    add_approved(&status, "Approved by rule");
    return set_status(s, a, r, status, e) < 0 ? -1 : signed_event(s, r, who, e);
}

int enroll_sign(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, struct ca *ca, const struct actor *who, struct err *e)
{
    struct res r;
    int rc = res_get(s, a, org, k, name, &r, e);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return 0; /* deleted meanwhile: nothing to sign */
    if (k->id == KIND_ENROLLMENTREQUEST)
        return sign_enrollment(s, a, &r, ca, who, e);
    return sign_csr(s, a, &r, ca, who, e);
}

int enroll_approve(struct store *s, struct arena *a, int64_t org, const char *name, struct ca *ca,
    const struct enroll_approval *how, const struct actor *who, struct res *out, struct err *e)
{
    if (enroll_record(s, a, org, name, how, who, out, e) < 0)
        return -1;
    return ca ? sign_enrollment(s, a, out, ca, who, e) : 0;
}
