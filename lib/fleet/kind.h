/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds are data: adding one is adding a row to kinds[] and a schema under share/schema.
 */
#ifndef FC_FLEET_KIND_H
#define FC_FLEET_KIND_H

#include <stdbool.h>

#include "base/json.h"
#include "base/print.h"

#define API_VERSION "flightctl.io/v1beta1"
/* What completes the operands of commands (struct opt): the kinds that people edit, and those that
 * are listed and watched. */
#define KINDS_EDITED "device|fleet|enrollmentrequest|certificatesigningrequest|repository|" \
    "resourcesync|organization|authprovider"
#define KINDS_LISTED "devices|fleets|templateversions|enrollmentrequests|" \
    "certificatesigningrequests|repositories|resourcesyncs|organizations|authproviders|events"

/* The annotation that shows the uid of an organization, by which certificates name it. */
#define ORG_UID "organization-controller/uid"
/* Where clients know organizations by their uid alone: the one that shows the name. */
#define ORG_NAME "organization-controller/name"

/* Numbers are stored in databases: never renumber. */
enum kind_id {
    KIND_NONE = 0,
    KIND_DEVICE = 1,
    KIND_FLEET = 2,
    KIND_TEMPLATEVERSION = 3,
    KIND_ENROLLMENTREQUEST = 4,
    KIND_CERTIFICATESIGNINGREQUEST = 5,
    KIND_REPOSITORY = 6,
    KIND_RESOURCESYNC = 7,
    KIND_EVENT = 8,
    KIND_ORGANIZATION = 9,
    KIND_AUTHPROVIDER = 10,
    KIND_LABEL = 11,
};

/* What a change of a kind sets off, looked at by lib/service. */
enum kind_effect {
    EFFECT_DEVICE = 1 << 0,   /* labels decide memberships; spec decides the rendered spec */
    EFFECT_FLEET = 1 << 1,    /* selector decides memberships; template makes versions */
    EFFECT_CSR = 1 << 2,      /* may be signed */
    EFFECT_SOURCE = 1 << 3,   /* whether it is there makes fleets valid that refer to it */
    EFFECT_ORG = 1 << 4,      /* is an organization; its defaults are a layer of its devices */
    EFFECT_ISSUER = 1 << 5,   /* names an issuer of tokens, whose keys are fetched */
};

enum kind_flag {
    KIND_APPLY = 1 << 0,      /* users may create and replace it (fc-apply, PUT) */
    KIND_LABELS = 1 << 1,     /* its labels are indexed and selectable */
    KIND_CHILD = 1 << 2,      /* store name is "parent/name": a template version's fleet */
    KIND_LOG = 1 << 3,        /* rows of the event log, not of resources */
    KIND_GLOBAL = 1 << 4,     /* of all organizations: its rows are those of the default one */
    KIND_REQUEST = 1 << 5,    /* its spec holds a certificate request */
    KIND_CATALOG = 1 << 6,    /* no rows of its own: what there is among other kinds' labels */
    KIND_STATUS = 1 << 7,     /* users may write its status alone */
};

enum field_type { FIELD_STRING, FIELD_TIME, FIELD_BOOL };

/* Where a selectable field lives in the store, so that it can be sought there. */
enum field_home {
    FIELD_MEMBER,        /* member of spec or status: a row of table label with the key "@NAME" */
    FIELD_NAME, FIELD_OWNER, FIELD_CREATED, /* columns of a resource */
    FIELD_ALIAS,         /* the label "alias" */
    FIELD_NAME_OR_ALIAS,
    FIELD_SUMMARY, FIELD_APPLICATIONS, FIELD_UPDATED, FIELD_LIFECYCLE, /* states of a device */
    FIELD_LOG,           /* of an event or the label catalogue: of no resource */
};

struct field { /* selectable by a field selector: field.h */
    const char *name; /* "metadata.owner": its path in a document, but for the two of aliases */
    enum field_type type;
    enum field_home home;
};

struct kind {
    enum kind_id id;
    const char *name;      /* "Device" */
    const char *singular;  /* "device" */
    const char *plural;    /* "devices": path of the API, operand of commands */
    const char *const *shorts; /* "dev", ...; ended by NULL */
    const char *schema;    /* share/schema/NAME.json */
    unsigned flags;
    unsigned effects;
    const struct field *fields;   /* ended by {0} */
    const struct column *columns; /* ended by {0} */
};

extern const struct kind kinds[]; /* ended by a row with id KIND_NONE */
extern const struct field fields_stored[]; /* those of every stored kind; ended by {0} */

const struct kind *kind_by_id(enum kind_id id); /* a broken invariant when there is none */
/* By name, singular, plural or short name, in any case. NULL when unknown. */
const struct kind *kind_find(const char *word);
/* Is it what a document of several is called: "List", "DeviceList"? */
bool kind_is_list(const char *word);
/* As kind_find with FC_USAGE and the list of kinds in the message. */
const struct kind *kind_parse(const char *word, struct err *e);

/* --- validation --------------------------------------------------------------------------- */

struct violation {
    char path[256]; /* "spec.config[0].inline[2].mode"; "" is the document itself */
    char what[512]; /* "must be an integer" */
};

enum {
    VALIDATE_STRICT = 1 << 0, /* unknown members are refused where the contract leaves objects open, too */
    VALIDATE_SEALED = 1 << 2, /* secrets may be sealed: a document of the system itself */
    VALIDATE_STATUS = 1 << 1, /* status is checked too (an agent's report); else it is ignored */
};

/* Checks v (borrowed) against the kind's schema and what the schema cannot say (names, label
 * syntax, unique application names, path rules, exactly one provider, durations, percentages,
 * selectors, template syntax). Returns the number of violations, of which up to max are filled
 * in, in document order. */
int kind_validate(const struct kind *k, jv v, unsigned flags, struct violation *out, int max);
/* The same for a part that has a schema of its own, such as "EnrollmentRequestApproval". */
int schema_validate(const char *schema, const char *definition, jv v, unsigned flags,
    struct violation *out, int max);

#endif
