/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of documents: JSON values one after another, YAML documents, or `List`s of either
 * (kind ending in "List" with an array `items`; they are unfolded). The format is found out: a
 * first byte of '{' or '[' after white space is JSON, all else YAML.
 *
 * YAML is read as existing clients read it, which is what sigs.k8s.io/yaml does (YAML 1.1 by
 * go-yaml v2): plain yes, no, on, off, y, n, true and false in their three spellings are
 * booleans; 0644 is 420, 0x1F, 0b101, 0o17 and 1_000 are integers; ~, null and nothing are null;
 * timestamps, base-60 numbers and numbers too large for a double are strings. A key that is a
 * boolean or number becomes its text ("true", "420"). Merge keys are followed. Duplicate keys,
 * aliases that blow up, other tags than those of the JSON types, and everything that JSON cannot
 * hold (.nan, .inf, null and collections as keys, integers beyond 2^53) are refused with the line.
 */
#ifndef FC_BASE_DOC_H
#define FC_BASE_DOC_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum {
    DOC_MAX = 256 << 20,      /* bytes of a whole input */
    DOC_ALIAS_MAX = 1 << 20,  /* nodes of a YAML document that come from expanded aliases */
};

struct arena;
struct doc_lines; /* where each field path stands (doc_lines.h) */

struct doc {
    jv v;                    /* invalid, where it is parsed when asked for: docs_read_late */
    int line;                /* where the document starts, from 1 */
    struct doc_lines *lines; /* may be NULL */
};

struct docs {
    char *source; /* file name, or "(stdin)" */
    struct doc *doc;
    size_t n;
    struct buf text;         /* kept, since lines of JSON are looked up in it when asked for */
    struct arena *arena;
};

/* Reads all documents of a file ("-" is standard input) or of text. FC_INVALID messages begin
 * with "source:line: ". Empty documents are skipped; an input with none is FC_INVALID. */
int docs_read(const char *path, struct docs *out, struct err *e);
int docs_parse(const char *source, const char *text, size_t n, struct docs *out, struct err *e);
void docs_free(struct docs *d);

/* As docs_read, for inputs of many documents: of JSON the checked text alone is kept, and doc_value
 * parses it. */
int docs_read_late(const char *path, struct docs *out, struct err *e);
jv doc_value(const struct doc *d); /* the caller's */

/* Line of a field path ("spec.config[0].inline[2].mode") or of its nearest ancestor. */
int doc_line(const struct doc *d, const char *path);

/* Appends v (borrowed) as a YAML document: block style, keys sorted but apiVersion, kind, metadata,
 * spec, status first at the top, multi-line strings as literal blocks. */
int yaml_write(struct buf *b, jv v, struct err *e);

#endif
