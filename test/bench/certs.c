/* SPDX-License-Identifier: Apache-2.0 */
/* Many devices at once: for each a key, and a line with its name and its certificate as a web
 * server passes it on (PEM, URL-escaped). With FILE, key and certificate go there as fc-simulate keeps
 * them.
 *   certs CA-KEY CA-CERTIFICATE ORGANIZATION COUNT [FILE] */
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/crypto.h"

static void keep(FILE *f, const struct buf *key, const struct buf *cert)
{
    struct buf line = BUF_INIT;
    jv o = jv_object();

    json_set(&o, "key", jv_string_sized(key->p, (int)key->len));
    json_set(&o, "cert", jv_string_sized(cert->p, (int)cert->len));
    json_canon(&line, o);
    fprintf(f, "%s\n", line.p);
    jv_free(o);
    buf_wipe(&line);
}

int main(int argc, char **argv)
{
    struct buf key = BUF_INIT, cert = BUF_INIT, escaped = BUF_INIT;
    char name[DEVICE_NAME_LEN];
    struct ca *ca = NULL;
    struct err e = {0};
    int64_t n;
    FILE *f = NULL;
    int rc;

    log_name = "certs";
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: certs CA-KEY CA-CERTIFICATE ORGANIZATION COUNT [FILE]\n");
        return FC_USAGE;
    }
    rc = num_parse(argv[4], 1, 1000000, &n, "COUNT", &e);
    if (rc == 0)
        rc = ca_open(&ca, argv[1], argv[2], &e);
    if (rc == 0 && argc == 6 && !(f = fopen(argv[5], "we")))
        rc = err_errno(&e, "%s", argv[5]);
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
        if (f)
            keep(f, &key, &cert);
    }
    ca_close(ca);
    buf_wipe(&key);
    buf_free(&cert);
    buf_free(&escaped);
    if (f && fclose(f) && rc == 0)
        rc = err_errno(&e, "%s", argv[5]);
    if (rc == 0 && fflush(stdout))
        rc = err_errno(&e, "stdout");
    if (rc < 0)
        fprintf(stderr, "certs: %s\n", e.msg);
    return rc < 0 ? (int)e.code : 0;
}
