/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON (RFC 8785) and an indented form for people. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/*
 * A number as ECMAScript prints it (RFC 8785 3.2.2.3): the shortest digits that read back as the
 * same double, an exponent only below 1e-6 and from 1e21 on. JSON has no other numbers, so what
 * a filter made infinite becomes the largest double, and what it made no number null, as jq does.
 */
static void write_number(struct buf *b, double d)
{
    char t[40], digits[24], *exp_at;
    int prec, point, n = 0, i;

    if (isnan(d)) {
        buf_adds(b, "null");
        return;
    }
    if (isinf(d))
        d = d < 0 ? -1.7976931348623157e308 : 1.7976931348623157e308;
    if (fabs(d) <= 9007199254740992.0 && d == floor(d)) {
        buf_add_int(b, (int64_t)d);
        return;
    }
    for (prec = 0; prec < 17; prec++) {
        snprintf(t, sizeof t, "%.*e", prec, d);
        if (strtod(t, NULL) == d)
            break;
    }
    exp_at = strchr(t, 'e');
    point = atoi(exp_at + 1) + 1; /* the decimal point stands before this digit */
    for (i = 0; t + i < exp_at; i++)
        if (t[i] >= '0' && t[i] <= '9')
            digits[n++] = t[i];
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (d < 0)
        buf_addc(b, '-');
    if (point > 21 || point < -5) {
        buf_add(b, digits, 1);
        if (n > 1) {
            buf_addc(b, '.');
            buf_add(b, digits + 1, (size_t)n - 1);
        }
        buf_printf(b, "e%+d", point - 1);
    } else if (point <= 0) {
        buf_adds(b, "0.");
        for (i = point; i < 0; i++)
            buf_addc(b, '0');
        buf_add(b, digits, (size_t)n);
    } else if (point >= n) {
        buf_add(b, digits, (size_t)n);
        for (i = n; i < point; i++)
            buf_addc(b, '0');
    } else {
        buf_add(b, digits, (size_t)point);
        buf_addc(b, '.');
        buf_add(b, digits + point, (size_t)(n - point));
    }
}

struct member {
    jv key; /* owned */
    jv value;
    const char *name;
    size_t len;
};

/*
 * Order of UTF-16 code units. In UTF-8 that is the order of bytes, but for characters beyond the
 * BMP (lead byte 0xf0 and up; surrogates d800..dfff in UTF-16), which come before U+E000..U+FFFF
 * (lead bytes 0xee and 0xef).
 */
static int member_compare(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    size_t n = a->len < b->len ? a->len : b->len, i;

    for (i = 0; i < n && a->name[i] == b->name[i]; i++)
        ;
    if (i < n) {
        unsigned char c = (unsigned char)a->name[i], d = (unsigned char)b->name[i];

        if (c >= 0xee && d >= 0xee && (c >= 0xf0) != (d >= 0xf0))
            return c >= 0xf0 ? -1 : 1;
        return c < d ? -1 : 1;
    }
    return a->len < b->len ? -1 : a->len > b->len;
}

static void newline(struct buf *b, int indent)
{
    buf_addc(b, '\n');
    for (; indent > 0; indent--)
        buf_adds(b, "  ");
}

/* indent < 0: canonical. */
static void write_value(struct buf *b, jv v, int indent);

static void write_object(struct buf *b, jv v, int indent)
{
    int n = jv_object_length(jv_copy(v)), i = 0, at;
    int inner = indent < 0 ? -1 : indent + 1;
    struct member few[16], *m = n > (int)LEN(few) ? xcalloc((size_t)n, sizeof *m) : few;

    for (at = jv_object_iter(v); jv_object_iter_valid(v, at); at = jv_object_iter_next(v, at)) {
        m[i].key = jv_object_iter_key(v, at);
        m[i].value = jv_object_iter_value(v, at);
        m[i].name = jv_string_value(m[i].key);
        m[i].len = (size_t)jv_string_length_bytes(jv_copy(m[i].key));
        i++;
    }
    n = i;
    qsort(m, (size_t)n, sizeof *m, member_compare);
    buf_addc(b, '{');
    for (i = 0; i < n; i++) {
        if (i)
            buf_addc(b, ',');
        if (indent >= 0)
            newline(b, inner);
        buf_add_json(b, m[i].name, m[i].len);
        buf_adds(b, indent < 0 ? ":" : ": ");
        write_value(b, m[i].value, inner);
        jv_free(m[i].key);
        jv_free(m[i].value);
    }
    if (n && indent >= 0)
        newline(b, indent);
    buf_addc(b, '}');
    if (m != few)
        free(m);
}

static void write_array(struct buf *b, jv v, int indent)
{
    int n = jv_array_length(jv_copy(v)), i;
    int inner = indent < 0 ? -1 : indent + 1;

    buf_addc(b, '[');
    for (i = 0; i < n; i++) {
        jv x = jv_array_get(jv_copy(v), i);

        if (i)
            buf_addc(b, ',');
        if (indent >= 0)
            newline(b, inner);
        write_value(b, x, inner);
        jv_free(x);
    }
    if (n && indent >= 0)
        newline(b, indent);
    buf_addc(b, ']');
}

static void write_value(struct buf *b, jv v, int indent)
{
    switch (jv_get_kind(v)) {
    case JV_KIND_OBJECT: write_object(b, v, indent); break;
    case JV_KIND_ARRAY: write_array(b, v, indent); break;
    case JV_KIND_STRING:
        buf_add_json(b, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)));
        break;
    case JV_KIND_NUMBER: write_number(b, jv_number_value(v)); break;
    case JV_KIND_TRUE: buf_adds(b, "true"); break;
    case JV_KIND_FALSE: buf_adds(b, "false"); break;
    case JV_KIND_NULL:
    case JV_KIND_INVALID: buf_adds(b, "null"); break;
    }
}

void json_canon(struct buf *b, jv v)
{
    write_value(b, v, -1);
}

void json_pretty(struct buf *b, jv v)
{
    write_value(b, v, 0);
}

void json_hash(jv v, char out[SHA256_HEX])
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    sha256_hex(b.p, b.len, out);
}
