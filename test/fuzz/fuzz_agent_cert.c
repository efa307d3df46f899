/* SPDX-License-Identifier: Apache-2.0 */
/* The device's certificate as the privileged half takes it apart: what it makes of it are short texts. */
#include "base/mem.h"
#include "sysinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv o AUTO_JV = jv_object();

    sysinfo_cert_parse(data, n, &o);
    json_canon(&b, o);
    if (b.len > 256 || json_check(b.p, b.len, NULL) < 0)
        die("more than two short texts: %s", b.p);
    return 0;
}
