/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller of hooks: commands of spec.hooks and of rule files, as steps in front of an update
 * and behind it. An update that changes nothing runs none. A step of the journal: "do" is
 *   run     the action "action"
 *   rules   those of the folder "when" that apply to "event" (hooks.h)
 *   again   nothing, but at an undo, once the files are as they were, the rules of afterupdating,
 *           if they ran before: who read the new files is to read the old ones
 *   failed  nothing, but at an undo, behind all else, the "actions" of spec.hooks.onFailure
 */
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "files.h"
#include "tool.h"
#include "txn.h"

#define RAN "hooks-ran" /* in the run folder: rules of afterupdating did */

static const char *const folders[] = {"beforeupdating", "afterupdating", "beforerebooting",
    "afterrebooting"};

/* --- running ------------------------------------------------------------------------------ */

/* The strings of an array or, as NAME=VALUE, of an object; behind some fixed ones. */
static const char **strings(jv v, const char *const *first, size_t n)
{
    bool map = jv_get_kind(v) == JV_KIND_OBJECT;
    size_t i, more = map ? (size_t)jv_object_length(jv_copy(v)) : jv_is_valid(v) ?
        (size_t)jv_array_length(jv_copy(v)) : 0;
    const char **out = xcalloc(n + more + 1, sizeof *out);

    for (i = 0; i < n; i++)
        out[i] = xstrdup(first[i]);
    if (map) {
        jv_object_foreach(v, key, value) {
            out[i++] = xasprintf("%s=%s", jv_string_value(key), jv_string_value(value));
            jv_free(key);
            jv_free(value);
        }
    } else
        for (; i < n + more; i++) {
            jv one AUTO_JV = jv_array_get(jv_copy(v), (int)(i - n));

            out[i] = xstrdup(jv_string_value(one));
        }
    return out;
}

static void strings_free(const char **s)
{
    size_t i;

    for (i = 0; s[i]; i++)
        free((char *)(uintptr_t)s[i]);
    free(s);
}

static int run_action(const struct agent *a, jv action, struct err *e)
{
    static const char *const base[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"};
    jv argv AUTO_JV = json_get(action, "argv"), env AUTO_JV = json_get(action, "env");
    const char **args = strings(argv, NULL, 0), **vars = strings(env, base, LEN(base));
    const struct tool t = {.argv = args, .env = vars, .dir = json_str(action, "dir"),
        .timeout = (int)json_int(action, "timeout", HOOK_TIMEOUT)};
    int rc = tool_run(a, &t, NULL, e);

    strings_free(args);
    strings_free(vars);
    if (rc < 0) {
        err_wrap(e, "%s", json_str(action, "name"));
        e->code = FC_FAIL; /* a hook that failed has failed the version */
    }
    return rc;
}

static bool is_rule_file(const char *name)
{
    size_t n = strlen(name);

    return *name != '.' && ((n > 5 && strcmp(name + n - 5, ".yaml") == 0) ||
        (n > 4 && strcmp(name + n - 4, ".yml") == 0));
}

/* Adds the rule files of a folder to *files, name to path; one that is there stays. */
static int list_rules(const struct agent *a, const char *base, const char *when, jv *files,
    struct err *e)
{
    char dir[PATH_LEN];
    struct dirent *ent;
    DIR *d;
    int fd;

    snprintf(dir, sizeof dir, "%s/%s", base, when);
    fd = place_open(a->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "%s", dir);
    d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_errno(e, "%s", dir);
    }
    while ((ent = readdir(d))) {
        jv old AUTO_JV = json_get(*files, ent->d_name);

        if (is_rule_file(ent->d_name) && !jv_is_valid(old) &&
            utf8_valid(ent->d_name, strlen(ent->d_name)) &&
            jv_object_length(jv_copy(*files)) < HOOK_FILES)
            json_set(files, ent->d_name, jv_string_fmt("%s/%s", dir, ent->d_name));
    }
    closedir(d);
    return 0;
}

/* All rules of a folder, those of /etc over those of /usr, in the order of their files' names. A
 * file that cannot be read is passed over: a later version could not mend it else. */
static int load_rules(const struct agent *a, const char *when, jv *rules, struct err *e)
{
    jv files AUTO_JV = jv_object(), names AUTO_JV = jv_invalid();
    int i, n, rc = list_rules(a, HOOKS_ETC, when, &files, e);

    *rules = jv_array();
    if (rc == 0)
        rc = list_rules(a, HOOKS_USR, when, &files, e);
    if (rc < 0)
        return -1;
    names = jv_keys(jv_copy(files));
    n = jv_array_length(jv_copy(names));
    for (i = 0; i < n; i++) {
        jv name AUTO_JV = jv_array_get(jv_copy(names), i);
        jv path AUTO_JV = jv_object_get(jv_copy(files), jv_copy(name));
        struct buf b AUTO_BUF = BUF_INIT;
        jv some = jv_invalid();
        struct err why = {0};

        if (place_read_path(a->root_fd, jv_string_value(path), jv_string_value(path),
                HOOK_FILE_MAX, &b, &why) == 0 &&
            hook_rules_parse(jv_string_value(path), b.p ? b.p : "", b.len, &some, &why) == 0)
            *rules = jv_array_concat(*rules, some);
        else
            log_warn("%s: passed over", why.msg);
    }
    return 0;
}

/* Runs the rules of a folder that apply to an event. all: whatever some of them come to. */
static int run_rules(const struct agent *a, const char *when, jv event, bool all, struct err *e)
{
    jv rules AUTO_JV = jv_invalid();
    int i, n, rc = 0;

    if (load_rules(a, when, &rules, e) < 0)
        return -1;
    n = jv_array_length(jv_copy(rules));
    for (i = 0; rc == 0 && i < n; i++) {
        jv rule AUTO_JV = jv_array_get(jv_copy(rules), i);
        jv action AUTO_JV = hook_rule_action(rule, event);

        if (jv_is_valid(action) && run_action(a, action, e) < 0) {
            err_wrap(e, "%s", when);
            if (all)
                log_warn("%s", e->msg);
            else
                rc = -1;
        }
    }
    return rc;
}

/* --- planning ----------------------------------------------------------------------------- */

/* What kind of change a step of the files' controller is; NULL: none. */
static const char *change(jv rec)
{
    const char *what = json_str(rec, "do"), *was = json_str(rec, "was");

    if (strcmp(what, "write") == 0 || strcmp(what, "restore") == 0)
        return was && strcmp(was, "none") != 0 ? "updated" : "created";
    return strcmp(what, "remove") == 0 ? "removed" : NULL;
}

/* Where the old file is kept until the update is over. */
static jv kept(jv rec, const char *op)
{
    const char *at = json_str(rec, "at"), *id = json_str(rec, "id");
    char dir[PATH_LEN];
    const char *name;

    if (strcmp(op, "created") == 0 || !id)
        return jv_invalid();
    path_split(json_str(rec, "path"), dir, &name);
    if (strcmp(op, "removed") == 0 && at)
        snprintf(dir, sizeof dir, "%s", at);
    return jv_string_fmt("%s/.fc-%s.old", strcmp(dir, "/") ? dir : "", id);
}

/* The event that this plan is for rules; back: the one that its undo is. */
static jv event_of(const struct plan *p, bool reboots, bool back)
{
    jv files = jv_array(), event = jv_object();
    size_t i;

    for (i = 0; i < p->n; i++) {
        const char *op = p->step[i].ctl == &files_controller ? change(p->step[i].rec) : NULL;
        jv file = jv_invalid(), old = jv_invalid();

        if (!op)
            continue;
        file = jv_object();
        json_sets(&file, "path", json_str(p->step[i].rec, "path"));
        json_sets(&file, "op", !back || strcmp(op, "updated") == 0 ? op :
            strcmp(op, "created") == 0 ? "removed" : "created");
        old = back ? jv_invalid() : kept(p->step[i].rec, op);
        if (jv_is_valid(old))
            json_set(&file, "old", old);
        else
            jv_free(old);
        files = jv_array_append(files, file);
    }
    json_set(&event, "files", files);
    json_set(&event, "rebooted", reboots && !back ? jv_true() : jv_false());
    return event;
}

/* WHEN of a path below one of the folders of rules, as a file that is read; else NULL. */
static const char *rules_path(const char *path)
{
    static const char *const bases[] = {HOOKS_ETC "/", HOOKS_USR "/"};
    size_t i, k;

    for (i = 0; i < LEN(bases); i++)
        for (k = 0; strncmp(path, bases[i], strlen(bases[i])) == 0 && k < LEN(folders); k++) {
            const char *rest = path + strlen(bases[i]);
            size_t n = strlen(folders[k]);

            if (strncmp(rest, folders[k], n) == 0 && rest[n] == '/' &&
                !strchr(rest + n + 1, '/') && is_rule_file(rest + n + 1))
                return folders[k];
        }
    return NULL;
}

/* Rule files that this version brings are read before anything is changed. */
static int check_files(const struct plan *p, struct err *e)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        const struct step *s = &p->step[i];
        const char *path = json_str(s->rec, "path");
        jv rules AUTO_JV = jv_invalid();

        if (s->ctl == &files_controller && strcmp(json_str(s->rec, "do"), "write") == 0 &&
            rules_path(path) && (s->content.len > HOOK_FILE_MAX ?
            err_set(e, FC_INVALID, "%s: too large", path) : hook_rules_parse(path,
            s->content.p ? s->content.p : "", s->content.len, &rules, e)) < 0)
            return -1;
    }
    return 0;
}

/* Are there rules for this time, or will there be when it has come? */
static bool has_rules(const struct agent *a, const struct plan *p, const char *when, bool reboots)
{
    jv files AUTO_JV = jv_object();
    struct err e = {0};
    size_t i;

    if (reboots || list_rules(a, HOOKS_ETC, when, &files, &e) < 0 ||
        list_rules(a, HOOKS_USR, when, &files, &e) < 0 || json_nonempty(files))
        return true;
    for (i = 0; i < p->n; i++) {
        const char *path = json_str(p->step[i].rec, "path"), *to = path ? rules_path(path) : NULL;

        if (to && strcmp(to, when) == 0)
            return true;
    }
    return false;
}

static void add_rules(struct plan *p, const char *when, enum phase phase, jv event)
{
    struct step *s = plan_add(p, &hooks_controller, "rules", when);

    s->phase = phase;
    json_set(&s->rec, "event", event);
}

/* spec.hooks.LIST as actions. */
static int read_list(jv spec, const char *name, jv *out, struct err *e)
{
    char path[64];
    jv hooks AUTO_JV = json_get(spec, "hooks"), list AUTO_JV = json_get(hooks, name);
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    *out = jv_array();
    for (i = 0; i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i), argv = json_get(one, "command");
        const char *unit = json_str(one, "systemd.unit"), *verb = json_str(one, "systemd.action");
        int timeout = hook_timeout(json_str(one, "timeout"));
        jv action = jv_object();

        snprintf(path, sizeof path, "spec.hooks.%s[%d]", name, i);
        if (unit && verb) {
            jv_free(argv);
            argv = jv_array_append(jv_array(), jv_string("systemctl"));
            argv = jv_array_append(argv, jv_string(verb));
            argv = jv_array_append(jv_array_append(argv, jv_string("--")), jv_string(unit));
        }
        json_sets(&action, "name", path);
        json_seti(&action, "timeout", timeout);
        if (!json_nonempty(argv) || timeout < 0) {
            jv_free(argv);
            jv_free(action);
            return err_set(e, FC_INVALID, "%s: no action", path);
        }
        json_set(&action, "argv", argv);
        *out = jv_array_append(*out, action);
    }
    return 0;
}

static void add_runs(struct plan *p, jv list, enum phase phase)
{
    int i, n = jv_array_length(jv_copy(list));

    for (i = 0; i < n; i++) {
        jv action = jv_array_get(jv_copy(list), i);
        struct step *s = plan_add(p, &hooks_controller, "run", json_str(action, "name"));

        s->phase = phase;
        json_set(&s->rec, "action", action);
    }
}

static int hooks_plan(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    jv before AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid(), failed AUTO_JV = jv_invalid();
    bool reboots = false, rules;
    struct step *s;
    size_t i;

    if (read_list(spec, "before", &before, e) < 0 || read_list(spec, "after", &after, e) < 0 ||
        read_list(spec, "onFailure", &failed, e) < 0 || check_files(p, e) < 0)
        return -1;
    if (!p->n)
        return 0;
    for (i = 0; i < p->n; i++)
        reboots |= json_bool(p->step[i].rec, "reboot", false);
    if (json_nonempty(failed)) {
        s = plan_add(p, &hooks_controller, "failed", "spec.hooks.onFailure");
        json_set(&s->rec, "actions", jv_copy(failed));
    }
    rules = has_rules(a, p, "afterupdating", reboots);
    if (rules) {
        jv event = event_of(p, reboots, true);

        s = plan_add(p, &hooks_controller, "again", "afterupdating");
        json_set(&s->rec, "event", event);
    }
    if (has_rules(a, p, "beforeupdating", false))
        add_rules(p, "beforeupdating", PHASE_BEFORE, event_of(p, false, false));
    add_runs(p, before, PHASE_BEFORE);
    if (reboots) {
        add_rules(p, "beforerebooting", PHASE_REBOOT, event_of(p, false, false));
        add_rules(p, "afterrebooting", PHASE_AFTER, event_of(p, true, false));
    }
    if (rules)
        add_rules(p, "afterupdating", PHASE_AFTER, event_of(p, reboots, false));
    add_runs(p, after, PHASE_AFTER);
    return 0;
}

/* --- steps -------------------------------------------------------------------------------- */

static bool does(jv rec, const char *what)
{
    const char *s = json_str(rec, "do");

    return s && strcmp(s, what) == 0;
}

static int hooks_apply(const struct agent *a, struct step *s, struct err *e)
{
    jv action AUTO_JV = json_get(s->rec, "action"), event AUTO_JV = json_get(s->rec, "event");
    const char *when = json_str(s->rec, "path");

    if (does(s->rec, "run"))
        return run_action(a, action, e);
    if (!does(s->rec, "rules"))
        return 0;
    if (strcmp(when, "afterupdating") == 0 &&
        place_write(a->run_fd, RAN, "", 0, 0600, PLACE_FAST, e) < 0)
        return -1;
    return run_rules(a, when, event, false, e);
}

static int forget(const struct agent *a, struct err *e)
{
    return unlinkat(a->run_fd, RAN, 0) < 0 && errno != ENOENT ?
        err_errno(e, AGENT_RUN "/" RAN) : 0;
}

/* What hooks did cannot be taken back, and an undo goes on whatever its own come to. */
static int hooks_undo(const struct agent *a, jv rec, struct err *e)
{
    jv actions AUTO_JV = json_get(rec, "actions"), event AUTO_JV = json_get(rec, "event");
    int i, n = jv_get_kind(actions) == JV_KIND_ARRAY ? jv_array_length(jv_copy(actions)) : 0;
    struct err why = {0};

    if (does(rec, "again") && faccessat(a->run_fd, RAN, F_OK, 0) == 0) {
        if (run_rules(a, "afterupdating", event, true, &why) < 0)
            log_warn("%s", why.msg);
        return forget(a, e);
    }
    for (i = 0; does(rec, "failed") && i < n; i++) {
        jv action AUTO_JV = jv_array_get(jv_copy(actions), i);

        if (run_action(a, action, &why) < 0)
            log_warn("%s", why.msg);
    }
    return 0;
}

static int hooks_finish(const struct agent *a, jv rec, struct err *e)
{
    return does(rec, "again") ? forget(a, e) : 0;
}

const struct controller hooks_controller = {
    .name = "hooks",
    .serves = "hooks",
    .phase = PHASE_BEFORE,
    .plan = hooks_plan,
    .apply = hooks_apply,
    .undo = hooks_undo,
    .finish = hooks_finish,
};
