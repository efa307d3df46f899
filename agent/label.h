/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SELinux labels of managed files. Its own library, which is loaded when the first one is staged,
 * says whether it is enabled and which label the policy has for a path; the file has it before it is
 * in its place.
 */
#ifndef FC_AGENT_LABEL_H
#define FC_AGENT_LABEL_H

#include <sys/types.h>

#include "agent.h"

/* Labels what has this name in dir ("." for the folder itself), for its place at rest ("/a/b", or "")
 * below dir. mode: type and permissions of it. Does nothing without SELinux, for a place without a
 * label, and on a file system that has none. */
int label_set(const struct agent *a, int dir, const char *name, const char *rest, mode_t mode,
    struct err *e);

struct labels *labels_new(void);
void labels_free(struct labels *l); /* NULL is fine */

#endif
