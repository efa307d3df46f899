/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, requests, keys and bundles, in DER and PEM. */
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    char name[DEVICE_NAME_LEN], **names;
    struct cert_detail detail;
    struct cert_info info;
    struct csr_info req;
    struct trust *trust;
    struct err e;

    cert_info(text, n, &info, &e);
    cert_detail(text, n, &detail, &e);
    csr_parse(text, n, &req, &e);
    device_name(text, n, name, &e);
    if (csr_names(text, n, &names, &e) == 0)
        names_free(names);
    if (trust_open(&trust, text, n, &e) == 0) {
        trust_verify(trust, text, n, 0, &info, &e);
        trust_close(trust);
    }
    return 0;
}
