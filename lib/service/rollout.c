/* SPDX-License-Identifier: Apache-2.0 */
/* Rollouts: lib/fleet decides, lib/store moves assigned versions, this carries one to the other. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/rollout_run.h"

enum { SOURCES_STEP = 100 }; /* fleets that are judged anew in one transaction */

int rollout_fleet(struct store *s, struct arena *a, int64_t org, const char *name, struct res *r,
    struct err *e)
{
    int rc = res_get(s, a, org, kind_by_id(KIND_FLEET), name, r, e);

    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "Fleet of name \"%s\" not found", name);
    return rc < 0 ? -1 : 0;
}

int rollout_policy_of(struct arena *a, jv spec, struct rollout_policy *p, struct err *e)
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

    if (rollout_policy_of(a, spec, &policy, e) < 0 || rollout_get(s, a, fleet->id, &o, e) < 0 ||
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
        if (rollout_fleet(s, a, org, name[i], &fleet, e) < 0 ||
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

/* --- one of them ------------------------------------------------------------------------------ */

const char *rollout_version_name(const struct rollout *o)
{
    return strchr(o->version_name, '/') + 1;
}

int rollout_open(struct rollout_run *r, int64_t org, const char *fleet, struct err *e)
{
    int rc;

    r->spec = jv_invalid();
    if (rollout_fleet(r->s, r->a, org, fleet, &r->fleet, e) < 0)
        return -1;
    r->spec = jv_parse(r->fleet.spec);
    if (rollout_policy_of(r->a, r->spec, &r->policy, e) < 0 ||
        (rc = rollout_get(r->s, r->a, r->fleet.id, &r->o, e)) < 0)
        return -1;
    if (rc == 0 || !r->o.version)
        return err_set(e, FC_FAIL, "fleet %s has no rollout", fleet);
    return 0;
}

/* --- for people ------------------------------------------------------------------------------- */

int rollout_report(struct store *s, struct arena *a, int64_t org, const char *fleet,
    struct rollout_report *out, struct err *e)
{
    struct rollout_run r = {.s = s, .a = a};
    int rc = -1;

    if (rollout_open(&r, org, fleet, e) < 0)
        goto out;
    *out = (struct rollout_report){
        .fleet = fleet,
        .version = rollout_version_name(&r.o),
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

    if (rollout_fleet(s, a, org, fleet, &r, e) < 0)
        return -1;
    return rollout_progress(s, r.id, each, ctx, e);
}
