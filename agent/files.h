/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a rendered spec. This header is shared by the parts of their controller:
 * files_want.c and files_plan.c decide (what the spec wants, what stands there, what follows),
 * files.c acts.
 *
 * A step of the journal: "do" is
 *   write    a new file goes to "path"
 *   restore  the file or link goes there that stood there before the agent first managed it
 *   remove   the file at "path" goes
 *   adopt    the file stays as it is; only its backup is kept
 *   rmdir    a folder that the agent made goes, if it is empty
 * with "id" (temporaries are .fc-ID.new, .old and .copy), "at" (the folder that holds the new
 * one until its own folder exists, or keeps the one that goes), "mkdir" (folders to make), "was"
 * (none, file, link), "sha256", "size", "mode", "uid", "gid", "target" (of a link), "backup"
 * (SHA-256 of what is to be kept).
 *
 * files.json, the registry: {"files":{PATH:{"sha256","mode","uid","gid","original":...}},
 * "dirs":{PATH:true}}; original is null (there was none), {"sha256","mode","uid","gid"} with its
 * content in backup/SHA256, or {"target"}.
 */
#ifndef FC_AGENT_FILES_H
#define FC_AGENT_FILES_H

#include "place.h"
#include "txn.h"

#define FILES_STATE "files.json"
#define FILES_BACKUP "backup"

struct want { /* a file as the spec has it */
    char *path;
    struct buf content;
    char sha256[SHA256_HEX];
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

struct wants {
    struct want *want; /* sorted by path */
    size_t n;
};

/* Reads spec.config, which in a rendered spec has all files in inline providers, and the files of
 * applications: paths cleaned and checked, contents decoded, owners looked up. The caller frees in
 * any case. */
int files_wants_read(const struct agent *a, jv spec, struct wants *ws, struct err *e);
void files_wants_free(struct wants *ws);
const struct want *files_want_find(const struct wants *ws, const char *path); /* or NULL */

int files_plan(const struct agent *a, jv spec, struct plan *p, struct err *e);
/* Is a managed file not as the registry has it? */
bool files_drifted(const struct agent *a);

/* "/a/b/c" -> "/a/b" ("/" for "/c"); name points to "c". */
void path_split(const char *path, char dir[PATH_LEN], const char **name);

/* The registry; empty when there is none. A damaged one is set aside, and the files of the
 * running spec are taken for managed ones. The caller frees. */
int files_registry(const struct agent *a, jv *out, struct err *e);

/* Reads a kept original from the backup folder and checks it. */
int files_backup(const struct agent *a, const char *sha256, struct buf *b, struct err *e);

#endif
