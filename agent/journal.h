/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of one update: JSON lines, each behind 16 hex digits of its SHA-256, appended and
 * made durable before what they announce is done. First {"t":"begin",...}, then a {"t":"step"} for
 * each thing that will change, then {"t":"commit"}. Where it takes a reboot, a {"t":"reboot"} with
 * the boot's id stands between, and the file is to be continued in another boot, unless an
 * {"t":"undo"} says that this was tried, why it failed, and whether another try may do better
 * ("again"). A file without a commit says that the update is to be undone, one with it that it is to
 * be finished; no file, that nothing is under way.
 */
#ifndef FC_AGENT_JOURNAL_H
#define FC_AGENT_JOURNAL_H

#include "agent.h"
#include "base/json.h"

struct journal {
    int fd;         /* -1: not open */
    off_t size;     /* bytes that are on the disk for sure */
    bool doubtful;  /* there may be more that could not be taken back */
    struct buf out; /* records that are not written yet */
};

int journal_create(int data, struct journal *j, struct err *e);
/* Opens the one that is there, to go on after its last whole record. */
int journal_reopen(int data, struct journal *j, struct err *e);
void journal_add(struct journal *j, jv record /* borrowed */);
/* Writes what was added, durably; if that fails, the file is cut back to what it was. */
int journal_sync(struct journal *j, struct err *e);
void journal_close(struct journal *j);
int journal_remove(int data, struct err *e);

/* All whole records as an array, invalid when there is no journal. A last line that is cut was
 * never acted upon and is ignored; damage before that is said, with a copy set aside. */
int journal_read(int data, jv *out, struct err *e);
bool journal_exists(int data);

#endif
