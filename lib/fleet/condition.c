/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/condition.h"

#include <string.h>

#include "base/clock.h"

static bool is(jv v, const char *member, const char *value)
{
    const char *s = json_str(v, member);

    return s && strcmp(s, value) == 0;
}

jv condition_get(jv status, const char *type, const char *member, const char *value)
{
    jv all AUTO_JV = json_get(status, "conditions"), found = jv_invalid();

    if (jv_get_kind(all) != JV_KIND_ARRAY)
        return found;
    jv_array_foreach(all, i, c) {
        if (is(c, "type", type) && (!member || is(c, member, value))) {
            jv_free(found);
            found = c;
        } else
            jv_free(c);
    }
    return found;
}

bool condition_is(jv status, const char *type, const char *member, const char *value)
{
    jv c AUTO_JV = condition_get(status, type, member, value);

    return jv_is_valid(c);
}

void condition_add(jv *status, const char *type, const char *reason, const char *message,
    int64_t at)
{
    jv all = json_get(*status, "conditions"), c = jv_object();
    char text[TIME_LEN];

    time_format(at, text);
    json_sets(&c, "type", type);
    json_sets(&c, "status", "True");
    json_sets(&c, "reason", reason);
    json_sets(&c, "message", message);
    json_sets(&c, "lastTransitionTime", text);
    if (jv_get_kind(all) != JV_KIND_ARRAY) {
        jv_free(all);
        all = jv_array();
    }
    json_set(status, "conditions", jv_array_append(all, c));
}
