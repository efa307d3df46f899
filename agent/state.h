/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows from run to run, in its data folder: the rendered devices current.json
 * (which the device runs), desired.json (the newest received) and rollback.json (which ran
 * before), and state.json, which says what they are, so that a run with nothing to do reads one
 * small file. All are written durably and only when something changed.
 */
#ifndef FC_AGENT_STATE_H
#define FC_AGENT_STATE_H

#include "agent.h"
#include "base/json.h"
#include "crypto/crypto.h"

struct version {
    int64_t number;        /* renderedVersion; 0 = none */
    char hash[SHA256_HEX]; /* of the file's bytes; "" when unknown */
};

struct outcome { /* of the last update, as the condition Updating shows it */
    char reason[64];    /* "" before the first; "Updated", "Canceled", "Error"; others: under way */
    char message[ERR_LEN];
    char time[32];      /* RFC 3339 */
};

struct state {
    char device[254];             /* its name; "" until it asks for enrollment or is brought a spec */
    struct version current, desired;
    int64_t failed;               /* version that could not be applied; 0 = none */
    int64_t cut;                  /* updates to desired that were killed; 0 after one that was not */
    int64_t ready;                /* version whose needs are fetched, and that waits; 0 = none */
    struct outcome outcome;
    struct outcome leaving;       /* the condition DeviceDecommissioning; no reason: it is not */
    char drift[ERR_LEN];          /* what was found changed and what became of it; "" = nothing */
    char reported[SHA256_HEX];    /* of the status that the server has; "" = none */
};

/* Loads what is there. Missing state.json: taken from the documents, as another agent of this API
 * leaves them. Unreadable files are set aside. */
int state_load(const struct agent *a, struct state *st, struct err *e);
/* Renames an unreadable file of the data folder to NAME.broken; a dry run only says so. */
void state_set_aside(const struct agent *a, const char *name, const struct err *why);
int state_store(int data, const struct state *st, struct err *e);

/* The document of a version ("desired.json"), checked against its hash. FC_INVALID when it is
 * missing or damaged; the caller frees *out. */
int state_doc(int data, const char *name, const struct version *v, jv *out, struct err *e);

/* renderedVersion of a device document; -1 when its annotation is missing or no number. */
int64_t device_version(jv device);

/* Records how an update goes or ended, and when; what goes on as before keeps its time. */
void state_outcome(struct state *st, const char *reason, const char *message);
/* Is an update under way, if only waiting, by this reason of the condition Updating? */
bool state_updating(const struct outcome *o);

#endif
