/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes to bring the applications of the device to those of a spec. */
#include "apps.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "reboot.h"
#include "state.h"

/* --- the registry --------------------------------------------------------------------------- */

static jv registry_of(jv apps)
{
    jv r = jv_object(), defs = jv_array();
    int i, n = jv_array_length(jv_copy(apps));

    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i);

        defs = jv_array_append(defs, json_get(app, "def"));
    }
    json_set(&r, "apps", defs);
    json_set(&r, "images", jv_object());
    return r;
}

/* Without a registry the applications of the running spec are those that run. One that cannot be
 * made out any more does not hide the others. */
static jv registry_derive(const struct agent *a)
{
    jv device AUTO_JV = jv_invalid(), listed AUTO_JV = jv_invalid(), apps AUTO_JV = jv_array();
    jv registry, images, defs AUTO_JV = jv_invalid();
    struct buf b AUTO_BUF = BUF_INIT;
    struct err e = {0};
    int i, n;

    if (place_read(a->data_fd, "current.json", "current.json", SPEC_MAX, &b, &e) == 0 &&
        json_parse(b.p ? b.p : "", b.len, &device, &e) == 0)
        listed = json_at(device, "spec.applications");
    n = jv_get_kind(listed) == JV_KIND_ARRAY ? jv_array_length(jv_copy(listed)) : 0;
    for (i = 0; i < n; i++) {
        jv spec AUTO_JV = jv_object(), one = jv_invalid();

        json_set(&spec, "applications", jv_array_append(jv_array(),
            jv_array_get(jv_copy(listed), i)));
        if (apps_read(a, spec, &one, &e) < 0) {
            log_warn("current.json: %s", e.msg);
            jv_free(one);
        } else
            apps = jv_array_concat(apps, one);
    }
    registry = registry_of(apps);
    defs = json_get(registry, "apps");
    images = apps_images(defs);
    json_set(&registry, "images", images);
    json_set(&registry, "lost", jv_true());
    return registry;
}

int apps_registry(const struct agent *a, jv *out, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv apps AUTO_JV = jv_invalid(), none AUTO_JV = jv_array();

    *out = jv_invalid();
    if (a->data_fd < 0) {
        *out = registry_of(none);
        return 0;
    }
    if (place_read(a->data_fd, APPS_STATE, APPS_STATE, RECORDS_MAX, &b, e) < 0) {
        if (e->code == FC_FAIL || e->code == FC_DENIED)
            return -1;
        if (e->code != FC_NOTFOUND)
            state_set_aside(a, APPS_STATE, e);
    } else if (json_parse(b.p ? b.p : "", b.len, out, e) == 0) {
        apps = json_get(*out, "apps");
        if (jv_get_kind(apps) == JV_KIND_ARRAY)
            return 0;
        err_set(e, FC_INVALID, "has no apps");
        state_set_aside(a, APPS_STATE, e);
        jv_free(*out);
    } else
        state_set_aside(a, APPS_STATE, e);
    *out = registry_derive(a);
    return 0;
}

int apps_store(const struct agent *a, jv registry, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv kept AUTO_JV = jv_copy(registry);

    json_del(&kept, "boot");
    json_del(&kept, "lost");
    json_canon(&b, kept);
    buf_addc(&b, '\n');
    return place_write(a->data_fd, APPS_STATE, b.p, b.len, 0600, PLACE_DURABLE, e);
}

jv apps_find(jv defs, const char *name)
{
    int i, n = jv_get_kind(defs) == JV_KIND_ARRAY ? jv_array_length(jv_copy(defs)) : 0;

    for (i = 0; i < n; i++) {
        jv def = jv_array_get(jv_copy(defs), i);
        const char *own = json_str(def, "name");

        if (own && name && strcmp(own, name) == 0)
            return def;
        jv_free(def);
    }
    return jv_invalid();
}

bool apps_same(jv def, jv other, const char *member)
{
    jv x = json_get(def, member), y = json_get(other, member);

    return jv_equal(x, y);
}

/* --- steps ---------------------------------------------------------------------------------- */

struct scene {
    const struct agent *a;
    struct plan *p;
    jv old, now;   /* definitions: of the registry, and of the spec */
    jv reload;     /* accounts ("" for root) whose quadlets change: one of their definitions */
    struct plan up; /* steps of PHASE_APPS, which come behind a reload */
};

static bool runs(jv def)
{
    return json_bool(def, "run", true);
}

static bool is_quadlet(jv def)
{
    const char *type = json_str(def, "type");

    return type && strcmp(type, "quadlet") == 0;
}

static void add(struct scene *s, const char *what, enum phase phase, jv def)
{
    struct step *st = plan_add(phase == PHASE_APPS ? &s->up : s->p, &apps_controller, what,
        json_str(def, "name"));

    st->phase = phase;
    json_set(&st->rec, "app", jv_copy(def));
}

static void add_reload(struct scene *s, jv def)
{
    const char *user = json_str(def, "user");

    if (is_quadlet(def))
        json_set(&s->reload, user ? user : "", jv_copy(def));
}

/* Does a step for the files (which are planned before) touch one of the application's? */
static bool touches_files(const struct scene *s, jv def)
{
    jv paths AUTO_JV = json_get(def, "paths");
    int k, n = jv_get_kind(paths) == JV_KIND_ARRAY ? jv_array_length(jv_copy(paths)) : 0;
    size_t i;

    for (i = 0; i < s->p->n; i++)
        for (k = 0; k < n; k++) {
            jv path AUTO_JV = jv_array_get(jv_copy(paths), k);
            const char *own = json_str(s->p->step[i].rec, "path");

            if (s->p->step[i].ctl == &files_controller && own &&
                strcmp(own, jv_string_value(path)) == 0)
                return true;
        }
    return false;
}

/* Is one that the spec leaves as it is no more as it should be? What podman restarts by itself, and
 * what ended by itself, stays; what is gone, or was left when the machine stopped, does not: podman
 * then has containers that are made and not started, systemd units that it may be starting. */
static bool is_off(const struct agent *a, jv def)
{
    bool container = json_has(def, "args"), booted = !apps_flag(a, APPS_STARTED), off;
    struct app_seen s;
    struct err e = {0};

    if (seen_app(a, def, &s, &e) < 0) {
        log_warn("application %s: cannot be looked at: %s", json_str(def, "name"), e.msg);
        off = false;
    } else if (!runs(def))
        off = s.running > 0;
    else
        off = s.other || s.missing || (container ? !s.running && !s.waiting : !s.total) ||
            (booted && s.running + (is_quadlet(def) ? s.waiting + s.done : 0) < s.total);
    seen_app_free(&s);
    return off;
}

bool apps_drifted(const struct agent *a)
{
    jv registry AUTO_JV = jv_invalid(), defs AUTO_JV = jv_invalid();
    bool off = false;
    struct err e = {0};
    int i, n;

    if (apps_registry(a, &registry, &e) < 0 ||
        (json_has(registry, "lost") && !a->dry && a->data_fd >= 0 &&
        apps_store(a, registry, &e) < 0)) {
        log_warn("%s", e.msg);
        return false;
    }
    defs = json_get(registry, "apps");
    n = jv_array_length(jv_copy(defs));
    for (i = 0; !off && i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(defs), i);

        off = is_off(a, def);
    }
    if (!off && n && !a->dry && !apps_flag(a, APPS_STARTED) &&
        apps_flag_set(a, APPS_STARTED, true, &e) < 0)
        log_warn("%s", e.msg);
    return off;
}

static void plan_same(struct scene *s, jv def)
{
    if (!is_off(s->a, def)) {
        if (is_quadlet(def) && touches_files(s, def))
            add_reload(s, def);
    } else if (runs(def)) {
        add_reload(s, def);
        add(s, "start", PHASE_APPS, def);
    } else
        add(s, "stop", PHASE_STOP, def);
}

static void plan_gone(struct scene *s)
{
    int i = jv_array_length(jv_copy(s->old));

    while (i-- > 0) { /* what came last goes first */
        jv old AUTO_JV = jv_array_get(jv_copy(s->old), i);
        jv def AUTO_JV = apps_find(s->now, json_str(old, "name"));

        if (jv_is_valid(def) && apps_same(old, def, "hash")) {
            if (runs(old) && !runs(def))
                add(s, "stop", PHASE_STOP, old);
            continue;
        }
        add_reload(s, old);
        add(s, jv_is_valid(def) ? "stop" : "remove", PHASE_STOP, old);
    }
}

static void plan_now(struct scene *s)
{
    int i, n = jv_array_length(jv_copy(s->now));

    for (i = 0; i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(s->now), i);
        jv old AUTO_JV = apps_find(s->old, json_str(def, "name"));
        bool same = jv_is_valid(old) && apps_same(old, def, "hash");

        if (!same) {
            add_reload(s, def);
            if (runs(def))
                add(s, "start", PHASE_APPS, def);
        } else if (runs(def) && !runs(old))
            add(s, "start", PHASE_APPS, def);
        else if (runs(def) && !apps_same(old, def, "restart"))
            add(s, "restart", PHASE_APPS, def);
        else if (runs(def) != runs(old))
            continue;
        else
            plan_same(s, def);
    }
}

/* systemd reads the units anew between files and applications, and, where an update is taken back,
 * between them in the other direction. */
static void add_reload_step(struct scene *s, jv def, bool back)
{
    const char *user = json_str(def, "user");
    struct step *st = plan_add(s->p, &apps_controller, "reload", user ? user : "root");

    st->phase = back ? PHASE_STOP : PHASE_APPS;
    json_sets(&st->rec, "type", "quadlet");
    if (user) {
        json_sets(&st->rec, "user", user);
        json_set(&st->rec, "uid", json_get(def, "uid"));
        json_set(&st->rec, "gid", json_get(def, "gid"));
    }
    if (back)
        json_set(&st->rec, "back", jv_true());
}

static void plan_reload(struct scene *s)
{
    jv_object_foreach(s->reload, user, def) {
        add_reload_step(s, def, true);
        add_reload_step(s, def, false);
        jv_free(user);
        jv_free(def);
    }
}

static void plan_up(struct scene *s)
{
    size_t n = s->up.n;

    s->p->step = xreallocarray(s->p->step, s->p->n + n + 1, sizeof *s->p->step);
    if (n)
        memcpy(s->p->step + s->p->n, s->up.step, n * sizeof *s->up.step);
    s->p->n += n;
    free(s->up.step);
}

jv apps_images(jv defs)
{
    jv images = jv_object();
    int i, k, n = jv_array_length(jv_copy(defs));

    for (i = 0; i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(defs), i), list AUTO_JV = json_get(def, "images");
        int m = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;
        const char *user = json_str(def, "user"), *package = json_str(def, "package");

        if (package)
            json_set(&images, package, jv_null());
        for (k = 0; k < m; k++) {
            jv image AUTO_JV = jv_array_get(jv_copy(list), k), owner = jv_object();
            char *key AUTO_FREE = xasprintf("%s%s%s", json_str(image, "image"),
                user ? " " : "", user ? user : "");

            json_sets(&owner, "user", user);
            json_set(&owner, "uid", json_get(def, "uid"));
            json_set(&owner, "gid", json_get(def, "gid"));
            json_sets(&owner, "image", json_str(image, "image"));
            json_set(&images, key, user ? owner : jv_null());
            if (!user)
                jv_free(owner);
        }
    }
    return images;
}

jv apps_images_and(jv images, jv defs)
{
    return jv_object_merge(jv_get_kind(images) == JV_KIND_OBJECT ? jv_copy(images) : jv_object(),
        apps_images(defs));
}

int apps_plan(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    jv listed AUTO_JV = json_get(spec, "applications"), apps AUTO_JV = jv_array();
    jv registry AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid();
    jv images AUTO_JV = jv_invalid();
    struct scene s = {.a = a, .p = p, .old = jv_invalid(), .now = jv_invalid(),
        .reload = jv_object()};
    char boot[BOOT_ID_LEN];
    int rc = -1;

    if (apps_registry(a, &registry, e) < 0) {
        jv_free(s.reload);
        return -1;
    }
    s.old = json_get(registry, "apps");
    images = json_get(registry, "images");
    if (!json_nonempty(listed) && !json_nonempty(s.old) && !json_nonempty(images) &&
        !json_has(registry, "lost")) {
        rc = 0;
        goto done;
    }
    jv_free(apps);
    if (apps_read(a, spec, &apps, e) < 0)
        goto done;
    after = registry_of(apps);
    s.now = json_get(after, "apps");
    plan_gone(&s);
    plan_now(&s);
    plan_reload(&s);
    plan_up(&s);
    rc = 0;
    json_set(&after, "images", apps_images_and(images, s.now));
    boot_id(boot);
    json_sets(&after, "boot", boot);
    json_set(&p->after, apps_controller.name, jv_copy(after));
done:
    jv_free(s.old);
    jv_free(s.now);
    jv_free(s.reload);
    return rc;
}
