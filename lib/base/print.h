/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of documents: one compact JSON document a line on a pipe, a table on a terminal;
 * -o json|yaml|name|table|wide and -q FILTER (jq). What a command prints comes through here.
 */
#ifndef FC_BASE_PRINT_H
#define FC_BASE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"

enum column_type {
    COL_TEXT,  /* string, number or boolean along path; "-" when absent */
    COL_AGO,   /* an RFC 3339 time, shown as "3m" */
    COL_COUNT, /* number of elements of an array or members of an object */
    COL_STATE, /* as COL_TEXT, coloured on a terminal: good, bad or in between by its word */
    COL_LABELS, /* an object, as k=v,k=v */
};

struct column {
    const char *head; /* "NAME" */
    const char *path; /* as json_at takes it; alternatives are tried in order: "a.b|c.d" */
    enum column_type type;
    bool wide;        /* only with -o wide */
};

struct printer;

/* format: NULL or "" picks table on a terminal and json otherwise; anything else but the five
 * words is FC_USAGE. filter: a jq program or NULL; with one, the results are printed as JSON
 * (strings raw with -o name). A filter that does not compile is FC_USAGE. */
int printer_open(struct printer **out, FILE *f, const char *format, const char *filter,
    struct err *e);
/* The columns from here on (ended by {0}); on a table a new heading comes before the next row.
 * title: printed above it when more than one set of columns is used, or NULL. */
void printer_columns(struct printer *p, const struct column *cols, const char *title);
/* One document. name: what -o name prints ("device/x"). Text must be canonical JSON: on a pipe
 * it is written as it is, unparsed. */
int printer_text(struct printer *p, const char *name, const char *json, size_t n, struct err *e);
int printer_put(struct printer *p, const char *name, jv v /* borrowed */, struct err *e);
/* Writes what came so far, for output that goes on. */
int printer_flush(struct printer *p, struct err *e);
/* Lays out what a table still holds, flushes and checks. Frees p in any case. */
int printer_close(struct printer *p, struct err *e);
/* True when tables are shown, so that a command may add a line for people. */
bool printer_is_table(const struct printer *p);

#endif
