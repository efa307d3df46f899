/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are the same everywhere: refusals, errors, one resource. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/log.h"
#include "net/status.h"

void add_header(struct api_response *r, const char *line)
{
    size_t n = strlen(r->headers);

    snprintf(r->headers + n, sizeof r->headers - n, "%s", line);
}

bool refuse(struct call *c, int status, const char *fmt, ...)
{
    char msg[ERR_LEN];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    api_error(c->r, status, msg);
    return false;
}

void log_failure(struct call *c, const struct err *e)
{
    if (c)
        log_warn("request %s, trace %s: %s", c->r->request_id, trace_of(c)->id, e->msg);
    else
        log_err(e);
}

void answer_error(struct call *c, struct api_response *r, const struct err *e)
{
    /* A handler may have said that it is the caller's identity that does not fit. */
    int status = e->code == FC_DENIED && r->status == 401 ? 401 : status_of(e->code);

    if (status >= 500) { /* paths and statements are not for strangers */
        log_failure(c, e);
        api_error(r, status, status == 503 ? "the store is busy" : "internal error");
    } else
        api_error(r, status, e->msg);
    if (status == 503)
        add_header(r, "Retry-After: 5\r\n");
}

int answer_resource(struct call *c, int status, const struct res *r, unsigned flags, struct err *e)
{
    c->r->status = status;
    return res_write(c->s, c->a, r, c->now, flags, &c->r->body, e);
}

void answer_result(struct call *c, const char *result)
{
    add_header(c->r, arena_printf(c->a, "Flightctl-Result: %s\r\n", result));
}

int answer_success(struct call *c)
{
    c->r->status = 200;
    buf_adds(&c->r->body, "{\"apiVersion\":\"" API_VERSION "\",\"code\":200,\"kind\":\"Status\","
        "\"message\":\"\",\"reason\":\"OK\",\"status\":\"Success\"}");
    return HANDLED;
}
