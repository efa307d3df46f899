/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON against the schema and the checks of every kind. */
#include "base/json.h"
#include "fleet/kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct violation found[8];
    jv v;

    if (json_parse((const char *)data, n, &v, NULL) < 0)
        return 0;
    for (const struct kind *k = kinds; k->id; k++)
        for (unsigned flags = 0; flags < 4; flags++)
            kind_validate(k, v, flags, found, flags ? 8 : 1);
    jv_free(v);
    return 0;
}
