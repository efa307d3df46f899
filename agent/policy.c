/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "fleet/cron.h"

#define CLOCK_SET INT64_C(1577836800) /* 2020-01-01: an earlier time was never set */

enum {
    BLOCK = 900,          /* s: the clocks of no zone change but between two quarters of an hour */
    AHEAD_DAYS = 9 * 366, /* a 29th of February comes within eight years */
    DAY = 24 * 3600,
};

static bool in(uint64_t bits, int n) { return bits >> n & 1; }

static bool day_matches(const struct cron *c, const struct tm *t)
{
    bool day = in(c->day, t->tm_mday), weekday = in(c->weekday, t->tm_wday);

    return in(c->month, t->tm_mon + 1) &&
        (c->any_day || c->any_weekday ? day && weekday : day || weekday);
}

/* Is there a matching minute among those that the clocks show from a to b, b not with it? They are
 * counted as if they were UTC. */
static bool skipped(const struct cron *c, int64_t a, int64_t b)
{
    for (; a < b; a += 60) {
        time_t at = (time_t)a;
        struct tm t;

        gmtime_r(&at, &t);
        if (day_matches(c, &t) && in(c->hour, t.tm_hour) && in(c->minute, t.tm_min))
            return true;
    }
    return false;
}

static int64_t shown(const struct tm *t)
{
    struct tm copy = *t;

    return timegm(&copy);
}

/* The first minute from a time on that matches, by the clocks of TZ; 0: none for years. */
static int64_t next(const struct cron *c, int64_t from)
{
    int64_t end = from + (int64_t)AHEAD_DAYS * DAY, before = 0, at;
    int64_t t = from - from % BLOCK - BLOCK; /* what the clocks showed before counts, too */
    struct tm tm;

    for (; t < end; t += BLOCK) {
        time_t block = (time_t)t;
        int m;

        localtime_r(&block, &tm);
        if (before && t >= from && shown(&tm) - before > BLOCK &&
            skipped(c, before + BLOCK, shown(&tm)))
            return t;
        before = shown(&tm);
        if (!day_matches(c, &tm)) {
            /* Not over midnight, by clocks that may change on the way. */
            if (tm.tm_hour < 21) {
                t += (int64_t)(21 - tm.tm_hour) * 3600;
                before = 0;
            }
            continue;
        }
        if (!in(c->hour, tm.tm_hour))
            continue;
        for (m = 0; m < BLOCK / 60; m++) {
            at = t + m * 60;
            if (at >= from && in(c->minute, tm.tm_min + m))
                return at;
        }
    }
    return 0;
}

/* What TZ is to be for a schedule's zone; NULL: what it is. */
static int zone_file(const char *root, const char *zone, char **out, struct err *e)
{
    char *path;

    *out = NULL;
    if (!zone || strcmp(zone, "Local") == 0) {
        path = xasprintf(":%s/etc/localtime", root);
        if (*root && access(path + 1, R_OK) == 0)
            *out = path;
        else
            free(path);
        return 0;
    }
    if (strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0) {
        *out = xstrdup("UTC0");
        return 0;
    }
    path = xasprintf(":%s/usr/share/zoneinfo/%s", root, zone);
    if (access(path + 1, R_OK) == 0) {
        *out = path;
        return 0;
    }
    free(path);
    return err_set(e, FC_FAIL, "timeZone: this device has no time zone %s", zone);
}

int policy_open(const char *root, jv schedule, int64_t now, struct opening *out, struct err *e)
{
    const char *at = json_str(schedule, "at"), *zone = json_str(schedule, "timeZone");
    const char *grace = json_str(schedule, "startGraceDuration"), *old = getenv("TZ");
    char *tz AUTO_FREE = NULL, *keep AUTO_FREE = old ? xstrdup(old) : NULL;
    int64_t open_for = grace ? duration_parse(grace) / 1000000 : 0, first;
    struct cron c;

    *out = (struct opening){.now = !at};
    if (!at)
        return 0;
    if (cron_parse(at, &c, e) < 0)
        return err_wrap(e, "at");
    if (zone_file(root, zone, &tz, e) < 0)
        return -1;
    if (now < CLOCK_SET)
        return 0;
    if (open_for < POLICY_OPEN_MIN)
        open_for = POLICY_OPEN_MIN;
    if (tz)
        setenv("TZ", tz, 1);
    tzset();
    first = next(&c, now - open_for + 1);
    out->now = first && first <= now;
    out->next = out->now ? next(&c, now + 1) : first;
    if (tz) {
        if (keep)
            setenv("TZ", keep, 1);
        else
            unsetenv("TZ");
        tzset();
    }
    return 0;
}
