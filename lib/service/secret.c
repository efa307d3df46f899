/* SPDX-License-Identifier: Apache-2.0 */
#include "service/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mod.h"
#include "service/service.h"

/* --- the key file ----------------------------------------------------------------------------- */

/* credential: systemd has put it there, and sees to it that nobody else reads it. */
static char *key_file(const struct conf *conf, bool *credential)
{
    const char *set = conf_get(conf, "secrets", "key-file"), *dir = getenv("CREDENTIALS_DIRECTORY");
    char *path;

    *credential = false;
    if (set)
        return xstrdup(set);
    if (dir && *dir == '/') {
        path = xasprintf("%s/fc-secret-key", dir);
        *credential = access(path, F_OK) == 0;
        if (*credential)
            return path;
        free(path);
    }
    return xasprintf("%s/secret.key", conf_state_dir(conf));
}

void secret_source(struct store *s, const struct conf *conf)
{
    s->key_file = key_file(conf, &s->key_credential);
}

int secret_init(const struct conf *conf, struct err *e)
{
    struct seal_keys keys = {.n = 0};
    struct buf text = BUF_INIT;
    struct err why = {FC_OK, ""};
    bool credential;
    char *path AUTO_FREE = key_file(conf, &credential);
    int rc = 0;

    if (access(path, F_OK) == 0)
        return 0;
    if (!conf_get(conf, "secrets", "key-file") && dir_make(conf_state_dir(conf), 0700, e) < 0)
        return -1;
    rc = seal_keys_add(&keys, e);
    if (rc == 0) {
        seal_keys_write(&keys, &text);
        rc = file_create(path, text.p, text.len, 0600, &why);
        if (rc < 0 && why.code == FC_CONFLICT) /* somebody was faster */
            rc = 0;
        else if (rc < 0)
            err_set(e, FC_FAIL, "%s", why.msg);
    }
    seal_keys_wipe(&keys);
    buf_erase(&text);
    return rc;
}

/* Who may own the file: the caller and root; for root, who owns the folder that it is in. */
static bool owner_ok(const char *path, uid_t owner)
{
    char *copy AUTO_FREE = NULL;
    struct stat st;

    if (owner == geteuid() || owner == 0)
        return true;
    copy = xstrdup(path);
    return geteuid() == 0 && stat(dirname(copy), &st) == 0 && st.st_uid == owner;
}

static int key_file_ok(const struct store *s, int fd, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(e, FC_FAIL, "%s: %s", s->key_file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, FC_FAIL, "%s: not a file", s->key_file);
    if (s->key_credential)
        return 0;
    if (st.st_mode & 077)
        return err_set(e, FC_FAIL, "%s: keys that others may open (mode %04o); chmod 600 %s",
            s->key_file, (unsigned)(st.st_mode & 07777), s->key_file);
    if (!owner_ok(s->key_file, st.st_uid))
        return err_set(e, FC_FAIL, "%s: belongs to another account (user id %u)", s->key_file,
            (unsigned)st.st_uid);
    return 0;
}

int secret_keys(const struct store *s, struct seal_keys *out, struct err *e)
{
    struct buf text = BUF_INIT;
    int fd AUTO_CLOSE = -1, rc;

    out->n = 0;
    if (!s->key_file)
        return err_set(e, FC_FAIL, "there is no key for secrets");
    fd = open(s->key_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, FC_FAIL, "%s: the key for secrets is missing: copy it from where this "
            "store's others are sealed, or let fc-store rekey make the first one", s->key_file);
    if (fd < 0)
        return err_set(e, FC_FAIL, "%s: %s", s->key_file, strerror(errno));
    buf_reserve(&text, SEAL_FILE_MAX + 1); /* growing would leave copies in freed memory */
    rc = key_file_ok(s, fd, e);
    if (rc == 0)
        rc = fd_read(fd, s->key_file, SEAL_FILE_MAX, &text, e);
    if (rc == 0)
        rc = seal_keys_parse(text.p, text.len, s->key_file, out, e);
    if (rc < 0 && e)
        e->code = FC_FAIL; /* no fault of what is to be sealed */
    buf_erase(&text);
    return rc;
}

/* --- what the store knows of it --------------------------------------------------------------- */

int secret_lock(struct store *s, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_seal_lock, e);

    return !st || st_run(st, e) < 0 ? -1 : 0;
}

int secret_key_used(struct store *s, struct arena *a, const char **id, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_seal_key, e);
    int rc = st ? st_step(st, e) : -1;

    if (rc < 0)
        return -1;
    *id = rc ? arena_strdup(a, st_col_text(st, 0, NULL)) : "";
    st_reset(st);
    return 0;
}

int secret_org(struct store *s, struct arena *a, int64_t org, const char **uid, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_uid, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    if ((rc = st_step(st, e)) != 1)
        return rc < 0 ? -1 : err_set(e, FC_FAIL, "organization %lld is gone", (long long)org);
    *uid = arena_strdup(a, st_col_text(st, 0, NULL));
    st_reset(st);
    return 0;
}

/* --- sealing and opening ---------------------------------------------------------------------- */

/* None of these parts can hold a line break. */
static void associated(const struct secret_place *p, const struct secret *at, struct buf *out)
{
    char path[256];

    buf_printf(out, SECRET_SEALED "\n%s\n%s\n%s\n%s", p->org, p->kind->name, p->name,
        secret_path(at, path));
}

int secret_open(const struct crypto_module *c, const struct seal_keys *keys,
    const struct secret_place *place, const struct secret *at, const char *text, struct buf *out,
    struct err *e)
{
    struct buf aad AUTO_BUF = BUF_INIT;

    associated(place, at, &aad);
    return c->unseal(keys, aad.p, text + sizeof SECRET_SEALED - 1, out, e);
}

int secret_seal(const struct crypto_module *c, const struct seal_keys *keys,
    const struct secret_place *place, const struct secret *at, const char *text, size_t n,
    jv *value, struct err *e)
{
    struct buf aad AUTO_BUF = BUF_INIT, out AUTO_BUF = BUF_INIT;

    associated(place, at, &aad);
    buf_adds(&out, SECRET_SEALED);
    if (c->seal(&keys->v[0], aad.p, text, n, &out, e) < 0)
        return -1;
    jv_free(*value);
    *value = jv_string_sized(out.p, (int)out.len);
    return 0;
}

/* A spec on its way in. */
struct arrival {
    struct store *s;
    struct arena *a;
    int64_t org;
    struct secret_place place;
    jv stored;                 /* the spec before */
    bool trusted;
    struct seal_keys *keys;    /* read when first needed */
    const struct crypto_module *crypto;
};

/* Nobody may seal with a key that the others of this store do not have. */
static int keys_fit(struct arrival *in, struct err *e)
{
    const struct seal_key *first = &in->keys->v[0];
    const char *used;
    struct stmt *st;

    if (secret_key_used(in->s, in->a, &used, e) < 0)
        return -1;
    if (strcmp(used, first->id) == 0)
        return 0;
    if (*used && !seal_keys_find(in->keys, used))
        return err_set(e, FC_FAIL, "%s: has no key %s, with which the secrets of this store are "
            "sealed: copy the file from where fc-store rekey ran", in->s->key_file, used);
    if (!(st = db_stmt(in->s->db, SQL_seal_key_set, e)))
        return -1;
    st_text(st, 1, first->id);
    return st_run(st, e) < 0 ? -1 : 0;
}

static int need_keys(struct arrival *in, struct err *e)
{
    if (in->keys)
        return 0;
    in->keys = xcalloc(1, sizeof *in->keys);
    if (secret_keys(in->s, in->keys, e) < 0 || keys_fit(in, e) < 0 ||
        secret_org(in->s, in->a, in->org, &in->place.org, e) < 0)
        return -1;
    in->crypto = mod_symbol("crypto", "crypto_module", e);
    return in->crypto ? 0 : -1;
}

/* In the same time wherever they differ. */
static bool equal(const char *p, size_t n, const struct buf *b)
{
    volatile unsigned char diff = 0;
    size_t i;

    if (n != b->len)
        return false;
    for (i = 0; i < n; i++)
        diff |= (unsigned char)(p[i] ^ b->p[i]);
    return diff == 0;
}

/* Is text what was sealed before? What cannot be opened is replaced, and that is said. */
static bool stays(struct arrival *in, const struct secret *at, const char *text, size_t n,
    const char *before)
{
    struct err why = {FC_OK, ""};
    struct buf clear = BUF_INIT;
    bool same = false;
    char path[256];

    if (secret_open(in->crypto, in->keys, &in->place, at, before, &clear, &why) == 0)
        same = equal(text, n, &clear);
    else
        log_warn("%s/%s: %s: what was stored cannot be opened and is replaced: %s",
            in->place.kind->singular, in->place.name, secret_path(at, path), why.msg);
    buf_erase(&clear);
    return same;
}

/* Sealed texts that the system itself brings (an import, an undo): their key must be known, where
 * keys are. */
static int admit(struct arrival *in, const char *text, const char *path, struct err *e)
{
    char id[SEAL_ID_MAX + 1];

    if (!in->trusted)
        return err_set(e, FC_INVALID, "%s: must not begin with %s", path, SECRET_SEALED);
    if (seal_id(text + sizeof SECRET_SEALED - 1, id) < 0)
        return err_set(e, FC_INVALID, "%s: is no sealed secret", path);
    if (access(in->s->key_file ? in->s->key_file : "", F_OK) < 0)
        return 0;
    if (need_keys(in, e) < 0)
        return -1;
    return seal_keys_find(in->keys, id) ? 0 : err_set(e, FC_INVALID, "%s: sealed by key %s, which "
        "%s does not have", path, id, in->s->key_file);
}

/* The mark of a lost secret, which stays, or comes back with an undo. */
static int take_lost(const struct arrival *in, const char *path, bool stored, struct err *e)
{
    if (!stored && !in->trusted)
        return err_set(e, FC_INVALID, "%s: \"%s\" stands for a value that was lost: it must be set "
            "again", path, SECRET_LOST);
    log_warn("%s/%s: %s: was lost with its key: it must be set again", in->place.kind->singular,
        in->place.name, path);
    return 0;
}

static int take(void *ctx, const struct secret *at, jv *value, struct err *e)
{
    struct arrival *in = ctx;
    const char *text = jv_string_value(*value);
    size_t n = (size_t)jv_string_length_bytes(jv_copy(*value));
    jv old AUTO_JV = secret_get(at, in->stored);
    const char *before = jv_is_valid(old) ? jv_string_value(old) : NULL;
    char path[256];

    secret_path(at, path);
    if (before && strcmp(before, SECRET_LOST) == 0)
        before = NULL;
    if (strcmp(text, SECRET_LOST) == 0)
        return take_lost(in, path, jv_is_valid(old) && !before, e);
    if (strcmp(text, SECRET_MASK) == 0 && !before)
        return err_set(e, FC_INVALID, "%s: \"%s\" stands for a value that is stored, and there is "
            "none", path, SECRET_MASK);
    if (strcmp(text, SECRET_MASK) == 0 || (before && strcmp(text, before) == 0 &&
        (in->trusted || !secret_sealed(text)))) {
        jv_free(*value);
        *value = jv_copy(old);
        return 0;
    }
    if (secret_sealed(text))
        return admit(in, text, path, e);
    if (need_keys(in, e) < 0)
        return err_wrap(e, "%s", path);
    if (before && secret_sealed(before) && stays(in, at, text, n, before)) {
        jv_free(*value);
        *value = jv_copy(old);
        return 0;
    }
    return secret_seal(in->crypto, in->keys, &in->place, at, text, n, value, e);
}

int secrets_store(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const char *stored, bool trusted, jv *spec, struct err *e)
{
    jv old AUTO_JV = stored ? jv_parse(stored) : jv_null();
    struct arrival in = {
        .s = s,
        .a = a,
        .org = org,
        .place = {.kind = k, .name = name},
        .stored = old,
        .trusted = trusted,
    };
    int rc = secrets_each(k, spec, take, &in, e);

    if (in.keys)
        seal_keys_wipe(in.keys);
    free(in.keys);
    return rc;
}
