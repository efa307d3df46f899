/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field paths: members joined by '.', array indexes in brackets, members with other characters
 * than [A-Za-z0-9_-] as JSON strings in brackets: spec.config[0].labels["a/b"].
 */
#ifndef FC_BASE_DOC_PATH_H
#define FC_BASE_DOC_PATH_H

#include <stddef.h>

#include "base/buf.h"

/* Append a step to the path in b. */
void path_add_name(struct buf *b, const char *name, size_t n);
void path_add_index(struct buf *b, size_t i);

struct path_step {
    char *name;   /* the caller frees; NULL: an array index */
    size_t index;
};

/* Takes the next step off *path. 1: there was one; 0: the end, or what is no path. */
int path_next(const char **path, struct path_step *step);

#endif
