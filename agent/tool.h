/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of the device that a run starts (podman, bootc, systemctl, hooks): from an argv only,
 * with a time limit. With --root they run inside of that folder, by chroot(2), so that they act on
 * the same system as the run; that takes root.
 */
#ifndef FC_AGENT_TOOL_H
#define FC_AGENT_TOOL_H

#include "agent.h"
#include "base/buf.h"

struct tool {
    const char *const *argv; /* as proc.h has it */
    const char *const *env;  /* or NULL: PATH and LANG */
    const char *dir;         /* working directory, seen from within the root, or NULL */
    int timeout;             /* s */
    size_t out_max;          /* bytes of output that are kept, or 0: many */
};

/* Runs it and waits. Whatever keeps it from ending with 0 is an error: FC_NOTFOUND when there is no
 * such program, FC_AGAIN when its time was over, FC_FAIL with the last line that it said. out: takes
 * what it wrote to its standard output, or NULL. */
int tool_run(const struct agent *a, const struct tool *t, struct buf *out, struct err *e);

/* The last line of a text that says something, printable, cut to max bytes; empty if there is none.
 * For the caller to free. */
char *tool_last_line(const char *p, size_t n, size_t max);

#endif
