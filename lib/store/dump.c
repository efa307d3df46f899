/* SPDX-License-Identifier: Apache-2.0 */
/* The records of an export. */
#include "store/dump.h"

#include <string.h>

#define MEMBERS(...) ((const struct dump_member[]){__VA_ARGS__, {0}})
#define INT(key) {.name = key, .type = M_INT}
#define RANGE(key, low, high) {.name = key, .type = M_INT, .min = low, .max = high}
#define TEXT(key) {.name = key, .type = M_TEXT}
#define MAYBE(key, kind_of) {.name = key, .type = kind_of, .null = true}
#define REF(key, kind) {.name = key, .type = M_REF, .ref = kind}
#define VERSION(key) \
    {.name = key, .type = M_REF, .null = true, .ref = KIND_TEMPLATEVERSION}
#define OTHER(key, kind_of) {.name = key, .type = kind_of}

#define RESOURCE_MEMBERS \
    TEXT("name"), TEXT("uid"), RANGE("generation", 1, 0), INT("created"), \
    MAYBE("owner", M_TEXT), OTHER("labels", M_JSON), OTHER("annotations", M_JSON), \
    MAYBE("spec", M_JSON), RANGE("resourceVersion", 1, 0), MAYBE("status", M_JSON)

const struct dump_record dump_records[DUMP_RECORDS] = {
    [DUMP_ORGANIZATION] = {"organization", SQL_dump_organization, SQL_COUNT,
        MEMBERS(RESOURCE_MEMBERS), {0}, 0},
    [DUMP_DELETED] = {"deletedOrganization", SQL_dump_deleted, SQL_COUNT,
        MEMBERS(TEXT("name"), TEXT("uid"), OTHER("number", M_KEY)), {0}, 0},
    [DUMP_RESOURCE] = {"resource", SQL_dump_resource, SQL_COUNT,
        MEMBERS(OTHER("kind", M_KIND), RESOURCE_MEMBERS), {0, 1}, 2},
    [DUMP_RENDERED] = {"rendered", SQL_dump_rendered, SQL_put_rendered,
        MEMBERS(TEXT("hash"), OTHER("spec", M_JSON), INT("created")), {0}, 0},
    [DUMP_DEVICE] = {"device", SQL_dump_device, SQL_put_device, MEMBERS(
        REF("device", KIND_DEVICE), RANGE("stale", 0, 2), INT("rendered"),
        MAYBE("hash", M_TEXT), INT("renderedAt"), INT("fetched"), INT("reported"),
        INT("floor"), INT("failed"), MAYBE("failure", M_TEXT), RANGE("specValid", -1, 1),
        MAYBE("specMessage", M_TEXT), INT("specSince"), INT("overlapSince"),
        OTHER("conditions", M_LIST), TEXT("updated"), MAYBE("updatedInfo", M_TEXT),
        TEXT("summary"), TEXT("applications"), TEXT("lifecycle"), RANGE("disconnected", 0, 2),
        MAYBE("lastSeen", M_SEEN)), {0}, 1},
    [DUMP_MEMBER] = {"member", SQL_dump_member, SQL_put_member, MEMBERS(
        REF("device", KIND_DEVICE), REF("fleet", KIND_FLEET),
        VERSION("assigned"),
        VERSION("rendered"),
        VERSION("good"), RANGE("state", 0, 4),
        RANGE("batch", -1, INT32_MAX), INT("assignedAt"), MAYBE("message", M_TEXT)),
        {0, 1}, 2},
    [DUMP_ROLLOUT] = {"rollout", SQL_dump_rollout, SQL_put_rollout, MEMBERS(
        REF("fleet", KIND_FLEET), VERSION("version"),
        VERSION("completed"), TEXT("digest"),
        RANGE("status", 0, 15), RANGE("batch", -1, INT32_MAX), INT("started"), INT("changed"),
        MAYBE("why", M_TEXT), MAYBE("problem", M_TEXT), INT("problemSince"),
        RANGE("walk", 0, 255), INT("deleted"), RANGE("remaining", -1, 0)), {0}, 1},
    [DUMP_REVISION] = {"revision", SQL_dump_revision, SQL_put_revision, MEMBERS(
        OTHER("kind", M_KIND), TEXT("name"), RANGE("revision", 1, 0), TEXT("uid"),
        RANGE("generation", 1, 0), INT("at"), TEXT("actor"), MAYBE("reason", M_TEXT),
        INT("created"), MAYBE("owner", M_TEXT), MAYBE("doc", M_JSON)), {0, 1, 2}, 3},
    [DUMP_EVENT] = {"event", SQL_dump_event, SQL_put_event, MEMBERS(
        INT("at"), TEXT("uid"), OTHER("kind", M_KIND), TEXT("name"), MAYBE("parent", M_TEXT),
        TEXT("reason"), TEXT("type"), TEXT("actor"), TEXT("source"), TEXT("message"),
        MAYBE("details", M_LOOSE), MAYBE("was", M_LOOSE), OTHER("seq", M_KEY)),
        {12}, 1},
    [DUMP_TOKEN] = {"token", SQL_dump_token, SQL_put_token, MEMBERS(
        TEXT("jti"), TEXT("subject"), TEXT("roles"), TEXT("groups"), OTHER("key", M_JSON),
        INT("issued"), TEXT("issuedBy"), INT("expires"), INT("revoked"),
        MAYBE("revokedBy", M_TEXT)), {0}, 1},
    [DUMP_TASK] = {"task", SQL_dump_task, SQL_put_task, MEMBERS(
        TEXT("queue"), TEXT("type"), TEXT("subject"), MAYBE("payload", M_LOOSE),
        MAYBE("dedupe", M_TEXT), RANGE("state", 0, 2), RANGE("attempts", 0, INT32_MAX),
        INT("due"), MAYBE("owner", M_TEXT), INT("lease"), MAYBE("error", M_TEXT),
        INT("created"), OTHER("id", M_KEY)), {12}, 1},
};

/* --- reading --------------------------------------------------------------------------------- */

static int bad(struct err *e, const struct dump_member *m, const char *what)
{
    return err_set(e, FC_INVALID, "%s: %s", m->name, what);
}

static const char *canonical(struct arena *a, jv v)
{
    struct buf b AUTO_BUF = BUF_INIT;

    json_canon(&b, v);
    return arena_strndup(a, b.p, b.len);
}

static int read_int(const struct dump_member *m, jv v, int64_t *out, struct err *e)
{
    double d = jv_get_kind(v) == JV_KIND_NUMBER ? jv_number_value(v) : 0.5;
    double max = (double)(m->max ? m->max : DUMP_INT_MAX);

    if (d != (double)(int64_t)d)
        return bad(e, m, "must be an integer");
    if (d < (double)m->min || d > max)
        return bad(e, m, "is out of range");
    *out = (int64_t)d;
    return 0;
}

static int read_text(const struct dump_member *m, struct arena *a, jv v, const char **out,
    struct err *e)
{
    if (jv_get_kind(v) != JV_KIND_STRING)
        return bad(e, m, "must be a string");
    *out = arena_strdup(a, jv_string_value(v));
    if (strlen(*out) != (size_t)jv_string_length_bytes(jv_copy(v)))
        return bad(e, m, "must not hold the character U+0000");
    return 0;
}

static int read_list(const struct dump_member *m, struct arena *a, jv v, const char **out,
    struct err *e)
{
    const char *text;

    if (jv_get_kind(v) != JV_KIND_ARRAY)
        return bad(e, m, "must be an array");
    for (int i = 0, n = jv_array_length(jv_copy(v)); i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(v), i);

        if (jv_get_kind(one) != JV_KIND_OBJECT)
            return bad(e, m, "must hold objects");
    }
    text = canonical(a, v);
    *out = arena_strndup(a, text + 1, strlen(text) - 2);
    return 0;
}

static int read_value(const struct dump_member *m, struct arena *a, jv v, struct dump_value *out,
    struct err *e)
{
    const struct kind *k;

    switch (m->type) {
    case M_INT:
    case M_SEEN:
        return read_int(m, v, &out->n, e);
    case M_KIND:
        if (read_text(m, a, v, &out->text, e) < 0)
            return -1;
        k = kind_find(out->text);
        if (!k || strcmp(k->name, out->text) != 0)
            return bad(e, m, "must be the name of a kind");
        out->n = k->id;
        return 0;
    case M_JSON:
    case M_LOOSE:
        if (jv_get_kind(v) != JV_KIND_OBJECT)
            return bad(e, m, "must be an object");
        out->text = canonical(a, v);
        return 0;
    case M_LIST:
        return read_list(m, a, v, &out->text, e);
    case M_TEXT:
    case M_REF:
        return read_text(m, a, v, &out->text, e);
    case M_KEY:
        break;
    }
    return 0;
}

int dump_read(const struct dump_record *r, struct arena *a, jv line, struct dump_value *out,
    struct err *e)
{
    const struct dump_member *m;
    int known = 1; /* "record" */

    for (m = r->members; m->name; m++, out++) {
        jv v AUTO_JV = m->type == M_KEY ? jv_invalid() : json_get(line, m->name);

        *out = (struct dump_value){.null = !jv_is_valid(v)};
        if (m->type == M_KEY)
            continue;
        if (out->null && !m->null)
            return bad(e, m, "is required");
        if (!out->null && read_value(m, a, v, out, e) < 0)
            return -1;
        known += !out->null;
    }
    if (known == jv_object_length(jv_copy(line)))
        return 0;
    jv_object_foreach(line, key, value) {
        bool found = strcmp(jv_string_value(key), "record") == 0;

        for (m = r->members; m->name && !found; m++)
            found = m->type != M_KEY && strcmp(m->name, jv_string_value(key)) == 0;
        if (!found)
            err_set(e, FC_INVALID, "%s: unknown member of a %s", jv_string_value(key), r->name);
        jv_free(key);
        jv_free(value);
    }
    return -1;
}
