/* SPDX-License-Identifier: Apache-2.0 */
/* A message between the agent's two halves: a byte of type, then the body. What is taken must come
 * out again as the same bytes. */
#include <string.h>

#include "base/mem.h"
#include "proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { HEAD = 5 };
    struct buf out AUTO_BUF = BUF_INIT;
    struct err e;
    struct msg m;

    if (!n || proto_decode(data[0], data + 1, n - 1, &m, &e) < 0)
        return 0;
    if (n - 1 > proto_max(data[0]))
        die("larger than allowed");
    proto_encode(&m, &out);
    /* control bytes of a message are replaced on the way in, and long ones are cut */
    if (m.type == MSG_ERROR || m.type == MSG_REFUSED)
        return 0;
    if (out.len != HEAD + n - 1 || memcmp(out.p + HEAD, data + 1, n - 1) != 0)
        die("not the same bytes");
    return 0;
}
