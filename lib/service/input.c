/* SPDX-License-Identifier: Apache-2.0 */
#include "service/input.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

static int read_one(struct input *in, const char *path, struct err *e)
{
    struct docs d = {0};

    if ((in->late ? docs_read_late : docs_read)(path, &d, e) < 0)
        return -1;
    in->docs = xreallocarray(in->docs, in->n + 1, sizeof *in->docs);
    in->docs[in->n++] = d;
    return 0;
}

static int is_manifest(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');

    return d->d_name[0] != '.' && dot &&
        (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct input *in, const char *path, struct err *e)
{
    struct dirent **names;
    int n = scandir(path, &names, is_manifest, by_name), rc = 0;

    if (n < 0)
        return err_errno(e, "%s", path);
    if (n == 0)
        rc = err_set(e, FC_INVALID, "%s: no *.yaml, *.yml or *.json file in this folder", path);
    if (n > INPUT_DIR_MAX)
        rc = err_set(e, FC_INVALID, "%s: more than %d files", path, INPUT_DIR_MAX);
    for (int i = 0; i < n; i++) {
        char *file AUTO_FREE = xasprintf("%s/%s", path, names[i]->d_name);
        struct stat st;

        free(names[i]);
        if (rc == 0 && stat(file, &st) < 0)
            rc = err_errno(e, "%s", file);
        if (rc == 0 && !S_ISDIR(st.st_mode))
            rc = read_one(in, file, e);
    }
    free(names);
    return rc;
}

int input_read(struct input *in, const char *const *paths, size_t n, struct err *e)
{
    struct stat st;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        bool folder = strcmp(paths[i], "-") && stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode);

        rc = folder ? read_folder(in, paths[i], e) : read_one(in, paths[i], e);
    }
    return rc;
}

void input_free(struct input *in)
{
    for (size_t i = 0; i < in->n; i++)
        docs_free(&in->docs[i]);
    free(in->docs);
    *in = (struct input){0};
}

int input_check(const struct docs *d, size_t i, const struct kind *k, unsigned flags,
    struct err *e)
{
    const struct doc *doc = &d->doc[i];
    const char *kind = json_str(doc->v, "kind");
    struct violation bad;

    if (!kind || strcmp(kind, k->name))
        return err_set(e, FC_INVALID, "%s:%d: kind: must be %s", d->source, doc_line(doc, "kind"),
            k->name);
    if (kind_validate(k, doc->v, flags, &bad, 1) > 0)
        return err_set(e, FC_INVALID, "%s:%d: %s%s%s", d->source, doc_line(doc, bad.path), bad.path,
            *bad.path ? ": " : "", bad.what);
    return 0;
}

static int add_fleet(const struct docs *d, size_t i, jv *v, size_t n, struct err *e)
{
    const char *name = json_str(d->doc[i].v, "metadata.name");

    if (input_check(d, i, kind_by_id(KIND_FLEET), VALIDATE_STRICT, e) < 0)
        return -1;
    for (size_t k = 0; k < n; k++)
        if (!strcmp(json_str(v[k], "metadata.name"), name))
            return err_set(e, FC_INVALID, "%s:%d: metadata.name: Fleet \"%s\" stands above or in "
                "another file already", d->source, doc_line(&d->doc[i], "metadata.name"), name);
    v[n] = d->doc[i].v;
    return 0;
}

int input_fleets(const struct input *in, jv **out, size_t *n, struct err *e)
{
    for (size_t i = 0; i < in->n; i++)
        for (size_t k = 0; k < in->docs[i].n; k++) {
            const char *kind = json_str(in->docs[i].doc[k].v, "kind");

            if (!kind || strcmp(kind, "Fleet"))
                continue;
            *out = xreallocarray(*out, *n + 1, sizeof **out);
            if (add_fleet(&in->docs[i], k, *out, *n, e) < 0)
                return -1;
            ++*n;
        }
    if (in->n && !*n)
        return err_set(e, FC_INVALID, "%s: there is no Fleet in it", in->docs[0].source);
    return 0;
}
