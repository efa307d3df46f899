/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/authority.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/print.h"
#include "crypto/ossl.h"

enum {
    PEM_MAX = 64 << 10,   /* bytes of a request or of the authority's certificate */
    BUNDLE_MAX = 1 << 20, /* bytes of a server's certificates */
};

void authority_find(struct authority *a, const struct conf *c, const char *state)
{
    const char *key = conf_get(c, "ca", "key-file"), *cert = conf_get(c, "ca", "certificate-file");

    *a = (struct authority){
        .state = xstrdup(state),
        .key = key ? xstrdup(key) : xasprintf("%s/ca/ca.key", state),
        .cert = cert ? xstrdup(cert) : xasprintf("%s/ca/ca.crt", state),
        .own_folder = !key && !cert,
    };
}

void authority_free(struct authority *a)
{
    free(a->state);
    free(a->key);
    free(a->cert);
    *a = (struct authority){0};
}

static int must_be_new(const char *path, struct err *e)
{
    struct stat st;

    return lstat(path, &st) == 0 ? err_set(e, FC_CONFLICT, "%s: exists already", path) : 0;
}

int authority_make(const struct authority *a, const char *cn, int days, bool dry, struct buf *cert,
    struct err *e)
{
    char *dir AUTO_FREE = xasprintf("%s/ca", a->state);

    if (dry)
        return must_be_new(a->cert, e);
    if (a->own_folder && dir_make(dir, 0700, e) < 0)
        return -1;
    if (ca_init(a->key, a->cert, cn ? cn : "Flight Control CA", days ? days : CA_DAYS, e) < 0)
        return -1;
    return file_read(a->cert, PEM_MAX, cert, e);
}

static int to_document(const struct authority *a, jv *doc, struct err *e)
{
    struct buf pem AUTO_BUF = BUF_INIT;
    char from[TIME_LEN], until[TIME_LEN];
    struct cert_detail d;

    if (file_read(a->cert, PEM_MAX, &pem, e) < 0)
        return -1;
    if (cert_detail(pem.p, pem.len, &d, e) < 0)
        return err_wrap(e, "%s", a->cert);
    time_format(d.info.not_before, from);
    time_format(d.info.not_after, until);
    *doc = jv_object();
    json_sets(doc, "subject", d.info.cn);
    json_sets(doc, "serial", d.info.serial);
    json_sets(doc, "notBefore", from);
    json_sets(doc, "notAfter", until);
    json_sets(doc, "subjectKeyIdentifier", d.ski);
    json_sets(doc, "sha256", d.sha256);
    json_sets(doc, "file", a->cert);
    json_set(doc, "ca", d.is_ca ? jv_true() : jv_false());
    return 0;
}

static const struct column columns[] = {
    {"SUBJECT", "subject", COL_TEXT, false},
    {"VALID UNTIL", "notAfter", COL_TEXT, false},
    {"KEY ID", "subjectKeyIdentifier", COL_TEXT, false},
    {"SINCE", "notBefore", COL_TEXT, true},
    {"SHA-256", "sha256", COL_TEXT, true},
    {"FILE", "file", COL_TEXT, true},
    {0},
};

int authority_print(const struct authority *a, const char *format, const char *filter,
    struct err *e)
{
    jv doc AUTO_JV = jv_invalid();
    struct printer *p;
    struct err ignored;
    int rc;

    if (to_document(a, &doc, e) < 0 || printer_open(&p, stdout, format, filter, e) < 0)
        return -1;
    printer_columns(p, columns, NULL);
    rc = printer_put(p, json_str(doc, "subject"), doc, e);
    return printer_close(p, rc < 0 ? &ignored : e) < 0 ? -1 : rc;
}

/* --- what is issued ----------------------------------------------------------------------- */

/* PREFIX in the state folder; the caller frees. */
static char *usual_prefix(const struct authority *a, const struct issue *i, struct err *e)
{
    if (!strcmp(i->signer, SIGNER_SERVER))
        return xasprintf("%s/server", a->state);
    if (!strcmp(i->signer, SIGNER_ENROLLMENT))
        return xasprintf("%s/enrollment%s%s", a->state, *i->cn ? "-" : "", i->cn);
    if (strchr(i->cn, '/')) {
        err_set(e, FC_INVALID, "\"%s\" names no file: say where with -o", i->cn);
        return NULL;
    }
    return xasprintf("%s/admin-%s", a->state, i->cn);
}

int authority_files(const struct authority *a, const struct issue *i, const struct destination *to,
    char **prefix, struct buf *cert, struct err *e)
{
    struct ca *ca;
    int rc;

    *prefix = to->path ? xstrdup(to->path) : usual_prefix(a, i, e);
    if (!*prefix || ca_open(&ca, a->key, a->cert, e) < 0)
        return -1;
    rc = !to->path && !to->dry ? dir_make(a->state, 0700, e) : 0;
    if (!rc)
        rc = issue_files(ca, i, *prefix, to->force, to->dry, cert, e);
    ca_close(ca);
    return rc;
}

static int config_write(const struct destination *to, const struct buf *text, struct err *e)
{
    if (!to->path)
        return to->dry ? 0 : fd_write(STDOUT_FILENO, text->p, text->len, "standard output", e);
    if (to->dry)
        return to->force ? 0 : must_be_new(to->path, e);
    if (to->force)
        return file_write(to->path, text->p, text->len, 0600, e);
    return file_create(to->path, text->p, text->len, 0600, e);
}

int authority_config(const struct authority *a, const struct issue *i, const char *server,
    const char *server_ca, const struct destination *to, struct buf *cert, struct err *e)
{
    struct buf key AUTO_WIPED = BUF_INIT, text AUTO_WIPED = BUF_INIT, bundle AUTO_BUF = BUF_INIT;
    const char *bundle_path = server_ca ? server_ca : a->cert;
    struct trust *t = NULL;
    struct ca *ca;
    int rc;

    if (ca_open(&ca, a->key, a->cert, e) < 0)
        return -1;
    rc = file_read(bundle_path, BUNDLE_MAX, &bundle, e);
    if (!rc && (rc = trust_open(&t, bundle.p, bundle.len, e)) < 0)
        err_wrap(e, "%s", bundle_path);
    trust_close(t);
    if (!rc)
        rc = issue_pair(ca, i, &key, cert, e);
    if (!rc)
        rc = bootstrap_config(server, &bundle, cert, &key, &text, e);
    if (!rc)
        rc = config_write(to, &text, e);
    ca_close(ca);
    return rc;
}

int authority_csr(const struct authority *a, const struct issue *i, const char *path,
    struct buf *cert, struct err *e)
{
    struct buf csr AUTO_BUF = BUF_INIT;
    struct ca *ca;
    int rc;

    if (file_read(path, PEM_MAX, &csr, e) < 0 || ca_open(&ca, a->key, a->cert, e) < 0)
        return -1;
    rc = issue_csr(ca, csr.p ? csr.p : "", csr.len, i, cert, e);
    ca_close(ca);
    return rc < 0 ? err_wrap(e, "%s", strcmp(path, "-") ? path : "(stdin)") : 0;
}
