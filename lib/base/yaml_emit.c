/* SPDX-License-Identifier: Apache-2.0 */
/* A jv value as a YAML document for people, safe to be read back by YAML 1.1 and 1.2 readers. */
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/yaml_read.h"
#include "base/yaml_scalar.h"

/* What a resource begins with, in this order; other members follow sorted. */
static const char *const first[] = {"apiVersion", "kind", "metadata", "spec", "status"};

static int write_to_buf(void *ctx, unsigned char *p, size_t n)
{
    buf_add(ctx, p, n);
    return 1;
}

/* Takes the event over. libyaml deletes an event that it refuses. */
static int emit(yaml_emitter_t *y, yaml_event_t *ev)
{
    return yaml_emitter_emit(y, ev) ? 0 : -1;
}

/*
 * A plain scalar must mean a string to every reader, so what looks like a number, a time or a
 * word of any YAML version is quoted; so is "<<", a merge key, and "=", a default value.
 */
static bool needs_quotes(const char *s, size_t n)
{
    if (scalar_resolve(s, n).type != SCALAR_STRING || !strcmp(s, "<<") || !strcmp(s, "="))
        return true;
    return strchr("0123456789+-.", *s) && strspn(s, "0123456789abcdefABCDEFxXoO_:.,+-TtZz ") == n;
}

static int emit_string(yaml_emitter_t *y, const char *s, size_t n, bool key)
{
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    yaml_event_t ev;

    if (needs_quotes(s, n))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (memchr(s, '\n', n)) /* leading blanks would need indentation hints */
        style = key || strchr(" \n\t", *s) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE :
            YAML_LITERAL_SCALAR_STYLE;
    else if (strstr(s, "\xc2\x85") || strstr(s, "\xe2\x80\xa8") || strstr(s, "\xe2\x80\xa9") ||
        strstr(s, "\xef\xbb\xbf")) /* line breaks of YAML alone, and the byte order mark */
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    if (!yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)s, (int)n, 1, 1,
        style))
        die("out of memory");
    return emit(y, &ev);
}

static int emit_word(yaml_emitter_t *y, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;
    yaml_event_t ev;

    json_canon(&b, v);
    if (!yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)b.p, (int)b.len, 1, 1,
        YAML_PLAIN_SCALAR_STYLE))
        die("out of memory");
    return emit(y, &ev);
}

static int emit_value(yaml_emitter_t *y, jv v, int depth);

static int emit_array(yaml_emitter_t *y, jv v, int depth)
{
    int n = jv_array_length(jv_copy(v)), i, rc;
    yaml_event_t ev;

    if (!yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE))
        die("out of memory");
    rc = emit(y, &ev);
    for (i = 0; i < n && !rc; i++) {
        jv x = jv_array_get(jv_copy(v), i);

        rc = emit_value(y, x, depth + 1);
        jv_free(x);
    }
    yaml_sequence_end_event_initialize(&ev);
    return rc < 0 ? rc : emit(y, &ev);
}

static int emit_member(yaml_emitter_t *y, const char *key, size_t n, jv v, int depth)
{
    return emit_string(y, key, n, true) < 0 ? -1 : emit_value(y, v, depth + 1);
}

static bool is_first(const char *key)
{
    size_t i;

    for (i = 0; i < LEN(first); i++)
        if (!strcmp(key, first[i]))
            return true;
    return false;
}

static int emit_object(yaml_emitter_t *y, jv v, int depth)
{
    jv keys = jv_keys(jv_copy(v)); /* sorted */
    int n = jv_array_length(jv_copy(keys)), i, rc;
    yaml_event_t ev;

    if (!yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE))
        die("out of memory");
    rc = emit(y, &ev);
    for (i = 0; depth == 0 && i < (int)LEN(first) && !rc; i++) {
        jv x = json_get(v, first[i]);

        if (jv_is_valid(x))
            rc = emit_member(y, first[i], strlen(first[i]), x, depth);
        jv_free(x);
    }
    for (i = 0; i < n && !rc; i++) {
        jv key = jv_array_get(jv_copy(keys), i), x;

        if (depth > 0 || !is_first(jv_string_value(key))) {
            x = jv_object_get(jv_copy(v), jv_copy(key));
            rc = emit_member(y, jv_string_value(key),
                (size_t)jv_string_length_bytes(jv_copy(key)), x, depth);
            jv_free(x);
        }
        jv_free(key);
    }
    jv_free(keys);
    yaml_mapping_end_event_initialize(&ev);
    return rc < 0 ? rc : emit(y, &ev);
}

static int emit_value(yaml_emitter_t *y, jv v, int depth)
{
    switch (jv_get_kind(v)) {
    case JV_KIND_OBJECT: return emit_object(y, v, depth);
    case JV_KIND_ARRAY: return emit_array(y, v, depth);
    case JV_KIND_STRING:
        return emit_string(y, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)),
            false);
    case JV_KIND_NUMBER:
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
    case JV_KIND_NULL:
    case JV_KIND_INVALID: break;
    }
    return emit_word(y, v);
}

int yaml_emit_doc(struct buf *b, jv v, struct err *e)
{
    size_t start = b->len;
    yaml_emitter_t y;
    yaml_event_t ev;
    int rc;

    if (!yaml_emitter_initialize(&y))
        die("out of memory");
    yaml_emitter_set_output(&y, write_to_buf, b);
    yaml_emitter_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_emitter_set_unicode(&y, 1);
    yaml_emitter_set_width(&y, -1);
    yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING);
    rc = emit(&y, &ev);
    if (!rc) {
        yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1);
        rc = emit(&y, &ev);
    }
    if (!rc)
        rc = emit_value(&y, v, 0);
    if (!rc) {
        yaml_document_end_event_initialize(&ev, 1);
        rc = emit(&y, &ev);
    }
    if (!rc) {
        yaml_stream_end_event_initialize(&ev);
        rc = emit(&y, &ev);
    }
    if (rc < 0) {
        err_set(e, FC_FAIL, "YAML: %s", y.problem ? y.problem : "cannot be written");
        b->len = start;
    }
    yaml_emitter_delete(&y);
    return rc;
}
