/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and single resources for people. */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/text.h"
#include "store/labels.h"

/* The token of the next page: where it begins and how many are left. */
static void continue_token(struct buf *out, const char *name, int64_t left)
{
    struct buf t AUTO_BUF = BUF_INIT;

    buf_adds(&t, "{\"Version\":1,\"Names\":[");
    buf_add_jsons(&t, name);
    buf_printf(&t, "],\"Count\":%lld}", (long long)left);
    base64_encode(out, t.p, t.len);
}

static int parse_token(struct call *c, const char *token, const char **from, struct err *e)
{
    struct buf t AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_invalid(), names AUTO_JV = jv_invalid(), first AUTO_JV = jv_invalid();

    if (base64_decode(&t, token, strlen(token)) < 0 || json_parse(t.p ? t.p : "", t.len, &v, NULL) < 0)
        return err_set(e, FC_INVALID, "continue: not a token of this server");
    names = json_get(v, "Names");
    if (jv_get_kind(names) == JV_KIND_ARRAY)
        first = jv_array_get(jv_copy(names), 0);
    if (jv_get_kind(first) != JV_KIND_STRING)
        return err_set(e, FC_INVALID, "continue: not a token of this server");
    *from = arena_strdup(c->a, jv_string_value(first));
    return 0;
}

static int parse_query(struct call *c, struct res_query *q, struct selector *sel, struct err *e)
{
    const char *limit, *token, *labels, *fields, *summary;
    int64_t n = 0;

    if (query_get(c, "limit", &limit, e) < 0 || query_get(c, "continue", &token, e) < 0 ||
        query_get(c, "labelSelector", &labels, e) < 0 ||
        query_get(c, "fieldSelector", &fields, e) < 0 ||
        query_get(c, "summaryOnly", &summary, e) < 0)
        return -1;
    if (fields && *fields)
        return err_set(e, FC_INVALID, "fieldSelector: this server selects by labels only");
    if (summary && strcmp(summary, "true") == 0)
        return err_set(e, FC_INVALID, "summaryOnly: this server gives no summaries");
    if (limit && num_parse(limit, 0, LIST_MAX, &n, "limit", e) < 0)
        return -1;
    q->limit = n ? n : LIST_MAX;
    if (token && *token && parse_token(c, token, &q->from, e) < 0)
        return -1;
    if (labels && *labels) {
        if (selector_parse(c->a, labels, sel, e) < 0)
            return err_wrap(e, "labelSelector");
        q->labels = sel;
    }
    return 0;
}

/* Pages are by name; a page asks for one more than it shows, to know where the next begins. */
static int list(struct call *c, enum kind_id kind, const char *parent, struct err *e)
{
    struct res_query q = {.org = c->id->org, .kind = kind_by_id(kind), .parent = parent};
    struct buf *b = &c->r->body, token AUTO_BUF = BUF_INIT, items AUTO_BUF = BUF_INIT;
    const char *next = NULL;
    struct res_iter *it;
    struct selector sel;
    struct res r;
    int64_t n = 0, left = 0;
    size_t end;
    int rc;

    if (parse_query(c, &q, &sel, e) < 0)
        return -1;
    q.limit++;
    if (res_list(c->s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1) {
        if (++n == q.limit) {
            next = arena_strdup(c->a, r.name);
            break;
        }
        end = items.len;
        if (end)
            buf_addc(&items, ',');
        if (res_write(c->s, c->a, &r, c->now, 0, &items, e) < 0) {
            if (e->code != FC_NOTFOUND) {
                rc = -1;
                break;
            }
            items.len = end; /* deleted just now */
            if (end)
                items.p[end] = '\0';
        }
    }
    res_list_end(it);
    if (rc < 0)
        return -1;
    if (next) {
        q.from = next;
        q.limit = 0;
        if ((left = res_count(c->s, &q, LIST_MAX + 1, e)) < 0)
            return -1;
        continue_token(&token, next, left);
    }
    c->r->status = 200;
    buf_printf(b, "{\"apiVersion\":\"" API_VERSION "\",\"items\":[%s],\"kind\":\"%sList\","
        "\"metadata\":{", items.p ? items.p : "", q.kind->name);
    if (next)
        buf_printf(b, "\"continue\":\"%s\"", token.p);
    if (next && left <= LIST_MAX) /* exact or not at all */
        buf_printf(b, ",\"remainingItemCount\":%lld", (long long)left);
    buf_adds(b, "}}");
    return HANDLED;
}

int list_devices(struct call *c, struct err *e)
{
    return list(c, KIND_DEVICE, NULL, e);
}

int list_fleets(struct call *c, struct err *e)
{
    return list(c, KIND_FLEET, NULL, e);
}

int list_enrollments(struct call *c, struct err *e)
{
    return list(c, KIND_ENROLLMENTREQUEST, NULL, e);
}

static int add_label(void *ctx, const char *key, const char *value, struct err *e)
{
    struct buf *b = ctx;
    char *text AUTO_FREE = xasprintf("%s=%s", key, value);

    (void)e;
    if (b->p[b->len - 1] != '[')
        buf_addc(b, ',');
    buf_add_jsons(b, text);
    return 0;
}

int list_labels(struct call *c, struct err *e)
{
    struct label_query q = {.org = c->id->org, .kind = kind_by_id(KIND_DEVICE), .limit = LIST_MAX};
    const char *kind, *limit, *labels;
    struct selector sel;
    int64_t n = 0;

    if (query_get(c, "kind", &kind, e) < 0 || query_get(c, "limit", &limit, e) < 0 ||
        query_get(c, "labelSelector", &labels, e) < 0 ||
        query_get(c, "fieldSelector", &q.fields, e) < 0)
        return -1;
    if (!kind || strcmp(kind, "Device") != 0)
        return err_set(e, FC_INVALID, "kind: must be Device");
    if (limit && num_parse(limit, 0, LIST_MAX, &n, "limit", e) < 0)
        return -1;
    if (n)
        q.limit = n;
    if (labels && *labels) {
        if (selector_parse(c->a, labels, &sel, e) < 0)
            return err_wrap(e, "labelSelector");
        q.labels = &sel;
    }
    c->r->status = 200;
    buf_addc(&c->r->body, '[');
    if (labels_list(c->s, &q, add_label, &c->r->body, e) < 0)
        return -1;
    buf_addc(&c->r->body, ']');
    return HANDLED;
}

static int one(struct call *c, enum kind_id kind, const char *name, struct res *r, struct err *e)
{
    const struct kind *k = kind_by_id(kind);
    int rc = res_get(c->s, c->a, c->id->org, k, name, r, e);

    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "%s of name \"%s\" not found", k->name, name);
    return rc < 0 ? -1 : 0;
}

int get_fleet(struct call *c, struct err *e)
{
    struct res r;

    return one(c, KIND_FLEET, c->arg[0], &r, e) < 0 ? -1 : answer_resource(c, 200, &r, 0, e);
}

int list_versions(struct call *c, struct err *e)
{
    struct res r;

    return one(c, KIND_FLEET, c->arg[0], &r, e) < 0 ? -1 :
        list(c, KIND_TEMPLATEVERSION, c->arg[0], e);
}

int get_version_of(struct call *c, struct err *e)
{
    const char *name = arena_printf(c->a, "%s/%s", c->arg[0], c->arg[1]);
    struct res r;

    return one(c, KIND_TEMPLATEVERSION, name, &r, e) < 0 ? -1 : answer_resource(c, 200, &r, 0, e);
}

int get_version(struct call *c, struct err *e)
{
    (void)e;
    c->r->status = 200;
    buf_adds(&c->r->body, "{\"version\":\"" FC_VERSION "\"}");
    return HANDLED;
}
