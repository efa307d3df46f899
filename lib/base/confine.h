/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process gives up once it has what it needs, so that whoever takes it over gets little:
 * files outside of named paths (Landlock), and system calls beyond what serving and asking over
 * sockets takes (seccomp(2)). No program can be started any more. Nothing
 * of it comes back; threads and children have it, too.
 */
#ifndef FC_BASE_CONFINE_H
#define FC_BASE_CONFINE_H

#include <linux/filter.h>
#include <stdbool.h>

#include "base/err.h"

enum confine_right {
    CONFINE_READ = 1 << 0,   /* files, and what is in folders */
    CONFINE_WRITE = 1 << 1,  /* files that are there */
    CONFINE_REMOVE = 1 << 2, /* files */
    CONFINE_MAKE = 1 << 3,   /* make and rename files and folders, and remove them */
};

struct confine;
/* With what any process needs, to be read: libraries; and, to connect elsewhere, names of hosts and
 * certificates of the system. */
struct confine *confine_new(bool network);
void confine_free(struct confine *c); /* NULL is fine */
/* Leaves this file, or all in this folder. What is not there, or NULL, is left out. A file that is
 * replaced by another of its name is not what was named: name its folder. */
void confine_path(struct confine *c, const char *path, unsigned rights);
/* The same for a file or folder that is open. */
void confine_opened(struct confine *c, int fd, unsigned rights);
/* The folder of a file. */
void confine_folder(struct confine *c, const char *file, unsigned rights);

/* Gives up the rest; c is freed. What the kernel cannot is left as it is: the message in lacks says
 * what; its code is FC_OK when nothing is missing. */
void confine_enter(struct confine *c, struct err *lacks);

/* What calls_gen.c made at build. */
extern const struct sock_filter confine_filter[];
extern const unsigned short confine_filter_len;

#endif
