/* SPDX-License-Identifier: Apache-2.0 */
/* What is read must be JSON, and what is written must be read as the same. */
#include <string.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/yaml_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_docs(const char *text, size_t n, struct docs *d)
{
    *d = (struct docs){.source = xstrdup("fuzz"), .arena = arena_new()};
    buf_add(&d->text, text, n);
}

static void round_trip(jv v)
{
    struct buf json AUTO_BUF = BUF_INIT, yaml AUTO_BUF = BUF_INIT, again AUTO_BUF = BUF_INIT;
    struct docs d;
    struct err e;

    json_canon(&json, v);
    if (json_check(json.p, json.len, &e) < 0)
        die("no JSON: %s: %s", e.msg, json.p);
    if (yaml_emit_doc(&yaml, v, &e) < 0)
        die("not written: %s", e.msg);
    read_docs(yaml.p, yaml.len, &d);
    if (yaml_read_docs(d.text.p, d.text.len, &d, &e) < 0 || d.n != 1)
        die("not read again: %s\n%s", e.msg, yaml.p);
    json_canon(&again, d.doc[0].v);
    if (strcmp(json.p, again.p))
        die("not the same: %s\n%s\n%s", json.p, again.p, yaml.p);
    docs_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct docs d;
    struct err e;
    size_t i;

    read_docs((const char *)data, size, &d);
    if (yaml_read_docs(d.text.p, d.text.len, &d, &e) == 0)
        for (i = 0; i < d.n; i++) {
            (void)doc_line(&d.doc[i], "a.b[0][\"x/y\"]");
            round_trip(d.doc[i].v);
        }
    docs_free(&d);
    return 0;
}
