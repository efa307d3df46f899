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

/* The order in which the steps of an update are applied, whichever controller they are of. */
enum phase {
    PHASE_BEFORE, /* hooks before an update */
    PHASE_STOP,   /* of what will change or go; undone when the files are as they were */
    PHASE_FILES,
    PHASE_APPS,
    PHASE_OS,     /* the image that the next boot is to run */
    PHASE_REBOOT, /* hooks before a reboot, where an update takes one */
    PHASE_AFTER,  /* hooks after an update; after the reboot, if it takes one */
};

struct step {
    const struct controller *ctl;
    enum phase phase;
    jv rec;             /* its journal record: "c" the controller, "do" what, "path" to what, ...;
                         * "reboot": true where the next boot does it */
    struct buf content; /* what prepare stages; not in the journal */
};

struct plan {
    struct step *step;
    size_t n;
    jv after;           /* what each controller will know once committed, by its name */
};

struct controller { /* of what has no comment that allows it, none is NULL */
    const char *name;
    const char *serves; /* the member of spec that it brings about; what it cannot do of it, its plan
                         * refuses */
    enum phase phase;   /* of its steps, unless it gives one another */
    /* What it takes to get from what the device has to spec (borrowed). Reads, changes nothing. */
    int (*plan)(const struct agent *a, jv spec, struct plan *p, struct err *e);
    /* Fetches what spec (borrowed) needs from elsewhere, such as images: before plan, as often as need
     * be, and without touching what runs. FC_AGAIN: a later run is to try it again. What takes long
     * looks at deadline_check in between, and limits programs by deadline_left. NULL: nothing. */
    int (*prefetch)(const struct agent *a, jv spec, struct err *e);
    /* Stages a step: all that can fail or takes time, but nothing that anybody would notice. NULL:
     * nothing. */
    int (*prepare)(const struct agent *a, struct step *s, struct err *e);
    int (*apply)(const struct agent *a, struct step *s, struct err *e);
    /* After a reboot that a step of its own asked for: did it do what it was to do? FC_AGAIN: what
     * was prepared for it got lost on the way, and is worth another try. NULL: none asks. */
    int (*booted)(const struct agent *a, jv rec, struct err *e);
    /* Makes durable what was done to the steps of its own among these records (an array). NULL:
     * it is by then. */
    int (*sync)(const struct agent *a, jv records, struct err *e);
    /* Takes a step back, however far it had got; again and again if need be. sync comes after. */
    int (*undo)(const struct agent *a, jv rec, struct err *e);
    /* Removes what a committed step left behind; again and again if need be. sync comes after. */
    int (*finish)(const struct agent *a, jv rec, struct err *e);
    /* Stores what plan.after has for this controller; invalid after an undo, when only what the
     * plan would have needed is dropped. NULL: it keeps nothing. */
    int (*settle)(const struct agent *a, jv after, struct err *e);
    /* Whether what was applied does its work; waits for it as long as is due. NULL: it does. */
    int (*check)(const struct agent *a, jv spec, struct err *e);
    /* Does a quick look say that what it settled is not as it was any more? Then all plan anew. NULL:
     * nothing of it changes by itself. */
    bool (*drifted)(const struct agent *a);
    /* Puts its members into the status that is reported (DeviceStatus, an object). NULL: none. */
    void (*status)(const struct agent *a, jv *status);
};

/* All of them in the order in which they plan, so that one can look at the steps of those before;
 * NULL ends them. */
extern const struct controller *const controllers[];

extern const struct controller files_controller, apps_controller, os_controller, hooks_controller,
    health_controller;

/* Has every controller fetch what spec needs. */
int plan_prefetch(const struct agent *a, jv spec, struct err *e);
/* All controllers' steps for spec, in the order of applying; an error begins with the path that is
 * its reason. The caller frees with plan_free in any case. */
int plan_make(const struct agent *a, jv spec, struct plan *p, struct err *e);
void plan_free(struct plan *p);
struct step *plan_add(struct plan *p, const struct controller *c, const char *what,
    const char *path);

enum txn_result {
    TXN_DONE,      /* committed; txn_finish is to be called */
    TXN_REBOOT,    /* the rest follows a reboot: the journal stays, txn_resume is to be called then */
    TXN_UNDONE,    /* failed, and the device is as it was */
    TXN_NOT_BEGUN, /* the journal could not be written; nothing was done */
    TXN_STUCK,     /* failed, and could not be undone yet: the journal stays for the next run */
};
/* p: what it takes to get to spec (borrowed), which is checked before the commit; begin (consumed):
 * what the journal starts with beside its type. */
enum txn_result txn_run(const struct agent *a, struct plan *p, jv spec, jv begin, struct err *e);

/* What a journal (as journal_read gives it, borrowed) asks for. */
bool txn_committed(jv journal);
enum txn_boot {
    BOOT_NONE, /* no reboot was reached */
    BOOT_DUE,  /* it is to come yet */
    BOOT_OVER, /* it was: txn_resume */
};
enum txn_boot txn_boot(jv journal);
/* What follows the reboot, to the commit: TXN_DONE, or TXN_UNDONE or TXN_STUCK; with FC_AGAIN, what
 * was undone is worth another try. */
enum txn_result txn_resume(const struct agent *a, jv journal, jv spec, struct err *e);
/* Undoes instead what the reboot was reached with, for this reason: TXN_UNDONE or TXN_STUCK. */
enum txn_result txn_abandon(const struct agent *a, jv journal, struct err *why);
/* Was it decided, after a reboot, that all is to be undone? Then *why says the reason, FC_AGAIN as
 * txn_resume says it. */
bool txn_undoing(jv journal, struct err *why);
int txn_undo(const struct agent *a, jv journal, struct err *e);   /* then removes the journal */
int txn_finish(const struct agent *a, jv journal, struct err *e); /* the journal stays */

#endif
