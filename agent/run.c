/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal.h"
#include "net.h"
#include "place.h"
#include "progress.h"
#include "proto.h"
#include "show.h"
#include "spec.h"
#include "status.h"
#include "update.h"

/* One run, between its two processes. */
struct run {
    struct agent *a;
    struct state st;
    struct settings settings;
    int sock;
    struct buf keep;   /* the message that is being looked at */
    bool dirty;        /* st is to be stored */
    bool resend;       /* the server wants a report in any case */
};

static int receive(struct run *r, struct msg *m, struct err *e)
{
    if (proto_recv(r->sock, (r->a->wait + RUN_SLACK) * 1000, &r->keep, m, e) < 0) {
        e->code = e->code == FC_NOTFOUND ? FC_FAIL : e->code;
        return -1;
    }
    if (m->type == MSG_ERROR) {
        *e = m->err;
        return -1;
    }
    return 0;
}

/* Takes what the network half says about who the device is. */
static void note_name(struct run *r, const struct msg *m)
{
    if (strcmp(r->st.device, m->name) != 0) {
        memcpy(r->st.device, m->name, sizeof r->st.device);
        r->dirty = true;
    }
    if (m->fresh) {
        log_info("enrolled as %s", m->name);
        r->st.reported[0] = '\0';
        r->dirty = true;
    }
}

/* --- the update --------------------------------------------------------------------------- */

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
    if (spec_identify(*device, r->st.device, &version, e) < 0 || spec_check(*device, e) < 0)
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

static int report(struct run *r, struct err *e);

static int report_progress(void *with, struct err *e)
{
    return report(with, e);
}

static int apply(struct run *r, jv device, struct err *e)
{
    struct progress progress = {.st = &r->st, .report = report_progress, .with = r,
        .since = monotonic_s()};
    int64_t from = r->st.current.number;
    int rc;

    if (r->a->dry)
        return show_plan(r->a, device, e);
    r->a->progress = &progress;
    rc = update_apply(r->a, &r->st, device, e);
    r->a->progress = NULL;
    if (rc)
        return rc < 0 ? -1 : 0;
    r->dirty = false;
    log_info("version %" PRId64 " is applied (was %" PRId64 ")", r->st.current.number, from);
    return 0;
}

/* --- the report --------------------------------------------------------------------------- */

static int report(struct run *r, struct err *e)
{
    jv status AUTO_JV = status_make(r->a, &r->st);
    struct buf text AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];
    struct msg m = {.type = MSG_REPORT};

    json_canon(&text, status);
    sha256_hex(text.p, text.len, hash);
    if (!r->resend && strcmp(hash, r->st.reported) == 0)
        return 0;
    m.json = text.p;
    m.json_len = text.len;
    if (proto_send(r->sock, &m, e) < 0 || receive(r, &m, e) < 0)
        return -1;
    if (m.type != MSG_SENT)
        return err_set(e, FC_FAIL, "the network half did not say whether the report was sent");
    if (strcmp(hash, r->st.reported) != 0) {
        memcpy(r->st.reported, hash, sizeof hash);
        r->dirty = true;
    }
    return 0;
}

/* --- the conversation --------------------------------------------------------------------- */

/* An update that failed is still reported; its error is the one that counts. */
static int update_and_report(struct run *r, const struct msg *m, struct err *e)
{
    jv device AUTO_JV = jv_invalid();
    struct err sent = {0};
    int rc;

    r->resend = m->type == MSG_NOTHING && m->resend;
    rc = m->type == MSG_DESIRED ? take_desired(r, m, &device, e) :
        m->type == MSG_REFUSED ? take_refusal(r, m, e) : pending(r, &device, e);
    if (rc == 0 && jv_is_valid(device))
        rc = apply(r, device, e);
    if (r->a->dry || report(r, rc < 0 ? &sent : e) == 0)
        return rc;
    if (rc < 0)
        log_err(&sent);
    return -1;
}

static int converse(struct run *r, struct err *e)
{
    struct msg m;

    if (receive(r, &m, e) < 0)
        return -1;
    if (m.type != MSG_NAME)
        return err_set(e, FC_FAIL, "the network half did not say the device's name");
    note_name(r, &m);
    if (receive(r, &m, e) < 0)
        return -1;
    switch (m.type) {
    case MSG_PENDING:
        return err_set(e, FC_AGAIN, "waiting for approval of %s%s%s", r->st.device,
            r->settings.ui ? " at " : "", r->settings.ui ? r->settings.ui : "");
    case MSG_LOST:
        r->st.reported[0] = '\0';
        r->dirty = true;
        return err_set(e, FC_AGAIN, "the server does not know %s any more: the next run asks for "
            "enrollment again", r->st.device);
    case MSG_NOTHING:
    case MSG_DESIRED:
    case MSG_REFUSED:
        return update_and_report(r, &m, e);
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
    rc = converse(r, e);
    net_stop(pid, r->sock);
    return rc;
}

static int prepared(struct run *r, struct err *e)
{
    int certs AUTO_CLOSE = -1;
    struct err store = {0};
    bool enrolled;
    int rc;

    if (state_load(r->a, &r->st, e) < 0)
        return -1;
    if (!r->a->dry) {
        place_sweep(r->a->data_fd);
        if (update_recover(r->a, &r->st, e) < 0)
            return -1;
    } else if (r->a->data_fd >= 0 && journal_exists(r->a->data_fd))
        log_info("an interrupted update would be finished or undone first");
    certs = agent_certs(r->a, !r->a->dry, e);
    if (certs < 0 && !r->a->dry)
        return -1;
    enrolled = certs >= 0 && faccessat(certs, "agent.crt", F_OK, 0) == 0;
    if (settings_load(r->a, !enrolled, &r->settings, e) < 0)
        return -1;
    r->a->settings = &r->settings;
    if (!enrolled && r->a->dry) {
        log_info("the device would ask %s for enrollment", r->settings.enrollment.server);
        return 0;
    }
    rc = with_network(r, certs, e);
    if (r->dirty && !r->a->dry && state_store(r->a->data_fd, &r->st, rc < 0 ? &store : e) < 0) {
        if (rc < 0)
            log_err(&store);
        rc = -1;
    }
    return rc;
}

/* What the last run came to, for `fc-agent status`; volatile. */
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

enum fc_code agent_run(struct agent *a, struct err *e)
{
    struct run r = {.a = a, .sock = -1, .settings = {.labels = jv_invalid(),
        .info_labels = jv_invalid()}};
    int rc;

    if (agent_account(a, e) < 0 || agent_open(a, !a->dry, e) < 0)
        return e->code;
    if (a->run_fd >= 0 && agent_lock(a, e) < 0)
        return e->code;
    rc = prepared(&r, e);
    if (!a->dry) {
        place_sweep(a->run_fd);
        note_run(a, rc < 0 ? e->code : FC_OK, rc < 0 ? e->msg : "");
    }
    a->settings = NULL;
    settings_free(&r.settings);
    buf_free(&r.keep);
    return rc < 0 ? e->code : FC_OK;
}
