/* SPDX-License-Identifier: Apache-2.0 */
/* customInfo: what programs in custom-info.d say, by their names. Each runs when its turn comes or
 * its file changed, not in every run, so that a run with nothing to do starts no program. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "place.h"
#include "settings.h"
#include "sysinfo.h"
#include "tool.h"

enum {
    NAME_MAX_LEN = 63,      /* bytes of a name: it is to be part of a label's source */
    KEYS_MAX = 64,          /* programs */
    CUSTOM_OUT = 64 << 10,  /* bytes of output that are looked at, for its first line */
};

/* The one in /etc counts. */
static const char *const dirs[] = {"/etc/flightctl/custom-info.d",
    "/usr/lib/flightctl/custom-info.d"};

static bool good_name(const char *s)
{
    size_t n = strlen(s);

    return n && n <= NAME_MAX_LEN && isalnum((unsigned char)*s) &&
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

/* Finds a program by its exact name, or by that in lower case, as existing images have it; path for
 * the caller to free. 1: there is none; -1: there is one that must not be run. */
static int find(const struct agent *a, const char *key, char **path, struct stat *st, struct err *e)
{
    char name[2][NAME_MAX_LEN + 1];
    size_t i, j;

    for (i = 0; i <= strlen(key); i++)
        name[1][i] = (char)tolower((unsigned char)key[i]);
    memcpy(name[0], key, strlen(key) + 1);
    for (i = 0; i < LEN(dirs); i++) {
        int dir AUTO_CLOSE = place_open(a->root_fd, dirs[i], O_RDONLY | O_DIRECTORY, 0);
        struct stat folder;

        for (j = 0; dir >= 0 && j < 2; j++) {
            if (fstatat(dir, name[j], st, AT_SYMLINK_NOFOLLOW) < 0)
                continue;
            if (!S_ISREG(st->st_mode))
                return err_set(e, FC_DENIED, "%s/%s: not a plain file", dirs[i], name[j]);
            if (fstat(dir, &folder) < 0 || !place_is_ours(&folder) || !place_is_ours(st))
                return err_set(e, FC_DENIED, "%s/%s: file or folder can be written by others than "
                    "root", dirs[i], name[j]);
            *path = xasprintf("%s/%s", dirs[i], name[j]);
            return 0;
        }
    }
    return 1;
}

/* Runs it, for the first line that it says. */
static int ask(const struct agent *a, const char *path, int64_t timeout, jv *entry, struct err *e)
{
    const char *const argv[] = {path, NULL};
    const struct tool t = {.argv = argv, .timeout = (int)timeout, .out_max = CUSTOM_OUT};
    struct buf out AUTO_BUF = BUF_INIT;

    if (tool_run(a, &t, &out, e) < 0)
        return -1;
    if (out.len)
        sysinfo_set(entry, "value", out.p, strcspn(out.p, "\n"));
    return 0;
}

/* What the cache is to have for a key from now on: was (consumed) when it is not its turn. */
static jv renew(const struct agent *a, const char *key, jv was, int64_t *left, bool *changed)
{
    char *path AUTO_FREE = NULL;
    struct err e = {0};
    struct stat st;
    char file[96];
    const char *old = json_str(was, "file");
    int64_t now = uptime_s();
    jv entry;
    int rc = find(a, key, &path, &st, &e);

    if (rc == 0)
        snprintf(file, sizeof file, "%" PRIuMAX " %" PRIdMAX ".%09ld", (uintmax_t)st.st_ino,
            (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    else
        snprintf(file, sizeof file, "none");
    if (a->dry || (old && strcmp(old, file) == 0 &&
        now - json_int(was, "at", 0) < a->settings->info_interval))
        return was;
    if (rc == 0 && *left <= 0) { /* the others took all of the time: their turn is over next time */
        log_warn("%s: not run, the time for system information is over", path);
        return was;
    }
    jv_free(was);
    *changed = true;
    entry = jv_object();
    json_sets(&entry, "file", file);
    json_seti(&entry, "at", now);
    if (rc > 0)
        log_warn("system-info-custom: %s: no such program in %s or %s", key, dirs[0], dirs[1]);
    else if (rc < 0 || ask(a, path, *left, &entry, &e) < 0)
        log_warn("system-info-custom: %s: %s", key, e.msg);
    *left -= uptime_s() - now;
    return entry;
}

jv sysinfo_custom(const struct agent *a, jv keys, jv *custom, bool *changed)
{
    jv said = jv_object(), kept = jv_object();
    int i, n = jv_get_kind(keys) == JV_KIND_ARRAY ? jv_array_length(jv_copy(keys)) : 0;
    int64_t left = n ? a->settings->info_timeout : 0;

    for (i = 0; i < n; i++) {
        jv key AUTO_JV = jv_array_get(jv_copy(keys), i), entry;
        const char *name = jv_string_value(key);

        if (i >= KEYS_MAX || !good_name(name)) {
            log_warn("system-info-custom: %s: %s", name, i >= KEYS_MAX ? "too many" :
                "not a name of letters, digits, '-', '_' and '.'");
            continue;
        }
        entry = renew(a, name, json_get(*custom, name), &left, changed);
        if (json_str(entry, "value"))
            json_set(&said, name, json_get(entry, "value"));
        if (jv_get_kind(entry) == JV_KIND_OBJECT)
            json_set(&kept, name, entry);
        else
            jv_free(entry);
    }
    jv_free(*custom);
    *custom = kept;
    return said;
}
