/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/identity.h"

const struct identity_module identity_module = {
    .key_generate = key_generate,
    .device_name = device_name,
    .csr_create = csr_create,
    .cert_info = cert_info,
};
