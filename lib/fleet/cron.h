/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules of an update policy: the five fields of crontab(5), minute, hour, day of month, month,
 * day of week. As existing agents read them: * and ? are any, names (JAN, MON) in any case, ranges
 * do not wrap, N/STEP counts from N to the end, Sunday is 0 alone, no @daily and the like.
 */
#ifndef FC_FLEET_CRON_H
#define FC_FLEET_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cron {
    uint64_t minute, hour, day, month, weekday; /* bit n: value n is in */
    bool any_day, any_weekday; /* when both are limited, either suffices */
};

/* FC_INVALID names the field. A date that never comes (30 February) is refused. */
int cron_parse(const char *text, struct cron *out, struct err *e);

#endif
