/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running: one value against one schema. The nodes that speak about a value (the node itself, what
 * it refers to, all of allOf, the chosen branch of oneOf) are gathered first; then its members
 * are visited once, in document order, each against all nodes that know it.
 */
#include "fleet/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fleet/pattern.h"

enum {
    NODES_MAX = 64, /* nodes that speak about one value: far above what schemas compose */
    WORD_MAX = 64,  /* bytes of an unknown member that are compared with the known ones */
};

struct schema_run {
    unsigned flags;
    struct violation *out;
    int max, n;
    struct buf path;
    unsigned in_template;
};

struct speaker {
    struct schema_node *node;
    bool known_only; /* of a branch that was not chosen: its members are merely no typos */
};

struct speakers {
    struct speaker v[NODES_MAX];
    size_t n;
};

static void run(struct schema_run *r, struct schema_node *n, jv v, bool is_root);

/* --- reporting ------------------------------------------------------------------------------ */

/* Copies what fits, never half a character, and nothing that could forge a line. */
static void copy_text(char *to, size_t size, const char *s)
{
    size_t i, n = strlen(s);

    if (n >= size) {
        n = size - 1;
        while (n && ((unsigned char)s[n] & 0xC0) == 0x80)
            n--;
    }
    for (i = 0; i < n; i++)
        to[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7F ? '?' : s[i];
    to[n] = '\0';
}

static void report(struct schema_run *r, const char *sub, const char *fmt, va_list ap)
{
    AUTO_BUF struct buf path = BUF_INIT;
    char *what AUTO_FREE = NULL;
    struct violation *x;

    if (r->n >= r->max) {
        r->n++;
        return;
    }
    x = &r->out[r->n];
    buf_adds(&path, r->path.p ? r->path.p : "");
    buf_adds(&path, !path.len && *sub == '.' ? sub + 1 : sub);
    copy_text(x->path, sizeof x->path, path.p);
    if (vasprintf(&what, fmt, ap) < 0)
        die("out of memory");
    copy_text(x->what, sizeof x->what, what);
    for (int i = 0; i < r->n; i++) /* two nodes may say the same */
        if (!strcmp(r->out[i].path, x->path) && !strcmp(r->out[i].what, x->what))
            return;
    r->n++;
}

void schema_report(struct schema_run *r, const char *sub, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(r, sub, fmt, ap);
    va_end(ap);
}

/* The same for a member, whose name may hold anything. */
__attribute__((format(printf, 3, 4)))
static void report_member(struct schema_run *r, const char *name, const char *fmt, ...)
{
    AUTO_BUF struct buf sub = BUF_INIT;
    va_list ap;

    buf_addc(&sub, '.');
    buf_adds(&sub, name);
    va_start(ap, fmt);
    report(r, sub.p, fmt, ap);
    va_end(ap);
}

bool schema_is_template(const struct schema_run *r)
{
    return r->in_template > 0;
}

static void add_list(struct buf *b, const struct schema_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (*l->v[i]) {
            if (b->len)
                buf_adds(b, ", ");
            buf_adds(b, l->v[i]);
        }
}

static void add_types(struct buf *b, unsigned types)
{
    static const struct {
        unsigned bit;
        const char *text;
    } words[] = {
        {TYPE_STRING, "a string"}, {TYPE_INTEGER, "an integer"}, {TYPE_NUMBER, "a number"},
        {TYPE_BOOLEAN, "true or false"}, {TYPE_ARRAY, "a list"}, {TYPE_OBJECT, "an object"},
    };

    for (size_t i = 0; i < LEN(words); i++)
        if (types & words[i].bit) {
            if (b->len)
                buf_adds(b, " or ");
            buf_adds(b, words[i].text);
        }
}

static void report_type(struct schema_run *r, unsigned types, jv v)
{
    AUTO_BUF struct buf b = BUF_INIT;

    add_types(&b, types);
    schema_report(r, "", "must be %s%s", b.p,
        jv_get_kind(v) == JV_KIND_NULL ? ", not null" : "");
}

/* --- types and members ---------------------------------------------------------------------- */

static unsigned types_of(jv v)
{
    double d;

    switch (jv_get_kind(v)) {
    case JV_KIND_STRING:
        return TYPE_STRING;
    case JV_KIND_NUMBER:
        d = jv_number_value(v);
        return d == floor(d) && fabs(d) <= 9007199254740992.0 ? TYPE_INTEGER | TYPE_NUMBER :
            TYPE_NUMBER;
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
        return TYPE_BOOLEAN;
    case JV_KIND_ARRAY:
        return TYPE_ARRAY;
    case JV_KIND_OBJECT:
        return TYPE_OBJECT;
    case JV_KIND_NULL:
    case JV_KIND_INVALID:
        break;
    }
    return 0;
}

static bool has(jv v, const char *name)
{
    return jv_get_kind(v) == JV_KIND_OBJECT && jv_object_has(jv_copy(v), jv_string(name));
}

static bool has_all(jv v, const struct schema_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (!has(v, l->v[i]))
            return false;
    return true;
}

static struct schema_node *member(const struct schema_members *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->v[i].name, name))
            return m->v[i].node;
    return NULL;
}

/* --- which nodes speak ---------------------------------------------------------------------- */

/* Does n alone accept v? What other nodes say about v's members is not for n to judge. */
static bool matches(const struct schema_run *r, struct schema_node *n, jv v)
{
    struct schema_run quiet = {
        .flags = r->flags & ~(unsigned)VALIDATE_STRICT,
        .in_template = r->in_template,
    };

    run(&quiet, n, v, false);
    buf_free(&quiet.path);
    return !quiet.n;
}

static struct schema_node *by_tag(struct schema_run *r, struct schema_node *n, jv v)
{
    AUTO_JV jv tag = json_get(v, n->tag);
    AUTO_BUF struct buf b = BUF_INIT;
    struct schema_node *found;

    if (jv_get_kind(v) != JV_KIND_OBJECT) {
        report_type(r, TYPE_OBJECT, v);
        return NULL;
    }
    if (!jv_is_valid(tag)) {
        report_member(r, n->tag, "is required");
        return NULL;
    }
    if (jv_get_kind(tag) != JV_KIND_STRING) {
        report_member(r, n->tag, "must be a string");
        return NULL;
    }
    found = member(&n->tags, jv_string_value(tag));
    if (found)
        return found;
    for (size_t i = 0; i < n->tags.n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", n->tags.v[i].name);
    report_member(r, n->tag, "must be %s%s", n->tags.n > 1 ? "one of " : "", b.p);
    return NULL;
}

/* All branches are objects, each told by members that it alone requires. */
static struct schema_node *by_members(struct schema_run *r, struct schema_node *n, jv v)
{
    struct schema_node *applies = NULL, *begun = NULL;
    struct schema_names names = {0};
    const char *seen[NODES_MAX];
    AUTO_BUF struct buf b = BUF_INIT;
    bool together = false;
    size_t i, j, k, count = 0;

    if (jv_get_kind(v) != JV_KIND_OBJECT) {
        report_type(r, TYPE_OBJECT, v);
        return NULL;
    }
    names.v = seen;
    for (i = 0; i < n->none; i++) {
        const struct schema_branch *one = &n->one[i];

        together |= one->need.n > 1;
        if (has_all(v, &one->need) && (!one->forbid.n || !has_all(v, &one->forbid))) {
            applies = one->node;
            count++;
        }
        for (j = 0; j < one->need.n; j++) {
            if (!begun && has(v, one->need.v[j]))
                begun = one->node;
            for (k = 0; k < names.n && strcmp(seen[k], one->need.v[j]); k++)
                ;
            if (k == names.n && names.n < NODES_MAX)
                seen[names.n++] = one->need.v[j];
        }
    }
    if (count == 1)
        return applies;
    if (!count && begun)
        return begun;
    add_list(&b, &names);
    schema_report(r, "", "must have %s one of %s", together ? "at least" : "exactly", b.p);
    return NULL;
}

static struct schema_node *by_type(struct schema_run *r, struct schema_node *n, jv v)
{
    unsigned types = 0;

    for (size_t i = 0; i < n->none; i++) {
        types |= n->one[i].types;
        if (n->one[i].types & types_of(v))
            return n->one[i].node;
    }
    report_type(r, types, v);
    return NULL;
}

/* The branch of oneOf that v means; NULL when there is none, which has been reported. */
static struct schema_node *choose(struct schema_run *r, struct schema_node *n, jv v)
{
    struct schema_node *found = NULL;
    bool objects = true, told = true;
    unsigned types = 0, count = 0;

    if (n->tag)
        return by_tag(r, n, v);
    schema_prepare(n);
    for (size_t i = 0; i < n->none; i++) {
        objects &= n->one[i].types == TYPE_OBJECT && n->one[i].need.n;
        told &= n->one[i].types && !(types & n->one[i].types);
        types |= n->one[i].types;
    }
    if (objects)
        return by_members(r, n, v);
    if (told)
        return by_type(r, n, v);
    for (size_t i = 0; i < n->none; i++)
        if (matches(r, n->one[i].node, v)) {
            found = n->one[i].node;
            count++;
        }
    if (count != 1)
        schema_report(r, "", count ? "fits several of the allowed forms" :
            "fits none of the allowed forms");
    return count == 1 ? found : NULL;
}

static void gather(struct schema_run *r, struct schema_node *n, jv v, bool known_only,
    struct speakers *s)
{
    struct schema_node *one;
    size_t i;

    if (s->n == NODES_MAX)
        die("schema %s: too many nodes for one value", n->file);
    s->v[s->n++] = (struct speaker){n, known_only};
    if (n->ref)
        gather(r, schema_target(n), v, known_only, s);
    for (i = 0; i < n->all.n; i++)
        gather(r, n->all.v[i], v, known_only, s);
    if (n->none) {
        one = known_only ? NULL : choose(r, n, v);
        if (one)
            gather(r, one, v, false, s);
        else
            for (i = 0; i < n->none; i++)
                gather(r, n->one[i].node, v, true, s);
    }
    if (n->any.n) {
        for (i = 0; i < n->any.n && !known_only && !matches(r, n->any.v[i], v); i++)
            ;
        if (i < n->any.n && !known_only)
            gather(r, n->any.v[i], v, false, s);
        else
            for (i = 0; i < n->any.n; i++)
                gather(r, n->any.v[i], v, known_only || i > 0, s);
    }
}

/* --- values --------------------------------------------------------------------------------- */

static void check_enum(struct schema_run *r, const struct schema_node *n, const char *s)
{
    AUTO_BUF struct buf b = BUF_INIT;

    for (size_t i = 0; i < n->one_word.n; i++)
        if (!strcmp(n->one_word.v[i], s))
            return;
    add_list(&b, &n->one_word);
    if (strchr(b.p, ','))
        schema_report(r, "", "must be one of %s", b.p);
    else
        schema_report(r, "", "must be %s", b.p);
}

static void check_pattern(struct schema_run *r, const struct schema_node *n, struct pattern *p,
    const char *must, jv v)
{
    const char *s = jv_string_value(v);

    if (pattern_match(p, s, (size_t)jv_string_length_bytes(jv_copy(v))))
        return;
    if (n->must)
        must = n->must;
    if (must)
        schema_report(r, "", "must %s", must);
    else
        schema_report(r, "", "must match %s", pattern_text(p));
}

static void check_string(struct schema_run *r, const struct schema_node *n, const char *must, jv v)
{
    const char *s = jv_string_value(v);
    int bytes = jv_string_length_bytes(jv_copy(v));
    int64_t when;

    if (n->one_word.n)
        check_enum(r, n, s);
    if (n->min_length >= 0 || n->max_length >= 0) {
        long chars = jv_string_length_codepoints(jv_copy(v));

        if (chars < n->min_length && n->min_length == 1)
            schema_report(r, "", "must not be empty");
        else if (chars < n->min_length)
            schema_report(r, "", "must have at least %ld characters", n->min_length);
        if (n->max_length >= 0 && chars > n->max_length)
            schema_report(r, "", "must have at most %ld characters", n->max_length);
    }
    if (n->pattern)
        check_pattern(r, n, n->pattern, must, v);
    if (n->own_pattern && !(r->in_template && strstr(s, "{{")))
        check_pattern(r, n, n->own_pattern, must, v);
    if (n->format == FORMAT_DATE_TIME && time_parse(s, &when) < 0)
        schema_report(r, "", "must be a time as in RFC 3339, such as 2026-05-04T03:02:01Z");
    if (n->format == FORMAT_BYTE) {
        AUTO_BUF struct buf b = BUF_INIT;

        if (base64_decode(&b, s, (size_t)bytes) < 0)
            schema_report(r, "", "must be base64");
    }
}

static void check_number(struct schema_run *r, const struct schema_node *n, jv v)
{
    double d = jv_number_value(v);

    if (n->format == FORMAT_INT32 && (d < INT32_MIN || d > INT32_MAX))
        schema_report(r, "", "must fit in 32 bits");
    if (n->has_minimum && d < n->minimum)
        schema_report(r, "", "must be at least %.15g", n->minimum);
}

static void check_array(struct schema_run *r, const struct speakers *s, jv v)
{
    int n = jv_array_length(jv_copy(v));
    size_t len = r->path.len;

    for (size_t k = 0; k < s->n; k++) {
        struct schema_node *node = s->v[k].node;

        if (s->v[k].known_only)
            continue;
        if (n < node->min_items && node->min_items == 1)
            schema_report(r, "", "must not be empty");
        else if (n < node->min_items)
            schema_report(r, "", "must have at least %ld elements", node->min_items);
        for (int i = 0; node->items && i < n; i++) {
            AUTO_JV jv item = jv_array_get(jv_copy(v), i);

            buf_printf(&r->path, "[%d]", i);
            run(r, node->items, item, false);
            r->path.len = len;
            r->path.p[len] = '\0';
        }
    }
}

/* --- objects -------------------------------------------------------------------------------- */

/* Edits (insert, delete, replace, swap neighbours, ignoring case) that make b of a. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t na = strlen(a), nb = strlen(b), i, j;

    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (j = 0; j <= nb; j++)
        rows[0][j] = (unsigned)j;
    for (i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (j = 1; j <= nb; j++) {
            char x = a[i - 1] | 0x20, y = b[j - 1] | 0x20;
            unsigned d = above[j - 1] + (x != y);

            d = above[j] + 1 < d ? above[j] + 1 : d;
            d = row[j - 1] + 1 < d ? row[j - 1] + 1 : d;
            if (i > 1 && j > 1 && x == (b[j - 2] | 0x20) && (a[i - 2] | 0x20) == y &&
                two[j - 2] + 1 < d)
                d = two[j - 2] + 1;
            row[j] = d;
        }
    }
    return rows[na % 3][nb];
}

static void report_unknown(struct schema_run *r, const struct speakers *s, const char *key, jv v)
{
    const char *best = NULL;
    unsigned least = strlen(key) < 5 ? 2 : 3, d;

    for (size_t k = 0; k < s->n && r->n < r->max; k++)
        for (size_t i = 0; i < s->v[k].node->props.n; i++) {
            const char *name = s->v[k].node->props.v[i].name;

            if (!has(v, name) && (d = distance(key, name)) < least) {
                least = d;
                best = name;
            }
        }
    if (best)
        schema_report(r, "", "unknown field (did you mean \"%s\"?)", best);
    else
        schema_report(r, "", "unknown field");
}

/* val is v's member key; the path leads to it already. */
static void check_member(struct schema_run *r, const struct speakers *s, const char *key, jv val,
    jv v)
{
    bool known = false, closed = false;

    for (size_t k = 0; k < s->n; k++) {
        struct schema_node *node = s->v[k].node, *prop = member(&node->props, key);

        known |= prop || node->more == MORE_ANY || node->more == MORE_SCHEMA;
        if (s->v[k].known_only)
            continue;
        closed |= !prop && node->more == MORE_NONE;
        if (prop)
            run(r, prop, val, false);
        else if (node->more == MORE_SCHEMA)
            run(r, node->more_node, val, false);
    }
    if (closed || (!known && (r->flags & VALIDATE_STRICT)))
        report_unknown(r, s, key, v);
}

static void check_object(struct schema_run *r, const struct speakers *s, jv v, bool is_root)
{
    size_t len = r->path.len;

    for (size_t k = 0; k < s->n; k++) {
        const struct schema_node *n = s->v[k].node;

        for (size_t i = 0; i < n->required.n && !s->v[k].known_only; i++)
            if (!has(v, n->required.v[i]))
                report_member(r, n->required.v[i], "is required");
    }
    jv_object_foreach(v, key, val)
    {
        const char *name = jv_string_value(key);

        if (strlen(name) != (size_t)jv_string_length_bytes(jv_copy(key))) {
            report_member(r, name, "has a NUL in its name");
        } else if (!is_root || (r->flags & VALIDATE_STATUS) || strcmp(name, "status")) {
            if (len)
                buf_addc(&r->path, '.');
            buf_adds(&r->path, name);
            check_member(r, s, name, val, v);
            r->path.len = len;
            r->path.p[len] = '\0';
        }
        jv_free(key);
        jv_free(val);
    }
}

static void check_not(struct schema_run *r, const struct schema_node *n, jv v)
{
    AUTO_BUF struct buf b = BUF_INIT;
    const struct schema_names *l = &n->not->required;

    if (!matches(r, n->not, v))
        return;
    for (size_t i = 0; i < l->n; i++)
        buf_printf(&b, "%s%s", !i ? "" : i + 1 < l->n ? ", " : " and ", l->v[i]);
    if (l->n > 1)
        schema_report(r, "", "must not have %s together", b.p);
    else if (l->n == 1)
        schema_report(r, "", "must not have %s", b.p);
    else
        schema_report(r, "", "has a form that is not allowed");
}

static void run(struct schema_run *r, struct schema_node *n, jv v, bool is_root)
{
    struct speakers s;
    unsigned types = types_of(v), templates = 0;
    const char *must = NULL;
    bool strict = r->flags & VALIDATE_STRICT, nullable = false;
    int before = r->n;
    size_t k;

    s.n = 0;
    if (n->types && !(n->types & types) && !n->nullable) {
        report_type(r, n->types, v);
        return;
    }
    gather(r, n, v, false, &s);
    for (k = 0; k < s.n; k++)
        nullable |= s.v[k].node->nullable && !s.v[k].known_only;
    if (nullable && jv_get_kind(v) == JV_KIND_NULL)
        return;
    for (k = 0; k < s.n; k++) {
        const struct schema_node *node = s.v[k].node;

        if (s.v[k].known_only)
            continue;
        if (node->types && !(node->types & types)) {
            if (r->n == before)
                report_type(r, node->types, v);
            return;
        }
        if (node->read_only && strict) {
            schema_report(r, "", "is set by the system");
            return;
        }
        if (node->must)
            must = node->must;
        templates += node->is_template;
    }
    if ((types & TYPE_STRING) &&
        strlen(jv_string_value(v)) != (size_t)jv_string_length_bytes(jv_copy(v))) {
        schema_report(r, "", "must not contain a NUL");
        return;
    }
    r->in_template += templates;
    for (k = 0; k < s.n; k++) {
        const struct schema_node *node = s.v[k].node;

        if (s.v[k].known_only)
            continue;
        if (types & TYPE_STRING)
            check_string(r, node, must, v);
        else if (types & TYPE_NUMBER)
            check_number(r, node, v);
        if (node->not)
            check_not(r, node, v);
    }
    if (types & TYPE_ARRAY)
        check_array(r, &s, v);
    if (types & TYPE_OBJECT)
        check_object(r, &s, v, is_root);
    for (k = 0; k < s.n && r->n == before; k++)
        if (s.v[k].node->check && !s.v[k].known_only)
            s.v[k].node->check->fn(r, v);
    r->in_template -= templates;
}

int schema_validate(const char *schema, const char *definition, jv v, unsigned flags,
    struct violation *out, int max)
{
    struct schema_run r = {.flags = flags, .out = out, .max = max};
    struct schema_node *n = schema_node(schema, definition);

    run(&r, n, v, !definition);
    buf_free(&r.path);
    return r.n;
}
