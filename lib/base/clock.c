/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

int64_t now_us(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
        die("no clock");
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void time_format(int64_t us, char out[TIME_LEN])
{
    int64_t frac = us % 1000000;
    time_t t;
    struct tm tm;
    size_t n;

    if (frac < 0)
        frac += 1000000;
    t = (time_t)((us - frac) / 1000000);
    if (!gmtime_r(&t, &tm))
        die("time %" PRId64 " out of range", us);
    n = (size_t)snprintf(out, TIME_LEN, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (frac)
        n += (size_t)snprintf(out + n, TIME_LEN - n, ".%06" PRId64, frac);
    snprintf(out + n, TIME_LEN - n, "Z");
}

/* n decimal digits at *s, which moves behind them. -1: there are fewer. */
static int digits(const char **s, int n)
{
    int v = 0;

    for (; n; n--, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        v = v * 10 + (**s - '0');
    }
    return v;
}

static bool skip(const char **s, char a, char b)
{
    if (**s != a && **s != b)
        return false;
    (*s)++;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

int time_parse(const char *s, int64_t *out)
{
    struct tm tm = {0};
    int year, offset = 0;
    int64_t us = 0, unit = 100000;

    if ((year = digits(&s, 4)) < 0 || !skip(&s, '-', '-') ||
        (tm.tm_mon = digits(&s, 2)) < 1 || tm.tm_mon > 12 || !skip(&s, '-', '-') ||
        (tm.tm_mday = digits(&s, 2)) < 1 || tm.tm_mday > month_days(year, tm.tm_mon) ||
        !skip(&s, 'T', 't') ||
        (tm.tm_hour = digits(&s, 2)) < 0 || tm.tm_hour > 23 || !skip(&s, ':', ':') ||
        (tm.tm_min = digits(&s, 2)) < 0 || tm.tm_min > 59 || !skip(&s, ':', ':') ||
        (tm.tm_sec = digits(&s, 2)) < 0 || tm.tm_sec > 60) /* 60 is a leap second */
        return -1;
    if (skip(&s, '.', '.')) {
        if (*s < '0' || *s > '9')
            return -1;
        for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
            us += unit * (*s - '0');
    }
    if (!skip(&s, 'Z', 'z')) {
        int sign = *s == '-' ? -1 : 1, h, m;

        if (!skip(&s, '+', '-') || (h = digits(&s, 2)) < 0 || h > 23 || !skip(&s, ':', ':') ||
            (m = digits(&s, 2)) < 0 || m > 59)
            return -1;
        offset = sign * (h * 60 + m) * 60;
    }
    if (*s)
        return -1;
    tm.tm_year = year - 1900;
    tm.tm_mon--;
    *out = ((int64_t)timegm(&tm) - offset) * 1000000 + us;
    return 0;
}

void time_ago(int64_t us, int64_t now, char out[TIME_LEN])
{
    int64_t s = now > us ? (now - us) / 1000000 : 0;

    if (s < 120)
        snprintf(out, TIME_LEN, "%" PRId64 "s", s);
    else if (s < 120 * 60)
        snprintf(out, TIME_LEN, "%" PRId64 "m", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, TIME_LEN, "%" PRId64 "h", s / 3600);
    else
        snprintf(out, TIME_LEN, "%" PRId64 "d", s / 86400);
}
