/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the API core share. A request goes through the steps of chain.c, each a file
 * with one function step_*, which carry what they found in struct call:
 *
 *   route.c  step_route         which row of routes.c
 *   head.c   step_head          request id, trace, API version
 *   rate.c   step_address_rate  not too many from this address
 *   authn.c  step_authenticate  who calls
 *   route.c  step_found         404 or 405, for those who were recognized
 *   org.c    step_organization  in which organization, with which roles (rights.c)
 *   authz.c  step_authorize     may they
 *   rate.c   step_rate          not too many of this caller
 *   body.c   step_body          is the body what the route takes
 *   then the route's handler, which reads and writes the store and fills the answer.
 */
#ifndef FC_API_CORE_H
#define FC_API_CORE_H

#include "api/api.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "fleet/role.h"
#include "service/service.h"

/* Classes of callers. */
enum who {
    WHO_ENROLLMENT = 1 << 0, /* holds a bootstrap certificate */
    WHO_DEVICE = 1 << 1,     /* an enrolled device */
    WHO_USER = 1 << 2,       /* a person, or a program with rights of its own */
    WHO_ANYONE = 1 << 3,     /* in the route table: nobody is asked who they are */
};

/* What vouches for an identity. */
enum vouch {
    BY_NOBODY,      /* of a route that is for anyone */
    BY_CERTIFICATE, /* a client certificate that chains to our authority */
    BY_TOKEN,       /* a bearer token, of fc-sign or of an AuthProvider's issuer */
    BY_FRONT,       /* the web server that started us (CGI) */
};

/* Somebody who was recognized. It belongs to the method that found it, which may keep it from one
 * request to the next. */
struct identity {
    enum who who;
    enum vouch vouch;
    int64_t not_before, not_after; /* us; when the proof counts */
    int64_t org;                   /* the only organization they can act in: agents', and others'
                                      whose proof names one; 0: any they are in, by org_id */
    char org_uid[64];              /* its uid */
    unsigned roles;                /* enum role that the proof itself gives, in that one */
    char name[254];                /* device name, user name, common name */
    char actor[262];               /* "device:NAME", "user:NAME", for events */
    char key[SHA256_HEX];          /* tells identities apart whose rights may differ: a hash of all
                                      that the proof says and who vouches for it */
    /* Of WHO_USER: */
    const jv *claims;              /* what a token says, an object; "groups" counts for role
                                      assignments; NULL: nothing */
    const struct grants *grants;   /* what its AuthProvider makes of that (fleet/assign.h); or NULL */
    int64_t provider_org;          /* the organization that this AuthProvider is of, 0: there is none.
                                      Unless it is the default one, whom the provider vouches for
                                      has no rights elsewhere, whatever name it gives them */
};

/* --- authn_cert.c: certificate -> identity ---------------------------------------------------- */

struct authn_cert;
struct authn_cert *authn_cert_new(const struct conf *conf, struct err *e);
void authn_cert_free(struct authn_cert *n);
/* Reads now what the first certificate would have read. */
int authn_cert_warm(struct authn_cert *n, struct err *e);

/* May this peer say who others are? */
bool authn_cert_trusts(const struct authn_cert *n, const struct api_peer *peer);

/* --- rate.c: how often somebody may call -------------------------------------------------------- */

struct rates;
int rates_open(struct rates **out, const struct conf *conf, struct err *e);
void rates_free(struct rates *t); /* NULL is fine */

/* --- authn_token.c: bearer token -> identity ---------------------------------------------------- */

struct authn_token;
struct authn_token *authn_token_new(const struct conf *conf, struct err *e);
void authn_token_free(struct authn_token *n);

/* --- authn_front.c: REMOTE_USER -> identity ----------------------------------------------------- */

struct authn_front;
struct call;
/* FC_INVALID: the variable of groups is one that clients set. */
struct authn_front *authn_front_new(const struct conf *conf, struct err *e);
void authn_front_free(struct authn_front *n);
/* Does the web server in front say who this is? */
bool authn_front_speaks(const struct call *c);

/* --- seen_batch.c: last-seen, in batches -------------------------------------------------------- */

struct seen_batch;
struct seen_batch *seen_batch_new(const struct conf *conf, const char *store_url);
void seen_batch_free(struct seen_batch *b);
/* Notes that a device was seen; at most once a minute each, by all of a host. True: flush soon. */
bool seen_batch_note(struct seen_batch *b, int64_t device, int64_t now);
int seen_batch_flush(struct seen_batch *b, struct store *s, struct err *e);

/* --- the request on its way --------------------------------------------------------------------- */

struct api {
    struct store store;
    const struct conf *conf;
    struct authn_cert *cert;
    struct authorizer *authorizer; /* NULL: the table of roles says who may what */
    struct authn_token *token;
    struct authn_front *front;
    struct rights_cache *rights;
    struct rates *rates;
    struct seen_batch *seen;
    struct arena *arena; /* of the request at hand */
    bool turns;          /* api_turn is called */
    int64_t version;     /* of the store's contents, when api_news was asked last */
};

/* A request meets the chain up to three times: its head alone, when a body is still to come
 * (api_admit), whole (api_handle), and with a write transaction open if it wants one (api_write).
 * The steps up to the handler are the same each time; what must happen once only (counting it
 * against a limit, asking others over the network, checking the body) happens in PASS_HANDLE. */
enum pass { PASS_ADMIT, PASS_HANDLE, PASS_WRITE };

/* W3C Trace Context: of the caller, or made here when something needs one (trace_of). */
struct trace {
    char id[33];     /* hex; "": none yet */
    char parent[17]; /* the caller's span, or one of ours */
    char flags[3];
};

struct call {
    enum pass pass;
    struct api *api;
    struct store *s;
    struct arena *a;
    const struct api_peer *peer;
    const struct http_request *q;
    int64_t now;
    struct trace trace;
    const struct route *route; /* NULL until step_found: no row is of this path and method */
    char allow[64];            /* methods that the path takes instead */
    const struct kind *kind;   /* of the route, or NULL */
    const char *arg[2];        /* {name} parts of the path, decoded */
    const struct identity *id; /* never NULL for a handler */
    struct actor actor;
    int64_t org;               /* the organization; 0 on routes of ROUTE_NO_ORG */
    const char *org_uid;       /* its uid; of ROUTE_NO_ORG: of any that the caller is in, or NULL */
    unsigned roles;            /* enum role of the caller in it; of ROUTE_NO_ORG, in any */
    jv doc;                    /* the body, checked as the route's request says; else invalid */
    bool can_park;
    bool writing;              /* a write transaction is open */
    struct api_response *r;
    struct api_park *park;
};

/* A step of the chain: true goes on, false: c->r is the answer. */
typedef bool step_fn(struct call *c);
step_fn step_head, step_route, step_authenticate, step_found, step_organization, step_authorize;
step_fn step_address_rate, step_rate, step_body;

/* A method of authentication: 1 sets c->id, 0: the request carries nothing for it, -1 refuses with
 * *status (401, 400, 403, 503) and e. What carries something wrong is refused, whatever else it
 * carries. */
typedef int authn_fn(struct call *c, int *status, struct err *e);
authn_fn authn_token, authn_cert, authn_front;

/* Handlers fill c->r. WANTS_WRITE: call again with `writing`. An error return (-1) is turned into
 * an answer by code; one of FC_DENIED is 401 if c->r->status says so, else 403. */
typedef int handler_fn(struct call *c, struct err *e);
enum { HANDLED = 0, WANTS_WRITE = 1, WANTS_PARK = 2 };

enum route_flag {
    ROUTE_WRITE = 1 << 0,  /* always needs the write transaction */
    ROUTE_OWN = 1 << 1,    /* the first {name} is a device: one that calls may name only itself */
    ROUTE_NO_ORG = 1 << 2, /* of no organization: org_id is not looked at */
    ROUTE_ROOT = 1 << 3,   /* path counts from the root, not from API_PREFIX */
};
#define API_PREFIX "/api/v1"

struct route {
    const char *method;
    const char *path;      /* below API_PREFIX; {name} takes one part, of at most two */
    const char *operation; /* operationId of the contract */
    handler_fn *handler;
    enum kind_id kind;     /* for the handlers that serve any; else KIND_NONE */
    unsigned who;          /* enum who, any of */
    const char *resource;  /* what role.c knows; NULL: whoever is of these classes may */
    enum verb verb;
    const char *request;   /* schema of the body by its name in the contract, a kind's or one of
                              body.c's; "PatchRequest": a patch; NULL: none is read */
    const char *response;  /* schema of the answer by its name in the contract; NULL: no body */
    unsigned flags;        /* enum route_flag */
};
extern const struct route routes[]; /* ended by a row without a method */

/* The value of a query parameter, decoded in the arena; NULL: absent. FC_INVALID: bad escape. */
int query_get(struct call *c, const char *name, const char **value, struct err *e);
/* Is the body (PatchRequest) a merge patch, by its content type? Else it is a JSON patch. */
bool body_is_merge_patch(const struct call *c);
/* Why it is asked for, as commands say it; NULL: not said, or in no way that can be read. */
const char *reason_get(struct call *c);
/* FC_INVALID with "API Error: path: what" unless v is a valid document of the kind. */
int body_valid(const struct kind *k, jv v, unsigned flags, struct err *e);

/* The trace of a request, made if the caller sent none. */
const struct trace *trace_of(struct call *c);

/* 503: the store or the authorizer does not say what the caller may (e). False, for steps. */
bool undecided(struct call *c, const struct err *e);

/* --- answer.c ------------------------------------------------------------------------------------ */

/* A header line, ended by \r\n. */
void add_header(struct api_response *r, const char *line);
/* A refusal; false, for steps. */
bool refuse(struct call *c, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What an error means to the caller; what is no business of theirs goes to the log. c may be NULL. */
void answer_error(struct call *c, struct api_response *r, const struct err *e);
/* Logs what the caller is not told, with the ids by which the request is found again. */
void log_failure(struct call *c, const struct err *e);

/* --- handlers ------------------------------------------------------------------------------------ */

handler_fn get_rendered, put_device_status, patch_device_status, get_last_seen;
handler_fn put_decommission, post_resume, start_app, stop_app, restart_app;
handler_fn post_enrollment, put_approval, post_csr, get_csr, put_csr_approval;
handler_fn get_enrollment_config;
handler_fn list_resources, list_versions, list_labels, list_organizations;
handler_fn get_resource, post_resource, put_resource, patch_resource, delete_resource;
handler_fn put_status, patch_status, no_status;
handler_fn get_fleet, get_version_of, delete_version_of;
handler_fn get_version, get_healthz, get_readyz, get_openapi, not_served;
handler_fn get_auth_config, get_auth_validate, get_auth_permissions, get_auth_userinfo;
handler_fn post_auth_token;
handler_fn render_devices;

/* FC_INVALID unless the body's metadata.name is the name in the path. */
int same_name(const struct call *c, struct err *e);
/* A resource of the route's kind, which must exist. */
int find_resource(struct call *c, const char *name, struct res *r, struct err *e);
/* Answers with one resource as it is shown. */
int answer_resource(struct call *c, int status, const struct res *r, unsigned flags, struct err *e);
/* Says in a header of our own what a write did, or which views an answer has. */
void answer_result(struct call *c, const char *result);
/* The views of a device that parameter `view` asks for: VIEW_*. FC_INVALID. */
int view_get(struct call *c, unsigned *view, struct err *e);
/* It was done, and there is nothing to show. */
int answer_success(struct call *c);
int note_seen(struct call *c, int64_t device);

#endif
