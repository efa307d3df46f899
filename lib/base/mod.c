/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mod.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* FC_MODULE_DIR comes from the build: the folder that "make install" fills. */

/* Path of the module in ./modules beside the executable; NULL if there is none. */
static char *beside(const char *name)
{
    char exe[PATH_MAX], *slash, *path;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    slash = strrchr(exe, '/');
    if (!slash)
        return NULL;
    path = xasprintf("%.*s/modules/fc_%s.so", (int)(slash - exe), exe, name);
    if (access(path, R_OK) < 0) {
        free(path);
        return NULL;
    }
    return path;
}

void *mod_symbol(const char *name, const char *sym, struct err *e)
{
    char *path AUTO_FREE = beside(name);
    void *handle, *p;

    if (!path)
        path = xasprintf("%s/fc_%s.so", FC_MODULE_DIR, name);
    /* Never closed: dlopen of a loaded object gives the same one again. */
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();

        if (access(path, F_OK) < 0)
            why = strerror(errno);
        err_set(e, FC_FAIL, "module %s: %s: %s", name, path, why ? why : "cannot be loaded");
        return NULL;
    }
    p = dlsym(handle, sym);
    if (!p)
        err_set(e, FC_FAIL, "module %s: %s: no symbol %s", name, path, sym);
    return p;
}

const char *mod_folder(void)
{
    return FC_MODULE_DIR;
}
