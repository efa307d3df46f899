/* SPDX-License-Identifier: Apache-2.0 */
/* Which fleets a device belongs to: every fleet's selector is asked, fleets are few. */
#include <string.h>

#include "service/rollout_run.h"
#include "store/many.h"

/* The fleets of an organization from the oldest to the newest, with parsed selectors, kept for the
 * length of a transaction. */
struct fleet {
    int64_t id;
    const char *name;
    struct selector sel;
    int64_t joining; /* template version that a device gets when it joins; 0: none, -1: not known */
    bool deleted;    /* its devices leave it */
    bool woken;      /* a task looks at its rollout after this transaction */
};
struct fleet_cache {
    struct arena *a;
    int64_t org;
    struct fleet *fleet;
    size_t n;
};

static void cache_free(void *p)
{
    struct fleet_cache *c = p;

    arena_free(c->a);
    free(c->fleet);
    free(c);
}

static struct fleet_cache *fleets_of(struct store *s, int64_t org, struct err *e)
{
    struct fleet_cache *c = s->cache;
    struct stmt *st;
    int rc;

    if (c && c->org == org)
        return c;
    store_cache_drop(s);
    if (!(st = db_stmt(s->db, SQL_fleet_list, e)))
        return NULL;
    c = xcalloc(1, sizeof *c);
    c->a = arena_new();
    c->org = org;
    st_int(st, 1, org);
    while ((rc = st_step(st, e)) == 1) {
        jv spec AUTO_JV = jv_parse(st_col_text(st, 3, NULL));
        jv sel AUTO_JV = json_get(spec, "selector");

        c->fleet = xreallocarray(c->fleet, c->n + 1, sizeof *c->fleet);
        c->fleet[c->n] = (struct fleet){.id = st_col_int(st, 0),
            .name = arena_strdup(c->a, st_col_text(st, 1, NULL)), .joining = -1};
        if ((c->fleet[c->n].deleted = st_col_int(st, 4)))
            c->fleet[c->n].sel.nothing = true;
        else if (selector_from_json(c->a, sel, &c->fleet[c->n].sel, e) < 0) {
            st_reset(st);
            rc = -1;
            break;
        }
        c->n++;
    }
    if (rc < 0) {
        cache_free(c);
        return NULL;
    }
    s->cache = c;
    s->cache_free = cache_free;
    return c;
}

int64_t rollout_joining(const struct rollout *r)
{
    if (r->state.status == ROLLOUT_COMPLETED ||
        (r->state.status == ROLLOUT_FAILED && !r->completed))
        return r->version;
    return r->completed;
}

static int know_joining(struct store *s, struct arena *a, struct fleet *f, struct err *e)
{
    struct rollout r = {0};

    if (f->joining < 0) {
        if (rollout_get(s, a, f->id, &r, e) < 0)
            return -1;
        f->joining = rollout_joining(&r);
    }
    return 0;
}

static int join(struct store *s, struct arena *a, int64_t device, struct fleet *f, int64_t now,
    struct err *e)
{
    return know_joining(s, a, f, e) < 0 ? -1 : member_add(s, device, f->id, f->joining, now, e);
}

/* A rollout may end when a device has left, or go on to one that came or that is free again. */
static int wake(struct store *s, int64_t org, struct fleet *f, struct err *e)
{
    if (f->woken)
        return 0;
    f->woken = true;
    return task_rollout(s, org, f->name, 0, e);
}

/* An event of one device: now, or with those of many. */
static int tell(struct store *s, const struct res *device, struct many *m, const struct actor *who,
    struct event ev, struct err *e)
{
    if (!m)
        return event_of(s, device, who, ev, e);
    ev.kind = KIND_DEVICE;
    ev.name = device->name;
    ev.details = arena_strdup(m->a, ev.details);
    many_event(m, &ev);
    return 0;
}

static int owner_changed(struct store *s, const struct res *device, const char *owner,
    struct many *m, const struct actor *who, struct err *e)
{
    struct buf d AUTO_BUF = BUF_INIT;

    buf_adds(&d, "{\"detailType\":\"DeviceOwnershipChanged\",\"newOwner\":");
    if (owner)
        buf_add_jsons(&d, owner);
    else
        buf_adds(&d, "null");
    buf_adds(&d, ",\"previousOwner\":");
    if (device->owner)
        buf_add_jsons(&d, device->owner);
    else
        buf_adds(&d, "null");
    buf_addc(&d, '}');
    if (m)
        many_set_owner(m, device->id, owner);
    else if (res_set_owner(s, device->id, owner, e) < 0)
        return -1;
    return tell(s, device, m, who, (struct event){.reason = "ResourceUpdated",
        .message = "The owner of the device changed.", .details = d.p}, e);
}

/* "[NAME,...]" of those fleets of the cache that are marked, the oldest first. */
static void add_names(struct buf *b, const struct fleet_cache *c, const bool *marked)
{
    size_t i;

    buf_addc(b, '[');
    for (i = 0; i < c->n; i++)
        if (marked[i]) {
            if (b->p[b->len - 1] != '[')
                buf_addc(b, ',');
            buf_add_jsons(b, c->fleet[i].name);
        }
    buf_addc(b, ']');
}

/* owner: the device's from now on; n: in how many fleets it is. */
static int overlap_changed(struct store *s, const struct fleet_cache *c, const struct res *device,
    const bool *was, const bool *is, size_t n, const char *owner, struct many *m, int64_t now,
    const struct actor *who, struct err *e)
{
    struct buf d AUTO_BUF = BUF_INIT;
    bool deleted = false;
    size_t i;

    if (m)
        ids_add(&m->overlap, device->id);
    else if (device_overlap(s, device->id, now, e) < 0)
        return -1;
    if (n > 1) {
        buf_adds(&d, "{\"detailType\":\"DeviceMultipleOwnersDetected\",\"matchingFleets\":");
        add_names(&d, c, is);
        buf_addc(&d, '}');
        return tell(s, device, m, who, (struct event){.reason = "DeviceMultipleOwnersDetected",
            .type = "Warning", .details = d.p,
            .message = "More than one fleet matches the device; all of them are merged."}, e);
    }
    for (i = 0; i < c->n; i++)
        deleted = deleted || (was[i] && !is[i] && c->fleet[i].deleted);
    buf_addc(&d, '{');
    if (owner) {
        buf_adds(&d, "\"assignedOwner\":");
        buf_add_jsons(&d, owner);
        buf_addc(&d, ',');
    }
    buf_adds(&d, "\"detailType\":\"DeviceMultipleOwnersResolved\",\"previousMatchingFleets\":");
    add_names(&d, c, was);
    buf_printf(&d, ",\"resolutionType\":\"%s\"}", deleted ? "FleetDeleted" :
        n ? "SingleMatch" : "NoMatch");
    return tell(s, device, m, who, (struct event){.reason = "DeviceMultipleOwnersResolved",
        .message = "At most one fleet matches the device.", .details = d.p}, e);
}

/* Which fleets of the cache a device is in. */
static bool *belongs(struct arena *a, const struct fleet_cache *c, const struct member *m, int n)
{
    bool *is = arena_alloc(a, c->n * sizeof *is + 1);
    size_t i;
    int k;

    for (i = 0; i < c->n; i++)
        for (k = 0; k < n && !is[i]; k++)
            is[i] = m[k].fleet == c->fleet[i].id;
    return is;
}

/* Membership of one fleet. */
static int toggle(struct store *s, struct arena *a, int64_t device, struct fleet *f, bool joins,
    struct many *m, int64_t now, struct err *e)
{
    if (m)
        ids_add(joins ? &m->join : &m->leave, device);
    else if (joins)
        return join(s, a, device, f, now, e);
    else
        return member_del(s, device, f->id, e);
    return 0;
}

/* Takes a device from the fleets where it was to those where it shall be: memberships, owner,
 * overlap, rollouts. With many it is one of them, and only one fleet differs: what is to be written
 * is added there. 1: something changed. */
static int move(struct store *s, struct arena *a, struct fleet_cache *c, const struct res *device,
    const bool *was, const bool *shall, struct many *m, int64_t now, const struct actor *who,
    struct err *e)
{
    const char **names = arena_alloc(a, (c->n + 1) * sizeof *names), *owner = NULL;
    size_t i, before = 0, after = 0;
    bool changed = false;

    for (i = 0; i < c->n; i++) {
        before += was[i];
        if (shall[i])
            names[after++] = c->fleet[i].name;
        if (was[i] == shall[i])
            continue;
        changed = true;
        if (toggle(s, a, device->id, &c->fleet[i], shall[i], m, now, e) < 0)
            return -1;
    }
    for (i = 0; changed && i < c->n; i++)
        if ((was[i] || shall[i]) && wake(s, device->org, &c->fleet[i], e) < 0)
            return -1;
    if (after)
        owner = arena_printf(a, "Fleet/%s", names[after - 1]);
    if (strcmp(owner ? owner : "", device->owner ? device->owner : "") != 0 &&
        owner_changed(s, device, owner, m, who, e) < 0)
        return -1;
    if ((after > 1) != (before > 1) && overlap_changed(s, c, device, was, shall, after, owner,
        m, now, who, e) < 0)
        return -1;
    return changed;
}

int membership_of_device(struct store *s, struct arena *a, const struct res *device, bool created,
    int64_t now, const struct actor *who, struct err *e)
{
    struct fleet_cache *c = fleets_of(s, device->org, e);
    jv labels AUTO_JV = jv_parse(device->labels);
    bool gone = device_decommissioned(device);
    struct member *m = NULL;
    bool *was, *shall;
    size_t i;
    int n = 0;

    if (!c || (!created && (n = member_list(s, a, device->id, &m, e)) < 0))
        return -1;
    was = belongs(a, c, m, n);
    shall = arena_alloc(a, c->n * sizeof *shall + 1);
    for (i = 0; i < c->n; i++)
        shall[i] = !gone && selector_match(&c->fleet[i].sel, labels);
    return move(s, a, c, device, was, shall, NULL, now, who, e);
}

static struct fleet *find(struct fleet_cache *c, int64_t id)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->fleet[i].id == id)
            return &c->fleet[i];
    return NULL;
}

/* One of them: 1 when it moves, with what is to be written of it. */
static int recheck(struct store *s, struct fleet_cache *c, const struct fleet *f,
    const struct many_device *d, struct many *m, int64_t now, const struct actor *who,
    struct err *e)
{
    jv labels AUTO_JV = jv_parse(d->r.labels);
    bool *was = arena_alloc(m->a, c->n * sizeof *was + 1);
    bool *shall = arena_alloc(m->a, c->n * sizeof *shall + 1);
    size_t i, k;

    for (i = 0; i < c->n; i++) {
        for (k = 0; k < d->nfleet && !was[i]; k++)
            was[i] = d->fleet[k] == c->fleet[i].id;
        shall[i] = was[i];
    }
    i = (size_t)(f - c->fleet);
    shall[i] = selector_match(&f->sel, labels);
    if (shall[i] == was[i])
        return 0;
    ids_add(&m->stale, d->r.id);
    return move(s, m->a, c, &d->r, was, shall, m, now, who, e);
}

int membership_recheck(struct store *s, const int64_t *ids, size_t n, const struct res *fleet,
    int64_t now, const struct actor *who, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct many_device *d = arena_alloc(a, (n + 1) * sizeof *d);
    struct fleet_cache *c = fleets_of(s, fleet->org, e);
    struct fleet *f = c ? find(c, fleet->id) : NULL;
    struct many m = {.a = a};
    int rc = 0, moved = 0, found, i;

    if (!c || (found = many_devices(s, a, ids, n, d, e)) < 0)
        return -1;
    for (i = 0; f && i < found && rc >= 0; i++) {
        rc = recheck(s, c, f, &d[i], &m, now, who, e);
        moved += rc;
    }
    if (rc >= 0 && m.join.n)
        rc = know_joining(s, a, f, e);
    if (rc >= 0 && moved)
        rc = many_write(s, &m, fleet->org, fleet->id, f->joining, now, who, e);
    many_free(&m);
    return rc < 0 ? -1 : moved;
}
