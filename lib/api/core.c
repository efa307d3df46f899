/* SPDX-License-Identifier: Apache-2.0 */
/* One process of the API: what it has open, who waits, what it counts. */
#include "api/authorizer.h"
#include "api/rights.h"
#include "base/log.h"

/* A request waits so long for the write lock, and all others of its loop with it; the client is
 * told to try again. No writer but `--atomic` holds it for more than 200 ms. */
enum { API_BUSY_MS = 2000 };

int api_open(struct api **out, const struct conf *conf, const char *store_url, struct err *e)
{
    struct api *a = xcalloc(1, sizeof *a);

    if (service_open(&a->store, conf, store_url, NULL, e) < 0) {
        free(a);
        return -1;
    }
    store_patience(&a->store, API_BUSY_MS);
    a->conf = conf;
    a->cert = authn_cert_new(conf, e);
    a->token = a->cert ? authn_token_new(conf, e) : NULL;
    a->front = a->token ? authn_front_new(conf, e) : NULL;
    if (!a->front || authorizer_new(&a->authorizer, conf, e) < 0 ||
        rates_open(&a->rates, conf, e) < 0) {
        authorizer_free(a->authorizer);
        authn_front_free(a->front);
        authn_token_free(a->token);
        authn_cert_free(a->cert);
        store_close(&a->store);
        free(a);
        return -1;
    }
    a->rights = rights_cache_new();
    a->seen = seen_batch_new(conf, a->store.url);
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
    rates_free(a->rates);
    authn_front_free(a->front);
    authn_token_free(a->token);
    authn_cert_free(a->cert);
    authorizer_free(a->authorizer);
    rights_cache_free(a->rights);
    arena_free(a->arena);
    store_close(&a->store);
    free(a);
}

bool api_is_front(const struct api *a, const struct api_peer *peer)
{
    return authn_cert_trusts(a->cert, peer);
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

static int by_device(const void *a, const void *b, void *arg)
{
    const struct api_park *const *park = arg;
    int64_t x = park[*(const size_t *)a]->device, y = park[*(const size_t *)b]->device;

    return x < y ? -1 : x > y;
}

int api_parked(struct api *a, const struct api_park *const *park, size_t n, bool *ready,
    struct err *e)
{
    size_t *order = arena_alloc(a->arena, n * sizeof *order);
    struct known *known = arena_alloc(a->arena, n * sizeof *known);
    int rc;

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, by_device, (void *)(uintptr_t)park);
    for (size_t i = 0; i < n; i++)
        known[i] = (struct known){.device = park[order[i]]->device,
            .rendered = park[order[i]]->known};
    rc = device_news(&a->store, known, n, e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        ready[order[i]] = known[i].news;
    arena_reset(a->arena);
    return rc;
}

void api_turn(struct api *a)
{
    a->turns = true;
    db_let_go(a->store.db);
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
