/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes to bring the files of the device to those of a spec. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "state.h"

/* What a plan is made from, besides the spec. */
struct scene {
    const struct agent *a;
    struct plan *p;
    jv registry;        /* before */
    jv files, dirs;     /* of the registry after, as far as it is made */
    jv leaving;         /* paths that go, as members of an object */
    jv rmdirs;          /* folders that go */
};

/* --- the registry ------------------------------------------------------------------------- */

static jv registry_new(void)
{
    jv r = jv_object();

    json_set(&r, "files", jv_object());
    json_set(&r, "dirs", jv_object());
    return r;
}

/* Without a registry (lost, or the data folder is another agent's) the files of the running spec
 * count as managed; what stood there before them is not known. */
static jv registry_derive(const struct agent *a)
{
    struct wants ws = {0};
    jv registry = registry_new(), files = jv_object(), device AUTO_JV = jv_invalid();
    jv spec AUTO_JV = jv_invalid();
    struct buf b AUTO_BUF = BUF_INIT;
    struct err e = {0};
    size_t i;

    if (place_read(a->data_fd, "current.json", "current.json", SPEC_MAX, &b, &e) == 0 &&
        json_parse(b.p ? b.p : "", b.len, &device, &e) == 0) {
        spec = json_get(device, "spec");
        if (files_wants_read(a, spec, &ws, &e) < 0)
            log_warn("current.json: %s", e.msg);
    }
    for (i = 0; i < ws.n; i++) {
        jv entry = jv_object();

        json_sets(&entry, "sha256", ws.want[i].sha256);
        json_set(&entry, "original", jv_null());
        json_set(&files, ws.want[i].path, entry);
    }
    files_wants_free(&ws);
    json_set(&registry, "files", files);
    return registry;
}

int files_registry(const struct agent *a, jv *out, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv files AUTO_JV = jv_invalid(), dirs AUTO_JV = jv_invalid();

    *out = jv_invalid();
    if (a->data_fd < 0) {
        *out = registry_new();
        return 0;
    }
    if (place_read(a->data_fd, FILES_STATE, FILES_STATE, RECORDS_MAX, &b, e) < 0) {
        if (e->code == FC_FAIL || e->code == FC_DENIED)
            return -1;
        if (e->code != FC_NOTFOUND)
            state_set_aside(a, FILES_STATE, e);
    } else if (json_parse(b.p ? b.p : "", b.len, out, e) == 0) {
        files = json_get(*out, "files");
        dirs = json_get(*out, "dirs");
        if (jv_get_kind(files) == JV_KIND_OBJECT && jv_get_kind(dirs) == JV_KIND_OBJECT)
            return 0;
        err_set(e, FC_INVALID, "has no files and dirs");
        state_set_aside(a, FILES_STATE, e);
        jv_free(*out);
    } else
        state_set_aside(a, FILES_STATE, e);
    *out = registry_derive(a);
    return 0;
}

/* --- where a path leads ------------------------------------------------------------------- */

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Not into the agent's own state, nor where files are not files. real: the resolved folder that
 * exists, rest: what comes behind it. */
static int allowed(const struct agent *a, int fd, const char *path, const char *rest,
    struct err *e)
{
    static const char *const never[] = {"/proc", "/sys", "/dev", AGENT_RUN, AGENT_DATA,
        AGENT_CONFIG, "/etc/flightctl/certs", "/usr/lib/flightctl"};
    char link[64], real[PATH_LEN * 2];
    const char *inside;
    size_t i, n = strlen(a->root_path);
    ssize_t len;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, real, PATH_LEN - 1);
    if (len < 0)
        return err_errno(e, "%s: %s", path, link);
    real[len] = '\0';
    snprintf(real + len, sizeof real - (size_t)len, "%s", len == 1 ? rest + 1 : rest);
    if (strncmp(real, a->root_path, n) != 0 || real[n] != '/')
        return err_set(e, FC_INVALID, "%s: leads out of the root folder", path);
    inside = real + n;
    for (i = 0; i < LEN(never); i++)
        if (below(inside, never[i]) || below(path, never[i]))
            return err_set(e, FC_INVALID, "%s: %s is not for managed files", path, never[i]);
    if (a->data_path && below(real, a->data_path))
        return err_set(e, FC_INVALID, "%s: the agent's own data folder is not for managed files",
            path);
    return 0;
}

static bool member(jv object, const char *key)
{
    jv v AUTO_JV = json_get(object, key);

    return jv_is_valid(v);
}

static bool is_there(const struct agent *a, const char *path, int flags)
{
    int fd AUTO_CLOSE = place_open(a->root_fd, path, O_PATH | flags, 0);

    return fd >= 0;
}

/* The folder that holds path now, or the nearest one above it; the folders between are listed for
 * mkdir. A managed file that goes may make place for a folder. The caller closes the result. */
static int find_place(const struct scene *s, const char *path, char at[PATH_LEN], jv *mkdirs,
    struct err *e)
{
    jv missing AUTO_JV = jv_array();
    char dir[PATH_LEN];
    const char *name;
    int fd, i;

    path_split(path, dir, &name);
    *mkdirs = jv_array();
    for (;;) {
        char *slash = strrchr(dir, '/');

        fd = place_folder(s->a->root_fd, dir);
        if (fd >= 0)
            break;
        if (errno != ENOENT && !(errno == ENOTDIR && slash != dir))
            return err_errno(e, "%s: %s", path, dir);
        if (errno == ENOTDIR && !member(s->leaving, dir) && is_there(s->a, dir, O_NOFOLLOW))
            return err_set(e, FC_CONFLICT, is_there(s->a, dir, O_DIRECTORY) ? "%s: %s is behind a "
                "symbolic link of another user" : "%s: a file stands where the folder %s should be",
                path, dir);
        if (slash == dir && !dir[1])
            return err_errno(e, "%s", path);
        missing = jv_array_append(missing, jv_string(dir));
        slash[slash == dir] = '\0';
    }
    snprintf(at, PATH_LEN, "%s", dir);
    for (i = jv_array_length(jv_copy(missing)) - 1; i >= 0; i--)
        *mkdirs = jv_array_append(*mkdirs, jv_array_get(jv_copy(missing), i));
    if (allowed(s->a, fd, path, path + (dir[1] ? strlen(dir) : 0), e) == 0)
        return fd;
    close(fd);
    return -1;
}

/* --- making the steps --------------------------------------------------------------------- */

static const char *kind_word(enum seen_kind k)
{
    return k == SEEN_FILE ? "file" : k == SEEN_LINK ? "link" : "none";
}

static void step_id(struct step *s)
{
    struct buf hex AUTO_BUF = BUF_INIT;
    unsigned char id[8];

    if (getrandom(id, sizeof id, 0) != sizeof id)
        die("getrandom");
    hex_encode(&hex, id, sizeof id);
    json_sets(&s->rec, "id", hex.p);
}

static void step_perms(struct step *s, mode_t mode, uid_t uid, gid_t gid)
{
    json_seti(&s->rec, "mode", mode);
    json_seti(&s->rec, "uid", uid);
    json_seti(&s->rec, "gid", gid);
}

static void step_place(struct step *s, const char *at, jv mkdirs, enum seen_kind was)
{
    step_id(s);
    json_sets(&s->rec, "at", at);
    if (json_nonempty(mkdirs))
        json_set(&s->rec, "mkdir", jv_copy(mkdirs));
    json_sets(&s->rec, "was", kind_word(was));
}

/* What stood at a path before it was managed first. */
static jv original_of(const struct seen *seen)
{
    jv o = jv_object();

    if (seen->kind == SEEN_LINK) {
        json_sets(&o, "target", seen->target);
        return o;
    }
    json_sets(&o, "sha256", seen->sha256);
    json_seti(&o, "mode", seen->mode);
    json_seti(&o, "uid", seen->uid);
    json_seti(&o, "gid", seen->gid);
    return o;
}

/* Looks at a path's last part. A folder is in the way unless it is one of ours that goes. */
static int look(const struct scene *s, int fd, const char *path, struct seen *seen, struct err *e)
{
    const char *name = strrchr(path, '/') + 1;

    if (place_look(fd, name, true, seen, e) < 0)
        return err_wrap(e, "%s", path);
    if (seen->kind == SEEN_DIR && member(s->rmdirs, path))
        seen->kind = SEEN_NONE;
    if (seen->kind == SEEN_DIR)
        return err_set(e, FC_CONFLICT, "%s: a folder stands where the file should go", path);
    if (seen->kind == SEEN_OTHER)
        return err_set(e, FC_CONFLICT, "%s: what stands there is no regular file", path);
    return 0;
}

static int plan_want(struct scene *s, struct want *w, struct err *e)
{
    jv mkdirs AUTO_JV = jv_invalid(), before AUTO_JV = jv_invalid(), entry = jv_invalid();
    jv old AUTO_JV = json_get(s->registry, "files");
    char at[PATH_LEN], dir[PATH_LEN];
    int fd AUTO_CLOSE = find_place(s, w->path, at, &mkdirs, e);
    struct seen seen = {0};
    struct step *st;
    const char *name;
    bool same, fresh;
    int i, n;

    path_split(w->path, dir, &name);
    if (fd < 0 || (!json_nonempty(mkdirs) && look(s, fd, w->path, &seen, e) < 0))
        return -1;
    before = json_get(old, w->path);
    fresh = !jv_is_valid(before);
    same = seen.kind == SEEN_FILE && strcmp(seen.sha256, w->sha256) == 0 &&
        seen.mode == w->mode && seen.uid == w->uid && seen.gid == w->gid;
    if (!same || (fresh && seen.kind == SEEN_FILE)) {
        st = plan_add(s->p, &files_controller, same ? "adopt" : "write", w->path);
        json_sets(&st->rec, "sha256", w->sha256);
        json_seti(&st->rec, "size", (int64_t)w->content.len);
        step_perms(st, w->mode, w->uid, w->gid);
        if (fresh && seen.kind == SEEN_FILE)
            json_sets(&st->rec, "backup", seen.sha256);
        if (!same) {
            step_place(st, at, mkdirs, seen.kind);
            st->content = w->content;
            w->content = (struct buf)BUF_INIT;
        }
    }
    entry = jv_object();
    json_sets(&entry, "sha256", w->sha256);
    json_seti(&entry, "mode", w->mode);
    json_seti(&entry, "uid", w->uid);
    json_seti(&entry, "gid", w->gid);
    json_set(&entry, "original", !fresh ? json_get(before, "original") :
        seen.kind == SEEN_NONE ? jv_null() : original_of(&seen));
    json_set(&s->files, w->path, entry);
    n = jv_array_length(jv_copy(mkdirs));
    for (i = 0; i < n; i++) {
        jv made AUTO_JV = jv_array_get(jv_copy(mkdirs), i);

        json_set(&s->dirs, jv_string_value(made), jv_true());
    }
    return 0;
}

/* Takes a file that cannot go as it is, and a backup that is gone as none. What might succeed
 * another time (an I/O error) fails the version instead. */
static bool tolerable(const struct err *why)
{
    return why->code == FC_CONFLICT || why->code == FC_INVALID || why->code == FC_NOTFOUND;
}

/* A file that leaves the spec goes, or makes place for what stood there before. */
static int plan_leave(struct scene *s, const char *path, jv entry, struct err *e)
{
    jv original AUTO_JV = json_get(entry, "original"), mkdirs AUTO_JV = jv_invalid();
    const char *sha256 = json_str(original, "sha256"), *target = json_str(original, "target");
    struct buf content = BUF_INIT;
    struct seen seen = {0};
    char at[PATH_LEN];
    int fd AUTO_CLOSE = find_place(s, path, at, &mkdirs, e);
    struct step *st;

    if (fd < 0 || (!json_nonempty(mkdirs) && look(s, fd, path, &seen, e) < 0)) {
        if (!tolerable(e))
            return -1;
        log_warn("%s: left as it is", e->msg);
        return 0;
    }
    if (sha256 && files_backup(s->a, sha256, &content, e) < 0) {
        buf_free(&content);
        if (!tolerable(e))
            return err_wrap(e, "%s", path);
        log_warn("%s: %s: removed instead of restored", path, e->msg);
        sha256 = NULL;
    }
    if (!sha256 && !target) {
        if (seen.kind == SEEN_NONE)
            return 0;
        st = plan_add(s->p, &files_controller, "remove", path);
        while (member(s->rmdirs, at)) { /* its old content is kept where a folder stays */
            char *slash = strrchr(at, '/');

            slash[slash == at] = '\0';
        }
        step_place(st, at, mkdirs, seen.kind);
        return 0;
    }
    if (s->a->data_fd < 0)
        return err_set(e, FC_FAIL, "%s: no data folder", path);
    st = plan_add(s->p, &files_controller, "restore", path);
    json_sets(&st->rec, "sha256", sha256);
    json_sets(&st->rec, "target", target);
    step_perms(st, (mode_t)json_int(original, "mode", 0644), (uid_t)json_int(original, "uid", 0),
        (gid_t)json_int(original, "gid", 0));
    step_place(st, at, mkdirs, seen.kind);
    st->content = content;
    return 0;
}

/* Folders that the agent made and that no file needs any more. Deepest first. */
static int plan_rmdirs(struct scene *s, jv paths, struct err *e)
{
    int i = jv_array_length(jv_copy(paths));

    while (i-- > 0) {
        jv path AUTO_JV = jv_array_get(jv_copy(paths), i);
        char dir[PATH_LEN];
        const char *name;
        int fd AUTO_CLOSE = -1;
        struct seen seen;
        struct step *st;

        path_split(jv_string_value(path), dir, &name);
        fd = place_open(s->a->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
            continue;
        if (place_look(fd, name, false, &seen, e) < 0)
            return err_wrap(e, "%s", jv_string_value(path));
        if (seen.kind != SEEN_DIR)
            continue;
        st = plan_add(s->p, &files_controller, "rmdir", jv_string_value(path));
        step_perms(st, seen.mode, seen.uid, seen.gid);
    }
    return 0;
}

/* The keys of an object in order. */
static jv keys_of(jv object)
{
    return jv_get_kind(object) == JV_KIND_OBJECT ? jv_keys(jv_copy(object)) : jv_array();
}

/* Sorts the registry into what goes and what stays: files that the spec has no more, and made
 * folders that neither a wanted file nor a restored one stands in. */
static void sort_out(struct scene *s, const struct wants *ws)
{
    jv files AUTO_JV = json_get(s->registry, "files"), dirs AUTO_JV = json_get(s->registry, "dirs");
    jv paths AUTO_JV = keys_of(files), made AUTO_JV = keys_of(dirs), needed AUTO_JV = jv_object();
    int i, n = jv_array_length(jv_copy(paths)), m = jv_array_length(jv_copy(made));
    size_t w;

    for (w = 0; w < ws->n; w++)
        json_set(&needed, ws->want[w].path, jv_true());
    for (i = 0; i < n; i++) {
        jv path AUTO_JV = jv_array_get(jv_copy(paths), i);
        jv entry AUTO_JV = json_get(files, jv_string_value(path));
        jv original AUTO_JV = json_get(entry, "original");

        if (files_want_find(ws, jv_string_value(path)))
            continue;
        json_set(&s->leaving, jv_string_value(path), jv_copy(entry));
        if (json_nonempty(original))
            json_set(&needed, jv_string_value(path), jv_true());
    }
    for (i = 0; i < m; i++) {
        jv dir AUTO_JV = jv_array_get(jv_copy(made), i);
        bool stays = false;

        jv_object_foreach(needed, path, one) {
            stays |= below(jv_string_value(path), jv_string_value(dir)) &&
                strcmp(jv_string_value(path), jv_string_value(dir)) != 0;
            jv_free(path);
            jv_free(one);
        }
        json_set(stays ? &s->dirs : &s->rmdirs, jv_string_value(dir), jv_true());
    }
}

static int plan_all(struct scene *s, struct wants *ws, struct err *e)
{
    jv leaving AUTO_JV = keys_of(s->leaving), rmdirs AUTO_JV = keys_of(s->rmdirs);
    int i = jv_array_length(jv_copy(leaving));
    size_t w;

    while (i-- > 0) {
        jv path AUTO_JV = jv_array_get(jv_copy(leaving), i);
        jv entry AUTO_JV = json_get(s->leaving, jv_string_value(path));

        if (plan_leave(s, jv_string_value(path), entry, e) < 0)
            return -1;
    }
    if (plan_rmdirs(s, rmdirs, e) < 0)
        return -1;
    for (w = 0; w < ws->n; w++)
        if (plan_want(s, &ws->want[w], e) < 0)
            return -1;
    return 0;
}

int files_plan(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    struct scene s = {.a = a, .p = p, .registry = jv_invalid(), .files = jv_object(),
        .dirs = jv_object(), .leaving = jv_object(), .rmdirs = jv_object()};
    struct wants ws = {0};
    jv after = jv_object();
    int rc = files_wants_read(a, spec, &ws, e);

    if (rc == 0)
        rc = files_registry(a, &s.registry, e);
    if (rc == 0) {
        sort_out(&s, &ws);
        rc = plan_all(&s, &ws, e);
    }
    json_set(&after, "files", s.files);
    json_set(&after, "dirs", s.dirs);
    json_set(&p->after, files_controller.name, after);
    jv_free(s.registry);
    jv_free(s.leaving);
    jv_free(s.rmdirs);
    files_wants_free(&ws);
    return rc;
}

/* --- drift -------------------------------------------------------------------------------- */

static bool differs(const struct agent *a, const char *path, jv entry)
{
    const char *sha256 = json_str(entry, "sha256"), *name;
    char dir[PATH_LEN];
    struct seen seen;
    int fd AUTO_CLOSE = -1;

    path_split(path, dir, &name);
    fd = place_open(a->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
    return fd < 0 || place_look(fd, name, true, &seen, NULL) < 0 || seen.kind != SEEN_FILE ||
        !sha256 || strcmp(seen.sha256, sha256) != 0 ||
        seen.mode != (mode_t)json_int(entry, "mode", -1) ||
        seen.uid != (uid_t)json_int(entry, "uid", -1) ||
        seen.gid != (gid_t)json_int(entry, "gid", -1);
}

bool files_drifted(const struct agent *a)
{
    jv registry AUTO_JV = jv_invalid(), files AUTO_JV = jv_invalid();
    struct err e = {0};
    bool found = false;

    if (files_registry(a, &registry, &e) < 0)
        return true; /* why is said by the plan */
    files = json_get(registry, "files");
    jv_object_foreach(files, path, entry) {
        found = found || differs(a, jv_string_value(path), entry);
        jv_free(path);
        jv_free(entry);
    }
    return found;
}
