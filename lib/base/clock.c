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

/* The calendar by hand: gmtime and timegm read the time zone's file first, which a hot command
 * would pay for on every start. The year is counted from March, so that February ends it. */
static const int64_t epoch = 719468; /* days from 0000-03-01 to 1970-01-01 */

static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    int64_t leaps = y >= 0 ? y / 4 - y / 100 + y / 400 : -1; /* year 0 is the first there is */

    return 365 * y + leaps + (153 * m + 2) / 5 + day - 1 - epoch;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t y = (days + epoch) * 400 / 146097; /* right but for one */
    int64_t rest, m;

    *year = (int)y + 2;
    do {
        --*year;
        rest = days - days_from_date(*year, 3, 1);
    } while (rest < 0);
    m = (5 * rest + 2) / 153;
    *day = (int)(rest - (153 * m + 2) / 5) + 1;
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year += m >= 10;
}

/* v in n digits, without printf: lists format thousands of times. Returns where they end. */
static char *put_digits(char *p, int64_t v, int n)
{
    for (int i = n; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + n;
}

void time_format(int64_t us, char out[TIME_LEN])
{
    int64_t frac = us % 1000000, t, s;
    int year, month, day;
    char *p = out;

    if (frac < 0)
        frac += 1000000;
    t = (us - frac) / 1000000;
    s = t % 86400;
    if (s < 0)
        s += 86400;
    if (t < INT64_C(-62167219200) || t > INT64_C(253402300799)) /* years 0 to 9999 */
        die("time %" PRId64 " out of range", us);
    date_from_days((t - s) / 86400, &year, &month, &day);
    const struct { int64_t v; int n; char before; } part[] = {{year, 4, 0}, {month, 2, '-'},
        {day, 2, '-'}, {s / 3600, 2, 'T'}, {s / 60 % 60, 2, ':'}, {s % 60, 2, ':'}, {frac, 6, '.'}};

    for (size_t i = 0; i < LEN(part) - (frac == 0); i++) {
        if (part[i].before)
            *p++ = part[i].before;
        p = put_digits(p, part[i].v, part[i].n);
    }
    strcpy(p, "Z");
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
    int year, month, day, hour, min, sec, offset = 0;
    int64_t us = 0, unit = 100000;

    if ((year = digits(&s, 4)) < 0 || !skip(&s, '-', '-') ||
        (month = digits(&s, 2)) < 1 || month > 12 || !skip(&s, '-', '-') ||
        (day = digits(&s, 2)) < 1 || day > month_days(year, month) ||
        !skip(&s, 'T', 't') ||
        (hour = digits(&s, 2)) < 0 || hour > 23 || !skip(&s, ':', ':') ||
        (min = digits(&s, 2)) < 0 || min > 59 || !skip(&s, ':', ':') ||
        (sec = digits(&s, 2)) < 0 || sec > 60) /* 60 is a leap second */
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
    *out = (days_from_date(year, month, day) * 86400 + hour * 3600 + min * 60 + sec - offset) *
        1000000 + us;
    return 0;
}

/* "90m", "1d12h": at least one number with its unit, in microseconds; *s moves behind it. -1: none. */
static int64_t span_parse(const char **s)
{
    static const struct { char unit; int64_t seconds; } units[] = {
        {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400},
    };
    int64_t sum = 0;

    do {
        int64_t n = 0;
        size_t i;

        if (**s < '0' || **s > '9')
            return -1;
        for (; **s >= '0' && **s <= '9'; (*s)++)
            if ((n = n * 10 + (**s - '0')) > 1000000000) /* no overflow below */
                return -1;
        for (i = 0; i < LEN(units) && units[i].unit != **s; i++)
            ;
        if (i == LEN(units))
            return -1;
        (*s)++;
        if ((sum += n * units[i].seconds) > INT64_C(100000000000))
            return -1;
    } while (**s && **s != ' ');
    return sum * 1000000;
}

int time_past(const char *s, int64_t now, int64_t *out)
{
    const int64_t day = INT64_C(86400) * 1000000;
    bool minus = *s == '-';
    char whole[TIME_LEN];
    int64_t t;

    if (!strcmp(s, "now") || !strcmp(s, "today") || !strcmp(s, "yesterday"))
        t = *s == 'n' ? now : now - now % day - (*s == 'y' ? day : 0);
    else if (strlen(s) == 10 && s[4] == '-') {
        snprintf(whole, sizeof whole, "%sT00:00:00Z", s);
        if (time_parse(whole, &t) < 0)
            return -1;
    } else if (time_parse(s, &t) < 0) {
        s += minus;
        if ((t = span_parse(&s)) < 0 || strcmp(s, minus ? "" : " ago"))
            return -1;
        t = now - t;
    }
    if (t > now)
        return -1;
    *out = t;
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
