/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc.h"

#include <string.h>

#include "base/doc_lines.h"
#include "base/file.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/mod.h"

void docs_add(struct docs *d, jv v, int line, struct doc_lines *lines)
{
    if (d->n == 0 || (d->n >= 16 && (d->n & (d->n - 1)) == 0))
        d->doc = xreallocarray(d->doc, d->n ? 2 * d->n : 16, sizeof *d->doc);
    d->doc[d->n++] = (struct doc){.v = v, .line = line, .lines = lines};
}

static struct doc_lines *text_lines(struct docs *d, const char *text, size_t len)
{
    struct doc_lines *l = arena_alloc(d->arena, sizeof *l);

    l->text = text;
    l->len = len;
    return l;
}

static int count_lines(const char *p, const char *end)
{
    const char *nl;
    int n = 0;

    for (; (nl = memchr(p, '\n', (size_t)(end - p))) != NULL; p = nl + 1)
        n++;
    return n;
}

jv doc_value(const struct doc *d)
{
    if (jv_is_valid(d->v) || !d->lines || !d->lines->text)
        return jv_copy(d->v);
    return jv_parse_sized(d->lines->text, (int)d->lines->len);
}

static bool is_list(jv v)
{
    const char *kind = json_str(v, "kind");
    size_t n = kind ? strlen(kind) : 0;
    jv items;
    bool list;

    if (n < 4 || strcmp(kind + n - 4, "List"))
        return false;
    items = json_get(v, "items");
    list = jv_get_kind(items) == JV_KIND_ARRAY;
    jv_free(items);
    return list;
}

static void add_text(struct docs *d, const char *start, const char *after, int line)
{
    docs_add(d, jv_invalid(), line, text_lines(d, start, (size_t)(after - start)));
}

/* Appends the items of a List, whose text is at..end. */
static void unfold_text(struct docs *d, const char *at, const char *end, int line)
{
    const char *p = strchr(json_find(at, end, "items", 0) + strlen("\"items\""), '[') + 1;

    for (p = json_skip_space(p, end); *p != ']'; p = json_skip_space(p, end)) {
        const char *after = json_skip_value(p, end);

        line += count_lines(at, p);
        add_text(d, p, after, line);
        at = p;
        p = json_skip_space(after, end);
        p += *p == ',';
    }
}

static void add_json(struct docs *d, const char *start, const char *after, int line)
{
    jv v AUTO_JV = json_find(start, after, "items", 0) ?
        jv_parse_sized(start, (int)(after - start)) : jv_invalid();

    if (is_list(v))
        unfold_text(d, start, after, line);
    else
        add_text(d, start, after, line);
}

static int read_json(const char *text, size_t n, struct docs *d, struct err *e)
{
    const char *p = text, *end = text + n;
    struct json_fault f;
    ptrdiff_t len;
    int line = 1;

    while ((len = json_scan(p, (size_t)(end - p), &f)) > 0) {
        const char *start = json_skip_space(p, end), *after = p + len;

        line += count_lines(p, start);
        add_json(d, start, after, line);
        line += count_lines(start, after);
        p = after;
    }
    if (len < 0) {
        unsigned long column, at = json_line(text, (size_t)(p - text) + f.at, &column);

        return err_set(e, FC_INVALID, "%lu: %s (column %lu)", at, f.why, column);
    }
    return 0;
}

static const struct yaml_ops *yaml(struct err *e)
{
    return mod_symbol("yaml", "yaml_ops", e);
}

static int read_yaml(const char *text, size_t n, struct docs *d, struct err *e)
{
    const struct yaml_ops *ops = yaml(e);

    return ops ? ops->read(text, n, d, e) : -1;
}

static void unfold_tree(struct docs *d, const struct doc *list, jv items)
{
    const struct line_node *node = list->lines->tree->child;
    int n = jv_array_length(jv_copy(items)), i;

    while (strcmp(node->key, "items"))
        node = node->next;
    for (node = node->child, i = 0; i < n; i++, node = node->next) {
        struct doc_lines *l = arena_alloc(d->arena, sizeof *l);

        l->tree = node;
        docs_add(d, jv_array_get(jv_copy(items), i), node->line, l);
    }
}

/* The Lists of YAML. */
static void unfold(struct docs *d)
{
    struct doc *old = d->doc;
    size_t n = d->n, i;

    for (i = 0; i < n && !is_list(old[i].v); i++)
        ;
    if (i == n)
        return;
    d->doc = NULL;
    d->n = 0;
    for (i = 0; i < n; i++) {
        if (is_list(old[i].v)) {
            jv items = json_get(old[i].v, "items");

            unfold_tree(d, &old[i], items);
            jv_free(items);
            jv_free(old[i].v);
        } else
            docs_add(d, old[i].v, old[i].line, old[i].lines);
    }
    free(old);
}

/* Readers say "line: what". */
static int name_source(const struct docs *d, struct err *e)
{
    char *what AUTO_FREE = xstrdup(e->msg);

    return err_set(e, FC_INVALID, "%s:%s", d->source, what);
}

/* Everything but the name: text is in d already. */
static int parse(struct docs *d, struct err *e)
{
    const char *p = d->text.p, *end = p + d->text.len;
    const char *first;
    int rc;

    if (d->text.len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) /* a byte order mark */
        p += 3;
    first = json_skip_space(p, end);
    if (first < end && (*first == '{' || *first == '['))
        rc = read_json(p, (size_t)(end - p), d, e);
    else
        rc = first < end ? read_yaml(p, (size_t)(end - p), d, e) : 0;
    if (rc < 0)
        return e && e->code == FC_INVALID ? name_source(d, e) : -1;
    unfold(d);
    return d->n ? 0 : err_set(e, FC_INVALID, "%s: no documents", d->source);
}

static void parse_values(struct docs *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (!jv_is_valid(d->doc[i].v))
            d->doc[i].v = doc_value(&d->doc[i]);
}

static void start(struct docs *d, const char *source)
{
    *d = (struct docs){.source = xstrdup(source), .arena = arena_new()};
    buf_reserve(&d->text, 0);
}

int docs_read_late(const char *path, struct docs *out, struct err *e)
{
    start(out, strcmp(path, "-") ? path : "(stdin)");
    if (file_read(path, DOC_MAX, &out->text, e) < 0 || parse(out, e) < 0) {
        docs_free(out);
        return -1;
    }
    return 0;
}

int docs_read(const char *path, struct docs *out, struct err *e)
{
    if (docs_read_late(path, out, e) < 0)
        return -1;
    parse_values(out);
    return 0;
}

int docs_parse(const char *source, const char *text, size_t n, struct docs *out, struct err *e)
{
    start(out, source);
    if (n > DOC_MAX) {
        err_set(e, FC_INVALID, "%s: larger than %d bytes", source, DOC_MAX);
        docs_free(out);
        return -1;
    }
    buf_add(&out->text, text, n);
    if (parse(out, e) < 0) {
        docs_free(out);
        return -1;
    }
    parse_values(out);
    return 0;
}

void docs_free(struct docs *d)
{
    size_t i;

    for (i = 0; i < d->n; i++)
        jv_free(d->doc[i].v);
    free(d->doc);
    free(d->source);
    buf_free(&d->text);
    arena_free(d->arena);
    *d = (struct docs){0};
}

int yaml_write(struct buf *b, jv v, struct err *e)
{
    const struct yaml_ops *ops = yaml(e);

    return ops ? ops->write(b, v, e) : -1;
}
