/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a checked text are what the parser makes of them. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "client/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void equal(struct span s, jv want)
{
    struct buf text AUTO_BUF = BUF_INIT, a AUTO_BUF = BUF_INIT, b AUTO_BUF = BUF_INIT;
    jv v;

    span_compact(&text, s);
    if (json_parse(text.p ? text.p : "", text.len, &v, NULL) < 0)
        die("not a value: %.*s", (int)s.n, s.p);
    json_canon(&a, v);
    json_canon(&b, want);
    if (a.len != b.len || memcmp(a.p, b.p, a.len))
        die("%s is not %s", a.p, b.p);
    jv_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {(const char *)data, size}, s, rest = all;
    jv v, x;
    int n = 0;

    if (json_parse(all.p, size, &v, NULL) < 0)
        return 0;
    equal(all, v);
    if (jv_get_kind(v) == JV_KIND_ARRAY) {
        for (; span_element(&rest, &s); n++) {
            x = jv_array_get(jv_copy(v), n);
            equal(s, x);
            jv_free(x);
        }
        if (n != jv_array_length(jv_copy(v)))
            die("%d elements", n);
    }
    if (span_member(all, "items", &s)) {
        x = json_get(v, "items");
        equal(s, x);
        jv_free(x);
    }
    jv_free(v);
    return 0;
}
