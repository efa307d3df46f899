/* SPDX-License-Identifier: Apache-2.0 */
/* Template parameters: what the check refuses cannot be filled either. */
#include <stdint.h>

#include "base/mem.h"
#include "fleet/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_BUF struct buf out = BUF_INIT;
    AUTO_JV jv labels = jv_object_set(jv_object(), jv_string("site"), jv_string("berlin"));
    AUTO_JV jv metadata = jv_object();
    struct err e = {0};

    metadata = jv_object_set(metadata, jv_string("name"), jv_string("device"));
    metadata = jv_object_set(metadata, jv_string("labels"), jv_copy(labels));
    if (template_checkn((const char *)data, n, &e) < 0
        && template_filln((const char *)data, n, metadata, &out, &e) == 0)
        die("filled what the check refuses: %s", e.msg);
    template_filln((const char *)data, n, metadata, &out, &e);
    return 0;
}
