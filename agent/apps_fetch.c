/* SPDX-License-Identifier: Apache-2.0 */
/* Images of applications, and the files of those that come in an image or artifact. */
#include "apps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "progress.h"

#define WORK "package" /* below AGENT_RUN: where an image is unpacked */
enum { WORK_DEPTH = 32 };

/* --- images --------------------------------------------------------------------------------- */

static bool is_here(const struct agent *a, jv def, bool artifact, const char *image)
{
    const char *const as_image[] = {"podman", "image", "exists", "--", image, NULL};
    const char *const as_artifact[] = {"podman", "artifact", "inspect", "--", image, NULL};
    struct err e = {0};

    return app_tool(a, def, artifact ? as_artifact : as_image, app_limits(a).command, NULL,
        &e) == 0;
}

/* Releases of podman before 5.5 cannot take files out of artifacts, and the oldest know none. */
static bool too_old(const struct agent *a, jv def, char **version)
{
    const char *const argv[] = {"podman", "version", "--format", "{{.Client.Version}}", NULL};
    struct buf out AUTO_BUF = BUF_INIT;
    unsigned major, minor;

    if (app_tool(a, def, argv, app_limits(a).command, &out, NULL) < 0)
        return false;
    *version = tool_last_line(out.p ? out.p : "", out.len, 32);
    return sscanf(*version, "%3u.%3u", &major, &minor) == 2 &&
        (major < 5 || (major == 5 && minor < 5));
}

/* What is no image may be an artifact, which podman keeps apart. e: why it is none. */
static int artifact_pull(const struct agent *a, jv def, const char *image, struct err *e)
{
    const char *const pull[] = {"podman", "artifact", "pull", "--quiet", "--", image, NULL};
    bool sure = strstr(e->msg, "on artifact with type") != NULL;
    char *version AUTO_FREE = NULL;
    struct err why = {0};

    if (sure && too_old(a, def, &version))
        return err_set(e, FC_INVALID, "is an artifact, and podman %s cannot take files out of one: "
            "5.5 is the first that can", version);
    if (app_tool(a, def, pull, app_limits(a).pull, NULL, &why) == 0)
        return 0;
    if (sure)
        *e = why;
    return -1;
}

/* artifacts: the image may also be an artifact. */
static int image_ensure(const struct agent *a, jv def, const char *image, const char *policy,
    bool artifacts, struct err *e)
{
    const char *const pull[] = {"podman", "pull", "--quiet", "--", image, NULL};
    char *text AUTO_FREE = xasprintf("image %s is fetched", image);

    if (strcmp(policy, "Always") != 0) {
        if (is_here(a, def, false, image) || (artifacts && is_here(a, def, true, image)))
            return 0;
        if (strcmp(policy, "Never") == 0)
            return err_set(e, FC_FAIL, "%s: is not on the device, and pullPolicy is Never", image);
    }
    progress_say(a, "Preparing", text);
    if (app_tool(a, def, pull, app_limits(a).pull, NULL, e) == 0 ||
        (artifacts && e->code == FC_FAIL && artifact_pull(a, def, image, e) == 0))
        return 0;
    if (e->code == FC_FAIL) /* the registry, or the way to it: another time it may come */
        e->code = FC_AGAIN;
    return err_wrap(e, "%s", image);
}

static bool drop_image(const struct agent *a, const char *key, jv owner)
{
    const char *own = json_str(owner, "image"), *image = own ? own : key;
    const char *const drop[] = {"podman", "image", "rm", "--", image, NULL};
    const char *const drop_artifact[] = {"podman", "artifact", "rm", "--", image, NULL};
    int limit = app_limits(a).command;
    bool is_image = is_here(a, owner, false, image);
    struct err e = {0};

    if (app_tool(a, owner, is_image ? drop : drop_artifact, limit, NULL, &e) == 0)
        log_info("image %s is needed no more: removed", key);
    else if (is_image)
        log_warn("image %s is needed no more: %s", key, e.msg);
    return !is_image || e.code == FC_OK || !is_here(a, owner, false, image);
}

bool images_prune(const struct agent *a, jv *registry, jv needed)
{
    jv images AUTO_JV = json_get(*registry, "images"), kept = jv_copy(images);
    bool changed = false;

    if (jv_get_kind(images) == JV_KIND_OBJECT)
        jv_object_foreach(images, key, owner) {
            const char *name = jv_string_value(key);

            if (!jv_object_has(jv_copy(needed), jv_copy(key)) && drop_image(a, name, owner)) {
                json_del(&kept, name);
                changed = true;
            }
            jv_free(key);
            jv_free(owner);
        }
    json_set(registry, "images", kept);
    return changed;
}

/* --- a folder of files ---------------------------------------------------------------------- */

struct reader {
    jv files;
    size_t size;
    int n;
};

/* What container runtimes put into each container, not the package. */
static bool is_runtime(const char *rel, const char *name)
{
    static const char *const names[] = {"dev", "proc", "run", "sys"};
    size_t i;

    for (i = 0; !*rel && i < LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int read_file(struct reader *r, int dir, const char *name, const char *path, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT, text AUTO_BUF = BUF_INIT;
    jv f = jv_invalid();

    if (!utf8_valid(path, strlen(path)))
        return err_set(e, FC_INVALID, "%s: its name is not UTF-8", path);
    if (++r->n > PACKAGE_FILES)
        return err_set(e, FC_INVALID, "has more than %d files", PACKAGE_FILES);
    if (place_read(dir, name, path, PACKAGE_MAX - r->size, &b, e) < 0)
        return -1;
    r->size += b.len;
    base64_encode(&text, b.p ? b.p : "", b.len);
    f = jv_object();
    json_sets(&f, "path", path);
    json_set(&f, "content", jv_string_sized(text.p ? text.p : "", (int)text.len));
    json_sets(&f, "contentEncoding", "base64");
    r->files = jv_array_append(r->files, f);
    return 0;
}

static DIR *open_dir(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !d)
        close(fd);
    return d;
}

/* Regular files only: links could lead anywhere. */
static int read_tree(struct reader *r, int dir, const char *name, const char *rel, int depth,
    struct err *e)
{
    DIR *d = open_dir(dir, name);
    struct dirent *ent;
    int rc = 0;

    if (!d)
        return err_errno(e, "%s", *rel ? rel : "/");
    while (rc == 0 && (ent = readdir(d))) {
        char *path AUTO_FREE = xasprintf("%s%s%s", rel, *rel ? "/" : "", ent->d_name);
        struct seen seen;

        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0 ||
            is_runtime(rel, ent->d_name))
            continue;
        rc = place_look(dirfd(d), ent->d_name, false, &seen, e);
        if (rc == 0 && seen.kind == SEEN_FILE)
            rc = read_file(r, dirfd(d), ent->d_name, path, e);
        else if (rc == 0 && seen.kind == SEEN_DIR)
            rc = depth == WORK_DEPTH ? err_set(e, FC_INVALID, "%s: too deep", path) :
                read_tree(r, dirfd(d), ent->d_name, path, depth + 1, e);
    }
    closedir(d);
    return rc;
}

static void remove_tree(int dir, const char *name, int depth)
{
    DIR *d = unlinkat(dir, name, 0) < 0 && depth <= 2 * WORK_DEPTH ? open_dir(dir, name) : NULL;
    struct dirent *ent;

    if (!d)
        return;
    while ((ent = readdir(d)))
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
            remove_tree(dirfd(d), ent->d_name, depth + 1);
    closedir(d);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
        log_debug("%s: %s", name, strerror(errno));
}

/* --- packages ------------------------------------------------------------------------------- */

static void package_name(const char *image, char out[SHA256_HEX + 5])
{
    char hash[SHA256_HEX];

    sha256_hex(image, strlen(image), hash);
    snprintf(out, SHA256_HEX + 5, "%s.json", hash);
}

int package_files(const struct agent *a, const char *image, jv *files, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_invalid();
    char name[SHA256_HEX + 5];
    int dir AUTO_CLOSE = a->data_fd < 0 ? -1 : place_dir(a->data_fd, APPS_PACKAGES, false, 0, e);

    *files = jv_invalid();
    package_name(image, name);
    if (dir < 0 || place_read(dir, name, name, JSON_MAX, &b, e) < 0)
        return err_set(e, FC_AGAIN, "%s was not fetched yet", image);
    if (json_parse(b.p ? b.p : "", b.len, &v, e) < 0)
        return err_wrap(e, "%s/%s", APPS_PACKAGES, name);
    *files = json_get(v, "files");
    return jv_get_kind(*files) == JV_KIND_ARRAY ? 0 :
        err_set(e, FC_INVALID, "%s/%s: has no files", APPS_PACKAGES, name);
}

void packages_prune(const struct agent *a, jv defs)
{
    DIR *d = open_dir(a->data_fd, APPS_PACKAGES);
    jv keep AUTO_JV = jv_object();
    int i, n = jv_array_length(jv_copy(defs));
    struct dirent *ent;

    if (!d)
        return;
    for (i = 0; i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(defs), i);
        const char *image = json_str(def, "package");
        char name[SHA256_HEX + 5];

        if (image) {
            package_name(image, name);
            json_set(&keep, name, jv_true());
        }
    }
    while ((ent = readdir(d))) {
        jv kept AUTO_JV = json_get(keep, ent->d_name);

        if (ent->d_name[0] != '.' && !jv_is_valid(kept) && unlinkat(dirfd(d), ent->d_name, 0) < 0)
            log_debug("%s/%s: %s", APPS_PACKAGES, ent->d_name, strerror(errno));
    }
    place_sweep(dirfd(d));
    closedir(d);
}

/* An archive of an artifact takes the place of its files. */
static int unpack(const struct agent *a, int work, const char *dir, struct err *e)
{
    static const char *const endings[] = {".tar", ".tar.gz", ".tgz"};
    DIR *d = open_dir(work, ".");
    struct dirent *ent;
    size_t i;
    int rc = 0;

    if (!d)
        return err_errno(e, "%s", dir);
    while (rc == 0 && (ent = readdir(d)))
        for (i = 0; rc == 0 && i < LEN(endings); i++) {
            size_t n = strlen(ent->d_name), m = strlen(endings[i]);
            char *path AUTO_FREE = xasprintf("%s/%s", dir, ent->d_name);
            const char *const argv[] = {"tar", i ? "-xzf" : "-xf", path, "-C", dir, NULL};

            if (n <= m || strcmp(ent->d_name + n - m, endings[i]) != 0)
                continue;
            rc = app_tool(a, jv_null(), argv, app_limits(a).command, NULL, e);
            if (rc == 0 && unlinkat(work, ent->d_name, 0) < 0)
                rc = err_errno(e, "%s", ent->d_name);
        }
    closedir(d);
    return rc;
}

/* Copies the files of an image into a folder (of the root), which is there and empty. */
static int extract(const struct agent *a, const char *image, int work, const char *dir,
    struct err *e)
{
    static const char name[] = "fc-package";
    int limit = app_limits(a).command;
    const char *const artifact[] = {"podman", "artifact", "extract", "--", image, dir, NULL};
    const char *const size[] = {"podman", "image", "inspect", "--format", "{{.Size}}", "--", image,
        NULL};
    const char *const create[] = {"podman", "create", "--replace", "--name", name, "--network",
        "none", "--", image, "none", NULL};
    const char *const copy[] = {"podman", "cp", "fc-package:/.", dir, NULL};
    const char *const drop[] = {"podman", "rm", "--force", "--ignore", name, NULL};
    struct buf out AUTO_BUF = BUF_INIT;
    struct err gone = {0};
    char *text AUTO_FREE = NULL;
    int64_t bytes;
    int rc;

    if (!is_here(a, jv_null(), false, image))
        return app_tool(a, jv_null(), artifact, limit, NULL, e) < 0 ? -1 : unpack(a, work, dir, e);
    if (app_tool(a, jv_null(), size, limit, &out, e) < 0)
        return -1;
    text = tool_last_line(out.p ? out.p : "", out.len, 32);
    if (num_parse(text, 0, INT64_C(1) << 53, &bytes, "size of the image", e) < 0)
        return -1;
    if (bytes > 2 * PACKAGE_MAX)
        return err_set(e, FC_INVALID, "is no package of an application: it has more than %d bytes",
            2 * PACKAGE_MAX);
    rc = app_tool(a, jv_null(), create, limit, NULL, e);
    if (rc == 0)
        rc = app_tool(a, jv_null(), copy, limit, NULL, e);
    if (app_tool(a, jv_null(), drop, limit, NULL, &gone) < 0)
        log_warn("%s: %s", name, gone.msg);
    return rc;
}

static int package_store(const struct agent *a, const char *image, jv files, struct err *e)
{
    int dir AUTO_CLOSE = place_dir(a->data_fd, APPS_PACKAGES, true, 0700, e);
    jv o AUTO_JV = jv_object();
    struct buf b AUTO_BUF = BUF_INIT;
    char name[SHA256_HEX + 5];

    if (dir < 0)
        return -1;
    json_sets(&o, "image", image);
    json_set(&o, "files", jv_copy(files));
    json_canon(&b, o);
    package_name(image, name);
    return place_write(dir, name, b.p, b.len, 0600, PLACE_DURABLE, e);
}

static int package_fetch(const struct agent *a, const char *image, struct err *e)
{
    static const char dir[] = AGENT_RUN "/" WORK;
    struct reader r = {.files = jv_array()};
    int work AUTO_CLOSE = -1;
    int rc = -1;

    if (image_ensure(a, jv_null(), image, "IfNotPresent", true, e) < 0)
        goto done;
    remove_tree(a->run_fd, WORK, 0); /* of a run that was killed */
    work = place_dir(a->run_fd, WORK, true, 0700, e);
    if (work < 0 || extract(a, image, work, dir, e) < 0 ||
        read_tree(&r, work, ".", "", 0, e) < 0)
        err_wrap(e, "%s", image);
    else
        rc = package_store(a, image, r.files, e);
    remove_tree(a->run_fd, WORK, 0);
done:
    jv_free(r.files);
    return rc;
}

/* --- what an update needs ------------------------------------------------------------------- */

static int fetch_packages(const struct agent *a, jv spec, struct err *e)
{
    jv apps AUTO_JV = json_get(spec, "applications");
    int i, n = jv_array_length(jv_copy(apps));

    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i), files AUTO_JV = jv_invalid();
        const char *type = json_str(app, "appType"), *image = json_str(app, "image");
        char *where AUTO_FREE = apps_where(spec, i);

        if (!image || !type || (strcmp(type, "compose") != 0 && strcmp(type, "quadlet") != 0) ||
            package_files(a, image, &files, e) == 0)
            continue;
        if (package_fetch(a, image, e) < 0)
            return err_wrap(e, "%s", where);
    }
    return 0;
}

static int fetch_images(const struct agent *a, jv def, struct err *e)
{
    jv images AUTO_JV = json_get(def, "images"), volumes AUTO_JV = json_get(def, "volumes");
    int i, k, n = jv_array_length(jv_copy(images)), m = jv_array_length(jv_copy(volumes));

    for (i = 0; i < n; i++) {
        jv image AUTO_JV = jv_array_get(jv_copy(images), i);
        const char *name = json_str(image, "image");
        bool volume = false;

        for (k = 0; k < m; k++) {
            jv v AUTO_JV = jv_array_get(jv_copy(volumes), k);

            volume |= json_str(v, "image") && strcmp(json_str(v, "image"), name) == 0;
        }
        if (image_ensure(a, def, name, json_str(image, "policy"), volume, e) < 0)
            return -1;
    }
    return 0;
}

/* The images that come for these definitions are the agent's to remove, also when the update fails
 * or the run is killed. */
static int remember(const struct agent *a, jv *registry, jv defs, struct err *e)
{
    jv images AUTO_JV = json_get(*registry, "images"), all AUTO_JV = apps_images_and(images, defs);

    if (jv_equal(jv_copy(images), jv_copy(all)))
        return 0;
    json_set(registry, "images", jv_copy(all));
    return apps_store(a, *registry, e);
}

/* Definitions of no more than the images that files come in. */
static jv packages_of(jv spec)
{
    jv apps AUTO_JV = json_get(spec, "applications"), defs = jv_array();
    int i, n = jv_array_length(jv_copy(apps));

    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i), def = jv_object();
        const char *type = json_str(app, "appType");

        if (type && (strcmp(type, "compose") == 0 || strcmp(type, "quadlet") == 0))
            json_sets(&def, "package", json_str(app, "image"));
        defs = jv_array_append(defs, def);
    }
    return defs;
}

/* Makes place first: what only a version that failed had needed goes. */
static int make_place(const struct agent *a, jv *registry, jv known, jv defs, struct err *e)
{
    jv needed AUTO_JV = apps_images(known), all AUTO_JV = apps_images_and(needed, defs);

    return app_limits(a).prune && images_prune(a, registry, all) ? apps_store(a, *registry, e) : 0;
}

int apps_prefetch(const struct agent *a, jv spec, struct err *e)
{
    jv listed AUTO_JV = json_get(spec, "applications"), apps AUTO_JV = jv_invalid();
    jv registry AUTO_JV = jv_invalid(), known AUTO_JV = jv_invalid(), defs AUTO_JV = jv_invalid();
    int i, n;

    if (!json_nonempty(listed))
        return 0;
    if (apps_registry(a, &registry, e) < 0)
        return -1;
    defs = packages_of(spec);
    if (remember(a, &registry, defs, e) < 0 || fetch_packages(a, spec, e) < 0 ||
        apps_read(a, spec, &apps, e) < 0)
        return -1;
    known = json_get(registry, "apps");
    n = jv_array_length(jv_copy(apps));
    jv_free(defs);
    defs = jv_array();
    for (i = 0; i < n; i++) {
        jv app AUTO_JV = jv_array_get(jv_copy(apps), i);

        defs = jv_array_append(defs, json_get(app, "def"));
    }
    if (make_place(a, &registry, known, defs, e) < 0 || remember(a, &registry, defs, e) < 0)
        return -1;
    for (i = 0; i < n; i++) {
        jv def AUTO_JV = jv_array_get(jv_copy(defs), i);
        jv old AUTO_JV = apps_find(known, json_str(def, "name"));
        char *where AUTO_FREE = apps_where(spec, i);

        if (!(jv_is_valid(old) && apps_same(old, def, "hash")) &&
            (app_account(a, def, e) < 0 || fetch_images(a, def, e) < 0))
            return err_wrap(e, "%s", where);
    }
    return 0;
}
