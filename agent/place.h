/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by folder descriptors. A path below a root is resolved by the kernel as if that root
 * were "/" (openat2 with RESOLVE_IN_ROOT), so that no symbolic link leads out of it.
 */
#ifndef FC_AGENT_PLACE_H
#define FC_AGENT_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

/* The folder `path` of the host, for use as a root. */
int place_root(const char *path, struct err *e);

/* Opens a path below root (leading '/' or not). -1 with errno, without a message. */
int place_open(int root, const char *path, int flags, mode_t mode);

/* Opens a folder below root as place_open does, but through no symbolic link that somebody else than
 * root, or who runs this, has made: who owns a folder on the way must not choose where the agent
 * writes. -1 with errno; such a link counts as no folder (ENOTDIR). */
int place_folder(int root, const char *path);

/* place_folder with a message, making the folder and its parents (mode) if make is set. */
int place_dir(int root, const char *path, bool make, mode_t mode, struct err *e);

/* Reads a regular file in folder dir whole. FC_NOTFOUND when it does not exist; a symbolic link
 * as the last part is not followed. what: its name for messages. */
int place_read(int dir, const char *name, const char *what, size_t max, struct buf *b,
    struct err *e);
/* The same for a path below a root; links are followed within the root. */
int place_read_path(int root, const char *path, const char *what, size_t max, struct buf *b,
    struct err *e);

enum place_sync { PLACE_FAST, PLACE_DURABLE }; /* without and with fsync of file and folder */

/* Replaces a file in folder dir by a temporary beside it and a rename. uid -1 leaves the owner. */
int place_write(int dir, const char *name, const void *p, size_t n, mode_t mode,
    enum place_sync sync, struct err *e);

/* Removes what place_write left in folder dir when it was killed. */
void place_sweep(int dir);

/* "NAME" -> "NAME.broken": unreadable state is set aside, and said. */
void place_set_aside(int dir, const char *name, const struct err *why);

/* What stands at a name, without following links. */
enum seen_kind { SEEN_NONE, SEEN_FILE, SEEN_LINK, SEEN_DIR, SEEN_OTHER };
struct seen {
    enum seen_kind kind;
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
    dev_t dev;
    ino_t ino;
    off_t size;
    char sha256[SHA256_HEX]; /* of a file, if asked for */
    char target[4096];       /* of a link */
};
int place_look(int dir, const char *name, bool hash, struct seen *s, struct err *e);

/* Nobody but root, or who runs this, can have put it there. */
bool place_is_ours(const struct stat *st);

#endif
