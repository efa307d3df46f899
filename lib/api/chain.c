/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of a request: its steps in order, then the handler. */
#include "api/rights.h"
#include "base/clock.h"

/* What the head of a request decides; strangers learn nothing more than that they are strangers. */
static step_fn *const by_head[] = {step_route, step_head, step_address_rate, step_authenticate,
    step_found, step_organization, step_authorize, step_rate};

static bool enter(struct call *c, struct api *a)
{
    arena_reset(a->arena);
    c->api = a;
    c->s = &a->store;
    c->a = a->arena;
    c->now = now_us();
    c->doc = jv_invalid();
    for (size_t i = 0; i < LEN(by_head); i++)
        if (!by_head[i](c))
            return false;
    return true;
}

bool api_admit(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r)
{
    struct call c = {.pass = PASS_ADMIT, .peer = peer, .q = q, .r = r};

    if (enter(&c, a))
        return true;
    r->close = true;
    return false;
}

static enum api_result handle(struct call *c)
{
    struct err e = {0};
    int rc;

    if (!step_body(c))
        return API_DONE;
    if (c->route->flags & ROUTE_WRITE)
        return API_WRITE;
    rc = c->route->handler(c, &e);
    if (rc < 0)
        answer_error(c, c->r, &e);
    return rc == WANTS_WRITE ? API_WRITE : rc == WANTS_PARK ? API_PARK : API_DONE;
}

enum api_result api_handle(struct api *a, const struct api_peer *peer, const struct http_request *q,
    bool can_park, struct api_response *r, struct api_park *park)
{
    struct call c = {.pass = PASS_HANDLE, .peer = peer, .q = q, .can_park = can_park, .r = r,
        .park = park};
    enum api_result result;

    if (!enter(&c, a))
        return API_DONE;
    result = handle(&c);
    jv_free(c.doc);
    return result;
}

int api_begin(struct api *a, struct err *e)
{
    return store_begin(&a->store, e);
}

int api_commit(struct api *a, struct err *e)
{
    int rc = store_commit(&a->store, e);

    if (rc < 0)
        rights_cache_drop(a->rights);
    return rc;
}

void api_commit_failed(const struct err *e, struct api_response *r)
{
    answer_error(NULL, r, e);
}

/* Inside a savepoint: a request that fails undoes itself alone. */
static void write_one(struct call *c)
{
    struct err e = {0};

    if (!step_body(c))
        return;
    if (db_savepoint(c->s->db, &e) < 0) {
        answer_error(c, c->r, &e);
        return;
    }
    if (c->route->handler(c, &e) < 0) {
        db_rollback_to(c->s->db);
        store_cache_drop(c->s);
        if (c->route->kind == KIND_ORGANIZATION)
            rights_cache_drop(c->api->rights);
        answer_error(c, c->r, &e);
    } else if (db_release(c->s->db, &e) < 0)
        answer_error(c, c->r, &e);
}

void api_write(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r)
{
    struct call c = {.pass = PASS_WRITE, .peer = peer, .q = q, .writing = true, .r = r};

    if (!enter(&c, a))
        return;
    write_one(&c);
    jv_free(c.doc);
}
