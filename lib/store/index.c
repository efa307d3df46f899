/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/field.h"
#include "fleet/secret.h"

enum { MIGRATE_PAGE = 500 }; /* resources that are held at once while fields are added */

static bool is_member(const struct field *f, const char *part)
{
    return f->home == FIELD_MEMBER && strncmp(f->name, part, strlen(part)) == 0;
}

static bool has_members(const struct kind *k, const char *part)
{
    for (const struct field *f = k->fields; f->name; f++)
        if (is_member(f, part))
            return true;
    return false;
}

/* Adds the fields of one part, "spec." or "status.", as they are shown. */
static jv add_members(jv rows, const struct kind *k, const char *part, const char *text)
{
    struct buf hash AUTO_BUF = BUF_INIT;
    jv doc AUTO_JV = jv_object(), v;
    struct field_value value[2];

    if (!text || !has_members(k, part))
        return rows;
    v = jv_parse(text); /* from the store: checked when it was written */
    if (kind_has_secrets(k))
        secrets_mask(k, &v);
    doc = jv_object_set(doc, jv_string_sized(part, (int)strlen(part) - 1), v);
    for (const struct field *f = k->fields; f->name; f++) {
        char *key AUTO_FREE = NULL;

        if (!is_member(f, part) || !field_values(f, doc, value))
            continue;
        key = xasprintf("@%s", f->name);
        rows = jv_object_set(rows, jv_string(key),
            jv_string(field_indexed(&hash, value->s, value->n)));
    }
    return rows;
}

jv index_rows(const struct res *r, unsigned parts)
{
    jv rows = jv_object();

    if (parts & INDEX_USER) {
        if (r->kind->flags & KIND_LABELS && strcmp(r->labels, "{}") != 0) {
            jv_free(rows);
            rows = jv_parse(r->labels);
        }
        if (r->kind->flags & KIND_CHILD)
            rows = jv_object_set(rows, jv_string("@metadata.name"), jv_string(res_meta_name(r)));
        rows = add_members(rows, r->kind, "spec.", r->spec);
    }
    return parts & INDEX_STATUS ? add_members(rows, r->kind, "status.", r->status) : rows;
}

struct pair {
    const char *key, *value;
};

static int del(struct store *s, const struct res *r, const struct pair *p, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct stmt *st = db_stmt(s->db, SQL_label_del, e);

        if (!st)
            return -1;
        st_int(st, 1, r->org);
        st_int(st, 2, r->kind->id);
        st_text(st, 3, r->name);
        st_text(st, 4, p[i].key);
        st_text(st, 5, p[i].value);
        if (st_post(st, e) < 0)
            return -1;
    }
    return 0;
}

/* As many rows in a statement as there are texts for. */
static int add(struct store *s, const struct res *r, const struct pair *p, size_t n, struct err *e)
{
    static const struct {
        size_t rows;
        enum sql sql;
    } texts[] = {{8, SQL_label_add_8}, {4, SQL_label_add_4}, {2, SQL_label_add_2},
        {1, SQL_label_add}};
    size_t t = 0, i = 0;

    while (i < n) {
        struct stmt *st;

        while (texts[t].rows > n - i)
            t++;
        if (!(st = db_stmt(s->db, texts[t].sql, e)))
            return -1;
        st_int(st, 1, r->org);
        st_int(st, 2, r->kind->id);
        st_text(st, 3, r->name);
        st_int(st, 4, r->id);
        for (size_t k = 0; k < texts[t].rows; k++, i++) {
            st_text(st, 5 + 2 * (int)k, p[i].key);
            st_text(st, 6 + 2 * (int)k, p[i].value);
        }
        if (st_post(st, e) < 0)
            return -1;
    }
    return 0;
}

/* Writes or removes those of the rows that `other` does not have alike. */
static int rows_beside(struct store *s, const struct res *r, bool adds, jv rows, jv other,
    struct err *e)
{
    size_t max = (size_t)jv_object_length(jv_copy(rows)), n = 0;
    struct pair *p = xcalloc(max + 1, sizeof *p);
    int rc;

    /* The texts belong to rows and live as long as it does. */
    jv_object_foreach(rows, key, value) {
        const char *k = jv_string_value(key), *v = jv_string_value(value);
        jv same = json_get(other, k);

        if (jv_get_kind(same) != JV_KIND_STRING || strcmp(jv_string_value(same), v) != 0)
            p[n++] = (struct pair){k, v};
        jv_free(same);
        jv_free(key);
        jv_free(value);
    }
    rc = adds ? add(s, r, p, n, e) : del(s, r, p, n, e);
    free(p);
    return rc;
}

static int replace(struct store *s, const struct res *r, jv before, jv after, struct err *e)
{
    return rows_beside(s, r, false, before, after, e) < 0 ? -1 :
        rows_beside(s, r, true, after, before, e);
}

int index_add(struct store *s, const struct res *r, struct err *e)
{
    jv rows AUTO_JV = index_rows(r, INDEX_USER | INDEX_STATUS);

    return rows_beside(s, r, true, rows, jv_null(), e);
}

static bool equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

int index_update(struct store *s, const struct res *old, const struct res *new, struct err *e)
{
    jv before AUTO_JV = jv_invalid(), after AUTO_JV = jv_invalid();
    struct res is = *old;

    is.labels = new->labels;
    is.spec = new->spec;
    if (equal(old->labels, is.labels) &&
        (equal(old->spec, is.spec) || !has_members(old->kind, "spec.")))
        return 0;
    before = index_rows(old, INDEX_USER);
    after = index_rows(&is, INDEX_USER);
    return replace(s, old, before, after, e);
}

int index_status(struct store *s, int64_t id, const char *status, struct err *e)
{
    jv before AUTO_JV = jv_object(), after AUTO_JV = jv_invalid();
    struct arena *a AUTO_ARENA = NULL;
    struct res r = {.id = id, .labels = "{}", .status = status};
    struct stmt *st = db_stmt(s->db, SQL_index_of, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, id);
    if ((rc = st_step(st, e)) != 1)
        return rc;
    r.org = st_col_int(st, 0);
    r.kind = kind_by_id((enum kind_id)st_col_int(st, 1));
    if (!has_members(r.kind, "status.")) {
        st_reset(st);
        return 0;
    }
    a = arena_new();
    r.name = arena_strdup(a, st_col_text(st, 2, NULL));
    for (; rc == 1; rc = st_step(st, e))
        if (!st_col_null(st, 3))
            before = jv_object_set(before, jv_string(st_col_text(st, 3, NULL)),
                jv_string(st_col_text(st, 4, NULL)));
    if (rc < 0)
        return -1;
    after = index_rows(&r, INDEX_STATUS);
    return replace(s, &r, before, after, e);
}

int index_delete(struct store *s, int64_t id, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_label_forget, e);

    if (!st)
        return -1;
    st_int(st, 1, id);
    return st_post(st, e);
}

/* Of a page of a kind's resources after *id. 1: there may be more. */
static int index_page(struct store *s, const struct kind *k, int64_t *id, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct stmt *st = db_stmt(s->db, SQL_index_page, e);
    struct res r[MIGRATE_PAGE];
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, k->id);
    st_int(st, 2, *id);
    st_int(st, 3, MIGRATE_PAGE);
    while ((rc = st_step(st, e)) == 1)
        r[n++] = (struct res){.id = st_col_int(st, 0), .org = st_col_int(st, 1), .kind = k,
            .name = arena_strdup(a, st_col_text(st, 2, NULL)), .labels = "{}",
            .spec = arena_strdup(a, st_col_text(st, 3, NULL)),
            .status = arena_strdup(a, st_col_text(st, 4, NULL))};
    for (int i = 0; rc == 0 && i < n; i++)
        rc = index_add(s, &r[i], e);
    if (rc == 0 && n)
        *id = r[n - 1].id;
    return rc < 0 ? -1 : n == MIGRATE_PAGE;
}

int index_fields(struct store *s, struct err *e)
{
    for (const struct kind *k = kinds; k->id; k++) {
        int64_t id = 0;
        int rc = 1;

        while (rc == 1 && (k->flags & KIND_CHILD || has_members(k, "spec.") ||
            has_members(k, "status.")))
            if ((rc = index_page(s, k, &id, e)) < 0)
                return -1;
    }
    return 0;
}
