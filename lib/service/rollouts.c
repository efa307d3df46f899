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

    return rollout_plan(s, a, s->org, fleet, doc, p->now, names, &b, &n, e) < 0 ? -1 :
        p->each(p->ctx, fleet, b, n, e);
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

static int step_one(struct store *s, const struct rollout_moves *m, const char *fleet, struct err *e)
{
    struct rollout_advance o = {.who = m->who, .dry_run = m->dry_run};
    char *detail AUTO_FREE = NULL;

    do {
        if (o.more)
            store_pause();
        if (rollout_advance(s, s->org, fleet, &o, e) < 0)
            return -1;
    } while (o.more && !o.dry_run);
    detail = xasprintf("%s%s%s", rollout_status_name(o.status), *o.why ? ": " : "", o.why);
    m->each(m->ctx, fleet, o.moved ? "advanced" : "unchanged", detail);
    return 0;
}

static int retry_one(struct store *s, const struct rollout_moves *m, const char *fleet,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *version;
    int64_t n;

    if (rollout_retry(s, a, s->org, fleet, m->dry_run, m->who, &version, &n, e) < 0)
        return -1;
    m->each(m->ctx, fleet, "retried", arena_printf(a, "%s is issued again to %" PRId64 " device%s",
        version, n, n == 1 ? "" : "s"));
    return 0;
}

int rollouts_move(struct store *s, const struct targets *fleets, const struct rollout_moves *m,
    struct err *e)
{
    for (size_t i = 0; i < fleets->n; i++)
        if ((m->retry ? retry_one : step_one)(s, m, fleets->v[i].name, e) < 0)
            return -1;
    return 0;
}
