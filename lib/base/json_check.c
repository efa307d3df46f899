/* SPDX-License-Identifier: Apache-2.0 */
/* The strict checker that stands in front of libjq: one pass, nothing built. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/mem.h"

/* A member name of an object that is still open. */
struct key {
    uint64_t hash;
    const char *p; /* between the quotes; when escaped, the decoded form of its own memory */
    uint32_t len;
    uint32_t at;   /* offset in the text, for the message */
    bool escaped;
};

enum {
    KEYS_DIRECT = 16, /* objects of up to so many members are compared pair by pair */
};

struct check {
    const char *start, *p, *end;
    const char *bad;  /* where the reason holds */
    char why[sizeof ((struct json_fault *)NULL)->why];
    struct key *key;  /* names of all open objects, the innermost last */
    size_t nkey, capkey;
};

static int fail(struct check *c, const char *at, const char *why)
{
    c->bad = at;
    snprintf(c->why, sizeof c->why, "%s", why);
    return -1;
}

static int fail_end(struct check *c)
{
    return fail(c, c->end, "unexpected end");
}

static void skip_space(struct check *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
        c->p++;
}

static int hex4(struct check *c, uint32_t *out)
{
    int i;

    *out = 0;
    for (i = 0; i < 4; i++, c->p++) {
        unsigned char ch;

        if (c->p == c->end)
            return fail_end(c);
        ch = (unsigned char)*c->p;
        if (ch >= '0' && ch <= '9')
            ch -= '0';
        else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
            ch = (unsigned char)((ch | 0x20) - 'a' + 10);
        else
            return fail(c, c->p, "bad \\u escape");
        *out = *out << 4 | ch;
    }
    return 0;
}

static void add_utf8(struct buf *b, uint32_t cp)
{
    if (cp < 0x80)
        buf_addc(b, (char)cp);
    else if (cp < 0x800) {
        buf_addc(b, (char)(0xc0 | cp >> 6));
        buf_addc(b, (char)(0x80 | (cp & 0x3f)));
    } else if (cp < 0x10000) {
        buf_addc(b, (char)(0xe0 | cp >> 12));
        buf_addc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (cp & 0x3f)));
    } else {
        buf_addc(b, (char)(0xf0 | cp >> 18));
        buf_addc(b, (char)(0x80 | (cp >> 12 & 0x3f)));
        buf_addc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (cp & 0x3f)));
    }
}

/* After the backslash. Appends what it stands for to b, if there is one. */
static int check_escape(struct check *c, struct buf *b)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *at = c->p - 1, *name;
    uint32_t cp, low;

    if (c->p == c->end)
        return fail_end(c);
    if (*c->p != 'u') {
        name = *c->p ? strchr(names, *c->p) : NULL;
        if (!name)
            return fail(c, at, "bad escape");
        if (b)
            buf_addc(b, values[name - names]);
        c->p++;
        return 0;
    }
    c->p++;
    if (hex4(c, &cp) < 0)
        return -1;
    if (!cp)
        return fail(c, at, "\\u0000 is not allowed");
    if (cp >= 0xdc00 && cp < 0xe000)
        return fail(c, at, "lone surrogate");
    if (cp >= 0xd800 && cp < 0xdc00) {
        if (c->end - c->p < 2)
            return c->p < c->end && *c->p != '\\' ? fail(c, at, "lone surrogate") : fail_end(c);
        if (c->p[0] != '\\' || c->p[1] != 'u')
            return fail(c, at, "lone surrogate");
        c->p += 2;
        if (hex4(c, &low) < 0)
            return -1;
        if (low < 0xdc00 || low >= 0xe000)
            return fail(c, at, "lone surrogate");
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    if (b)
        add_utf8(b, cp);
    return 0;
}

/* Eight bytes at once: is there none that needs a look (quote, backslash, control, non-ASCII)? */
static inline bool plain8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t w, quote, slash;

    memcpy(&w, p, 8);
    quote = w ^ ones * '"';
    slash = w ^ ones * '\\';
    return !((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & high);
}

/* At the opening quote; ends behind the closing one. k: a member name to be noted, or NULL. */
static int check_string(struct check *c, struct key *k)
{
    const char *start = ++c->p, *from = start;
    struct buf decoded = BUF_INIT;
    bool escaped = false;
    uint32_t cp;
    size_t n;

    for (;;) {
        unsigned char ch;

        while (c->end - c->p >= 8 && plain8(c->p))
            c->p += 8;
        if (c->p == c->end) {
            fail_end(c);
            break;
        }
        ch = (unsigned char)*c->p;
        if (ch == '"') {
            if (k && escaped)
                buf_add(&decoded, from, (size_t)(c->p - from));
            if (k) {
                k->escaped = escaped;
                k->len = (uint32_t)(escaped ? decoded.len : (size_t)(c->p - start));
                k->p = escaped ? buf_steal(&decoded) : start;
            }
            c->p++;
            return 0;
        }
        if (ch == '\\') {
            escaped = true;
            if (k)
                buf_add(&decoded, from, (size_t)(c->p - from));
            c->p++;
            if (check_escape(c, k ? &decoded : NULL) < 0)
                break;
            from = c->p;
        } else if (ch < 0x20) {
            fail(c, c->p, ch ? "control character in a string" : "NUL byte");
            break;
        } else if (ch < 0x80)
            c->p++;
        else {
            n = utf8_next(c->p, (size_t)(c->end - c->p), &cp);
            if (!n) {
                fail(c, c->p, "invalid UTF-8");
                break;
            }
            c->p += n;
        }
    }
    buf_free(&decoded);
    return -1;
}

static bool is_digit(const struct check *c)
{
    return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static int check_digits(struct check *c)
{
    if (c->p == c->end)
        return fail_end(c);
    if (!is_digit(c))
        return fail(c, c->p, "bad number");
    while (is_digit(c))
        c->p++;
    return 0;
}

/*
 * Numbers whose canonical form is an integer beyond 2^53 are refused in whatever form, since
 * they would not be the same after the next reading; 1e30 stays a fraction's form ("1e+30").
 */
static int check_number(struct check *c)
{
    const char *start = c->p, *first;
    bool real = false;
    char text[64], *copy = text;
    double v;
    size_t n;

    if (*c->p == '-')
        c->p++;
    first = c->p;
    if (check_digits(c) < 0)
        return -1;
    if (*first == '0' && c->p - first > 1)
        return fail(c, first, "number with a leading zero");
    if (c->p < c->end && *c->p == '.') {
        real = true;
        c->p++;
        if (check_digits(c) < 0)
            return -1;
    }
    if (c->p < c->end && (*c->p | 0x20) == 'e') {
        real = true;
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (check_digits(c) < 0)
            return -1;
    }
    n = (size_t)(c->p - start);
    if (!real && n <= 15)
        return 0;
    if (!real) {
        uint64_t u = 0;
        const char *d;

        for (d = first; d < c->p && u <= (uint64_t)1 << 53; d++)
            u = u * 10 + (uint64_t)(*d - '0');
        return u > (uint64_t)1 << 53 ? fail(c, start, "integer beyond 2^53") : 0;
    }
    if (n >= sizeof text)
        copy = xmalloc(n + 1);
    memcpy(copy, start, n);
    copy[n] = '\0';
    v = fabs(strtod(copy, NULL));
    if (copy != text)
        free(copy);
    if (isinf(v))
        return fail(c, start, "number out of range");
    if (v > 9007199254740992.0 && v < 1e21)
        return fail(c, start, "integer beyond 2^53");
    return 0;
}

static uint64_t key_hash(const char *p, size_t n)
{
    uint64_t h = n * 0x9e3779b97f4a7c15u, w;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    w = 0;
    memcpy(&w, p, n);
    h = (h ^ w) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

static int key_compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->p, y->p, x->len);
}

static int fail_twice(struct check *c, const struct key *a, const struct key *b)
{
    const struct key *later = a->at > b->at ? a : b;

    c->bad = c->start + later->at;
    snprintf(c->why, sizeof c->why, "duplicate key \"%.*s\"",
        (int)(later->len < 200 ? later->len : 200), later->p);
    return -1;
}

/* Small objects pair by pair, large ones by sorting: n log n whatever the names are. */
static int check_names(struct check *c, size_t from)
{
    struct key *k = c->key + from;
    size_t n = c->nkey - from, i, j;

    if (n <= KEYS_DIRECT) {
        for (i = 1; i < n; i++)
            for (j = 0; j < i; j++)
                if (k[i].hash == k[j].hash && !key_compare(&k[i], &k[j]))
                    return fail_twice(c, &k[i], &k[j]);
        return 0;
    }
    qsort(k, n, sizeof *k, key_compare);
    for (i = 1; i < n; i++)
        if (!key_compare(&k[i], &k[i - 1]))
            return fail_twice(c, &k[i], &k[i - 1]);
    return 0;
}

static void drop_names(struct check *c, size_t from)
{
    while (c->nkey > from)
        if (c->key[--c->nkey].escaped)
            free((char *)c->key[c->nkey].p);
}

static int check_value(struct check *c, int depth);

static int check_member(struct check *c, int depth)
{
    struct key k = {0};

    if (c->p == c->end)
        return fail_end(c);
    if (*c->p != '"')
        return fail(c, c->p, "expected a member name");
    k.at = (uint32_t)(c->p - c->start);
    if (check_string(c, &k) < 0)
        return -1;
    k.hash = key_hash(k.p, k.len);
    if (c->nkey == c->capkey) {
        c->capkey = c->capkey ? c->capkey * 2 : 64;
        c->key = xreallocarray(c->key, c->capkey, sizeof *c->key);
    }
    c->key[c->nkey++] = k;
    skip_space(c);
    if (c->p == c->end)
        return fail_end(c);
    if (*c->p != ':')
        return fail(c, c->p, "expected ':'");
    c->p++;
    skip_space(c);
    return check_value(c, depth);
}

/* The elements of an array or object, at its opening bracket. */
static int check_group(struct check *c, int depth)
{
    bool object = *c->p == '{';
    char close = object ? '}' : ']';
    size_t from = c->nkey;

    if (depth > JSON_DEPTH)
        return fail(c, c->p, "nested too deeply");
    c->p++;
    skip_space(c);
    if (c->p < c->end && *c->p == close) {
        c->p++;
        return 0;
    }
    for (;;) {
        if (object && c->nkey - from == JSON_MEMBERS)
            return fail(c, c->p, "too many members in one object");
        if ((object ? check_member(c, depth + 1) : check_value(c, depth + 1)) < 0)
            return -1;
        skip_space(c);
        if (c->p == c->end)
            return fail_end(c);
        if (*c->p == close)
            break;
        if (*c->p != ',')
            return fail(c, c->p, object ? "expected ',' or '}'" : "expected ',' or ']'");
        c->p++;
        skip_space(c);
    }
    c->p++;
    if (object) {
        if (check_names(c, from) < 0)
            return -1;
        drop_names(c, from);
    }
    return 0;
}

static int check_word(struct check *c, const char *word)
{
    const char *at = c->p;

    for (; *word; word++, c->p++) {
        if (c->p == c->end)
            return fail_end(c);
        if (*c->p != *word)
            return fail(c, at, "expected a value");
    }
    return 0;
}

static int check_value(struct check *c, int depth)
{
    if (c->p == c->end)
        return fail_end(c);
    switch (*c->p) {
    case '{':
    case '[': return check_group(c, depth);
    case '"': return check_string(c, NULL);
    case 't': return check_word(c, "true");
    case 'f': return check_word(c, "false");
    case 'n': return check_word(c, "null");
    case '-': return check_number(c);
    case '\0': return fail(c, c->p, "NUL byte");
    default:
        return is_digit(c) ? check_number(c) : fail(c, c->p, "expected a value");
    }
}

unsigned long json_line(const char *text, size_t at, unsigned long *column)
{
    const char *p = text, *end = text + at, *nl;
    unsigned long line = 1;

    for (; (nl = memchr(p, '\n', (size_t)(end - p))) != NULL; p = nl + 1)
        line++;
    for (*column = 1; p < end; p++)
        *column += ((unsigned char)*p & 0xc0) != 0x80;
    return line;
}

static int report(const struct check *c, struct err *e)
{
    unsigned long column, line = json_line(c->start, (size_t)(c->bad - c->start), &column);

    return err_set(e, FC_INVALID, "%lu:%lu: %s", line, column, c->why);
}

/* The value at the first byte that is no white space. */
static int check_one(struct check *c)
{
    const char *start = c->p, *limit = c->end;
    bool cut = c->end - c->p > JSON_MAX;
    int rc;

    if (cut)
        c->end = c->p + JSON_MAX;
    rc = check_value(c, 1);
    drop_names(c, 0);
    if (cut && rc < 0 && c->bad == c->end)
        rc = fail(c, start, "document larger than 16 MiB");
    c->end = limit;
    return rc;
}

int json_check(const char *text, size_t n, struct err *e)
{
    struct check c = {.start = text, .p = text, .end = text + n};
    int rc;

    skip_space(&c);
    rc = check_one(&c);
    skip_space(&c);
    if (!rc && c.p < c.end)
        rc = fail(&c, c.p, "text after the value");
    if (rc < 0)
        report(&c, e);
    free(c.key);
    return rc;
}

static ptrdiff_t check_next(struct check *c)
{
    ptrdiff_t len = 0;

    skip_space(c);
    if (c->p < c->end) {
        len = check_one(c);
        if (!len && c->p < c->end && !strchr(" \t\r\n{[\"", *c->p))
            len = fail(c, c->p, "text after the value");
        if (!len)
            len = c->p - c->start;
    }
    free(c->key);
    return len;
}

ptrdiff_t json_next(const char *text, size_t n, struct err *e)
{
    struct check c = {.start = text, .p = text, .end = text + n};
    ptrdiff_t len = check_next(&c);

    return len < 0 ? report(&c, e) : len;
}

ptrdiff_t json_scan(const char *text, size_t n, struct json_fault *f)
{
    struct check c = {.start = text, .p = text, .end = text + n};
    ptrdiff_t len = check_next(&c);

    if (len < 0) {
        f->at = (size_t)(c.bad - text);
        memcpy(f->why, c.why, sizeof f->why);
    }
    return len;
}
