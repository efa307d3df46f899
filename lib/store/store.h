/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: the only meeting point. Every function that writes wants an open write transaction
 * (store_begin) and never commits; texts that come out live in the arena that was given.
 */
#ifndef FC_STORE_STORE_H
#define FC_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "db/db.h"

enum {
    STORE_SCHEMA = 2,             /* schema version that this code reads and writes */
    STORE_IMPORTING = 1 << 30,    /* schema version while an import fills it */
    LIST_MAX = 1000,              /* resources of one page */
    STORE_PAUSE = 6000,           /* us; longer than the database makes a writer wait in between */
    SEEN_EVERY = 60 * 1000000,    /* us between two last-seen writes of one device */
};

#define ORG_DEFAULT "00000000-0000-0000-0000-000000000000"
#define ORG_DEFAULT_ID 1 /* its number: what kinds of all organizations are stored under */

struct store {
    struct db *db;
    struct db *seen;  /* the lossy side, opened when last-seen is first written */
    struct db *read;  /* a replica for lists, or NULL: store_reader */
    char *url;
    char *read_url;   /* of the replica, until it is connected */
    bool wrote;       /* a write transaction was begun: lists have to show what it did */
    int64_t org;      /* the organization that commands act in: store_org */
    char *key_file;   /* of lib/service/secret.c: what seals secrets, or NULL */
    bool key_credential; /* it came from systemd */
    int patience;     /* ms; 0: DB_BUSY_MS */
    int moved;        /* devices that fleets' changes moved in this transaction */
    bool walks;       /* a change left devices to a walk (lib/service), and none has gone since */
    void *cache;      /* what lib/service keeps for one transaction; dropped when it ends */
    void (*cache_free)(void *);
};

/* Who changes something, and why; goes into events and revisions. */
struct actor {
    const char *name;   /* "user:root", "device:x" */
    const char *reason; /* -m, or NULL */
    const char *source; /* component: "fc-apply" */
};

/* Creates an empty store with the default organization. FC_CONFLICT if there is one. */
int store_init(const char *url, struct err *e);
/* Opens one; FC_INVALID if its schema is not STORE_SCHEMA. */
int store_open(struct store *s, const char *url, struct err *e);
/* The same for one who closes it soon: DB_ONCE. */
int store_open_once(struct store *s, const char *url, struct err *e);
void store_close(struct store *s);
/* Names a replica to read lists and counts from, and where commits can be heard of beside a pooler;
 * each may be NULL. */
void store_beside(struct store *s, const char *read_url, const char *listen_url);
/* What lists and counts are read from: the replica, where one is named and neither a transaction is
 * open nor was this process a writer. One that is out of reach, or no copy of the store, is said
 * once and done without. */
struct db *store_reader(struct store *s);
/* How long writers wait for others, instead of DB_BUSY_MS: for servers, whose clients wait, too. */
void store_patience(struct store *s, int ms);

/* For an import, which may find what an interrupted one has left (*importing): others refuse it. */
int store_open_import(struct store *s, const char *url, bool *importing, struct err *e);
/* Marks it as half full, or as whole again; in a write transaction. */
int store_importing(struct store *s, bool importing, struct err *e);
/* Its schema version, at least 1. FC_INVALID if it is newer than this code, or no store. */
int store_version(const char *url, int64_t *version, struct err *e);
struct migrate_options {
    bool dry_run; /* all of it happens, and is rolled back */
    void (*step)(void *ctx, int to, const char *what); /* each that was done; may be NULL */
    void *ctx;
};
/* Brings a store to STORE_SCHEMA, all or nothing. How many versions it went forward; -1: error. */
int store_migrate(const char *url, const struct migrate_options *o, struct err *e);

int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s);
void store_cache_drop(struct store *s);
/* Between two transactions of one piece of work: lets other writers in. */
void store_pause(void);

/* Organization by uid or name: its number. FC_NOTFOUND. */
int store_org(struct store *s, const char *uid_or_name, int64_t *org, struct err *e);
/* An organization beside its resource, whose row id is its number: never used again. */
int org_add(struct store *s, int64_t id, const char *uid, const char *name, struct err *e);
int org_uid(struct store *s, struct arena *a, int64_t id, const char **uid, struct err *e);
/* 1: it holds a resource, 0: none, -1. */
int org_used(struct store *s, int64_t id, struct err *e);
/* Deletes it with the tasks and tokens that were left of it. */
int org_delete(struct store *s, int64_t id, struct err *e);
/* The spec of organization `id` (canonical text in the arena, NULL: none) and its name. */
int org_spec(struct store *s, struct arena *a, int64_t id, const char **name, const char **spec,
    struct err *e);

/* What the store keeps about itself, by key. 1 found, 0 not, -1. */
int store_meta(struct store *s, struct arena *a, const char *key, const char **value,
    struct err *e);
int store_meta_put(struct store *s, const char *key, const char *value, struct err *e);

/* --- last seen ------------------------------------------------------------------------------ */

struct seen {
    int64_t id; /* resource id of the device */
    int64_t at;
};
/* One lossy write, outside of any transaction of the caller. */
int seen_write(struct store *s, const struct seen *v, size_t n, struct err *e);
/* Forgets when these were seen, by their ids; likewise. */
int seen_drop(struct store *s, const int64_t *ids, size_t n, struct err *e);
/* When the last sweep wrote device.disconnected: what it says in meta ("sweep", microseconds), as
 * long as the last-seen that it saw are still there, which the row of SEEN_SWEEP tells: a sweep
 * writes that one, too, after its commit. 0: never. Wants db_attach_seen. */
enum { SEEN_SWEEP = 0 };
int sweep_time(struct store *s, int64_t *at, struct err *e);

#endif
