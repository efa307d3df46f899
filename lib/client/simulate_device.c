/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "client/simulate.h"

enum { STATE_MAX = 512 << 20 };

#define RENDERED_VERSION "device-controller/renderedVersion"

/* --- who it is ------------------------------------------------------------------------------ */

static void know(struct sim_device *d)
{
    d->as = (struct client_conf){.cert = d->cert.p, .cert_len = d->cert.len, .key = d->key.p,
        .key_len = d->key.len};
    d->step = d->cert.len ? SIM_IDLE : SIM_ASK;
}

int sim_device_make(struct sim_device *d, const struct identity_module *crypto, struct err *e)
{
    if (crypto->key_generate(&d->key, e) < 0 ||
        crypto->device_name(d->key.p, d->key.len, d->name, e) < 0)
        return -1;
    know(d);
    return 0;
}

void sim_device_free(struct sim_device *d)
{
    if (d->key.p)
        explicit_bzero(d->key.p, d->key.len);
    buf_free(&d->key);
    buf_free(&d->cert);
}

/* One line: {"key","cert","asked","known","runs"}. */
static int load_one(struct sim_device *d, const char *line, size_t n,
    const struct identity_module *crypto, struct err *e)
{
    jv o AUTO_JV = jv_invalid();
    const char *key, *cert;

    if (json_parse(line, n, &o, e) < 0)
        return -1;
    key = json_str(o, "key");
    cert = json_str(o, "cert");
    if (!key || !cert)
        return err_set(e, FC_INVALID, "no key and certificate of a device");
    buf_adds(&d->key, key);
    buf_adds(&d->cert, cert);
    d->known = json_int(o, "known", 0);
    d->runs = json_int(o, "runs", 0);
    know(d);
    if (d->step == SIM_ASK && json_bool(o, "asked", false))
        d->step = SIM_WAIT;
    return crypto->device_name(d->key.p, d->key.len, d->name, e);
}

int sim_devices_lock(const char *file, struct err *e)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat ours, now;

    if (fd < 0)
        return err_errno(e, "%s", file);
    /* What came in its place since it was opened is another simulation's work. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 && stat(file, &now) == 0 &&
        ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
        return fd;
    close(fd);
    return err_set(e, FC_CONFLICT, "%s: another simulation has it", file);
}

int sim_devices_load(const char *file, struct sim_device *all, size_t n,
    const struct identity_module *crypto, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *p, *end;
    size_t i, line = 1;

    if (file_read(file, STATE_MAX, &b, e) < 0)
        return e->code == FC_NOTFOUND ? 0 : -1;
    p = b.p;
    for (i = 0; p && i < n && p < b.p + b.len; i++, line++) {
        end = memchr(p, '\n', (size_t)(b.p + b.len - p));
        if (!end)
            end = b.p + b.len;
        if (load_one(&all[i], p, (size_t)(end - p), crypto, e) < 0) {
            e->code = FC_INVALID;
            return err_wrap(e, "%s:%zu", file, line);
        }
        p = end + 1;
    }
    explicit_bzero(b.p, b.len);
    return 0;
}

int sim_devices_store(const char *file, const struct sim_device *all, size_t n, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    size_t i;
    int rc;

    for (i = 0; i < n; i++) {
        jv o AUTO_JV = jv_object();

        json_set(&o, "key", jv_string_sized(all[i].key.p ? all[i].key.p : "", (int)all[i].key.len));
        json_set(&o, "cert", jv_string_sized(all[i].cert.p ? all[i].cert.p : "",
            (int)all[i].cert.len));
        json_set(&o, "asked", all[i].step == SIM_ASK ? jv_false() : jv_true());
        json_seti(&o, "known", all[i].known);
        json_seti(&o, "runs", all[i].runs);
        json_canon(&b, o);
        buf_addc(&b, '\n');
    }
    rc = file_write(file, b.p ? b.p : "", b.len, 0600, e);
    if (b.p)
        explicit_bzero(b.p, b.len);
    return rc;
}

/* --- what it says --------------------------------------------------------------------------- */

static jv one(const char *key, const char *value)
{
    jv o = jv_object();

    json_sets(&o, key, value);
    return o;
}

static jv updating(const struct sim_device *d)
{
    jv c = one("type", "Updating");
    char time[TIME_LEN], message[96];

    time_format(now_us(), time);
    if (d->failed)
        snprintf(message, sizeof message, "version %" PRId64 ": does not work on this device",
            d->failed);
    else
        snprintf(message, sizeof message, "version %" PRId64 " is applied", d->runs);
    json_sets(&c, "status", "False");
    json_sets(&c, "reason", d->failed ? "Error" : "Updated");
    json_sets(&c, "message", message);
    json_sets(&c, "lastTransitionTime", time);
    return jv_array_append(jv_array(), c);
}

/* A whole DeviceStatus, as servers that follow the contract to the letter want it. */
static jv status(const struct sim_device *d)
{
    jv s = jv_object(), info = one("architecture", "amd64"), resources = one("cpu", "Healthy");
    jv os = one("image", "");
    char text[32];

    snprintf(text, sizeof text, "%08zu", d->number);
    json_sets(&info, "bootID", text);
    json_sets(&info, "operatingSystem", "linux");
    json_sets(&info, "agentVersion", "simulated");
    json_sets(&resources, "memory", "Healthy");
    json_sets(&resources, "disk", "Healthy");
    json_sets(&os, "imageDigest", "");
    snprintf(text, sizeof text, "%" PRId64, d->runs);
    json_set(&s, "conditions", d->known ? updating(d) : jv_array());
    json_set(&s, "systemInfo", info);
    json_set(&s, "applications", jv_array());
    json_set(&s, "applicationsSummary", one("status", "NoApplications"));
    json_set(&s, "resources", resources);
    json_set(&s, "integrity", one("status", "Unknown"));
    json_set(&s, "config", one("renderedVersion", text));
    json_set(&s, "os", os);
    json_set(&s, "updated", one("status", "Unknown"));
    json_set(&s, "summary", one("status", "Unknown"));
    json_set(&s, "lifecycle", one("status", "Unknown"));
    return s;
}

static jv enrollment(const struct sim_device *d, const struct buf *csr, jv labels)
{
    jv spec = jv_object(), own = jv_copy(labels);
    char alias[32];

    snprintf(alias, sizeof alias, "sim-%zu", d->number);
    if (!json_has(own, "alias"))
        json_sets(&own, "alias", alias);
    json_set(&spec, "csr", jv_string_sized(csr->p, (int)csr->len));
    json_set(&spec, "deviceStatus", status(d));
    json_set(&spec, "labels", own);
    return spec;
}

int sim_device_body(const struct sim_device *d, const struct identity_module *crypto, jv labels,
    struct buf *body, struct err *e)
{
    struct buf csr AUTO_BUF = BUF_INIT;
    jv o AUTO_JV = one("apiVersion", "v1beta1");

    if (d->step != SIM_ASK && d->step != SIM_APPLY)
        return 0;
    if (d->step == SIM_ASK && crypto->csr_create(d->key.p, d->key.len, d->name, &csr, e) < 0)
        return -1;
    json_sets(&o, "kind", d->step == SIM_ASK ? "EnrollmentRequest" : "Device");
    json_set(&o, "metadata", one("name", d->name));
    if (d->step == SIM_ASK)
        json_set(&o, "spec", enrollment(d, &csr, labels));
    else
        json_set(&o, "status", status(d));
    json_canon(body, o);
    return 0;
}

/* --- what it is told ------------------------------------------------------------------------ */

static int take_certificate(struct sim_device *d, jv request)
{
    jv conditions AUTO_JV = json_at(request, "status.conditions");
    const char *pem = json_str(request, "status.certificate");
    int i, n = jv_get_kind(conditions) == JV_KIND_ARRAY ? jv_array_length(jv_copy(conditions)) : 0;

    d->step = SIM_WAIT;
    for (i = 0; i < n; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(conditions), i);
        const char *type = json_str(c, "type");

        if (type && (strcmp(type, "Denied") == 0 || strcmp(type, "Failed") == 0))
            d->step = SIM_DENIED;
    }
    if (d->step == SIM_DENIED || !pem || !*pem)
        return 0;
    buf_reset(&d->cert);
    buf_adds(&d->cert, pem);
    know(d);
    return 0;
}

static int take_version(struct sim_device *d, jv device, struct err *e)
{
    jv annotations AUTO_JV = json_at(device, "metadata.annotations");
    jv text AUTO_JV = json_get(annotations, RENDERED_VERSION);
    int64_t version;

    if (jv_get_kind(text) != JV_KIND_STRING ||
        num_parse(jv_string_value(text), 1, INT64_MAX, &version, RENDERED_VERSION, e) < 0)
        return err_set(e, FC_FAIL, "the rendered device has no " RENDERED_VERSION);
    if (version <= d->known)
        return 0;
    d->known = version;
    d->failed = d->fails ? version : 0;
    if (!d->fails)
        d->runs = version;
    d->step = SIM_APPLY;
    return 0;
}

int sim_device_take(struct sim_device *d, enum sim_request what, const struct client_response *r,
    struct err *e)
{
    jv v AUTO_JV = jv_invalid();

    if (what == SIM_REPORT) {
        d->step = SIM_IDLE;
        return 0;
    }
    if (json_parse(r->body.p ? r->body.p : "", r->body.len, &v, e) < 0)
        return -1;
    return what == SIM_ENROLL ? take_certificate(d, v) : take_version(d, v, e);
}
