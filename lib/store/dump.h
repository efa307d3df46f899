/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as a stream of JSON lines, in which nothing depends on the database: references go by
 * name, numbers of rows are left out, the order is that of names. So an export, its import into
 * another database and the export from there are the same bytes. First a header, then each
 * organization (by uid) with its resources, devices with their rendered specs, memberships,
 * rollouts, revisions, events, tokens and tasks, then those that were deleted with the revisions
 * and events that they left, then a trailer with the number of lines and the SHA-256 of all bytes
 * before it. Secrets are sealed, as they are stored.
 */
#ifndef FC_STORE_DUMP_H
#define FC_STORE_DUMP_H

#include <stdio.h>

#include "fleet/kind.h"
#include "store/store.h"

enum {
    DUMP_VERSION = 1,
    DUMP_PAGE = 1000,   /* rows read at once, and written in one transaction */
};
#define DUMP_FORMAT "fc-store-export"

struct dump_options {
    const char *org;            /* uid or name: this organization alone; NULL: all */
    bool no_history, no_events; /* leave revisions, events out */
    void (*progress)(void *ctx, size_t done, size_t total); /* resources; may be NULL */
    void *ctx;
};
/* Writes the stream, from one snapshot. */
int store_export(struct store *s, const struct dump_options *o, FILE *out, struct err *e);

struct import_options {
    const char *source;  /* names the input in messages */
    const char *org;     /* another name for the organization that comes, or NULL */
    const struct actor *who; /* of the revision that an organization leaves */
    bool dry_run;        /* into a temporary store, which is thrown away */
    bool force;          /* an import that was interrupted is thrown away first */
    void (*progress)(void *ctx, size_t done, size_t total); /* lines; may be NULL */
    void (*sealed)(void *ctx, const char *text); /* each secret of a resource (after SECRET_SEALED) */
    void *ctx;
};
/* Reads the stream of a whole store into one that is empty, or of an organization into one that
 * has none of its name and uid (FC_CONFLICT). In transactions of at most DUMP_PAGE lines; until the
 * last one other commands refuse the store, or do not find the organization. Bad input is
 * FC_INVALID with line and member. *lines: how many records. */
int store_import(const char *url, FILE *in, const struct import_options *o, int64_t *lines,
    struct err *e);

/* --- records (dump.c), for both directions --------------------------------------------------- */

enum member_type {
    M_INT,
    M_TEXT,
    M_JSON,    /* the text of an object */
    M_LOOSE,   /* the same, stored in any form */
    M_LIST,    /* objects joined by commas, shown as an array */
    M_KIND,    /* number of a kind, shown as its name */
    M_REF,     /* row of a resource, shown as its name */
    M_SEEN,    /* when a device was last seen: of the lossy side */
    M_KEY,     /* of the order alone: not shown */
};
struct dump_member {
    const char *name;     /* "assignedAt" */
    enum member_type type;
    bool null;            /* may be left out */
    enum kind_id ref;     /* M_REF: of this kind */
    int64_t min, max;     /* M_INT; max 0: DUMP_INT_MAX */
};
#define DUMP_INT_MAX (INT64_C(1) << 53)
enum dump_id { DUMP_ORGANIZATION, DUMP_DELETED, DUMP_RESOURCE, DUMP_RENDERED, DUMP_DEVICE,
    DUMP_MEMBER, DUMP_ROLLOUT, DUMP_REVISION, DUMP_EVENT, DUMP_TOKEN, DUMP_TASK, DUMP_RECORDS };
struct dump_record {
    const char *name;     /* "resource": the member "record" */
    enum sql get, put;
    const struct dump_member *members; /* ended by {0} */
    int keys[3], nkeys;   /* members that order the rows */
};
extern const struct dump_record dump_records[DUMP_RECORDS];
/* Null as a whole, a number (M_INT, M_KIND, M_SEEN) or a text: of JSON the canonical one. */
struct dump_value {
    bool null;
    int64_t n;
    const char *text;
};
enum { DUMP_MEMBERS = 32 }; /* of one record at most */
/* Reads the members of a line (borrowed) into out, strictly. A member of another name, type or
 * range is FC_INVALID and named. */
int dump_read(const struct dump_record *r, struct arena *a, jv line, struct dump_value *out,
    struct err *e);

#endif
