/* SPDX-License-Identifier: Apache-2.0 */
/* Does it live, can it serve, what is it: for supervisors and load balancers, which are strangers. */
#include "api/core.h"

int get_healthz(struct call *c, struct err *e)
{
    (void)e;
    return answer_success(c);
}

/* The store answers. */
int get_readyz(struct call *c, struct err *e)
{
    if (db_data_version(c->s->db, e) >= 0)
        return answer_success(c);
    e->code = FC_AGAIN;
    return -1;
}

int get_version(struct call *c, struct err *e)
{
    (void)e;
    c->r->status = 200;
    buf_adds(&c->r->body, "{\"version\":\"" FC_VERSION "\"}");
    return HANDLED;
}

/* What the contract has, and this server has not. */
int not_served(struct call *c, struct err *e)
{
    (void)e;
    refuse(c, 501, "%s is not served here", c->route->operation);
    return HANDLED;
}
