/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "place.h"

#define KEY "agent.key"
#define CSR "agent.csr"
#define CERT "agent.crt"

static int make_key(struct identity *id, struct err *e)
{
    if (id->crypto->key_generate(&id->key, e) < 0 ||
        place_write(id->dir, KEY, id->key.p, id->key.len, 0600, PLACE_DURABLE, e) < 0)
        return -1;
    return id->crypto->device_name(id->key.p, id->key.len, id->name, e);
}

static int load_key(struct identity *id, bool make, struct err *e)
{
    if (place_read(id->dir, KEY, KEY, CONFIG_MAX, &id->key, e) < 0) {
        if (e->code == FC_NOTFOUND && make)
            return make_key(id, e);
        if (e->code != FC_INVALID)
            return -1;
    } else if (id->crypto->device_name(id->key.p ? id->key.p : "", id->key.len, id->name, e) == 0)
        return 0;
    if (!make)
        return -1;
    place_set_aside(id->dir, KEY, e);
    buf_free(&id->key);
    return make_key(id, e);
}

/* Is this a certificate for our key? */
static int check_cert(const struct identity *id, const char *pem, size_t n, struct err *e)
{
    char name[DEVICE_NAME_LEN];
    struct cert_info info;

    if (id->crypto->cert_info(pem, n, &info, e) < 0 ||
        id->crypto->device_name(pem, n, name, e) < 0)
        return -1;
    return strcmp(name, id->name) == 0 ? 0 :
        err_set(e, FC_INVALID, "is a certificate of another key");
}

int identity_open(struct identity *id, int dir, bool make, const struct identity_module *crypto,
    struct err *e)
{
    *id = (struct identity){.crypto = crypto, .dir = dir};
    if (make)
        place_sweep(dir);
    if (load_key(id, make, e) < 0)
        return err_wrap(e, "certs");
    if (place_read(dir, CERT, CERT, CONFIG_MAX, &id->cert, e) < 0) {
        if (e->code == FC_NOTFOUND)
            return 0;
        if (e->code != FC_INVALID)
            return err_wrap(e, "certs");
    } else if (check_cert(id, id->cert.p ? id->cert.p : "", id->cert.len, e) == 0) {
        if (make) /* a run may have ended between taking the one and dropping the other */
            unlinkat(dir, CSR, 0);
        return 0;
    }
    if (!make)
        return err_wrap(e, "certs");
    place_set_aside(dir, CERT, e);
    buf_free(&id->cert);
    return 0;
}

void identity_close(struct identity *id)
{
    if (id->key.p)
        explicit_bzero(id->key.p, id->key.len);
    buf_free(&id->key);
    buf_free(&id->cert);
}

int identity_request(struct identity *id, struct buf *csr, bool *old, struct err *e)
{
    char name[DEVICE_NAME_LEN];

    *old = place_read(id->dir, CSR, CSR, CONFIG_MAX, csr, e) == 0 &&
        id->crypto->device_name(csr->p ? csr->p : "", csr->len, name, e) == 0 &&
        strcmp(name, id->name) == 0;
    if (*old)
        return 0;
    buf_reset(csr);
    if (id->crypto->csr_create(id->key.p, id->key.len, id->name, csr, e) < 0)
        return -1;
    return place_write(id->dir, CSR, csr->p, csr->len, 0600, PLACE_DURABLE, e);
}

static int drop(struct identity *id, const char *name, struct err *e)
{
    return unlinkat(id->dir, name, 0) < 0 && errno != ENOENT ? err_errno(e, "%s", name) : 0;
}

int identity_certify(struct identity *id, const char *pem, size_t n, struct err *e)
{
    if (check_cert(id, pem, n, e) < 0) {
        e->code = FC_FAIL;
        return err_wrap(e, "the certificate that the server sent");
    }
    if (place_write(id->dir, CERT, pem, n, 0600, PLACE_DURABLE, e) < 0)
        return -1;
    buf_reset(&id->cert);
    buf_add(&id->cert, pem, n);
    return drop(id, CSR, e);
}

int identity_forget(struct identity *id, struct err *e)
{
    buf_free(&id->cert);
    if (drop(id, CERT, e) < 0 || drop(id, CSR, e) < 0)
        return -1;
    return fsync(id->dir) < 0 ? err_errno(e, "certs") : 0;
}

void identity_explain(const struct identity *id, struct err *e)
{
    struct cert_info info;
    char from[TIME_LEN], to[TIME_LEN];
    int64_t now = now_us();

    if (e->code != FC_DENIED || !id->cert.len ||
        id->crypto->cert_info(id->cert.p, id->cert.len, &info, NULL) < 0)
        return;
    time_format(info.not_before, from);
    time_format(info.not_after, to);
    if (now < info.not_before)
        err_wrap(e, "this device's certificate is not valid before %s (is the clock right?)", from);
    else if (now > info.not_after)
        err_wrap(e, "this device's certificate expired at %s", to);
}
