/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void base64_encode(struct buf *b, const void *p, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = p;
    size_t i;

    buf_reserve(b, (n / 3 + 1) * 4);
    for (i = 0; i + 2 < n; i += 3) {
        uint32_t w = (uint32_t)s[i] << 16 | (uint32_t)s[i + 1] << 8 | s[i + 2];
        char q[4] = {alphabet[w >> 18], alphabet[w >> 12 & 63], alphabet[w >> 6 & 63],
            alphabet[w & 63]};

        buf_add(b, q, 4);
    }
    if (i < n) {
        uint32_t w = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0);
        char q[4] = {alphabet[w >> 18], alphabet[w >> 12 & 63],
            i + 1 < n ? alphabet[w >> 6 & 63] : '=', '='};

        buf_add(b, q, 4);
    }
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *b, const char *s, size_t n)
{
    size_t start = b->len, i;
    unsigned digits = 0, pad = 0;
    uint32_t w = 0;

    buf_reserve(b, n / 4 * 3 + 3);
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        int v;

        if (c == '\n' || c == '\r')
            continue;
        if (c == '=') {
            if (digits + pad < 2 || digits + ++pad > 4)
                goto bad;
            continue;
        }
        v = base64_value(c);
        if (v < 0 || pad)
            goto bad;
        w = w << 6 | (uint32_t)v;
        if (++digits == 4) {
            char out[3] = {(char)(w >> 16), (char)(w >> 8), (char)w};

            buf_add(b, out, 3);
            digits = 0;
            w = 0;
        }
    }
    if (digits) {
        char out[2];

        if (digits == 1 || digits + pad != 4 || w & (digits == 2 ? 15 : 3))
            goto bad;
        w <<= digits == 2 ? 12 : 6;
        out[0] = (char)(w >> 16);
        out[1] = (char)(w >> 8);
        buf_add(b, out, digits - 1);
    } else if (pad)
        goto bad;
    return 0;
bad:
    b->len = start;
    b->p[start] = '\0';
    return -1;
}

void base32hex_encode(struct buf *b, const void *p, size_t n)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";
    const unsigned char *s = p;
    uint32_t w = 0;
    unsigned bits = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        w = w << 8 | s[i];
        for (bits += 8; bits >= 5; bits -= 5)
            buf_addc(b, alphabet[w >> (bits - 5) & 31]);
    }
    if (bits)
        buf_addc(b, alphabet[w << (5 - bits) & 31]);
}

void hex_encode(struct buf *b, const void *p, size_t n)
{
    const unsigned char *s = p;
    size_t i;

    buf_reserve(b, 2 * n);
    for (i = 0; i < n; i++) {
        b->p[b->len++] = hex_digits[s[i] >> 4];
        b->p[b->len++] = hex_digits[s[i] & 15];
    }
    b->p[b->len] = '\0';
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(struct buf *b, const char *s, size_t n, bool plus)
{
    size_t start = b->len, i;

    buf_reserve(b, n);
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '%') {
            int hi, lo;

            if (n - i < 3)
                goto bad;
            hi = hex_value((unsigned char)s[i + 1]);
            lo = hex_value((unsigned char)s[i + 2]);
            if (hi < 0 || lo < 0)
                goto bad;
            c = (unsigned char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus)
            c = ' ';
        if (!c)
            goto bad;
        buf_addc(b, (char)c);
    }
    return 0;
bad:
    b->len = start;
    b->p[start] = '\0';
    return -1;
}

void percent_encode(struct buf *b, const char *s, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c && strchr("-._~", c)))
            buf_addc(b, (char)c);
        else {
            char t[3] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};

            buf_add(b, t, 3);
        }
    }
}

int num_parse(const char *s, int64_t min, int64_t max, int64_t *out, const char *what,
    struct err *e)
{
    const char *digits = s + (*s == '-');
    char *end;
    long long v;

    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return err_set(e, FC_USAGE, "%s: not a number: %s", what, s);
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || v < min || v > max)
        return err_set(e, FC_USAGE, "%s: %s is not between %" PRId64 " and %" PRId64, what, s,
            min, max);
    *out = v;
    return 0;
}

int64_t duration_parse(const char *s)
{
    int64_t n = 0, unit;

    if (*s < '0' || *s > '9')
        return -1;
    for (; *s >= '0' && *s <= '9'; s++) {
        n = n * 10 + (*s - '0');
        if (n > 1000000000) /* far more than a life, and no overflow below */
            return -1;
    }
    if (!*s || s[1])
        return -1;
    switch (*s) {
    case 's': unit = 1; break;
    case 'm': unit = 60; break;
    case 'h': unit = 3600; break;
    default: return -1;
    }
    return n * unit * 1000000;
}

size_t utf8_next(const char *str, size_t n, uint32_t *cp)
{
    const unsigned char *s = (const unsigned char *)str;

    if (!n)
        return 0;
    if (s[0] < 0x80) {
        *cp = s[0];
        return 1;
    }
    if (s[0] < 0xc2)
        return 0;
    if (s[0] < 0xe0) {
        if (n < 2 || (s[1] & 0xc0) != 0x80)
            return 0;
        *cp = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
        return 2;
    }
    if (s[0] < 0xf0) {
        if (n < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
            return 0;
        *cp = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
        return *cp < 0x800 || (*cp >= 0xd800 && *cp < 0xe000) ? 0 : 3;
    }
    if (s[0] > 0xf4 || n < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 ||
        (s[3] & 0xc0) != 0x80)
        return 0;
    *cp = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
        (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    return *cp < 0x10000 || *cp > 0x10ffff ? 0 : 4;
}

/* Characters that would move the cursor, hide or reorder what follows. */
static bool unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
        (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void text_clean(struct buf *b, const char *s, size_t n)
{
    uint32_t cp;
    size_t k;

    for (; n; s += k, n -= k) {
        k = utf8_next(s, n, &cp);
        if (!k || unprintable(cp)) {
            buf_addc(b, '?');
            k = k ? k : 1;
        } else
            buf_add(b, s, k);
    }
}

bool utf8_valid(const char *s, size_t n)
{
    uint32_t cp;

    while (n) {
        size_t k = utf8_next(s, n, &cp);

        if (!k)
            return false;
        s += k;
        n -= k;
    }
    return true;
}

void sha256_hex(const void *p, size_t n, char out[SHA256_HEX])
{
    unsigned char d[SHA256_DIGEST_LENGTH];
    SHA256_CTX c;
    size_t i;

    SHA256_Init(&c);
    SHA256_Update(&c, p, n);
    SHA256_Final(d, &c);
    for (i = 0; i < sizeof d; i++) {
        out[2 * i] = hex_digits[d[i] >> 4];
        out[2 * i + 1] = hex_digits[d[i] & 15];
    }
    out[2 * i] = '\0';
}
