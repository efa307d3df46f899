/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts: lib/fleet decides, lib/store moves assigned versions, this carries one to the other. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/service.h"

enum { SOURCES_STEP = 100 }; /* fleets that are judged anew in one transaction */

static int fleet_get(struct store *s, struct arena *a, int64_t org, const char *name, struct res *r,
    struct err *e)
{
    int rc = res_get(s, a, org, kind_by_id(KIND_FLEET), name, r, e);

    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "Fleet of name \"%s\" not found", name);
    return rc < 0 ? -1 : 0;
}

static int policy_of(struct arena *a, jv spec, struct rollout_policy *p, struct err *e)
{
    jv policy AUTO_JV = json_get(spec, "rolloutPolicy");

    if (rollout_policy_parse(a, policy, p, e) < 0)
        return err_wrap(e, "spec.rolloutPolicy");
    return 0;
}

/* --- a new version ---------------------------------------------------------------------------- */

/* The first configuration source that does not exist makes the fleet invalid; NULL: none. */
static int problem_of(struct store *s, struct arena *a, int64_t org, jv template, const char **why,
    struct err *e)
{
    static const char *const refs[] = {"gitRef.repository", "httpRef.repository"};
    jv config AUTO_JV = json_get(template, "config");
    const char *missing = NULL;
    int rc = 0;

    if (jv_get_kind(config) == JV_KIND_ARRAY)
        jv_array_foreach(config, i, provider) {
            size_t k;

            for (k = 0; k < LEN(refs) && rc >= 0 && !missing; k++) {
                const char *name = json_str(provider, refs[k]);
                struct res repo;

                if (!name)
                    continue;
                rc = res_get(s, a, org, kind_by_id(KIND_REPOSITORY), name, &repo, e);
                if (rc == 0)
                    missing = arena_printf(a, "spec.template.spec.config[%d]: Repository of name "
                        "\"%s\" not found", i, name);
            }
            jv_free(provider);
        }
    *why = missing;
    return rc < 0 ? -1 : 0;
}

static int fleet_event(struct store *s, const struct res *fleet, const char *reason,
    const char *type, const char *message, const char *details, const struct actor *who,
    struct err *e)
{
    struct event ev = {.kind = KIND_FLEET, .name = fleet->name, .reason = reason, .type = type,
        .message = message, .details = details};

    return events_add(s, fleet->org, who, &ev, e);
}

static int add_version(struct store *s, struct arena *a, const struct res *fleet, jv template,
    int64_t now, const struct actor *who, struct res *tv, struct err *e)
{
    jv status AUTO_JV = jv_copy(template);
    struct buf text AUTO_BUF = BUF_INIT, spec AUTO_BUF = BUF_INIT;
    char at[TIME_LEN];

    time_format(now, at);
    json_set(&status, "conditions", jv_array());
    json_sets(&status, "updatedAt", at);
    json_canon(&text, status);
    buf_adds(&spec, "{\"fleet\":");
    buf_add_jsons(&spec, fleet->name);
    buf_addc(&spec, '}');
    *tv = (struct res){
        .org = fleet->org,
        .kind = kind_by_id(KIND_TEMPLATEVERSION),
        .name = arena_printf(a, "%s/v%lld", fleet->name, (long long)fleet->generation),
        .owner = arena_printf(a, "Fleet/%s", fleet->name),
        .labels = "{}",
        .annotations = "{}",
        .spec = arena_strndup(a, spec.p, spec.len),
        .status = arena_strndup(a, text.p, text.len),
    };
    if (res_insert(s, a, tv, e) < 0)
        return -1;
    return event_of(s, tv, who, (struct event){.reason = "ResourceCreated",
        .message = "The fleet's template changed."}, e);
}

int rollout_fleet_changed(struct store *s, struct arena *a, const struct res *fleet,
    bool template_changed, int64_t now, const struct actor *who, struct err *e)
{
    jv spec AUTO_JV = jv_parse(fleet->spec), template AUTO_JV = json_at(spec, "template.spec");
    struct rollout_policy policy;
    struct rollout o = {0};
    const char *problem;
    int64_t left = 0;
    bool was_valid;
    struct res tv;

    if (policy_of(a, spec, &policy, e) < 0 || rollout_get(s, a, fleet->id, &o, e) < 0 ||
        problem_of(s, a, fleet->org, template, &problem, e) < 0)
        return -1;
    was_valid = o.fleet && !o.problem;
    if (!o.fleet || was_valid != !problem) {
        o.problem_since = now;
        if (fleet_event(s, fleet, problem ? "FleetInvalid" : "FleetValid",
            problem ? "Warning" : "Normal", problem ? problem : "The fleet is valid.", NULL, who,
            e) < 0)
            return -1;
    }
    o.problem = problem;
    o.fleet = fleet->id;
    if (template_changed) {
        if (add_version(s, a, fleet, template, now, who, &tv, e) < 0)
            return -1;
        o.version = tv.id;
    }
    if (template_changed || (o.state.status != ROLLOUT_COMPLETED && (!o.digest ||
        strcmp(o.digest, policy.digest) != 0))) {
        if (!template_changed && (left = rollout_unbatch(s, fleet->id, o.version, e)) < 0)
            return -1;
        o.state = (struct rollout_state){ROLLOUT_PENDING, -1};
        o.started = o.changed = now;
        o.remaining = 0;
        o.why = NULL;
        if (fleet_event(s, fleet, "FleetRolloutCreated", "Normal", "A rollout is to begin.", NULL,
            who, e) < 0)
            return -1;
    }
    o.digest = policy.digest;
    store_cache_drop(s); /* which version a device gets that joins has changed */
    if (rollout_put(s, &o, e) < 0 || task_rollout(s, fleet->org, fleet->name, 0, e) < 0 ||
        (left == ROLLOUT_STEP && walk_later(s, fleet, WALK_UNBATCH, who, e) < 0))
        return -1;
    return template_changed ? walk_outdate(s, fleet, who, e) : 0;
}

int rollout_sources_step(struct store *s, struct arena *a, int64_t org, const char *from,
    int64_t now, const struct actor *who, struct err *e)
{
    struct res_query q = {.org = org, .kind = kind_by_id(KIND_FLEET), .from = from,
        .limit = SOURCES_STEP + 1};
    const char *name[SOURCES_STEP + 1];
    struct res_iter *it;
    struct res fleet;
    int rc, n = 0, i;

    if (res_list(s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &fleet, e)) == 1)
        name[n++] = arena_strdup(a, fleet.name);
    res_list_end(it);
    for (i = 0; rc == 0 && i < n && i < SOURCES_STEP; i++)
        if (fleet_get(s, a, org, name[i], &fleet, e) < 0 ||
            rollout_fleet_changed(s, a, &fleet, false, now, who, e) < 0)
            rc = -1;
    return rc == 0 && n > SOURCES_STEP ? task_sources(s, org, name[SOURCES_STEP], e) : rc;
}

int rollout_sources_changed(struct store *s, int64_t org, int64_t now, const struct actor *who,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();

    return rollout_sources_step(s, a, org, NULL, now, who, e);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* One rollout on its way, with what each step needs. */
struct run {
    struct store *s;
    struct arena *a;
    struct res fleet;
    jv spec;
    struct rollout_policy policy;
    struct rollout o;
    int64_t now;
    const struct actor *who;
    bool moved;
    const char **selected; /* names of the devices that got the version now */
    size_t nselected;
    bool more; /* devices were left for the next transaction */
};

static const char *version_name(const struct run *r)
{
    return strchr(r->o.version_name, '/') + 1;
}

static int batch_event(struct run *r, const char *reason, const char *detail, int batch,
    const struct rollout_counts *c, const char *message, struct err *e)
{
    struct buf d AUTO_BUF = BUF_INIT;
    char name[64];

    buf_printf(&d, "{\"detailType\":\"%s\",\"templateVersion\":\"%s\"", detail, version_name(r));
    if (batch >= 0)
        buf_printf(&d, ",\"batch\":\"%s\"", rollout_batch_name(&r->policy, batch, name));
    if (c)
        buf_printf(&d, ",\"failed\":%lld,\"successPercentage\":%lld,\"successful\":%lld,"
            "\"timedOut\":%lld,\"total\":%lld", (long long)c->failed,
            (long long)(c->total ? c->succeeded * 100 / c->total : 100), (long long)c->succeeded,
            (long long)c->timedout, (long long)c->total);
    if (strcmp(detail, "FleetRolloutStarted") == 0)
        buf_printf(&d, ",\"rolloutStrategy\":\"%s\"", r->policy.n ? "Batched" : "None");
    buf_addc(&d, '}');
    return fleet_event(r->s, &r->fleet, reason, strcmp(detail, "FleetRolloutFailed") == 0 ?
        "Warning" : "Normal", message, d.p, r->who, e);
}

static bool in_last_batch(const struct run *r)
{
    return r->o.state.batch >= 0 && (size_t)r->o.state.batch >= r->policy.n;
}

/* The current batch takes in devices: as many as it has left, one that is the last all there are,
 * also those that another fleet was busy with or that came later, when they are free. */
static int fill_batch(struct run *r, struct err *e)
{
    bool last = in_last_batch(r);
    int64_t want = last || r->o.remaining > ROLLOUT_STEP ? ROLLOUT_STEP : r->o.remaining, n;

    if (want == 0)
        return 0;
    n = rollout_assign(r->s, r->a, r->fleet.org, r->fleet.id, r->o.version, r->o.state.batch,
        last ? NULL : &r->policy.batch[r->o.state.batch], want, r->now, e);
    if (n < 0)
        return -1;
    if (!last)
        r->o.remaining = n < want ? 0 : r->o.remaining - n;
    r->more = last ? n == want : r->o.remaining > 0;
    if (n == 0)
        return 0;
    r->moved = true;
    return task_render(r->s, r->fleet.org, e);
}

static int start_batch(struct run *r, const struct rollout_action *act,
    const struct rollout_counts *ended, struct err *e)
{
    const struct batch *b = act->final ? NULL : &r->policy.batch[act->batch];
    char name[64], message[128];
    int64_t n;

    if (r->o.state.status == ROLLOUT_PENDING && batch_event(r, "FleetRolloutStarted",
        "FleetRolloutStarted", -1, NULL, "The rollout started.", e) < 0)
        return -1;
    if (r->o.state.batch >= 0 && ended->total && batch_event(r, "FleetRolloutBatchCompleted",
        "FleetRolloutBatchCompleted", r->o.state.batch, ended, act->why, e) < 0)
        return -1;
    r->o.state = (struct rollout_state){ROLLOUT_INPROGRESS, act->batch};
    r->o.remaining = b ? rollout_size(r->s, r->a, r->fleet.org, r->fleet.id, r->o.version, b,
        r->now, e) : 0;
    n = r->o.remaining < 0 ? -1 : b ? r->o.remaining : rollout_free(r->s, r->fleet.id, r->o.version,
        e);
    if (n < 0)
        return -1;
    snprintf(message, sizeof message, "%s: %lld devices", rollout_batch_name(&r->policy, act->batch,
        name), (long long)n);
    if (n && batch_event(r, "FleetRolloutBatchDispatched", "FleetRolloutBatchDispatched",
        act->batch, NULL, message, e) < 0)
        return -1;
    r->o.why = arena_printf(r->a, "Rolling out %s", name);
    return fill_batch(r, e);
}

static int stop(struct run *r, const struct rollout_action *act, const struct rollout_counts *c,
    struct err *e)
{
    bool done = act->act == ROLLOUT_COMPLETE;
    enum rollout_status status = done ? ROLLOUT_COMPLETED :
        act->act == ROLLOUT_FAIL ? ROLLOUT_FAILED : ROLLOUT_SUSPENDED;

    if (r->o.state.status == status && r->o.why && strcmp(r->o.why, act->why) == 0)
        return 0; /* it stood there before, and nothing new came */
    r->moved = true;
    r->o.state.status = status;
    r->o.why = arena_strdup(r->a, act->why);
    if (c->total && batch_event(r, "FleetRolloutBatchCompleted", "FleetRolloutBatchCompleted",
        r->o.state.batch, c, act->why, e) < 0)
        return -1;
    if (!done)
        return batch_event(r, "FleetRolloutFailed", "FleetRolloutFailed", -1, NULL, act->why, e);
    r->o.completed = r->o.version;
    return batch_event(r, "FleetRolloutCompleted", "FleetRolloutCompleted", -1, NULL, act->why, e);
}

/* The rollout ends unless devices are left: those that wait for another fleet, and, where it had
 * failed and they recovered, those that the last batch did not reach. */
static int end(struct run *r, const struct rollout_action *act, const struct rollout_counts *c,
    struct err *e)
{
    struct rollout_counts now;
    int64_t blocked;

    if (fill_batch(r, e) < 0 || (blocked = rollout_blocked(r->s, r->fleet.id, r->o.version, e)) < 0 ||
        rollout_counts(r->s, r->fleet.id, r->o.version, r->o.state.batch, &now, e) < 0)
        return -1;
    if (blocked == 0 && now.pending == 0)
        return stop(r, act, c, e);
    if (r->o.state.status != ROLLOUT_INPROGRESS) {
        r->o.state.status = ROLLOUT_INPROGRESS;
        r->o.why = "Rolling out the last batch";
        r->moved = true;
    }
    return 0;
}

/* Until there is nothing to do but wait. Each turn starts a batch or ends the loop. */
static int steps(struct run *r, struct err *e)
{
    for (;;) {
        /* A stopped rollout is judged again: a device may have recovered by itself. */
        struct rollout_state st = r->o.state;
        struct rollout_action act;
        struct rollout_counts c;

        if (st.status == ROLLOUT_COMPLETED)
            return 0;
        if (st.status != ROLLOUT_PENDING)
            st.status = ROLLOUT_INPROGRESS;
        if (r->o.state.status == ROLLOUT_INPROGRESS && fill_batch(r, e) < 0)
            return -1;
        if (r->more)
            return 0;
        if (rollout_counts(r->s, r->fleet.id, r->o.version, st.batch, &c, e) < 0)
            return -1;
        act = rollout_step(&r->policy, &st, &c);
        switch (act.act) {
        case ROLLOUT_WAIT:
            return 0;
        case ROLLOUT_START:
            r->moved = true;
            if (start_batch(r, &act, &c, e) < 0)
                return -1;
            break;
        case ROLLOUT_COMPLETE:
            return end(r, &act, &c, e);
        case ROLLOUT_SUSPEND:
        case ROLLOUT_FAIL:
            return stop(r, &act, &c, e);
        }
    }
}

static int open_run(struct run *r, int64_t org, const char *fleet, struct err *e)
{
    int rc;

    r->spec = jv_invalid();
    if (fleet_get(r->s, r->a, org, fleet, &r->fleet, e) < 0)
        return -1;
    r->spec = jv_parse(r->fleet.spec);
    if (policy_of(r->a, r->spec, &r->policy, e) < 0 ||
        (rc = rollout_get(r->s, r->a, r->fleet.id, &r->o, e)) < 0)
        return -1;
    if (rc == 0 || !r->o.version)
        return err_set(e, FC_FAIL, "fleet %s has no rollout", fleet);
    return 0;
}

/* Devices that are no longer waited for are free for the rollouts of their other fleets. */
static int wake_others(struct run *r, struct err *e)
{
    int64_t ids[256], after = 0;
    struct res f;
    int n, i;

    do {
        n = rollout_open_list(r->s, r->fleet.org, after, ids, LEN(ids), e);
        for (i = 0; i < n; i++) {
            after = ids[i];
            if (after != r->fleet.id && (res_get_id(r->s, r->a, after, &f, e) != 1 ||
                task_rollout(r->s, r->fleet.org, f.name, 0, e) < 0))
                return -1;
        }
    } while (n == LEN(ids));
    return n < 0 ? -1 : 0;
}

static void note_selected(void *ctx, const char *name)
{
    struct run *r = ctx;

    r->selected = xreallocarray(r->selected, r->nselected + 1, sizeof *r->selected);
    r->selected[r->nselected++] = arena_strdup(r->a, name);
}

/* An event for each device that got the version just now. */
static int tell_selected(struct run *r, struct err *e)
{
    struct buf d AUTO_BUF = BUF_INIT;
    size_t i;
    int rc = rollout_selected(r->s, r->fleet.id, r->o.version, r->now, note_selected, r, e);

    buf_adds(&d, "{\"detailType\":\"FleetRolloutDeviceSelected\",\"fleetName\":");
    buf_add_jsons(&d, r->fleet.name);
    buf_printf(&d, ",\"templateVersion\":\"%s\"}", version_name(r));
    for (i = 0; rc == 0 && i < r->nselected; i++)
        rc = events_add(r->s, r->fleet.org, r->who, &(struct event){.kind = KIND_DEVICE,
            .name = r->selected[i], .reason = "FleetRolloutDeviceSelected",
            .message = "The device gets the fleet's new version.", .details = d.p}, e);
    free(r->selected);
    return rc;
}

int rollout_advance(struct store *s, struct arena *a, int64_t org, const char *fleet, int64_t now,
    const struct actor *who, bool *moved, struct err *e)
{
    struct run r = {.s = s, .a = a, .now = now, .who = who};
    enum rollout_status before;
    int64_t n, oldest;
    int rc = -1;

    if (open_run(&r, org, fleet, e) < 0)
        goto out;
    if (r.o.walk) { /* which devices are in question is not settled: the walk's end goes on here */
        rc = 0;
        goto out;
    }
    before = r.o.state.status;
    if ((n = rollout_timeout(s, r.fleet.id, now - r.policy.timeout, e)) < 0 ||
        (n > 0 && wake_others(&r, e) < 0))
        goto out;
    r.moved = n > 0;
    r.more = n == ROLLOUT_STEP;
    if (!r.more && (steps(&r, e) < 0 || tell_selected(&r, e) < 0))
        goto out;
    if (r.o.state.status != before)
        r.o.changed = now;
    if (r.moved && rollout_put(s, &r.o, e) < 0)
        goto out;
    oldest = rollout_oldest(s, r.fleet.id, e);
    if (oldest < 0 || (oldest && task_rollout(s, org, fleet,
        r.more ? 0 : oldest + r.policy.timeout + 1, e) < 0))
        goto out;
    rc = r.more;
out:
    if (moved)
        *moved = r.moved;
    jv_free(r.spec);
    return rc;
}

int rollout_retry_fleet(struct store *s, struct arena *a, int64_t org, const char *fleet,
    int64_t now, const struct actor *who, int64_t *devices, struct err *e)
{
    struct run r = {.s = s, .a = a, .now = now, .who = who};
    struct rollout_counts c;
    int rc = -1;

    if (open_run(&r, org, fleet, e) < 0)
        goto out;
    if ((*devices = rollout_retry(s, r.fleet.id, r.o.version, now, e)) < 0)
        goto out;
    if (*devices == 0) {
        if (rollout_counts(s, r.fleet.id, r.o.version, -2, &c, e) == 0)
            err_set(e, FC_CONFLICT, c.failed + c.timedout ? "fleet %s: another fleet's version is "
                "pending on the devices that failed or timed out" :
                "fleet %s: no device failed or timed out", fleet);
        goto out;
    }
    if (r.o.state.status == ROLLOUT_SUSPENDED || r.o.state.status == ROLLOUT_FAILED) {
        r.o.state.status = ROLLOUT_INPROGRESS;
        r.o.changed = now;
        r.o.why = arena_printf(a, "retried by %s", who->name);
    }
    if (rollout_put(s, &r.o, e) < 0 || task_rollout(s, org, fleet, 0, e) < 0 ||
        task_render(s, org, e) < 0)
        goto out;
    rc = 0;
out:
    jv_free(r.spec);
    return rc;
}

/* --- for people ------------------------------------------------------------------------------- */

int rollout_report(struct store *s, struct arena *a, int64_t org, const char *fleet,
    struct rollout_report *out, struct err *e)
{
    struct run r = {.s = s, .a = a};
    int rc = -1;

    if (open_run(&r, org, fleet, e) < 0)
        goto out;
    *out = (struct rollout_report){
        .fleet = fleet,
        .version = version_name(&r),
        .completed = r.o.completed_name ? strchr(r.o.completed_name, '/') + 1 : NULL,
        .status = r.o.state.status,
        .why = r.o.why,
        .batch = r.o.state.batch,
        .policy = r.policy,
        .started = r.o.started,
        .changed = r.o.changed,
    };
    if (rollout_counts(s, r.fleet.id, r.o.version, -2, &out->all, e) < 0 ||
        rollout_counts(s, r.fleet.id, r.o.version, r.o.state.batch, &out->current, e) < 0 ||
        (out->blocked = rollout_blocked(s, r.fleet.id, r.o.version, e)) < 0)
        goto out;
    rc = 0;
out:
    jv_free(r.spec);
    return rc;
}

int rollout_devices(struct store *s, struct arena *a, int64_t org, const char *fleet,
    void (*each)(void *ctx, const struct progress *p), void *ctx, struct err *e)
{
    struct res r;

    if (fleet_get(s, a, org, fleet, &r, e) < 0)
        return -1;
    return rollout_progress(s, r.id, each, ctx, e);
}

/* All that a batch would take, at once. */
static int plan_batch(struct run *r, int index, struct err *e)
{
    const struct batch *b = (size_t)index < r->policy.n ? &r->policy.batch[index] : NULL;
    int64_t left = b ? rollout_size(r->s, r->a, r->fleet.org, r->fleet.id, r->o.version, b, r->now,
        e) : INT64_MAX, n;

    if (left < 0)
        return -1;
    while (left > 0) {
        if ((n = rollout_assign(r->s, r->a, r->fleet.org, r->fleet.id, r->o.version, index, b, left,
            r->now, e)) < 0)
            return -1;
        left = n < ROLLOUT_STEP ? 0 : left - n;
    }
    return 0;
}

int rollout_plan(struct store *s, struct arena *a, int64_t org, const char *fleet, jv doc,
    int64_t now, int64_t max, const struct actor *who, struct rollout_plan_batch **out, size_t *n,
    struct err *e)
{
    struct run r = {.s = s, .a = a, .now = now, .who = who, .spec = jv_invalid()};
    struct rollout_counts c;
    enum change what;
    int rc = -1;
    size_t i;

    if (jv_is_valid(doc) && change_put(s, a, org, kind_by_id(KIND_FLEET), doc, who, 0, &what, NULL,
        e) < 0)
        return -1;
    if (open_run(&r, org, fleet, e) < 0)
        goto out;
    *n = r.policy.n + 1;
    *out = arena_alloc(a, *n * sizeof **out);
    for (i = 0; i < *n; i++) {
        struct rollout_plan_batch *b = *out + i;
        bool final = i == r.policy.n;

        rollout_batch_name(&r.policy, (int)i, b->label);
        b->threshold = i == 0 ? 0 : final ? r.policy.threshold : r.policy.batch[i].threshold;
        if (plan_batch(&r, (int)i, e) < 0 || rollout_counts(s, r.fleet.id, r.o.version, (int)i, &c, e) < 0)
            goto out;
        b->total = c.total; /* with those that have it already */
        if ((b->nnames = rollout_batch(s, a, r.fleet.id, r.o.version, (int)i, max,
            &b->names, e)) < 0)
            goto out;
    }
    rc = 0;
out:
    jv_free(r.spec);
    return rc;
}
