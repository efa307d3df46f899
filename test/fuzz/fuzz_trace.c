/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request: the input is lines of "NAME: VALUE", such as traceparent, x-request-id and
 * flightctl-api-version. Whatever they say, the trace and the request's id are what may be sent on. */
#include <string.h>

#include "api/core.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void hex(const char *what, const char *s, size_t n)
{
    if (strlen(s) != n || strspn(s, "0123456789abcdef") != n)
        die("%s is \"%s\"", what, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_ARENA struct arena *a = arena_new();
    struct http_request q = {.method = "GET", .target = "/", .path = "/", .query = "", .body = ""};
    struct api_response r = {0};
    struct call c = {.a = a, .q = &q, .r = &r};
    char *rest = arena_strndup(a, (const char *)data, n), *line, *value;
    const struct trace *t;

    while ((line = strsep(&rest, "\n")) && q.nheaders < HTTP_HEADERS_MAX) {
        value = strstr(line, ": ");
        if (!value)
            continue;
        *value = '\0';
        q.header[q.nheaders++] = (struct http_header){.name = line, .value = value + 2};
    }
    step_head(&c);
    t = trace_of(&c);
    hex("trace", t->id, 32);
    hex("parent", t->parent, 16);
    hex("flags", t->flags, 2);
    if (strspn(t->id, "0") == 32 || strspn(t->parent, "0") == 16)
        die("all zeros: %s %s", t->id, t->parent);
    if (!*r.request_id || r.request_id[strcspn(r.request_id, " \t\r\n:\"\\")])
        die("request id \"%s\"", r.request_id);
    api_response_free(&r);
    return 0;
}
