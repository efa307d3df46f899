/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and queries: what the chain makes of a request's target. The input is a method, a blank, and the
 * target. What comes out is text without NUL, of the length that its escapes say. */
#include <stdint.h>
#include <string.h>

#include "api/core.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void whole(const char *s, const char *raw, size_t n, bool plus)
{
    AUTO_BUF struct buf b = BUF_INIT, again = BUF_INIT, twice = BUF_INIT;

    if (percent_decode(&b, raw, n, plus) < 0)
        die("%s was decoded from what is none", s);
    if (strlen(s) != b.len || !utf8_valid(s, b.len))
        die("%s: cut, or not UTF-8", s);
    percent_encode(&again, s, b.len);
    if (percent_decode(&twice, again.p ? again.p : "", again.len, plus) < 0 ||
        twice.len != b.len || (b.len && memcmp(twice.p, s, b.len)))
        die("%s: encoded it is another", s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"org_id", "labelSelector", "limit", "continue", ""};
    AUTO_ARENA struct arena *a = arena_new();
    struct http_request q = {.body = ""};
    struct api_response r = {0};
    struct call c = {.a = a, .q = &q, .r = &r};
    char *method = arena_strndup(a, (const char *)data, n), *path = strchr(method, ' '), *query;
    const char *value, *at;
    struct err e;

    if (!path)
        return 0;
    *path++ = '\0';
    query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    q = (struct http_request){.method = method, .target = path, .path = path,
        .query = query ? query : ""};
    step_route(&c);
    if (!c.route)
        step_found(&c);
    for (int i = 0; i < 2 && c.route && c.arg[i]; i++)
        if (strlen(c.arg[i]) == 0 || !utf8_valid(c.arg[i], strlen(c.arg[i])))
            die("%s: an empty or a damaged part", path);
    for (size_t i = 0; i < LEN(names); i++)
        if (query_get(&c, names[i], &value, &e) == 0 && value) {
            for (at = q.query; strncmp(at, names[i], strlen(names[i])) != 0 ||
                !strchr("=&", at[strlen(names[i])]); at += *at == '&')
                at += strcspn(at, "&");
            at += strlen(names[i]) + (at[strlen(names[i])] == '=');
            whole(value, at, strcspn(at, "&"), true);
        }
    api_response_free(&r);
    return 0;
}
