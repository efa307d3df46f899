/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that a caller can act on: bad input, a missing thing, a busy peer. One value goes
 * up, gains context on the way, and is printed once at the top. Out of memory and broken
 * invariants are not errors of this kind: they end the process (mem.h).
 */
#ifndef FC_BASE_ERR_H
#define FC_BASE_ERR_H

#include <stddef.h>

/* The exit statuses of all commands, see fc(7). lib/api maps them to HTTP statuses. */
enum fc_code {
    FC_OK = 0,
    FC_FAIL = 1,     /* something failed that the caller cannot help */
    FC_USAGE = 2,    /* wrong options or operands */
    FC_NOTFOUND = 3, /* a named thing does not exist */
    FC_CONFLICT = 4, /* exists already, or changed meanwhile */
    FC_DENIED = 5,   /* not allowed */
    FC_INVALID = 6,  /* the input is wrong */
    FC_AGAIN = 7,    /* busy or unreachable: the same call may succeed later */
    FC_DIFFER = 8,   /* what FC_FAIL would be, in --diff forms where 1 says "differs" */
};

enum { ERR_LEN = 1024 }; /* bytes of a message with its context; longer ones are cut */

/* An error: code FC_OK means none. The message is one line, UTF-8, without a newline. */
struct err {
    enum fc_code code;
    char msg[ERR_LEN];
};

/* Sets *e (e may be NULL) and returns -1, so that `return err_set(...)` reads well. Control
 * bytes in the message are replaced, so that foreign text cannot forge a log line. */
int err_set(struct err *e, enum fc_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set with code FC_FAIL (FC_AGAIN for EAGAIN and EBUSY, FC_NOTFOUND for ENOENT, FC_DENIED
 * for EACCES and EPERM) and ": strerror(errno)" appended. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the message, keeping the code. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
