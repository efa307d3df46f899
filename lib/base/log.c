/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

const char *log_name = "fc";
int log_verbose;

/* inetd hands the client's connection over as standard error, too: no line is for it. */
static bool stderr_is_client(void)
{
    struct stat in, err;

    return fstat(STDERR_FILENO, &err) == 0 && S_ISSOCK(err.st_mode) &&
        fstat(STDIN_FILENO, &in) == 0 && in.st_dev == err.st_dev && in.st_ino == err.st_ino;
}

/* One write per line, so that lines of several processes do not mix. */
static void say(const char *colour, const char *fmt, va_list ap)
{
    char line[ERR_LEN + 256];
    size_t n, i, head;
    int tty = colour && isatty(STDERR_FILENO);

    head = (size_t)snprintf(line, sizeof line, "%s%s: %s", tty ? colour : "", log_name,
        tty ? "\033[0m" : "");
    vsnprintf(line + head, sizeof line - head - 1, fmt, ap);
    n = strlen(line);
    for (i = head; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    if (stderr_is_client()) {
        openlog(log_name, LOG_PID, LOG_DAEMON);
        syslog(colour ? LOG_WARNING : LOG_INFO, "%s", line + head);
        closelog();
        return;
    }
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nowhere left to say it */
}

void log_err(const struct err *e)
{
    log_warn("%s", e->msg);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("\033[31m", fmt, ap);
    va_end(ap);
}

void log_info(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(NULL, fmt, ap);
    va_end(ap);
}

void log_debug(const char *fmt, ...)
{
    va_list ap;

    if (!log_verbose)
        return;
    va_start(ap, fmt);
    say(NULL, fmt, ap);
    va_end(ap);
}
