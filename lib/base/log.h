/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics: one line each on stderr, "NAME: text"; colour only on a terminal. Where inetd has made a
 * client of stderr they go to syslog(3). */
#ifndef FC_BASE_LOG_H
#define FC_BASE_LOG_H

#include "base/err.h"

extern const char *log_name; /* the command's name; set once by opt_parse */
extern int log_verbose;      /* 0, or how often -v was given */

void log_err(const struct err *e);  /* the message of an error */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* always shown */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* only with -v */

#endif
