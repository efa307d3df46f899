/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes resources. */
#include <string.h>

#include "base/log.h"
#include "base/opt.h"
#include "client/verbs.h"
#include "service/input.h"
#include "service/question.h"
#include "service/report.h"

enum { O_IGNORE = OPT_FIRST };

static const struct opt opts[] = {
    OPTS_STORE,
    {'f', "file", "FILE", "file", "delete what these documents describe: a file, a folder, or - "
        "for standard input; may be repeated"},
    {'l', "selector", "SELECTOR", NULL, "all of the kind with these labels"},
    {'m', "message", "REASON", NULL, "why, for the history"},
    {OPT_DRY, "dry-run", NULL, NULL, "say what would be deleted"},
    {'y', "yes", NULL, NULL, "do not ask; needed where nobody can be asked"},
    {O_IGNORE, "ignore-missing", NULL, NULL, "pass over what does not exist"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-delete",
    .brief = "delete resources",
    .args = "KIND NAME ... | KIND/NAME ... | KIND -l SELECTOR | -f FILE",
    .complete = "~" KINDS_EDITED "|templateversion",
    .opts = opts,
};

struct delete {
    struct session session;
    struct report report;
    struct targets targets;
    struct input input;
    const char **files, *selector, *reason, *format, *filter;
    size_t nfiles;
    bool yes, dry, ignore_missing;
};

static void each(void *ctx, const struct kind *k, const char *name)
{
    struct delete *d = ctx;

    report_change(&d->report, k, name, "deleted", NULL);
}

static void progress(void *ctx, size_t done, size_t total)
{
    struct delete *d = ctx;

    if (total > REMOVE_CHUNK && done < total)
        report_progress(&d->report, "deleting", done, total);
}

/* What the operands, the files or the selector mean. */
static int find(struct delete *d, const struct opts *o, struct err *e)
{
    struct arena *a = d->session.arena;
    const struct kind *k;
    struct selector sel;

    if (targets_parse(&d->targets, o->argc, o->argv, e) < 0 ||
        input_read(&d->input, d->files, d->nfiles, e) < 0)
        return -1;
    for (size_t i = 0; i < d->input.n; i++)
        if (targets_of_docs(&d->targets, a, &d->input.docs[i], e) < 0)
            return -1;
    if (!d->selector) {
        targets_unique(&d->targets);
        return 0;
    }
    k = d->targets.v[0].kind;
    d->targets.n = 0;
    if (target_selector(a, k, d->selector, &sel, e) < 0)
        return -1;
    return verb_select(&d->session, &d->targets, k, &sel, e);
}

static int ask(const struct delete *d, struct err *e)
{
    const struct targets *t = &d->targets;
    struct question q = {.verb = "Delete", .otherwise = "nothing was deleted"};

    if (d->yes || d->dry || t->n == 0)
        return 0;
    for (size_t i = 0; i < t->n; i++)
        question_add(&q, t->v[i].kind, t->v[i].name);
    return question_ask(&q, e);
}

static int delete(struct delete *d, const struct opts *o, struct err *e)
{
    struct actor who;
    struct remove_options r = {
        .dry_run = d->dry,
        .ignore_missing = d->ignore_missing,
        .who = &who,
        .each = each,
        .progress = progress,
        .ctx = d,
    };

    if (verbs_open(&d->session, e) < 0 || find(d, o, e) < 0 || ask(d, e) < 0)
        return -1;
    who = session_actor(&d->session, d->reason);
    return verb_remove(&d->session, &d->targets, &r, e);
}

/* The operands must name something, or a kind beside a selector. */
static void check_operands(const struct delete *d, const struct opts *o)
{
    bool kind_alone = o->argc == 1 && !strchr(o->argv[0], '/');

    if (!o->argc && !d->nfiles)
        opt_usage(o, "what is to be deleted?");
    if (o->argc && d->nfiles)
        opt_usage(o, "-f goes without operands");
    if (d->selector && !kind_alone)
        opt_usage(o, "-l goes with a kind");
    if (d->selector && !d->selector[strspn(d->selector, " \t\n")]) /* an unset variable, likely */
        opt_usage(o, "-l: an empty selector would delete all of the kind");
    if (kind_alone && !d->selector)
        opt_usage(o, "which %s? Names or -l are wanted", o->argv[0]);
}

int main(int argc, char **argv)
{
    struct delete d = {.files = xcalloc((size_t)argc + 1, sizeof *d.files)};
    struct err e = {FC_OK, ""}, out = {FC_OK, ""};
    struct opts o;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&d.session, id, o.arg))
            continue;
        switch (id) {
        case 'f': d.files[d.nfiles++] = o.arg; break;
        case 'l': d.selector = o.arg; break;
        case 'm': d.reason = o.arg; break;
        case 'y': d.yes = true; break;
        case OPT_DRY: d.dry = true; break;
        case O_IGNORE: d.ignore_missing = true; break;
        case OPT_OUTPUT: d.format = o.arg; break;
        case OPT_FILTER: d.filter = o.arg; break;
        }
    }
    check_operands(&d, &o);
    rc = report_open(&d.report, d.format, d.filter, d.dry, &e);
    if (rc == 0)
        rc = delete(&d, &o, &e);
    if (report_close(&d.report, &out) < 0)
        log_err(&out);
    if (rc < 0)
        log_err(&e);
    targets_free(&d.targets);
    input_free(&d.input);
    verbs_close(&d.session);
    free(d.files);
    return rc < 0 ? (int)e.code : (int)out.code;
}
