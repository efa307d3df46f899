/* SPDX-License-Identifier: Apache-2.0 */
/* A status that comes alone. */
#include <string.h>

#include "service/patch.h"
#include "service/service.h"

/* What an approval decides comes by it alone. */
static jv decided(jv status)
{
    static const char *const types[] = {"Approved", "Denied", "Failed"};
    jv all AUTO_JV = json_get(status, "conditions"), out = jv_object();

    json_set(&out, "approval", json_get(status, "approval"));
    json_set(&out, "certificate", json_get(status, "certificate"));
    if (jv_get_kind(all) != JV_KIND_ARRAY)
        return out;
    jv_array_foreach(all, i, c) {
        const char *type = json_str(c, "type");

        for (size_t k = 0; type && k < LEN(types); k++)
            if (strcmp(type, types[k]) == 0)
                json_set(&out, type, jv_copy(c));
        jv_free(c);
    }
    return out;
}

static int put_text(struct store *s, const struct res *r, jv status, struct err *e)
{
    jv old AUTO_JV = r->status ? jv_parse(r->status) : jv_object();
    struct buf text AUTO_BUF = BUF_INIT, was AUTO_BUF = BUF_INIT, now AUTO_BUF = BUF_INIT;
    jv before AUTO_JV = decided(old), after AUTO_JV = decided(status);

    json_canon(&text, status);
    json_canon(&was, before);
    json_canon(&now, after);
    if (r->kind->id == KIND_ENROLLMENTREQUEST && strcmp(was.p, now.p) != 0)
        return err_set(e, FC_INVALID, "status: approval, certificate and their conditions come by "
            "approval alone");
    if (r->status && strcmp(r->status, text.p) == 0)
        return 0;
    return res_set_status(s, r->id, text.p, e);
}

int status_put(struct store *s, struct arena *a, struct res *r, jv doc, const struct actor *who,
    enum change *what, struct err *e)
{
    jv status AUTO_JV = json_get(doc, "status");
    int64_t version = r->version;

    if (!(r->kind->flags & KIND_STATUS))
        return err_set(e, FC_INVALID, "the status of a %s is kept by the system",
            r->kind->singular);
    if (!jv_is_valid(status))
        return err_set(e, FC_INVALID, "status: is required");
    if (change_check_version(r, doc, e) < 0)
        return -1;
    if (r->kind->id == KIND_DEVICE ? device_report(s, a, r->org, r->name, doc, who, e) < 0 :
        put_text(s, r, status, e) < 0)
        return -1;
    if (res_get_id(s, a, r->id, r, e) != 1)
        return -1;
    *what = r->version == version ? CHANGE_NONE : CHANGE_UPDATED;
    return 0;
}
