/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections: how many come from one address, and which go when others want to come in. */
#include <string.h>

#include "api/loop.h"

static struct conns *list_of(struct conn *c)
{
    unsigned h = 5381;

    for (const char *p = c->peer.addr; *p; p++)
        h = h * 33 ^ (unsigned char)*p;
    return &c->loop->near[h % NEARS];
}

void crowd_init(struct loop *l)
{
    for (size_t i = 0; i < NEARS; i++)
        TAILQ_INIT(&l->near[i]);
}

bool crowd_enter(struct conn *c)
{
    int left = c->loop->o->max_near;
    struct conns *list = list_of(c);
    struct conn *other;

    if (!left || !c->peer.addr[0] || api_is_front(c->loop->api, &c->peer))
        return true;
    TAILQ_FOREACH(other, list, near)
        left -= strcmp(other->peer.addr, c->peer.addr) == 0;
    if (left <= 0)
        return false;
    TAILQ_INSERT_TAIL(list, c, near);
    c->counted = true;
    return true;
}

void crowd_leave(struct conn *c)
{
    if (c->counted)
        TAILQ_REMOVE(list_of(c), c, near);
}

void crowd_shed(struct loop *l)
{
    int64_t before = monotonic_us() - LIMIT_IDLE_FULL;
    struct conn *c, *next;
    int left = LIMIT_ACCEPT;

    for (c = TAILQ_FIRST(&l->all); c && left > 0; c = next) {
        next = TAILQ_NEXT(c, all);
        if (conn_idle(c, before)) {
            conn_drain(c);
            left--;
        }
    }
}
