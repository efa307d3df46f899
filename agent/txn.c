/* SPDX-License-Identifier: Apache-2.0 */
#include "txn.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "journal.h"
#include "progress.h"
#include "reboot.h"

int plan_prefetch(const struct agent *a, jv spec, struct err *e)
{
    size_t i;

    for (i = 0; controllers[i]; i++) {
        if (!controllers[i]->prefetch)
            continue;
        if (deadline_check(a, e) < 0 || controllers[i]->prefetch(a, spec, e) < 0)
            return -1;
    }
    return deadline_check(a, e);
}

/* Steps of one phase stay in the order in which they were planned. */
static void sort_phases(struct plan *p)
{
    struct step *sorted = xcalloc(p->n ? p->n : 1, sizeof *sorted);
    size_t i, n = 0;
    int phase;

    for (phase = PHASE_BEFORE; phase <= PHASE_AFTER; phase++)
        for (i = 0; i < p->n; i++)
            if ((int)p->step[i].phase == phase)
                sorted[n++] = p->step[i];
    free(p->step);
    p->step = sorted;
}

int plan_make(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    size_t i;

    *p = (struct plan){.after = jv_object()};
    for (i = 0; controllers[i]; i++)
        if (controllers[i]->plan(a, spec, p, e) < 0)
            return -1;
    sort_phases(p);
    return 0;
}

void plan_free(struct plan *p)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        jv_free(p->step[i].rec);
        buf_free(&p->step[i].content);
    }
    free(p->step);
    jv_free(p->after);
    *p = (struct plan){.after = jv_invalid()};
}

struct step *plan_add(struct plan *p, const struct controller *c, const char *what,
    const char *path)
{
    struct step *s;

    p->step = xreallocarray(p->step, p->n + 1, sizeof *p->step);
    s = &p->step[p->n++];
    *s = (struct step){.ctl = c, .phase = c->phase, .rec = jv_object()};
    json_sets(&s->rec, "t", "step");
    json_sets(&s->rec, "c", c->name);
    json_sets(&s->rec, "do", what);
    json_sets(&s->rec, "path", path);
    return s;
}

static const char *type(jv rec)
{
    const char *t = json_str(rec, "t");

    return t ? t : "";
}

static const struct controller *find(jv rec)
{
    const char *name = json_str(rec, "c");
    size_t i;

    for (i = 0; name && controllers[i]; i++)
        if (strcmp(controllers[i]->name, name) == 0)
            return controllers[i];
    return NULL;
}

static int check_all(const struct agent *a, jv spec, struct err *e)
{
    size_t i;

    for (i = 0; controllers[i]; i++)
        if (controllers[i]->check && controllers[i]->check(a, spec, e) < 0)
            return -1;
    return 0;
}

bool txn_committed(jv journal)
{
    int i, n = jv_array_length(jv_copy(journal));

    for (i = 0; i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(journal), i);

        if (strcmp(type(rec), "commit") == 0)
            return true;
    }
    return false;
}

/* One step of the journal, by its controller. All are tried; the first error goes up, others are
 * said at once. */
static void settle_step(const struct agent *a, jv rec, bool undo, int *rc, struct err *e)
{
    const struct controller *c = find(rec);
    struct err why = {0};
    int r;

    if (strcmp(type(rec), "step") != 0)
        return;
    if (!c)
        r = err_set(&why, FC_FAIL, "journal: a step of \"%s\", which this agent does not know",
            json_str(rec, "c") ? json_str(rec, "c") : "");
    else
        r = undo ? c->undo(a, rec, &why) : c->finish(a, rec, &why);
    if (r == 0)
        return;
    if (*rc < 0)
        log_err(&why);
    else if (e)
        *e = why;
    *rc = -1;
}

static int sync_all(const struct agent *a, jv records, struct err *e)
{
    size_t c;

    for (c = 0; controllers[c]; c++)
        if (controllers[c]->sync && controllers[c]->sync(a, records, e) < 0)
            return -1;
    return 0;
}

int txn_undo(const struct agent *a, jv journal, struct err *e)
{
    int i, rc = 0;
    size_t c;

    deadline_hold();
    for (i = jv_array_length(jv_copy(journal)) - 1; i >= 0; i--) {
        jv rec AUTO_JV = jv_array_get(jv_copy(journal), i);

        settle_step(a, rec, true, &rc, e);
    }
    if (rc == 0)
        rc = sync_all(a, journal, e);
    for (c = 0; rc == 0 && controllers[c]; c++)
        if (controllers[c]->settle)
            rc = controllers[c]->settle(a, jv_invalid(), e);
    if (rc < 0)
        return err_wrap(e, "cannot undo");
    return journal_remove(a->data_fd, e);
}

int txn_finish(const struct agent *a, jv journal, struct err *e)
{
    int i, n = jv_array_length(jv_copy(journal)), rc = 0;
    size_t c;

    deadline_hold();
    for (i = 0; i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(journal), i), after AUTO_JV = jv_invalid();

        settle_step(a, rec, false, &rc, e);
        if (strcmp(type(rec), "commit") != 0)
            continue;
        after = json_get(rec, "after");
        for (c = 0; controllers[c]; c++) {
            jv own AUTO_JV = json_get(after, controllers[c]->name);

            if (jv_is_valid(own) && controllers[c]->settle &&
                controllers[c]->settle(a, own, e) < 0)
                return -1;
        }
    }
    return rc < 0 ? rc : sync_all(a, journal, e);
}

static int commit(jv after /* consumed */, struct journal *j, struct err *e)
{
    jv rec AUTO_JV = jv_object();

    json_sets(&rec, "t", "commit");
    json_set(&rec, "after", after);
    journal_add(j, rec);
    return journal_sync(j, e);
}

static bool takes_reboot(const struct plan *p)
{
    size_t i;

    for (i = 0; i < p->n; i++)
        if (json_bool(p->step[i].rec, "reboot", false))
            return true;
    return false;
}

/* Notes that what is left is to be done in another boot. */
static int note_reboot(const struct plan *p, struct journal *j, struct err *e)
{
    jv rec AUTO_JV = jv_object();
    char boot[BOOT_ID_LEN];

    boot_id(boot);
    json_sets(&rec, "t", "reboot");
    json_sets(&rec, "boot", boot);
    json_set(&rec, "after", jv_copy(p->after));
    journal_add(j, rec);
    return journal_sync(j, e);
}

/* 1: all up to a reboot is done. */
static int go(const struct agent *a, struct plan *p, jv spec, jv records, struct journal *j,
    struct err *e)
{
    bool reboot = takes_reboot(p);
    size_t i;

    for (i = 0; i < p->n; i++) {
        if (p->step[i].ctl->prepare && p->step[i].ctl->prepare(a, &p->step[i], e) < 0)
            return -1;
        buf_free(&p->step[i].content);
    }
    if (sync_all(a, records, e) < 0)
        return -1;
    for (i = 0; i < p->n && !(reboot && p->step[i].phase == PHASE_AFTER); i++)
        if (p->step[i].ctl->apply(a, &p->step[i], e) < 0)
            return -1;
    if (sync_all(a, records, e) < 0)
        return -1;
    if (reboot)
        return note_reboot(p, j, e) < 0 ? -1 : 1;
    return check_all(a, spec, e) < 0 ? -1 : commit(jv_copy(p->after), j, e);
}

/* Back, after something failed. */
static enum txn_result give_up(const struct agent *a, jv records, const struct journal *j,
    struct err *e)
{
    struct err undo = {0};

    if (j->doubtful) /* a commit may stand there: the next run decides by what it can read */
        return TXN_STUCK;
    progress_say(a, "RollingBack", e->msg);
    if (txn_undo(a, records, &undo) < 0) {
        err_wrap(e, "%s; undoing", undo.msg);
        return TXN_STUCK;
    }
    return TXN_UNDONE;
}

enum txn_result txn_run(const struct agent *a, struct plan *p, jv spec, jv begin, struct err *e)
{
    jv rec AUTO_JV = begin, records AUTO_JV = jv_array();
    struct journal j = {.fd = -1};
    bool reboot = takes_reboot(p);
    struct err undo = {0};
    size_t i;
    int rc;

    json_sets(&rec, "t", "begin");
    if (journal_create(a->data_fd, &j, e) < 0)
        return TXN_NOT_BEGUN;
    journal_add(&j, rec);
    for (i = 0; i < p->n; i++) {
        if (reboot && p->step[i].phase == PHASE_AFTER)
            json_set(&p->step[i].rec, "late", jv_true());
        journal_add(&j, p->step[i].rec);
        records = jv_array_append(records, jv_copy(p->step[i].rec));
    }
    if (journal_sync(&j, e) < 0) {
        journal_close(&j);
        return journal_remove(a->data_fd, &undo) < 0 ? TXN_STUCK : TXN_NOT_BEGUN;
    }
    rc = go(a, p, spec, records, &j, e);
    journal_close(&j);
    return rc == 0 ? TXN_DONE : rc > 0 ? TXN_REBOOT : give_up(a, records, &j, e);
}

/* --- after a reboot ------------------------------------------------------------------------- */

static jv find_record(jv journal, const char *what)
{
    int i, n = jv_array_length(jv_copy(journal));

    for (i = 0; i < n; i++) {
        jv rec = jv_array_get(jv_copy(journal), i);

        if (strcmp(type(rec), what) == 0)
            return rec;
        jv_free(rec);
    }
    return jv_invalid();
}

enum txn_boot txn_boot(jv journal)
{
    jv rec AUTO_JV = find_record(journal, "reboot"), undo AUTO_JV = find_record(journal, "undo");
    const char *of = json_str(rec, "boot");
    char now[BOOT_ID_LEN];

    if (!jv_is_valid(rec) || jv_is_valid(undo))
        return BOOT_NONE;
    boot_id(now);
    return of && strcmp(of, now) == 0 ? BOOT_DUE : BOOT_OVER;
}

static int resume_step(const struct agent *a, jv rec, struct err *e)
{
    const struct controller *c = find(rec);
    struct step s = {.ctl = c, .phase = PHASE_AFTER, .rec = rec};

    if (strcmp(type(rec), "step") != 0)
        return 0;
    if (!c)
        return err_set(e, FC_FAIL, "journal: a step that this agent does not know");
    if (json_bool(rec, "reboot", false) && c->booted && c->booted(a, rec, e) < 0)
        return e->code == FC_AGAIN ? 1 : -1;
    return json_bool(rec, "late", false) ? c->apply(a, &s, e) : 0;
}

/* 1: what the boot was to do got lost on the way to it. */
static int resume(const struct agent *a, jv journal, jv spec, struct journal *j, struct err *e)
{
    jv reboot AUTO_JV = find_record(journal, "reboot");
    int i, rc, n = jv_array_length(jv_copy(journal));

    for (i = 0; i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(journal), i);

        rc = resume_step(a, rec, e);
        if (rc)
            return rc;
    }
    if (sync_all(a, journal, e) < 0 || check_all(a, spec, e) < 0)
        return -1;
    return commit(json_get(reboot, "after"), j, e);
}

/* That the way leads back is noted first: a run that is killed on it must not be followed by one that
 * finds all well, and goes on with a device that is half as it was. */
static void note_undo(struct journal *j, const struct err *why)
{
    jv rec AUTO_JV = jv_object();
    struct err e = {0};

    json_sets(&rec, "t", "undo");
    json_sets(&rec, "why", why->msg);
    if (why->code == FC_AGAIN)
        json_set(&rec, "again", jv_true());
    journal_add(j, rec);
    if (journal_sync(j, &e) < 0)
        log_err(&e);
}

bool txn_undoing(jv journal, struct err *why)
{
    jv rec AUTO_JV = find_record(journal, "undo");
    const char *text = json_str(rec, "why");

    if (jv_is_valid(rec))
        err_set(why, json_bool(rec, "again", false) ? FC_AGAIN : FC_FAIL, "%s", text ? text : "");
    return jv_is_valid(rec);
}

static enum txn_result abandon(const struct agent *a, jv journal, struct journal *j,
    struct err *why)
{
    if (!j->doubtful)
        note_undo(j, why);
    journal_close(j);
    return give_up(a, journal, j, why);
}

enum txn_result txn_resume(const struct agent *a, jv journal, jv spec, struct err *e)
{
    struct journal j = {.fd = -1};
    int rc;

    if (journal_reopen(a->data_fd, &j, e) < 0)
        return TXN_STUCK;
    rc = resume(a, journal, spec, &j, e);
    if (rc) {
        e->code = rc > 0 ? FC_AGAIN : FC_FAIL;
        return abandon(a, journal, &j, e);
    }
    journal_close(&j);
    return TXN_DONE;
}

enum txn_result txn_abandon(const struct agent *a, jv journal, struct err *why)
{
    struct journal j = {.fd = -1};

    return journal_reopen(a->data_fd, &j, why) < 0 ? TXN_STUCK : abandon(a, journal, &j, why);
}
