/* SPDX-License-Identifier: Apache-2.0 */
/* What podman and systemd say of applications: bytes of others, taken apart with care. */
#include "apps.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    NAME_MAX_SEEN = 256, /* bytes of a name, state or number in what they say */
    LOOK_TIMEOUT = 60,   /* s for an answer: less than for what changes something */
};

struct apps_cache { /* what was said in this run; a string is why nothing was */
    jv containers; /* by account ("" for root): as seen_parse_ps gives them */
    jv units;      /* by account: as seen_parse_units gives them */
};

struct apps_cache *apps_cache_new(void)
{
    struct apps_cache *c = xcalloc(1, sizeof *c);

    c->containers = jv_object();
    c->units = jv_object();
    return c;
}

void apps_cache_free(struct apps_cache *c)
{
    if (!c)
        return;
    jv_free(c->containers);
    jv_free(c->units);
    free(c);
}

void seen_forget(const struct agent *a)
{
    jv_free(a->apps->containers);
    jv_free(a->apps->units);
    a->apps->containers = jv_object();
    a->apps->units = jv_object();
}

/* --- parsing -------------------------------------------------------------------------------- */

static void copy_str(jv *o, const char *key, jv from, const char *member)
{
    jv v AUTO_JV = json_get(from, member);

    if (jv_get_kind(v) == JV_KIND_STRING && jv_string_length_bytes(jv_copy(v)) <= NAME_MAX_SEEN &&
        *jv_string_value(v))
        json_set(o, key, jv_copy(v));
}

static void copy_int(jv *o, const char *key, jv from, const char *member)
{
    if (json_int(from, member, -1) >= 0)
        json_seti(o, key, json_int(from, member, -1));
}

static jv one_container(jv c)
{
    jv o = jv_object(), labels AUTO_JV = json_get(c, "Labels");

    copy_str(&o, "id", c, "Id");
    copy_str(&o, "pod", c, "PodName");
    copy_str(&o, "state", c, "State");
    copy_int(&o, "exit", c, "ExitCode");
    copy_int(&o, "restarts", c, "Restarts");
    copy_str(&o, "app", labels, APP_LABEL);
    copy_str(&o, "hash", labels, APP_LABEL_HASH);
    copy_str(&o, "project", labels, "io.podman.compose.project");
    copy_str(&o, "project", labels, "com.docker.compose.project");
    copy_str(&o, "service", labels, "com.docker.compose.service");
    return o;
}

static bool is_id(const char *s)
{
    return s && *s && !s[strspn(s, "0123456789abcdef")];
}

int seen_parse_ps(const char *p, size_t n, jv *out, struct err *e)
{
    jv all AUTO_JV = jv_invalid();
    int i, count;

    *out = jv_array();
    if (json_parse(p, n, &all, e) < 0) {
        e->code = FC_FAIL;
        return err_wrap(e, "podman: what it prints is not JSON");
    }
    if (jv_get_kind(all) == JV_KIND_NULL)
        return 0;
    if (jv_get_kind(all) != JV_KIND_ARRAY)
        return err_set(e, FC_FAIL, "podman: what it prints is no list of containers");
    count = jv_array_length(jv_copy(all));
    for (i = 0; i < count; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(all), i), o = one_container(c);

        if (!is_id(json_str(o, "id")) || !json_str(o, "state")) {
            jv_free(o);
            return err_set(e, FC_FAIL, "podman: what it prints is no list of containers");
        }
        *out = jv_array_append(*out, o);
    }
    return 0;
}

/* Blocks of NAME=VALUE lines, an empty line between two. */
int seen_parse_units(const char *p, size_t n, jv *out, struct err *e)
{
    static const struct { const char *name, *key; bool number; } members[] = {
        {"LoadState", "load", false},
        {"ActiveState", "active", false},
        {"SubState", "sub", false},
        {"NRestarts", "restarts", true},
        {"ExecMainStatus", "exit", true},
        {"ExecMainStartTimestampMonotonic", "began", true},
    };
    jv unit = jv_object();
    char *id AUTO_FREE = NULL;
    const char *end = p + n;
    size_t i;

    *out = jv_object();
    for (; p <= end; p++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p)), *eq;

        eol = eol ? eol : end;
        eq = memchr(p, '=', (size_t)(eol - p));
        if (p == eol && id) {
            json_set(out, id, unit);
            unit = jv_object();
            free(id);
            id = NULL;
        } else if (p != eol && (!eq || eol - p > PATH_LEN || !utf8_valid(p, (size_t)(eol - p)) ||
            memchr(p, '\0', (size_t)(eol - p)))) {
            jv_free(unit);
            return err_set(e, FC_FAIL, "systemctl: what it prints is no list of properties");
        } else if (p != eol) {
            char *name AUTO_FREE = xstrndup(p, (size_t)(eq - p));
            char *value AUTO_FREE = xstrndup(eq + 1, (size_t)(eol - eq - 1));
            int64_t number;

            if (strcmp(name, "Id") == 0 && !id)
                id = xstrdup(value);
            for (i = 0; i < LEN(members); i++)
                if (strcmp(name, members[i].name) != 0)
                    continue;
                else if (!members[i].number)
                    json_sets(&unit, members[i].key, value);
                else if (num_parse(value, 0, INT64_C(1) << 53, &number, name, NULL) == 0)
                    json_seti(&unit, members[i].key, number);
        }
        p = eol;
    }
    if (id)
        json_set(out, id, unit);
    else
        jv_free(unit);
    return 0;
}

static int look_timeout(const struct agent *a)
{
    int limit = app_limits(a).command;

    return limit < LOOK_TIMEOUT ? limit : LOOK_TIMEOUT;
}

/* Who does not answer is not asked again and again. */
static int no_answer(jv *cache, const char *user, const struct err *e)
{
    json_sets(cache, user ? user : "", e->msg);
    return -1;
}

static int had_no_answer(jv cached, struct err *e)
{
    return err_set(e, FC_FAIL, "%s", jv_string_value(cached));
}

/* --- asking --------------------------------------------------------------------------------- */

/* Releases of podman before 4.4 do not say how often a container was restarted in their list. */
static void add_restarts(const struct agent *a, jv def, jv *list)
{
    const char **argv = xcalloc((size_t)jv_array_length(jv_copy(*list)) + 8, sizeof *argv);
    struct buf out AUTO_BUF = BUF_INIT;
    struct err e = {0};
    jv all AUTO_JV = jv_copy(*list);
    int i, n = jv_array_length(jv_copy(all)), asked = 6;
    char *line, *save = NULL;

    argv[0] = "podman";
    argv[1] = "inspect";
    argv[2] = "--type";
    argv[3] = "container";
    argv[4] = "--format";
    argv[5] = "{{.Id}} {{.RestartCount}}";
    for (i = 0; i < n; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(all), i);

        if ((json_str(c, "app") || json_str(c, "project")) && !json_has(c, "restarts"))
            argv[asked++] = json_str(c, "id"); /* `all` keeps it */
    }
    if (asked > 6 && app_tool(a, def, argv, look_timeout(a), &out, &e) < 0)
        log_debug("%s", e.msg); /* one went meanwhile */
    buf_reserve(&out, 1);
    for (line = strtok_r(out.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *number = strchr(line, ' ');
        int64_t restarts;

        if (!number || num_parse(number + 1, 0, INT32_MAX, &restarts, "", NULL) < 0)
            continue;
        *number = '\0';
        for (i = 0; i < n; i++) {
            jv c = jv_array_get(jv_copy(*list), i);

            if (strcmp(json_str(c, "id"), line) == 0) {
                json_seti(&c, "restarts", restarts);
                *list = jv_array_set(*list, i, c);
            } else
                jv_free(c);
        }
    }
    free(argv);
}

static int containers_of(const struct agent *a, jv def, jv *list, struct err *e)
{
    static const char *const argv[] = {"podman", "ps", "--all", "--format", "json", NULL};
    const char *user = json_str(def, "user");
    struct buf out AUTO_BUF = BUF_INIT;

    *list = json_get(a->apps->containers, user ? user : "");
    if (jv_get_kind(*list) == JV_KIND_STRING)
        return had_no_answer(*list, e);
    if (jv_is_valid(*list))
        return 0;
    if (!app_account_up(a, def)) {
        *list = jv_array();
        return 0;
    }
    if (app_tool(a, def, argv, look_timeout(a), &out, e) < 0 ||
        seen_parse_ps(out.p ? out.p : "", out.len, list, e) < 0)
        return no_answer(&a->apps->containers, user, e);
    add_restarts(a, def, list);
    json_set(&a->apps->containers, user ? user : "", jv_copy(*list));
    return 0;
}

/* Does what was said of units (an object) have all that the definition starts? */
static bool has_all(jv units, jv def)
{
    jv start AUTO_JV = json_get(def, "start");
    int i, n = jv_array_length(jv_copy(start));

    for (i = 0; i < n; i++) {
        jv unit AUTO_JV = jv_array_get(jv_copy(start), i);
        jv said AUTO_JV = json_get(units, jv_string_value(unit));

        if (!jv_is_valid(said))
            return false;
    }
    return true;
}

/* The units of an application and of all others of the account, so that one question does. */
static jv units_to_ask(const struct agent *a, jv def)
{
    jv registry AUTO_JV = jv_invalid(), defs = jv_invalid(), all = json_get(def, "start");
    struct err e = {0};
    int i, n;

    if (apps_registry(a, &registry, &e) == 0)
        defs = json_get(registry, "apps");
    n = jv_get_kind(defs) == JV_KIND_ARRAY ? jv_array_length(jv_copy(defs)) : 0;
    for (i = 0; i < n; i++) {
        jv other AUTO_JV = jv_array_get(jv_copy(defs), i), start AUTO_JV = json_get(other, "start");

        if (jv_get_kind(start) == JV_KIND_ARRAY && apps_same(other, def, "user") &&
            !apps_same(other, def, "name"))
            all = jv_array_concat(all, jv_copy(start));
    }
    jv_free(defs);
    return all;
}

static int units_of(const struct agent *a, jv def, jv *units, struct err *e)
{
    const char **argv, *user = json_str(def, "user");
    struct buf out AUTO_BUF = BUF_INIT;
    jv ask AUTO_JV = jv_invalid();
    int i, n, at = 0, rc;

    *units = json_get(a->apps->units, user ? user : "");
    if (jv_get_kind(*units) == JV_KIND_STRING)
        return had_no_answer(*units, e);
    if (jv_is_valid(*units) && has_all(*units, def))
        return 0;
    jv_free(*units);
    *units = jv_object();
    if (!app_account_up(a, def))
        return 0;
    jv_free(*units);
    *units = jv_invalid();
    ask = units_to_ask(a, def);
    n = jv_array_length(jv_copy(ask));
    argv = xcalloc((size_t)n + 8, sizeof *argv);
    argv[at++] = "systemctl";
    if (user)
        argv[at++] = "--user";
    argv[at++] = "show";
    argv[at++] = "--property=Id,LoadState,ActiveState,SubState,NRestarts,ExecMainStatus,"
        "ExecMainStartTimestampMonotonic";
    argv[at++] = "--";
    for (i = 0; i < n; i++) {
        jv unit AUTO_JV = jv_array_get(jv_copy(ask), i); /* ask keeps it */

        argv[at++] = jv_string_value(unit);
    }
    rc = app_tool(a, def, argv, look_timeout(a), &out, e);
    if (rc == 0)
        rc = seen_parse_units(out.p ? out.p : "", out.len, units, e);
    if (rc == 0)
        json_set(&a->apps->units, user ? user : "", jv_copy(*units));
    else
        no_answer(&a->apps->units, user, e);
    free(argv);
    return rc;
}

/* --- an application ------------------------------------------------------------------------- */

static bool same_str(jv v, const char *key, const char *s)
{
    const char *own = json_str(v, key);

    return own && s && strcmp(own, s) == 0;
}

static void note_end(struct app_seen *s, int64_t status)
{
    if (status == 0)
        s->done++;
    else {
        s->failed++;
        s->exit = (int)status;
    }
}

/* missing: the services that no container was seen of yet, as members of an object */
static void count_container(struct app_seen *s, jv def, jv c, jv *missing)
{
    bool project = same_str(def, "type", "compose");
    const char *state = json_str(c, "state"), *pod = json_str(c, "pod");

    if (!same_str(c, project ? "project" : "app", json_str(def, project ? "id" : "name")))
        return;
    if (project && json_str(c, "service"))
        json_del(missing, json_str(c, "service"));
    s->total++;
    s->ids = jv_array_append(s->ids, jv_string(json_str(c, "id")));
    if (pod)
        s->pods = jv_array_append(s->pods, jv_string(pod));
    s->restarts += json_int(c, "restarts", 0);
    s->other |= !project && !same_str(c, "hash", json_str(def, "hash"));
    if (strcmp(state, "running") == 0)
        s->running++;
    else if (strcmp(state, "exited") == 0 || strcmp(state, "stopped") == 0 ||
        strcmp(state, "dead") == 0)
        note_end(s, json_int(c, "exit", 0));
    else
        s->waiting++;
}

static void count_unit(struct app_seen *s, jv unit)
{
    if (!json_str(unit, "active") || same_str(unit, "load", "not-found")) {
        s->missing++;
        return;
    }
    s->total++;
    s->restarts += json_int(unit, "restarts", 0);
    if (same_str(unit, "active", "active") && !same_str(unit, "sub", "exited"))
        s->running++;
    else if (same_str(unit, "active", "active"))
        s->done++;
    else if (same_str(unit, "active", "failed")) {
        s->failed++;
        s->exit = (int)json_int(unit, "exit", 0);
    } else if (!same_str(unit, "active", "inactive"))
        s->waiting++;
    else if (json_int(unit, "began", 0) > 0)
        note_end(s, json_int(unit, "exit", 0));
}

int seen_app(const struct agent *a, jv def, struct app_seen *s, struct err *e)
{
    jv all AUTO_JV = jv_invalid(), start AUTO_JV = json_get(def, "start");
    jv missing AUTO_JV = json_has(def, "services") ? json_get(def, "services") : jv_object();
    int i, n, services = jv_object_length(jv_copy(missing));
    bool labelled;

    *s = (struct app_seen){.ids = jv_array(), .pods = jv_array()};
    if (!same_str(def, "type", "quadlet")) {
        if (containers_of(a, def, &all, e) < 0)
            return -1;
        n = jv_array_length(jv_copy(all));
        for (i = 0; i < n; i++) {
            jv c AUTO_JV = jv_array_get(jv_copy(all), i);

            count_container(s, def, c, &missing);
        }
        /* a tool that does not label them says nothing of services */
        labelled = jv_object_length(jv_copy(missing)) < services;
        jv_object_foreach(missing, service, fixed) {
            s->missing += labelled && jv_get_kind(fixed) == JV_KIND_TRUE;
            jv_free(service);
            jv_free(fixed);
        }
        return 0;
    }
    if (units_of(a, def, &all, e) < 0)
        return -1;
    n = jv_array_length(jv_copy(start));
    for (i = 0; i < n; i++) {
        jv name AUTO_JV = jv_array_get(jv_copy(start), i);
        jv unit AUTO_JV = json_get(all, jv_string_value(name));

        count_unit(s, unit);
    }
    return 0;
}

void seen_app_free(struct app_seen *s)
{
    jv_free(s->ids);
    jv_free(s->pods);
}
