/* SPDX-License-Identifier: Apache-2.0 */
/* Shows resources: by name, by selector, or all of a kind; or picks documents of a stream. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "client/verbs.h"

enum {
    EVENTS = 100, /* shown when no --limit is given */
    O_LIMIT = OPT_FIRST, O_FLEET, O_OF, O_RENDERED, O_FIELDS, O_AT, O_CONTINUE, O_COUNT, O_SUMMARY,
    O_ORDER, O_PREFIX,
};

static const struct opt opts[] = {
    OPTS_STORE,
    {'l', "selector", "SELECTOR", NULL, "those with these labels: site=berlin,!test,tier in (a,b)"},
    {O_AT, "at", "TIME", NULL, "as it was then: 2026-05-04T03:02:01Z, 2026-05-04, yesterday, -2h"},
    {O_CONTINUE, "continue", "TOKEN", NULL, "the page that a list with --limit told of"},
    {O_COUNT, "count", NULL, NULL, "only say how many there are"},
    {O_FIELDS, "field-selector", "SELECTOR", "metadata.name=|metadata.owner=|metadata.alias=|"
        "metadata.creationTimestamp>|status.summary.status=|status.updated.status=|reason=|type=",
        "those with these fields: status.updated.status=OutOfDate"},
    {O_FLEET, "fleet", "NAME", "~fleet",
        "template versions of this fleet"},
    {O_LIMIT, "limit", "N", NULL, "at most so many, 0 for all (default: 0; events: 100)"},
    {O_OF, "of", "KIND/NAME", "~", "events of this resource"},
    {O_ORDER, "order", "ORDER", "asc|desc", "events: oldest or newest first (default: desc)"},
    {O_PREFIX, "prefix", "NAME", NULL, "those whose names begin so"},
    {O_RENDERED, "rendered", NULL, NULL, "devices with the spec that they were given"},
    {O_SUMMARY, "summary", NULL, NULL, "only say how many devices are in which state"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-select",
    .brief = "show resources",
    .args = "KIND [NAME ...] | KIND/NAME ... | [KIND] -",
    .complete = "~" KINDS_LISTED "|labels",
    .opts = opts,
};

/* Of --summary as a table. */
static const struct column counts[] = {
    {"DEVICES", "total", COL_TEXT, false},
    {"SUMMARY", "summaryStatus", COL_LABELS, false},
    {"UPDATED", "updateStatus", COL_LABELS, false},
    {"APPLICATIONS", "applicationStatus", COL_LABELS, false},
    {0},
};

/* Of documents whose kind is not known here. */
static const struct column others[] = {
    {"KIND", "kind", COL_TEXT, false},
    {"NAME", "metadata.name", COL_TEXT, false},
    {0},
};

struct select {
    struct session session;
    struct printer *printer;
    const char *format, *filter;
    struct list_words ask;
    struct list_query q; /* limit -1: the default */
    size_t shown;
    const struct kind *last; /* of a stream: whose columns are shown */
    struct err bad;      /* what went wrong with one of several names */
};

static int show(void *ctx, const char *id, const char *json, size_t n, struct err *e)
{
    struct select *s = ctx;

    s->shown++;
    return printer_text(s->printer, id, json, n, e);
}

static int show_doc(void *ctx, const char *id, jv doc, struct err *e)
{
    struct select *s = ctx;

    s->shown++;
    return printer_put(s->printer, id, doc, e);
}

/* All that there are; what is missing is said and makes the exit status. */
static int get_all(struct select *s, const struct targets *t, struct err *e)
{
    const struct kind *last = NULL;
    bool mixed = false;

    for (size_t i = 1; i < t->n; i++)
        mixed = mixed || t->v[i].kind != t->v[0].kind;
    for (size_t i = 0; i < t->n; i++) {
        const struct kind *k = t->v[i].kind;
        struct err why = {FC_OK, ""};

        if (k != last)
            printer_columns(s->printer, k->columns, mixed ? k->plural : NULL);
        last = k;
        if (verb_one(&s->session, &s->q, &t->v[i], show, s, &why) == 0)
            continue;
        if (why.code != FC_NOTFOUND || t->n == 1) {
            *e = why;
            return -1;
        }
        log_err(&why);
        s->bad = why;
    }
    return 0;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* As the API has it, a text; a table shows its parts. */
static int show_label(void *ctx, const char *key, const char *value, struct err *e)
{
    struct select *s = ctx;
    char *text AUTO_FREE = xasprintf("%s=%s", key, value);
    bool more = s->q.limit && s->shown == (size_t)s->q.limit;
    jv parts AUTO_JV = JV_OBJECT(jv_string("key"), jv_string(key), jv_string("value"),
        jv_string(value)), whole AUTO_JV = jv_string(text);

    if (more)
        log_info("there are more than --limit %lld", (long long)s->q.limit);
    return more ? 0 : show_doc(s, text, printer_is_table(s->printer) ? parts : whole, e);
}

static int show_number(struct select *s, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    int64_t n;

    if (s->ask.summary) {
        printer_columns(s->printer, counts, NULL);
        return verb_summary(&s->session, &s->q, &b, e) < 0 ? -1 :
            show(s, "devices", b.p, b.len, e);
    }
    if ((n = verb_count(&s->session, &s->q, e)) < 0)
        return -1;
    s->shown++;
    printf("%lld\n", (long long)n);
    return 0;
}

static int list(struct select *s, struct err *e)
{
    struct list_query *q = &s->q;
    bool paged = q->limit > 0, catalog = q->kind->flags & KIND_CATALOG;
    struct list_page page;

    if (list_parse(s->session.arena, q, &s->ask, e) < 0)
        return -1;
    if (q->limit < 0)
        q->limit = q->kind->flags & KIND_LOG && !s->ask.count ? EVENTS : 0;
    if (catalog)
        return verb_labels(&s->session, &(struct label_query){.org = q->org,
            .kind = kind_by_id(KIND_DEVICE), .labels = q->labels, .fields = q->fields,
            .limit = q->limit ? q->limit + 1 : 0}, show_label, s, e); /* to know of more */
    if (s->ask.count || s->ask.summary)
        return show_number(s, e);
    if (verb_list(&s->session, q, show, s, &page, e) < 0)
        return -1;
    if (page.lost)
        log_warn("what %lld other %s were then is no longer kept", (long long)page.lost,
            q->kind->plural);
    if (page.token && paged && page.remaining >= 0)
        log_info("%lld more: --continue %s", (long long)page.remaining, page.token);
    else if (page.token && paged)
        log_info("more: --continue %s", page.token);
    return 0;
}

/* --- a stream --------------------------------------------------------------------------------- */

static int show_streamed(void *ctx, const struct kind *k, const char *id, jv doc, struct err *e)
{
    struct select *s = ctx;

    if (s->ask.count) {
        s->shown++;
        return 0;
    }
    if (!s->shown || k != s->last)
        printer_columns(s->printer, k ? k->columns : others, s->q.kind ? NULL :
            k ? k->plural : "others");
    s->last = k;
    return show_doc(s, id, doc, e);
}

static int stream(struct select *s, const char *kind, struct err *e)
{
    struct stream_query q = {.labels = s->ask.labels, .fields = s->ask.fields,
        .limit = s->q.limit < 0 ? 0 : s->q.limit};

    if (s->q.at || s->q.prefix || s->ask.of || s->ask.summary || s->q.parent || s->q.token || s->q.oldest ||
        s->q.view & VIEW_RENDERED)
        return err_set(e, FC_USAGE, "of a stream only selectors, --limit and --count pick");
    if (kind && !(s->q.kind = q.kind = kind_parse(kind, e)))
        return -1;
    if (stream_select(&q, show_streamed, s, e) < 0)
        return -1;
    if (s->ask.count)
        printf("%zu\n", s->shown);
    return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

static int select_from_store(struct select *s, const struct targets *t, struct err *e)
{
    s->q.kind = t->v[0].kind;
    s->ask.named = t->v[0].name != NULL;
    if (list_check(&s->q, &s->ask, e) < 0 || verbs_open(&s->session, e) < 0)
        return -1;
    s->q.org = s->session.store.org;
    if (t->v[0].name)
        return get_all(s, t, e);
    printer_columns(s->printer, s->q.kind->columns, NULL);
    return list(s, e);
}

static int run(struct select *s, const struct opts *o, struct err *e)
{
    bool piped = o->argc <= 2 && strcmp(o->argv[o->argc - 1], "-") == 0, table;
    struct targets t = {0};
    struct err out;
    int rc;

    if ((!piped && targets_parse(&t, o->argc, o->argv, e) < 0) ||
        printer_open(&s->printer, stdout, s->format, s->filter, e) < 0) {
        targets_free(&t);
        return -1;
    }
    rc = piped ? stream(s, o->argc == 2 ? o->argv[0] : NULL, e) : select_from_store(s, &t, e);
    table = printer_is_table(s->printer);
    if (printer_close(s->printer, rc < 0 ? &out : e) < 0)
        rc = -1;
    if (rc == 0 && table && !s->shown && !piped && !t.v[0].name)
        log_info("no %s found", s->q.kind->plural);
    targets_free(&t);
    return rc;
}

int main(int argc, char **argv)
{
    struct select s = {.q = {.view = VIEW_SEEN, .limit = -1, .now = now_us()}};
    struct err e = {FC_OK, ""};
    struct opts o;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&s.session, id, o.arg))
            continue;
        switch (id) {
        case 'l': s.ask.labels = o.arg; break;
        case O_AT: s.q.at = opt_past(&o); break;
        case O_CONTINUE: s.q.token = o.arg; break;
        case O_COUNT: s.ask.count = true; break;
        case O_FIELDS: s.ask.fields = o.arg; break;
        case O_FLEET: s.q.parent = o.arg; break;
        case O_LIMIT: s.q.limit = opt_num(&o, 0, INT32_MAX); break;
        case O_OF: s.ask.of = o.arg; break;
        case O_ORDER:
            s.q.oldest = strcmp(o.arg, "asc") == 0;
            if (!s.q.oldest && strcmp(o.arg, "desc") != 0)
                opt_usage(&o, "--order %s: must be asc or desc", o.arg);
            break;
        case O_PREFIX: s.q.prefix = o.arg; break;
        case O_RENDERED: s.q.view |= VIEW_RENDERED; break;
        case O_SUMMARY: s.ask.summary = true; break;
        case OPT_OUTPUT: s.format = o.arg; break;
        case OPT_FILTER: s.filter = o.arg; break;
        }
    }
    if (!o.argc)
        opt_usage(&o, "which kind? One of %s", command.complete + 1);
    rc = run(&s, &o, &e);
    if (rc < 0)
        log_err(&e);
    verbs_close(&s.session);
    return rc < 0 ? (int)e.code : (int)s.bad.code;
}
