/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors by labels, and by the fields of each kind: what is parsed is written in a form that parses
 * to the same and matches the same. */
#include <stdint.h>
#include <string.h>

#include "fleet/kind.h"
#include "fleet/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char document[] = "{\"metadata\":{\"name\":\"a\",\"labels\":{\"a\":\"b\"},"
    "\"creationTimestamp\":\"2026-05-04T03:02:01Z\"},\"reason\":\"\\u0000\",\"spec\":{\"type\":1},"
    "\"status\":{\"approval\":{\"approved\":true},\"certificate\":\"x\"}}";

static int parse(struct arena *a, const char *text, const struct field *fields, struct selector *s,
    struct err *e)
{
    return fields ? selector_parse_fields(a, text, fields, s, e) : selector_parse(a, text, s, e);
}

static void round_trip(struct arena *a, const char *text, const struct field *fields, jv doc)
{
    AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT;
    struct selector s, again;
    struct err e = {0};

    if (parse(a, text, fields, &s, &e) < 0)
        return;
    selector_write(&once, &s);
    if (parse(a, once.p ? once.p : "", fields, &again, &e) < 0)
        die("%s: %s", once.p, e.msg);
    selector_write(&twice, &again);
    if (once.len != twice.len || (once.len && memcmp(once.p, twice.p, once.len)))
        die("%s became %s", once.p, twice.p);
    if (selector_match_doc(&s, doc) != selector_match_doc(&again, doc))
        die("%s matches otherwise", once.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_ARENA struct arena *a = arena_new();
    AUTO_JV jv doc = jv_parse(document);
    const char *text = arena_strndup(a, (const char *)data, n);

    round_trip(a, text, NULL, doc);
    for (const struct kind *k = kinds; k->id; k++)
        round_trip(a, text, k->fields, doc);
    return 0;
}
