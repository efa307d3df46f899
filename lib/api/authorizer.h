/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SpiceDB server that is asked what people may, instead of the table of roles, over its HTTP API.
 * The object is organization:UID, the permission VERB_RESOURCE ("update_devices_status"), the
 * subject user:NAME. Nobody may anything while it cannot be asked.
 */
#ifndef FC_API_AUTHORIZER_H
#define FC_API_AUTHORIZER_H

#include "api/core.h"

struct authorizer;
/* Reads its settings and files. *out is NULL where none is configured. */
int authorizer_new(struct authorizer **out, const struct conf *conf, struct err *e);
void authorizer_free(struct authorizer *z); /* NULL is fine */

/* 1: the caller may do that in the organization, 0: not; -1 FC_AGAIN: it does not answer. */
int authorizer_allows(struct call *c, const char *org_uid, const char *resource, enum verb verb,
    struct err *e);
/* In which of n organizations the caller is: those that they may get ("get_organizations"). */
int authorizer_member(struct call *c, const char *const *uids, size_t n, bool *in, struct err *e);
/* How long (us) what it said may be kept. */
int64_t authorizer_keeps(const struct authorizer *z);

#endif
