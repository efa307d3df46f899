/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "fleet/summary.h"
#include "store/index.h"
#include "store/ints.h"

static const struct migration {
    enum sql sql;
    const char *what; /* for people, about a store that has rows */
} migrations[] = {
    {SQL_migrate_1, "all tables"},
    {SQL_migrate_2, "revisions are numbered by resource and keep owner and creation time; devices "
        "keep whether they are disconnected, events their place; organizations are resources"},
};
_Static_assert(LEN(migrations) == STORE_SCHEMA, "a migration for each schema version");

static int first_rows(struct db *d, struct err *e)
{
    char uid[UUID_LEN];
    struct stmt *st;

    uuid_random(uid);
    if (!(st = db_stmt(d, SQL_meta_put, e)))
        return -1;
    st_text(st, 1, "uid");
    st_text(st, 2, uid);
    if (st_run(st, e) < 0 || !(st = db_stmt(d, SQL_org_add, e)))
        return -1;
    st_int(st, 1, ORG_DEFAULT_ID);
    st_text(st, 2, ORG_DEFAULT);
    st_text(st, 3, "default");
    return st_run(st, e) < 0 ? -1 : 0;
}

/* Organizations are resources since schema version 2. */
static int default_resource(struct db *d, struct err *e)
{
    struct stmt *st = db_stmt(d, SQL_org_resource, e);

    if (!st)
        return -1;
    st_int(st, 1, ORG_DEFAULT_ID);
    st_int(st, 2, now_us());
    if (st_run(st, e) < 0 || !(st = db_stmt(d, SQL_org_resource_status, e)))
        return -1;
    st_int(st, 1, ORG_DEFAULT_ID);
    return st_run(st, e) < 0 ? -1 : 0;
}

/* From version v, in the caller's transaction; each (may be NULL) is told of every step done. */
static int migrate_from(struct db *d, int64_t v, const struct migrate_options *o, struct err *e)
{
    bool fresh = v == 0, first = v < 2;

    for (; v < STORE_SCHEMA; v++) {
        if (db_migrate(d, sql_text[migrations[v].sql], (int)v + 1, e) < 0 ||
            (v == 1 && index_fields(&(struct store){.db = d}, e) < 0))
            return err_wrap(e, "schema version %lld to %lld", (long long)v, (long long)v + 1);
        if (o && o->step)
            o->step(o->ctx, (int)v + 1, migrations[v].what);
    }
    if (fresh && first_rows(d, e) < 0)
        return -1;
    return first ? default_resource(d, e) : 0;
}

static int not_newer(const char *url, int64_t v, struct err *e)
{
    char *shown AUTO_FREE = db_shown(url);

    if (v == 0)
        return err_set(e, FC_INVALID, "%s: not a store (fc-store init makes one)", shown);
    if (v == STORE_IMPORTING)
        return err_set(e, FC_INVALID, "%s: an import into it is under way, or was interrupted "
            "(fc-store import -f begins it anew)", shown);
    if (v > STORE_SCHEMA)
        return err_set(e, FC_INVALID, "%s: the store has schema version %lld, this command knows "
            "%d: use a newer one", shown, (long long)v, STORE_SCHEMA);
    return 0;
}

static int init(struct db *d, struct err *e)
{
    int64_t v;

    /* Under the write lock, so that of two that make the same store one is told. */
    if (db_begin(d, true, e) < 0)
        return -1;
    if (db_schema(d, &v, e) == 0 &&
        (v == 0 || err_set(e, FC_CONFLICT, "%s: there is a store already", db_path(d)) == 0) &&
        migrate_from(d, v, NULL, e) == 0 && db_commit(d, e) == 0)
        return 0;
    db_rollback(d);
    return -1;
}

static int open_db(struct db **d, const char *url, int flags, struct err *e)
{
    struct err why = {0};

    if (db_open(d, url, flags, &why) == 0)
        return 0;
    if (why.code == FC_NOTFOUND && strncmp(url, "sqlite:", 7) == 0)
        return err_set(e, FC_NOTFOUND, "%s: no such store (fc-store init makes one)", url);
    return err_set(e, why.code, "%s", why.msg);
}

int store_version(const char *url, int64_t *version, struct err *e)
{
    struct db *d = NULL;
    int rc = -1;

    if (open_db(&d, url, DB_ONCE, e) == 0 && db_schema(d, version, e) == 0)
        rc = not_newer(url, *version, e);
    db_close(d);
    return rc;
}

int store_migrate(const char *url, const struct migrate_options *o, struct err *e)
{
    struct db *d = NULL;
    int64_t v;
    int rc = -1;

    if (open_db(&d, url, 0, e) < 0 || db_begin(d, true, e) < 0)
        goto out;
    if (db_schema(d, &v, e) == 0 && not_newer(url, v, e) == 0 &&
        (v == STORE_SCHEMA || migrate_from(d, v, o, e) == 0))
        rc = o->dry_run || v == STORE_SCHEMA ? 0 : db_commit(d, e);
    db_rollback(d);
out:
    db_close(d);
    return rc < 0 ? -1 : STORE_SCHEMA - (int)v;
}

int store_init(const char *url, struct err *e)
{
    struct db *d = NULL, *side = NULL;
    mode_t mask = umask(0077); /* the store holds what only its owner may read */
    int rc = -1;

    if (db_open(&d, url, DB_CREATE, e) == 0 && init(d, e) == 0 &&
        db_open(&side, url, DB_SEEN, e) == 0)
        rc = 0;
    umask(mask);
    db_close(side);
    db_close(d);
    return rc;
}

static int open_at(struct store *s, const char *url, int flags, bool *importing, struct err *e)
{
    int64_t v;

    memset(s, 0, sizeof *s);
    if (open_db(&s->db, url, flags, e) < 0)
        return -1;
    s->url = xstrdup(url);
    if (db_schema(s->db, &v, e) < 0)
        goto fail;
    if (importing)
        *importing = v == STORE_IMPORTING;
    if (importing && *importing)
        return 0;
    if (not_newer(url, v, e) < 0)
        goto fail;
    if (v < STORE_SCHEMA) {
        char *shown AUTO_FREE = db_shown(url);

        err_set(e, FC_INVALID, "%s: the store has schema version %lld, this command needs %d: "
            "fc-store migrate brings it forward", shown, (long long)v, STORE_SCHEMA);
        goto fail;
    }
    return 0;
fail:
    store_close(s);
    return -1;
}

int store_open(struct store *s, const char *url, struct err *e)
{
    return open_at(s, url, 0, NULL, e);
}

int store_open_once(struct store *s, const char *url, struct err *e)
{
    return open_at(s, url, DB_ONCE, NULL, e);
}

int store_open_import(struct store *s, const char *url, bool *importing, struct err *e)
{
    return open_at(s, url, 0, importing, e);
}

int store_importing(struct store *s, bool importing, struct err *e)
{
    return db_migrate(s->db, "UPDATE meta SET value = value WHERE key = 'uid'",
        importing ? STORE_IMPORTING : STORE_SCHEMA, e);
}

void store_close(struct store *s)
{
    store_cache_drop(s);
    db_close(s->seen);
    db_close(s->read);
    db_close(s->db);
    free(s->read_url);
    free(s->url);
    free(s->key_file);
    memset(s, 0, sizeof *s);
}

void store_patience(struct store *s, int ms)
{
    s->patience = ms;
    db_patience(s->db, ms);
    if (s->seen)
        db_patience(s->seen, ms);
}

int store_begin(struct store *s, struct err *e)
{
    if (db_attach_seen(s->db, e) < 0) /* cannot be done later, inside the transaction */
        return -1;
    s->moved = 0;
    s->wrote = true;
    return db_begin(s->db, true, e);
}

void store_beside(struct store *s, const char *read_url, const char *listen_url)
{
    if (listen_url)
        db_listen(s->db, listen_url);
    if (read_url)
        s->read_url = xstrdup(read_url);
}

/* The identity of the store, in the arena; NULL: none or an error. */
static const char *uid_of(struct db *d, struct arena *a, struct err *e)
{
    struct stmt *st = db_stmt(d, SQL_meta_get, e);
    const char *uid = NULL;

    if (st) {
        st_text(st, 1, "uid");
        if (st_step(st, e) == 1) {
            uid = arena_strdup(a, st_col_text(st, 0, NULL));
            st_reset(st);
        }
    }
    return uid;
}

static int open_replica(struct store *s, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *mine, *its;
    int64_t v;

    if (open_db(&s->read, s->read_url, 0, e) < 0 || db_schema(s->read, &v, e) < 0)
        return -1;
    if (!(mine = uid_of(s->db, a, e)) || !(its = uid_of(s->read, a, e)))
        return -1;
    return v == STORE_SCHEMA && strcmp(mine, its) == 0 ? 0 :
        err_set(e, FC_INVALID, "%s: not a copy of %s", db_path(s->read), db_path(s->db));
}

struct db *store_reader(struct store *s)
{
    struct err e = {0};

    if (s->wrote || db_in_transaction(s->db))
        return s->db;
    if (s->read_url) {
        if (open_replica(s, &e) < 0) {
            log_warn("%s; the store itself is read", e.msg);
            db_close(s->read);
            s->read = NULL;
        }
        free(s->read_url);
        s->read_url = NULL;
    }
    return s->read ? s->read : s->db;
}

void store_pause(void)
{
    usleep(STORE_PAUSE);
}

int store_commit(struct store *s, struct err *e)
{
    store_cache_drop(s);
    return db_commit(s->db, e);
}

void store_cache_drop(struct store *s)
{
    if (s->cache)
        s->cache_free(s->cache);
    s->cache = NULL;
}

void store_rollback(struct store *s)
{
    store_cache_drop(s);
    db_rollback(s->db);
}

int store_org(struct store *s, const char *uid_or_name, int64_t *org, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_find, e);
    char uid[UUID_LEN];
    int rc;

    if (!st)
        return -1;
    if (is_uuid(uid_or_name)) /* names do not look like one */
        st_text(st, 1, uuid_lower(uid, uid_or_name));
    else
        st_text(st, 1, uid_or_name);
    rc = st_step(st, e);
    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "Organization of name \"%s\" not found", uid_or_name);
    if (rc < 0)
        return -1;
    *org = st_col_int(st, 0);
    st_reset(st);
    return 0;
}

int org_add(struct store *s, int64_t id, const char *uid, const char *name, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_add, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    st_text(st, 2, uid);
    st_text(st, 3, name);
    if (st_run(st, e) == 0)
        return err_set(e, FC_CONFLICT, "Organization of uid \"%s\" already exists", uid);
    return 0;
}

int org_uid(struct store *s, struct arena *a, int64_t id, const char **uid, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_uid, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, id);
    if ((rc = st_step(st, e)) == 0)
        return err_set(e, FC_NOTFOUND, "organization %lld is gone", (long long)id);
    if (rc < 0)
        return -1;
    *uid = arena_strdup(a, st_col_text(st, 0, NULL));
    st_reset(st);
    return 0;
}

int org_used(struct store *s, int64_t id, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_used, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, id);
    if ((rc = st_step(st, e)) == 1)
        st_reset(st);
    return rc;
}

int org_delete(struct store *s, int64_t id, struct err *e)
{
    static const enum sql verbs[] = {SQL_org_delete_tasks, SQL_org_delete_tokens, SQL_org_delete};

    for (size_t i = 0; i < LEN(verbs); i++)
        if (RUN(s, verbs[i], e, id) < 0)
            return -1;
    return 0;
}

int org_spec(struct store *s, struct arena *a, int64_t id, const char **name, const char **spec,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_org_spec, e);
    int rc;

    *name = *spec = NULL;
    if (!st)
        return -1;
    st_int(st, 1, id);
    st_int(st, 2, ORG_DEFAULT_ID);
    if ((rc = st_step(st, e)) == 1) {
        *name = arena_strdup(a, st_col_text(st, 0, NULL));
        *spec = arena_strdup(a, st_col_text(st, 1, NULL));
        st_reset(st);
    }
    return rc < 0 ? -1 : 0;
}

int store_meta(struct store *s, struct arena *a, const char *key, const char **value,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_meta_get, e);
    int rc;

    if (!st)
        return -1;
    st_text(st, 1, key);
    if ((rc = st_step(st, e)) != 1)
        return rc;
    *value = arena_strdup(a, st_col_text(st, 0, NULL));
    st_reset(st);
    return 1;
}

int store_meta_put(struct store *s, const char *key, const char *value, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_meta_put, e);

    if (!st)
        return -1;
    st_text(st, 1, key);
    st_text(st, 2, value);
    return st_run(st, e) < 0 ? -1 : 0;
}

/* The lossy side in a transaction that writes. */
static int seen_begin(struct store *s, struct err *e)
{
    if (!s->seen) {
        if (db_open(&s->seen, s->url, DB_SEEN, e) < 0)
            return -1;
        if (s->patience)
            db_patience(s->seen, s->patience);
    }
    return db_begin(s->seen, true, e);
}

int seen_write(struct store *s, const struct seen *v, size_t n, struct err *e)
{
    struct stmt *st;
    size_t i;

    if (n == 0)
        return 0;
    if (seen_begin(s, e) < 0)
        return -1;
    for (i = 0; i < n; i++) {
        if (!(st = db_stmt(s->seen, SQL_seen_put, e)))
            break;
        st_int(st, 1, v[i].id);
        st_int(st, 2, v[i].at);
        st_int(st, 3, SUMMARY_DISCONNECTED);
        if (st_run(st, e) < 0)
            break;
    }
    if (i == n)
        return db_commit(s->seen, e);
    db_rollback(s->seen);
    return -1;
}

int seen_drop(struct store *s, const int64_t *ids, size_t n, struct err *e)
{
    struct stmt *st;
    size_t i;

    if (n == 0)
        return 0;
    if (seen_begin(s, e) < 0)
        return -1;
    for (i = 0; i < n && (st = db_stmt(s->seen, SQL_seen_drop, e)); i++) {
        st_int(st, 1, ids[i]);
        if (st_run(st, e) < 0)
            break;
    }
    if (i == n)
        return db_commit(s->seen, e);
    db_rollback(s->seen);
    return -1;
}

int sweep_time(struct store *s, int64_t *at, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_sweep_time, e);
    const char *text;
    int rc;

    *at = 0;
    if (!st || (rc = st_step(st, e)) < 0)
        return -1;
    if (rc == 1 && (text = st_col_text(st, 0, NULL)) && num_parse(text, 0, INT64_MAX, at, "", NULL) < 0)
        *at = 0;
    if (rc == 1)
        st_reset(st);
    return 0;
}
