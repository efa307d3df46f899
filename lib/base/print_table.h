/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people. Private to lib/base. */
#ifndef FC_BASE_PRINT_TABLE_H
#define FC_BASE_PRINT_TABLE_H

#include "base/print.h"

struct table;

struct table *table_new(FILE *f, bool wide);
void table_free(struct table *t);
/* As printer_columns. */
void table_columns(struct table *t, const struct column *cols, const char *title);
void table_row(struct table *t, jv v /* borrowed */);
/* Writes the rows that are still held. */
void table_finish(struct table *t);

/* Columns that a text takes on a terminal. */
size_t text_width(const char *s);

#endif
