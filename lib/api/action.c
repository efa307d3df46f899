/* SPDX-License-Identifier: Apache-2.0 */
/* What people have devices and their applications do. */
#include "service/action.h"
#include "api/core.h"
#include "service/list.h"

int put_decommission(struct call *c, struct err *e)
{
    struct res r;

    if (device_decommission(c->s, c->a, c->org, c->arg[0], json_str(c->doc, "target"), &c->actor, &r,
        e) < 0)
        return -1;
    return answer_resource(c, 200, &r, 0, e);
}

/* No device is ever paused here: one that knows a newer version than the store is given what it
 * should run under a version above that. */
int post_resume(struct call *c, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_DEVICE);
    const struct selector *parsed;

    if (list_labels_parse(c->a, k, json_str(c->doc, "labelSelector"), &parsed, e) < 0)
        return err_wrap(e, "labelSelector");
    if (list_fields_parse(c->a, k, json_str(c->doc, "fieldSelector"), &parsed, e) < 0)
        return err_wrap(e, "fieldSelector");
    c->r->status = 200;
    buf_adds(&c->r->body, "{\"resumedDevices\":0}");
    return HANDLED;
}

static int act(struct call *c, enum app_action what, struct err *e)
{
    struct res r;

    if (app_act(c->s, c->a, c->org, c->kind, c->arg[0], c->arg[1], what, &c->actor, &r, e) < 0)
        return -1;
    return answer_resource(c, 200, &r, 0, e);
}

int start_app(struct call *c, struct err *e)
{
    return act(c, APP_START, e);
}

int stop_app(struct call *c, struct err *e)
{
    return act(c, APP_STOP, e);
}

int restart_app(struct call *c, struct err *e)
{
    return act(c, APP_RESTART, e);
}
