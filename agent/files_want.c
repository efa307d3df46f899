/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a rendered spec wants. */
#include "files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "apps.h"
#include "base/mem.h"
#include "base/text.h"

void files_wants_free(struct wants *w)
{
    size_t i;

    for (i = 0; i < w->n; i++) {
        free(w->want[i].path);
        buf_free(&w->want[i].content);
    }
    free(w->want);
}

/* "//" and "/./" are one "/"; ".." and a '/' at the end are refused. NULL with a message. */
static char *clean_path(const char *s, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *p = s;

    if (!s || *s != '/' || strlen(s) >= PATH_LEN - 64) {
        err_set(e, FC_INVALID, "%s: not an absolute path", s ? s : "file without a path");
        return NULL;
    }
    while (*p) {
        size_t n = strcspn(p += strspn(p, "/"), "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            err_set(e, FC_INVALID, "%s: \"..\" is not allowed", s);
            return NULL;
        }
        if (n && !(n == 1 && p[0] == '.')) {
            buf_addc(&b, '/');
            buf_add(&b, p, n);
        }
        p += n;
    }
    if (!b.len || s[strlen(s) - 1] == '/') {
        err_set(e, FC_INVALID, "%s: names a folder, not a file", s);
        return NULL;
    }
    return buf_steal(&b);
}

/* A user or group comes as a string, by older clients as a number. */
static const char *id_text(jv file, const char *key, char number[32])
{
    const char *s = json_str(file, key);

    if (s || !json_has(file, key))
        return s && *s ? s : NULL;
    snprintf(number, 32, "%" PRId64, json_int(file, key, -1));
    return number;
}

static int want_owner(const struct agent *a, jv file, struct want *w, struct err *e)
{
    char number[32];
    const char *user = id_text(file, "user", number);

    /* Without privilege, files without an owner in the spec are one's own. */
    w->uid = geteuid() == 0 ? 0 : geteuid();
    w->gid = geteuid() == 0 ? 0 : getegid();
    if (user && account_user(a->root_fd, user, &w->uid, NULL, e) < 0)
        return -1;
    user = id_text(file, "group", number);
    return user ? account_group(a->root_fd, user, &w->gid, e) : 0;
}

static int want_content(jv file, struct want *w, struct err *e)
{
    jv content AUTO_JV = json_get(file, "content");
    const char *encoding = json_str(file, "contentEncoding");
    size_t n;

    if (jv_get_kind(content) != JV_KIND_STRING)
        return err_set(e, FC_INVALID, "no content");
    n = (size_t)jv_string_length_bytes(jv_copy(content));
    if (!encoding || !*encoding || strcmp(encoding, "plain") == 0)
        buf_add(&w->content, jv_string_value(content), n);
    else if (strcmp(encoding, "base64") != 0)
        return err_set(e, FC_INVALID, "contentEncoding: \"%s\" is unknown", encoding);
    else if (base64_decode(&w->content, jv_string_value(content), n) < 0)
        return err_set(e, FC_INVALID, "content: not base64");
    sha256_hex(w->content.p ? w->content.p : "", w->content.len, w->sha256);
    return 0;
}

static int want_add(const struct agent *a, jv file, struct wants *ws, struct err *e)
{
    struct want *w;
    char *path = clean_path(json_str(file, "path"), e);
    int64_t mode = json_int(file, "mode", 0644);

    if (!path)
        return -1;
    ws->want = xreallocarray(ws->want, ws->n + 1, sizeof *ws->want);
    w = &ws->want[ws->n++];
    *w = (struct want){.path = path, .mode = (mode_t)mode};
    if (mode < 0 || mode > 07777)
        return err_set(e, FC_INVALID, "%s: mode %" PRId64 " is out of range", path, mode);
    if (want_owner(a, file, w, e) < 0 || want_content(file, w, e) < 0)
        return err_wrap(e, "%s", path);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct want *)a)->path, ((const struct want *)b)->path);
}

const struct want *files_want_find(const struct wants *ws, const char *path)
{
    struct want key = {.path = (char *)(uintptr_t)path};

    return ws->n ? bsearch(&key, ws->want, ws->n, sizeof key, by_path) : NULL;
}

/* No path twice, and none that is another one's folder. */
static int check_paths(const struct wants *ws, struct err *e)
{
    size_t i;

    for (i = 0; i < ws->n; i++) {
        char dir[PATH_LEN], *slash;

        if (i && strcmp(ws->want[i].path, ws->want[i - 1].path) == 0)
            return err_set(e, FC_INVALID, "%s: stands twice in the spec", ws->want[i].path);
        snprintf(dir, sizeof dir, "%s", ws->want[i].path);
        while ((slash = strrchr(dir, '/')) && slash != dir) {
            *slash = '\0';
            if (files_want_find(ws, dir))
                return err_set(e, FC_INVALID, "%s: is a file and the folder of %s at once", dir,
                    ws->want[i].path);
        }
    }
    return 0;
}

static int apps_wants(const struct agent *a, jv spec, struct wants *ws, struct err *e)
{
    jv apps AUTO_JV = jv_invalid();
    int i, k, n, m;

    if (apps_read(a, spec, &apps, e) < 0)
        return -1;
    n = jv_array_length(jv_copy(apps));
    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i), files AUTO_JV = json_get(app, "files");

        m = jv_array_length(jv_copy(files));
        for (k = 0; k < m; k++) {
            jv file AUTO_JV = jv_array_get(jv_copy(files), k);

            if (want_add(a, file, ws, e) < 0) {
                char *where AUTO_FREE = apps_where(spec, i);

                return err_wrap(e, "%s", where);
            }
        }
    }
    return 0;
}

int files_wants_read(const struct agent *a, jv spec, struct wants *ws, struct err *e)
{
    jv config AUTO_JV = json_get(spec, "config");
    int i, j, n = jv_get_kind(config) == JV_KIND_ARRAY ? jv_array_length(jv_copy(config)) : 0;

    for (i = 0; i < n; i++) {
        jv provider AUTO_JV = jv_array_get(jv_copy(config), i);
        jv files AUTO_JV = json_get(provider, "inline");
        int m;

        if (jv_get_kind(files) != JV_KIND_ARRAY)
            return err_set(e, FC_INVALID, "spec.config[%d]: not rendered: it has no \"inline\"", i);
        m = jv_array_length(jv_copy(files));
        for (j = 0; j < m; j++) {
            jv file AUTO_JV = jv_array_get(jv_copy(files), j);

            if (want_add(a, file, ws, e) < 0)
                return -1;
        }
    }
    if (apps_wants(a, spec, ws, e) < 0)
        return -1;
    if (ws->n)
        qsort(ws->want, ws->n, sizeof *ws->want, by_path);
    return check_paths(ws, e);
}
