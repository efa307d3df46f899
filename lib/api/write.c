/* SPDX-License-Identifier: Apache-2.0 */
/* What people write: resources of any kind, in whole, in part, or their status alone. */
#include <string.h>

#include "api/core.h"
#include "service/patch.h"

int find_resource(struct call *c, const char *name, struct res *r, struct err *e)
{
    int rc = res_get(c->s, c->a, res_scope(c->kind, c->org), c->kind, name, r, e);

    return rc < 0 ? -1 : rc ? 0 : target_missing(c->kind, name, e);
}

int get_resource(struct call *c, struct err *e)
{
    unsigned view = 0;
    struct res r;

    if (c->kind->id == KIND_DEVICE && view_get(c, &view, e) < 0)
        return -1;
    return find_resource(c, c->arg[0], &r, e) < 0 ? -1 : answer_resource(c, 200, &r, view, e);
}

int same_name(const struct call *c, struct err *e)
{
    const char *name = json_str(c->doc, "metadata.name");

    return name && strcmp(name, c->arg[0]) == 0 ? 0 :
        err_set(e, FC_INVALID, "API Error: metadata.name: is not the name in the path");
}

static int put(struct call *c, unsigned flags, struct err *e)
{
    enum change what;
    struct res r;

    if (change_put(c->s, c->a, c->org, c->kind, c->doc, &c->actor, flags, &what, &r, e) < 0)
        return -1;
    answer_result(c, change_name(what));
    return answer_resource(c, what == CHANGE_CREATED ? 201 : 200, &r, 0, e);
}

int post_resource(struct call *c, struct err *e)
{
    return put(c, PUT_CREATE_ONLY, e);
}

int put_resource(struct call *c, struct err *e)
{
    return same_name(c, e) < 0 ? -1 : put(c, 0, e);
}

static int patch(struct call *c, bool status, struct err *e)
{
    struct patch one = {body_is_merge_patch(c) ? PATCH_MERGE : PATCH_JSON, c->doc};
    struct patches p = {.v = &one, .n = 1, .status = status};
    enum change what;
    struct res r;

    if (one.type == PATCH_MERGE && jv_get_kind(c->doc) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "API Error: a merge patch must be an object");
    if (patch_put(c->s, c->a, c->org, c->kind, c->arg[0], &p, &c->actor, &what, &r, e) < 0)
        return e->code == FC_INVALID ? err_wrap(e, "API Error") : -1;
    answer_result(c, change_name(what));
    return answer_resource(c, 200, &r, 0, e);
}

int patch_resource(struct call *c, struct err *e)
{
    return patch(c, false, e);
}

int patch_status(struct call *c, struct err *e)
{
    return patch(c, true, e);
}

int put_status(struct call *c, struct err *e)
{
    enum change what;
    struct res r;

    if (same_name(c, e) < 0 || find_resource(c, c->arg[0], &r, e) < 0 ||
        status_put(c->s, c->a, &r, c->doc, &c->actor, &what, e) < 0)
        return -1;
    answer_result(c, change_name(what));
    return answer_resource(c, 200, &r, 0, e);
}

/* A status that follows from what happens: nobody writes it. */
int no_status(struct call *c, struct err *e)
{
    (void)e;
    api_error(c->r, 501, "the status of this kind is kept by the server");
    return HANDLED;
}

int delete_resource(struct call *c, struct err *e)
{
    if (change_delete(c->s, c->a, c->org, c->kind, c->arg[0], &c->actor, e) < 0)
        return -1;
    return answer_success(c);
}
