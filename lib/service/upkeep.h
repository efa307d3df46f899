/* SPDX-License-Identifier: Apache-2.0 */
/* What fc-store does to a store as a whole, with its output. */
#ifndef FC_SERVICE_UPKEEP_H
#define FC_SERVICE_UPKEEP_H

#include "base/conf.h"
#include "base/print.h"
#include "base/progress.h"
#include "crypto/seal.h"

struct upkeep {
    const struct conf *conf;
    const char *url, *verb;
    const char *file;            /* operand, "-" when there is none */
    const char *advance;         /* migrate: a backup goes before, or NULL */
    const char *org;             /* export, import; or NULL */
    const char *format, *filter; /* -o, -q, or NULL */
    bool dry, force, fix, compact, no_history, no_events, keep_old, abandon, yes;
    struct progress_bar bar;
    struct printer *printer;
    const struct seal_keys *keys;  /* import: those of this host */
    char lacking[SEAL_ID_MAX + 1]; /* one that is not among them, of secrets that came */
    int64_t closed;                /* how many of these came */
};
int upkeep_init(struct upkeep *u, struct err *e);
int upkeep_migrate(struct upkeep *u, struct err *e);
int upkeep_backup(struct upkeep *u, struct err *e);
int upkeep_restore(struct upkeep *u, struct err *e);
int upkeep_check(struct upkeep *u, struct err *e); /* problems that are left are FC_FAIL */
int upkeep_gc(struct upkeep *u, struct err *e);
int upkeep_info(struct upkeep *u, struct err *e);
int upkeep_rekey(struct upkeep *u, struct err *e);
int upkeep_export(struct upkeep *u, struct err *e);
int upkeep_import(struct upkeep *u, struct err *e);

#endif
