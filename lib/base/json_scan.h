/* SPDX-License-Identifier: Apache-2.0 */
/* json_next for readers that say themselves where a fault stands. Private to lib/base. */
#ifndef FC_BASE_JSON_SCAN_H
#define FC_BASE_JSON_SCAN_H

#include <stddef.h>

struct json_fault {
    size_t at;     /* offset in the text */
    char why[256];
};

/* As json_next; -1 fills in *f. */
ptrdiff_t json_scan(const char *text, size_t n, struct json_fault *f);
/* Line of an offset, and its column in characters; both from 1. */
unsigned long json_line(const char *text, size_t at, unsigned long *column);

#endif
