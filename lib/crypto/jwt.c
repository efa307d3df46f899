/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwt.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void base64url_encode(struct buf *b, const void *p, size_t n)
{
    size_t start = b->len, i;

    base64_encode(b, p, n);
    for (i = start; i < b->len; i++)
        b->p[i] = b->p[i] == '+' ? '-' : b->p[i] == '/' ? '_' : b->p[i];
    while (b->len > start && b->p[b->len - 1] == '=')
        b->p[--b->len] = '\0';
}

int base64url_decode(struct buf *b, const char *s, size_t n)
{
    struct buf plain AUTO_BUF = BUF_INIT;
    size_t i;

    buf_reserve(&plain, n + 4);
    for (i = 0; i < n; i++) {
        if (strchr("+/=\r\n", s[i])) /* of the other alphabet, or skipped there; NUL, too */
            return -1;
        buf_addc(&plain, s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i]);
    }
    while (plain.len % 4)
        buf_addc(&plain, '=');
    return base64_decode(b, plain.p ? plain.p : "", plain.len);
}

/* How an algorithm of the list wants its key; all others are refused. */
static const struct algorithm {
    const char *name, *kty, *crv;
    size_t signature; /* bytes; 0: those of the modulus */
} algorithms[] = {
    {"ES256", "EC", "P-256", 64},
    {"RS256", "RSA", NULL, 0},
    {"PS256", "RSA", NULL, 0},
};

static const struct algorithm *algorithm(const char *name)
{
    size_t i;

    for (i = 0; name && i < LEN(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

static int denied(struct err *e, const char *what)
{
    return err_set(e, FC_DENIED, "the token %s", what);
}

/* A part of the token as an object. */
static int part(const char *s, size_t n, jv *out, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct err why;

    if (base64url_decode(&b, s, n) < 0)
        return denied(e, "is not base64url");
    if (json_parse(b.p ? b.p : "", b.len, out, &why) < 0 || jv_get_kind(*out) != JV_KIND_OBJECT)
        return denied(e, "holds no JSON object");
    return 0;
}

static int header(struct jwt *t, size_t signature, struct err *e)
{
    const struct algorithm *a;
    const char *typ = json_str(t->header, "typ");

    t->alg = json_str(t->header, "alg");
    t->kid = json_str(t->header, "kid");
    if (!(a = algorithm(t->alg)))
        return denied(e, "is signed by an algorithm that is not accepted");
    if (a->signature && a->signature != signature)
        return denied(e, "has a signature of another length");
    if (json_has(t->header, "crit") || json_has(t->header, "b64"))
        return denied(e, "wants what is not understood");
    if (typ && strcasecmp(typ, "JWT") != 0 && strcasecmp(typ, "at+jwt") != 0)
        return denied(e, "is of another type");
    if ((json_has(t->header, "kid") && !t->kid) || (t->kid && strlen(t->kid) > JWT_KID_MAX))
        return denied(e, "names its key badly");
    return 0;
}

int jwt_parse(const char *text, size_t n, struct jwt *out, struct err *e)
{
    struct buf signature AUTO_BUF = BUF_INIT;
    const char *dot, *last;

    *out = (struct jwt){.header = jv_invalid(), .claims = jv_invalid()};
    if (n > JWT_MAX)
        return denied(e, "is too large");
    dot = memchr(text, '.', n);
    last = dot ? memchr(dot + 1, '.', n - (size_t)(dot + 1 - text)) : NULL;
    if (!last || memchr(last + 1, '.', n - (size_t)(last + 1 - text)))
        return denied(e, "does not have three parts");
    if (part(text, (size_t)(dot - text), &out->header, e) < 0)
        return -1;
    if (base64url_decode(&signature, last + 1, n - (size_t)(last + 1 - text)) < 0)
        return denied(e, "is not base64url");
    if (!signature.len)
        return denied(e, "is not signed");
    if (header(out, signature.len, e) < 0 ||
        part(dot + 1, (size_t)(last - dot - 1), &out->claims, e) < 0)
        return -1;
    out->iss = json_str(out->claims, "iss");
    return out->iss && *out->iss ? 0 : denied(e, "names no issuer");
}

void jwt_free(struct jwt *t)
{
    jv_free(t->header);
    jv_free(t->claims);
    *t = (struct jwt){.header = jv_invalid(), .claims = jv_invalid()};
}

/* A NumericDate in us; -1: there is none, or it is no time. */
static int64_t numeric_date(const struct jwt *t, const char *claim)
{
    jv v AUTO_JV = json_get(t->claims, claim);
    double s = jv_get_kind(v) == JV_KIND_NUMBER ? jv_number_value(v) : -1;

    return s >= 0 && s < 1e11 ? (int64_t)floor(s * 1e6) : -1;
}

int jwt_times(const struct jwt *t, int64_t now, int64_t skew, int64_t *expires, struct err *e)
{
    static const char *const begins[] = {"nbf", "iat"};
    size_t i;

    *expires = numeric_date(t, "exp");
    if (*expires < 0)
        return denied(e, "does not say when it expires");
    if (*expires + skew <= now)
        return denied(e, "has expired");
    for (i = 0; i < LEN(begins); i++) {
        int64_t at = numeric_date(t, begins[i]);

        if (at < 0 && json_has(t->claims, begins[i]))
            return denied(e, "has a time that is none");
        if (at > now + skew)
            return denied(e, "is not valid yet");
    }
    return 0;
}

static bool one_of(jv v, const char *const *any)
{
    size_t i;

    for (i = 0; jv_get_kind(v) == JV_KIND_STRING && any[i]; i++)
        if (strcmp(jv_string_value(v), any[i]) == 0)
            return true;
    return false;
}

bool jwt_audience(const struct jwt *t, const char *const *any)
{
    jv aud AUTO_JV = json_get(t->claims, "aud");
    bool found = one_of(aud, any);

    for (int i = 0, n = jv_get_kind(aud) == JV_KIND_ARRAY ? jv_array_length(jv_copy(aud)) : 0;
        i < n && !found; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(aud), i);

        found = one_of(one, any);
    }
    return found;
}

/* --- keys --------------------------------------------------------------------------------- */

/* A member in base64url between two lengths in bytes; canonical, so that no key has two forms. */
static bool number(jv key, const char *name, size_t min, size_t max)
{
    const char *s = json_str(key, name);
    struct buf b AUTO_BUF = BUF_INIT;

    return s && base64url_decode(&b, s, strlen(s)) == 0 && b.len >= min && b.len <= max;
}

/* Absent, or this. */
static bool says(jv key, const char *name, const char *value)
{
    const char *s = json_str(key, name);

    return s ? strcmp(s, value) == 0 : !json_has(key, name);
}

static bool fits(jv key, const struct algorithm *a)
{
    const char *kty = json_str(key, "kty");

    if (!kty || strcmp(kty, a->kty) != 0 || !says(key, "use", "sig") || !says(key, "alg", a->name))
        return false;
    if (a->crv)
        return json_has(key, "crv") && says(key, "crv", a->crv) && number(key, "x", 32, 32) &&
            number(key, "y", 32, 32);
    return number(key, "n", JWT_RSA_MIN, JWT_RSA_MAX) && number(key, "e", 1, 8);
}

static void write_key(jv key, struct buf *out)
{
    static const char *const members[] = {"kty", "crv", "x", "y", "n", "e"};
    jv v AUTO_JV = jv_object();
    size_t i;

    for (i = 0; i < LEN(members); i++)
        json_sets(&v, members[i], json_str(key, members[i]));
    json_canon(out, v);
}

int jwt_key(const struct jwt *t, jv keys, struct buf *key)
{
    const struct algorithm *a = algorithm(t->alg);
    jv list AUTO_JV = json_get(keys, "keys"), found AUTO_JV = jv_invalid();
    int n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0, i;
    int many = 0;

    for (i = 0; a && i < n && i < JWT_KEYS_MAX; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);
        const char *kid = json_str(one, "kid");

        if (!fits(one, a) || (t->kid && (!kid || strcmp(kid, t->kid) != 0)))
            continue;
        many++;
        jv_free(found);
        found = jv_copy(one);
    }
    if (many != 1) /* of one name there may be one key: which would it be? */
        return 0;
    write_key(found, key);
    return 1;
}
