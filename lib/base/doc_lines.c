/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc_lines.h"

#include <stdbool.h>
#include <string.h>

#include "base/doc_path.h"
#include "base/mem.h"

const char *json_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : end;
}

const char *json_skip_value(const char *p, const char *end)
{
    int depth = 0;

    p = json_skip_space(p, end);
    while (p < end) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            break;
        case '{':
        case '[':
            depth++;
            p++;
            break;
        case '}':
        case ']':
            if (!depth)
                return p;
            depth--;
            p++;
            break;
        case ',':
            if (!depth)
                return p;
            p++;
            break;
        default:
            p++;
            if (!depth) {
                while (p < end && !strchr(" \n\t\r,]}", *p))
                    p++;
                return p;
            }
        }
        if (!depth)
            return p;
    }
    return end;
}

/* Is the member name at p (its quote) the one that is looked for? */
static bool same_name(const char *p, const char *after, const char *name)
{
    size_t n = (size_t)(after - p) - 2;
    bool same;
    jv s;

    if (!memchr(p, '\\', (size_t)(after - p)))
        return n == strlen(name) && !memcmp(p + 1, name, n);
    s = jv_parse_sized(p, (int)(after - p));
    same = jv_get_kind(s) == JV_KIND_STRING && !strcmp(jv_string_value(s), name);
    jv_free(s);
    return same;
}

const char *json_find(const char *p, const char *end, const char *name, size_t i)
{
    size_t at;

    p = json_skip_space(p, end);
    if (p == end || *p != (name ? '{' : '['))
        return NULL;
    p = json_skip_space(p + 1, end);
    for (at = 0; p < end && *p != '}' && *p != ']'; at++) {
        const char *start = p;

        if (name) {
            p = skip_string(p, end);
            if (same_name(start, p, name))
                return start;
            p = json_skip_space(p, end) + 1;
        } else if (at == i)
            return start;
        p = json_skip_space(json_skip_value(p, end), end);
        if (p < end && *p == ',')
            p = json_skip_space(p + 1, end);
    }
    return NULL;
}

static int json_path_line(const struct doc *d, const char *path)
{
    const char *p = d->lines->text, *end = p + d->lines->len, *at = p, *nl;
    struct path_step s;
    int line = d->line;

    while (p && path_next(&path, &s)) {
        p = json_find(p, end, s.name, s.index);
        if (p) {
            at = p;
            if (s.name)
                p = json_skip_space(skip_string(p, end), end) + 1;
        }
        free(s.name);
    }
    for (p = d->lines->text; (nl = memchr(p, '\n', (size_t)(at - p))) != NULL; p = nl + 1)
        line++;
    return line;
}

int doc_line(const struct doc *d, const char *path)
{
    const struct line_node *n, *c;
    struct path_step s;
    int line = d->line;

    if (!d->lines)
        return line;
    if (d->lines->text)
        return json_path_line(d, path);
    for (n = d->lines->tree; n && path_next(&path, &s); n = c) {
        for (c = n->child; c; c = c->next)
            if (s.name ? c->key && !strcmp(c->key, s.name) : !c->key && !s.index--)
                break;
        free(s.name);
        if (c)
            line = c->line;
    }
    return line;
}
