/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "fleet/kind.h"
#include "state.h"
#include "txn.h"

int spec_identify(jv device, const char *name, int64_t *version, struct err *e)
{
    const char *kind = json_str(device, "kind"), *own = json_str(device, "metadata.name");

    if (!kind || strcmp(kind, "Device") != 0)
        return err_set(e, FC_INVALID, "not a Device");
    if (!own || strcmp(own, name) != 0)
        return err_set(e, FC_INVALID, "metadata.name: is that of another device");
    *version = device_version(device);
    if (*version <= 0)
        return err_set(e, FC_INVALID, "metadata.annotations: no " ANNOTATION_VERSION);
    return 0;
}

int spec_check(jv device, const struct docs *from, struct err *e)
{
    struct violation v[1];

    if (kind_validate(kind_by_id(KIND_DEVICE), device, 0, v, 1) == 0)
        return 0;
    err_set(e, FC_INVALID, "%s%s%s", v[0].path, *v[0].path ? ": " : "", v[0].what);
    return from ? err_wrap(e, "%s:%d", from->source, doc_line(&from->doc[0], v[0].path)) : -1;
}

static bool served(const char *member)
{
    size_t i;

    for (i = 0; controllers[i]; i++)
        if (controllers[i]->serves && strcmp(controllers[i]->serves, member) == 0)
            return true;
    return false;
}

void spec_warn(jv spec)
{
    static const char *const known[] = {"os", "config", "applications", "systemd", "resources",
        "updatePolicy", "consoles", "decommissioning"};
    size_t i;

    if (jv_get_kind(spec) != JV_KIND_OBJECT)
        return;
    jv_object_foreach(spec, key, value) {
        bool found = served(jv_string_value(key));

        for (i = 0; i < LEN(known); i++)
            found |= strcmp(known[i], jv_string_value(key)) == 0;
        if (!found)
            log_warn("spec.%s: unknown to this agent, ignored", jv_string_value(key));
        jv_free(key);
        jv_free(value);
    }
}
