/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/cron.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { CRON_MAX = 256 }; /* bytes: lists of all minutes fit */

static const char *const months[] = {
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", NULL,
};
static const char *const weekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL};

static const struct cron_field {
    const char *name;
    unsigned min, max;
    const char *const *words; /* the first stands for min */
} cron_fields[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, months},
    {"day of week", 0, 6, weekdays},
};

/* A number or name at *s, which moves past it. */
static bool value(const char **s, const struct cron_field *f, unsigned *out)
{
    const char *p = *s;
    unsigned n = 0;

    if (*p >= '0' && *p <= '9') {
        for (; *p >= '0' && *p <= '9' && n < 1000; p++)
            n = n * 10 + (unsigned)(*p - '0');
        *s = p;
        *out = n;
        return true;
    }
    for (; f->words && f->words[n]; n++)
        if (!strncasecmp(p, f->words[n], 3)) {
            *s = p + 3;
            *out = f->min + n;
            return true;
        }
    return false;
}

static int part(const char *s, const struct cron_field *f, uint64_t *bits, struct err *e)
{
    unsigned from = f->min, to = f->max, step = 1;
    const char *p = s;
    bool single = false;

    if (*p == '*' || *p == '?') {
        p++;
    } else {
        if (!value(&p, f, &from))
            return err_set(e, FC_INVALID, "%s: \"%s\" is no value", f->name, s);
        to = from;
        single = true;
        if (*p == '-') {
            p++;
            single = false;
            if (!value(&p, f, &to))
                return err_set(e, FC_INVALID, "%s: \"%s\" is no range", f->name, s);
        }
    }
    if (*p == '/') {
        p++;
        if (*p < '0' || *p > '9' || !value(&p, f, &step) || !step)
            return err_set(e, FC_INVALID, "%s: \"%s\" has no step", f->name, s);
        if (single)
            to = f->max;
    }
    if (*p)
        return err_set(e, FC_INVALID, "%s: \"%s\" is no value", f->name, s);
    if (from < f->min || to > f->max)
        return err_set(e, FC_INVALID, "%s: \"%s\" is not in %u-%u", f->name, s, f->min, f->max);
    if (from > to)
        return err_set(e, FC_INVALID, "%s: \"%s\" runs backwards", f->name, s);
    for (; from <= to; from += step)
        *bits |= UINT64_C(1) << from;
    return 0;
}

static int field(char *s, const struct cron_field *f, uint64_t *bits, struct err *e)
{
    char *next;

    *bits = 0;
    for (; s; s = next) {
        next = strchr(s, ',');
        if (next)
            *next++ = '\0';
        if (part(s, f, bits, e) < 0)
            return -1;
    }
    return 0;
}

static bool never(const struct cron *c)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!c->any_weekday)
        return false;
    for (unsigned m = 0; m < LEN(days); m++)
        if ((c->month & UINT64_C(1) << (m + 1)) && (c->day & ((UINT64_C(2) << days[m]) - 1)))
            return false;
    return true;
}

int cron_parse(const char *text, struct cron *out, struct err *e)
{
    uint64_t *const bits[] = {&out->minute, &out->hour, &out->day, &out->month, &out->weekday};
    char *copy AUTO_FREE = NULL, *save = NULL, *word;
    bool any[LEN(cron_fields)];
    size_t n = 0;

    if (strlen(text) > CRON_MAX)
        return err_set(e, FC_INVALID, "is longer than %d characters", CRON_MAX);
    copy = xstrdup(text);
    for (word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save), n++) {
        if (n == LEN(cron_fields))
            break;
        any[n] = !strcmp(word, "*") || !strcmp(word, "?");
        if (field(word, &cron_fields[n], bits[n], e) < 0)
            return -1;
    }
    if (n != LEN(cron_fields) || word)
        return err_set(e, FC_INVALID,
            "must have five fields: minute, hour, day of month, month, day of week");
    out->any_day = any[2];
    out->any_weekday = any[4];
    if (never(out))
        return err_set(e, FC_INVALID, "names a date that never comes");
    return 0;
}
