/* SPDX-License-Identifier: Apache-2.0 */
/* Changes parts of resources. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "service/patch.h"
#include "service/report.h"
#include "service/session.h"

enum { O_TYPE = OPT_FIRST, O_STATUS, O_DIFF, O_UNKNOWN };

static const struct opt opts[] = {
    OPTS_STORE,
    {'f', "file", "FILE", "file", "a patch, or - for standard input; may be repeated"},
    {'m', "message", "REASON", NULL, "why, for the history"},
    {OPT_DRY, "dry-run", NULL, NULL, "say what would change, and change nothing"},
    {'p', "patch", "PATCH", NULL, "a patch; may be repeated"},
    {O_UNKNOWN, "allow-unknown", NULL, NULL, "keep unknown members where the API does"},
    {O_DIFF, "diff", NULL, NULL, "show the difference, and change nothing; 1 if there is one"},
    {O_STATUS, "status", NULL, NULL, "change the status alone"},
    {O_TYPE, "type", "TYPE", "json|merge", "json (RFC 6902) or merge (RFC 7386); default: json for "
        "an array, merge for an object"},
    OPTS_OUTPUT,
    {0},
};
static const struct command command = {
    .name = "fc-patch",
    .brief = "change parts of resources",
    .args = "KIND NAME ... | KIND/NAME ...",
    .complete = "~" KINDS_EDITED,
    .opts = opts,
};

struct source {
    const char *text; /* the patch, or the path of a file */
    bool file;
};

struct patching {
    struct session session;
    struct report report;
    struct targets targets;
    struct patch_options how;
    struct patch *patch;
    const char *type, *reason, *format, *filter;
    bool diff;
};

static void each(void *ctx, const struct kind *k, const char *name, enum change what)
{
    struct patching *p = ctx;

    report_change(&p->report, k, name, change_name(what), NULL);
}

static void progress(void *ctx, size_t done, size_t total)
{
    struct patching *p = ctx;

    if (total > PATCH_CHUNK && done < total)
        report_progress(&p->report, "patching", done, total);
}

/* One more patch; source names it in messages. */
static int add(struct patching *p, const char *text, size_t n, const char *source, struct err *e)
{
    struct patch *v = &p->patch[p->how.patches.n];
    bool array;

    if (json_parse(text, n, &v->body, e) < 0)
        return err_wrap(e, "%s", source);
    p->how.patches.n++;
    array = jv_get_kind(v->body) == JV_KIND_ARRAY;
    v->type = (p->type ? !strcmp(p->type, "json") : array) ? PATCH_JSON : PATCH_MERGE;
    if (v->type == PATCH_JSON ? array : jv_get_kind(v->body) == JV_KIND_OBJECT)
        return 0;
    return err_set(e, FC_INVALID, "%s: must be %s", source,
        v->type == PATCH_JSON ? "an array of operations" : "an object");
}

static int read_patches(struct patching *p, const struct source *from, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct buf b AUTO_BUF = BUF_INIT;

        if (!from[i].file) {
            if (add(p, from[i].text, strlen(from[i].text), "-p", e) < 0)
                return -1;
        } else if (file_read(from[i].text, JSON_MAX, &b, e) < 0 ||
            add(p, b.p ? b.p : "", b.len, from[i].text, e) < 0)
            return -1;
    }
    return 0;
}

static int patch(struct patching *p, const struct opts *o, const struct source *from, size_t n,
    struct err *e)
{
    struct buf out AUTO_BUF = BUF_INIT;
    struct actor who;
    int rc;

    if (targets_parse(&p->targets, o->argc, o->argv, e) < 0 || read_patches(p, from, n, e) < 0 ||
        session_open(&p->session, e) < 0)
        return -1;
    if (!p->diff) {
        who = session_actor(&p->session, p->reason);
        p->how.who = &who;
        return patch_all(&p->session.store, &p->targets, &p->how, e);
    }
    rc = patch_diff(&p->session.store, &p->targets, &p->how.patches, isatty(STDOUT_FILENO), &out,
        e);
    fwrite(out.p ? out.p : "", 1, out.len, stdout);
    return rc;
}

static void check(const struct patching *p, const struct opts *o, size_t patches)
{
    if (p->type && strcmp(p->type, "json") && strcmp(p->type, "merge"))
        opt_usage(o, "--type: must be json or merge");
    if (!o->argc || (o->argc == 1 && !strchr(o->argv[0], '/')))
        opt_usage(o, "which resources?");
    if (!patches)
        opt_usage(o, "-p or -f: which patch?");
    if (p->diff && (p->format || p->filter || p->how.dry_run))
        opt_usage(o, "--diff goes without -n, -o and -q");
}

int main(int argc, char **argv)
{
    struct patching p = {.how = {.each = each, .progress = progress, .ctx = &p,
        .patches.validate = VALIDATE_STRICT}};
    struct source *from = xcalloc((size_t)argc + 1, sizeof *from);
    struct err e = {FC_OK, ""}, out = {FC_OK, ""};
    struct opts o;
    size_t n = 0;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1) {
        if (session_option(&p.session, id, o.arg))
            continue;
        switch (id) {
        case 'f': from[n++] = (struct source){o.arg, true}; break;
        case 'p': from[n++] = (struct source){o.arg, false}; break;
        case 'm': p.reason = o.arg; break;
        case OPT_DRY: p.how.dry_run = true; break;
        case O_DIFF: p.diff = true; break;
        case O_STATUS: p.how.patches.status = true; break;
        case O_TYPE: p.type = o.arg; break;
        case O_UNKNOWN: p.how.patches.validate = 0; break;
        case OPT_OUTPUT: p.format = o.arg; break;
        case OPT_FILTER: p.filter = o.arg; break;
        }
    }
    check(&p, &o, n);
    p.how.patches.v = p.patch = xcalloc(n, sizeof *p.patch);
    rc = report_open(&p.report, p.format, p.filter, p.how.dry_run, &e);
    if (rc == 0)
        rc = patch(&p, &o, from, n, &e);
    if (report_close(&p.report, &out) < 0)
        log_err(&out);
    if (rc < 0)
        log_err(&e);
    for (size_t i = 0; i < p.how.patches.n; i++)
        jv_free(p.patch[i].body);
    targets_free(&p.targets);
    session_close(&p.session);
    free(p.patch);
    free(from);
    if (p.diff && (rc < 0 ? e.code : out.code) == FC_FAIL)
        return FC_DIFFER;
    return rc < 0 ? (int)e.code : out.code ? (int)out.code : rc;
}
