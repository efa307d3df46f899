/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "decommission.h"
#include "journal.h"
#include "net.h"
#include "place.h"
#include "reboot.h"
#include "run.h"
#include "show.h"
#include "spec.h"
#include "status.h"
#include "update.h"

int run_receive(struct run *r, struct msg *m, struct err *e)
{
    if (proto_recv(r->sock, (r->a->wait + RUN_SLACK) * 1000, &r->keep, m, e) < 0) {
        e->code = e->code == FC_NOTFOUND || e->code == FC_INVALID ? FC_FAIL : e->code;
        r->away = *e;
        return -1;
    }
    if (m->type == MSG_ERROR) {
        *e = r->away = m->err;
        r->after = m->after;
        return -1;
    }
    return 0;
}

/* Takes what the network half says about who the device is. */
static void note_name(struct run *r, const struct msg *m)
{
    if (strcmp(r->st.device, m->name) != 0) {
        snprintf(r->st.device, sizeof r->st.device, "%s", m->name);
        r->dirty = true;
    }
    if (m->fresh) {
        log_info("enrolled as %s", m->name);
        r->st.reported[0] = '\0';
        r->dirty = true;
    }
}

/* --- the version -------------------------------------------------------------------------- */

/* A version that follows no schema is never looked at here. */
static int take_refusal(struct run *r, const struct msg *m, struct err *e)
{
    if (m->version <= r->st.desired.number)
        return err_set(e, FC_FAIL, "version %" PRId64 " is not newer than %" PRId64, m->version,
            r->st.desired.number);
    if (r->a->dry)
        return err_set(e, FC_FAIL, "version %" PRId64 ": %s", m->version, m->err.msg);
    return update_refuse(r->a, &r->st, m->version, m->err.msg, e);
}

/* What the network half checked is checked again here: it is the one that may have been
 * overpowered. */
static int take_desired(struct run *r, const struct msg *m, jv *device, struct err *e)
{
    struct buf canon AUTO_BUF = BUF_INIT;
    int64_t version;

    if (m->version <= r->st.desired.number)
        return err_set(e, FC_FAIL, "version %" PRId64 " is not newer than %" PRId64, m->version,
            r->st.desired.number);
    if (json_parse(m->json, m->json_len, device, e) < 0)
        return -1;
    json_canon(&canon, *device);
    if (canon.len != m->json_len || memcmp(canon.p, m->json, canon.len) != 0)
        return err_set(e, FC_FAIL, "version %" PRId64 ": not in canonical form", m->version);
    if (spec_identify(*device, r->st.device, &version, e) < 0 || spec_check(*device, NULL, e) < 0)
        return -1;
    if (version != m->version)
        return err_set(e, FC_FAIL, "version %" PRId64 ": is %" PRId64, m->version, version);
    if (r->a->dry)
        return 0;
    return update_store(r->a, &r->st, m->version, m->hash, m->json, m->json_len, e);
}

/* The document of a version that was received but neither applied nor failed, if there is one. */
static int pending(struct run *r, jv *device, struct err *e)
{
    struct state *st = &r->st;

    if (st->desired.number == st->current.number || st->desired.number == st->failed)
        return 0;
    if (state_doc(r->a->data_fd, "desired.json", &st->desired, device, e) == 0)
        return 0;
    if (r->a->dry)
        return -1;
    place_set_aside(r->a->data_fd, "desired.json", e);
    st->desired = (struct version){0};
    r->dirty = true;
    return err_set(e, FC_AGAIN, "the received version is lost: the next run asks for it again");
}

/* --- the work ----------------------------------------------------------------------------- */

/* What there is to do without another word from a server. */
static int work(struct run *r, struct err *e)
{
    bool waits = !r->kicked && backoff_left(&r->pace.update);
    jv device AUTO_JV = jv_invalid();
    int rc = 1;

    r->worked = true;
    if (r->boots)
        return 0;
    if (pending(r, &device, e) < 0)
        return -1;
    if (r->a->dry)
        return jv_is_valid(device) ? show_plan(r->a, device, e) : show_drift(r->a, &r->st, e);
    if (jv_is_valid(device) && !waits)
        rc = run_update(r, device, e);
    return rc <= 0 || reboot_wanted() ? rc : run_drift(r, e);
}

/* What came is stored first; from then on it is the version that is to be applied. An update that
 * failed is still reported; its error is the one that counts. */
static int take_and_work(struct run *r, const struct msg *m, struct err *e)
{
    jv device AUTO_JV = jv_invalid();
    struct err sent = {0};
    int rc = 0;

    r->resend = m->type == MSG_NOTHING && m->resend;
    if (m->type == MSG_NOTHING || r->boots) /* what is new now is new after the reboot, too */
        rc = work(r, e);
    else {
        r->worked = true;
        pace_went_well(&r->pace, &r->pace.update);
        pace_store(r->a, &r->pace); /* if this run is killed, the next one need not wait */
        rc = m->type == MSG_REFUSED ? take_refusal(r, m, e) : take_desired(r, m, &device, e);
        if (rc < 0 && e->code == FC_INVALID) /* nothing that somebody brought */
            e->code = FC_FAIL;
        if (rc == 0)
            rc = r->a->dry ? show_plan(r->a, device, e) : run_update(r, device, e);
    }
    if (r->st.leaving.reason[0] || run_report(r, rc < 0 ? &sent : e) == 0)
        return rc < 0 ? -1 : 0;
    if (rc < 0)
        log_err(&sent);
    return -1;
}

/* --- the conversation --------------------------------------------------------------------- */

static int converse(struct run *r, struct err *e)
{
    struct msg m;

    if (run_receive(r, &m, e) < 0)
        return -1;
    if (m.type != MSG_NAME)
        return err_set(e, FC_FAIL, "the network half did not say the device's name");
    note_name(r, &m);
    if (run_receive(r, &m, e) < 0)
        return -1;
    switch (m.type) {
    case MSG_PENDING:
        return err_set(e, FC_AGAIN, "waiting for approval of %s%s%s", r->st.device,
            r->settings.ui ? " at " : "", r->settings.ui ? r->settings.ui : "");
    case MSG_LOST:
        if (r->st.leaving.reason[0]) { /* it knows enough */
            r->leaving = true;
            return 0;
        }
        r->st.reported[0] = '\0';
        r->dirty = true;
        return err_set(e, FC_AGAIN, "the server does not know %s any more: the next run asks for "
            "enrollment again", r->st.device);
    case MSG_NOTHING:
    case MSG_DESIRED:
    case MSG_REFUSED:
        return take_and_work(r, &m, e);
    case MSG_NAME:
    case MSG_REPORT:
    case MSG_SENT:
    case MSG_ERROR:
    case MSG_TYPES:
        break;
    }
    return err_set(e, FC_FAIL, "the network half said something out of turn");
}

static int with_network(struct run *r, int certs, struct err *e)
{
    struct net_job job = {.a = r->a, .settings = &r->settings, .certs = certs,
        .known = r->st.desired.number, .status = jv_invalid()};
    pid_t pid;
    int rc;

    if (faccessat(certs, "agent.crt", F_OK, 0) < 0) /* an enrollment says what the device is */
        job.status = status_make(r->a, &r->st);
    rc = net_start(&job, &pid, &r->sock, e);
    jv_free(job.status);
    if (rc < 0)
        return -1;
    deadline_start(r->a, (r->a->timeout ? r->a->timeout : r->settings.timeout) + r->a->wait);
    rc = converse(r, e);
    net_stop(pid, r->sock);
    r->sock = -1;
    return rc;
}

/* Asks the server, unless that is to wait, and does without it what can be done. */
static int with_or_without(struct run *r, int certs, struct err *e)
{
    struct backoff *poll = &r->pace.poll;
    int64_t left = r->kicked || r->a->now || r->a->dry ? 0 : backoff_left(poll);
    struct err own = {0};
    int rc;

    if (left) {
        deadline_start(r->a, r->a->timeout ? r->a->timeout : r->settings.timeout);
        rc = err_set(e, FC_AGAIN, "the server is asked again in %" PRId64 " s: %s", left,
            poll->message);
    } else {
        rc = with_network(r, certs, e);
        if (!r->away.code)
            pace_went_well(&r->pace, poll);
        else if (r->away.code != FC_INVALID) /* that is the configuration: nobody was asked */
            pace_failed(&r->pace, poll, r->after, r->away.msg);
    }
    if (rc < 0 && !r->worked && !r->a->dry && work(r, &own) < 0) {
        log_err(e);
        *e = own;
    }
    return rc;
}

void run_boots(struct run *r, bool due)
{
    r->boots = due || r->pace.reboot.failures || reboot_wanted();
    if (r->boots && (r->kicked || pace_reboot_due(&r->pace)))
        reboot_want();
}

static int prepared(struct run *r, struct err *e)
{
    int certs AUTO_CLOSE = -1;
    struct err store = {0};
    bool enrolled;
    int rc;

    if (!r->a->dry)
        r->kicked = pace_kicked(r->a);
    if (state_load(r->a, &r->st, e) < 0)
        return -1;
    if (!r->a->dry) {
        pace_load(r->a, &r->pace);
        place_sweep(r->a->data_fd);
        rc = update_recover(r->a, &r->st, &r->pace.reboot, e);
        if (rc < 0)
            return -1;
        run_boots(r, rc > 0);
    } else if (r->a->data_fd >= 0 && journal_exists(r->a->data_fd))
        log_info("an interrupted update would be finished or undone first");
    rc = decommission_found(r, e);
    if (rc)
        return rc < 0 ? -1 : 0;
    certs = agent_certs(r->a, !r->a->dry, e);
    if (certs < 0 && !r->a->dry)
        return -1;
    enrolled = certs >= 0 && faccessat(certs, "agent.crt", F_OK, 0) == 0;
    if (settings_load(r->a, enrolled ? SETTINGS_SERVER : SETTINGS_BOOTSTRAP, &r->settings, e) < 0)
        return -1;
    r->a->settings = &r->settings;
    if (!enrolled && r->a->dry) {
        log_info("the device would ask %s for enrollment", r->settings.enrollment.server);
        return 0;
    }
    rc = with_or_without(r, certs, e);
    if (r->a->dry)
        return rc;
    if (r->leaving)
        return decommission_wipe(r, e);
    jv_free(status_sample(r->a, &r->st)); /* also when there was no server to tell */
    pace_store(r->a, &r->pace);
    if (r->dirty && state_store(r->a->data_fd, &r->st, rc < 0 ? &store : e) < 0) {
        if (rc < 0)
            log_err(&store);
        rc = -1;
    }
    return rc;
}

static void note_run(const struct agent *a, enum fc_code code, const char *message)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv o AUTO_JV = jv_object();
    char time[TIME_LEN];
    struct err e = {0};

    time_format(now_us(), time);
    json_sets(&o, "time", time);
    json_seti(&o, "exit", code);
    json_sets(&o, "message", message);
    json_sets(&o, "privilegeSplit", a->split ? "on" : "off");
    json_canon(&b, o);
    buf_addc(&b, '\n');
    if (place_write(a->run_fd, LAST_RUN, b.p, b.len, 0644, PLACE_FAST, &e) < 0)
        log_err(&e);
}

int run_end(struct run *r, int rc, struct err *e)
{
    const struct agent *a = r->a;
    struct err boot = {0};

    if (reboot_wanted()) {
        if (reboot_request(a, &boot) < 0) {
            if (rc < 0)
                log_err(&boot);
            else
                *e = boot;
            rc = -1;
        }
        pace_failed(&r->pace, &r->pace.reboot, 0, boot.msg);
        pace_store(a, &r->pace);
    }
    note_run(a, rc < 0 ? e->code : FC_OK, rc < 0 ? e->msg : "");
    return rc;
}

enum fc_code agent_run(struct agent *a, struct err *e)
{
    struct run r = {.a = a, .sock = -1, .settings = {.labels = jv_invalid(),
        .info_labels = jv_invalid(), .info = jv_invalid(), .info_custom = jv_invalid()}};
    int rc;

    if (agent_account(a, e) < 0 || agent_open(a, !a->dry, e) < 0) {
        if (!a->dry)
            pace_kick_spent(a);
        return e->code;
    }
    if (a->run_fd >= 0 && agent_lock(a, e) < 0)
        return e->code;
    rc = prepared(&r, e);
    if (!a->dry) {
        place_sweep(a->run_fd);
        rc = run_end(&r, rc, e);
    }
    a->settings = NULL;
    settings_free(&r.settings);
    buf_free(&r.keep);
    return rc < 0 ? e->code : FC_OK;
}
