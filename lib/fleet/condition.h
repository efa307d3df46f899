/* SPDX-License-Identifier: Apache-2.0 */
/* The conditions of a status: what was found or decided, each of a type. */
#ifndef FC_FLEET_CONDITION_H
#define FC_FLEET_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* That of a type, whose member is this value (member NULL: whatever it is). Of several the last.
 * Owned by the caller; an invalid jv: there is none. */
jv condition_get(jv status, const char *type, const char *member, const char *value);
bool condition_is(jv status, const char *type, const char *member, const char *value);
/* Adds one that is true since a time (us). */
void condition_add(jv *status, const char *type, const char *reason, const char *message,
    int64_t at);

#endif
