/* SPDX-License-Identifier: Apache-2.0 */
/* What a command says it did: "fleet/shops created", a line each, or documents with -o or -q. */
#ifndef FC_SERVICE_REPORT_H
#define FC_SERVICE_REPORT_H

#include "base/print.h"
#include "base/progress.h"
#include "fleet/kind.h"

struct report {
    struct printer *p; /* NULL: lines */
    bool dry;          /* it would be done */
    struct progress_bar bar;
    struct err bad;    /* first failure of the output; report_close returns it */
};

/* format and filter as printer_open takes them; neither: lines, on a terminal and on a pipe. */
int report_open(struct report *r, const char *format, const char *filter, bool dry, struct err *e);
/* change: one word, "created"; detail: what else to say, or NULL. */
void report_change(struct report *r, const struct kind *k, const char *name, const char *change,
    const char *detail);
void report_progress(struct report *r, const char *what, size_t done, size_t total);
/* Flushes and checks; fine without report_open. */
int report_close(struct report *r, struct err *e);

#endif
