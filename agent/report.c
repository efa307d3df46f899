/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "deadline.h"
#include "decommission.h"
#include "drift.h"
#include "progress.h"
#include "run.h"
#include "status.h"
#include "update.h"

/* A report is due after a while even if nothing changed. Where it is not known when the last one
 * was, as after a boot, the while begins now. */
static bool is_due(struct run *r)
{
    int64_t now = uptime_s(), since = r->pace.reported;

    if (since && since <= now)
        return now - since >= r->settings.liveness;
    r->pace.reported = now;
    r->pace.dirty = true;
    return false;
}

int run_report(struct run *r, struct err *e)
{
    jv status AUTO_JV = jv_invalid();
    struct buf text AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];
    struct msg m = {.type = MSG_REPORT};

    if (r->sock < 0 || r->a->dry)
        return 0;
    status = status_make(r->a, &r->st);
    json_canon(&text, status);
    sha256_hex(text.p, text.len, hash);
    if (!is_due(r) && !r->resend && strcmp(hash, r->st.reported) == 0)
        return 0;
    m.json = text.p;
    m.json_len = text.len;
    if (proto_send(r->sock, &m, e) < 0 || run_receive(r, &m, e) < 0)
        return -1;
    if (m.type != MSG_SENT)
        return err_set(e, FC_FAIL, "the network half did not say whether the report was sent");
    r->away = (struct err){0};
    r->pace.reported = uptime_s();
    r->pace.dirty = true;
    if (strcmp(hash, r->st.reported) != 0) {
        memcpy(r->st.reported, hash, sizeof hash);
        r->dirty = true;
    }
    return 0;
}

static int report_progress(void *with, struct err *e)
{
    return run_report(with, e);
}

int run_update(struct run *r, jv device, struct err *e)
{
    bool leaves = decommission_target(device) != NULL;
    struct progress progress = {.st = &r->st, .report = report_progress, .with = r,
        .since = uptime_s()};
    int64_t from = r->st.current.number;
    int rc;

    if (leaves)
        return decommission_tell(r, device, e);
    r->a->progress = &progress;
    rc = update_apply(r->a, &r->st, device, e);
    r->a->progress = NULL;
    deadline_resume(r->a);
    if (rc < 0 && e->code == FC_AGAIN)
        pace_failed(&r->pace, &r->pace.update, 0, e->msg);
    else
        pace_went_well(&r->pace, &r->pace.update);
    if (rc)
        return rc;
    r->dirty = false;
    log_info("version %" PRId64 " is applied (was %" PRId64 ")", r->st.current.number, from);
    return 0;
}

int run_drift(struct run *r, struct err *e)
{
    bool changed, waits = !r->kicked && backoff_left(&r->pace.drift);
    int rc;

    if (waits)
        return 0;
    rc = drift_run(r->a, &r->st, &changed, e);
    deadline_resume(r->a);
    r->dirty |= changed;
    if (rc < 0)
        pace_failed(&r->pace, &r->pace.drift, 0, e->msg);
    else
        pace_went_well(&r->pace, &r->pace.drift);
    return rc;
}
