/* SPDX-License-Identifier: Apache-2.0 */
#include "label.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { BACKEND_FILES = 0 }; /* SELABEL_CTX_FILE */

struct labels {
    bool looked; /* whether there is SELinux, and what it says about paths */
    void *policy; /* NULL: there is none */
    int (*lookup)(void *policy, char **label, const char *path, int mode);
    void (*drop)(char *label);
    void (*close)(void *policy);
};

struct labels *labels_new(void)
{
    return xcalloc(1, sizeof(struct labels));
}

void labels_free(struct labels *l)
{
    if (l && l->policy)
        l->close(l->policy);
    free(l);
}

/* ISO C has no other way from an object's pointer to a function's. */
static bool symbol(void *lib, const char *name, void *function)
{
    void *p = dlsym(lib, name);

    memcpy(function, &p, sizeof p);
    return p != NULL;
}

/* Never closed, as other modules: it stays for the run. */
static void look(struct labels *l)
{
    void *lib = dlopen("libselinux.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*enabled)(void);
    void *(*open)(unsigned backend, const void *options, unsigned n);

    if (lib && (!symbol(lib, "is_selinux_enabled", &enabled) || enabled() <= 0))
        return;
    if (!lib && access("/sys/fs/selinux/enforce", F_OK) < 0)
        return;
    if (lib && symbol(lib, "selabel_open", &open) && symbol(lib, "selabel_lookup_raw", &l->lookup) &&
        symbol(lib, "freecon", &l->drop) && symbol(lib, "selabel_close", &l->close))
        l->policy = open(BACKEND_FILES, NULL, 0);
    if (!l->policy)
        log_warn("SELinux: its %s missing: files get the labels of their folders",
            lib ? "file contexts are" : "library is");
}

/* As the system sees it that runs in the root folder. */
static char *real_place(const struct agent *a, int dir, const char *rest, struct err *e)
{
    char link[64], path[PATH_LEN];
    size_t root = strlen(a->root_path);
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0 || (size_t)n < root) {
        err_errno(e, "%s", link);
        return NULL;
    }
    path[n] = '\0';
    if (strcmp(path + root, "/") == 0)
        path[root] = '\0';
    return path[root] || *rest ? xasprintf("%s%s", path + root, rest) : xstrdup("/");
}

int label_set(const struct agent *a, int dir, const char *name, const char *rest, mode_t mode,
    struct err *e)
{
    struct labels *l = a->labels;
    char *path AUTO_FREE = NULL, *label = NULL;
    char at[PATH_LEN];
    int rc = 0;

    if (!l->looked)
        look(l);
    l->looked = true;
    if (!l->policy)
        return 0;
    path = real_place(a, dir, rest, e);
    if (!path)
        return -1;
    if (l->lookup(l->policy, &label, path, (int)mode) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "SELinux: no label for %s", path);
    snprintf(at, sizeof at, "/proc/self/fd/%d/%s", dir, name);
    if (lsetxattr(at, "security.selinux", label, strlen(label) + 1, 0) < 0 && errno != ENOTSUP)
        rc = err_errno(e, "SELinux: cannot label it %s", label);
    l->drop(label);
    return rc;
}
