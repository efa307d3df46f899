/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a database implements under db.h, and what all of them share. A database embeds struct db
 * and struct stmt at the start of its own. Contracts are those of db.h where the names agree.
 */
#ifndef FC_DB_OPS_H
#define FC_DB_OPS_H

#include "db/db.h"

struct db_ops {
    int (*open)(struct db **out, const char *url, int flags, struct err *e);
    void (*paths)(const char *url, db_path_fn *tell, void *ctx);
    void (*close)(struct db *d); /* the named statements are freed already */
    void (*patience)(struct db *d, int ms);
    void (*listen)(struct db *d, const char *url); /* NULL: it is never needed */
    int (*attach_seen)(struct db *d, struct err *e);
    int (*schema)(struct db *d, int64_t *version, struct err *e);
    int (*migrate)(struct db *d, const char *sql, int version, struct err *e);
    int (*exec)(struct db *d, const char *sql, struct err *e);
    int (*begin)(struct db *d, bool write, struct err *e);
    int (*hold)(struct db *d, struct err *e); /* NULL, and so let_go: locks cost nothing here */
    void (*let_go)(struct db *d);
    int (*commit)(struct db *d, struct err *e); /* undone when it failed */
    void (*rollback)(struct db *d);
    bool (*in_transaction)(struct db *d);
    const char *lazy; /* db_lazy */
    /* kept: it will run many times on this connection */
    struct stmt *(*prepare)(struct db *d, const char *sql, bool kept, struct err *e);
    void (*free)(struct stmt *st);
    bool (*busy)(struct stmt *st); /* rows are being read from it */
    void (*bind_text)(struct stmt *st, int i, const char *s);
    void (*bind_int)(struct stmt *st, int i, int64_t n);
    int (*step)(struct stmt *st, struct err *e);
    int64_t (*run)(struct stmt *st, struct err *e);
    int (*post)(struct stmt *st, struct err *e); /* NULL: run, which waits for nobody */
    void (*reset)(struct stmt *st);
    int64_t (*col_int)(struct stmt *st, int i);
    const char *(*col_text)(struct stmt *st, int i, size_t *n);
    int64_t (*data_version)(struct db *d, struct err *e);
    int (*watch_fd)(struct db *d, struct err *e);
    void (*watch_drain)(struct db *d);
    bool (*moved)(struct db *d); /* NULL: a connection that breaks says so itself */
};

enum { DB_SPARES = 8, DB_SPARE_TEXT = 4096 /* bytes: what is longer hardly comes again */ };

struct db {
    const struct db_ops *ops;
    char *path; /* what messages call it */
    int depth;  /* savepoints */
    struct stmt *named[SQL_COUNT];
    struct stmt *spare[DB_SPARES]; /* for db_prepare_again, the last one freed first */
};

struct stmt {
    const struct db_ops *ops;
    struct db *db;
    char *text; /* what a spare one is found by, or NULL */
    bool bad; /* a text was bound that is not UTF-8: it does not run until it is reset */
};

extern const struct db_ops db_sqlite;
extern const struct db_ops db_postgres; /* in the module of that name alone */

#endif
