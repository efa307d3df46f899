/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "place.h"

#define ID_MAX INT64_C(0xfffffffe) /* the number after it means "none" to the kernel */

static FILE *open_file(int root, const char *path)
{
    int fd = place_open(root, path, O_RDONLY, 0);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "re");

    if (fd >= 0 && !f)
        close(fd);
    return f;
}

/* Searches one file. */
static int find_user(int root, const char *path, const char *name, uid_t *uid, gid_t *gid)
{
    FILE *f = open_file(root, path);
    struct passwd *pw;
    int rc = -1;

    if (!f)
        return -1;
    while (rc < 0 && (pw = fgetpwent(f))) {
        if (strcmp(pw->pw_name, name) != 0)
            continue;
        *uid = pw->pw_uid;
        if (gid)
            *gid = pw->pw_gid;
        rc = 0;
    }
    fclose(f);
    return rc;
}

int account_user(int root, const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
    int64_t n;

    if (num_parse(name, 0, ID_MAX, &n, "user", NULL) == 0) {
        *uid = (uid_t)n;
        if (gid)
            *gid = (gid_t)n;
        return 0;
    }
    if (find_user(root, "etc/passwd", name, uid, gid) == 0 ||
        find_user(root, "usr/lib/passwd", name, uid, gid) == 0)
        return 0;
    if (strcmp(name, "root") == 0) { /* a root folder need not be a whole system */
        *uid = 0;
        if (gid)
            *gid = 0;
        return 0;
    }
    return err_set(e, FC_NOTFOUND, "no user \"%s\"", name);
}

static int find_group(int root, const char *path, const char *name, gid_t *gid)
{
    FILE *f = open_file(root, path);
    struct group *gr;
    int rc = -1;

    if (!f)
        return -1;
    while (rc < 0 && (gr = fgetgrent(f))) {
        if (strcmp(gr->gr_name, name) != 0)
            continue;
        *gid = gr->gr_gid;
        rc = 0;
    }
    fclose(f);
    return rc;
}

int account_group(int root, const char *name, gid_t *gid, struct err *e)
{
    int64_t n;

    if (num_parse(name, 0, ID_MAX, &n, "group", NULL) == 0) {
        *gid = (gid_t)n;
        return 0;
    }
    if (find_group(root, "etc/group", name, gid) == 0 ||
        find_group(root, "usr/lib/group", name, gid) == 0)
        return 0;
    if (strcmp(name, "root") == 0) {
        *gid = 0;
        return 0;
    }
    return err_set(e, FC_NOTFOUND, "no group \"%s\"", name);
}
