/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/ossl.h"

int csr_create(const char *key_pem, size_t n, const char *cn, struct buf *pem, struct err *e)
{
    EVP_PKEY *key AUTO_PKEY = key_read(key_pem, n, e);
    X509_REQ *req AUTO_REQ = NULL;
    X509_NAME *name;
    int ok;

    if (!key || !(name = name_new(cn, e)))
        return -1;
    req = ossl_need(X509_REQ_new());
    ok = X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_subject_name(req, name) == 1 && X509_REQ_set_pubkey(req, key) == 1 &&
        X509_REQ_sign(req, key, key_digest(key)) > 0;
    X509_NAME_free(name);
    if (!ok)
        return ossl_err(e, FC_FAIL, "cannot sign the request");
    return pem_req(req, pem, e);
}

X509_REQ *csr_read(const char *text, size_t n, struct err *e)
{
    struct der der AUTO_DER = {0};
    X509_REQ *req AUTO_REQ = NULL, *done;
    EVP_PKEY *key;
    int digest = NID_undef;

    if (der_read(text, n, PEM_CSR, true, &der, e) < 0 || !(req = der_req(&der, e)))
        return NULL;
    if (!(key = X509_REQ_get0_pubkey(req))) {
        ossl_err(e, FC_INVALID, "unknown kind of public key");
        return NULL;
    }
    if (key_check(key, e) < 0)
        return NULL;
    OBJ_find_sigid_algs(X509_REQ_get_signature_nid(req), &digest, NULL);
    if (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512) {
        err_set(e, FC_INVALID, "the request must be signed with SHA-256, SHA-384 or SHA-512");
        return NULL;
    }
    if (X509_REQ_verify(req, key) != 1) {
        ERR_clear_error(); /* its reasons name internals */
        err_set(e, FC_INVALID, "the request's signature is not by its key");
        return NULL;
    }
    done = req;
    req = NULL;
    return done;
}

int csr_parse(const char *text, size_t n, struct csr_info *out, struct err *e)
{
    X509_REQ *req AUTO_REQ = csr_read(text, n, e);

    memset(out, 0, sizeof *out);
    if (!req || name_cn(X509_REQ_get_subject_name(req), out->cn, sizeof out->cn, e) < 0)
        return -1;
    return key_name(X509_REQ_get0_pubkey(req), out->name, e);
}

static char *name_text(const GENERAL_NAME *g, struct err *e)
{
    char text[INET6_ADDRSTRLEN > 256 ? INET6_ADDRSTRLEN : 256];
    int type = 0, n;
    ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

    switch (type) {
    case GEN_DNS:
        return str_read(s, text, sizeof text, "subjectAltName", e) < 0 ? NULL : xstrdup(text);
    case GEN_IPADD:
        n = ASN1_STRING_length(s);
        if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6,
                ASN1_STRING_get0_data(s), text, sizeof text))
            return xstrdup(text);
        err_set(e, FC_INVALID, "subjectAltName: bad IP address");
        return NULL;
    default:
        err_set(e, FC_INVALID, "subjectAltName: only DNS names and IP addresses are accepted");
        return NULL;
    }
}

int csr_names(const char *text, size_t n, char ***out, struct err *e)
{
    X509_REQ *req AUTO_REQ = csr_read(text, n, e);
    STACK_OF(X509_EXTENSION) *exts;
    GENERAL_NAMES *sans;
    int crit = 0, rc = 0, count;

    *out = NULL;
    if (!req)
        return -1;
    exts = X509_REQ_get_extensions(req);
    sans = X509V3_get_d2i(exts, NID_subject_alt_name, &crit, NULL);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    if (!sans && crit != -1)
        return ossl_err(e, FC_INVALID, crit == -2 ? "more than one subjectAltName"
            : "subjectAltName: malformed");
    ERR_clear_error();
    count = sans ? sk_GENERAL_NAME_num(sans) : 0;
    if (count > OSSL_NAMES_MAX)
        rc = err_set(e, FC_INVALID, "more than %d names", OSSL_NAMES_MAX);
    else
        *out = xcalloc((size_t)count + 1, sizeof **out);
    for (int i = 0; !rc && i < count; i++)
        if (!((*out)[i] = name_text(sk_GENERAL_NAME_value(sans, i), e)))
            rc = -1;
    GENERAL_NAMES_free(sans);
    if (rc < 0) {
        names_free(*out);
        *out = NULL;
    }
    return rc;
}

void names_free(char **names)
{
    for (char **p = names; p && *p; p++)
        free(*p);
    free(names);
}
