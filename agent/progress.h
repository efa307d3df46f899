/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an update is doing, told while it is under way: controllers and the transaction say it, and
 * the condition Updating shows it. Saying is free; a report is sent only in front of something that
 * may take long (tool.c asks for it before each program), or when the update has taken PROGRESS_S.
 * So an update of files alone is reported once, when it is over.
 */
#ifndef FC_AGENT_PROGRESS_H
#define FC_AGENT_PROGRESS_H

#include "state.h"

enum { PROGRESS_S = 5 }; /* s of an update without a word */

struct progress {
    struct state *st;
    int (*report)(void *with, struct err *e); /* sends the status of st; NULL: there is no server */
    void *with;
    int64_t since; /* uptime_s() when the update began */
    bool due;      /* what was said last was not reported */
};

/* reason: of the condition Updating. text: beside the version. Without a->progress, as in a run that
 * only recovers, these two do nothing. */
void progress_say(const struct agent *a, const char *reason, const char *text);
void progress_report(const struct agent *a);

#endif
