/* SPDX-License-Identifier: Apache-2.0 */
/* The route table: method, path, who may call, handler. */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/text.h"

static const struct route routes[] = {
    {"GET", "/devices/{}/rendered", WHO_DEVICE | WHO_ADMIN, get_rendered, false, KIND_NONE},
    {"PUT", "/devices/{}/status", WHO_DEVICE | WHO_ADMIN, put_device_status, true, KIND_NONE},
    {"PATCH", "/devices/{}/status", WHO_DEVICE | WHO_ADMIN, patch_device_status, true, KIND_NONE},
    {"POST", "/enrollmentrequests", WHO_ENROLLMENT, post_enrollment, true, KIND_NONE},
    {"GET", "/enrollmentrequests/{}", WHO_ENROLLMENT | WHO_ADMIN, get_enrollment, false, KIND_NONE},
    {"PUT", "/enrollmentrequests/{}/approval", WHO_ADMIN, put_approval, true, KIND_NONE},
    {"POST", "/certificatesigningrequests", WHO_DEVICE, post_csr, true, KIND_NONE},
    {"GET", "/certificatesigningrequests/{}", WHO_DEVICE, get_csr, false, KIND_NONE},
    {"GET", "/devices", WHO_ADMIN, list_resources, false, KIND_DEVICE},
    {"GET", "/devices/{}", WHO_ADMIN, get_device, false, KIND_NONE},
    {"GET", "/devices/{}/status", WHO_ADMIN, get_device, false, KIND_NONE},
    {"GET", "/devices/{}/lastseen", WHO_ADMIN, get_last_seen, false, KIND_NONE},
    {"GET", "/enrollmentrequests", WHO_ADMIN, list_resources, false, KIND_ENROLLMENTREQUEST},
    {"GET", "/fleets", WHO_ADMIN, list_resources, false, KIND_FLEET},
    {"GET", "/repositories", WHO_ADMIN, list_resources, false, KIND_REPOSITORY},
    {"GET", "/resourcesyncs", WHO_ADMIN, list_resources, false, KIND_RESOURCESYNC},
    {"GET", "/certificatesigningrequests", WHO_ADMIN, list_resources, false,
        KIND_CERTIFICATESIGNINGREQUEST},
    {"GET", "/events", WHO_ADMIN, list_resources, false, KIND_EVENT},
    {"GET", "/fleets/{}", WHO_ADMIN, get_fleet, false, KIND_NONE},
    {"GET", "/fleets/{}/templateversions", WHO_ADMIN, list_versions, false, KIND_TEMPLATEVERSION},
    {"GET", "/fleets/{}/templateversions/{}", WHO_ADMIN, get_version_of, false, KIND_NONE},
    {"GET", "/labels", WHO_ADMIN, list_labels, false, KIND_NONE},
    {"PUT", "/devices/{}", WHO_ADMIN, put_resource, true, KIND_DEVICE},
    {"PATCH", "/devices/{}", WHO_ADMIN, patch_resource, true, KIND_DEVICE},
    {"DELETE", "/devices/{}", WHO_ADMIN, delete_resource, true, KIND_DEVICE},
    {"POST", "/devices", WHO_ADMIN, post_resource, true, KIND_DEVICE},
    {"PUT", "/fleets/{}", WHO_ADMIN, put_resource, true, KIND_FLEET},
    {"PATCH", "/fleets/{}", WHO_ADMIN, patch_resource, true, KIND_FLEET},
    {"DELETE", "/fleets/{}", WHO_ADMIN, delete_resource, true, KIND_FLEET},
    {"POST", "/fleets", WHO_ADMIN, post_resource, true, KIND_FLEET},
    {"GET", "/fleets/{}/status", WHO_ADMIN, get_resource, false, KIND_FLEET},
    {"PUT", "/fleets/{}/status", WHO_ADMIN, no_status, true, KIND_FLEET},
    {"PATCH", "/fleets/{}/status", WHO_ADMIN, no_status, true, KIND_FLEET},
    {"PUT", "/repositories/{}", WHO_ADMIN, put_resource, true, KIND_REPOSITORY},
    {"PATCH", "/repositories/{}", WHO_ADMIN, patch_resource, true, KIND_REPOSITORY},
    {"DELETE", "/repositories/{}", WHO_ADMIN, delete_resource, true, KIND_REPOSITORY},
    {"POST", "/repositories", WHO_ADMIN, post_resource, true, KIND_REPOSITORY},
    {"GET", "/repositories/{}", WHO_ADMIN, get_resource, false, KIND_REPOSITORY},
    {"PUT", "/resourcesyncs/{}", WHO_ADMIN, put_resource, true, KIND_RESOURCESYNC},
    {"PATCH", "/resourcesyncs/{}", WHO_ADMIN, patch_resource, true, KIND_RESOURCESYNC},
    {"DELETE", "/resourcesyncs/{}", WHO_ADMIN, delete_resource, true, KIND_RESOURCESYNC},
    {"POST", "/resourcesyncs", WHO_ADMIN, post_resource, true, KIND_RESOURCESYNC},
    {"GET", "/resourcesyncs/{}", WHO_ADMIN, get_resource, false, KIND_RESOURCESYNC},
    {"PUT", "/enrollmentrequests/{}", WHO_ADMIN, put_resource, true, KIND_ENROLLMENTREQUEST},
    {"PATCH", "/enrollmentrequests/{}", WHO_ADMIN, patch_resource, true, KIND_ENROLLMENTREQUEST},
    {"DELETE", "/enrollmentrequests/{}", WHO_ADMIN, delete_resource, true, KIND_ENROLLMENTREQUEST},
    {"GET", "/enrollmentrequests/{}/status", WHO_ADMIN, get_resource, false,
        KIND_ENROLLMENTREQUEST},
    {"PUT", "/enrollmentrequests/{}/status", WHO_ADMIN, put_status, true, KIND_ENROLLMENTREQUEST},
    {"PATCH", "/enrollmentrequests/{}/status", WHO_ADMIN, patch_status, true,
        KIND_ENROLLMENTREQUEST},
    {"PUT", "/certificatesigningrequests/{}", WHO_ADMIN, put_resource, true,
        KIND_CERTIFICATESIGNINGREQUEST},
    {"PATCH", "/certificatesigningrequests/{}", WHO_ADMIN, patch_resource, true,
        KIND_CERTIFICATESIGNINGREQUEST},
    {"DELETE", "/certificatesigningrequests/{}", WHO_ADMIN, delete_resource, true,
        KIND_CERTIFICATESIGNINGREQUEST},
    {"GET", "/version", WHO_ADMIN | WHO_DEVICE | WHO_ENROLLMENT, get_version, false, KIND_NONE},
};

static const char prefix[] = "/api/v1";

/* Matches part by part; "{}" takes one non-empty part, whose raw bounds go to arg. */
static bool match(const char *pattern, const char *path, const char *arg[2], size_t len[2])
{
    size_t n = 0, k;

    for (;;) {
        if (strncmp(pattern, "{}", 2) == 0) {
            k = strcspn(path, "/");
            if (k == 0)
                return false;
            arg[n] = path;
            len[n++] = k;
            pattern += 2;
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

const struct route *route_find(struct call *c, int *status, char allow[64])
{
    const char *path = c->q->path, *arg[2];
    const struct route *found = NULL;
    size_t i, k, len[2], used = 0;

    *status = 404;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return NULL;
    path += sizeof prefix - 1;
    for (i = 0; i < LEN(routes) && !found; i++) {
        len[0] = len[1] = 0;
        if (!match(routes[i].path, path, arg, len))
            continue;
        if (strcmp(routes[i].method, c->q->method) == 0) {
            found = &routes[i];
            break;
        }
        *status = 405;
        used += (size_t)snprintf(allow + used, 64 - used, "%s%s", used ? ", " : "",
            routes[i].method);
    }
    if (!found)
        return NULL;
    for (k = 0; k < 2 && len[k]; k++) {
        struct buf b AUTO_BUF = BUF_INIT;

        if (percent_decode(&b, arg[k], len[k], false) < 0 || !utf8_valid(b.p, b.len)) {
            *status = 404;
            return NULL;
        }
        c->arg[k] = arena_strndup(c->a, b.p, b.len);
    }
    return found;
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

int body_json(struct call *c, const char *content_type, jv *v, struct err *e)
{
    const char *type = http_header(c->q, "content-type");
    size_t n = strlen(content_type);

    *v = jv_invalid();
    if (type && (strncasecmp(type, content_type, n) != 0 || (type[n] && !strchr("; \t", type[n]))))
        return err_set(e, FC_INVALID, "API Error: Content-Type must be %s", content_type);
    if (json_parse(c->q->body, c->q->body_len, v, e) < 0)
        return err_wrap(e, "API Error: body");
    return 0;
}

int body_valid(const struct kind *k, jv v, unsigned flags, struct err *e)
{
    struct violation bad;

    if (kind_validate(k, v, flags, &bad, 1) == 0)
        return 0;
    return err_set(e, FC_INVALID, "API Error: %s%s%s", bad.path, *bad.path ? ": " : "", bad.what);
}
