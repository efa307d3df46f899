/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transaction that brings the device from one version to another. Controllers (one for files,
 * later ones for applications and the OS) turn a rendered spec into steps; all steps are written
 * to the journal, prepared while nothing is changed yet, then applied in order. When one fails, or
 * the machine does, all are undone in reverse order from the journal alone; after the commit they
 * are finished from it.
 */
#ifndef FC_AGENT_TXN_H
#define FC_AGENT_TXN_H

#include "agent.h"
#include "base/json.h"

struct controller;

struct step {
    const struct controller *ctl;
    jv rec;             /* its journal record: "c" the controller, "do" what, "path" to what, ... */
    struct buf content; /* what prepare stages; not in the journal */
};

struct plan {
    struct step *step;
    size_t n;
    jv after;           /* what each controller will know once committed, by its name */
};

struct controller {
    const char *name;
    /* What it takes to get from what the device has to spec (borrowed). Reads, changes nothing. */
    int (*plan)(const struct agent *a, jv spec, struct plan *p, struct err *e);
    /* Stages a step: all that can fail or takes time, but nothing that anybody would notice. */
    int (*prepare)(const struct agent *a, struct step *s, struct err *e);
    int (*apply)(const struct agent *a, struct step *s, struct err *e);
    /* Makes durable what was done to the steps of its own among these records (an array). */
    int (*sync)(const struct agent *a, jv records, struct err *e);
    /* Takes a step back, however far it had got; again and again if need be. sync comes after. */
    int (*undo)(const struct agent *a, jv rec, struct err *e);
    /* Removes what a committed step left behind; again and again if need be. sync comes after. */
    int (*finish)(const struct agent *a, jv rec, struct err *e);
    /* Stores what plan.after has for this controller; invalid after an undo, when only what the
     * plan would have needed is dropped. */
    int (*settle)(const struct agent *a, jv after, struct err *e);
};

extern const struct controller files_controller;

/* All controllers' steps for spec; an error begins with the path that is its reason. The caller
 * frees with plan_free in any case. */
int plan_make(const struct agent *a, jv spec, struct plan *p, struct err *e);
void plan_free(struct plan *p);
struct step *plan_add(struct plan *p, const struct controller *c, const char *what,
    const char *path);

enum txn_result {
    TXN_DONE,      /* committed; txn_finish is to be called */
    TXN_UNDONE,    /* failed, and the device is as it was */
    TXN_NOT_BEGUN, /* the journal could not be written; nothing was done */
    TXN_STUCK,     /* failed, and could not be undone yet: the journal stays for the next run */
};
/* begin (consumed): what the journal starts with beside its type. */
enum txn_result txn_run(const struct agent *a, struct plan *p, jv begin, struct err *e);

/* What a journal (as journal_read gives it, borrowed) asks for. */
bool txn_committed(jv journal);
int txn_undo(const struct agent *a, jv journal, struct err *e);   /* then removes the journal */
int txn_finish(const struct agent *a, jv journal, struct err *e); /* the journal stays */

#endif
