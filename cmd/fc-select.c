/* SPDX-License-Identifier: Apache-2.0 */
/* Shows resources: by name, by selector, or all of a kind. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "service/history.h"
#include "service/session.h"
#include "service/target.h"
#include "store/device.h"
#include "store/labels.h"
#include "store/event.h"

enum {
    EVENTS = 100, /* shown when no --limit is given */
    O_LIMIT = OPT_FIRST, O_FLEET, O_OF, O_RENDERED, O_FIELDS, O_AT,
};

static const struct opt opts[] = {
    OPTS_STORE,
    {'l', "selector", "SELECTOR", NULL, "those with these labels: site=berlin,!test,tier in (a,b)"},
    {O_AT, "at", "TIME", NULL, "as it was then: 2026-05-04T03:02:01Z, 2026-05-04, yesterday, -2h"},
    {O_FIELDS, "field-selector", "SELECTOR", NULL, "labels: those with these fields: "
        "metadata.labels.key=site"},
    {O_FLEET, "fleet", "NAME", "!fc-select fleets -q .metadata.name -o name",
        "template versions of this fleet"},
    {O_LIMIT, "limit", "N", NULL, "at most so many, 0 for all (default: 0; events: 100)"},
    {O_OF, "of", "KIND/NAME", NULL, "events of this resource"},
    {O_RENDERED, "rendered", NULL, NULL, "devices with the spec that they were given"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-select",
    .brief = "show resources",
    .args = "KIND [NAME ...] | KIND/NAME ...",
    .complete = "devices|fleets|templateversions|enrollmentrequests|certificatesigningrequests|"
        "repositories|resourcesyncs|organizations|authproviders|events|labels",
    .opts = opts,
};

struct select {
    struct session session;
    struct printer *printer;
    const char *selector, *fields, *fleet, *of, *format, *filter;
    unsigned view;
    int64_t limit, now; /* limit -1: the default */
    int64_t at;         /* as it was then; 0: as it is */
    size_t shown;
    struct buf text;
    struct err bad;     /* what went wrong with one of several names */
};

/* --- one resource ----------------------------------------------------------------------------- */

static int show(struct select *s, struct arena *a, const struct res *r, struct err *e)
{
    char *id AUTO_FREE = xasprintf("%s/%s", r->kind->singular, r->name);

    buf_reset(&s->text);
    if (res_write(&s->session.store, a, r, s->now, s->view, &s->text, e) < 0)
        return -1;
    s->shown++;
    return printer_text(s->printer, id, s->text.p, s->text.len, e);
}

/* --- the past --------------------------------------------------------------------------------- */

static int past_show(void *ctx, const char *id, jv doc, struct err *e)
{
    struct select *s = ctx;

    s->shown++;
    return printer_put(s->printer, id, doc, e);
}

static int past_get(struct select *s, const struct target *t, struct err *e)
{
    char *id AUTO_FREE = xasprintf("%s/%s", t->kind->singular, t->name);
    jv doc AUTO_JV = jv_invalid();

    if (history_at(&s->session.store, t->kind, t->name, s->at, &doc, e) < 0)
        return -1;
    return past_show(s, id, doc, e);
}

static int past_list(struct select *s, const struct kind *k, const struct selector *sel,
    struct err *e)
{
    int64_t lost, limit = s->limit < 0 ? 0 : s->limit;

    if (history_past(&s->session.store, k, s->at, sel, limit, past_show, s, &lost, e) < 0)
        return -1;
    if (lost)
        log_warn("what %lld other %s were then is no longer kept", (long long)lost, k->plural);
    return 0;
}

static int get(struct select *s, const struct target *t, struct err *e)
{
    const char *name = t->name;
    struct res r;
    int rc;

    if (t->kind->flags & KIND_CATALOG)
        return err_set(e, FC_USAGE, "labels have no names: --field-selector picks some");
    if (t->kind->flags & KIND_LOG)
        return err_set(e, FC_USAGE, "%s have no names: --of KIND/NAME shows those of a resource",
            t->kind->plural);
    if (t->kind->flags & KIND_CHILD && !strchr(name, '/')) {
        if (!s->fleet)
            return err_set(e, FC_USAGE, "%s: FLEET/VERSION is wanted, or --fleet", name);
        name = arena_printf(s->session.arena, "%s/%s", s->fleet, name);
    }
    if (s->at)
        return past_get(s, t, e);
    rc = res_get(&s->session.store, s->session.arena, s->session.store.org, t->kind, name, &r, e);
    if (rc == 0)
        return target_missing(t->kind, name, e);
    return rc < 0 ? -1 : show(s, s->session.arena, &r, e);
}

/* All that there are; what is missing is said and makes the exit status. */
static int get_all(struct select *s, const struct targets *t, struct err *e)
{
    const struct kind *last = NULL;
    bool mixed = false;

    for (size_t i = 1; i < t->n; i++)
        mixed = mixed || t->v[i].kind != t->v[0].kind;
    for (size_t i = 0; i < t->n; i++) {
        struct err why = {FC_OK, ""};

        if (t->v[i].kind != last)
            printer_columns(s->printer, t->v[i].kind->columns, mixed ? t->v[i].kind->plural : NULL);
        last = t->v[i].kind;
        if (get(s, &t->v[i], &why) == 0)
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

static int show_event(void *ctx, const struct event *ev)
{
    struct select *s = ctx;
    char *id AUTO_FREE = xasprintf("event/%s", ev->uid);

    buf_reset(&s->text);
    events_write(&s->text, ev);
    s->shown++;
    return printer_text(s->printer, id, s->text.p, s->text.len, &s->bad);
}

static int list_events(struct select *s, struct err *e)
{
    int limit = s->limit < 0 ? EVENTS : s->limit == 0 ? INT32_MAX : (int)s->limit;
    const struct kind *k = NULL;
    const char *name = NULL;

    if ((s->of && target_involved(s->of, &k, &name, e) < 0) || events_list(&s->session.store,
        s->session.store.org, k ? (int)k->id : 0, name, limit, show_event, s, e) < 0)
        return -1;
    if (s->bad.code)
        *e = s->bad;
    return s->bad.code ? -1 : 0;
}

/* As the API has it, a text; a table shows its parts. */
static int show_label(void *ctx, const char *key, const char *value, struct err *e)
{
    struct select *s = ctx;
    char *text AUTO_FREE = xasprintf("%s=%s", key, value);
    jv parts AUTO_JV = JV_OBJECT(jv_string("key"), jv_string(key), jv_string("value"),
        jv_string(value)), whole AUTO_JV = jv_string(text);

    s->shown++;
    return printer_put(s->printer, text, printer_is_table(s->printer) ? parts : whole, e);
}

static int list(struct select *s, const struct kind *k, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct selector sel;
    struct res_query q = {
        .org = s->session.store.org,
        .kind = k,
        .labels = s->selector ? &sel : NULL,
        .parent = s->fleet,
        .limit = s->limit < 0 ? 0 : s->limit,
    };
    struct res_iter *it;
    struct res r;
    int rc;

    if (s->selector && target_selector(s->session.arena,
        k->flags & KIND_CATALOG ? kind_by_id(KIND_DEVICE) : k, s->selector, &sel, e) < 0)
        return -1;
    if (s->at)
        return past_list(s, k, q.labels, e);
    if (k->flags & KIND_LOG)
        return list_events(s, e);
    if (k->flags & KIND_CATALOG)
        return labels_list(&s->session.store, &(struct label_query){.org = q.org,
            .kind = kind_by_id(KIND_DEVICE), .labels = q.labels, .fields = s->fields,
            .limit = q.limit}, show_label, s, e);
    if (res_list(&s->session.store, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1) {
        if ((rc = show(s, a, &r, e)) < 0 && e->code != FC_NOTFOUND) /* deleted just now */
            break;
        arena_reset(a);
    }
    res_list_end(it);
    return rc;
}

static int run(struct select *s, const struct opts *o, struct err *e)
{
    struct targets t = {0};
    const struct kind *k;
    struct err out;
    bool table;
    int rc;

    if (targets_parse(&t, o->argc, o->argv, e) < 0 ||
        printer_open(&s->printer, stdout, s->format, s->filter, e) < 0) {
        targets_free(&t);
        return -1;
    }
    k = t.v[0].kind;
    if (s->selector && t.v[0].name)
        rc = err_set(e, FC_USAGE, "a selector goes without names");
    else if (s->fleet && !(k->flags & KIND_CHILD))
        rc = err_set(e, FC_USAGE, "--fleet goes with templateversions");
    else if (s->at && s->view & VIEW_RENDERED)
        rc = err_set(e, FC_USAGE, "--at goes without --rendered: it shows what users wrote");
    else if (s->fields && !(k->flags & KIND_CATALOG))
        rc = err_set(e, FC_USAGE, "--field-selector goes with labels");
    else if (s->of && !(k->flags & KIND_LOG))
        rc = err_set(e, FC_USAGE, "--of goes with events");
    else
        rc = session_open(&s->session, e);
    if (rc == 0 && t.v[0].name)
        rc = get_all(s, &t, e);
    else if (rc == 0) {
        printer_columns(s->printer, k->columns, NULL);
        rc = list(s, k, e);
    }
    table = printer_is_table(s->printer);
    if (printer_close(s->printer, rc < 0 ? &out : e) < 0)
        rc = -1;
    if (rc == 0 && table && !s->shown && !t.v[0].name)
        log_info("no %s found", k->plural);
    targets_free(&t);
    return rc;
}

int main(int argc, char **argv)
{
    struct select s = {.view = VIEW_SEEN, .limit = -1, .now = now_us()};
    struct err e = {FC_OK, ""};
    struct opts o;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&s.session, id, o.arg))
            continue;
        switch (id) {
        case 'l': s.selector = o.arg; break;
        case O_AT: s.at = opt_past(&o); break;
        case O_FIELDS: s.fields = o.arg; break;
        case O_FLEET: s.fleet = o.arg; break;
        case O_LIMIT: s.limit = opt_num(&o, 0, INT32_MAX); break;
        case O_OF: s.of = o.arg; break;
        case O_RENDERED: s.view |= VIEW_RENDERED; break;
        case OPT_OUTPUT: s.format = o.arg; break;
        case OPT_FILTER: s.filter = o.arg; break;
        }
    }
    if (!o.argc)
        opt_usage(&o, "which kind? One of %s", command.complete);
    rc = run(&s, &o, &e);
    if (rc < 0)
        log_err(&e);
    session_close(&s.session);
    buf_free(&s.text);
    return rc < 0 ? (int)e.code : (int)s.bad.code;
}
