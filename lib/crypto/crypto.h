/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, certificate requests, certificates. PEM texts in, PEM texts out; OpenSSL 3 inside.
 * Identities are ECDSA P-256. Private keys live in files 0600 and in memory that is wiped.
 */
#ifndef FC_CRYPTO_CRYPTO_H
#define FC_CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/seal.h"

enum { DEVICE_NAME_LEN = 53 }; /* 52 characters and a NUL */

/* Custom extensions of certificates (object identifiers), each an ASN.1 string. */
#define OID_SIGNER_NAME "1.3.6.1.4.1.99999.1.1"
#define OID_ORG_ID "1.3.6.1.4.1.99999.1.2"
#define OID_FINGERPRINT "1.3.6.1.4.1.99999.1.3"

#define SIGNER_ENROLLMENT "flightctl.io/enrollment"
#define SIGNER_DEVICE "flightctl.io/device-enrollment"
#define SIGNER_RENEWAL "flightctl.io/device-management-renewal"
#define SIGNER_SERVICE "flightctl.io/device-svc-client"
#define SIGNER_SERVER "flightctl.io/server-svc"
/* Ours: client certificates of people: administrators, and others, whose roles are assigned. */
#define SIGNER_ADMIN "flightctl.io/admin"
#define SIGNER_USER "flightctl.io/user"

/* --- keys.c ------------------------------------------------------------------------------- */

/* A new P-256 key as SEC 1 PEM ("EC PRIVATE KEY"). Wipe it with buf_wipe. */
int key_generate(struct buf *pem, struct err *e);
void buf_wipe(struct buf *b); /* zeroes and frees */
/* The device name of a private key, certificate or certificate request in PEM: lower-case
 * base32hex without padding of SHA-256 over X and Y as minimal big-endian integers. */
int device_name(const char *pem, size_t n, char out[DEVICE_NAME_LEN], struct err *e);
/* Reads a key file into an empty buffer. FC_DENIED when group or others may open it. */
int key_load(const char *path, struct buf *pem, struct err *e);

/* --- csr.c -------------------------------------------------------------------------------- */

/* A request for CN=cn, signed with ECDSA-SHA256, without extensions. */
int csr_create(const char *key_pem, size_t n, const char *cn, struct buf *pem, struct err *e);

struct csr_info {
    char cn[256];               /* "" when the subject has none */
    char name[DEVICE_NAME_LEN]; /* device name of its key */
};
/* Parses PEM (or DER), checks the self-signature and the key (EC P-256, P-384, P-521 or RSA of at
 * least 2048 bits). Tolerates white space at line ends, as manifests have it. FC_INVALID. */
int csr_parse(const char *text, size_t n, struct csr_info *out, struct err *e);
/* The DNS names and IP addresses that a request asks for, ended by NULL; names_free frees them.
 * FC_INVALID when its subjectAltName has anything else. */
int csr_names(const char *text, size_t n, char ***out, struct err *e);
void names_free(char **names); /* NULL is fine */

/* --- ca.c --------------------------------------------------------------------------------- */

enum { CA_DAYS = 3650, CERT_DAYS = 365 };

/* Creates key_path (0600) and cert_path; refuses to overwrite (FC_CONFLICT). P-256, self-signed,
 * CA:true, keyCertSign and cRLSign, random 128-bit serial. A key without its certificate, left by
 * a run that was killed between the two, gets one. */
int ca_init(const char *key_path, const char *cert_path, const char *cn, int days, struct err *e);

struct ca; /* an opened certificate authority */
/* FC_DENIED when the key is readable by others; checks that key and certificate belong together
 * and that the certificate has not expired. */
int ca_open(struct ca **out, const char *key_path, const char *cert_path, struct err *e);
void ca_close(struct ca *ca);
int ca_pem(const struct ca *ca, struct buf *pem, struct err *e); /* appends its certificate */

struct cert_profile {
    const char *signer;      /* SIGNER_*: goes into the extension; NULL: no extension */
    const char *cn;          /* subject */
    const char *org;         /* organization id or NULL */
    const char *fingerprint; /* extension value or NULL; device certificates carry their whole CN */
    bool server;             /* EKU serverAuth instead of clientAuth */
    const char *const *names; /* DNS names and IP addresses of a server, ended by NULL; or NULL */
    int64_t seconds;         /* validity; 0: CERT_DAYS. Cut to the CA's own end */
};
/* Signs the key of a request (PEM or DER). notBefore is now - 1 s. digitalSignature and
 * keyEncipherment, CA:false, authority key identifier. Random serial. */
int ca_sign(struct ca *ca, const char *csr, size_t n, const struct cert_profile *p, struct buf *pem,
    struct err *e);

/* --- issue.c ------------------------------------------------------------------------------ */

/* A certificate under the rules of its signer, which the profile follows from:
 *   enrollment  CN client-enrollment or client-enrollment-NAME, the prefix is added
 *   device      (and renewal) CN device:NAME where NAME is the device name of the key; the
 *               request may leave the prefix out; the fingerprint is the whole CN
 *   admin, user CN as it is
 *   server      EKU serverAuth; names are DNS names and IP addresses, the CN is the first */
struct issue {
    const char *signer;       /* as signer_find takes it */
    const char *cn;           /* NULL: the request's */
    const char *org;          /* UUID or NULL; servers have none */
    const char *const *names; /* server: NULL takes the request's */
    int64_t seconds;          /* validity; 0: CERT_DAYS */
};
/* The SIGNER_* of a name or of its short form ("enrollment", "device", "renewal", "admin",
 * "user", "server"). NULL: not one that issues certificates here. */
const char *signer_find(const char *name);
/* Signs a request (PEM or DER). FC_INVALID when it breaks the signer's rules. */
int issue_csr(struct ca *ca, const char *csr, size_t n, const struct issue *i, struct buf *pem,
    struct err *e);
/* A new key and its certificate. Wipe the key with buf_wipe. */
int issue_pair(struct ca *ca, const struct issue *i, struct buf *key, struct buf *cert,
    struct err *e);
/* The same as files: PREFIX.key (0600) and PREFIX.crt. FC_CONFLICT when they exist, unless force.
 * A key without its certificate, left by a run that was killed between the two, gets one. dry:
 * nothing is written. cert: what PREFIX.crt holds; a server's is followed by the authority's, which
 * clients are used to be shown. */
int issue_files(struct ca *ca, const struct issue *i, const char *prefix, bool force, bool dry,
    struct buf *cert, struct err *e);

/* A device's complete first configuration (YAML): how to reach the server, whom to trust there,
 * and the bootstrap key and certificate. Holds the key: wipe it with buf_wipe. FC_INVALID when the
 * server is no https URL of a host. */
int bootstrap_config(const char *server, const struct buf *ca_pem, const struct buf *cert,
    const struct buf *key, struct buf *out, struct err *e);

/* --- cert.c ------------------------------------------------------------------------------- */

struct cert_info {
    char cn[256];          /* "" when the subject has none; trust_verify refuses that */
    char signer[128];      /* "" when the extension is missing */
    char org[64];
    char fingerprint[256];
    char serial[64];       /* hex, lower case */
    int64_t not_before, not_after; /* us */
};
/* PEM or DER. Of PEM only the first certificate counts. FC_INVALID when a field is malformed, does
 * not fit, or an extension stands twice. */
int cert_info(const char *text, size_t n, struct cert_info *out, struct err *e);

/* What people compare; hex in upper case with colons. */
struct cert_detail {
    struct cert_info info;
    char sha256[96];       /* fingerprint of the DER */
    char ski[96];          /* subject key identifier, "" when there is none */
    bool is_ca;
};
int cert_detail(const char *text, size_t n, struct cert_detail *out, struct err *e);

struct trust; /* a bundle of CA certificates */
int trust_open(struct trust **out, const char *bundle_pem, size_t n, struct err *e);
void trust_close(struct trust *t);
/* Verifies chain, purpose (client) and time (now in us) of a leaf certificate in PEM or DER, then
 * reads it; its times are those in which all of the chain are valid. FC_DENIED with the reason; *out
 * is empty then. */
int trust_verify(struct trust *t, const char *text, size_t n, int64_t now, struct cert_info *out,
    struct err *e);

/* The same functions for callers that load them with mod_symbol("crypto", "crypto_module"). */
struct crypto_module {
    int (*trust_open)(struct trust **, const char *, size_t, struct err *);
    void (*trust_close)(struct trust *);
    int (*trust_verify)(struct trust *, const char *, size_t, int64_t, struct cert_info *,
        struct err *);
    int (*cert_info)(const char *, size_t, struct cert_info *, struct err *);
    int (*csr_parse)(const char *, size_t, struct csr_info *, struct err *);
    int (*seal)(const struct seal_key *, const char *, const char *, size_t, struct buf *,
        struct err *);
    int (*unseal)(const struct seal_keys *, const char *, const char *, struct buf *,
        struct err *);
};
extern const struct crypto_module crypto_module;

#endif
