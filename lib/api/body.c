/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: a JSON document of the schema that the route names. */
#include <string.h>

#include "api/core.h"

/* Bodies that are no kinds: definitions of a kind's schema. */
static const struct {
    const char *name, *schema;
} parts[] = {
    {"EnrollmentRequestApproval", "EnrollmentRequest"},
};

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

/* The resource "KIND/status" is written with its status checked. */
static unsigned flags_of(const struct route *t)
{
    size_t n = strlen(t->path);

    return n > 7 && strcmp(t->path + n - 7, "/status") == 0 ? VALIDATE_STATUS : 0;
}

static int valid(const struct call *c, struct err *e)
{
    const char *name = c->route->request;
    struct violation bad;

    if (strcmp(name, "PatchRequest") == 0) /* its result is checked, as a whole document */
        return 0;
    for (size_t i = 0; i < LEN(parts); i++)
        if (strcmp(parts[i].name, name) == 0)
            return schema_validate(parts[i].schema, name, c->doc, 0, &bad, 1) == 0 ? 0 :
                violated(&bad, e);
    return body_valid(kind_find(name), c->doc, flags_of(c->route), e);
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
