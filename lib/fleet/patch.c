/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/patch.h"

#include <string.h>

#include "base/mem.h"

enum { NUMBER_WEIGHT = 25 }; /* bytes of the longest number, and a comma */

/* A pointer (RFC 6901), split and unescaped. Documents are no deeper than JSON_DEPTH. */
struct pointer {
    jv text;             /* borrowed: for messages */
    jv tok[JSON_DEPTH];  /* strings */
    int n;
};

struct op {
    struct pointer path, from;
    jv value;            /* what add, replace and test compare or store */
};

struct patch {
    int index;           /* of the operation, for messages */
    size_t work;         /* of PATCH_WORK, so far */
    struct err *err;
};

enum edit { EDIT_ADD, EDIT_REPLACE, EDIT_REMOVE };

/* --- messages and limits ---------------------------------------------------------------------- */

static int fail(struct patch *p, enum fc_code code, const struct pointer *at, const char *why)
{
    const char *path = jv_string_value(at->text);

    return err_set(p->err, code, "patch[%d]: %.500s: %s", p->index,
        *path ? path : "(the document)", why);
}

static int malformed(struct patch *p, const char *why)
{
    return err_set(p->err, FC_INVALID, "patch[%d]: %s", p->index, why);
}

/* At most so many bytes does a string take in JSON, with what stands around it. */
static size_t string_weight(jv v)
{
    const char *s = jv_string_value(v);
    size_t n = (size_t)jv_string_length_bytes(jv_copy(v)), i, weight = n + 4;

    for (i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == '"' || s[i] == '\\')
            weight += 5;
    return weight;
}

/* Adds v's size to the work done and tells its depth (0 for no array or object) in *depth. Stops
 * at either limit with -1. */
static int weigh(struct patch *p, jv v, int room, int *depth)
{
    jv_kind kind = jv_get_kind(v);
    int i, below = 0, d = 0;

    p->work += kind == JV_KIND_STRING ? string_weight(v) : NUMBER_WEIGHT;
    if (p->work > PATCH_WORK)
        return -1;
    *depth = 0;
    if (kind != JV_KIND_ARRAY && kind != JV_KIND_OBJECT)
        return 0;
    if (room < 1)
        return -1;
    if (kind == JV_KIND_ARRAY) {
        int n = jv_array_length(jv_copy(v));

        for (i = 0; i < n; i++) {
            AUTO_JV jv x = jv_array_get(jv_copy(v), i);

            if (weigh(p, x, room - 1, &d) < 0)
                return -1;
            below = d > below ? d : below;
        }
    } else {
        for (i = jv_object_iter(v); jv_object_iter_valid(v, i); i = jv_object_iter_next(v, i)) {
            AUTO_JV jv x = jv_object_iter_value(v, i), key = jv_object_iter_key(v, i);

            p->work += string_weight(key);
            if (weigh(p, x, room - 1, &d) < 0)
                return -1;
            below = d > below ? d : below;
        }
    }
    *depth = below + 1;
    return 0;
}

/* May v be stored at a path? */
static int admit(struct patch *p, const struct pointer *at, jv v)
{
    int depth;

    if (weigh(p, v, JSON_DEPTH - at->n, &depth) == 0)
        return 0;
    return fail(p, FC_INVALID, at, p->work > PATCH_WORK ? "the patch moves or adds too much"
        : "the document would be nested too deeply");
}

/* --- pointers --------------------------------------------------------------------------------- */

static void pointer_free(struct pointer *p)
{
    while (p->n)
        jv_free(p->tok[--p->n]);
}

static void op_free(struct op *op)
{
    pointer_free(&op->path);
    pointer_free(&op->from);
    jv_free(op->value);
}

#define AUTO_OP __attribute__((cleanup(op_free)))

/* One token up to '/' or the end; -1 for a bad escape. */
static int unescape(const char *s, size_t n, struct buf *b)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (s[i] != '~') {
            buf_addc(b, s[i]);
            continue;
        }
        if (++i == n || (s[i] != '0' && s[i] != '1'))
            return -1;
        buf_addc(b, s[i] == '0' ? '~' : '/');
    }
    return 0;
}

static int pointer_parse(struct patch *p, jv text, struct pointer *out)
{
    const char *s = jv_string_value(text), *end = s + jv_string_length_bytes(jv_copy(text));
    AUTO_BUF struct buf b = BUF_INIT;

    out->text = text;
    if (s < end && *s != '/')
        return fail(p, FC_INVALID, out, "a path must be empty or begin with '/'");
    while (s < end) {
        const char *slash, *to;

        s++;
        slash = memchr(s, '/', (size_t)(end - s));
        to = slash ? slash : end;

        if (out->n == JSON_DEPTH)
            return fail(p, FC_INVALID, out, "no document is that deep");
        buf_reset(&b);
        if (unescape(s, (size_t)(to - s), &b) < 0)
            return fail(p, FC_INVALID, out, "'~' must be followed by 0 or 1");
        out->tok[out->n++] = jv_string_sized(b.p ? b.p : "", (int)b.len);
        s = to;
    }
    return 0;
}

/* An array index: digits without leading zeros, at most max. -1: none. */
static int array_index(jv tok, int max)
{
    const char *s = jv_string_value(tok);
    size_t n = (size_t)jv_string_length_bytes(jv_copy(tok)), i;
    int64_t index = 0;

    if (!n || n > 10 || (s[0] == '0' && n > 1))
        return -1;
    for (i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        index = index * 10 + (s[i] - '0');
    }
    return index <= max ? (int)index : -1;
}

/* The child of v (borrowed) that a token names; an invalid jv when there is none. */
static jv child(jv v, jv tok)
{
    int i;

    if (jv_get_kind(v) == JV_KIND_OBJECT)
        return jv_object_get(jv_copy(v), jv_copy(tok));
    if (jv_get_kind(v) != JV_KIND_ARRAY)
        return jv_invalid();
    i = array_index(tok, jv_array_length(jv_copy(v)) - 1);
    return i < 0 ? jv_invalid() : jv_array_get(jv_copy(v), i);
}

static const char *missing(jv parent)
{
    jv_kind kind = jv_get_kind(parent);

    return kind == JV_KIND_OBJECT ? "no such member" : kind == JV_KIND_ARRAY ? "no such element"
        : "not inside an object or array";
}

static int lookup(struct patch *p, jv doc, const struct pointer *at, jv *out)
{
    AUTO_JV jv v = jv_copy(doc);
    int i;

    for (i = 0; i < at->n; i++) {
        jv next = child(v, at->tok[i]);

        if (!jv_is_valid(next))
            return fail(p, FC_INVALID, at, missing(v));
        jv_free(v);
        v = next;
    }
    *out = jv_copy(v);
    return 0;
}

/* --- edits ------------------------------------------------------------------------------------ */

/* a[0..at) + value (if valid) + a[from..]; consumes a and value. */
static jv splice(jv a, int at, int from, jv value)
{
    int n = jv_array_length(jv_copy(a)), i;
    jv out = jv_array_sized(n + 1);

    for (i = 0; i < at; i++)
        out = jv_array_append(out, jv_array_get(jv_copy(a), i));
    if (jv_get_kind(value) != JV_KIND_INVALID)
        out = jv_array_append(out, value);
    for (i = from; i < n; i++)
        out = jv_array_append(out, jv_array_get(jv_copy(a), i));
    jv_free(a);
    return out;
}

static int edit_array(struct patch *p, jv *a, const struct pointer *at, enum edit what, jv value)
{
    jv tok = at->tok[at->n - 1];
    int n = jv_array_length(jv_copy(*a)), i = array_index(tok, what == EDIT_ADD ? n : n - 1);

    if (what == EDIT_ADD && !strcmp(jv_string_value(tok), "-"))
        i = n;
    if (i < 0)
        return fail(p, FC_INVALID, at, missing(*a));
    if (what == EDIT_REPLACE || i == n) {
        *a = jv_array_set(*a, i, jv_copy(value));
        return 0;
    }
    p->work += (size_t)n;
    if (p->work > PATCH_WORK)
        return fail(p, FC_INVALID, at, "the patch moves or adds too much");
    if (what == EDIT_ADD)
        *a = splice(*a, i, i, jv_copy(value));
    else
        *a = splice(*a, i, i + 1, jv_invalid());
    return 0;
}

static int edit_object(struct patch *p, jv *o, const struct pointer *at, enum edit what, jv value)
{
    jv tok = at->tok[at->n - 1];

    if (what != EDIT_ADD && !jv_object_has(jv_copy(*o), jv_copy(tok)))
        return fail(p, FC_INVALID, at, missing(*o));
    if (what == EDIT_REMOVE)
        *o = jv_object_delete(*o, jv_copy(tok));
    else
        *o = jv_object_set(*o, jv_copy(tok), jv_copy(value));
    return 0;
}

/* Puts null where a child was, so that editing the child does not copy it. */
static void put_child(jv *v, jv tok, jv x)
{
    if (jv_get_kind(*v) == JV_KIND_OBJECT)
        *v = jv_object_set(*v, jv_copy(tok), x);
    else
        *v = jv_array_set(*v, array_index(tok, jv_array_length(jv_copy(*v)) - 1), x);
}

/* Edits what at's tokens from i on name inside *v. On failure *v is of no further use. */
static int edit(struct patch *p, jv *v, const struct pointer *at, int i, enum edit what, jv value)
{
    jv_kind kind = jv_get_kind(*v);
    jv x;
    int rc;

    if (at->n == 0) {
        jv_free(*v);
        *v = jv_copy(value);
        return 0;
    }
    if (i == at->n - 1) {
        if (kind == JV_KIND_OBJECT)
            return edit_object(p, v, at, what, value);
        if (kind == JV_KIND_ARRAY)
            return edit_array(p, v, at, what, value);
        return fail(p, FC_INVALID, at, missing(*v));
    }
    x = child(*v, at->tok[i]);
    if (!jv_is_valid(x))
        return fail(p, FC_INVALID, at, missing(*v));
    put_child(v, at->tok[i], jv_null());
    rc = edit(p, &x, at, i + 1, what, value);
    put_child(v, at->tok[i], x);
    return rc;
}

/* --- operations ------------------------------------------------------------------------------- */

static int op_add(struct patch *p, jv *doc, struct op *op)
{
    if (admit(p, &op->path, op->value) < 0)
        return -1;
    return edit(p, doc, &op->path, 0, EDIT_ADD, op->value);
}

static int op_replace(struct patch *p, jv *doc, struct op *op)
{
    if (admit(p, &op->path, op->value) < 0)
        return -1;
    return edit(p, doc, &op->path, 0, EDIT_REPLACE, op->value);
}

static int op_remove(struct patch *p, jv *doc, struct op *op)
{
    if (!op->path.n)
        return fail(p, FC_INVALID, &op->path, "cannot be removed");
    return edit(p, doc, &op->path, 0, EDIT_REMOVE, op->value);
}

static int op_copy(struct patch *p, jv *doc, struct op *op)
{
    AUTO_JV jv v = jv_invalid();

    if (lookup(p, *doc, &op->from, &v) < 0 || admit(p, &op->path, v) < 0)
        return -1;
    return edit(p, doc, &op->path, 0, EDIT_ADD, v);
}

static int op_move(struct patch *p, jv *doc, struct op *op)
{
    AUTO_JV jv v = jv_invalid();
    int i;

    if (lookup(p, *doc, &op->from, &v) < 0)
        return -1;
    for (i = 0; i < op->from.n && i < op->path.n
        && jv_equal(jv_copy(op->from.tok[i]), jv_copy(op->path.tok[i])); i++)
        ;
    if (i == op->from.n)
        return i == op->path.n ? 0
            : fail(p, FC_INVALID, &op->from, "cannot be moved into itself");
    if (admit(p, &op->path, v) < 0 || edit(p, doc, &op->from, 0, EDIT_REMOVE, v) < 0)
        return -1;
    return edit(p, doc, &op->path, 0, EDIT_ADD, v);
}

static int op_test(struct patch *p, jv *doc, struct op *op)
{
    AUTO_JV jv v = jv_invalid();

    if (lookup(p, *doc, &op->path, &v) < 0)
        return -1;
    if (!jv_equal(jv_copy(v), jv_copy(op->value)))
        return fail(p, FC_CONFLICT, &op->path, "test failed, the value is another");
    return 0;
}

static const struct verb {
    const char *name;
    bool value, from; /* members that it needs */
    int (*run)(struct patch *p, jv *doc, struct op *op);
} verbs[] = {
    {"add", .value = true, .run = op_add},
    {"remove", .run = op_remove},
    {"replace", .value = true, .run = op_replace},
    {"move", .from = true, .run = op_move},
    {"copy", .from = true, .run = op_copy},
    {"test", .value = true, .run = op_test},
};

static int apply(struct patch *p, jv *doc, jv o)
{
    AUTO_JV jv path = json_get(o, "path"), from = json_get(o, "from");
    AUTO_OP struct op op = {.value = json_get(o, "value")};
    const char *name = json_str(o, "op");
    size_t i;

    if (jv_get_kind(o) != JV_KIND_OBJECT)
        return malformed(p, "must be an object");
    if (!name)
        return malformed(p, "\"op\" must be a string");
    for (i = 0; i < LEN(verbs) && strcmp(name, verbs[i].name); i++)
        ;
    if (i == LEN(verbs))
        return malformed(p, "\"op\" must be add, remove, replace, move, copy or test");
    if (jv_get_kind(path) != JV_KIND_STRING)
        return malformed(p, "\"path\" must be a string");
    if (verbs[i].from && jv_get_kind(from) != JV_KIND_STRING)
        return malformed(p, "\"from\" must be a string");
    if (verbs[i].value && jv_get_kind(op.value) == JV_KIND_INVALID)
        return malformed(p, "\"value\" is missing");
    if (pointer_parse(p, path, &op.path) < 0
        || (verbs[i].from && pointer_parse(p, from, &op.from) < 0))
        return -1;
    return verbs[i].run(p, doc, &op);
}

/* Takes the result to *doc, if it is still a document that can be read. */
static int finish(jv *doc, jv *work, struct err *e)
{
    AUTO_BUF struct buf canon = BUF_INIT;

    json_canon(&canon, *work);
    if (canon.len > JSON_MAX)
        return err_set(e, FC_INVALID, "patch: the result has more than %d bytes", JSON_MAX);
    if (json_check(canon.p, canon.len, e) < 0)
        return err_wrap(e, "patch: the result");
    jv_free(*doc);
    *doc = *work;
    *work = jv_invalid();
    return 0;
}

int json_patch(jv *doc, jv patch, struct err *e)
{
    AUTO_JV jv work = jv_copy(*doc);
    struct patch p = {.err = e};
    int n;

    if (jv_get_kind(patch) != JV_KIND_ARRAY)
        return err_set(e, FC_INVALID, "patch: must be an array of operations");
    n = jv_array_length(jv_copy(patch));
    if (n > PATCH_OPS_MAX)
        return err_set(e, FC_INVALID, "patch: more than %d operations", PATCH_OPS_MAX);
    for (; p.index < n; p.index++) {
        AUTO_JV jv o = jv_array_get(jv_copy(patch), p.index);

        if (apply(&p, &work, o) < 0)
            return -1;
    }
    return finish(doc, &work, e);
}

/* target (consumed) with patch (borrowed, no deeper than JSON_DEPTH) laid over it. */
static jv merged(jv target, jv patch)
{
    if (jv_get_kind(patch) != JV_KIND_OBJECT) {
        jv_free(target);
        return jv_copy(patch);
    }
    if (jv_get_kind(target) != JV_KIND_OBJECT) {
        jv_free(target);
        target = jv_object();
    }
    jv_object_foreach(patch, key, value) {
        if (jv_get_kind(value) == JV_KIND_NULL)
            target = jv_object_delete(target, jv_copy(key));
        else {
            jv below = merged(jv_object_get(jv_copy(target), jv_copy(key)), value);

            target = jv_object_set(target, jv_copy(key), below);
        }
        jv_free(key);
        jv_free(value);
    }
    return target;
}

int json_merge(jv *doc, jv patch, struct err *e)
{
    AUTO_JV jv work = merged(jv_copy(*doc), patch);

    return finish(doc, &work, e);
}
