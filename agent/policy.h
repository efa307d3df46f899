/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a version may be fetched and when it may be applied: spec.updatePolicy. A schedule opens at
 * the minutes that its cron expression names, on the clocks of its time zone, and stays open for
 * startGraceDuration. When the clocks go forward over such a minute, it opens at that moment; when
 * they go back, it opens twice.
 */
#ifndef FC_AGENT_POLICY_H
#define FC_AGENT_POLICY_H

#include "base/json.h"

enum { POLICY_OPEN_MIN = 120 }; /* s: a minute, and the time between two runs of a timer */

struct opening {
    bool now;     /* it is open */
    int64_t next; /* s since the epoch when it opens next; 0: in no time that could be told */
};

/* schedule (borrowed): downloadSchedule or updateSchedule; one that is missing is always open.
 * root: where the database of time zones is, "" for the host's own. now: s since the epoch; a clock that
 * was never set is before 2020, and nothing opens by it. FC_FAIL: there is no such time zone. */
int policy_open(const char *root, jv schedule, int64_t now, struct opening *out, struct err *e);

#endif
