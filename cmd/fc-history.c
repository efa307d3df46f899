/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what changed, who did it and why, and undoes it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "service/history.h"
#include "service/question.h"
#include "service/report.h"
#include "service/session.h"
#include "service/target.h"
#include "service/undo.h"

enum { O_DIFF = OPT_FIRST, O_LIMIT, O_PARTIAL, O_SHOW, O_SINCE, O_TO, O_WHO };

static const struct opt opts[] = {
    OPTS_STORE,
    {O_DIFF, "diff", NULL, NULL, "what changed, by the last change or the revisions given; status "
        "1: something did"},
    {O_LIMIT, "limit", "N", NULL, "at most so many changes (default: 0, all)"},
    {O_SHOW, "show", "REV", NULL, "this revision, as fc-apply takes it"},
    {'m', "message", "REASON", NULL, "undo: why, for the history"},
    {OPT_DRY, "dry-run", NULL, NULL, "undo: show what would change, and change nothing"},
    {O_PARTIAL, "partial", NULL, NULL, "undo: pass over what others have changed, too"},
    {O_SINCE, "since", "TIME", NULL, "undo: all changes since then"},
    {O_TO, "to", "REV", NULL, "undo: back to this revision (default: the one before the last)"},
    {O_WHO, "who", "ACTOR", NULL, "undo: with --since, those of this user alone"},
    {'y', "yes", NULL, NULL, "undo: do not ask; needed where nobody can be asked"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-history",
    .brief = "show and undo what changed",
    .args = "KIND/NAME [REV | REV..REV] | undo KIND/NAME | undo --since TIME",
    .complete = "~undo|" KINDS_EDITED,
    .opts = opts,
};

static const struct column columns[] = {
    {"REV", "rev", COL_TEXT, false},
    {"WHEN", "time", COL_AGO, false},
    {"WHO", "actor", COL_TEXT, false},
    {"WHAT", "what", COL_TEXT, false},
    {"GENERATION", "generation", COL_TEXT, false},
    {"WHY", "reason", COL_TEXT, false},
    {"TIME", "time", COL_TEXT, true},
    {0},
};

struct history {
    struct opts o;
    struct session session;
    struct printer *printer;
    struct report report;
    struct targets targets;
    struct undo plan;
    const char *format, *filter, *reason, *range, *actor;
    int64_t limit, show, to, since; /* 0: not given */
    bool diff, undo, dry, yes, partial, colour;
};

/* --- showing ---------------------------------------------------------------------------------- */

static int show_change(void *ctx, const char *id, jv doc, struct err *e)
{
    struct history *h = ctx;
    struct buf what AUTO_BUF = BUF_INIT;
    jv row AUTO_JV = jv_copy(doc);

    if (!printer_is_table(h->printer))
        return printer_put(h->printer, id, doc, e);
    history_words(doc, &what);
    json_sets(&row, "what", what.p);
    return printer_put(h->printer, id, row, e);
}

static int show_revision(struct history *h, const struct target *t, struct err *e)
{
    struct arena *a = h->session.arena;
    char *id AUTO_FREE = xasprintf("%s/%s", t->kind->singular, t->name);
    jv doc AUTO_JV = jv_invalid();
    struct revision v;

    if (history_get(&h->session.store, a, t->kind, t->name, h->show, &v, e) < 0 ||
        history_manifest(&v, &doc, e) < 0)
        return -1;
    return printer_put(h->printer, id, doc, e);
}

static int show(struct history *h, const struct target *t, struct err *e)
{
    struct err out;
    int rc;

    if (h->show && !h->format && !h->filter && isatty(STDOUT_FILENO))
        h->format = "yaml"; /* in full */
    if (printer_open(&h->printer, stdout, h->format, h->filter, e) < 0)
        return -1;
    printer_columns(h->printer, h->show ? t->kind->columns : columns, NULL);
    rc = h->show ? show_revision(h, t, e) : history_list(&h->session.store, t->kind, t->name,
        h->limit, show_change, h, e);
    return printer_close(h->printer, rc < 0 ? &out : e) < 0 ? -1 : rc;
}

/* 1: they differ. */
static int diff(struct history *h, const struct target *t, const struct history_range *r,
    struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;
    int rc = history_diff(&h->session.store, t->kind, t->name, r, h->colour, &text, e);

    if (rc == 1 && (fwrite(text.p, 1, text.len, stdout) < text.len || fflush(stdout)))
        return err_errno(e, "standard output");
    return rc;
}

/* --- undoing ---------------------------------------------------------------------------------- */

static void undone(void *ctx, const struct undo_step *v, enum change what)
{
    char *as AUTO_FREE = v->gone ? NULL : xasprintf("as revision %lld", (long long)v->to);
    struct history *h = ctx;

    report_change(&h->report, v->kind, v->name,
        what == CHANGE_CREATED ? "restored" : change_name(what), as);
}

static void passed(void *ctx, const struct err *why)
{
    (void)ctx;
    log_err(why);
}

static void progress(void *ctx, size_t done, size_t total)
{
    struct history *h = ctx;

    if (total > APPLY_CHUNK && done < total)
        report_progress(&h->report, "undoing", done, total);
}

/* What destroys, and what concerns many, is asked. */
static int ask(struct history *h, struct err *e)
{
    struct question q = {.verb = h->since ? "Undo the changes of" : "Delete",
        .otherwise = "nothing was undone"};

    for (size_t i = 0; i < h->plan.n; i++)
        if (h->since || h->plan.v[i].gone)
            question_add(&q, h->plan.v[i].kind, h->plan.v[i].name);
    if (!q.n || h->yes || h->dry) {
        buf_free(&q.names);
        return 0;
    }
    return question_ask(&q, e);
}

static int plan(struct history *h, struct err *e)
{
    struct session *s = &h->session;
    const struct target *t = h->targets.v;

    if (!h->since)
        return undo_one(&s->store, s->arena, t->kind, t->name, h->to, &h->plan, e);
    return undo_since(&s->store, s->arena, h->since, h->actor, h->partial ? passed : NULL, NULL,
        &h->plan, e);
}

static int undo(struct history *h, struct err *e)
{
    struct actor who = session_actor(&h->session, h->reason);
    struct undo_options o = {
        .dry_run = h->dry,
        .who = &who,
        .each = undone,
        .progress = progress,
        .ctx = h,
    };
    struct history_range r;
    struct err out;
    int rc;

    if (report_open(&h->report, h->format, h->filter, h->dry, e) < 0)
        return -1;
    rc = plan(h, e) < 0 ? -1 : ask(h, e);
    if (rc == 0 && h->dry && !h->since && !h->report.p) {
        r = (struct history_range){h->plan.v->last, h->plan.v->to};
        rc = diff(h, h->targets.v, &r, e);
    }
    if (rc >= 0)
        rc = undo_run(&h->session.store, &h->plan, &o, e);
    return report_close(&h->report, rc < 0 ? &out : e) < 0 ? -1 : rc;
}

/* --- the command line ------------------------------------------------------------------------- */

/* Takes a range of revisions from the operands: digits and dots, before or behind the resource. */
static void take_range(struct history *h, struct opts *o)
{
    for (int i = 0; i < o->argc; i += o->argc > 1 ? o->argc - 1 : 1) {
        if (o->argv[i][strspn(o->argv[i], "0123456789.")])
            continue;
        h->range = o->argv[i];
        o->argv += i == 0;
        o->argc--;
        return;
    }
}

static void check_operands(struct history *h, struct err *e)
{
    const char *no_colour = getenv("NO_COLOR");
    struct opts *o = &h->o;

    if (o->argc && !strcmp(o->argv[0], "undo")) {
        h->undo = true;
        o->argc--;
        o->argv++;
    }
    if (h->diff)
        take_range(h, o);
    if (!h->undo && (h->to || h->since || h->dry || h->yes || h->partial || h->reason || h->actor))
        opt_usage(o, "-m, -n, -y, --partial, --since, --to and --who are those of undo");
    if (h->undo && (h->diff || h->show || h->limit))
        opt_usage(o, "--diff, --limit and --show do not go with undo; -n shows what would change");
    if (h->since ? o->argc || h->to : h->actor || h->partial)
        opt_usage(o, "--since goes without KIND/NAME and --to, and --partial and --who go with it");
    if (h->diff + (h->show != 0) + (h->limit != 0) > 1)
        opt_usage(o, "one of --diff, --limit and --show");
    if (h->diff && (h->format || h->filter))
        opt_usage(o, "--diff prints text");
    if (!o->argc && !h->since)
        opt_usage(o, "whose history? KIND/NAME is wanted");
    if (targets_parse(&h->targets, o->argc, o->argv, e) < 0)
        return;
    if (!h->since && (h->targets.n != 1 || !h->targets.v->name))
        opt_usage(o, "one KIND/NAME is wanted");
    h->colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static void args_read(struct history *h, int argc, char **argv)
{
    int id;

    opt_start(&h->o, &command, argc, argv);
    while ((id = opt_next(&h->o)) != -1) {
        if (session_option(&h->session, id, h->o.arg))
            continue;
        switch (id) {
        case 'm': h->reason = h->o.arg; break;
        case 'y': h->yes = true; break;
        case OPT_DRY: h->dry = true; break;
        case O_DIFF: h->diff = true; break;
        case O_LIMIT: h->limit = opt_num(&h->o, 0, INT32_MAX); break;
        case O_PARTIAL: h->partial = true; break;
        case O_SHOW: h->show = opt_num(&h->o, 1, INT64_MAX - 1); break;
        case O_SINCE: h->since = opt_past(&h->o); break;
        case O_TO: h->to = opt_num(&h->o, 1, INT64_MAX - 1); break;
        case O_WHO: h->actor = h->o.arg; break;
        case OPT_OUTPUT: h->format = h->o.arg; break;
        case OPT_FILTER: h->filter = h->o.arg; break;
        }
    }
}

int main(int argc, char **argv)
{
    struct history h = {.session = {.once = true}};
    const struct target *t;
    struct history_range r;
    struct err e = {FC_OK, ""};
    char *actor AUTO_FREE = NULL;
    int rc = 0;

    args_read(&h, argc, argv);
    check_operands(&h, &e);
    t = h.targets.v;
    if (h.actor && !strchr(h.actor, ':'))
        h.actor = actor = xasprintf("user:%s", h.actor);
    if (e.code != FC_OK || session_open(&h.session, &e) < 0)
        rc = -1;
    else if (h.undo)
        rc = undo(&h, &e);
    else if (!h.diff)
        rc = show(&h, t, &e);
    else if ((rc = history_range(h.range, &h.session.store, t->kind, t->name, &r, &e)) == 0)
        rc = diff(&h, t, &r, &e);
    if (rc < 0)
        log_err(&e);
    targets_free(&h.targets);
    undo_free(&h.plan);
    session_close(&h.session);
    if (rc < 0)
        return h.diff && e.code == FC_FAIL ? FC_DIFFER : (int)e.code;
    return rc;
}
