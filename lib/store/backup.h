/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of a whole store. A backup of SQLite is a store itself, as it was at one instant, made
 * while others write; a store of another database has tools of its own for that, and messages name
 * them. When each device was last seen is no part of it.
 */
#ifndef FC_STORE_BACKUP_H
#define FC_STORE_BACKUP_H

#include "store/store.h"

struct backup_options {
    bool force; /* over a file, or a store, that exists */
    void (*progress)(void *ctx, size_t done, size_t total); /* pages; may be NULL */
    void *ctx;
};
/* file "-" is standard output. The file is 0600, appears whole or not at all, and replaces none
 * without force (FC_CONFLICT). */
int store_backup(const char *url, const char *file, const struct backup_options *o, struct err *e);
/* Puts a backup ("-": standard input) in the place of url, after looking through it: FC_INVALID if
 * it is no store, a newer one or damaged. One that exists is FC_CONFLICT without force; with it,
 * it is replaced in one transaction under whoever has it open. *version: the backup's schema. */
int store_restore(const char *url, const char *file, const struct backup_options *o,
    int64_t *version, struct err *e);

#endif
