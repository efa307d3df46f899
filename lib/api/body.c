/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: a JSON document of the schema that the route names. */
#include <string.h>

#include "api/core.h"

static const char json[] = "application/json";
static const char json_patch_type[] = "application/json-patch+json";
static const char merge_patch_type[] = "application/merge-patch+json";

static bool is_type(const char *type, const char *want)
{
    size_t n = strlen(want);

    return strncasecmp(type, want, n) == 0 && (!type[n] || strchr("; \t", type[n]));
}

/* Patches come as one of two types; absent means the first. */
static int right_type(const struct call *c, struct err *e)
{
    const char *type = http_header(c->q, "content-type");
    bool patch = strcmp(c->route->request, "PatchRequest") == 0;

    if (!type || is_type(type, patch ? json_patch_type : json) ||
        (patch && is_type(type, merge_patch_type)))
        return 0;
    return err_set(e, FC_INVALID, "API Error: Content-Type must be %s",
        patch ? json_patch_type : json);
}

bool body_is_merge_patch(const struct call *c)
{
    const char *type = http_header(c->q, "content-type");

    return type && is_type(type, merge_patch_type);
}

static int violated(const struct violation *bad, struct err *e)
{
    return err_set(e, FC_INVALID, "API Error: %s%s%s", bad->path, *bad->path ? ": " : "", bad->what);
}

int body_valid(const struct kind *k, jv v, unsigned flags, struct err *e)
{
    struct violation bad;

    return kind_validate(k, v, flags, &bad, 1) == 0 ? 0 : violated(&bad, e);
}

/* Where what is written is the status, it is checked as well. */
static unsigned flags_of(const struct route *t)
{
    const char *last = strrchr(t->path, '/');

    return strcmp(last, "/status") == 0 || strcmp(last, "/approval") == 0 ? VALIDATE_STATUS : 0;
}

static int valid(const struct call *c, struct err *e)
{
    const char *name = c->route->request;
    const struct kind *k;
    struct violation bad;

    if (strcmp(name, "PatchRequest") == 0) /* its result is checked, as a whole document */
        return 0;
    k = kind_find(name);
    if (k)
        return body_valid(k, c->doc, flags_of(c->route), e);
    return schema_validate("Api", name, c->doc, 0, &bad, 1) == 0 ? 0 : violated(&bad, e);
}

bool step_body(struct call *c)
{
    struct err e = {0};

    if (!c->route->request)
        return true;
    if (right_type(c, &e) < 0)
        return refuse(c, 400, "%s", e.msg);
    if (json_parse(c->q->body, c->q->body_len, &c->doc, &e) < 0)
        return refuse(c, 400, "API Error: body: %s", e.msg);
    if (c->pass == PASS_HANDLE && valid(c, &e) < 0)
        return refuse(c, 400, "%s", e.msg);
    return true;
}
