/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a store, and takes care of it. */
#include <stdio.h>

#include "base/log.h"
#include "base/opt.h"
#include "service/service.h"
#include "service/upkeep.h"

enum { O_BACKUP = OPT_FIRST, O_HISTORY, O_EVENTS, O_FIX, O_COMPACT, O_KEEP, O_ABANDON };

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
static const struct opt backup_opts[] = {O_FORCE("over a file that exists"), {0}};
static const struct opt restore_opts[] = {O_FORCE("over a store that exists"), {0}};

static const struct opt check_opts[] = {
    {O_FIX, "fix", NULL, NULL, "mend what is derived from other rows"},
    OPTS_OUTPUT,
    {0},
};
static const struct opt gc_opts[] = {
    {OPT_DRY, "dry-run", NULL, NULL, "only count"},
    {O_COMPACT, "compact", NULL, NULL, "give the space back, and learn anew what the rows are like"},
    OPTS_OUTPUT,
    {0},
};
static const struct opt rekey_opts[] = {
    {OPT_DRY, "dry-run", NULL, NULL, "say how much would be sealed anew, and what does not open"},
    {'y', "yes", NULL, NULL, "do not ask; with --abandon needed where nobody can be asked"},
    {O_ABANDON, "abandon", NULL, NULL, "give up secrets that cannot be opened"},
    {O_KEEP, "keep-old", NULL, NULL, "leave the old keys in the key file"},
    {0},
};
static const struct opt info_opts[] = {OPTS_OUTPUT, {0}};
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

enum { INIT, MIGRATE, BACKUP, RESTORE, CHECK, GC, INFO, EXPORT, IMPORT, REKEY };
static const struct sub subs[] = {
    [INIT] = {"init", "", NULL, "make an empty store", NULL},
    [MIGRATE] = {"migrate", "", NULL, "bring the store of an earlier version forward",
        migrate_opts},
    [BACKUP] = {"backup", "FILE", "file", "copy the store as it is now (-: to standard output)",
        backup_opts},
    [RESTORE] = {"restore", "FILE", "file", "put a backup in the store's place", restore_opts},
    [CHECK] = {"check", "", NULL, "look whether all that is stored fits together", check_opts},
    [GC] = {"gc", "", NULL, "remove what is old and what nothing needs", gc_opts},
    [INFO] = {"info", "", NULL, "say what is in the store", info_opts},
    [EXPORT] = {"export", "", NULL, "write the store as JSON lines", export_opts},
    [IMPORT] = {"import", "[FILE]", "file", "read them into an empty store", import_opts},
    [REKEY] = {"rekey", "", NULL, "seal the secrets with a new key", rekey_opts},
    {0},
};
static const struct {
    int (*run)(struct upkeep *u, struct err *e);
    int least, most; /* operands */
} verbs[] = {
    [INIT] = {upkeep_init, 0, 0},
    [MIGRATE] = {upkeep_migrate, 0, 0},
    [BACKUP] = {upkeep_backup, 1, 1},
    [RESTORE] = {upkeep_restore, 1, 1},
    [CHECK] = {upkeep_check, 0, 0},
    [GC] = {upkeep_gc, 0, 0},
    [INFO] = {upkeep_info, 0, 0},
    [EXPORT] = {upkeep_export, 0, 0},
    [IMPORT] = {upkeep_import, 0, 1},
    [REKEY] = {upkeep_rekey, 0, 0},
};
static const struct command command = {
    .name = "fc-store",
    .brief = "make a store, and take care of it",
    .opts = opts,
    .subs = subs,
};

static void options(struct opts *o, struct upkeep *u, const char **conf_file)
{
    int id;

    while ((id = opt_next(o)) != -1)
        switch (id) {
        case OPT_STORE: u->url = o->arg; break;
        case OPT_CONF: *conf_file = o->arg; break;
        case OPT_DRY: u->dry = true; break;
        case OPT_ORG: u->org = o->arg; break;
        case OPT_OUTPUT: u->format = o->arg; break;
        case OPT_FILTER: u->filter = o->arg; break;
        case O_ABANDON: u->abandon = true; break;
        case O_BACKUP: u->advance = o->arg; break;
        case O_COMPACT: u->compact = true; break;
        case O_EVENTS: u->no_events = true; break;
        case O_FIX: u->fix = true; break;
        case O_KEEP: u->keep_old = true; break;
        case O_HISTORY: u->no_history = true; break;
        case 'f': u->force = true; break;
        case 'y': u->yes = true; break;
        }
}

int main(int argc, char **argv)
{
    const char *conf_file = NULL;
    struct err e = {FC_OK, ""};
    struct conf *conf = NULL;
    struct upkeep u = {0};
    ptrdiff_t verb;
    struct opts o;
    char buf[4096];
    int rc;

    opt_start(&o, &command, argc, argv);
    options(&o, &u, &conf_file);
    verb = o.sub - subs;
    if (o.argc > verbs[verb].most)
        opt_usage(&o, "unexpected operand \"%s\"", o.argv[verbs[verb].most]);
    if (o.argc < verbs[verb].least)
        opt_usage(&o, "%s: expected %s", o.sub->name, o.sub->args);
    u.verb = o.sub->name;
    u.file = o.argc ? o.argv[0] : "-";
    rc = conf_load(&conf, conf_file, &e);
    if (rc == 0) {
        u.conf = conf;
        u.url = service_url(conf, u.url, buf);
        rc = verbs[verb].run(&u, &e);
    }
    if (fflush(stdout) || ferror(stdout))
        rc = err_errno(rc < 0 ? NULL : &e, "standard output");
    if (rc < 0)
        log_err(&e);
    conf_free(conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
