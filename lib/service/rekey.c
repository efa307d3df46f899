/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rekey.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mod.h"
#include "service/secret.h"
#include "service/service.h"

enum {
    BATCH = 500,  /* rows of one transaction: some 10 ms */
    ROUNDS = 20,  /* others stop writing with an old key when they see the new one: in the second */
};

struct rekey {
    struct store *s;
    const struct rekey_options *o;
    struct rekey_report *out;
    struct seal_keys keys;
    const struct crypto_module *crypto;
    struct arena *a;        /* for the whole run */
    int64_t mark;           /* revisions up to this one are sealed after this round */
    size_t done, total;     /* documents */
    bool others;            /* some are sealed by a key that is not the first */
};

/* One document of a resource or revision. */
struct row {
    int64_t id, rev;        /* rev 0: a resource */
    const char *name, *doc;
    char *sealed;           /* the new text, or NULL: nothing is to be done */
};

/* --- one document ----------------------------------------------------------------------------- */

enum mode {
    COUNT, /* only say whether there is something to do */
    PROBE, /* only tell what cannot be opened */
    SEAL,
};

struct visit {
    struct rekey *w;
    struct secret_place place;
    int64_t rev;
    enum mode mode;
    bool wanted;
};

static void complain(struct visit *v, const struct secret *at, const char *why)
{
    char *rev AUTO_FREE = v->rev ? xasprintf(" revision %lld", (long long)v->rev) : NULL;
    char path[256];
    char *text AUTO_FREE = xasprintf("%s/%s%s: %s: %s", v->place.kind->singular, v->place.name,
        rev ? rev : "", secret_path(at, path), why);

    if (v->w->o->broken)
        v->w->o->broken(v->w->o->ctx, text);
}

/* What cannot be opened is told, and given up if that is wanted. */
static void give_up(struct visit *v, const struct secret *at, const char *why, jv *value)
{
    char *text AUTO_FREE = xasprintf("cannot be opened: %s", why);

    complain(v, at, text);
    v->w->out->broken++;
    if (v->mode == SEAL && v->w->o->abandon) {
        jv_free(*value);
        *value = jv_string(SECRET_LOST);
    }
}

static int visit_one(void *ctx, const struct secret *at, jv *value, struct err *e)
{
    struct visit *v = ctx;
    const char *text = jv_string_value(*value);
    size_t n = (size_t)jv_string_length_bytes(jv_copy(*value));
    char id[SEAL_ID_MAX + 1];
    struct buf clear = BUF_INIT;
    struct err why = {FC_OK, ""};
    int rc = 0;

    if (strcmp(text, SECRET_LOST) == 0) {
        if (v->mode == PROBE && !v->rev)
            complain(v, at, "was given up: it must be set again");
        return 0;
    }
    if (!secret_sealed(text)) {
        v->wanted = true;
        return v->mode != SEAL ? 0 :
            secret_seal(v->w->crypto, &v->w->keys, &v->place, at, text, n, value, e);
    }
    if (v->mode != PROBE && seal_id(text + sizeof SECRET_SEALED - 1, id) == 0) {
        if (v->w->keys.n && strcmp(id, v->w->keys.v[0].id) == 0)
            return 0;
        v->w->others |= seal_keys_find(&v->w->keys, id) != NULL;
    }
    v->wanted = true;
    if (v->mode == COUNT)
        return 0;
    if (secret_open(v->w->crypto, &v->w->keys, &v->place, at, text, &clear, &why) < 0)
        give_up(v, at, why.msg, value);
    else if (v->mode == SEAL)
        rc = secret_seal(v->w->crypto, &v->w->keys, &v->place, at, clear.p ? clear.p : "",
            clear.len, value, e);
    buf_erase(&clear);
    return rc;
}

/* Seals the secrets of a document anew: *sealed is its new text, the caller's, if there is one. */
static int visit_doc(struct visit *v, const char *text, char **sealed, struct err *e)
{
    jv doc AUTO_JV = jv_parse(text), spec = v->rev ? json_get(doc, "spec") : jv_copy(doc);
    struct buf b = BUF_INIT;
    int rc = secrets_each(v->place.kind, &spec, visit_one, v, e);

    *sealed = NULL;
    if (rc == 0 && v->wanted && v->mode == SEAL) {
        if (v->rev)
            json_set(&doc, "spec", jv_copy(spec));
        json_canon(&b, v->rev ? doc : spec);
        if (strcmp(b.p, text) != 0) /* broken ones stay */
            *sealed = buf_steal(&b);
    }
    buf_free(&b);
    jv_free(spec);
    return rc;
}

/* --- all documents ---------------------------------------------------------------------------- */

/* Reads up to BATCH rows behind (name, rev). Returns their number, -1. */
static int read_rows(struct rekey *w, struct arena *a, bool revisions, int64_t org,
    const struct kind *k, const char *name, int64_t rev, struct row *rows, struct err *e)
{
    struct stmt *st = db_stmt(w->s->db, revisions ? SQL_seal_revisions : SQL_seal_resources, e);
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_int(st, 2, k->id);
    st_text(st, 3, name);
    st_int(st, 4, BATCH);
    if (revisions)
        st_int(st, 5, rev);
    while ((rc = st_step(st, e)) == 1) {
        rows[n++] = (struct row){
            .id = st_col_int(st, 0),
            .name = arena_strdup(a, st_col_text(st, 1, NULL)),
            .rev = revisions ? st_col_int(st, 3) : 0,
            .doc = arena_strdup(a, st_col_text(st, 2, NULL)),
        };
    }
    return rc < 0 ? -1 : n;
}

/* Writes what changed, unless somebody else has changed it meanwhile: then it is met again. */
static int write_rows(struct rekey *w, struct row *rows, int n, struct err *e)
{
    int64_t resources = 0, revisions = 0, changed;

    if (store_begin(w->s, e) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        struct stmt *st;

        if (!rows[i].sealed)
            continue;
        st = db_stmt(w->s->db, rows[i].rev ? SQL_seal_revision_put : SQL_seal_resource_put, e);
        if (!st)
            goto fail;
        st_int(st, 1, rows[i].id);
        st_text(st, 2, rows[i].sealed);
        st_text(st, 3, rows[i].doc);
        if ((changed = st_run(st, e)) < 0)
            goto fail;
        *(rows[i].rev ? &revisions : &resources) += changed;
    }
    if (store_commit(w->s, e) < 0)
        goto fail;
    w->out->resources += resources;
    w->out->revisions += revisions;
    return 0;
fail:
    store_rollback(w->s);
    return -1;
}

/* One batch: it is counted, probed, or sealed and written. */
static int batch(struct rekey *w, const struct secret_place *place, struct row *rows, int n,
    enum mode mode, struct err *e)
{
    int sealed = 0, rc = 0;

    for (int i = 0; i < n && rc == 0; i++) {
        struct visit v = {.w = w, .place = *place, .rev = rows[i].rev, .mode = mode};

        if (!rows[i].doc)
            continue;
        v.place.name = rows[i].name;
        rc = visit_doc(&v, rows[i].doc, &rows[i].sealed, e);
        sealed += rows[i].sealed != NULL;
        if (mode == COUNT && v.wanted)
            ++*(rows[i].rev ? &w->out->revisions : &w->out->resources);
        w->done += v.wanted && mode != COUNT;
    }
    if (rc == 0 && sealed)
        rc = write_rows(w, rows, n, e);
    for (int i = 0; i < n; i++)
        free(rows[i].sealed);
    if (rc == 0 && mode != COUNT && w->o->progress)
        w->o->progress(w->o->ctx, w->done < w->total ? w->done : w->total, w->total);
    return rc;
}

static int walk_table(struct rekey *w, bool revisions, int64_t org,
    const struct secret_place *place, enum mode mode, struct err *e)
{
    struct row *rows = xcalloc(BATCH, sizeof *rows);
    char *name AUTO_FREE = xstrdup("");
    int64_t rev = 0;
    int n;

    do {
        struct arena *a AUTO_ARENA = arena_new();

        memset(rows, 0, BATCH * sizeof *rows);
        n = read_rows(w, a, revisions, org, place->kind, name, rev, rows, e);
        if (n > 0) {
            free(name);
            name = xstrdup(rows[n - 1].name);
            rev = rows[n - 1].rev;
            if (batch(w, place, rows, n, mode, e) < 0)
                n = -1;
        }
    } while (n == BATCH);
    free(rows);
    return n < 0 ? -1 : 0;
}

struct org {
    int64_t id;
    const char *uid;
    struct org *next;
};

static int read_orgs(struct rekey *w, struct org **out, struct err *e)
{
    struct stmt *st = db_stmt(w->s->db, SQL_seal_orgs, e);
    int rc;

    *out = NULL;
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        struct org *o = arena_alloc(w->a, sizeof *o);

        *o = (struct org){st_col_int(st, 0), arena_strdup(w->a, st_col_text(st, 1, NULL)), *out};
        *out = o;
    }
    return rc;
}

/* Revisions before resources: a write that comes between the two leaves a revision that `dirty`
 * sees, whatever becomes of its resource here. */
static int walk(struct rekey *w, enum mode mode, struct err *e)
{
    struct org *orgs;

    if (read_orgs(w, &orgs, e) < 0)
        return -1;
    for (const struct org *o = orgs; o; o = o->next)
        for (const struct kind *k = kinds; k->id; k++) {
            struct secret_place place = {.org = o->uid, .kind = k};

            if (kind_has_secrets(k) && (walk_table(w, true, o->id, &place, mode, e) < 0 ||
                walk_table(w, false, o->id, &place, mode, e) < 0))
                return -1;
        }
    return 0;
}

/* --- the key file ----------------------------------------------------------------------------- */

static bool missing(const struct rekey *w)
{
    return w->s->key_file && access(w->s->key_file, F_OK) < 0 && errno == ENOENT;
}

static int write_keys(struct rekey *w, struct err *e)
{
    struct buf text = BUF_INIT;
    struct err why = {FC_OK, ""};
    struct stat st;
    int rc;

    if (w->s->key_credential)
        return err_set(e, FC_FAIL, "%s: keys that come as a credential are changed where they are "
            "kept: put a new one first there", w->s->key_file);
    if (stat(w->s->key_file, &st) == 0 && st.st_uid != geteuid())
        return err_set(e, FC_FAIL, "%s: belongs to another account (user id %u): this is for its "
            "owner to do", w->s->key_file, (unsigned)st.st_uid);
    seal_keys_write(&w->keys, &text);
    rc = file_write(w->s->key_file, text.p, text.len, 0600, &why);
    buf_erase(&text);
    return rc < 0 ? err_set(e, FC_FAIL, "%s", why.msg) : 0;
}

static int last_revision(struct rekey *w, struct err *e)
{
    struct stmt *st = db_stmt(w->s->db, SQL_seal_revision_last, e);

    if (!st || st_step(st, e) != 1)
        return -1;
    w->mark = st_col_int(st, 0);
    st_reset(st);
    return 0;
}

static int use_key(struct rekey *w, struct err *e)
{
    struct stmt *st = db_stmt(w->s->db, SQL_seal_key_set, e);

    if (!st)
        return -1;
    st_text(st, 1, w->keys.v[0].id);
    return st_run(st, e) < 0 ? -1 : 0;
}

/* Reads the keys, which must open the store's secrets unless those are given up. *key: the one that
 * sealed them, or "". */
static int open_keys(struct rekey *w, const char **key, struct err *e)
{
    const char *used;

    if (secret_key_used(w->s, w->a, &used, e) < 0)
        return -1;
    w->keys.n = 0;
    if (!missing(w)) {
        if (secret_keys(w->s, &w->keys, e) < 0)
            return -1;
    } else if (*used && !w->o->abandon)
        return err_set(e, FC_FAIL, "%s: is missing, and with it the key %s that sealed the secrets "
            "of this store (--abandon gives them up)", w->s->key_file, used);
    if (*used && !w->o->abandon && !seal_keys_find(&w->keys, used))
        return err_set(e, FC_FAIL, "%s: has no key %s, with which the secrets of this store are "
            "sealed (--abandon gives them up)", w->s->key_file, used);
    *key = used;
    return 0;
}

/* Which key it is to be, from here on for everybody. In a transaction with the lock. */
static int choose(struct rekey *w, struct err *e)
{
    const char *used;
    bool have;

    if (open_keys(w, &used, e) < 0)
        return -1;
    /* A first key that the store has not seen is fresh; one that others are still to be sealed
     * with belongs to a run that was killed. */
    have = w->keys.n && (strcmp(w->keys.v[0].id, used) != 0 || w->others);
    if (!have && (seal_keys_add(&w->keys, e) < 0 || write_keys(w, e) < 0))
        return -1;
    return use_key(w, e) < 0 || last_revision(w, e) < 0 ? -1 : 0;
}

/* Has anybody written something since the mark that an older key has sealed? */
static int dirty(struct rekey *w, bool *yes, struct err *e)
{
    *yes = false;
    for (const struct kind *k = kinds; k->id; k++) {
        struct stmt *st;
        int rc;

        if (!kind_has_secrets(k))
            continue;
        if (!(st = db_stmt(w->s->db, SQL_seal_revisions_since, e)))
            return -1;
        st_int(st, 1, w->mark);
        st_int(st, 2, k->id);
        while ((rc = st_step(st, e)) == 1) {
            struct visit v = {.w = w, .place = {.kind = k}, .rev = 1};
            char *sealed;

            if (visit_doc(&v, st_col_text(st, 0, NULL), &sealed, e) < 0) {
                st_reset(st);
                return -1;
            }
            *yes |= v.wanted;
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Drops the old keys, if nothing needs them: nobody can write a secret meanwhile. 1: dropped or
 * kept as wanted; 0: another round is due. */
static int finish(struct rekey *w, struct err *e)
{
    struct seal_keys now = {.n = 0};
    const char *used;
    bool again;
    int rc;

    if (dirty(w, &again, e) < 0 || secret_key_used(w->s, w->a, &used, e) < 0)
        return -1;
    if (again)
        return last_revision(w, e) < 0 ? -1 : 0;
    rc = secret_keys(w->s, &now, e);
    if (rc == 0 && (strcmp(used, w->keys.v[0].id) != 0 || strcmp(used, now.v[0].id) != 0))
        rc = err_set(e, FC_AGAIN, "another one changes the key of this store");
    if (rc == 0 && now.n > 1 && !w->o->keep_old && !w->s->key_credential) {
        w->out->dropped = now.n - 1;
        seal_keys_keep_first(&w->keys);
        rc = write_keys(w, e);
    }
    seal_keys_wipe(&now);
    return rc < 0 ? -1 : 1;
}

/* Runs a step in a transaction that nobody else writes secrets in. */
static int locked(struct rekey *w, int (*step)(struct rekey *, struct err *), struct err *e)
{
    int rc;

    if (store_begin(w->s, e) < 0)
        return -1;
    rc = secret_lock(w->s, e);
    if (rc == 0)
        rc = step(w, e);
    if (rc >= 0 && store_commit(w->s, e) < 0)
        rc = -1;
    if (rc < 0)
        store_rollback(w->s);
    return rc;
}

/* What there is to do, and whether an unfinished run is to be taken up. */
static int survey(struct rekey *w, struct err *e)
{
    if (!missing(w) && secret_keys(w->s, &w->keys, e) < 0)
        return -1;
    if (walk(w, COUNT, e) < 0)
        return -1;
    return 0;
}

/* A new key makes every document with a secret one to do. */
static int survey_all(struct rekey *w, struct err *e)
{
    w->keys.n = 0;
    w->out->resources = w->out->revisions = 0;
    if (walk(w, COUNT, e) < 0)
        return -1;
    return 0;
}

static int closed(const struct rekey *w, const char *what, struct err *e)
{
    return err_set(e, FC_INVALID, "%lld secrets %s (--abandon gives them up)",
        (long long)w->out->broken, what);
}

/* Tells what cannot be opened. */
static int probe(struct rekey *w, struct err *e)
{
    const char *used;

    if ((!missing(w) && secret_keys(w->s, &w->keys, e) < 0) || walk(w, PROBE, e) < 0 ||
        open_keys(w, &used, e) < 0)
        return -1;
    return w->out->broken && !w->o->abandon ? closed(w, "cannot be opened", e) : 0;
}

static int run(struct rekey *w, struct err *e)
{
    const char *used;
    int rc, round;

    if (!w->s->key_file)
        return err_set(e, FC_FAIL, "there is no key for secrets");
    if (!(w->crypto = mod_symbol("crypto", "crypto_module", e)) || survey(w, e) < 0 ||
        secret_key_used(w->s, w->a, &used, e) < 0)
        return -1;
    if (w->keys.n && (strcmp(w->keys.v[0].id, used) != 0 || w->others))
        snprintf(w->out->key, sizeof w->out->key, "%s", w->keys.v[0].id);
    else if (survey_all(w, e) < 0)
        return -1;
    w->total = (size_t)(w->out->resources + w->out->revisions);
    if (w->o->dry_run)
        return probe(w, e);
    w->out->resources = w->out->revisions = 0;
    if (locked(w, choose, e) < 0)
        return -1;
    snprintf(w->out->key, sizeof w->out->key, "%s", w->keys.v[0].id);
    for (round = 0, rc = 0; rc == 0 && round < ROUNDS; round++) {
        if (walk(w, SEAL, e) < 0)
            return -1;
        if (w->out->broken && !w->o->abandon)
            return closed(w, "could not be opened: they stay as they are, and all keys are kept", e);
        rc = locked(w, finish, e);
    }
    return rc < 0 ? -1 : rc ? 0 : err_set(e, FC_AGAIN, "others keep writing with an old key");
}

int rekey(struct store *s, const struct rekey_options *o, struct rekey_report *out, struct err *e)
{
    struct rekey w = {.s = s, .o = o, .out = out, .a = arena_new()};
    int rc;

    *out = (struct rekey_report){.key = ""};
    rc = run(&w, e);
    seal_keys_wipe(&w.keys);
    arena_free(w.a);
    return rc;
}
