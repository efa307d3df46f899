/* SPDX-License-Identifier: Apache-2.0 */
/* What schemas cannot say about images, addresses and credentials. */
#include <string.h>

#include "base/mem.h"
#include "fleet/address.h"
#include "fleet/validate.h"

#define IMAGE "must be an image reference, such as quay.io/org/name:tag: "

void check_image(struct schema_run *r, jv v)
{
    const char *s = jv_string_value(v), *fault;

    if (!has_parameters(r, s) && (fault = image_fault(s)))
        schema_report(r, "", IMAGE "%s", fault);
}

void check_os(struct schema_run *r, jv v)
{
    const char *image = json_str(v, "image");

    if (image && *image && json_has(v, "catalogItemRef"))
        schema_report(r, "", "must have at most one of image, catalogItemRef");
}

void check_image_or_none(struct schema_run *r, jv v)
{
    if (*jv_string_value(v))
        check_image(r, v);
}

void check_image_name(struct schema_run *r, jv v)
{
    const char *fault = image_name_fault(jv_string_value(v));

    if (fault)
        schema_report(r, "", "must be the name of an image, such as org/name: %s", fault);
}

void check_url(struct schema_run *r, jv v)
{
    static const char *const schemes[] = {"https", "http", NULL};
    const char *fault = url_fault(jv_string_value(v), schemes);

    if (fault)
        schema_report(r, "", "must be an http or https URL: %s", fault);
}

void check_url_or_none(struct schema_run *r, jv v)
{
    if (*jv_string_value(v))
        check_url(r, v);
}

void check_git_url(struct schema_run *r, jv v)
{
    const char *fault = git_url_fault(jv_string_value(v));

    if (fault)
        schema_report(r, "", "must be an http, https, ssh or git URL, or USER@HOST:PATH: %s",
            fault);
}

void check_registry(struct schema_run *r, jv v)
{
    const char *fault = host_fault(jv_string_value(v));

    if (fault)
        schema_report(r, "", "must be HOST or HOST:PORT: %s", fault);
}

static bool has_member(jv v, const char *name) /* whose name may hold a dot */
{
    AUTO_JV jv m = json_get(v, name);

    return jv_is_valid(m);
}

void check_http_auth(struct schema_run *r, jv v)
{
    if (has_member(v, "password") && !has_member(v, "username"))
        schema_report(r, ".username", "is required with a password");
    if (has_member(v, "password") && has_member(v, "token"))
        schema_report(r, ".token", "must not stand beside a password");
    if (has_member(v, "tls.crt") && !has_member(v, "tls.key"))
        schema_report(r, ".tls.key", "is required with tls.crt");
    if (has_member(v, "tls.key") && !has_member(v, "tls.crt"))
        schema_report(r, ".tls.crt", "is required with tls.key");
}

void check_ssh_auth(struct schema_run *r, jv v)
{
    if (has_member(v, "privateKeyPassphrase") && !has_member(v, "sshPrivateKey"))
        schema_report(r, ".sshPrivateKey", "is required with privateKeyPassphrase");
}

/* --- volumes and ports of applications ------------------------------------------------------ */

static void each_volume(struct schema_run *r, jv app, const char *member, const char *why)
{
    AUTO_JV jv list = json_get(app, "volumes");
    int n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;

    for (int i = 0; i < n; i++) {
        AUTO_JV jv item = jv_array_get(jv_copy(list), i);
        char sub[64];

        snprintf(sub, sizeof sub, ".volumes[%d].%s", i, member);
        if (!has_member(item, member))
            schema_report(r, sub, "%s", why);
    }
}

void check_container(struct schema_run *r, jv v)
{
    each_volume(r, v, "mount", "is required in a container");
}

/* Compose files and quadlets say themselves where a volume is mounted. */
void check_packaged(struct schema_run *r, jv v)
{
    each_volume(r, v, "image", "is required: the application makes its other volumes itself");
}

void check_host_ports(struct schema_run *r, jv v)
{
    AUTO_JV jv seen = jv_object();
    int n = jv_array_length(jv_copy(v));

    for (int i = 0; i < n; i++) {
        AUTO_JV jv item = jv_array_get(jv_copy(v), i);
        const char *s = jv_string_value(item), *end = strchrnul(s, ':');
        const char *protocol = strchrnul(s, '/');
        char *key AUTO_FREE = xasprintf("%lu%s", strtoul(s, NULL, 10),
            *protocol ? protocol : "/tcp");
        char sub[16];

        snprintf(sub, sizeof sub, "[%d]", i);
        if (*end && !set_add(&seen, key))
            schema_report(r, sub, "takes a port of the host that another one has");
    }
}
