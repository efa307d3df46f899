/* SPDX-License-Identifier: Apache-2.0 */
/* Many devices at once: for each a key, and a line with its name and its certificate as a web
 * server passes it on (PEM, URL-escaped).
 *   certs CA-KEY CA-CERTIFICATE ORGANIZATION COUNT [PREFIX]
 * Of the last one key and certificate are left in PREFIX.key and PREFIX.crt. */
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/crypto.h"

static int keep(const char *prefix, const struct buf *key, const struct buf *cert, struct err *e)
{
    char *key_file AUTO_FREE = xasprintf("%s.key", prefix);
    char *cert_file AUTO_FREE = xasprintf("%s.crt", prefix);

    return file_write(key_file, key->p, key->len, 0600, e) < 0 ? -1 :
        file_write(cert_file, cert->p, cert->len, 0644, e);
}

int main(int argc, char **argv)
{
    struct buf key = BUF_INIT, cert = BUF_INIT, escaped = BUF_INIT;
    char name[DEVICE_NAME_LEN];
    struct ca *ca = NULL;
    struct err e = {0};
    int64_t n;
    int rc;

    log_name = "certs";
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: certs CA-KEY CA-CERTIFICATE ORGANIZATION COUNT [PREFIX]\n");
        return FC_USAGE;
    }
    rc = num_parse(argv[4], 1, 1000000, &n, "COUNT", &e);
    if (rc == 0)
        rc = ca_open(&ca, argv[1], argv[2], &e);
    while (rc == 0 && n-- > 0) {
        struct issue i = {.signer = "device", .org = argv[3]};

        buf_reset(&key);
        buf_reset(&cert);
        buf_reset(&escaped);
        rc = issue_pair(ca, &i, &key, &cert, &e);
        if (rc == 0)
            rc = device_name(key.p, key.len, name, &e);
        if (rc < 0)
            break;
        percent_encode(&escaped, cert.p, cert.len);
        printf("%s\t%s\n", name, escaped.p);
    }
    if (rc == 0 && argc == 6)
        rc = keep(argv[5], &key, &cert, &e);
    ca_close(ca);
    buf_wipe(&key);
    buf_free(&cert);
    buf_free(&escaped);
    if (rc == 0 && fflush(stdout))
        rc = err_errno(&e, "stdout");
    if (rc < 0)
        fprintf(stderr, "certs: %s\n", e.msg);
    return rc < 0 ? (int)e.code : 0;
}
