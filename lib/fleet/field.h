/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectable fields of documents: which a kind has, what a document says in one, and which
 * operators of field selectors it knows. Where they live is data of the kind (kind.h).
 */
#ifndef FC_FLEET_FIELD_H
#define FC_FLEET_FIELD_H

#include "fleet/kind.h"

enum { FIELD_INDEXED = 256 }; /* bytes of the longest value that an index holds as it is */

/* Among those of a table that ends with {0}. NULL: no such field. */
const struct field *field_find(const struct field *fields, const char *name);
/* "a, b, c", for messages. */
void fields_write(struct buf *b, const struct field *fields);

/* What follows from where a field lives. */
struct field_home_row {
    bool column;       /* of its own: only such strings can be searched in (contains) */
    bool lasting;      /* metadata that was tells it later: names and times stay, and events keep the
                        * labels that were */
    const char *state; /* a state of a device: its column in table device; else NULL */
};
extern const struct field_home_row field_homes[FIELD_LOG + 1];

struct field_value {
    const char *s; /* text, of a boolean too; valid as long as the document */
    size_t n;      /* its bytes; a string may hold NUL */
    int64_t at;    /* a time, in microseconds */
};
/* What a document (borrowed) says in a field: how many values, at most 2 (a name and an alias).
 * What is absent, null or of another type is no value. */
size_t field_values(const struct field *f, jv doc, struct field_value out[2]);

/* The form of a member's value that indexes hold and compare: itself, or "#" and its SHA-256 when
 * it is longer than FIELD_INDEXED, holds a NUL or begins with "#". In b (reset) or s itself. */
const char *field_indexed(struct buf *b, const char *s, size_t n);

#endif
