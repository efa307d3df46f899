/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/text.h"
#include "progress.h"

enum {
    OUT_MAX = 16 << 20, /* bytes of output that are kept; lists of images are long */
    LINE_MAX_SAID = 200 /* bytes of a line that goes into a message */
};

char *tool_last_line(const char *p, size_t n, size_t max)
{
    size_t from, i;
    char *line;

    while (n && isspace((unsigned char)p[n - 1]))
        n--;
    for (from = n; from && p[from - 1] != '\n' && p[from - 1] != '\r'; from--)
        ;
    while (from < n && isspace((unsigned char)p[from]))
        from++;
    n = n - from < max ? n - from : max;
    while (n && !utf8_valid(p + from, n)) /* a character that was cut, or no text at all */
        n--;
    line = xstrndup(p + from, n);
    for (i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
    return line;
}

int tool_run(const struct agent *a, const struct tool *t, struct buf *out, struct err *e)
{
    const struct proc p = {.argv = t->argv, .env = t->env, .dir = t->dir,
        .root = *a->root_path ? a->root_path : NULL,
        .out_max = t->out_max ? t->out_max : OUT_MAX, .bound = 1,
        .timeout = (int64_t)t->timeout * 1000000};
    struct proc_result r;
    const char *name = t->argv[0];
    char *said;
    int rc = 0;

    progress_report(a); /* it may take long */
    log_debug("%s%s%s", name, t->argv[1] ? " " : "", t->argv[1] ? t->argv[1] : "");
    if (proc_run(&p, &r, e) < 0)
        return -1;
    said = tool_last_line(r.err.p ? r.err.p : "", r.err.len, LINE_MAX_SAID);
    if (!*said) {
        free(said);
        said = tool_last_line(r.out.p ? r.out.p : "", r.out.len, LINE_MAX_SAID);
    }
    if (r.timed_out)
        rc = err_set(e, FC_AGAIN, "%s: did not end within %d s", name, t->timeout);
    else if (r.status != 0)
        rc = err_set(e, FC_FAIL, "%s: ended with %d%s%s", name, r.status, *said ? ": " : "", said);
    else if (out)
        buf_add(out, r.out.p, r.out.len);
    free(said);
    buf_free(&r.out);
    buf_free(&r.err);
    return rc;
}
