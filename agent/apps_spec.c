/* SPDX-License-Identifier: Apache-2.0 */
/* What a rendered spec says about applications. */
#include "apps.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/mem.h"
#include "base/text.h"

#define COMPOSE_DIR "/etc/flightctl/compose"
#define COMPOSE_VOLUMES "flightctl-volumes.yaml"
#define ENV_DIR "/etc/flightctl/env"
#define QUADLET_DIR "/etc/containers/systemd"

struct maker { /* of one definition */
    const struct agent *a;
    jv app;         /* borrowed, of the spec */
    const char *name, *id, *user;
    uid_t uid;
    gid_t gid;
    jv def, files;
};

char *apps_where(jv spec, int i)
{
    jv apps AUTO_JV = json_get(spec, "applications"), app AUTO_JV = jv_array_get(jv_copy(apps), i);
    const char *name = json_str(app, "name");

    if (!name)
        name = json_str(app, "image");
    return name ? xasprintf("spec.applications[%d] (%s)", i, name) :
        xasprintf("spec.applications[%d]", i);
}

static jv list_of(jv v, const char *key)
{
    jv list = json_get(v, key);

    if (jv_get_kind(list) == JV_KIND_ARRAY)
        return list;
    jv_free(list);
    return jv_array();
}

static void append(jv *o, const char *key, jv v)
{
    json_set(o, key, jv_array_append(list_of(*o, key), v));
}

static void add_arg(jv *args, const char *s)
{
    *args = jv_array_append(*args, jv_string(s));
}

/* What containers, projects and folders are named by. An application that goes by its image gets a
 * name of it that podman and file systems take, and that no other image has. */
static char *make_id(const char *name)
{
    struct buf b AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];
    const char *s;
    bool same = true;

    for (s = name; *s; s++) {
        bool plain = islower((unsigned char)*s) || isdigit((unsigned char)*s) ||
            (*s == '-' && s != name);

        same &= plain;
        if (s - name < 40)
            buf_addc(&b, plain ? *s : '-');
    }
    if (same && strlen(name) <= 40)
        return xstrdup(name);
    sha256_hex(name, strlen(name), hash);
    buf_printf(&b, "-%.8s", hash);
    return xasprintf("app-%s", b.p + strspn(b.p, "-"));
}

/* --- files ---------------------------------------------------------------------------------- */

static void add_file(struct maker *m, const char *path, jv content, const char *encoding,
    bool secret)
{
    jv f = jv_object();

    json_sets(&f, "path", path);
    json_set(&f, "content", content);
    json_sets(&f, "contentEncoding", encoding);
    json_seti(&f, "mode", secret ? 0600 : 0644);
    if (secret && m->user) {
        json_seti(&f, "user", m->uid);
        json_seti(&f, "group", m->gid);
    }
    m->files = jv_array_append(m->files, f);
}

/* As podman reads them: a line each, nothing quoted. */
static int env_lines(jv env, struct buf *b, struct err *e)
{
    int rc = 0;

    jv_object_foreach(env, key, value) {
        const char *v = jv_string_value(value);

        if (rc == 0 && (strchr(v, '\n') ||
            strlen(v) != (size_t)jv_string_length_bytes(jv_copy(value))))
            rc = err_set(e, FC_INVALID, "envVars.%s: cannot have more than one line",
                jv_string_value(key));
        else
            buf_printf(b, "%s=%s\n", jv_string_value(key), v);
        jv_free(key);
        jv_free(value);
    }
    return rc;
}

/* As compose reads them: what is not plain is quoted. */
static int env_quoted(jv env, struct buf *b, struct err *e)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "_./:@%+,-";
    int rc = 0;

    jv_object_foreach(env, key, value) {
        const char *s = jv_string_value(value);

        if (strlen(s) != (size_t)jv_string_length_bytes(jv_copy(value)))
            rc = err_set(e, FC_INVALID, "envVars.%s: has a NUL", jv_string_value(key));
        buf_printf(b, "%s=", jv_string_value(key));
        if (!s[strspn(s, plain)])
            buf_adds(b, s);
        else {
            buf_addc(b, '\'');
            for (; *s; s++) {
                if (*s == '\'' || *s == '\\')
                    buf_addc(b, '\\');
                buf_addc(b, *s);
            }
            buf_addc(b, '\'');
        }
        buf_addc(b, '\n');
        jv_free(key);
        jv_free(value);
    }
    return rc;
}

/* The file with the variables; NULL in *path when there are none. */
static int make_env(struct maker *m, const char *compose_dir, char **path, struct err *e)
{
    jv env AUTO_JV = json_get(m->app, "envVars");
    struct buf b AUTO_BUF = BUF_INIT;

    *path = NULL;
    if (!json_nonempty(env))
        return 0;
    if ((compose_dir ? env_quoted(env, &b, e) : env_lines(env, &b, e)) < 0)
        return -1;
    *path = compose_dir ? xasprintf("%s/.env", compose_dir) :
        xasprintf(ENV_DIR "/%s.env", m->id);
    add_file(m, *path, jv_string_sized(b.p, (int)b.len), NULL, true);
    return 0;
}

/* The application's own files, {"path" (relative), "content", "contentEncoding"}. */
static int own_files(struct maker *m, jv *files, struct err *e)
{
    const char *image = json_str(m->app, "image");

    if (!image) {
        *files = list_of(m->app, "inline");
        return 0;
    }
    json_sets(&m->def, "package", image);
    return package_files(m->a, image, files, e);
}

/* A file's text, for the caller to free. */
static int text_of(jv file, struct buf *b, struct err *e)
{
    const char *encoding = json_str(file, "contentEncoding"), *path = json_str(file, "path");
    jv content AUTO_JV = json_get(file, "content");
    int n = jv_get_kind(content) == JV_KIND_STRING ? jv_string_length_bytes(jv_copy(content)) : 0;

    if (!path || !*path || *path == '/')
        return err_set(e, FC_INVALID, "%s: not a relative path", path ? path : "a file");
    if (n && encoding && strcmp(encoding, "base64") == 0) {
        if (base64_decode(b, jv_string_value(content), (size_t)n) < 0)
            return err_set(e, FC_INVALID, "%s: not base64", path);
    } else if (n)
        buf_add(b, jv_string_value(content), (size_t)n);
    buf_addc(b, '\0');
    b->len--;
    return 0;
}

/* --- volumes and images --------------------------------------------------------------------- */

static void need_image(struct maker *m, const char *image, const char *policy)
{
    jv o = jv_object();

    json_sets(&o, "image", image);
    json_sets(&o, "policy", policy ? policy : "IfNotPresent");
    append(&m->def, "images", o);
}

/* args: of a container. Volumes of quadlets go by their names in the spec, as the files have them. */
static int make_volumes(struct maker *m, bool quadlet, jv *args, struct err *e)
{
    jv list AUTO_JV = list_of(m->app, "volumes");
    int i, n = jv_array_length(jv_copy(list));

    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(list), i), o = jv_object();
        const char *name = json_str(v, "name"), *image = json_str(v, "image.reference");
        const char *path = json_str(v, "mount.path"), *policy = json_str(v, "image.pullPolicy");
        char *volume AUTO_FREE = NULL;

        volume = quadlet ? xstrdup(name ? name : "") : xasprintf("%s-%s", m->id, name ? name : "");
        json_sets(&o, "name", name);
        json_sets(&o, "volume", volume);
        json_sets(&o, "image", image);
        json_sets(&o, "policy", image ? policy ? policy : "IfNotPresent" : NULL);
        append(&m->def, "volumes", o);
        if (!name || (!image && json_has(v, "image")) || (args && !path))
            return err_set(e, FC_INVALID, "volumes[%d]: not rendered", i);
        if (args) {
            char *mount AUTO_FREE = xasprintf("%s:%s", volume, path);

            add_arg(args, "--volume");
            add_arg(args, mount);
        }
    }
    return 0;
}

/* --- the types ------------------------------------------------------------------------------ */

static int make_container(struct maker *m, struct err *e)
{
    const char *image = json_str(m->app, "image"), *v;
    jv ports AUTO_JV = list_of(m->app, "ports"), args = jv_array();
    char *env AUTO_FREE = NULL;
    int i, n = jv_array_length(jv_copy(ports));

    if (!image || make_env(m, NULL, &env, e) < 0 || make_volumes(m, false, &args, e) < 0) {
        jv_free(args);
        return image ? -1 : err_set(e, FC_INVALID, "image: missing");
    }
    if (env) {
        add_arg(&args, "--env-file");
        add_arg(&args, env);
    }
    for (i = 0; i < n; i++) {
        jv port AUTO_JV = jv_array_get(jv_copy(ports), i);

        add_arg(&args, "--publish");
        add_arg(&args, jv_string_value(port));
    }
    v = json_str(m->app, "resources.limits.cpu");
    if (v) {
        add_arg(&args, "--cpus");
        add_arg(&args, v);
    }
    v = json_str(m->app, "resources.limits.memory");
    if (v) {
        add_arg(&args, "--memory");
        add_arg(&args, v);
    }
    if (*image == '-') {
        jv_free(args);
        return err_set(e, FC_INVALID, "image: not the name of an image");
    }
    add_arg(&args, image);
    json_set(&m->def, "args", args);
    need_image(m, image, NULL);
    return 0;
}

/* The main file and the one that is laid over it, among the names that people use. */
static int find_compose(struct maker *m, jv own, const char *dir, struct err *e)
{
    static const char *const base[] = {"compose", "podman-compose", "docker-compose"};
    static const char *const end[] = {".yaml", ".yml"};
    int i, k, n = jv_array_length(jv_copy(own));

    for (i = 0; i < 6; i++) {
        char *file AUTO_FREE = xasprintf("%s%s", base[i / 2], end[i % 2]);
        char *over AUTO_FREE = xasprintf("%s.override%s", base[i / 2], end[i % 2]);
        const char *const names[] = {file, over};
        size_t j;

        for (j = 0; j < LEN(names); j++)
            for (k = 0; k < n; k++) {
                jv f AUTO_JV = jv_array_get(jv_copy(own), k);
                const char *path = json_str(f, "path");

                if (path && strcmp(path, names[j]) == 0 && (j == 0 || json_has(m->def, "compose")))
                    append(&m->def, "compose", jv_string_fmt("%s/%s", dir, path));
            }
        if (json_has(m->def, "compose"))
            return 0;
    }
    return err_set(e, FC_INVALID, "has no compose.yaml");
}

/* A last file says which volumes of podman's are those of the compose files with images. */
static void bind_volumes(struct maker *m, const char *dir)
{
    jv list AUTO_JV = list_of(m->def, "volumes"), all AUTO_JV = jv_object();
    jv named AUTO_JV = jv_object();
    char *path AUTO_FREE = xasprintf("%s/" COMPOSE_VOLUMES, dir);
    struct buf b AUTO_BUF = BUF_INIT;
    int i, n = jv_array_length(jv_copy(list));

    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(list), i), o = jv_object();

        json_set(&o, "external", jv_true());
        json_sets(&o, "name", json_str(v, "volume"));
        if (json_has(v, "image"))
            json_set(&named, json_str(v, "name"), o);
        else
            jv_free(o);
    }
    if (!json_nonempty(named))
        return;
    json_set(&all, "volumes", jv_copy(named));
    json_canon(&b, all);
    buf_addc(&b, '\n');
    add_file(m, path, jv_string_sized(b.p, (int)b.len), NULL, false);
    append(&m->def, "compose", jv_string(path));
}

static int make_compose(struct maker *m, struct err *e)
{
    jv own AUTO_JV = jv_invalid(), env AUTO_JV = json_get(m->app, "envVars");
    char *dir AUTO_FREE = xasprintf(COMPOSE_DIR "/%s", m->id), *env_path AUTO_FREE = NULL;
    jv images = jv_array(), services = jv_object();
    int i, n, rc = 0;

    if (own_files(m, &own, e) < 0 || find_compose(m, own, dir, e) < 0 ||
        make_env(m, dir, &env_path, e) < 0 || make_volumes(m, false, NULL, e) < 0) {
        jv_free(images);
        jv_free(services);
        return -1;
    }
    n = jv_array_length(jv_copy(own));
    for (i = 0; rc == 0 && i < n; i++) {
        jv f AUTO_JV = jv_array_get(jv_copy(own), i), compose AUTO_JV = list_of(m->def, "compose");
        struct buf text AUTO_BUF = BUF_INIT;
        char *path AUTO_FREE = xasprintf("%s/%s", dir, json_str(f, "path"));

        rc = text_of(f, &text, e);
        if (rc == 0 && (jv_equal(jv_string(path), jv_array_get(jv_copy(compose), 0)) ||
            (jv_array_length(jv_copy(compose)) > 1 &&
            jv_equal(jv_string(path), jv_array_get(jv_copy(compose), 1)))))
            rc = compose_read(json_str(f, "path"), text.p, text.len, env, &images, &services, e);
        add_file(m, path, json_get(f, "content"), json_str(f, "contentEncoding"), false);
    }
    json_set(&m->def, "images", images);
    json_set(&m->def, "services", services);
    bind_volumes(m, dir);
    return rc;
}

static int make_quadlet(struct maker *m, struct err *e)
{
    jv own AUTO_JV = jv_invalid();
    char *dir AUTO_FREE = m->user ? xasprintf(QUADLET_DIR "/users/%u", (unsigned)m->uid) :
        xstrdup(QUADLET_DIR);
    char *env AUTO_FREE = NULL;
    int i, n, rc = 0;
    jv start AUTO_JV = jv_invalid();
    bool kube = false;

    json_set(&m->def, "units", jv_array());
    json_set(&m->def, "start", jv_array());
    json_set(&m->def, "networks", jv_array());
    if (own_files(m, &own, e) < 0 || make_env(m, NULL, &env, e) < 0 ||
        make_volumes(m, true, NULL, e) < 0)
        return -1;
    n = jv_array_length(jv_copy(own));
    for (i = 0; i < n; i++) {
        jv f AUTO_JV = jv_array_get(jv_copy(own), i);
        const char *rel = json_str(f, "path");

        kube |= rel && strlen(rel) > 5 && strcmp(rel + strlen(rel) - 5, ".kube") == 0;
    }
    for (i = 0; rc == 0 && i < n; i++) {
        jv f AUTO_JV = jv_array_get(jv_copy(own), i);
        const char *rel = json_str(f, "path"), *name = rel ? strrchr(rel, '/') : NULL;
        const char *dot;
        struct buf text AUTO_BUF = BUF_INIT;
        char *path AUTO_FREE = xasprintf("%s/%s", dir, rel ? rel : "");

        rc = text_of(f, &text, e);
        if (rc < 0)
            break;
        name = name ? name + 1 : rel;
        dot = strrchr(name, '.');
        if (!quadlet_read(name, text.p, &m->def)) {
            if (kube && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) {
                jv images = list_of(m->def, "images");

                rc = kube_images(rel, text.p, text.len, &images, e);
                json_set(&m->def, "images", images);
            }
            add_file(m, path, json_get(f, "content"), json_str(f, "contentEncoding"), false);
            continue;
        }
        if (env && dot && strcmp(dot, ".container") == 0)
            buf_printf(&text, "\n# envVars of the specification\n[Container]\n"
                "EnvironmentFile=%s\n", env);
        if (!utf8_valid(text.p, text.len))
            rc = err_set(e, FC_INVALID, "%s: not UTF-8", rel);
        add_file(m, path, jv_string_sized(text.p, (int)text.len), NULL, false);
    }
    start = json_get(m->def, "start");
    if (rc == 0 && !json_nonempty(start)) { /* nothing that runs: then all there is */
        jv units AUTO_JV = list_of(m->def, "units");

        if (!json_nonempty(units))
            rc = err_set(e, FC_INVALID, "has no quadlet file, such as app.container");
        json_set(&m->def, "start", jv_copy(units));
    }
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int check_user(struct maker *m, struct err *e)
{
    m->user = json_str(m->app, "runAs");
    if (!m->user || !*m->user || strcmp(m->user, "root") == 0) {
        m->user = NULL;
        return 0;
    }
    if (account_user(m->a->root_fd, m->user, &m->uid, &m->gid, e) < 0)
        return err_wrap(e, "runAs");
    if (m->uid == 0)
        m->user = NULL;
    return 0;
}

/* The hash is of all that an application is made of, and of nothing that is done with it. */
static void seal(struct maker *m)
{
    jv all AUTO_JV = jv_object();
    char hash[SHA256_HEX];
    int i, n = jv_array_length(jv_copy(m->files));

    json_set(&all, "def", jv_copy(m->def));
    json_set(&all, "files", jv_copy(m->files));
    json_hash(all, hash);
    json_sets(&m->def, "hash", hash);
    for (i = 0; i < n; i++) {
        jv f AUTO_JV = jv_array_get(jv_copy(m->files), i);

        append(&m->def, "paths", jv_string(json_str(f, "path")));
    }
}

static int make(struct maker *m, struct err *e)
{
    const char *type = json_str(m->app, "appType"), *state = json_str(m->app, "desiredState");
    jv volumes AUTO_JV = jv_invalid();
    int i, n, rc;

    if (check_user(m, e) < 0)
        return -1;
    json_sets(&m->def, "name", m->name);
    json_sets(&m->def, "type", type);
    json_sets(&m->def, "id", m->id);
    if (m->user) {
        json_sets(&m->def, "user", m->user);
        json_seti(&m->def, "uid", m->uid);
        json_seti(&m->def, "gid", m->gid);
    }
    json_set(&m->def, "images", jv_array());
    json_set(&m->def, "volumes", jv_array());
    if (type && strcmp(type, "container") == 0)
        rc = make_container(m, e);
    else if (type && strcmp(type, "compose") == 0)
        rc = make_compose(m, e);
    else if (type && strcmp(type, "quadlet") == 0)
        rc = make_quadlet(m, e);
    else
        rc = err_set(e, FC_FAIL, "appType %s: this agent runs applications of the types container, "
            "compose and quadlet only", type ? type : "is missing");
    if (rc < 0)
        return rc;
    volumes = list_of(m->def, "volumes");
    n = jv_array_length(jv_copy(volumes));
    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(volumes), i);

        if (json_str(v, "image"))
            need_image(m, json_str(v, "image"), json_str(v, "policy"));
    }
    seal(m);
    json_set(&m->def, "run", state && strcmp(state, "stopped") == 0 ? jv_false() : jv_true());
    json_seti(&m->def, "restart", json_int(m->app, "restartGeneration", 0));
    return 0;
}

int apps_read(const struct agent *a, jv spec, jv *out, struct err *e)
{
    jv apps AUTO_JV = list_of(spec, "applications");
    int i, n = jv_array_length(jv_copy(apps));

    *out = jv_array();
    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i), one = jv_object();
        char *where AUTO_FREE = apps_where(spec, i), *id AUTO_FREE = NULL;
        struct maker m = {.a = a, .app = app, .name = json_str(app, "name"), .def = jv_object(),
            .files = jv_array()};
        int rc;

        if (!m.name)
            m.name = json_str(app, "image");
        m.id = id = make_id(m.name ? m.name : "");
        rc = m.name ? make(&m, e) : err_set(e, FC_INVALID, "name: missing");
        json_set(&one, "def", m.def);
        json_set(&one, "files", m.files);
        *out = jv_array_append(*out, one);
        if (rc < 0)
            return err_wrap(e, "%s", where);
    }
    return 0;
}
