/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: from an argv only, never through a shell, with a time limit. */
#ifndef FC_BASE_PROC_H
#define FC_BASE_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct proc {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless it has a '/' */
    const char *const *env;  /* NULL: a minimal environment (PATH, LANG) */
    const char *root;        /* chroot(2) there first, and look for the program in it; or NULL */
    const char *dir;         /* working directory or NULL */
    const void *in;          /* standard input, in_len bytes; NULL: /dev/null */
    size_t in_len;
    size_t out_max;          /* bytes kept of stdout and of stderr each; the rest is dropped */
    int bound;               /* it is killed when this process is, so that it does not go on behind the
                              * back of who takes up its work */
    int64_t timeout;         /* us; 0 = none. Then the process group gets TERM, 2 s later KILL */
};

struct proc_result {
    int status;     /* exit status, or 128 + signal */
    int timed_out;
    struct buf out, err; /* the caller frees both */
};

/* Runs and waits. -1 only if it could not be started (FC_NOTFOUND: no such program). The child
 * has its own process group, default signals, no inherited descriptors but 0, 1, 2. */
int proc_run(const struct proc *p, struct proc_result *r, struct err *e);

#endif
