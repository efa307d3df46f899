/* SPDX-License-Identifier: Apache-2.0 */
/* What the checker takes, libjq must take, and its canonical form must be a fixed point. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fixed_point(const char *text, size_t n)
{
    struct buf once AUTO_BUF = BUF_INIT, twice AUTO_BUF = BUF_INIT;
    jv v, w;

    if (json_parse(text, n, &v, NULL) < 0)
        die("checked but not parsed");
    json_canon(&once, v);
    if (json_parse(once.p, once.len, &w, NULL) < 0)
        die("canonical form refused: %s", once.p);
    json_canon(&twice, w);
    if (once.len != twice.len || memcmp(once.p, twice.p, once.len))
        die("not canonical: %s", once.p);
    buf_reset(&twice);
    json_pretty(&twice, v);
    if (json_check(twice.p, twice.len, NULL) < 0)
        die("indented form refused: %s", twice.p);
    jv_free(v);
    jv_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    ptrdiff_t n;
    struct err e;

    if (json_check(p, size, &e) == 0)
        fixed_point(p, size);
    for (; (n = json_next(p, size, &e)) > 0; p += n, size -= (size_t)n)
        if (json_check(p, (size_t)n, &e) < 0)
            die("accepted in a stream only: %s", e.msg);
    return 0;
}
