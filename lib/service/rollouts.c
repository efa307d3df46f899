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
};

static int step_one(struct store *s, struct arena *a, const struct rollout_moves *m,
    const char *fleet, struct moved *out, struct err *e)
{
    struct rollout_report p;
    bool moved;

    if (rollout_advance(s, a, s->org, fleet, m->now, m->who, &moved, e) < 0 ||
        rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    out->change = moved ? "advanced" : "unchanged";
    out->detail = arena_printf(a, "%s%s%s", rollout_status_name(p.status), p.why ? ": " : "",
        p.why ? p.why : "");
    return 0;
}

static int retry_one(struct store *s, struct arena *a, const struct rollout_moves *m,
    const char *fleet, struct moved *out, struct err *e)
{
    struct rollout_report p;
    int64_t n;

    if (rollout_retry_fleet(s, a, s->org, fleet, m->now, m->who, &n, e) < 0 ||
        rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    out->change = "retried";
    out->detail = arena_printf(a, "%s is issued again to %" PRId64 " device%s", p.version, n,
        n == 1 ? "" : "s");
    return 0;
}

int rollouts_move(struct store *s, const struct targets *fleets, const struct rollout_moves *m,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct moved *moved = xcalloc(fleets->n + 1, sizeof *moved);
    int rc = store_begin(s, e);
    size_t i;

    for (i = 0; i < fleets->n && rc == 0; i++)
        rc = (m->retry ? retry_one : step_one)(s, a, m, fleets->v[i].name, &moved[i], e);
    if (rc == 0 && !m->dry_run)
        rc = store_commit(s, e);
    store_rollback(s); /* nothing is left to undo after a commit */
    for (i = 0; i < fleets->n && rc == 0; i++)
        m->each(m->ctx, fleets->v[i].name, moved[i].change, moved[i].detail);
    free(moved);
    return rc;
}
