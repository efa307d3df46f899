/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc_path.h"

#include <jv.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* At the quote of ["name"]. */
static int next_quoted(const char **path, struct path_step *step)
{
    const char *end = *path + 1;
    jv name;

    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (end[0] != '"' || end[1] != ']')
        return 0;
    name = jv_parse_sized(*path, (int)(end + 1 - *path));
    if (jv_get_kind(name) != JV_KIND_STRING) {
        jv_free(name);
        return 0;
    }
    step->name = xstrdup(jv_string_value(name));
    jv_free(name);
    *path = end + 2;
    return 1;
}

int path_next(const char **path, struct path_step *step)
{
    size_t n;

    step->name = NULL;
    step->index = 0;
    if (**path == '[') {
        char *end;

        (*path)++;
        if (**path == '"')
            return next_quoted(path, step);
        if (**path < '0' || **path > '9')
            return 0;
        step->index = strtoul(*path, &end, 10);
        if (*end != ']')
            return 0;
        *path = end + 1;
        return 1;
    }
    if (**path == '.')
        (*path)++;
    n = strspn(*path, plain);
    if (!n)
        return 0;
    step->name = xstrndup(*path, n);
    *path += n;
    return 1;
}
