/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "client/simulate.h"

enum { STATUS_MAX = 600 };

struct samples {
    uint32_t *us; /* of requests that were answered */
    size_t n, room;
    size_t errors; /* no answer, or one of 400 and up */
};

struct sim_count {
    struct samples of[SIM_REQUESTS];
    size_t status[STATUS_MAX];
};

struct sim_count *sim_count_new(void)
{
    return xcalloc(1, sizeof(struct sim_count));
}

void sim_count_free(struct sim_count *c)
{
    size_t i;

    for (i = 0; c && i < SIM_REQUESTS; i++)
        free(c->of[i].us);
    free(c);
}

void sim_count_add(struct sim_count *c, enum sim_request what, int status, int64_t us)
{
    struct samples *s = &c->of[what];

    c->status[status >= 0 && status < STATUS_MAX ? status : 0]++;
    /* 409 says that there is nothing yet, or that a request was made before. */
    s->errors += status == 0 || (status >= 400 && status != 409);
    if (status == 0)
        return;
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->us = xreallocarray(s->us, s->room, sizeof *s->us);
    }
    s->us[s->n++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The smallest sample that so many in a thousand do not exceed, in ms. */
static jv at_most(const struct samples *s, size_t thousandth)
{
    size_t i = (s->n * thousandth + 999) / 1000;

    return jv_number(s->us[i ? i - 1 : 0] / 1000.0);
}

static jv show(struct samples *s, int64_t us)
{
    jv o = jv_object();

    json_seti(&o, "count", (int64_t)s->n);
    json_seti(&o, "errors", (int64_t)s->errors);
    json_set(&o, "perSecond", jv_number(us > 0 ? (double)((int64_t)(s->n * 1e8 / (double)us)) / 100 : 0));
    if (!s->n)
        return o;
    qsort(s->us, s->n, sizeof *s->us, compare);
    json_set(&o, "p50", at_most(s, 500));
    json_set(&o, "p90", at_most(s, 900));
    json_set(&o, "p99", at_most(s, 990));
    json_set(&o, "max", at_most(s, 1000));
    return o;
}

void sim_count_show(struct sim_count *c, int64_t us, jv *out)
{
    jv requests = jv_object(), statuses = jv_object();
    char name[16];
    size_t i;

    json_set(&requests, "enroll", show(&c->of[SIM_ENROLL], us));
    json_set(&requests, "poll", show(&c->of[SIM_POLL], us));
    json_set(&requests, "report", show(&c->of[SIM_REPORT], us));
    for (i = 0; i < STATUS_MAX; i++) {
        if (!c->status[i])
            continue;
        snprintf(name, sizeof name, "%zu", i);
        json_seti(&statuses, i ? name : "none", (int64_t)c->status[i]);
    }
    json_set(out, "requests", requests);
    json_set(out, "statuses", statuses);
}
