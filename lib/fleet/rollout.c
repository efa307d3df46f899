/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rollout.h"

#include <stdio.h>
#include <string.h>

/* --- the policy ------------------------------------------------------------------------------- */

static bool absent(jv v)
{
    return jv_get_kind(v) == JV_KIND_INVALID || jv_get_kind(v) == JV_KIND_NULL;
}

/* "95%" */
static int percentage(jv v, int dflt, int *out, const char *where, struct err *e)
{
    const char *s = jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : "";
    size_t n = strspn(s, "0123456789");
    int64_t p = 0;

    if (absent(v)) {
        *out = dflt;
        return 0;
    }
    if (n < 1 || n > 3 || strcmp(s + n, "%"))
        return err_set(e, FC_INVALID, "%s: must be a percentage such as \"90%%\"", where);
    for (; *s != '%'; s++)
        p = p * 10 + (*s - '0');
    if (p > 100)
        return err_set(e, FC_INVALID, "%s: must be at most 100%%", where);
    *out = (int)p;
    return 0;
}

static int batch_limit(jv v, struct batch *b, const char *where, struct err *e)
{
    double d;

    b->limit_type = LIMIT_NONE;
    if (absent(v))
        return 0;
    if (jv_get_kind(v) == JV_KIND_STRING) {
        if (percentage(v, 100, &b->limit, where, e) < 0)
            return -1;
        if (b->limit < 100)
            b->limit_type = LIMIT_PERCENT;
        return 0;
    }
    d = jv_get_kind(v) == JV_KIND_NUMBER ? jv_number_value(v) : 0;
    if (!(d >= 1 && d <= INT32_MAX) || d != (int)d)
        return err_set(e, FC_INVALID, "%s: must be a number of devices or a percentage", where);
    b->limit = (int)d;
    b->limit_type = LIMIT_COUNT;
    return 0;
}

static int parse_batch(jv v, int index, int threshold, struct batch *out, struct err *e)
{
    AUTO_JV jv limit = json_get(v, "limit"), success = json_get(v, "successThreshold");
    AUTO_JV jv selector = json_get(v, "selector");
    char where[96];

    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "deviceSelection.sequence[%d]: must be an object", index);
    if (!absent(selector) && jv_get_kind(selector) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "deviceSelection.sequence[%d].selector: must be an object",
            index);
    snprintf(where, sizeof where, "deviceSelection.sequence[%d].limit", index);
    if (batch_limit(limit, out, where, e) < 0)
        return -1;
    snprintf(where, sizeof where, "deviceSelection.sequence[%d].successThreshold", index);
    /* The policy holds the selector on. */
    out->selector = absent(selector) ? jv_invalid() : selector;
    return percentage(success, threshold, &out->threshold, where, e);
}

static int parse_sequence(struct arena *a, jv selection, struct rollout_policy *out, struct err *e)
{
    AUTO_JV jv sequence = json_get(selection, "sequence");
    const char *strategy = json_str(selection, "strategy");
    int i, n;

    if (absent(selection))
        return 0;
    if (jv_get_kind(selection) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "deviceSelection: must be an object");
    if (strategy && strcmp(strategy, "BatchSequence"))
        return err_set(e, FC_INVALID, "deviceSelection.strategy: must be BatchSequence");
    if (absent(sequence))
        return 0;
    if (jv_get_kind(sequence) != JV_KIND_ARRAY)
        return err_set(e, FC_INVALID, "deviceSelection.sequence: must be an array");
    n = jv_array_length(jv_copy(sequence));
    out->batch = n ? arena_alloc(a, (size_t)n * sizeof *out->batch) : NULL;
    for (i = 0; i < n; i++) {
        AUTO_JV jv b = jv_array_get(jv_copy(sequence), i);

        if (parse_batch(b, i, out->threshold, &out->batch[i], e) < 0)
            return -1;
    }
    out->n = (size_t)n;
    return 0;
}

int rollout_policy_parse(struct arena *a, jv policy, struct rollout_policy *out, struct err *e)
{
    AUTO_JV jv success = json_get(policy, "successThreshold");
    AUTO_JV jv timeout = json_get(policy, "defaultUpdateTimeout");
    AUTO_JV jv selection = json_get(policy, "deviceSelection");

    *out = (struct rollout_policy){.timeout = ROLLOUT_TIMEOUT};
    if (!absent(policy) && jv_get_kind(policy) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "must be an object");
    if (percentage(success, ROLLOUT_THRESHOLD, &out->threshold, "successThreshold", e) < 0)
        return -1;
    if (!absent(timeout)) {
        out->timeout = jv_get_kind(timeout) == JV_KIND_STRING
            ? duration_parse(jv_string_value(timeout)) : -1;
        if (out->timeout <= 0)
            return err_set(e, FC_INVALID,
                "defaultUpdateTimeout: must be a duration such as \"90s\", \"10m\" or \"24h\"");
    }
    if (parse_sequence(a, selection, out, e) < 0)
        return -1;
    json_hash(absent(policy) ? jv_null() : policy, out->digest);
    return 0;
}

/* --- the steps -------------------------------------------------------------------------------- */

const char *rollout_status_name(enum rollout_status s)
{
    switch (s) {
    case ROLLOUT_PENDING: return "Pending";
    case ROLLOUT_INPROGRESS: return "InProgress";
    case ROLLOUT_SUSPENDED: return "Suspended";
    case ROLLOUT_COMPLETED: return "Completed";
    case ROLLOUT_FAILED: return "Failed";
    }
    return "Unknown"; /* a store of a newer version */
}

const char *rollout_batch_name(const struct rollout_policy *p, int batch, char out[64])
{
    if (batch < 0)
        snprintf(out, 64, "no batch");
    else if ((size_t)batch < p->n)
        snprintf(out, 64, "batch %d of %zu", batch + 1, p->n);
    else
        snprintf(out, 64, "the last batch");
    return out;
}

static struct rollout_action start(const struct rollout_policy *p, int batch, int percent)
{
    return (struct rollout_action){.act = ROLLOUT_START, .batch = batch,
        .final = (size_t)batch >= p->n, .percent = percent};
}

struct rollout_action rollout_step(const struct rollout_policy *p, const struct rollout_state *s,
    const struct rollout_counts *c)
{
    struct rollout_action a = {.act = ROLLOUT_WAIT, .batch = s->batch, .percent = 100,
        .final = s->batch >= 0 && (size_t)s->batch >= p->n};
    char name[64];
    int next, need;

    if (s->status != ROLLOUT_PENDING && s->status != ROLLOUT_INPROGRESS) {
        snprintf(a.why, sizeof a.why, "%s", rollout_status_name(s->status));
        return a;
    }
    if (s->status == ROLLOUT_PENDING || s->batch < 0) {
        a = start(p, 0, 100);
        snprintf(a.why, sizeof a.why, "%s starts", rollout_batch_name(p, 0, name));
        return a;
    }
    rollout_batch_name(p, s->batch, name);
    if (c->total > 0)
        a.percent = (int)(c->succeeded * 100 / c->total);
    if (c->pending > 0) {
        snprintf(a.why, sizeof a.why, "%s: waiting for %lld of %lld devices", name,
            (long long)c->pending, (long long)c->total);
        return a;
    }
    next = s->batch + 1;
    need = (size_t)next < p->n ? p->batch[next].threshold : p->threshold;
    if (a.percent < need)
        a.act = a.final ? ROLLOUT_FAIL : ROLLOUT_SUSPEND;
    else if (a.final)
        a.act = ROLLOUT_COMPLETE;
    else
        a = start(p, next, a.percent);
    if (c->total > 0)
        snprintf(a.why, sizeof a.why, "%s: %lld of %lld devices succeeded (%d %%), %d %% needed",
            name, (long long)c->succeeded, (long long)c->total, a.percent, need);
    else
        snprintf(a.why, sizeof a.why, "%s: no devices", name);
    return a;
}

static int64_t clamp(int64_t n, int64_t min, int64_t max)
{
    return n < min ? min : n > max ? max : n;
}

int64_t rollout_batch_size(const struct batch *b, int64_t matching, int64_t already,
    int64_t candidates)
{
    int64_t n = candidates;

    if (b->limit_type == LIMIT_COUNT)
        n = b->limit;
    else if (b->limit_type == LIMIT_PERCENT)
        n = (matching * b->limit + 50) / 100 - already;
    return candidates > 0 ? clamp(n, 0, candidates) : 0;
}
