/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes on many devices that go to the store together: a statement for all of a kind instead of
 * several for each device, for a database to which a statement is a way.
 */
#ifndef FC_STORE_MANY_H
#define FC_STORE_MANY_H

#include "store/device.h"
#include "store/event.h"

enum { MANY_MAX = 500 }; /* devices */

struct many {
    struct arena *a;     /* holds all texts until many_write */
    struct ids join, leave, stale, overlap;
    struct many_owner {
        const char *owner; /* "Fleet/x" or NULL */
        struct ids ids;
    } *owner;
    size_t nowner;
    struct event *event;
    size_t nevent;
};

/* A device and its fleets as they are, without what a move does not need. */
struct many_device {
    struct res r;        /* id, org, kind, name, owner, labels */
    const int64_t *fleet;
    size_t nfleet;
};
/* Of these ids (MANY_MAX at most) those that exist and may come to a fleet: not those that are
 * decommissioned; in the order of their ids. Returns how many. */
int many_devices(struct store *s, struct arena *a, const int64_t *ids, size_t n,
    struct many_device *out, struct err *e);

void many_set_owner(struct many *m, int64_t device, const char *owner);
void many_event(struct many *m, const struct event *ev);
/* All of it: who joins `fleet` gets the version (0: none), who leaves is no longer in it. */
int many_write(struct store *s, const struct many *m, int64_t org, int64_t fleet, int64_t version,
    int64_t now, const struct actor *who, struct err *e);
/* Those that were up to date no longer are, since their fleet has a new version. */
int many_outdate(struct store *s, int64_t fleet, const int64_t *ids, size_t n, struct err *e);
/* Gives the version of a fleet to those of these devices (MANY_MAX at most) that are its members and
 * do not have it, and of which no other fleet's assignment is pending; they become stale. Or gives
 * it again to those on which it failed or timed out, for another rendered version. out: to whom, in
 * order. */
int many_assign(struct store *s, int64_t fleet, int64_t version, int batch, int64_t now,
    const int64_t *ids, size_t n, struct ids *out, struct err *e);
int many_reissue(struct store *s, int64_t fleet, int64_t version, int64_t now, const int64_t *ids,
    size_t n, struct ids *out, struct err *e);
void many_free(struct many *m); /* but for the arena */

#endif
