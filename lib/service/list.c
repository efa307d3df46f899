/* SPDX-License-Identifier: Apache-2.0 */
#include "service/list.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "service/history.h"

int list_labels_parse(struct arena *a, const struct kind *k, const char *text,
    const struct selector **out, struct err *e)
{
    struct selector *sel;

    *out = NULL;
    if (!text || !*text)
        return 0;
    if (!(k->flags & KIND_LABELS))
        return err_set(e, FC_USAGE, "%s have no labels to select by", k->plural);
    *out = sel = arena_alloc(a, sizeof *sel);
    return selector_parse(a, text, sel, e);
}

int list_fields_parse(struct arena *a, const struct kind *k, const char *text,
    const struct selector **out, struct err *e)
{
    struct selector *sel;

    *out = NULL;
    if (!text || !*text)
        return 0;
    *out = sel = arena_alloc(a, sizeof *sel);
    return selector_parse_fields(a, text, k->fields, sel, e);
}

int list_check(const struct list_query *q, const struct list_words *w, struct err *e)
{
    const struct kind *k = q->kind;
    bool number = w->count || w->summary, page = number || q->token;
    const struct { bool wrong; const char *what; } rules[] = {
        {w->named && (w->labels || w->fields), "a selector goes without names"},
        {w->named && page, "--count, --summary and --continue go without names"},
        {k->flags & KIND_CATALOG && (page || q->at),
            "--at, --count, --summary and --continue go without labels"},
        {q->prefix && (w->named || page || q->at || q->parent || k->flags & (KIND_LOG | KIND_CATALOG)),
            "--prefix goes with resources, without names, --at, --count, --summary, --continue and "
            "--fleet"},
        {q->parent && !(k->flags & KIND_CHILD), "--fleet goes with templateversions"},
        {q->at && q->view & VIEW_RENDERED,
            "--at goes without --rendered: it shows what users wrote"},
        {q->at && page, "--at goes without --count, --summary and --continue"},
        {w->summary && k->id != KIND_DEVICE, "--summary goes with devices"},
        {number && (q->token || q->limit > 0 || (w->count && w->summary)),
            "--count and --summary go alone: without --limit and --continue"},
        {(w->of || q->oldest) && !(k->flags & KIND_LOG), "--of and --order go with events"},
    };

    for (size_t i = 0; i < LEN(rules); i++)
        if (rules[i].wrong)
            return err_set(e, FC_USAGE, "%s", rules[i].what);
    return 0;
}

int list_parse(struct arena *a, struct list_query *q, const struct list_words *w, struct err *e)
{
    const struct kind *labelled = q->kind->flags & KIND_CATALOG ? kind_by_id(KIND_DEVICE) : q->kind;

    if (list_labels_parse(a, labelled, w->labels, &q->labels, e) < 0)
        return e->code == FC_INVALID ? err_wrap(e, "selector") : -1;
    if (list_fields_parse(a, q->kind, w->fields, &q->fields, e) < 0)
        return err_wrap(e, "field selector");
    return w->of ? target_involved(w->of, &q->of, &q->of_name, e) : 0;
}

static int one_then(struct store *s, const struct kind *k, const char *name, int64_t at,
    struct buf *text, struct err *e)
{
    jv doc AUTO_JV = jv_invalid();

    if (history_at(s, k, name, at, &doc, e) < 0)
        return -1;
    json_canon(text, doc);
    return 0;
}

const char *list_name(struct arena *a, const struct list_query *q, const struct target *t,
    struct err *e)
{
    const struct kind *k = t->kind;

    if (k->flags & KIND_CATALOG)
        err_set(e, FC_USAGE, "labels have no names: --field-selector picks some");
    else if (k->flags & KIND_LOG)
        err_set(e, FC_USAGE, "%s have no names: --of KIND/NAME shows those of a resource",
            k->plural);
    else if (!(k->flags & KIND_CHILD) || strchr(t->name, '/'))
        return t->name;
    else if (q->parent)
        return arena_printf(a, "%s/%s", q->parent, t->name);
    else
        err_set(e, FC_USAGE, "%s: FLEET/VERSION is wanted, or --fleet", t->name);
    return NULL;
}

int list_one(struct store *s, struct arena *a, const struct list_query *q, const struct target *t,
    list_each *each, void *ctx, struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;
    const char *name = list_name(a, q, t, e);
    const struct kind *k = t->kind;
    struct res r;
    int rc;

    if (!name)
        return -1;
    if (q->at)
        rc = one_then(s, k, name, q->at, &text, e);
    else if ((rc = res_get(s, a, s->org, k, name, &r, e)) == 0)
        return target_missing(k, name, e);
    else if (rc > 0)
        rc = res_write(s, a, &r, q->now, q->view, &text, e);
    if (rc < 0)
        return -1;
    return each(ctx, arena_printf(a, "%s/%s", k->singular, name), text.p, text.len, e);
}

/* --- tokens ----------------------------------------------------------------------------------- */

/* What a token is good for: the same list of the same store. Tokens show its beginning alone; with
 * the rest they are made, so that none can be made up. */
static int digest(struct store *s, struct arena *a, const struct list_query *q,
    char out[SHA256_HEX], struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *uid = NULL;

    if (store_meta(s, a, "uid", &uid, e) < 0)
        return -1;
    buf_printf(&b, "%s\n%lld\n%s\n%s\n%s/%s\n%d\n", uid ? uid : "", (long long)q->org,
        q->kind->name, q->parent ? q->parent : "", q->of ? q->of->name : "",
        q->of_name ? q->of_name : "", q->oldest);
    if (q->labels)
        selector_write(&b, q->labels);
    buf_addc(&b, '\n');
    if (q->fields)
        selector_write(&b, q->fields);
    sha256_hex(b.p, b.len, out);
    return 0;
}

static const char *token_write(struct arena *a, const char *list, const char *const *names,
    size_t n, int64_t left)
{
    struct buf t AUTO_BUF = BUF_INIT, sum AUTO_BUF = BUF_INIT, out AUTO_BUF = BUF_INIT;
    char hex[SHA256_HEX];

    buf_printf(&t, "{\"Count\":%lld,\"List\":\"%.16s\",\"Names\":[", (long long)left, list);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(&t, ',');
        buf_add_jsons(&t, names[i]);
    }
    buf_printf(&sum, "%s%s", list, t.p);
    sha256_hex(sum.p, sum.len, hex);
    buf_printf(&t, "],\"Sum\":\"%.16s\",\"Version\":1}", hex);
    base64_encode(&out, t.p, t.len);
    return arena_strdup(a, out.p);
}

static int token_parse(struct arena *a, const char *token, const char *list, const char **names,
    size_t n, struct err *e)
{
    struct buf t AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_invalid(), all AUTO_JV = jv_invalid();
    const char *of;

    if (base64_decode(&t, token, strlen(token)) < 0 ||
        json_parse(t.p ? t.p : "", t.len, &v, NULL) < 0 || !(of = json_str(v, "List")))
        return err_set(e, FC_INVALID, "continue: not a token");
    if (strlen(of) != 16 || strncmp(of, list, 16) != 0)
        return err_set(e, FC_INVALID, "continue: the token of another list");
    all = json_get(v, "Names");
    for (size_t i = 0; i < n; i++) {
        jv name AUTO_JV = jv_get_kind(all) == JV_KIND_ARRAY ?
            jv_array_get(jv_copy(all), (int)i) : jv_invalid();

        if (jv_get_kind(name) != JV_KIND_STRING)
            return err_set(e, FC_INVALID, "continue: not a token");
        names[i] = arena_strdup(a, jv_string_value(name));
    }
    if (strcmp(token, token_write(a, list, names, n, json_int(v, "Count", -1))) != 0)
        return err_set(e, FC_INVALID, "continue: not a token that was given out");
    return 0;
}

/* --- resources -------------------------------------------------------------------------------- */

static struct res_query resources_of(const struct list_query *q)
{
    return (struct res_query){.org = q->org, .kind = q->kind, .labels = q->labels,
        .fields = q->fields, .now = q->now, .parent = q->parent, .shown = true};
}

/* What one resource needs, for the next one again. */
struct scratch {
    struct arena *a;
    struct buf id, text;
};

static void scratch_free(struct scratch *w)
{
    arena_free(w->a);
    buf_free(&w->id);
    buf_free(&w->text);
}

#define AUTO_SCRATCH __attribute__((cleanup(scratch_free)))

static int one_resource(struct store *s, const struct list_query *q, const struct res *r,
    struct scratch *w, list_each *each, void *ctx, struct err *e)
{
    arena_reset(w->a);
    buf_reset(&w->text);
    if (res_write(s, w->a, r, q->now, q->view, &w->text, e) < 0)
        return e->code == FC_NOTFOUND ? 0 : -1; /* deleted just now */
    buf_reset(&w->id);
    buf_adds(&w->id, r->kind->singular);
    buf_addc(&w->id, '/');
    buf_adds(&w->id, r->name);
    return each(ctx, w->id.p, w->text.p, w->text.len, e);
}

/* A page asks for one more than it shows, to know where the next begins. */
static int read_resources(struct store *s, struct arena *a, const struct list_query *q,
    const char *from, const char **next, list_each *each, void *ctx, struct device_counts *counts,
    struct err *e)
{
    struct scratch w AUTO_SCRATCH = {arena_new(), BUF_INIT, BUF_INIT};
    struct res_query l = resources_of(q);
    struct res_iter *it;
    struct res r;
    int64_t n = 0;
    int rc;

    l.from = from;
    l.limit = q->limit ? q->limit + 1 : 0;
    if (res_list(s, &l, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1) {
        if (q->limit && ++n > q->limit) {
            *next = arena_strdup(a, r.name);
            rc = 0;
            break;
        }
        if ((rc = one_resource(s, q, &r, &w, each, ctx, e)) < 0 ||
            (r.device && (rc = device_count_one(a, counts, r.device, q->now, e)) < 0))
            break;
    }
    res_list_end(it);
    return rc;
}

static int list_resources(struct store *s, struct arena *a, const struct list_query *q,
    const char *list, list_each *each, void *ctx, struct list_page *out, struct err *e)
{
    const char *from = NULL, *next = NULL;
    struct res_query l = resources_of(q);

    if (q->token && token_parse(a, q->token, list, &from, 1, e) < 0)
        return -1;
    if (read_resources(s, a, q, from, &next, each, ctx, &out->counts, e) < 0)
        return -1;
    if (!next)
        return 0;
    l.from = next;
    if ((out->remaining = res_count(s, &l, LIST_MAX + 1, e)) < 0)
        return -1;
    out->token = token_write(a, list, &next, 1, out->remaining);
    return 0;
}

/* Names that begin alike follow each other. */
static int list_prefix(struct store *s, const struct list_query *q, list_each *each, void *ctx,
    struct err *e)
{
    struct scratch w AUTO_SCRATCH = {arena_new(), BUF_INIT, BUF_INIT};
    struct res_query l = resources_of(q);
    size_t n = strlen(q->prefix);
    struct res_iter *it;
    struct res r;
    int rc;

    l.from = q->prefix;
    l.limit = q->limit;
    if (res_list(s, &l, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1 && strncmp(r.name, q->prefix, n) == 0 &&
        (rc = one_resource(s, q, &r, &w, each, ctx, e)) == 0)
        ;
    res_list_end(it);
    return rc < 0 ? -1 : 0;
}

/* --- events ----------------------------------------------------------------------------------- */

struct events {
    const struct list_query *q;
    list_each *each;
    void *ctx;
    int64_t n;
    bool more;
    int64_t next;
    struct buf text;
    int rc;
    struct err *e;
};

static int one_event(void *ctx, const struct event *ev)
{
    struct events *v = ctx;
    char id[8 + UUID_LEN];

    if (v->q->limit && ++v->n > v->q->limit) {
        v->more = true;
        v->next = ev->seq;
        return 1;
    }
    snprintf(id, sizeof id, "event/%s", ev->uid);
    buf_reset(&v->text);
    events_write(&v->text, ev);
    v->rc = v->each(v->ctx, id, v->text.p, v->text.len, v->e);
    return v->rc < 0;
}

static struct event_query events_of(const struct list_query *q)
{
    return (struct event_query){.org = q->org, .kind = q->of ? (int)q->of->id : 0,
        .name = q->of_name, .fields = q->fields, .oldest = q->oldest};
}

static int list_events(struct store *s, struct arena *a, const struct list_query *q,
    const char *list, list_each *each, void *ctx, struct list_page *out, struct err *e)
{
    struct events v = {.q = q, .each = each, .ctx = ctx, .e = e};
    struct event_query l = events_of(q);
    const char *from;
    int rc;

    if (q->token) {
        if (token_parse(a, q->token, list, &from, 1, e) < 0)
            return -1;
        if (num_parse(from, 1, INT64_MAX, &l.from, "continue", e) < 0)
            return err_set(e, FC_INVALID, "continue: not a token");
    }
    l.limit = q->limit ? q->limit + 1 : 0;
    rc = events_list(s, &l, one_event, &v, e);
    buf_free(&v.text);
    if (rc < 0 || v.rc < 0)
        return -1;
    if (!v.more)
        return 0;
    l.from = v.next;
    if ((out->remaining = events_count(s, &l, LIST_MAX + 1, e)) < 0)
        return -1;
    from = arena_printf(a, "%lld", (long long)v.next);
    out->token = token_write(a, list, &from, 1, out->remaining);
    return 0;
}

/* --- the past --------------------------------------------------------------------------------- */

struct past {
    list_each *each;
    void *ctx;
    struct buf text;
};

static int one_past(void *ctx, const char *id, jv doc, struct err *e)
{
    struct past *p = ctx;

    buf_reset(&p->text);
    json_canon(&p->text, doc);
    return p->each(p->ctx, id, p->text.p, p->text.len, e);
}

static int list_past(struct store *s, const struct list_query *q, list_each *each, void *ctx,
    struct list_page *out, struct err *e)
{
    struct past p = {each, ctx, BUF_INIT};
    int rc = history_past(s, q->kind, q->at, q->labels, q->fields, q->limit, one_past, &p,
        &out->lost, e);

    buf_free(&p.text);
    return rc;
}

/* --- all ------------------------------------------------------------------------------------ */

int list_read(struct store *s, struct arena *a, const struct list_query *q, list_each *each,
    void *ctx, struct list_page *out, struct err *e)
{
    char list[SHA256_HEX];

    *out = (struct list_page){0};
    if (q->at)
        return list_past(s, q, each, ctx, out, e);
    if (q->prefix)
        return list_prefix(s, q, each, ctx, e);
    if (digest(s, a, q, list, e) < 0)
        return -1;
    if ((q->kind->flags & KIND_LOG ? list_events : list_resources)(s, a, q, list, each, ctx, out,
        e) < 0)
        return -1;
    if (out->remaining > LIST_MAX)
        out->remaining = -1; /* exact or not at all */
    return 0;
}

int64_t list_count(struct store *s, const struct list_query *q, struct err *e)
{
    struct res_query l = resources_of(q);
    struct event_query v = events_of(q);
    int64_t n;

    if (q->kind->flags & KIND_LOG)
        return events_count(s, &v, 0, e);
    n = device_count_state(s, &l, e);
    return n == -2 ? res_count(s, &l, 0, e) : n;
}

/* --- states of devices ------------------------------------------------------------------------ */

static void write_counts(struct buf *b, const char *name, const struct device_counts *c,
    enum device_state which)
{
    const char *comma = "";

    buf_printf(b, "\"%s\":{", name);
    for (size_t i = 0; i < c->n[which]; i++) {
        if (c->state[which][i].n <= 0)
            continue;
        buf_adds(b, comma);
        buf_add_jsons(b, c->state[which][i].name);
        buf_printf(b, ":%lld", (long long)c->state[which][i].n);
        comma = ",";
    }
    buf_addc(b, '}');
}

void list_counts_write(struct buf *b, const struct device_counts *c)
{
    buf_addc(b, '{');
    write_counts(b, "applicationStatus", c, STATE_APPLICATIONS);
    buf_addc(b, ',');
    write_counts(b, "summaryStatus", c, STATE_SUMMARY);
    buf_printf(b, ",\"total\":%lld,", (long long)c->total);
    write_counts(b, "updateStatus", c, STATE_UPDATED);
    buf_addc(b, '}');
}

int list_summary(struct store *s, struct arena *a, const struct list_query *q, struct buf *b,
    struct err *e)
{
    struct device_counts c = {0};
    struct res_query l = resources_of(q);

    if (device_count(s, a, &l, &c, e) < 0)
        return -1;
    list_counts_write(b, &c);
    return 0;
}
