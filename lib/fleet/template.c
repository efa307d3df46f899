/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of a fleet's template. Evaluated while it is parsed: there are no loops or branches,
 * so each action runs exactly once and a check is a run with unknown labels.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fleet/render.h"

enum value_kind { VALUE_STRING, VALUE_ROOT, VALUE_METADATA, VALUE_LABELS };

struct value {
    enum value_kind kind;
    const char *p; /* VALUE_STRING */
    size_t n;
};

enum { ARGS_MAX = 8 }; /* more than any function takes, the piped one included */

struct args {
    struct value v[ARGS_MAX];
    size_t n;
};

struct template {
    struct arena *arena;
    const char *pos, *end;  /* what is left of the text */
    const char *action;     /* the "{{" that is being run, for messages */
    jv metadata, labels;    /* borrowed */
    bool check;             /* no device is known */
    int depth;
    size_t used;            /* bytes of all values so far */
    struct err *err;
};

/* --- messages --------------------------------------------------------------------------------- */

/* "{{ .metadata.x }}: why", the action cut where it gets long. */
__attribute__((format(printf, 2, 3)))
static int fail(struct template *t, const char *fmt, ...)
{
    const char *close = memmem(t->action, (size_t)(t->end - t->action), "}}", 2);
    size_t n = (size_t)((close ? close + 2 : t->end) - t->action);
    char why[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (n <= 200)
        return err_set(t->err, FC_INVALID, "%.*s: %s", (int)n, t->action, why);
    return err_set(t->err, FC_INVALID, "%.*s...: %s", 200, t->action, why);
}

/* --- lexing ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char peek(const struct template *t)
{
    return t->pos < t->end ? *t->pos : '\0';
}

static bool starts(const struct template *t, const char *s)
{
    size_t n = strlen(s);

    return (size_t)(t->end - t->pos) >= n && !memcmp(t->pos, s, n);
}

/* Is the action's end here? trimmed: it is " -}}", which eats the space after it. */
static bool at_close(const struct template *t, bool *trimmed)
{
    *trimmed = t->end - t->pos >= 4 && is_space(*t->pos) && !memcmp(t->pos + 1, "-}}", 3);
    return *trimmed || starts(t, "}}");
}

/* Skips space, but not the one that belongs to " -}}". */
static void skip_space(struct template *t)
{
    bool trimmed;

    while (t->pos < t->end && is_space(*t->pos) && !(at_close(t, &trimmed) && trimmed))
        t->pos++;
}

static bool at_end(const struct template *t)
{
    bool trimmed;

    return t->pos == t->end || at_close(t, &trimmed);
}

/* What may follow an operand without space between. */
static bool terminated(const struct template *t)
{
    char c = peek(t);

    return at_end(t) || is_space(c) || c == '|' || c == ')';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
        : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void add_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_addc(b, (char)c);
    } else if (c < 0x800) {
        buf_addc(b, (char)(0xc0 | c >> 6));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_addc(b, (char)(0xe0 | c >> 12));
        buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(b, (char)(0xf0 | c >> 18));
        buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* n digits of a base, after the letter of an escape. */
static int escape_number(struct template *t, int n, unsigned base, unsigned *out)
{
    unsigned c = 0;

    for (; n; n--, t->pos++) {
        int d = hex_digit(peek(t));

        if (d < 0 || (unsigned)d >= base)
            return fail(t, "a bad escape in a string");
        c = c * base + (unsigned)d;
    }
    *out = c;
    return 0;
}

static struct value string_value(struct template *t, const char *p, size_t n)
{
    char *s = arena_alloc(t->arena, n + 1);

    if (n)
        memcpy(s, p, n);
    t->used += n + 1;
    return (struct value){VALUE_STRING, s, n};
}

/* An escape of Go's interpreted strings, after its backslash. */
static int escape(struct template *t, struct buf *b)
{
    static const char letters[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
    char c = peek(t);
    const char *known = c ? strchr(letters, c) : NULL;
    unsigned code = 0;

    if (known) {
        buf_addc(b, bytes[known - letters]);
        t->pos++;
        return 0;
    }
    if (c >= '0' && c <= '7') {
        if (escape_number(t, 3, 8, &code) < 0)
            return -1;
        if (code > 255)
            return fail(t, "a bad escape in a string");
        buf_addc(b, (char)code);
        return 0;
    }
    if (c != 'x' && c != 'u' && c != 'U')
        return fail(t, "a bad escape in a string");
    t->pos++;
    if (escape_number(t, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, &code) < 0)
        return -1;
    if (c == 'x')
        buf_addc(b, (char)code);
    else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return fail(t, "a bad escape in a string");
    else
        add_utf8(b, code);
    return 0;
}

/* "..." with escapes. */
static int quoted(struct template *t, struct value *v)
{
    AUTO_BUF struct buf b = BUF_INIT;

    for (t->pos++; peek(t) != '"'; ) {
        if (t->pos == t->end || *t->pos == '\n')
            return fail(t, "a string without its closing quote");
        if (*t->pos != '\\') {
            buf_addc(&b, *t->pos++);
            continue;
        }
        t->pos++;
        if (escape(t, &b) < 0)
            return -1;
    }
    t->pos++;
    *v = string_value(t, b.p, b.len);
    return 0;
}

/* `...`, taken as it is but for carriage returns, as in Go. */
static int raw(struct template *t, struct value *v)
{
    const char *from = ++t->pos, *to = memchr(from, '`', (size_t)(t->end - from)), *p;
    AUTO_BUF struct buf b = BUF_INIT;

    if (!to)
        return fail(t, "a string without its closing quote");
    for (p = from; p < to; p++)
        if (*p != '\r')
            buf_addc(&b, *p);
    *v = string_value(t, b.p, b.len);
    t->pos = to + 1;
    return 0;
}

/* --- data ------------------------------------------------------------------------------------- */

/* The label's value in *v; false when the device has none (or is not known). */
static bool find_label(struct template *t, const char *key, size_t n, struct value *v)
{
    jv s = jv_get_kind(t->labels) == JV_KIND_OBJECT
        ? jv_object_get(jv_copy(t->labels), jv_string_sized(key, (int)n)) : jv_invalid();
    bool found = jv_get_kind(s) == JV_KIND_STRING;

    if (found)
        *v = string_value(t, jv_string_value(s), (size_t)jv_string_length_bytes(jv_copy(s)));
    jv_free(s);
    return found;
}

/* v.name. index: by the function of that name, which forgives a missing label. */
static int member(struct template *t, struct value *v, const char *name, size_t n, bool index)
{
    int len = n > 100 ? 100 : (int)n;
    const char *device;

    switch (v->kind) {
    case VALUE_STRING:
        return fail(t, "\"%.*s\" of a string; a label whose key is no plain word is written"
            " index .metadata.labels \"KEY\"", len, name);
    case VALUE_ROOT:
        if (n != 8 || memcmp(name, "metadata", 8))
            return fail(t, "no member \"%.*s\", only \"metadata\"", len, name);
        v->kind = VALUE_METADATA;
        return 0;
    case VALUE_METADATA:
        if (n == 6 && !memcmp(name, "labels", 6)) {
            v->kind = VALUE_LABELS;
            return 0;
        }
        if (n != 4 || memcmp(name, "name", 4))
            return fail(t, "no member \"%.*s\" of metadata, only \"name\" and \"labels\"", len,
                name);
        device = t->check ? "name" : json_str(t->metadata, "name");
        if (!device)
            return fail(t, "the device has no name");
        *v = string_value(t, device, strlen(device));
        return 0;
    case VALUE_LABELS:
        if (find_label(t, name, n, v))
            return 0;
        if (!index && !t->check)
            return fail(t, "the device has no label \"%.*s\"", len, name);
        *v = string_value(t, "", 0);
        return 0;
    }
    die("template value %d", (int)v->kind);
}

/* The ".a.b" that directly follow an operand. */
static int members(struct template *t, struct value *v)
{
    while (peek(t) == '.') {
        const char *name = ++t->pos;

        while (t->pos < t->end && is_word(*t->pos))
            t->pos++;
        if (t->pos == name)
            return fail(t, "a name must follow \".\"");
        if (name[0] >= '0' && name[0] <= '9')
            return fail(t, "a name cannot begin with a digit; use index .metadata.labels \"KEY\"");
        if (!terminated(t) && peek(t) != '.')
            return fail(t, "unexpected '%c' after \"%.*s\"; a label whose key is no plain word is"
                " written index .metadata.labels \"KEY\"", peek(t), (int)(t->pos - name), name);
        if (member(t, v, name, (size_t)(t->pos - name), false) < 0)
            return -1;
    }
    return 0;
}

/* --- functions -------------------------------------------------------------------------------- */

static int want_string(struct template *t, const struct value *v, const char *who)
{
    if (v->kind == VALUE_STRING)
        return 0;
    return fail(t, "%s: %s is not a string", who, v->kind == VALUE_LABELS ? ".metadata.labels"
        : v->kind == VALUE_METADATA ? ".metadata" : "\".\"");
}

/* Names and labels are ASCII, so only literals could ask for Unicode's case tables. */
static int change_case(struct template *t, const char *who, struct value *v, char from, char to)
{
    AUTO_BUF struct buf b = BUF_INIT;
    size_t i;

    if (want_string(t, v, who) < 0)
        return -1;
    for (i = 0; i < v->n; i++) {
        char c = v->p[i];

        if ((unsigned char)c >= 0x80)
            return fail(t, "%s: only ASCII letters are supported", who);
        buf_addc(&b, c >= from && c <= from + 25 ? (char)(c - from + to) : c);
    }
    *v = string_value(t, b.p, b.len);
    return 0;
}

static int do_upper(struct template *t, struct args *a, struct value *out)
{
    *out = a->v[0];
    return change_case(t, "upper", out, 'a', 'A');
}

static int do_lower(struct template *t, struct args *a, struct value *out)
{
    *out = a->v[0];
    return change_case(t, "lower", out, 'A', 'a');
}

static const char *find(const char *p, const char *end, const struct value *what)
{
    while (end - p >= (ptrdiff_t)what->n) {
        p = memchr(p, what->p[0], (size_t)(end - p) - what->n + 1);
        if (!p || !memcmp(p, what->p, what->n))
            return p;
        p++;
    }
    return NULL;
}

static size_t utf8_len(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return len < n ? len : n;
}

/* An empty old text is found before each character and at the end. */
static int do_replace(struct template *t, struct args *a, struct value *out)
{
    const struct value *old = &a->v[0], *new = &a->v[1], *text = &a->v[2];
    const char *p, *end;
    AUTO_BUF struct buf b = BUF_INIT;

    if (want_string(t, old, "replace") < 0 || want_string(t, new, "replace") < 0
        || want_string(t, text, "replace") < 0)
        return -1;
    for (p = text->p, end = p + text->n; p < end; ) {
        const char *hit = old->n ? find(p, end, old) : p;
        size_t step = old->n ? old->n : utf8_len(p, (size_t)(end - p));

        if (!hit)
            break;
        buf_add(&b, p, (size_t)(hit - p));
        buf_add(&b, new->p, new->n);
        if (!old->n)
            buf_add(&b, p, step);
        p = hit + step;
        if (b.len > TEMPLATE_VALUE)
            return fail(t, "replace: the result is too large");
    }
    buf_add(&b, p, (size_t)(end - p));
    if (!old->n)
        buf_add(&b, new->p, new->n);
    *out = string_value(t, b.p, b.len);
    return 0;
}

static int do_get(struct template *t, struct args *a, struct value *out)
{
    if (a->v[0].kind != VALUE_LABELS)
        return fail(t, "getOrDefault: the first argument must be .metadata.labels");
    if (want_string(t, &a->v[1], "getOrDefault") < 0
        || want_string(t, &a->v[2], "getOrDefault") < 0)
        return -1;
    if (!find_label(t, a->v[1].p, a->v[1].n, out))
        *out = a->v[2];
    return 0;
}

static int do_index(struct template *t, struct args *a, struct value *out)
{
    size_t i;

    *out = a->v[0];
    for (i = 1; i < a->n; i++)
        if (want_string(t, &a->v[i], "index") < 0
            || member(t, out, a->v[i].p, a->v[i].n, true) < 0)
            return -1;
    return 0;
}

static const struct function {
    const char *name;
    size_t min, max; /* arguments */
    int (*run)(struct template *t, struct args *a, struct value *out);
} functions[] = {
    {"upper", 1, 1, do_upper},
    {"lower", 1, 1, do_lower},
    {"replace", 3, 3, do_replace},
    {"getOrDefault", 3, 3, do_get},
    {"index", 1, ARGS_MAX, do_index},
};

/* --- commands --------------------------------------------------------------------------------- */

static int pipeline(struct template *t, struct value *v);

static int parenthesised(struct template *t, struct value *v)
{
    if (t->depth == TEMPLATE_DEPTH)
        return fail(t, "parentheses are nested too deeply");
    t->depth++;
    t->pos++;
    if (pipeline(t, v) < 0)
        return -1;
    t->depth--;
    if (peek(t) != ')')
        return fail(t, "a '(' without its ')'");
    t->pos++;
    return 0;
}

/* One argument: a literal, a member of the data, or a pipeline in parentheses. */
static int operand(struct template *t, struct value *v)
{
    char c = peek(t);

    if (c == '.') {
        *v = (struct value){VALUE_ROOT, NULL, 0};
        if (t->pos + 1 < t->end && !is_word(t->pos[1])) {
            t->pos++;
            return terminated(t) ? 0 : fail(t, "a name must follow \".\"");
        }
        return members(t, v);
    }
    if (c == '"' || c == '`' || c == '(') {
        int rc = c == '"' ? quoted(t, v) : c == '`' ? raw(t, v) : parenthesised(t, v);

        if (rc < 0)
            return -1;
        if (c == '(' && members(t, v) < 0)
            return -1;
        return terminated(t) ? 0 : fail(t, "unexpected '%c'", peek(t));
    }
    if (c == '$')
        return fail(t, "variables are not supported");
    if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '\'')
        return fail(t, "numbers are not supported");
    if (is_word(c) || (unsigned char)c >= 0x80)
        return fail(t, "a function cannot be an argument without parentheses");
    return fail(t, "unexpected '%c'", c);
}

static int find_function(struct template *t, const struct function **f)
{
    static const char *const control[] = {"if", "else", "end", "range", "with", "define", "block",
        "template", "break", "continue"};
    const char *name = t->pos;
    size_t i, n;

    while (t->pos < t->end && is_word(*t->pos))
        t->pos++;
    n = (size_t)(t->pos - name);
    for (i = 0; i < LEN(control); i++)
        if (strlen(control[i]) == n && !memcmp(control[i], name, n))
            return fail(t, "\"%s\" is not supported, only parameters and functions are",
                control[i]);
    for (i = 0; i < LEN(functions); i++) {
        *f = &functions[i];
        if (strlen((*f)->name) == n && !memcmp((*f)->name, name, n))
            return terminated(t) ? 0 : fail(t, "unexpected '%c' after \"%s\"", peek(t),
                (*f)->name);
    }
    return fail(t, "\"%.*s\" is no function; there are upper, lower, replace, getOrDefault and"
        " index", n > 100 ? 100 : (int)n, name);
}

/* A function with its arguments, or one operand. piped: the value before the '|', or NULL. */
static int command(struct template *t, const struct value *piped, struct value *out)
{
    const struct function *f = NULL;
    struct args a = {.n = 0};
    char c = peek(t);

    if (at_end(t) || c == '|' || c == ')')
        return fail(t, "a parameter is missing");
    if (is_word(c) && !(c >= '0' && c <= '9') && find_function(t, &f) < 0)
        return -1;
    for (skip_space(t); !at_end(t) && peek(t) != '|' && peek(t) != ')'; skip_space(t)) {
        if (!f && a.n)
            return fail(t, "only a function can take arguments");
        if (a.n == ARGS_MAX)
            return fail(t, "too many arguments");
        if (operand(t, &a.v[a.n++]) < 0)
            return -1;
    }
    if (t->used > TEMPLATE_WORK)
        return fail(t, "the values are too large");
    if (!f) {
        if (piped)
            return fail(t, "only a function can stand after '|'");
        *out = a.v[0];
        return 0;
    }
    if (piped) {
        if (a.n == ARGS_MAX)
            return fail(t, "too many arguments");
        a.v[a.n++] = *piped;
    }
    if (a.n < f->min || a.n > f->max)
        return fail(t, "%s takes %zu argument%s, not %zu", f->name, f->min, f->min == 1 ? "" : "s",
            a.n);
    if (f->run(t, &a, out) < 0)
        return -1;
    return t->used > TEMPLATE_WORK ? fail(t, "the values are too large") : 0;
}

static int pipeline(struct template *t, struct value *v)
{
    struct value piped;

    skip_space(t);
    if (command(t, NULL, v) < 0)
        return -1;
    while (peek(t) == '|') {
        t->pos++;
        skip_space(t);
        piped = *v;
        if (command(t, &piped, v) < 0)
            return -1;
    }
    return 0;
}

/* --- the text --------------------------------------------------------------------------------- */

static int comment(struct template *t, bool *trim_right)
{
    const char *close = memmem(t->pos + 2, (size_t)(t->end - t->pos - 2), "*/", 2);

    if (!close)
        return fail(t, "a comment without its end");
    t->pos = close + 2;
    if (!at_close(t, trim_right))
        return fail(t, "a comment must fill its braces");
    t->pos += *trim_right ? 4 : 2;
    return 0;
}

/* One action, from its "{{" to behind its "}}"; t->pos stands behind "{{" and a trim marker. */
static int action(struct template *t, struct buf *out, bool *trim_right)
{
    struct value v;

    if (starts(t, "/*"))
        return comment(t, trim_right);
    if (pipeline(t, &v) < 0)
        return -1;
    if (peek(t) == ')')
        return fail(t, "a ')' without its '('");
    if (!at_close(t, trim_right))
        return fail(t, "the closing \"}}\" is missing");
    t->pos += *trim_right ? 4 : 2;
    if (v.kind != VALUE_STRING)
        return fail(t, "is a set of members, not a text");
    buf_add(out, v.p, v.n);
    if (out->len > TEMPLATE_OUT)
        return fail(t, "the result is too large");
    return 0;
}

static int fill(struct template *t, struct buf *out)
{
    bool trim_right = false;

    for (;;) {
        const char *text = t->pos, *open = memmem(text, (size_t)(t->end - text), "{{", 2);
        const char *to = open ? open : t->end;
        bool trim_left = open && t->end - open >= 4 && open[2] == '-' && is_space(open[3]);

        while (trim_right && text < to && is_space(*text))
            text++;
        while (trim_left && to > text && is_space(to[-1]))
            to--;
        buf_add(out, text, (size_t)(to - text));
        if (!open)
            return 0;
        t->action = open;
        t->pos = open + (trim_left ? 4 : 2);
        if (action(t, out, &trim_right) < 0)
            return -1;
    }
}

static int run(const char *text, size_t n, jv metadata, bool check, struct buf *out, struct err *e)
{
    AUTO_ARENA struct arena *a = NULL;
    AUTO_JV jv labels = jv_invalid();
    struct template t = {.pos = text, .end = text + n, .metadata = metadata, .check = check,
        .err = e};

    if (!memmem(text, n, "{{", 2)) {
        buf_add(out, text, n);
        return 0;
    }
    t.arena = a = arena_new();
    t.labels = labels = json_get(metadata, "labels");
    return fill(&t, out);
}

int template_filln(const char *text, size_t n, jv metadata, struct buf *out, struct err *e)
{
    return run(text, n, metadata, false, out, e);
}

int template_checkn(const char *text, size_t n, struct err *e)
{
    AUTO_BUF struct buf out = BUF_INIT;

    return run(text, n, jv_invalid(), true, &out, e);
}

int template_check(const char *text, struct err *e)
{
    return template_checkn(text, strlen(text), e);
}
