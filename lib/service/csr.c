/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate signing requests up to the decision; sign.c carries it out. */
#include <string.h>

#include "base/clock.h"
#include "fleet/condition.h"
#include "service/service.h"
#include "service/target.h"

static const char *canon(struct arena *a, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

int csr_request(struct store *s, struct arena *a, int64_t org, const char *device, jv doc,
    const struct actor *who, struct res *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_CERTIFICATESIGNINGREQUEST);
    const char *signer = json_str(doc, "spec.signerName"), *path, *cn;
    jv spec AUTO_JV = json_get(doc, "spec");
    struct csr_info info;
    size_t n, m;

    if (request_parse(k, doc, &path, &info, e) < 0)
        return path ? err_wrap(e, "%s", path) : -1;
    cn = strncmp(info.cn, "device:", 7) == 0 ? info.cn + 7 : info.cn;
    if (strcmp(signer, SIGNER_RENEWAL) == 0) {
        if (strcmp(cn, device) != 0)
            return err_set(e, FC_DENIED, "spec.request: its common name is \"%s\", not the "
                "device's", info.cn);
    } else if (strcmp(signer, SIGNER_SERVICE) == 0) {
        n = strlen(cn);
        m = strlen(device);
        if (n < m + 2 || cn[n - m - 1] != '-' || strcmp(cn + n - m, device) != 0)
            return err_set(e, FC_DENIED, "spec.request: its common name must end with \"-%s\"",
                device);
    } else
        return err_set(e, FC_DENIED, "spec.signerName: devices cannot ask for \"%s\"", signer);
    *out = (struct res){
        .org = org,
        .kind = k,
        .name = arena_strdup(a, json_str(doc, "metadata.name")),
        .owner = arena_printf(a, "Device/%s", device),
        .labels = "{}",
        .annotations = "{}",
        .spec = canon(a, spec),
        .status = "{\"conditions\":[]}",
    };
    if (res_insert(s, a, out, e) < 0 || revision_add(s, who, out, false, e) < 0 ||
        task_sign(s, out, e) < 0)
        return -1;
    return event_of(s, out, who, (struct event){.reason = "ResourceCreated",
        .message = "A device asks for a certificate."}, e);
}

/* --- people ------------------------------------------------------------------------------------ */

int csr_ask(struct store *s, struct arena *a, int64_t org, jv doc, const struct actor *who,
    struct res *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_CERTIFICATESIGNINGREQUEST);
    const char *signer = json_str(doc, "spec.signerName");
    enum change what;

    if (change_put(s, a, org, k, doc, who, PUT_CREATE_ONLY, &what, out, e) < 0)
        return -1;
    return strcmp(signer, SIGNER_ENROLLMENT) == 0 ? task_sign(s, out, e) : 0;
}

/* Nobody has decided, and a certificate can be made of it. */
static int may_decide(const struct res *r, jv status, bool approve, struct err *e)
{
    static const char *const done[] = {"Approved", "Denied"};
    jv spec AUTO_JV = jv_parse(r->spec);
    const char *signer = json_str(spec, "signerName");
    bool device = r->owner && strncmp(r->owner, "Device/", 7) == 0;

    for (size_t i = 0; i < LEN(done); i++)
        if (condition_is(status, done[i], "status", "True"))
            return err_set(e, FC_CONFLICT, "CertificateSigningRequest of name \"%s\" is already %s",
                r->name, i ? "denied" : "approved");
    if (approve && !device && strcmp(signer, SIGNER_ENROLLMENT) != 0)
        return err_set(e, FC_INVALID, "spec.signerName: \"%s\" signs for devices alone", signer);
    return 0;
}

static void decided(struct arena *a, jv *status, jv given, bool approve, const struct actor *who)
{
    const char *type = approve ? "Approved" : "Denied";
    const char *reason = json_str(given, "reason"), *message = json_str(given, "message");

    condition_add(status, type, reason && *reason ? reason :
        approve ? "ManuallyApproved" : "ManuallyDenied", message && *message ? message :
        arena_printf(a, "%s by %s", type, who->name), now_us());
}

int csr_decide(struct store *s, struct arena *a, int64_t org, const char *name, jv doc,
    const struct actor *who, struct res *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_CERTIFICATESIGNINGREQUEST);
    jv wish AUTO_JV = json_get(doc, "status"), status AUTO_JV = jv_invalid();
    jv yes AUTO_JV = condition_get(wish, "Approved", "status", "True");
    jv no AUTO_JV = condition_get(wish, "Denied", "status", "True");
    bool approve = jv_is_valid(yes);
    int rc = res_get(s, a, org, k, name, out, e);

    if (rc <= 0)
        return rc < 0 ? -1 : target_missing(k, name, e);
    if (approve == jv_is_valid(no))
        return err_set(e, FC_INVALID, "status.conditions: one of Approved and Denied must be True");
    status = out->status ? jv_parse(out->status) : jv_object();
    if (change_check_version(out, doc, e) < 0 || may_decide(out, status, approve, e) < 0)
        return -1;
    decided(a, &status, approve ? yes : no, approve, who);
    if (res_set_status(s, out->id, canon(a, status), e) < 0 ||
        (approve && task_sign(s, out, e) < 0) || event_of(s, out, who, (struct event){
        .reason = "ResourceUpdated", .message = approve ? "The certificate request was approved." :
        "The certificate request was denied."}, e) < 0)
        return -1;
    return res_get_id(s, a, out->id, out, e) == 1 ? 0 : -1;
}
