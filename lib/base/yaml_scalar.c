/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_scalar.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    NUMBER_MAX = 400, /* bytes of a number; what is longer is a string */
};

static const struct word {
    const char *text;
    enum scalar_type type;
    double number;
} words[] = {
    {"", SCALAR_NULL, 0}, {"~", SCALAR_NULL, 0},
    {"null", SCALAR_NULL, 0}, {"Null", SCALAR_NULL, 0}, {"NULL", SCALAR_NULL, 0},
    {"y", SCALAR_BOOL, 1}, {"Y", SCALAR_BOOL, 1},
    {"yes", SCALAR_BOOL, 1}, {"Yes", SCALAR_BOOL, 1}, {"YES", SCALAR_BOOL, 1},
    {"true", SCALAR_BOOL, 1}, {"True", SCALAR_BOOL, 1}, {"TRUE", SCALAR_BOOL, 1},
    {"on", SCALAR_BOOL, 1}, {"On", SCALAR_BOOL, 1}, {"ON", SCALAR_BOOL, 1},
    {"n", SCALAR_BOOL, 0}, {"N", SCALAR_BOOL, 0},
    {"no", SCALAR_BOOL, 0}, {"No", SCALAR_BOOL, 0}, {"NO", SCALAR_BOOL, 0},
    {"false", SCALAR_BOOL, 0}, {"False", SCALAR_BOOL, 0}, {"FALSE", SCALAR_BOOL, 0},
    {"off", SCALAR_BOOL, 0}, {"Off", SCALAR_BOOL, 0}, {"OFF", SCALAR_BOOL, 0},
    {".nan", SCALAR_FLOAT, NAN}, {".NaN", SCALAR_FLOAT, NAN}, {".NAN", SCALAR_FLOAT, NAN},
    {".inf", SCALAR_FLOAT, INFINITY}, {".Inf", SCALAR_FLOAT, INFINITY},
    {".INF", SCALAR_FLOAT, INFINITY},
    {"+.inf", SCALAR_FLOAT, INFINITY}, {"+.Inf", SCALAR_FLOAT, INFINITY},
    {"+.INF", SCALAR_FLOAT, INFINITY},
    {"-.inf", SCALAR_FLOAT, -INFINITY}, {"-.Inf", SCALAR_FLOAT, -INFINITY},
    {"-.INF", SCALAR_FLOAT, -INFINITY},
};

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* 0x1f, 0b11, 0o17, 017, 17, with a sign or not. */
static bool as_int(const char *s, struct scalar *out)
{
    bool negative = *s == '-';
    const uint64_t limit = negative ? (uint64_t)1 << 63 : INT64_MAX;
    uint64_t u = 0;
    int base = 10;

    s += *s == '-' || *s == '+';
    if (*s == '0' && s[1]) {
        char c = s[1] | 0x20;

        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s += base != 8 || c == 'o' ? 2 : 1;
    }
    if (!*s)
        return false;
    out->number = 0;
    for (; *s; s++) {
        int v = digit_value(*s);

        if (v >= base)
            return false;
        out->number = out->number * base + v;
        if (u > (limit - (uint64_t)v) / (uint64_t)base)
            out->huge = 1;
        else
            u = u * (uint64_t)base + (uint64_t)v;
    }
    out->type = SCALAR_INT;
    out->number = negative ? -out->number : out->number;
    out->integer = (int64_t)(negative ? -u : u);
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? within the range of a double. */
static bool as_float(const char *s, struct scalar *out)
{
    const char *p = s + (*s == '-' || *s == '+');
    size_t whole = strspn(p, "0123456789"), n;
    double d;

    p += whole;
    if (*p == '.') {
        n = strspn(++p, "0123456789");
        if (!n && !whole)
            return false;
        p += n;
    } else if (!whole)
        return false;
    if ((*p | 0x20) == 'e') {
        p++;
        p += *p == '-' || *p == '+';
        n = strspn(p, "0123456789");
        if (!n)
            return false;
        p += n;
    }
    if (*p)
        return false;
    d = strtod(s, NULL);
    if (isinf(d))
        return false;
    out->type = SCALAR_FLOAT;
    out->number = d;
    return true;
}

struct scalar scalar_resolve(const char *s, size_t n)
{
    struct scalar out = {.type = SCALAR_STRING};
    char t[NUMBER_MAX + 1];
    size_t i, k = 0;
    bool number;

    if (n <= 5) {
        for (i = 0; i < LEN(words); i++)
            if (strlen(words[i].text) == n && !memcmp(words[i].text, s, n)) {
                out.type = words[i].type;
                out.number = words[i].number;
                return out;
            }
    }
    number = n && n <= NUMBER_MAX && strchr("0123456789+-.", *s);
    if (!number || memchr(s, '\0', n))
        return out;
    for (i = 0; i < n; i++)
        if (s[i] != '_' || *s == '.')
            t[k++] = s[i];
    t[k] = '\0';
    if ((*s == '.' || !as_int(t, &out)) && !as_float(t, &out))
        out = (struct scalar){.type = SCALAR_STRING};
    return out;
}

void scalar_float_key(double d, char out[32])
{
    float f = (float)d;
    char t[32], digits[16], *exp_at;
    int prec, n = 0, exp, i;
    size_t k = 0;

    if (isnan(f) || isinf(f)) {
        snprintf(out, 32, "%s", isnan(f) ? ".nan" : f < 0 ? "-.inf" : ".inf");
        return;
    }
    for (prec = 0; prec < 9; prec++) {
        snprintf(t, sizeof t, "%.*e", prec, (double)f);
        if (strtof(t, NULL) == f)
            break;
    }
    exp_at = strchr(t, 'e');
    exp = atoi(exp_at + 1);
    for (i = 0; t + i < exp_at; i++)
        if (t[i] >= '0' && t[i] <= '9' && n < (int)sizeof digits)
            digits[n++] = t[i];
    if (exp < -4 || exp >= 6) {
        snprintf(out, 32, "%s", t);
        return;
    }
    if (t[0] == '-')
        out[k++] = '-';
    if (exp < 0) {
        out[k++] = '0';
        out[k++] = '.';
        for (i = exp + 1; i < 0; i++)
            out[k++] = '0';
    }
    for (i = 0; i < n || i <= exp; i++) {
        if (i && i == exp + 1)
            out[k++] = '.';
        out[k++] = i < n ? digits[i] : '0';
    }
    out[k] = '\0';
}
