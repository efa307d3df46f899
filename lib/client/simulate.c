/* SPDX-License-Identifier: Apache-2.0 */
#include "client/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"
#include "base/progress.h"

enum {
    SHOW_MS = 500, /* between two looks at the progress, and at a request to end */
    LOST = -1,     /* an answer that did not arrive */
};

/* One run. */
struct sim {
    const struct simulation *s;
    const struct identity_module *crypto;
    const struct client_module *http;
    struct buf ca, cert, key;  /* the bootstrap identity */
    char *server;
    struct client_conf conf;   /* with the bootstrap identity */
    struct client *client;
    struct sim_device *all;
    struct sim_device **queue; /* those that wait for their time: a heap, the earliest first */
    size_t nqueue;
    size_t certified, denied, finished; /* devices; of rounds */
    struct sim_count *count;
    struct buf path, body;     /* of the request that is being made */
    int64_t start;
    uint64_t random;
    struct progress_bar bar;
    int64_t shown;
};

static const char *const request_headers[] = {"Flightctl-API-Version: v1beta1", "Prefer: wait=0", NULL};

static int64_t monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Marsaglia, "Xorshift RNGs" (2003): the same choices from the same seed. */
static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static bool chosen(struct sim *m, const struct share *share)
{
    return (int)(next_random(&m->random) % 100) < share->percent;
}

/* --- those that wait ------------------------------------------------------------------------ */

static void sift_up(struct sim_device **q, size_t i)
{
    struct sim_device *d = q[i];

    for (; i && q[(i - 1) / 2]->due > d->due; i = (i - 1) / 2)
        q[i] = q[(i - 1) / 2];
    q[i] = d;
}

static void sift_down(struct sim_device **q, size_t n, size_t i)
{
    struct sim_device *d = q[i];
    size_t child;

    for (; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && q[child + 1]->due < q[child]->due)
            child++;
        if (q[child]->due >= d->due)
            break;
        q[i] = q[child];
    }
    q[i] = d;
}

/* A device that is away now comes when it is back. */
static void enqueue(struct sim *m, struct sim_device *d, int64_t due)
{
    int64_t span = m->s->away.us, t;

    if (d->roams && span > 0) {
        t = due - m->start + d->phase;
        if (t / span % 2)
            due += span - t % span;
    }
    d->due = due;
    m->queue[m->nqueue] = d;
    sift_up(m->queue, m->nqueue++);
}

static struct sim_device *dequeue(struct sim *m)
{
    struct sim_device *d = m->queue[0];

    m->queue[0] = m->queue[--m->nqueue];
    if (m->nqueue)
        sift_down(m->queue, m->nqueue, 0);
    return d;
}

/* --- requests and answers ------------------------------------------------------------------- */

static bool over(const struct sim *m, int64_t now)
{
    return *m->s->stop || (m->s->time && now - m->start >= m->s->time) ||
        (m->s->rounds && m->finished == m->s->devices);
}

static void show_progress(struct sim *m, int64_t now)
{
    char what[64];

    if (!m->s->progress || now - m->shown < SHOW_MS * 1000)
        return;
    m->shown = now;
    snprintf(what, sizeof what, "%" PRId64 " s, enrolled", (now - m->start) / 1000000);
    progress_show(&m->bar, what, m->certified, m->s->devices);
}

static enum sim_request kind_of(const struct sim_device *d)
{
    return d->step == SIM_ASK || d->step == SIM_WAIT ? SIM_ENROLL :
        d->step == SIM_APPLY ? SIM_REPORT : SIM_POLL;
}

static int next(void *ctx, struct client_request *q, size_t *id, int *wait, struct err *e)
{
    struct sim *m = ctx;
    int64_t now = monotonic(), left;
    struct sim_device *d;

    show_progress(m, now);
    *wait = -1;
    if (over(m, now))
        return 0;
    left = m->nqueue ? m->queue[0]->due - now : INT64_MAX;
    if (left > 0) { /* some may be under way, and the end may come meanwhile */
        *wait = left < SHOW_MS * 1000 ? (int)(left / 1000) + 1 : SHOW_MS;
        return 0;
    }
    d = dequeue(m);
    buf_reset(&m->path);
    buf_reset(&m->body);
    if (sim_device_body(d, m->crypto, m->s->labels, &m->body, e) < 0)
        return -1;
    if (d->step == SIM_ASK)
        buf_adds(&m->path, "/api/v1/enrollmentrequests");
    else if (d->step == SIM_WAIT)
        buf_printf(&m->path, "/api/v1/enrollmentrequests/%s", d->name);
    else if (d->step == SIM_APPLY)
        buf_printf(&m->path, "/api/v1/devices/%s/status", d->name);
    else
        buf_printf(&m->path, "/api/v1/devices/%s/rendered?knownRenderedVersion=%" PRId64, d->name,
            d->known);
    *q = (struct client_request){
        .method = d->step == SIM_ASK ? "POST" : d->step == SIM_APPLY ? "PUT" : "GET",
        .path = m->path.p, .headers = request_headers,
        .body = m->body.len ? m->body.p : NULL, .body_len = m->body.len,
        .as = d->cert.len ? &d->as : &m->conf,
    };
    d->began = now;
    *id = (size_t)(d - m->all);
    return 1;
}

/* The device is not known any more: it asks for enrollment again, under its old name. */
static bool forgotten(const struct sim_device *d, const struct client_response *r)
{
    return d->cert.len && r->status == 404 && r->body.p && strstr(r->body.p, "Device of name") &&
        strstr(r->body.p, "not found");
}

/* When it asks next. */
static void go_on(struct sim *m, struct sim_device *d, enum sim_request what, bool good, int after,
    int64_t now)
{
    int64_t due = d->due + m->s->interval;

    if (what == SIM_POLL) {
        d->polls++;
        if (m->s->rounds && d->polls == m->s->rounds)
            m->finished++;
    }
    if (d->step == SIM_DENIED) {
        m->denied++;
        if (m->s->rounds)
            m->finished++;
        return;
    }
    if (good && d->step == SIM_APPLY)
        due = now + (d->slow ? m->s->slow.us : 0);
    else if (good && what == SIM_ENROLL && d->step == SIM_IDLE) /* enrolled in this run of it */
        due = now;
    if (due < now + (int64_t)after * 1000000)
        due = now + (int64_t)after * 1000000;
    enqueue(m, d, due < now ? now : due);
}

static int done(void *ctx, size_t id, struct client_response *r, const struct err *why,
    struct err *e)
{
    struct sim *m = ctx;
    struct sim_device *d = &m->all[id];
    enum sim_request what = kind_of(d);
    int status = why->code ? 0 : chosen(m, &m->s->lost) ? LOST : r->status;
    int64_t now = monotonic();
    bool good = status == 200 || status == 201, had = d->cert.len > 0;
    struct err bad = *why;

    (void)e;
    if (status != LOST)
        sim_count_add(m->count, what, status, now - d->began);
    if (good) {
        if (sim_device_take(d, what, r, &bad) < 0)
            good = false;
    } else if (d->step == SIM_ASK && status == 409)
        d->step = SIM_WAIT;
    else if ((d->step == SIM_WAIT && status == 404) || (status > 0 && forgotten(d, r))) {
        buf_reset(&d->cert);
        d->step = SIM_ASK;
    } else if (status > 0 && status != 204 && status != 409)
        err_set(&bad, FC_FAIL, "the server answered %d", status);
    if (bad.code)
        log_debug("sim-%zu: %s", d->number, bad.msg);
    m->certified += !had && d->cert.len;
    m->certified -= had && !d->cert.len;
    go_on(m, d, what, good, r->retry_after, now);
    return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

/* A member of the configuration that holds a PEM text in base64. */
static int take_pem(const struct docs *docs, const char *path, struct buf *out, struct err *e)
{
    const char *text = json_str(docs->doc[0].v, path);

    if (!text)
        return err_set(e, FC_INVALID, "%s: %s: missing", docs->source, path);
    if (base64_decode(out, text, strlen(text)) < 0)
        return err_set(e, FC_INVALID, "%s:%d: %s: not base64", docs->source,
            doc_line(&docs->doc[0], path), path);
    return 0;
}

static int read_config(struct sim *m, struct err *e)
{
    struct docs docs = {0};
    const char *server;
    int rc = docs_read(m->s->config, &docs, e);

    if (rc == 0) {
        server = json_str(docs.doc[0].v, "enrollment-service.service.server");
        if (!server)
            rc = err_set(e, FC_INVALID, "%s: enrollment-service.service.server: missing",
                docs.source);
        m->server = server ? xstrdup(server) : NULL;
    }
    if (rc == 0 && (take_pem(&docs,
        "enrollment-service.service.certificate-authority-data", &m->ca, e) < 0 || take_pem(&docs,
        "enrollment-service.authentication.client-certificate-data", &m->cert, e) < 0 ||
        take_pem(&docs, "enrollment-service.authentication.client-key-data", &m->key, e) < 0))
        rc = -1;
    docs_free(&docs);
    return rc;
}

static int make_devices(struct sim *m, struct err *e)
{
    size_t i;

    m->all = xcalloc(m->s->devices, sizeof *m->all);
    m->queue = xcalloc(m->s->devices, sizeof *m->queue);
    if (m->s->state && sim_devices_load(m->s->state, m->all, m->s->devices, m->crypto, e) < 0)
        return -1;
    for (i = 0; i < m->s->devices; i++) {
        struct sim_device *d = &m->all[i];

        d->number = i + 1;
        if (!d->key.len && sim_device_make(d, m->crypto, e) < 0)
            return -1;
        m->certified += d->cert.len > 0;
        d->slow = chosen(m, &m->s->slow);
        d->fails = chosen(m, &m->s->fail);
        d->roams = chosen(m, &m->s->away);
        if (m->s->away.us > 0)
            d->phase = (int64_t)(next_random(&m->random) >> 11) % (2 * m->s->away.us);
    }
    return 0;
}

static void show(const struct sim *m, jv *out)
{
    int64_t us = monotonic() - m->start;
    int64_t current = 0, failed = 0;
    size_t i;

    for (i = 0; i < m->s->devices; i++) {
        const struct sim_device *d = &m->all[i];

        current += d->known && d->runs == d->known && d->step == SIM_IDLE;
        failed += d->failed != 0;
    }
    *out = jv_object();
    json_sets(out, "server", m->server);
    json_set(out, "seconds", jv_number((double)(us / 1000) / 1000));
    json_seti(out, "devices", (int64_t)m->s->devices);
    json_seti(out, "enrolled", (int64_t)m->certified);
    json_seti(out, "denied", (int64_t)m->denied);
    json_seti(out, "current", current);
    json_seti(out, "failed", failed);
    sim_count_show(m->count, us, out);
}

static int run(struct sim *m, struct err *e)
{
    struct client_batch batch = {.width = m->s->width, .next = next, .done = done, .ctx = m};
    size_t i;
    int rc;

    m->conf = (struct client_conf){.server = m->server, .ca = m->ca.p, .ca_len = m->ca.len,
        .cert = m->cert.p, .cert_len = m->cert.len, .key = m->key.p, .key_len = m->key.len,
        .agent = "fc-simulate"};
    if (m->http->open(&m->client, &m->conf, e) < 0)
        return -1;
    m->start = monotonic();
    for (i = 0; i < m->s->devices; i++) /* as if they had been switched on one by one */
        enqueue(m, &m->all[i], m->start + (int64_t)(next_random(&m->random) >> 11) %
            (m->s->interval ? m->s->interval : 1));
    rc = m->http->many(m->client, &batch, e);
    progress_clear(&m->bar);
    m->http->close(m->client);
    return rc;
}

int simulate(const struct simulation *s, jv *out, struct err *e)
{
    /* what one seed chooses has little to do with what the next one does */
    struct sim m = {.s = s, .random = (s->seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};
    int state AUTO_CLOSE = -1, rc = -1;
    size_t i;

    *out = jv_invalid();
    m.http = mod_symbol("curl", "client_module", e);
    m.crypto = m.http ? mod_symbol("identity", "identity_module", e) : NULL;
    m.count = sim_count_new();
    if (m.crypto && read_config(&m, e) == 0 &&
        (!s->state || (state = sim_devices_lock(s->state, e)) >= 0) &&
        make_devices(&m, e) == 0 && run(&m, e) == 0) {
        show(&m, out);
        rc = s->state ? sim_devices_store(s->state, m.all, s->devices, e) : 0;
    }
    for (i = 0; m.all && i < s->devices; i++)
        sim_device_free(&m.all[i]);
    free(m.all);
    free(m.queue);
    free(m.server);
    sim_count_free(m.count);
    if (m.key.p)
        explicit_bzero(m.key.p, m.key.len);
    buf_free(&m.ca);
    buf_free(&m.cert);
    buf_free(&m.key);
    buf_free(&m.path);
    buf_free(&m.body);
    return rc;
}
