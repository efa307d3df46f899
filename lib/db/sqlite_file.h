/* SPDX-License-Identifier: Apache-2.0 */
/* What only a database of SQLite can do, because it is a file: be copied, be replaced, be looked
 * through page by page. Each call has connections of its own. */
#ifndef FC_DB_SQLITE_FILE_H
#define FC_DB_SQLITE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The path in a URL; NULL: it names another kind of database. */
const char *sqlite_path(const char *url);

/* done of total pages; may be NULL. */
typedef void sqlite_progress(void *ctx, size_t done, size_t total);

/* Fills `to`, an empty file, with the database at `from` as it is at one instant, and syncs it.
 * Nobody who writes to `from` waits. */
int sqlite_copy(const char *from, const char *to, sqlite_progress *progress, void *ctx,
    struct err *e);
/* Makes the database at `to`, which others may have open, what the one at `from` is, in one
 * transaction: they see all of it from their next one on. FC_AGAIN: somebody writes. */
int sqlite_replace(const char *from, const char *to, sqlite_progress *progress, void *ctx,
    struct err *e);
/* Is there more to the database than its file, in a log beside it? True while somebody has it open. */
bool sqlite_in_use(const char *path);
/* Calls each for every fault in structure, indexes and references. -1 only if it cannot look. */
int sqlite_integrity(const char *path, void (*each)(void *ctx, const char *what), void *ctx,
    struct err *e);

#endif
