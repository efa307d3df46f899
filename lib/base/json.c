/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and building JSON values. */
#include "base/json.h"

#include <math.h>
#include <string.h>

int json_parse(const char *text, size_t n, jv *out, struct err *e)
{
    *out = jv_invalid();
    if (json_check(text, n, e) < 0)
        return -1;
    *out = jv_parse_sized(text, (int)n);
    if (!jv_is_valid(*out)) {
        jv msg = jv_invalid_get_msg(*out);

        *out = jv_invalid();
        err_set(e, FC_INVALID, "1:1: %s",
            jv_get_kind(msg) == JV_KIND_STRING ? jv_string_value(msg) : "no JSON");
        jv_free(msg);
        return -1;
    }
    return 0;
}

static jv member(jv v, const char *key, size_t n)
{
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return jv_invalid();
    return jv_object_get(jv_copy(v), jv_string_sized(key, (int)n));
}

jv json_get(jv v, const char *key)
{
    return member(v, key, strlen(key));
}

jv json_at(jv v, const char *path)
{
    jv at = jv_copy(v);

    for (;;) {
        size_t n = strcspn(path, ".");
        jv next = member(at, path, n);

        jv_free(at);
        at = next;
        if (!path[n] || jv_get_kind(at) == JV_KIND_INVALID)
            return at;
        path += n + 1;
    }
}

const char *json_str(jv v, const char *path)
{
    jv s = json_at(v, path);
    const char *p = jv_get_kind(s) == JV_KIND_STRING ? jv_string_value(s) : NULL;

    jv_free(s); /* v holds it still */
    return p;
}

int64_t json_int(jv v, const char *path, int64_t dflt)
{
    jv n = json_at(v, path);

    if (jv_get_kind(n) == JV_KIND_NUMBER) {
        double d = jv_number_value(n);

        if (d == floor(d) && fabs(d) <= 9007199254740992.0)
            dflt = (int64_t)d;
    }
    jv_free(n);
    return dflt;
}

bool json_bool(jv v, const char *path, bool dflt)
{
    jv b = json_at(v, path);
    jv_kind k = jv_get_kind(b);

    jv_free(b);
    return k == JV_KIND_TRUE ? true : k == JV_KIND_FALSE ? false : dflt;
}

bool json_has(jv v, const char *path)
{
    jv x = json_at(v, path);
    bool has = jv_get_kind(x) != JV_KIND_INVALID;

    jv_free(x);
    return has;
}

bool json_nonempty(jv v)
{
    jv_kind k = jv_get_kind(v);

    return (k == JV_KIND_OBJECT && jv_object_length(jv_copy(v)) > 0) ||
        (k == JV_KIND_ARRAY && jv_array_length(jv_copy(v)) > 0);
}

void json_set(jv *o, const char *key, jv val)
{
    if (jv_get_kind(*o) != JV_KIND_OBJECT) {
        jv_free(*o);
        *o = jv_object();
    }
    *o = jv_object_set(*o, jv_string(key), val);
}

void json_sets(jv *o, const char *key, const char *s)
{
    if (s)
        json_set(o, key, jv_string(s));
}

void json_seti(jv *o, const char *key, int64_t n)
{
    json_set(o, key, jv_number((double)n));
}

void json_del(jv *o, const char *key)
{
    if (jv_get_kind(*o) == JV_KIND_OBJECT)
        *o = jv_object_delete(*o, jv_string(key));
}
