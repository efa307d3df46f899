/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment requests, their approval, and certificate requests of devices. */
#include <string.h>

#include "api/core.h"
#include "base/clock.h"

int post_enrollment(struct call *c, struct err *e)
{
    struct res r;

    if (enroll_request(c->s, c->a, c->org, c->doc, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 201, &r, 0, e);
}

/* Beyond the contract, where only approvals are recorded: the other decision. */
static int deny(struct call *c, struct err *e)
{
    jv answer AUTO_JV = jv_object();
    char at[TIME_LEN];

    if (enroll_deny(c->s, c->a, c->org, c->arg[0], c->actor.reason, &c->actor, e) < 0)
        return -1;
    time_format(c->now, at);
    json_set(&answer, "approved", jv_false());
    json_sets(&answer, "approvedAt", at);
    json_sets(&answer, "approvedBy", c->actor.name);
    c->r->status = 200;
    json_canon(&c->r->body, answer);
    return HANDLED;
}

/* Records the decision; the certificate comes with the `sign` task, since no API process ever
 * reads the CA's key. */
int put_approval(struct call *c, struct err *e)
{
    jv labels AUTO_JV = json_get(c->doc, "labels"), status AUTO_JV = jv_invalid();
    jv approval AUTO_JV = jv_invalid();
    struct enroll_approval how = {labels, json_bool(c->doc, "replaceLabels", false)};
    struct res r;

    if (!json_bool(c->doc, "approved", false))
        return deny(c, e);
    if (enroll_record(c->s, c->a, c->org, c->arg[0], &how, &c->actor, &r, e) < 0)
        return -1;
    status = jv_parse(r.status);
    approval = json_get(status, "approval");
    c->r->status = 200;
    json_canon(&c->r->body, approval);
    return HANDLED;
}

/* A device that says that it wipes itself gets no more certificates. */
static int leaving(struct call *c, struct err *e)
{
    struct device d;
    struct res r;
    int rc;

    if (c->id->who != WHO_DEVICE)
        return 0;
    rc = res_get(c->s, c->a, c->org, kind_by_id(KIND_DEVICE), c->id->name, &r, e);
    if (rc <= 0)
        return rc;
    if (device_get(c->s, c->a, r.id, &d, e) != 1)
        return -1;
    if (!strstr(d.conditions, "\"type\":\"DeviceDecommissioning\""))
        return 0;
    c->r->status = 401;
    return err_set(e, FC_DENIED, "the device is being decommissioned");
}

int post_csr(struct call *c, struct err *e)
{
    struct res r;

    if (leaving(c, e) < 0)
        return -1;
    if (c->id->who == WHO_DEVICE ?
        csr_request(c->s, c->a, c->org, c->id->name, c->doc, &c->actor, &r, e) < 0 :
        csr_ask(c->s, c->a, c->org, c->doc, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 201, &r, 0, e);
}

int put_csr_approval(struct call *c, struct err *e)
{
    struct res r;

    if (same_name(c, e) < 0 ||
        csr_decide(c->s, c->a, c->org, c->arg[0], c->doc, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 200, &r, 0, e);
}

/* A device sees its own alone. */
static bool theirs(const struct call *c, const struct res *r)
{
    return !r->owner || strncmp(r->owner, "Device/", 7) != 0 ||
        strcmp(r->owner + 7, c->id->name) != 0;
}

int get_csr(struct call *c, struct err *e)
{
    struct res r;

    if (find_resource(c, c->arg[0], &r, e) < 0)
        return -1;
    if (c->id->who == WHO_DEVICE && theirs(c, &r)) {
        c->r->status = 401;
        return err_set(e, FC_DENIED, "the request is another device's");
    }
    return answer_resource(c, 200, &r, 0, e);
}
