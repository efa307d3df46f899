/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line only: control bytes become '?', so that foreign text cannot forge a log line. */
static void clean(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

int err_set(struct err *e, enum fc_code code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return -1;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    clean(e->msg);
    return -1;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int en = errno;
    char what[ERR_LEN / 2];
    enum fc_code code = FC_FAIL;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (en == EAGAIN || en == EBUSY)
        code = FC_AGAIN;
    else if (en == ENOENT)
        code = FC_NOTFOUND;
    else if (en == EACCES || en == EPERM)
        code = FC_DENIED;
    err_set(e, code, "%s: %s", what, strerror(en));
    errno = en;
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char head[ERR_LEN], tail[ERR_LEN];
    va_list ap;
    size_t n;

    if (!e)
        return -1;
    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    clean(head);
    memcpy(tail, e->msg, sizeof tail);
    n = strlen(head);
    if (n > ERR_LEN / 2)
        n = ERR_LEN / 2;
    snprintf(e->msg, sizeof e->msg, "%.*s: %s", (int)n, head, tail);
    return -1;
}
