/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a JSON text as they stand in it, with the order of their members: of text that was
 * checked (json_parse) alone. */
#ifndef FC_CLIENT_SPAN_H
#define FC_CLIENT_SPAN_H

#include <stdbool.h>

#include "base/buf.h"

struct span {
    const char *p;
    size_t n;
};

/* The value of a member of an object. False: there is none of this name. */
bool span_member(struct span object, const char *name, struct span *value);
/* The next element of an array, of which *rest is what is left: first its whole text. False:
 * none. */
bool span_element(struct span *rest, struct span *element);
/* Appends it without white space between its tokens. */
void span_compact(struct buf *b, struct span s);

#endif
