/* SPDX-License-Identifier: Apache-2.0 */
/* Issues tokens. Only commands that hold the token key link this. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mod.h"
#include "crypto/crypto.h"
#include "fleet/role.h"
#include "service/service.h"
#include "service/token.h"

static void auto_wiped(struct buf *b) { buf_wipe(b); }
#define AUTO_WIPED __attribute__((cleanup(auto_wiped)))

/* --- the key ----------------------------------------------------------------------------------- */

/* Made where there is none yet; of two that make it at once, one wins and both use that. */
static int key_make(const char *path, struct err *e)
{
    struct buf pem AUTO_WIPED = BUF_INIT;
    struct stat st;

    if (lstat(path, &st) == 0)
        return 0;
    if (errno != ENOENT)
        return err_errno(e, "%s", path);
    if (key_generate(&pem, e) < 0)
        return -1;
    return file_create(path, pem.p, pem.len, 0600, e) < 0 && e->code != FC_CONFLICT ? -1 : 0;
}

static int key_get(const struct conf *conf, bool dry, struct buf *pem, struct err *e)
{
    const char *path = conf_get(conf, "tokens", "key-file");
    char *own AUTO_FREE = NULL, *dir AUTO_FREE = NULL;

    if (!path) {
        dir = xasprintf("%s/ca", conf_state_dir(conf));
        path = own = xasprintf("%s/token.key", dir);
        if (!dry && dir_make(dir, 0700, e) < 0)
            return -1;
    }
    if (dry) /* what is not there would be made */
        return access(path, F_OK) < 0 && errno == ENOENT ? key_generate(pem, e) :
            key_load(path, pem, e);
    return key_make(path, e) < 0 ? -1 : key_load(path, pem, e);
}

/* --- what it says ------------------------------------------------------------------------------ */

/* A time from now on, from an option or from a setting. */
static int lifetime(const char *text, const char *what, int64_t now, int64_t *us, struct err *e)
{
    char *ago AUTO_FREE = xasprintf("%s ago", text);
    int64_t at;

    if (time_past(ago, now, &at) < 0 || at >= now)
        return err_set(e, FC_INVALID, "%s: \"%s\" is no time like 8h or 30d", what, text);
    *us = now - at;
    return 0;
}

static int set_times(const struct conf *conf, const char *asked, struct token *t, struct err *e)
{
    const char *most = conf_get(conf, "tokens", "lifetime-max");
    int64_t us, max;

    t->issued = now_us();
    if (lifetime(asked ? asked : conf_get(conf, "tokens", "lifetime"),
        asked ? "--for" : "[tokens] lifetime", t->issued, &us, e) < 0 ||
        lifetime(most, "[tokens] lifetime-max", t->issued, &max, e) < 0)
        return -1;
    if (us > max)
        return err_set(e, FC_DENIED, "%s: longer than %s, which [tokens] lifetime-max allows",
            asked ? asked : "[tokens] lifetime", most);
    t->expires = (t->issued + us) / 1000000 * 1000000; /* as the token itself says */
    return 0;
}

/* A name as it may stand in messages, claims and assignments. */
static int word(const char *s, const char *what, struct err *e)
{
    size_t n = strlen(s), i;

    if (!n || n > TOKEN_WORD_MAX || !utf8_valid(s, n))
        return err_set(e, FC_INVALID, "%s: must be a text of at most %d bytes", what,
            TOKEN_WORD_MAX);
    for (i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return err_set(e, FC_INVALID, "%s: must not hold control characters", what);
    return 0;
}

static int words(const char *const *list, const char *what, jv *out, struct err *e)
{
    size_t i;

    *out = jv_array();
    for (i = 0; list[i]; i++) {
        if (i == TOKEN_WORDS_MAX)
            return err_set(e, FC_INVALID, "%s: more than %d", what, TOKEN_WORDS_MAX);
        if (word(list[i], what, e) < 0)
            return -1;
        *out = jv_array_append(*out, jv_string(list[i]));
    }
    return 0;
}

static int roles_known(const char *const *list, struct err *e)
{
    for (size_t i = 0; list[i]; i++)
        if (!role_find(list[i]))
            return err_set(e, FC_INVALID, "--role: there is no role %s", list[i]);
    return 0;
}

static const char *canonical(struct arena *a, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

static void claims_write(const struct token *t, const char *org_uid, jv roles, jv groups,
    struct buf *out)
{
    jv v AUTO_JV = jv_object();

    json_sets(&v, "iss", TOKEN_ISSUER);
    json_sets(&v, "aud", TOKEN_AUDIENCE);
    json_sets(&v, "sub", t->subject);
    json_sets(&v, "jti", t->jti);
    json_seti(&v, "iat", t->issued / 1000000);
    json_seti(&v, "nbf", t->issued / 1000000);
    json_seti(&v, "exp", t->expires / 1000000);
    json_sets(&v, "organization", org_uid);
    json_set(&v, "roles", jv_copy(roles));
    json_set(&v, "groups", jv_copy(groups));
    json_canon(out, v);
}

static int keep(struct store *s, const struct token *t, const struct actor *who, struct err *e)
{
    if (store_begin(s, e) < 0)
        return -1;
    if (token_add(s, t, e) == 0 && token_told(s, t, "issued", who, e) == 0 &&
        store_commit(s, e) == 0)
        return 0;
    store_rollback(s);
    return -1;
}

int token_issue(struct store *s, const struct conf *conf, const struct token_request *q,
    const struct actor *who, struct token *made, struct arena *a, struct buf *token,
    struct err *e)
{
    const struct jose_module *jose = mod_symbol("jose", "jose_module", e);
    jv roles AUTO_JV = jv_invalid(), groups AUTO_JV = jv_invalid();
    struct buf pem AUTO_WIPED = BUF_INIT, key AUTO_BUF = BUF_INIT, claims AUTO_BUF = BUF_INIT;
    const char *uid;

    if (!jose || word(q->subject, "the subject", e) < 0 || words(q->roles, "--role", &roles, e) < 0 ||
        words(q->groups, "--group", &groups, e) < 0 || roles_known(q->roles, e) < 0)
        return -1;
    *made = (struct token){.org = s->org, .subject = q->subject, .issued_by = who->name,
        .roles = canonical(a, roles), .groups = canonical(a, groups)};
    uuid_random(made->jti);
    if (set_times(conf, q->lifetime, made, e) < 0 || org_uid(s, a, s->org, &uid, e) < 0 ||
        key_get(conf, q->dry, &pem, e) < 0 || jose->public_key(pem.p, pem.len, &key, e) < 0)
        return -1;
    made->key = arena_strndup(a, key.p, key.len);
    claims_write(made, uid, roles, groups, &claims);
    if (q->dry)
        return 0;
    if (jose->sign(pem.p, pem.len, claims.p, token, e) < 0)
        return -1;
    return keep(s, made, who, e);
}
