/* SPDX-License-Identifier: Apache-2.0 */
#include "service/upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/print.h"
#include "db/sqlite_file.h"
#include "service/check.h"
#include "service/history.h"
#include "service/question.h"
#include "service/rekey.h"
#include "service/secret.h"
#include "service/service.h"
#include "store/backup.h"
#include "store/dump.h"
#include "store/event.h"
#include "store/gc.h"
#include "store/ints.h"

int upkeep_init(struct upkeep *u, struct err *e)
{
    const char *state = conf_state_dir(u->conf);
    char *shown AUTO_FREE = NULL;

    /* The state folder is ours to make; that of any other path is its owner's. */
    if (!strncmp(u->url, "sqlite:", 7) && !strncmp(u->url + 7, state, strlen(state)) &&
        dir_make(state, 0700, e) < 0)
        return -1;
    if (secret_init(u->conf, e) < 0 || store_init(u->url, e) < 0)
        return -1;
    shown = db_shown(u->url);
    printf("made %s\n", shown);
    return 0;
}

static void show(void *ctx, size_t done, size_t total)
{
    struct upkeep *u = ctx;

    progress_show(&u->bar, u->verb, done, total);
}

static int backed_up(struct upkeep *u, const char *file, struct err *e)
{
    struct backup_options o = {.force = u->force, .progress = show, .ctx = u};
    int rc = store_backup(u->url, file, &o, e);

    progress_clear(&u->bar);
    return rc;
}

static void step(void *ctx, int to, const char *what)
{
    struct upkeep *u = ctx;

    printf("%s schema version %d: %s\n", u->dry ? "would go to" : "to", to, what);
}

int upkeep_migrate(struct upkeep *u, struct err *e)
{
    struct migrate_options o = {.dry_run = u->dry, .step = step, .ctx = u};
    int n;

    if (u->advance && !u->dry && backed_up(u, u->advance, e) < 0)
        return -1;
    if ((n = store_migrate(u->url, &o, e)) == 0)
        printf("schema version %d: nothing to do\n", STORE_SCHEMA);
    return n < 0 ? -1 : 0;
}

int upkeep_backup(struct upkeep *u, struct err *e)
{
    return backed_up(u, u->file, e);
}

int upkeep_restore(struct upkeep *u, struct err *e)
{
    struct backup_options o = {.force = u->force, .progress = show, .ctx = u};
    int64_t version;
    int rc = store_restore(u->url, u->file, &o, &version, e);

    progress_clear(&u->bar);
    if (rc < 0)
        return -1;
    printf("restored %s\n", u->url);
    if (version < STORE_SCHEMA)
        log_warn("its schema version is %lld: fc-store migrate brings it forward",
            (long long)version);
    return 0;
}

int upkeep_export(struct upkeep *u, struct err *e)
{
    struct dump_options o = {.org = u->org, .no_history = u->no_history,
        .no_events = u->no_events, .progress = show, .ctx = u};
    struct store s;
    int rc;

    if (store_open_once(&s, u->url, e) < 0)
        return -1;
    rc = store_export(&s, &o, stdout, e);
    progress_clear(&u->bar);
    store_close(&s);
    return rc;
}

static const struct column problem_columns[] = {
    {"ORGANIZATION", "organization", COL_TEXT, false},
    {"KIND", "kind", COL_TEXT, false},
    {"NAME", "name", COL_TEXT, false},
    {"PROBLEM", "problem", COL_TEXT, false},
    {"FIXED", "fixed", COL_TEXT, false},
    {0},
};

static void problem(void *ctx, const struct problem *p)
{
    jv v AUTO_JV = jv_object();
    struct upkeep *u = ctx;
    struct err why;

    progress_clear(&u->bar);
    json_sets(&v, "organization", p->org);
    json_sets(&v, "kind", p->kind);
    json_sets(&v, "name", p->name);
    json_sets(&v, "problem", p->what);
    json_set(&v, "fixed", p->fixed ? jv_true() : jv_false());
    if (printer_put(u->printer, p->name, v, &why) < 0)
        log_err(&why);
}

int upkeep_check(struct upkeep *u, struct err *e)
{
    char user[64];
    struct actor who = {.name = service_user(user), .source = log_name};
    struct check_options o = {.fix = u->fix, .who = &who, .problem = problem, .progress = show,
        .ctx = u};
    struct store s;
    int64_t left;
    int rc;

    if (store_open(&s, u->url, e) < 0)
        return -1;
    if (printer_open(&u->printer, stdout, u->format, u->filter, e) < 0) {
        store_close(&s);
        return -1;
    }
    printer_columns(u->printer, problem_columns, NULL);
    rc = check_store(&s, &o, &left, e);
    progress_clear(&u->bar);
    if (printer_close(u->printer, rc < 0 ? NULL : e) < 0)
        rc = -1;
    if (rc == 0 && left)
        rc = err_set(e, FC_FAIL, "%s: %lld problems", db_path(s.db), (long long)left);
    store_close(&s);
    return rc;
}

static void arrived(void *ctx, const char *sealed)
{
    struct upkeep *u = ctx;
    char id[SEAL_ID_MAX + 1] = "";

    if (seal_id(sealed, id) < 0 || !seal_keys_find(u->keys, id)) {
        u->closed++;
        memcpy(u->lacking, id, sizeof id);
    }
}

/* The secrets came, but not the keys: now is the time to fetch them. */
static void say_closed(const struct upkeep *u, const struct store *keyed, const struct err *why)
{
    if (u->closed && why->code)
        log_warn("%lld secrets cannot be opened: %s", (long long)u->closed, why->msg);
    else if (u->closed)
        log_warn("%lld secrets cannot be opened: %s has no key %s, with which they were sealed",
            (long long)u->closed, keyed->key_file, u->lacking);
}

int upkeep_import(struct upkeep *u, struct err *e)
{
    struct seal_keys keys = {.n = 0};
    struct store keyed = {0}; /* no more of it than where the keys are */
    struct err why = {FC_OK, ""};
    const char *file = u->file;
    char user[64];
    struct actor who = {.name = service_user(user), .source = log_name};
    struct import_options o = {.source = strcmp(file, "-") ? file : "standard input",
        .who = &who, .org = u->org, .dry_run = u->dry, .force = u->force, .progress = show, .sealed = arrived,
        .ctx = u};
    FILE *in = strcmp(file, "-") ? fopen(file, "re") : stdin;
    int64_t lines;
    int rc;

    if (!in)
        return err_errno(e, "%s", file);
    secret_source(&keyed, u->conf);
    secret_keys(&keyed, &keys, &why);
    u->keys = &keys;
    rc = store_import(u->url, in, &o, &lines, e);
    progress_clear(&u->bar);
    if (in != stdin)
        fclose(in);
    if (rc == 0) {
        say_closed(u, &keyed, &why);
        printf("%s %lld records\n", u->dry ? "would import" : "imported", (long long)lines);
    }
    seal_keys_wipe(&keys);
    free(keyed.key_file);
    return rc;
}

static void broken(void *ctx, const char *message)
{
    struct upkeep *u = ctx;

    progress_clear(&u->bar);
    log_warn("%s", message);
}

/* Shows what would be lost, and asks. */
static int may_abandon(struct store *s, struct rekey_options *o, struct err *e)
{
    struct rekey_options look = *o;
    struct rekey_report found;
    char *verb AUTO_FREE = NULL;
    struct question q = {.otherwise = "nothing was changed"};

    look.dry_run = true;
    if (rekey(s, &look, &found, e) < 0)
        return -1;
    if (!found.broken)
        return 0;
    o->broken = NULL; /* they were told now */
    q.verb = verb = xasprintf("Give up %lld secrets for good", (long long)found.broken);
    return question_ask(&q, e);
}

int upkeep_rekey(struct upkeep *u, struct err *e)
{
    struct rekey_options o = {.dry_run = u->dry, .keep_old = u->keep_old, .abandon = u->abandon,
        .progress = show, .broken = broken, .ctx = u};
    struct rekey_report done;
    struct store s;
    int rc;

    if (service_open(&s, u->conf, u->url, NULL, e) < 0)
        return -1;
    rc = u->abandon && !u->dry && !u->yes ? may_abandon(&s, &o, e) : 0;
    if (rc == 0)
        rc = rekey(&s, &o, &done, e);
    progress_clear(&u->bar);
    store_close(&s);
    if (rc < 0)
        return -1;
    printf("%s %lld resources and %lld revisions with %s%s", u->dry ? "would seal" : "sealed",
        (long long)done.resources, (long long)done.revisions, *done.key ? "key " : "a new key",
        done.key);
    if (done.broken)
        printf(", %s %lld secrets", u->dry ? "give up" : "gave up", (long long)done.broken);
    if (done.dropped)
        printf(", dropped %zu old keys", done.dropped);
    putchar('\n');
    return 0;
}

/* --- gc --------------------------------------------------------------------------------------- */

#define DAY (INT64_C(24) * 60 * 60 * 1000000) /* us that what is no longer used stays */
#define TOKEN_KEPT (30 * DAY) /* a list shows tokens so long after their end */

/* A setting that is an age: the time so long before now. */
static int before(const struct upkeep *u, const char *section, const char *key, int64_t now,
    int64_t *out, struct err *e)
{
    const char *age = conf_get(u->conf, section, key);
    char *ago AUTO_FREE = xasprintf("%s ago", age);

    return time_past(ago, now, out) == 0 ? 0 : err_set(e, FC_INVALID, "[%s] %s: \"%s\" is no time "
        "like 90d", section, key, age);
}

static int number(const struct upkeep *u, const char *section, const char *key, int64_t *out,
    struct err *e)
{
    if (num_parse(conf_get(u->conf, section, key), 0, INT32_MAX, out, key, NULL) == 0)
        return 0;
    return err_set(e, FC_INVALID, "[%s] %s: must be a number, 0 or more", section, key);
}

static const struct column gc_columns[] = {
    {"REVISIONS", "revisions", COL_TEXT, false},
    {"EVENTS", "events", COL_TEXT, false},
    {"TEMPLATE VERSIONS", "templateVersions", COL_TEXT, false},
    {"RENDERED SPECS", "renderedSpecs", COL_TEXT, false},
    {"DEAD TASKS", "deadTasks", COL_TEXT, false},
    {"TOKENS", "tokens", COL_TEXT, false},
    {"LAST SEEN", "lastSeen", COL_TEXT, false},
    {0},
};

/* One of the columns is done. */
static void collected(struct upkeep *u, jv *counts, const char *name, int64_t n)
{
    json_seti(counts, name, n);
    show(u, (size_t)jv_object_length(jv_copy(*counts)), LEN(gc_columns) - 1);
}

static int collect(struct upkeep *u, struct store *s, jv *counts, struct err *e)
{
    int64_t now = now_us(), dead, old, newest, templates, n = 0;

    show(u, 0, LEN(gc_columns) - 1);
    if (before(u, "gc", "dead-tasks", now, &dead, e) < 0 ||
        number(u, "gc", "templates", &templates, e) < 0 ||
        before(u, "events", "age", now, &old, e) < 0 ||
        number(u, "events", "keep", &newest, e) < 0 ||
        history_gc(s, u->conf, now, u->dry, &n, e) < 0)
        return -1;
    collected(u, counts, "revisions", n);
    if (event_gc(s, old, newest, u->dry, &n, e) < 0)
        return -1;
    collected(u, counts, "events", n);
    if ((n = gc_templates(s, now - DAY, templates, u->dry, e)) < 0)
        return -1;
    collected(u, counts, "templateVersions", n);
    if ((n = gc_rendered(s, now - DAY, u->dry, e)) < 0)
        return -1;
    collected(u, counts, "renderedSpecs", n);
    if ((n = gc_tasks(s, dead, u->dry, e)) < 0)
        return -1;
    collected(u, counts, "deadTasks", n);
    if ((n = gc_tokens(s, now - TOKEN_KEPT, u->dry, e)) < 0)
        return -1;
    collected(u, counts, "tokens", n);
    if ((n = gc_seen(s, u->dry, e)) < 0)
        return -1;
    collected(u, counts, "lastSeen", n);
    return 0;
}

/* One document, and closes. */
static int print_one(const struct upkeep *u, const struct column *columns, jv v, struct err *e)
{
    struct printer *p;

    if (printer_open(&p, stdout, u->format, u->filter, e) < 0)
        return -1;
    printer_columns(p, columns, NULL);
    if (printer_put(p, u->verb, v, e) < 0) {
        printer_close(p, NULL);
        return -1;
    }
    return printer_close(p, e);
}

int upkeep_gc(struct upkeep *u, struct err *e)
{
    jv counts AUTO_JV = jv_object();
    struct store s;
    int rc;

    if (store_open(&s, u->url, e) < 0)
        return -1;
    rc = collect(u, &s, &counts, e);
    store_close(&s);
    /* On a connection of its own, which has nothing attached. */
    if (rc == 0 && u->compact && !u->dry && (rc = store_open(&s, u->url, e)) == 0) {
        rc = db_exec(s.db, "VACUUM", e) < 0 ? -1 : db_exec(s.db, "ANALYZE", e);
        store_close(&s);
    }
    progress_clear(&u->bar);
    return rc < 0 ? -1 : print_one(u, gc_columns, counts, e);
}

/* --- info ------------------------------------------------------------------------------------- */

static const struct column info_columns[] = {
    {"STORE", "store", COL_TEXT, false},
    {"SCHEMA", "schema", COL_TEXT, false},
    {"ORGANIZATIONS", "organizations", COL_COUNT, false},
    {"DEVICES", "resources.Device", COL_TEXT, false},
    {"FLEETS", "resources.Fleet", COL_TEXT, false},
    {"EVENTS", "events", COL_TEXT, false},
    {"READY", "tasks.ready", COL_TEXT, false},
    {"LEASED", "tasks.leased", COL_TEXT, false},
    {"DEAD", "tasks.dead", COL_TEXT, false},
    {"BYTES", "bytes", COL_TEXT, false},
    {"SWEPT", "lastSweep", COL_AGO, false},
    {"DATABASE", "database", COL_TEXT, true},
    {"UID", "uid", COL_TEXT, true},
    {"KEY", "secretKey", COL_TEXT, true},
    {0},
};

/* What a query of this database's own answers, as text; NULL: error. */
static char *answer(struct store *s, const char *sql, struct err *e)
{
    struct stmt *st = db_prepare(s->db, sql, e);
    char *out = NULL;

    if (st && st_step(st, e) == 1)
        out = xstrdup(st_col_text(st, 0, NULL));
    st_free(st);
    return out;
}

static int info_database(struct store *s, jv *v, struct err *e)
{
    const char *path = sqlite_path(s->url);
    char *version AUTO_FREE = answer(s, path ? "SELECT sqlite_version()" : "SHOW server_version",
        e);
    char *size AUTO_FREE = answer(s, path ? "SELECT CAST(page_count * page_size AS TEXT) FROM "
        "pragma_page_count(), pragma_page_size()" :
        "SELECT CAST(pg_database_size(current_database()) AS TEXT)", e);
    char *what AUTO_FREE = NULL;

    if (!version || !size)
        return -1;
    what = xasprintf("%s %s", path ? "SQLite" : "PostgreSQL", version);
    json_sets(v, "database", what);
    json_seti(v, "bytes", strtoll(size, NULL, 10));
    return 0;
}

static int info_meta(struct store *s, jv *v, struct err *e)
{
    static const char *const keys[] = {"uid", "secret-key", "sweep"};
    static const char *const names[] = {"uid", "secretKey", "lastSweep"};
    struct arena *a AUTO_ARENA = arena_new();
    char at[TIME_LEN];

    for (size_t i = 0; i < LEN(keys); i++) {
        const char *value = NULL;

        if (store_meta(s, a, keys[i], &value, e) < 0)
            return -1;
        if (value && i == 2) {
            time_format(strtoll(value, NULL, 10), at);
            value = at;
        }
        if (value && *value)
            json_sets(v, names[i], value);
    }
    return 0;
}

static int info_rows(struct store *s, jv *v, struct err *e)
{
    jv orgs = jv_array(), kinds_of = jv_object(), tasks = jv_object();
    struct stmt *st = db_stmt(s->db, SQL_dump_orgs, e);
    int64_t n = -1;
    int rc = st ? 0 : -1;

    while (st && (rc = st_step(st, e)) == 1)
        orgs = jv_array_append(orgs, jv_string(st_col_text(st, 2, NULL)));
    json_set(v, "organizations", orgs);
    st = rc == 0 ? db_stmt(s->db, SQL_info_kinds, e) : NULL;
    for (const struct kind *k = kinds; k->id; k++)
        if (!(k->flags & KIND_LOG))
            json_seti(&kinds_of, k->name, 0);
    while (st && (rc = st_step(st, e)) == 1)
        json_seti(&kinds_of, kind_by_id((enum kind_id)st_col_int(st, 0))->name, st_col_int(st, 1));
    json_set(v, "resources", kinds_of);
    st = st && rc == 0 ? db_stmt(s->db, SQL_info_tasks, e) : NULL;
    if (st && (rc = st_step(st, e)) == 1) {
        json_seti(&tasks, "ready", st_col_int(st, 0));
        json_seti(&tasks, "leased", st_col_int(st, 1));
        json_seti(&tasks, "dead", st_col_int(st, 2));
        st_reset(st);
        n = ints_one(s, SQL_gc_events_all, 0, NULL, e);
        json_seti(v, "events", n);
    }
    json_set(v, "tasks", tasks);
    if (n < 0 || (n = ints_one(s, SQL_info_revisions, 0, NULL, e)) < 0)
        return -1;
    json_seti(v, "revisions", n);
    return 0;
}

int upkeep_info(struct upkeep *u, struct err *e)
{
    char *shown AUTO_FREE = db_shown(u->url);
    jv v AUTO_JV = jv_object();
    struct store s;
    int rc;

    if (store_open_once(&s, u->url, e) < 0)
        return -1;
    json_sets(&v, "store", shown);
    json_seti(&v, "schema", STORE_SCHEMA);
    rc = db_begin(s.db, false, e);
    if (rc == 0 && (info_database(&s, &v, e) < 0 || info_meta(&s, &v, e) < 0 ||
        info_rows(&s, &v, e) < 0))
        rc = -1;
    store_close(&s);
    return rc < 0 ? -1 : print_one(u, info_columns, v, e);
}
