/* SPDX-License-Identifier: Apache-2.0 */
/* The organizations of the caller, as clients know them: named by their uid. */
#include <string.h>

#include "api/rights.h"
#include "base/clock.h"

/* What the contract has of a spec; who may what is not for everybody. */
static void write_spec(struct buf *b, const char *spec)
{
    static const char *const members[] = {"displayName", "externalId"};
    jv all AUTO_JV = spec ? jv_parse(spec) : jv_object(), shown AUTO_JV = jv_object();

    for (size_t i = 0; i < LEN(members); i++)
        json_sets(&shown, members[i], json_str(all, members[i]));
    json_canon(b, shown);
}

static int add_organization(struct call *c, const struct right *in, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_ORGANIZATION);
    struct buf *b = &c->r->body;
    char at[TIME_LEN];
    struct res r;
    int rc = res_get(c->s, c->a, ORG_DEFAULT_ID, k, in->name, &r, e);

    if (rc <= 0) /* 0: deleted meanwhile */
        return rc;
    time_format(r.created, at);
    buf_printf(b, "%s{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"%s\",\"metadata\":"
        "{\"annotations\":{\"" ORG_NAME "\":\"%s\"},\"creationTimestamp\":\"%s\",\"name\":\"%s\"},"
        "\"spec\":", b->p[b->len - 1] == '[' ? "" : ",", k->name, r.name, at, in->uid);
    write_spec(b, r.spec);
    buf_addc(b, '}');
    return 0;
}

/* Existing clients pick by uid alone: metadata.name = UID, metadata.name in (UID, ...). */
static bool picked(const char *fields, const char *uid)
{
    return !fields || !*fields || strcasestr(fields, uid);
}

int list_organizations(struct call *c, struct err *e)
{
    struct buf *b = &c->r->body;
    const struct rights *rights;
    const char *fields;

    if (rights_of(c, &rights, e) < 0)
        return -1;
    if (query_get(c, "fieldSelector", &fields, e) < 0)
        return -1;
    if (fields && *fields && !strstr(fields, "metadata.name"))
        return err_set(e, FC_INVALID, "fieldSelector: unable to resolve selector name. Supported "
            "selectors are: [metadata.name]");
    buf_adds(b, "{\"apiVersion\":\"" API_VERSION "\",\"items\":[");
    for (size_t i = 0; i < rights->n; i++)
        if (picked(fields, rights->v[i].uid) && add_organization(c, &rights->v[i], e) < 0)
            return -1;
    buf_adds(b, "],\"kind\":\"OrganizationList\",\"metadata\":{}}");
    c->r->status = 200;
    return HANDLED;
}
