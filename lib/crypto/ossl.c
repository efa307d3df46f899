/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void *ossl_need(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

int ossl_err(struct err *e, enum fc_code code, const char *what)
{
    unsigned long n = ERR_peek_error(); /* the first one; later ones say that it was nested */
    const char *reason = n ? ERR_reason_error_string(n) : NULL;

    ERR_clear_error();
    return err_set(e, code, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

static const struct {
    const char *name;
    enum pem_kind kind;
} pem_names[] = {
    {PEM_STRING_X509, PEM_CERT},
    {PEM_STRING_X509_REQ, PEM_CSR},
    {PEM_STRING_X509_REQ_OLD, PEM_CSR},
    {PEM_STRING_ECPRIVATEKEY, PEM_KEY},
    {PEM_STRING_PKCS8INF, PEM_KEY},
    {PEM_STRING_RSA, PEM_KEY},
};

static const char *kind_name(unsigned want)
{
    switch (want) {
    case PEM_CERT: return "certificate";
    case PEM_CSR: return "certificate request";
    case PEM_KEY: return "private key";
    default: return "key, certificate or request";
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int der_copy(const char *text, size_t n, unsigned want, struct der *out)
{
    out->p = ossl_need(OPENSSL_secure_malloc(n));
    memcpy(out->p, text, n);
    out->n = (long)n;
    out->kind = (enum pem_kind)want;
    return 0;
}

/* PEM_read_bio_ex leaves the decryption of old encrypted blocks to its caller: here nothing ever
 * asks for a passphrase, on whichever terminal. */
static int pem_next(BIO *in, unsigned want, struct der *out, struct err *e)
{
    char *name = NULL, *header = NULL;
    const char *found = NULL;
    unsigned char *data = NULL;
    long len = 0;
    int rc = -1;

    if (PEM_read_bio_ex(in, &name, &header, &data, &len,
            PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
            return ossl_err(e, FC_INVALID, "bad PEM");
        ERR_clear_error();
        return err_set(e, FC_INVALID, "no %s in PEM", kind_name(want));
    }
    if (!strcmp(name, PEM_STRING_ECPARAMETERS) && (want & PEM_KEY))
        rc = 1; /* openssl ecparam -genkey puts it before the key */
    else if (!strcmp(name, PEM_STRING_PKCS8) || strstr(header, "ENCRYPTED"))
        err_set(e, FC_INVALID, "the PEM block is encrypted; keys with a passphrase are not read");
    else if (*header)
        err_set(e, FC_INVALID, "PEM block with headers");
    else {
        for (size_t i = 0; i < LEN(pem_names); i++)
            if ((want & pem_names[i].kind) && !strcmp(name, pem_names[i].name)) {
                found = pem_names[i].name;
                out->kind = pem_names[i].kind;
            }
        if (found)
            rc = 0;
        else
            err_set(e, FC_INVALID, "a %s is wanted, not PEM of \"%.40s\"", kind_name(want), name);
    }
    if (rc)
        OPENSSL_secure_clear_free(data, (size_t)len);
    else {
        out->p = data;
        out->n = len;
    }
    OPENSSL_secure_free(name);
    OPENSSL_secure_free(header);
    return rc;
}

int der_read(const char *text, size_t n, unsigned want, bool preamble, struct der *out,
    struct err *e)
{
    static const char begin[] = "-----BEGIN ";
    BIO *in AUTO_BIO = NULL;
    int rc;

    ERR_clear_error();
    memset(out, 0, sizeof *out);
    if (n > OSSL_TEXT_MAX)
        return err_set(e, FC_INVALID, "larger than %d bytes", OSSL_TEXT_MAX);
    if (n && text[0] == 0x30 && (want == PEM_CERT || want == PEM_CSR))
        return der_copy(text, n, want, out);
    while (n && is_space(*text))
        text++, n--;
    if (!n)
        return err_set(e, FC_INVALID, "empty: a %s is wanted", kind_name(want));
    if (!preamble && (n < sizeof begin || memcmp(text, begin, sizeof begin - 1)))
        return err_set(e, FC_INVALID, "not a %s in PEM", kind_name(want));
    in = ossl_need(BIO_new_mem_buf(text, (int)n));
    while ((rc = pem_next(in, want, out, e)) == 1)
        ;
    return rc;
}

void der_free(struct der *d)
{
    if (d->p)
        OPENSSL_secure_clear_free(d->p, (size_t)d->n);
    memset(d, 0, sizeof *d);
}

X509 *der_cert(const struct der *d, struct err *e)
{
    const unsigned char *p = d->p;
    X509 *x = d2i_X509(NULL, &p, d->n);

    if (x && p == d->p + d->n)
        return x;
    ossl_err(e, FC_INVALID, x ? "data after the certificate" : "not a certificate");
    X509_free(x);
    return NULL;
}

X509_REQ *der_req(const struct der *d, struct err *e)
{
    const unsigned char *p = d->p;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, d->n);

    if (r && p == d->p + d->n)
        return r;
    ossl_err(e, FC_INVALID, r ? "data after the request" : "not a certificate request");
    X509_REQ_free(r);
    return NULL;
}

EVP_PKEY *der_key(const struct der *d, struct err *e)
{
    const unsigned char *p = d->p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, d->n);

    if (!key)
        ossl_err(e, FC_INVALID, "not a private key");
    ERR_clear_error();
    return key;
}

static int bio_take(BIO *out, int ok, struct buf *pem, struct err *e)
{
    char *p = NULL;
    long n;

    if (ok != 1)
        return ossl_err(e, FC_FAIL, "cannot write PEM");
    n = BIO_get_mem_data(out, &p);
    buf_add(pem, p, (size_t)n);
    return 0;
}

int pem_cert(X509 *x, struct buf *pem, struct err *e)
{
    BIO *out AUTO_BIO = ossl_need(BIO_new(BIO_s_mem()));

    return bio_take(out, PEM_write_bio_X509(out, x), pem, e);
}

int pem_req(X509_REQ *r, struct buf *pem, struct err *e)
{
    BIO *out AUTO_BIO = ossl_need(BIO_new(BIO_s_mem()));

    return bio_take(out, PEM_write_bio_X509_REQ(out, r), pem, e);
}

int str_type(const char *s)
{
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
                strchr(" '()+,-./:=?", *s)))
            return V_ASN1_UTF8STRING;
    return V_ASN1_PRINTABLESTRING;
}

static bool is_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return utf8_valid(s, n);
}

int str_read(const ASN1_STRING *s, char *out, size_t size, const char *what, struct err *e)
{
    const char *p = (const char *)ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s), type = ASN1_STRING_type(s);

    if (type != V_ASN1_PRINTABLESTRING && type != V_ASN1_UTF8STRING && type != V_ASN1_IA5STRING)
        return err_set(e, FC_INVALID, "%s: not a string", what);
    if (n <= 0)
        return err_set(e, FC_INVALID, "%s: empty", what);
    if ((size_t)n >= size)
        return err_set(e, FC_INVALID, "%s: longer than %zu bytes", what, size - 1);
    if (!is_text(p, (size_t)n))
        return err_set(e, FC_INVALID, "%s: not printable text", what);
    memcpy(out, p, (size_t)n);
    out[n] = '\0';
    return 0;
}

int name_cn(X509_NAME *name, char *out, size_t size, struct err *e)
{
    int i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);

    out[0] = '\0';
    if (i < 0)
        return 0;
    if (X509_NAME_get_index_by_NID(name, NID_commonName, i) >= 0)
        return err_set(e, FC_INVALID, "more than one common name");
    return str_read(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)), out, size,
        "common name", e);
}

X509_NAME *name_new(const char *cn, struct err *e)
{
    size_t n = strlen(cn);
    X509_NAME *name;

    if (!n || n >= sizeof ((struct cert_info *)0)->cn || !is_text(cn, n)) {
        err_set(e, FC_INVALID, "common name: must be 1 to %zu bytes of printable text",
            sizeof ((struct cert_info *)0)->cn - 1);
        return NULL;
    }
    /* The plain types bypass X.520's bound of 64, which existing names of service certificates
     * exceed. */
    name = ossl_need(X509_NAME_new());
    if (X509_NAME_add_entry_by_NID(name, NID_commonName, str_type(cn), (const unsigned char *)cn,
            (int)n, -1, 0) != 1)
        die("out of memory");
    return name;
}
