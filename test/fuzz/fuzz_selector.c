/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors: what is parsed is written in a form that parses to the same. */
#include <stdint.h>
#include <string.h>

#include "fleet/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_ARENA struct arena *a = arena_new();
    AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT;
    AUTO_JV jv labels = jv_object_set(jv_object(), jv_string("a"), jv_string("b"));
    struct selector s, again;
    struct err e = {0};

    if (selector_parse(a, arena_strndup(a, (const char *)data, n), &s, &e) < 0)
        return 0;
    selector_match(&s, labels);
    selector_write(&once, &s);
    if (selector_parse(a, once.p ? once.p : "", &again, &e) < 0)
        die("%s: %s", once.p, e.msg);
    selector_write(&twice, &again);
    if (once.len != twice.len || (once.len && memcmp(once.p, twice.p, once.len)))
        die("%s became %s", once.p, twice.p);
    return 0;
}
