/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/ossl.h"

/* The signers that issue here. Certificates of a device's own services are another one's. */
static const struct rule {
    const char *name;
    const char *alias;
    const char *prefix; /* of the common name, followed by '-' and more unless it is the whole */
    bool device;        /* CN is the device name of the key */
    bool server;
} rules[] = {
    {.name = SIGNER_ENROLLMENT, .alias = "enrollment", .prefix = "client-enrollment"},
    {.name = SIGNER_DEVICE, .alias = "device", .device = true},
    {.name = SIGNER_RENEWAL, .alias = "renewal", .device = true},
    {.name = SIGNER_ADMIN, .alias = "admin"},
    {.name = SIGNER_USER, .alias = "user"},
    {.name = SIGNER_SERVER, .alias = "server", .server = true},
};

static const struct rule *rule_find(const char *name)
{
    for (size_t i = 0; i < LEN(rules); i++)
        if (!strcmp(name, rules[i].name) || !strcmp(name, rules[i].alias))
            return &rules[i];
    return NULL;
}

const char *signer_find(const char *name)
{
    const struct rule *r = rule_find(name);

    return r ? r->name : NULL;
}

/* The common name that the certificate gets; the caller frees. */
static char *cn_make(const struct rule *r, const struct csr_info *req, const char *cn, char **names,
    struct err *e)
{
    size_t n = r->prefix ? strlen(r->prefix) : 0;

    if (!cn)
        cn = r->server && names[0] ? names[0] : req->cn;
    if (r->device) {
        if (!strncmp(cn, "device:", 7))
            cn += 7;
        if (strcmp(cn, req->name)) {
            err_set(e, FC_INVALID, "common name \"%s\" is not the device name of the key, %s", cn,
                req->name);
            return NULL;
        }
        return xasprintf("device:%s", cn);
    }
    if (r->prefix && (strncmp(cn, r->prefix, n) || (cn[n] && cn[n] != '-')))
        return *cn ? xasprintf("%s-%s", r->prefix, cn) : xstrdup(r->prefix);
    if (!*cn) {
        err_set(e, FC_INVALID, "the request has no common name");
        return NULL;
    }
    return xstrdup(cn);
}

int issue_csr(struct ca *ca, const char *csr, size_t n, const struct issue *i, struct buf *pem,
    struct err *e)
{
    const struct rule *r = rule_find(i->signer);
    struct csr_info req;
    char **names = NULL, *cn AUTO_FREE = NULL;
    const char *const *use;
    int rc;

    if (!r)
        return err_set(e, FC_INVALID, "signer \"%s\" issues no certificates here", i->signer);
    if (csr_parse(csr, n, &req, e) < 0 || (r->server && csr_names(csr, n, &names, e) < 0))
        return -1;
    use = i->names ? i->names : (const char *const *)names;
    if (r->server && !use[0])
        rc = err_set(e, FC_INVALID, "a server needs a DNS name or an IP address");
    else if (!(cn = cn_make(r, &req, i->cn ? i->cn : i->names && r->server ? i->names[0] : NULL,
            names, e)))
        rc = -1;
    else {
        struct cert_profile p = {
            .signer = r->name,
            .cn = cn,
            .org = r->server ? NULL : i->org,
            .fingerprint = r->device ? cn : NULL,
            .server = r->server,
            .names = r->server ? use : NULL,
            .seconds = i->seconds,
        };

        rc = ca_sign(ca, csr, n, &p, pem, e);
    }
    names_free(names);
    return rc;
}

static int issue_key(struct ca *ca, const struct issue *i, const struct buf *key,
    struct buf *cert, struct err *e)
{
    struct buf csr AUTO_BUF = BUF_INIT;
    char name[DEVICE_NAME_LEN];

    if (device_name(key->p, key->len, name, e) < 0 ||
        csr_create(key->p, key->len, name, &csr, e) < 0)
        return -1;
    return issue_csr(ca, csr.p, csr.len, i, cert, e);
}

int issue_pair(struct ca *ca, const struct issue *i, struct buf *key, struct buf *cert,
    struct err *e)
{
    return key_generate(key, e) < 0 ? -1 : issue_key(ca, i, key, cert, e);
}

int issue_files(struct ca *ca, const struct issue *i, const char *prefix, bool force, bool dry,
    struct buf *cert, struct err *e)
{
    char *key_path AUTO_FREE = xasprintf("%s.key", prefix);
    char *cert_path AUTO_FREE = xasprintf("%s.crt", prefix);
    struct buf key AUTO_WIPED = BUF_INIT;
    char name[DEVICE_NAME_LEN];
    struct stat st;
    bool orphan = !force && lstat(key_path, &st) == 0;

    if (!force && lstat(cert_path, &st) == 0)
        return err_set(e, FC_CONFLICT, "%s: exists already", cert_path);
    if (orphan ? key_load(key_path, &key, e) : key_generate(&key, e))
        return -1;
    if (orphan && device_name(key.p, key.len, name, e) < 0)
        return err_wrap(e, "%s", key_path);
    if (issue_key(ca, i, &key, cert, e) < 0)
        return -1;
    if (!strcmp(i->signer, SIGNER_SERVER) && ca_pem(ca, cert, e) < 0)
        return -1;
    if (dry)
        return 0;
    if (force)
        return file_write(key_path, key.p, key.len, 0600, e) < 0 ? -1
            : file_write(cert_path, cert->p, cert->len, 0644, e);
    if (!orphan && file_create(key_path, key.p, key.len, 0600, e) < 0)
        return -1;
    return file_create(cert_path, cert->p, cert->len, 0644, e);
}

/* --- a device's first configuration ------------------------------------------------------- */

static int server_check(const char *url, struct err *e)
{
    static const char bad[] = " \"'\\<>{}|^`?#@";
    const char *host = url + 8, *end;

    if (strncmp(url, "https://", 8))
        return err_set(e, FC_INVALID, "%s: must begin with https://", url);
    end = host + strcspn(host, "/");
    if (end == host || *host == ':' || strlen(url) > 2048)
        return err_set(e, FC_INVALID, "%s: no host", url);
    for (const char *p = host; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strchr(bad, *p))
            return err_set(e, FC_INVALID, "%s: must be https://HOST[:PORT]", url);
    return 0;
}

static void add_data(struct buf *out, const char *key, const struct buf *data)
{
    buf_adds(out, key);
    base64_encode(out, data->p, data->len);
    buf_addc(out, '\n');
}

static void add_service(struct buf *out, const char *server, const struct buf *ca_pem)
{
    buf_adds(out, "  service:\n    server: ");
    buf_add_jsons(out, server); /* a JSON string is a YAML string */
    buf_addc(out, '\n');
    add_data(out, "    certificate-authority-data: ", ca_pem);
}

int bootstrap_config(const char *server, const struct buf *ca_pem, const struct buf *cert,
    const struct buf *key, struct buf *out, struct err *e)
{
    if (server_check(server, e) < 0)
        return -1;
    /* Room for everything at once: growing would leave copies of the key in freed memory. */
    buf_reserve(out, 4096 + 2 * strlen(server) + 3 * ca_pem->len + 2 * (cert->len + key->len));
    buf_adds(out, "enrollment-service:\n  authentication:\n");
    add_data(out, "    client-certificate-data: ", cert);
    add_data(out, "    client-key-data: ", key);
    add_service(out, server, ca_pem);
    buf_adds(out, "management-service:\n");
    add_service(out, server, ca_pem);
    return 0;
}
