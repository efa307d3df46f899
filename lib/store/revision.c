/* SPDX-License-Identifier: Apache-2.0 */
#include "store/revision.h"

#include <string.h>

#include "base/clock.h"
#include "fleet/secret.h"

int revision_add(struct store *s, const struct actor *who, const struct res *r, bool deleted,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_add, e);
    struct buf doc AUTO_BUF = BUF_INIT;

    if (!st)
        return -1;
    if (!deleted) {
        buf_printf(&doc, "{\"annotations\":%s,\"labels\":%s", r->annotations, r->labels);
        if (r->spec)
            buf_printf(&doc, ",\"spec\":%s", r->spec);
        buf_addc(&doc, '}');
    }
    st_int(st, 1, r->org);
    st_int(st, 2, r->kind->id);
    st_text(st, 3, r->name);
    st_text(st, 4, r->uid);
    st_int(st, 5, r->generation);
    st_int(st, 6, now_us());
    st_text(st, 7, who->name);
    st_text(st, 8, who->reason);
    st_text(st, 9, doc.p);
    st_int(st, 10, r->created);
    st_text(st, 11, deleted ? r->owner : NULL); /* else it is read from the row */
    return st_post(st, e);
}

static void read_row(struct stmt *st, struct arena *a, struct revision *out)
{
#define TEXT(i) (a ? arena_strdup(a, st_col_text(st, i, NULL)) : st_col_text(st, i, NULL))
    *out = (struct revision){
        .kind = kind_by_id((enum kind_id)st_col_int(st, 0)),
        .name = TEXT(1),
        .rev = st_col_int(st, 2),
        .at = st_col_int(st, 3),
        .uid = TEXT(4),
        .generation = st_col_int(st, 5),
        .created = st_col_int(st, 6),
        .owner = TEXT(7),
        .actor = TEXT(8),
        .reason = TEXT(9),
        .doc = TEXT(10),
    };
#undef TEXT
}

int revision_find(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, int64_t rev, int64_t at, struct revision *out, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_find, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, res_scope(k, org));
    st_int(st, 2, k->id);
    st_text(st, 3, name);
    st_int(st, 4, rev);
    st_int(st, 5, at);
    rc = st_step(st, e);
    if (rc == 1) {
        read_row(st, a, out);
        st_reset(st);
    }
    return rc;
}

/* The one number that a prepared and bound statement gives. */
static int64_t one_number(struct stmt *st, struct err *e)
{
    int64_t n;

    if (st_step(st, e) != 1)
        return -1;
    n = st_col_int(st, 0);
    st_reset(st);
    return n;
}

int64_t revision_first(struct store *s, int64_t org, const struct kind *k, const char *name,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_first, e);

    if (!st)
        return -1;
    st_int(st, 1, res_scope(k, org));
    st_int(st, 2, k->id);
    st_text(st, 3, name);
    return one_number(st, e);
}

int revision_number(struct store *s, const struct res *r, int64_t *number, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_number, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, r->org);
    st_int(st, 2, r->kind->id);
    st_text(st, 3, r->name);
    st_text(st, 4, r->uid);
    if ((rc = st_step(st, e)) == 1) {
        *number = st_col_int(st, 0);
        st_reset(st);
    }
    return rc;
}

jv revision_doc(const struct revision *v)
{
    const struct res r = {.kind = v->kind, .name = v->name};
    jv stored AUTO_JV = jv_parse(v->doc), doc = jv_object(), meta = jv_object(), part;
    static const char *const parts[] = {"annotations", "labels"};
    char at[TIME_LEN];

    for (size_t i = 0; i < LEN(parts); i++) {
        part = json_get(stored, parts[i]);
        if (json_nonempty(part))
            json_set(&meta, parts[i], part);
        else
            jv_free(part);
    }
    time_format(v->created, at);
    json_sets(&meta, "creationTimestamp", at);
    json_seti(&meta, "generation", v->generation);
    json_sets(&meta, "name", res_meta_name(&r));
    json_sets(&meta, "owner", v->owner);
    json_sets(&doc, "apiVersion", API_VERSION);
    json_sets(&doc, "kind", v->kind->name);
    json_set(&doc, "metadata", meta);
    part = json_get(stored, "spec");
    if (jv_is_valid(part)) {
        secrets_mask(v->kind, &part);
        json_set(&doc, "spec", part);
    } else
        jv_free(part);
    return doc;
}

/* --- lists ---------------------------------------------------------------------------------- */

struct revision_iter {
    struct stmt *st;
    char *name; /* text that a parameter borrows */
};

static struct revision_iter *iter(struct store *s, enum sql verb, int64_t org,
    const struct kind *k, struct err *e)
{
    struct stmt *st = db_prepare(s->db, sql_text[verb], e);
    struct revision_iter *it;

    if (!st)
        return NULL;
    it = xcalloc(1, sizeof *it);
    it->st = st;
    st_int(st, 1, res_scope(k, org));
    st_int(st, 2, k->id);
    return it;
}

int revision_list(struct store *s, int64_t org, const struct kind *k, const char *name,
    int64_t limit, struct revision_iter **it, struct err *e)
{
    if (!(*it = iter(s, SQL_revision_list, org, k, e)))
        return -1;
    (*it)->name = xstrdup(name);
    st_text((*it)->st, 3, (*it)->name);
    st_int((*it)->st, 4, limit ? limit : INT64_MAX);
    return 0;
}

int revision_past(struct store *s, int64_t org, const struct kind *k, int64_t at,
    struct revision_iter **it, struct err *e)
{
    if (!(*it = iter(s, SQL_revision_past, org, k, e)))
        return -1;
    st_int((*it)->st, 3, at);
    return 0;
}

int revision_next(struct revision_iter *it, struct revision *out, struct err *e)
{
    int rc = st_step(it->st, e);

    if (rc == 1)
        read_row(it->st, NULL, out);
    return rc;
}

void revision_end(struct revision_iter *it)
{
    if (!it)
        return;
    st_free(it->st);
    free(it->name);
    free(it);
}

int64_t revision_lost(struct store *s, int64_t org, const struct kind *k, int64_t at,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_lost, e);

    if (!st)
        return -1;
    st_int(st, 1, res_scope(k, org));
    st_int(st, 2, k->id);
    st_int(st, 3, at);
    return one_number(st, e);
}

int revision_since(struct store *s, int64_t org, int64_t since, const char *actor,
    int (*each)(void *ctx, const struct revision_span *v), void *ctx, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_since, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_int(st, 2, since);
    st_text(st, 3, actor);
    while ((rc = st_step(st, e)) == 1) {
        struct revision_span v = {
            .kind = kind_by_id((enum kind_id)st_col_int(st, 0)),
            .name = st_col_text(st, 1, NULL),
            .first = st_col_int(st, 2),
            .last = st_col_int(st, 3),
            .n = st_col_int(st, 4),
        };

        if (each(ctx, &v)) {
            st_reset(st);
            break;
        }
    }
    return rc < 0 ? -1 : 0;
}

int64_t revision_others(struct store *s, int64_t org, const struct revision_span *v,
    const char *actor, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_revision_others, e);

    if (!st)
        return -1;
    st_int(st, 1, res_scope(v->kind, org));
    st_int(st, 2, v->kind->id);
    st_text(st, 3, v->name);
    st_int(st, 4, v->first);
    st_text(st, 5, actor);
    return one_number(st, e);
}

/* --- retention ------------------------------------------------------------------------------ */

struct spent { /* what one look found, and where the next one begins */
    int64_t id[REVISION_CHUNK];
    size_t n;
    int64_t org, kind, rev;
    char *name;
};

static int find_spent(struct store *s, int64_t keep, int64_t before, struct spent *v,
    struct err *e)
{
    enum { NEVER = 1 << 30 }; /* as many revisions no name has */
    struct stmt *st = db_stmt(s->db, SQL_revision_spent, e);
    char *from AUTO_FREE = v->name;
    int rc;

    v->name = NULL;
    if (!st)
        return -1;
    st_int(st, 1, v->org);
    st_int(st, 2, v->kind);
    st_text(st, 3, from);
    st_int(st, 4, keep > 0 && keep < NEVER ? keep : NEVER);
    st_int(st, 5, before);
    st_int(st, 6, REVISION_CHUNK);
    st_int(st, 7, v->rev);
    for (v->n = 0; (rc = st_step(st, e)) == 1; v->n++) {
        v->id[v->n] = st_col_int(st, 0);
        v->org = st_col_int(st, 1);
        v->kind = st_col_int(st, 2);
        free(v->name);
        v->name = xstrdup(st_col_text(st, 3, NULL));
        v->rev = st_col_int(st, 4);
    }
    return rc;
}

static int drop(struct store *s, const struct spent *v, struct err *e)
{
    struct stmt *st;
    size_t i;

    if (store_begin(s, e) < 0)
        return -1;
    for (i = 0; i < v->n; i++) {
        if (!(st = db_stmt(s->db, SQL_revision_drop, e)))
            break;
        st_int(st, 1, v->id[i]);
        if (st_run(st, e) < 0)
            break;
    }
    if (i == v->n && store_commit(s, e) == 0) {
        store_pause();
        return 0;
    }
    store_rollback(s);
    return -1;
}

int revision_gc(struct store *s, int64_t keep, int64_t before, bool dry, int64_t *removed,
    struct err *e)
{
    struct spent *v = xcalloc(1, sizeof *v);
    int rc;

    *removed = 0;
    v->name = xstrdup("");
    do {
        rc = find_spent(s, keep, before, v, e);
        if (rc == 0 && v->n && !dry)
            rc = drop(s, v, e);
        if (rc == 0)
            *removed += (int64_t)v->n;
    } while (rc == 0 && v->n == REVISION_CHUNK);
    free(v->name);
    free(v);
    return rc;
}
