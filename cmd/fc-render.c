/* SPDX-License-Identifier: Apache-2.0 */
/* Shows the specs that devices get, where their parts come from, and what would change. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/print.h"
#include "client/verbs.h"
#include "service/input.h"

enum {
    COMPLAINTS = 20, /* devices without a valid spec that are said one by one */
    O_LATEST = OPT_FIRST, O_DIFF, O_EXPLAIN,
};

static const struct opt opts[] = {
    OPTS_STORE,
    {'a', "all", NULL, NULL, "every device (default with --diff -f)"},
    {'f', "file", "FILE", "file", "fleets that stand in for the store's, at their newest; may be "
        "repeated"},
    {'l', "selector", "SELECTOR", NULL, "devices with these labels"},
    {O_DIFF, "diff", NULL, NULL, "what would change for each device; status 1: something would"},
    {O_EXPLAIN, "explain", NULL, NULL, "where each part comes from"},
    {O_LATEST, "latest", NULL, NULL, "each fleet's newest template, not the device's assigned one"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-render",
    .brief = "show the specs that devices get",
    .args = "[DEVICE ...]",
    .complete = "~device",
    .opts = opts,
};

static const struct column device_columns[] = {
    {"NAME", "metadata.name", COL_TEXT, false},
    {"OS IMAGE", "spec.os.image", COL_TEXT, false},
    {"APPLICATIONS", "spec.applications", COL_COUNT, false},
    {"LABELS", "metadata.labels", COL_LABELS, true},
    {0},
};
static const struct column part_columns[] = {
    {"DEVICE", "device", COL_TEXT, false},
    {"PART", "part", COL_TEXT, false},
    {"ORIGIN", "origin", COL_TEXT, false},
    {0},
};

struct render {
    struct session session;
    struct printer *printer;
    struct preview_options preview;
    struct input fleets, devices;
    const char **files, *selector, *format, *filter;
    jv *overlay;
    size_t nfiles;
    bool all, diff, explain;
    bool names;                /* --diff -o name: who would change */
    bool colour;
    size_t seen, differ, invalid;
    struct err bad;            /* the last device that has no valid spec */
};

/* --- one device ------------------------------------------------------------------------------- */

static int explain(struct render *r, const char *name, jv origins, struct err *e)
{
    char *id AUTO_FREE = xasprintf("device/%s", name);
    jv doc AUTO_JV = jv_object(), keys AUTO_JV = jv_keys(jv_copy(origins));
    int rc = 0;

    json_sets(&doc, "device", name);
    if (!printer_is_table(r->printer)) {
        json_set(&doc, "origins", jv_copy(origins));
        return printer_put(r->printer, id, doc, e);
    }
    jv_array_foreach(keys, i, key) {
        json_set(&doc, "origin", jv_object_get(jv_copy(origins), jv_copy(key)));
        json_set(&doc, "part", key);
        if (rc == 0)
            rc = printer_put(r->printer, id, doc, e);
    }
    return rc;
}

static int diff(struct render *r, const char *name, jv spec, struct err *e)
{
    struct buf out AUTO_BUF = BUF_INIT;
    int rc = verb_preview_compare(&r->session, name, spec, r->colour, &out, e);

    if (rc <= 0)
        return rc;
    r->differ++;
    if (r->names)
        printf("device/%s\n", name);
    else
        fwrite(out.p, 1, out.len, stdout);
    return ferror(stdout) ? err_errno(e, "standard output") : 0;
}

static int print(struct render *r, jv doc, const char *name, const struct rendered *out,
    struct err *e)
{
    char *id AUTO_FREE = xasprintf("device/%s", name);
    struct buf text AUTO_BUF = BUF_INIT;

    render_write(&text, doc, out);
    return printer_text(r->printer, id, text.p, text.len, e);
}

static int device(void *ctx, const char *name, jv doc, const struct rendered *out, struct err *e)
{
    struct render *r = ctx;

    r->seen++;
    if (r->diff)
        return diff(r, name, out->spec, e);
    return r->explain ? explain(r, name, out->origins, e) : print(r, doc, name, out, e);
}

static void invalid(void *ctx, const struct err *why)
{
    struct render *r = ctx;

    r->seen++;
    if (r->invalid++ < COMPLAINTS)
        log_err(why);
    r->bad = *why;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int render_all(struct render *r, const struct opts *o, struct err *e)
{
    struct previews p = {.how = &r->preview, .each = device, .invalid = invalid, .ctx = r};
    const char *in = o->argc == 1 && !strcmp(o->argv[0], "-") ? "-" : NULL;
    struct session *s = &r->session;

    if (verbs_open(s, e) < 0 || input_read(&r->fleets, r->files, r->nfiles, e) < 0 ||
        input_fleets(&r->fleets, &r->overlay, &r->preview.noverlay, e) < 0)
        return -1;
    r->preview.overlay = r->overlay;
    p.org = s->store.org;
    if (!o->argc)
        return verb_preview_selected(s, &p, r->selector, e);
    if (!in)
        return verb_preview_named(s, &p, o->argc, o->argv, e);
    return input_read(&r->devices, &in, 1, e) < 0 ? -1 : verb_preview_docs(s, &p, r->devices.docs, e);
}

static int run(struct render *r, struct opts *o, struct err *e)
{
    struct err out = {FC_OK, ""};
    int rc;

    if (!r->format && !r->explain && isatty(STDOUT_FILENO))
        r->format = "yaml"; /* a table has no place for files */
    if (!r->diff && printer_open(&r->printer, stdout, r->format, r->filter, e) < 0)
        return -1;
    if (r->printer)
        printer_columns(r->printer, r->explain ? part_columns : device_columns, NULL);
    rc = render_all(r, o, e);
    if (r->printer) {
        if (printer_close(r->printer, rc < 0 ? &out : e) < 0)
            rc = -1;
    } else if ((fflush(stdout) || ferror(stdout)) && rc == 0)
        rc = err_errno(e, "standard output");
    if (r->invalid > COMPLAINTS)
        log_warn("%zu more devices have no valid spec", r->invalid - COMPLAINTS);
    if (rc == 0 && r->diff && isatty(STDERR_FILENO))
        log_info("%zu of %zu devices would change", r->differ, r->seen);
    return rc;
}

/* Devices come from one place: operands, a selector, all of the store, or standard input. */
static void check_operands(struct render *r, struct opts *o)
{
    static char word[] = "-", *dash[] = {word, NULL};
    const char *no_colour = getenv("NO_COLOR");

    if ((o->argc != 0) + (r->selector != NULL) + r->all > 1)
        opt_usage(o, "name devices, or -l, or -a");
    if (r->diff && r->explain)
        opt_usage(o, "--diff or --explain");
    r->names = r->diff && r->format && !strcmp(r->format, "name");
    if (r->diff && (r->filter || (r->format && !r->names)))
        opt_usage(o, "--diff prints text, or with -o name who would change");
    r->colour = r->diff && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
    if (o->argc || r->selector || r->all || (r->diff && r->nfiles))
        return;
    if (isatty(STDIN_FILENO))
        opt_usage(o, "which devices? Name them, or use -l or -a");
    o->argc = 1;
    o->argv = dash;
}

int main(int argc, char **argv)
{
    struct render r = {
        .session = {.once = true},
        .files = xcalloc((size_t)argc + 1, sizeof *r.files),
        .preview.now = now_us(),
    };
    struct err e = {FC_OK, ""};
    struct opts o;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&r.session, id, o.arg))
            continue;
        switch (id) {
        case 'a': r.all = true; break;
        case 'f': r.files[r.nfiles++] = o.arg; break;
        case 'l': r.selector = o.arg; break;
        case O_DIFF: r.diff = true; break;
        case O_EXPLAIN: r.explain = true; break;
        case O_LATEST: r.preview.latest = true; break;
        case OPT_OUTPUT: r.format = o.arg; break;
        case OPT_FILTER: r.filter = o.arg; break;
        }
    }
    check_operands(&r, &o);
    if (r.nfiles)
        r.preview.latest = true;
    rc = run(&r, &o, &e);
    if (rc < 0)
        log_err(&e);
    input_free(&r.fleets);
    input_free(&r.devices);
    verbs_close(&r.session);
    free(r.overlay);
    free(r.files);
    if (rc == 0)
        e = r.bad;
    if (r.diff && e.code == FC_FAIL)
        return FC_DIFFER;
    return e.code == FC_OK && r.differ ? 1 : (int)e.code;
}
