/* SPDX-License-Identifier: Apache-2.0 */
#include "store/device.h"

#include <string.h>

#include "store/ints.h"

int device_add(struct store *s, const struct res *r, const struct device *d, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_insert, e);

    if (!st)
        return -1;
    st_int(st, 1, r->id);
    st_int(st, 2, r->org);
    st_text(st, 3, r->name);
    st_text(st, 4, d->updated);
    st_text(st, 5, d->updated_info);
    st_text(st, 6, d->summary);
    st_text(st, 7, d->applications);
    st_text(st, 8, d->lifecycle);
    return st_post(st, e);
}

int device_poll(struct store *s, int64_t org, const char *name, int64_t *id, int64_t *rendered,
    int *stale, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_poll, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_text(st, 2, name);
    if ((rc = st_step(st, e)) == 1) {
        *id = st_col_int(st, 0);
        *rendered = st_col_int(st, 1);
        *stale = (int)st_col_int(st, 2);
        st_reset(st);
    }
    return rc;
}

/* Numbers of our own need no parameters, of which there may be too few. */
static struct stmt *news_stmt(struct store *s, const struct known *v, size_t n, struct err *e)
{
    struct buf q AUTO_BUF = BUF_INIT;

    buf_adds(&q, "SELECT id, rendered FROM device WHERE stale = 0 AND id IN (");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(&q, ',');
        buf_add_int(&q, v[i].device);
    }
    buf_adds(&q, ") ORDER BY id");
    return db_prepare(s->db, q.p, e);
}

int device_news(struct store *s, struct known *v, size_t n, struct err *e)
{
    struct stmt *st = n ? news_stmt(s, v, n, e) : NULL;
    size_t i = 0;
    int rc = 1;

    if (!st)
        return n ? -1 : 0;
    while (rc == 1 && (rc = st_step(st, e)) >= 0) {
        int64_t id = rc ? st_col_int(st, 0) : INT64_MAX;

        for (; i < n && v[i].device < id; i++)
            v[i].news = true;
        for (; i < n && v[i].device == id; i++) /* two may wait for one device */
            v[i].news = v[i].rendered != st_col_int(st, 1);
    }
    st_free(st);
    return rc;
}

/* The limit keeps PostgreSQL from reading all memberships for it. */
const char device_shown_columns[] = "d.id, d.rendered, d.hash, d.spec_valid, d.spec_message, "
    "d.spec_since, d.overlap_since, d.conditions, d.updated, d.updated_info, d.summary, "
    "d.applications, d.lifecycle, CASE WHEN EXISTS (SELECT 1 FROM device_fleet f "
    "WHERE f.device = d.id LIMIT 1 OFFSET 0) THEN 1 ELSE 0 END";

/* a NULL: as long as the row. */
static const char *text(struct stmt *st, int i, struct arena *a)
{
    const char *s = st_col_text(st, i, NULL);

    return a ? arena_strdup(a, s) : s;
}

void device_read(struct stmt *st, int i, struct arena *a, struct device *out)
{
    *out = (struct device){
        .id = st_col_int(st, i),
        .rendered = st_col_int(st, i + 1),
        .hash = text(st, i + 2, a),
        .spec_valid = (int)st_col_int(st, i + 3),
        .spec_message = text(st, i + 4, a),
        .spec_since = st_col_int(st, i + 5),
        .overlap_since = st_col_int(st, i + 6),
        .conditions = text(st, i + 7, a),
        .updated = text(st, i + 8, a),
        .updated_info = text(st, i + 9, a),
        .summary = text(st, i + 10, a),
        .applications = text(st, i + 11, a),
        .lifecycle = text(st, i + 12, a),
        .member = st_col_int(st, i + 13),
        .last_seen = st_col_int(st, i + DEVICE_SHOWN - 1),
    };
}

int device_get(struct store *s, struct arena *a, int64_t id, struct device *out, struct err *e)
{
    struct stmt *st;
    int rc;

    if (db_attach_seen(s->db, e) < 0 || !(st = db_stmt(s->db, SQL_device_get, e)))
        return -1;
    st_int(st, 1, id);
    if ((rc = st_step(st, e)) != 1)
        return rc;
    device_read(st, 0, a, out);
    out->stale = (int)st_col_int(st, DEVICE_SHOWN);
    out->rendered_at = st_col_int(st, DEVICE_SHOWN + 1);
    out->fetched = st_col_int(st, DEVICE_SHOWN + 2);
    out->reported = st_col_int(st, DEVICE_SHOWN + 3);
    out->failure = text(st, DEVICE_SHOWN + 4, a);
    out->floor = st_col_int(st, DEVICE_SHOWN + 5);
    out->failed = st_col_int(st, DEVICE_SHOWN + 6);
    st_reset(st);
    return 1;
}

int device_last_seen(struct store *s, int64_t id, int64_t *at, struct err *e)
{
    struct stmt *st;
    int rc;

    *at = 0;
    if (db_attach_seen(s->db, e) < 0 || !(st = STMT(s, SQL_device_last_seen, e, id)))
        return -1;
    if ((rc = st_step(st, e)) == 1) {
        *at = st_col_int(st, 0);
        st_reset(st);
    }
    return rc < 0 ? -1 : 0;
}

int device_stale(struct store *s, int64_t id, int stale, struct err *e)
{
    return RUN(s, SQL_device_stale, e, id, stale) < 0 ? -1 : 0;
}

int device_rendered(struct store *s, int64_t id, int64_t version, const char *hash, int64_t now,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_rendered, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    st_int(st, 2, version);
    st_text(st, 3, hash);
    st_int(st, 4, now);
    if (st_post(st, e) < 0)
        return -1;
    return RUN(s, SQL_member_rendered, e, id) < 0 ? -1 : 0;
}

int device_invalid(struct store *s, int64_t id, const char *message, int64_t now, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_invalid, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    st_text(st, 2, message);
    st_int(st, 3, now);
    return st_post(st, e);
}

int device_fetched(struct store *s, int64_t id, int64_t version, struct err *e)
{
    return RUN(s, SQL_device_fetched, e, id, version) < 0 ? -1 : 0;
}

int device_reported(struct store *s, const struct device *d, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_reported, e);

    if (!st)
        return -1;
    st_int(st, 1, d->id);
    st_int(st, 2, d->reported);
    st_text(st, 3, d->failure);
    st_text(st, 4, d->conditions);
    st_int(st, 5, d->failed);
    return st_post(st, e);
}

int device_floor(struct store *s, int64_t id, int64_t version, struct err *e)
{
    return RUN(s, SQL_device_floor, e, id, version) < 0 ? -1 : 0;
}

int device_summary(struct store *s, const struct device *d, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_summary, e);

    if (!st)
        return -1;
    st_int(st, 1, d->id);
    st_text(st, 2, d->updated);
    st_text(st, 3, d->updated_info);
    st_text(st, 4, d->summary);
    st_text(st, 5, d->applications);
    st_text(st, 6, d->lifecycle);
    return st_post(st, e);
}

int device_disconnected(struct store *s, int64_t id, bool disconnected, struct err *e)
{
    return (int)RUN(s, SQL_device_disconnected, e, id, disconnected);
}

static int silences(struct stmt *st, struct arena *a, struct device_silence *out, struct err *e)
{
    int k = 0, rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1)
        out[k++] = (struct device_silence){
            .id = st_col_int(st, 0),
            .org = st_col_int(st, 1),
            .name = arena_strdup(a, st_col_text(st, 2, NULL)),
            .at = st_col_int(st, 3),
        };
    return rc < 0 ? -1 : k;
}

int device_fell_silent(struct store *s, struct arena *a, int64_t from, int64_t limit,
    struct device_silence *out, int n, struct err *e)
{
    return silences(STMT(s, SQL_device_fell_silent, e, from, limit, n), a, out, e);
}

int device_came_back(struct store *s, struct arena *a, int64_t after, int64_t limit,
    struct device_silence *out, int n, struct err *e)
{
    return silences(STMT(s, SQL_device_came_back, e, after, limit, n), a, out, e);
}

int device_first_seen(struct store *s, struct arena *a, int64_t from, struct device_silence *out,
    int n, struct err *e)
{
    return silences(STMT(s, SQL_device_first_seen, e, from, n), a, out, e);
}

int device_lost_sight(struct store *s, struct arena *a, int64_t after, struct device_silence *out,
    int n, struct err *e)
{
    return silences(STMT(s, SQL_device_lost_sight, e, after, n), a, out, e);
}

int device_met(struct store *s, int64_t id, bool met, struct err *e)
{
    return RUN(s, met ? SQL_device_met : SQL_device_unmet, e, id) < 0 ? -1 : 0;
}

int device_overlap(struct store *s, int64_t id, int64_t since, struct err *e)
{
    return RUN(s, SQL_device_overlap, e, id, since) < 0 ? -1 : 0;
}

int device_stale_list(struct store *s, int64_t org, int64_t after, int64_t *ids, int n,
    struct err *e)
{
    return LIST(s, SQL_device_stale_list, ids, e, org, after, n);
}

int rendered_put(struct store *s, const char *hash, const char *spec, int64_t now, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_rendered_put, e);

    if (!st)
        return -1;
    st_text(st, 1, hash);
    st_text(st, 2, spec);
    st_int(st, 3, now);
    return st_run(st, e) < 0 ? -1 : 0;
}

int rendered_get(struct store *s, struct arena *a, const char *hash, const char **spec,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_rendered_get, e);
    int rc;

    if (!st)
        return -1;
    st_text(st, 1, hash);
    if ((rc = st_step(st, e)) < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_FAIL, "rendered spec %s is missing from the store", hash);
    *spec = arena_strdup(a, st_col_text(st, 0, NULL));
    st_reset(st);
    return 0;
}

int member_list(struct store *s, struct arena *a, int64_t device, struct member **out,
    struct err *e)
{
    struct stmt *st = STMT(s, SQL_member_list, e, device);
    int n = 0, cap = 0, rc;

    *out = NULL;
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        if (n == cap) {
            struct member *more = arena_alloc(a, (size_t)(cap = cap ? cap * 2 : 4) * sizeof *more);

            if (n)
                memcpy(more, *out, (size_t)n * sizeof *more);
            *out = more;
        }
        (*out)[n++] = (struct member){
            .fleet = st_col_int(st, 0),
            .fleet_name = text(st, 1, a),
            .assigned = st_col_int(st, 2),
            .rendered = st_col_int(st, 3),
            .good = st_col_int(st, 4),
            .state = (int)st_col_int(st, 5),
            .batch = (int)st_col_int(st, 6),
            .assigned_at = st_col_int(st, 7),
            .message = text(st, 8, a),
            .assigned_name = text(st, 9, a),
            .rendered_name = text(st, 10, a),
            .latest_name = text(st, 11, a),
            .latest = st_col_int(st, 12),
            .rollout_status = (int)st_col_int(st, 13),
            .fleet_annotations = text(st, 14, a),
        };
    }
    return rc < 0 ? -1 : n;
}

int member_add(struct store *s, int64_t device, int64_t fleet, int64_t assigned, int64_t now,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_member_add, e);

    if (!st)
        return -1;
    st_int(st, 1, device);
    st_int(st, 2, fleet);
    if (assigned)
        st_int(st, 3, assigned);
    else
        st_null(st, 3);
    st_int(st, 4, assigned ? ASSIGN_PENDING : ASSIGN_NONE);
    st_int(st, 5, assigned ? now : 0);
    return st_run(st, e) < 0 ? -1 : 0;
}

int member_del(struct store *s, int64_t device, int64_t fleet, struct err *e)
{
    return RUN(s, SQL_member_del, e, device, fleet) < 0 ? -1 : 0;
}

void ids_add(struct ids *v, int64_t id)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 256;
        v->id = xreallocarray(v->id, v->cap, sizeof *v->id);
    }
    v->id[v->n++] = id;
}

int member_of(struct store *s, int64_t fleet, bool up_to_date, struct ids *out, struct err *e)
{
    struct stmt *st = STMT(s, up_to_date ? SQL_member_up_to_date : SQL_member_of, e, fleet);
    int rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1)
        ids_add(out, st_col_int(st, 0));
    return rc;
}

int member_some(struct store *s, int64_t fleet, int max, int64_t *ids, struct err *e)
{
    return LIST(s, SQL_member_some, ids, e, fleet, max);
}

int device_some(struct store *s, int64_t org, int max, int64_t *ids, struct err *e)
{
    return LIST(s, SQL_device_some, ids, e, org, max);
}

int member_succeed(struct store *s, int64_t device, struct err *e)
{
    return RUN(s, SQL_member_succeed, e, device) < 0 ? -1 : 0;
}

int member_fail(struct store *s, int64_t device, bool given, const char *message, struct err *e)
{
    struct stmt *st = db_stmt(s->db, given ? SQL_member_fail_given : SQL_member_fail, e);

    if (!st)
        return -1;
    st_int(st, 1, device);
    st_text(st, 2, message);
    return st_run(st, e) < 0 ? -1 : 0;
}
