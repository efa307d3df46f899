/* SPDX-License-Identifier: Apache-2.0 */
/* Another key for the secrets at rest. */
#ifndef FC_SERVICE_REKEY_H
#define FC_SERVICE_REKEY_H

#include "crypto/seal.h"
#include "store/store.h"

struct rekey_options {
    bool dry_run;  /* count alone */
    bool keep_old; /* leave the old keys in the file */
    void (*progress)(void *ctx, size_t done, size_t total);
    /* A secret that cannot be opened, and why; it stays as it is, as do the old keys. */
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
 * event comes. Killed at any point it can be run again. FC_INVALID: there were broken ones;
 * FC_AGAIN: another one runs. */
int rekey(struct store *s, const struct rekey_options *o, struct rekey_report *out, struct err *e);

#endif
