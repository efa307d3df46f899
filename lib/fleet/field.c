/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/field.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

const struct field_home_row field_homes[FIELD_LOG + 1] = {
    [FIELD_MEMBER] = {0},
    [FIELD_NAME] = {.column = true, .lasting = true},
    [FIELD_OWNER] = {.column = true},
    [FIELD_CREATED] = {.column = true, .lasting = true},
    [FIELD_ALIAS] = {.column = true, .lasting = true},
    [FIELD_NAME_OR_ALIAS] = {.column = true, .lasting = true},
    [FIELD_SUMMARY] = {.state = "summary"},
    [FIELD_APPLICATIONS] = {.state = "applications"},
    [FIELD_UPDATED] = {.state = "updated"},
    [FIELD_LIFECYCLE] = {.state = "lifecycle"},
    [FIELD_LOG] = {.column = true, .lasting = true},
};

const struct field *field_find(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

void fields_write(struct buf *b, const struct field *fields)
{
    const char *comma = "";

    for (; fields->name; fields++, comma = ", ")
        buf_printf(b, "%s%s", comma, fields->name);
}

static size_t value_at(enum field_type type, jv doc, const char *path, struct field_value *out)
{
    jv v AUTO_JV = json_at(doc, path);
    jv_kind kind = jv_get_kind(v);

    *out = (struct field_value){0};
    if (type == FIELD_BOOL) {
        if (kind != JV_KIND_TRUE && kind != JV_KIND_FALSE)
            return 0;
        out->s = kind == JV_KIND_TRUE ? "true" : "false";
        out->n = strlen(out->s);
        return 1;
    }
    if (kind != JV_KIND_STRING)
        return 0;
    out->s = jv_string_value(v); /* the document holds it, too */
    out->n = (size_t)jv_string_length_bytes(jv_copy(v));
    return type != FIELD_TIME || time_parse(out->s, &out->at) == 0;
}

size_t field_values(const struct field *f, jv doc, struct field_value out[2])
{
    size_t n = 0;

    if (f->home == FIELD_NAME_OR_ALIAS)
        n = value_at(FIELD_STRING, doc, "metadata.name", out);
    if (f->home == FIELD_NAME_OR_ALIAS || f->home == FIELD_ALIAS)
        return n + value_at(FIELD_STRING, doc, "metadata.labels.alias", out + n);
    return value_at(f->type, doc, f->name, out);
}

const char *field_indexed(struct buf *b, const char *s, size_t n)
{
    char hash[SHA256_HEX];

    if (n <= FIELD_INDEXED && s[0] != '#' && !memchr(s, '\0', n))
        return s;
    sha256_hex(s, n, hash);
    buf_reset(b);
    buf_printf(b, "#%s", hash);
    return b->p;
}
