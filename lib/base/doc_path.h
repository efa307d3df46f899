/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field paths: members joined by '.', array indexes in brackets, members with other characters
 * than [A-Za-z0-9_-] as JSON strings in brackets: spec.config[0].labels["a/b"].
 */
#ifndef FC_BASE_DOC_PATH_H
#define FC_BASE_DOC_PATH_H

#include <stddef.h>

#include "base/buf.h"

struct path_step {
    char *name;   /* the caller frees; NULL: an array index */
    size_t index;
};

/* Takes the next step off *path. 1: there was one; 0: the end, or what is no path. */
int path_next(const char **path, struct path_step *step);

#endif
