/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: one resource, lists in pages, counts. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/remote.h"
#include "client/span.h"

static const char no_past[] = "--at works on a store of its own, not through an API";
static const char no_prefix[] = "--prefix works on a store of its own, not through an API";

/* --- one -------------------------------------------------------------------------------------- */

/* Views beyond the contract. A server that does not know them leaves lastSeen out, but must not
 * pass a spec for another. */
static void add_views(struct buf *path, const struct kind *k, unsigned view)
{
    if (k->id == KIND_DEVICE && view)
        remote_arg(path, "view", view == (VIEW_SEEN | VIEW_RENDERED) ? "lastSeen,rendered" :
            view & VIEW_SEEN ? "lastSeen" : "rendered");
}

static int check_views(const struct kind *k, unsigned view, const struct remote_answer *a,
    struct err *e)
{
    if (k->id != KIND_DEVICE || !(view & VIEW_RENDERED) || strstr(a->result, "rendered"))
        return 0;
    return err_set(e, FC_USAGE, "this API does not know --rendered");
}

int remote_one(struct remote *r, struct arena *a, const struct list_query *q,
    const struct target *t, list_each *each, void *ctx, struct err *e)
{
    const char *name = list_name(a, q, t, e);
    struct remote_request ask = {.method = "GET"};
    struct remote_answer got = REMOTE_ANSWER;
    struct buf text AUTO_BUF = BUF_INIT;
    int rc = -1;

    if (!name)
        return -1;
    if (q->at)
        return err_set(e, FC_USAGE, "%s", no_past);
    remote_path(&ask.path, t->kind, NULL, name);
    add_views(&ask.path, t->kind, q->view);
    if (remote_ask(r, &ask, &got, NULL, e) < 0) {
        if (e->code == FC_NOTFOUND)
            target_missing(t->kind, name, e);
    } else if (remote_check(t->kind, name, got.doc, e) == 0 &&
        check_views(t->kind, q->view, &got, e) == 0) {
        span_compact(&text, (struct span){got.text.p, got.text.len});
        rc = each(ctx, arena_printf(a, "%s/%s", t->kind->singular, name), text.p, text.len, e);
    }
    remote_answer_free(&got);
    remote_request_free(&ask);
    return rc;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* A list on its way. */
struct pages {
    struct remote *r;
    const struct list_query *q;
    const char *parent;  /* whose template versions, or NULL */
    int64_t page;        /* resources asked for at once */
    int64_t left;        /* of the limit; -1: no limit */
    char *token;         /* of the next page, or NULL */
    int64_t remaining;   /* after it; -1: not said */
    int (*item)(void *ctx, const char *id, jv doc, struct span text, struct err *e);
    void *ctx;
};

static void add_selectors(struct buf *path, const struct list_query *q)
{
    struct buf labels AUTO_BUF = BUF_INIT, fields AUTO_BUF = BUF_INIT;

    if (q->labels)
        selector_write(&labels, q->labels);
    if (q->fields)
        selector_write(&fields, q->fields);
    if (q->of)
        buf_printf(&fields, "%sinvolvedObject.kind=%s,involvedObject.name=%s",
            fields.len ? "," : "", q->of->name, q->of_name);
    remote_arg(path, "labelSelector", labels.p);
    remote_arg(path, "fieldSelector", fields.p);
}

static int one_item(struct pages *p, jv item, struct span text, struct err *e)
{
    const struct kind *k = p->q->kind;
    char *id AUTO_FREE = NULL;

    if (remote_check(k, NULL, item, e) < 0)
        return -1;
    id = xasprintf("%s/%s%s%s", k->singular, p->parent ? p->parent : "", p->parent ? "/" : "",
        json_str(item, "metadata.name"));
    return p->item(p->ctx, id, item, text, e);
}

/* Takes a page's documents and where the next one begins. */
static int take_page(struct pages *p, const struct remote_answer *got, struct err *e)
{
    jv list = got->doc;
    struct span items_text, text;
    char *kind AUTO_FREE = xasprintf("%sList", p->q->kind->name), *before = p->token;
    const char *is = json_str(list, "kind"), *token = json_str(list, "metadata.continue");
    jv items AUTO_JV = json_get(list, "items");
    int n, rc = 0;

    if (!is || strcmp(is, kind) || jv_get_kind(items) != JV_KIND_ARRAY ||
        !span_member((struct span){got->text.p, got->text.len}, "items", &items_text))
        return err_set(e, FC_FAIL, "the API answered with a document that is no %s", kind);
    n = jv_array_length(jv_copy(items));
    if (n > p->page || (token && *token && (n == 0 || (before && !strcmp(before, token)))))
        return err_set(e, FC_FAIL, "the API answered with a list that was not asked for");
    for (int i = 0; i < n && rc == 0 && span_element(&items_text, &text); i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(items), i);

        rc = one_item(p, item, text, e);
    }
    if (p->left > 0)
        p->left -= n;
    p->token = token && *token ? xstrdup(token) : NULL;
    p->remaining = json_int(list, "metadata.remainingItemCount", -1);
    free(before);
    return rc;
}

static int ask_page(struct pages *p, struct remote_answer *got, bool *too_large, struct err *e)
{
    const struct list_query *q = p->q;
    struct remote_request ask = {.method = "GET"};
    char number[24];
    int rc;

    remote_path(&ask.path, q->kind, p->parent, NULL);
    snprintf(number, sizeof number, "%lld", (long long)p->page);
    remote_arg(&ask.path, "limit", number);
    remote_arg(&ask.path, "continue", p->token);
    add_selectors(&ask.path, q);
    if (q->oldest)
        remote_arg(&ask.path, "order", "asc");
    add_views(&ask.path, q->kind, q->view);
    rc = remote_ask(p->r, &ask, got, too_large, e);
    remote_request_free(&ask);
    return rc == 0 ? check_views(q->kind, q->view, got, e) : -1;
}

/* All pages, up to the limit. A page that is too large is asked for again in smaller ones. */
static int read_pages(struct pages *p, struct err *e)
{
    bool more = true;
    int rc = 0;

    for (p->page = REMOTE_PAGE; rc == 0 && more;) {
        struct remote_answer got = REMOTE_ANSWER;
        bool too_large = false;

        if (p->left >= 0 && p->page > p->left)
            p->page = p->left;
        rc = ask_page(p, &got, &too_large, e);
        if (rc < 0 && too_large && p->page > 1) {
            p->page = p->page > 8 ? p->page / 8 : 1;
            rc = 0;
            remote_answer_free(&got);
            continue;
        }
        if (rc == 0)
            rc = take_page(p, &got, e);
        remote_answer_free(&got);
        more = p->token && p->left != 0;
    }
    return rc < 0 && e->code == FC_NOTFOUND && p->parent ? 0 : rc; /* no fleet, no versions */
}

/* --- template versions of all fleets ---------------------------------------------------------- */

struct names {
    char **v; /* "shops/": a template version's name begins with it */
    size_t n;
};

static int add_name(void *ctx, const char *id, jv doc, struct span text, struct err *e)
{
    struct names *l = ctx;

    (void)id;
    (void)text;
    (void)e;
    l->v = xreallocarray(l->v, l->n + 1, sizeof *l->v);
    l->v[l->n++] = xasprintf("%s/", json_str(doc, "metadata.name"));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their names, as a store has it. */
static int read_children(struct pages *p, struct err *e)
{
    struct list_query all = {.kind = kind_by_id(KIND_FLEET)};
    struct names l = {0};
    struct pages fleets = {.r = p->r, .q = &all, .left = -1, .item = add_name, .ctx = &l};
    int rc = read_pages(&fleets, e);

    qsort(l.v, l.n, sizeof *l.v, by_name);
    for (size_t i = 0; i < l.n; i++) {
        l.v[i][strlen(l.v[i]) - 1] = '\0';
        p->parent = l.v[i];
        if (rc == 0 && p->left != 0) {
            free(p->token);
            p->token = NULL;
            rc = read_pages(p, e);
        }
        free(l.v[i]);
    }
    free(l.v);
    free(fleets.token);
    return rc;
}

/* --- lists ------------------------------------------------------------------------------------ */

struct texts {
    list_each *each;
    void *ctx;
    struct buf text;
};

static int show(void *ctx, const char *id, jv doc, struct span text, struct err *e)
{
    struct texts *t = ctx;

    (void)doc;
    buf_reset(&t->text);
    span_compact(&t->text, text);
    return t->each(t->ctx, id, t->text.p, t->text.len, e);
}

int remote_list(struct remote *r, struct arena *a, const struct list_query *q, list_each *each,
    void *ctx, struct list_page *out, struct err *e)
{
    struct texts t = {each, ctx, BUF_INIT};
    struct pages p = {.r = r, .q = q, .parent = q->parent, .left = q->limit ? q->limit : -1,
        .token = q->token ? xstrdup(q->token) : NULL, .item = show, .ctx = &t};
    bool children = q->kind->flags & KIND_CHILD && !q->parent;
    int rc;

    *out = (struct list_page){0};
    if (q->at || q->prefix || (children && q->token))
        rc = err_set(e, FC_USAGE, "%s", q->at ? no_past : q->prefix ? no_prefix :
            "--continue goes with --fleet through an API");
    else if (q->of && !is_dns_subdomain(q->of_name))
        rc = 0; /* nothing has such a name */
    else
        rc = children ? read_children(&p, e) : read_pages(&p, e);
    if (rc == 0 && p.token && !children) {
        out->token = arena_strdup(a, p.token);
        out->remaining = p.remaining;
    }
    free(p.token);
    buf_free(&t.text);
    return rc;
}

static int count(void *ctx, const char *id, jv doc, struct span text, struct err *e)
{
    int64_t *n = ctx;

    (void)id;
    (void)text;
    (void)doc;
    (void)e;
    ++*n;
    return 0;
}

/* What the API says about devices alone: how many are in which state. */
static int ask_summary(struct remote *r, const struct list_query *q, jv *summary, struct err *e)
{
    struct remote_request ask = {.method = "GET"};
    struct remote_answer got;
    int rc;

    remote_path(&ask.path, q->kind, NULL, NULL);
    remote_arg(&ask.path, "summaryOnly", "true");
    add_selectors(&ask.path, q);
    rc = remote_ask(r, &ask, &got, NULL, e);
    remote_request_free(&ask);
    *summary = json_get(got.doc, "summary");
    remote_answer_free(&got);
    if (rc == 0 && json_int(*summary, "total", -1) < 0)
        return err_set(e, FC_FAIL, "the API answered without a summary");
    return rc;
}

int64_t remote_count(struct remote *r, const struct list_query *q, struct err *e)
{
    int64_t n = 0;
    struct pages p = {.r = r, .q = q, .parent = q->parent, .left = -1, .item = count, .ctx = &n};
    bool children = q->kind->flags & KIND_CHILD && !q->parent;
    int rc;

    if (q->kind->id == KIND_DEVICE) {
        jv summary AUTO_JV = jv_invalid();

        return ask_summary(r, q, &summary, e) < 0 ? -1 : json_int(summary, "total", 0);
    }
    if (q->of && !is_dns_subdomain(q->of_name))
        return 0;
    rc = children ? read_children(&p, e) : read_pages(&p, e);
    free(p.token);
    return rc < 0 ? -1 : n;
}

int remote_summary(struct remote *r, const struct list_query *q, struct buf *b, struct err *e)
{
    jv summary AUTO_JV = jv_invalid();

    if (ask_summary(r, q, &summary, e) < 0)
        return -1;
    json_canon(b, summary);
    return 0;
}

struct selected {
    struct targets *t;
    struct arena *a;
    const struct kind *kind;
};

static int add_target(void *ctx, const char *id, jv doc, struct span text, struct err *e)
{
    struct selected *s = ctx;

    (void)doc;
    (void)text;
    (void)e;
    targets_add(s->t, s->kind, arena_strdup(s->a, strchr(id, '/') + 1));
    return 0;
}

int remote_select(struct remote *r, struct targets *t, struct arena *a, const struct kind *k,
    const struct selector *sel, struct err *e)
{
    struct list_query q = {.kind = k, .labels = sel};
    struct selected s = {t, a, k};
    struct pages p = {.r = r, .q = &q, .left = -1, .item = add_target, .ctx = &s};
    int rc = read_pages(&p, e);

    free(p.token);
    return rc;
}

/* --- labels ----------------------------------------------------------------------------------- */

int remote_labels(struct remote *r, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e)
{
    struct list_query selectors = {.labels = q->labels, .fields = q->fields};
    struct remote_request ask = {.method = "GET"};
    struct remote_answer got;
    char number[24];
    int n, rc;

    snprintf(number, sizeof number, "%d", q->limit && q->limit < LIST_MAX ? (int)q->limit :
        LIST_MAX);
    buf_printf(&ask.path, "/labels?kind=%s&limit=%s", q->kind->name, number);
    add_selectors(&ask.path, &selectors);
    rc = remote_ask(r, &ask, &got, NULL, e);
    remote_request_free(&ask);
    if (rc == 0 && jv_get_kind(got.doc) != JV_KIND_ARRAY)
        rc = err_set(e, FC_FAIL, "the API answered with a document that is no list of labels");
    n = rc == 0 ? jv_array_length(jv_copy(got.doc)) : 0;
    for (int i = 0; i < n && rc == 0; i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(got.doc), i);
        const char *text = jv_get_kind(item) == JV_KIND_STRING ? jv_string_value(item) : "";
        const char *eq = strchr(text, '=');
        char *key AUTO_FREE = xstrndup(text, eq ? (size_t)(eq - text) : 0);

        rc = eq && is_label_key(key) && is_label_value(eq + 1) ? each(ctx, key, eq + 1, e) :
            err_set(e, FC_FAIL, "the API answered with a label that is none");
    }
    remote_answer_free(&got);
    if (rc == 0 && n == LIST_MAX && q->limit != LIST_MAX)
        log_warn("an API shows no more than %d labels: there may be others", LIST_MAX);
    return rc;
}
