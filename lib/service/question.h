/* SPDX-License-Identifier: Apache-2.0 */
/* The question before something is destroyed: whom it concerns, yes or no. */
#ifndef FC_SERVICE_QUESTION_H
#define FC_SERVICE_QUESTION_H

#include "base/buf.h"
#include "fleet/kind.h"

enum { QUESTION_NAMES = 5 }; /* the others are counted */

struct question {
    const char *verb;      /* "Delete" */
    const char *otherwise; /* what the answer no means: "nothing was deleted" */
    struct buf names;      /* of the first ones */
    size_t n;
};

void question_add(struct question *q, const struct kind *k, const char *name);
/* "Delete device/a, device/b and 3 more? [y/N]" on the terminal, the verb alone if nothing was added;
 * frees what was. FC_USAGE: nobody can be asked; FC_FAIL: no. */
int question_ask(struct question *q, struct err *e);

#endif
