/* SPDX-License-Identifier: Apache-2.0 */
#include "store/many.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { EVENT_ROWS = 100 }; /* of one statement */

/* " IN (1,2)": numbers of our own need no parameters, of which there may be too few. */
static void in_list(struct sql_buf *q, const int64_t *ids, size_t n)
{
    sql_add(q, " IN (");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(&q->text, ',');
        buf_add_int(&q->text, ids[i]);
    }
    sql_add(q, ")");
}

static int run(struct store *s, struct sql_buf *q, struct err *e)
{
    struct stmt *st = sql_prepare(s, q, e);
    int64_t n = st ? st_run(st, e) : -1;

    st_free(st);
    sql_free(q);
    return n < 0 ? -1 : 0;
}

/* The fleets of the devices, each beside its device; both come in the order of ids. */
static int read_fleets(struct store *s, struct arena *a, const int64_t *ids, size_t n,
    struct many_device *d, int nd, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc, i = 0;

    sql_add(&q, "SELECT device, fleet FROM device_fleet WHERE device");
    in_list(&q, ids, n);
    sql_add(&q, " ORDER BY device");
    st = sql_prepare(s, &q, e);
    sql_free(&q);
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        int64_t device = st_col_int(st, 0), *more;

        while (i < nd && d[i].r.id < device)
            i++;
        if (i == nd || d[i].r.id != device)
            continue;
        more = arena_alloc(a, (d[i].nfleet + 1) * sizeof *more);
        if (d[i].nfleet)
            memcpy(more, d[i].fleet, d[i].nfleet * sizeof *more);
        more[d[i].nfleet++] = st_col_int(st, 1);
        d[i].fleet = more;
    }
    st_free(st);
    return rc;
}

int many_devices(struct store *s, struct arena *a, const int64_t *ids, size_t n,
    struct many_device *out, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc, k = 0;

    if (!n)
        return 0;
    sql_add(&q, "SELECT r.id, r.org, r.name, r.owner, r.labels FROM resource r "
        "JOIN device d ON d.id = r.id "
        "WHERE d.lifecycle NOT IN ('Decommissioning', 'Decommissioned') AND r.id");
    in_list(&q, ids, n);
    sql_add(&q, " ORDER BY r.id");
    st = sql_prepare(s, &q, e);
    sql_free(&q);
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1)
        out[k++] = (struct many_device){.r = {
            .id = st_col_int(st, 0),
            .org = st_col_int(st, 1),
            .kind = kind_by_id(KIND_DEVICE),
            .name = arena_strdup(a, st_col_text(st, 2, NULL)),
            .owner = arena_strdup(a, st_col_text(st, 3, NULL)),
            .labels = arena_strdup(a, st_col_text(st, 4, NULL)),
        }};
    st_free(st);
    return rc < 0 || read_fleets(s, a, ids, n, out, k, e) < 0 ? -1 : k;
}

void many_set_owner(struct many *m, int64_t device, const char *owner)
{
    struct many_owner *o = m->owner, *end = o + m->nowner;

    while (o < end && strcmp(o->owner ? o->owner : "", owner ? owner : "") != 0)
        o++;
    if (o == end) {
        m->owner = xreallocarray(m->owner, ++m->nowner, sizeof *m->owner);
        o = &m->owner[m->nowner - 1];
        *o = (struct many_owner){.owner = owner};
    }
    ids_add(&o->ids, device);
}

void many_event(struct many *m, const struct event *ev)
{
    m->event = xreallocarray(m->event, m->nevent + 1, sizeof *m->event);
    m->event[m->nevent++] = *ev;
}

static void text_column(struct sql_buf *q, const char *s)
{
    sql_add(q, ",");
    if (s)
        sql_text_param(q, s);
    else
        sql_add(q, "NULL");
}

static void int_column(struct sql_buf *q, int64_t n)
{
    sql_add(q, ",");
    buf_add_int(&q->text, n);
}

static int events(struct store *s, const struct event *ev, size_t n, int64_t org,
    const struct actor *who, struct err *e)
{
    int64_t now = now_us();
    char uid[EVENT_ROWS][UUID_LEN];
    struct sql_buf q = {0};

    sql_add(&q, "INSERT INTO event (org, at, uid, kind, name, reason, type, actor, source, message, "
        "details, parent, was) VALUES ");
    for (size_t i = 0; i < n; i++) {
        uuid_random(uid[i]);
        sql_add(&q, i ? ",(" : "(");
        buf_add_int(&q.text, org);
        int_column(&q, now);
        text_column(&q, uid[i]);
        int_column(&q, ev[i].kind);
        text_column(&q, ev[i].name);
        text_column(&q, ev[i].reason);
        text_column(&q, ev[i].type ? ev[i].type : "Normal");
        text_column(&q, who->name);
        text_column(&q, who->source);
        text_column(&q, ev[i].message);
        text_column(&q, ev[i].details);
        text_column(&q, ev[i].parent);
        text_column(&q, ev[i].was);
        sql_add(&q, ")");
    }
    return run(s, &q, e);
}

static int join(struct store *s, const struct ids *ids, int64_t fleet, int64_t version, int64_t now,
    struct err *e)
{
    struct sql_buf q = {0};

    if (!ids->n)
        return 0;
    sql_add(&q, "INSERT INTO device_fleet (device, fleet, assigned, rendered, good, state, batch, "
        "assigned_at, message) SELECT id, ");
    buf_printf(&q.text, "%lld, ", (long long)fleet);
    if (version)
        buf_printf(&q.text, "%lld, NULL, NULL, %d, -1, %lld, NULL", (long long)version,
            ASSIGN_PENDING, (long long)now);
    else
        buf_printf(&q.text, "NULL, NULL, NULL, %d, -1, 0, NULL", ASSIGN_NONE);
    sql_add(&q, " FROM device WHERE id");
    in_list(&q, ids->id, ids->n);
    return run(s, &q, e);
}

static int leave(struct store *s, const struct ids *ids, int64_t fleet, struct err *e)
{
    struct sql_buf q = {0};

    if (!ids->n)
        return 0;
    buf_printf(&q.text, "DELETE FROM device_fleet WHERE fleet = %lld AND device", (long long)fleet);
    in_list(&q, ids->id, ids->n);
    return run(s, &q, e);
}

static int own(struct store *s, const struct many_owner *o, struct err *e)
{
    struct sql_buf q = {0};

    sql_add(&q, "UPDATE resource SET owner = ");
    if (o->owner)
        sql_text_param(&q, o->owner);
    else
        sql_add(&q, "NULL");
    sql_add(&q, " WHERE id");
    in_list(&q, o->ids.id, o->ids.n);
    return run(s, &q, e);
}

/* what: "stale = 1 WHERE stale < 1 AND id" */
static int update(struct store *s, const struct ids *ids, const char *what, struct err *e)
{
    struct sql_buf q = {0};

    if (!ids->n)
        return 0;
    sql_add(&q, "UPDATE device SET ");
    sql_add(&q, what);
    in_list(&q, ids->id, ids->n);
    return run(s, &q, e);
}

int many_write(struct store *s, const struct many *m, int64_t org, int64_t fleet, int64_t version,
    int64_t now, const struct actor *who, struct err *e)
{
    const char *overlap = arena_printf(m->a, "overlap_since = %lld WHERE id", (long long)now);
    size_t i, k;

    if (join(s, &m->join, fleet, version, now, e) < 0 || leave(s, &m->leave, fleet, e) < 0 ||
        update(s, &m->stale, "stale = 1 WHERE stale < 1 AND id", e) < 0 ||
        update(s, &m->overlap, overlap, e) < 0)
        return -1;
    for (i = 0; i < m->nowner; i++)
        if (own(s, &m->owner[i], e) < 0)
            return -1;
    for (i = 0; i < m->nevent; i += k) {
        k = m->nevent - i < EVENT_ROWS ? m->nevent - i : EVENT_ROWS;
        if (events(s, m->event + i, k, org, who, e) < 0)
            return -1;
    }
    return 0;
}

int many_outdate(struct store *s, int64_t fleet, const int64_t *ids, size_t n, struct err *e)
{
    struct sql_buf q = {0};

    if (!n)
        return 0;
    sql_add(&q, "UPDATE device SET updated = 'OutOfDate', updated_info = 'Device has not been "
        "updated to the latest device spec.' WHERE updated = 'UpToDate' AND id");
    in_list(&q, ids, n);
    sql_add(&q, " AND EXISTS (SELECT 1 FROM device_fleet m WHERE m.device = device.id AND "
        "m.fleet = ");
    sql_int_param(&q, fleet);
    sql_add(&q, ")");
    return run(s, &q, e);
}

static int by_id(const void *p, const void *q)
{
    const int64_t *a = p, *b = q;

    return *a < *b ? -1 : *a > *b;
}

/* UPDATE device_fleet of a pending assignment, up to its condition: whose they became, in order. */
static int assigned(struct store *s, struct sql_buf *q, int64_t fleet, const int64_t *ids, size_t n,
    struct ids *out, struct err *e)
{
    struct stmt *st;
    int rc;

    buf_printf(&q->text, " AND NOT EXISTS (SELECT 1 FROM device_fleet x "
        "WHERE x.device = device_fleet.device AND x.fleet <> %lld AND x.state = %d) AND fleet = %lld "
        "AND device", (long long)fleet, ASSIGN_PENDING, (long long)fleet);
    in_list(q, ids, n);
    sql_add(q, " RETURNING device");
    st = sql_prepare(s, q, e);
    sql_free(q);
    if (!st)
        return -1;
    out->n = 0;
    while ((rc = st_step(st, e)) == 1)
        ids_add(out, st_col_int(st, 0));
    st_free(st);
    if (out->n)
        qsort(out->id, out->n, sizeof *out->id, by_id);
    return rc;
}

int many_assign(struct store *s, int64_t fleet, int64_t version, int batch, int64_t now,
    const int64_t *ids, size_t n, struct ids *out, struct err *e)
{
    struct sql_buf q = {0};

    out->n = 0;
    if (!n)
        return 0;
    buf_printf(&q.text, "UPDATE device_fleet SET state = %d, message = NULL, assigned = %lld, "
        "batch = %d, assigned_at = %lld WHERE assigned IS DISTINCT FROM %lld", ASSIGN_PENDING,
        (long long)version, batch, (long long)now, (long long)version);
    return assigned(s, &q, fleet, ids, n, out, e) < 0 ? -1 :
        update(s, out, "stale = 1 WHERE stale < 1 AND id", e);
}

int many_reissue(struct store *s, int64_t fleet, int64_t version, int64_t now, const int64_t *ids,
    size_t n, struct ids *out, struct err *e)
{
    struct sql_buf q = {0};

    out->n = 0;
    if (!n)
        return 0;
    buf_printf(&q.text, "UPDATE device_fleet SET state = %d, message = NULL, assigned_at = %lld "
        "WHERE assigned = %lld AND state IN (%d, %d)", ASSIGN_PENDING, (long long)now,
        (long long)version, ASSIGN_FAILED, ASSIGN_TIMEDOUT);
    return assigned(s, &q, fleet, ids, n, out, e) < 0 ? -1 : update(s, out, "stale = 2 WHERE id", e);
}

void many_free(struct many *m)
{
    for (size_t i = 0; i < m->nowner; i++)
        free(m->owner[i].ids.id);
    free(m->owner);
    free(m->event);
    free(m->join.id);
    free(m->leave.id);
    free(m->stale.id);
    free(m->overlap.id);
}
