/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thin seam under the store: prepare, bind, step, transaction, wait for change. Statements
 * are written once (.sql files of lib/store, parameters ?1 ?2 ...), for every database. A
 * connection belongs to one thread. The scheme of the URL picks the database.
 */
#ifndef FC_DB_DB_H
#define FC_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql.h"

enum { DB_BUSY_MS = 10000 }; /* how long a writer waits for another one before FC_AGAIN */

enum db_flag {
    DB_CREATE = 1 << 0,   /* make it if it does not exist (fc-store init) */
    DB_SEEN = 1 << 1,     /* the lossy side database alone: writers of last-seen */
    DB_ONCE = 1 << 2,     /* it is closed soon: where a full disk has no room for what its users
                           * share, the others are kept out meanwhile */
};

struct db;
struct stmt;

/* url: "sqlite:PATH", or "postgres://..." as libpq reads it. Errors: FC_NOTFOUND (no such store), FC_DENIED, FC_INVALID (not a store, or
 * a URL of an unknown scheme), FC_AGAIN (busy). */
int db_open(struct db **out, const char *url, int flags, struct err *e);
/* How long to wait for other writers, instead of DB_BUSY_MS. */
void db_patience(struct db *d, int ms);
/* Where to hear of commits, when the URL leads through a pooler; before db_watch_fd. */
void db_listen(struct db *d, const char *url);
/* For a process that gives up other files: tells those that a connection of this URL needs to go on
 * and to be made again, the folder where it writes, and what it only reads. Temporary files are
 * made in that folder from now on. */
typedef void db_path_fn(void *ctx, const char *path, bool folder_to_write);
void db_paths(const char *url, db_path_fn *tell, void *ctx);
void db_close(struct db *d); /* NULL is fine; an open transaction is rolled back */

/* Makes the lossy side database readable in statements as seen.seen (read alone: it is written by a
 * connection of its own, DB_SEEN, which calls it seen). Made anew when it is gone or damaged. Cheap when it was done. */
int db_attach_seen(struct db *d, struct err *e);

/* The schema version of the tables; 0: an empty database. FC_INVALID: another program's. */
int db_schema(struct db *d, int64_t *version, struct err *e);
/* Runs a migration, which leads to this version; in a write transaction. */
int db_migrate(struct db *d, const char *sql, int version, struct err *e);

int db_exec(struct db *d, const char *sql, struct err *e); /* several statements, no results */
/* write: takes the write lock now, and keeps it until what it wrote can be seen, so that writers
 * follow each other and sequences commit in their order. */
int db_begin(struct db *d, bool write, struct err *e);
/* What is read from now on is of one moment, and costs no locks of its own, until it is let go: by
 * db_let_go, or by the next db_begin. No transaction in the sense of db_in_transaction. */
int db_hold(struct db *d, struct err *e);
void db_let_go(struct db *d);
int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);       /* fine when there is no transaction */
bool db_in_transaction(struct db *d);
int db_savepoint(struct db *d, struct err *e);             /* in a transaction; they nest */
int db_release(struct db *d, struct err *e);               /* undone when it failed */
void db_rollback_to(struct db *d);    /* undoes and drops the innermost savepoint */

/* A named statement, prepared once per connection, reset and without bindings. NULL: error. To ask
 * for it again while rows are read from it ends the process. */
struct stmt *db_stmt(struct db *d, enum sql name, struct err *e);
/* Ends a sorted sub-select that may be left before its end: a limit which the planner does not know,
 * so that it reads an index in this order instead of sorting all; "" where nothing has to be said. */
const char *db_lazy(const struct db *d);
/* A statement of the caller's own text; freed with st_free. */
struct stmt *db_prepare(struct db *d, const char *sql, struct err *e);
/* The same of a text that comes again and again (compiled selectors): the connection keeps some that
 * were freed, prepared as they are. */
struct stmt *db_prepare_again(struct db *d, const char *sql, struct err *e);
void st_free(struct stmt *st);

/* Parameters from 1. Texts are borrowed until the statement is reset. NULL binds NULL. With one that
 * is not UTF-8 the statement does not run: FC_INVALID. */
void st_text(struct stmt *st, int i, const char *s);
void st_int(struct stmt *st, int i, int64_t n);
void st_null(struct stmt *st, int i);

int st_step(struct stmt *st, struct err *e);   /* 1: a row; 0: done (reset); -1: error (reset) */
/* Runs to the end and resets. Rows changed, or -1. A violated uniqueness is FC_CONFLICT. */
int64_t st_run(struct stmt *st, struct err *e);
/* The same where nobody asks how many, in a write transaction: the database may still be at it when
 * this returns 0, and an error may come from a statement after it, at the latest from the commit,
 * a savepoint or its release. */
int st_post(struct stmt *st, struct err *e);
/* For a query of one row: 1 (columns valid until st_reset), 0 or -1, as st_step. */
void st_reset(struct stmt *st);

/* Columns from 0, valid until the next step or reset. */
int64_t st_col_int(struct stmt *st, int i);
const char *st_col_text(struct stmt *st, int i, size_t *n); /* NULL for NULL; n may be NULL */
bool st_col_null(struct stmt *st, int i);

/* A number that differs when another connection has committed since; the same otherwise. -1 on an
 * error. */
int64_t db_data_version(struct db *d, struct err *e);
/* Readable when another process commits or has committed, so what it wrote may be visible only a
 * while later; -1 with an error if it cannot be had. */
int db_watch_fd(struct db *d, struct err *e);
void db_watch_drain(struct db *d);
/* Is what this connection has open no longer what the URL names? Checked by who stays open long. */
bool db_moved(struct db *d);
/* What messages call it: the path of the file, the URL without its password. */
const char *db_path(const struct db *d);
/* A URL without its password, for the caller to free. */
char *db_shown(const char *url);

#endif
