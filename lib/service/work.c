/* SPDX-License-Identifier: Apache-2.0 */
/* Task handlers and the loop that runs them. A handler may run twice without harm. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/issuer.h"
#include "service/service.h"

enum {
    RENDER_CHUNK = 200,       /* devices of one transaction */
    RENDER_CHUNK_US = 60000,  /* it ends earlier after this time: others want to write, too */
};

struct worker {
    struct store *s;
    const struct work_options *o;
    struct actor who;
    char owner[UUID_LEN]; /* lease token */
};

/* The defaults of an organization changed: its devices become stale, then they are rendered. */
static int do_defaults(struct worker *w, const struct task *t, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *name = "";
    int n;

    do {
        if (store_begin(w->s, e) < 0)
            return -1;
        n = org_stale(w->s, a, t->org, &name, e);
        if (n >= 0 && (n < ORG_CHUNK ?
            task_render(w->s, t->org, e) < 0 || task_done(w->s, t, w->owner, e) < 0 :
            task_extend(w->s, t, w->owner, now_us() + TASK_LEASE, e) < 0))
            n = -1;
        if (n < 0 || store_commit(w->s, e) < 0) {
            store_rollback(w->s);
            return -1;
        }
        if (n == ORG_CHUNK)
            store_pause();
    } while (n == ORG_CHUNK);
    return 0;
}

/* All stale devices, in chunks of a transaction each. */
static int do_render(struct worker *w, const struct task *t, struct err *e)
{
    int64_t ids[RENDER_CHUNK], after = 0;
    bool more;

    if (strcmp(t->type, "defaults") == 0)
        return do_defaults(w, t, e);
    do {
        int n, i, rc;
        int64_t start;

        if (store_begin(w->s, e) < 0)
            return -1;
        start = now_us();
        rc = n = device_stale_list(w->s, t->org, after, ids, RENDER_CHUNK, e);
        for (i = 0; i < n && rc >= 0 && now_us() - start < RENDER_CHUNK_US; i++) {
            struct arena *a AUTO_ARENA = arena_new();

            rc = render_device(w->s, a, ids[i], now_us(), &w->who, e);
            after = ids[i];
        }
        more = i < n || n == RENDER_CHUNK;
        if (rc >= 0)
            rc = more ? task_extend(w->s, t, w->owner, now_us() + TASK_LEASE, e) :
                task_done(w->s, t, w->owner, e);
        if (rc < 0 || store_commit(w->s, e) < 0) {
            store_rollback(w->s);
            return -1;
        }
        if (more)
            store_pause();
    } while (more);
    return 0;
}

/* A handler of one transaction, which also ends the lease. */
static int in_transaction(struct worker *w, const struct task *t, int (*handler)(struct worker *,
    struct arena *, const struct task *, struct err *), struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();

    if (store_begin(w->s, e) < 0)
        return -1;
    if (handler(w, a, t, e) < 0 || task_done(w->s, t, w->owner, e) < 0 ||
        store_commit(w->s, e) < 0) {
        store_rollback(w->s);
        return -1;
    }
    return 0;
}

struct held_task {
    struct worker *w;
    const struct task *t;
};

static int still_ours(void *ctx, struct err *e)
{
    struct held_task *t = ctx;

    return task_extend(t->w->s, t->t, t->w->owner, now_us() + TASK_LEASE, e);
}

static int nothing_left(struct worker *w, struct arena *a, const struct task *t, struct err *e)
{
    (void)w, (void)a, (void)t, (void)e;
    return 0;
}

/* In the name of who changed the fleet. */
static int do_walk(struct worker *w, const struct task *t, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    jv by AUTO_JV = jv_parse(t->payload);
    struct actor who = {json_str(by, "actor"), json_str(by, "reason"), w->who.source};
    struct held_task ours = {w, t};
    struct walk_options o = {.who = &who, .alive = still_ours, .ctx = &ours};
    struct res r;
    int rc = res_get(w->s, a, t->org, kind_by_id(KIND_FLEET), t->subject, &r, e);

    if (rc < 0 || (rc && walk_fleet(w->s, r.id, &o, e) < 0))
        return -1;
    return in_transaction(w, t, nothing_left, e);
}

static int do_sources(struct worker *w, struct arena *a, const struct task *t, struct err *e)
{
    return rollout_sources_step(w->s, a, t->org, t->subject, now_us(), &w->who, e);
}

static int end_step(void *ctx, bool last, struct err *e)
{
    struct held_task *t = ctx;

    return last ? task_done(t->w->s, t->t, t->w->owner, e) : still_ours(ctx, e);
}

static int do_advance(struct worker *w, const struct task *t, struct err *e)
{
    struct held_task ours = {w, t};
    struct rollout_advance o = {.who = &w->who, .end = end_step, .ctx = &ours};
    struct err why = {0};

    if (rollout_advance(w->s, t->org, t->subject, &o, &why) == 0)
        return 0;
    return why.code == FC_NOTFOUND ? in_transaction(w, t, nothing_left, e) : /* deleted meanwhile */
        err_set(e, why.code, "%s", why.msg);
}

static int do_rollout(struct worker *w, const struct task *t, struct err *e)
{
    if (strcmp(t->type, "walk") == 0)
        return do_walk(w, t, e);
    return strcmp(t->type, "sources") == 0 ? in_transaction(w, t, do_sources, e) :
        do_advance(w, t, e);
}

static int sign(struct worker *w, struct arena *a, const struct task *t, struct err *e)
{
    const struct kind *k = kind_parse(t->type, e);

    return k ? enroll_sign(w->s, a, t->org, k, t->subject, w->o->ca, &w->who, e) : -1;
}

/* Fetched outside of any transaction. The next look follows from this one; a failure is only one
 * that there was nothing new. */
struct look {
    bool used, failed;
    struct buf keys;
    struct err why;
};

static int looked(struct worker *w, const struct task *t, const struct look *l, struct err *e)
{
    int64_t now = now_us();

    if (!l->used)
        return issuer_drop(w->s, t->subject, e);
    if (issuer_task(w->s, t->subject, now + (l->failed ? ISSUER_RETRY : ISSUER_EVERY), e) < 0)
        return -1;
    return l->failed ? issuer_failed(w->s, t->subject, l->why.msg, now, e) :
        issuer_keys(w->s, t->subject, l->keys.p, now, e);
}

static int do_issuer(struct worker *w, const struct task *t, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct look l = {.keys = BUF_INIT};
    struct provider *p;
    int n = provider_list(w->s, a, t->subject, &p, e), rc = -1;

    if (n < 0)
        return -1;
    l.used = n > 0;
    l.failed = n && issuer_fetch(w->o->conf, &p[0], &l.keys, &l.why) < 0;
    if (l.failed)
        log_warn("the keys of %s: %s", t->subject, l.why.msg);
    if (store_begin(w->s, e) == 0) {
        rc = looked(w, t, &l, e) < 0 || task_done(w->s, t, w->owner, e) < 0 ||
            store_commit(w->s, e) < 0 ? -1 : 0;
        if (rc < 0)
            store_rollback(w->s);
    }
    buf_free(&l.keys);
    return rc;
}

static int do_sign(struct worker *w, const struct task *t, struct err *e)
{
    return in_transaction(w, t, sign, e);
}

static const struct {
    const char *queue;
    int (*run)(struct worker *, const struct task *, struct err *);
    bool needs_ca;
} handlers[] = {
    {"sign", do_sign, true},
    {"rollout", do_rollout, false},
    {"render", do_render, false},
    {"issuer", do_issuer, false},
};

const char *const work_queues[] = {"sign", "rollout", "render", "issuer", NULL};

static bool served(const struct work_options *o, size_t h)
{
    const char *const *q;

    if (handlers[h].needs_ca && !o->ca)
        return false;
    for (q = o->queues; q && *q; q++)
        if (strcmp(*q, handlers[h].queue) == 0)
            return true;
    return !o->queues;
}

/* The newest event of the object that is not about a task itself: what led to it. */
static int original_event(void *ctx, const struct event *ev)
{
    if (strncmp(ev->reason, "InternalTask", 12) == 0)
        return 0;
    events_write(ctx, ev);
    return 1;
}

/* {"detailType":...}; nothing where no event led to the task. */
static int failure_details(struct store *s, const struct task *t, const struct event *ev,
    struct buf *b, struct err *e)
{
    struct buf from AUTO_BUF = BUF_INIT;

    if (events_list(s, &(struct event_query){.org = t->org, .kind = ev->kind, .name = ev->name,
        .limit = 2 * TASK_TRIES}, original_event, &from, e) < 0)
        return -1;
    if (!from.len)
        return 0;
    buf_printf(b, "{\"detailType\":\"%s\",\"errorMessage\":", ev->reason);
    buf_add_jsons(b, ev->message);
    buf_printf(b, ",\"originalEvent\":%s,\"retryCount\":%d}", from.p, t->attempts);
    return 0;
}

/* A task that is dead leaves an approval without its certificate. */
static int tell_failure(struct worker *w, const struct task *t, const struct err *why, bool dead,
    struct err *e)
{
    const struct kind *k = strcmp(t->queue, "sign") ? NULL : kind_parse(t->type, NULL);
    struct event ev = {.kind = KIND_FLEET, .name = *t->subject ? t->subject : t->type,
        .reason = dead ? "InternalTaskPermanentlyFailed" : "InternalTaskFailed",
        .type = "Warning", .message = why->msg};
    struct buf details AUTO_BUF = BUF_INIT;

    if (k)
        ev.kind = (int)k->id;
    else if (strcmp(t->queue, "render") == 0)
        ev.kind = KIND_DEVICE;
    if (failure_details(w->s, t, &ev, &details, e) < 0)
        return -1;
    ev.details = details.p;
    if (events_add(w->s, t->org, &w->who, &ev, e) < 0)
        return -1;
    if (!dead || ev.kind != KIND_ENROLLMENTREQUEST)
        return 0;
    ev.reason = "EnrollmentRequestApprovalFailed";
    ev.details = NULL;
    return events_add(w->s, t->org, &w->who, &ev, e);
}

static int note_failure(struct worker *w, const struct task *t, const struct err *why,
    struct err *e)
{
    int dead;

    if (store_begin(w->s, e) < 0)
        return -1;
    dead = task_failed(w->s, t, w->owner, why, now_us(), e);
    if (dead < 0 || tell_failure(w, t, why, dead, e) < 0 || store_commit(w->s, e) < 0) {
        store_rollback(w->s);
        return -1;
    }
    return 0;
}

/* One task of any served queue: 1 ran, 0 none was due, -1. */
static int run_one(struct worker *w, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct err why = {0};
    struct task t;
    size_t h;
    int rc;

    for (h = 0; h < LEN(handlers); h++) {
        if (!served(w->o, h))
            continue;
        rc = task_lease(w->s, a, handlers[h].queue, w->owner, now_us(), &t, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            continue;
        rc = handlers[h].run(w, &t, &why);
        if (rc < 0 && note_failure(w, &t, &why, e) < 0)
            return -1;
        if (w->o->each)
            w->o->each(w->o->ctx, &t, rc < 0 ? &why : NULL);
        return 1;
    }
    return 0;
}

int work_drain(struct store *s, const struct work_options *o, int64_t *n, struct err *e)
{
    struct worker w = {.s = s, .o = o, .who = {"system", NULL, "fc-work"}};
    int rc;

    *n = 0;
    uuid_random(w.owner);
    if (store_begin(s, e) < 0)
        return -1;
    if (task_recover(s, now_us(), e) < 0 || store_commit(s, e) < 0) {
        store_rollback(s);
        return -1;
    }
    while ((o->max == 0 || *n < o->max) && (rc = run_one(&w, e)) != 0) {
        if (rc < 0)
            return -1;
        ++*n;
    }
    return sweep(s, now_us(), &w.who, e);
}
