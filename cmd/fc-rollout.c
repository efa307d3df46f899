/* SPDX-License-Identifier: Apache-2.0 */
/* Plans rollouts, shows how they stand, and moves them on. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "service/input.h"
#include "service/report.h"
#include "service/service.h"
#include "service/session.h"
#include "service/target.h"

enum {
    NAMES = 10,  /* of a batch, in a table; documents have all */
    LINES = 20,  /* devices of a fleet below a table */
    O_NOW = OPT_FIRST, O_NAMES,
};

#define O_DRY {OPT_DRY, "dry-run", NULL, NULL, "say what would happen"}

static const struct opt opts[] = {OPTS_STORE, {0}};
static const struct opt plan_opts[] = {
    {'f', "file", "FILE", "file", "plan for these fleets instead of the store's; may be repeated"},
    {O_NAMES, "names", "N", NULL, "names of a batch's devices, 0 for all (default: 10 in a table, "
        "else all)"},
    {O_NOW, "now", "TIME", NULL, "as if it were this time (RFC 3339)"},
    OPTS_OUTPUT,
    {0},
};
static const struct opt status_opts[] = {OPTS_OUTPUT, {0}};
static const struct opt step_opts[] = {
    {'m', "message", "REASON", NULL, "why, for the history"}, O_DRY, OPTS_OUTPUT, {0},
};

#define FLEETS "!fc-select fleets -q .metadata.name -o name"
enum { PLAN, STATUS, STEP, RETRY };
static const struct sub subs[] = {
    [PLAN] = {"plan", "[FLEET ...]", FLEETS, "show the batches that a rollout has", plan_opts},
    [STATUS] = {"status", "[FLEET ...]", FLEETS, "show how far it is, and why not farther",
        status_opts},
    [STEP] = {"step", "[FLEET ...]", FLEETS, "take it as far as reports allow", step_opts},
    [RETRY] = {"retry", "FLEET ...", FLEETS, "have failed devices try again", step_opts},
    {0},
};
static const struct command command = {
    .name = "fc-rollout",
    .brief = "plan, watch and move the rollouts of fleets",
    .opts = opts,
    .subs = subs,
};

static const struct column plan_columns[] = {
    {"FLEET", "fleet", COL_TEXT, false},
    {"BATCH", "batch", COL_TEXT, false},
    {"DEVICES", "devices", COL_TEXT, false},
    {"NEEDS", "needs", COL_TEXT, false},
    {"NAMES", "names", COL_TEXT, false},
    {0},
};
static const struct column status_columns[] = {
    {"FLEET", "fleet", COL_TEXT, false},
    {"VERSION", "version", COL_TEXT, false},
    {"STATUS", "status", COL_STATE, false},
    {"BATCH", "batch", COL_TEXT, false},
    {"DEVICES", "devices.total", COL_TEXT, false},
    {"DONE", "devices.succeeded", COL_TEXT, false},
    {"PENDING", "devices.pending", COL_TEXT, false},
    {"FAILED", "devices.failed", COL_TEXT, false},
    {"TIMED OUT", "devices.timedOut", COL_TEXT, true},
    {"BLOCKED", "devices.blocked", COL_TEXT, true},
    {"SINCE", "changed", COL_AGO, false},
    {0},
};

struct run {
    struct opts o;
    struct session session;
    const struct kind *kind; /* Fleet */
    struct targets fleets;   /* those meant */
    struct input docs;       /* -f */
    jv *planned;             /* its fleets; the array is ours */
    size_t nplanned;
    struct printer *printer;
    struct report report;
    struct actor who;
    const char **files, *format, *filter, *reason;
    size_t nfiles;
    int64_t names, now;      /* names -1: the default */
    bool dry;
};

/* --- plan ------------------------------------------------------------------------------------- */

static jv names_of(const struct rollout_plan_batch *b)
{
    jv names = jv_array();

    for (int64_t i = 0; i < b->nnames; i++)
        names = jv_array_append(names, jv_string(b->names[i]));
    return names;
}

/* A table has a row for a batch, a document is for a fleet. */
static int show_plan(struct run *r, const char *fleet, const struct rollout_plan_batch *b, size_t n,
    struct err *e)
{
    char *id AUTO_FREE = xasprintf("fleet/%s", fleet);
    bool table = printer_is_table(r->printer);
    jv doc AUTO_JV = jv_object(), batches = jv_array();
    int rc = 0;

    json_sets(&doc, "fleet", fleet);
    for (size_t i = 0; i < n; i++) {
        jv batch = table ? jv_copy(doc) : jv_object(), names = names_of(&b[i]);

        json_sets(&batch, "batch", b[i].label);
        json_seti(&batch, "devices", b[i].total);
        if (table && b[i].total > b[i].nnames)
            names = jv_array_append(names, jv_string("..."));
        json_set(&batch, "names", names);
        if (table && i) {
            char *needs AUTO_FREE = xasprintf("%d %%", b[i].threshold);

            json_sets(&batch, "needs", needs);
        } else if (i)
            json_seti(&batch, "needs", b[i].threshold);
        if (table && rc == 0)
            rc = printer_put(r->printer, id, batch, e);
        batches = jv_array_append(batches, batch);
    }
    json_set(&doc, "batches", batches);
    return table ? rc : printer_put(r->printer, id, doc, e);
}

/* Planning tries the rollout out: its transaction is always undone. */
static int plan_one(struct run *r, const char *fleet, jv doc, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct rollout_plan_batch *b;
    struct store *s = &r->session.store;
    size_t n;
    int rc;

    if (store_begin(s, e) < 0)
        return -1;
    rc = rollout_plan(s, a, s->org, fleet, doc, r->now, r->names, &r->who, &b, &n, e);
    store_rollback(s);
    return rc < 0 ? -1 : show_plan(r, fleet, b, n, e);
}

static int plan(struct run *r, struct err *e)
{
    struct res_query q = {.org = r->session.store.org, .kind = kind_by_id(KIND_DEVICE)};
    int64_t devices = res_count(&r->session.store, &q, 0, e);

    if (devices < 0 || input_fleets(&r->docs, &r->planned, &r->nplanned, e) < 0)
        return -1;
    if (r->names < 0)
        r->names = printer_is_table(r->printer) ? NAMES : 0;
    if (r->names == 0 || r->names > devices)
        r->names = devices;
    for (size_t i = 0; i < r->nplanned; i++)
        if (plan_one(r, json_str(r->planned[i], "metadata.name"), r->planned[i], e) < 0)
            return -1;
    for (size_t i = 0; i < r->fleets.n; i++)
        if (plan_one(r, r->fleets.v[i].name, jv_invalid(), e) < 0)
            return -1;
    return 0;
}

/* --- status ----------------------------------------------------------------------------------- */

static const char *state_word(int state)
{
    return state == ASSIGN_FAILED ? "failed" : state == ASSIGN_TIMEDOUT ? "timed out" : "pending";
}

struct listing {
    jv devices;        /* an array: for documents */
    struct buf *lines; /* for people; NULL: documents */
    size_t n;
};

static void add_device(void *ctx, const struct progress *p)
{
    const char *slash = p->version ? strchr(p->version, '/') : NULL;
    const char *version = slash ? slash + 1 : NULL;
    struct listing *l = ctx;
    char at[TIME_LEN];
    jv doc;

    if (l->lines) {
        if (l->n++ < LINES)
            buf_printf(l->lines, "  %s %s %s%s%s\n", p->name, version ? version : "-",
                state_word(p->state), p->message ? ": " : "", p->message ? p->message : "");
        return;
    }
    doc = jv_object();
    json_sets(&doc, "name", p->name);
    json_sets(&doc, "state", state_word(p->state));
    json_sets(&doc, "version", version);
    json_sets(&doc, "message", p->message);
    if (p->assigned_at) {
        time_format(p->assigned_at, at);
        json_sets(&doc, "assigned", at);
    }
    l->devices = jv_array_append(l->devices, doc);
}

static jv counts_of(const struct rollout_counts *c)
{
    jv v = jv_object();

    json_seti(&v, "total", c->total);
    json_seti(&v, "pending", c->pending);
    json_seti(&v, "succeeded", c->succeeded);
    json_seti(&v, "failed", c->failed);
    json_seti(&v, "timedOut", c->timedout);
    return v;
}

static jv report_of(const struct rollout_report *p)
{
    jv doc = jv_object(), devices = counts_of(&p->all);
    char text[64];

    json_sets(&doc, "fleet", p->fleet);
    json_sets(&doc, "version", p->version);
    json_sets(&doc, "completed", p->completed);
    json_sets(&doc, "status", rollout_status_name(p->status));
    json_sets(&doc, "why", p->why);
    if (p->batch >= 0) {
        json_sets(&doc, "batch", rollout_batch_name(&p->policy, p->batch, text));
        json_set(&doc, "current", counts_of(&p->current));
    }
    json_seti(&devices, "blocked", p->blocked);
    json_set(&doc, "devices", devices);
    time_format(p->started, text);
    json_sets(&doc, "started", text);
    time_format(p->changed, text);
    json_sets(&doc, "changed", text);
    return doc;
}

/* Below the table: why a rollout stands where it is, and which devices it waits for. */
static int status_one(struct run *r, const char *fleet, struct buf *lines, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    char *id AUTO_FREE = xasprintf("fleet/%s", fleet);
    bool table = printer_is_table(r->printer);
    struct listing l = {.devices = jv_array(), .lines = table ? lines : NULL};
    struct store *s = &r->session.store;
    struct rollout_report p;
    jv doc AUTO_JV = jv_invalid();
    int rc = rollout_report(s, a, s->org, fleet, &p, e);

    if (rc == 0) {
        doc = report_of(&p);
        if (table && p.why && p.status != ROLLOUT_COMPLETED)
            buf_printf(lines, "%s: %s: %s\n", fleet, rollout_status_name(p.status), p.why);
        else if (table && p.all.pending + p.all.failed + p.all.timedout)
            buf_printf(lines, "%s: %s\n", fleet, rollout_status_name(p.status));
        rc = rollout_devices(s, a, s->org, fleet, add_device, &l, e);
    }
    if (table && l.n > LINES)
        buf_printf(lines, "  and %zu more\n", l.n - LINES);
    if (table)
        jv_free(l.devices);
    else
        json_set(&doc, "reports", l.devices);
    return rc < 0 ? -1 : printer_put(r->printer, id, doc, e);
}

static int status(struct run *r, struct buf *lines, struct err *e)
{
    for (size_t i = 0; i < r->fleets.n; i++)
        if (status_one(r, r->fleets.v[i].name, lines, e) < 0)
            return -1;
    return 0;
}

/* --- step and retry --------------------------------------------------------------------------- */

struct moved {
    const char *change, *detail;
};

static int step_one(struct run *r, struct arena *a, const char *fleet, struct moved *out,
    struct err *e)
{
    struct store *s = &r->session.store;
    struct rollout_report p;
    bool moved;

    if (rollout_advance(s, a, s->org, fleet, r->now, &r->who, &moved, e) < 0 ||
        rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    out->change = moved ? "advanced" : "unchanged";
    out->detail = arena_printf(a, "%s%s%s", rollout_status_name(p.status), p.why ? ": " : "",
        p.why ? p.why : "");
    return 0;
}

static int retry_one(struct run *r, struct arena *a, const char *fleet, struct moved *out,
    struct err *e)
{
    struct store *s = &r->session.store;
    struct rollout_report p;
    int64_t n;

    if (rollout_retry_fleet(s, a, s->org, fleet, r->now, &r->who, &n, e) < 0 ||
        rollout_report(s, a, s->org, fleet, &p, e) < 0)
        return -1;
    out->change = "retried";
    out->detail = arena_printf(a, "%s is issued again to %" PRId64 " device%s", p.version, n,
        n == 1 ? "" : "s");
    return 0;
}

/* All fleets in one transaction, for they are few; what happened is said after the commit. */
static int move(struct run *r, bool again, struct err *e)
{
    struct store *s = &r->session.store;
    struct arena *a AUTO_ARENA = arena_new();
    struct moved *moved = xcalloc(r->fleets.n + 1, sizeof *moved);
    int rc = store_begin(s, e);
    size_t i;

    for (i = 0; i < r->fleets.n && rc == 0; i++)
        rc = (again ? retry_one : step_one)(r, a, r->fleets.v[i].name, &moved[i], e);
    if (rc == 0 && !r->dry)
        rc = store_commit(s, e);
    store_rollback(s); /* nothing is left to undo after a commit */
    for (i = 0; i < r->fleets.n && rc == 0; i++)
        report_change(&r->report, r->kind, r->fleets.v[i].name, moved[i].change, moved[i].detail);
    free(moved);
    return rc;
}

/* --- the command line ------------------------------------------------------------------------- */

/* The operands, or all fleets unless documents say which. */
static int find_fleets(struct run *r, struct err *e)
{
    struct store *s = &r->session.store;
    struct res res;

    if (!r->o.argc && !r->nfiles)
        return targets_select(&r->fleets, s, r->session.arena, r->kind, NULL, e);
    for (int i = 0; i < r->o.argc; i++) {
        const char *name = target_name(r->kind, r->o.argv[i], e);
        int rc;

        if (!name || (rc = res_get(s, r->session.arena, s->org, r->kind, name, &res, e)) < 0)
            return -1;
        if (rc == 0)
            return target_missing(r->kind, name, e);
        targets_add(&r->fleets, r->kind, name);
    }
    return 0;
}

static int open_all(struct run *r, struct err *e)
{
    if (session_open(&r->session, e) < 0 || find_fleets(r, e) < 0)
        return -1;
    r->who = session_actor(&r->session, r->reason);
    return input_read(&r->docs, r->files, r->nfiles, e);
}

static int run_shown(struct run *r, bool planned, struct err *e)
{
    struct buf lines AUTO_BUF = BUF_INIT;
    struct err out;
    int rc;

    if (printer_open(&r->printer, stdout, r->format, r->filter, e) < 0)
        return -1;
    printer_columns(r->printer, planned ? plan_columns : status_columns, NULL);
    rc = open_all(r, e);
    if (rc == 0)
        rc = planned ? plan(r, e) : status(r, &lines, e);
    if (printer_close(r->printer, rc < 0 ? &out : e) < 0)
        return -1;
    if (rc == 0 && lines.len && (fwrite(lines.p, 1, lines.len, stdout) < lines.len ||
        fflush(stdout)))
        return err_errno(e, "standard output");
    return rc;
}

static int run_moved(struct run *r, bool again, struct err *e)
{
    struct err out;
    int rc;

    if (report_open(&r->report, r->format, r->filter, r->dry, e) < 0)
        return -1;
    rc = open_all(r, e);
    if (rc == 0)
        rc = move(r, again, e);
    return report_close(&r->report, rc < 0 ? &out : e) < 0 ? -1 : rc;
}

static void args_read(struct run *r, int argc, char **argv)
{
    int id;

    opt_start(&r->o, &command, argc, argv);
    while ((id = opt_next(&r->o)) != -1) {
        if (session_option(&r->session, id, r->o.arg))
            continue;
        switch (id) {
        case 'f': r->files[r->nfiles++] = r->o.arg; break;
        case 'm': r->reason = r->o.arg; break;
        case O_NAMES: r->names = opt_num(&r->o, 0, INT32_MAX); break;
        case O_NOW:
            if (time_parse(r->o.arg, &r->now) < 0)
                opt_usage(&r->o, "--now: \"%s\" is no time like 2026-05-04T03:02:01Z", r->o.arg);
            break;
        case OPT_DRY: r->dry = true; break;
        case OPT_OUTPUT: r->format = r->o.arg; break;
        case OPT_FILTER: r->filter = r->o.arg; break;
        }
    }
    if (r->o.sub == &subs[RETRY] && !r->o.argc)
        opt_usage(&r->o, "which fleets?");
}

int main(int argc, char **argv)
{
    struct run r = {
        .kind = kind_by_id(KIND_FLEET),
        .files = xcalloc((size_t)argc + 1, sizeof *r.files),
        .names = -1,
        .now = now_us(),
    };
    struct err e = {FC_OK, ""};
    ptrdiff_t i;
    int rc;

    args_read(&r, argc, argv);
    i = r.o.sub - subs;
    rc = i == PLAN || i == STATUS ? run_shown(&r, i == PLAN, &e) : run_moved(&r, i == RETRY, &e);
    if (rc < 0)
        log_err(&e);
    targets_free(&r.fleets);
    free(r.planned);
    input_free(&r.docs);
    session_close(&r.session);
    free(r.files);
    return rc < 0 ? (int)e.code : FC_OK;
}
