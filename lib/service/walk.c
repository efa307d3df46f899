/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet's change and the devices that it concerns. Few are changed in the change's transaction.
 * For many the fleet's row keeps a mark of what is left, and a walk goes through them, in
 * transactions that nobody has to wait for: the command itself after its commit, or a task. Each
 * device is judged by what the store says at its turn, so that a walk may begin anew at any time,
 * and two may go at once; a device that changes before its turn is right by itself.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/service.h"
#include "store/many.h"

enum {
    AT_ONCE = MANY_MAX, /* devices that the fleets' changes of one transaction may concern */
    STEP = 1000,     /* devices of one transaction of a walk */
    SLICE = 250,     /* after so many it looks at the clock */
    STEP_US = 60000, /* it ends earlier after this time */
};

static char *task_key(const struct res *fleet)
{
    return xasprintf("walk/%s", fleet->name);
}

int walk_later(struct store *s, const struct res *fleet, unsigned what, const struct actor *who,
    struct err *e)
{
    char *key AUTO_FREE = task_key(fleet);
    struct buf by AUTO_BUF = BUF_INIT;

    buf_adds(&by, "{\"actor\":");
    buf_add_jsons(&by, who->name);
    if (who->reason) {
        buf_adds(&by, ",\"reason\":");
        buf_add_jsons(&by, who->reason);
    }
    buf_addc(&by, '}');
    s->walks = true;
    if (rollout_walk(s, fleet->id, what, e) < 0)
        return -1;
    /* Not before the command had its time to do it. */
    return task_add(s, "rollout", "walk", fleet->org, fleet->name, by.p, key,
        now_us() + WALK_GRACE, e);
}

static int by_id(const void *p, const void *q)
{
    const int64_t *a = p, *b = q;

    return *a < *b ? -1 : *a > *b;
}

/* --- in the transaction of the change --------------------------------------------------------- */

static int room_of(const struct store *s)
{
    return s->moved < AT_ONCE ? AT_ONCE - s->moved : 0;
}

/* Devices that one requirement picks by its labels, if these are few: how many, room + 1 for too
 * many. */
static int few_of(struct store *s, int64_t org, const struct sel_req *r, int64_t *ids, int room,
    struct err *e)
{
    int n = 0;

    if (r->op != SEL_IN || r->nkeys != 1)
        return room + 1;
    for (size_t i = 0; i < r->nvalues && n <= room; i++) {
        int k = label_some(s, org, KIND_DEVICE, r->keys[0], r->values[i], room + 1 - n, ids + n,
            e);

        if (k < 0)
            return -1;
        n += k;
    }
    return n;
}

/* Devices among which all are that the selector matches, if there are few. */
static int few_matching(struct store *s, int64_t org, const struct selector *sel, int64_t *ids,
    int room, struct err *e)
{
    int n = room + 1;

    if (sel->nothing)
        return 0;
    for (size_t i = 0; i < sel->n && n > room; i++)
        if ((n = few_of(s, org, &sel->req[i], ids, room, e)) < 0)
            return -1;
    return n > room ? device_some(s, org, room + 1, ids, e) : n;
}

int membership_of_fleet(struct store *s, struct arena *a, const struct res *fleet, bool gone,
    int64_t now, const struct actor *who, struct err *e)
{
    jv spec AUTO_JV = jv_parse(fleet->spec);
    jv sel AUTO_JV = json_get(spec, "selector");
    struct selector compiled = {.nothing = true};
    int room = room_of(s), moved = 0, come, leave, i;
    int64_t ids[2 * (AT_ONCE + 1)];

    store_cache_drop(s); /* it has the selector from before */
    if (!gone && selector_from_json(a, sel, &compiled, e) < 0)
        return -1;
    if ((come = few_matching(s, fleet->org, &compiled, ids, room, e)) < 0 ||
        (leave = member_some(s, fleet->id, room + 1, ids + come, e)) < 0)
        return -1;
    if (come > room || leave > room)
        return walk_later(s, fleet, WALK_MEMBERS, who, e) < 0 ? -1 : 1;
    qsort(ids, (size_t)(come + leave), sizeof *ids, by_id);
    for (i = 0; i < come + leave; i += MANY_MAX) {
        size_t n = come + leave - i < MANY_MAX ? (size_t)(come + leave - i) : MANY_MAX;
        int rc = membership_recheck(s, ids + i, n, fleet, now, who, e);

        if (rc < 0)
            return -1;
        moved += rc;
    }
    s->moved += moved;
    return moved ? task_render(s, fleet->org, e) : 0;
}

static int stale(struct store *s, const int64_t *ids, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (device_stale(s, ids[i], STALE_YES, e) < 0)
            return -1;
    return (int)n;
}

int walk_outdate(struct store *s, const struct res *fleet, const struct actor *who, struct err *e)
{
    int64_t ids[AT_ONCE + 1];
    int room = room_of(s), n = member_some(s, fleet->id, room + 1, ids, e);

    if (n < 0)
        return -1;
    if (n > room)
        return walk_later(s, fleet, WALK_OUTDATE, who, e);
    s->moved += n;
    return many_outdate(s, fleet->id, ids, (size_t)n, e);
}

int walk_stale(struct store *s, const struct res *fleet, const struct actor *who, struct err *e)
{
    int64_t ids[AT_ONCE + 1];
    int room = room_of(s), n = member_some(s, fleet->id, room + 1, ids, e);

    if (n < 0)
        return -1;
    if (n > room)
        return walk_later(s, fleet, WALK_STALE, who, e);
    s->moved += n;
    if (stale(s, ids, (size_t)n, e) < 0)
        return -1;
    return n ? task_render(s, fleet->org, e) : 0;
}

/* --- the walk --------------------------------------------------------------------------------- */

struct walk_run {
    struct store *s;
    const struct walk_options *o;
    struct arena *a;    /* of the round */
    struct res fleet;
    struct rollout r;
    struct ids members; /* in question, because they come or leave */
    struct ids outdate, stale;
};

/* Adds the ids of devices that the selector matches. */
static int matching(struct store *s, int64_t org, const struct selector *sel, struct ids *out,
    struct err *e)
{
    struct sql_select how = {.org = org, .kind = kind_by_id(KIND_DEVICE), .labels = sel};
    struct sql_buf q = {0};
    struct stmt *st;
    int rc = -1;

    if (sql_plan(s, &how, e) < 0)
        return -1;
    sql_add(&q, "SELECT r.id");
    sql_from(&q, &how, NULL);
    sql_add(&q, "WHERE ");
    sql_where(&q, &how, NULL);
    st = sql_prepare(s, &q, e);
    while (st && (rc = st_step(st, e)) == 1)
        ids_add(out, st_col_int(st, 0));
    st_free(st);
    sql_free(&q);
    if (out->n)
        qsort(out->id, out->n, sizeof *out->id, by_id);
    return rc;
}

/* Those that are in one of two sorted lists alone. */
static void difference(const struct ids *a, const struct ids *b, struct ids *out)
{
    size_t i = 0, k = 0;

    while (i < a->n || k < b->n) {
        if (i < a->n && k < b->n && a->id[i] == b->id[k]) {
            i++;
            k++;
        } else if (k == b->n || (i < a->n && a->id[i] < b->id[k]))
            ids_add(out, a->id[i++]);
        else
            ids_add(out, b->id[k++]);
    }
}

static int find_members(struct walk_run *w, struct err *e)
{
    jv spec AUTO_JV = jv_parse(w->fleet.spec);
    jv sel AUTO_JV = json_get(spec, "selector");
    struct selector compiled = {.nothing = true};
    struct ids want = {0}, have = {0};
    int rc = -1;

    if ((w->r.deleted || selector_from_json(w->a, sel, &compiled, e) == 0) &&
        matching(w->s, w->fleet.org, &compiled, &want, e) == 0 &&
        member_of(w->s, w->fleet.id, false, &have, e) == 0) {
        difference(&want, &have, &w->members);
        rc = 0;
    }
    free(want.id);
    free(have.id);
    return rc;
}

/* What there is to do, read while others may write. 0: nothing. */
static int look(struct walk_run *w, int64_t fleet, struct err *e)
{
    int rc;

    if (db_begin(w->s->db, false, e) < 0)
        return -1;
    if ((rc = res_get_id(w->s, w->a, fleet, &w->fleet, e)) == 1)
        rc = rollout_get(w->s, w->a, fleet, &w->r, e);
    if (rc == 1 && !w->r.walk)
        rc = 0;
    if (rc == 1 && ((w->r.walk & WALK_MEMBERS && find_members(w, e) < 0) ||
        (w->r.walk & WALK_OUTDATE && member_of(w->s, fleet, true, &w->outdate, e) < 0) ||
        (w->r.walk & WALK_STALE && member_of(w->s, fleet, false, &w->stale, e) < 0)))
        rc = -1;
    db_rollback(w->s->db);
    return rc;
}

static int step_members(struct walk_run *w, const int64_t *ids, size_t n, struct err *e)
{
    return membership_recheck(w->s, ids, n, &w->fleet, now_us(), w->o->who, e);
}

static int step_outdate(struct walk_run *w, const int64_t *ids, size_t n, struct err *e)
{
    return many_outdate(w->s, w->fleet.id, ids, n, e);
}

static int step_stale(struct walk_run *w, const int64_t *ids, size_t n, struct err *e)
{
    return stale(w->s, ids, n, e);
}

static int end_step(struct walk_run *w, struct err *e)
{
    if (w->o->alive && w->o->alive(w->o->ctx, e) < 0)
        return -1;
    return store_commit(w->s, e);
}

/* Goes through the devices in bounded transactions. */
static int through(struct walk_run *w, const struct ids *ids,
    int (*step)(struct walk_run *, const int64_t *, size_t, struct err *), struct err *e)
{
    size_t i = 0, last, n;

    while (i < ids->n) {
        int64_t start;
        int moved = 0, rc = 0;

        if (store_begin(w->s, e) < 0)
            return -1;
        start = now_us();
        for (last = i + STEP; i < ids->n && i < last && now_us() - start < STEP_US; i += n) {
            n = ids->n - i < SLICE ? ids->n - i : SLICE;
            if ((rc = step(w, ids->id + i, n, e)) < 0)
                break;
            moved += rc;
        }
        if (rc < 0 || (moved && task_render(w->s, w->fleet.org, e) < 0) || end_step(w, e) < 0) {
            store_rollback(w->s);
            return -1;
        }
        store_pause();
    }
    return 0;
}

static int unbatch(struct walk_run *w, struct err *e)
{
    int64_t n;

    do {
        if (store_begin(w->s, e) < 0)
            return -1;
        n = rollout_unbatch(w->s, w->fleet.id, w->r.version, e);
        if (n < 0 || end_step(w, e) < 0) {
            store_rollback(w->s);
            return -1;
        }
        store_pause();
    } while (n == ROLLOUT_STEP);
    return 0;
}

/* Asks about the fleet that was emptied what its deletion will: a database that keeps what is gone
 * for a while, and reads through it the first time, does so before the write lock is taken. */
static int settle(struct walk_run *w, struct err *e)
{
    struct ids versions = {0};
    int64_t device;
    int rc = member_some(w->s, w->fleet.id, 1, &device, e);

    if (rc >= 0)
        rc = template_list(w->s, &w->fleet, &versions, e);
    for (size_t i = 0; i < versions.n && rc >= 0; i++)
        rc = template_used(w->s, versions.id[i], e);
    free(versions.id);
    return rc < 0 ? -1 : 0;
}

/* The last transaction, unless the fleet was changed meanwhile or there is more of it to delete:
 * then the walk goes on. */
static int finish(struct walk_run *w, struct err *e)
{
    char *key AUTO_FREE = task_key(&w->fleet);
    struct rollout r = {0};
    struct res fleet;
    int rc;

    if ((rc = res_get_id(w->s, w->a, w->fleet.id, &fleet, e)) <= 0 ||
        (rc = rollout_get(w->s, w->a, w->fleet.id, &r, e)) <= 0)
        return rc;
    if (fleet.generation != w->fleet.generation || r.walk != w->r.walk || r.deleted != w->r.deleted)
        return 0;
    if (r.deleted) {
        if (change_delete(w->s, w->a, fleet.org, fleet.kind, fleet.name, w->o->who, e) < 0 ||
            (rc = res_get_id(w->s, w->a, fleet.id, &fleet, e)) < 0)
            return -1;
        return rc ? 0 : task_cancel(w->s, w->fleet.org, key, e);
    }
    if (rollout_walked(w->s, fleet.id, e) < 0 || task_cancel(w->s, w->fleet.org, key, e) < 0)
        return -1;
    return task_rollout(w->s, fleet.org, fleet.name, 0, e);
}

/* 1: there may be more to do; 0: nothing is left. */
static int round_of(struct store *s, int64_t fleet, const struct walk_options *o, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct walk_run w = {.s = s, .o = o, .a = a};
    int rc = look(&w, fleet, e);

    if (rc == 1 && (through(&w, &w.members, step_members, e) < 0 ||
        through(&w, &w.outdate, step_outdate, e) < 0 ||
        through(&w, &w.stale, step_stale, e) < 0 ||
        (w.r.walk & WALK_UNBATCH && unbatch(&w, e) < 0) ||
        (w.r.deleted && settle(&w, e) < 0) || store_begin(s, e) < 0))
        rc = -1;
    if (rc == 1 && (finish(&w, e) < 0 || end_step(&w, e) < 0))
        rc = -1;
    store_rollback(s); /* nothing is left to undo after a commit */
    free(w.members.id);
    free(w.outdate.id);
    free(w.stale.id);
    return rc;
}

int walk_fleet(struct store *s, int64_t fleet, const struct walk_options *o, struct err *e)
{
    int rc;

    while ((rc = round_of(s, fleet, o, e)) == 1)
        ;
    return rc;
}

int walk_all(struct store *s, int64_t org, const struct actor *who, struct err *e)
{
    struct walk_options o = {.who = who};
    int64_t ids[64], after = 0;
    int n, i;

    if (!s->walks)
        return 0;
    do {
        n = rollout_walks(s, org, after, ids, LEN(ids), e);
        for (i = 0; i < n; i++) {
            after = ids[i];
            if (walk_fleet(s, after, &o, e) < 0)
                return -1;
        }
    } while (n == LEN(ids));
    s->walks = false;
    return n < 0 ? -1 : 0;
}
