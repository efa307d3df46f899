/* SPDX-License-Identifier: Apache-2.0 */
/* One request to an API: what is sent, what its answer means, when it is tried again. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "client/wire.h"
#include "net/status.h"

enum {
    FIRST_WAIT = 250, /* ms before the second try; twice as long before each further one */
    LONGEST_WAIT = 8000,
};

int64_t wire_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- one request ------------------------------------------------------------------------------ */

void wire_make(struct wire *w, const struct remote *r, const struct remote_request *q)
{
    char uuid[UUID_LEN];
    size_t n = 0;

    uuid_random(uuid);
    snprintf(w->id, sizeof w->id, "X-Request-Id: %s", uuid);
    w->path = (struct buf)BUF_INIT;
    buf_printf(&w->path, "/api/v1%s", q->path.p);
    remote_arg(&w->path, "org_id", r->org);
    w->headers[n++] = "Flightctl-API-Version: v1beta1";
    w->headers[n++] = w->id;
    if (r->token)
        w->headers[n++] = r->token;
    if (r->reason && strcmp(q->method, "GET"))
        w->headers[n++] = r->reason;
    w->headers[n] = NULL;
    w->q = (struct client_request){.method = q->method, .path = w->path.p, .headers = w->headers,
        .body = q->body.p, .body_len = q->body.len, .max = q->max ? q->max : JSON_MAX,
        .timeout = r->timeout};
    log_debug("%s %s%s, %s", q->method, r->server, w->path.p, w->id);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;

    return strncasecmp(type, json, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

static int foreign(const struct remote *r, const struct client_response *in, const char *what,
    struct err *e)
{
    return err_set(e, FC_FAIL, "%s: %s (status %d, %s): is it the URL of an API?", r->server, what,
        in->status, *in->type ? in->type : "without a type");
}

/* What a refusal says, by the status of HTTP. */
static int refused(const struct remote *r, const struct client_response *in, jv doc, struct err *e)
{
    static const char api[] = "API Error: ";
    const char *kind = json_str(doc, "kind"), *message = json_str(doc, "message");
    enum fc_code code = status_code(in->status);
    struct buf text AUTO_BUF = BUF_INIT;

    if (!kind || strcmp(kind, "Status") || !message) {
        if (code != FC_AGAIN && code != FC_DENIED)
            return foreign(r, in, "not the answer of such an API", e);
        return err_set(e, code, "%s: the server answered %d", r->server, in->status);
    }
    if (strncmp(message, api, sizeof api - 1) == 0)
        message += sizeof api - 1;
    text_clean(&text, *message ? message : "refused", strlen(*message ? message : "refused"));
    if (code == FC_AGAIN || code == FC_FAIL || code == FC_DENIED)
        return err_set(e, code, "%s: %s", r->server, text.p);
    return err_set(e, code, "%s", text.p);
}

static int understand(struct remote *r, struct client_response *in,
    struct remote_answer *out, struct err *e)
{
    struct err why = {FC_OK, ""};

    r->answered = true;
    out->status = in->status;
    snprintf(out->result, sizeof out->result, "%s", in->result);
    if (in->status >= 300 && in->status < 400)
        return err_set(e, FC_FAIL, "%s: the server redirects (status %d), which is not followed",
            r->server, in->status);
    if (in->body.len && is_json(in->type) &&
        json_parse(in->body.p, in->body.len, &out->doc, &why) < 0 && in->status < 300)
        return err_set(e, FC_FAIL, "%s: the answer is not JSON: %s", r->server, why.msg);
    out->text = in->body;
    in->body = (struct buf)BUF_INIT;
    if (in->status >= 400)
        return refused(r, in, out->doc, e);
    if (in->status < 200 || (in->status != 204 && !jv_is_valid(out->doc)))
        return foreign(r, in, "not the answer of such an API", e);
    return 0;
}

/* --- patience --------------------------------------------------------------------------------- */

int64_t wire_again(const struct remote *r, struct tries *t, const struct remote_request *q,
    const struct client_response *in, const struct err *why)
{
    int64_t now = wire_now(), wait = FIRST_WAIT;
    bool busy = why->code == FC_OK && (in->status == 429 || in->status == 503);
    bool lost = why->code == FC_AGAIN && r->answered && !q->once;

    lost = lost || (why->code == FC_OK && (in->status == 502 || in->status == 504) && !q->once);
    if (!busy && !lost)
        return -1;
    if (t->n == 0)
        t->since = now;
    for (int i = 0; i < t->n && wait < LONGEST_WAIT; i++)
        wait *= 2;
    wait += (int64_t)((uint64_t)now * 2654435761u % (uint64_t)(wait / 4 + 1)); /* not all at once */
    t->n++;
    if (busy && in->retry_after > REMOTE_AFTER)
        return -1;
    if (busy && wait < in->retry_after * 1000)
        wait = in->retry_after * 1000;
    return now + wait - t->since > r->patience ? -1 : wait;
}

static void wait_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

int wire_done(struct remote *r, struct client_response *in, const struct err *why,
    struct remote_answer *out, struct err *e)
{
    if (why->code == FC_OK)
        return understand(r, in, out, e);
    /* What is wrong with an answer is not of our input. */
    return err_set(e, why->code == FC_INVALID ? FC_FAIL : why->code, "%s", why->msg);
}

int remote_ask(struct remote *r, const struct remote_request *q, struct remote_answer *out,
    bool *too_large, struct err *e)
{
    struct client_response in;
    struct tries t = {0};
    int64_t wait;
    int rc;

    *out = REMOTE_ANSWER;
    for (;;) {
        struct err why = {FC_OK, ""};
        struct wire w;

        wire_make(&w, r, q);
        r->http->send(r->c, &w.q, &in, &why);
        buf_free(&w.path);
        if ((wait = wire_again(r, &t, q, &in, &why)) >= 0) {
            log_debug("again in %lld ms", (long long)wait);
            buf_free(&in.body);
            wait_ms(wait);
            continue;
        }
        if (too_large)
            *too_large = in.too_large;
        rc = wire_done(r, &in, &why, out, e);
        buf_free(&in.body);
        return rc;
    }
}

int remote_check(const struct kind *k, const char *name, jv doc, struct err *e)
{
    const char *kind = json_str(doc, "kind"), *is = json_str(doc, "metadata.name");
    const char *slash = name && k->flags & KIND_CHILD ? strrchr(name, '/') : NULL;

    if (!kind || strcmp(kind, k->name))
        return err_set(e, FC_FAIL, "the API answered with a document that is no %s", k->name);
    if (slash)
        name = slash + 1;
    if (!is || !is_dns_subdomain(is) || (name && strcmp(is, name))) {
        struct buf text AUTO_BUF = BUF_INIT;

        text_clean(&text, is ? is : "", is ? strlen(is) : 0);
        return err_set(e, FC_FAIL, "the API answered with %s \"%s\", which was not asked for",
            k->name, text.p ? text.p : "");
    }
    return 0;
}
