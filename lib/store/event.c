/* SPDX-License-Identifier: Apache-2.0 */
/* The event log. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "fleet/kind.h"
#include "store/store.h"

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
    return st_run(st, e) < 0 ? -1 : 0;
}

int events_list(struct store *s, int64_t org, int kind, const char *name, int64_t before, int limit,
    int (*each)(void *ctx, const struct event *ev), void *ctx, struct err *e)
{
    struct stmt *st = db_stmt(s->db, kind ? SQL_event_list_of : SQL_event_list, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_int(st, 2, before);
    st_int(st, 3, limit);
    if (kind) {
        st_int(st, 4, kind);
        st_text(st, 5, name);
    }
    while ((rc = st_step(st, e)) == 1) {
        struct event ev = {
            .seq = st_col_int(st, 0),
            .at = st_col_int(st, 1),
            .uid = st_col_text(st, 2, NULL),
            .kind = (int)st_col_int(st, 3),
            .name = st_col_text(st, 4, NULL),
            .reason = st_col_text(st, 5, NULL),
            .type = st_col_text(st, 6, NULL),
            .actor = st_col_text(st, 7, NULL),
            .source = st_col_text(st, 8, NULL),
            .message = st_col_text(st, 9, NULL),
            .details = st_col_text(st, 10, NULL),
        };

        if (each(ctx, &ev)) {
            st_reset(st);
            return 0;
        }
    }
    return rc;
}

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
