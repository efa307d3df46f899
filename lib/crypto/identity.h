/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device needs for its own identity, for callers that load it with
 * mod_symbol("identity", "identity_module"), so that only one process has libcrypto in it.
 */
#ifndef FC_CRYPTO_IDENTITY_H
#define FC_CRYPTO_IDENTITY_H

#include "crypto/crypto.h"

struct identity_module {
    int (*key_generate)(struct buf *, struct err *);
    int (*device_name)(const char *, size_t, char[DEVICE_NAME_LEN], struct err *);
    int (*csr_create)(const char *, size_t, const char *, struct buf *, struct err *);
    int (*cert_info)(const char *, size_t, struct cert_info *, struct err *);
};
extern const struct identity_module identity_module;

#endif
