/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML documents as jv values, from libyaml's events. Values of anchors are shared by reference;
 * what they would be when written out is counted, so that a small text cannot become a huge one.
 */
#include "base/yaml_read.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/doc_lines.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/yaml_scalar.h"

#define TAG(name) "tag:yaml.org,2002:" name

/* A value while it is read, with what the limits need to know of it. */
struct node {
    jv v;
    struct line_node *line;
    size_t bytes; /* about the length of its JSON text, aliases written out */
    size_t count; /* nodes in it, likewise */
    int height;   /* levels of collections */
};

struct anchor {
    struct node node;
    bool open; /* its end was not seen yet */
};

struct reader {
    yaml_parser_t yaml;
    struct docs *docs;
    struct err *e;
    jv names;              /* anchor name -> index in `anchor`; of the document being read */
    struct anchor *anchor;
    size_t nanchor, capanchor;
    size_t aliased;        /* nodes that came from aliases in this document */
};

static int fail(struct reader *r, yaml_mark_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct reader *r, yaml_mark_t at, const char *fmt, ...)
{
    char what[ERR_LEN / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(r->e, FC_INVALID, "%zu: %s", at.line + 1, what);
}

static int fail_tag(struct reader *r, const yaml_event_t *ev, const char *tag)
{
    bool core = !strncmp(tag, TAG(""), strlen(TAG("")));

    return fail(r, ev->start_mark, "tag %s%s is not supported", core ? "!!" : "",
        core ? tag + strlen(TAG("")) : tag);
}

static int next_event(struct reader *r, yaml_event_t *ev)
{
    yaml_parser_t *y = &r->yaml;

    if (yaml_parser_parse(y, ev))
        return 0;
    switch (y->error) {
    case YAML_MEMORY_ERROR:
        die("out of memory");
    case YAML_READER_ERROR: {
        unsigned long column;

        return err_set(r->e, FC_INVALID, "%lu: %s", json_line(r->docs->text.p,
            y->problem_offset < r->docs->text.len ? y->problem_offset : r->docs->text.len,
            &column), y->problem);
    }
    case YAML_NO_ERROR:
    case YAML_SCANNER_ERROR:
    case YAML_PARSER_ERROR:
    case YAML_COMPOSER_ERROR:
    case YAML_WRITER_ERROR:
    case YAML_EMITTER_ERROR:
    default:
        return fail(r, y->problem_mark, "%s%s%s", y->problem ? y->problem : "no YAML",
            y->context ? " " : "", y->context ? y->context : "");
    }
}

static void node_free(struct node *n)
{
    jv_free(n->v);
    n->v = jv_invalid();
}

static void forget_anchors(struct reader *r)
{
    size_t i;

    for (i = 0; i < r->nanchor; i++)
        node_free(&r->anchor[i].node);
    r->nanchor = 0;
    jv_free(r->names);
    r->names = jv_object();
}

/* Notes an anchor at its beginning; the index is for anchor_close. SIZE_MAX: there is no name. */
static size_t anchor_open(struct reader *r, const yaml_char_t *name)
{
    if (!name)
        return SIZE_MAX;
    if (r->nanchor == r->capanchor) {
        r->capanchor = r->capanchor ? 2 * r->capanchor : 16;
        r->anchor = xreallocarray(r->anchor, r->capanchor, sizeof *r->anchor);
    }
    r->anchor[r->nanchor] = (struct anchor){.node = {.v = jv_invalid()}, .open = true};
    r->names = jv_object_set(r->names, jv_string((const char *)name),
        jv_number((double)r->nanchor));
    return r->nanchor++;
}

static void anchor_close(struct reader *r, size_t i, const struct node *n)
{
    if (i == SIZE_MAX)
        return;
    r->anchor[i].node = *n;
    r->anchor[i].node.v = jv_copy(n->v);
    r->anchor[i].open = false;
}

static int read_alias(struct reader *r, const yaml_event_t *ev, struct node *n)
{
    const char *name = (const char *)ev->data.alias.anchor;
    jv i = json_get(r->names, name);
    const struct anchor *a;
    struct line_node *line = n->line;

    if (!jv_is_valid(i)) {
        jv_free(i);
        return fail(r, ev->start_mark, "unknown alias *%s", name);
    }
    a = &r->anchor[(size_t)jv_number_value(i)];
    jv_free(i);
    if (a->open)
        return fail(r, ev->start_mark, "alias *%s within itself", name);
    r->aliased += a->node.count;
    if (r->aliased > DOC_ALIAS_MAX)
        return fail(r, ev->start_mark, "aliases stand for more than %d values", DOC_ALIAS_MAX);
    *n = a->node;
    n->v = jv_copy(n->v);
    n->line = line;
    line->child = a->node.line->child;
    return 0;
}

/* The type that a tag names; the text is plain and untagged for SCALAR_* of its own. */
static int resolve(struct reader *r, const yaml_event_t *ev, struct scalar *out)
{
    const char *tag = (const char *)ev->data.scalar.tag;
    const char *s = (const char *)ev->data.scalar.value;
    size_t n = ev->data.scalar.length;
    enum scalar_type want;

    *out = (struct scalar){.type = SCALAR_STRING};
    if (!tag) {
        if (ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            *out = scalar_resolve(s, n);
        return 0;
    }
    if (!strcmp(tag, "!") || !strcmp(tag, TAG("str")) || !strcmp(tag, TAG("timestamp")))
        return 0;
    if (!strcmp(tag, TAG("null")))
        want = SCALAR_NULL;
    else if (!strcmp(tag, TAG("bool")))
        want = SCALAR_BOOL;
    else if (!strcmp(tag, TAG("int")))
        want = SCALAR_INT;
    else if (!strcmp(tag, TAG("float")))
        want = SCALAR_FLOAT;
    else
        return fail_tag(r, ev, tag);
    *out = scalar_resolve(s, n);
    if (out->type == SCALAR_INT && want == SCALAR_FLOAT)
        out->type = SCALAR_FLOAT;
    return out->type == want ? 0 :
        fail(r, ev->start_mark, "\"%.100s\" is no %s", s, tag + strlen(TAG("")));
}

static int read_scalar(struct reader *r, const yaml_event_t *ev, struct node *n)
{
    struct scalar s;
    const double exact = 9007199254740992.0; /* 2^53 */
    double size;

    if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length))
        return fail(r, ev->start_mark, "NUL character");
    if (resolve(r, ev, &s) < 0)
        return -1;
    n->bytes = ev->data.scalar.length + 4;
    n->count = 1;
    n->height = 0;
    switch (s.type) {
    case SCALAR_NULL:
        n->v = jv_null();
        return 0;
    case SCALAR_BOOL:
        n->v = jv_bool(s.number != 0);
        return 0;
    case SCALAR_INT:
    case SCALAR_FLOAT:
        size = fabs(s.number);
        if (!(size <= 1.7976931348623157e308))
            return fail(r, ev->start_mark, "%s is no number that JSON has",
                (const char *)ev->data.scalar.value);
        if (s.type == SCALAR_INT ? s.huge || s.integer > (int64_t)exact ||
            s.integer < -(int64_t)exact : size > exact && size < 1e21)
            return fail(r, ev->start_mark, "integer beyond 2^53");
        n->v = jv_number(s.number);
        return 0;
    case SCALAR_STRING:
        break;
    }
    n->v = jv_string_sized((const char *)ev->data.scalar.value, (int)ev->data.scalar.length);
    return 0;
}

/* The text of a scalar key, for the caller to jv_free; merge: it is a plain "<<". */
static int read_key(struct reader *r, const yaml_event_t *ev, jv *key, bool *merge)
{
    const char *text = (const char *)ev->data.scalar.value;
    const char *tag = (const char *)ev->data.scalar.tag;
    struct scalar s;
    char t[32];

    *merge = !strcmp(text, "<<") && (tag ? !strcmp(tag, TAG("merge")) :
        ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
    if (*merge) {
        *key = jv_invalid();
        return 0;
    }
    if (memchr(text, '\0', ev->data.scalar.length))
        return fail(r, ev->start_mark, "NUL character");
    if (resolve(r, ev, &s) < 0)
        return -1;
    switch (s.type) {
    case SCALAR_NULL:
        return fail(r, ev->start_mark, "a key must be a string, not null");
    case SCALAR_BOOL:
        *key = jv_string(s.number != 0 ? "true" : "false");
        return 0;
    case SCALAR_INT:
        if (!s.huge) {
            snprintf(t, sizeof t, "%lld", (long long)s.integer);
            *key = jv_string(t);
            return 0;
        }
        scalar_float_key(s.number, t);
        *key = jv_string(t);
        return 0;
    case SCALAR_FLOAT:
        scalar_float_key(s.number, t);
        *key = jv_string(t);
        return 0;
    case SCALAR_STRING:
        break;
    }
    *key = jv_string_sized(text, (int)ev->data.scalar.length);
    return 0;
}

static struct line_node *line_new(struct reader *r, const char *key, yaml_mark_t at)
{
    struct line_node *l = arena_alloc(r->docs->arena, sizeof *l);

    l->key = key ? arena_strdup(r->docs->arena, key) : NULL;
    l->line = (int)at.line + 1;
    return l;
}

/* Counts a child in; refuses what is too much. */
static int account(struct reader *r, yaml_mark_t at, struct node *n, const struct node *child,
    size_t extra)
{
    n->bytes += child->bytes + extra;
    n->count += child->count;
    if (child->height >= n->height)
        n->height = child->height + 1;
    return n->bytes > JSON_MAX ? fail(r, at, "document larger than 16 MiB") : 0;
}

static int read_node(struct reader *r, const yaml_event_t *ev, int depth, struct node *n);

static int read_sequence(struct reader *r, int depth, struct node *n)
{
    struct line_node **tail = &n->line->child;
    yaml_event_t ev;

    n->v = jv_array();
    for (;;) {
        struct node child = {.v = jv_invalid()};
        int rc;

        if (next_event(r, &ev) < 0)
            return -1;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return 0;
        }
        child.line = *tail = line_new(r, NULL, ev.start_mark);
        tail = &child.line->next;
        rc = read_node(r, &ev, depth, &child);
        if (!rc)
            rc = account(r, ev.start_mark, n, &child, 1);
        yaml_event_delete(&ev);
        if (rc < 0) {
            node_free(&child);
            return -1;
        }
        n->v = jv_array_append(n->v, child.v);
    }
}

/* Adds the members of a merged mapping that `to` does not have. */
static void merge_object(struct reader *r, jv *to, jv from, const struct line_node *lines,
    struct line_node **tail)
{
    for (; lines; lines = lines->next) {
        jv key = jv_string(lines->key);
        struct line_node *copy;

        if (jv_object_has(jv_copy(*to), jv_copy(key))) {
            jv_free(key);
            continue;
        }
        copy = arena_alloc(r->docs->arena, sizeof *copy);
        *copy = *lines;
        copy->next = *tail;
        *tail = copy;
        *to = jv_object_set(*to, key, jv_object_get(jv_copy(from), jv_copy(key)));
    }
}

/* As in JSON: chosen names make an object's cost grow with the square of their number. */
static int members_checked(struct reader *r, yaml_mark_t at, size_t n)
{
    return n > JSON_MEMBERS ? fail(r, at, "too many members in one object") : 0;
}

static int merge(struct reader *r, yaml_mark_t at, struct node *n, const struct node *from,
    struct line_node **tail)
{
    int i, len;
    struct line_node *l;

    if (jv_get_kind(from->v) == JV_KIND_OBJECT) {
        merge_object(r, &n->v, from->v, from->line->child, tail);
        return members_checked(r, at, (size_t)jv_object_length(jv_copy(n->v)));
    }
    if (jv_get_kind(from->v) != JV_KIND_ARRAY)
        return fail(r, at, "a merge key wants a mapping or a list of mappings");
    len = jv_array_length(jv_copy(from->v));
    for (i = 0, l = from->line->child; i < len; i++, l = l->next) {
        jv x = jv_array_get(jv_copy(from->v), i);

        if (jv_get_kind(x) != JV_KIND_OBJECT) {
            jv_free(x);
            return fail(r, at, "a merge key wants a mapping or a list of mappings");
        }
        merge_object(r, &n->v, x, l->child, tail);
        jv_free(x);
        if (members_checked(r, at, (size_t)jv_object_length(jv_copy(n->v))) < 0)
            return -1;
    }
    return 0;
}

/* A key's event may be an alias to a string. *key is owned by the caller. */
static int read_mapping_key(struct reader *r, const yaml_event_t *ev, jv *key, bool *is_merge)
{
    size_t anchor;

    *is_merge = false;
    if (ev->type == YAML_ALIAS_EVENT) {
        struct node n = {.v = jv_invalid(), .line = line_new(r, NULL, ev->start_mark)};

        if (read_alias(r, ev, &n) < 0)
            return -1;
        *key = n.v;
        if (jv_get_kind(n.v) == JV_KIND_STRING)
            return 0;
        jv_free(n.v);
        *key = jv_invalid();
        return fail(r, ev->start_mark, "a key must be a string");
    }
    if (ev->type != YAML_SCALAR_EVENT)
        return fail(r, ev->start_mark, "a key must be a string, not a collection");
    anchor = anchor_open(r, ev->data.scalar.anchor);
    if (read_key(r, ev, key, is_merge) < 0)
        return -1;
    if (anchor != SIZE_MAX) {
        struct node n = {.v = *key, .line = line_new(r, NULL, ev->start_mark), .count = 1,
            .bytes = ev->data.scalar.length};

        anchor_close(r, anchor, &n);
    }
    return 0;
}

/* merged: members that merge keys brought; explicit ones win, wherever they stand. */
static int read_member(struct reader *r, const yaml_event_t *kev, int depth, struct node *n,
    struct node *merged, struct line_node **tail)
{
    struct node child = {.v = jv_invalid()};
    jv key = jv_invalid();
    yaml_event_t ev;
    bool is_merge;
    int rc;

    if (read_mapping_key(r, kev, &key, &is_merge) < 0)
        return -1;
    if (!is_merge && jv_object_has(jv_copy(n->v), jv_copy(key))) {
        rc = fail(r, kev->start_mark, "duplicate key \"%.200s\"", jv_string_value(key));
        jv_free(key);
        return rc;
    }
    if (next_event(r, &ev) < 0) {
        jv_free(key);
        return -1;
    }
    child.line = line_new(r, is_merge ? NULL : jv_string_value(key), kev->start_mark);
    rc = read_node(r, &ev, depth, &child);
    if (!rc)
        rc = account(r, ev.start_mark, n, &child,
            is_merge ? 4 : (size_t)jv_string_length_bytes(jv_copy(key)) + 4);
    if (!rc && is_merge)
        rc = merge(r, ev.start_mark, merged, &child, &merged->line->child);
    yaml_event_delete(&ev);
    if (rc < 0 || is_merge) {
        node_free(&child);
        jv_free(key);
        return rc;
    }
    *tail = child.line;
    n->v = jv_object_set(n->v, key, child.v);
    return 0;
}

static int read_mapping(struct reader *r, int depth, struct node *n)
{
    struct line_node **tail = &n->line->child, none = {0};
    struct node merged = {.v = jv_object(), .line = &none};
    size_t members = 0;
    yaml_event_t ev;
    int rc = 0;

    n->v = jv_object();
    for (;;) {
        rc = next_event(r, &ev);
        if (rc < 0 || ev.type == YAML_MAPPING_END_EVENT)
            break;
        rc = members_checked(r, ev.start_mark, ++members);
        if (!rc)
            rc = read_member(r, &ev, depth, n, &merged, tail);
        yaml_event_delete(&ev);
        if (rc < 0)
            break;
        while (*tail)
            tail = &(*tail)->next;
    }
    if (!rc) {
        merge_object(r, &n->v, merged.v, none.child, tail);
        rc = members_checked(r, ev.start_mark, (size_t)jv_object_length(jv_copy(n->v)));
        yaml_event_delete(&ev);
    }
    jv_free(merged.v);
    return rc;
}

/* n->line is set; on failure n->v holds what there was. The event stays the caller's. */
static int read_node(struct reader *r, const yaml_event_t *ev, int depth, struct node *n)
{
    bool mapping = ev->type == YAML_MAPPING_START_EVENT;
    const char *tag;
    size_t anchor;

    if (ev->type == YAML_ALIAS_EVENT) {
        if (read_alias(r, ev, n) < 0)
            return -1;
        return depth + n->height > JSON_DEPTH ?
            fail(r, ev->start_mark, "nested too deeply") : 0;
    }
    if (ev->type == YAML_SCALAR_EVENT) {
        anchor = anchor_open(r, ev->data.scalar.anchor);
        if (read_scalar(r, ev, n) < 0)
            return -1;
        anchor_close(r, anchor, n);
        return 0;
    }
    if (depth >= JSON_DEPTH)
        return fail(r, ev->start_mark, "nested too deeply");
    tag = (const char *)(mapping ? ev->data.mapping_start.tag : ev->data.sequence_start.tag);
    if (tag && strcmp(tag, "!") && strcmp(tag, mapping ? TAG("map") : TAG("seq")))
        return fail_tag(r, ev, tag);
    n->bytes = 2;
    n->count = 1;
    n->height = 1;
    anchor = anchor_open(r, mapping ? ev->data.mapping_start.anchor :
        ev->data.sequence_start.anchor);
    if ((mapping ? read_mapping(r, depth + 1, n) : read_sequence(r, depth + 1, n)) < 0)
        return -1;
    anchor_close(r, anchor, n);
    return 0;
}

static int read_document(struct reader *r)
{
    struct doc_lines *lines = arena_alloc(r->docs->arena, sizeof *lines);
    struct node n = {.v = jv_invalid()};
    yaml_event_t ev;
    int rc;

    r->aliased = 0;
    if (next_event(r, &ev) < 0)
        return -1;
    n.line = line_new(r, NULL, ev.start_mark);
    rc = read_node(r, &ev, 0, &n);
    if (!rc && n.bytes > JSON_MAX)
        rc = fail(r, ev.start_mark, "document larger than 16 MiB");
    yaml_event_delete(&ev);
    forget_anchors(r);
    if (rc < 0 || jv_get_kind(n.v) == JV_KIND_NULL) {
        node_free(&n);
        return rc;
    }
    lines->tree = n.line;
    docs_add(r->docs, n.v, n.line->line, lines);
    return 0;
}

static int read_stream(struct reader *r)
{
    yaml_event_t ev;
    yaml_event_type_t type;

    do {
        if (next_event(r, &ev) < 0)
            return -1;
        type = ev.type;
        yaml_event_delete(&ev);
        if (type == YAML_DOCUMENT_START_EVENT && read_document(r) < 0)
            return -1;
    } while (type != YAML_STREAM_END_EVENT);
    return 0;
}

/* Line of the first byte that no YAML may have, with a better reason than libyaml's. */
static int check_text(const char *text, size_t n, struct err *e)
{
    const char *p = text, *end = text + n;
    unsigned long column;
    uint32_t cp;

    while (p < end) {
        size_t k = utf8_next(p, (size_t)(end - p), &cp);

        if (!k || !cp)
            return err_set(e, FC_INVALID, "%lu: %s", json_line(text, (size_t)(p - text), &column),
                k ? "NUL byte" : "invalid UTF-8");
        p += k;
    }
    return 0;
}

int yaml_read_docs(const char *text, size_t n, struct docs *d, struct err *e)
{
    struct reader r = {.docs = d, .e = e, .names = jv_object()};
    int rc;

    if (check_text(text, n, e) < 0) {
        jv_free(r.names);
        return -1;
    }
    if (!yaml_parser_initialize(&r.yaml))
        die("out of memory");
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, n);
    rc = read_stream(&r);
    forget_anchors(&r);
    jv_free(r.names);
    free(r.anchor);
    yaml_parser_delete(&r.yaml);
    return rc;
}
