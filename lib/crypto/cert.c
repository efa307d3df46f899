/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/ossl.h"

enum { CHAIN_DEPTH = 4 /* authorities between a leaf and its anchor */ };

struct trust {
    X509_STORE *store;
};

/* --- reading ------------------------------------------------------------------------------ */

static int time_read(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return -1;
    *out = (int64_t)timegm(&tm) * 1000000;
    return 0;
}

static int serial_read(X509 *x, char *out, size_t size, struct err *e)
{
    const ASN1_INTEGER *n = X509_get0_serialNumber(x);
    struct buf b AUTO_BUF = BUF_INIT;

    if (ASN1_STRING_type(n) != V_ASN1_INTEGER || ASN1_STRING_length(n) < 1 ||
        ASN1_STRING_length(n) > 20)
        return err_set(e, FC_INVALID, "serial number: must be positive and of at most 20 bytes");
    hex_encode(&b, ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n));
    if (b.len >= size)
        return err_set(e, FC_INVALID, "serial number: too long");
    memcpy(out, b.p, b.len + 1);
    return 0;
}

/* RFC 5280 4.2: no extension twice. Two readers that take different ones would disagree about who
 * somebody is. */
static int exts_check(X509 *x, struct err *e)
{
    int n = X509_get_ext_count(x);

    if (n > OSSL_EXTS_MAX)
        return err_set(e, FC_INVALID, "more than %d extensions", OSSL_EXTS_MAX);
    for (int i = 0; i < n; i++)
        if (X509_get_ext_by_OBJ(x, X509_EXTENSION_get_object(X509_get_ext(x, i)), i) >= 0)
            return err_set(e, FC_INVALID, "an extension stands twice");
    return 0;
}

/* The string in an extension's value, which must be its DER and nothing else: encoding it again has
 * to give the same bytes, so that no other reader takes them for another string. */
static int der_string(const ASN1_OCTET_STRING *value, char *out, size_t size, const char *what,
    struct err *e)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *p = start;
    int n = ASN1_STRING_length(value), len = -1, rc;
    ASN1_TYPE *t = d2i_ASN1_TYPE(NULL, &p, n);
    unsigned char *der = NULL;

    if (t && (t->type == V_ASN1_PRINTABLESTRING || t->type == V_ASN1_UTF8STRING))
        len = i2d_ASN1_TYPE(t, &der);
    if (len < 0 || len != n || memcmp(der, start, (size_t)n))
        rc = err_set(e, FC_INVALID, "%s: not a string", what);
    else
        rc = str_read(t->value.asn1_string, out, size, what, e);
    OPENSSL_free(der);
    ASN1_TYPE_free(t);
    ERR_clear_error();
    return rc;
}

static int ext_read(X509 *x, const char *oid, char *out, size_t size, const char *what,
    struct err *e)
{
    ASN1_OBJECT *obj = ossl_need(OBJ_txt2obj(oid, 1));
    int i = X509_get_ext_by_OBJ(x, obj, -1);

    ASN1_OBJECT_free(obj);
    out[0] = '\0';
    if (i < 0)
        return 0;
    return der_string(X509_EXTENSION_get_data(X509_get_ext(x, i)), out, size, what, e);
}

static int x509_info(X509 *x, struct cert_info *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    if (exts_check(x, e) < 0 ||
        name_cn(X509_get_subject_name(x), out->cn, sizeof out->cn, e) < 0 ||
        ext_read(x, OID_SIGNER_NAME, out->signer, sizeof out->signer, "signer name", e) < 0 ||
        ext_read(x, OID_ORG_ID, out->org, sizeof out->org, "organization", e) < 0 ||
        ext_read(x, OID_FINGERPRINT, out->fingerprint, sizeof out->fingerprint, "fingerprint",
            e) < 0 ||
        serial_read(x, out->serial, sizeof out->serial, e) < 0)
        return -1;
    if (out->org[0] && !is_uuid(out->org))
        return err_set(e, FC_INVALID, "organization: not a UUID");
    if (time_read(X509_get0_notBefore(x), &out->not_before) < 0 ||
        time_read(X509_get0_notAfter(x), &out->not_after) < 0)
        return ossl_err(e, FC_INVALID, "malformed validity");
    return 0;
}

static X509 *cert_read(const char *text, size_t n, bool preamble, struct err *e)
{
    struct der der AUTO_DER = {0};

    return der_read(text, n, PEM_CERT, preamble, &der, e) < 0 ? NULL : der_cert(&der, e);
}

int cert_info(const char *text, size_t n, struct cert_info *out, struct err *e)
{
    X509 *x AUTO_X509 = cert_read(text, n, false, e);

    return x ? x509_info(x, out, e) : -1;
}

/* --- showing ------------------------------------------------------------------------------ */

static void add_colons(struct buf *b, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s%02X", i ? ":" : "", p[i]);
}

int cert_detail(const char *text, size_t n, struct cert_detail *out, struct err *e)
{
    X509 *x AUTO_X509 = cert_read(text, n, true, e);
    struct buf ski AUTO_BUF = BUF_INIT, hash AUTO_BUF = BUF_INIT;
    const ASN1_OCTET_STRING *id;
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    memset(out, 0, sizeof *out);
    if (!x || x509_info(x, &out->info, e) < 0)
        return -1;
    if (X509_digest(x, EVP_sha256(), md, &len) != 1)
        return ossl_err(e, FC_FAIL, "cannot hash the certificate");
    add_colons(&hash, md, len);
    memcpy(out->sha256, hash.p, hash.len + 1);
    id = X509_get0_subject_key_id(x);
    if (id && ASN1_STRING_length(id) <= 32) {
        add_colons(&ski, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
        if (ski.len)
            memcpy(out->ski, ski.p, ski.len + 1);
    }
    out->is_ca = X509_check_ca(x) == 1;
    return 0;
}

/* --- trust -------------------------------------------------------------------------------- */

/* One certificate of a bundle: 1, 0 at its end. */
static int bundle_next(BIO *in, X509_STORE *store, struct err *e)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    X509 *x AUTO_X509 = NULL;
    int rc = -1;

    if (PEM_read_bio_ex(in, &name, &header, &data, &len, PEM_FLAG_EAY_COMPATIBLE) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
            return ossl_err(e, FC_INVALID, "bad PEM");
        ERR_clear_error();
        return 0;
    }
    if (strcmp(name, PEM_STRING_X509) || *header)
        err_set(e, FC_INVALID, "only certificates are wanted, not PEM of \"%.40s\"", name);
    else {
        struct der der = {data, len, PEM_CERT};

        x = der_cert(&der, e);
        if (x && X509_check_ca(x) != 1)
            err_set(e, FC_INVALID, "not the certificate of an authority (CA:true)");
        else if (x && X509_STORE_add_cert(store, x) != 1)
            ossl_err(e, FC_FAIL, "cannot keep the certificate");
        else if (x)
            rc = 1;
    }
    OPENSSL_clear_free(data, (size_t)len); /* a key that was put there by mistake */
    OPENSSL_free(name);
    OPENSSL_free(header);
    return rc;
}

int trust_open(struct trust **out, const char *bundle_pem, size_t n, struct err *e)
{
    BIO *in AUTO_BIO = NULL;
    X509_VERIFY_PARAM *param;
    struct trust *t;
    int count = 0, rc;

    *out = NULL;
    ERR_clear_error();
    if (n > OSSL_BUNDLE_MAX)
        return err_set(e, FC_INVALID, "larger than %d bytes", OSSL_BUNDLE_MAX);
    t = xmalloc(sizeof *t);
    t->store = ossl_need(X509_STORE_new());
    in = ossl_need(n ? BIO_new_mem_buf(bundle_pem, (int)n) : BIO_new(BIO_s_null()));
    while ((rc = bundle_next(in, t->store, e)) == 1)
        if (++count > OSSL_BUNDLE_CERTS) {
            rc = err_set(e, FC_INVALID, "more than %d certificates", OSSL_BUNDLE_CERTS);
            break;
        }
    if (rc < 0 && count <= OSSL_BUNDLE_CERTS)
        err_wrap(e, "certificate %d", count + 1);
    if (!rc && !count)
        rc = err_set(e, FC_INVALID, "no certificate in PEM");
    /* A bundle may name an intermediate authority alone: each of its members is an anchor. They
     * are all authorities, so no leaf becomes trusted by standing there. */
    param = X509_STORE_get0_param(t->store);
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    if (!rc && (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
            X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) != 1))
        rc = ossl_err(e, FC_FAIL, "cannot set up verification");
    if (rc < 0)
        trust_close(t);
    else
        *out = t;
    return rc;
}

void trust_close(struct trust *t)
{
    if (!t)
        return;
    X509_STORE_free(t->store);
    free(t);
}

/* What OpenSSL's purpose check leaves open: it lets an authority act as a client, and a
 * certificate without any extended key usage act as anything. */
static int leaf_check(X509 *x, struct err *e)
{
    uint32_t flags = X509_get_extension_flags(x);

    if (flags & EXFLAG_INVALID)
        return err_set(e, FC_DENIED, "malformed extensions");
    if (X509_check_ca(x) != 0)
        return err_set(e, FC_DENIED, "the certificate of an authority is no client's");
    if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(x) & XKU_SSL_CLIENT))
        return err_set(e, FC_DENIED, "not a client's certificate");
    return 0;
}

/* When all of a chain are valid: a leaf counts no longer than those that vouch for it. */
static int chain_times(const STACK_OF(X509) *chain, int64_t *from, int64_t *until, struct err *e)
{
    *from = INT64_MIN;
    *until = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        const X509 *x = sk_X509_value(chain, i);
        int64_t first, last;

        if (time_read(X509_get0_notBefore(x), &first) < 0 ||
            time_read(X509_get0_notAfter(x), &last) < 0)
            return ossl_err(e, FC_INVALID, "malformed validity");
        *from = first > *from ? first : *from;
        *until = last < *until ? last : *until;
    }
    return 0;
}

static int chain_check(struct trust *t, X509 *x, int64_t now, int64_t *from, int64_t *until,
    struct err *e)
{
    X509_STORE_CTX *ctx = ossl_need(X509_STORE_CTX_new());
    int rc = 0;

    if (X509_STORE_CTX_init(ctx, t->store, x, NULL) != 1)
        rc = ossl_err(e, FC_FAIL, "cannot set up verification");
    else {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(now / 1000000));
        if (X509_verify_cert(ctx) != 1)
            rc = err_set(e, FC_DENIED, "%s",
                X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        else
            rc = chain_times(X509_STORE_CTX_get0_chain(ctx), from, until, e);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

int trust_verify(struct trust *t, const char *text, size_t n, int64_t now, struct cert_info *out,
    struct err *e)
{
    X509 *x AUTO_X509 = NULL;
    struct err why = {FC_OK, ""};
    int64_t from = 0, until = 0;

    memset(out, 0, sizeof *out);
    if ((x = cert_read(text, n, false, &why)) && chain_check(t, x, now, &from, &until, &why) == 0 &&
        leaf_check(x, &why) == 0 && x509_info(x, out, &why) == 0 && out->cn[0]) {
        out->not_before = from;
        out->not_after = until;
        return 0;
    }
    memset(out, 0, sizeof *out); /* nobody reads half an identity */
    return err_set(e, why.code == FC_FAIL ? FC_FAIL : FC_DENIED, "client certificate: %s",
        why.code ? why.msg : "no common name");
}
