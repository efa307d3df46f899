/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/print.h"
#include "decommission.h"
#include "drift.h"
#include "journal.h"
#include "place.h"
#include "settings.h"
#include "spec.h"
#include "status.h"
#include "txn.h"

#define OS_FAILED "OSUpdateFailed: "

static const struct column plan_columns[] = {
    {"ACTION", "action", COL_TEXT, false},
    {"PATH", "path", COL_TEXT, false},
    {"MODE", "mode", COL_TEXT, false},
    {"OWNER", "owner", COL_TEXT, false},
    {"SIZE", "size", COL_TEXT, false},
    {"SHA256", "sha256", COL_TEXT, true},
    {0},
};

static const struct column status_columns[] = {
    {"DEVICE", "device", COL_TEXT, false},
    {"ENROLLED", "enrolled", COL_TEXT, false},
    {"RUNS", "currentVersion", COL_TEXT, false},
    {"RECEIVED", "desiredVersion", COL_TEXT, false},
    {"LAST RUN", "lastRun.time", COL_AGO, false},
    {"EXIT", "lastRun.exit", COL_TEXT, false},
    {"SPLIT", "privilegeSplit", COL_TEXT, true},
    {"MESSAGE", "message", COL_TEXT, false},
    {0},
};

/* A step of the journal as people read it: without what is only for the way back. */
static jv step_doc(const struct step *s)
{
    static const char *const same[] = {"path", "size", "sha256", "target"};
    jv o = jv_object();
    char text[64];
    size_t i;

    json_sets(&o, "controller", s->ctl->name);
    json_sets(&o, "action", json_str(s->rec, "do"));
    for (i = 0; i < LEN(same); i++)
        if (json_has(s->rec, same[i]))
            json_set(&o, same[i], json_get(s->rec, same[i]));
    if (json_has(s->rec, "mode")) {
        snprintf(text, sizeof text, "%04o", (unsigned)json_int(s->rec, "mode", 0));
        json_sets(&o, "mode", text);
        snprintf(text, sizeof text, "%lld:%lld", (long long)json_int(s->rec, "uid", 0),
            (long long)json_int(s->rec, "gid", 0));
        json_sets(&o, "owner", text);
    }
    return o;
}

int show_plan(const struct agent *a, jv device, struct err *e)
{
    jv spec AUTO_JV = json_get(device, "spec");
    const char *leaves = decommission_target(device);
    struct plan p = {.after = jv_invalid()};
    struct printer *out;
    size_t i;
    int rc;

    if (leaves) {
        log_info("the device would be decommissioned (%s)", leaves);
        if (strcmp(leaves, "FactoryReset") != 0)
            return 0;
        jv_free(spec);
        spec = jv_object();
    }
    spec_warn(spec);
    rc = plan_make(a, spec, &p, e);
    if (rc < 0)
        e->code = FC_FAIL; /* as for the run that it stands for */
    if (rc < 0 || printer_open(&out, stdout, a->format, a->filter, e) < 0) {
        plan_free(&p);
        return -1;
    }
    printer_columns(out, plan_columns, NULL);
    for (i = 0; rc == 0 && i < p.n; i++) {
        jv doc AUTO_JV = step_doc(&p.step[i]);

        rc = printer_put(out, json_str(doc, "path"), doc, e);
    }
    plan_free(&p);
    return printer_close(out, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

int show_drift(const struct agent *a, const struct state *st, struct err *e)
{
    jv device AUTO_JV = jv_invalid();

    if (!st->current.number || !st->current.hash[0] || !drift_seen(a))
        return 0;
    if (a->settings && a->settings->drift_report)
        log_info("drift-policy is report: a run leaves it as it is");
    if (state_doc(a->data_fd, "current.json", &st->current, &device, e) < 0)
        return -1;
    return show_plan(a, device, e);
}

int agent_plan(struct agent *a, struct err *e)
{
    jv device AUTO_JV = jv_invalid();
    struct state st;

    a->dry = true;
    if (agent_open(a, false, e) < 0 || state_load(a, &st, e) < 0)
        return -1;
    if (a->data_fd >= 0 && journal_exists(a->data_fd))
        log_info("an interrupted update would be finished or undone first");
    if (!st.desired.number)
        return err_set(e, FC_NOTFOUND, "no version was received yet");
    if (!st.desired.hash[0])
        return err_set(e, FC_FAIL, "%s", st.outcome.message);
    if (state_doc(a->data_fd, "desired.json", &st.desired, &device, e) < 0)
        return -1;
    if (st.desired.number == st.failed)
        log_info("version %lld failed before: a run does not try it again",
            (long long)st.failed);
    return show_plan(a, device, e);
}

/* --- status ------------------------------------------------------------------------------- */

static void add_last_run(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv run = jv_invalid();
    const char *split, *message;

    if (a->run_fd < 0 || place_read(a->run_fd, LAST_RUN, LAST_RUN, STATE_MAX, &b, NULL) < 0 ||
        json_parse(b.p ? b.p : "", b.len, &run, NULL) < 0)
        return;
    split = json_str(run, "privilegeSplit");
    json_sets(o, "privilegeSplit", split);
    message = json_str(run, "message");
    if (message && *message)
        json_sets(o, "message", message);
    json_del(&run, "privilegeSplit");
    json_set(o, "lastRun", run);
}

/* The conditions that are reported, and the one that a failed OS update stands for. */
static jv conditions(const struct state *st, jv status)
{
    jv list = json_get(status, "conditions"), os;

    if (strncmp(st->outcome.message, OS_FAILED, strlen(OS_FAILED)) != 0)
        return list;
    os = jv_array_get(jv_copy(list), 0);
    json_sets(&os, "type", "OSUpdateFailed");
    json_sets(&os, "status", "True");
    json_sets(&os, "message", st->outcome.message + strlen(OS_FAILED));
    return jv_array_append(list, os);
}

/* The document that says how the device is, as it reports it: fc-apply --device-status takes it. */
static void add_report(const struct state *st, jv *o, jv status)
{
    jv metadata = jv_object();

    json_sets(&metadata, "name", st->device);
    json_sets(o, "apiVersion", "flightctl.io/v1beta1");
    json_sets(o, "kind", "Device");
    json_set(o, "metadata", metadata);
    json_set(o, "status", jv_copy(status));
}

int agent_status(struct agent *a, struct err *e)
{
    struct printer *out;
    jv o AUTO_JV = jv_object(), status AUTO_JV = jv_invalid();
    struct settings settings;
    struct state st;
    int certs AUTO_CLOSE = -1;

    a->dry = true;
    if (agent_open(a, false, e) < 0 || state_load(a, &st, e) < 0)
        return -1;
    if (settings_load(a, SETTINGS_LOCAL, &settings, e) < 0)
        log_warn("%s", e->msg);
    else
        a->settings = &settings;
    status = status_make(a, &st);
    a->settings = NULL;
    settings_free(&settings);
    if (st.device[0])
        add_report(&st, &o, status);
    if (a->data_fd >= 0)
        certs = place_open(a->data_fd, "certs", O_RDONLY | O_DIRECTORY, 0);
    json_set(&o, "device", st.device[0] ? jv_string(st.device) : jv_null());
    json_set(&o, "enrolled", certs >= 0 && faccessat(certs, "agent.crt", F_OK, 0) == 0 ?
        jv_true() : jv_false());
    json_seti(&o, "currentVersion", st.current.number);
    json_seti(&o, "desiredVersion", st.desired.number);
    json_set(&o, "failedVersion", st.failed ? jv_number((double)st.failed) : jv_null());
    json_set(&o, "interrupted", a->data_fd >= 0 && journal_exists(a->data_fd) ? jv_true() :
        jv_false());
    json_set(&o, "conditions", conditions(&st, status));
    if (st.outcome.reason[0])
        json_sets(&o, "message", st.outcome.message);
    add_last_run(a, &o);
    if (printer_open(&out, stdout, a->format, a->filter, e) < 0)
        return -1;
    printer_columns(out, status_columns, NULL);
    if (printer_put(out, st.device[0] ? st.device : "-", o, e) < 0) {
        printer_close(out, NULL);
        return -1;
    }
    return printer_close(out, e);
}
