/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves a rollout on. First a look: what the decisions are, for which all devices are counted, and
 * which devices get the version. Then that is written, in transactions that nobody has to wait for.
 * Of few devices the look is part of the first one; of many it comes before, in a transaction that
 * reads, and each that writes finds the rollout's row as the look saw it: otherwise somebody else
 * moved it on, and it is looked at again. Of each device is judged at its turn whether it may still
 * get the version.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/rollout_run.h"
#include "store/many.h"

enum {
    FEW = 2 * ROLLOUT_STEP,   /* devices that are looked at with the write lock */
    LOOK = 10 * ROLLOUT_STEP, /* devices of one look: other tasks have a turn after them */
    SLICE = 250,              /* after so many a transaction looks at the clock */
    STEP_US = 40000,          /* it ends after this time */
};

struct move {
    struct rollout_run r;      /* r.o: as it is to be */
    struct rollout_advance *o;
    struct rollout was;        /* as it was found */
    int64_t now;
    struct many events;        /* of the fleet */
    struct ids ids;            /* devices that get the version */
    size_t given;              /* of these had their turn */
    int64_t overdue;           /* devices that time out */
    bool few;                  /* devices: the look is part of the transaction */
    bool judged;               /* a decision counts on nothing being pending in the batch that was */
    bool rebatch;              /* devices that have the version come to the last batch */
    bool moved;
    bool more;                 /* there may be more than the look found */
    bool waiting;              /* for devices that just get the version */
};

/* --- the look --------------------------------------------------------------------------------- */

static void batch_event(struct move *m, const char *reason, int batch,
    const struct rollout_counts *c, const char *message)
{
    struct buf d AUTO_BUF = BUF_INIT;
    char name[64];

    buf_printf(&d, "{\"detailType\":\"%s\",\"templateVersion\":\"%s\"", reason,
        rollout_version_name(&m->was));
    if (batch >= 0)
        buf_printf(&d, ",\"batch\":\"%s\"", rollout_batch_name(&m->r.policy, batch, name));
    if (c)
        buf_printf(&d, ",\"failed\":%lld,\"successPercentage\":%lld,\"successful\":%lld,"
            "\"timedOut\":%lld,\"total\":%lld", (long long)c->failed,
            (long long)(c->total ? c->succeeded * 100 / c->total : 100), (long long)c->succeeded,
            (long long)c->timedout, (long long)c->total);
    if (strcmp(reason, "FleetRolloutStarted") == 0)
        buf_printf(&d, ",\"rolloutStrategy\":\"%s\"", m->r.policy.n ? "Batched" : "None");
    buf_addc(&d, '}');
    many_event(&m->events, &(struct event){.kind = KIND_FLEET, .name = m->r.fleet.name,
        .reason = reason, .message = arena_strdup(m->r.a, message),
        .type = strcmp(reason, "FleetRolloutFailed") == 0 ? "Warning" : "Normal",
        .details = arena_strndup(m->r.a, d.p, d.len)});
}

static bool in_last_batch(const struct move *m)
{
    return m->r.o.state.batch >= 0 && (size_t)m->r.o.state.batch >= m->r.policy.n;
}

/* The current batch takes in devices: as many as it has left, one that is the last all there are,
 * also those that another fleet was busy with or that came later, when they are free. */
static int fill_batch(struct move *m, struct err *e)
{
    struct rollout *o = &m->r.o;
    bool last = in_last_batch(m);
    int64_t want = last || o->remaining > LOOK ? LOOK : o->remaining;
    int rc;

    if (want == 0)
        return 0;
    if (rollout_pick(m->r.s, m->r.a, m->r.fleet.org, o->fleet, o->version,
        last ? NULL : &m->r.policy.batch[o->state.batch], want, m->now, &m->ids, e) < 0)
        return -1;
    if (!last && m->ids.n < (size_t)want)
        o->remaining = (int64_t)m->ids.n;
    if (last) {
        if ((rc = rollout_pending(m->r.s, o->fleet, o->version, -1, e)) < 0)
            return -1;
        m->rebatch = rc;
    }
    m->waiting = m->ids.n || m->rebatch;
    m->more = m->ids.n == (size_t)want && (last || o->remaining > want);
    m->moved = m->moved || m->waiting;
    return 0;
}

static int start_batch(struct move *m, const struct rollout_action *act,
    const struct rollout_counts *ended, struct err *e)
{
    const struct batch *b = act->final ? NULL : &m->r.policy.batch[act->batch];
    struct rollout *o = &m->r.o;
    char name[64], message[128];
    int64_t n = b ? rollout_size(m->r.s, m->r.a, m->r.fleet.org, o->fleet, o->version, b, m->now, e) :
        rollout_free(m->r.s, o->fleet, o->version, e);

    if (n < 0)
        return -1;
    if (o->state.status == ROLLOUT_PENDING)
        batch_event(m, "FleetRolloutStarted", -1, NULL, "The rollout started.");
    if (o->state.batch >= 0 && ended->total)
        batch_event(m, "FleetRolloutBatchCompleted", o->state.batch, ended, act->why);
    o->state = (struct rollout_state){ROLLOUT_INPROGRESS, act->batch};
    o->remaining = b ? n : 0;
    snprintf(message, sizeof message, "%s: %lld devices", rollout_batch_name(&m->r.policy,
        act->batch, name), (long long)n);
    if (n)
        batch_event(m, "FleetRolloutBatchDispatched", act->batch, NULL, message);
    o->why = arena_printf(m->r.a, "Rolling out %s", name);
    m->moved = true;
    return fill_batch(m, e);
}

static void stop(struct move *m, const struct rollout_action *act, const struct rollout_counts *c)
{
    bool done = act->act == ROLLOUT_COMPLETE;
    enum rollout_status status = done ? ROLLOUT_COMPLETED :
        act->act == ROLLOUT_FAIL ? ROLLOUT_FAILED : ROLLOUT_SUSPENDED;
    struct rollout *o = &m->r.o;

    if (o->state.status == status && o->why && strcmp(o->why, act->why) == 0)
        return; /* it stood there before, and nothing new came */
    m->moved = true;
    o->state.status = status;
    o->why = arena_strdup(m->r.a, act->why);
    if (c->total)
        batch_event(m, "FleetRolloutBatchCompleted", o->state.batch, c, act->why);
    if (done)
        o->completed = o->version;
    batch_event(m, done ? "FleetRolloutCompleted" : "FleetRolloutFailed", -1, NULL, act->why);
}

/* The rollout ends unless devices are left: those that wait for another fleet, and, where it had
 * failed and they recovered, those that the last batch did not reach. */
static int end(struct move *m, const struct rollout_action *act, const struct rollout_counts *c,
    struct err *e)
{
    struct rollout *o = &m->r.o;
    int left;

    if (o->state.status != ROLLOUT_INPROGRESS && fill_batch(m, e) < 0)
        return -1;
    if ((left = rollout_left(m->r.s, o->fleet, o->version, e)) < 0)
        return -1;
    if (!left && !m->waiting)
        stop(m, act, c);
    else if (o->state.status != ROLLOUT_INPROGRESS) {
        o->state.status = ROLLOUT_INPROGRESS;
        o->why = "Rolling out the last batch";
        m->moved = true;
    }
    return 0;
}

/* How the devices of a batch did, as it will be after those that are overdue have timed out. While
 * one of them is pending nothing else counts. */
static int counts(struct move *m, int batch, struct rollout_counts *c, struct err *e)
{
    const struct rollout *o = &m->r.o;
    int64_t all, n;
    int rc;

    *c = (struct rollout_counts){.total = 1, .pending = 1};
    if (!m->overdue && (rc = rollout_pending(m->r.s, o->fleet, o->version, batch, e)) != 0)
        return rc < 0 ? -1 : 0;
    if (rollout_counts(m->r.s, o->fleet, o->version, batch, c, e) < 0)
        return -1;
    if (!m->overdue)
        return 0;
    if ((n = rollout_overdue(m->r.s, o->fleet, o->version, batch,
        m->now - m->r.policy.timeout, &all, e)) < 0)
        return -1;
    c->pending -= n;
    c->timedout += n;
    return 0;
}

/* Until there is nothing to do but wait. Each turn starts a batch or ends the loop. */
static int decide(struct move *m, struct err *e)
{
    const struct rollout *o = &m->r.o;

    for (;;) {
        /* A stopped rollout is judged again: a device may have recovered by itself. */
        struct rollout_state st = o->state;
        struct rollout_action act;
        struct rollout_counts c;

        if (st.status == ROLLOUT_COMPLETED)
            return 0;
        if (st.status == ROLLOUT_INPROGRESS && !m->moved && fill_batch(m, e) < 0)
            return -1;
        if (m->waiting)
            return 0;
        if (st.status != ROLLOUT_PENDING)
            st.status = ROLLOUT_INPROGRESS;
        if (counts(m, st.batch, &c, e) < 0)
            return -1;
        act = rollout_step(&m->r.policy, &st, &c);
        if (act.act == ROLLOUT_WAIT)
            return 0;
        m->judged = m->judged || st.status != ROLLOUT_PENDING;
        switch (act.act) {
        case ROLLOUT_START:
            if (start_batch(m, &act, &c, e) < 0)
                return -1;
            break;
        case ROLLOUT_COMPLETE:
            return end(m, &act, &c, e);
        case ROLLOUT_SUSPEND:
        case ROLLOUT_FAIL:
            stop(m, &act, &c);
            return 0;
        case ROLLOUT_WAIT:
            return 0;
        }
    }
}

static int look(struct move *m, int64_t org, const char *fleet, struct err *e)
{
    struct rollout *o = &m->r.o;

    if (rollout_open(&m->r, org, fleet, e) < 0)
        return -1;
    m->was = *o;
    if (o->walk) /* which devices are in question is not settled: the walk's end goes on here */
        return 0;
    if (rollout_overdue(m->r.s, o->fleet, o->version, o->state.batch, m->now - m->r.policy.timeout,
        &m->overdue, e) < 0)
        return -1;
    /* Of many none is to be pending any more when the look says so. */
    if (m->overdue > (m->few ? ROLLOUT_STEP : 0) && !m->o->dry_run) {
        m->more = true;
        return 0;
    }
    if (decide(m, e) < 0)
        return -1;
    if (o->state.status != m->was.state.status)
        o->changed = m->now;
    return 0;
}

/* --- what is written -------------------------------------------------------------------------- */

/* Devices that are no longer waited for are free for the rollouts of their other fleets. */
static int wake_others(struct move *m, struct err *e)
{
    int64_t ids[256], after = 0;
    struct res f;
    int n, i;

    do {
        n = rollout_open_list(m->r.s, m->r.fleet.org, after, ids, LEN(ids), e);
        for (i = 0; i < n; i++) {
            after = ids[i];
            if (after != m->r.fleet.id && (res_get_id(m->r.s, m->r.a, after, &f, e) != 1 ||
                task_rollout(m->r.s, m->r.fleet.org, f.name, 0, e) < 0))
                return -1;
        }
    } while (n == LEN(ids));
    return n < 0 ? -1 : 0;
}

/* Is the row the one that was looked at? It is gone with its fleet. */
static int as_it_was(struct move *m, struct err *e)
{
    const struct rollout *was = &m->was;
    struct rollout is = {0};

    if (rollout_get(m->r.s, m->r.a, was->fleet, &is, e) < 0)
        return -1;
    return is.version == was->version && is.completed == was->completed &&
        strcmp(is.digest, was->digest) == 0 && is.state.status == was->state.status &&
        is.state.batch == was->state.batch && is.started == was->started &&
        is.changed == was->changed && is.problem_since == was->problem_since &&
        is.remaining == was->remaining && is.walk == was->walk && is.deleted == was->deleted;
}

/* Time is up for some; the decisions, if nothing became pending meanwhile. 0: something did. */
static int write_decisions(struct move *m, struct err *e)
{
    struct store *s = m->r.s;
    int64_t n = m->overdue ? rollout_timeout(s, m->was.fleet, m->now - m->r.policy.timeout, e) : 0;
    int rc;

    if (n < 0 || (n > 0 && wake_others(m, e) < 0))
        return -1;
    m->moved = m->moved || n > 0;
    if (m->judged && (rc = rollout_pending(s, m->was.fleet, m->was.version, m->was.state.batch, e)))
        return rc < 0 ? -1 : 0;
    return many_write(s, &m->events, m->r.fleet.org, m->was.fleet, 0, m->now, m->o->who, e) < 0 ?
        -1 : 1;
}

/* Which of some devices, as they are now, are members that the batch's selector matches. */
static int still_matching(struct move *m, const struct many_device *d, int n, struct ids *out,
    struct err *e)
{
    struct selector sel;
    bool all = in_last_batch(m) || !jv_is_valid(m->r.policy.batch[m->r.o.state.batch].selector);

    if (!all && selector_from_json(m->r.a, m->r.policy.batch[m->r.o.state.batch].selector, &sel,
        e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        jv labels AUTO_JV = all ? jv_invalid() : jv_parse(d[i].r.labels);

        if (all || selector_match(&sel, labels))
            ids_add(out, d[i].r.id);
    }
    return 0;
}

/* An event for each device that got the version. */
static int tell_given(struct move *m, struct arena *a, const struct many_device *d, int n,
    const struct ids *got, struct err *e)
{
    struct buf details AUTO_BUF = BUF_INIT;
    struct many events = {.a = a};
    size_t k = 0;
    int rc;

    buf_adds(&details, "{\"detailType\":\"FleetRolloutDeviceSelected\",\"fleetName\":");
    buf_add_jsons(&details, m->r.fleet.name);
    buf_printf(&details, ",\"templateVersion\":\"%s\"}", rollout_version_name(&m->was));
    for (int i = 0; i < n && k < got->n; i++)
        if (d[i].r.id == got->id[k]) {
            many_event(&events, &(struct event){.kind = KIND_DEVICE, .name = d[i].r.name,
                .reason = "FleetRolloutDeviceSelected",
                .message = "The device gets the fleet's new version.", .details = details.p});
            k++;
        }
    rc = many_write(m->r.s, &events, m->r.fleet.org, m->was.fleet, 0, m->now, m->o->who, e);
    many_free(&events);
    return rc;
}

/* The version for the next devices of the look. How many got it. */
static int give(struct move *m, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    size_t n = m->ids.n - m->given < SLICE ? m->ids.n - m->given : SLICE;
    struct many_device *d = arena_alloc(a, (n + 1) * sizeof *d);
    struct ids fit = {0}, got = {0};
    struct rollout *o = &m->r.o;
    int found = many_devices(m->r.s, a, m->ids.id + m->given, n, d, e), rc = -1;

    if (found >= 0 && still_matching(m, d, found, &fit, e) == 0 &&
        many_assign(m->r.s, o->fleet, o->version, o->state.batch, m->now, fit.id, fit.n, &got,
            e) == 0 &&
        tell_given(m, a, d, found, &got, e) == 0) {
        m->given += n;
        if (!in_last_batch(m))
            o->remaining -= (int64_t)got.n;
        rc = (int)got.n;
    }
    free(fit.id);
    free(got.id);
    return rc;
}

/* One transaction: 1 it is to be committed, 0 the look does not hold any more. */
static int write_some(struct move *m, bool first, bool *last, struct err *e)
{
    int64_t start = now_us(), n = 0, oldest;
    struct store *s = m->r.s;
    struct rollout *o = &m->r.o;
    int rc = as_it_was(m, e);

    if (rc == 1 && first)
        rc = write_decisions(m, e);
    if (rc == 1 && m->rebatch) {
        n = rollout_rebatch(s, o->fleet, o->version, o->state.batch, e);
        m->rebatch = n == ROLLOUT_STEP;
    }
    while (rc == 1 && n >= 0 && m->given < m->ids.n && now_us() - start < STEP_US)
        if ((n = give(m, e)) > 0 && task_render(s, m->r.fleet.org, e) < 0)
            n = -1;
    if (rc != 1 || n < 0)
        return n < 0 ? -1 : rc;
    *last = m->given == m->ids.n && !m->rebatch;
    if (*last && m->ids.n && !m->more)
        o->remaining = 0; /* the others are not free any more */
    if (m->moved && rollout_put(s, o, e) < 0)
        return -1;
    m->was = *o;
    if ((oldest = rollout_oldest(s, o->fleet, e)) < 0)
        return -1;
    if (!*last || m->more)
        rc = m->o->end && !*last ? 0 : task_rollout(s, m->r.fleet.org, m->r.fleet.name, 0, e);
    else
        rc = oldest ? task_rollout(s, m->r.fleet.org, m->r.fleet.name,
            oldest + m->r.policy.timeout + 1, e) : 0;
    if (rc < 0 || (m->o->end && m->o->end(m->o->ctx, *last, e) < 0))
        return -1;
    return 1;
}

/* open: in a transaction that writes. */
static int write_all(struct move *m, bool open, struct err *e)
{
    bool first = true, last = false;
    int rc;

    while (!last) {
        if (!first)
            store_pause();
        if ((!first || !open) && store_begin(m->r.s, e) < 0)
            return -1;
        if ((rc = write_some(m, first, &last, e)) == 1)
            rc = store_commit(m->r.s, e) < 0 ? -1 : 1;
        if (rc != 1) {
            store_rollback(m->r.s);
            return rc;
        }
        first = false;
    }
    return 1;
}

/* --- both ------------------------------------------------------------------------------------- */

/* Is it one of few devices? Then a transaction that writes is open, else one that reads. */
static int begin(struct store *s, struct arena *a, int64_t org, const char *fleet, struct err *e)
{
    int64_t *ids = arena_alloc(a, (FEW + 1) * sizeof *ids);
    struct res r;
    int n;

    if (store_begin(s, e) < 0 || rollout_fleet(s, a, org, fleet, &r, e) < 0 ||
        (n = member_some(s, r.id, FEW + 1, ids, e)) < 0)
        return -1;
    if (n <= FEW)
        return 1;
    store_rollback(s);
    return db_begin(s->db, false, e);
}

/* 1: done, with o->more; 0: it was moved on by somebody else meanwhile. */
static int once(struct store *s, int64_t org, const char *fleet, struct rollout_advance *o,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct move m = {.r = {.s = s, .a = a, .spec = jv_invalid()}, .o = o, .now = now_us(),
        .events = {.a = a}};
    int rc;

    if (o->dry_run)
        rc = db_attach_seen(s->db, e) < 0 || db_begin(s->db, false, e) < 0 ? -1 : 0;
    else
        rc = begin(s, a, org, fleet, e);
    m.few = rc == 1;
    if (rc >= 0)
        rc = look(&m, org, fleet, e);
    if (rc < 0 || !m.few)
        store_rollback(s);
    if (rc == 0)
        rc = o->dry_run ? 1 : write_all(&m, m.few, e);
    if (rc == 1) {
        o->moved = o->moved || m.moved || m.overdue;
        o->more = m.more;
        o->status = m.r.o.state.status;
        snprintf(o->why, sizeof o->why, "%s", m.r.o.why ? m.r.o.why : "");
    }
    many_free(&m.events);
    free(m.ids.id);
    jv_free(m.r.spec);
    return rc;
}

int rollout_advance(struct store *s, int64_t org, const char *fleet, struct rollout_advance *o,
    struct err *e)
{
    int rc;

    while ((rc = once(s, org, fleet, o, e)) == 0)
        ;
    return rc < 0 ? -1 : 0;
}

/* --- again ------------------------------------------------------------------------------------ */

/* Devices from *at on in one transaction; *n: how many got it. */
static int reissue(struct rollout_run *r, const struct ids *ids, size_t *at, int64_t *n,
    const struct actor *who, struct err *e)
{
    int64_t version = r->o.version, start = now_us();
    struct ids got = {0};
    int rc = rollout_get(r->s, r->a, r->fleet.id, &r->o, e);

    if (rc == 0 || (rc == 1 && r->o.version != version))
        return err_set(e, FC_CONFLICT, "fleet %s was changed meanwhile", r->fleet.name);
    while (rc >= 0 && *at < ids->n && now_us() - start < STEP_US) {
        size_t k = ids->n - *at < SLICE ? ids->n - *at : SLICE;

        rc = many_reissue(r->s, r->fleet.id, version, start, ids->id + *at, k, &got, e);
        *at += k;
        *n += (int64_t)got.n;
    }
    free(got.id);
    if (rc < 0 || !*n)
        return rc < 0 ? -1 : 0;
    if (r->o.state.status == ROLLOUT_SUSPENDED || r->o.state.status == ROLLOUT_FAILED) {
        r->o.state.status = ROLLOUT_INPROGRESS;
        r->o.changed = start;
        r->o.why = arena_printf(r->a, "retried by %s", who->name);
    }
    return rollout_put(r->s, &r->o, e) < 0 || task_render(r->s, r->fleet.org, e) < 0 ? -1 :
        task_rollout(r->s, r->fleet.org, r->fleet.name, 0, e);
}

/* Whom it would be given to. None: FC_CONFLICT says why. */
static int look_failed(struct rollout_run *r, int64_t org, const char *fleet, struct ids *ids,
    struct err *e)
{
    struct rollout_counts c;

    if (rollout_open(r, org, fleet, e) < 0 ||
        rollout_failed(r->s, r->fleet.id, r->o.version, ids, e) < 0)
        return -1;
    if (ids->n)
        return 0;
    return rollout_counts(r->s, r->fleet.id, r->o.version, -2, &c, e) < 0 ? -1 :
        err_set(e, FC_CONFLICT, c.failed + c.timedout ? "fleet %s: another fleet's version is "
            "pending on the devices that failed or timed out" :
            "fleet %s: no device failed or timed out", fleet);
}

int rollout_retry(struct store *s, struct arena *a, int64_t org, const char *fleet, bool dry_run,
    const struct actor *who, const char **version, int64_t *devices, struct err *e)
{
    struct rollout_run r = {.s = s, .a = a, .spec = jv_invalid()};
    struct ids ids = {0};
    size_t at = 0;
    int rc;

    if (db_begin(s->db, false, e) < 0)
        return -1;
    rc = look_failed(&r, org, fleet, &ids, e);
    db_rollback(s->db);
    *devices = dry_run ? (int64_t)ids.n : 0;
    while (rc == 0 && at < ids.n && !dry_run) {
        if (at)
            store_pause();
        rc = store_begin(s, e) < 0 || reissue(&r, &ids, &at, devices, who, e) < 0 ||
            store_commit(s, e) < 0 ? -1 : 0;
        store_rollback(s); /* nothing is left to undo after a commit */
    }
    if (rc == 0)
        *version = rollout_version_name(&r.o);
    free(ids.id);
    jv_free(r.spec);
    return rc;
}
