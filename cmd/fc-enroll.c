/* SPDX-License-Identifier: Apache-2.0 */
/* Shows the enrollment requests of devices and decides about them. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "base/text.h"
#include "client/verbs.h"
#include "service/report.h"

enum { O_PENDING = OPT_FIRST, O_REPLACE, O_RECORD };

#define O_DRY {OPT_DRY, "dry-run", NULL, NULL, "say what would happen"}

static const struct opt opts[] = {OPTS_STORE, {0}};
static const struct opt list_opts[] = {
    {O_PENDING, "pending", NULL, NULL, "only those that wait for a decision"},
    OPTS_OUTPUT,
    {0},
};
static const struct opt show_opts[] = {OPTS_OUTPUT, {0}};
static const struct opt approve_opts[] = {
    {'a', "all", NULL, NULL, "all that wait for a decision"},
    {'l', "label", "KEY=VALUE", NULL, "give the device this label; repeated, or with commas"},
    {'m', "message", "REASON", NULL, "why, for the history"},
    {O_REPLACE, "replace-labels", NULL, NULL, "drop the labels that the device asks for"},
    {O_RECORD, "record", NULL, NULL, "record the decision; fc-work signs where the CA is"},
    O_DRY,
    OPTS_OUTPUT,
    {0},
};
static const struct opt deny_opts[] = {
    {'m', "message", "REASON", NULL, "why; the device shows it"},
    O_DRY,
    OPTS_OUTPUT,
    {0},
};

#define NAMES "!fc-enroll list -q .metadata.name -o name"
#define PENDING "!fc-enroll list --pending -q .metadata.name -o name"
enum { LIST, SHOW, APPROVE, DENY };
static const struct sub subs[] = {
    [LIST] = {"list", "", NULL, "show the requests", list_opts},
    [SHOW] = {"show", "NAME ...", NAMES, "show requests in full", show_opts},
    [APPROVE] = {"approve", "[NAME ...]", PENDING, "let devices in", approve_opts},
    [DENY] = {"deny", "NAME ...", PENDING, "turn devices away", deny_opts},
    {0},
};
static const struct command command = {
    .name = "fc-enroll",
    .brief = "decide which devices may enroll",
    .opts = opts,
    .subs = subs,
};

static const struct column columns[] = {
    {"NAME", "metadata.name", COL_TEXT, false},
    {"ALIAS", "spec.labels.alias|metadata.labels.alias", COL_TEXT, false},
    {"AGE", "metadata.creationTimestamp", COL_AGO, false},
    {"STATE", "state", COL_STATE, false},
    {"ARCHITECTURE", "spec.deviceStatus.systemInfo.architecture", COL_TEXT, true},
    {"LABELS", "spec.labels", COL_LABELS, true},
    {0},
};

struct enroll {
    struct opts o;
    struct session session;
    const struct kind *kind;
    struct printer *printer;
    struct report report;
    const char *format, *filter, *message;
    const char **names;         /* whole ones; the array is ours */
    size_t nnames;
    struct enroll_approval how; /* its labels are ours */
    bool pending, all, record, dry;
};

/* --- showing ---------------------------------------------------------------------------------- */

static int show_one(void *ctx, const char *id, const char *json, size_t n, struct err *e)
{
    struct enroll *en = ctx;
    jv doc AUTO_JV = jv_invalid();

    if (!en->pending && !printer_is_table(en->printer))
        return printer_text(en->printer, id, json, n, e);
    if (json_parse(json, n, &doc, e) < 0)
        return -1;
    if (en->pending && strcmp(request_state(doc), "Pending"))
        return 0;
    if (printer_is_table(en->printer)) /* documents keep the contract's shape */
        json_sets(&doc, "state", request_state(doc));
    return printer_put(en->printer, id, doc, e);
}

static int find(struct enroll *en, const char *word, const char **name, struct err *e)
{
    if (!(word = target_name(en->kind, word, e)))
        return -1;
    return verb_find(&en->session, en->kind, word, name, e);
}

static int show(struct enroll *en, bool all, struct err *e)
{
    struct list_query q = {.org = en->session.store.org, .kind = en->kind, .now = now_us()};
    struct target t = {en->kind, NULL};
    struct list_page page;

    if (all)
        return verb_list(&en->session, &q, show_one, en, &page, e);
    for (int i = 0; i < en->o.argc; i++)
        if (find(en, en->o.argv[i], &t.name, e) < 0 ||
            verb_one(&en->session, &q, &t, show_one, en, e) < 0)
            return -1;
    return 0;
}

static int run_show(struct enroll *en, bool all, struct err *e)
{
    struct err out;
    int rc;

    if (!all && !en->format && !en->filter && isatty(STDOUT_FILENO))
        en->format = "yaml"; /* in full */
    if (printer_open(&en->printer, stdout, en->format, en->filter, e) < 0)
        return -1;
    printer_columns(en->printer, columns, NULL);
    rc = verbs_open(&en->session, e);
    if (rc == 0)
        rc = show(en, all, e);
    return printer_close(en->printer, rc < 0 ? &out : e) < 0 ? -1 : rc;
}

/* --- deciding --------------------------------------------------------------------------------- */

static void each(void *ctx, const char *name)
{
    struct enroll *en = ctx;
    bool approve = en->o.sub == &subs[APPROVE];

    report_change(&en->report, en->kind, name, approve ? "approved" : "denied",
        approve && en->record ? "to be signed by fc-work" : NULL);
}

/* The names that the operands mean, whole; one that stands twice counts once. */
static int find_all(struct enroll *en, struct err *e)
{
    if (en->all)
        return verb_pending(&en->session, &en->names, &en->nnames, e);
    en->names = xcalloc((size_t)en->o.argc, sizeof *en->names);
    for (int i = 0; i < en->o.argc; i++) {
        const char *name;
        size_t k;

        if (find(en, en->o.argv[i], &name, e) < 0)
            return -1;
        for (k = 0; k < en->nnames && strcmp(en->names[k], name); k++)
            ;
        if (k == en->nnames)
            en->names[en->nnames++] = name;
    }
    return 0;
}

static int decide(struct enroll *en, struct err *e)
{
    struct actor who;
    struct decision d = {
        .approve = en->o.sub == &subs[APPROVE],
        .how = &en->how,
        .message = en->message,
        .dry_run = en->dry,
        .who = &who,
        .each = each,
        .ctx = en,
    };
    int rc;

    if (verbs_open(&en->session, e) < 0 || find_all(en, e) < 0)
        return -1;
    en->record = en->record || en->session.remote; /* no API reads the CA's key */
    who = session_actor(&en->session, en->message);
    if (d.approve && !en->record && service_ca(en->session.conf, &d.ca, e) < 0)
        return err_wrap(e, "the CA is needed to sign (--record leaves that to fc-work)");
    rc = verb_decide(&en->session, en->names, en->nnames, &d, e);
    ca_close(d.ca);
    return rc;
}

static int run_decide(struct enroll *en, struct err *e)
{
    struct err out = {FC_OK, ""};
    int rc;

    if (report_open(&en->report, en->format, en->filter, en->dry, e) < 0)
        return -1;
    rc = decide(en, e);
    if (report_close(&en->report, rc < 0 ? &out : e) < 0)
        rc = -1;
    return rc;
}

/* --- the command line ------------------------------------------------------------------------- */

static void args_read(struct enroll *en, int argc, char **argv)
{
    int id;

    opt_start(&en->o, &command, argc, argv);
    while ((id = opt_next(&en->o)) != -1) {
        if (session_option(&en->session, id, en->o.arg))
            continue;
        switch (id) {
        case 'a': en->all = true; break;
        case 'l': opt_labels(&en->o, &en->how.labels); break;
        case 'm': en->message = en->o.arg; break;
        case OPT_DRY: en->dry = true; break;
        case O_PENDING: en->pending = true; break;
        case O_REPLACE: en->how.replace_labels = true; break;
        case O_RECORD: en->record = true; break;
        case OPT_OUTPUT: en->format = en->o.arg; break;
        case OPT_FILTER: en->filter = en->o.arg; break;
        }
    }
    if (en->o.sub == &subs[LIST] && en->o.argc)
        opt_usage(&en->o, "unexpected operand \"%s\"", en->o.argv[0]);
    if (en->all && en->o.argc)
        opt_usage(&en->o, "-a goes without names");
    if (en->o.sub != &subs[LIST] && !en->all && !en->o.argc)
        opt_usage(&en->o, "which requests? Names of %d characters or more are wanted", PREFIX_MIN);
}

int main(int argc, char **argv)
{
    struct enroll en = {
        .kind = kind_by_id(KIND_ENROLLMENTREQUEST),
        .how.labels = jv_object(),
    };
    struct err e = {FC_OK, ""};
    ptrdiff_t i;
    int rc;

    args_read(&en, argc, argv);
    i = en.o.sub - subs;
    rc = i == LIST || i == SHOW ? run_show(&en, i == LIST, &e) : run_decide(&en, &e);
    if (rc < 0)
        log_err(&e);
    verbs_close(&en.session);
    jv_free(en.how.labels);
    free(en.names);
    return rc < 0 ? (int)e.code : FC_OK;
}
