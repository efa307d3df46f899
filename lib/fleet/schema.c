/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: embedded texts become trees of struct schema_node, a file at a time, when needed. */
#include "fleet/schema.h"

#include <string.h>

#include "base/mem.h"
#include "fleet/pattern.h"

struct file {
    struct file *next;
    const char *name;
    struct schema_node *root;
    struct schema_members defs;
};

/* Compiled schemas are constants that take time to make: kept until the process ends. */
static struct arena *arena;
static struct file *files;

static struct schema_node *compile(const char *file, jv v);

static const char *dup_string(const char *file, jv v)
{
    if (jv_get_kind(v) != JV_KIND_STRING)
        die("schema %s: a string is missing", file);
    return arena_strdup(arena, jv_string_value(v));
}

static struct schema_names names(const char *file, jv v)
{
    struct schema_names out = {0};
    int i, n;

    if (jv_get_kind(v) != JV_KIND_ARRAY)
        die("schema %s: an array is missing", file);
    n = jv_array_length(jv_copy(v));
    out.v = arena_alloc(arena, (size_t)n * sizeof *out.v);
    for (i = 0; i < n; i++) {
        AUTO_JV jv s = jv_array_get(jv_copy(v), i);

        out.v[out.n++] = dup_string(file, s);
    }
    return out;
}

static struct schema_nodes nodes(const char *file, jv v)
{
    struct schema_nodes out = {0};
    int i, n;

    if (jv_get_kind(v) != JV_KIND_ARRAY)
        die("schema %s: an array is missing", file);
    n = jv_array_length(jv_copy(v));
    out.v = arena_alloc(arena, (size_t)n * sizeof(struct schema_node *));
    for (i = 0; i < n; i++) {
        AUTO_JV jv s = jv_array_get(jv_copy(v), i);

        out.v[out.n++] = compile(file, s);
    }
    return out;
}

static struct schema_node *ref_node(const char *file, const char *ref)
{
    struct schema_node *n = arena_alloc(arena, sizeof *n);

    n->file = file;
    n->ref = ref;
    n->min_length = n->max_length = n->min_items = -1;
    return n;
}

/* members: schemas, or references as text (a discriminator's mapping). */
static struct schema_members members(const char *file, jv v)
{
    struct schema_members out = {0};

    if (jv_get_kind(v) != JV_KIND_OBJECT)
        die("schema %s: an object is missing", file);
    out.v = arena_alloc(arena, (size_t)jv_object_length(jv_copy(v)) * sizeof *out.v);
    jv_object_foreach(v, key, val)
    {
        struct schema_member *m = &out.v[out.n++];

        m->name = dup_string(file, key);
        m->node = jv_get_kind(val) == JV_KIND_STRING ? ref_node(file, dup_string(file, val)) :
            compile(file, val);
        jv_free(key);
        jv_free(val);
    }
    return out;
}

static bool is_true(jv v)
{
    return jv_get_kind(v) == JV_KIND_TRUE;
}

static double number(jv v)
{
    return jv_get_kind(v) == JV_KIND_NUMBER ? jv_number_value(v) : 0;
}

static void set_type(struct schema_node *n, jv v)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = {
        {"string", TYPE_STRING}, {"integer", TYPE_INTEGER}, {"number", TYPE_NUMBER},
        {"boolean", TYPE_BOOLEAN}, {"array", TYPE_ARRAY}, {"object", TYPE_OBJECT},
    };
    const char *name = dup_string(n->file, v);

    for (size_t i = 0; i < LEN(types); i++)
        if (!strcmp(name, types[i].name))
            n->types = types[i].bit;
    if (!n->types)
        die("schema %s: unknown type %s", n->file, name);
}

static void set_format(struct schema_node *n, jv v)
{
    static const struct {
        const char *name;
        enum schema_format format;
    } formats[] = {
        {"date-time", FORMAT_DATE_TIME}, {"byte", FORMAT_BYTE}, {"int32", FORMAT_INT32},
        {"int64", FORMAT_NONE}, {"password", FORMAT_NONE},
    };
    const char *name = dup_string(n->file, v);

    for (size_t i = 0; i < LEN(formats); i++)
        if (!strcmp(name, formats[i].name)) {
            n->format = formats[i].format;
            return;
        }
    die("schema %s: unknown format %s", n->file, name);
}

static void set_additional(struct schema_node *n, jv v)
{
    if (jv_get_kind(v) == JV_KIND_OBJECT) {
        n->more = MORE_SCHEMA;
        n->more_node = compile(n->file, v);
    } else {
        n->more = is_true(v) ? MORE_ANY : MORE_NONE;
    }
}

static void set_one(struct schema_node *n, jv v)
{
    struct schema_nodes list = nodes(n->file, v);

    n->one = arena_alloc(arena, list.n * sizeof *n->one);
    n->none = list.n;
    for (size_t i = 0; i < list.n; i++)
        n->one[i].node = list.v[i];
}

static void set_discriminator(struct schema_node *n, jv v)
{
    AUTO_JV jv tag = json_get(v, "propertyName"), map = json_get(v, "mapping");

    n->tag = dup_string(n->file, tag);
    n->tags = members(n->file, map);
}

static void set_check(struct schema_node *n, jv v)
{
    const char *name = dup_string(n->file, v);
    const struct schema_check *c = schema_checks;

    while (c->name && strcmp(c->name, name))
        c++;
    if (!c->name)
        die("schema %s: unknown check %s", n->file, name);
    n->check = c;
}

static void set_ref(struct schema_node *n, jv v) { n->ref = dup_string(n->file, v); }
static void set_nullable(struct schema_node *n, jv v) { n->nullable = is_true(v); }
static void set_read_only(struct schema_node *n, jv v) { n->read_only = is_true(v); }
static void set_template(struct schema_node *n, jv v) { n->is_template = is_true(v); }
static void set_min_length(struct schema_node *n, jv v) { n->min_length = (long)number(v); }
static void set_max_length(struct schema_node *n, jv v) { n->max_length = (long)number(v); }
static void set_min_items(struct schema_node *n, jv v) { n->min_items = (long)number(v); }
static void set_must(struct schema_node *n, jv v) { n->must = dup_string(n->file, v); }
static void set_enum(struct schema_node *n, jv v) { n->one_word = names(n->file, v); }
static void set_required(struct schema_node *n, jv v) { n->required = names(n->file, v); }
static void set_properties(struct schema_node *n, jv v) { n->props = members(n->file, v); }
static void set_items(struct schema_node *n, jv v) { n->items = compile(n->file, v); }
static void set_all(struct schema_node *n, jv v) { n->all = nodes(n->file, v); }
static void set_any(struct schema_node *n, jv v) { n->any = nodes(n->file, v); }
static void set_not(struct schema_node *n, jv v) { n->not = compile(n->file, v); }

static void set_minimum(struct schema_node *n, jv v)
{
    n->has_minimum = true;
    n->minimum = number(v);
}

static void set_pattern(struct schema_node *n, jv v)
{
    n->pattern = pattern_new(arena, dup_string(n->file, v));
}

static void set_own_pattern(struct schema_node *n, jv v)
{
    n->own_pattern = pattern_new(arena, dup_string(n->file, v));
}

static void set_nothing(struct schema_node *n, jv v)
{
    (void)n;
    (void)v;
}

static const struct {
    const char *name;
    void (*set)(struct schema_node *n, jv v);
} keywords[] = {
    {"$ref", set_ref},
    {"additionalProperties", set_additional},
    {"allOf", set_all},
    {"anyOf", set_any},
    {"default", set_nothing}, /* documents what an absent member means */
    {"definitions", set_nothing}, /* read by load */
    {"description", set_nothing},
    {"discriminator", set_discriminator},
    {"enum", set_enum},
    {"format", set_format},
    {"items", set_items},
    {"maxLength", set_max_length},
    {"minItems", set_min_items},
    {"minLength", set_min_length},
    {"minimum", set_minimum},
    {"not", set_not},
    {"nullable", set_nullable},
    {"oneOf", set_one},
    {"pattern", set_pattern},
    {"properties", set_properties},
    {"readOnly", set_read_only},
    {"required", set_required},
    {"type", set_type},
    {"x-check", set_check},
    {"x-must", set_must},
    {"x-pattern", set_own_pattern},
    {"x-template", set_template},
};

static struct schema_node *compile(const char *file, jv v)
{
    struct schema_node *n = ref_node(file, NULL);

    if (jv_get_kind(v) != JV_KIND_OBJECT)
        die("schema %s: an object is missing", file);
    jv_object_foreach(v, key, val)
    {
        size_t i = 0;

        while (i < LEN(keywords) && strcmp(keywords[i].name, jv_string_value(key)))
            i++;
        if (i == LEN(keywords))
            die("schema %s: unknown keyword %s", file, jv_string_value(key));
        keywords[i].set(n, val);
        jv_free(key);
        jv_free(val);
    }
    return n;
}

static struct file *load(const char *name)
{
    const struct schema_text *t = schema_texts;
    struct file *f;
    jv v, defs;

    for (f = files; f; f = f->next)
        if (!strcmp(f->name, name))
            return f;
    while (t->name && strcmp(t->name, name))
        t++;
    if (!t->name)
        die("no schema %s", name);
    if (!arena)
        arena = arena_new();
    v = jv_parse(t->text);
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        die("schema %s: no JSON object", name);
    f = arena_alloc(arena, sizeof *f);
    f->name = t->name;
    f->root = compile(f->name, v);
    defs = json_get(v, "definitions");
    if (jv_is_valid(defs))
        f->defs = members(f->name, defs);
    jv_free(defs);
    jv_free(v);
    f->next = files;
    files = f;
    return f;
}

struct schema_node *schema_node(const char *schema, const char *definition)
{
    const struct file *f = load(schema);

    if (!definition)
        return f->root;
    for (size_t i = 0; i < f->defs.n; i++)
        if (!strcmp(f->defs.v[i].name, definition))
            return f->defs.v[i].node;
    die("schema %s: no definition %s", schema, definition);
}

struct schema_node *schema_target(struct schema_node *n)
{
    static const char before[] = "#/definitions/";
    const char *hash;
    char *file AUTO_FREE = NULL;

    if (n->target)
        return n->target;
    hash = strchrnul(n->ref, '#');
    if (*hash && strncmp(hash, before, strlen(before)))
        die("schema %s: unknown reference %s", n->file, n->ref);
    if (hash == n->ref) {
        file = xstrdup(n->file);
    } else {
        static const char ext[] = ".json";
        size_t len = (size_t)(hash - n->ref);

        if (len < strlen(ext) || memcmp(hash - strlen(ext), ext, strlen(ext)))
            die("schema %s: unknown reference %s", n->file, n->ref);
        file = xstrndup(n->ref, len - strlen(ext));
    }
    n->target = schema_node(file, *hash ? hash + strlen(before) : NULL);
    return n->target;
}

/* --- telling branches of oneOf from each other ---------------------------------------------- */

static bool has_name(const struct schema_names *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->v[i], name))
            return true;
    return false;
}

static void add_name(struct schema_names *l, const char *name)
{
    const char **v;

    if (has_name(l, name))
        return;
    v = arena_alloc(arena, (l->n + 1) * sizeof *v);
    if (l->n)
        memcpy(v, l->v, l->n * sizeof *v);
    v[l->n++] = name;
    l->v = v;
}

static void gather(struct schema_node *n, struct schema_branch *b)
{
    b->types |= n->types;
    for (size_t i = 0; i < n->required.n; i++)
        add_name(&b->need, n->required.v[i]);
    if (n->not)
        for (size_t i = 0; i < n->not->required.n; i++)
            add_name(&b->forbid, n->not->required.v[i]);
    if (n->ref)
        gather(schema_target(n), b);
    for (size_t i = 0; i < n->all.n; i++)
        gather(n->all.v[i], b);
}

void schema_prepare(struct schema_node *n)
{
    struct schema_names common = {0};
    size_t i, j;

    if (n->one_prepared)
        return;
    for (i = 0; i < n->none; i++)
        gather(n->one[i].node, &n->one[i]);
    for (j = 0; n->none && j < n->one[0].need.n; j++) {
        for (i = 1; i < n->none && has_name(&n->one[i].need, n->one[0].need.v[j]); i++)
            ;
        if (i == n->none)
            add_name(&common, n->one[0].need.v[j]);
    }
    for (i = 0; i < n->none; i++) {
        struct schema_names rest = {0};

        for (j = 0; j < n->one[i].need.n; j++)
            if (!has_name(&common, n->one[i].need.v[j]))
                add_name(&rest, n->one[i].need.v[j]);
        n->one[i].need = rest;
    }
    n->one_prepared = true;
}
