/* SPDX-License-Identifier: Apache-2.0 */
/* What schemas cannot say about metadata, selectors, rollouts and certificates. */
#include "fleet/validate.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "fleet/secret.h"

#define LABEL_NAME "at most 63 letters, digits, -, _ and ., the first and last a letter or digit"

bool set_add(jv *seen, const char *text)
{
    if (jv_object_has(jv_copy(*seen), jv_string(text)))
        return false;
    *seen = jv_object_set(*seen, jv_string(text), jv_true());
    return true;
}

/* --- metadata and selectors ----------------------------------------------------------------- */

static void check_name(struct schema_run *r, jv v)
{
    if (!is_dns_subdomain(jv_string_value(v)))
        schema_report(r, "", "must be a DNS subdomain: at most 253 lower-case letters, digits, "
            "- and ., the first and last a letter or digit");
}

static void check_named(struct schema_run *r, jv v)
{
    if (!json_has(v, "name"))
        schema_report(r, ".name", "is required");
}

static void check_label_key(struct schema_run *r, jv v)
{
    if (!is_label_key(jv_string_value(v)))
        schema_report(r, "", "must be a label key: [DNS.PREFIX/]NAME, the name " LABEL_NAME);
}

static void check_label_value(struct schema_run *r, jv v)
{
    if (!is_label_value(jv_string_value(v)))
        schema_report(r, "", "must be a label value: " LABEL_NAME);
}

static void check_map(struct schema_run *r, jv v, bool values_too)
{
    jv_object_foreach(v, key, val)
    {
        const char *name = jv_string_value(key);
        AUTO_BUF struct buf sub = BUF_INIT;

        buf_addc(&sub, '.');
        buf_adds(&sub, name);
        if (!is_label_key(name))
            schema_report(r, sub.p,
                "must be a label key: [DNS.PREFIX/]NAME, the name " LABEL_NAME);
        else if (values_too && !is_label_value(jv_string_value(val)))
            schema_report(r, sub.p, "must be a label value: " LABEL_NAME);
        jv_free(key);
        jv_free(val);
    }
}

static void check_labels(struct schema_run *r, jv v)
{
    check_map(r, v, true);
}

static void check_annotations(struct schema_run *r, jv v)
{
    check_map(r, v, false);
}

static void check_expression(struct schema_run *r, jv v)
{
    const char *op = json_str(v, "operator");
    AUTO_JV jv values = json_get(v, "values");
    bool listed = !strcmp(op, "In") || !strcmp(op, "NotIn");

    if (listed && !json_nonempty(values))
        schema_report(r, ".values", "must not be empty with %s", op);
    else if (!listed && json_nonempty(values))
        schema_report(r, ".values", "must be absent with %s", op);
}

/* --- rollouts ------------------------------------------------------------------------------- */

static void check_duration(struct schema_run *r, jv v)
{
    if (duration_parse(jv_string_value(v)) < 0)
        schema_report(r, "", "is too long a duration");
}

static void check_percentage(struct schema_run *r, jv v)
{
    const char *s = jv_string_value(v);
    size_t digits = strspn(s, "0123456789");
    bool fits = *s >= '1' && *s <= '9' && (digits < 3 || (digits == 3 && !strncmp(s, "100", 3)));

    if (!fits || strcmp(s + digits, "%"))
        schema_report(r, "", "must be a percentage from 1%% to 100%%");
}

static void check_budget(struct schema_run *r, jv v)
{
    AUTO_JV jv groups = json_get(v, "groupBy"), seen = jv_object();
    int n = jv_is_valid(groups) ? jv_array_length(jv_copy(groups)) : 0;

    if (!json_has(v, "minAvailable") && !json_has(v, "maxUnavailable"))
        schema_report(r, "", "must have at least one of minAvailable, maxUnavailable");
    for (int i = 0; i < n; i++) {
        AUTO_JV jv key = jv_array_get(jv_copy(groups), i);
        char sub[48];

        snprintf(sub, sizeof sub, ".groupBy[%d]", i);
        if (!set_add(&seen, jv_string_value(key)))
            schema_report(r, sub, "is listed already");
    }
}

/* --- certificates --------------------------------------------------------------------------- */

/* Signers of flightctl.io that serve this kind. Device certificates come from enrollment alone,
 * server certificates from the CA's host alone. Names of other domains are their owners'. */
static void check_signer(struct schema_run *r, jv v)
{
    static const char *const served[] = {
        "enrollment", "flightctl.io/enrollment", "flightctl.io/device-management-renewal",
        "flightctl.io/device-svc-client",
    };
    static const char *const refused[] = {"flightctl.io/device-enrollment",
        "flightctl.io/server-svc"};
    const char *s = jv_string_value(v);

    for (size_t i = 0; i < LEN(served); i++)
        if (!strcmp(s, served[i]))
            return;
    for (size_t i = 0; i < LEN(refused); i++)
        if (!strcmp(s, refused[i])) {
            schema_report(r, "", "%s signs no certificate signing requests", s);
            return;
        }
    if (!strchr(s, '/') || !strncmp(s, "flightctl.io/", 13))
        schema_report(r, "", "must be one of flightctl.io/enrollment, "
            "flightctl.io/device-management-renewal, flightctl.io/device-svc-client");
}

static void check_usages(struct schema_run *r, jv v)
{
    AUTO_JV jv usages = json_get(v, "usages");
    int n = jv_is_valid(usages) ? jv_array_length(jv_copy(usages)) : 0;
    bool client = false, leaf = false;

    for (int i = 0; i < n; i++) {
        AUTO_JV jv s = jv_array_get(jv_copy(usages), i);

        client |= !strcmp(jv_string_value(s), "clientAuth");
        leaf |= !strcmp(jv_string_value(s), "CA:false");
    }
    if (!client || !leaf)
        schema_report(r, ".usages", "must contain clientAuth and CA:false");
}

static void check_positive(struct schema_run *r, jv v)
{
    if (jv_number_value(v) < 1)
        schema_report(r, "", "must be at least 1");
}

/* --- organizations and providers ------------------------------------------------------------ */

/* Organizations go by name and by uid: one must not pose as another. */
static void check_organization(struct schema_run *r, jv v)
{
    const char *name = json_str(v, "name");

    if (name && is_uuid(name))
        schema_report(r, ".name", "must not look like a uid");
}

static void check_filled(struct schema_run *r, jv v)
{
    if (!*jv_string_value(v))
        schema_report(r, "", "must not be empty");
}

static void check_few(struct schema_run *r, jv v)
{
    if (jv_array_length(jv_copy(v)) > 64)
        schema_report(r, "", "must have at most 64 elements");
}

static void check_some(struct schema_run *r, jv v)
{
    if (!json_nonempty(v))
        schema_report(r, "", "must not be empty");
}

const struct schema_check schema_checks[] = {
    {"alerts", check_alerts},
    {"annotations", check_annotations},
    {"applications", check_applications},
    {"budget", check_budget},
    {"config", check_config},
    {"container", check_container},
    {"content", check_content},
    {"cron", check_cron},
    {"disk-path", check_disk_path},
    {"duration", check_duration},
    {"env", check_env},
    {"expression", check_expression},
    {"few", check_few},
    {"file-path", check_file_path},
    {"files", check_files},
    {"filled", check_filled},
    {"folder-path", check_folder_path},
    {"git-url", check_git_url},
    {"host-ports", check_host_ports},
    {"http-auth", check_http_auth},
    {"image", check_image},
    {"image-name", check_image_name},
    {"image-or-none", check_image_or_none},
    {"label-key", check_label_key},
    {"label-value", check_label_value},
    {"labels", check_labels},
    {"literal", check_literal},
    {"mode", check_mode},
    {"monitors", check_monitors},
    {"mount-path", check_mount_path},
    {"name", check_name},
    {"named", check_named},
    {"organization", check_organization},
    {"packaged", check_packaged},
    {"os", check_os},
    {"parameters", check_parameters},
    {"percentage", check_percentage},
    {"ports", check_ports},
    {"positive", check_positive},
    {"registry", check_registry},
    {"relative-path", check_relative_path},
    {"share", check_share},
    {"signer", check_signer},
    {"some", check_some},
    {"source-path", check_source_path},
    {"ssh-auth", check_ssh_auth},
    {"time-zone", check_time_zone},
    {"url", check_url},
    {"url-or-none", check_url_or_none},
    {"usages", check_usages},
    {"volume-image", check_volume_image},
    {"volumes", check_volumes},
    {NULL, NULL},
};

int kind_validate(const struct kind *k, jv v, unsigned flags, struct violation *out, int max)
{
    int n = schema_validate(k->schema, NULL, v, flags, out, max);
    jv spec AUTO_JV = flags & VALIDATE_SEALED ? jv_null() : json_get(v, "spec");

    for (const struct secret *s = secrets; s->kind; s++) {
        jv text AUTO_JV = s->kind == k->id ? secret_get(s, spec) : jv_invalid();

        if (!jv_is_valid(text) || !secret_sealed(jv_string_value(text)))
            continue;
        if (n < max) {
            secret_path(s, out[n].path);
            snprintf(out[n].what, sizeof out[n].what, "must not begin with " SECRET_SEALED);
        }
        n++;
    }
    return n;
}
