/* SPDX-License-Identifier: Apache-2.0 */
#include "store/event.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/gc.h"
#include "store/ints.h"

/* Key in meta: the place of the newest event that was removed, in decimal. */
static const char removed_key[] = "events_removed";

int events_add(struct store *s, int64_t org, const struct actor *who, const struct event *ev,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_event_add, e);
    char uid[UUID_LEN];

    if (!st)
        return -1;
    uuid_random(uid);
    st_int(st, 1, org);
    st_int(st, 2, now_us());
    st_text(st, 3, uid);
    st_int(st, 4, ev->kind);
    st_text(st, 5, ev->name);
    st_text(st, 6, ev->reason);
    st_text(st, 7, ev->type ? ev->type : "Normal");
    st_text(st, 8, who->name);
    st_text(st, 9, who->source);
    st_text(st, 10, ev->message);
    st_text(st, 11, ev->details);
    st_text(st, 12, ev->parent);
    st_text(st, 13, ev->was);
    return st_post(st, e);
}

int event_of(struct store *s, const struct res *r, const struct actor *who, struct event ev,
    struct err *e)
{
    const char *own = res_meta_name(r);
    char *parent AUTO_FREE = own > r->name ? xstrndup(r->name, (size_t)(own - r->name) - 1) : NULL;

    ev.kind = (int)r->kind->id;
    ev.name = own;
    ev.parent = parent;
    return events_add(s, r->org, who, &ev, e);
}

struct event event_row(struct stmt *st)
{
    return (struct event){
        .seq = st_col_int(st, 0),
        .at = st_col_int(st, 1),
        .uid = st_col_text(st, 2, NULL),
        .kind = (int)st_col_int(st, 3),
        .name = st_col_text(st, 4, NULL),
        .parent = st_col_text(st, 5, NULL),
        .reason = st_col_text(st, 6, NULL),
        .type = st_col_text(st, 7, NULL),
        .actor = st_col_text(st, 8, NULL),
        .source = st_col_text(st, 9, NULL),
        .message = st_col_text(st, 10, NULL),
        .details = st_col_text(st, 11, NULL),
        .was = st_col_text(st, 12, NULL),
    };
}

int events_since(struct store *s, int64_t org, int64_t after, int limit,
    void (*each)(void *ctx, const struct event *ev), void *ctx, struct err *e)
{
    struct stmt *st = STMT(s, SQL_event_since, e, org, after, limit);
    int64_t removed;
    int rc, n = 0;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        struct event ev = event_row(st);

        each(ctx, &ev);
        n++;
    }
    if (rc < 0 || events_removed(s, &removed, e) < 0)
        return -1;
    if (after < removed)
        return err_set(e, FC_INVALID, "the events after this cursor are no longer kept");
    return n;
}

int events_newest(struct store *s, int64_t *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_event_newest, e);
    int rc;

    if (!st || (rc = st_step(st, e)) < 0)
        return -1;
    if (rc == 0)
        return events_removed(s, out, e); /* none is left, or there never was one */
    *out = st_col_int(st, 0);
    st_reset(st);
    return 0;
}

int event_uid(struct store *s, int64_t seq, char out[UUID_LEN], struct err *e)
{
    struct stmt *st = STMT(s, SQL_event_uid, e, seq);
    int rc;

    out[0] = '\0';
    if (!st)
        return -1;
    if ((rc = st_step(st, e)) == 1) {
        snprintf(out, UUID_LEN, "%s", st_col_text(st, 0, NULL));
        st_reset(st);
    }
    return rc;
}

int events_removed(struct store *s, int64_t *out, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *v;
    int rc = store_meta(s, a, removed_key, &v, e);

    *out = rc == 1 ? strtoll(v, NULL, 10) : 0;
    return rc < 0 ? -1 : 0;
}

/* --- retention ------------------------------------------------------------------------------- */

struct old {
    int64_t before;
    int64_t last; /* place of the newest that is one too many; 0: none is */
};

/* From the oldest on, up to the first that stays. */
static int64_t remove_some(struct store *s, void *ctx, struct err *e)
{
    const struct old *o = ctx;
    struct stmt *st = STMT(s, SQL_event_oldest, e, GC_PART);
    int64_t upto = 0;
    char text[24];
    int rc, n = 0;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        if (st_col_int(st, 1) >= o->before && st_col_int(st, 0) > o->last) {
            st_reset(st);
            rc = 0;
            break;
        }
        upto = st_col_int(st, 0);
        n++;
    }
    if (rc < 0 || n == 0)
        return rc;
    snprintf(text, sizeof text, "%lld", (long long)upto);
    return RUN(s, SQL_event_delete, e, upto) < 0 || store_meta_put(s, removed_key, text, e) < 0 ?
        -1 : n;
}

int event_gc(struct store *s, int64_t before, int64_t keep, bool dry, int64_t *removed,
    struct err *e)
{
    struct old o = {.before = before};

    if (keep > 0 && (o.last = ONE(s, SQL_event_nth, e, keep)) < 0)
        return -1;
    *removed = dry ? ONE(s, SQL_event_spent, e, before, o.last) :
        gc_in_parts(s, remove_some, &o, e);
    return *removed < 0 ? -1 : 0;
}

/* --- as a document ---------------------------------------------------------------------------- */

void events_write(struct buf *b, const struct event *ev)
{
    char at[TIME_LEN];

    time_format(ev->at, at);
    buf_adds(b, "{\"actor\":");
    buf_add_jsons(b, ev->actor);
    buf_adds(b, ",\"apiVersion\":\"" API_VERSION "\"");
    if (ev->details) {
        buf_adds(b, ",\"details\":");
        buf_adds(b, ev->details);
    }
    buf_adds(b, ",\"involvedObject\":{\"kind\":");
    buf_add_jsons(b, kind_by_id((enum kind_id)ev->kind)->name);
    buf_adds(b, ",\"name\":");
    buf_add_jsons(b, ev->name);
    buf_printf(b, "},\"kind\":\"Event\",\"message\":");
    buf_add_jsons(b, ev->message);
    buf_printf(b, ",\"metadata\":{\"creationTimestamp\":\"%s\",\"name\":\"%s\"},\"reason\":\"%s\",",
        at, ev->uid, ev->reason);
    buf_adds(b, "\"source\":{\"component\":");
    buf_add_jsons(b, ev->source);
    buf_printf(b, "},\"type\":\"%s\"}", ev->type);
}

/* --- cursors --------------------------------------------------------------------------------- */

void cursor_write(char out[CURSOR_LEN], const char *uid, int64_t seq)
{
    snprintf(out, CURSOR_LEN, "%s.%llx", uid, (unsigned long long)seq);
}

/* Lower-case hexadecimal digits. */
static int hex_parse(const char *s, int64_t *out)
{
    uint64_t n = 0;

    if (!*s)
        return -1;
    for (; *s; s++) {
        const char *digit = strchr("0123456789abcdef", *s);

        if (!digit || n >> 59)
            return -1;
        n = n << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *out = (int64_t)n;
    return 0;
}

int cursor_parse(const char *text, const char *uid, int64_t *out, struct err *e)
{
    const char *p = strchr(text, '.');
    size_t n = p ? (size_t)(p - text) : 0;
    char theirs[UUID_LEN];

    if (n != UUID_LEN - 1)
        return err_set(e, FC_INVALID, "cursor: not one");
    memcpy(theirs, text, n);
    theirs[n] = '\0';
    if (!is_uuid(theirs) || hex_parse(p + 1, out) < 0)
        return err_set(e, FC_INVALID, "cursor: not one");
    if (strcmp(theirs, uid) != 0)
        return err_set(e, FC_INVALID, "cursor: of another store");
    return 0;
}
