/* SPDX-License-Identifier: Apache-2.0 */
#include <sha256.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "fleet/secret.h"
#include "store/dump.h"
#include "store/ints.h"
#include "store/revision.h"

#define HIDDEN "import:" /* before the name and uid of an organization until it is whole */

struct import {
    struct store *s;       /* what is filled */
    struct store *target;  /* what it is for: another one on a dry run */
    const struct import_options *o;
    FILE *in;
    SHA256_CTX sha;
    bool whole;            /* a whole store, not one organization */
    int64_t line;          /* the one under way, from 1 */
    bool open;             /* a transaction is */
    bool ended;            /* the trailer was there */
    struct arena *a;       /* for the whole run */
    struct arena *row;     /* for one line */
    int64_t org;           /* row of the organization under way, 0: none yet */
    bool deleted;          /* it is one that was deleted */
    int rank;              /* of the record before, within it */
    struct res shown;      /* not whole: the organization's resource, once it may be seen */
    struct buf text;       /* lines that were read, with their ends */
    struct seen seen[DUMP_PAGE];
    size_t nseen;
};

/* --- transactions ----------------------------------------------------------------------------- */

static int commit(struct import *x, struct err *e)
{
    if (x->open && store_commit(x->s, e) < 0)
        return -1;
    x->open = false;
    if (seen_write(x->s, x->seen, x->nseen, e) < 0)
        return -1;
    x->nseen = 0;
    return 0;
}

static int begin(struct import *x, struct err *e)
{
    if (!x->open && store_begin(x->s, e) < 0)
        return -1;
    x->open = true;
    return 0;
}

/* --- organizations ---------------------------------------------------------------------------- */

static int drop_org_resource(struct store *s, const char *name, struct err *e)
{
    static const enum sql verbs[] = {SQL_drop_org_labels, SQL_drop_org_resource};

    for (size_t i = 0; i < LEN(verbs); i++) {
        struct stmt *st = db_stmt(s->db, verbs[i], e);

        if (!st)
            return -1;
        st_int(st, 1, ORG_DEFAULT_ID);
        st_text(st, 2, name);
        if (st_run(st, e) < 0)
            return -1;
    }
    return 0;
}

/* 1: there is one of this name or uid. */
static int org_there(struct store *s, const char *what, int64_t *id, struct err *e)
{
    struct err why = {0};

    if (store_org(s, what, id, &why) == 0)
        return 1;
    return why.code == FC_NOTFOUND ? 0 : err_set(e, why.code, "%s", why.msg);
}

/* What one statement discards, in parts; org 0: it takes none. */
static int discard(struct store *s, enum sql verb, int64_t org, struct err *e)
{
    int64_t n;

    do {
        if (store_begin(s, e) < 0)
            return -1;
        /* The labels of the resources that go next, which are the first ones. */
        if (verb == SQL_discard_resource && RUN(s, SQL_discard_label, e, org, DUMP_PAGE) < 0)
            n = -1;
        else
            n = org ? RUN(s, verb, e, org, DUMP_PAGE) : RUN(s, verb, e, DUMP_PAGE);
        if (n < 0 || store_commit(s, e) < 0) {
            store_rollback(s);
            return -1;
        }
        if (n > 0)
            store_pause();
    } while (n > 0);
    return 0;
}

/* All that belongs to an organization; its own row and resource last. */
static int discard_org(struct store *s, int64_t org, const char *name, struct err *e)
{
    static const enum sql verbs[] = {SQL_discard_task, SQL_discard_token, SQL_discard_event,
        SQL_discard_revision, SQL_discard_rollout, SQL_discard_member, SQL_discard_resource};

    for (size_t i = 0; i < LEN(verbs); i++)
        if (discard(s, verbs[i], org, e) < 0)
            return -1;
    if (org == ORG_DEFAULT_ID)
        return 0;
    if (store_begin(s, e) < 0)
        return -1;
    if (drop_org_resource(s, name, e) == 0 && RUN(s, SQL_discard_org, e, org) >= 0)
        return store_commit(s, e);
    store_rollback(s);
    return -1;
}

/* What an interrupted import of a whole store has left. */
static int discard_all(struct store *s, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();

    for (;;) {
        struct stmt *st = db_stmt(s->db, SQL_dump_orgs, e);
        const char *name = NULL;
        int64_t id = 0;
        int rc;

        if (!st)
            return -1;
        while ((rc = st_step(st, e)) == 1)
            if (st_col_int(st, 0) != ORG_DEFAULT_ID) {
                id = st_col_int(st, 0);
                name = arena_strdup(a, st_col_text(st, 2, NULL));
                st_reset(st);
                break;
            }
        if (rc < 0)
            return -1;
        if (!id)
            return discard(s, SQL_discard_old_revision, 0, e) < 0 ||
                discard(s, SQL_discard_old_event, 0, e) < 0 ? -1 :
                discard_org(s, ORG_DEFAULT_ID, NULL, e);
        if (discard_org(s, id, name, e) < 0)
            return -1;
    }
}

static int add_org(struct import *x, const struct res *r, struct err *e)
{
    struct res hidden = *r, *add = x->whole ? (struct res *)r : &hidden;
    const char *name = r->name, *uid = r->uid;
    int64_t other;
    int rc = 0;

    if (x->whole && strcmp(r->uid, ORG_DEFAULT) == 0) {
        if (strcmp(r->name, "default") != 0)
            return err_set(e, FC_INVALID, "name: that of the default organization is \"default\"");
        x->org = ORG_DEFAULT_ID;
        return drop_org_resource(x->s, r->name, e) < 0 || res_insert(x->s, x->a, add, e) < 0 ? -1 :
            0;
    }
    /* Those of a whole store are not to be in each other's way, nor one in that of the target. */
    if ((rc = org_there(x->whole ? x->s : x->target, r->name, &other, e)) == 0)
        rc = org_there(x->whole ? x->s : x->target, r->uid, &other, e);
    if (rc)
        return rc < 0 ? -1 : err_set(e, x->whole ? FC_INVALID : FC_CONFLICT, "Organization of name "
            "\"%s\" or uid %s %s", r->name, r->uid, x->whole ? "stands there twice" :
            "already exists");
    if (!x->whole) { /* the resource holds the place of its number */
        x->shown = *r;
        hidden = (struct res){.org = r->org, .kind = r->kind, .labels = "{}", .annotations = "{}"};
        hidden.name = name = arena_printf(x->a, HIDDEN "%s", r->name);
        hidden.uid = uid = arena_printf(x->a, HIDDEN "%s", r->uid);
    }
    if (res_insert(x->s, x->a, add, e) < 0 || org_add(x->s, add->id, uid, name, e) < 0)
        return -1;
    x->org = add->id;
    return 0;
}

/* An organization that was deleted gets a number: that of a resource which is gone at once. The
 * revisions of the organization itself, which tell the number, came before. */
static int add_deleted(struct import *x, const struct dump_value *v, struct err *e)
{
    struct res r = {.org = ORG_DEFAULT_ID, .kind = kind_by_id(KIND_ORGANIZATION), .labels = "{}",
        .annotations = "{}"};
    struct stmt *st;
    int64_t n;

    r.name = arena_printf(x->row, HIDDEN "%s", v[0].text);
    r.uid = arena_printf(x->row, HIDDEN "%s", v[1].text);
    if (res_insert(x->s, x->row, &r, e) < 0 || drop_org_resource(x->s, r.name, e) < 0 ||
        !(st = db_stmt(x->s->db, SQL_put_deleted, e)))
        return -1;
    st_int(st, 1, r.id);
    st_int(st, 2, ORG_DEFAULT_ID);
    st_text(st, 3, v[0].text);
    st_text(st, 4, v[1].text);
    if ((n = st_run(st, e)) <= 0)
        return n < 0 ? -1 : err_set(e, FC_INVALID, "uid: there is no revision of it, or it stands "
            "there twice");
    x->org = r.id;
    return 0;
}

static int show_org(struct import *x, struct err *e)
{
    char *hidden AUTO_FREE = xasprintf(HIDDEN "%s", x->shown.name);
    struct stmt *st;

    x->shown.id = x->org;
    if (drop_org_resource(x->s, hidden, e) < 0 || res_insert(x->s, x->a, &x->shown, e) < 0 ||
        !(st = db_stmt(x->s->db, SQL_dump_org_show, e)))
        return -1;
    st_int(st, 1, x->org);
    st_text(st, 2, x->shown.uid);
    st_text(st, 3, x->shown.name);
    return st_run(st, e) < 0 ? -1 : revision_add(x->s, x->o->who, &x->shown, false, e);
}

/* Every device has its row, and that its rendered spec. */
static int end_org(struct import *x, struct err *e)
{
    struct stmt *st;
    int rc;

    if (!x->org)
        return 0;
    if (!(st = db_stmt(x->s->db, SQL_dump_incomplete, e)))
        return -1;
    st_int(st, 1, x->org);
    if ((rc = st_step(st, e)) == 1) {
        err_set(e, FC_INVALID, "device %s lacks its record, or the rendered spec that it names",
            st_col_text(st, 0, NULL));
        st_reset(st);
        return -1;
    }
    return rc;
}

/* --- records ---------------------------------------------------------------------------------- */

static int tell_sealed(void *ctx, const struct secret *at, jv *value, struct err *e)
{
    const struct import_options *o = ctx;
    const char *text = jv_string_value(*value);

    (void)at, (void)e;
    if (secret_sealed(text))
        o->sealed(o->ctx, text + sizeof SECRET_SEALED - 1);
    return 0;
}

static int tell_secrets(const struct import *x, const struct res *r, struct err *e)
{
    bool may = x->o->sealed && kind_has_secrets(r->kind);
    jv spec AUTO_JV = may ? jv_parse(r->spec) : jv_null();

    if (!may)
        return 0;
    return secrets_each(r->kind, &spec, tell_sealed, (void *)x->o, e);
}

static int put_resource(struct import *x, bool org, const struct dump_value *v, struct err *e)
{
    struct arena *a = org ? x->a : x->row;
    struct res r = {.org = x->org, .kind = kind_by_id(KIND_ORGANIZATION)};
    struct err why = {0};

    if (!org)
        r.kind = kind_by_id((enum kind_id)(v++)->n);
    r.name = arena_strdup(a, v[0].text);
    r.uid = arena_strdup(a, v[1].text);
    r.generation = v[2].n;
    r.created = v[3].n;
    r.owner = arena_strdup(a, v[4].text);
    r.labels = arena_strdup(a, v[5].text);
    r.annotations = arena_strdup(a, v[6].text);
    r.spec = arena_strdup(a, v[7].text);
    r.version = v[8].n;
    r.status = arena_strdup(a, v[9].text);
    if (org) {
        r.org = ORG_DEFAULT_ID;
        if (!x->whole && x->o->org)
            r.name = x->o->org;
        return res_validate(&r, e) < 0 ? -1 : add_org(x, &r, e);
    }
    if (r.kind->flags & KIND_GLOBAL && (!x->whole || x->org != ORG_DEFAULT_ID))
        return err_set(e, FC_INVALID, "kind: is of all organizations");
    if (r.kind->id == KIND_ORGANIZATION)
        return err_set(e, FC_INVALID, "kind: has a record of its own");
    if (res_validate(&r, e) < 0 || tell_secrets(x, &r, e) < 0)
        return -1;
    if (res_insert(x->s, x->row, &r, &why) < 0) /* the store was empty: it is the input's */
        return err_set(e, why.code == FC_CONFLICT ? FC_INVALID : why.code, "%s", why.msg);
    return 0;
}

/* The row that a name refers to. */
static int resolve(struct import *x, const struct dump_member *m, const char *name, int64_t *id,
    struct err *e)
{
    struct stmt *st = db_stmt(x->s->db, SQL_dump_id, e);
    int rc;

    if (!st)
        return -1;
    st_int(st, 1, x->org);
    st_int(st, 2, m->ref);
    st_text(st, 3, name);
    if ((rc = st_step(st, e)) == 1) {
        *id = st_col_int(st, 0);
        st_reset(st);
        return 0;
    }
    return rc < 0 ? -1 : err_set(e, FC_INVALID, "%s: there is no %s \"%s\"", m->name,
        kind_by_id(m->ref)->singular, name);
}

/* What the members of one record owe each other. */
static int coherent(enum dump_id id, const struct dump_value *v, struct err *e)
{
    char hex[SHA256_HEX];

    if (id == DUMP_RENDERED) {
        sha256_hex(v[1].text, strlen(v[1].text), hex);
        if (strcmp(hex, v[0].text) != 0)
            return err_set(e, FC_INVALID, "hash: is not that of the spec");
    }
    if (id == DUMP_MEMBER)
        for (int i = 2; i <= 4; i++) {
            size_t n = strlen(v[1].text);

            if (!v[i].null && (strncmp(v[i].text, v[1].text, n) || v[i].text[n] != '/'))
                return err_set(e, FC_INVALID, "%s: is a version of another fleet",
                    dump_records[id].members[i].name);
        }
    return 0;
}

static int put_row(struct import *x, enum dump_id id, struct dump_value *v, struct err *e)
{
    const struct dump_record *r = &dump_records[id];
    const struct dump_member *m = r->members;
    struct stmt *st;
    struct err why = {0};
    bool of_org = id != DUMP_RENDERED && id != DUMP_MEMBER && id != DUMP_ROLLOUT;
    int i, at = 1;

    if (coherent(id, v, e) < 0)
        return -1;
    for (i = 0; m[i].name; i++)
        if (m[i].type == M_REF && !v[i].null && resolve(x, &m[i], v[i].text, &v[i].n, e) < 0)
            return -1;
    if (!(st = db_stmt(x->s->db, r->put, e)))
        return -1;
    if (of_org)
        st_int(st, at++, x->org);
    for (i = 0; m[i].name; i++) {
        if (m[i].type == M_KEY || m[i].type == M_SEEN)
            continue;
        if (v[i].null)
            st_null(st, i + at);
        else if (m[i].type == M_INT || m[i].type == M_KIND || m[i].type == M_REF)
            st_int(st, i + at, v[i].n);
        else
            st_text(st, i + at, v[i].text);
        if (m[i + 1].type == M_SEEN && !v[i + 1].null)
            x->seen[x->nseen++] = (struct seen){v[0].n, v[i + 1].n};
    }
    if (st_run(st, &why) >= 0)
        return 0;
    return why.code == FC_CONFLICT ? err_set(e, FC_INVALID, "the %s stands there twice", r->name) :
        err_set(e, why.code, "%s", why.msg);
}

static int check_empty(struct store *s, struct err *e)
{
    struct stmt *st = STMT(s, SQL_dump_used, e, ORG_DEFAULT_ID);
    int rc;

    if (!st || (rc = st_step(st, e)) < 0)
        return -1;
    st_reset(st);
    return rc ? err_set(e, FC_CONFLICT, "%s: the store is not empty", db_path(s->db)) : 0;
}

/* What an import of one organization that was interrupted has left in its way. */
static int clear_hidden(struct import *x, const char *name, struct err *e)
{
    char *hidden AUTO_FREE = xasprintf(HIDDEN "%s", name ? name : "");
    int64_t id;
    int rc = name ? org_there(x->target, hidden, &id, e) : 0;

    if (rc <= 0)
        return rc;
    if (!x->o->force)
        return err_set(e, FC_CONFLICT, "an import of organization %s is under way, or was "
            "interrupted (-f begins it anew)", name);
    return x->o->dry_run ? 0 : discard_org(x->s, id, hidden, e);
}

/* --- lines ------------------------------------------------------------------------------------ */

static int header(struct import *x, jv doc, struct err *e)
{
    const char *key = json_str(doc, "secretKey"), *scope = json_str(doc, "scope"), *have;
    const char *what = json_str(doc, "record");
    int rc;

    if (!what || strcmp(what, DUMP_FORMAT) != 0 || !scope)
        return err_set(e, FC_INVALID, "not an export of a store");
    if (json_int(doc, "version", 0) != DUMP_VERSION)
        return err_set(e, FC_INVALID, "version: is not one that this command knows");
    x->whole = strcmp(scope, "store") == 0;
    if (!x->whole && strcmp(scope, "organization") != 0)
        return err_set(e, FC_INVALID, "scope: must be store or organization");
    if (x->whole && x->o->org)
        return err_set(e, FC_USAGE, "--org: it is the export of a whole store");
    if (x->whole && (check_empty(x->target, e) < 0 || begin(x, e) < 0 ||
        store_importing(x->s, true, e) < 0))
        return -1;
    if (!key || !x->whole) /* an organization's neighbours have a key of their own, or will */
        return 0;
    if (begin(x, e) < 0 || (rc = store_meta(x->s, x->a, "secret-key", &have, e)) < 0)
        return -1;
    return rc == 0 || !*have ? store_meta_put(x->s, "secret-key", key, e) : 0;
}

static int trailer(struct import *x, jv doc, struct err *e)
{
    const char *hex = json_str(doc, "sha256");
    char have[SHA256_HEX];

    SHA256_End(&x->sha, have);
    if (json_int(doc, "lines", -1) != x->line - 1 || !hex || strcmp(hex, have) != 0)
        return err_set(e, FC_INVALID, "the lines before are not those that were exported");
    if (!x->org)
        return err_set(e, FC_INVALID, "there is no organization in it");
    x->ended = true;
    return begin(x, e) < 0 || end_org(x, e) < 0 ? -1 : 0;
}

static int record(struct import *x, jv doc, struct err *e)
{
    static const int ranks[] = {[DUMP_ORGANIZATION] = 0, [DUMP_DELETED] = 0, [DUMP_RESOURCE] = 1,
        [DUMP_RENDERED] = 2, [DUMP_DEVICE] = 2, [DUMP_MEMBER] = 3, [DUMP_ROLLOUT] = 4,
        [DUMP_REVISION] = 5, [DUMP_EVENT] = 6, [DUMP_TOKEN] = 7, [DUMP_TASK] = 8};
    const char *what = json_str(doc, "record");
    struct dump_value v[DUMP_MEMBERS];
    bool fits;
    int id;

    if (what && strcmp(what, "end") == 0)
        return trailer(x, doc, e);
    for (id = 0; id < DUMP_RECORDS && (!what || strcmp(dump_records[id].name, what)); id++)
        ;
    if (id == DUMP_RECORDS)
        return err_set(e, FC_INVALID, "record: must be a kind of record");
    if (id == DUMP_ORGANIZATION)
        fits = !x->deleted && (x->whole || !x->org);
    else if (id == DUMP_DELETED)
        fits = x->whole && x->org;
    else
        fits = x->org && ranks[id] >= x->rank &&
            (!x->deleted || id == DUMP_REVISION || id == DUMP_EVENT);
    if (!fits)
        return err_set(e, FC_INVALID, "a %s cannot stand here", what);
    x->rank = ranks[id];
    x->deleted |= id == DUMP_DELETED;
    if (id == DUMP_ORGANIZATION && !x->whole && (commit(x, e) < 0 ||
        clear_hidden(x, x->o->org ? x->o->org : json_str(doc, "name"), e) < 0))
        return -1;
    if (begin(x, e) < 0 ||
        dump_read(&dump_records[id], x->row, doc, v, e) < 0)
        return -1;
    if (id == DUMP_ORGANIZATION)
        return end_org(x, e) < 0 || put_resource(x, true, v, e) < 0 ? -1 : 0;
    if (id == DUMP_DELETED)
        return end_org(x, e) < 0 || add_deleted(x, v, e) < 0 ? -1 : 0;
    return id == DUMP_RESOURCE ? put_resource(x, false, v, e) : put_row(x, (enum dump_id)id, v, e);
}

/* Appends a line with its end to the text. 0: the end of the input. */
static int read_line(struct import *x, struct err *e)
{
    size_t start = x->text.len;
    int c;

    while ((c = getc_unlocked(x->in)) != EOF) {
        buf_addc(&x->text, (char)c);
        if (c == '\n')
            return 1;
        if (x->text.len - start > JSON_MAX)
            return err_set(e, FC_INVALID, "longer than %d bytes", JSON_MAX);
    }
    if (ferror(x->in))
        return err_errno(e, "%s", x->o->source);
    return x->text.len > start ? err_set(e, FC_INVALID, "cut short: the line does not end") : 0;
}

/* The lines of one transaction, before it begins: the input may come slowly. An organization's
 * tasks are the last of them, all in one: nobody may work on a part of it. How many. */
static int read_lines(struct import *x, struct err *e)
{
    static const char task[] = "{\"record\":\"task\"";
    bool tasks = false;
    int n = 0, rc = 1;

    buf_reset(&x->text);
    while ((tasks || (n < DUMP_PAGE && x->text.len < JSON_MAX)) && rc == 1) {
        size_t start = x->text.len;

        if ((rc = read_line(x, e)) < 0) {
            x->line += n + 1;
            return -1;
        }
        n += rc;
        tasks = !x->whole && rc && strncmp(x->text.p + start, task, sizeof task - 1) == 0;
    }
    return n;
}

static int one_line(struct import *x, const char *text, size_t n, struct err *e)
{
    jv doc AUTO_JV = jv_invalid();
    int rc;

    if (x->ended)
        return err_set(e, FC_INVALID, "something follows the end");
    if (json_parse(text, n, &doc, e) < 0)
        return -1;
    if (jv_get_kind(doc) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "must be an object");
    rc = x->line == 1 ? header(x, doc, e) : record(x, doc, e);
    SHA256_Update(&x->sha, (const uint8_t *)text, n);
    return rc;
}

static int page(struct import *x, int n, struct err *e)
{
    const char *p = x->text.p;

    for (int i = 0; i < n; i++) {
        size_t left = x->text.len - (size_t)(p - x->text.p);
        size_t len = (size_t)((const char *)memchr(p, '\n', left) - p) + 1;

        x->line++;
        if (one_line(x, p, len, e) < 0)
            return -1;
        arena_reset(x->row);
        p += len;
    }
    if (x->ended)
        return 0; /* the last transaction is run()'s */
    if (x->o->progress)
        x->o->progress(x->o->ctx, (size_t)x->line, 0);
    if (commit(x, e) < 0)
        return -1;
    store_pause();
    return 0;
}

static int all_lines(struct import *x, struct err *e)
{
    int n;

    while ((n = read_lines(x, e)) > 0)
        if (page(x, n, e) < 0)
            break;
    if (n == 0 && !x->ended) {
        x->line++;
        n = err_set(e, FC_INVALID, "cut short: the end is missing");
    }
    return n ? err_wrap(e, "%s:%lld", x->o->source, (long long)x->line) : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int run(struct import *x, struct err *e)
{
    int rc = all_lines(x, e);

    if (rc == 0 && (x->whole ? store_importing(x->s, false, e) : show_org(x, e)) < 0)
        rc = -1;
    if (rc == 0)
        rc = commit(x, e);
    if (rc < 0 && x->open)
        store_rollback(x->s);
    return rc;
}

static int fill(struct store *target, struct store *s, FILE *in, const struct import_options *o,
    int64_t *lines, struct err *e)
{
    struct import *x = xcalloc(1, sizeof *x);
    int rc;

    x->s = s;
    x->target = target;
    x->o = o;
    x->in = in;
    x->a = arena_new();
    x->row = arena_new();
    SHA256_Init(&x->sha);
    rc = run(x, e);
    *lines = x->line - 2; /* without header and trailer */
    arena_free(x->a);
    arena_free(x->row);
    buf_free(&x->text);
    free(x);
    return rc;
}

/* The same into a store in a folder for temporary files, which is removed. */
static int try(struct store *target, FILE *in, const struct import_options *o, int64_t *lines,
    struct err *e)
{
    static const char *const files[] = {"", "-wal", "-shm", "-seen", "-seen-wal", "-seen-shm"};
    const char *tmp = getenv("TMPDIR");
    char *dir AUTO_FREE = xasprintf("%s/fc-import.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    char *url AUTO_FREE = NULL;
    struct store s = {0};
    int rc = -1;

    if (!mkdtemp(dir))
        return err_errno(e, "%s", dir);
    url = xasprintf("sqlite:%s/fc.db", dir);
    if (store_init(url, e) == 0 && store_open(&s, url, e) == 0)
        rc = fill(target, &s, in, o, lines, e);
    store_close(&s);
    for (size_t i = 0; i < LEN(files); i++) {
        char *path AUTO_FREE = xasprintf("%s/fc.db%s", dir, files[i]);

        unlink(path);
    }
    rmdir(dir);
    return rc;
}

int store_import(const char *url, FILE *in, const struct import_options *o, int64_t *lines,
    struct err *e)
{
    bool importing;
    struct store s;
    int rc;

    if (store_open_import(&s, url, &importing, e) < 0)
        return -1;
    if (importing && !o->force)
        rc = err_set(e, FC_CONFLICT, "%s: an import into it is under way, or was interrupted (-f "
            "begins it anew)", db_path(s.db));
    else if (o->dry_run)
        rc = try(&s, in, o, lines, e);
    else {
        rc = importing ? discard_all(&s, e) : 0;
        if (rc == 0)
            rc = fill(&s, &s, in, o, lines, e);
    }
    store_close(&s);
    return rc;
}
