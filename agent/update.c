/* SPDX-License-Identifier: Apache-2.0 */
#include "update.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "drift.h"
#include "journal.h"
#include "place.h"
#include "policy.h"
#include "progress.h"
#include "reboot.h"
#include "spec.h"
#include "txn.h"

#define OS_FAILED "OSUpdateFailed: "

int update_store(const struct agent *a, struct state *st, int64_t number, const char *hash,
    const char *json, size_t n, struct err *e)
{
    if (place_write(a->data_fd, "desired.json", json, n, 0600, PLACE_DURABLE, e) < 0)
        return -1;
    st->desired.number = number;
    snprintf(st->desired.hash, sizeof st->desired.hash, "%s", hash);
    st->cut = 0;
    return 0;
}

/* current.json becomes rollback.json, desired.json current.json. Each is known by its hash, so
 * that doing it twice does no harm. */
static int rotate(const struct agent *a, const struct state *st, const char *hash, struct err *e)
{
    struct buf now AUTO_BUF = BUF_INIT, next AUTO_BUF = BUF_INIT;
    char sum[SHA256_HEX];

    if (place_read(a->data_fd, "current.json", "current.json", SPEC_MAX, &now, NULL) == 0) {
        sha256_hex(now.p ? now.p : "", now.len, sum);
        if (strcmp(sum, st->current.hash) == 0 && strcmp(sum, hash) != 0 &&
            place_write(a->data_fd, "rollback.json", now.p, now.len, 0600, PLACE_DURABLE, e) < 0)
            return -1;
    }
    if (place_read(a->data_fd, "desired.json", "desired.json", SPEC_MAX, &next, e) == 0) {
        sha256_hex(next.p ? next.p : "", next.len, sum);
        if (strcmp(sum, hash) == 0)
            return place_write(a->data_fd, "current.json", next.p, next.len, 0600, PLACE_DURABLE,
                e);
        err_set(e, FC_INVALID, "not what was applied");
    }
    place_set_aside(a->data_fd, "desired.json", e);
    return 1;
}

static int finish(const struct agent *a, struct state *st, jv journal, struct err *e)
{
    jv begin AUTO_JV = jv_array_get(jv_copy(journal), 0);
    const char *hash = json_str(begin, "sha256");
    int64_t to = json_int(begin, "to", 0);
    bool canceled = json_bool(begin, "canceled", false);
    char message[128];
    int rc;

    if (!hash || to <= 0)
        return err_set(e, FC_FAIL, "journal: does not say what was applied");
    if (txn_finish(a, journal, e) < 0)
        return -1;
    rc = rotate(a, st, hash, e);
    if (rc < 0)
        return -1;
    snprintf(message, sizeof message, "version %" PRId64 "%s", to, canceled ?
        " is what runs already: the update that waited is called off" : " is applied");
    st->current.number = to;
    snprintf(st->current.hash, sizeof st->current.hash, "%s", rc ? "" : hash);
    if (rc) /* asked for anew */
        st->desired = (struct version){0};
    else if (st->desired.number <= to)
        st->desired = st->current;
    st->failed = st->ready = st->cut = 0;
    st->drift[0] = '\0';
    state_outcome(st, canceled ? "Canceled" : "Updated", message);
    if (state_store(a->data_fd, st, e) < 0)
        return -1;
    return journal_remove(a->data_fd, e);
}

/* Remembers why a version does not run. Servers look for an OS failure at the very start. */
static int failed(const struct agent *a, struct state *st, const char *why, bool remember,
    struct err *e)
{
    size_t os = strncmp(why, OS_FAILED, strlen(OS_FAILED)) == 0 ? strlen(OS_FAILED) : 0;
    char message[ERR_LEN];
    struct err store = {0};

    snprintf(message, sizeof message, "%.*sversion %" PRId64 ": %s", (int)os, why,
        st->desired.number, why + os);
    state_outcome(st, "Error", message);
    st->cut = 0;
    if (remember)
        st->failed = st->desired.number;
    if (state_store(a->data_fd, st, &store) < 0)
        log_err(&store);
    return err_set(e, FC_FAIL, "%s", message);
}

/* A version that ends the agent or the machine each time that it is tried is tried a few times
 * only. */
static int cut_short(const struct agent *a, struct state *st, jv journal, const char *how,
    struct err *e)
{
    jv begin AUTO_JV = jv_array_get(jv_copy(journal), 0);
    const char *hash = json_str(begin, "sha256");
    char why[ERR_LEN + 32];

    if (hash) { /* stored before the journal, which may be all that knows of it */
        st->desired.number = json_int(begin, "to", st->desired.number);
        snprintf(st->desired.hash, sizeof st->desired.hash, "%s", hash);
    }
    if (++st->cut < CUT_MAX)
        return state_store(a->data_fd, st, e);
    snprintf(why, sizeof why, "%s %d times", how, CUT_MAX);
    failed(a, st, why, true, e);
    log_err(e);
    return 0;
}

/* What was taken back after its reboot counts as failed, unless it is worth another try. That is
 * news, not the end of the run. */
static int undone(const struct agent *a, struct state *st, jv journal, struct err *why,
    struct err *e)
{
    if (!drift_owns(journal) && why->code == FC_AGAIN) {
        log_warn("%s", why->msg);
        return cut_short(a, st, journal, why->msg, e);
    }
    if (!drift_owns(journal))
        failed(a, st, why->msg, true, why);
    log_err(why);
    return 0;
}

/* The update, after the reboot that it asked for. */
static int resume(const struct agent *a, struct state *st, jv journal, struct err *e)
{
    jv begin AUTO_JV = jv_array_get(jv_copy(journal), 0), device AUTO_JV = jv_invalid();
    jv spec AUTO_JV = jv_invalid(), whole AUTO_JV = jv_invalid();
    bool repair = drift_owns(journal);
    const struct version *v = repair ? &st->current : &st->desired;
    const char *hash = json_str(begin, "sha256");
    struct err why = {0};
    enum txn_result r;

    log_info("going on with an update after its reboot");
    /* without the document nothing can be checked: that is an update that failed */
    if (hash && strcmp(hash, v->hash) == 0 && state_doc(a->data_fd, repair ? "current.json" :
        "desired.json", v, &device, &why) == 0)
        spec = json_get(device, "spec");
    if (!jv_is_valid(spec)) {
        err_set(&why, FC_FAIL, "what was to be applied is lost");
        r = txn_abandon(a, journal, &why);
    } else
        r = txn_resume(a, journal, spec, &why);
    switch (r) {
    case TXN_DONE:
        if (journal_read(a->data_fd, &whole, e) < 0)
            return -1;
        return repair ? drift_finish(a, st, whole, e) : finish(a, st, whole, e);
    case TXN_UNDONE:
        return undone(a, st, journal, &why, e);
    case TXN_REBOOT:
    case TXN_NOT_BEGUN:
    case TXN_STUCK:
        break;
    }
    *e = why;
    return -1;
}

/* The version is neither applied nor taken back until the reboot comes, from whomever: at first
 * that takes its time, then somebody has to look. */
static void overdue(const struct agent *a, struct state *st, const struct backoff *asked)
{
    const char *why = asked->message;
    struct err store = {0};
    char text[ERR_LEN];

    if (asked->failures < 2)
        return;
    snprintf(text, sizeof text, "%sversion %" PRId64 ": its reboot was asked for %" PRId64 " times "
        "and did not come%s%.200s", asked->failures < REBOOTS_MAX ? "" : OS_FAILED,
        st->desired.number, asked->failures, *why ? ": " : "", why);
    if (strcmp(st->outcome.message, text) == 0)
        return;
    state_outcome(st, asked->failures < REBOOTS_MAX ? "Rebooting" : "Error", text);
    log_warn("%s", text);
    if (state_store(a->data_fd, st, &store) < 0)
        log_err(&store);
}

int update_recover(const struct agent *a, struct state *st, const struct backoff *asked,
    struct err *e)
{
    jv journal AUTO_JV = jv_invalid();
    struct err why = {0};

    if (journal_read(a->data_fd, &journal, e) < 0)
        return -1;
    if (!jv_is_valid(journal))
        return 0;
    if (txn_committed(journal)) {
        log_info("finishing an interrupted update");
        if (drift_owns(journal))
            return drift_finish(a, st, journal, e);
        return finish(a, st, journal, e);
    }
    switch (txn_boot(journal)) {
    case BOOT_DUE:
        log_info("an update waits for the reboot");
        if (!drift_owns(journal))
            overdue(a, st, asked);
        return 1;
    case BOOT_OVER:
        return resume(a, st, journal, e);
    case BOOT_NONE:
        break;
    }
    log_info("undoing an interrupted update");
    if (txn_undo(a, journal, e) < 0)
        return -1;
    if (txn_undoing(journal, &why))
        return undone(a, st, journal, &why, e);
    return drift_owns(journal) ? 0 : cut_short(a, st, journal, "was cut short", e);
}

int update_refuse(const struct agent *a, struct state *st, int64_t number, const char *why,
    struct err *e)
{
    st->desired = (struct version){.number = number};
    return failed(a, st, why, true, e);
}

/* --- windows ------------------------------------------------------------------------------ */

static const struct window {
    const char *key;    /* in spec.updatePolicy */
    const char *what;
    const char *reason; /* of a version that waits for it */
} download_window = {"downloadSchedule", "download", "Preparing"},
  update_window = {"updateSchedule", "update", "ReadyToUpdate"};

/* 0: open. 1: not, and the outcome says so, durably if it is news. */
static int wait_for(const struct agent *a, struct state *st, jv spec, const struct window *w,
    struct err *e)
{
    jv policy AUTO_JV = json_get(spec, "updatePolicy"), schedule AUTO_JV = json_get(policy, w->key);
    struct outcome old = st->outcome;
    char message[ERR_LEN], time[TIME_LEN];
    struct err store = {0};
    struct opening o;

    if (a->force)
        return 0;
    if (policy_open(a->root_path, schedule, now_us() / 1000000, &o, e) < 0)
        return err_wrap(e, "spec.updatePolicy.%s", w->key);
    if (o.now)
        return 0;
    time_format(o.next * 1000000, time);
    snprintf(message, sizeof message, "version %" PRId64 ": waits for its %s window%s%s",
        st->desired.number, w->what, o.next ? ", which opens at " :
        ", which opens once the clock is set", o.next ? time : "");
    state_outcome(st, w->reason, message);
    if (memcmp(&old, &st->outcome, sizeof old) == 0)
        return 1;
    log_info("%s", message);
    if (state_store(a->data_fd, st, &store) < 0)
        log_err(&store);
    return 1;
}

/* Fetches what the version needs when it may, and once while it waits to be applied. 0: it can be
 * applied now; 1: it waits. */
static int make_ready(const struct agent *a, struct state *st, jv spec, struct err *e)
{
    int rc;

    if (st->ready == st->desired.number) {
        rc = wait_for(a, st, spec, &update_window, e);
        if (rc)
            return rc;
    }
    rc = st->ready == st->desired.number ? 0 : wait_for(a, st, spec, &download_window, e);
    if (rc)
        return rc;
    progress_say(a, "Preparing", "what it needs is fetched");
    if (plan_prefetch(a, spec, e) < 0)
        return -1;
    st->ready = st->desired.number;
    return wait_for(a, st, spec, &update_window, e);
}

/* Does a version ask for no more than what runs, and is all of it there? */
static bool runs_already(const struct agent *a, const struct state *st, jv spec, struct plan *p)
{
    jv device AUTO_JV = jv_invalid(), now AUTO_JV = jv_invalid();
    struct err e = {0};

    if (!st->current.hash[0] ||
        state_doc(a->data_fd, "current.json", &st->current, &device, &e) < 0)
        return false;
    now = json_get(device, "spec");
    if (jv_equal(jv_copy(now), jv_copy(spec)) && plan_make(a, spec, p, &e) == 0 && p->n == 0)
        return true;
    plan_free(p);
    return false;
}

/* What is not there yet may be there later: the version stays one to be applied. */
static int retry(const struct agent *a, struct state *st, struct err *e)
{
    struct err store = {0};

    state_outcome(st, "Retrying", "");
    snprintf(st->outcome.message, sizeof st->outcome.message, "version %" PRId64 ": %s",
        st->desired.number, e->msg);
    if (state_store(a->data_fd, st, &store) < 0)
        log_err(&store);
    return -1;
}

/* The rest comes after it; the run ends by asking for it. */
static int reboot(const struct agent *a, struct state *st, jv spec, struct err *e)
{
    const char *image = json_str(spec, "os.image");

    state_outcome(st, "Rebooting", "");
    snprintf(st->outcome.message, sizeof st->outcome.message, "version %" PRId64 ": rebooting%s%s",
        st->desired.number, image ? " into " : "", image ? image : "");
    log_info("%s", st->outcome.message);
    reboot_want();
    return state_store(a->data_fd, st, e) < 0 ? -1 : 1;
}

int update_apply(const struct agent *a, struct state *st, jv device, struct err *e)
{
    jv spec AUTO_JV = json_get(device, "spec"), begin = jv_object(), journal AUTO_JV = jv_invalid();
    char time[TIME_LEN];
    struct plan p = {.after = jv_invalid()};
    enum txn_result r;
    int rc;

    if (!jv_is_valid(spec))
        spec = jv_object();
    spec_warn(spec);
    if (runs_already(a, st, spec, &p)) { /* nothing to fetch or to wait for */
        if (state_updating(&st->outcome))
            json_set(&begin, "canceled", jv_true());
    } else {
        rc = make_ready(a, st, spec, e);
        if (rc > 0 || (rc < 0 && e->code == FC_AGAIN)) {
            jv_free(begin);
            return rc > 0 ? rc : retry(a, st, e);
        }
        if (rc < 0 || plan_make(a, spec, &p, e) < 0) {
            plan_free(&p);
            jv_free(begin);
            return failed(a, st, e->msg, true, e);
        }
    }
    time_format(now_us(), time);
    json_seti(&begin, "from", st->current.number);
    json_seti(&begin, "to", st->desired.number);
    json_sets(&begin, "sha256", st->desired.hash);
    json_sets(&begin, "time", time);
    progress_say(a, "ApplyingUpdate", "being applied");
    r = txn_run(a, &p, spec, begin, e);
    plan_free(&p);
    switch (r) {
    case TXN_DONE:
        if (journal_read(a->data_fd, &journal, e) < 0)
            return -1;
        return finish(a, st, journal, e);
    case TXN_UNDONE:
        return failed(a, st, e->msg, true, e);
    case TXN_REBOOT:
        return reboot(a, st, spec, e);
    case TXN_NOT_BEGUN:
    case TXN_STUCK:
        break;
    }
    return failed(a, st, e->msg, false, e);
}
