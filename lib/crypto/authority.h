/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate authority as files that a configuration names, and what is issued from there to
 * other files. Opened for one call each, so that its key is in memory no longer than that.
 */
#ifndef FC_CRYPTO_AUTHORITY_H
#define FC_CRYPTO_AUTHORITY_H

#include "base/conf.h"
#include "base/json.h"
#include "crypto/crypto.h"

struct authority {
    char *state;      /* the state folder */
    char *key, *cert; /* paths */
    bool own_folder;  /* they are where nothing else says, in STATE/ca */
};
/* What the configuration says, below a state folder. Drop it with authority_free, which is fine
 * with one of zeroes, too. */
void authority_find(struct authority *a, const struct conf *c, const char *state);
void authority_free(struct authority *a);

/* Makes key and certificate as ca_init does (cn NULL: Flight Control CA; days 0: CA_DAYS), and
 * their folder when it is the authority's own. cert: the certificate. dry: nothing is written,
 * cert stays empty; FC_CONFLICT when there is a certificate. */
int authority_make(const struct authority *a, const char *cn, int days, bool dry, struct buf *cert,
    struct err *e);
/* Prints its certificate as a document: subject, serial, notBefore, notAfter, subjectKeyIdentifier,
 * sha256, file, ca; format and filter as -o and -q are given, or NULL. */
int authority_print(const struct authority *a, const char *format, const char *filter,
    struct err *e);

/* Where something issued goes. */
struct destination {
    const char *path; /* NULL: where the function says */
    bool force;       /* what stands there is replaced; otherwise that is FC_CONFLICT */
    bool dry;         /* all is done but the writing */
};
/* A new key and its certificate as issue_files makes them. Without a path they go to the state
 * folder: server, enrollment, enrollment-CN or admin-CN, by the signer, which is one of these;
 * FC_INVALID when an administrator's name is no file name then. prefix: where, for the caller to
 * free; cert: the certificate. */
int authority_files(const struct authority *a, const struct issue *i, const struct destination *to,
    char **prefix, struct buf *cert, struct err *e);
/* A new key and its certificate in a device's configuration for a server (bootstrap_config), which
 * is checked with the certificates in the file server_ca (NULL: the authority's). Without a path
 * it goes to standard output. cert: the certificate. */
int authority_config(const struct authority *a, const struct issue *i, const char *server,
    const char *server_ca, const struct destination *to, struct buf *cert, struct err *e);
/* Signs the request in a file ("-": standard input). cert: the certificate. */
int authority_csr(const struct authority *a, const struct issue *i, const char *path,
    struct buf *cert, struct err *e);

#endif
