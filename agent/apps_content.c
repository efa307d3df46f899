/* SPDX-License-Identifier: Apache-2.0 */
/* What compose files and quadlets ask for: images, services, networks. */
#include "apps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/mem.h"

static void add_image(jv *images, const char *image, const char *policy)
{
    jv o = jv_object();

    json_sets(&o, "image", image);
    json_sets(&o, "policy", policy);
    *images = jv_array_append(*images, o);
}

/* --- compose -------------------------------------------------------------------------------- */

/* $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}; $$ is one $. */
static char *interpolate(const char *s, jv env)
{
    struct buf b AUTO_BUF = BUF_INIT;

    while (*s) {
        const char *name = s + 1, *end, *rest, *value;
        char *key AUTO_FREE = NULL;
        bool brace = s[0] == '$' && *name == '{';

        if (*s != '$' || !*name) {
            buf_addc(&b, *s++);
            continue;
        }
        if (*name == '$') {
            buf_addc(&b, '$');
            s += 2;
            continue;
        }
        name += brace;
        for (end = name; isalnum((unsigned char)*end) || *end == '_'; end++)
            ;
        rest = brace ? strchrnul(end, '}') : end;
        key = xstrndup(name, (size_t)(end - name));
        value = json_str(env, key);
        if (value && (*value || *end != ':'))
            buf_adds(&b, value);
        else if (brace && (*end == '-' || (*end == ':' && end[1] == '-')) && rest > end) {
            end += *end == ':' ? 2 : 1;
            buf_add(&b, end, (size_t)(rest - end));
        }
        s = brace && *rest ? rest + 1 : rest;
    }
    return buf_steal(&b);
}

static const char *compose_policy(const char *s)
{
    return !s ? "IfNotPresent" : strcmp(s, "always") == 0 ? "Always" :
        strcmp(s, "never") == 0 ? "Never" : "IfNotPresent";
}

/* Does a project always have a container of it? Not if that depends on a profile or on a number. */
static bool is_fixed(jv service)
{
    static const char *const counts[] = {"scale", "deploy.replicas"};
    size_t i;

    for (i = 0; i < LEN(counts); i++)
        if (json_has(service, counts[i]) && json_int(service, counts[i], 0) <= 0)
            return false;
    return !json_has(service, "profiles");
}

int compose_read(const char *path, const char *text, size_t n, jv env, jv *images, jv *services,
    struct err *e)
{
    struct docs docs = {0};
    jv listed AUTO_JV = jv_invalid();

    if (docs_parse(path, text, n, &docs, e) < 0)
        return -1;
    listed = docs.n == 1 ? json_get(docs.doc[0].v, "services") : jv_invalid();
    docs_free(&docs);
    if (jv_get_kind(listed) != JV_KIND_OBJECT)
        return 0;
    jv_object_foreach(listed, key, service) {
        const char *image = json_str(service, "image"), *policy = json_str(service, "pull_policy");
        const char *name = jv_string_value(key);
        jv was AUTO_JV = json_get(*services, name);

        json_set(services, name, is_fixed(service) && jv_get_kind(was) != JV_KIND_FALSE ?
            jv_true() : jv_false());

        /* what is built here is nowhere to be fetched from */
        if (image && !json_has(service, "build") && !(policy && strcmp(policy, "build") == 0)) {
            char *full AUTO_FREE = interpolate(image, env);

            if (*full)
                add_image(images, full, compose_policy(policy));
        }
        jv_free(key);
        jv_free(service);
    }
    return 0;
}

/* --- quadlets ------------------------------------------------------------------------------- */

/* The last value of a key in a section of a unit file; the caller frees. NULL: none. */
static char *unit_value(const char *text, const char *section, const char *key)
{
    size_t klen = strlen(key), slen = strlen(section);
    char *found = NULL;
    bool inside = false;

    while (*text) {
        size_t n = strcspn(text, "\n"), skip = strspn(text, " \t");
        const char *line = text + (skip < n ? skip : n), *end = text + n, *v;

        while (end > line && isspace((unsigned char)end[-1]))
            end--;
        if (*line == '[')
            inside = (size_t)(end - line) == slen + 2 && strncmp(line + 1, section, slen) == 0 &&
                end[-1] == ']';
        else if (inside && (size_t)(end - line) > klen && strncmp(line, key, klen) == 0) {
            v = line + klen;
            while (v < end && isblank((unsigned char)*v))
                v++;
            if (v < end && *v == '=') {
                for (v++; v < end && isblank((unsigned char)*v); v++)
                    ;
                free(found);
                found = xstrndup(v, (size_t)(end - v));
            }
        }
        text += n + (text[n] == '\n');
    }
    if (found && !*found) {
        free(found);
        return NULL;
    }
    return found;
}

static const struct quadlet {
    const char *ending, *section, *suffix; /* of its service */
    bool runs;
} quadlets[] = {
    {".container", "Container", "", true},
    {".kube", "Kube", "", true},
    {".pod", "Pod", "-pod", true},
    {".volume", "Volume", "-volume", false},
    {".network", "Network", "-network", false},
    {".image", "Image", "-image", false},
    {".build", "Build", "-build", false},
    {".artifact", "Artifact", "-artifact", false},
};

static void append(jv *o, const char *key, const char *s)
{
    json_set(o, key, jv_array_append(json_get(*o, key), jv_string(s)));
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && strcmp(s + n - m, end) == 0;
}

/* An image that another unit brings is not to be fetched by its name. */
static void unit_image(const struct quadlet *q, const char *text, jv *def)
{
    char *image AUTO_FREE = unit_value(text, q->section, "Image");
    char *pull AUTO_FREE = unit_value(text, q->section, "Pull");
    char *driver AUTO_FREE = unit_value(text, q->section, "Driver");
    bool volume = strcmp(q->ending, ".volume") == 0;
    jv images;

    if (!image || strchr(image, '%') || ends_with(image, ".image") || ends_with(image, ".build") ||
        (volume && !(driver && strcmp(driver, "image") == 0)))
        return;
    images = json_get(*def, "images");
    add_image(&images, image, compose_policy(pull));
    json_set(def, "images", images);
}

bool quadlet_read(const char *name, const char *text, jv *def)
{
    const struct quadlet *q = NULL;
    char *own AUTO_FREE = NULL, *service AUTO_FREE = NULL, *stem AUTO_FREE = NULL;
    size_t i;

    for (i = 0; i < LEN(quadlets); i++)
        if (ends_with(name, quadlets[i].ending))
            q = &quadlets[i];
    if (!q)
        return false;
    stem = xstrndup(name, strlen(name) - strlen(q->ending));
    own = unit_value(text, q->section, "ServiceName");
    service = own ? xasprintf("%s.service", own) : xasprintf("%s%s.service", stem, q->suffix);
    if (!ends_with(stem, "@")) { /* what is only a pattern of units has no service itself */
        append(def, "units", service);
        if (q->runs)
            append(def, "start", service);
    }
    if (strcmp(q->ending, ".network") == 0) {
        char *network AUTO_FREE = unit_value(text, q->section, "NetworkName");
        char *usual AUTO_FREE = xasprintf("systemd-%s", stem);

        append(def, "networks", network ? network : usual);
    }
    unit_image(q, text, def);
    return true;
}

/* --- Kubernetes files ------------------------------------------------------------------------ */

static void walk_kube(jv v, jv *images, int depth)
{
    static const char *const lists[] = {"containers", "initContainers"};
    size_t l;

    if (depth > JSON_DEPTH)
        return;
    if (jv_get_kind(v) == JV_KIND_ARRAY) {
        int i, n = jv_array_length(jv_copy(v));

        for (i = 0; i < n; i++) {
            jv one AUTO_JV = jv_array_get(jv_copy(v), i);

            walk_kube(one, images, depth + 1);
        }
        return;
    }
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return;
    for (l = 0; l < LEN(lists); l++) {
        jv list AUTO_JV = json_get(v, lists[l]);
        int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

        for (i = 0; i < n; i++) {
            jv one AUTO_JV = jv_array_get(jv_copy(list), i);
            const char *image = json_str(one, "image"), *pull = json_str(one, "imagePullPolicy");

            if (image)
                add_image(images, image, pull ? pull : "IfNotPresent");
        }
    }
    jv_object_foreach(v, key, value) {
        walk_kube(value, images, depth + 1);
        jv_free(key);
        jv_free(value);
    }
}

int kube_images(const char *path, const char *text, size_t n, jv *images, struct err *e)
{
    struct docs docs = {0};
    size_t i;

    if (docs_parse(path, text, n, &docs, e) < 0)
        return -1;
    for (i = 0; i < docs.n; i++)
        walk_kube(docs.doc[i].v, images, 0);
    docs_free(&docs);
    return 0;
}
