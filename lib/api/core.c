/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of a request: route, authenticate, authorize, handler, answer. */
#include "api/core.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* A request waits so long for the write lock, and all others of its loop with it; the client is
 * told to try again. No writer but `--atomic` holds it for more than 200 ms. */
enum { API_BUSY_MS = 2000 };

struct api {
    struct store store;
    struct authn *authn;
    struct seen_batch *seen;
    struct arena *arena; /* of the request at hand */
    int64_t version;     /* of the store's contents, when api_news was asked last */
};

int api_open(struct api **out, const struct conf *conf, const char *store_url, struct err *e)
{
    struct api *a = xcalloc(1, sizeof *a);

    if (service_open(&a->store, conf, store_url, NULL, e) < 0) {
        free(a);
        return -1;
    }
    store_patience(&a->store, API_BUSY_MS);
    a->authn = authn_new(conf, e);
    if (!a->authn) {
        store_close(&a->store);
        free(a);
        return -1;
    }
    a->seen = seen_batch_new();
    a->arena = arena_new();
    *out = a;
    return 0;
}

void api_close(struct api *a)
{
    if (!a)
        return;
    api_idle(a);
    seen_batch_free(a->seen);
    authn_free(a->authn);
    arena_free(a->arena);
    store_close(&a->store);
    free(a);
}

/* The HTTP status of an error; the one table beside fc(7)'s. */
static int http_status(enum fc_code code)
{
    switch (code) {
    case FC_OK: return 200;
    case FC_USAGE: return 400;
    case FC_INVALID: return 400;
    case FC_NOTFOUND: return 404;
    case FC_CONFLICT: return 409;
    case FC_DENIED: return 403;
    case FC_AGAIN: return 503;
    case FC_FAIL: return 500;
    case FC_DIFFER: return 500;
    }
    return 500;
}

static void add_header(struct api_response *r, const char *line)
{
    size_t n = strlen(r->headers);

    snprintf(r->headers + n, sizeof r->headers - n, "%s", line);
}

static void answer_error(struct api_response *r, const struct err *e)
{
    /* A handler may have said that it is the caller's identity that does not fit. */
    int status = e->code == FC_DENIED && r->status == 401 ? 401 : http_status(e->code);

    if (status >= 500) { /* paths and statements are not for strangers */
        log_err(e);
        api_error(r, status, status == 503 ? "the store is busy" : "internal error");
    } else
        api_error(r, status, e->msg);
    if (status == 503)
        add_header(r, "Retry-After: 5\r\n");
}

void api_commit_failed(const struct err *e, struct api_response *r)
{
    answer_error(r, e);
}

static const char *who_signer(unsigned who)
{
    return who & WHO_ENROLLMENT ? SIGNER_ENROLLMENT : who & WHO_DEVICE ? SIGNER_DEVICE : SIGNER_ADMIN;
}

/* Route, authenticate, authorize: everything before the handler. NULL: answered. */
static const struct route *enter(struct api *a, const struct api_peer *peer, struct call *c)
{
    const struct route *route;
    struct err why = {0};
    char allow[64] = "";
    const char *org;
    int status;

    c->api = a;
    c->s = &a->store;
    c->a = a->arena;
    c->now = now_us();
    c->id = authn_who(a->authn, c->s, peer, c->q, c->now, &status, &why);
    if (!c->id && status == 503) { /* the authority's certificate, or the store */
        log_err(&why);
        api_error(c->r, status, "nobody can be recognized at the moment");
        return NULL;
    }
    if (!c->id) {
        api_error(c->r, status, why.msg);
        return NULL;
    }
    route = route_find(c, &status, allow);
    if (!route) {
        api_error(c->r, status, status == 405 ? "method not allowed" : "no such path");
        if (status == 405)
            add_header(c->r, arena_printf(c->a, "Allow: %s\r\n", allow));
        return NULL;
    }
    if (!(route->who & c->id->who)) {
        char msg[256];

        snprintf(msg, sizeof msg, "unexpected client certificate signer: expected \"%s\", got "
            "\"%s\"", who_signer(route->who), who_signer(c->id->who));
        api_error(c->r, 401, msg);
        return NULL;
    }
    c->kind = route->kind ? kind_by_id(route->kind) : NULL;
    c->actor = (struct actor){c->id->actor, NULL, "fc-api"};
    if (query_get(c, "org_id", &org, &why) < 0 || (org && *org && strcmp(org, c->id->org_uid) != 0)) {
        api_error(c->r, why.code ? 400 : 403, why.code ? why.msg :
            "org_id: the certificate is of another organization");
        return NULL;
    }
    return route;
}

static const char versions[] = "Flightctl-API-Version: v1beta1\r\nVary: Flightctl-API-Version\r\n";

/* Clients name the version they speak; absent means the only one there is. */
static bool version_ok(struct call *c)
{
    const char *v = http_header(c->q, "flightctl-api-version");

    if (!v || strcmp(v, "v1beta1") == 0)
        return true;
    api_error(c->r, 406, "unsupported API version");
    add_header(c->r, "Flightctl-API-Versions-Supported: v1beta1\r\n");
    return false;
}

bool api_admit(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r)
{
    struct call c = {.q = q, .r = r};

    arena_reset(a->arena);
    add_header(r, versions);
    if (version_ok(&c) && enter(a, peer, &c))
        return true;
    r->close = true;
    return false;
}

enum api_result api_handle(struct api *a, const struct api_peer *peer, const struct http_request *q,
    bool can_park, struct api_response *r, struct api_park *park)
{
    struct call c = {.q = q, .can_park = can_park, .r = r, .park = park};
    const struct route *route;
    struct err e = {0};
    int rc;

    arena_reset(a->arena);
    add_header(r, versions);
    if (!version_ok(&c) || !(route = enter(a, peer, &c)))
        return API_DONE;
    if (route->write)
        return API_WRITE;
    rc = route->handler(&c, &e);
    if (rc < 0)
        answer_error(r, &e);
    return rc == WANTS_WRITE ? API_WRITE : rc == WANTS_PARK ? API_PARK : API_DONE;
}

int api_begin(struct api *a, struct err *e)
{
    return store_begin(&a->store, e);
}

int api_commit(struct api *a, struct err *e)
{
    return store_commit(&a->store, e);
}

void api_write(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r)
{
    struct call c = {.q = q, .writing = true, .r = r};
    const struct route *route;
    struct err e = {0};

    arena_reset(a->arena);
    add_header(r, versions);
    route = enter(a, peer, &c);
    if (!route)
        return;
    if (db_savepoint(a->store.db, &e) < 0) {
        answer_error(r, &e);
        return;
    }
    if (route->handler(&c, &e) < 0) {
        db_rollback_to(a->store.db);
        store_cache_drop(&a->store);
        answer_error(r, &e);
    } else if (db_release(a->store.db, &e) < 0)
        answer_error(r, &e);
}

int api_watch_fd(struct api *a)
{
    struct err e = {0};
    int fd = db_watch_fd(a->store.db, &e);

    if (fd < 0)
        log_debug("%s", e.msg);
    return fd;
}

void api_watched(struct api *a)
{
    db_watch_drain(a->store.db);
}

bool api_news(struct api *a)
{
    struct err e = {0};
    int64_t v = db_data_version(a->store.db, &e);

    if (v < 0)
        log_err(&e);
    if (v >= 0 && v == a->version)
        return false;
    a->version = v;
    return true;
}

int api_parked(struct api *a, const struct api_park *const *park, size_t n, bool *ready,
    struct err *e)
{
    size_t i;

    for (i = 0; i < n; i++) {
        int64_t id, rendered = 0;
        int stale = 0, rc;

        rc = device_poll(&a->store, park[i]->org, park[i]->device, &id, &rendered, &stale, e);
        if (rc < 0)
            return -1;
        ready[i] = rc == 0 || stale || rendered != park[i]->known;
    }
    return 0;
}

void api_idle(struct api *a)
{
    struct err e = {0};

    if (seen_batch_flush(a->seen, &a->store, &e) < 0)
        log_err(&e);
}

int note_seen(struct call *c, int64_t device)
{
    if (seen_batch_note(c->api->seen, device, c->now))
        api_idle(c->api);
    return 0;
}
