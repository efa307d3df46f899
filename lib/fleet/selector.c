/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/selector.h"

#include <string.h>

#include "base/clock.h"
#include "fleet/field.h"

enum tok_kind {
    TOK_END, TOK_WORD, TOK_COMMA, TOK_OPEN, TOK_CLOSE, TOK_NOT, TOK_EQ, TOK_NE, TOK_ORDER,
};

struct tok {
    enum tok_kind kind;
    const char *p; /* into the text */
    size_t n;
};

struct strings {
    const char **s;
    size_t n, cap;
};

struct parser {
    struct arena *arena;
    const char *text, *pos;
    struct tok tok; /* the one to look at next */
    size_t strings; /* so far, of SELECTOR_STRINGS */
    const struct field *fields; /* what may be selected by; NULL: labels */
    const struct field *field;  /* that of the requirement */
    struct err *err;
};

/* --- building --------------------------------------------------------------------------------- */

static void *grow(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
    void *p;

    *cap = *cap ? *cap * 2 : 4;
    p = arena_alloc(a, *cap * size);
    if (n)
        memcpy(p, old, n * size);
    return p;
}

static void strings_add(struct arena *a, struct strings *l, const char *s)
{
    if (l->n == l->cap)
        l->s = grow(a, l->s, l->n, &l->cap, sizeof *l->s);
    l->s[l->n++] = s;
}

static int selector_add(struct arena *a, struct selector *s, size_t *cap, const struct sel_req *r,
    struct err *e)
{
    if (s->n == SELECTOR_REQS)
        return err_set(e, FC_INVALID, "more than %d requirements", SELECTOR_REQS);
    if (s->n == *cap)
        s->req = grow(a, s->req, s->n, cap, sizeof *s->req);
    s->req[s->n++] = *r;
    return 0;
}

/* --- the text form ---------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void advance(struct parser *p)
{
    struct tok *t = &p->tok;

    while (is_space(*p->pos))
        p->pos++;
    t->p = p->pos;
    t->n = 1;
    switch (*p->pos) {
    case '\0': t->kind = TOK_END; t->n = 0; break;
    case ',': t->kind = TOK_COMMA; break;
    case '(': t->kind = TOK_OPEN; break;
    case ')': t->kind = TOK_CLOSE; break;
    case '=':
        t->kind = TOK_EQ;
        t->n = p->pos[1] == '=' ? 2 : 1;
        break;
    case '!':
        t->kind = p->pos[1] == '=' ? TOK_NE : TOK_NOT;
        t->n = p->pos[1] == '=' ? 2 : 1;
        break;
    case '<':
    case '>':
        t->kind = TOK_ORDER;
        t->n = p->pos[1] == '=' ? 2 : 1;
        break;
    default:
        t->kind = TOK_WORD;
        t->n = strcspn(p->pos, " \t\n\r,()=!<>");
    }
    p->pos += t->n;
}

static int column(const struct parser *p)
{
    return (int)(p->tok.p - p->text) + 1;
}

static int expected(const struct parser *p, const char *what)
{
    if (p->tok.kind == TOK_END)
        return err_set(p->err, FC_INVALID, "at %d: expected %s, found the end", column(p), what);
    return err_set(p->err, FC_INVALID, "at %d: expected %s, found '%.*s'", column(p), what,
        p->tok.n > 80 ? 80 : (int)p->tok.n, p->tok.p);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->tok.kind == TOK_WORD && p->tok.n == strlen(word)
        && !memcmp(p->tok.p, word, p->tok.n);
}

static int unsupported(const struct parser *p)
{
    return err_set(p->err, FC_INVALID, "at %d: unsupported operator \"%.*s\" for %s", column(p),
        (int)p->tok.n, p->tok.p, p->field ? p->field->name : "labels");
}

static int push(struct parser *p, struct strings *l, const char *s)
{
    if (l->n == SELECTOR_SET)
        return err_set(p->err, FC_INVALID, "at %d: more than %d strings in a list", column(p),
            SELECTOR_SET);
    if (p->strings++ == SELECTOR_STRINGS)
        return err_set(p->err, FC_INVALID, "at %d: more than %d keys and values", column(p),
            SELECTOR_STRINGS);
    strings_add(p->arena, l, s);
    return 0;
}

static int unknown_field(const struct parser *p, const char *name)
{
    struct buf known AUTO_BUF = BUF_INIT;

    fields_write(&known, p->fields);
    return err_set(p->err, FC_INVALID, "at %d: unable to resolve selector name \"%.80s\". "
        "Supported selectors are: [%s]", column(p), name, known.p);
}

static int parse_key(struct parser *p, struct strings *keys)
{
    const char *s;

    if (p->tok.kind != TOK_WORD)
        return expected(p, p->fields ? "a field" : "a label key");
    s = arena_strndup(p->arena, p->tok.p, p->tok.n);
    if (p->fields && !(p->field = field_find(p->fields, s)))
        return unknown_field(p, s);
    if (!p->fields && !is_label_key(s))
        return err_set(p->err, FC_INVALID, "at %d: '%.300s' is not a valid label key", column(p),
            s);
    if (push(p, keys, s) < 0)
        return -1;
    advance(p);
    return 0;
}

/* The value as it is compared: of a boolean "true" or "false", as existing servers read them. */
static int check_field_value(const struct parser *p, const char **s)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    int64_t at;

    switch (p->field->type) {
    case FIELD_STRING:
        return 0;
    case FIELD_TIME:
        if (time_parse(*s, &at) == 0)
            return 0;
        return err_set(p->err, FC_INVALID, "at %d: '%.80s' is not a time such as "
            "2026-05-04T03:02:01Z", column(p), *s);
    case FIELD_BOOL:
        for (size_t i = 0; i < LEN(yes); i++) {
            if (strcmp(*s, yes[i]) == 0 || strcmp(*s, no[i]) == 0) {
                *s = strcmp(*s, yes[i]) == 0 ? "true" : "false";
                return 0;
            }
        }
        return err_set(p->err, FC_INVALID, "at %d: '%.80s' is neither true nor false", column(p),
            *s);
    }
    die("field type %d", (int)p->field->type);
}

/* A value may be empty: then the token stays. */
static int parse_value(struct parser *p, struct strings *values)
{
    const char *s = "";
    bool word = p->tok.kind == TOK_WORD;

    if (word)
        s = arena_strndup(p->arena, p->tok.p, p->tok.n);
    if (p->field && check_field_value(p, &s) < 0)
        return -1;
    if (!p->field && !is_label_value(s))
        return err_set(p->err, FC_INVALID, "at %d: '%.80s' is not a valid label value", column(p),
            s);
    if (push(p, values, s) < 0)
        return -1;
    if (word)
        advance(p);
    return 0;
}

static int parse_open(struct parser *p)
{
    if (p->tok.kind != TOK_OPEN)
        return expected(p, "'('");
    advance(p);
    return 0;
}

/* item, item, ... ')' after the '('. */
static int parse_list(struct parser *p, struct strings *l,
    int (*item)(struct parser *, struct strings *))
{
    for (;;) {
        if (item(p, l) < 0)
            return -1;
        if (p->tok.kind == TOK_CLOSE)
            break;
        if (p->tok.kind != TOK_COMMA)
            return expected(p, "',' or ')'");
        advance(p);
    }
    advance(p);
    return 0;
}

/* (v1,v2): as many values as the requirement has keys. */
static int parse_tuple(struct parser *p, struct strings *values, size_t nkeys)
{
    size_t before = values->n;
    int at = column(p);

    if (parse_open(p) < 0 || parse_list(p, values, parse_value) < 0)
        return -1;
    if (values->n - before != nkeys)
        return err_set(p->err, FC_INVALID, "at %d: %zu values for %zu keys", at,
            values->n - before, nkeys);
    return 0;
}

/* The part after in or notin. */
static int parse_values(struct parser *p, struct strings *values, size_t nkeys, bool set)
{
    if (parse_open(p) < 0)
        return -1;
    if (p->tok.kind == TOK_CLOSE)
        return err_set(p->err, FC_INVALID, "at %d: an empty list of values", column(p));
    if (!set)
        return parse_list(p, values, parse_value);
    for (;;) {
        if (parse_tuple(p, values, nkeys) < 0)
            return -1;
        if (p->tok.kind == TOK_CLOSE)
            break;
        if (p->tok.kind != TOK_COMMA)
            return expected(p, "',' or ')'");
        advance(p);
    }
    advance(p);
    return 0;
}

/* contains, <, > and their kin, which only some fields know. Sets *done when it was one. */
static int parse_search(struct parser *p, struct sel_req *r, struct strings *values, bool *done)
{
    bool contains = is_word(p, "contains"), order = p->tok.kind == TOK_ORDER;
    bool equal = p->tok.n == 2;
    const char *s;

    *done = contains || order || is_word(p, "notcontains");
    if (!*done)
        return 0;
    if (!p->field || (order ? p->field->type != FIELD_TIME :
        p->field->type != FIELD_STRING || !field_homes[p->field->home].column))
        return unsupported(p);
    if (!order)
        r->op = contains ? SEL_CONTAINS : SEL_NOT_CONTAINS;
    else if (*p->tok.p == '<')
        r->op = equal ? SEL_LE : SEL_LT;
    else
        r->op = equal ? SEL_GE : SEL_GT;
    advance(p);
    if (p->tok.kind != TOK_WORD)
        return expected(p, "a value");
    s = memchr(p->tok.p, '%', p->tok.n);
    if (!order && s)
        return err_set(p->err, FC_INVALID, "at %d: the value must not contain '%%'", column(p));
    return parse_value(p, values);
}

static int parse_operation(struct parser *p, struct sel_req *r, struct strings *values, bool set)
{
    bool done;

    if (parse_search(p, r, values, &done) < 0)
        return -1;
    if (done)
        return 0;
    if (p->tok.kind == TOK_EQ || p->tok.kind == TOK_NE) {
        r->op = p->tok.kind == TOK_EQ ? SEL_IN : SEL_NOT_IN;
        advance(p);
        return set ? parse_tuple(p, values, r->nkeys) : parse_value(p, values);
    }
    if (is_word(p, "in") || is_word(p, "notin")) {
        r->op = is_word(p, "in") ? SEL_IN : SEL_NOT_IN;
        advance(p);
        return parse_values(p, values, r->nkeys, set);
    }
    if (set)
        return expected(p, "an operator after the set of keys");
    if (p->tok.kind == TOK_END || p->tok.kind == TOK_COMMA) {
        r->op = SEL_EXISTS;
        return 0;
    }
    return expected(p, "an operator, ',' or end");
}

static int parse_requirement(struct parser *p, struct sel_req *r)
{
    struct strings keys = {0}, values = {0};
    bool set = p->tok.kind == TOK_OPEN && !p->fields; /* of fields there is one a requirement */

    p->field = NULL;
    if (p->tok.kind == TOK_NOT) {
        advance(p);
        if (parse_key(p, &keys) < 0)
            return -1;
        r->op = SEL_NOT_EXISTS;
    } else {
        if (set) {
            advance(p);
            if (parse_list(p, &keys, parse_key) < 0)
                return -1;
        } else if (parse_key(p, &keys) < 0) {
            return -1;
        }
        r->nkeys = keys.n;
        if (parse_operation(p, r, &values, set) < 0)
            return -1;
    }
    r->field = p->field;
    r->nkeys = keys.n;
    r->keys = keys.s;
    r->nvalues = values.n / keys.n;
    r->values = values.s;
    return 0;
}

static int parse(struct arena *a, const char *text, const struct field *fields,
    struct selector *out, struct err *e)
{
    struct parser p = {.arena = a, .text = text, .pos = text, .fields = fields, .err = e};
    size_t cap = 0;

    *out = (struct selector){0};
    if (strnlen(text, SELECTOR_TEXT + 1) > SELECTOR_TEXT)
        return err_set(e, FC_INVALID, "a selector of more than %d bytes", SELECTOR_TEXT);
    if (!utf8_valid(text, strlen(text)))
        return err_set(e, FC_INVALID, "not UTF-8");
    advance(&p);
    if (p.tok.kind == TOK_END)
        return 0;
    for (;;) {
        struct sel_req r = {0};

        if (parse_requirement(&p, &r) < 0 || selector_add(a, out, &cap, &r, e) < 0)
            return -1;
        if (p.tok.kind == TOK_END)
            return 0;
        if (p.tok.kind != TOK_COMMA)
            return expected(&p, "',' or end");
        advance(&p);
    }
}

int selector_parse(struct arena *a, const char *text, struct selector *out, struct err *e)
{
    return parse(a, text, NULL, out, e);
}

int selector_parse_fields(struct arena *a, const char *text, const struct field *fields,
    struct selector *out, struct err *e)
{
    return parse(a, text, fields, out, e);
}

/* --- the form in resources -------------------------------------------------------------------- */

/* A string without NUL, copied into the arena; NULL for anything else. */
static const char *string_of(struct arena *a, jv v)
{
    size_t n;

    if (jv_get_kind(v) != JV_KIND_STRING)
        return NULL;
    n = (size_t)jv_string_length_bytes(jv_copy(v));
    return strlen(jv_string_value(v)) == n ? arena_strndup(a, jv_string_value(v), n) : NULL;
}

static int count_strings(size_t *total, size_t n, struct err *e)
{
    *total += n;
    if (*total > SELECTOR_STRINGS)
        return err_set(e, FC_INVALID, "more than %d keys and values", SELECTOR_STRINGS);
    return 0;
}

static int from_labels(struct arena *a, jv labels, struct selector *out, size_t *cap,
    size_t *total, struct err *e)
{
    AUTO_JV jv keys = jv_invalid();
    int i, n;

    if (jv_get_kind(labels) == JV_KIND_INVALID || jv_get_kind(labels) == JV_KIND_NULL)
        return 0;
    if (jv_get_kind(labels) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "matchLabels: must be an object");
    keys = jv_keys(jv_copy(labels));
    n = jv_array_length(jv_copy(keys));
    for (i = 0; i < n; i++) {
        AUTO_JV jv k = jv_array_get(jv_copy(keys), i);
        AUTO_JV jv v = jv_object_get(jv_copy(labels), jv_copy(k));
        struct strings key = {0}, value = {0};
        struct sel_req r = {.op = SEL_IN, .nkeys = 1, .nvalues = 1};
        const char *ks = string_of(a, k), *vs = string_of(a, v);

        if (!ks || !is_label_key(ks))
            return err_set(e, FC_INVALID, "matchLabels: '%.300s' is not a valid label key",
                jv_string_value(k));
        if (!vs)
            return err_set(e, FC_INVALID, "matchLabels.%s: must be a string", ks);
        if (!is_label_value(vs))
            return err_set(e, FC_INVALID, "matchLabels.%s: '%.80s' is not a valid label value", ks,
                vs);
        strings_add(a, &key, ks);
        strings_add(a, &value, vs);
        r.keys = key.s;
        r.values = value.s;
        if (count_strings(total, 2, e) < 0 || selector_add(a, out, cap, &r, e) < 0)
            return -1;
    }
    return 0;
}

static int expression_values(struct arena *a, jv values, const char *op, int index,
    struct strings *out, struct err *e)
{
    bool none = jv_get_kind(values) == JV_KIND_INVALID || jv_get_kind(values) == JV_KIND_NULL;
    int i, n;

    if (!none && jv_get_kind(values) != JV_KIND_ARRAY)
        return err_set(e, FC_INVALID, "matchExpressions[%d].values: must be an array", index);
    n = none ? 0 : jv_array_length(jv_copy(values));
    if (n > SELECTOR_SET)
        return err_set(e, FC_INVALID, "matchExpressions[%d].values: more than %d", index,
            SELECTOR_SET);
    for (i = 0; i < n; i++) {
        AUTO_JV jv v = jv_array_get(jv_copy(values), i);
        const char *s = string_of(a, v);

        if (!s)
            return err_set(e, FC_INVALID, "matchExpressions[%d].values[%d]: must be a string",
                index, i);
        if (!is_label_value(s))
            return err_set(e, FC_INVALID,
                "matchExpressions[%d].values[%d]: '%.80s' is not a valid label value", index, i, s);
        strings_add(a, out, s);
    }
    if (op[0] == 'I' || op[0] == 'N') { /* In, NotIn */
        if (!n)
            return err_set(e, FC_INVALID, "matchExpressions[%d].values: %s needs values", index,
                op);
    } else if (n) {
        return err_set(e, FC_INVALID, "matchExpressions[%d].values: %s takes no values", index, op);
    }
    return 0;
}

static int from_expression(struct arena *a, jv x, int index, struct sel_req *r, struct err *e)
{
    static const struct { const char *name; enum sel_op op; } ops[] = {
        {"In", SEL_IN}, {"NotIn", SEL_NOT_IN}, {"Exists", SEL_EXISTS},
        {"DoesNotExist", SEL_NOT_EXISTS},
    };
    AUTO_JV jv key = json_get(x, "key"), op = json_get(x, "operator"), v = json_get(x, "values");
    struct strings keys = {0}, values = {0};
    const char *ks = string_of(a, key), *os = string_of(a, op);
    size_t i;

    if (jv_get_kind(x) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "matchExpressions[%d]: must be an object", index);
    if (!ks)
        return err_set(e, FC_INVALID, "matchExpressions[%d].key: must be a string", index);
    if (!is_label_key(ks))
        return err_set(e, FC_INVALID, "matchExpressions[%d].key: '%.300s' is not a valid label key",
            index, ks);
    for (i = 0; os && i < LEN(ops) && strcmp(os, ops[i].name); i++)
        ;
    if (!os || i == LEN(ops))
        return err_set(e, FC_INVALID,
            "matchExpressions[%d].operator: must be In, NotIn, Exists or DoesNotExist", index);
    if (expression_values(a, v, os, index, &values, e) < 0)
        return -1;
    strings_add(a, &keys, ks);
    *r = (struct sel_req){.op = ops[i].op, .nkeys = 1, .keys = keys.s, .nvalues = values.n,
        .values = values.s};
    return 0;
}

int selector_from_json(struct arena *a, jv v, struct selector *out, struct err *e)
{
    AUTO_JV jv labels = json_get(v, "matchLabels"), list = json_get(v, "matchExpressions");
    jv_kind kind = jv_get_kind(v), list_kind = jv_get_kind(list);
    size_t cap = 0, total = 0;
    int i, n;

    *out = (struct selector){0};
    if (kind != JV_KIND_OBJECT && kind != JV_KIND_NULL && kind != JV_KIND_INVALID)
        return err_set(e, FC_INVALID, "must be an object");
    if (from_labels(a, labels, out, &cap, &total, e) < 0)
        return -1;
    if (list_kind != JV_KIND_INVALID && list_kind != JV_KIND_NULL && list_kind != JV_KIND_ARRAY)
        return err_set(e, FC_INVALID, "matchExpressions: must be an array");
    n = list_kind == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;
    for (i = 0; i < n; i++) {
        AUTO_JV jv x = jv_array_get(jv_copy(list), i);
        struct sel_req r = {0};

        if (from_expression(a, x, i, &r, e) < 0 || count_strings(&total, 1 + r.nvalues, e) < 0
            || selector_add(a, out, &cap, &r, e) < 0)
            return -1;
    }
    out->nothing = out->n == 0;
    return 0;
}
