/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a store, and takes care of it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/progress.h"
#include "service/rekey.h"
#include "service/secret.h"
#include "service/service.h"
#include "store/backup.h"
#include "store/dump.h"

enum { O_BACKUP = OPT_FIRST, O_HISTORY, O_EVENTS, O_KEEP };

#define O_FORCE(help) {'f', "force", NULL, NULL, help}

static const struct opt opts[] = {
    {OPT_STORE, "store", "URL", "file", "store: sqlite:PATH or postgres://... "
        "(default: FC_STORE, then the configuration)"},
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"},
    {0},
};
static const struct opt migrate_opts[] = {
    {OPT_DRY, "dry-run", NULL, NULL, "do it, say what was done, and take it back"},
    {O_BACKUP, "backup", "FILE", "file", "make a backup before"},
    {0},
};
static const struct opt rekey_opts[] = {
    {OPT_DRY, "dry-run", NULL, NULL, "say how much would be sealed anew"},
    {O_KEEP, "keep-old", NULL, NULL, "leave the old keys in the key file"},
    {0},
};
static const struct opt backup_opts[] = {O_FORCE("over a file that exists"), {0}};
static const struct opt restore_opts[] = {O_FORCE("over a store that exists"), {0}};

static const struct opt export_opts[] = {
    {OPT_ORG, "org", "NAME", NULL, "this organization alone (default: the whole store)"},
    {O_EVENTS, "no-events", NULL, NULL, "leave the log of events out"},
    {O_HISTORY, "no-history", NULL, NULL, "leave revisions out"},
    {0},
};
static const struct opt import_opts[] = {
    {OPT_DRY, "dry-run", NULL, NULL, "only check what would be imported"},
    O_FORCE("throw away first what an interrupted import has left"),
    {OPT_ORG, "org", "NAME", NULL, "name of the organization here (default: the one it had)"},
    {0},
};

struct run {
    struct opts o;
    const char *conf_file, *url, *advance, *org;
    bool dry, force, no_history, no_events, keep_old;
    struct conf *conf;
    char buf[4096];
    const char *verb;
    struct progress_bar bar;
};

static int store_made(struct run *r, struct err *e)
{
    const char *state = conf_state_dir(r->conf);
    char *shown AUTO_FREE = NULL;

    /* The state folder is ours to make; that of any other path is its owner's. */
    if (!strncmp(r->url, "sqlite:", 7) && !strncmp(r->url + 7, state, strlen(state)) &&
        dir_make(state, 0700, e) < 0)
        return -1;
    if (secret_init(r->conf, e) < 0 || store_init(r->url, e) < 0)
        return -1;
    shown = db_shown(r->url);
    printf("made %s\n", shown);
    return 0;
}

static void show(void *ctx, size_t done, size_t total)
{
    struct run *r = ctx;

    progress_show(&r->bar, r->verb, done, total);
}

static int backed_up(struct run *r, const char *file, struct err *e)
{
    struct backup_options o = {.force = r->force, .progress = show, .ctx = r};
    int rc = store_backup(r->url, file, &o, e);

    progress_clear(&r->bar);
    return rc;
}

static void step(void *ctx, int to, const char *what)
{
    struct run *r = ctx;

    printf("%s schema version %d: %s\n", r->dry ? "would go to" : "to", to, what);
}

static int migrated(struct run *r, struct err *e)
{
    struct migrate_options o = {.dry_run = r->dry, .step = step, .ctx = r};
    int n;

    if (r->advance && !r->dry && backed_up(r, r->advance, e) < 0)
        return -1;
    if ((n = store_migrate(r->url, &o, e)) == 0)
        printf("schema version %d: nothing to do\n", STORE_SCHEMA);
    return n < 0 ? -1 : 0;
}

static int backup(struct run *r, struct err *e)
{
    return backed_up(r, r->o.argv[0], e);
}

static int restored(struct run *r, struct err *e)
{
    struct backup_options o = {.force = r->force, .progress = show, .ctx = r};
    int64_t version;
    int rc = store_restore(r->url, r->o.argv[0], &o, &version, e);

    progress_clear(&r->bar);
    if (rc < 0)
        return -1;
    printf("restored %s\n", r->url);
    if (version < STORE_SCHEMA)
        log_warn("its schema version is %lld: fc-store migrate brings it forward",
            (long long)version);
    return 0;
}

static int export(struct run *r, struct err *e)
{
    struct dump_options o = {.org = r->org, .no_history = r->no_history,
        .no_events = r->no_events, .progress = show, .ctx = r};
    struct store s;
    int rc;

    if (store_open(&s, r->url, e) < 0)
        return -1;
    rc = store_export(&s, &o, stdout, e);
    progress_clear(&r->bar);
    store_close(&s);
    return rc;
}

static int imported(struct run *r, struct err *e)
{
    const char *file = r->o.argc ? r->o.argv[0] : "-";
    struct import_options o = {.source = strcmp(file, "-") ? file : "standard input",
        .org = r->org, .dry_run = r->dry, .force = r->force, .progress = show, .ctx = r};
    FILE *in = strcmp(file, "-") ? fopen(file, "re") : stdin;
    int64_t lines;
    int rc;

    if (!in)
        return err_errno(e, "%s", file);
    rc = store_import(r->url, in, &o, &lines, e);
    progress_clear(&r->bar);
    if (in != stdin)
        fclose(in);
    if (rc == 0)
        printf("%s %lld records\n", r->dry ? "would import" : "imported", (long long)lines);
    return rc;
}

static void broken(void *ctx, const char *message)
{
    struct run *r = ctx;

    progress_clear(&r->bar);
    log_warn("%s", message);
}

static int rekeyed(struct run *r, struct err *e)
{
    struct rekey_options o = {.dry_run = r->dry, .keep_old = r->keep_old, .progress = show,
        .broken = broken, .ctx = r};
    struct rekey_report done;
    struct store s;
    int rc;

    if (service_open(&s, r->conf, r->url, NULL, e) < 0)
        return -1;
    rc = rekey(&s, &o, &done, e);
    progress_clear(&r->bar);
    store_close(&s);
    if (rc < 0)
        return -1;
    printf("%s %lld resources and %lld revisions with %s%s", r->dry ? "would seal" : "sealed",
        (long long)done.resources, (long long)done.revisions, *done.key ? "key " : "a new key",
        done.key);
    if (done.dropped)
        printf(", dropped %zu old keys", done.dropped);
    putchar('\n');
    return 0;
}

enum { INIT, MIGRATE, BACKUP, RESTORE, EXPORT, IMPORT, REKEY };
static const struct sub subs[] = {
    [INIT] = {"init", "", NULL, "make an empty store", NULL},
    [MIGRATE] = {"migrate", "", NULL, "bring the store of an earlier version forward",
        migrate_opts},
    [BACKUP] = {"backup", "FILE", "file", "copy the store as it is now (-: to standard output)",
        backup_opts},
    [RESTORE] = {"restore", "FILE", "file", "put a backup in the store's place", restore_opts},
    [EXPORT] = {"export", "", NULL, "write the store as JSON lines", export_opts},
    [IMPORT] = {"import", "[FILE]", "file", "read them into an empty store", import_opts},
    [REKEY] = {"rekey", "", NULL, "seal the secrets with a new key", rekey_opts},
    {0},
};
static const struct {
    int (*run)(struct run *r, struct err *e);
    int least, most; /* operands */
} verbs[] = {
    [INIT] = {store_made, 0, 0},
    [MIGRATE] = {migrated, 0, 0},
    [BACKUP] = {backup, 1, 1},
    [RESTORE] = {restored, 1, 1},
    [EXPORT] = {export, 0, 0},
    [IMPORT] = {imported, 0, 1},
    [REKEY] = {rekeyed, 0, 0},
};
static const struct command command = {
    .name = "fc-store",
    .brief = "make a store, and take care of it",
    .opts = opts,
    .subs = subs,
};

static void options(struct run *r)
{
    int id;

    while ((id = opt_next(&r->o)) != -1)
        switch (id) {
        case OPT_STORE: r->url = r->o.arg; break;
        case OPT_CONF: r->conf_file = r->o.arg; break;
        case OPT_DRY: r->dry = true; break;
        case O_BACKUP: r->advance = r->o.arg; break;
        case O_HISTORY: r->no_history = true; break;
        case O_EVENTS: r->no_events = true; break;
        case OPT_ORG: r->org = r->o.arg; break;
        case O_KEEP: r->keep_old = true; break;
        case 'f': r->force = true; break;
        }
}

int main(int argc, char **argv)
{
    struct err e = {FC_OK, ""};
    struct run r = {0};
    ptrdiff_t verb;
    int rc;

    opt_start(&r.o, &command, argc, argv);
    options(&r);
    verb = r.o.sub - subs;
    if (r.o.argc > verbs[verb].most)
        opt_usage(&r.o, "unexpected operand \"%s\"", r.o.argv[verbs[verb].most]);
    if (r.o.argc < verbs[verb].least)
        opt_usage(&r.o, "%s: expected %s", r.o.sub->name, r.o.sub->args);
    r.verb = r.o.sub->name;
    rc = conf_load(&r.conf, r.conf_file, &e);
    if (rc == 0) {
        r.url = service_url(r.conf, r.url, r.buf);
        rc = verbs[verb].run(&r, &e);
    }
    if (fflush(stdout) || ferror(stdout))
        rc = err_errno(rc < 0 ? NULL : &e, "standard output");
    if (rc < 0)
        log_err(&e);
    conf_free(r.conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
