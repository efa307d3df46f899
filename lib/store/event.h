/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log: what happened, in the order in which it was committed, which is that of the
 * sequence, since writers follow each other. Outside a place in it is a cursor, opaque, which only
 * the store that gave it takes.
 */
#ifndef FC_STORE_EVENT_H
#define FC_STORE_EVENT_H

#include "base/text.h"
#include "store/resource.h"

struct event {
    int64_t seq;           /* its place; from 1 */
    int64_t at;
    const char *uid;
    int kind;              /* enum kind_id of the involved object */
    const char *name;      /* its metadata.name */
    const char *parent;    /* of a KIND_CHILD: the fleet of a template version; else NULL */
    const char *reason;    /* the contract's enumeration */
    const char *type;      /* "Normal" or "Warning"; NULL: Normal */
    const char *actor, *source, *message;
    const char *details;   /* JSON object or NULL */
    const char *was;       /* metadata (JSON) of what was deleted, or relabelled, before; or NULL */
};

/* seq, at, uid, actor and source are filled in. */
int events_add(struct store *s, int64_t org, const struct actor *who, const struct event *ev,
    struct err *e);
/* The same about a resource, whose kind, name and parent are filled in, too. */
int event_of(struct store *s, const struct res *r, const struct actor *who, struct event ev,
    struct err *e);

struct event_query {
    int64_t org;
    int kind;                       /* of one object: its kind and name; else 0 */
    const char *name;
    const struct selector *fields;  /* of kind Event; NULL: all */
    bool oldest;                    /* oldest first; else the newest */
    int64_t from;                   /* begin with this one; 0: at the end */
    int64_t limit;                  /* 0: all */
};
/* Non-zero: enough. */
typedef int event_each(void *ctx, const struct event *ev);
/* By place, in pages of LIST_MAX. */
int events_list(struct store *s, const struct event_query *q, event_each *each, void *ctx,
    struct err *e);
/* The query that events_list makes of q for its first page, with a limit: to look at its plan. */
void events_list_sql(struct store *s, const struct event_query *q, struct sql_buf *out);
int64_t events_count(struct store *s, const struct event_query *q, int64_t cap, struct err *e);
/* Inside lib/store: the row that a query of the log stands at. */
struct event event_row(struct stmt *st);
/* The oldest first, those after a place. Calls each for at most `limit`. Returns how many; -1 also
 * when events after this place were removed (FC_INVALID). */
int events_since(struct store *s, int64_t org, int64_t after, int limit,
    void (*each)(void *ctx, const struct event *ev), void *ctx, struct err *e);
/* The place of the newest event, of any organization; and of the newest removed one. 0: none. */
int events_newest(struct store *s, int64_t *out, struct err *e);
int events_removed(struct store *s, int64_t *out, struct err *e);
/* The uid of the event at that place. 1; 0: there is none, out is empty; -1. */
int event_uid(struct store *s, int64_t seq, char out[UUID_LEN], struct err *e);

/* Removes the oldest events: those before `before` (us), and all but the newest `keep` of the store
 * (0: as many as there are). In parts, as gc.h has it. *removed: how many went, or (dry) would
 * go. */
int event_gc(struct store *s, int64_t before, int64_t keep, bool dry, int64_t *removed,
    struct err *e);

void events_write(struct buf *b, const struct event *ev); /* as a resource of kind Event */

/* --- cursors --------------------------------------------------------------------------------- */

enum { CURSOR_LEN = 56 };
/* uid: of the store (meta "uid"). */
void cursor_write(char out[CURSOR_LEN], const char *uid, int64_t seq);
/* FC_INVALID: none, or another store's. */
int cursor_parse(const char *text, const char *uid, int64_t *out, struct err *e);

#endif
