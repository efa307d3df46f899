/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment requests, their approval, and certificate requests of devices. */
#include <string.h>

#include "api/core.h"

static int get_kind(struct call *c, enum kind_id kind, struct res *r, struct err *e)
{
    const struct kind *k = kind_by_id(kind);
    int rc = res_get(c->s, c->a, c->id->org, k, c->arg[0], r, e);

    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "%s of name \"%s\" not found", k->name, c->arg[0]);
    return rc < 0 ? -1 : 0;
}

int post_enrollment(struct call *c, struct err *e)
{
    jv doc AUTO_JV = jv_invalid();
    struct res r;

    if (body_json(c, "application/json", &doc, e) < 0 ||
        body_valid(kind_by_id(KIND_ENROLLMENTREQUEST), doc, 0, e) < 0 ||
        enroll_request(c->s, c->a, c->id->org, doc, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 201, &r, 0, e);
}

int get_enrollment(struct call *c, struct err *e)
{
    struct res r;

    return get_kind(c, KIND_ENROLLMENTREQUEST, &r, e) < 0 ? -1 : answer_resource(c, 200, &r, 0, e);
}

/* Records the decision; the certificate comes with the `sign` task, since no API process ever
 * reads the CA's key. */
int put_approval(struct call *c, struct err *e)
{
    jv doc AUTO_JV = jv_invalid(), labels AUTO_JV = jv_invalid(), status AUTO_JV = jv_invalid();
    jv approval AUTO_JV = jv_invalid();
    struct violation bad;
    struct enroll_approval how;
    struct res r;

    if (body_json(c, "application/json", &doc, e) < 0)
        return -1;
    if (schema_validate("EnrollmentRequest", "EnrollmentRequestApproval", doc, 0, &bad, 1) > 0)
        return err_set(e, FC_INVALID, "API Error: %s%s%s", bad.path, *bad.path ? ": " : "",
            bad.what);
    if (!json_bool(doc, "approved", false))
        return get_kind(c, KIND_ENROLLMENTREQUEST, &r, e) < 0 ? -1 :
            err_set(e, FC_INVALID, "approved: only true can be recorded; fc-enroll deny denies");
    labels = json_get(doc, "labels");
    how = (struct enroll_approval){labels, json_bool(doc, "replaceLabels", false)};
    if (enroll_record(c->s, c->a, c->id->org, c->arg[0], &how, &c->actor, &r, e) < 0)
        return -1;
    status = jv_parse(r.status);
    approval = json_get(status, "approval");
    c->r->status = 200;
    json_canon(&c->r->body, approval);
    return HANDLED;
}

int post_csr(struct call *c, struct err *e)
{
    jv doc AUTO_JV = jv_invalid();
    struct res r;

    if (body_json(c, "application/json", &doc, e) < 0 ||
        body_valid(kind_by_id(KIND_CERTIFICATESIGNINGREQUEST), doc, 0, e) < 0 ||
        csr_request(c->s, c->a, c->id->org, c->id->name, doc, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 201, &r, 0, e);
}

int get_csr(struct call *c, struct err *e)
{
    struct res r;

    if (get_kind(c, KIND_CERTIFICATESIGNINGREQUEST, &r, e) < 0)
        return -1;
    if (!r.owner || strncmp(r.owner, "Device/", 7) != 0 || strcmp(r.owner + 7, c->id->name) != 0) {
        c->r->status = 401;
        return err_set(e, FC_DENIED, "the request is another device's");
    }
    return answer_resource(c, 200, &r, 0, e);
}
