/* SPDX-License-Identifier: Apache-2.0 */
/* The route table for people and for tests. */
#include <string.h>

#include "api/core.h"
#include "base/print.h"

static const struct column columns[] = {
    {"METHOD", "method", COL_TEXT, false},
    {"PATH", "path", COL_TEXT, false},
    {"RESOURCE", "resource", COL_TEXT, false},
    {"VERB", "verb", COL_TEXT, false},
    {"WHO", "who", COL_TEXT, false},
    {"OPERATION", "operation", COL_TEXT, true},
    {"REQUEST", "request", COL_TEXT, true},
    {"RESPONSE", "response", COL_TEXT, true},
    {0},
};

static void add_word(struct buf *b, const char *word)
{
    if (b->len)
        buf_addc(b, ' ');
    buf_adds(b, word);
}

/* May somebody with this role, who is of the role's class? */
static bool may(const struct route *t, enum role role)
{
    unsigned who = role == ROLE_DEVICE ? WHO_DEVICE : role == ROLE_ENROLLMENT ? WHO_ENROLLMENT :
        WHO_USER;

    return t->who & who && (!t->resource || role_allows(role, t->resource, t->verb));
}

/* The roles that may call it: "anyone", or those of role.h. */
static void add_who(const struct route *t, struct buf *b)
{
    if (t->who & WHO_ANYONE)
        add_word(b, "anyone");
    else
        for (unsigned i = 0; i < ROLES; i++)
            if (may(t, 1U << i))
                add_word(b, role_name(1U << i));
}

/* Classes of callers. */
static void add_callers(const struct route *t, struct buf *b)
{
    static const char *const classes[] = {"enrollment", "device", "user", "anyone"};

    for (unsigned i = 0; i < LEN(classes); i++)
        if (t->who & 1U << i)
            add_word(b, classes[i]);
}

static int print(struct printer *p, const struct route *t, struct err *e)
{
    jv v AUTO_JV = jv_object();
    struct buf path AUTO_BUF = BUF_INIT, who AUTO_BUF = BUF_INIT, callers AUTO_BUF = BUF_INIT;

    buf_printf(&path, "%s%s", t->flags & ROUTE_ROOT ? "" : API_PREFIX, t->path);
    add_who(t, &who);
    add_callers(t, &callers);
    json_sets(&v, "method", t->method);
    json_sets(&v, "path", path.p);
    json_sets(&v, "operation", t->operation);
    json_sets(&v, "resource", t->resource);
    json_sets(&v, "verb", t->resource ? verb_name(t->verb) : NULL);
    json_sets(&v, "request", t->request);
    json_sets(&v, "response", t->response);
    json_sets(&v, "who", who.len ? who.p : "");
    json_sets(&v, "callers", callers.p);
    json_set(&v, "own", jv_bool(t->flags & ROUTE_OWN));
    json_set(&v, "organization", jv_bool(!(t->flags & ROUTE_NO_ORG)));
    return printer_put(p, t->operation, v, e);
}

int api_routes(FILE *f, const char *format, const char *filter, struct err *e)
{
    struct printer *p;
    struct err ignored;
    int rc = 0;

    if (printer_open(&p, f, format, filter, e) < 0)
        return -1;
    printer_columns(p, columns, NULL);
    for (const struct route *t = routes; rc == 0 && t->method; t++)
        rc = print(p, t, e);
    return printer_close(p, rc < 0 ? &ignored : e) < 0 ? -1 : rc;
}
