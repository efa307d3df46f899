/* SPDX-License-Identifier: Apache-2.0 */
/* What enqueues tasks: each with a key, so that many causes make one task of the organization. */
#include <stdio.h>

#include "service/service.h"

int task_render(struct store *s, int64_t org, struct err *e)
{
    return task_add(s, "render", "render", org, "", NULL, "render", 0, e);
}

int task_defaults(struct store *s, int64_t org, struct err *e)
{
    return task_add(s, "render", "defaults", org, "", NULL, "defaults", 0, e);
}

int task_rollout(struct store *s, int64_t org, const char *fleet, int64_t due, struct err *e)
{
    char key[300];

    snprintf(key, sizeof key, "rollout/%s", fleet);
    return task_add(s, "rollout", "rollout", org, fleet, NULL, key, due, e);
}

int task_rollouts_of(struct store *s, struct arena *a, int64_t org, int64_t device, struct err *e)
{
    struct member *m;
    int n = member_list(s, a, device, &m, e), i;

    for (i = 0; i < n; i++)
        if (m[i].rollout_status != ROLLOUT_COMPLETED &&
            task_rollout(s, org, m[i].fleet_name, 0, e) < 0)
            return -1;
    return n < 0 ? -1 : 0;
}

int task_sources(struct store *s, int64_t org, const char *from, struct err *e)
{
    return task_add(s, "rollout", "sources", org, from, NULL, NULL, 0, e);
}

int task_sign(struct store *s, const struct res *r, struct err *e)
{
    char key[400];

    snprintf(key, sizeof key, "sign/%s/%s", r->kind->plural, r->name);
    return task_add(s, "sign", r->kind->plural, r->org, r->name, NULL, key, 0, e);
}
