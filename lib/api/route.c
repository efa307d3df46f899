/* SPDX-License-Identifier: Apache-2.0 */
/* Which row of the route table a request is for. */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/text.h"

static const char prefix[] = API_PREFIX;

/* Matches part by part; "{name}" takes one non-empty part, whose raw bounds go to arg. */
static bool match(const char *pattern, const char *path, const char *arg[2], size_t len[2])
{
    size_t n = 0, k;

    for (;;) {
        if (*pattern == '{') {
            k = strcspn(path, "/");
            if (k == 0)
                return false;
            arg[n] = path;
            len[n++] = k;
            pattern = strchr(pattern, '}') + 1;
            path += k;
        } else if (*pattern != *path)
            return false;
        else if (!*pattern)
            return true;
        else {
            pattern++;
            path++;
        }
    }
}

/* The parts of the path, decoded. */
static bool take_parts(struct call *c, const char *const arg[2], const size_t len[2])
{
    for (size_t k = 0; k < 2 && len[k]; k++) {
        struct buf b AUTO_BUF = BUF_INIT;

        if (percent_decode(&b, arg[k], len[k], false) < 0 || !utf8_valid(b.p, b.len))
            return false;
        c->arg[k] = arena_strndup(c->a, b.p, b.len);
    }
    return true;
}

/* The path that a row's counts from: NULL when it is elsewhere. */
static const char *below(const struct route *t, const char *path)
{
    if (t->flags & ROUTE_ROOT)
        return path;
    return strncmp(path, prefix, sizeof prefix - 1) == 0 ? path + sizeof prefix - 1 : NULL;
}

/* What is not there is said to those only who are recognized (step_found): strangers do not even
 * learn which paths there are. */
bool step_route(struct call *c)
{
    const char *path, *arg[2];
    const struct route *t;
    size_t len[2], used = 0;

    for (t = routes; t->method; t++) {
        len[0] = len[1] = 0;
        path = below(t, c->q->path);
        if (!path || !match(t->path, path, arg, len))
            continue;
        if (strcmp(t->method, c->q->method) == 0) {
            if (take_parts(c, arg, len)) {
                c->route = t;
                c->kind = t->kind ? kind_by_id(t->kind) : NULL;
            }
            return true;
        }
        if (used < sizeof c->allow)
            used += (size_t)snprintf(c->allow + used, sizeof c->allow - used, "%s%s",
                used ? ", " : "", t->method);
    }
    return true;
}

bool step_found(struct call *c)
{
    if (c->route)
        return true;
    if (!c->allow[0])
        return refuse(c, 404, "no such path");
    add_header(c->r, arena_printf(c->a, "Allow: %s\r\n", c->allow));
    return refuse(c, 405, "method not allowed");
}

int query_get(struct call *c, const char *name, const char **value, struct err *e)
{
    const char *p = c->q->query;
    size_t n = strlen(name);

    *value = NULL;
    while (*p) {
        size_t len = strcspn(p, "&");

        if (len >= n && strncmp(p, name, n) == 0 && (p[n] == '=' || len == n)) {
            struct buf b AUTO_BUF = BUF_INIT;

            if (len > n && percent_decode(&b, p + n + 1, len - n - 1, true) < 0)
                return err_set(e, FC_INVALID, "parameter %s: bad escape", name);
            if (b.p && !utf8_valid(b.p, b.len))
                return err_set(e, FC_INVALID, "parameter %s: not UTF-8", name);
            *value = arena_strndup(c->a, b.p ? b.p : "", b.len);
            return 0;
        }
        p += len;
        p += *p == '&';
    }
    return 0;
}

const char *reason_get(struct call *c)
{
    const char *text = http_header(c->q, "flightctl-reason");
    struct buf b AUTO_BUF = BUF_INIT;

    if (!text || percent_decode(&b, text, strlen(text), false) < 0 || !b.len ||
        !utf8_valid(b.p, b.len))
        return NULL;
    return arena_strndup(c->a, b.p, b.len);
}
