/* SPDX-License-Identifier: Apache-2.0 */
#include "store/resource.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/device.h"
#include "store/index.h"

static void read_row(struct stmt *st, struct arena *a, struct res *out)
{
#define TEXT(i) (a ? arena_strdup(a, st_col_text(st, i, NULL)) : st_col_text(st, i, NULL))
    *out = (struct res){
        .id = st_col_int(st, 0),
        .org = st_col_int(st, 1),
        .kind = kind_by_id((enum kind_id)st_col_int(st, 2)),
        .name = TEXT(3),
        .uid = TEXT(4),
        .generation = st_col_int(st, 5),
        .version = st_col_int(st, 6),
        .created = st_col_int(st, 7),
        .owner = TEXT(8),
        .labels = TEXT(9),
        .annotations = TEXT(10),
        .spec = TEXT(11),
        .status = TEXT(12),
    };
#undef TEXT
}

static int one_row(struct stmt *st, struct arena *a, struct res *out, struct err *e)
{
    int rc = st_step(st, e);

    if (rc == 1) {
        read_row(st, a, out);
        st_reset(st);
    }
    return rc;
}

int res_get(struct store *s, struct arena *a, int64_t org, const struct kind *k, const char *name,
    struct res *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_res_get, e);

    if (!st)
        return -1;
    st_int(st, 1, res_scope(k, org));
    st_int(st, 2, k->id);
    st_text(st, 3, name);
    return one_row(st, a, out, e);
}

int res_get_id(struct store *s, struct arena *a, int64_t id, struct res *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_res_get_id, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    return one_row(st, a, out, e);
}

int res_insert(struct store *s, struct arena *a, struct res *r, struct err *e)
{
    struct stmt *st;
    char uid[UUID_LEN];
    int rc;

    if (!r->uid) {
        uuid_random(uid);
        r->uid = arena_strdup(a, uid);
    }
    if (r->version == 0)
        r->version = 1;
    if (r->generation == 0)
        r->generation = 1;
    if (r->created == 0)
        r->created = now_us();
    if (!(st = db_stmt(s->db, r->id ? SQL_res_insert_as : SQL_res_insert, e)))
        return -1;
    if (r->id)
        st_int(st, 11, r->id);
    st_int(st, 1, r->org);
    st_int(st, 2, r->kind->id);
    st_text(st, 3, r->name);
    st_text(st, 4, r->uid);
    st_int(st, 5, r->generation);
    st_int(st, 6, r->created);
    st_text(st, 7, r->owner);
    st_text(st, 8, r->labels);
    st_text(st, 9, r->annotations);
    st_text(st, 10, r->spec);
    if ((rc = st_step(st, e)) < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" already exists", r->kind->name,
            res_meta_name(r));
    r->id = st_col_int(st, 0);
    if (st_step(st, e) < 0) /* the end of the statement, where its references are checked */
        return -1;
    if (!(st = db_stmt(s->db, SQL_res_insert_status, e)))
        return -1;
    st_int(st, 1, r->id);
    st_int(st, 2, r->version);
    st_text(st, 3, r->status);
    if (st_post(st, e) < 0)
        return -1;
    return index_add(s, r, e);
}

int res_update(struct store *s, const struct res *old, struct res *new, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_res_touch, e);
    int64_t n;

    if (!st)
        return -1;
    st_int(st, 1, old->id);
    st_int(st, 2, old->version);
    if ((n = st_run(st, e)) < 0)
        return -1;
    if (n == 0)
        return err_set(e, FC_CONFLICT, "%s of name \"%s\" was changed meanwhile", old->kind->name,
            res_meta_name(old));
    new->version = old->version + 1;
    if (!(st = db_stmt(s->db, SQL_res_update, e)))
        return -1;
    st_int(st, 1, old->id);
    st_int(st, 2, new->generation);
    st_text(st, 3, new->owner);
    st_text(st, 4, new->labels);
    st_text(st, 5, new->annotations);
    st_text(st, 6, new->spec);
    if (st_post(st, e) < 0)
        return -1;
    return index_update(s, old, new, e);
}

int res_set_status(struct store *s, int64_t id, const char *status, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_res_set_status, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    st_text(st, 2, status);
    return st_post(st, e) < 0 ? -1 : index_status(s, id, status, e);
}

int res_set_owner(struct store *s, int64_t id, const char *owner, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_res_set_owner, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    st_text(st, 2, owner);
    return st_post(st, e);
}

int res_delete(struct store *s, const struct res *r, struct err *e)
{
    struct stmt *st;

    if (index_delete(s, r->id, e) < 0)
        return -1;
    if (!(st = db_stmt(s->db, SQL_res_delete, e)))
        return -1;
    st_int(st, 1, r->id);
    return st_post(st, e);
}

int label_some(struct store *s, int64_t org, int kind, const char *key, const char *value, int max,
    int64_t *ids, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_label_some, e);
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_int(st, 2, kind);
    st_text(st, 3, key);
    st_text(st, 4, value);
    st_int(st, 5, max);
    while ((rc = st_step(st, e)) == 1)
        ids[n++] = st_col_int(st, 0);
    return rc < 0 ? -1 : n;
}

const char *res_meta_name(const struct res *r)
{
    const char *slash = r->kind->flags & KIND_CHILD ? strchr(r->name, '/') : NULL;

    return slash ? slash + 1 : r->name;
}

int res_validate(const struct res *r, struct err *e)
{
    jv doc AUTO_JV = jv_object(), meta;
    struct violation v;

    if (!is_uuid(r->uid))
        return err_set(e, FC_INVALID, "uid: must be a UUID");
    if (r->created <= 0)
        return err_set(e, FC_INVALID, "created: is out of range");
    if (r->kind->flags & KIND_LOG)
        return err_set(e, FC_INVALID, "kind: has no resources");
    if ((r->kind->flags & KIND_CHILD) != 0 && (!strchr(r->name, '/') || r->name[0] == '/'))
        return err_set(e, FC_INVALID, "name: must be PARENT/NAME");
    json_sets(&doc, "apiVersion", API_VERSION);
    json_sets(&doc, "kind", r->kind->name);
    meta = jv_object();
    json_sets(&meta, "name", res_meta_name(r));
    if (r->kind->flags & KIND_LABELS)
        json_set(&meta, "labels", jv_parse(r->labels));
    json_set(&meta, "annotations", jv_parse(r->annotations));
    json_set(&doc, "metadata", meta);
    if (r->spec)
        json_set(&doc, "spec", jv_parse(r->spec));
    if (kind_validate(r->kind, doc, VALIDATE_SEALED, &v, 1) == 0)
        return 0;
    return err_set(e, FC_INVALID, "%s/%s: %s: %s", r->kind->singular, r->name, v.path, v.what);
}

/* --- lists ---------------------------------------------------------------------------------- */

/* A list is read in pages: a database may hand out the rows of a statement all at once. Where each
 * begins is a name, so that what comes and goes meanwhile moves nothing. */
struct res_iter {
    struct store *s;
    struct res_query q;
    struct sql_select sel; /* how the query runs: chosen once for all pages */
    struct stmt *st;
    struct sql_buf sql; /* texts that parameters borrow */
    int64_t page;       /* rows that were asked for */
    int64_t got;        /* of them */
    struct device device;
    char *from;         /* what the page begins with, or NULL */
    char *next;         /* what the next one does: behind the last name of a full page */
};

static int plan(struct store *s, const struct res_query *l, struct sql_select *out, struct err *e)
{
    *out = (struct sql_select){.org = res_scope(l->kind, l->org), .kind = l->kind,
        .labels = l->labels, .fields = l->fields, .now = l->now};
    return sql_plan(s, out, e);
}

static void list_conditions(struct sql_buf *q, const struct sql_select *sel,
    const struct res_query *l)
{
    sql_where(q, sel, l->from);
    if (l->parent) { /* from "parent/" up to its successor "parent0" */
        sql_add(q, " AND r.name >= ");
        sql_own_param(q, xasprintf("%s/", l->parent));
        sql_add(q, " AND r.name < ");
        sql_own_param(q, xasprintf("%s0", l->parent));
    }
    if (l->names) {
        sql_add(q, " AND r.name IN (");
        for (size_t i = 0; i < l->nnames; i++) {
            if (i)
                sql_add(q, ",");
            sql_text_param(q, l->names[i]);
        }
        sql_add(q, ")");
    }
}

enum { COLUMNS = 13 }; /* of read_row; those of a device follow */

static bool with_device(const struct res_query *l)
{
    return l->shown && l->kind->id == KIND_DEVICE;
}

/* seen: last-seen is at hand. It is not on a replica: -1 stands for it. */
static void page_sql(struct sql_buf *q, const struct sql_select *sel, const struct res_query *l,
    bool seen, int64_t limit)
{
    bool device = with_device(l);

    sql_add(q, "SELECT r.id, r.org, r.kind, ");
    sql_add(q, sql_name(sel)); /* SQLite merges arms only by what is in the result */
    sql_add(q, ", r.uid, r.generation, s.version, r.created, r.owner, r.labels, r.annotations, "
        "r.spec, s.status");
    if (device) {
        sql_add(q, ", ");
        sql_add(q, device_shown_columns);
        sql_add(q, seen ? ", coalesce(v.at, 0)" : ", -1");
    }
    sql_from(q, sel, l->from);
    sql_add(q, "CROSS JOIN resource_status s ");
    if (device)
        sql_add(q, "CROSS JOIN device d ");
    if (device && seen)
        sql_add(q, "LEFT JOIN seen.seen v ON v.id = d.id ");
    sql_add(q, "WHERE s.id = r.id AND ");
    if (device)
        sql_add(q, "d.id = r.id AND ");
    list_conditions(q, sel, l);
    sql_add(q, sql_order(sel));
    sql_add(q, " LIMIT ");
    sql_int_param(q, limit);
}

int res_list_sql(struct store *s, const struct res_query *l, struct sql_buf *q, struct err *e)
{
    struct sql_select sel;

    if (plan(s, l, &sel, e) < 0)
        return -1;
    page_sql(q, &sel, l, true, l->limit);
    return 0;
}

static int read_page(struct res_iter *it, struct err *e)
{
    struct res_query *l = &it->q;
    struct sql_buf *q = &it->sql;

    st_free(it->st);
    sql_free(q);
    if (it->next) {
        free(it->from);
        l->from = it->from = it->next;
        it->next = NULL;
    }
    it->got = 0;
    it->page = l->limit && l->limit < LIST_MAX ? l->limit : LIST_MAX;
    page_sql(q, &it->sel, l, store_reader(it->s) == it->s->db, it->page);
    it->st = sql_prepare_read(it->s, q, e);
    return it->st ? 0 : -1;
}

int res_list(struct store *s, const struct res_query *l, struct res_iter **it, struct err *e)
{
    *it = xcalloc(1, sizeof **it);
    (*it)->s = s;
    (*it)->q = *l;
    if ((!with_device(l) || db_attach_seen(s->db, e) == 0) && plan(s, l, &(*it)->sel, e) == 0 &&
        read_page(*it, e) == 0)
        return 0;
    res_list_end(*it);
    *it = NULL;
    return -1;
}

int res_ids(struct store *s, const struct res_query *l, struct sql_buf *q, struct err *e)
{
    struct sql_select sel;

    if (plan(s, l, &sel, e) < 0)
        return -1;
    sql_add(q, "SELECT r.id");
    sql_from(q, &sel, l->from);
    sql_add(q, "WHERE ");
    list_conditions(q, &sel, l);
    if (l->limit) {
        sql_add(q, sql_order(&sel));
        sql_add(q, " LIMIT ");
        sql_int_param(q, l->limit);
    }
    return 0;
}

/* Are there cap names? Skipping them is the cheapest walk through an index. 1 yes, 0 no. */
static int full(struct store *s, const struct sql_select *sel, const struct res_query *l,
    int64_t cap, struct err *e)
{
    struct sql_buf q = {0};
    struct stmt *st;
    int rc;

    sql_add(&q, "SELECT 1");
    sql_from(&q, sel, l->from);
    sql_add(&q, "WHERE ");
    list_conditions(&q, sel, l);
    sql_add(&q, " LIMIT 1 OFFSET ");
    sql_int_param(&q, cap - 1);
    st = sql_prepare_read(s, &q, e);
    rc = st ? st_step(st, e) : -1;
    st_free(st);
    sql_free(&q);
    return rc;
}

int64_t res_count(struct store *s, const struct res_query *l, int64_t cap, struct err *e)
{
    struct sql_select sel;
    struct sql_buf q = {0};
    struct stmt *st;
    int64_t n = -1;
    int rc = 0;

    if (plan(s, l, &sel, e) < 0 ||
        (cap && !l->labels && !l->fields && (rc = full(s, &sel, l, cap, e)) < 0))
        return -1;
    if (rc)
        return cap;
    sql_add(&q, "SELECT count(*) FROM (SELECT 1");
    sql_from(&q, &sel, l->from);
    sql_add(&q, "WHERE ");
    list_conditions(&q, &sel, l);
    if (cap) {
        sql_add(&q, " LIMIT ");
        sql_int_param(&q, cap);
    }
    sql_add(&q, ") AS page");
    st = sql_prepare_read(s, &q, e);
    if (st && st_step(st, e) == 1)
        n = st_col_int(st, 0);
    st_free(st);
    sql_free(&q);
    return n;
}

/* The next page, if this one was full and more are wanted. 1: there may be rows. */
static int turn_page(struct res_iter *it, struct err *e)
{
    if (it->got < it->page || it->q.limit == it->got)
        return 0;
    if (it->q.limit)
        it->q.limit -= it->got;
    return read_page(it, e) < 0 ? -1 : 1;
}

int res_next(struct res_iter *it, struct res *out, struct err *e)
{
    int rc = st_step(it->st, e);

    if (rc == 0 && (rc = turn_page(it, e)) == 1)
        rc = st_step(it->st, e);
    if (rc != 1)
        return rc;
    read_row(it->st, NULL, out);
    if (with_device(&it->q)) {
        device_read(it->st, COLUMNS, NULL, &it->device);
        out->device = &it->device;
        if (it->device.last_seen < 0 &&
            device_last_seen(it->s, out->id, &it->device.last_seen, e) < 0)
            return -1;
    }
    if (++it->got == it->page) /* no name goes on with so small a byte */
        it->next = xasprintf("%s\x01", out->name);
    return 1;
}

void res_list_end(struct res_iter *it)
{
    if (!it)
        return;
    st_free(it->st);
    sql_free(&it->sql);
    free(it->from);
    free(it->next);
    free(it);
}
