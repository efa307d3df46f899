/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, and key sets after an empty line: what is read of them, and what libcjose makes of both. */
#include <string.h>

#include "crypto/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"fc-api", "client", NULL};
    const char *text = (const char *)data, *gap = memmem(text, n, "\n\n", 2);
    size_t len = gap ? (size_t)(gap - text) : n;
    jv keys AUTO_JV = jv_invalid();
    struct buf key AUTO_BUF = BUF_INIT;
    struct jwt t;
    int64_t end;
    struct err e;

    if (jwt_parse(text, len, &t, &e) == 0) {
        jwt_times(&t, INT64_C(1790000000) * 1000000, 60000000, &end, &e);
        jwt_audience(&t, names);
        if (gap && json_parse(gap + 2, n - len - 2, &keys, &e) == 0 &&
            jwt_key(&t, keys, &key) == 1)
            jose_verify(text, len, t.alg, key.p, &e);
    }
    jwt_free(&t);
    return 0;
}
