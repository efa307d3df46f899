/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from a URL of https, one request. */
#ifndef FC_NET_JSON_H
#define FC_NET_JSON_H

#include "base/json.h"
#include "net/client.h"

struct json_request {
    const char *url;
    const char *form;           /* posted as application/x-www-form-urlencoded; NULL: GET */
    const char *const *headers; /* as of struct client_request, or NULL */
    const char *ca;             /* PEM that the server must chain to; NULL: what the system trusts */
    size_t ca_len;
    const char *tls_name;       /* as of struct client_conf, or NULL */
    const char *agent;
};
/* Any status is an answer, as long as it comes with an object: *out, for the caller to free. FC_INVALID:
 * the URL is not of https, or the answer no JSON object. */
int json_fetch(const struct client_module *m, const struct json_request *q, int *status, jv *out,
    struct err *e);

#endif
