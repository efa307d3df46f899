/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document: the route table and the schemas in other words. */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "fleet/schema.h"

#define COMPONENTS "#/components/schemas/"

/* --- schemas ----------------------------------------------------------------------------------- */

/* Definitions that the contract names go by that name, all others by their file's in front. */
static void add_name(struct buf *b, const char *file, const char *definition)
{
    bool plain = strcmp(file, "Api") == 0 || strcmp(file, "common") == 0 ||
        strncmp(definition, file, strlen(file)) == 0;

    if (!*definition)
        buf_adds(b, file);
    else if (plain)
        buf_adds(b, definition);
    else
        buf_printf(b, "%s.%s", file, definition);
}

/* "FILE.json#/definitions/NAME", each part of which may be missing, in a file. */
static jv reference(const char *file, const char *ref)
{
    static const char dot[] = ".json", before[] = "#/definitions/";
    size_t n = strcspn(ref, "#");
    struct buf b AUTO_BUF = BUF_INIT, other AUTO_BUF = BUF_INIT;

    if (n > sizeof dot - 1)
        buf_add(&other, ref, n - (sizeof dot - 1));
    buf_adds(&b, COMPONENTS);
    add_name(&b, other.len ? other.p : file, ref[n] ? ref + n + sizeof before - 1 : "");
    return jv_string(b.p);
}

static jv schema_of(const char *file, jv v);

static jv each_member(const char *file, jv v, jv (*fn)(const char *, jv))
{
    jv out = jv_object();

    jv_object_foreach(v, key, val)
        out = jv_object_set(out, key, fn(file, val));
    jv_free(v);
    return out;
}

static jv each_item(const char *file, jv v)
{
    jv out = jv_array();

    jv_array_foreach(v, i, val)
        out = jv_array_append(out, schema_of(file, val));
    jv_free(v);
    return out;
}

static jv mapped(const char *file, jv v)
{
    jv to = reference(file, jv_string_value(v));

    jv_free(v);
    return to;
}

/* A keyword's value in the document's words. v is consumed. */
static jv keyword(const char *file, const char *name, jv v)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    jv mapping;

    for (size_t i = 0; i < LEN(lists); i++)
        if (strcmp(name, lists[i]) == 0)
            return each_item(file, v);
    if (strcmp(name, "properties") == 0)
        return each_member(file, v, schema_of);
    if (strcmp(name, "items") == 0 || strcmp(name, "not") == 0 ||
        (strcmp(name, "additionalProperties") == 0 && jv_get_kind(v) == JV_KIND_OBJECT))
        return schema_of(file, v);
    if (strcmp(name, "discriminator") == 0) {
        mapping = json_get(v, "mapping");
        json_set(&v, "mapping", each_member(file, mapping, mapped));
    }
    return v;
}

/* Our own keywords are left out, and what stands beside a reference is put around it. v is
 * consumed. */
static jv schema_of(const char *file, jv v)
{
    jv out = jv_object(), ref = jv_invalid();

    jv_object_foreach(v, key, val) {
        const char *name = jv_string_value(key);

        if (strcmp(name, "$ref") == 0)
            ref = reference(file, jv_string_value(val));
        if (strcmp(name, "$ref") == 0 || strncmp(name, "x-", 2) == 0 ||
            strcmp(name, "definitions") == 0) {
            jv_free(key);
            jv_free(val);
        } else {
            val = keyword(file, name, val);
            out = jv_object_set(out, key, val);
        }
    }
    jv_free(v);
    if (!jv_is_valid(ref))
        return out;
    ref = jv_object_set(jv_object(), jv_string("$ref"), ref);
    if (!json_nonempty(out)) {
        jv_free(out);
        return ref;
    }
    json_set(&out, "allOf", JV_ARRAY_1(ref));
    return out;
}

static void add_definitions(jv *all, const char *file, jv definitions)
{
    if (jv_get_kind(definitions) != JV_KIND_OBJECT)
        return;
    jv_object_foreach(definitions, key, val) {
        struct buf name AUTO_BUF = BUF_INIT;

        add_name(&name, file, jv_string_value(key));
        json_set(all, name.p, schema_of(file, val));
        jv_free(key);
    }
}

static jv ref_to(const char *name)
{
    char *ref AUTO_FREE = xasprintf(COMPONENTS "%s", name);
    jv v = jv_object();

    json_sets(&v, "$ref", ref);
    return v;
}

/* A page of a kind. */
static jv list_of(const struct kind *k)
{
    jv v = jv_parse("{\"type\":\"object\",\"required\":[\"apiVersion\",\"kind\",\"metadata\","
        "\"items\"]}"), properties = jv_object(), items = jv_object(), text = jv_object();

    json_sets(&text, "type", "string");
    json_sets(&items, "type", "array");
    json_set(&items, "items", ref_to(k->name));
    json_set(&properties, "apiVersion", ref_to("ApiVersion"));
    json_set(&properties, "kind", text);
    json_set(&properties, "metadata", ref_to("ListMeta"));
    json_set(&properties, "items", items);
    if (k->effects & EFFECT_DEVICE)
        json_set(&properties, "summary", ref_to("DevicesSummary"));
    json_set(&v, "properties", properties);
    return v;
}

static jv schemas(void)
{
    jv all = jv_object();

    for (const struct schema_text *t = schema_texts; t->name; t++) {
        jv v = jv_parse(t->text), definitions AUTO_JV = json_get(v, "definitions");

        add_definitions(&all, t->name, definitions);
        if (json_has(v, "type"))
            json_set(&all, t->name, schema_of(t->name, v));
        else
            jv_free(v);
    }
    for (const struct kind *k = kinds; k->id; k++) {
        char *name AUTO_FREE = xasprintf("%sList", k->name);

        if (!(k->flags & KIND_CATALOG))
            json_set(&all, name, list_of(k));
    }
    return all;
}

/* --- parameters -------------------------------------------------------------------------------- */

static const struct parameter {
    const char *name, *schema;
    bool required;
} parameters[] = {
    {"addDevicesSummary", "{\"type\":\"boolean\"}", false},
    {"continue", "{\"type\":\"string\"}", false},
    {"csr", "{\"type\":\"string\"}", false},
    {"cveId", "{\"type\":\"string\",\"pattern\":\"^CVE-[0-9]{4}-[0-9]{4,}$\",\"maxLength\":64}",
        false},
    {"fieldSelector", "{\"type\":\"string\"}", false},
    {"kind", "{\"type\":\"string\",\"enum\":[\"Device\"]}", true},
    {"knownRenderedVersion", "{\"type\":\"string\"}", false},
    {"labelSelector", "{\"type\":\"string\"}", false},
    {"limit", "{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":0,\"maximum\":1000}", false},
    {"order", "{\"type\":\"string\",\"enum\":[\"asc\",\"desc\"],\"default\":\"desc\"}", false},
    {"org_id", "{\"type\":\"string\"}", false},
    {"summaryOnly", "{\"type\":\"boolean\"}", false},
    {"view", "{\"type\":\"string\"}", false},
};

/* What the operations take in their query beside org_id; lists that are not here take what all
 * lists do. */
static const struct {
    const char *operation, *names;
} taken[] = {
    {"getDevice", "view"},
    {"getEnrollmentConfig", "csr"},
    {"getFleet", "addDevicesSummary"},
    {"getRenderedDevice", "knownRenderedVersion"},
    {"listDevices", "labelSelector fieldSelector limit continue summaryOnly cveId view"},
    {"listEvents", "fieldSelector limit continue order"},
    {"listFleets", "labelSelector fieldSelector limit continue addDevicesSummary"},
    {"listLabels", "kind labelSelector fieldSelector limit"},
    {"listOrganizations", "fieldSelector"},
};

static const char *query_of(const struct route *t)
{
    for (size_t i = 0; i < LEN(taken); i++)
        if (strcmp(taken[i].operation, t->operation) == 0)
            return taken[i].names;
    return t->verb == VERB_LIST ? "labelSelector fieldSelector limit continue" : "";
}

static jv parameter(const char *name, size_t n, const char *in, bool required, const char *schema)
{
    jv v = jv_object();

    json_set(&v, "name", jv_string_sized(name, (int)n));
    json_sets(&v, "in", in);
    json_set(&v, "required", jv_bool(required));
    json_set(&v, "schema", jv_parse(schema));
    return v;
}

static jv add_query(jv list, const char *name, size_t n)
{
    for (size_t i = 0; i < LEN(parameters); i++) {
        const struct parameter *p = &parameters[i];

        if (strlen(p->name) == n && strncmp(p->name, name, n) == 0)
            return jv_array_append(list, parameter(name, n, "query", p->required, p->schema));
    }
    die("no parameter %.*s", (int)n, name);
}

static jv parameters_of(const struct route *t)
{
    const char *p, *query = query_of(t);
    jv list = jv_array();

    for (p = strchr(t->path, '{'); p; p = strchr(p + 1, '{'))
        list = jv_array_append(list, parameter(p + 1, strcspn(p + 1, "}"), "path", true,
            "{\"type\":\"string\"}"));
    for (p = query; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");

        list = add_query(list, p, n);
        p += n;
    }
    return t->flags & ROUTE_NO_ORG || t->who & WHO_ANYONE ? list : add_query(list, "org_id", 6);
}

/* --- operations -------------------------------------------------------------------------------- */

static jv content(const char *type, const char *schema)
{
    jv media = jv_object(), v = jv_object(), out = jv_object();

    json_set(&media, "schema", ref_to(schema));
    json_set(&v, type, media);
    json_set(&out, "content", v);
    return out;
}

static jv response(int status, const char *schema)
{
    jv v = schema ? content("application/json", schema) : jv_object();

    json_sets(&v, "description", http_reason(status));
    return v;
}

static void add_response(jv *all, int status, const char *schema)
{
    char code[8];

    snprintf(code, sizeof code, "%d", status);
    json_set(all, code, response(status, schema));
}

/* The statuses beside those that all operations have. */
static void own_statuses(const struct route *t, jv *all)
{
    bool same = t->request && t->response && strcmp(t->request, t->response) == 0;
    bool create = strcmp(t->method, "POST") == 0 && same;

    if (t->handler == no_status) {
        add_response(all, 501, "Status");
        return;
    }
    add_response(all, create ? 201 : 200, t->response);
    if (t->handler == put_resource)
        add_response(all, 201, t->response);
    if (t->handler == get_rendered || t->handler == get_last_seen)
        add_response(all, 204, NULL);
    if (t->flags & ROUTE_WRITE || t->handler == get_rendered)
        add_response(all, 409, "Status");
}

static jv responses(const struct route *t)
{
    jv all = jv_object(), other = content("application/json", "Status");

    own_statuses(t, &all);
    add_response(&all, 400, "Status");
    if (!(t->who & WHO_ANYONE)) {
        add_response(&all, 401, "Status");
        add_response(&all, 403, "Status");
    }
    if (strchr(t->path, '{') || t->handler == get_enrollment_config)
        add_response(&all, 404, "Status");
    add_response(&all, 429, "Status");
    add_response(&all, 503, "Status");
    json_sets(&other, "description", "What is refused whatever the operation");
    json_set(&all, "default", other);
    return all;
}

static jv operation(const struct route *t)
{
    jv v = jv_object(), list = parameters_of(t);
    bool patch = t->request && strcmp(t->request, "PatchRequest") == 0;

    json_sets(&v, "operationId", t->operation);
    if (json_nonempty(list))
        json_set(&v, "parameters", list);
    else
        jv_free(list);
    if (t->request) {
        jv body = content(patch ? "application/json-patch+json" : "application/json", t->request);

        json_set(&body, "required", jv_true());
        json_set(&v, "requestBody", body);
    }
    json_set(&v, "responses", responses(t));
    if (t->who & WHO_ANYONE)
        json_set(&v, "security", jv_array());
    return v;
}

/* The same path may stand in several rows, one for each method. */
static jv paths(void)
{
    jv all = jv_object();

    for (const struct route *t = routes; t->method; t++) {
        char *path AUTO_FREE = xasprintf("%s%s", t->flags & ROUTE_ROOT ? "" : API_PREFIX, t->path);
        char method[8];
        jv item = jv_invalid();
        size_t i;

        if (t->handler == not_served || t->handler == post_auth_token) /* 501 */
            continue;
        item = json_get(all, path);
        if (!jv_is_valid(item))
            item = jv_object();
        for (i = 0; t->method[i] && i < sizeof method - 1; i++)
            method[i] = (char)(t->method[i] | 0x20);
        method[i] = '\0';
        json_set(&item, method, operation(t));
        json_set(&all, path, item);
    }
    return all;
}

static jv document(void)
{
    jv v = jv_parse("{\"openapi\":\"3.0.3\",\"security\":[{\"bearer\":[]}],"
        "\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
        "\"description\":\"Or a client certificate.\"}}}}"), info = jv_object(), components;

    json_sets(&info, "title", "Flight Control");
    json_sets(&info, "version", "v1beta1");
    json_set(&v, "info", info);
    components = json_get(v, "components");
    json_set(&components, "schemas", schemas());
    json_set(&v, "components", components);
    json_set(&v, "paths", paths());
    return v;
}

int api_openapi(FILE *f, struct err *e)
{
    jv v AUTO_JV = document();
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    buf_addc(&b, '\n');
    fwrite(b.p, 1, b.len, f);
    return fflush(f) == 0 && !ferror(f) ? 0 : err_set(e, FC_FAIL, "write error");
}

int get_openapi(struct call *c, struct err *e)
{
    jv v AUTO_JV = document();

    (void)e;
    c->r->status = 200;
    json_canon(&c->r->body, v);
    return HANDLED;
}
