/* SPDX-License-Identifier: Apache-2.0 */
#include "service/compare.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"

enum { DIFF_MAX = 2 * JSON_MAX };                    /* bytes of one device's difference */
#define DIFF_TIMEOUT (INT64_C(60) * 1000000)         /* us: large texts without a common line */

static int yaml_of(const char *text, struct buf *b, struct err *e)
{
    jv v AUTO_JV = jv_invalid();

    if (!text)
        return 0;
    return json_parse(text, strlen(text), &v, e) < 0 ? -1 : yaml_write(b, v, e);
}

/* The old text comes to diff by standard input, the new one by a file in memory: nothing is left
 * behind, whatever ends this process. */
static int run_diff(const struct comparison *c, const struct buf *from, const struct buf *to,
    struct proc_result *r, struct err *e)
{
    int fd AUTO_CLOSE = memfd_create("spec", MFD_CLOEXEC);
    char path[64];
    const char *argv[] = {"diff", "-u", c->colour ? "--color=always" : "--color=never", "--label",
        c->from_label, "--label", c->to_label, "--", "-", path, NULL};
    struct proc p = {
        .argv = argv,
        .in = from->len ? from->p : NULL,
        .in_len = from->len,
        .out_max = DIFF_MAX,
        .timeout = DIFF_TIMEOUT,
    };

    if (fd < 0)
        return err_errno(e, "memfd_create");
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    if (fd_write(fd, to->p, to->len, "file in memory", e) < 0)
        return -1;
    return proc_run(&p, r, e);
}

int compare_specs(const struct comparison *c, struct buf *out, struct err *e)
{
    struct buf canon AUTO_BUF = BUF_INIT, from AUTO_BUF = BUF_INIT, to AUTO_BUF = BUF_INIT;
    struct proc_result r = {0};
    int rc = -1;

    if (jv_is_valid(c->to))
        json_canon(&canon, c->to);
    if (c->from && canon.p ? strcmp(c->from, canon.p) == 0 : c->from == canon.p)
        return 0;
    if (yaml_of(c->from, &from, e) < 0 ||
        (jv_is_valid(c->to) && yaml_write(&to, c->to, e) < 0) ||
        run_diff(c, &from, &to, &r, e) < 0)
        goto out;
    if (r.timed_out)
        err_set(e, FC_FAIL, "diff took too long");
    else if (r.status > 1)
        err_set(e, FC_FAIL, "diff: %s", r.err.len ? r.err.p : "failed");
    else {
        buf_add(out, r.out.p ? r.out.p : "", r.out.len);
        rc = 1;
    }
out:
    buf_free(&r.out);
    buf_free(&r.err);
    return rc;
}
