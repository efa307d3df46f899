/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTPS client for mod_symbol("curl", "client_module"). */
#include "net/client.h"

const struct client_module client_module = {
    .open = client_open,
    .close = client_close,
    .send = client_send,
    .many = client_many,
};
