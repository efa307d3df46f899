/* SPDX-License-Identifier: Apache-2.0 */
#include "drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "deadline.h"
#include "journal.h"
#include "settings.h"

bool drift_seen(const struct agent *a)
{
    size_t i;

    for (i = 0; controllers[i]; i++)
        if (controllers[i]->drifted && controllers[i]->drifted(a))
            return true;
    return false;
}

/* Is it news? */
static bool note(struct state *st, const char *text)
{
    if (strcmp(st->drift, text) == 0)
        return false;
    snprintf(st->drift, sizeof st->drift, "%s", text);
    return true;
}

/* Why it is still there; FC_FAIL, or what a later run may do. */
static int failed(struct state *st, bool *changed, struct err *e)
{
    if (e->code != FC_AGAIN)
        e->code = FC_FAIL;
    err_wrap(e, "drift cannot be repaired");
    *changed = note(st, e->msg);
    return -1;
}

/* "/etc/a", "/etc/a and 2 more": of the steps among these records. */
static void name_steps(jv records, char *out, size_t size)
{
    int i, n = jv_array_length(jv_copy(records)), steps = 0;
    char first[PATH_LEN] = "";

    for (i = 0; i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(records), i);
        const char *type = json_str(rec, "t"), *path = json_str(rec, "path");

        if (type && strcmp(type, "step") == 0 && steps++ == 0 && path)
            snprintf(first, sizeof first, "%s", path);
    }
    snprintf(out, size, steps > 1 ? "%.512s and %d more" : "%.512s", first, steps - 1);
}

bool drift_owns(jv journal)
{
    jv begin AUTO_JV = jv_array_get(jv_copy(journal), 0);

    return json_bool(begin, "repair", false);
}

int drift_finish(const struct agent *a, struct state *st, jv journal, struct err *e)
{
    jv begin AUTO_JV = jv_array_get(jv_copy(journal), 0);
    const char *time = json_str(begin, "time");
    char names[1024], text[ERR_LEN];

    if (txn_finish(a, journal, e) < 0)
        return -1;
    name_steps(journal, names, sizeof names);
    snprintf(text, sizeof text, "repaired at %s: %s", time ? time : "some time", names);
    note(st, text);
    log_info("drift: %s", text);
    if (state_store(a->data_fd, st, e) < 0)
        return -1;
    return journal_remove(a->data_fd, e);
}

int drift_repair(const struct agent *a, struct state *st, struct plan *p, jv spec, struct err *e)
{
    jv begin = jv_object(), journal AUTO_JV = jv_invalid();
    char time[TIME_LEN];

    time_format(now_us(), time);
    json_seti(&begin, "from", st->current.number);
    json_seti(&begin, "to", st->current.number);
    json_sets(&begin, "sha256", st->current.hash);
    json_sets(&begin, "time", time);
    json_set(&begin, "repair", jv_true());
    if (txn_run(a, p, spec, begin, e) != TXN_DONE || journal_read(a->data_fd, &journal, e) < 0)
        return -1;
    return drift_finish(a, st, journal, e);
}

/* What differs is told, and for a failure, why it stays so. */
static int settle(const struct agent *a, struct state *st, struct plan *p, jv spec, bool *changed,
    struct err *e)
{
    jv records AUTO_JV = jv_array();
    char names[1024], text[ERR_LEN];
    size_t i;

    for (i = 0; i < p->n; i++)
        records = jv_array_append(records, jv_copy(p->step[i].rec));
    name_steps(records, names, sizeof names);
    if (a->settings->drift_report) {
        snprintf(text, sizeof text, "left as it is: %s", names);
        *changed = note(st, text);
        if (*changed)
            log_warn("drift: %s", text);
        return 0;
    }
    if (deadline_check(a, e) == 0 && drift_repair(a, st, p, spec, e) == 0)
        return 0;
    return failed(st, changed, e);
}

int drift_run(const struct agent *a, struct state *st, bool *changed, struct err *e)
{
    jv device AUTO_JV = jv_invalid(), spec AUTO_JV = jv_invalid();
    struct plan p = {.after = jv_invalid()};
    int rc;

    *changed = false;
    if (!st->current.number || !st->current.hash[0])
        return 0;
    if (!drift_seen(a)) {
        if (strncmp(st->drift, "repaired", 8) != 0)
            *changed = note(st, "");
        return 0;
    }
    if (state_doc(a->data_fd, "current.json", &st->current, &device, e) < 0)
        return failed(st, changed, e);
    spec = json_get(device, "spec");
    if (!jv_is_valid(spec))
        spec = jv_object();
    rc = plan_make(a, spec, &p, e);
    if (rc < 0)
        failed(st, changed, e);
    else if (p.n)
        rc = settle(a, st, &p, spec, changed, e);
    plan_free(&p);
    return rc;
}
