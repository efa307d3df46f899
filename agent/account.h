/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of users and groups to numbers, from the files of a root folder (etc/passwd, then
 * usr/lib/passwd as image-based systems have it). No name service is asked: that could open
 * sockets, and knows nothing of another root.
 */
#ifndef FC_AGENT_ACCOUNT_H
#define FC_AGENT_ACCOUNT_H

#include <sys/types.h>

#include "base/err.h"

/* name: a name or a decimal number. FC_NOTFOUND. gid: the user's own group; may be NULL. */
int account_user(int root, const char *name, uid_t *uid, gid_t *gid, struct err *e);
int account_group(int root, const char *name, gid_t *gid, struct err *e);

#endif
