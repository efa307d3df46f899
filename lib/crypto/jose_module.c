/* SPDX-License-Identifier: Apache-2.0 */
/* Signed tokens for mod_symbol("jose", "jose_module"). */
#include "crypto/jwt.h"

const struct jose_module jose_module = {
    .verify = jose_verify,
    .sign = jose_sign,
    .public_key = jose_public_key,
};
