/* SPDX-License-Identifier: Apache-2.0 */
/* Where a fleet's template may have parameters. */
#include <string.h>

#include "fleet/render.h"

struct place {
    jv metadata; /* borrowed */
    struct buf path; /* "spec.config[0].gitRef.path" */
    struct err *err;
};

/* Replaces *v; 0 also when there was nothing to do. */
typedef int (*fill_fn)(struct place *p, jv *v);

static int fail(struct place *p, const char *why)
{
    return err_set(p->err, FC_INVALID, "%s: %s", p->path.p, why);
}

static bool has_params(const char *s, size_t n)
{
    return memmem(s, n, "{{", 2) != NULL;
}

static int fill_string(struct place *p, jv *v)
{
    AUTO_BUF struct buf b = BUF_INIT;
    const char *s;
    size_t n;

    if (jv_get_kind(*v) != JV_KIND_STRING)
        return 0;
    s = jv_string_value(*v);
    n = (size_t)jv_string_length_bytes(jv_copy(*v));
    if (!has_params(s, n))
        return 0;
    if (template_filln(s, n, p->metadata, &b, p->err) < 0)
        return err_wrap(p->err, "%s", p->path.p);
    if (!utf8_valid(b.p ? b.p : "", b.len) || (b.len && memchr(b.p, '\0', b.len)))
        return fail(p, "the parameters make it no text: invalid UTF-8 or a NUL byte");
    jv_free(*v);
    *v = jv_string_sized(b.p ? b.p : "", (int)b.len);
    return 0;
}

static int fill_base64(struct place *p, jv *v)
{
    AUTO_BUF struct buf text = BUF_INIT, filled = BUF_INIT, coded = BUF_INIT;

    if (jv_get_kind(*v) != JV_KIND_STRING)
        return 0;
    if (base64_decode(&text, jv_string_value(*v), (size_t)jv_string_length_bytes(jv_copy(*v))) < 0)
        return fail(p, "is not base64");
    /* Two braces in a binary file are an accident. */
    if (!text.len || memchr(text.p, '\0', text.len) || !utf8_valid(text.p, text.len)
        || !has_params(text.p, text.len))
        return 0;
    if (template_filln(text.p, text.len, p->metadata, &filled, p->err) < 0)
        return err_wrap(p->err, "%s", p->path.p);
    base64_encode(&coded, filled.p, filled.len);
    jv_free(*v);
    *v = jv_string_sized(coded.p ? coded.p : "", (int)coded.len);
    return 0;
}

/* Walks *v along a pattern ("config.[].gitRef.path"; [] is each element, * each member) and fills
 * what it ends at. What is not there, or of another kind, is left to the validation. */
static int walk(struct place *p, jv *v, const char *pattern, fill_fn fill);

static int walk_member(struct place *p, jv *o, jv key, const char *rest, fill_fn fill)
{
    AUTO_JV jv x = jv_object_get(jv_copy(*o), jv_copy(key));
    size_t len = p->path.len;

    buf_addc(&p->path, '.');
    buf_adds(&p->path, jv_string_value(key));
    if (walk(p, &x, rest, fill) < 0)
        return -1;
    *o = jv_object_set(*o, jv_copy(key), jv_copy(x));
    p->path.len = len;
    p->path.p[len] = '\0';
    return 0;
}

static int walk_element(struct place *p, jv *a, int i, const char *rest, fill_fn fill)
{
    AUTO_JV jv x = jv_array_get(jv_copy(*a), i);
    size_t len = p->path.len;

    buf_printf(&p->path, "[%d]", i);
    if (walk(p, &x, rest, fill) < 0)
        return -1;
    *a = jv_array_set(*a, i, jv_copy(x));
    p->path.len = len;
    p->path.p[len] = '\0';
    return 0;
}

static int walk(struct place *p, jv *v, const char *pattern, fill_fn fill)
{
    size_t n = strcspn(pattern, ".");
    const char *rest = pattern[n] ? pattern + n + 1 : pattern + n;
    AUTO_JV jv keys = jv_invalid();
    jv_kind kind = jv_get_kind(*v);
    int i, count;

    if (!*pattern)
        return fill(p, v);
    if (n == 2 && !memcmp(pattern, "[]", 2)) {
        count = kind == JV_KIND_ARRAY ? jv_array_length(jv_copy(*v)) : 0;
        for (i = 0; i < count; i++)
            if (walk_element(p, v, i, rest, fill) < 0)
                return -1;
        return 0;
    }
    if (kind != JV_KIND_OBJECT)
        return 0;
    if (n == 1 && *pattern == '*') {
        keys = jv_keys(jv_copy(*v));
    } else {
        jv key = jv_string_sized(pattern, (int)n);

        keys = jv_object_has(jv_copy(*v), jv_copy(key)) ? JV_ARRAY_1(jv_copy(key)) : jv_array();
        jv_free(key);
    }
    count = jv_array_length(jv_copy(keys));
    for (i = 0; i < count; i++) {
        AUTO_JV jv key = jv_array_get(jv_copy(keys), i);

        if (walk_member(p, v, key, rest, fill) < 0)
            return -1;
    }
    return 0;
}

static int fill_file(struct place *p, jv *v)
{
    const char *encoding = json_str(*v, "contentEncoding");
    bool base64 = encoding && !strcmp(encoding, "base64");

    if (walk(p, v, "path", fill_string) < 0)
        return -1;
    return walk(p, v, "content", base64 ? fill_base64 : fill_string);
}

int params_fill(jv *spec, jv metadata, struct err *e)
{
    static const struct { const char *pattern; fill_fn fill; } places[] = {
        {"os.image", fill_string},
        {"config.[].gitRef.targetRevision", fill_string},
        {"config.[].gitRef.path", fill_string},
        {"config.[].httpRef.suffix", fill_string},
        {"config.[].httpRef.filePath", fill_string},
        {"config.[].secretRef.name", fill_string},
        {"config.[].secretRef.namespace", fill_string},
        {"config.[].secretRef.mountPath", fill_string},
        {"config.[].inline.[]", fill_file},
        {"applications.[].image", fill_string},
        {"applications.[].envVars.*", fill_string},
        {"applications.[].volumes.[].image.reference", fill_string},
        {"applications.[].inline.[]", fill_file},
    };
    struct place p = {.metadata = metadata, .path = BUF_INIT, .err = e};
    size_t i;
    int rc = 0;

    for (i = 0; !rc && i < LEN(places); i++) {
        buf_reset(&p.path);
        buf_adds(&p.path, "spec");
        rc = walk(&p, spec, places[i].pattern, places[i].fill);
    }
    buf_free(&p.path);
    return rc;
}
