/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/secret.h"

#include <stdio.h>
#include <string.h>

/* The members that the contract gives the format "password", and the secret of an AuthProvider. */
const struct secret secrets[] = {
    {KIND_AUTHPROVIDER, {"clientSecret"}},
    {KIND_REPOSITORY, {"httpConfig", "password"}},
    {KIND_REPOSITORY, {"httpConfig", "tls.crt"}},
    {KIND_REPOSITORY, {"httpConfig", "tls.key"}},
    {KIND_REPOSITORY, {"httpConfig", "token"}},
    {KIND_REPOSITORY, {"ociAuth", "password"}},
    {KIND_REPOSITORY, {"sshConfig", "privateKeyPassphrase"}},
    {KIND_REPOSITORY, {"sshConfig", "sshPrivateKey"}},
    {KIND_NONE, {NULL}},
};

bool kind_has_secrets(const struct kind *k)
{
    const struct secret *s;

    for (s = secrets; s->kind && s->kind != k->id; s++)
        ;
    return s->kind != KIND_NONE;
}

bool secret_sealed(const char *text)
{
    return strncmp(text, SECRET_SEALED, sizeof SECRET_SEALED - 1) == 0;
}

jv secret_get(const struct secret *at, jv spec)
{
    jv v = jv_copy(spec);

    for (const char *const *name = at->at; *name; name++) {
        jv next = json_get(v, *name);

        jv_free(v);
        v = next;
    }
    if (jv_get_kind(v) == JV_KIND_STRING)
        return v;
    jv_free(v);
    return jv_invalid();
}

const char *secret_path(const struct secret *at, char buf[256])
{
    size_t n = (size_t)snprintf(buf, 256, "spec");

    for (const char *const *name = at->at; *name && n < 256; name++)
        n += (size_t)snprintf(buf + n, 256 - n, ".%s", *name);
    return buf;
}

/* v with x (consumed) at the end of names; consumes v. */
static jv put(jv v, const char *const *names, jv x)
{
    jv below;

    if (!*names) {
        jv_free(v);
        return x;
    }
    below = put(json_get(v, *names), names + 1, x);
    return jv_object_set(v, jv_string(*names), below);
}

int secrets_each(const struct kind *k, jv *spec, secret_fn *each, void *ctx, struct err *e)
{
    for (const struct secret *s = secrets; s->kind; s++) {
        jv v;

        if (s->kind != k->id)
            continue;
        v = secret_get(s, *spec);
        if (!jv_is_valid(v))
            continue;
        if (each(ctx, s, &v, e) < 0) {
            jv_free(v);
            return -1;
        }
        *spec = put(*spec, s->at, v);
    }
    return 0;
}

static int mask(void *ctx, const struct secret *at, jv *value, struct err *e)
{
    (void)ctx;
    (void)at;
    (void)e;
    if (strcmp(jv_string_value(*value), SECRET_LOST) != 0) {
        jv_free(*value);
        *value = jv_string(SECRET_MASK);
    }
    return 0;
}

void secrets_mask(const struct kind *k, jv *spec)
{
    secrets_each(k, spec, mask, NULL, NULL);
}
