/* SPDX-License-Identifier: Apache-2.0 */
/* What the head of a request says about the request: its id, its trace, the API's version. */
#include <string.h>

#include "api/core.h"
#include "api/transport.h"
#include "base/text.h"

/* One value: a header that came twice says nothing. */
static const char *only(const struct http_request *q, const char *name)
{
    const char *v = NULL;

    for (size_t i = 0; i < q->nheaders; i++)
        if (strcmp(q->header[i].name, name) == 0) {
            if (v)
                return NULL;
            v = q->header[i].value;
        }
    return v;
}

/* n lower-case hex digits at *s; zeros: may they be all 0? */
static bool take_hex(const char **s, size_t n, bool zeros, char *out)
{
    size_t k = strspn(*s, "0123456789abcdef");

    if (k != n || (!zeros && strspn(*s, "0") >= n))
        return false;
    memcpy(out, *s, n);
    out[n] = '\0';
    *s += n;
    return true;
}

/* "VERSION-TRACE-PARENT-FLAGS"; versions above 00 may go on behind another "-". */
static void read_trace(struct trace *t, const char *s)
{
    struct trace got;
    char version[3];

    if (!take_hex(&s, 2, true, version) || strcmp(version, "ff") == 0 || *s++ != '-' ||
        !take_hex(&s, 32, false, got.id) || *s++ != '-' ||
        !take_hex(&s, 16, false, got.parent) || *s++ != '-' ||
        !take_hex(&s, 2, true, got.flags))
        return;
    if (*s && (*s != '-' || strcmp(version, "00") == 0))
        return;
    *t = got;
}

const struct trace *trace_of(struct call *c)
{
    struct trace *t = &c->trace;
    char uuid[UUID_LEN];
    size_t n = 0;

    if (t->id[0])
        return t;
    uuid_random(uuid); /* never all zeros: its version is 4 */
    for (const char *p = uuid; *p; p++)
        if (*p != '-')
            t->id[n++] = *p;
    t->id[n] = '\0';
    memcpy(t->parent, t->id, sizeof t->parent - 1);
    t->parent[sizeof t->parent - 1] = '\0';
    strcpy(t->flags, "00");
    return t;
}

/* Clients name the version they speak; absent means the only one there is. What is of another
 * version is in the route table, as not served. */
static bool version_ok(struct call *c)
{
    const char *v = http_header(c->q, "flightctl-api-version");

    if (!v || strcmp(v, "v1beta1") == 0) {
        add_header(c->r, "Flightctl-API-Version: v1beta1\r\nVary: Flightctl-API-Version\r\n");
        return true;
    }
    add_header(c->r, "Flightctl-API-Versions-Supported: v1beta1\r\n"
        "Vary: Flightctl-API-Version\r\n");
    if (strcmp(v, "v1alpha1") == 0 && c->route && c->route->handler == not_served)
        return true;
    return refuse(c, 406, "unsupported API version");
}

bool step_head(struct call *c)
{
    const char *trace = only(c->q, "traceparent");

    request_id(only(c->q, "x-request-id"), c->r->request_id);
    if (trace)
        read_trace(&c->trace, trace);
    return version_ok(c);
}
