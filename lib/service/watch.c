/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/pick.h"
#include "store/device.h"

/* What a commit wrote may be visible a while after the watch tells of it, so it is looked for again,
 * each time after as long as since then, up to the safety net of an idle watch. */
enum {
    PAUSE_FIRST = 1,          /* ms */
    PAUSE_IDLE = 32 * 1000,
    PAUSE_POLL = 1000,        /* where nothing wakes it */
    TABLE = 4 * WATCH_BATCH,  /* slots for the objects of a batch; a power of two is not needed */
};

/* What a batch of events says about one object, or one event as a document. */
struct pending {
    int64_t first, last;          /* places of the first and the last one */
    const struct kind *kind;
    const char *name, *parent;
    bool created, deleted;
    const char *was;              /* metadata before the first change of labels, or at the end */
    const char *event;            /* JSON; NULL: an object */
};

struct watch {
    struct store *s;
    const struct watch_options *o;
    struct arena *a;              /* of a batch */
    struct pick *pick;
    char uid[UUID_LEN];           /* of the store */
    int64_t place;                /* all up to here was read */
    char last[UUID_LEN];          /* the event there; "": it was none, or is no longer kept */
    int64_t said;                 /* cursor of the last line */
    bool events;
    struct pending pending[WATCH_BATCH];
    size_t n;
    size_t slot[TABLE];           /* index + 1 of an object's newest entry; 0: free */
    struct buf text;
    int64_t lines, end;           /* end: monotonic us, 0: never */
    int64_t silent;               /* events since the last line */
    int fd;                       /* of the database's watch, or -1 */
    int64_t version;              /* of the data that was read last */
};

static int64_t monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* --- a batch of events ------------------------------------------------------------------------ */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Is the target's store name PARENT/NAME, or NAME? */
static bool is_named(const struct target *t, const struct event *ev)
{
    size_t n = ev->parent ? strlen(ev->parent) : 0;

    if (!ev->parent)
        return strcmp(t->name, ev->name) == 0;
    return strncmp(t->name, ev->parent, n) == 0 && t->name[n] == '/' &&
        strcmp(t->name + n + 1, ev->name) == 0;
}

static bool wanted(const struct watch *w, const struct event *ev)
{
    for (size_t i = 0; i < w->o->ntargets; i++) {
        const struct target *t = &w->o->target[i];

        if (t->kind->flags & KIND_LOG || ((int)t->kind->id == ev->kind &&
            (!t->name || is_named(t, ev))))
            return true;
    }
    return w->o->ntargets == 0;
}

static size_t hash(const struct event *ev)
{
    size_t h = (size_t)ev->kind;

    for (const char *p = ev->name; *p; p++)
        h = h * 31 + (unsigned char)*p;
    for (const char *p = ev->parent; p && *p; p++)
        h = h * 31 + (unsigned char)*p;
    return h % TABLE;
}

/* The slot of the event's object, taken or free. */
static size_t *slot_of(struct watch *w, const struct event *ev)
{
    size_t i = hash(ev);

    for (; w->slot[i]; i = (i + 1) % TABLE) {
        const struct pending *p = &w->pending[w->slot[i] - 1];

        if ((int)p->kind->id == ev->kind && strcmp(p->name, ev->name) == 0 &&
            same(p->parent, ev->parent))
            break;
    }
    return &w->slot[i];
}

static struct pending *new_pending(struct watch *w, const struct event *ev)
{
    struct pending *p = &w->pending[w->n++];

    *p = (struct pending){
        .kind = kind_by_id((enum kind_id)ev->kind),
        .name = arena_strdup(w->a, ev->name),
        .parent = arena_strdup(w->a, ev->parent),
    };
    return p;
}

static void note_change(struct watch *w, const struct event *ev)
{
    size_t *slot = slot_of(w, ev);
    struct pending *p = *slot ? &w->pending[*slot - 1] : NULL;
    bool created = strcmp(ev->reason, "ResourceCreated") == 0;

    if (!p || p->deleted) { /* one that comes after it is another one */
        p = new_pending(w, ev);
        p->first = ev->seq;
        p->created = created;
        *slot = w->n;
    }
    p->last = ev->seq;
    p->deleted = strcmp(ev->reason, "ResourceDeleted") == 0;
    if (ev->was && (!p->was || p->created))
        p->was = arena_strdup(w->a, ev->was);
}

static void note(void *ctx, const struct event *ev)
{
    struct watch *w = ctx;

    w->place = ev->seq;
    snprintf(w->last, sizeof w->last, "%s", ev->uid);
    w->silent++;
    if (!wanted(w, ev))
        return;
    if (w->events) {
        struct pending *p;

        buf_reset(&w->text);
        events_write(&w->text, ev);
        if (!pick_event(w->pick, w->text.p))
            return;
        p = new_pending(w, ev);
        p->last = ev->seq;
        p->event = arena_strndup(w->a, w->text.p, w->text.len);
        p->name = arena_strdup(w->a, ev->uid);
    } else
        note_change(w, ev);
}

static int by_last(const void *a, const void *b)
{
    const struct pending *p = a, *q = b;

    return p->last < q->last ? -1 : p->last > q->last;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* {"cursor":"...","object":OBJECT,"type":"..."}. kind NULL: a bookmark. */
static int put_line(struct watch *w, const char *type, int64_t at, const struct kind *kind,
    const char *name, const char *object, struct err *e)
{
    char *id AUTO_FREE = kind ? xasprintf("%s/%s", kind->singular, name) : NULL;
    char cursor[CURSOR_LEN];
    struct buf b AUTO_BUF = BUF_INIT;

    cursor_write(cursor, w->uid, at);
    buf_printf(&b, "{\"cursor\":\"%s\"", cursor);
    if (object) {
        buf_adds(&b, ",\"object\":");
        buf_adds(&b, object);
    }
    buf_printf(&b, ",\"type\":\"%s\"}", type);
    w->said = at;
    w->silent = 0;
    w->lines += kind != NULL;
    return w->o->line(w->o->ctx, &(struct watch_line){type, id, b.p, b.len}, e);
}

/* Where to begin again, when lines do not say it. */
static int bookmark(struct watch *w, struct err *e)
{
    return put_line(w, "BOOKMARK", w->place, NULL, NULL, NULL, e);
}

static const char *store_name(struct watch *w, const struct pending *p)
{
    return p->parent ? arena_printf(w->a, "%s/%s", p->parent, p->name) : p->name;
}

/* An object of which nothing but this metadata is left, or shown. */
static int gone(struct watch *w, const struct pending *p, const char *metadata, struct err *e)
{
    const char *object = arena_printf(w->a, "{\"apiVersion\":\"" API_VERSION
        "\",\"kind\":\"%s\",\"metadata\":%s}", p->kind->name, metadata);

    return put_line(w, "DELETED", p->last, p->kind, store_name(w, p), object, e);
}

static int deleted(struct watch *w, const struct pending *p, struct err *e)
{
    const char *name = store_name(w, p), *meta = p->was;
    enum pick_was was;

    if (!meta) {
        struct buf b AUTO_BUF = BUF_INIT;

        buf_adds(&b, "{\"name\":");
        buf_add_jsons(&b, p->name);
        buf_addc(&b, '}');
        meta = arena_strdup(w->a, b.p);
    }
    was = p->created ? WAS_NOT : /* came and went between two looks */
        pick_was(w->pick, p->kind, name, p->first, arena_printf(w->a, "{\"metadata\":%s}", meta));
    pick_gone(w->pick, p->kind, name, p->first);
    return was == WAS_NOT ? 0 : gone(w, p, meta, e);
}

/* 1: it is there, and w->text is what it is now. */
static int current(struct watch *w, const struct pending *p, struct res *r, struct err *e)
{
    int rc;

    if (p->kind->id == KIND_DEVICE && db_attach_seen(w->s->db, e) < 0)
        return -1;
    if (db_begin(w->s->db, false, e) < 0)
        return -1;
    buf_reset(&w->text);
    rc = res_get(w->s, w->a, w->s->org, p->kind, store_name(w, p), r, e);
    if (rc == 1 && res_write(w->s, w->a, r, now_us(), VIEW_SEEN, &w->text, e) < 0)
        rc = -1;
    db_rollback(w->s->db);
    return rc;
}

static int changed(struct watch *w, const struct pending *p, struct err *e)
{
    struct buf meta AUTO_BUF = BUF_INIT;
    const char *name = store_name(w, p);
    enum pick_was was;
    struct res r;
    int rc = current(w, p, &r, e);

    if (rc <= 0)
        return rc; /* deleted by an event that is still to come */
    was = p->created ? WAS_NOT : pick_was(w->pick, p->kind, name, p->first,
        p->was ? arena_printf(w->a, "{\"metadata\":%s}", p->was) : w->text.p);
    if (pick_is(w->pick, p->kind, name, p->first, w->text.p))
        return put_line(w, was == WAS_PICKED ? "MODIFIED" : "ADDED", p->last, p->kind, name,
            w->text.p, e);
    if (was == WAS_NOT)
        return 0;
    res_metadata_write(&meta, &r);
    return gone(w, p, meta.p, e);
}

static bool is_over(const struct watch *w)
{
    return w->o->limit && w->lines >= w->o->limit;
}

/* Whoever restores a store in its place may give it another past: has it still the one that was
 * read? */
static int check_past(struct watch *w, struct err *e)
{
    char last[UUID_LEN];
    int64_t removed;
    const char *uid;
    int rc;

    if ((rc = store_meta(w->s, w->a, "uid", &uid, e)) < 0 ||
        event_uid(w->s, w->place, last, e) < 0 || events_removed(w->s, &removed, e) < 0)
        return -1;
    if (rc && strcmp(uid, w->uid) == 0 && (!*w->last || strcmp(last, w->last) == 0 ||
        (!*last && w->place <= removed)))
        return 0;
    return err_set(e, FC_AGAIN, "%s: the store was restored from a backup", db_path(w->s->db));
}

/* All events of the organization were read: those of others are behind this place, too. Nobody
 * looks through them again, however long nothing happens here. */
static int advance(struct watch *w, struct err *e)
{
    int64_t newest;

    if (events_newest(w->s, &newest, e) < 0)
        return -1;
    if (newest <= w->place)
        return 0;
    w->place = newest;
    return event_uid(w->s, newest, w->last, e);
}

static int read_batch(struct watch *w, struct err *e)
{
    int n;

    if (db_begin(w->s->db, false, e) < 0)
        return -1;
    n = check_past(w, e) < 0 ? -1 :
        events_since(w->s, w->s->org, w->place, WATCH_BATCH, note, w, e);
    if (n >= 0 && n < WATCH_BATCH && advance(w, e) < 0)
        n = -1;
    db_rollback(w->s->db);
    return n;
}

/* Reads a batch and says what is in it. How many events it had, or -1. */
static int step(struct watch *w, struct err *e)
{
    int n;

    w->n = 0;
    memset(w->slot, 0, sizeof w->slot);
    if ((n = read_batch(w, e)) < 0)
        return -1;
    if (!w->events)
        qsort(w->pending, w->n, sizeof w->pending[0], by_last);
    for (size_t i = 0; i < w->n && !is_over(w); i++) {
        const struct pending *p = &w->pending[i];

        if ((p->event ? put_line(w, "ADDED", p->last, kind_by_id(KIND_EVENT), p->name, p->event,
            e) : p->deleted ? deleted(w, p, e) : changed(w, p, e)) < 0)
            return -1;
    }
    arena_reset(w->a);
    if (w->silent >= WATCH_BATCH && !is_over(w) && bookmark(w, e) < 0)
        return -1;
    return n;
}

/* --- waiting ---------------------------------------------------------------------------------- */

enum wait { WAIT_NEWS, WAIT_OVER };

static int moved(struct watch *w, struct err *e)
{
    if (!db_moved(w->s->db))
        return 0;
    return err_set(e, FC_AGAIN, "%s: the store was replaced or is gone", db_path(w->s->db));
}

/* 1: something was committed since the last look. */
static int news(struct watch *w, struct err *e)
{
    int64_t v;

    if (moved(w, e) < 0 || (v = db_data_version(w->s->db, e)) < 0)
        return -1;
    if (v == w->version)
        return 0;
    w->version = v;
    return 1;
}

static int wait_for(struct watch *w, enum wait *what, struct err *e)
{
    int pause = PAUSE_FIRST, most = w->fd < 0 ? PAUSE_POLL : PAUSE_IDLE, rc;

    for (;;) {
        struct pollfd p[2] = {{w->fd, POLLIN, 0}, {w->o->out, 0, 0}};
        int64_t left = w->end ? (w->end - monotonic() + 999) / 1000 : pause;

        if (left <= 0) {
            *what = WAIT_OVER;
            return 0;
        }
        rc = poll(p, LEN(p), left < pause ? (int)left : pause);
        if (rc < 0 && errno != EINTR)
            return err_errno(e, "poll");
        if (rc > 0 && p[1].revents) {
            *what = WAIT_OVER;
            return 0;
        }
        if (rc > 0) {
            db_watch_drain(w->s->db);
            pause = PAUSE_FIRST;
        } else
            pause = pause * 2 < most ? pause * 2 : most;
        if ((rc = news(w, e)) < 0)
            return -1;
        if (rc) {
            *what = WAIT_NEWS;
            return 0;
        }
    }
}

/* --- the whole --------------------------------------------------------------------------------- */

/* The newest event, and what the selectors pick then. */
static int look(struct watch *w, int64_t *newest, struct err *e)
{
    int rc;

    if ((w->o->fields && db_attach_seen(w->s->db, e) < 0) || db_begin(w->s->db, false, e) < 0)
        return -1;
    rc = events_newest(w->s, newest, e) < 0 ? -1 : pick_begin(w->pick, w->s, *newest, e);
    db_rollback(w->s->db);
    return rc;
}

static int begin(struct watch *w, struct err *e)
{
    int64_t removed, newest;
    const char *uid;
    struct err why = {FC_OK, ""};
    int rc = store_meta(w->s, w->a, "uid", &uid, e);

    if (rc <= 0)
        return rc < 0 ? -1 : err_set(e, FC_FAIL, "%s: the store has no uid", db_path(w->s->db));
    snprintf(w->uid, sizeof w->uid, "%s", uid);
    if ((w->fd = db_watch_fd(w->s->db, &why)) < 0)
        w->fd = -1; /* it is looked at now and then */
    if (news(w, e) < 0 || events_removed(w->s, &removed, e) < 0 || look(w, &newest, e) < 0)
        return -1;
    switch (w->o->start) {
    case WATCH_NOW: w->place = newest; break;
    case WATCH_OLDEST: w->place = removed; break;
    case WATCH_CURSOR:
        if (cursor_parse(w->o->cursor, w->uid, &w->place, e) < 0)
            return -1;
        if (w->place > newest)
            return err_set(e, FC_INVALID, "cursor: of a time that this store does not have; it was "
                "taken back");
        break;
    }
    return event_uid(w->s, w->place, w->last, e) < 0 ? -1 : bookmark(w, e);
}

static int follow(struct watch *w, struct err *e)
{
    enum wait what = WAIT_NEWS;
    int n;

    while (what == WAIT_NEWS) {
        do {
            if ((n = step(w, e)) < 0)
                return -1;
            if (w->end && monotonic() >= w->end)
                break;
        } while (n == WATCH_BATCH && !is_over(w));
        if (is_over(w))
            return w->o->flush(w->o->ctx, e);
        if (w->o->flush(w->o->ctx, e) < 0 || wait_for(w, &what, e) < 0)
            return -1;
    }
    if (w->said != w->place && bookmark(w, e) < 0)
        return -1;
    return w->o->flush(w->o->ctx, e);
}

int watch(struct store *s, const struct watch_options *o, struct err *e)
{
    struct watch *w = xcalloc(1, sizeof *w);
    int rc;

    w->s = s;
    w->o = o;
    w->a = arena_new();
    w->events = o->events || o->ntargets == 0;
    for (size_t i = 0; i < o->ntargets; i++)
        w->events = w->events || o->target[i].kind->flags & KIND_LOG;
    w->end = o->timeout ? monotonic() + o->timeout : 0;
    rc = pick_open(&w->pick, o, w->events, e) < 0 || begin(w, e) < 0 ? -1 : follow(w, e);
    pick_free(w->pick);
    arena_free(w->a);
    buf_free(&w->text);
    free(w);
    return rc;
}
