/* SPDX-License-Identifier: Apache-2.0 */
/* A progress line on a terminal; silent elsewhere. */
#ifndef FC_BASE_PROGRESS_H
#define FC_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress_bar {
    bool shown;
};

/* Draws "what [###...] 2000 of 100000" over itself, on stderr; total 0, unknown: "what 2000". */
void progress_show(struct progress_bar *p, const char *what, size_t done, size_t total);
/* Takes the line away, before anything else is written. */
void progress_clear(struct progress_bar *p);

#endif
