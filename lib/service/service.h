/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Use cases: where a decision of lib/fleet meets its effects in the store. Commands, API handlers
 * and task handlers call the same functions. Unless said otherwise they want an open write
 * transaction and never commit.
 */
#ifndef FC_SERVICE_SERVICE_H
#define FC_SERVICE_SERVICE_H

#include "base/conf.h"
#include "base/doc.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "fleet/render.h"
#include "store/device.h"
#include "store/event.h"
#include "store/queue.h"
#include "store/resource.h"
#include "store/revision.h"

/* --- opening (open.c) ------------------------------------------------------------------------ */

/* Opens the store that -S, then the configuration (and FC_STORE) name, and its organization (org
 * NULL: configuration, FC_ORG, default). */
int service_open(struct store *s, const struct conf *conf, const char *url, const char *org,
    struct err *e);
/* The same for one who closes it soon: DB_ONCE. */
int service_open_once(struct store *s, const struct conf *conf, const char *url, const char *org,
    struct err *e);
/* The URL that service_open would take; valid as long as conf. */
const char *service_url(const struct conf *conf, const char *url, char buf[4096]);
/* Does it name the API of a remote store? Opening one as a store is FC_USAGE. */
bool service_is_api(const char *url);
/* The uid of an organization that is given as service_open takes it. The store is looked into only
 * for a name: where certificates are made there may be none. */
int service_org_uid(const struct conf *conf, const char *org, char uid[UUID_LEN], struct err *e);
/* "user:NAME" of the process's user. */
const char *service_user(char buf[64]);

/* --- changes (change.c) ---------------------------------------------------------------------- */

enum change { CHANGE_NONE, CHANGE_CREATED, CHANGE_UPDATED, CHANGE_DELETED };
const char *change_name(enum change c); /* "unchanged", "created", "updated", "deleted" */

enum {
    PUT_CREATE_ONLY = 1 << 0, /* POST: an existing one is FC_CONFLICT */
    PUT_TRUSTED = 1 << 1,     /* keep creationTimestamp, owner and sealed secrets of the document */
};

/* Is it an annotation that shows what the system keeps, and that nobody writes? */
bool change_is_view(const char *annotation);
/* Creates or replaces a resource from a validated document (borrowed): what is omitted of labels
 * and annotations stays; server-managed members are ignored; metadata.resourceVersion, if given, must
 * be the current one. Does all that follows: generation, revision, event, template version,
 * memberships, tasks. *out (may be NULL) is the resource afterwards. */
int change_put(struct store *s, struct arena *a, int64_t org, const struct kind *k, jv doc,
    const struct actor *who, unsigned flags, enum change *what, struct res *out, struct err *e);
/* FC_CONFLICT unless a document's metadata.resourceVersion, if there is one, is the resource's. */
int change_check_version(const struct res *old, jv doc, struct err *e);
/* A fleet of many devices stays, marked with a deletionTimestamp, until a walk has been through
 * them. FC_NOTFOUND; FC_CONFLICT where something still needs it (an enrollment request whose device
 * exists, a template version in use). */
int change_delete(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, const struct actor *who, struct err *e);

/* --- apply (apply.c): documents of users ------------------------------------------------------ */

struct apply_item { /* one document on its way, of which nothing is wrong */
    const struct docs *in;
    const struct doc *doc;  /* there may be a million: doc_value when its turn comes */
    const struct kind *kind;
    const char *name;
};
struct apply_options {
    bool dry_run;        /* everything happens in transactions that are rolled back */
    bool partial;        /* invalid documents are reported and passed over */
    bool allow_unknown;  /* unknown members where the contract leaves objects open */
    bool atomic;         /* one transaction, up to APPLY_ATOMIC_MAX resources */
    const struct actor *who;
    /* Each committed (or, on a dry run, tried) resource, in order. */
    void (*each)(void *ctx, const struct kind *k, const char *name, enum change what);
    /* Each invalid document's problems: "source:line: path: what". */
    void (*invalid)(void *ctx, const char *message);
    /* After each chunk, for a progress bar. */
    void (*progress)(void *ctx, size_t done, size_t total);
    void *ctx;
    /* Brings them to an API (its `to`) instead of the store, which is not looked at then. */
    int (*send)(const struct apply_options *o, const struct apply_item *items, size_t n,
        struct err *e);
    void *to;
};
enum {
    APPLY_CHUNK = 1000,        /* resources of one transaction */
    APPLY_US = 60000,          /* it ends earlier after this time: others want to write, too */
    APPLY_SMALL = 32,          /* so many are one transaction, whatever the time */
    APPLY_ATOMIC_MAX = 10000,
};
/* Validates all, then applies in chunks of its own transactions. The error of a later chunk names
 * the last committed resource. Returns -1 also when documents were passed over (FC_INVALID). */
int apply_docs(struct store *s, int64_t org, const struct docs *in, size_t n,
    const struct apply_options *o, struct err *e);

/* --- organizations (org.c) -------------------------------------------------------------------- */

/* What follows when an organization (old NULL) comes to be, or its spec changes: its number and
 * names; a task that has its devices rendered when their defaults changed. */
int org_changed(struct store *s, const struct res *old, const struct res *new, struct err *e);
/* FC_CONFLICT: the default one, or one that still holds resources. */
int org_may_delete(struct store *s, const struct res *r, struct err *e);
int org_deleted(struct store *s, const struct res *r, struct err *e);
/* One that was deleted comes back, with a document that names its uid: r gets that and the number it
 * had, under which its history is. */
int org_again(struct store *s, struct arena *a, jv doc, struct res *r, struct err *e);
/* The layer below all fleets: the organization's spec.deviceDefaults, a template; an invalid jv
 * when it has none. *origin: "Organization/NAME". */
int org_defaults(struct store *s, struct arena *a, int64_t org, jv *spec, const char **origin,
    struct err *e);
/* The next devices after *name become stale, ORG_CHUNK at most; *name moves on (in the arena).
 * Returns how many; fewer than ORG_CHUNK: those were the last. */
enum { ORG_CHUNK = 1000 }; /* well under 200 ms of write lock */
int org_stale(struct store *s, struct arena *a, int64_t org, const char **name, struct err *e);

/* --- memberships (member.c) ------------------------------------------------------------------- */

/* Which fleets match the device, after its labels changed (the caller marks it stale and refreshes
 * it); and which devices a fleet matches, after its selector changed or (gone) it was marked as
 * deleted: 1 when they are so many that it was left to a walk. A device that was just created is in
 * none; 1: it came to one, or left one. */
int membership_of_device(struct store *s, struct arena *a, const struct res *device, bool created,
    int64_t now, const struct actor *who, struct err *e);
int membership_of_fleet(struct store *s, struct arena *a, const struct res *fleet, bool gone,
    int64_t now, const struct actor *who, struct err *e);
/* Whether the fleet matches each of these devices (sorted ids, MANY_MAX at most), as all of them are
 * now. Those that come or leave become stale. Returns how many. */
int membership_recheck(struct store *s, const int64_t *ids, size_t n, const struct res *fleet,
    int64_t now, const struct actor *who, struct err *e);

/* --- walks (walk.c): what is left of a fleet's change, device by device ----------------------- */

#define WALK_GRACE (INT64_C(2) * 1000000) /* us until a task looks after a walk */

struct walk_options {
    const struct actor *who;
    int (*alive)(void *ctx, struct err *e); /* in each of its transactions; may be NULL */
    void *ctx;
};
/* Leaves what (enum walk) is to be done to a walk: the rollout waits, and a task sees to it. */
int walk_later(struct store *s, const struct res *fleet, unsigned what, const struct actor *who,
    struct err *e);
/* The devices of a fleet with a new version are out of date: now if they are few, else later. */
int walk_outdate(struct store *s, const struct res *fleet, const struct actor *who, struct err *e);
/* The devices of a fleet are to be rendered anew: likewise. */
int walk_stale(struct store *s, const struct res *fleet, const struct actor *who, struct err *e);
/* Does what is left, in transactions of its own: none may be open. */
int walk_fleet(struct store *s, int64_t fleet, const struct walk_options *o, struct err *e);
/* For commands, after the commit of changes: what these left of all fleets. Cheap when there is
 * nothing. */
int walk_all(struct store *s, int64_t org, const struct actor *who, struct err *e);

/* --- rendering (render.c) --------------------------------------------------------------------- */

/* Renders a stale device: assigned versions, device spec, new renderedVersion if the content moved
 * (or a re-issue is due). An invalid spec is no error: SpecValid=False, the device keeps what it
 * has, pending assignments fail. */
int render_device(struct store *s, struct arena *a, int64_t device, int64_t now,
    const struct actor *who, struct err *e);

/* What a device would get, without effect. doc: a Device document (borrowed; only its name, labels
 * and spec count). Without an open transaction of its own.
 * latest: each fleet's newest version; else the assigned one where the device has one.
 * overlay: Fleet documents that stand in for (or beside) the store's, or NULL. */
struct preview_options {
    bool latest;
    const jv *overlay;
    size_t noverlay;
    int64_t now;
};
int render_preview(struct store *s, struct arena *a, int64_t org, jv doc,
    const struct preview_options *o, struct rendered *out, struct err *e);
/* The Device document with the rendered spec in place of its own, canonical. */
void render_write(struct buf *b, jv doc, const struct rendered *r);
/* The spec that the device was given last (canonical text in the arena), NULL if none. */
int render_current(struct store *s, struct arena *a, int64_t org, const char *device,
    const char **spec, struct err *e);

/* --- devices (device.c) ----------------------------------------------------------------------- */

/* A status report (a Device document with status, validated, borrowed): stores it, counts success
 * or failure of assignments, sets off rollouts. */
int device_report(struct store *s, struct arena *a, int64_t org, const char *name, jv doc,
    const struct actor *who, struct err *e);
/* Does its spec say that it is to wipe itself? */
bool device_decommissioned(const struct res *device);
/* What the system keeps of a device that was just created and is in no fleet yet. */
int device_create(struct store *s, const struct res *device, int64_t now, struct err *e);
/* Computes the summary columns anew from what is stored; device: as it is stored. */
int device_refresh(struct store *s, struct arena *a, const struct res *device, int64_t now,
    const struct actor *who, struct err *e);

/* --- rollouts (rollout.c) --------------------------------------------------------------------- */

/* A fleet's template or policy changed: makes the template version v<generation> if the template is
 * new, and (re)starts the rollout as a task. */
int rollout_fleet_changed(struct store *s, struct arena *a, const struct res *fleet,
    bool template_changed, int64_t now, const struct actor *who, struct err *e);
/* A repository came or went: each fleet of the organization is valid or not anew. The first of them
 * (those from a name on), by name; a task goes on with the others. */
int rollout_sources_step(struct store *s, struct arena *a, int64_t org, const char *from,
    int64_t now, const struct actor *who, struct err *e);
int rollout_sources_changed(struct store *s, int64_t org, int64_t now, const struct actor *who,
    struct err *e);
/* (rollout_run.c) */
struct rollout_advance {
    const struct actor *who;
    bool dry_run;             /* it is only looked at */
    /* At the end of each transaction, before its commit, which then may not be; or NULL. Until the
     * last one somebody sees to it that the rest is done; without it a task does. */
    int (*end)(void *ctx, bool last, struct err *e);
    void *ctx;
    bool moved;               /* out: something changed; stays true */
    bool more;                /* out: devices are left for another call; a task was enqueued */
    enum rollout_status status; /* out: how it stands now */
    char why[512];            /* out: why, or "" */
};
/* Takes the rollout as far as it can go now, or many devices far, in transactions of its own. */
int rollout_advance(struct store *s, int64_t org, const char *fleet, struct rollout_advance *o,
    struct err *e);
/* Re-issues the version (*version: its name) to its failed and timed-out devices (*devices: how
 * many), but for those that another fleet's version is pending of, in transactions of its own.
 * FC_CONFLICT if there are none. */
int rollout_retry(struct store *s, struct arena *a, int64_t org, const char *fleet, bool dry_run,
    const struct actor *who, const char **version, int64_t *devices, struct err *e);

struct rollout_report { /* for people: fc-rollout status */
    const char *fleet;
    const char *version;      /* "v3" or NULL */
    const char *completed;    /* version before, or NULL */
    enum rollout_status status;
    const char *why;          /* or NULL */
    int batch;                /* current one */
    struct rollout_policy policy;
    struct rollout_counts all;     /* total: devices of the fleet */
    struct rollout_counts current; /* of the current batch */
    int64_t blocked;          /* wait for another fleet's assignment */
    int64_t started, changed;
};
int rollout_report(struct store *s, struct arena *a, int64_t org, const char *fleet,
    struct rollout_report *out, struct err *e);
/* Devices of the fleet that are pending, failed or timed out, by name. */
int rollout_devices(struct store *s, struct arena *a, int64_t org, const char *fleet,
    void (*each)(void *ctx, const struct progress *p), void *ctx, struct err *e);
/* What the batches of a rollout would be now, if every device succeeded: for each (n + 1 with the
 * final one) up to `max` names and the total (rollout_plan.c). doc: a Fleet document (validated,
 * borrowed) to plan for instead of the stored one, or an invalid jv. Reads, without a transaction. */
struct rollout_plan_batch {
    char label[64];           /* "batch 1 of 3" */
    int threshold;            /* percent needed to start it; 0 for the first */
    int64_t total;
    const char **names;       /* the first of them */
    int64_t nnames;
};
int rollout_plan(struct store *s, struct arena *a, int64_t org, const char *fleet, jv doc,
    int64_t now, int64_t max, struct rollout_plan_batch **out, size_t *n, struct err *e);

/* --- enrollment and certificates (enroll.c, csr.c) --------------------------------------------------- */

/* What kind_validate leaves to the crypto module, which is loaded for such documents alone: that the
 * certificate request of an EnrollmentRequest or CertificateSigningRequest (validated, borrowed)
 * parses, has a sound key and is signed by it. *path: of the member that does not, NULL: of none.
 * FC_INVALID says why without the path. */
int request_check(const struct kind *k, jv doc, const char **path, struct err *e);
/* Parses it; *path and errors as above. */
int request_parse(const struct kind *k, jv doc, const char **path, struct csr_info *info,
    struct err *e);
/* An agent's request (validated, borrowed): checks the CSR, strips status. FC_CONFLICT: exists. */
int enroll_request(struct store *s, struct arena *a, int64_t org, jv doc, const struct actor *who,
    struct res *out, struct err *e);
struct enroll_approval {
    jv labels;           /* object, borrowed; may be invalid */
    bool replace_labels; /* else they are laid over spec.labels */
};
/* A decision is made once: FC_INVALID if there is one. status: an EnrollmentRequest's, borrowed. */
int enroll_undecided(jv status, struct err *e);
/* Records the decision; a `sign` task does the rest. FC_INVALID: approved or denied already. */
int enroll_record(struct store *s, struct arena *a, int64_t org, const char *name,
    const struct enroll_approval *how, const struct actor *who, struct res *out, struct err *e);
/* As enroll_record, and with a CA signs at once (sign.c): condition Approved, certificate and
 * device come in one commit either way. FC_INVALID: the CSR names somebody else. ca NULL:
 * enroll_record. */
int enroll_approve(struct store *s, struct arena *a, int64_t org, const char *name, struct ca *ca,
    const struct enroll_approval *how, const struct actor *who, struct res *out, struct err *e);
int enroll_deny(struct store *s, struct arena *a, int64_t org, const char *name,
    const char *message, const struct actor *who, struct err *e);
/* Signs what was approved (sign.c): the handler of `sign` tasks. kind: EnrollmentRequest or
 * CertificateSigningRequest. */
int enroll_sign(struct store *s, struct arena *a, int64_t org, const struct kind *k,
    const char *name, struct ca *ca, const struct actor *who, struct err *e);
/* A certificate signing request of an agent (owner "Device/x"): approved by rule, signed by a
 * task. */
int csr_request(struct store *s, struct arena *a, int64_t org, const char *device, jv doc,
    const struct actor *who, struct res *out, struct err *e);
/* A person's request (validated, borrowed). One for a bootstrap certificate is approved by rule, all
 * others wait for a decision. FC_CONFLICT: exists. */
int csr_ask(struct store *s, struct arena *a, int64_t org, jv doc, const struct actor *who,
    struct res *out, struct err *e);
/* The decision that the document (validated with its status, borrowed) has among its conditions:
 * Approved or Denied. A `sign` task does the rest. FC_CONFLICT: decided before; FC_INVALID: no
 * decision, or one for which there is no certificate. */
int csr_decide(struct store *s, struct arena *a, int64_t org, const char *name, jv doc,
    const struct actor *who, struct res *out, struct err *e);
/* Opens the CA that the configuration names ([ca], default STATE/ca). */
int service_ca(const struct conf *conf, struct ca **ca, struct err *e);

/* --- who is silent (sweep.c) ------------------------------------------------------------------ */

#define SWEEP_EVERY (INT64_C(2) * 60 * 1000000) /* us between two sweeps */
/* Notes which devices were silent for more than SUMMARY_DISCONNECTED or came back since the last
 * sweep, with an event each, unless that was less than SWEEP_EVERY ago. In transactions of its
 * own. */
int sweep(struct store *s, int64_t now, const struct actor *who, struct err *e);
/* A device is silent, or is not any more: its flag and event, if that is news. r: id, org, kind and
 * name count. */
int device_silent(struct store *s, const struct res *r, bool silent, const struct actor *who,
    struct err *e);

/* --- work (work.c) ---------------------------------------------------------------------------- */

struct work_options {
    const char *const *queues; /* ended by NULL; NULL: all that can be served (sign: with a CA) */
    struct ca *ca;             /* or NULL */
    const struct conf *conf;   /* for what it fetches from elsewhere; NULL: the defaults */
    int64_t max;               /* tasks; 0: no limit */
    void (*each)(void *ctx, const struct task *t, const struct err *failed); /* NULL err: done */
    void *ctx;
};
/* What enqueues a task, once: stale devices are to be rendered; a fleet's rollout may move on (due
 * 0: now); the rollouts that a device takes part in may; the organization's defaults changed;
 * fleets from a name on are to be valid or not anew. */
int task_render(struct store *s, int64_t org, struct err *e);
int task_defaults(struct store *s, int64_t org, struct err *e); /* all devices become stale */
int task_rollout(struct store *s, int64_t org, const char *fleet, int64_t due, struct err *e);
int task_rollouts_of(struct store *s, struct arena *a, int64_t org, int64_t device, struct err *e);
int task_sources(struct store *s, int64_t org, const char *from, struct err *e);
int task_sign(struct store *s, const struct res *r, struct err *e);

extern const char *const work_queues[]; /* "render", "rollout", "sign", "issuer", NULL */
/* Runs due tasks until none is left, each in its own transactions, then the sweep if it is due. *n: how many ran. A failed task
 * is not an error of this function. */
int work_drain(struct store *s, const struct work_options *o, int64_t *n, struct err *e);

#endif
