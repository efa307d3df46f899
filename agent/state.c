/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "place.h"

int64_t device_version(jv device)
{
    jv annotations AUTO_JV = json_at(device, "metadata.annotations");
    jv v AUTO_JV = json_get(annotations, ANNOTATION_VERSION);
    int64_t n;

    if (jv_get_kind(v) != JV_KIND_STRING ||
        num_parse(jv_string_value(v), 0, INT64_C(1) << 53, &n, "version", NULL) < 0)
        return -1;
    return n;
}

void state_outcome(struct state *st, const char *reason, const char *message)
{
    struct outcome *o = &st->outcome;

    if (state_updating(o) && strcmp(o->reason, reason) == 0 && strcmp(o->message, message) == 0)
        return;
    snprintf(o->reason, sizeof o->reason, "%s", reason);
    snprintf(o->message, sizeof o->message, "%s", message);
    time_format(now_us(), o->time);
}

bool state_updating(const struct outcome *o)
{
    return o->reason[0] && strcmp(o->reason, "Updated") != 0 &&
        strcmp(o->reason, "Canceled") != 0 && strcmp(o->reason, "Error") != 0;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static void version_get(jv v, const char *key, struct version *out)
{
    jv o AUTO_JV = json_get(v, key);

    out->number = json_int(o, "version", 0);
    copy(out->hash, sizeof out->hash, json_str(o, "sha256"));
}

static void version_set(jv *v, const char *key, const struct version *in)
{
    jv o = jv_object();

    json_seti(&o, "version", in->number);
    json_sets(&o, "sha256", in->hash);
    json_set(v, key, o);
}

static void outcome_get(jv v, const char *key, struct outcome *out)
{
    jv o AUTO_JV = json_get(v, key);

    copy(out->reason, sizeof out->reason, json_str(o, "reason"));
    copy(out->message, sizeof out->message, json_str(o, "message"));
    copy(out->time, sizeof out->time, json_str(o, "time"));
}

static void outcome_set(jv *v, const char *key, const struct outcome *in)
{
    jv o = jv_object();

    json_sets(&o, "reason", in->reason);
    json_sets(&o, "message", in->message);
    json_sets(&o, "time", in->time);
    json_set(v, key, o);
}

void state_set_aside(const struct agent *a, const char *name, const struct err *why)
{
    if (a->dry)
        log_warn("%s: %s: a run would move it to %s.broken", name, why->msg, name);
    else
        place_set_aside(a->data_fd, name, why);
}

/* Another agent's data folder, or ours after state.json was lost: the documents themselves say
 * which versions they are. */
static void derive(const struct agent *a, const char *name, struct version *v)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv doc AUTO_JV = jv_invalid();
    struct err e = {0};

    memset(v, 0, sizeof *v);
    if (place_read(a->data_fd, name, name, SPEC_MAX, &b, &e) < 0 ||
        json_parse(b.p ? b.p : "", b.len, &doc, &e) < 0) {
        if (e.code != FC_NOTFOUND)
            state_set_aside(a, name, &e);
        return;
    }
    v->number = device_version(doc);
    if (v->number < 0)
        v->number = 0;
    sha256_hex(b.p, b.len, v->hash);
}

static int parse(const struct buf *b, struct state *st, struct err *e)
{
    jv v AUTO_JV = jv_invalid();

    if (json_parse(b->p ? b->p : "", b->len, &v, e) < 0)
        return -1;
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "not an object");
    copy(st->device, sizeof st->device, json_str(v, "device"));
    version_get(v, "current", &st->current);
    version_get(v, "desired", &st->desired);
    st->failed = json_int(v, "failed", 0);
    st->ready = json_int(v, "ready", 0);
    st->cut = json_int(v, "cut", 0);
    outcome_get(v, "outcome", &st->outcome);
    outcome_get(v, "leaving", &st->leaving);
    copy(st->drift, sizeof st->drift, json_str(v, "drift"));
    copy(st->reported, sizeof st->reported, json_str(v, "reported"));
    return 0;
}

int state_load(const struct agent *a, struct state *st, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;

    memset(st, 0, sizeof *st);
    if (a->data_fd < 0)
        return 0;
    if (place_read(a->data_fd, "state.json", "state.json", STATE_MAX, &b, e) < 0) {
        if (e->code == FC_DENIED || e->code == FC_FAIL)
            return -1;
        if (e->code != FC_NOTFOUND)
            state_set_aside(a, "state.json", e);
    } else if (parse(&b, st, e) == 0)
        return 0;
    else
        state_set_aside(a, "state.json", e);
    memset(st, 0, sizeof *st);
    derive(a, "current.json", &st->current);
    derive(a, "desired.json", &st->desired);
    if (st->desired.number < st->current.number)
        st->desired = st->current;
    return 0;
}

int state_store(int data, const struct state *st, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_object();

    json_sets(&v, "device", st->device);
    version_set(&v, "current", &st->current);
    version_set(&v, "desired", &st->desired);
    json_seti(&v, "failed", st->failed);
    if (st->ready)
        json_seti(&v, "ready", st->ready);
    if (st->cut)
        json_seti(&v, "cut", st->cut);
    outcome_set(&v, "outcome", &st->outcome);
    if (st->leaving.reason[0])
        outcome_set(&v, "leaving", &st->leaving);
    if (st->drift[0])
        json_sets(&v, "drift", st->drift);
    json_sets(&v, "reported", st->reported);
    json_canon(&b, v);
    buf_addc(&b, '\n');
    return place_write(data, "state.json", b.p, b.len, 0600, PLACE_DURABLE, e);
}

int state_doc(int data, const char *name, const struct version *v, jv *out, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];

    *out = jv_invalid();
    if (place_read(data, name, name, SPEC_MAX, &b, e) < 0) {
        e->code = FC_INVALID;
        return -1;
    }
    sha256_hex(b.p ? b.p : "", b.len, hash);
    if (strcmp(hash, v->hash) != 0)
        return err_set(e, FC_INVALID, "%s: not what was stored as version %" PRId64, name,
            v->number);
    if (json_parse(b.p ? b.p : "", b.len, out, e) < 0)
        return err_wrap(e, "%s", name);
    return 0;
}
