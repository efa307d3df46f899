/* SPDX-License-Identifier: Apache-2.0 */
#include "client/span.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip(struct span *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static void skip_space(struct span *s)
{
    while (s->n && is_space(*s->p))
        skip(s, 1);
}

static size_t string_len(struct span s)
{
    size_t i = 1;

    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    return i + 1 < s.n ? i + 1 : s.n;
}

/* Of the value that s begins with. */
static size_t value_len(struct span s)
{
    size_t i = 0, depth = 0;

    while (i < s.n) {
        char c = s.p[i];

        if (c == '"') {
            i += string_len((struct span){s.p + i, s.n - i});
            if (depth == 0)
                return i;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth && --depth == 0)
            return i + 1;
        else if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_space(c)))
            return i;
        i++;
    }
    return i;
}

static struct span take_value(struct span *s)
{
    struct span v = {s->p, value_len(*s)};

    skip(s, v.n);
    skip_space(s);
    return v;
}

bool span_element(struct span *rest, struct span *element)
{
    skip_space(rest);
    if (!rest->n || (*rest->p != '[' && *rest->p != ','))
        return false;
    skip(rest, 1);
    skip_space(rest);
    if (!rest->n || *rest->p == ']')
        return false;
    *element = take_value(rest);
    return true;
}

bool span_member(struct span s, const char *name, struct span *value)
{
    size_t n = strlen(name);

    skip_space(&s);
    while (s.n && (*s.p == '{' || *s.p == ',')) {
        struct span key;

        skip(&s, 1);
        skip_space(&s);
        if (!s.n || *s.p == '}')
            return false;
        key = take_value(&s);
        if (s.n)
            skip(&s, 1); /* the colon */
        skip_space(&s);
        *value = take_value(&s);
        if (key.n == n + 2 && !memcmp(key.p + 1, name, n))
            return true;
    }
    return false;
}

void span_compact(struct buf *b, struct span s)
{
    while (s.n) {
        size_t n = *s.p == '"' ? string_len(s) : is_space(*s.p) ? 0 : 1;

        buf_add(b, s.p, n);
        skip(&s, n ? n : 1);
    }
}
