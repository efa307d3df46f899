/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rollouts.h"

#include <inttypes.h>

int rollouts_find(struct targets *t, struct store *s, struct arena *a, int argc, char **argv,
    struct err *e)
{
    const struct kind *k = kind_by_id(KIND_FLEET);
    struct res res;

    if (!argc)
        return targets_select(t, s, a, k, NULL, e);
    for (int i = 0; i < argc; i++) {
        const char *name = target_name(k, argv[i], e);
        int rc;

        if (!name || (rc = res_get(s, a, s->org, k, name, &res, e)) < 0)
            return -1;
        if (rc == 0)
            return target_missing(k, name, e);
        targets_add(t, k, name);
    }
    return 0;
}

/* --- plans ------------------------------------------------------------------------------------ */

static int plan_one(struct store *s, const struct rollout_plans *p, const char *fleet, jv doc,
    int64_t names, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct rollout_plan_batch *b;
    size_t n;
    int rc;

    if (store_begin(s, e) < 0)
        return -1;
    rc = rollout_plan(s, a, s->org, fleet, doc, p->now, names, p->who, &b, &n, e);
    store_rollback(s);
    return rc < 0 ? -1 : p->each(p->ctx, fleet, b, n, e);
}

int rollouts_plan(struct store *s, const struct rollout_plans *p, struct err *e)
{
    struct res_query q = {.org = s->org, .kind = kind_by_id(KIND_DEVICE)};
    int64_t devices = res_count(s, &q, 0, e);
    int64_t names = p->names == 0 || p->names > devices ? devices : p->names;

    if (devices < 0)
        return -1;
    for (size_t i = 0; i < p->ndocs; i++)
        if (plan_one(s, p, json_str(p->docs[i], "metadata.name"), p->docs[i], names, e) < 0)
            return -1;
    for (size_t i = 0; i < p->fleets->n; i++)
        if (plan_one(s, p, p->fleets->v[i].name, jv_invalid(), names, e) < 0)
            return -1;
    return 0;
}

/* --- moves ------------------------------------------------------------------------------------ */

struct moved {
    const char *change, *detail;
    bool more; /* devices are left for another transaction */
    int64_t n; /* issued again until now */
    int steps; /* transactions; each has a time of its own, which it knows its devices by */
};

static int step_one(struct store *s, struct arena *a, const struct rollout_moves *m,
    const char *fleet, struct moved *out, struct err *e)
{
    struct rollout_report p;
    bool moved;
    int rc = rollout_advance(s, a, s->org, fleet, m->now + out->steps++, m->who, &moved, e);

    out->more = rc > 0;
    if (rc < 0 || rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    if (moved || !out->change)
        out->change = moved ? "advanced" : "unchanged";
    out->detail = arena_printf(a, "%s%s%s", rollout_status_name(p.status), p.why ? ": " : "",
        p.why ? p.why : "");
    return 0;
}

static int retry_one(struct store *s, struct arena *a, const struct rollout_moves *m,
    const char *fleet, struct moved *out, struct err *e)
{
    struct err none = {FC_OK, ""};
    struct rollout_report p;
    int64_t n;

    if (rollout_retry_fleet(s, a, s->org, fleet, m->now + out->steps++, m->who, &n, &none) < 0 &&
        (none.code != FC_CONFLICT || !out->n))
        return err_set(e, none.code, "%s", none.msg);
    if (rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    out->more = n == ROLLOUT_STEP;
    n = out->n += n;
    out->change = "retried";
    out->detail = arena_printf(a, "%s is issued again to %" PRId64 " device%s", p.version, n,
        n == 1 ? "" : "s");
    return 0;
}

/* One fleet, in as many transactions as it takes. */
static int move_one(struct store *s, struct arena *a, const struct rollout_moves *m,
    const char *fleet, struct moved *out, struct err *e)
{
    int rc;

    do {
        if (out->more)
            store_pause();
        if (store_begin(s, e) < 0)
            return -1;
        rc = (m->retry ? retry_one : step_one)(s, a, m, fleet, out, e);
        if (rc == 0 && !m->dry_run)
            rc = store_commit(s, e);
        store_rollback(s); /* nothing is left to undo after a commit */
    } while (rc == 0 && out->more && !m->dry_run);
    return rc;
}

int rollouts_move(struct store *s, const struct targets *fleets, const struct rollout_moves *m,
    struct err *e)
{
    for (size_t i = 0; i < fleets->n; i++) {
        struct arena *a AUTO_ARENA = arena_new();
        struct moved moved = {0};

        if (move_one(s, a, m, fleets->v[i].name, &moved, e) < 0)
            return -1;
        m->each(m->ctx, fleets->v[i].name, moved.change, moved.detail);
    }
    return 0;
}
