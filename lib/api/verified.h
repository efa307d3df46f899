/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that were verified, and what they say, in a file that all processes of a host share: so
 * a process that answers one request (CGI) needs no cryptography. A row counts for an hour at most.
 * Whoever can write the file can write the store as well; it is believed when it is of our own
 * account and nobody else can write it. What is damaged, or half written, is not there.
 */
#ifndef FC_API_VERIFIED_H
#define FC_API_VERIFIED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/text.h"
#include "crypto/crypto.h"

/* A descriptor for the functions below; -1, which finds nothing, when the file cannot be had. */
int verified_open(const struct conf *conf);
/* The row's key: of the certificate as it arrived, in a header or not, and of the hash (hex) of the
 * authorities that it chains to. */
void verified_key(const char *authorities, bool header, const char *cert, size_t n,
    char key[SHA256_HEX]);
/* out: cn, signer, org, fingerprint and times; now in us. */
bool verified_find(int fd, const char *key, int64_t now, struct cert_info *out);
void verified_keep(int fd, const char *key, int64_t now, const struct cert_info *c);

#endif
