/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system keeps about a device, apart from its resource: the rendered version, what it
 * fetched and reported, its memberships in fleets with the version assigned to it in each.
 */
#ifndef FC_STORE_DEVICE_H
#define FC_STORE_DEVICE_H

#include "fleet/rollout.h"
#include "fleet/selector.h"
#include "store/resource.h"

enum { STALE_NO = 0, STALE_YES = 1, STALE_REISSUE = 2 /* a new version even for equal content */ };

struct device {
    int64_t id;
    int stale;
    int64_t rendered;       /* renderedVersion; 0: none yet */
    const char *hash;       /* of the rendered spec, or NULL */
    int64_t rendered_at;
    int64_t fetched;        /* newest renderedVersion that was served to it */
    int64_t reported;       /* renderedVersion that it says it runs */
    int64_t floor;          /* it knew this one before it was enrolled: the next is above it */
    int64_t failed;         /* renderedVersion that it could not apply last, 0: none */
    const char *failure;    /* the failure report that was counted last, or NULL */
    int spec_valid;         /* -1 never rendered, 0, 1 */
    const char *spec_message;
    int64_t spec_since, overlap_since;
    const char *conditions; /* the device's own, JSON objects joined by ','; "" for none */
    const char *updated, *updated_info, *summary, *applications, *lifecycle; /* as if connected */
    int64_t last_seen;      /* 0: never */
    bool member;            /* of a fleet, or of several */
};

enum assignment { /* device_fleet.state, stored */
    ASSIGN_NONE = 0,     /* nothing assigned */
    ASSIGN_PENDING = 1,  /* assigned, no report yet */
    ASSIGN_SUCCEEDED = 2,
    ASSIGN_FAILED = 3,
    ASSIGN_TIMEDOUT = 4,
};

struct member {
    int64_t fleet;          /* resource id */
    const char *fleet_name, *fleet_annotations;
    int64_t assigned, rendered, good; /* template versions, 0: none */
    int state, batch;
    int64_t assigned_at;
    const char *message;
    const char *assigned_name, *rendered_name; /* store names "fleet/v1", or NULL */
    const char *latest_name;
    int64_t latest;         /* the fleet's newest template version; 0: none */
    int rollout_status;
};

/* The row of a resource that was just created: never rendered, seen or reported. Of d its states
 * alone. */
int device_add(struct store *s, const struct res *r, const struct device *d, struct err *e);
/* What a device that waits knows: its rendered version; news says that there is another, or that the
 * device is stale, or gone. */
struct known {
    int64_t device, rendered;
    bool news;
};
/* Asks for all of them (in order of their ids) at once. */
int device_news(struct store *s, struct known *v, size_t n, struct err *e);
/* The poll: 1 found. */
int device_poll(struct store *s, int64_t org, const char *name, int64_t *id, int64_t *rendered,
    int *stale, struct err *e);
int device_get(struct store *s, struct arena *a, int64_t id, struct device *out, struct err *e);
/* Columns of table device (d) that are shown; behind them comes the time of last-seen, 0: never. */
extern const char device_shown_columns[];
enum { DEVICE_SHOWN = 15 };
/* Reads these from column i of a row on. a NULL: texts are valid as long as the row. */
void device_read(struct stmt *st, int i, struct arena *a, struct device *out);
/* Its states as they are shown: of one that was not seen lately they are not known. */
struct device_states {
    const char *summary, *applications, *updated;
    bool connected;
};
struct device_states device_states(const struct device *d, int64_t now);
int device_last_seen(struct store *s, int64_t id, int64_t *at, struct err *e); /* 0: never */
int device_stale(struct store *s, int64_t id, int stale, struct err *e);
int device_rendered(struct store *s, int64_t id, int64_t version, const char *hash, int64_t now,
    struct err *e); /* also: every member row's rendered = assigned */
int device_invalid(struct store *s, int64_t id, const char *message, int64_t now, struct err *e);
int device_fetched(struct store *s, int64_t id, int64_t version, struct err *e);
/* What it reported: d's reported, failed, failure, conditions. */
int device_reported(struct store *s, const struct device *d, struct err *e);
/* Versions up to this are taken; one of them that it was given is issued again. */
int device_floor(struct store *s, int64_t id, int64_t version, struct err *e);
int device_summary(struct store *s, const struct device *d, struct err *e); /* the five texts */
/* Whether it is disconnected, as of the last sweep. 1: it was not so before, 0: it was. */
int device_disconnected(struct store *s, int64_t id, bool disconnected, struct err *e);
struct device_silence {
    int64_t id, org, at; /* at: last seen */
    const char *name;
};
/* Up to n devices that are not disconnected and were last seen after `from` and before `limit`, in
 * the order of that; or, of ids above `after`, that are disconnected and were seen at `limit` or
 * later, or of which nothing is known any more (at 0). Returns how many. */
int device_fell_silent(struct store *s, struct arena *a, int64_t from, int64_t limit,
    struct device_silence *out, int n, struct err *e);
int device_came_back(struct store *s, struct arena *a, int64_t after, int64_t limit,
    struct device_silence *out, int n, struct err *e);
/* The same of those that were never seen (device.disconnected 2) but came at `from` or later, in the
 * order of that, with its time; and of ids above `after`, of which no last-seen is left. */
int device_first_seen(struct store *s, struct arena *a, int64_t from, struct device_silence *out,
    int n, struct err *e);
int device_lost_sight(struct store *s, struct arena *a, int64_t after, struct device_silence *out,
    int n, struct err *e);
/* Was it seen at all? What it was before is told apart from being silent. */
int device_met(struct store *s, int64_t id, bool met, struct err *e);
int device_overlap(struct store *s, int64_t id, int64_t since, struct err *e);
/* Up to n ids of stale devices after `after`. Returns how many. */
int device_stale_list(struct store *s, int64_t org, int64_t after, int64_t *ids, int n,
    struct err *e);

int rendered_put(struct store *s, const char *hash, const char *spec, int64_t now, struct err *e);
int rendered_get(struct store *s, struct arena *a, const char *hash, const char **spec,
    struct err *e);

/* Memberships of one device, oldest fleet first. Returns how many, -1: error. */
int member_list(struct store *s, struct arena *a, int64_t device, struct member **out,
    struct err *e);
int member_add(struct store *s, int64_t device, int64_t fleet, int64_t assigned, int64_t now,
    struct err *e);
int member_del(struct store *s, int64_t device, int64_t fleet, struct err *e);
/* Ids of a fleet's devices (of those alone that count as up to date), in order. */
struct ids {
    int64_t *id; /* the caller frees it */
    size_t n, cap;
};
void ids_add(struct ids *v, int64_t id);
int member_of(struct store *s, int64_t fleet, bool up_to_date, struct ids *out, struct err *e);
/* Up to max of them in any order, and of the organization's devices; in room of the caller's. How
 * many. */
int member_some(struct store *s, int64_t fleet, int max, int64_t *ids, struct err *e);
int device_some(struct store *s, int64_t org, int max, int64_t *ids, struct err *e);
/* Assignments of the device whose content it runs succeed; pending ones (given: of which it was
 * given the content) fail. */
int member_succeed(struct store *s, int64_t device, struct err *e);
int member_fail(struct store *s, int64_t device, bool given, const char *message, struct err *e);

/* --- rollouts, one row a fleet --------------------------------------------------------------- */

struct rollout {
    int64_t fleet, version, completed; /* resource ids of template versions, 0: none */
    const char *digest;
    struct rollout_state state;
    int64_t started, changed;
    const char *why;
    const char *problem;    /* what makes the fleet invalid (a missing repository), or NULL */
    int64_t problem_since;  /* when that last changed */
    int64_t remaining;      /* devices that the current batch is still to take in */
    const char *version_name, *completed_name; /* read only: store names, or NULL */
    unsigned walk;          /* read only: enum walk, what is left to do of the fleet's devices */
    int64_t deleted;        /* read only: since when it is being deleted, 0: it is not */
};
/* Work on a fleet's devices that was too much for the transaction of its cause (service/walk.c).
 * The rollout waits until it is done. */
enum walk {
    WALK_MEMBERS = 1,  /* devices come and leave, since the selector changed */
    WALK_OUTDATE = 2,  /* those that were up to date are not, since there is a new version */
    WALK_UNBATCH = 4,  /* the batches begin anew */
    WALK_STALE = 8,    /* all are to be rendered anew */
};
int rollout_walk(struct store *s, int64_t fleet, unsigned add, struct err *e);
int rollout_walked(struct store *s, int64_t fleet, struct err *e); /* all is done */
/* Ids of fleets with such work, after `after`, up to n. Returns how many. */
int rollout_walks(struct store *s, int64_t org, int64_t after, int64_t *ids, int n, struct err *e);
int rollout_deleted(struct store *s, int64_t fleet, int64_t now, struct err *e);
int rollout_get(struct store *s, struct arena *a, int64_t fleet, struct rollout *out,
    struct err *e);
int rollout_put(struct store *s, const struct rollout *r, struct err *e);
int rollout_forget(struct store *s, int64_t fleet, struct err *e);
/* Deletes up to ROLLOUT_STEP template versions that the fleet's rollout does not name. How many;
 * their store names, for which there is room, are in the arena. */
int64_t template_drop(struct store *s, struct arena *a, const struct res *fleet,
    const char **names, struct err *e);
/* Ids of the fleet's template versions, up to ROLLOUT_STEP. */
int template_list(struct store *s, const struct res *fleet, struct ids *out, struct err *e);
/* Does anything still refer to a template version? 1 yes. */
int template_used(struct store *s, int64_t version, struct err *e);
/* Ids of fleets whose rollout may still move, after `after`, up to n. Returns how many. */
int rollout_open_list(struct store *s, int64_t org, int64_t after, int64_t *ids, int n,
    struct err *e);
/* Devices of the fleet that are pending, failed or timed out: calls each, by name. */
struct progress {
    const char *name;
    int state, batch;
    int64_t assigned_at;
    const char *message, *version; /* version: store name or NULL */
};
int rollout_progress(struct store *s, int64_t fleet, void (*each)(void *ctx,
    const struct progress *p), void *ctx, struct err *e);
/* Counts of one batch; of all with batch < -1 (then total is the fleet's devices). */
int rollout_counts(struct store *s, int64_t fleet, int64_t version, int batch,
    struct rollout_counts *out, struct err *e);
/* No statement on a fleet's devices changes more of them: nobody has the write lock for long. Who
 * gets so many calls again, in the next transaction. */
enum { ROLLOUT_STEP = 2000 };

/* What goes through all devices of a fleet, for transactions that read: */
/* How many devices a batch takes: those that match its selector and were seen lately, that do not
 * have the version, and of which no other fleet's assignment is pending; at most
 * rollout_batch_size. */
int64_t rollout_size(struct store *s, struct arena *a, int64_t org, int64_t fleet, int64_t version,
    const struct batch *b, int64_t now, struct err *e);
/* The first of these, by name, up to max. b NULL: the final batch, any of all that are left. */
int rollout_pick(struct store *s, struct arena *a, int64_t org, int64_t fleet, int64_t version,
    const struct batch *b, int64_t max, int64_t now, struct ids *out, struct err *e);
/* Devices that a final batch would take: that do not have the version and are free for it. */
int64_t rollout_free(struct store *s, int64_t fleet, int64_t version, struct err *e);
/* Devices of the fleet that wait because another fleet's assignment is unreported. */
int64_t rollout_blocked(struct store *s, int64_t fleet, int64_t version, struct err *e);
/* Devices on which the version failed or timed out, but for those that another fleet's assignment is
 * pending of; in the order of their ids. */
int rollout_failed(struct store *s, int64_t fleet, int64_t version, struct ids *out, struct err *e);
/* Pending assignments of the version in this batch older than `before`; *all: of any version. */
int64_t rollout_overdue(struct store *s, int64_t fleet, int64_t version, int batch, int64_t before,
    int64_t *all, struct err *e);

/* Calls each, by name, with the fleet's devices; with sel those that it would have if that were its
 * selector (fleet 0: one that is not there). */
struct rollout_member {
    const char *name, *labels;
    bool member;
    int64_t assigned;  /* template version, 0: none */
    int batch, state;  /* as in device_fleet; -1 and ASSIGN_NONE of one that would come */
    bool busy;         /* another fleet's assignment is pending */
    bool connected;
};
int rollout_members(struct store *s, int64_t org, int64_t fleet, const struct selector *sel,
    int64_t now, void (*each)(void *ctx, const struct rollout_member *m), void *ctx, struct err *e);

/* What is a seek or a bounded write: */
/* Is the version pending of a device in this batch (-1: in none)? 1 yes. */
int rollout_pending(struct store *s, int64_t fleet, int64_t version, int batch, struct err *e);
/* Is there a device without the version? 1 yes. */
int rollout_left(struct store *s, int64_t fleet, int64_t version, struct err *e);
/* Devices that have the version pending from before the policy changed come to this batch, up to
 * ROLLOUT_STEP. How many. */
int64_t rollout_rebatch(struct store *s, int64_t fleet, int64_t version, int batch, struct err *e);
/* Pending assignments of any version older than `before` become timed out, the oldest first, up to
 * ROLLOUT_STEP. How many. */
int64_t rollout_timeout(struct store *s, int64_t fleet, int64_t before, struct err *e);
/* Assignment time of the oldest pending device, of any version, 0: none. */
int64_t rollout_oldest(struct store *s, int64_t fleet, struct err *e);
/* The batches begin anew: those that have the version count in none any more; up to ROLLOUT_STEP.
 * How many. */
int64_t rollout_unbatch(struct store *s, int64_t fleet, int64_t version, struct err *e);

/* --- views (view.c) -------------------------------------------------------------------------- */

enum {
    VIEW_SEEN = 1 << 0,     /* status.lastSeen as well */
    VIEW_RENDERED = 1 << 1, /* spec is the rendered one (devices) */
};
/* The metadata of a resource as it is stored, without what is a view of other tables. */
void res_metadata_write(struct buf *b, const struct res *r);
/* A resource as the API shows it: stored texts spliced, nothing parsed. Annotations and conditions
 * that the system keeps in columns are added for devices, read here unless r has them. FC_NOTFOUND, and nothing is written: it
 * was deleted since it was read. */
int res_write(struct store *store, struct arena *a, const struct res *r, int64_t now, unsigned flags,
    struct buf *out, struct err *e);
#endif
