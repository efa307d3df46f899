/* SPDX-License-Identifier: Apache-2.0 */
/* Files. Durable means: temporary beside it, write, fsync, close, rename, fsync of the folder. */
#ifndef FC_BASE_FILE_H
#define FC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the whole file to b; FC_INVALID past max bytes. path "-" is standard input. */
int file_read(const char *path, size_t max, struct buf *b, struct err *e);
int fd_read(int fd, const char *what, size_t max, struct buf *b, struct err *e);

/* Writes all of p or fails; retries short writes and EINTR. */
int fd_write(int fd, const void *p, size_t n, const char *what, struct err *e);

/* Durable write of a whole file. The temporary has an unpredictable name in the same folder,
 * is created with O_EXCL and mode, and is removed on failure. */
int file_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e);
/* As file_write, FC_CONFLICT if path exists. For keys. */
int file_create(const char *path, const void *p, size_t n, mode_t mode, struct err *e);

/* A descriptor, to read and write, for a file that processes of one account share: made with mode 0600
 * if there is none. -1 with errno; EPERM when it is no plain file, is another account's, or others can
 * write it. */
int file_open_own(const char *path);

int dir_make(const char *path, mode_t mode, struct err *e); /* with parents; exists is fine */
int dir_sync(const char *path, struct err *e);

#endif
