/* SPDX-License-Identifier: Apache-2.0 */
/* Plans rollouts, shows how they stand, and moves them on. */
#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "service/input.h"
#include "service/report.h"
#include "service/rollout_doc.h"
#include "service/rollouts.h"
#include "service/session.h"

enum {
    NAMES = 10,  /* of a batch, in a table; documents have all */
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

#define FLEETS "~fleet"
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
    struct targets fleets;   /* those meant */
    struct input docs;       /* -f */
    jv *planned;             /* its fleets; the array is ours */
    struct printer *printer;
    struct report report;
    struct actor who;
    const char **files, *format, *filter, *reason;
    size_t nfiles;
    int64_t names, now;      /* names -1: the default */
    bool dry;
};

/* --- what is printed -------------------------------------------------------------------------- */

/* A table has a row for a batch, a document is for a fleet. */
static int show_plan(void *ctx, const char *fleet, const struct rollout_plan_batch *b, size_t n,
    struct err *e)
{
    char *id AUTO_FREE = xasprintf("fleet/%s", fleet);
    struct run *r = ctx;

    if (!printer_is_table(r->printer)) {
        jv doc AUTO_JV = rollout_plan_doc(fleet, b, n);

        return printer_put(r->printer, id, doc, e);
    }
    for (size_t i = 0; i < n; i++) {
        jv row AUTO_JV = rollout_plan_row(fleet, b, i);

        if (printer_put(r->printer, id, row, e) < 0)
            return -1;
    }
    return 0;
}

static int plan(struct run *r, struct err *e)
{
    struct rollout_plans p = {
        .fleets = &r->fleets,
        .now = r->now,
        .names = r->names >= 0 ? r->names : printer_is_table(r->printer) ? NAMES : 0,
        .each = show_plan,
        .ctx = r,
    };

    if (input_fleets(&r->docs, &r->planned, &p.ndocs, e) < 0)
        return -1;
    p.docs = r->planned;
    return rollouts_plan(&r->session.store, &p, e);
}

/* Below the table: why a rollout stands where it is, and which devices it waits for. */
static int status(struct run *r, struct buf *lines, struct err *e)
{
    for (size_t i = 0; i < r->fleets.n; i++) {
        char *id AUTO_FREE = xasprintf("fleet/%s", r->fleets.v[i].name);
        jv doc AUTO_JV = jv_invalid();

        if (rollout_status_doc(&r->session.store, r->fleets.v[i].name, &doc,
            printer_is_table(r->printer) ? lines : NULL, e) < 0 ||
            printer_put(r->printer, id, doc, e) < 0)
            return -1;
    }
    return 0;
}

static void show_move(void *ctx, const char *fleet, const char *change, const char *detail)
{
    struct run *r = ctx;

    report_change(&r->report, kind_by_id(KIND_FLEET), fleet, change, detail);
}

static int move(struct run *r, bool again, struct err *e)
{
    struct rollout_moves m = {
        .retry = again,
        .dry_run = r->dry,
        .who = &r->who,
        .each = show_move,
        .ctx = r,
    };

    return rollouts_move(&r->session.store, &r->fleets, &m, e);
}

/* --- the command line ------------------------------------------------------------------------- */

/* The operands, or all fleets unless documents say which. */
static int open_all(struct run *r, struct err *e)
{
    struct session *s = &r->session;

    if (session_open(s, e) < 0)
        return -1;
    if ((r->o.argc || !r->nfiles) &&
        rollouts_find(&r->fleets, &s->store, s->arena, r->o.argc, r->o.argv, e) < 0)
        return -1;
    r->who = session_actor(s, r->reason);
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
