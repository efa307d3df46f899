/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment requests up to the decision; sign.c carries it out. */
#include <string.h>

#include "base/clock.h"
#include "base/mod.h"
#include "fleet/condition.h"
#include "service/service.h"

static const struct crypto_module *crypto(struct err *e)
{
    return mod_symbol("crypto", "crypto_module", e);
}

static const char *canon(struct arena *a, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

int request_parse(const struct kind *k, jv doc, const char **path, struct csr_info *info,
    struct err *e)
{
    const struct crypto_module *c = crypto(e);
    bool encoded = k->id == KIND_CERTIFICATESIGNINGREQUEST;
    struct buf pem AUTO_BUF = BUF_INIT;
    const char *text;

    *path = NULL;
    if (!c)
        return -1;
    *path = encoded ? "spec.request" : "spec.csr";
    text = json_str(doc, *path);
    if (!encoded)
        return c->csr_parse(text, strlen(text), info, e);
    if (base64_decode(&pem, text, strlen(text)) < 0)
        return err_set(e, FC_INVALID, "must be base64");
    return c->csr_parse(pem.p ? pem.p : "", pem.len, info, e);
}

int request_check(const struct kind *k, jv doc, const char **path, struct err *e)
{
    struct csr_info info;

    *path = NULL;
    if (!(k->flags & KIND_REQUEST))
        return 0;
    return request_parse(k, doc, path, &info, e);
}

int enroll_request(struct store *s, struct arena *a, int64_t org, jv doc, const struct actor *who,
    struct res *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_ENROLLMENTREQUEST);
    const char *name = json_str(doc, "metadata.name"), *path, *cn;
    jv spec AUTO_JV = json_get(doc, "spec"), labels AUTO_JV = json_at(doc, "metadata.labels");
    struct csr_info info;

    if (request_parse(k, doc, &path, &info, e) < 0)
        return path ? err_wrap(e, "%s", path) : -1;
    cn = strncmp(info.cn, "device:", 7) == 0 ? info.cn + 7 : info.cn;
    if (strcmp(cn, name) != 0)
        return err_set(e, FC_INVALID, "spec.csr: its common name is \"%s\", not metadata.name",
            info.cn);
    *out = (struct res){
        .org = org,
        .kind = k,
        .name = arena_strdup(a, name),
        .labels = jv_get_kind(labels) == JV_KIND_OBJECT ? canon(a, labels) : "{}",
        .annotations = "{}",
        .spec = canon(a, spec),
        .status = "{\"conditions\":[]}",
    };
    if (res_insert(s, a, out, e) < 0 || revision_add(s, who, out, false, e) < 0)
        return -1;
    return event_of(s, out, who, (struct event){.reason = "ResourceCreated",
        .message = "A device asks for enrollment."}, e);
}

static int get(struct store *s, struct arena *a, int64_t org, const char *name, struct res *r,
    struct err *e)
{
    int rc = res_get(s, a, org, kind_by_id(KIND_ENROLLMENTREQUEST), name, r, e);

    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "EnrollmentRequest of name \"%s\" not found", name);
    return rc < 0 ? -1 : 0;
}

int enroll_undecided(jv status, struct err *e)
{
    if (condition_is(status, "Approved", NULL, NULL) || json_bool(status, "approval.approved", false))
        return err_set(e, FC_INVALID, "Enrollment request is already approved");
    if (condition_is(status, "Denied", NULL, NULL))
        return err_set(e, FC_INVALID, "Enrollment request is already denied");
    return 0;
}

int enroll_record(struct store *s, struct arena *a, int64_t org, const char *name,
    const struct enroll_approval *how, const struct actor *who, struct res *out, struct err *e)
{
    jv status AUTO_JV = jv_invalid(), approval;
    char at[TIME_LEN];

    if (get(s, a, org, name, out, e) < 0)
        return -1;
    status = jv_parse(out->status);
    if (enroll_undecided(status, e) < 0)
        return -1;
    approval = jv_object();
    time_format(now_us(), at);
    json_set(&approval, "approved", jv_true());
    json_sets(&approval, "approvedAt", at);
    json_sets(&approval, "approvedBy", who->name);
    json_set(&approval, "labels", jv_get_kind(how->labels) == JV_KIND_OBJECT ?
        jv_copy(how->labels) : jv_object());
    json_set(&approval, "replaceLabels", jv_bool(how->replace_labels));
    json_set(&status, "approval", approval);
    out->status = canon(a, status);
    out->version++;
    if (res_set_status(s, out->id, out->status, e) < 0 || task_sign(s, out, e) < 0)
        return -1;
    return event_of(s, out, who, (struct event){.reason = "EnrollmentRequestApproved",
        .message = "The enrollment request was approved."}, e);
}

int enroll_deny(struct store *s, struct arena *a, int64_t org, const char *name,
    const char *message, const struct actor *who, struct err *e)
{
    jv status AUTO_JV = jv_invalid();
    struct res r;

    if (get(s, a, org, name, &r, e) < 0)
        return -1;
    status = jv_parse(r.status);
    if (enroll_undecided(status, e) < 0)
        return -1;
    condition_add(&status, "Denied", "ManuallyDenied", message ? message :
        arena_printf(a, "Denied by %s", who->name), now_us());
    if (res_set_status(s, r.id, canon(a, status), e) < 0)
        return -1;
    return event_of(s, &r, who, (struct event){.reason = "ResourceUpdated",
        .message = "The enrollment request was denied."}, e);
}
