/* SPDX-License-Identifier: Apache-2.0 */
/* Another key for the secrets at rest. */
#ifndef FC_SERVICE_REKEY_H
#define FC_SERVICE_REKEY_H

#include "crypto/seal.h"
#include "store/store.h"

struct rekey_options {
    bool dry_run;  /* count alone, and tell what cannot be opened */
    bool keep_old; /* leave the old keys in the file */
    bool abandon;  /* SECRET_LOST in the place of secrets that cannot be opened; else they stay */
    void (*progress)(void *ctx, size_t done, size_t total);
    /* A secret that cannot be opened, and why; on a dry run those that are lost, too. */
    void (*broken)(void *ctx, const char *message);
    void *ctx;
};
struct rekey_report {
    char key[SEAL_ID_MAX + 1];  /* that seals now; dry run: "" for a new one */
    int64_t resources, revisions; /* that were sealed anew */
    int64_t broken;
    size_t dropped;             /* keys */
};

/* Makes a key the first of the key file (the first one that was never used, and that of a run that
 * was killed, are taken as they are), seals all secrets of all resources and revisions with it,
 * those in clear text, too, and drops the other keys from the file. Outside of a transaction: in
 * many small ones of its own, beside other writers. No resourceVersion moves, no revision and no
 * event comes. Killed at any point it can be run again. FC_INVALID: there are some that cannot be
 * opened, and all keys are kept; FC_AGAIN: another one runs. */
int rekey(struct store *s, const struct rekey_options *o, struct rekey_report *out, struct err *e);

#endif
