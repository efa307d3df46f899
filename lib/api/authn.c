/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication: the methods in turn, each by what the request carries. No switch turns it off. */
#include "api/core.h"

static authn_fn *const methods[] = {authn_token, authn_cert, authn_front};

static const struct identity nobody = {.who = WHO_ANYONE, .vouch = BY_NOBODY, .name = "nobody",
    .actor = "nobody"};

static bool failed(struct call *c, int status, const struct err *e)
{
    if (status == 401)
        add_header(c->r, "WWW-Authenticate: Bearer\r\n");
    if (status != 503)
        return refuse(c, status, "%s", e->msg);
    log_failure(c, e); /* the authority's certificate, or the store */
    return refuse(c, status, "nobody can be recognized at the moment");
}

bool step_authenticate(struct call *c)
{
    struct err e = {0};
    int status = 401, rc = 0;

    if (!c->route || c->route->handler != get_rendered) /* what polls share may be a turn old */
        db_let_go(c->s->db);
    if (c->route && c->route->who & WHO_ANYONE)
        c->id = &nobody;
    for (size_t i = 0; !c->id && rc == 0 && i < LEN(methods); i++)
        rc = methods[i](c, &status, &e);
    if (rc < 0)
        return failed(c, status, &e);
    if (!c->id) {
        err_set(&e, FC_DENIED, "a token or a client certificate is required");
        return failed(c, 401, &e);
    }
    c->actor = (struct actor){c->id->actor, reason_get(c), "fc-api"};
    return true;
}
