/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the API core share: routes, identities, handlers. */
#ifndef FC_API_CORE_H
#define FC_API_CORE_H

#include "api/api.h"
#include "crypto/crypto.h"
#include "service/service.h"

/* Who calls, decided by the signer of the client certificate alone. */
enum who {
    WHO_ENROLLMENT = 1 << 0, /* holds a bootstrap certificate */
    WHO_DEVICE = 1 << 1,     /* an enrolled device */
    WHO_ADMIN = 1 << 2,      /* an administrator */
};

struct identity {
    enum who who;
    int64_t org;
    int64_t not_before, not_after; /* us */
    char org_uid[64];
    char name[254];               /* device name, or common name */
    char actor[262];              /* "device:NAME", "user:NAME" for events */
};

/* --- authn.c: certificate -> identity --------------------------------------------------------- */

struct authn;
struct authn *authn_new(const struct conf *conf, struct err *e);
void authn_free(struct authn *n);
/* The caller's identity, valid until the next call. NULL: *status (401, 400, 503) and e say why. */
const struct identity *authn_who(struct authn *n, struct store *s, const struct api_peer *peer,
    const struct http_request *q, int64_t now, int *status, struct err *e);

/* --- seen_batch.c: last-seen, in batches -------------------------------------------------------- */

struct seen_batch;
struct seen_batch *seen_batch_new(void);
void seen_batch_free(struct seen_batch *b);
/* Notes that a device was seen; at most once a minute each. True: flush soon. */
bool seen_batch_note(struct seen_batch *b, int64_t device, int64_t now);
int seen_batch_flush(struct seen_batch *b, struct store *s, struct err *e);

/* --- the request on its way --------------------------------------------------------------------- */

struct call {
    struct api *api;
    struct store *s;
    struct arena *a;
    const struct http_request *q;
    const struct identity *id;
    const struct kind *kind;   /* of the route, or NULL */
    const char *arg[2];        /* {name} parts of the path, decoded */
    int64_t now;
    struct actor actor;
    bool can_park, writing;    /* writing: a write transaction is open */
    struct api_response *r;
    struct api_park *park;
};

/* Handlers fill c->r. API_WRITE: call again with `writing`. An error return (-1) is turned into an
 * answer by code. */
typedef int handler_fn(struct call *c, struct err *e);
enum { HANDLED = 0, WANTS_WRITE = 1, WANTS_PARK = 2 };

struct route {
    const char *method;
    const char *path;      /* below /api/v1; {} takes one part */
    unsigned who;          /* enum who, any of */
    handler_fn *handler;
    bool write;            /* always needs the write transaction */
    enum kind_id kind;     /* for the handlers that serve any; else 0 */
};
/* Finds the route; *status is 404 or 405 (then allow lists the methods) when there is none. Parts
 * go to c->arg, decoded in the arena. */
const struct route *route_find(struct call *c, int *status, char allow[64]);

/* The value of a query parameter, decoded in the arena; NULL: absent. FC_INVALID: bad escape. */
int query_get(struct call *c, const char *name, const char **value, struct err *e);
/* The request's body as a checked JSON document; *v is the caller's. */
int body_json(struct call *c, const char *content_type, jv *v, struct err *e);
/* FC_INVALID with "API Error: path: what" unless v is a valid document of the kind. */
int body_valid(const struct kind *k, jv v, unsigned flags, struct err *e);

handler_fn get_rendered, put_device_status, patch_device_status, get_last_seen;
handler_fn post_enrollment, get_enrollment, put_approval, post_csr, get_csr;
handler_fn list_resources, list_versions, list_labels;
handler_fn get_resource, post_resource, put_resource, patch_resource, delete_resource;
handler_fn put_status, patch_status, no_status;
handler_fn get_device, get_fleet, get_version_of, get_version;

/* Answers with one resource as it is shown. */
int answer_resource(struct call *c, int status, const struct res *r, unsigned flags, struct err *e);
int note_seen(struct call *c, int64_t device);

#endif
