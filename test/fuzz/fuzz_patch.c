/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patches (arrays) and merge patches. The input is a document, a line feed and a patch. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "fleet/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data, *cut = n ? memchr(text, '\n', n) : NULL;
    AUTO_JV jv doc = jv_invalid(), before = jv_invalid(), patch = jv_invalid();
    AUTO_BUF struct buf b = BUF_INIT, was = BUF_INIT;
    struct err e = {0};

    if (!cut || json_parse(text, (size_t)(cut - text), &doc, &e) < 0
        || json_parse(cut + 1, n - (size_t)(cut + 1 - text), &patch, &e) < 0)
        return 0;
    before = jv_copy(doc);
    json_canon(&was, before);
    if ((jv_get_kind(patch) == JV_KIND_ARRAY ? json_patch : json_merge)(&doc, patch, &e) == 0) {
        json_canon(&b, doc);
        if (json_check(b.p, b.len, &e) < 0)
            die("the result is no document: %s", e.msg);
        buf_reset(&b);
    } else if (!jv_identical(jv_copy(doc), jv_copy(before))) {
        die("a patch that failed changed the document");
    }
    json_canon(&b, before);
    if (b.len != was.len || memcmp(b.p, was.p, b.len))
        die("the original changed");
    return 0;
}
