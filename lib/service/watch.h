/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following a store: its events, or the changes of resources that they tell of. Each line has a
 * cursor, and who begins after it misses nothing and sees nothing again but what came after.
 */
#ifndef FC_SERVICE_WATCH_H
#define FC_SERVICE_WATCH_H

#include "fleet/selector.h"
#include "service/target.h"
#include "store/event.h"

enum watch_start { WATCH_NOW, WATCH_OLDEST, WATCH_CURSOR };

struct watch_line {
    const char *type;  /* ADDED, MODIFIED, DELETED, BOOKMARK */
    const char *name;  /* "device/x" for -o name; NULL: a bookmark */
    const char *json;  /* {"cursor":...,"object":{...},"type":...}, canonical */
    size_t n;
};

struct watch_options {
    const struct target *target; /* resources, or kinds of them; none: events of all */
    size_t ntargets;
    bool events;                 /* the events of the targets instead of their changes */
    const struct selector *labels; /* of resources; NULL: all */
    const char *fields;          /* selector by those of the targets' kinds, or of events; or NULL */
    enum watch_start start;
    const char *cursor;          /* WATCH_CURSOR */
    int64_t timeout;             /* us; 0: none */
    int64_t limit;               /* lines but bookmarks; 0: no limit */
    int out;                     /* descriptor: when its reader goes, the watch ends; or -1 */
    int (*line)(void *ctx, const struct watch_line *l, struct err *e);
    int (*flush)(void *ctx, struct err *e); /* before it waits, and at the end */
    void *ctx;
};
enum { WATCH_BATCH = 1000 }; /* events that are read at once */

/* Until the timeout, the limit, or the reader's end: 0. FC_INVALID: the fields are wrong, the cursor
 * is of another store, or its events are no longer kept; FC_AGAIN: the store was replaced, restored or is gone. */
int watch(struct store *s, const struct watch_options *o, struct err *e);

#endif
