/* SPDX-License-Identifier: Apache-2.0 */
/* Follows events and changes of resources. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "service/session.h"
#include "service/watch.h"

enum { O_EVENTS = OPT_FIRST, O_FIELDS, O_FROM_START, O_LIMIT, O_NOW, O_SINCE, O_TIMEOUT };

static const struct opt opts[] = {
    OPTS_STORE,
    {'l', "selector", "SELECTOR", NULL, "resources with these labels: site=berlin,!test"},
    {O_EVENTS, "events", NULL, NULL, "events of these resources, not their changes"},
    {O_FIELDS, "field-selector", "SELECTOR", "metadata.name=|metadata.owner=|metadata.alias=|"
        "status.summary.status=|status.updated.status=|reason=|type=|involvedObject.kind=",
        "resources or events with these fields: status.updated.status=OutOfDate"},
    {O_FROM_START, "from-start", NULL, NULL, "begin with the oldest event that is kept"},
    {O_LIMIT, "limit", "N", NULL, "end after so many lines, 0 for no limit (default: 0)"},
    {O_NOW, "now", NULL, NULL, "begin with what comes now (default)"},
    {O_SINCE, "since", "CURSOR", NULL, "begin after the line that had this cursor"},
    {O_TIMEOUT, "timeout", "DURATION", NULL, "end after this time: 90s, 10m, 24h (default: never)"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-watch",
    .brief = "follow events and changes",
    .args = "[KIND [NAME ...] | KIND/NAME ...]",
    .complete = "~" KINDS_LISTED,
    .opts = opts,
};

static const struct column change_columns[] = {
    {"CHANGE", "type", COL_TEXT, false},
    {"KIND", "object.kind", COL_TEXT, false},
    {"NAME", "object.metadata.name", COL_TEXT, false},
    {"OWNER", "object.metadata.owner", COL_TEXT, false},
    {"VERSION", "object.metadata.resourceVersion", COL_TEXT, false},
    {"LABELS", "object.metadata.labels", COL_LABELS, true},
    {0},
};
static const struct column event_columns[] = {
    {"TIME", "object.metadata.creationTimestamp", COL_TEXT, false},
    {"KIND", "object.involvedObject.kind", COL_TEXT, false},
    {"NAME", "object.involvedObject.name", COL_TEXT, false},
    {"TYPE", "object.type", COL_STATE, false},
    {"REASON", "object.reason", COL_TEXT, false},
    {"MESSAGE", "object.message", COL_TEXT, false},
    {"ACTOR", "object.actor", COL_TEXT, true},
    {"SOURCE", "object.source.component", COL_TEXT, true},
    {0},
};

struct watcher {
    struct session session;
    struct printer *printer;
    const char *selector, *format, *filter;
    struct watch_options o;
};

static int line(void *ctx, const struct watch_line *l, struct err *e)
{
    struct watcher *w = ctx;

    bool named = w->format && !w->filter && !strcmp(w->format, "name");

    if (!l->name && (named || printer_is_table(w->printer)))
        return 0; /* a bookmark has no name, and people do not begin again at one */
    return printer_text(w->printer, l->name, l->json, l->n, e);
}

static int flush(void *ctx, struct err *e)
{
    struct watcher *w = ctx;

    return printer_flush(w->printer, e);
}

static int check(struct watcher *w, const struct targets *t, struct selector *sel, struct err *e)
{
    bool log = t->n == 0 || w->o.events;

    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].kind->flags & KIND_LOG && t->v[i].name)
            return err_set(e, FC_USAGE, "events have no names: --events KIND/NAME follows those of "
                "a resource");
        if (t->v[i].kind->flags & KIND_CATALOG)
            return err_set(e, FC_USAGE, "%s have no events to follow: follow the devices that have "
                "them", t->v[i].kind->plural);
        log = log || t->v[i].kind->flags & KIND_LOG;
        if (w->selector && !log &&
            target_selector(w->session.arena, t->v[i].kind, w->selector, sel, e) < 0)
            return -1;
    }
    if (w->selector && log)
        return err_set(e, FC_USAGE, "labels are of resources, not of events: --field-selector "
            "picks some");
    w->o.labels = w->selector ? sel : NULL;
    w->o.target = t->v;
    w->o.ntargets = t->n;
    printer_columns(w->printer, log ? event_columns : change_columns, NULL);
    return 0;
}

static int run(struct watcher *w, const struct opts *o, struct err *e)
{
    struct targets t = {0};
    struct selector sel;
    struct err out;
    int rc = targets_parse(&t, o->argc, o->argv, e);

    if (rc == 0 && (rc = printer_open(&w->printer, stdout, w->format, w->filter, e)) == 0) {
        if (session_open(&w->session, e) < 0 || check(w, &t, &sel, e) < 0 ||
            watch(&w->session.store, &w->o, e) < 0)
            rc = -1;
        if (printer_close(w->printer, rc < 0 ? &out : e) < 0)
            rc = -1;
    }
    targets_free(&t);
    return rc;
}

int main(int argc, char **argv)
{
    struct watcher w = {.o = {.line = line, .flush = flush, .out = STDOUT_FILENO}};
    struct err e = {FC_OK, ""};
    struct opts o;
    int id, rc, starts = 0;

    w.o.ctx = &w;
    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&w.session, id, o.arg))
            continue;
        switch (id) {
        case 'l': w.selector = o.arg; break;
        case O_EVENTS: w.o.events = true; break;
        case O_FIELDS: w.o.fields = *o.arg ? o.arg : NULL; break;
        case O_FROM_START: w.o.start = WATCH_OLDEST; starts++; break;
        case O_LIMIT: w.o.limit = opt_num(&o, 0, INT64_MAX); break;
        case O_NOW: w.o.start = WATCH_NOW; starts++; break;
        case O_SINCE: w.o.start = WATCH_CURSOR; w.o.cursor = o.arg; starts++; break;
        case O_TIMEOUT:
            if ((w.o.timeout = duration_parse(o.arg)) <= 0)
                opt_usage(&o, "--timeout %s: must be a duration such as 90s, 10m, 24h", o.arg);
            break;
        case OPT_OUTPUT: w.format = o.arg; break;
        case OPT_FILTER: w.filter = o.arg; break;
        }
    }
    if (starts > 1)
        opt_usage(&o, "--since, --from-start and --now exclude each other");
    rc = run(&w, &o, &e);
    if (rc < 0)
        log_err(&e);
    session_close(&w.session);
    return rc < 0 ? (int)e.code : FC_OK;
}
