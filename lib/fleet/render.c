/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/render.h"

#include <linux/limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_MODE = 0644,        /* of files that do not say theirs */
    RENDERED_MAX = JSON_MAX, /* bytes of the canonical spec: whoever gets it reads it as JSON */
};

/* Values with a key, in order of first appearance. */
struct keyed {
    jv index; /* key -> position */
    jv list;
};

struct merge {
    const struct layer *layer; /* the one being merged */
    jv os;
    jv files;                  /* path -> FileSpec */
    struct keyed apps, monitors, patterns;
    jv rest;                   /* members whose later value wins */
    jv origins;
    resolve_fn resolve;
    void *ctx;
    struct err *err;
};

/* --- small parts ------------------------------------------------------------------------------ */

static bool absent(jv v)
{
    return jv_get_kind(v) == JV_KIND_INVALID || jv_get_kind(v) == JV_KIND_NULL;
}

static bool has_text(jv v, const char *path)
{
    const char *s = json_str(v, path);

    return s && *s;
}

/* "Fleet/a@v1: spec.x: why" */
__attribute__((format(printf, 2, 3)))
static int fail(struct merge *m, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(m->err, FC_INVALID, "%s: %s", m->layer->origin, text);
}

/* Length of the array o.name in *out (owned by the caller), 0 when absent, -1 for another kind. */
static int get_array(struct merge *m, jv o, const char *name, const char *where, jv *out)
{
    *out = json_get(o, name);
    if (absent(*out))
        return 0;
    if (jv_get_kind(*out) != JV_KIND_ARRAY)
        return fail(m, "%s.%s: must be an array", where, name);
    return jv_array_length(jv_copy(*out));
}

static int keyed_find(const struct keyed *k, const char *key)
{
    AUTO_JV jv at = json_get(k->index, key);

    return jv_get_kind(at) == JV_KIND_NUMBER ? (int)jv_number_value(at) : -1;
}

/* value is consumed; an older one with the key goes. */
static void keyed_put(struct keyed *k, const char *key, jv value)
{
    int at = keyed_find(k, key);

    if (at < 0) {
        at = jv_array_length(jv_copy(k->list));
        json_seti(&k->index, key, at);
    }
    k->list = jv_array_set(k->list, at, value);
}

static bool ends_with_origin(const char *list, const char *origin)
{
    size_t n = strlen(list), o = strlen(origin);

    return n >= o && !strcmp(list + n - o, origin) && (n == o || list[n - o - 1] == ' ');
}

/* The part "group.name" came from this layer; joined: from those before as well. */
static void add_origin(struct merge *m, const char *group, const char *name, bool joined)
{
    char *key AUTO_FREE = *group ? xasprintf("%s.%s", group, name) : xstrdup(name);
    AUTO_JV jv old = json_get(m->origins, key);
    const char *list = jv_get_kind(old) == JV_KIND_STRING ? jv_string_value(old) : NULL;

    if (!joined || !list)
        json_sets(&m->origins, key, m->layer->origin);
    else if (!ends_with_origin(list, m->layer->origin))
        json_set(&m->origins, key, jv_string_fmt("%s, %s", list, m->layer->origin));
}

/* --- files ------------------------------------------------------------------------------------ */

/* Absolute, without empty, "." and ".." components and control characters. */
static bool path_ok(const char *path, size_t n)
{
    size_t i, from = 1;

    if (n < 2 || n >= PATH_MAX || path[0] != '/')
        return false;
    for (i = 1; i <= n; i++) {
        size_t len = i - from;

        if (i < n && path[i] != '/') {
            if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
                return false;
            continue;
        }
        if (!len || len > NAME_MAX || (len == 1 && path[from] == '.')
            || (len == 2 && path[from] == '.' && path[from + 1] == '.'))
            return false;
        from = i + 1;
    }
    return true;
}

static int merge_file(struct merge *m, jv file, const char *where)
{
    AUTO_JV jv path = json_get(file, "path"), content = json_get(file, "content");
    jv f, keys;
    int i, n;

    if (jv_get_kind(file) != JV_KIND_OBJECT)
        return fail(m, "%s: must be an object", where);
    if (jv_get_kind(path) != JV_KIND_STRING)
        return fail(m, "%s.path: must be a string", where);
    if (!path_ok(jv_string_value(path), (size_t)jv_string_length_bytes(jv_copy(path))))
        return fail(m, "%s.path: '%.200s' is not an absolute path without '.' and '..'", where,
            jv_string_value(path));
    if (jv_get_kind(content) != JV_KIND_STRING)
        return fail(m, "%s.content: must be a string", where);
    keys = jv_keys(jv_copy(file));
    n = jv_array_length(jv_copy(keys));
    f = jv_object();
    json_sets(&f, "contentEncoding", "plain");
    json_seti(&f, "mode", FILE_MODE);
    for (i = 0; i < n; i++) {
        jv key = jv_array_get(jv_copy(keys), i);
        jv value = jv_object_get(jv_copy(file), jv_copy(key));

        if (absent(value)) {
            jv_free(key);
            jv_free(value);
        } else {
            f = jv_object_set(f, key, value);
        }
    }
    jv_free(keys);
    m->files = jv_object_set(m->files, jv_copy(path), f);
    add_origin(m, "config", jv_string_value(path), false);
    return 0;
}

static int merge_files(struct merge *m, jv files, const char *where)
{
    int i, n;

    if (jv_get_kind(files) != JV_KIND_ARRAY)
        return fail(m, "%s: must be an array", where);
    n = jv_array_length(jv_copy(files));
    for (i = 0; i < n; i++) {
        AUTO_JV jv f = jv_array_get(jv_copy(files), i);
        char at[96];

        snprintf(at, sizeof at, "%s[%d]", where, i);
        if (merge_file(m, f, at) < 0)
            return -1;
    }
    return 0;
}

static int merge_provider(struct merge *m, jv provider, int index)
{
    static const char *const refs[] = {"gitRef", "httpRef", "secretRef"};
    AUTO_JV jv files = json_get(provider, "inline");
    const char *ref = NULL;
    char path[64];
    size_t i;

    if (!absent(files)) {
        snprintf(path, sizeof path, "spec.config[%d].inline", index);
        return merge_files(m, files, path);
    }
    for (i = 0; i < LEN(refs) && !ref; i++)
        if (json_has(provider, refs[i]))
            ref = refs[i];
    if (!ref)
        return fail(m, "spec.config[%d]: must have inline, gitRef, httpRef or secretRef", index);
    if (!m->resolve)
        return fail(m, "spec.config[%d].%s: cannot be resolved, this system has no sources", index,
            ref);
    snprintf(path, sizeof path, "spec.config[%d]", index);
    if (m->resolve(m->ctx, provider, path, &files, m->err) < 0)
        return err_wrap(m->err, "%s: %s.%s", m->layer->origin, path, ref);
    snprintf(path, sizeof path, "spec.config[%d].%s: files", index, ref);
    return merge_files(m, files, path);
}

static int merge_config(struct merge *m, jv spec)
{
    AUTO_JV jv list = jv_invalid();
    int i, n = get_array(m, spec, "config", "spec", &list);

    for (i = 0; i < n; i++) {
        AUTO_JV jv provider = jv_array_get(jv_copy(list), i);

        if (merge_provider(m, provider, i) < 0)
            return -1;
    }
    return n < 0 ? -1 : 0;
}

/* --- applications ----------------------------------------------------------------------------- */

static bool same_text(jv a, jv b, const char *path)
{
    const char *x = json_str(a, path), *y = json_str(b, path);

    return x && y && !strcmp(x, y);
}

/* What one application becomes when a later layer says more about it. Both are borrowed. */
static jv merge_app(jv old, jv new)
{
    static const char *const providers[] = {"image", "inline", "catalogItemRef"};
    bool other = false;
    jv out, keys;
    size_t p;
    int i, n;

    if (json_has(new, "appType") && !same_text(old, new, "appType"))
        return jv_copy(new);
    out = jv_copy(old);
    for (p = 0; p < LEN(providers); p++)
        other = other || json_has(new, providers[p]);
    for (p = 0; other && p < LEN(providers); p++)
        json_del(&out, providers[p]);
    keys = jv_keys(jv_copy(new));
    n = jv_array_length(jv_copy(keys));
    for (i = 0; i < n; i++) {
        jv key = jv_array_get(jv_copy(keys), i);
        jv value = jv_object_get(jv_copy(new), jv_copy(key));
        AUTO_JV jv vars = json_get(out, "envVars");

        if (!strcmp(jv_string_value(key), "envVars") && jv_get_kind(vars) == JV_KIND_OBJECT
            && jv_get_kind(value) == JV_KIND_OBJECT)
            value = jv_object_merge(jv_copy(vars), value);
        out = jv_object_set(out, key, value);
    }
    jv_free(keys);
    return out;
}

/* v (borrowed) without members that are null. */
static jv without_nulls(jv v)
{
    AUTO_JV jv keys = jv_keys(jv_copy(v));
    jv out = jv_copy(v);
    int i, n = jv_array_length(jv_copy(keys));

    for (i = 0; i < n; i++) {
        AUTO_JV jv key = jv_array_get(jv_copy(keys), i);
        AUTO_JV jv value = jv_object_get(jv_copy(v), jv_copy(key));

        if (absent(value))
            out = jv_object_delete(out, jv_copy(key));
    }
    return out;
}

static int merge_apps(struct merge *m, jv spec)
{
    AUTO_JV jv list = jv_invalid();
    int i, n = get_array(m, spec, "applications", "spec", &list);

    for (i = 0; i < n; i++) {
        AUTO_JV jv given = jv_array_get(jv_copy(list), i);
        AUTO_JV jv app = jv_invalid();
        const char *name;
        int at;

        if (jv_get_kind(given) != JV_KIND_OBJECT)
            return fail(m, "spec.applications[%d]: must be an object", i);
        app = without_nulls(given);
        name = json_str(app, has_text(app, "name") ? "name" : "image");
        if (!name || !*name)
            return fail(m, "spec.applications[%d]: must have a name", i);
        at = keyed_find(&m->apps, name);
        if (at < 0) {
            keyed_put(&m->apps, name, jv_copy(app));
        } else {
            AUTO_JV jv old = jv_array_get(jv_copy(m->apps.list), at);

            keyed_put(&m->apps, name, merge_app(old, app));
        }
        add_origin(m, "applications", name, true);
    }
    return n < 0 ? -1 : 0;
}

/* --- the other members ------------------------------------------------------------------------ */

static int merge_os(struct merge *m, jv spec)
{
    jv os = json_get(spec, "os");

    if (has_text(os, "image") || json_has(os, "catalogItemRef")) {
        jv_free(m->os);
        m->os = without_nulls(os);
        add_origin(m, "", "os", false);
    } else if (!absent(os) && jv_get_kind(os) != JV_KIND_OBJECT) {
        jv_free(os);
        return fail(m, "spec.os: must be an object");
    }
    jv_free(os);
    return 0;
}

static int merge_systemd(struct merge *m, jv spec)
{
    AUTO_JV jv systemd = json_get(spec, "systemd"), list = jv_invalid();
    int i, n = get_array(m, systemd, "matchPatterns", "spec.systemd", &list);

    for (i = 0; i < n; i++) {
        AUTO_JV jv pattern = jv_array_get(jv_copy(list), i);

        if (jv_get_kind(pattern) != JV_KIND_STRING)
            return fail(m, "spec.systemd.matchPatterns[%d]: must be a string", i);
        keyed_put(&m->patterns, jv_string_value(pattern), jv_copy(pattern));
        add_origin(m, "systemd.matchPatterns", jv_string_value(pattern), true);
    }
    return n < 0 ? -1 : 0;
}

static int merge_resources(struct merge *m, jv spec)
{
    AUTO_JV jv list = jv_invalid();
    int i, n = get_array(m, spec, "resources", "spec", &list);

    for (i = 0; i < n; i++) {
        AUTO_JV jv monitor = jv_array_get(jv_copy(list), i);
        const char *type = json_str(monitor, "monitorType"), *path = json_str(monitor, "path");
        char *key AUTO_FREE = NULL;

        if (!type)
            return fail(m, "spec.resources[%d].monitorType: must be a string", i);
        key = path ? xasprintf("%s.%s", type, path) : xstrdup(type);
        keyed_put(&m->monitors, key, jv_copy(monitor));
        add_origin(m, "resources", key, false);
    }
    return n < 0 ? -1 : 0;
}

/* Hooks of several layers all run, those of an older fleet first. */
static int merge_hooks(struct merge *m, jv spec)
{
    static const char *const lists[] = {"before", "after", "onFailure"};
    AUTO_JV jv hooks = json_get(spec, "hooks"), all = json_get(m->rest, "hooks");
    size_t i;

    if (absent(hooks))
        return 0;
    if (jv_get_kind(hooks) != JV_KIND_OBJECT)
        return fail(m, "spec.hooks: must be an object");
    if (!jv_is_valid(all)) {
        jv_free(all);
        all = jv_object();
    }
    for (i = 0; i < LEN(lists); i++) {
        AUTO_JV jv list = jv_invalid(), old = json_get(all, lists[i]);
        int n = get_array(m, hooks, lists[i], "spec.hooks", &list);

        if (n < 0)
            return -1;
        if (n)
            json_set(&all, lists[i], jv_is_valid(old) ?
                jv_array_concat(jv_copy(old), jv_copy(list)) : jv_copy(list));
    }
    if (!json_nonempty(all))
        return 0;
    json_set(&m->rest, "hooks", jv_copy(all));
    add_origin(m, "", "hooks", true);
    return 0;
}

/* Members without rules of their own. Consoles are sessions, not configuration. */
static void merge_rest(struct merge *m, jv spec)
{
    static const char *const own[] = {"os", "config", "applications", "systemd", "resources",
        "consoles", "hooks"};
    AUTO_JV jv keys = jv_keys(jv_copy(spec));
    int i, n = jv_array_length(jv_copy(keys));

    for (i = 0; i < n; i++) {
        AUTO_JV jv key = jv_array_get(jv_copy(keys), i);
        AUTO_JV jv value = jv_object_get(jv_copy(spec), jv_copy(key));
        AUTO_BUF struct buf quoted = BUF_INIT;
        const char *name = jv_string_value(key);
        size_t k;

        for (k = 0; k < LEN(own) && strcmp(name, own[k]); k++)
            ;
        if (k < LEN(own) || absent(value))
            continue;
        m->rest = jv_object_set(m->rest, jv_copy(key), jv_copy(value));
        if (strchr(name, '.')) {
            buf_add_jsons(&quoted, name);
            name = quoted.p;
        }
        add_origin(m, "", name, false);
    }
}

static int merge_layer(struct merge *m, const struct layer *layer, jv metadata)
{
    AUTO_JV jv spec = jv_copy(layer->spec);

    m->layer = layer;
    if (absent(spec))
        return 0;
    if (jv_get_kind(spec) != JV_KIND_OBJECT)
        return fail(m, "spec: must be an object");
    if (layer->is_template && params_fill(&spec, metadata, m->err) < 0)
        return err_wrap(m->err, "%s", layer->origin);
    if (merge_os(m, spec) < 0 || merge_config(m, spec) < 0 || merge_apps(m, spec) < 0
        || merge_systemd(m, spec) < 0 || merge_resources(m, spec) < 0
        || merge_hooks(m, spec) < 0)
        return -1;
    merge_rest(m, spec);
    return 0;
}

/* --- the result ------------------------------------------------------------------------------- */

static int unresolved(struct merge *m, const char *group, const char *name, const char *what)
{
    char *key AUTO_FREE = *group ? xasprintf("%s.%s", group, name) : xstrdup(name);
    AUTO_JV jv origin = json_get(m->origins, key);

    return err_set(m->err, FC_INVALID, "%s: spec.%s%s: catalog references are not resolved",
        jv_get_kind(origin) == JV_KIND_STRING ? jv_string_value(origin) : "?", key, what);
}

static bool volume_unresolved(jv app)
{
    AUTO_JV jv list = json_get(app, "volumes");
    bool found = false;
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    for (i = 0; i < n && !found; i++) {
        AUTO_JV jv volume = jv_array_get(jv_copy(list), i);

        found = json_has(volume, "image.catalogItemRef") && !has_text(volume, "image.reference");
    }
    return found;
}

/* What still refers to a catalog when all layers are merged. */
static int check_catalog(struct merge *m)
{
    int i, n = jv_array_length(jv_copy(m->apps.list));

    if (jv_get_kind(m->os) == JV_KIND_OBJECT && !has_text(m->os, "image"))
        return unresolved(m, "", "os", "");
    for (i = 0; i < n; i++) {
        AUTO_JV jv app = jv_array_get(jv_copy(m->apps.list), i);
        const char *name = json_str(app, has_text(app, "name") ? "name" : "image");

        if (json_has(app, "catalogItemRef") && !has_text(app, "image"))
            return unresolved(m, "applications", name ? name : "", "");
        if (volume_unresolved(app))
            return unresolved(m, "applications", name ? name : "", ".volumes");
    }
    return 0;
}

/* One provider with all files, by path; or none. */
static jv all_files(jv files)
{
    AUTO_JV jv keys = jv_keys(jv_copy(files));
    int i, n = jv_array_length(jv_copy(keys));
    jv list = jv_array_sized(n + 1), provider = jv_object();

    for (i = 0; i < n; i++)
        list = jv_array_append(list, jv_object_get(jv_copy(files), jv_array_get(jv_copy(keys), i)));
    if (!n) {
        jv_free(provider);
        return list;
    }
    json_sets(&provider, "name", "");
    json_set(&provider, "inline", list);
    return JV_ARRAY_1(provider);
}

static void set_nonempty(jv *spec, const char *name, jv value)
{
    if (json_nonempty(value))
        json_set(spec, name, jv_copy(value));
}

static jv assemble(const struct merge *m)
{
    jv spec = jv_copy(m->rest), systemd = jv_object();

    set_nonempty(&spec, "os", m->os);
    json_set(&spec, "config", all_files(m->files));
    set_nonempty(&spec, "applications", m->apps.list);
    set_nonempty(&systemd, "matchPatterns", m->patterns.list);
    set_nonempty(&spec, "systemd", systemd);
    set_nonempty(&spec, "resources", m->monitors.list);
    json_set(&spec, "consoles", jv_array());
    jv_free(systemd);
    return spec;
}

static void merge_free(struct merge *m)
{
    jv all[] = {m->os, m->files, m->apps.index, m->apps.list, m->monitors.index, m->monitors.list,
        m->patterns.index, m->patterns.list, m->rest, m->origins};
    size_t i;

    for (i = 0; i < LEN(all); i++)
        jv_free(all[i]);
}

int render(const struct layer *layers, size_t n, jv metadata, resolve_fn resolve, void *ctx,
    struct rendered *out, struct err *e)
{
    struct merge m = {.os = jv_invalid(), .files = jv_object(), .apps = {jv_object(), jv_array()},
        .monitors = {jv_object(), jv_array()}, .patterns = {jv_object(), jv_array()},
        .rest = jv_object(), .origins = jv_object(), .resolve = resolve, .ctx = ctx, .err = e};
    AUTO_BUF struct buf canon = BUF_INIT;
    size_t i;
    int rc = 0;

    *out = (struct rendered){.spec = jv_invalid(), .origins = jv_invalid()};
    for (i = 0; !rc && i < n; i++)
        rc = merge_layer(&m, &layers[i], metadata);
    if (!rc)
        rc = check_catalog(&m);
    if (!rc) {
        out->spec = assemble(&m);
        out->origins = jv_copy(m.origins);
        json_canon(&canon, out->spec);
        sha256_hex(canon.p, canon.len, out->hash);
        if (canon.len > RENDERED_MAX)
            rc = err_set(e, FC_INVALID, "the rendered spec has more than %d bytes", RENDERED_MAX);
    }
    merge_free(&m);
    return rc;
}

void rendered_free(struct rendered *r)
{
    jv_free(r->spec);
    jv_free(r->origins);
    r->spec = r->origins = jv_invalid();
}
