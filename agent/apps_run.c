/* SPDX-License-Identifier: Apache-2.0 */
/* Applications up and down, by podman, a compose tool and systemd. */
#include "apps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "settings.h"

struct args { /* of a program; texts are kept by others or by keep */
    const char **argv;
    size_t n;
};

static void add(struct args *v, const char *s)
{
    v->argv = xreallocarray(v->argv, v->n + 2, sizeof *v->argv);
    v->argv[v->n++] = s;
    v->argv[v->n] = NULL;
}

/* The strings of an array, which keeps them. */
static void add_all(struct args *v, jv list)
{
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    for (i = 0; i < n; i++) {
        jv s AUTO_JV = jv_array_get(jv_copy(list), i);

        add(v, jv_string_value(s));
    }
}

static void auto_args(struct args *v)
{
    free(v->argv);
}
#define AUTO_ARGS __attribute__((cleanup(auto_args)))

struct app_limits app_limits(const struct agent *a)
{
    struct app_limits l = {.pull = PULL_TIMEOUT, .command = APP_TIMEOUT, .ready = APP_READY};

    if (a->settings) {
        l.pull = a->settings->pull_timeout;
        l.command = a->settings->app_timeout;
        l.ready = a->settings->app_ready;
        l.prune = a->settings->prune;
    }
    return l;
}

static bool is_type(jv def, const char *type)
{
    const char *own = json_str(def, "type");

    return own && strcmp(own, type) == 0;
}

int app_tool(const struct agent *a, jv def, const char *const *argv, int timeout, struct buf *out,
    struct err *e)
{
    const char *user = json_str(def, "user");
    char uid[16], gid[16], runtime[64], bus[96];
    struct args v AUTO_ARGS = {0};

    if (user) {
        const char *const as[] = {"setpriv", "--reuid", uid, "--regid", gid, "--init-groups",
            "--reset-env", "--", "env", runtime, bus};
        size_t i;

        snprintf(uid, sizeof uid, "%lld", (long long)json_int(def, "uid", 65534));
        snprintf(gid, sizeof gid, "%lld", (long long)json_int(def, "gid", 65534));
        snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=/run/user/%s", uid);
        snprintf(bus, sizeof bus, "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/%s/bus", uid);
        for (i = 0; i < LEN(as); i++)
            add(&v, as[i]);
    }
    for (; *argv; argv++)
        add(&v, *argv);
    if (tool_run(a, &(struct tool){.argv = v.argv, .dir = user ? "/" : NULL, .timeout = timeout},
        out, e) < 0)
        return user ? err_wrap(e, "as %s", user) : -1;
    return 0;
}

/* The services of an account are those of its own systemd, which is reached by its folder in /run
 * alone. */
static int systemctl(const struct agent *a, jv def, const char *verb, jv units, struct err *e)
{
    struct args v AUTO_ARGS = {0};
    int rc;

    add(&v, "systemctl");
    if (json_str(def, "user"))
        add(&v, "--user");
    add(&v, verb);
    if (jv_is_valid(units)) {
        add(&v, "--");
        add_all(&v, units);
    }
    rc = app_tool(a, def, v.argv, app_limits(a).command, NULL, e);
    seen_forget(a);
    return rc;
}

/* --- accounts ------------------------------------------------------------------------------- */

static bool is_there(const struct agent *a, const char *path)
{
    int fd AUTO_CLOSE = place_open(a->root_fd, path, O_PATH, 0);

    return fd >= 0;
}

bool app_account_up(const struct agent *a, jv def)
{
    char path[64];

    snprintf(path, sizeof path, "/run/user/%lld%s", (long long)json_int(def, "uid", 65534),
        is_type(def, "quadlet") ? "/systemd/private" : "");
    return !json_has(def, "user") || is_there(a, path);
}

/* An account that lingers has a systemd of its own from the boot on, and a folder in /run for its
 * containers, whether or not somebody is logged in. */
int app_account(const struct agent *a, jv def, struct err *e)
{
    static const struct timespec pause = {.tv_nsec = 20000000};
    const char *user = json_str(def, "user");
    const char *const linger[] = {"loginctl", "enable-linger", user, NULL};
    char *file AUTO_FREE = NULL;
    int i, rc;

    if (!user)
        return 0;
    file = xasprintf("/var/lib/systemd/linger/%s", user);
    if (is_there(a, file) && app_account_up(a, def))
        return 0;
    rc = tool_run(a, &(struct tool){.argv = linger, .timeout = app_limits(a).command}, NULL, e);
    for (i = 0; rc == 0 && !app_account_up(a, def) && i < ACCOUNT_WAIT; i++)
        nanosleep(&pause, NULL);
    if (!app_account_up(a, def))
        return rc < 0 ? err_wrap(e, "runAs: %s is not logged in, and cannot linger", user) :
            err_set(e, FC_AGAIN, "runAs: the systemd of %s does not come up", user);
    if (rc < 0)
        log_warn("runAs: %s does not linger, what it runs ends with its sessions: %s", user,
            e->msg);
    return 0;
}

/* Units that nothing runs yet are read when it begins to. */
int app_reload(const struct agent *a, jv def, struct err *e)
{
    return app_account_up(a, def) ? systemctl(a, def, "daemon-reload", jv_invalid(), e) : 0;
}

/* --- volumes -------------------------------------------------------------------------------- */

/* A volume that holds an image is made anew when the image is another one, or may be (fresh). What
 * a volume of that name holds otherwise is somebody's data. */
static int volume_ensure(const struct agent *a, jv def, const char *volume, const char *image,
    bool fresh, struct err *e)
{
    const char *const inspect[] = {"podman", "volume", "inspect", "--format",
        "{{index .Labels \"" APP_LABEL_IMAGE "\"}}:{{.Driver}}", "--", volume, NULL};
    const char *const where[] = {"podman", "volume", "inspect", "--format", "{{.Mountpoint}}",
        "--", volume, NULL};
    const char *const drop[] = {"podman", "volume", "rm", "--", volume, NULL};
    const char *const is_image[] = {"podman", "image", "exists", "--", image, NULL};
    char *label AUTO_FREE = xasprintf(APP_LABEL_IMAGE "=%s", image);
    char *option AUTO_FREE = xasprintf("image=%s", image);
    char *wanted AUTO_FREE = xasprintf("%s:image", image), *mount AUTO_FREE = NULL;
    const char *const with_image[] = {"podman", "volume", "create", "--label", label, "--driver",
        "image", "--opt", option, "--", volume, NULL};
    const char *const plain[] = {"podman", "volume", "create", "--label", label, "--", volume,
        NULL};
    const char *extract[] = {"podman", "artifact", "extract", "--", image, NULL, NULL};
    struct buf out AUTO_BUF = BUF_INIT;
    int limit = app_limits(a).command;
    struct err none = {0};

    if (app_tool(a, def, inspect, limit, &out, &none) == 0) {
        char *is AUTO_FREE = tool_last_line(out.p ? out.p : "", out.len, ERR_LEN);

        if (strcmp(is, wanted) == 0 && !fresh)
            return 0;
        if (*is == ':' || *is == '<') /* no label of ours */
            return err_set(e, FC_CONFLICT, "volume %s: is there already, with other content",
                volume);
        /* one in use was filled before that */
        if (app_tool(a, def, drop, limit, NULL, e) < 0)
            return strncmp(is, image, strlen(image)) == 0 && is[strlen(image)] == ':' ? 0 :
                err_wrap(e, "volume %s", volume);
    }
    if (app_tool(a, def, is_image, limit, NULL, &none) == 0)
        return app_tool(a, def, with_image, limit, NULL, e) < 0 ?
            err_wrap(e, "volume %s", volume) : 0;
    buf_reset(&out);
    if (app_tool(a, def, plain, limit, NULL, e) < 0 ||
        app_tool(a, def, where, limit, &out, e) < 0)
        return err_wrap(e, "volume %s", volume);
    mount = tool_last_line(out.p ? out.p : "", out.len, PATH_LEN);
    extract[5] = mount;
    if (*mount != '/' || app_tool(a, def, extract, limit, NULL, e) < 0) {
        if (*mount != '/')
            err_set(e, FC_FAIL, "podman: does not say where it is");
        app_tool(a, def, drop, limit, NULL, &none);
        return err_wrap(e, "volume %s", volume);
    }
    return 0;
}

static int volumes_ensure(const struct agent *a, jv def, struct err *e)
{
    jv list AUTO_JV = json_get(def, "volumes");
    int i, n = jv_array_length(jv_copy(list));

    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(list), i);
        const char *image = json_str(v, "image"), *policy = json_str(v, "policy");

        if (image && volume_ensure(a, def, json_str(v, "volume"), image,
            policy && strcmp(policy, "Always") == 0, e) < 0)
            return -1;
    }
    return 0;
}

/* --- up ------------------------------------------------------------------------------------- */

static int container_up(const struct agent *a, jv def, struct err *e)
{
    const char *name = json_str(def, "name");
    char *label AUTO_FREE = xasprintf(APP_LABEL "=%s", name);
    char *hash AUTO_FREE = xasprintf(APP_LABEL_HASH "=%s", json_str(def, "hash"));
    const char *const head[] = {"podman", "run", "--detach", "--name", json_str(def, "id"),
        "--restart", "always", "--label", label, "--label", hash};
    jv tail AUTO_JV = json_get(def, "args");
    struct args v AUTO_ARGS = {0};
    size_t i;

    for (i = 0; i < LEN(head); i++)
        add(&v, head[i]);
    add_all(&v, tail);
    return app_tool(a, def, v.argv, app_limits(a).command, NULL, e);
}

/* A podman that was killed may have left the name to a container that it does not know itself, or
 * still have made ours after we looked. Whatever else has the name is somebody's, and stays. */
static int free_name(const struct agent *a, jv def, struct err *e)
{
    const char *id = json_str(def, "id");
    const char *const exists[] = {"podman", "container", "exists", "--", id, NULL};
    const char *const drop[] = {"podman", "rm", "--force", "--ignore", "--", id, NULL};
    struct app_seen s;
    struct err none = {0};
    bool ours;
    int rc;

    seen_forget(a);
    rc = seen_app(a, def, &s, &none);
    ours = s.total > 0;
    seen_app_free(&s);
    if (rc < 0 || (!ours && app_tool(a, def, exists, app_limits(a).command, NULL, &none) == 0))
        return -1;
    return ours ? app_down(a, def, false, e) :
        app_tool(a, def, drop, app_limits(a).command, NULL, e);
}

static int compose_up(const struct agent *a, jv def, struct err *e)
{
    static const char *const tools[] = {"podman-compose", "podman"};
    jv files AUTO_JV = json_get(def, "compose");
    jv main_file AUTO_JV = jv_array_get(jv_copy(files), 0);
    int i, n = jv_array_length(jv_copy(files)), rc = -1;
    char dir[PATH_LEN];
    const char *name;
    size_t t;

    if (jv_get_kind(main_file) != JV_KIND_STRING)
        return err_set(e, FC_FAIL, "compose: which file it is was lost");
    path_split(jv_string_value(main_file), dir, &name);
    for (t = 0; t < LEN(tools); t++) {
        struct args v AUTO_ARGS = {0};

        add(&v, tools[t]);
        if (t == 1)
            add(&v, "compose");
        add(&v, "-p");
        add(&v, json_str(def, "id"));
        for (i = 0; i < n; i++) {
            jv f AUTO_JV = jv_array_get(jv_copy(files), i);

            add(&v, "-f");
            add(&v, jv_string_value(f));
        }
        add(&v, "up");
        add(&v, "-d");
        rc = tool_run(a, &(struct tool){.argv = v.argv, .dir = dir,
            .timeout = app_limits(a).command}, NULL, e);
        if (rc == 0 || e->code != FC_NOTFOUND)
            return rc;
    }
    return rc;
}

int app_up(const struct agent *a, jv def, struct err *e)
{
    struct app_seen s;
    int rc;

    if (app_account(a, def, e) < 0)
        return -1;
    if (is_type(def, "quadlet")) {
        jv start AUTO_JV = json_get(def, "start");

        return volumes_ensure(a, def, e) < 0 ||
            systemctl(a, def, "start", start, e) < 0 ? -1 : 0;
    }
    seen_forget(a);
    rc = seen_app(a, def, &s, e);
    if (rc == 0 && is_type(def, "container")) {
        if (s.running != 1 || s.total != 1 || s.other) {
            rc = s.total ? app_down(a, def, false, e) : 0;
            if (rc == 0)
                rc = volumes_ensure(a, def, e) < 0 ? -1 : container_up(a, def, e);
            if (rc < 0 && strstr(e->msg, "in use") && free_name(a, def, e) == 0)
                rc = container_up(a, def, e);
        }
    } else if (rc == 0)
        rc = volumes_ensure(a, def, e) < 0 ? -1 : compose_up(a, def, e);
    seen_app_free(&s);
    seen_forget(a);
    return rc;
}

/* --- down ----------------------------------------------------------------------------------- */

static int remove_containers(const struct agent *a, jv def, struct app_seen *s, struct err *e)
{
    const char *const pods[] = {"podman", "pod", "rm", "--force", "--ignore"};
    const char *const ids[] = {"podman", "rm", "--force", "--ignore", "--depend", "--time", NULL};
    char time[16];
    struct args v AUTO_ARGS = {0}, p AUTO_ARGS = {0};
    size_t i;

    snprintf(time, sizeof time, "%d", STOP_S);
    for (i = 0; i < LEN(pods); i++)
        add(&p, pods[i]);
    add_all(&p, s->pods);
    for (i = 0; ids[i]; i++)
        add(&v, ids[i]);
    add(&v, time);
    add_all(&v, s->ids);
    if (json_nonempty(s->pods) && app_tool(a, def, p.argv, app_limits(a).command, NULL, e) < 0)
        return -1;
    return json_nonempty(s->ids) ? app_tool(a, def, v.argv, app_limits(a).command, NULL, e) : 0;
}

/* Networks that podman still needs for others stay. */
static void remove_networks(const struct agent *a, jv def, jv names)
{
    int i, n = jv_get_kind(names) == JV_KIND_ARRAY ? jv_array_length(jv_copy(names)) : 0;

    for (i = 0; i < n; i++) {
        jv name AUTO_JV = jv_array_get(jv_copy(names), i);
        const char *const argv[] = {"podman", "network", "rm", "--", jv_string_value(name), NULL};
        struct err e = {0};

        if (app_tool(a, def, argv, app_limits(a).command, NULL, &e) < 0)
            log_debug("%s", e.msg);
    }
}

static int project_networks(const struct agent *a, jv def, jv *names, struct err *e)
{
    char *filter AUTO_FREE = xasprintf("label=com.docker.compose.project=%s", json_str(def, "id"));
    const char *const argv[] = {"podman", "network", "ls", "--quiet", "--filter", filter, NULL};
    struct buf out AUTO_BUF = BUF_INIT;
    char *line, *save = NULL;

    *names = jv_array();
    if (app_tool(a, def, argv, app_limits(a).command, &out, e) < 0)
        return -1;
    buf_reserve(&out, 1);
    for (line = strtok_r(out.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        *names = jv_array_append(*names, jv_string(line));
    return 0;
}

int app_down(const struct agent *a, jv def, bool networks, struct err *e)
{
    jv names AUTO_JV = jv_invalid();
    struct app_seen s;
    int rc;

    if (is_type(def, "quadlet")) {
        jv units AUTO_JV = json_get(def, "units");

        if (app_account_up(a, def) && systemctl(a, def, "stop", units, e) < 0) {
            struct err none = {0};

            /* systemd does not know units that it never read, which is as good */
            rc = seen_app(a, def, &s, &none);
            seen_app_free(&s);
            if (rc < 0 || s.total)
                return -1;
        }
        names = json_get(def, "networks");
        if (networks)
            remove_networks(a, def, names);
        return 0;
    }
    seen_forget(a);
    rc = seen_app(a, def, &s, e);
    if (rc == 0)
        rc = remove_containers(a, def, &s, e);
    if (rc == 0 && is_type(def, "compose")) {
        rc = project_networks(a, def, &names, e);
        if (rc == 0)
            remove_networks(a, def, names);
    }
    seen_app_free(&s);
    seen_forget(a);
    return rc;
}

int app_restart(const struct agent *a, jv def, struct err *e)
{
    if (is_type(def, "quadlet")) {
        jv start AUTO_JV = json_get(def, "start");

        return systemctl(a, def, "restart", start, e);
    }
    return app_down(a, def, false, e) < 0 ? -1 : app_up(a, def, e);
}
