/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and single resources for people. */
#include <string.h>

#include "api/core.h"
#include "base/text.h"
#include "service/list.h"
#include "store/labels.h"

#define DIGITS "0123456789"

static int is_true(const char *name, const char *text, bool *out, struct err *e)
{
    *out = text && strcmp(text, "true") == 0;
    return text && !*out && strcmp(text, "false") != 0 ?
        err_set(e, FC_INVALID, "%s: must be true or false", name) : 0;
}

static int parse_order(const char *order, struct list_query *q, struct err *e)
{
    q->oldest = order && strcmp(order, "asc") == 0;
    return order && !q->oldest && strcmp(order, "desc") != 0 ?
        err_set(e, FC_INVALID, "order: must be asc or desc") : 0;
}

int view_get(struct call *c, unsigned *view, struct err *e)
{
    const char *text;

    *view = 0;
    if (query_get(c, "view", &text, e) < 0)
        return -1;
    for (const char *p = text ? text : ""; *p;) {
        size_t n = strcspn(p, ",");

        if (n == 8 && !strncmp(p, "lastSeen", n))
            *view |= VIEW_SEEN;
        else if (n == 8 && !strncmp(p, "rendered", n))
            *view |= VIEW_RENDERED;
        else
            return err_set(e, FC_INVALID, "view: must be lastSeen, rendered or both");
        p += n;
        p += *p == ',';
    }
    if (*view)
        answer_result(c, *view == VIEW_SEEN ? "lastSeen" : *view == VIEW_RENDERED ? "rendered" :
            "lastSeen,rendered");
    return 0;
}

/* What a device list can be narrowed to in the contract, and nothing knows here. */
static int no_cves(struct call *c, struct err *e)
{
    const char *cve, *digits;

    if (query_get(c, "cveId", &cve, e) < 0)
        return -1;
    if (!cve || c->kind->id != KIND_DEVICE)
        return 0;
    digits = strncmp(cve, "CVE-", 4) == 0 && strspn(cve + 4, DIGITS) == 4 && cve[8] == '-' ?
        cve + 9 : "";
    if (strlen(cve) > 64 || strspn(digits, DIGITS) < 4 || digits[strspn(digits, DIGITS)])
        return err_set(e, FC_INVALID, "cveId: must be like CVE-2024-12345");
    return 1;
}

static int parse_query(struct call *c, struct list_query *q, bool *summary, struct err *e)
{
    const char *limit, *token, *labels, *fields, *only, *order;
    int64_t n = 0;

    if (query_get(c, "limit", &limit, e) < 0 || query_get(c, "continue", &token, e) < 0 ||
        query_get(c, "labelSelector", &labels, e) < 0 ||
        query_get(c, "fieldSelector", &fields, e) < 0 ||
        query_get(c, "summaryOnly", &only, e) < 0 || query_get(c, "order", &order, e) < 0)
        return -1;
    if (limit && num_parse(limit, 0, LIST_MAX, &n, "limit", e) < 0)
        return -1;
    q->token = token && *token ? token : NULL;
    if (is_true("summaryOnly", q->kind->id == KIND_DEVICE ? only : NULL, summary, e) < 0 ||
        parse_order(q->kind->flags & KIND_LOG ? order : NULL, q, e) < 0)
        return -1;
    if (*summary && (n || q->token))
        return err_set(e, FC_INVALID, "summaryOnly: goes without limit and continue");
    q->limit = n || *summary ? n : LIST_MAX;
    if (labels && *labels && !(q->kind->flags & KIND_LABELS))
        return err_set(e, FC_INVALID, "labelSelector: %s have no labels", q->kind->plural);
    if (list_labels_parse(c->a, q->kind, labels, &q->labels, e) < 0)
        return err_wrap(e, "labelSelector");
    if (list_fields_parse(c->a, q->kind, fields, &q->fields, e) < 0)
        return err_wrap(e, "fieldSelector");
    return 0;
}

/* Fleets may come with the states of their devices. */
static int wants_counts(struct call *c, bool *counts, struct err *e)
{
    const char *text;

    if (query_get(c, "addDevicesSummary", &text, e) < 0)
        return -1;
    return is_true("addDevicesSummary", c->kind->id == KIND_FLEET ? text : NULL, counts, e);
}

/* A fleet's document again, with what its status (its last member) is to have beside. */
static int add_counted(struct call *c, const char *json, size_t n, struct buf *b, struct err *e)
{
    struct list_query q = {.kind = kind_by_id(KIND_DEVICE), .org = c->org, .now = c->now};
    jv fleet AUTO_JV = jv_parse_sized(json, (int)n), selector AUTO_JV = jv_invalid();
    struct selector picked;

    selector = json_at(fleet, "spec.selector");
    if (selector_from_json(c->a, selector, &picked, e) < 0)
        return -1;
    q.labels = &picked;
    if (!json_has(fleet, "status")) {
        buf_add(b, json, n);
        return 0;
    }
    buf_add(b, json, n - 2);
    buf_adds(b, ",\"devicesSummary\":");
    if (list_summary(c->s, c->a, &q, b, e) < 0)
        return -1;
    buf_adds(b, "}}");
    return 0;
}

int get_fleet(struct call *c, struct err *e)
{
    struct buf doc AUTO_BUF = BUF_INIT;
    struct res r;
    bool counts;

    if (wants_counts(c, &counts, e) < 0 || find_resource(c, c->arg[0], &r, e) < 0)
        return -1;
    if (!counts)
        return answer_resource(c, 200, &r, 0, e);
    c->r->status = 200;
    return res_write(c->s, c->a, &r, c->now, 0, &doc, e) < 0 ? -1 :
        add_counted(c, doc.p, doc.len, &c->r->body, e);
}

struct items {
    struct call *c;
    struct buf *b;
    bool counts;
};

static int add_item(void *ctx, const char *id, const char *json, size_t n, struct err *e)
{
    struct items *i = ctx;

    (void)id;
    if (i->b->p[i->b->len - 1] != '[')
        buf_addc(i->b, ',');
    if (i->counts)
        return add_counted(i->c, json, n, i->b, e);
    buf_add(i->b, json, n);
    return 0;
}

static int list(struct call *c, const char *parent, struct err *e)
{
    struct list_query q = {.kind = c->kind, .org = c->org, .now = c->now, .parent = parent};
    struct buf *b = &c->r->body;
    struct items items = {c, b, false};
    struct list_page page = {0};
    bool summary;
    int rc;

    if (parse_query(c, &q, &summary, e) < 0 || wants_counts(c, &items.counts, e) < 0 ||
        (c->kind->id == KIND_DEVICE && view_get(c, &q.view, e) < 0) || (rc = no_cves(c, e)) < 0)
        return -1;
    if (rc)
        return refuse(c, 501, "cveId: vulnerabilities are not looked for here"), HANDLED;
    if (c->api->turns && db_hold(c->s->db, e) < 0) /* rows and numbers of one moment */
        return -1;
    buf_adds(b, "{\"apiVersion\":\"" API_VERSION "\",\"items\":[");
    if (!summary && list_read(c->s, c->a, &q, add_item, &items, &page, e) < 0)
        return -1;
    buf_printf(b, "],\"kind\":\"%sList\",\"metadata\":{", c->kind->name);
    if (page.token)
        buf_printf(b, "\"continue\":\"%s\"", page.token);
    if (page.token && page.remaining >= 0) /* exact or not at all */
        buf_printf(b, ",\"remainingItemCount\":%lld", (long long)page.remaining);
    buf_addc(b, '}');
    if (c->kind->id == KIND_DEVICE) {
        buf_adds(b, ",\"summary\":");
        if (!summary)
            list_counts_write(b, &page.counts);
        else if (list_summary(c->s, c->a, &q, b, e) < 0)
            return -1;
    }
    buf_addc(b, '}');
    c->r->status = 200;
    return HANDLED;
}

int list_resources(struct call *c, struct err *e)
{
    return list(c, NULL, e);
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
    struct label_query q = {.org = c->org, .kind = kind_by_id(KIND_DEVICE), .limit = LIST_MAX};
    const char *kind, *limit, *labels, *fields;
    int64_t n = 0;

    if (query_get(c, "kind", &kind, e) < 0 || query_get(c, "limit", &limit, e) < 0 ||
        query_get(c, "labelSelector", &labels, e) < 0 ||
        query_get(c, "fieldSelector", &fields, e) < 0)
        return -1;
    if (!kind || strcmp(kind, "Device") != 0)
        return err_set(e, FC_INVALID, "kind: must be Device");
    if (limit && num_parse(limit, 0, LIST_MAX, &n, "limit", e) < 0)
        return -1;
    if (n)
        q.limit = n;
    if (list_labels_parse(c->a, q.kind, labels, &q.labels, e) < 0)
        return err_wrap(e, "labelSelector");
    if (list_fields_parse(c->a, kind_by_id(KIND_LABEL), fields, &q.fields, e) < 0)
        return err_wrap(e, "fieldSelector");
    c->r->status = 200;
    buf_addc(&c->r->body, '[');
    if (labels_list(c->s, &q, add_label, &c->r->body, e) < 0)
        return -1;
    buf_addc(&c->r->body, ']');
    return HANDLED;
}

int list_versions(struct call *c, struct err *e)
{
    struct res r;
    int rc = res_get(c->s, c->a, c->org, kind_by_id(KIND_FLEET), c->arg[0], &r, e);

    if (rc == 0)
        return target_missing(kind_by_id(KIND_FLEET), c->arg[0], e);
    return rc < 0 ? -1 : list(c, c->arg[0], e);
}

int get_version_of(struct call *c, struct err *e)
{
    const char *name = arena_printf(c->a, "%s/%s", c->arg[0], c->arg[1]);
    struct res r;

    return find_resource(c, name, &r, e) < 0 ? -1 : answer_resource(c, 200, &r, 0, e);
}

int delete_version_of(struct call *c, struct err *e)
{
    const char *name = arena_printf(c->a, "%s/%s", c->arg[0], c->arg[1]);

    return change_delete(c->s, c->a, c->org, c->kind, name, &c->actor, e) < 0 ? -1 :
        answer_success(c);
}
