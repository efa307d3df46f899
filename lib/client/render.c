/* SPDX-License-Identifier: Apache-2.0 */
/* What devices would get, through an API: documents go there in parts of its size, and what comes
 * back is told as the functions of service/preview.h tell it. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/remote.h"
#include "client/span.h"

enum {
    PART = 100,             /* devices asked for at once */
    PART_BYTES = 512 << 10, /* of their documents: an API takes 1 MiB */
};

struct part {
    struct remote *r;
    const struct previews *p;
    jv list;           /* names or documents */
    const char *key;   /* what they are: "names", "devices"; NULL: by labels */
    int at;            /* in list: how many were answered */
    const char *selector;
    char *token;       /* by labels: the device to go on with, or NULL */
};

/* How many from `at` on go into one request. */
static int fitting(const struct part *m)
{
    int n = jv_array_length(jv_copy(m->list)), i = m->at;
    size_t bytes = 0;

    for (; i < n && i - m->at < PART; i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(m->list), i);
        struct buf b AUTO_BUF = BUF_INIT;

        json_canon(&b, item);
        bytes += b.len;
        if (i > m->at && bytes > PART_BYTES)
            break;
    }
    return i - m->at;
}

static void write_request(const struct part *m, int n, struct buf *b)
{
    const struct preview_options *how = m->p->how;
    jv body AUTO_JV = jv_object(), fleets = jv_array();

    if (m->key)
        json_set(&body, m->key, jv_array_slice(jv_copy(m->list), m->at, m->at + n));
    json_sets(&body, "labelSelector", m->selector);
    json_sets(&body, "continue", m->token);
    if (how->latest)
        json_set(&body, "latest", jv_true());
    for (size_t i = 0; i < how->noverlay; i++)
        fleets = jv_array_append(fleets, jv_copy(how->overlay[i]));
    if (how->noverlay)
        json_set(&body, "fleets", jv_copy(fleets));
    jv_free(fleets);
    json_canon(b, body);
}

static int one(const struct part *m, jv item, const char *want, struct err *e)
{
    const char *why = json_str(item, "invalid");
    jv doc AUTO_JV = json_get(item, "device");
    struct rendered out = {.spec = json_get(doc, "spec"), .origins = json_get(item, "origins")};
    struct err bad;
    int rc;

    if (why) {
        err_set(&bad, FC_INVALID, "%s", why);
        m->p->invalid(m->p->ctx, &bad);
        rc = 0;
    } else if (remote_check(kind_by_id(KIND_DEVICE), want, doc, e) < 0)
        rc = -1;
    else if (jv_get_kind(out.spec) != JV_KIND_OBJECT || jv_get_kind(out.origins) != JV_KIND_OBJECT)
        rc = err_set(e, FC_FAIL, "the API answered without a rendered spec");
    else
        rc = m->p->each(m->p->ctx, json_str(doc, "metadata.name"), doc, &out, e);
    rendered_free(&out);
    return rc;
}

/* The name that the i-th of the list has; NULL: none was named. */
static const char *name_at(const struct part *m, int i, jv *hold)
{
    const char *slash, *name;

    *hold = m->key ? jv_array_get(jv_copy(m->list), i) : jv_invalid();
    if (!m->key)
        return NULL;
    if (jv_get_kind(*hold) != JV_KIND_STRING)
        return json_str(*hold, "metadata.name");
    name = jv_string_value(*hold);
    slash = strchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Tells of an answer to a request for n devices. *more: there is another part. */
static int take(struct part *m, const struct remote_answer *got, int n, bool *more, struct err *e)
{
    const char *kind = json_str(got->doc, "kind"), *token = json_str(got->doc, "metadata.continue");
    jv items AUTO_JV = json_get(got->doc, "items");
    bool wrong = !kind || strcmp(kind, "RenderList") || jv_get_kind(items) != JV_KIND_ARRAY;
    int count = wrong ? 0 : jv_array_length(jv_copy(items));

    if (wrong || (m->key ? count == 0 || count > n : token && (count == 0 ||
        (m->token && !strcmp(token, m->token)))))
        return err_set(e, FC_FAIL, "the API answered with what is no rendering");
    for (int i = 0; i < count; i++) {
        jv item AUTO_JV = jv_array_get(jv_copy(items), i), hold AUTO_JV = jv_invalid();

        if (one(m, item, name_at(m, m->at + i, &hold), e) < 0)
            return -1;
    }
    m->at += count;
    free(m->token);
    m->token = token ? xstrdup(token) : NULL;
    *more = m->key ? m->at < jv_array_length(jv_copy(m->list)) : m->token != NULL;
    return 0;
}

static int run(struct part *m, struct err *e)
{
    bool more = !m->key || jv_array_length(jv_copy(m->list)) > 0;
    int rc = 0;

    while (rc == 0 && more) {
        struct remote_request ask = {.method = "POST"};
        struct remote_answer got;
        int n = m->key ? fitting(m) : 0;

        buf_adds(&ask.path, "/render");
        write_request(m, n, &ask.body);
        rc = remote_ask(m->r, &ask, &got, NULL, e);
        if (rc == 0)
            rc = take(m, &got, n, &more, e);
        remote_request_free(&ask);
        remote_answer_free(&got);
    }
    free(m->token);
    jv_free(m->list);
    return rc;
}

int remote_preview_named(struct remote *r, const struct previews *p, int argc, char **argv,
    struct err *e)
{
    struct part m = {.r = r, .p = p, .list = jv_array(), .key = "names"};
    struct err bad = {FC_OK, ""};
    int rc;

    for (int i = 0; i < argc && bad.code == FC_OK; i++) {
        const char *name = target_name(kind_by_id(KIND_DEVICE), argv[i], &bad);

        if (name)
            m.list = jv_array_append(m.list, jv_string(name));
    }
    rc = run(&m, e);
    if (rc == 0 && bad.code != FC_OK) { /* after those before it, as on a store */
        *e = bad;
        rc = -1;
    }
    return rc;
}

int remote_preview_selected(struct remote *r, const struct previews *p, const char *selector,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct part m = {.r = r, .p = p, .list = jv_invalid(), .selector = selector};
    struct selector sel;

    if (selector && target_selector(a, kind_by_id(KIND_DEVICE), selector, &sel, e) < 0)
        return -1;
    return run(&m, e);
}

int remote_preview_docs(struct remote *r, const struct previews *p, const struct docs *docs,
    struct err *e)
{
    struct part m = {.r = r, .p = p, .list = jv_array(), .key = "devices"};

    if (preview_check(docs, e) < 0) {
        jv_free(m.list);
        return -1;
    }
    for (size_t i = 0; i < docs->n; i++)
        m.list = jv_array_append(m.list, jv_copy(docs->doc[i].v));
    return run(&m, e);
}

int remote_preview_compare(struct remote *r, const char *name, jv spec, bool colour,
    struct buf *out, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_DEVICE);
    struct remote_request ask = {.method = "GET"};
    struct remote_answer got;
    struct buf from AUTO_BUF = BUF_INIT;
    int64_t version = 0;
    int rc;

    remote_path(&ask.path, k, NULL, name);
    remote_arg(&ask.path, "view", "rendered");
    rc = remote_ask(r, &ask, &got, NULL, e);
    remote_request_free(&ask);
    if (rc == 0 && (rc = remote_check(k, name, got.doc, e)) == 0 && !strstr(got.result, "rendered"))
        rc = err_set(e, FC_USAGE, "this API does not show rendered specs");
    if (rc == 0) {
        jv notes AUTO_JV = json_at(got.doc, "metadata.annotations"), now AUTO_JV = json_get(got.doc,
            "spec"), number AUTO_JV = json_get(notes, "device-controller/renderedVersion");

        if (jv_get_kind(number) == JV_KIND_STRING &&
            num_parse(jv_string_value(number), 1, INT64_MAX, &version, "version", NULL) == 0)
            json_canon(&from, now);
        rc = preview_diff(name, version, from.p, spec, colour, out, e);
    }
    remote_answer_free(&got);
    return rc;
}
