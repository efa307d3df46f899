/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/kind.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"

#define SHORTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FIELDS(...) ((const struct field[]){__VA_ARGS__, {0}})
#define COLUMNS(...) ((const struct column[]){__VA_ARGS__, {0}})

/* What every stored kind can be selected by. */
#define STORED_FIELDS \
    {"metadata.name", FIELD_STRING, FIELD_NAME}, \
    {"metadata.owner", FIELD_STRING, FIELD_OWNER}, \
    {"metadata.creationTimestamp", FIELD_TIME, FIELD_CREATED}

const struct field fields_stored[] = {STORED_FIELDS, {0}};

const struct kind kinds[] = {
    {
        .id = KIND_DEVICE,
        .name = "Device",
        .singular = "device",
        .plural = "devices",
        .shorts = SHORTS("dev"),
        .schema = "Device",
        .flags = KIND_APPLY | KIND_LABELS | KIND_STATUS,
        .effects = EFFECT_DEVICE,
        .fields = FIELDS(
            STORED_FIELDS,
            {"metadata.alias", FIELD_STRING, FIELD_ALIAS},
            {"metadata.nameOrAlias", FIELD_STRING, FIELD_NAME_OR_ALIAS},
            {"status.summary.status", FIELD_STRING, FIELD_SUMMARY},
            {"status.applicationsSummary.status", FIELD_STRING, FIELD_APPLICATIONS},
            {"status.updated.status", FIELD_STRING, FIELD_UPDATED},
            {"status.lifecycle.status", FIELD_STRING, FIELD_LIFECYCLE},
            {"status.capabilities.osMode", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"ALIAS", "metadata.labels.alias", COL_TEXT, false},
            {"OWNER", "metadata.owner", COL_TEXT, false},
            {"SUMMARY", "status.summary.status", COL_STATE, false},
            {"UPDATED", "status.updated.status", COL_STATE, false},
            {"APPLICATIONS", "status.applicationsSummary.status", COL_STATE, false},
            {"LAST SEEN", "status.lastSeen", COL_AGO, false},
            {"VERSION", "status.config.renderedVersion", COL_TEXT, true},
            {"LIFECYCLE", "status.lifecycle.status", COL_TEXT, true},
            {"LABELS", "metadata.labels", COL_LABELS, true}),
    },
    {
        .id = KIND_FLEET,
        .name = "Fleet",
        .singular = "fleet",
        .plural = "fleets",
        .shorts = SHORTS("flt"),
        .schema = "Fleet",
        .flags = KIND_APPLY | KIND_LABELS,
        .effects = EFFECT_FLEET,
        .fields = FIELDS(
            STORED_FIELDS,
            {"spec.template.spec.os.image", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"OWNER", "metadata.owner", COL_TEXT, false},
            {"MATCH LABELS", "spec.selector.matchLabels", COL_LABELS, false},
            {"TEMPLATE VERSION", "metadata.annotations.fleet-controller/templateVersion",
                COL_TEXT, false},
            {"BATCH", "status.rollout.currentBatch", COL_TEXT, false},
            {"OS IMAGE", "spec.template.spec.os.image", COL_TEXT, true},
            {"LABELS", "metadata.labels", COL_LABELS, true},
            {"AGE", "metadata.creationTimestamp", COL_AGO, true}),
    },
    {
        .id = KIND_TEMPLATEVERSION,
        .name = "TemplateVersion",
        .singular = "templateversion",
        .plural = "templateversions",
        .shorts = SHORTS("tv"),
        .schema = "TemplateVersion",
        .flags = KIND_CHILD,
        .fields = FIELDS(STORED_FIELDS),
        .columns = COLUMNS(
            {"FLEET", "spec.fleet", COL_TEXT, false},
            {"NAME", "metadata.name", COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"OS IMAGE", "status.os.image", COL_TEXT, true},
            {"CONFIG", "status.config", COL_COUNT, true},
            {"APPLICATIONS", "status.applications", COL_COUNT, true}),
    },
    {
        .id = KIND_ENROLLMENTREQUEST,
        .name = "EnrollmentRequest",
        .singular = "enrollmentrequest",
        .plural = "enrollmentrequests",
        .shorts = SHORTS("er"),
        .schema = "EnrollmentRequest",
        .flags = KIND_APPLY | KIND_LABELS | KIND_REQUEST | KIND_STATUS,
        .fields = FIELDS(
            STORED_FIELDS,
            {"status.approval.approved", FIELD_BOOL, FIELD_MEMBER},
            {"status.certificate", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"ALIAS", "spec.labels.alias", COL_TEXT, false},
            {"APPROVED", "status.approval.approved", COL_TEXT, false},
            {"APPROVER", "status.approval.approvedBy", COL_TEXT, false},
            {"APPROVED LABELS", "status.approval.labels", COL_LABELS, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"ARCHITECTURE", "spec.deviceStatus.systemInfo.architecture", COL_TEXT, true},
            {"LABELS", "spec.labels", COL_LABELS, true}),
    },
    {
        .id = KIND_CERTIFICATESIGNINGREQUEST,
        .name = "CertificateSigningRequest",
        .singular = "certificatesigningrequest",
        .plural = "certificatesigningrequests",
        .shorts = SHORTS("csr"),
        .schema = "CertificateSigningRequest",
        .flags = KIND_APPLY | KIND_LABELS | KIND_REQUEST,
        .effects = EFFECT_CSR,
        .fields = FIELDS(
            STORED_FIELDS,
            {"status.certificate", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"OWNER", "metadata.owner", COL_TEXT, false},
            {"SIGNER", "spec.signerName", COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"USERNAME", "spec.username", COL_TEXT, true},
            {"EXPIRES AFTER", "spec.expirationSeconds", COL_TEXT, true}),
    },
    {
        .id = KIND_REPOSITORY,
        .name = "Repository",
        .singular = "repository",
        .plural = "repositories",
        .shorts = SHORTS("repo"),
        .schema = "Repository",
        .flags = KIND_APPLY | KIND_LABELS | KIND_STATUS,
        .effects = EFFECT_SOURCE,
        .fields = FIELDS(
            STORED_FIELDS,
            {"spec.type", FIELD_STRING, FIELD_MEMBER},
            {"spec.url", FIELD_STRING, FIELD_MEMBER},
            {"spec.registry", FIELD_STRING, FIELD_MEMBER},
            {"spec.accessMode", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"TYPE", "spec.type", COL_TEXT, false},
            {"URL", "spec.url|spec.registry", COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"OWNER", "metadata.owner", COL_TEXT, true},
            {"LABELS", "metadata.labels", COL_LABELS, true}),
    },
    {
        .id = KIND_RESOURCESYNC,
        .name = "ResourceSync",
        .singular = "resourcesync",
        .plural = "resourcesyncs",
        .shorts = SHORTS("rs"),
        .schema = "ResourceSync",
        .flags = KIND_APPLY | KIND_LABELS | KIND_STATUS,
        .fields = FIELDS(
            STORED_FIELDS,
            {"spec.repository", FIELD_STRING, FIELD_MEMBER},
            {"spec.type", FIELD_STRING, FIELD_MEMBER}),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"REPOSITORY", "spec.repository", COL_TEXT, false},
            {"PATH", "spec.path", COL_TEXT, false},
            {"REVISION", "spec.targetRevision", COL_TEXT, false},
            {"COMMIT", "status.observedCommit", COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"TYPE", "spec.type", COL_TEXT, true}),
    },
    {
        .id = KIND_EVENT,
        .name = "Event",
        .singular = "event",
        .plural = "events",
        .shorts = SHORTS("ev"),
        .schema = "Event",
        .flags = KIND_LOG,
        .fields = FIELDS(
            {"metadata.name", FIELD_STRING, FIELD_LOG},
            {"metadata.owner", FIELD_STRING, FIELD_LOG},
            {"metadata.creationTimestamp", FIELD_TIME, FIELD_LOG},
            {"reason", FIELD_STRING, FIELD_LOG},
            {"actor", FIELD_STRING, FIELD_LOG},
            {"type", FIELD_STRING, FIELD_LOG},
            {"involvedObject.name", FIELD_STRING, FIELD_LOG},
            {"involvedObject.kind", FIELD_STRING, FIELD_LOG}),
        .columns = COLUMNS(
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"KIND", "involvedObject.kind", COL_TEXT, false},
            {"NAME", "involvedObject.name", COL_TEXT, false},
            {"TYPE", "type", COL_STATE, false},
            {"REASON", "reason", COL_TEXT, false},
            {"MESSAGE", "message", COL_TEXT, false},
            {"ACTOR", "actor", COL_TEXT, true},
            {"SOURCE", "source.component", COL_TEXT, true}),
    },
    {
        .id = KIND_ORGANIZATION,
        .name = "Organization",
        .singular = "organization",
        .plural = "organizations",
        .shorts = SHORTS("org"),
        .schema = "Organization",
        .flags = KIND_APPLY | KIND_LABELS | KIND_GLOBAL,
        .effects = EFFECT_ORG,
        .fields = FIELDS(STORED_FIELDS),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"DISPLAY NAME", "spec.displayName", COL_TEXT, false},
            {"UID", "metadata.annotations." ORG_UID, COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"EXTERNAL ID", "spec.externalId", COL_TEXT, true},
            {"LABELS", "metadata.labels", COL_LABELS, true}),
    },
    {
        .id = KIND_AUTHPROVIDER,
        .name = "AuthProvider",
        .singular = "authprovider",
        .plural = "authproviders",
        .shorts = SHORTS("ap"),
        .schema = "AuthProvider",
        .flags = KIND_APPLY | KIND_LABELS,
        .effects = EFFECT_ISSUER,
        .fields = FIELDS(STORED_FIELDS),
        .columns = COLUMNS(
            {"NAME", "metadata.name", COL_TEXT, false},
            {"TYPE", "spec.providerType", COL_TEXT, false},
            {"ISSUER", "spec.issuer|spec.apiUrl|spec.authorizationUrl", COL_TEXT, false},
            {"ENABLED", "spec.enabled", COL_TEXT, false},
            {"AGE", "metadata.creationTimestamp", COL_AGO, false},
            {"CLIENT", "spec.clientId", COL_TEXT, true},
            {"LABELS", "metadata.labels", COL_LABELS, true}),
    },
    {
        .id = KIND_LABEL,
        .name = "Label",
        .singular = "label",
        .plural = "labels",
        .shorts = SHORTS("lbl"),
        .schema = "Label",
        .flags = KIND_CATALOG,
        .fields = FIELDS(
            {"metadata.name", FIELD_STRING, FIELD_LOG},
            {"metadata.labels.key", FIELD_STRING, FIELD_LOG},
            {"metadata.labels.value", FIELD_STRING, FIELD_LOG},
            {"metadata.labels.keyOrValue", FIELD_STRING, FIELD_LOG}),
        .columns = COLUMNS(
            {"KEY", "key", COL_TEXT, false},
            {"VALUE", "value", COL_TEXT, false}),
    },
    {.id = KIND_NONE},
};

const struct kind *kind_by_id(enum kind_id id)
{
    for (const struct kind *k = kinds; k->id; k++)
        if (k->id == id)
            return k;
    die("no kind has the number %d", (int)id);
}

static bool answers_to(const struct kind *k, const char *word)
{
    if (!strcasecmp(word, k->singular) || !strcasecmp(word, k->plural))
        return true;
    for (const char *const *s = k->shorts; *s; s++)
        if (!strcasecmp(word, *s))
            return true;
    return false;
}

const struct kind *kind_find(const char *word)
{
    for (const struct kind *k = kinds; k->id; k++)
        if (answers_to(k, word))
            return k;
    return NULL;
}

bool kind_is_list(const char *word)
{
    for (const struct kind *k = kinds; k->id; k++) {
        size_t n = strlen(k->name);

        if (!strncmp(word, k->name, n) && !strcmp(word + n, "List"))
            return true;
    }
    return !strcmp(word, "List");
}

const struct kind *kind_parse(const char *word, struct err *e)
{
    const struct kind *k = kind_find(word);
    AUTO_BUF struct buf b = BUF_INIT;

    if (k)
        return k;
    for (k = kinds; k->id; k++)
        buf_printf(&b, "%s%s", b.len ? ", " : "", k->singular);
    err_set(e, FC_USAGE, "unknown kind \"%.64s\": must be one of %s", word, b.p);
    return NULL;
}
