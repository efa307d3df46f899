/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of documents for people: diff(1) over their YAML. */
#ifndef FC_SERVICE_COMPARE_H
#define FC_SERVICE_COMPARE_H

#include "base/json.h"

struct comparison {
    const char *from_label, *to_label;
    const char *from; /* canonical JSON; NULL: nothing */
    jv to;            /* borrowed; invalid: nothing */
    bool colour;
};

/* Appends a unified diff. 1: they differ; 0: they are equal; -1: error. */
int compare_specs(const struct comparison *c, struct buf *out, struct err *e);

#endif
