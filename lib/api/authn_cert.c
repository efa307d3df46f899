/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: the certificate of our own TLS, of a web server that started us (CGI), or of a header
 * that a trusted front set. Its chain is verified here in any case, once per certificate; expiry is
 * looked at on each request.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/core.h"
#include "api/verified.h"
#include "base/file.h"
#include "base/mod.h"
#include "base/text.h"

enum {
    CACHE_SETS = 2048,         /* identities that are kept: 16 times this many; of 10,000 devices */
    CACHE_WAYS = 16,           /* none finds its set full, who would be verified again and again */
    CERT_MAX = 16384,          /* bytes of a certificate as it arrives; chains are not sent */
    BUNDLE_MAX = 1 << 20,      /* bytes of the CA bundle */
    TRUSTED_MAX = 16,          /* configured user ids, addresses */
    FINGERPRINT_MIN = 16,      /* characters of a device's name in its certificate */
};

struct entry {
    size_t len;
    struct identity id;
    char cert[];
};

struct set {
    uint64_t hash[CACHE_WAYS]; /* of the certificates, beside each other: all are looked at */
    struct entry *entry[CACHE_WAYS]; /* NULL: none */
};

struct authn_cert {
    char *ca_file;
    struct buf bundle;                  /* what is in it; read with the first certificate */
    char bundle_hash[SHA256_HEX];       /* "" before */
    int verified;                       /* descriptor of what other processes share */
    const struct crypto_module *crypto; /* loaded with the first one that is not found there */
    struct trust *trust;
    char *header;                       /* configured name in lower case, or NULL */
    uid_t uid[TRUSTED_MAX];
    size_t nuid;
    char addr[TRUSTED_MAX][64];
    size_t naddr;
    unsigned turn;                      /* which way is replaced next */
    bool used[CACHE_SETS];              /* sets with an entry: to look at the others costs their
                                           memory, 512 KiB, which one request need not have */
    struct set cache[CACHE_SETS];
};

static int parse_uids(struct authn_cert *n, const char *list, struct err *e)
{
    char *copy AUTO_FREE = xstrdup(list), *word, *save = NULL;
    int64_t uid;

    for (word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        if (n->nuid == TRUSTED_MAX)
            return err_set(e, FC_INVALID, "[api] trusted-uid: too many");
        if (num_parse(word, 0, UINT32_MAX - 1, &uid, "[api] trusted-uid", e) < 0) {
            e->code = FC_INVALID;
            return -1;
        }
        n->uid[n->nuid++] = (uid_t)uid;
    }
    return 0;
}

static int parse_addresses(struct authn_cert *n, const char *list, struct err *e)
{
    char *copy AUTO_FREE = xstrdup(list), *word, *save = NULL;

    for (word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        if (n->naddr == TRUSTED_MAX || strlen(word) >= sizeof n->addr[0])
            return err_set(e, FC_INVALID, "[api] trusted-address: \"%s\"", word);
        strcpy(n->addr[n->naddr++], word);
    }
    return 0;
}

struct authn_cert *authn_cert_new(const struct conf *conf, struct err *e)
{
    struct authn_cert *n = xcalloc(1, sizeof *n); /* pages of the cache are touched as they fill */
    const char *ca = conf_get(conf, "api", "ca-file"), *uids = conf_get(conf, "api", "trusted-uid");
    const char *addr = conf_get(conf, "api", "trusted-address");
    const char *header = conf_get(conf, "api", "trusted-header");
    char *p;

    n->verified = -1;
    n->ca_file = ca ? xstrdup(ca) : xasprintf("%s/ca/ca.crt", conf_state_dir(conf));
    if (header) {
        n->header = xstrdup(header);
        for (p = n->header; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p += 'a' - 'A';
    }
    if ((uids && parse_uids(n, uids, e) < 0) || (addr && parse_addresses(n, addr, e) < 0))
        goto fail;
    /* Whoever is trusted overwrites one header. Another one it would pass on as clients sent it. */
    if ((n->nuid || n->naddr) && !n->header) {
        err_set(e, FC_INVALID, "[api] trusted-header: must name the header that is believed, such "
            "as X-SSL-Client-Cert or Client-Cert");
        goto fail;
    }
    n->verified = verified_open(conf);
    return n;

fail:
    authn_cert_free(n);
    return NULL;
}

void authn_cert_free(struct authn_cert *n)
{
    size_t i, k;

    if (!n)
        return;
    for (i = 0; i < CACHE_SETS; i++)
        for (k = 0; n->used[i] && k < CACHE_WAYS; k++)
            free(n->cache[i].entry[k]);
    if (n->trust)
        n->crypto->trust_close(n->trust);
    if (n->verified >= 0)
        close(n->verified);
    buf_free(&n->bundle);
    free(n->ca_file);
    free(n->header);
    free(n);
}

/* --- where the certificate comes from --------------------------------------------------------- */

/* Certificates are public: a header proves nothing unless a trusted front has set it. */
bool authn_cert_trusts(const struct authn_cert *n, const struct api_peer *peer)
{
    size_t i;

    if (peer->tls || peer->cgi)
        return false;
    if (peer->is_unix) {
        for (i = 0; i < n->nuid; i++)
            if (n->uid[i] == peer->uid)
                return true;
        return false;
    }
    for (i = 0; i < n->naddr; i++)
        if (peer->addr[0] && strcmp(n->addr[i], peer->addr) == 0)
            return true;
    return false;
}

/* A header's value; a repeated one is nobody's. */
static const char *only(const struct http_request *q, const char *name)
{
    const char *v = NULL;
    size_t i;

    for (i = 0; i < q->nheaders; i++)
        if (strcmp(q->header[i].name, name) == 0) {
            if (v)
                return NULL;
            v = q->header[i].value;
        }
    return v;
}

/* The certificate as it arrived (the cache's key); *encoded: it stands in a header. */
static const char *arrived(const struct authn_cert *n, const struct api_peer *peer,
    const struct http_request *q, size_t *len, bool *encoded)
{
    const char *v;

    *encoded = false;
    if (peer->cert) {
        *len = peer->cert_len;
        return peer->cert;
    }
    if (!authn_cert_trusts(n, peer))
        return NULL;
    *encoded = true;
    v = only(q, n->header);
    *len = v ? strlen(v) : 0;
    return *len ? v : NULL;
}

/* RFC 9440: ":base64 of DER:"; else URL-escaped PEM. */
static int decode(const char *v, size_t len, struct buf *out)
{
    if (len > 2 && v[0] == ':' && v[len - 1] == ':')
        return base64_decode(out, v + 1, len - 2);
    return percent_decode(out, v, len, false);
}

/* --- what it says ------------------------------------------------------------------------------ */

/* The class of a signer's certificates, and what their holders may. */
static int who_of(const char *signer, struct identity *id)
{
    static const struct {
        const char *signer;
        enum who who;
        unsigned roles;
    } signers[] = {
        {SIGNER_ENROLLMENT, WHO_ENROLLMENT, ROLE_ENROLLMENT},
        {SIGNER_DEVICE, WHO_DEVICE, ROLE_DEVICE},
        {SIGNER_RENEWAL, WHO_DEVICE, ROLE_DEVICE},
        {SIGNER_ADMIN, WHO_USER, ROLE_ADMIN},
        {SIGNER_USER, WHO_USER, 0},
    };

    for (size_t i = 0; i < LEN(signers); i++)
        if (strcmp(signer, signers[i].signer) == 0) {
            id->who = signers[i].who;
            id->roles = signers[i].roles;
            return 0;
        }
    return -1;
}

static int to_identity(struct store *s, const struct cert_info *c, struct identity *id, int *status,
    struct err *e)
{
    *id = (struct identity){.vouch = BY_CERTIFICATE, .not_before = c->not_before,
        .not_after = c->not_after};
    *status = 401;
    if (who_of(c->signer, id) < 0)
        return err_set(e, FC_DENIED, "client certificate of an unknown signer \"%s\"", c->signer);
    if (id->who == WHO_DEVICE) {
        if (strncmp(c->cn, "device:", 7) != 0 || strcmp(c->cn, c->fingerprint) != 0 ||
            strlen(c->cn) - 7 < FINGERPRINT_MIN || strlen(c->cn) - 7 >= sizeof id->name)
            return err_set(e, FC_DENIED, "client certificate without a device's fingerprint");
        snprintf(id->name, sizeof id->name, "%s", c->cn + 7);
        snprintf(id->actor, sizeof id->actor, "device:%s", id->name);
    } else {
        if (strlen(c->cn) >= sizeof id->name)
            return err_set(e, FC_DENIED, "client certificate with an overlong name");
        snprintf(id->name, sizeof id->name, "%s", c->cn);
        snprintf(id->actor, sizeof id->actor, "%s:%s",
            id->who == WHO_USER ? "user" : "enrollment", id->name);
    }
    if (!c->org[0]) {
        *status = 400;
        return err_set(e, FC_INVALID, "no organization ID found in certificate");
    }
    snprintf(id->org_uid, sizeof id->org_uid, "%s", c->org);
    if (store_org(s, c->org, &id->org, e) < 0) {
        *status = e->code == FC_NOTFOUND ? 403 : 503;
        return -1;
    }
    return 0;
}

/* The authorities, once a process. */
static int read_bundle(struct authn_cert *n, struct err *e)
{
    if (n->bundle_hash[0])
        return 0;
    buf_reset(&n->bundle);
    if (file_read(n->ca_file, BUNDLE_MAX, &n->bundle, e) < 0)
        return -1;
    sha256_hex(n->bundle.p ? n->bundle.p : "", n->bundle.len, n->bundle_hash);
    return 0;
}

int authn_cert_warm(struct authn_cert *n, struct err *e)
{
    if (n->trust)
        return 0;
    if ((!n->crypto && !(n->crypto = mod_symbol("crypto", "crypto_module", e))) ||
        read_bundle(n, e) < 0)
        return -1;
    if (n->crypto->trust_open(&n->trust, n->bundle.p ? n->bundle.p : "", n->bundle.len, e) == 0)
        return 0;
    n->bundle_hash[0] = '\0'; /* it may be put right */
    return -1;
}

/* Expiry counts on each request, not only when the chain was verified. */
static int in_time(struct call *c, int *status, struct err *e)
{
    const struct identity *id = c->id;

    if (c->now >= id->not_before && c->now <= id->not_after)
        return 1;
    c->id = NULL;
    *status = 401;
    return err_set(e, FC_DENIED, "client certificate %s", c->now > id->not_after ? "has expired" :
        "is not valid yet");
}

static uint64_t hash_of(const char *p, size_t n)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ n, v;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&v, p, 8);
        h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    for (; n; p++, n--)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

/* What a certificate says whose chain is good, now or when another process looked. */
static int verify(struct authn_cert *n, const struct call *c, const char *cert, size_t len,
    bool encoded, struct cert_info *info, int *status, struct err *e)
{
    struct buf plain AUTO_BUF = BUF_INIT;
    char key[SHA256_HEX];

    if (encoded && decode(cert, len, &plain) < 0)
        return err_set(e, FC_DENIED, "client certificate header is malformed");
    *status = 503;
    if (read_bundle(n, e) < 0)
        return -1;
    verified_key(n->bundle_hash, encoded, cert, len, key);
    if (verified_find(n->verified, key, c->now, info))
        return 0;
    if (authn_cert_warm(n, e) < 0)
        return -1;
    *status = 401;
    if (n->crypto->trust_verify(n->trust, encoded ? (plain.p ? plain.p : "") : cert,
        encoded ? plain.len : len, c->now, info, e) < 0)
        return -1;
    verified_keep(n->verified, key, c->now, info);
    return 0;
}

/* The identity of a certificate that was not seen before; kept in the cache. */
static int recognize(struct authn_cert *n, struct call *c, const char *cert, size_t len,
    bool encoded, struct set *set, size_t way, int *status, struct err *e)
{
    struct entry *entry;
    struct cert_info info;
    struct identity id;

    if (verify(n, c, cert, len, encoded, &info, status, e) < 0 ||
        to_identity(c->s, &info, &id, status, e) < 0)
        return -1;
    sha256_hex(cert, len, id.key);
    entry = xmalloc(sizeof *entry + len);
    entry->len = len;
    entry->id = id;
    memcpy(entry->cert, cert, len);
    free(set->entry[way]);
    set->entry[way] = entry;
    set->hash[way] = hash_of(cert, len);
    c->id = &entry->id;
    return in_time(c, status, e);
}

int authn_cert(struct call *c, int *status, struct err *e)
{
    struct authn_cert *n = c->api->cert;
    struct set *set;
    const char *cert;
    bool encoded;
    size_t len, i;
    uint64_t h;

    cert = arrived(n, c->peer, c->q, &len, &encoded);
    if (!cert)
        return 0;
    if (len > CERT_MAX)
        return err_set(e, FC_DENIED, "client certificate is too large");
    h = hash_of(cert, len);
    set = &n->cache[h % CACHE_SETS];
    for (i = 0; i < CACHE_WAYS; i++) /* the whole bytes are compared: the hash proves nothing */
        if (set->hash[i] == h && set->entry[i] && set->entry[i]->len == len &&
            memcmp(set->entry[i]->cert, cert, len) == 0) {
            c->id = &set->entry[i]->id;
            return in_time(c, status, e);
        }
    for (i = 0; i < CACHE_WAYS && set->entry[i]; i++)
        ;
    if (i == CACHE_WAYS)
        i = n->turn++ % CACHE_WAYS;
    n->used[h % CACHE_SETS] = true;
    return recognize(n, c, cert, len, encoded, set, i, status, e);
}
