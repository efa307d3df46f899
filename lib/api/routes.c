/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table. The order of rows is the order of methods in the header Allow; nothing else
 * depends on it.
 */
#include "api/core.h"

#define USER WHO_USER
#define DEVICE WHO_DEVICE
#define ENROLLMENT WHO_ENROLLMENT
#define ALL (WHO_USER | WHO_DEVICE | WHO_ENROLLMENT)
#define WRITE ROUTE_WRITE
#define OWN ROUTE_OWN

/* What a person does with a kind: "devices", "/devices/{name}", "Device", KIND_DEVICE. */
#define LIST(resource, name, kind) \
    {"GET", "/" resource, "list" name "s", list_resources, kind, USER, resource, VERB_LIST, NULL, \
        name "List", 0}
#define POST(resource, name, kind) \
    {"POST", "/" resource, "create" name, post_resource, kind, USER, resource, VERB_CREATE, name, \
        name, WRITE}
#define GET(resource, name, kind) \
    {"GET", "/" resource "/{name}", "get" name, get_resource, kind, USER, resource, VERB_GET, NULL, \
        name, 0}
#define PUT(resource, name, kind) \
    {"PUT", "/" resource "/{name}", "replace" name, put_resource, kind, USER, resource, VERB_UPDATE, \
        name, name, WRITE}
#define PATCH(resource, name, kind) \
    {"PATCH", "/" resource "/{name}", "patch" name, patch_resource, kind, USER, resource, VERB_PATCH, \
        "PatchRequest", name, WRITE}
#define DELETE(resource, name, kind) \
    {"DELETE", "/" resource "/{name}", "delete" name, delete_resource, kind, USER, resource, \
        VERB_DELETE, NULL, "Status", WRITE}

const struct route routes[] = {
    /* devices */
    LIST("devices", "Device", KIND_DEVICE),
    POST("devices", "Device", KIND_DEVICE),
    GET("devices", "Device", KIND_DEVICE),
    PUT("devices", "Device", KIND_DEVICE),
    PATCH("devices", "Device", KIND_DEVICE),
    DELETE("devices", "Device", KIND_DEVICE),
    {"PUT", "/devices/{name}/status", "replaceDeviceStatus", put_device_status, KIND_DEVICE,
        DEVICE | USER, "devices/status", VERB_UPDATE, "Device", "Device", WRITE | OWN},
    {"PATCH", "/devices/{name}/status", "patchDeviceStatus", patch_device_status, KIND_DEVICE,
        DEVICE | USER, "devices/status", VERB_PATCH, "PatchRequest", "Device", WRITE | OWN},
    {"GET", "/devices/{name}/status", "getDeviceStatus", get_resource, KIND_DEVICE, USER,
        "devices/status", VERB_GET, NULL, "Device", 0},
    {"GET", "/devices/{name}/rendered", "getRenderedDevice", get_rendered, KIND_DEVICE, DEVICE | USER,
        "devices/rendered", VERB_GET, NULL, "Device", OWN},
    {"GET", "/devices/{name}/lastseen", "getDeviceLastSeen", get_last_seen, KIND_DEVICE, USER,
        "devices/lastseen", VERB_GET, NULL, "DeviceLastSeen", 0},

    /* enrollment */
    {"POST", "/enrollmentrequests", "createEnrollmentRequest", post_enrollment,
        KIND_ENROLLMENTREQUEST, ENROLLMENT, "enrollmentrequests", VERB_CREATE,
        "EnrollmentRequest", "EnrollmentRequest", WRITE},
    LIST("enrollmentrequests", "EnrollmentRequest", KIND_ENROLLMENTREQUEST),
    {"GET", "/enrollmentrequests/{name}", "getEnrollmentRequest", get_resource, KIND_ENROLLMENTREQUEST,
        ENROLLMENT | USER, "enrollmentrequests", VERB_GET, NULL, "EnrollmentRequest", 0},
    PUT("enrollmentrequests", "EnrollmentRequest", KIND_ENROLLMENTREQUEST),
    PATCH("enrollmentrequests", "EnrollmentRequest", KIND_ENROLLMENTREQUEST),
    DELETE("enrollmentrequests", "EnrollmentRequest", KIND_ENROLLMENTREQUEST),
    {"GET", "/enrollmentrequests/{name}/status", "getEnrollmentRequestStatus", get_resource,
        KIND_ENROLLMENTREQUEST, USER, "enrollmentrequests/status", VERB_GET, NULL,
        "EnrollmentRequest", 0},
    {"PUT", "/enrollmentrequests/{name}/status", "replaceEnrollmentRequestStatus", put_status,
        KIND_ENROLLMENTREQUEST, USER, "enrollmentrequests/status", VERB_UPDATE,
        "EnrollmentRequest", "EnrollmentRequest", WRITE},
    {"PATCH", "/enrollmentrequests/{name}/status", "patchEnrollmentRequestStatus", patch_status,
        KIND_ENROLLMENTREQUEST, USER, "enrollmentrequests/status", VERB_PATCH, "PatchRequest",
        "EnrollmentRequest", WRITE},
    {"PUT", "/enrollmentrequests/{name}/approval", "approveEnrollmentRequest", put_approval,
        KIND_ENROLLMENTREQUEST, USER, "enrollmentrequests/approval", VERB_UPDATE,
        "EnrollmentRequestApproval", "EnrollmentRequestApprovalStatus", WRITE},

    /* certificate requests */
    {"POST", "/certificatesigningrequests", "createCertificateSigningRequest", post_csr,
        KIND_CERTIFICATESIGNINGREQUEST, DEVICE, "certificatesigningrequests", VERB_CREATE,
        "CertificateSigningRequest", "CertificateSigningRequest", WRITE},
    LIST("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),
    {"GET", "/certificatesigningrequests/{name}", "getCertificateSigningRequest", get_csr,
        KIND_CERTIFICATESIGNINGREQUEST, DEVICE, "certificatesigningrequests", VERB_GET, NULL,
        "CertificateSigningRequest", 0},
    PUT("certificatesigningrequests", "CertificateSigningRequest", KIND_CERTIFICATESIGNINGREQUEST),
    PATCH("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),
    DELETE("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),

    /* fleets */
    LIST("fleets", "Fleet", KIND_FLEET),
    POST("fleets", "Fleet", KIND_FLEET),
    GET("fleets", "Fleet", KIND_FLEET),
    PUT("fleets", "Fleet", KIND_FLEET),
    PATCH("fleets", "Fleet", KIND_FLEET),
    DELETE("fleets", "Fleet", KIND_FLEET),
    {"GET", "/fleets/{name}/status", "getFleetStatus", get_resource, KIND_FLEET, USER, "fleets/status",
        VERB_GET, NULL, "Fleet", 0},
    {"PUT", "/fleets/{name}/status", "replaceFleetStatus", no_status, KIND_FLEET, USER,
        "fleets/status", VERB_UPDATE, NULL, "Fleet", 0},
    {"PATCH", "/fleets/{name}/status", "patchFleetStatus", no_status, KIND_FLEET, USER,
        "fleets/status", VERB_PATCH, NULL, "Fleet", 0},
    {"GET", "/fleets/{fleet}/templateversions", "listTemplateVersions", list_versions,
        KIND_TEMPLATEVERSION, USER, "fleets/templateversions", VERB_LIST, NULL,
        "TemplateVersionList", 0},
    {"GET", "/fleets/{fleet}/templateversions/{name}", "getTemplateVersion", get_version_of,
        KIND_TEMPLATEVERSION, USER, "fleets/templateversions", VERB_GET, NULL, "TemplateVersion",
        0},

    /* sources */
    {"GET", "/repositories", "listRepositories", list_resources, KIND_REPOSITORY, USER,
        "repositories", VERB_LIST, NULL, "RepositoryList", 0},
    POST("repositories", "Repository", KIND_REPOSITORY),
    GET("repositories", "Repository", KIND_REPOSITORY),
    PUT("repositories", "Repository", KIND_REPOSITORY),
    PATCH("repositories", "Repository", KIND_REPOSITORY),
    DELETE("repositories", "Repository", KIND_REPOSITORY),
    LIST("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),
    POST("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),
    GET("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),
    PUT("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),
    PATCH("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),
    DELETE("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),

    /* the rest */
    LIST("events", "Event", KIND_EVENT),
    {"GET", "/labels", "listLabels", list_labels, KIND_LABEL, USER, "labels", VERB_LIST, NULL,
        "LabelList", 0},
    {"GET", "/version", "getVersion", get_version, KIND_NONE, ALL, "version", VERB_GET, NULL,
        "Version", 0},
    {0},
};
