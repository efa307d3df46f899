/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/lifecycle.h"

#include <string.h>

static const char *key_of(const struct kind *k)
{
    return k->id == KIND_DEVICE ? "device-controller/applicationLifecycle" :
        "fleet-controller/applicationLifecycle";
}

jv lifecycle_read(const struct kind *k, const char *annotations)
{
    jv all AUTO_JV = jv_invalid(), text AUTO_JV = jv_invalid(), v;

    if (!annotations || !strstr(annotations, "/applicationLifecycle")) /* most have none */
        return jv_object();
    all = jv_parse(annotations);
    text = json_get(all, key_of(k));
    v = jv_get_kind(text) == JV_KIND_STRING ? jv_parse(jv_string_value(text)) : jv_invalid();
    if (jv_get_kind(v) == JV_KIND_OBJECT)
        return v;
    jv_free(v);
    return jv_object();
}

jv lifecycle_write(const struct kind *k, const char *annotations, jv overlay)
{
    struct buf text AUTO_BUF = BUF_INIT;
    jv all = jv_parse(annotations);

    json_canon(&text, overlay);
    jv_free(overlay);
    json_sets(&all, key_of(k), text.p);
    return all;
}

void lifecycle_merge(jv *overlay, jv more)
{
    jv_object_foreach(more, name, entry) {
        jv old AUTO_JV = json_get(*overlay, jv_string_value(name));
        int64_t restarts = json_int(old, "restartGeneration", 0);
        int64_t again = json_int(entry, "restartGeneration", 0);

        if (restarts < again)
            restarts = again;
        if (json_int(entry, "at", 0) < json_int(old, "at", 0)) {
            jv_free(entry);
            entry = jv_copy(old);
        }
        if (restarts)
            json_seti(&entry, "restartGeneration", restarts);
        *overlay = jv_object_set(*overlay, name, entry);
    }
}

bool lifecycle_stopped(jv overlay, const char *app)
{
    jv entry AUTO_JV = json_get(overlay, app);
    const char *state = json_str(entry, "desiredState");

    return state && strcmp(state, "stopped") == 0;
}

void lifecycle_note(jv *overlay, const char *app, enum app_action what, int64_t now)
{
    jv entry = json_get(*overlay, app);

    if (jv_get_kind(entry) != JV_KIND_OBJECT) {
        jv_free(entry);
        entry = jv_object();
    }
    if (what == APP_RESTART)
        json_seti(&entry, "restartGeneration", json_int(entry, "restartGeneration", 0) + 1);
    else {
        json_seti(&entry, "at", now);
        json_sets(&entry, "desiredState", what == APP_STOP ? "stopped" : "running");
    }
    json_set(overlay, app, entry);
}

/* What layers are merged by: the name, else the image. */
static const char *name_of(jv app)
{
    const char *name = json_str(app, "name");

    return name && *name ? name : json_str(app, "image");
}

bool lifecycle_has(jv spec, const char *app)
{
    jv all AUTO_JV = json_get(spec, "applications");
    bool found = false;

    if (jv_get_kind(all) != JV_KIND_ARRAY)
        return false;
    jv_array_foreach(all, i, one) {
        const char *name = name_of(one);

        found = found || (name && strcmp(name, app) == 0);
        jv_free(one);
    }
    return found;
}

void lifecycle_prune(jv *overlay, jv spec)
{
    jv all AUTO_JV = jv_copy(*overlay);

    jv_object_foreach(all, name, entry) {
        if (!lifecycle_has(spec, jv_string_value(name)))
            json_del(overlay, jv_string_value(name));
        jv_free(name);
        jv_free(entry);
    }
}

static jv laid(jv app, jv overlay)
{
    const char *name = name_of(app);
    jv entry AUTO_JV = name ? json_get(overlay, name) : jv_invalid();
    int64_t restarts = json_int(entry, "restartGeneration", 0);

    json_sets(&app, "desiredState", json_str(entry, "desiredState"));
    if (restarts)
        json_seti(&app, "restartGeneration", restarts);
    return app;
}

void lifecycle_lay(jv *spec, jv overlay)
{
    jv all = json_get(*spec, "applications");
    int i, n;

    if (jv_get_kind(all) != JV_KIND_ARRAY) {
        jv_free(all);
        return;
    }
    n = jv_array_length(jv_copy(all));
    for (i = 0; i < n; i++)
        all = jv_array_set(all, i, laid(jv_array_get(jv_copy(all), i), overlay));
    json_set(spec, "applications", all);
}
