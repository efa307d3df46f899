/* SPDX-License-Identifier: Apache-2.0 */
#include <sha256.h>
#include <string.h>

#include "store/dump.h"

/* Hashes of the rendered specs that were written, in a table with open addressing. */
struct hashes {
    char (*v)[SHA256_HEX];
    size_t n, cap; /* cap is a power of two */
};

struct export {
    struct store *s;
    const struct dump_options *o;
    FILE *out;
    SHA256_CTX sha;
    int64_t lines;
    size_t resources, total;
    struct hashes done;
    struct buf line;
};

static size_t slot(const struct hashes *h, const char *hash)
{
    uint64_t k = 0;
    size_t i;

    for (i = 0; i < 16 && hash[i]; i++)
        k = k * 31 + (unsigned char)hash[i];
    for (i = (size_t)(k ^ k >> 29) & (h->cap - 1); *h->v[i] && strcmp(h->v[i], hash);
        i = (i + 1) & (h->cap - 1))
        ;
    return i;
}

/* False: it was there. */
static bool hashes_add(struct hashes *h, const char *hash)
{
    size_t i;

    if (2 * h->n >= h->cap) {
        struct hashes more = {.cap = h->cap ? 2 * h->cap : 1024};

        more.v = xcalloc(more.cap, sizeof *more.v);
        for (i = 0; i < h->cap; i++)
            if (*h->v[i])
                memcpy(more.v[slot(&more, h->v[i])], h->v[i], SHA256_HEX);
        more.n = h->n;
        free(h->v);
        *h = more;
    }
    i = slot(h, hash);
    if (*h->v[i])
        return false;
    h->n++;
    strncpy(h->v[i], hash, SHA256_HEX - 1);
    return true;
}

static int put_line(struct export *x, struct err *e)
{
    buf_addc(&x->line, '\n');
    SHA256_Update(&x->sha, (const uint8_t *)x->line.p, x->line.len);
    x->lines++;
    if (fwrite(x->line.p, 1, x->line.len, x->out) != x->line.len)
        return err_errno(e, "the export");
    buf_reset(&x->line);
    return 0;
}

static void put_canonical(struct buf *b, const char *text)
{
    jv v AUTO_JV = jv_parse(text);

    json_canon(b, v);
}

static void put_member(struct buf *b, const struct dump_member *m, struct stmt *st, int i)
{
    if (m->type == M_KEY || st_col_null(st, i))
        return;
    buf_printf(b, ",\"%s\":", m->name);
    switch (m->type) {
    case M_INT:
    case M_SEEN:
        buf_add_int(b, st_col_int(st, i));
        break;
    case M_KIND:
        buf_printf(b, "\"%s\"", kind_by_id((enum kind_id)st_col_int(st, i))->name);
        break;
    case M_LIST:
        buf_printf(b, "[%s]", st_col_text(st, i, NULL));
        break;
    case M_JSON:
        buf_adds(b, st_col_text(st, i, NULL));
        break;
    case M_LOOSE:
        put_canonical(b, st_col_text(st, i, NULL));
        break;
    case M_TEXT:
    case M_REF:
        buf_add_jsons(b, st_col_text(st, i, NULL));
        break;
    case M_KEY:
        break;
    }
}

static int put_row(struct export *x, const struct dump_record *r, struct stmt *st, struct err *e)
{
    const struct dump_member *m = r->members;
    int i;

    buf_printf(&x->line, "{\"record\":\"%s\"", r->name);
    for (i = 0; m[i].name; i++)
        put_member(&x->line, &m[i], st, i);
    buf_addc(&x->line, '}');
    return put_line(x, e);
}

static int put_rendered(struct export *x, const char *hash, struct err *e)
{
    struct stmt *st;
    int rc;

    if (!hash || !hashes_add(&x->done, hash))
        return 0;
    if (!(st = db_stmt(x->s->db, SQL_dump_rendered, e)))
        return -1;
    st_text(st, 1, hash);
    if ((rc = st_step(st, e)) == 1) {
        rc = put_row(x, &dump_records[DUMP_RENDERED], st, e);
        st_reset(st);
        return rc;
    }
    return rc < 0 ? -1 : err_set(e, FC_FAIL, "rendered spec %s is not there (fc-store check says "
        "whose)", hash);
}

/* A place in the order of a record's rows. */
struct place {
    char *text[3];
    int64_t n[3];
};

static bool by_text(const struct dump_member *m)
{
    return m->type == M_TEXT || m->type == M_REF;
}

static void place_take(struct place *p, const struct dump_record *r, struct stmt *st)
{
    for (int k = 0; k < r->nkeys; k++) {
        if (by_text(&r->members[r->keys[k]])) {
            free(p->text[k]);
            p->text[k] = xstrdup(st_col_text(st, r->keys[k], NULL));
        } else
            p->n[k] = st_col_int(st, r->keys[k]);
    }
}

static void place_bind(const struct place *p, const struct dump_record *r, struct stmt *st)
{
    for (int k = 0; k < r->nkeys; k++) {
        if (by_text(&r->members[r->keys[k]]))
            st_text(st, k + 2, p->text[k] ? p->text[k] : "");
        else
            st_int(st, k + 2, p->n[k]);
    }
}

/* Kinds of all organizations go with the whole store alone. */
static bool left_out(const struct export *x, enum dump_id id, struct stmt *st)
{
    return id == DUMP_RESOURCE && x->o->org &&
        kind_by_id((enum kind_id)st_col_int(st, 0))->flags & KIND_GLOBAL;
}

static int put_one(struct export *x, enum dump_id id, struct stmt *st, struct err *e)
{
    if (id == DUMP_DEVICE && put_rendered(x, st_col_text(st, 3, NULL), e) < 0)
        return -1;
    return left_out(x, id, st) ? 0 : put_row(x, &dump_records[id], st, e);
}

static void place_free(struct place *p)
{
    for (int k = 0; k < 3; k++)
        free(p->text[k]);
}

/* One page after *p, which moves to its end. How many rows it had. */
static int put_page(struct export *x, enum dump_id id, int64_t org, struct place *p, struct err *e)
{
    const struct dump_record *r = &dump_records[id];
    struct stmt *st = db_stmt(x->s->db, r->get, e);
    struct place last = {0};
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    place_bind(p, r, st); /* which borrows */
    st_int(st, r->nkeys + 2, DUMP_PAGE);
    while ((rc = st_step(st, e)) == 1) {
        if (++n == DUMP_PAGE)
            place_take(&last, r, st);
        if (put_one(x, id, st, e) < 0) {
            st_reset(st);
            place_free(&last);
            return -1;
        }
    }
    place_free(p);
    *p = last;
    return rc < 0 ? -1 : n;
}

static int put_all(struct export *x, enum dump_id id, int64_t org, struct err *e)
{
    struct place p = {0};
    int n;

    do {
        n = put_page(x, id, org, &p, e);
        if (id == DUMP_RESOURCE && n > 0) {
            x->resources += (size_t)n;
            if (x->o->progress)
                x->o->progress(x->o->ctx, x->resources, x->total);
        }
    } while (n == DUMP_PAGE);
    place_free(&p);
    return n < 0 ? -1 : 0;
}

static int put_org(struct export *x, int64_t org, struct err *e)
{
    struct stmt *st = db_stmt(x->s->db, SQL_dump_organization, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_int(st, 2, ORG_DEFAULT_ID);
    if ((rc = st_step(st, e)) != 1)
        return rc < 0 ? -1 : err_set(e, FC_FAIL, "organization %lld has no resource",
            (long long)org);
    rc = put_row(x, &dump_records[DUMP_ORGANIZATION], st, e);
    st_reset(st);
    for (int id = DUMP_RESOURCE; rc == 0 && id < DUMP_RECORDS; id++)
        if (id != DUMP_RENDERED && !(id == DUMP_REVISION && x->o->no_history) &&
            !(id == DUMP_EVENT && x->o->no_events))
            rc = put_all(x, (enum dump_id)id, org, e);
    return rc;
}

static int put_orgs(struct export *x, int64_t only, struct err *e)
{
    struct stmt *st = db_stmt(x->s->db, SQL_dump_orgs, e);
    int64_t *ids AUTO_FREE = NULL;
    size_t n = 0, i;
    int rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        int64_t id = st_col_int(st, 0);

        if (only && id != only)
            continue;
        ids = xreallocarray(ids, n + 1, sizeof *ids);
        ids[n++] = id;
    }
    for (i = 0; rc == 0 && i < n; i++)
        rc = put_org(x, ids[i], e);
    return rc;
}

/* What is kept of organizations that were deleted: an undo brings them back with their history. */
static int put_deleted(struct export *x, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *uid = "", *name = "";
    int rc;

    for (;;) {
        struct stmt *st = db_stmt(x->s->db, SQL_dump_deleted, e);
        int64_t org;

        if (!st)
            return -1;
        st_int(st, 1, ORG_DEFAULT_ID);
        st_text(st, 2, uid);
        st_text(st, 3, name);
        if ((rc = st_step(st, e)) != 1)
            return rc;
        name = arena_strdup(a, st_col_text(st, 0, NULL));
        uid = arena_strdup(a, st_col_text(st, 1, NULL));
        org = st_col_int(st, 2);
        rc = put_row(x, &dump_records[DUMP_DELETED], st, e);
        st_reset(st);
        if (rc < 0 || put_all(x, DUMP_REVISION, org, e) < 0 ||
            (!x->o->no_events && put_all(x, DUMP_EVENT, org, e) < 0))
            return -1;
    }
}

static int put_header(struct export *x, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *key = NULL;

    /* Which key seals next is the store's affair, not that of one of its organizations. */
    if (!x->o->org && store_meta(x->s, a, "secret-key", &key, e) < 0)
        return -1;
    buf_printf(&x->line, "{\"record\":\"" DUMP_FORMAT "\",\"version\":%d,\"scope\":\"%s\"",
        DUMP_VERSION, x->o->org ? "organization" : "store");
    if (key && *key) {
        buf_adds(&x->line, ",\"secretKey\":");
        buf_add_jsons(&x->line, key);
    }
    buf_addc(&x->line, '}');
    return put_line(x, e);
}

static int put_trailer(struct export *x, struct err *e)
{
    char hex[SHA256_HEX];

    SHA256_End(&x->sha, hex);
    buf_printf(&x->line, "{\"record\":\"end\",\"lines\":%lld,\"sha256\":\"%s\"}",
        (long long)x->lines, hex);
    return put_line(x, e);
}

int store_export(struct store *s, const struct dump_options *o, FILE *out, struct err *e)
{
    struct export x = {.s = s, .o = o, .out = out};
    int64_t only = 0;
    int rc = -1;

    SHA256_Init(&x.sha);
    if (db_attach_seen(s->db, e) < 0 || db_begin(s->db, false, e) < 0)
        return -1;
    if (o->org && store_org(s, o->org, &only, e) < 0)
        goto out;
    if (o->progress) {
        struct stmt *st = db_stmt(s->db, SQL_dump_count, e);

        if (!st || st_step(st, e) != 1)
            goto out;
        x.total = (size_t)st_col_int(st, 0);
        st_reset(st);
    }
    if (put_header(&x, e) == 0 && put_orgs(&x, only, e) == 0 &&
        (only || o->no_history || put_deleted(&x, e) == 0) && put_trailer(&x, e) == 0)
        rc = fflush(out) ? err_errno(e, "the export") : 0;
out:
    db_rollback(s->db);
    free(x.done.v);
    buf_free(&x.line);
    return rc;
}
