/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices are silent: last-seen is lossy and apart, and nothing happens in the store when a
 * device falls silent. So now and then a sweep notes who crossed the limit since the last one, or
 * came back, by the index of last-seen, and tells of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fleet/summary.h"
#include "service/service.h"

enum { SWEEP_CHUNK = 200 }; /* devices of one transaction */

/* Last-seen is written a while after, and by hosts whose clocks differ. */
#define SWEEP_SLACK (INT64_C(10) * 60 * 1000000)

static const char swept_key[] = "sweep"; /* in meta: when the last sweep began, us */

struct sweep {
    struct store *s;
    struct device_silence found[SWEEP_CHUNK];
    int n;
    bool silent;         /* what is looked for: that fell silent, or came back */
    int64_t from, limit; /* us, of last-seen */
    int64_t after;       /* came back: ids above */
    const struct actor *who;
};

int device_silent(struct store *s, const struct res *r, bool silent, const struct actor *who,
    struct err *e)
{
    int rc = device_disconnected(s, r->id, silent, e);

    if (rc <= 0)
        return rc; /* somebody else was first */
    return event_of(s, r, who, silent ?
        (struct event){.reason = "DeviceDisconnected", .type = "Warning",
            .message = "The device did not check in for more than 5 minutes."} :
        (struct event){.reason = "DeviceConnected", .message = "The device checks in."}, e);
}

/* One chunk, in a transaction. */
static int chunk(struct sweep *w, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();

    w->n = w->silent ?
        device_fell_silent(w->s, a, w->from, w->limit, w->found, SWEEP_CHUNK, e) :
        device_came_back(w->s, a, w->after, w->limit, w->found, SWEEP_CHUNK, e);
    for (int i = 0; i < w->n; i++) {
        struct res r = {.id = w->found[i].id, .org = w->found[i].org,
            .kind = kind_by_id(KIND_DEVICE), .name = w->found[i].name};

        if ((w->found[i].at ? device_silent(w->s, &r, w->silent, w->who, e) :
            device_disconnected(w->s, r.id, false, e)) < 0)
            return -1;
    }
    return w->n < 0 ? -1 : 0;
}

static int chunks(struct sweep *w, struct err *e)
{
    do {
        if (store_begin(w->s, e) < 0)
            return -1;
        if (chunk(w, e) < 0 || store_commit(w->s, e) < 0) {
            store_rollback(w->s);
            return -1;
        }
        if (w->n) {
            w->from = w->found[w->n - 1].at - 1; /* others may have the same time */
            w->after = w->found[w->n - 1].id;
        }
    } while (w->n == SWEEP_CHUNK);
    return 0;
}

static int last_sweep(struct store *s, int64_t *at, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *v;
    int rc = store_meta(s, a, swept_key, &v, e);

    *at = rc == 1 ? strtoll(v, NULL, 10) : 0;
    return rc < 0 ? -1 : 0;
}

static int note_sweep(struct store *s, int64_t at, struct err *e)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)at);
    if (store_begin(s, e) < 0)
        return -1;
    if (store_meta_put(s, swept_key, text, e) < 0 || store_commit(s, e) < 0) {
        store_rollback(s);
        return -1;
    }
    return 0;
}

int sweep(struct store *s, int64_t now, const struct actor *who, struct err *e)
{
    struct sweep w = {.s = s, .silent = true, .limit = now - SUMMARY_DISCONNECTED, .who = who};
    int64_t last;

    if (last_sweep(s, &last, e) < 0)
        return -1;
    if (last <= now && now - last < SWEEP_EVERY)
        return 0;
    if (last > now) /* the clock went back: all are looked at */
        last = 0;
    w.from = last - SUMMARY_DISCONNECTED - SWEEP_SLACK;
    if (chunks(&w, e) < 0)
        return -1;
    w.silent = false;
    if (chunks(&w, e) < 0)
        return -1;
    return note_sweep(s, now, e);
}
