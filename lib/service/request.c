/* SPDX-License-Identifier: Apache-2.0 */
#include "service/request.h"

#include <string.h>

const char *request_state(jv request)
{
    jv all AUTO_JV = json_at(request, "status.conditions");
    const char *state = json_bool(request, "status.approval.approved", false) ? "Signing" :
        "Pending";

    if (jv_get_kind(all) == JV_KIND_ARRAY)
        jv_array_foreach(all, i, c) {
            const char *type = json_str(c, "type");

            if (type && !strcmp(type, "Approved"))
                state = "Approved";
            else if (type && !strcmp(type, "Denied"))
                state = "Denied";
            jv_free(c);
        }
    return state;
}

static int decide(struct store *s, const char *name, const struct decision *d, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res out;
    int rc;

    if (d->approve)
        rc = enroll_approve(s, a, s->org, name, d->ca, d->how, d->who, &out, e);
    else
        rc = enroll_deny(s, a, s->org, name, d->message, d->who, e);
    if (rc < 0 && e->code != FC_NOTFOUND && !strstr(e->msg, name))
        err_wrap(e, "%s", name);
    return rc;
}

int request_decide(struct store *s, const char *const *names, size_t n, const struct decision *d,
    struct err *e)
{
    for (size_t from = 0, to; from < n; from = to) {
        int rc = 0;

        if (from)
            store_pause();
        to = n - from > DECIDE_CHUNK ? from + DECIDE_CHUNK : n;
        if (store_begin(s, e) < 0)
            return -1;
        for (size_t i = from; i < to && rc == 0; i++)
            rc = decide(s, names[i], d, e);
        if (rc == 0 && !d->dry_run)
            rc = store_commit(s, e);
        store_rollback(s); /* nothing is left to undo after a commit */
        if (rc < 0)
            return -1;
        for (size_t i = from; i < to; i++)
            d->each(d->ctx, names[i]);
    }
    return 0;
}
