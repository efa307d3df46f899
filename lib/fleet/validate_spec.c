/* SPDX-License-Identifier: Apache-2.0 */
/* What schemas cannot say about the spec of a device or of a fleet's template. */
#include "fleet/validate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "fleet/cron.h"
#include "fleet/render.h"

bool has_parameters(const struct schema_run *r, const char *s)
{
    return schema_is_template(r) && strstr(s, "{{");
}

/* --- parameters ----------------------------------------------------------------------------- */

static void check_strings(struct schema_run *r, struct buf *sub, jv v)
{
    size_t len = sub->len;
    struct err e = {0};

    if (jv_get_kind(v) == JV_KIND_STRING) {
        if (template_check(jv_string_value(v), &e) < 0)
            schema_report(r, sub->p ? sub->p : "", "%s", e.msg);
    } else if (jv_get_kind(v) == JV_KIND_ARRAY) {
        int n = jv_array_length(jv_copy(v));

        for (int i = 0; i < n; i++) {
            AUTO_JV jv item = jv_array_get(jv_copy(v), i);

            buf_printf(sub, "[%d]", i);
            check_strings(r, sub, item);
            sub->len = len;
            sub->p[len] = '\0';
        }
    } else if (jv_get_kind(v) == JV_KIND_OBJECT) {
        jv_object_foreach(v, key, val)
        {
            buf_addc(sub, '.');
            buf_adds(sub, jv_string_value(key));
            check_strings(r, sub, val);
            sub->len = len;
            sub->p[len] = '\0';
            jv_free(key);
            jv_free(val);
        }
    }
}

void check_parameters(struct schema_run *r, jv v)
{
    AUTO_BUF struct buf sub = BUF_INIT;

    if (schema_is_template(r))
        check_strings(r, &sub, v);
}

void check_literal(struct schema_run *r, jv v)
{
    if (has_parameters(r, jv_string_value(v)))
        schema_report(r, "", "must not have parameters");
}

/* --- paths ---------------------------------------------------------------------------------- */

enum {
    PATH_ABSOLUTE = 1 << 0,
    PATH_FOLDER = 1 << 1, /* a / at the end is fine */
    PATH_ROOT = 1 << 2,   /* so is "/" */
};

/* NULL, or what is wrong with s. */
static const char *path_fault(const char *s, unsigned flags)
{
    size_t n;

    if (!*s)
        return "must not be empty";
    if ((flags & PATH_ABSOLUTE) && *s != '/')
        return "must be an absolute path";
    if (!(flags & PATH_ABSOLUTE) && *s == '/')
        return "must be a relative path";
    if (strlen(s) > (flags & PATH_ABSOLUTE ? FILE_PATH_MAX : RELATIVE_PATH_MAX))
        return "is too long a path";
    if (!strcmp(s, "/"))
        return flags & PATH_ROOT ? NULL : "must not be the root folder";
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return "must not contain control characters";
    for (s += *s == '/';; s += n + 1) {
        n = strcspn(s, "/");
        if (n == 2 && !strncmp(s, "..", 2))
            return "must not contain \"..\"";
        if (!n && !s[n] && (flags & PATH_FOLDER))
            return NULL;
        if (!n)
            return s[n] ? "must not contain \"//\"" : "must name a file, not a folder";
        if (n == 1 && *s == '.')
            return "must not contain \".\" as a component";
        if (n > 255)
            return "has too long a component";
        if (!s[n])
            return NULL;
    }
}

static void check_path(struct schema_run *r, jv v, unsigned flags)
{
    const char *s = jv_string_value(v), *fault;

    if (has_parameters(r, s))
        return;
    fault = path_fault(s, flags);
    if (fault)
        schema_report(r, "", "%s", fault);
}

/* A configuration that replaces the agent's own state would lock its device out. */
static void check_not_ours(struct schema_run *r, jv v)
{
    static const char *const ours[] = {
        "/var/lib/flightctl", "/usr/lib/flightctl", "/etc/flightctl/certs",
        "/etc/flightctl/config.yaml",
    };
    const char *s = jv_string_value(v);

    for (size_t i = 0; i < LEN(ours); i++) {
        size_t n = strlen(ours[i]);

        if (!strncmp(s, ours[i], n) && (!s[n] || s[n] == '/'))
            schema_report(r, "", "belongs to the agent");
    }
}

void check_file_path(struct schema_run *r, jv v)
{
    check_path(r, v, PATH_ABSOLUTE);
    check_not_ours(r, v);
}

void check_folder_path(struct schema_run *r, jv v)
{
    check_path(r, v, PATH_ABSOLUTE | PATH_FOLDER);
    check_not_ours(r, v);
}

void check_disk_path(struct schema_run *r, jv v)
{
    check_path(r, v, PATH_ABSOLUTE | PATH_FOLDER | PATH_ROOT);
}

void check_relative_path(struct schema_run *r, jv v)
{
    check_path(r, v, 0);
}

/* In a repository: from its root, with or without a / in front. */
void check_source_path(struct schema_run *r, jv v)
{
    AUTO_BUF struct buf b = BUF_INIT;
    const char *s = jv_string_value(v), *fault;

    if (!*s || has_parameters(r, s))
        return;
    buf_adds(&b, *s == '/' ? "" : "/");
    buf_adds(&b, s);
    fault = path_fault(b.p, PATH_ABSOLUTE | PATH_FOLDER | PATH_ROOT);
    if (fault)
        schema_report(r, "", "%s", fault);
}

/* --- configuration -------------------------------------------------------------------------- */

/* member of each element once; absent ones do not count. */
static void check_unique(struct schema_run *r, jv list, const char *name)
{
    AUTO_JV jv seen = jv_object();
    int n = jv_array_length(jv_copy(list));

    for (int i = 0; i < n; i++) {
        AUTO_JV jv item = jv_array_get(jv_copy(list), i);
        const char *s = json_str(item, name);
        char sub[64];

        snprintf(sub, sizeof sub, "[%d].%s", i, name);
        if (s && !set_add(&seen, s))
            schema_report(r, sub, "is used already");
    }
}

/* Adds the paths of a list of files to an object, with the number of their provider; those with
 * parameters are known when they are filled in. */
static void add_paths(const struct schema_run *r, jv *paths, jv files, int provider)
{
    int n = jv_get_kind(files) == JV_KIND_ARRAY ? jv_array_length(jv_copy(files)) : 0;

    for (int i = 0; i < n; i++) {
        AUTO_JV jv file = jv_array_get(jv_copy(files), i);
        const char *path = json_str(file, "path");

        if (path && !has_parameters(r, path))
            json_seti(paths, path, provider);
    }
}

/* Files of a list that lie in a file as if it were a folder: one of their own provider, or of another
 * one. where: the list. */
static void check_inside(struct schema_run *r, jv files, jv paths, int provider, bool own,
    const char *where)
{
    int n = jv_get_kind(files) == JV_KIND_ARRAY ? jv_array_length(jv_copy(files)) : 0;

    for (int i = 0; i < n; i++) {
        AUTO_JV jv file = jv_array_get(jv_copy(files), i);
        const char *path = json_str(file, "path"), *slash = path;
        char sub[96];

        while (slash && (slash = strchr(slash + 1, '/')) != NULL) {
            char *above AUTO_FREE = xstrndup(path, (size_t)(slash - path));
            AUTO_JV jv at = json_get(paths, above);

            if (!jv_is_valid(at) || ((int)jv_number_value(at) == provider) != own)
                continue;
            snprintf(sub, sizeof sub, "%s[%d].path", where, i);
            schema_report(r, sub, "lies in \"%s\", which is a file", above);
            break;
        }
    }
}

/* Files of different providers. */
static void check_providers(struct schema_run *r, jv config)
{
    AUTO_JV jv paths = jv_object();
    int n = jv_array_length(jv_copy(config));

    for (int round = 0; n > 1 && round < 2; round++)
        for (int i = 0; i < n; i++) {
            AUTO_JV jv item = jv_array_get(jv_copy(config), i), files = json_get(item, "inline");
            char where[48];

            snprintf(where, sizeof where, "[%d].inline", i);
            if (round == 0)
                add_paths(r, &paths, files, i);
            else
                check_inside(r, files, paths, i, false, where);
        }
}

/* A rendered spec has one provider, without a name. */
void check_config(struct schema_run *r, jv v)
{
    int n = jv_array_length(jv_copy(v));

    for (int i = 0; n > 1 && i < n; i++) {
        AUTO_JV jv item = jv_array_get(jv_copy(v), i);
        char sub[48];

        snprintf(sub, sizeof sub, "[%d].name", i);
        if (!*json_str(item, "name"))
            schema_report(r, sub, "must not be empty");
    }
    check_unique(r, v, "name");
    check_providers(r, v);
}

void check_files(struct schema_run *r, jv v)
{
    AUTO_JV jv paths = jv_object();

    check_unique(r, v, "path");
    add_paths(r, &paths, v, 0);
    check_inside(r, v, paths, 0, true, "");
}

void check_content(struct schema_run *r, jv v)
{
    const char *content = json_str(v, "content"), *encoding = json_str(v, "contentEncoding");
    AUTO_BUF struct buf b = BUF_INIT;
    struct err e = {0};
    size_t n;

    if (!content)
        return;
    n = strlen(content);
    if (encoding && !strcmp(encoding, "base64")) {
        if (base64_decode(&b, content, n) < 0) {
            schema_report(r, ".content", "must be base64");
            return;
        }
        n = b.len;
        if (schema_is_template(r) && n && template_checkn(b.p, n, &e) < 0)
            schema_report(r, ".content", "%s", e.msg);
    }
    if (n > CONTENT_MAX)
        schema_report(r, ".content", "is larger than %d bytes", CONTENT_MAX);
}

void check_mode(struct schema_run *r, jv v)
{
    double mode = jv_number_value(v);

    if (mode < 0 || mode > 07777)
        schema_report(r, "", "must be a file mode from 0 to 07777 (4095)");
}

/* --- applications --------------------------------------------------------------------------- */

/* An application without a name goes by its image. */
void check_applications(struct schema_run *r, jv v)
{
    AUTO_JV jv seen = jv_object();
    int n = jv_array_length(jv_copy(v));

    for (int i = 0; i < n; i++) {
        AUTO_JV jv app = jv_array_get(jv_copy(v), i);
        const char *name = json_str(app, "name");
        char sub[48];

        snprintf(sub, sizeof sub, "[%d].name", i);
        if (!name)
            name = json_str(app, "image");
        if (!name)
            schema_report(r, sub, "is required without an image");
        else if (!set_add(&seen, name))
            schema_report(r, sub, "is used already");
    }
}

void check_env(struct schema_run *r, jv v)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    jv_object_foreach(v, key, val)
    {
        const char *name = jv_string_value(key);
        AUTO_BUF struct buf sub = BUF_INIT;

        buf_addc(&sub, '.');
        buf_adds(&sub, name);
        if (!*name || !strchr(letters, *name) || name[strspn(name, all)])
            schema_report(r, sub.p, "must be named by letters, digits and _, no digit first");
        jv_free(key);
        jv_free(val);
    }
}

/* The pattern has seen to the form. */
void check_ports(struct schema_run *r, jv v)
{
    for (const char *s = jv_string_value(v); *s; s += *s == ':') {
        char *end;
        unsigned long port;

        if (*s == '/')
            break;
        errno = 0;
        port = strtoul(s, &end, 10);
        if (errno || port < 1 || port > 65535) {
            schema_report(r, "", "must have ports from 1 to 65535");
            return;
        }
        s = end;
    }
}

void check_volumes(struct schema_run *r, jv v)
{
    check_unique(r, v, "name");
}

void check_volume_image(struct schema_run *r, jv v)
{
    if (json_has(v, "reference") == json_has(v, "catalogItemRef"))
        schema_report(r, "", "must have exactly one of reference, catalogItemRef");
}

/* PATH[:OPTIONS] */
void check_mount_path(struct schema_run *r, jv v)
{
    const char *s = jv_string_value(v), *fault;
    size_t n = strcspn(s, ":");
    char *path AUTO_FREE = NULL;

    if (has_parameters(r, s))
        return;
    path = xstrndup(s, n);
    fault = path_fault(path, PATH_ABSOLUTE | PATH_FOLDER);
    if (fault)
        schema_report(r, "", "%s", fault);
    else if (s[n] && s[n + 1 + strspn(s + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "abcdefghijklmnopqrstuvwxyz0123456789,=_-")])
        schema_report(r, "", "must have options of letters, digits and =, _, -, with commas");
}

/* --- monitors ------------------------------------------------------------------------------- */

void check_monitors(struct schema_run *r, jv v)
{
    AUTO_JV jv seen = jv_object();
    int n = jv_array_length(jv_copy(v));

    for (int i = 0; i < n; i++) {
        AUTO_JV jv item = jv_array_get(jv_copy(v), i);
        const char *type = json_str(item, "monitorType"), *path = json_str(item, "path");
        char *key AUTO_FREE = xasprintf("%s %s", type, path ? path : "");
        char sub[48];

        snprintf(sub, sizeof sub, "[%d]", i);
        if (!set_add(&seen, key))
            schema_report(r, sub, "monitors what another one does");
    }
}

/* Each severity once, and the worse one later. */
void check_alerts(struct schema_run *r, jv v)
{
    static const char *const severities[] = {"Info", "Warning", "Critical"};
    double limit[LEN(severities)];
    bool set[LEN(severities)] = {false};
    int n = jv_array_length(jv_copy(v));

    for (int i = 0; i < n; i++) {
        AUTO_JV jv rule = jv_array_get(jv_copy(v), i), share = json_get(rule, "percentage");
        const char *severity = json_str(rule, "severity");
        char sub[48];
        size_t k = 0, j;

        while (k < LEN(severities) - 1 && strcmp(severity, severities[k]))
            k++;
        snprintf(sub, sizeof sub, "[%d].severity", i);
        if (set[k]) {
            schema_report(r, sub, "is used already");
            continue;
        }
        set[k] = true;
        limit[k] = jv_number_value(share);
        snprintf(sub, sizeof sub, "[%d].percentage", i);
        for (j = 0; j < LEN(severities); j++)
            if (set[j] && j != k && (j < k ? limit[j] >= limit[k] : limit[k] >= limit[j]))
                schema_report(r, sub, "must be %s than that of %s", j < k ? "more" : "less",
                    severities[j]);
    }
}

void check_share(struct schema_run *r, jv v)
{
    double share = jv_number_value(v);

    if (share < 0 || share > 100)
        schema_report(r, "", "must be from 0 to 100");
}

/* --- schedules ------------------------------------------------------------------------------ */

void check_cron(struct schema_run *r, jv v)
{
    struct err e = {0};
    struct cron c;

    if (cron_parse(jv_string_value(v), &c, &e) < 0)
        schema_report(r, "", "%s", e.msg);
}

/* False when the database of time zones is here and has no such zone; else the device will tell. */
static bool maybe_zone(const char *name)
{
    static const char folder[] = "/usr/share/zoneinfo";
    char *path AUTO_FREE = xasprintf("%s/%s", folder, name);
    int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    char magic[4] = "";

    if (fd < 0)
        return (errno != ENOENT && errno != ENOTDIR) || access(folder, X_OK) < 0;
    return read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && !memcmp(magic, "TZif", 4);
}

/* An IANA name. */
void check_time_zone(struct schema_run *r, jv v)
{
    static const char chars[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";
    const char *s = jv_string_value(v);

    if (!strcmp(s, "Local"))
        return;
    if (!*s || strlen(s) > 64 || s[strspn(s, chars)] || *s == '/' || *s == '-' ||
        s[strlen(s) - 1] == '/') {
        schema_report(r, "", "must be the name of a time zone, such as Europe/Berlin, or Local");
        return;
    }
    if (!maybe_zone(s))
        schema_report(r, "", "is no known time zone");
}
