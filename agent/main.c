/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "health.h"

enum { OPT_ROOT = OPT_FIRST, OPT_DATA, OPT_CONFIG, OPT_USER, OPT_NO_SPLIT, OPT_FORCE, OPT_NOW,
    OPT_TIMEOUT, OPT_WAIT };

static const struct opt options[] = {
    OPTS_OUTPUT,
    {OPT_DRY, "dry-run", NULL, NULL, "poll and print what would be done, change nothing"},
    {OPT_CONFIG, "config", "FILE", "file", "configuration (default: " AGENT_CONFIG
        " below the root folder, with conf.d beside it)"},
    {OPT_DATA, "data-dir", "DIR", "dir", "state (default: " AGENT_DATA " below the root folder)"},
    {OPT_FORCE, "force", NULL, NULL, "apply also an older version, one that failed, or outside of "
        "its windows"},
    {OPT_NO_SPLIT, "no-split", NULL, NULL, "run the network half under the same account"},
    {OPT_NOW, "now", NULL, NULL, "ask the server even if that is to wait after a failure"},
    {OPT_ROOT, "root", "DIR", "dir", "act on the system in this folder (default: /)"},
    {OPT_TIMEOUT, "timeout", "SECONDS", NULL, "begin nothing new after so long (default: 1800)"},
    {OPT_USER, "user", "NAME", NULL, "account of the network half (default: " AGENT_ACCOUNT ")"},
    {OPT_WAIT, "wait", "SECONDS", NULL, "let the server hold the poll for so long until there is "
        "something new, or the device for so long until it is well (default: 0)"},
    {0},
};

#define COMMANDS "run|status|plan|apply|kick|health"

static const struct command command = {
    .name = "fc-agent",
    .brief = "bring this device to the state that its server describes",
    .args = "[" COMMANDS "] [FILE]",
    .complete = COMMANDS,
    .opts = options,
    .section = 8,
};

/* A path of the host that stays right whatever root it is resolved from. */
static char *absolute(const char *path)
{
    char cwd[PATH_LEN], *p;
    size_t n;

    p = *path == '/' || !getcwd(cwd, sizeof cwd) ? xstrdup(path) : xasprintf("%s/%s", cwd, path);
    for (n = strlen(p); n > 1 && p[n - 1] == '/'; n--)
        p[n - 1] = '\0';
    return p;
}

static void parse(struct opts *o, struct agent *a)
{
    int id;

    while ((id = opt_next(o)) >= 0)
        switch (id) {
        case OPT_ROOT: a->root = o->arg; break;
        case OPT_DATA: a->data = absolute(o->arg); break;
        case OPT_CONFIG: a->config = absolute(o->arg); break;
        case OPT_USER: a->account = o->arg; break;
        case OPT_NO_SPLIT: a->split = false; break;
        case OPT_FORCE: a->force = true; break;
        case OPT_NOW: a->now = true; break;
        case OPT_TIMEOUT: a->timeout = (int)opt_num(o, 1, RUN_MAX); break;
        case OPT_WAIT: a->wait = (int)opt_num(o, 0, WAIT_MAX); break;
        case OPT_DRY: a->dry = true; break;
        case OPT_OUTPUT: a->format = o->arg; break;
        case OPT_FILTER: a->filter = o->arg; break;
        default: break;
        }
}

int main(int argc, char **argv)
{
    struct agent a = {.root = "/", .account = AGENT_ACCOUNT, .split = true, .root_fd = -1,
        .data_fd = -1, .run_fd = -1, .lock_fd = -1};
    const char *what, *file;
    bool applies;
    enum fc_code code = FC_OK;
    struct err e = {0};
    struct opts o;

    opt_start(&o, &command, argc, argv);
    parse(&o, &a);
    what = o.argc ? o.argv[0] : "run";
    file = o.argc > 1 ? o.argv[1] : NULL;
    applies = strcmp(what, "apply") == 0;
    if (o.argc > 2 || (file && !applies && strcmp(what, "plan") != 0))
        opt_usage(&o, "one of " COMMANDS);
    if (applies && !file)
        opt_usage(&o, "apply which file?");
    if (a.force && !file)
        opt_usage(&o, "--force goes with apply");
    if ((applies || strcmp(what, "run") == 0) && (a.format || a.filter) && !a.dry)
        opt_usage(&o, "a run prints nothing: -o and -q go with -n, status and plan");
    if (a.dry && strcmp(what, "kick") == 0)
        opt_usage(&o, "-n goes with run and apply");
    if (strcmp(what, "run") == 0)
        code = agent_run(&a, &e);
    else if (file) {
        a.dry |= !applies;
        code = agent_apply(&a, file, &e);
    } else if (strcmp(what, "status") == 0)
        code = agent_status(&a, &e) < 0 ? e.code : FC_OK;
    else if (strcmp(what, "plan") == 0)
        code = agent_plan(&a, &e) < 0 ? e.code : FC_OK;
    else if (strcmp(what, "kick") == 0)
        code = agent_kick(&a, &e) < 0 ? e.code : FC_OK;
    else if (strcmp(what, "health") == 0)
        code = agent_health(&a, &e) < 0 ? e.code : FC_OK;
    else
        opt_usage(&o, "\"%s\": use one of " COMMANDS, what);
    agent_close(&a);
    free((char *)(uintptr_t)a.data);
    free((char *)(uintptr_t)a.config);
    if (code)
        log_err(&e);
    return (int)code;
}
