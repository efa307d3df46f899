/* SPDX-License-Identifier: Apache-2.0 */
#include "service/report.h"

#include "base/mem.h"

static const struct column columns[] = {
    {"KIND", "kind", COL_TEXT, false},
    {"NAME", "name", COL_TEXT, false},
    {"CHANGE", "change", COL_TEXT, false},
    {"DETAIL", "detail", COL_TEXT, false},
    {0},
};

int report_open(struct report *r, const char *format, const char *filter, bool dry, struct err *e)
{
    *r = (struct report){.dry = dry};
    if (!format && !filter)
        return 0;
    if (printer_open(&r->p, stdout, format, filter, e) < 0)
        return -1;
    printer_columns(r->p, columns, NULL);
    return 0;
}

void report_change(struct report *r, const struct kind *k, const char *name, const char *change,
    const char *detail)
{
    char *id AUTO_FREE = xasprintf("%s/%s", k->singular, name);
    jv doc AUTO_JV = jv_invalid();

    progress_clear(&r->bar);
    if (!r->p) {
        printf("%s %s%s%s%s\n", id, change, detail ? ": " : "", detail ? detail : "",
            r->dry ? " (dry run)" : "");
        return;
    }
    doc = jv_object();
    json_sets(&doc, "kind", k->name);
    json_sets(&doc, "name", name);
    json_sets(&doc, "change", change);
    json_sets(&doc, "detail", detail);
    if (r->dry)
        json_set(&doc, "dryRun", jv_true());
    if (r->bad.code == FC_OK)
        printer_put(r->p, id, doc, &r->bad);
}

void report_progress(struct report *r, const char *what, size_t done, size_t total)
{
    progress_show(&r->bar, what, done, total);
}

int report_close(struct report *r, struct err *e)
{
    struct err bad = r->bad;

    progress_clear(&r->bar);
    if (r->p) {
        if (printer_close(r->p, bad.code ? NULL : &bad) < 0 && bad.code == FC_OK)
            bad.code = FC_FAIL;
    } else if (fflush(stdout) || ferror(stdout))
        err_errno(&bad, "standard output");
    r->p = NULL;
    if (bad.code == FC_OK)
        return 0;
    return err_set(e, bad.code, "%s", bad.msg);
}
