/* SPDX-License-Identifier: Apache-2.0 */
/* Where fields stand in the text that a document came from. Private to lib/base. */
#ifndef FC_BASE_DOC_LINES_H
#define FC_BASE_DOC_LINES_H

#include <stddef.h>

#include "base/doc.h"

/* YAML: a tree that is made while reading. */
struct line_node {
    const char *key; /* NULL: an element of an array, or the root */
    int line;
    struct line_node *child, *next;
};

/* One of the two is set. All memory is that of struct docs. */
struct doc_lines {
    const struct line_node *tree;
    const char *text; /* JSON: the document alone; searched when a line is asked for */
    size_t len;
};

/* Appends a document; consumes v. */
void docs_add(struct docs *d, jv v, int line, struct doc_lines *lines);

/* What the module "yaml" exports as the symbol yaml_ops. */
struct yaml_ops {
    /* Appends all documents of text to d, Lists not unfolded. */
    int (*read)(const char *text, size_t n, struct docs *d, struct err *e);
    int (*write)(struct buf *b, jv v, struct err *e);
};
extern const struct yaml_ops yaml_ops;

/* JSON text that was checked before: the first byte behind the value, and behind white space. */
const char *json_skip_value(const char *p, const char *end);
const char *json_skip_space(const char *p, const char *end);

/* The element i of an array or member `name` of an object at p, or NULL. */
const char *json_find(const char *p, const char *end, const char *name, size_t i);

#endif
