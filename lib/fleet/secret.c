/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/secret.h"

#include <string.h>

#include "base/mem.h"

/* The members that the contract gives the format "password", and the secret of an AuthProvider. */
static bool is_secret(const char *name)
{
    static const char *const names[] = {"password", "token", "tls.crt", "tls.key", "sshPrivateKey",
        "privateKeyPassphrase", "clientSecret"};
    size_t i;

    for (i = 0; i < LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Credentials stand in objects, at a bounded depth (JSON_DEPTH). */
static jv walk(jv v, jv old, bool keep)
{
    jv out = jv_copy(v);

    if (jv_get_kind(v) != JV_KIND_OBJECT) {
        jv_free(v);
        return out;
    }
    jv_object_foreach(v, key, value) {
        jv before = jv_get_kind(old) == JV_KIND_OBJECT ?
            jv_object_get(jv_copy(old), jv_copy(key)) : jv_invalid();

        if (jv_get_kind(value) == JV_KIND_OBJECT)
            out = jv_object_set(out, jv_copy(key), walk(jv_copy(value), before, keep));
        else if (is_secret(jv_string_value(key)) && jv_get_kind(value) == JV_KIND_STRING) {
            if (!keep)
                out = jv_object_set(out, jv_copy(key), jv_string(SECRET_MASK));
            else if (jv_is_valid(before) && strcmp(jv_string_value(value), SECRET_MASK) == 0)
                out = jv_object_set(out, jv_copy(key), jv_copy(before));
        }
        jv_free(before);
        jv_free(key);
        jv_free(value);
    }
    jv_free(v);
    return out;
}

void secrets_mask(jv *v)
{
    *v = walk(*v, jv_invalid(), false);
}

void secrets_keep(jv *v, jv old)
{
    *v = walk(*v, old, true);
}
