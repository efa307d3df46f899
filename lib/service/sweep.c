/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices are silent: last-seen is lossy and apart, and nothing happens in the store when a
 * device falls silent. So now and then a sweep notes who crossed the limit since the last one, came
 * back, or was seen for the first time, by the indexes of last-seen, and tells of it. When last-seen
 * itself was lost, all devices are looked at.
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

/* What is looked for, in this order. */
enum look { LOST_SIGHT, FIRST_SEEN, FELL_SILENT, CAME_BACK, LOOKS };

struct sweep {
    struct store *s;
    struct device_silence found[SWEEP_CHUNK];
    int n;
    enum look look;
    int64_t from, limit; /* us, of last-seen */
    int64_t after;       /* ids above */
    const struct actor *who;
};

int device_silent(struct store *s, const struct res *r, bool silent, const struct actor *who,
    struct err *e)
{
    int rc = device_disconnected(s, r->id, silent, e);

    if (rc <= 0)
        return rc; /* somebody else was first, or it was never seen before */
    return event_of(s, r, who, silent ?
        (struct event){.reason = "DeviceDisconnected", .type = "Warning",
            .message = "The device did not check in for more than 5 minutes."} :
        (struct event){.reason = "DeviceConnected", .message = "The device checks in."}, e);
}

static int look(struct sweep *w, struct arena *a, struct err *e)
{
    switch (w->look) {
    case LOST_SIGHT:
        return device_lost_sight(w->s, a, w->after, w->found, SWEEP_CHUNK, e);
    case FIRST_SEEN:
        return device_first_seen(w->s, a, w->from, w->found, SWEEP_CHUNK, e);
    case FELL_SILENT:
        return device_fell_silent(w->s, a, w->from, w->limit, w->found, SWEEP_CHUNK, e);
    case CAME_BACK:
        return device_came_back(w->s, a, w->after, w->limit, w->found, SWEEP_CHUNK, e);
    case LOOKS:
        break;
    }
    die("sweep %d", (int)w->look);
}

/* Who was seen since the look is not silent, and not lost. */
static int still(struct sweep *w, const struct device_silence *d, struct err *e)
{
    int64_t at;

    if (w->look != LOST_SIGHT && w->look != FELL_SILENT)
        return 1;
    return device_last_seen(w->s, d->id, &at, e) < 0 ? -1 : at == d->at;
}

static int note(struct sweep *w, const struct device_silence *d, struct err *e)
{
    struct res r = {.id = d->id, .org = d->org, .kind = kind_by_id(KIND_DEVICE), .name = d->name};
    int rc = still(w, d, e);

    if (rc <= 0)
        return rc;
    return w->look <= FIRST_SEEN ? device_met(w->s, r.id, w->look == FIRST_SEEN, e) :
        device_silent(w->s, &r, w->look == FELL_SILENT, w->who, e);
}

/* They are found before the write lock is taken: it may take a look at all devices to find few. */
static int chunk(struct sweep *w, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    int rc = 0;

    if ((w->n = look(w, a, e)) <= 0)
        return w->n;
    if (store_begin(w->s, e) < 0)
        return -1;
    for (int i = 0; i < w->n && rc >= 0; i++)
        rc = note(w, &w->found[i], e);
    if (rc >= 0 && store_commit(w->s, e) == 0) {
        store_pause();
        return 0;
    }
    store_rollback(w->s);
    return -1;
}

static int chunks(struct sweep *w, struct err *e)
{
    do {
        if (chunk(w, e) < 0)
            return -1;
        if (w->n) {
            w->from = w->found[w->n - 1].at - 1; /* others may have the same time */
            w->after = w->found[w->n - 1].id;
        }
    } while (w->n == SWEEP_CHUNK);
    return 0;
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
    return seen_write(s, &(struct seen){SEEN_SWEEP, at}, 1, e);
}

int sweep(struct store *s, int64_t now, const struct actor *who, struct err *e)
{
    struct sweep w = {.s = s, .limit = now - SUMMARY_DISCONNECTED, .who = who};
    int64_t last;

    if (db_attach_seen(s->db, e) < 0 || sweep_time(s, &last, e) < 0)
        return -1;
    if (last <= now && now - last < SWEEP_EVERY)
        return 0;
    if (last > now) /* the clock went back: all are looked at */
        last = 0;
    for (w.look = last ? FIRST_SEEN : LOST_SIGHT; w.look < LOOKS; w.look++) {
        w.from = last - SUMMARY_DISCONNECTED - SWEEP_SLACK;
        w.after = 0;
        if (chunks(&w, e) < 0)
            return -1;
    }
    return note_sweep(s, now, e);
}
