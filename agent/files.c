/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "label.h"

enum temp { TEMP_NEW, TEMP_OLD, TEMP_COPY };

enum {
    SYNC_ALONE = 3,   /* files that are made durable one by one; more by their file systems */
    SYSTEMS_MAX = 16, /* file systems of one update; files of others one by one */
};

/* Name of a step's temporary. */
static const char *temp_name(jv rec, enum temp t, char out[64])
{
    static const char *const suffix[] = {[TEMP_NEW] = "new", [TEMP_OLD] = "old",
        [TEMP_COPY] = "copy"};
    const char *id = json_str(rec, "id");

    snprintf(out, 64, ".fc-%.32s.%s", id ? id : "", suffix[t]);
    return out;
}

static bool does(jv rec, const char *what)
{
    const char *s = json_str(rec, "do");

    return s && strcmp(s, what) == 0;
}

static bool puts_file(jv rec)
{
    return does(rec, "write") || does(rec, "restore");
}

static bool had_something(jv rec)
{
    const char *was = json_str(rec, "was");

    return was && strcmp(was, "none") != 0;
}

void path_split(const char *path, char dir[PATH_LEN], const char **name)
{
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;

    snprintf(dir, PATH_LEN, "%.*s", n ? n : 1, n ? path : "/");
    *name = slash ? slash + 1 : path;
}

/* Opens the folder where a step's new file is staged; -1 with errno. */
static int open_stage(const struct agent *a, jv rec)
{
    const char *at = json_str(rec, "at");

    if (at)
        return place_folder(a->root_fd, at);
    errno = ENOENT;
    return -1;
}

/* Opens the folder of a step's path; -1 with errno. */
static int open_parent(const struct agent *a, jv rec, const char **name)
{
    const char *path = json_str(rec, "path");
    char dir[PATH_LEN];

    if (!path || strlen(path) >= sizeof dir) {
        errno = ENAMETOOLONG;
        return -1;
    }
    path_split(path, dir, name);
    return place_folder(a->root_fd, dir);
}

/* Opens the folder where the old file is kept: its own, but for a file whose folder goes too. */
static int open_keep(const struct agent *a, jv rec)
{
    const char *name;

    return does(rec, "remove") ? open_stage(a, rec) : open_parent(a, rec, &name);
}

static int fail(jv rec, struct err *e)
{
    return err_errno(e, "%s", json_str(rec, "path"));
}

static int wrap(jv rec, struct err *e)
{
    return err_wrap(e, "%s", json_str(rec, "path"));
}

/* --- prepare ------------------------------------------------------------------------------ */

/* Owner before mode, since a change of owner clears set-id bits. */
static int set_owner(int fd, jv rec, struct err *e)
{
    uid_t uid = (uid_t)json_int(rec, "uid", 0);
    gid_t gid = (gid_t)json_int(rec, "gid", 0);
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, "fstat");
    if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
        return err_errno(e, "cannot give it to %u:%u", (unsigned)uid, (unsigned)gid);
    if (fchmod(fd, (mode_t)json_int(rec, "mode", 0644)) < 0)
        return err_errno(e, "chmod");
    return 0;
}

/* Not durable yet, but on its way: many files that are written by the time of the first fsync cost
 * about one. */
static int make_file(int dir, const char *name, jv rec, const void *p, size_t n, struct err *e)
{
    int fd AUTO_CLOSE = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        0600);

    if (fd < 0)
        return err_errno(e, "cannot make a temporary");
    if (fd_write(fd, p, n, "cannot write", e) < 0 || set_owner(fd, rec, e) < 0)
        return -1;
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* where it cannot begin early, it does not */
    return 0;
}

/* Makes a file durable that may not be there. */
static int sync_file(int dir, const char *name, struct err *e)
{
    int fd AUTO_CLOSE = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) /* ELOOP: a link, which its folder holds */
        return errno == ENOENT || errno == ELOOP ? 0 : err_errno(e, "%s", name);
    return fsync(fd) < 0 ? err_errno(e, "fsync") : 0;
}

/* What is staged gets the label of the place that it is for. */
static int label_staged(const struct agent *a, int dir, const char *name, jv rec, struct err *e)
{
    const char *at = json_str(rec, "at"), *path = json_str(rec, "path");
    mode_t mode = json_has(rec, "target") ? S_IFLNK | 0777 :
        S_IFREG | (mode_t)json_int(rec, "mode", 0644);

    return label_set(a, dir, name, path + (at[1] ? strlen(at) : 0), mode, e);
}

static int stage(const struct agent *a, struct step *s, struct err *e)
{
    const char *target = json_str(s->rec, "target");
    int dir AUTO_CLOSE = open_stage(a, s->rec);
    char name[64];

    temp_name(s->rec, TEMP_NEW, name);
    if (dir < 0)
        return err_errno(e, "cannot make a temporary");
    if (target ? symlinkat(target, dir, name) < 0 && err_errno(e, "symlink") < 0 :
        make_file(dir, name, s->rec, s->content.p, s->content.len, e) < 0)
        return -1;
    return label_staged(a, dir, name, s->rec, e);
}

/* A copy stands in where a file system has no hard links: first under a name of its own, so that
 * a half-written one is never taken for the file. */
static int keep_copy(int dir, const char *name, jv rec, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv perms AUTO_JV = jv_object();
    char copy[64], old[64];
    struct seen seen;

    temp_name(rec, TEMP_COPY, copy);
    temp_name(rec, TEMP_OLD, old);
    if (place_look(dir, name, false, &seen, e) < 0)
        return -1;
    if (seen.kind == SEEN_LINK)
        return symlinkat(seen.target, dir, old) < 0 ? err_errno(e, "symlink") : 0;
    json_seti(&perms, "uid", seen.uid);
    json_seti(&perms, "gid", seen.gid);
    json_seti(&perms, "mode", seen.mode);
    if (place_read(dir, name, name, SIZE_MAX / 4, &b, e) < 0 ||
        make_file(dir, copy, perms, b.p, b.len, e) < 0 || sync_file(dir, copy, e) < 0)
        return -1;
    return renameat(dir, copy, dir, old) < 0 ? err_errno(e, "rename") : 0;
}

/* A second name for what stands there, so that a rollback brings back the very same file. */
static int keep_old(const struct agent *a, jv rec, struct err *e)
{
    const char *name;
    int dir AUTO_CLOSE = open_parent(a, rec, &name);
    char old[64];

    if (dir < 0)
        return err_errno(e, "open");
    if (linkat(dir, name, dir, temp_name(rec, TEMP_OLD, old), 0) == 0)
        return 0;
    if (errno == ENOENT)
        return err_set(e, FC_CONFLICT, "it went away meanwhile");
    return keep_copy(dir, name, rec, e);
}

static int back_up(const struct agent *a, jv rec, const char *sha256, struct err *e)
{
    const char *name;
    int from AUTO_CLOSE = open_parent(a, rec, &name), to AUTO_CLOSE = -1;
    struct buf b AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];

    if (from < 0)
        return err_errno(e, "open");
    to = place_dir(a->data_fd, FILES_BACKUP, true, 0700, e);
    if (to < 0 || place_read(from, name, name, SIZE_MAX / 4, &b, e) < 0)
        return -1;
    sha256_hex(b.p ? b.p : "", b.len, hash);
    if (strcmp(hash, sha256) != 0)
        return err_set(e, FC_CONFLICT, "it changed meanwhile");
    return place_write(to, sha256, b.p, b.len, 0600, PLACE_DURABLE, e);
}

static int files_prepare(const struct agent *a, struct step *s, struct err *e)
{
    const char *backup = json_str(s->rec, "backup");

    if (backup && back_up(a, s->rec, backup, e) < 0)
        return wrap(s->rec, e);
    if (!puts_file(s->rec))
        return 0;
    if (stage(a, s, e) < 0 || (had_something(s->rec) && keep_old(a, s->rec, e) < 0))
        return wrap(s->rec, e);
    return 0;
}

/* --- apply -------------------------------------------------------------------------------- */

static int make_dirs(const struct agent *a, jv rec, struct err *e)
{
    jv dirs AUTO_JV = json_get(rec, "mkdir");
    int i, n = jv_get_kind(dirs) == JV_KIND_ARRAY ? jv_array_length(jv_copy(dirs)) : 0, rc;

    for (i = 0; i < n; i++) {
        jv path AUTO_JV = jv_array_get(jv_copy(dirs), i);
        int fd = place_dir(a->root_fd, jv_string_value(path), true, 0755, e);

        if (fd < 0)
            return -1;
        rc = label_set(a, fd, ".", "", S_IFDIR | 0755, e);
        /* whatever the umask was */
        if (rc == 0 && fchmod(fd, 0755) < 0)
            rc = err_errno(e, "chmod");
        close(fd);
        if (rc < 0)
            return err_wrap(e, "%s", jv_string_value(path));
    }
    return 0;
}

static int put(const struct agent *a, jv rec, struct err *e)
{
    unsigned flags = had_something(rec) ? 0 : RENAME_NOREPLACE;
    int at AUTO_CLOSE = open_stage(a, rec);
    int dir AUTO_CLOSE = -1;
    const char *name;
    char temp[64];
    int rc;

    if (make_dirs(a, rec, e) < 0)
        return -1;
    dir = open_parent(a, rec, &name);
    if (at < 0 || dir < 0)
        return fail(rec, e);
    temp_name(rec, TEMP_NEW, temp);
    rc = renameat2(at, temp, dir, name, flags);
    if (rc < 0 && errno == EINVAL && flags) /* a file system without that flag */
        rc = renameat(at, temp, dir, name);
    if (rc < 0 && (errno == EISDIR || errno == ENOTEMPTY))
        return err_set(e, FC_FAIL, "%s: a folder stands where the file should go",
            json_str(rec, "path"));
    if (rc < 0 && errno == EEXIST)
        return err_set(e, FC_CONFLICT, "%s: something came to stand there meanwhile",
            json_str(rec, "path"));
    return rc < 0 ? fail(rec, e) : 0;
}

static int files_apply(const struct agent *a, struct step *s, struct err *e)
{
    const char *name;
    char old[64];
    int dir AUTO_CLOSE = -1, keep AUTO_CLOSE = -1;

    if (puts_file(s->rec))
        return put(a, s->rec, e);
    if (does(s->rec, "adopt"))
        return 0;
    dir = open_parent(a, s->rec, &name);
    if (dir < 0)
        return fail(s->rec, e);
    if (does(s->rec, "remove")) {
        keep = open_keep(a, s->rec);
        return keep < 0 || renameat(dir, name, keep, temp_name(s->rec, TEMP_OLD, old)) < 0 ?
            fail(s->rec, e) : 0;
    }
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST &&
        errno != ENOENT)
        return fail(s->rec, e);
    return 0;
}

/* --- sync --------------------------------------------------------------------------------- */

static int sync_dir(const struct agent *a, const char *path, struct err *e)
{
    int fd AUTO_CLOSE = place_folder(a->root_fd, path);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) /* not made yet, or gone again */
        return 0;
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(e, "%s", path);
    return 0;
}

/* The folders of the steps, each once. */
static jv folders(jv records)
{
    jv dirs = jv_object();
    int i, n = jv_array_length(jv_copy(records));

    for (i = 0; i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(records), i);
        const char *c = json_str(rec, "c"), *path = json_str(rec, "path"), *name;
        const char *at = json_str(rec, "at");
        char dir[PATH_LEN];

        if (!c || strcmp(c, files_controller.name) != 0 || !path || does(rec, "adopt"))
            continue;
        path_split(path, dir, &name);
        json_set(&dirs, dir, jv_true());
        if (at)
            json_set(&dirs, at, jv_true());
    }
    return dirs;
}

/* Of many files: an fsync each would be a flush of the disk each. So their contents are waited for,
 * which tells of errors by file, and their file systems are made durable once. */
struct systems {
    int fd[SYSTEMS_MAX];
    dev_t dev[SYSTEMS_MAX];
    size_t n;
};

static int sync_content(struct systems *s, int dir, const char *name, struct err *e)
{
    int fd AUTO_CLOSE = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    size_t i;

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : err_errno(e, "%s", name);
    if (fstat(fd, &st) < 0)
        return err_errno(e, "fstat");
    for (i = 0; i < s->n && s->dev[i] != st.st_dev; i++)
        ;
    if (i == SYSTEMS_MAX || sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0)
        return fsync(fd) < 0 ? err_errno(e, "fsync") : 0;
    if (i == s->n) {
        s->dev[s->n] = st.st_dev;
        s->fd[s->n++] = fd;
        fd = -1;
    }
    return 0;
}

static int sync_systems(struct systems *s, int rc, struct err *e)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (rc == 0 && syncfs(s->fd[i]) < 0)
            rc = err_errno(e, "syncfs");
        close(s->fd[i]);
    }
    return rc;
}

/* The new files that are staged, before their folders. */
static int sync_staged(const struct agent *a, jv records, struct err *e)
{
    int i, n = jv_array_length(jv_copy(records)), rc = 0;
    struct systems systems = {.n = 0};

    for (i = 0; rc == 0 && i < n; i++) {
        jv rec AUTO_JV = jv_array_get(jv_copy(records), i);
        const char *c = json_str(rec, "c");
        int dir AUTO_CLOSE = -1;
        char temp[64];

        if (!c || strcmp(c, files_controller.name) != 0 || !puts_file(rec))
            continue;
        dir = open_stage(a, rec);
        if (dir < 0)
            continue;
        temp_name(rec, TEMP_NEW, temp);
        rc = n > SYNC_ALONE ? sync_content(&systems, dir, temp, e) : sync_file(dir, temp, e);
        if (rc < 0)
            wrap(rec, e);
    }
    return sync_systems(&systems, rc, e);
}

static int files_sync(const struct agent *a, jv records, struct err *e)
{
    jv dirs AUTO_JV = folders(records);
    int rc = sync_staged(a, records, e);

    jv_object_foreach(dirs, dir, yes) {
        if (rc == 0)
            rc = sync_dir(a, jv_string_value(dir), e);
        jv_free(dir);
        jv_free(yes);
    }
    return rc;
}

/* --- undo and finish ---------------------------------------------------------------------- */

/* A read-only file system refuses to remove even what is not there. */
static bool is_there(int dir, const char *name)
{
    int saved = errno;
    struct stat st;
    bool there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;

    errno = saved;
    return there;
}

static int drop(int dir, const char *name, struct err *e)
{
    return unlinkat(dir, name, 0) < 0 && is_there(dir, name) ? err_errno(e, "%s", name) : 0;
}

/* Is the new one still where it was staged? Then it never took its place. */
static int still_staged(const struct agent *a, jv rec, bool *yes, struct err *e)
{
    int at AUTO_CLOSE = open_stage(a, rec);
    struct seen seen = {0};
    char temp[64];

    if (at >= 0 && place_look(at, temp_name(rec, TEMP_NEW, temp), false, &seen, e) < 0)
        return -1;
    *yes = seen.kind != SEEN_NONE;
    return 0;
}

/* The old one is put back from its second name, if that is there and the place was taken. */
static int put_back(const struct agent *a, int dir, const char *name, jv rec, struct err *e)
{
    int keep AUTO_CLOSE = open_keep(a, rec);
    struct seen old, now;
    bool staged = false;
    char temp[64];

    temp_name(rec, TEMP_OLD, temp);
    if (keep < 0)
        return err_errno(e, "open");
    if (place_look(keep, temp, false, &old, e) < 0 || place_look(dir, name, false, &now, e) < 0 ||
        (puts_file(rec) && still_staged(a, rec, &staged, e) < 0))
        return -1;
    if (old.kind == SEEN_NONE)
        return 0;
    /* a rename of a file onto itself would leave both names */
    if (staged || (now.kind != SEEN_NONE && old.dev == now.dev && old.ino == now.ino))
        return drop(keep, temp, e);
    return renameat(keep, temp, dir, name) < 0 ? err_errno(e, "%s", temp) : 0;
}

/* Where nothing stood, what stands there now goes if it is ours: the temporary has moved, and the
 * content is the one that was to be written. */
static int take_away(const struct agent *a, int dir, const char *name, jv rec, struct err *e)
{
    const char *sha256 = json_str(rec, "sha256"), *target = json_str(rec, "target");
    struct seen now;
    bool staged;

    if (still_staged(a, rec, &staged, e) < 0)
        return -1;
    if (staged)
        return 0;
    if (place_look(dir, name, true, &now, e) < 0)
        return -1;
    if ((now.kind == SEEN_FILE && sha256 && strcmp(now.sha256, sha256) == 0) ||
        (now.kind == SEEN_LINK && target && strcmp(now.target, target) == 0))
        return drop(dir, name, e);
    return 0;
}

/* Drops one kind of temporary from a folder (taken over), which may be gone already. */
static int drop_from(int fd, jv rec, enum temp t, struct err *e)
{
    int dir AUTO_CLOSE = fd;
    char temp[64];

    if (dir < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail(rec, e);
    return drop(dir, temp_name(rec, t, temp), e) < 0 ? wrap(rec, e) : 0;
}

static int drop_temps(const struct agent *a, jv rec, bool old, struct err *e)
{
    const char *name;

    if (puts_file(rec) && (drop_from(open_stage(a, rec), rec, TEMP_NEW, e) < 0 ||
        drop_from(open_parent(a, rec, &name), rec, TEMP_COPY, e) < 0))
        return -1;
    return old ? drop_from(open_keep(a, rec), rec, TEMP_OLD, e) : 0;
}

static int remove_dirs(const struct agent *a, jv rec, struct err *e)
{
    jv dirs AUTO_JV = json_get(rec, "mkdir");
    int i = jv_get_kind(dirs) == JV_KIND_ARRAY ? jv_array_length(jv_copy(dirs)) : 0;

    while (i-- > 0) {
        jv path AUTO_JV = jv_array_get(jv_copy(dirs), i);
        char dir[PATH_LEN];
        const char *name;
        int fd AUTO_CLOSE = -1;

        path_split(jv_string_value(path), dir, &name);
        fd = place_folder(a->root_fd, dir);
        if (fd < 0)
            continue;
        if (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST &&
            errno != ENOTDIR && is_there(fd, name))
            return err_errno(e, "%s", jv_string_value(path));
    }
    return 0;
}

static int make_again(const struct agent *a, int dir, const char *name, jv rec, struct err *e)
{
    int fd AUTO_CLOSE = -1;

    if (mkdirat(dir, name, 0755) < 0)
        return errno == EEXIST ? 0 : err_errno(e, "mkdir");
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "open");
    return label_set(a, fd, ".", "", S_IFDIR | 0755, e) < 0 ? -1 : set_owner(fd, rec, e);
}

static int files_undo(const struct agent *a, jv rec, struct err *e)
{
    const char *name;
    int dir AUTO_CLOSE = -1;
    int rc = 0;

    if (does(rec, "adopt"))
        return 0;
    dir = open_parent(a, rec, &name);
    if (dir >= 0) {
        if (does(rec, "rmdir"))
            rc = make_again(a, dir, name, rec, e);
        else if (had_something(rec))
            rc = put_back(a, dir, name, rec, e);
        else
            rc = take_away(a, dir, name, rec, e);
        if (rc < 0)
            return wrap(rec, e);
    } else if (errno != ENOENT && errno != ENOTDIR)
        return fail(rec, e);
    if (drop_temps(a, rec, false, e) < 0)
        return -1;
    return remove_dirs(a, rec, e);
}

static int files_finish(const struct agent *a, jv rec, struct err *e)
{
    return does(rec, "adopt") || does(rec, "rmdir") ? 0 : drop_temps(a, rec, true, e);
}

/* --- settle ------------------------------------------------------------------------------- */

int files_backup(const struct agent *a, const char *sha256, struct buf *b, struct err *e)
{
    int dir AUTO_CLOSE = place_dir(a->data_fd, FILES_BACKUP, false, 0, e);
    char hash[SHA256_HEX];

    if (dir < 0 || place_read(dir, sha256, "backup", SIZE_MAX / 4, b, e) < 0)
        return -1;
    sha256_hex(b->p ? b->p : "", b->len, hash);
    return strcmp(hash, sha256) == 0 ? 0 : err_set(e, FC_INVALID, "backup %s: damaged", sha256);
}

/* The hashes of the originals that managed files go back to, as members of an object. */
static jv originals(jv registry)
{
    jv files AUTO_JV = json_get(registry, "files"), set = jv_object();

    if (jv_get_kind(files) != JV_KIND_OBJECT)
        return set;
    jv_object_foreach(files, key, entry) {
        const char *sha256 = json_str(entry, "original.sha256");

        if (sha256)
            json_set(&set, sha256, jv_true());
        jv_free(key);
        jv_free(entry);
    }
    return set;
}

/* Backups that no managed file goes back to are dropped. */
static void prune(const struct agent *a, jv registry)
{
    int fd = place_dir(a->data_fd, FILES_BACKUP, false, 0, NULL);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    jv keep AUTO_JV = jv_invalid();
    struct dirent *ent;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    keep = originals(registry);
    while ((ent = readdir(d))) {
        jv kept AUTO_JV = json_get(keep, ent->d_name);

        if (ent->d_name[0] != '.' && !jv_is_valid(kept) && unlinkat(fd, ent->d_name, 0) < 0)
            log_debug("%s/%s: %s", FILES_BACKUP, ent->d_name, strerror(errno));
    }
    place_sweep(fd);
    closedir(d);
}

static int files_settle(const struct agent *a, jv after, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv registry AUTO_JV = jv_invalid();

    if (jv_is_valid(after)) {
        json_canon(&b, after);
        buf_addc(&b, '\n');
        if (place_write(a->data_fd, FILES_STATE, b.p, b.len, 0600, PLACE_DURABLE, e) < 0)
            return -1;
        registry = jv_copy(after);
    } else if (files_registry(a, &registry, e) < 0)
        return -1;
    prune(a, registry);
    return 0;
}

const struct controller files_controller = {
    .name = "config",
    .serves = "config",
    .phase = PHASE_FILES,
    .plan = files_plan,
    .prepare = files_prepare,
    .apply = files_apply,
    .sync = files_sync,
    .undo = files_undo,
    .finish = files_finish,
    .settle = files_settle,
    .drifted = files_drifted,
};
