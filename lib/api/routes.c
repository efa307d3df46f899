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
#define ANYONE WHO_ANYONE
#define ROOT (ROUTE_ROOT | ROUTE_NO_ORG)

/* What the contract has and we have not. */
#define NOT_SERVED(method, path, operation, resource, verb, flags) \
    {method, path, operation, not_served, KIND_NONE, USER, resource, verb, NULL, NULL, flags}
#define ALPHA(method, path, operation) NOT_SERVED(method, path, operation, NULL, VERB_GET, 0)

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
#define ALL_OF(resource, name, kind) \
    LIST(resource, name, kind), POST(resource, name, kind), GET(resource, name, kind), \
        PUT(resource, name, kind), PATCH(resource, name, kind), DELETE(resource, name, kind)

const struct route routes[] = {
    /* devices */
    ALL_OF("devices", "Device", KIND_DEVICE),
    {"PUT", "/devices/{name}/status", "replaceDeviceStatus", put_device_status, KIND_DEVICE,
        DEVICE | USER, "devices/status", VERB_UPDATE, "Device", "Device", WRITE | OWN},
    {"PATCH", "/devices/{name}/status", "patchDeviceStatus", patch_device_status, KIND_DEVICE,
        DEVICE | USER, "devices/status", VERB_PATCH, "PatchRequest", "Device", WRITE | OWN},
    {"GET", "/devices/{name}/status", "getDeviceStatus", get_resource, KIND_DEVICE, USER,
        "devices/status", VERB_GET, NULL, "Device", 0},
    {"GET", "/devices/{name}/rendered", "getRenderedDevice", get_rendered, KIND_DEVICE, DEVICE | USER,
        "devices/rendered", VERB_GET, NULL, "Device", OWN},
    {"POST", "/render", "renderDevices", render_devices, KIND_NONE, USER, "devices/rendered",
        VERB_GET, "RenderRequest", "RenderList", 0},
    {"GET", "/devices/{name}/lastseen", "getDeviceLastSeen", get_last_seen, KIND_DEVICE, USER,
        "devices/lastseen", VERB_GET, NULL, "DeviceLastSeen", 0},
    {"PUT", "/devices/{name}/decommission", "decommissionDevice", put_decommission, KIND_DEVICE,
        USER, "devices/decommission", VERB_UPDATE, "DeviceDecommission", "Device", WRITE},
    {"POST", "/devices/{name}/applications/{appname}/actions/stop", "stopDeviceApplication",
        stop_app, KIND_DEVICE, USER, "devices/applications", VERB_CREATE, NULL, "Device", WRITE},
    {"POST", "/devices/{name}/applications/{appname}/actions/start", "startDeviceApplication",
        start_app, KIND_DEVICE, USER, "devices/applications", VERB_CREATE, NULL, "Device", WRITE},
    {"POST", "/devices/{name}/applications/{appname}/actions/restart", "restartDeviceApplication",
        restart_app, KIND_DEVICE, USER, "devices/applications", VERB_CREATE, NULL, "Device", WRITE},
    {"POST", "/deviceactions/resume", "resumeDevices", post_resume, KIND_DEVICE, USER,
        "devices/resume", VERB_CREATE, "DeviceResumeRequest", "DeviceResumeResponse", 0},
    NOT_SERVED("GET", "/ws/v1/devices/{name}/console", "getDeviceConsole", "devices/console",
        VERB_GET, ROUTE_ROOT),
    NOT_SERVED("GET", "/ws/v1/devices/{name}/applications/{appname}/console",
        "getDeviceApplicationConsole", "devices/console", VERB_GET, ROUTE_ROOT),

    /* enrollment */
    {"POST", "/enrollmentrequests", "createEnrollmentRequest", post_enrollment,
        KIND_ENROLLMENTREQUEST, ENROLLMENT | USER, "enrollmentrequests", VERB_CREATE,
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
    {"GET", "/enrollmentconfig", "getEnrollmentConfig", get_enrollment_config,
        KIND_CERTIFICATESIGNINGREQUEST, USER, "enrollmentconfig", VERB_GET, NULL,
        "EnrollmentConfig", 0},

    /* certificate requests */
    {"POST", "/certificatesigningrequests", "createCertificateSigningRequest", post_csr,
        KIND_CERTIFICATESIGNINGREQUEST, DEVICE | USER, "certificatesigningrequests", VERB_CREATE,
        "CertificateSigningRequest", "CertificateSigningRequest", WRITE},
    LIST("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),
    {"GET", "/certificatesigningrequests/{name}", "getCertificateSigningRequest", get_csr,
        KIND_CERTIFICATESIGNINGREQUEST, DEVICE | USER, "certificatesigningrequests", VERB_GET, NULL,
        "CertificateSigningRequest", 0},
    PUT("certificatesigningrequests", "CertificateSigningRequest", KIND_CERTIFICATESIGNINGREQUEST),
    PATCH("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),
    DELETE("certificatesigningrequests", "CertificateSigningRequest",
        KIND_CERTIFICATESIGNINGREQUEST),
    {"PUT", "/certificatesigningrequests/{name}/approval",
        "updateCertificateSigningRequestApproval", put_csr_approval,
        KIND_CERTIFICATESIGNINGREQUEST, USER, "certificatesigningrequests/approval", VERB_UPDATE,
        "CertificateSigningRequest", "CertificateSigningRequest", WRITE},

    /* fleets */
    LIST("fleets", "Fleet", KIND_FLEET),
    POST("fleets", "Fleet", KIND_FLEET),
    {"GET", "/fleets/{name}", "getFleet", get_fleet, KIND_FLEET, USER, "fleets", VERB_GET, NULL,
        "Fleet", 0},
    PUT("fleets", "Fleet", KIND_FLEET),
    PATCH("fleets", "Fleet", KIND_FLEET),
    DELETE("fleets", "Fleet", KIND_FLEET),
    {"GET", "/fleets/{name}/status", "getFleetStatus", get_resource, KIND_FLEET, USER, "fleets/status",
        VERB_GET, NULL, "Fleet", 0},
    {"PUT", "/fleets/{name}/status", "replaceFleetStatus", no_status, KIND_FLEET, USER,
        "fleets/status", VERB_UPDATE, NULL, "Fleet", 0},
    {"PATCH", "/fleets/{name}/status", "patchFleetStatus", no_status, KIND_FLEET, USER,
        "fleets/status", VERB_PATCH, NULL, "Fleet", 0},
    {"POST", "/fleets/{name}/applications/{appname}/actions/stop", "stopFleetApplication",
        stop_app, KIND_FLEET, USER, "fleets/applications", VERB_CREATE, NULL, "Fleet", WRITE},
    {"POST", "/fleets/{name}/applications/{appname}/actions/start", "startFleetApplication",
        start_app, KIND_FLEET, USER, "fleets/applications", VERB_CREATE, NULL, "Fleet", WRITE},
    {"GET", "/fleets/{fleet}/templateversions", "listTemplateVersions", list_versions,
        KIND_TEMPLATEVERSION, USER, "fleets/templateversions", VERB_LIST, NULL,
        "TemplateVersionList", 0},
    {"GET", "/fleets/{fleet}/templateversions/{name}", "getTemplateVersion", get_version_of,
        KIND_TEMPLATEVERSION, USER, "fleets/templateversions", VERB_GET, NULL, "TemplateVersion",
        0},
    {"DELETE", "/fleets/{fleet}/templateversions/{name}", "deleteTemplateVersion",
        delete_version_of, KIND_TEMPLATEVERSION, USER, "fleets/templateversions", VERB_DELETE, NULL,
        "Status", WRITE},

    /* sources */
    {"GET", "/repositories", "listRepositories", list_resources, KIND_REPOSITORY, USER,
        "repositories", VERB_LIST, NULL, "RepositoryList", 0},
    POST("repositories", "Repository", KIND_REPOSITORY),
    GET("repositories", "Repository", KIND_REPOSITORY),
    PUT("repositories", "Repository", KIND_REPOSITORY),
    PATCH("repositories", "Repository", KIND_REPOSITORY),
    DELETE("repositories", "Repository", KIND_REPOSITORY),
    NOT_SERVED("POST", "/repositories/{name}/check-oci-tag", "checkRepositoryOciTag",
        "repositories/check", VERB_CREATE, 0),
    NOT_SERVED("POST", "/repositories/{name}/check-oci-image", "checkRepositoryOciImage",
        "repositories/check", VERB_CREATE, 0),
    ALL_OF("resourcesyncs", "ResourceSync", KIND_RESOURCESYNC),

    /* logging in */
    {"GET", "/auth/config", "authConfig", get_auth_config, KIND_NONE, WHO_ANYONE, NULL, VERB_GET,
        NULL, "AuthConfig", ROUTE_NO_ORG},
    {"GET", "/auth/validate", "authValidate", get_auth_validate, KIND_NONE, USER, NULL, VERB_GET,
        NULL, "Status", ROUTE_NO_ORG},
    {"GET", "/auth/permissions", "authGetPermissions", get_auth_permissions, KIND_NONE, USER, NULL,
        VERB_GET, NULL, "PermissionList", 0},
    {"GET", "/auth/userinfo", "authUserInfo", get_auth_userinfo, KIND_NONE, USER, NULL, VERB_GET,
        NULL, "UserInfoResponse", ROUTE_NO_ORG},
    {"POST", "/auth/{providername}/token", "authToken", post_auth_token, KIND_NONE, WHO_ANYONE, NULL,
        VERB_CREATE, NULL, "TokenResponse", ROUTE_NO_ORG},

    /* the rest */
    LIST("events", "Event", KIND_EVENT),
    {"GET", "/organizations", "listOrganizations", list_organizations, KIND_ORGANIZATION, USER, NULL,
        VERB_LIST, NULL, "OrganizationList", ROUTE_NO_ORG},
    ALL_OF("authproviders", "AuthProvider", KIND_AUTHPROVIDER),
    {"GET", "/labels", "listLabels", list_labels, KIND_LABEL, USER, "labels", VERB_LIST, NULL,
        "LabelList", 0},
    {"GET", "/version", "getVersion", get_version, KIND_NONE, ALL, "version", VERB_GET, NULL,
        "Version", 0},
    {"GET", "/openapi.json", "getOpenapi", get_openapi, KIND_NONE, ALL, NULL, VERB_GET, NULL, NULL,
        ROUTE_NO_ORG},
    {"GET", "/api/version", "getVersionOfServer", get_version, KIND_NONE, ANYONE, NULL, VERB_GET,
        NULL, "Version", ROOT},
    {"GET", "/healthz", "getHealth", get_healthz, KIND_NONE, ANYONE, NULL, VERB_GET, NULL, "Status",
        ROOT},
    {"GET", "/readyz", "getReadiness", get_readyz, KIND_NONE, ANYONE, NULL, VERB_GET, NULL, "Status",
        ROOT},

    /* v1alpha1 */
    ALPHA("GET", "/catalogitems", "listAllCatalogItems"),
    ALPHA("GET", "/catalogs", "listCatalogs"),
    ALPHA("POST", "/catalogs", "createCatalog"),
    ALPHA("GET", "/catalogs/{name}", "getCatalog"),
    ALPHA("PUT", "/catalogs/{name}", "replaceCatalog"),
    ALPHA("PATCH", "/catalogs/{name}", "patchCatalog"),
    ALPHA("DELETE", "/catalogs/{name}", "deleteCatalog"),
    ALPHA("GET", "/catalogs/{name}/status", "getCatalogStatus"),
    ALPHA("PUT", "/catalogs/{name}/status", "replaceCatalogStatus"),
    ALPHA("PATCH", "/catalogs/{name}/status", "patchCatalogStatus"),
    ALPHA("GET", "/catalogs/{catalog}/items", "listCatalogItems"),
    ALPHA("POST", "/catalogs/{catalog}/items", "createCatalogItem"),
    ALPHA("GET", "/catalogs/{catalog}/items/{name}", "getCatalogItem"),
    ALPHA("PUT", "/catalogs/{catalog}/items/{name}", "replaceCatalogItem"),
    ALPHA("PATCH", "/catalogs/{catalog}/items/{name}", "patchCatalogItem"),
    ALPHA("DELETE", "/catalogs/{catalog}/items/{name}", "deleteCatalogItem"),
    ALPHA("GET", "/catalogs/{catalog}/items/{name}/deployments", "listCatalogItemDeployments"),
    ALPHA("GET", "/vulnerabilities", "listVulnerabilities"),
    ALPHA("GET", "/vulnerabilities/summary", "getVulnerabilitySummary"),
    ALPHA("GET", "/vulnerabilities/devices/{name}", "listDeviceVulnerabilities"),
    ALPHA("GET", "/vulnerabilities/devices/{name}/summary", "getDeviceVulnerabilitySummary"),
    ALPHA("GET", "/vulnerabilities/fleets/{name}", "listFleetVulnerabilities"),
    ALPHA("GET", "/vulnerabilities/fleets/{name}/summary", "getFleetVulnerabilitySummary"),
    ALPHA("GET", "/vulnerabilities/cves/{cveId}/impact", "getVulnerabilityImpact"),
    {0},
};
