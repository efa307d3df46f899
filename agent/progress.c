/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "deadline.h"

/* Who cannot be told now is told at the end, or by a later run. */
void progress_report(const struct agent *a)
{
    struct progress *p = a->progress;
    struct err e = {0};

    if (!p || !p->due)
        return;
    p->due = false; /* first: making a status may start programs, too */
    if (p->report && p->report(p->with, &e) < 0) {
        log_warn("the server is not told what the update does: %s", e.msg);
        p->report = NULL;
    }
}

void progress_say(const struct agent *a, const char *reason, const char *text)
{
    struct progress *p = a->progress;
    char message[ERR_LEN];

    if (!p)
        return;
    snprintf(message, sizeof message, "version %" PRId64 ": %s", p->st->desired.number, text);
    state_outcome(p->st, reason, message);
    p->due = true;
    if (uptime_s() - p->since >= PROGRESS_S)
        progress_report(a);
}
