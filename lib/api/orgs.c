/* SPDX-License-Identifier: Apache-2.0 */
/* The organizations of the caller, as clients know them: named by their uid. */
#include <string.h>

#include "api/rights.h"
#include "base/clock.h"

static int add_organization(struct call *c, int64_t org, const char *uid, struct err *e)
{
    const struct kind *k = kind_by_id(KIND_ORGANIZATION);
    struct buf *b = &c->r->body;
    const char *name, *spec;
    char at[TIME_LEN];
    struct res r;

    if (org_spec(c->s, c->a, org, &name, &spec, e) < 0 ||
        (name && res_get(c->s, c->a, ORG_DEFAULT_ID, k, name, &r, e) < 0))
        return -1;
    if (!name) /* deleted meanwhile */
        return 0;
    time_format(r.created, at);
    buf_printf(b, "%s{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"%s\",\"metadata\":"
        "{\"creationTimestamp\":\"%s\",\"name\":\"%s\"},\"spec\":%s}",
        b->p[b->len - 1] == '[' ? "" : ",", k->name, at, uid, spec ? spec : "{}");
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
    const struct rights *in;
    const char *fields;

    if (query_get(c, "fieldSelector", &fields, e) < 0)
        return -1;
    if (fields && *fields && !strstr(fields, "metadata.name"))
        return err_set(e, FC_INVALID, "fieldSelector: unable to resolve selector name. Supported "
            "selectors are: [metadata.name]");
    buf_adds(b, "{\"apiVersion\":\"" API_VERSION "\",\"items\":[");
    if (rights_of(c, &in, e) < 0)
        return -1;
    for (size_t i = 0; i < in->n; i++)
        if (picked(fields, in->v[i].uid) && add_organization(c, in->v[i].org, in->v[i].uid, e) < 0)
            return -1;
    buf_adds(b, "],\"kind\":\"OrganizationList\",\"metadata\":{}}");
    c->r->status = 200;
    return HANDLED;
}
