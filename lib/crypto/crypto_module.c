/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

const struct crypto_module crypto_module = {
    .trust_open = trust_open,
    .trust_close = trust_close,
    .trust_verify = trust_verify,
    .cert_info = cert_info,
    .csr_parse = csr_parse,
    .seal = seal,
    .unseal = unseal,
};
