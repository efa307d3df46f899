/* SPDX-License-Identifier: Apache-2.0 */
/* Creates and changes resources as documents describe them. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opt.h"
#include "client/verbs.h"
#include "service/input.h"
#include "service/report.h"

enum { O_PARTIAL = OPT_FIRST, O_UNKNOWN, O_ATOMIC, O_STATUS };

static const struct opt opts[] = {
    OPTS_STORE,
    {'f', "file", "FILE", "file", "documents: a file, a folder of them, or - for standard input; "
        "may be repeated"},
    {'m', "message", "REASON", NULL, "why, for the history"},
    {OPT_DRY, "dry-run", NULL, NULL, "say what would change, and change nothing"},
    {O_ATOMIC, "atomic", NULL, NULL, "one transaction, of up to 10000 resources"},
    {O_STATUS, "device-status", NULL, NULL, "store what devices say of themselves (fc-agent status "
        "-o json), nothing else"},
    {O_PARTIAL, "partial", NULL, NULL, "pass over invalid documents instead of refusing all"},
    {O_UNKNOWN, "allow-unknown", NULL, NULL, "keep unknown members where the API does"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-apply",
    .brief = "create and change resources",
    .args = "[FILE ...]",
    .complete = "file",
    .opts = opts,
};

struct apply {
    struct session session;
    struct report report;
    struct err first; /* the first invalid document's problem: it was said already */
};

static void each(void *ctx, const struct kind *k, const char *name, enum change what)
{
    struct apply *a = ctx;

    report_change(&a->report, k, name, change_name(what), NULL);
}

static void invalid(void *ctx, const char *message)
{
    struct apply *a = ctx;

    if (a->first.code == FC_OK)
        err_set(&a->first, FC_INVALID, "%s", message);
    log_warn("%s", message);
}

static void progress(void *ctx, size_t done, size_t total)
{
    struct apply *a = ctx;

    if (total > APPLY_CHUNK && done < total)
        report_progress(&a->report, "applying", done, total);
}

/* What the devices say, not what they are to be. */
static int take_status(struct apply *a, const char *const *paths, size_t n,
    struct apply_options *o, const char *reason, struct err *e)
{
    struct input in = {0};
    struct carried reports = {0};
    struct actor who;
    int rc = verbs_open(&a->session, e);

    if (rc == 0)
        rc = input_read(&in, paths, n, e);
    if (rc == 0)
        rc = carried_read(in.docs, in.n, &reports, e);
    if (rc == 0) {
        who = session_actor(&a->session, reason);
        o->who = &who;
        rc = verb_carried(&a->session, &reports, o, e);
    }
    carried_free(&reports);
    input_free(&in);
    return rc;
}

static int apply(struct apply *a, const char *const *paths, size_t n, struct apply_options *o,
    const char *reason, struct err *e)
{
    struct input in = {.late = true};
    struct actor who;
    int rc = verbs_open(&a->session, e);

    if (rc == 0)
        rc = input_read(&in, paths, n, e);
    if (rc == 0) {
        who = session_actor(&a->session, reason);
        o->who = &who;
        rc = verb_apply(&a->session, in.docs, in.n, o, e);
    }
    input_free(&in);
    return rc;
}

int main(int argc, char **argv)
{
    struct apply a = {0};
    struct apply_options o = {.each = each, .invalid = invalid, .progress = progress, .ctx = &a};
    const char *reason = NULL, *format = NULL, *filter = NULL;
    const char **paths = xcalloc((size_t)argc + 1, sizeof *paths);
    struct err e = {FC_OK, ""}, out = {FC_OK, ""};
    struct opts opt;
    bool status = false;
    size_t n = 0;
    int id, rc;

    opt_start(&opt, &command, argc, argv);
    while ((id = opt_next(&opt)) != -1) {
        if (session_option(&a.session, id, opt.arg))
            continue;
        switch (id) {
        case 'f': paths[n++] = opt.arg; break;
        case 'm': reason = opt.arg; break;
        case OPT_DRY: o.dry_run = true; break;
        case O_ATOMIC: o.atomic = true; break;
        case O_STATUS: status = true; break;
        case O_PARTIAL: o.partial = true; break;
        case O_UNKNOWN: o.allow_unknown = true; break;
        case OPT_OUTPUT: format = opt.arg; break;
        case OPT_FILTER: filter = opt.arg; break;
        }
    }
    for (int i = 0; i < opt.argc; i++)
        paths[n++] = opt.argv[i];
    if (status && (o.atomic || o.partial || o.allow_unknown))
        opt_usage(&opt, "--device-status goes without --atomic, --partial and --allow-unknown");
    if (n == 0 && isatty(STDIN_FILENO))
        opt_usage(&opt, "which files?");
    if (n == 0)
        paths[n++] = "-";
    rc = report_open(&a.report, format, filter, o.dry_run, &e);
    if (rc == 0)
        rc = (status ? take_status : apply)(&a, paths, n, &o, reason, &e);
    if (report_close(&a.report, &out) < 0)
        log_err(&out);
    if (rc < 0 && (a.first.code == FC_OK || strcmp(e.msg, a.first.msg)))
        log_err(&e);
    verbs_close(&a.session);
    free(paths);
    return rc < 0 ? (int)e.code : (int)out.code;
}
