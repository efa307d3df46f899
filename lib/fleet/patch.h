/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patch (RFC 6902) over RFC 6901 pointers, and merge patch (RFC 7386). */
#ifndef FC_FLEET_PATCH_H
#define FC_FLEET_PATCH_H

#include "base/json.h"

enum {
    PATCH_OPS_MAX = 1000,   /* operations of one patch */
    PATCH_WORK = JSON_MAX,  /* bytes to add, copy or move: a copy can double a document */
};

/* Applies patch (an array of operations, borrowed) to *doc, all or nothing. add, remove, replace,
 * move, copy and test. FC_INVALID: a malformed patch, a path that does not exist ("patch[2]:
 * /spec/x: no such member") or a result beyond JSON_DEPTH or JSON_MAX; FC_CONFLICT: a failed
 * test. */
int json_patch(jv *doc, jv patch, struct err *e);
/* Applies a merge patch (borrowed) to *doc, all or nothing. FC_INVALID: as json_patch. */
int json_merge(jv *doc, jv patch, struct err *e);

#endif
