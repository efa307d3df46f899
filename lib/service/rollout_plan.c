/* SPDX-License-Identifier: Apache-2.0 */
/* What the batches of a rollout would be: the decisions alone, on what one look at the store finds. */
#include <string.h>

#include "service/rollout_run.h"

struct planned {
    const char *name;
    const bool *match; /* by batch: does its selector match? */
    int batch;         /* that it is in, or -1 */
    bool has, pending; /* the version; without a report on it */
    bool free;         /* no other fleet's assignment is pending */
    bool connected;
};

struct plan {
    struct rollout_run r;
    int64_t now, joining;
    bool anew;             /* what batches devices are in now does not count */
    struct selector *only; /* of each batch, for those that have one */
    struct planned *v;
    size_t n;
};

static bool differ(jv a, jv b, const char *member)
{
    AUTO_JV jv x = json_get(a, member), y = json_get(b, member);

    return !jv_equal(jv_copy(x), jv_copy(y));
}

/* The rollout that applying the document would leave. *sel: what picks the fleet's devices then, or
 * NULL for those that it has. */
static int of_document(struct plan *p, int64_t org, const char *fleet, jv doc,
    struct selector **sel, struct err *e)
{
    struct rollout_run *r = &p->r;
    jv old AUTO_JV = jv_invalid(), selector AUTO_JV = jv_invalid();
    int rc = res_get(r->s, r->a, org, kind_by_id(KIND_FLEET), fleet, &r->fleet, e);
    bool template;

    if (rc < 0 || (rc && (change_check_version(&r->fleet, doc, e) < 0 ||
        rollout_get(r->s, r->a, r->fleet.id, &r->o, e) < 0)))
        return -1;
    if (r->o.deleted)
        return err_set(e, FC_CONFLICT, "Fleet of name \"%s\" is being deleted", fleet);
    old = rc && r->fleet.spec ? jv_parse(r->fleet.spec) : jv_object();
    r->spec = json_has(doc, "spec") ? json_get(doc, "spec") : jv_copy(old);
    if (rollout_policy_of(r->a, r->spec, &r->policy, e) < 0)
        return -1;
    template = !rc || differ(old, r->spec, "template");
    p->anew = template || (r->o.state.status != ROLLOUT_COMPLETED && (!r->o.digest ||
        strcmp(r->o.digest, r->policy.digest) != 0));
    if (template)
        r->o.version = -1;
    if (p->anew)
        r->o.state = (struct rollout_state){ROLLOUT_PENDING, -1};
    if (rc && !differ(old, r->spec, "selector") && !(r->o.walk & WALK_MEMBERS))
        return 0;
    selector = json_get(r->spec, "selector");
    *sel = arena_alloc(r->a, sizeof **sel);
    return selector_from_json(r->a, selector, *sel, e);
}

static int of_store(struct plan *p, int64_t org, const char *fleet, struct selector **sel,
    struct err *e)
{
    jv selector AUTO_JV = jv_invalid();

    if (rollout_open(&p->r, org, fleet, e) < 0)
        return -1;
    if (!(p->r.o.walk & WALK_MEMBERS) || p->r.o.deleted)
        return 0;
    selector = json_get(p->r.spec, "selector");
    *sel = arena_alloc(p->r.a, sizeof **sel);
    return selector_from_json(p->r.a, selector, *sel, e);
}

static int parse_selectors(struct plan *p, struct err *e)
{
    const struct rollout_policy *policy = &p->r.policy;

    p->only = arena_alloc(p->r.a, (policy->n + 1) * sizeof *p->only);
    for (size_t i = 0; i < policy->n; i++)
        if (jv_is_valid(policy->batch[i].selector) &&
            selector_from_json(p->r.a, policy->batch[i].selector, &p->only[i], e) < 0)
            return -1;
    return 0;
}

static void add(void *ctx, const struct rollout_member *m)
{
    struct plan *p = ctx;
    const struct rollout_policy *policy = &p->r.policy;
    bool *match = arena_alloc(p->r.a, policy->n + 1);
    jv labels AUTO_JV = jv_invalid();
    struct planned *d;

    for (size_t i = 0; i < policy->n; i++) {
        bool any = !jv_is_valid(policy->batch[i].selector);

        if (!any && !jv_is_valid(labels))
            labels = jv_parse(m->labels);
        match[i] = any || selector_match(&p->only[i], labels);
    }
    if ((p->n & (p->n - 1)) == 0) /* full at each power of two */
        p->v = xreallocarray(p->v, p->n ? 2 * p->n : 1, sizeof *p->v);
    d = &p->v[p->n++];
    *d = (struct planned){
        .name = arena_strdup(p->r.a, m->name),
        .match = match,
        .batch = p->anew ? -1 : m->batch,
        .has = (m->member ? m->assigned : p->joining) == p->r.o.version,
        .free = !m->busy,
        .connected = m->connected,
    };
    d->pending = d->has && (!m->member || m->state == ASSIGN_PENDING);
}

/* Those that a batch of the sequence takes, in order of their names. */
static void plan_batch(struct plan *p, size_t index)
{
    int64_t matching = 0, already = 0, candidates = 0, left;
    size_t i;

    for (i = 0; i < p->n; i++) {
        const struct planned *d = &p->v[i];

        matching += d->match[index];
        already += d->match[index] && d->has;
        candidates += d->match[index] && !d->has && d->free && d->connected;
    }
    left = rollout_batch_size(&p->r.policy.batch[index], matching, already, candidates);
    for (i = 0; i < p->n && left > 0; i++) {
        struct planned *d = &p->v[i];

        if (d->match[index] && !d->has && d->free && d->connected) {
            d->has = true;
            d->batch = (int)index;
            left--;
        }
    }
}

static void plan_last(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct planned *d = &p->v[i];

        if ((!d->has && d->free) || (d->pending && d->batch < 0))
            d->batch = (int)p->r.policy.n;
    }
}

static void show(struct plan *p, int index, int64_t max, struct rollout_plan_batch *b)
{
    const struct rollout_policy *policy = &p->r.policy;

    rollout_batch_name(policy, index, b->label);
    b->threshold = index == 0 ? 0 : (size_t)index == policy->n ? policy->threshold :
        policy->batch[index].threshold;
    for (size_t i = 0; i < p->n; i++) /* with those that have it already */
        b->total += p->v[i].batch == index;
    b->names = arena_alloc(p->r.a, (size_t)(b->total < max ? b->total : max) * sizeof *b->names + 1);
    for (size_t i = 0; i < p->n && b->nnames < max; i++)
        if (p->v[i].batch == index)
            b->names[b->nnames++] = p->v[i].name;
}

/* In one transaction. */
static int read_all(struct plan *p, int64_t org, const char *fleet, jv doc, struct err *e)
{
    struct selector *sel = NULL;

    if ((jv_is_valid(doc) ? of_document(p, org, fleet, doc, &sel, e) :
        of_store(p, org, fleet, &sel, e)) < 0 || parse_selectors(p, e) < 0)
        return -1;
    p->joining = rollout_joining(&p->r.o);
    return rollout_members(p->r.s, org, p->r.fleet.id, sel, p->now, add, p, e);
}

int rollout_plan(struct store *s, struct arena *a, int64_t org, const char *fleet, jv doc,
    int64_t now, int64_t max, struct rollout_plan_batch **out, size_t *n, struct err *e)
{
    struct plan p = {.r = {.s = s, .a = a, .spec = jv_invalid()}, .now = now};
    int rc;

    if (db_attach_seen(s->db, e) < 0 || db_begin(s->db, false, e) < 0)
        return -1;
    rc = read_all(&p, org, fleet, doc, e);
    db_rollback(s->db);
    if (rc == 0) {
        *n = p.r.policy.n + 1;
        *out = arena_alloc(a, *n * sizeof **out);
        for (size_t i = 0; i < p.r.policy.n; i++)
            plan_batch(&p, i);
        plan_last(&p);
        for (size_t i = 0; i < *n; i++)
            show(&p, (int)i, max, *out + i);
    }
    free(p.v);
    jv_free(p.r.spec);
    return rc;
}
