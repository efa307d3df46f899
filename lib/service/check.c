/* SPDX-License-Identifier: Apache-2.0 */
#include "service/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "db/sqlite_file.h"
#include "service/service.h"
#include "store/index.h"
#include "store/ints.h"

struct fleet {
    int64_t id;
    const char *name;
    struct selector sel;
    bool known; /* its selector can be read, and no walk is to go through its devices */
};

struct check {
    struct store *s;
    const struct check_options *o;
    int64_t org;
    const char *org_name;
    struct arena *a;         /* for one organization */
    struct fleet *fleets;
    size_t nfleets, done, total;
    char *owner;             /* that was found last */
    int64_t left;
};

static void problem(struct check *c, const char *kind, const char *name, bool fixed,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void problem(struct check *c, const char *kind, const char *name, bool fixed,
    const char *fmt, ...)
{
    struct problem p = {c->org_name ? c->org_name : "", kind, name, NULL, fixed};
    struct buf b AUTO_BUF = BUF_INIT;
    char what[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (utf8_valid(what, strlen(what)))
        buf_adds(&b, what);
    else
        buf_adds(&b, "holds bytes that are no UTF-8");
    p.what = b.p;
    c->left += !fixed;
    c->o->problem(c->o->ctx, &p);
}

/* --- what relations say ----------------------------------------------------------------------- */

static const struct relation {
    enum sql find, fix; /* fix SQL_COUNT: a person has to look */
    const char *what;
} relations[] = {
    {SQL_find_org, SQL_COUNT, "the organization has no resource of its name and uid"},
    {SQL_find_status, SQL_fix_status, "has no row of its status"},
    {SQL_find_label, SQL_fix_label, "a label row is of no resource"},
    {SQL_find_device, SQL_fix_device, "the device has no row of its own"},
    {SQL_find_device_name, SQL_COUNT, "the row of the device is of another"},
    {SQL_find_device_hash, SQL_fix_device_hash, "the rendered spec is not there"},
    {SQL_find_member, SQL_COUNT, "a membership is not of a device and its fleet's versions"},
    {SQL_find_rollout, SQL_COUNT, "the rollout is of a version of another fleet"},
    {SQL_find_revision, SQL_COUNT, "revisions are missing in between"},
    {SQL_find_token, SQL_COUNT, "a token is of no organization, or ended or was revoked oddly"},
    {SQL_find_task, SQL_COUNT, "the task is in no state that there is, or of no organization"},
};

static const char *kind_name(int64_t id)
{
    for (const struct kind *k = kinds; k->id; k++)
        if (k->id == id)
            return k->name;
    return "";
}

/* How many were found; ids: of those that can be mended, or NULL. */
static int find(struct check *c, const struct relation *r, int64_t *ids, struct err *e)
{
    struct stmt *st = STMT(c->s, r->find, e, CHECK_PAGE);
    int n = 0, rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        const char *more = st_col_text(st, 3, NULL);

        if (ids)
            ids[n] = st_col_int(st, 4);
        n++;
        problem(c, kind_name(st_col_int(st, 1)), st_col_text(st, 2, NULL), ids, "%s%s%s%s",
            r->what, more ? " (" : "", more ? more : "", more ? ")" : "");
    }
    return rc < 0 ? -1 : n;
}

static int mend(struct check *c, const struct relation *r, const int64_t *ids, int n, struct err *e)
{
    if (store_begin(c->s, e) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (RUN(c->s, r->fix, e, ids[i]) < 0)
            goto fail;
    if (store_commit(c->s, e) == 0)
        return 0;
fail:
    store_rollback(c->s);
    return -1;
}

/* Whole tables are looked through, and only what was found is met with the write lock. */
static int relation(struct check *c, const struct relation *r, struct err *e)
{
    bool fix = c->o->fix && r->fix != SQL_COUNT;
    int64_t ids[CHECK_PAGE];
    int n;

    do {
        if ((n = find(c, r, fix ? ids : NULL, e)) < 0 || (fix && n && mend(c, r, ids, n, e) < 0))
            return -1;
    } while (fix && n == CHECK_PAGE);
    return 0;
}

/* --- each resource ---------------------------------------------------------------------------- */

/* Is it an object in canonical form? False: *why says what it is. */
static bool canonical(const char *text, const char **why)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_invalid();

    *why = "is no JSON";
    if (json_parse(text, strlen(text), &v, NULL) < 0)
        return false;
    *why = "is no object";
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return false;
    json_canon(&b, v);
    *why = "is not canonical";
    return strcmp(b.p, text) == 0;
}

/* 1: all of its texts can be read. */
static bool texts(struct check *c, const struct res *r)
{
    const struct {
        const char *name, *text;
    } t[] = {{"labels", r->labels}, {"annotations", r->annotations}, {"spec", r->spec},
        {"status", r->status}};
    bool fine = true;
    const char *why;

    for (size_t i = 0; i < LEN(t); i++)
        if (t[i].text && !canonical(t[i].text, &why)) {
            problem(c, r->kind->name, r->name, false, "%s: %s", t[i].name, why);
            fine = false;
        }
    return fine;
}

static int schema(struct check *c, const struct res *r)
{
    struct err why = {0};

    if (res_validate(r, &why) < 0)
        problem(c, r->kind->name, r->name, false, "%s", why.msg);
    return 0;
}

/* "Fleet/x" */
static int owner(struct check *c, const struct res *r, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    const char *slash = r->owner ? strchr(r->owner, '/') : NULL;
    const struct kind *k;
    struct res found;
    int rc = 0;

    if (!r->owner || (c->owner && strcmp(c->owner, r->owner) == 0))
        return 0;
    k = slash ? kind_find(arena_strndup(a, r->owner, (size_t)(slash - r->owner))) : NULL;
    if (k && (rc = res_get(c->s, a, r->org, k, slash + 1, &found, e)) < 0)
        return -1;
    if (rc == 0)
        problem(c, r->kind->name, r->name, false, "owner: there is no %s", r->owner);
    else {
        free(c->owner);
        c->owner = xstrdup(r->owner);
    }
    return 0;
}

/* The label rows are those that the labels say. 1: they are not. */
static int labels_differ(struct check *c, const struct res *r, struct err *e)
{
    struct stmt *st = db_stmt(c->s->db, SQL_check_labels, e);
    jv want AUTO_JV = index_rows(r, INDEX_USER | INDEX_STATUS);
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, r->id);
    st_int(st, 2, r->org);
    st_int(st, 3, r->kind->id);
    st_text(st, 4, r->name);
    while ((rc = st_step(st, e)) == 1) {
        jv v AUTO_JV = json_get(want, st_col_text(st, 0, NULL));

        n += jv_get_kind(v) == JV_KIND_STRING &&
            strcmp(jv_string_value(v), st_col_text(st, 1, NULL)) == 0 ? 1 : JSON_MEMBERS;
    }
    return rc < 0 ? -1 : n != jv_object_length(jv_copy(want));
}

static int labels(struct check *c, const struct res *r, struct err *e)
{
    int rc = labels_differ(c, r, e);

    if (rc <= 0)
        return rc;
    problem(c, r->kind->name, r->name, c->o->fix, "its label rows are not those of its labels");
    return c->o->fix && (RUN(c->s, SQL_check_labels_drop, e, r->id) < 0 ||
        index_add(c->s, r, e) < 0) ? -1 : 0;
}

static bool is_member(const struct member *m, int n, int64_t fleet)
{
    while (n-- > 0)
        if (m[n].fleet == fleet)
            return true;
    return false;
}

/* It is in the fleets that select it. */
static int memberships(struct check *c, struct arena *a, const struct res *r, struct err *e)
{
    jv labels AUTO_JV = jv_parse(r->labels);
    struct member *m;
    struct res fleet;
    int n = member_list(c->s, a, r->id, &m, e);

    if (n < 0)
        return -1;
    for (size_t i = 0; i < c->nfleets; i++) {
        const struct fleet *f = &c->fleets[i];
        bool is = is_member(m, n, f->id);

        if (!f->known || is == selector_match(&f->sel, labels))
            continue;
        problem(c, r->kind->name, r->name, c->o->fix, is ? "is in fleet %s, which does not select "
            "it" : "is not in fleet %s, which selects it", f->name);
        if (c->o->fix && (res_get_id(c->s, a, f->id, &fleet, e) != 1 ||
            membership_recheck(c->s, &r->id, 1, &fleet, now_us(), c->o->who, e) < 0))
            return -1;
    }
    return 0;
}

static int resource(struct check *c, struct arena *a, const struct res *r, struct err *e)
{
    if (!texts(c, r))
        return 0;
    if (schema(c, r) < 0 || owner(c, r, e) < 0 || labels(c, r, e) < 0)
        return -1;
    return r->kind->id == KIND_DEVICE ? memberships(c, a, r, e) : 0;
}

/* A page after (kind, name), which move to its end. How many. */
static int page(struct check *c, struct arena *a, int64_t *kind, char **name, struct err *e)
{
    struct stmt *st = db_stmt(c->s->db, SQL_check_resources, e);
    struct res *r = arena_alloc(a, CHECK_PAGE * sizeof *r);
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, c->org);
    st_int(st, 2, *kind);
    st_text(st, 3, *name);
    st_int(st, 4, CHECK_PAGE);
    while ((rc = st_step(st, e)) == 1) {
#define TEXT(i) arena_strdup(a, st_col_text(st, i, NULL))
        r[n] = (struct res){.id = st_col_int(st, 0), .org = c->org, .name = TEXT(2),
            .uid = TEXT(3), .generation = st_col_int(st, 4), .created = st_col_int(st, 5),
            .owner = TEXT(6), .labels = TEXT(7), .annotations = TEXT(8), .spec = TEXT(9),
            .version = st_col_int(st, 10), .status = TEXT(11)};
#undef TEXT
        *kind = st_col_int(st, 1);
        if (*kind_name(*kind))
            r[n].kind = kind_by_id((enum kind_id)*kind);
        else
            problem(c, "", r[n].name, false, "is of kind %lld, which there is not",
                (long long)*kind);
        n++;
    }
    if (n) {
        free(*name);
        *name = xstrdup(r[n - 1].name);
    }
    for (int i = 0; rc == 0 && i < n; i++)
        if (r[i].kind)
            rc = resource(c, a, &r[i], e);
    return rc < 0 ? -1 : n;
}

static int fleets(struct check *c, struct err *e)
{
    struct stmt *st = STMT(c->s, SQL_fleet_list, e, c->org);
    int rc;

    c->fleets = NULL;
    c->nfleets = 0;
    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        const char *spec = st_col_text(st, 3, NULL);
        jv v AUTO_JV = jv_invalid(), sel;
        struct fleet *f;

        c->fleets = xreallocarray(c->fleets, c->nfleets + 1, sizeof *f);
        f = &c->fleets[c->nfleets++];
        *f = (struct fleet){.id = st_col_int(st, 0),
            .name = arena_strdup(c->a, st_col_text(st, 1, NULL))};
        if (!spec || json_parse(spec, strlen(spec), &v, NULL) < 0)
            continue;
        sel = json_get(v, "selector");
        f->known = selector_from_json(c->a, sel, &f->sel, NULL) == 0;
        jv_free(sel);
    }
    for (size_t i = 0; rc >= 0 && i < c->nfleets; i++) {
        struct rollout o = {0};

        rc = rollout_get(c->s, c->a, c->fleets[i].id, &o, e);
        c->fleets[i].known &= !o.walk && !o.deleted;
        rc = rc < 0 ? -1 : 0;
    }
    return rc;
}

static int org(struct check *c, struct err *e)
{
    char *name = xstrdup("");
    int64_t kind = 0;
    int n;

    do {
        struct arena *a AUTO_ARENA = arena_new();

        n = -1;
        if (db_attach_seen(c->s->db, e) < 0 || (c->o->fix ? store_begin(c->s, e) :
            db_begin(c->s->db, false, e)) < 0)
            break;
        if (fleets(c, e) == 0)
            n = page(c, a, &kind, &name, e);
        free(c->fleets);
        if (n >= 0 && c->o->fix && store_commit(c->s, e) < 0)
            n = -1;
        store_rollback(c->s);
        if (c->o->fix)
            store_pause();
        c->done += n > 0 ? (size_t)n : 0;
        if (c->o->progress)
            c->o->progress(c->o->ctx, c->done, c->total);
    } while (n == CHECK_PAGE);
    free(name);
    free(c->owner);
    c->owner = NULL;
    return n < 0 ? -1 : 0;
}

static int orgs(struct check *c, struct err *e)
{
    struct stmt *st = db_stmt(c->s->db, SQL_dump_orgs, e);
    struct arena *a AUTO_ARENA = arena_new();
    struct {
        int64_t id;
        const char *name;
    } *v = NULL;
    size_t n = 0;
    int rc;

    if (!st)
        return -1;
    while ((rc = st_step(st, e)) == 1) {
        v = xreallocarray(v, n + 1, sizeof *v);
        v[n].id = st_col_int(st, 0);
        v[n++].name = arena_strdup(a, st_col_text(st, 2, NULL));
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        c->org = v[i].id;
        c->org_name = v[i].name;
        c->a = arena_new();
        rc = org(c, e);
        arena_free(c->a);
    }
    free(v);
    c->org_name = NULL;
    return rc;
}

/* Each rendered spec is what its name says. */
static int rendered(struct check *c, struct err *e)
{
    char last[SHA256_HEX] = "", hex[SHA256_HEX];
    int n, rc;

    do {
        struct stmt *st = db_stmt(c->s->db, SQL_check_rendered, e);
        char from[SHA256_HEX];

        if (!st)
            return -1;
        n = 0;
        memcpy(from, last, sizeof from);
        st_text(st, 1, from);
        st_int(st, 2, CHECK_PAGE);
        while ((rc = st_step(st, e)) == 1) {
            const char *spec, *hash = st_col_text(st, 0, NULL);
            size_t len;

            n++;
            spec = st_col_text(st, 1, &len);
            sha256_hex(spec, len, hex);
            if (strcmp(hex, hash) != 0)
                problem(c, "", hash, false, "the rendered spec is not that of its hash");
            snprintf(last, sizeof last, "%s", hash);
        }
    } while (rc == 0 && n == CHECK_PAGE);
    return rc;
}

static void fault(void *ctx, const char *what)
{
    problem(ctx, "", "", false, "the database: %s", what);
}

int check_store(struct store *s, const struct check_options *o, int64_t *left, struct err *e)
{
    struct check c = {.s = s, .o = o};
    const char *path = sqlite_path(s->url);
    int64_t total = ints_one(s, SQL_dump_count, 0, NULL, e);
    int rc = path ? sqlite_integrity(path, fault, &c, e) : 0;

    c.total = total < 0 ? 0 : (size_t)total;
    if (rc == 0 && c.left) { /* a database that is damaged itself says nothing more */
        *left = c.left;
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < LEN(relations); i++)
        rc = relation(&c, &relations[i], e);
    if (rc == 0)
        rc = orgs(&c, e);
    if (rc == 0)
        rc = rendered(&c, e);
    *left = c.left;
    return rc;
}
