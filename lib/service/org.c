/* SPDX-License-Identifier: Apache-2.0 */
/* Organizations: resources that other resources live in, and the bottom layer of their devices. */
#include <string.h>

#include "base/text.h"
#include "service/service.h"

/* The number of an organization. */
static int number(struct store *s, const struct res *r, int64_t *org, struct err *e)
{
    return store_org(s, r->uid, org, e);
}

static jv defaults_of(const char *spec)
{
    jv v AUTO_JV = jv_invalid(), d;

    if (!spec || !strstr(spec, "\"deviceDefaults\"")) /* most have none */
        return jv_invalid();
    v = jv_parse(spec);
    d = json_get(v, "deviceDefaults");
    if (jv_get_kind(d) == JV_KIND_OBJECT)
        return d;
    jv_free(d);
    return jv_invalid();
}

static bool same_defaults(const char *old, const char *new)
{
    jv before AUTO_JV = defaults_of(old), after AUTO_JV = defaults_of(new);

    if (!jv_is_valid(before) || !jv_is_valid(after))
        return !jv_is_valid(before) && !jv_is_valid(after);
    return jv_equal(jv_copy(before), jv_copy(after));
}

int org_changed(struct store *s, const struct res *old, const struct res *new, struct err *e)
{
    int64_t org;

    if (!old)
        return org_add(s, new->id, new->uid, new->name, e);
    if (same_defaults(old->spec, new->spec))
        return 0;
    return number(s, new, &org, e) < 0 ? -1 : task_defaults(s, org, e);
}

int org_may_delete(struct store *s, const struct res *r, struct err *e)
{
    int64_t org;
    int rc;

    if (strcmp(r->uid, ORG_DEFAULT) == 0)
        return err_set(e, FC_CONFLICT, "Organization of name \"%s\" cannot be deleted: it is the "
            "default one", r->name);
    if (number(s, r, &org, e) < 0 || (rc = org_used(s, org, e)) < 0)
        return -1;
    if (rc)
        return err_set(e, FC_CONFLICT, "Organization of name \"%s\" cannot be deleted: it holds "
            "resources", r->name);
    return 0;
}

int org_deleted(struct store *s, const struct res *r, struct err *e)
{
    int64_t org;

    return number(s, r, &org, e) < 0 ? -1 : org_delete(s, org, e);
}

int org_again(struct store *s, struct arena *a, jv doc, struct res *r, struct err *e)
{
    jv meta AUTO_JV = json_get(doc, "metadata"), all AUTO_JV = json_get(meta, "annotations");
    jv uid AUTO_JV = json_get(all, ORG_UID);

    if (jv_get_kind(uid) != JV_KIND_STRING)
        return 0;
    r->uid = arena_strdup(a, jv_string_value(uid));
    return revision_number(s, r, &r->id, e) < 0 ? -1 : 0;
}

int org_defaults(struct store *s, struct arena *a, int64_t org, jv *spec, const char **origin,
    struct err *e)
{
    const char *name, *text;

    *spec = jv_invalid();
    if (org_spec(s, a, org, &name, &text, e) < 0)
        return -1;
    *spec = defaults_of(text);
    *origin = arena_printf(a, "Organization/%s", name ? name : "");
    return 0;
}

int org_stale(struct store *s, struct arena *a, int64_t org, const char **name, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_device_walk, e);
    int64_t *ids AUTO_FREE = xcalloc(ORG_CHUNK, sizeof *ids);
    int n = 0, rc;

    if (!st)
        return -1;
    st_int(st, 1, org);
    st_text(st, 2, *name);
    st_int(st, 3, ORG_CHUNK);
    while ((rc = st_step(st, e)) == 1) {
        ids[n++] = st_col_int(st, 0);
        if (n == ORG_CHUNK)
            *name = arena_strdup(a, st_col_text(st, 1, NULL));
    }
    for (int i = 0; rc == 0 && i < n; i++)
        rc = device_stale(s, ids[i], STALE_YES, e);
    return rc < 0 ? -1 : n;
}
