/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/ossl.h"

struct ca {
    EVP_PKEY *key;
    X509 *cert;
    time_t not_after;
};

/* --- parts of a certificate --------------------------------------------------------------- */

/* 0: the certificate has this extension now. conf is one of our own constants. */
static int ext_add(X509 *x, X509 *issuer, int nid, const char *conf)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    int ok;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, conf);
    ok = ext && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok ? 0 : -1;
}

static int ext_add_string(X509 *x, const char *oid, const char *s)
{
    ASN1_STRING *str = ossl_need(ASN1_STRING_type_new(str_type(s)));
    ASN1_OBJECT *obj = ossl_need(OBJ_txt2obj(oid, 1));
    ASN1_OCTET_STRING *value = ossl_need(ASN1_OCTET_STRING_new());
    X509_EXTENSION *ext = NULL;
    unsigned char *der = NULL;
    int n, ok;

    ok = ASN1_STRING_set(str, s, -1) == 1 && (n = i2d_ASN1_PRINTABLE(str, &der)) > 0 &&
        ASN1_OCTET_STRING_set(value, der, n) == 1 &&
        (ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, value)) && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(obj);
    ASN1_STRING_free(str);
    return ok ? 0 : -1;
}

static GENERAL_NAME *name_make(const char *s, struct err *e)
{
    unsigned char addr[16];
    char *lower AUTO_FREE = NULL;
    GENERAL_NAME *g;
    ASN1_STRING *str;
    int n = inet_pton(AF_INET, s, addr) == 1 ? 4 : inet_pton(AF_INET6, s, addr) == 1 ? 16 : 0;
    size_t i;

    lower = xstrdup(s);
    for (i = 0; lower[i]; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] - 'A' + 'a');
    if (!n && !is_dns_subdomain(strncmp(lower, "*.", 2) ? lower : lower + 2)) {
        err_set(e, FC_INVALID, "\"%s\" is neither a DNS name nor an IP address", s);
        return NULL;
    }
    g = ossl_need(GENERAL_NAME_new());
    str = ossl_need(ASN1_STRING_type_new(n ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
    ossl_need(ASN1_STRING_set(str, n ? (void *)addr : lower, n ? n : -1) == 1 ? str : NULL);
    GENERAL_NAME_set0_value(g, n ? GEN_IPADD : GEN_DNS, str);
    return g;
}

static int ext_add_names(X509 *x, const char *const *names, struct err *e)
{
    GENERAL_NAMES *sans = ossl_need(GENERAL_NAMES_new());
    int rc = 0;

    for (int i = 0; names[i] && !rc; i++) {
        GENERAL_NAME *g = NULL;

        if (i >= OSSL_NAMES_MAX)
            rc = err_set(e, FC_INVALID, "more than %d names", OSSL_NAMES_MAX);
        else if (!(g = name_make(names[i], e)))
            rc = -1;
        else if (sk_GENERAL_NAME_push(sans, g) <= 0)
            die("out of memory");
    }
    if (!rc && X509_add1_ext_i2d(x, NID_subject_alt_name, sans, 0, X509V3_ADD_DEFAULT) != 1)
        rc = ossl_err(e, FC_FAIL, "cannot add names");
    GENERAL_NAMES_free(sans);
    return rc;
}

static int serial_set(X509 *x)
{
    BIGNUM *n AUTO_BN = ossl_need(BN_new());

    /* The top bit is set: no zero, and all serials of one length. */
    return BN_rand(n, 128, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
        BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) ? 0 : -1;
}

/* Version, serial, subject, issuer, validity and key: what every certificate has. */
static int cert_begin(X509 *x, const char *cn, X509_NAME *issuer, time_t from, time_t until,
    EVP_PKEY *key, struct err *e)
{
    X509_NAME *subject = name_new(cn, e);
    int ok;

    if (!subject)
        return -1;
    ok = X509_set_version(x, X509_VERSION_3) == 1 && serial_set(x) == 0 &&
        X509_set_subject_name(x, subject) == 1 &&
        X509_set_issuer_name(x, issuer ? issuer : subject) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(x), from) &&
        ASN1_TIME_set(X509_getm_notAfter(x), until) &&
        X509_set_pubkey(x, key) == 1;
    X509_NAME_free(subject);
    return ok ? 0 : ossl_err(e, FC_FAIL, "cannot make a certificate");
}

/* --- the authority ------------------------------------------------------------------------ */

static int self_sign(EVP_PKEY *key, const char *cn, int days, struct buf *pem, struct err *e)
{
    X509 *x AUTO_X509 = ossl_need(X509_new());
    time_t now = (time_t)(now_us() / 1000000);

    if (cert_begin(x, cn, NULL, now - 1, now + (time_t)days * 86400, key, e) < 0)
        return -1;
    if (ext_add(x, x, NID_basic_constraints, "critical,CA:TRUE") < 0 ||
        ext_add(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") < 0 ||
        ext_add(x, x, NID_subject_key_identifier, "hash") < 0 ||
        X509_sign(x, key, key_digest(key)) <= 0)
        return ossl_err(e, FC_FAIL, "cannot sign the certificate");
    return pem_cert(x, pem, e);
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

int ca_init(const char *key_path, const char *cert_path, const char *cn, int days, struct err *e)
{
    struct buf key_pem AUTO_WIPED = BUF_INIT;
    struct buf cert_pem AUTO_BUF = BUF_INIT;
    EVP_PKEY *key AUTO_PKEY = NULL;
    bool orphan = exists(key_path);

    if (exists(cert_path))
        return err_set(e, FC_CONFLICT, "%s: exists already", cert_path);
    if (orphan ? key_load(key_path, &key_pem, e) : key_generate(&key_pem, e))
        return -1;
    if (!(key = key_read(key_pem.p, key_pem.len, e)))
        return err_wrap(e, "%s", key_path);
    if (self_sign(key, cn, days, &cert_pem, e) < 0)
        return -1;
    if (!orphan && file_create(key_path, key_pem.p, key_pem.len, 0600, e) < 0)
        return -1;
    return file_create(cert_path, cert_pem.p, cert_pem.len, 0644, e);
}

static int ca_cert_load(struct ca *ca, const char *path, struct err *e)
{
    struct buf pem AUTO_BUF = BUF_INIT;
    struct der der AUTO_DER = {0};
    struct tm tm;

    if (file_read(path, OSSL_TEXT_MAX, &pem, e) < 0)
        return -1;
    if (der_read(pem.p, pem.len, PEM_CERT, true, &der, e) < 0 || !(ca->cert = der_cert(&der, e)))
        return err_wrap(e, "%s", path);
    if (X509_check_ca(ca->cert) != 1 || !(X509_get_key_usage(ca->cert) & KU_KEY_CERT_SIGN))
        return err_set(e, FC_INVALID, "%s: not the certificate of an authority", path);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(ca->cert), &tm) != 1)
        return ossl_err(e, FC_INVALID, "malformed validity");
    ca->not_after = timegm(&tm);
    return 0;
}

static int ca_expired(const struct ca *ca, time_t now, struct err *e)
{
    char at[TIME_LEN];

    if (now < ca->not_after)
        return 0;
    time_format((int64_t)ca->not_after * 1000000, at);
    return err_set(e, FC_DENIED, "the authority's certificate has expired on %s", at);
}

int ca_open(struct ca **out, const char *key_path, const char *cert_path, struct err *e)
{
    struct buf pem AUTO_WIPED = BUF_INIT;
    struct ca *ca = xcalloc(1, sizeof *ca);
    int rc;

    *out = NULL;
    rc = key_load(key_path, &pem, e);
    if (rc < 0 && e && e->code == FC_NOTFOUND)
        err_set(e, FC_NOTFOUND, "%s: no such key; fc-sign ca init makes an authority", key_path);
    if (!rc && !(ca->key = key_read(pem.p, pem.len, e)))
        rc = err_wrap(e, "%s", key_path);
    if (!rc)
        rc = ca_cert_load(ca, cert_path, e);
    if (!rc && X509_check_private_key(ca->cert, ca->key) != 1) {
        ERR_clear_error();
        rc = err_set(e, FC_INVALID, "%s is not the key of %s", key_path, cert_path);
    }
    if (!rc && ca_expired(ca, (time_t)(now_us() / 1000000), e) < 0)
        rc = err_wrap(e, "%s", cert_path);
    if (rc < 0)
        ca_close(ca);
    else
        *out = ca;
    return rc;
}

void ca_close(struct ca *ca)
{
    if (!ca)
        return;
    EVP_PKEY_free(ca->key);
    X509_free(ca->cert);
    free(ca);
}

int ca_pem(const struct ca *ca, struct buf *pem, struct err *e)
{
    return pem_cert(ca->cert, pem, e);
}

/* --- signing ------------------------------------------------------------------------------ */

static int profile_exts(X509 *x, struct ca *ca, const struct cert_profile *p, struct err *e)
{
    const char *eku = p->server ? "serverAuth" : "clientAuth";

    /* The order of existing certificates. */
    if (ext_add(x, ca->cert, NID_key_usage, "critical,digitalSignature,keyEncipherment") < 0 ||
        ext_add(x, ca->cert, NID_ext_key_usage, eku) < 0 ||
        ext_add(x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
        (X509_get0_subject_key_id(ca->cert) &&
            ext_add(x, ca->cert, NID_authority_key_identifier, "keyid:always") < 0))
        return ossl_err(e, FC_FAIL, "cannot add extensions");
    if (p->names && p->names[0] && ext_add_names(x, p->names, e) < 0)
        return -1;
    if ((p->signer && ext_add_string(x, OID_SIGNER_NAME, p->signer) < 0) ||
        (p->org && ext_add_string(x, OID_ORG_ID, p->org) < 0) ||
        (p->fingerprint && ext_add_string(x, OID_FINGERPRINT, p->fingerprint) < 0))
        return ossl_err(e, FC_FAIL, "cannot add extensions");
    return 0;
}

static int profile_check(const struct cert_profile *p, struct err *e)
{
    bool device = p->signer && (!strcmp(p->signer, SIGNER_DEVICE) ||
        !strcmp(p->signer, SIGNER_RENEWAL));

    if (!p->cn)
        return err_set(e, FC_INVALID, "common name: missing");
    if (!device && !strncmp(p->cn, "device:", 7))
        return err_set(e, FC_INVALID, "common name: the prefix device: is for devices alone");
    if (p->org && !is_uuid(p->org))
        return err_set(e, FC_INVALID, "organization: \"%s\" is not a UUID", p->org);
    if ((p->signer && (!*p->signer || strlen(p->signer) >= 128 ||
            str_type(p->signer) != V_ASN1_PRINTABLESTRING)) ||
        (p->fingerprint && (!*p->fingerprint || strlen(p->fingerprint) >= 256 ||
            !utf8_valid(p->fingerprint, strlen(p->fingerprint)))))
        return err_set(e, FC_INVALID, "signer or fingerprint: empty, too long or not text");
    if (p->seconds < 0)
        return err_set(e, FC_INVALID, "negative validity");
    return 0;
}

int ca_sign(struct ca *ca, const char *csr, size_t n, const struct cert_profile *p, struct buf *pem,
    struct err *e)
{
    X509_REQ *req AUTO_REQ = NULL;
    X509 *x AUTO_X509 = NULL;
    time_t now = (time_t)(now_us() / 1000000), until;
    int64_t seconds = p->seconds ? p->seconds : (int64_t)CERT_DAYS * 86400;

    if (profile_check(p, e) < 0 || ca_expired(ca, now, e) < 0 || !(req = csr_read(csr, n, e)))
        return -1;
    until = seconds < ca->not_after - now ? now + (time_t)seconds : ca->not_after;
    x = ossl_need(X509_new());
    if (cert_begin(x, p->cn, X509_get_subject_name(ca->cert), now - 1, until,
            X509_REQ_get0_pubkey(req), e) < 0 || profile_exts(x, ca, p, e) < 0)
        return -1;
    if (X509_sign(x, ca->key, key_digest(ca->key)) <= 0)
        return ossl_err(e, FC_FAIL, "cannot sign the certificate");
    return pem_cert(x, pem, e);
}
