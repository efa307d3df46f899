/* SPDX-License-Identifier: Apache-2.0 */
/* Gets a token for the API of a server, and keeps it. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/print.h"
#include "client/login.h"

enum { O_TOKEN = OPT_FIRST, O_PROVIDER, O_DEVICE, O_BROWSER, O_LOGOUT, O_STATUS };

static const struct opt opts[] = {
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"},
    OPTS_OUTPUT,
    {O_BROWSER, "browser", NULL, NULL, "open the browser here, with xdg-open"},
    {O_DEVICE, "device", NULL, NULL, "by a code that is entered in a browser anywhere"},
    {O_LOGOUT, "logout", NULL, NULL, "forget the token of the server"},
    {O_PROVIDER, "provider", "NAME", NULL, "the server's AuthProvider to ask (default: its own)"},
    {O_STATUS, "status", NULL, NULL, "show where one is logged in, without the tokens"},
    {O_TOKEN, "token-file", "FILE", "file", "keep the token in this file (- is standard input)"},
    {0},
};
static const struct command command = {
    .name = "fc-login",
    .brief = "get a token for the API of a server",
    .args = "[URL]",
    .opts = opts,
};

struct run {
    struct opts o;
    struct conf *conf;
    const char *conf_file, *format, *filter;
    struct login l;
    bool logout, status;
};

static const struct column columns[] = {
    {"SERVER", "server", COL_TEXT, false},
    {"EXPIRES", "expires", COL_TEXT, false},
    {"RENEWED", "refreshes", COL_TEXT, false},
    {0},
};

static int put_all(struct printer *p, jv all, struct err *e)
{
    int rc = 0;

    jv_object_foreach(all, server, one) {
        json_set(&one, "server", jv_copy(server));
        if (rc == 0)
            rc = printer_put(p, jv_string_value(server), one, e);
        jv_free(server);
        jv_free(one);
    }
    return rc;
}

static int show(struct run *r, struct err *e)
{
    jv all AUTO_JV = jv_invalid();
    struct printer *p;
    struct err ignored;
    int rc;

    if (credential_list(r->conf, &all, e) < 0 ||
        printer_open(&p, stdout, r->format, r->filter, e) < 0)
        return -1;
    printer_columns(p, columns, NULL);
    rc = put_all(p, all, e);
    return printer_close(p, rc < 0 ? &ignored : e) < 0 ? -1 : rc;
}

static int forget(struct run *r, struct err *e)
{
    struct credential c;
    int rc = credential_load(r->conf, r->l.url, &c, e);

    if (rc < 0)
        return -1;
    credential_free(&c);
    if (rc == 0)
        return err_set(e, FC_NOTFOUND, "%s: nobody is logged in there", r->l.url);
    return credential_store(r->conf, r->l.url, NULL, e);
}

static int run(struct run *r, struct err *e)
{
    const char *store;

    if (conf_load(&r->conf, r->conf_file, e) < 0)
        return -1;
    r->l.conf = r->conf;
    if (r->status)
        return show(r, e);
    store = conf_get(r->conf, "", "store");
    r->l.url = r->o.argc ? r->o.argv[0] : store;
    if (!r->l.url)
        opt_usage(&r->o, "the URL of a server is missing");
    return r->logout ? forget(r, e) : login_run(&r->l, e);
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct err e = {FC_OK, ""};
    int id, rc;

    opt_start(&r.o, &command, argc, argv);
    while ((id = opt_next(&r.o)) != -1)
        switch (id) {
        case OPT_CONF: r.conf_file = r.o.arg; break;
        case OPT_OUTPUT: r.format = r.o.arg; break;
        case OPT_FILTER: r.filter = r.o.arg; break;
        case O_BROWSER: r.l.browser = true; break;
        case O_DEVICE: r.l.device = true; break;
        case O_LOGOUT: r.logout = true; break;
        case O_PROVIDER: r.l.provider = r.o.arg; break;
        case O_STATUS: r.status = true; break;
        case O_TOKEN: r.l.token_file = r.o.arg; break;
        }
    if (r.o.argc > (r.status ? 0 : 1))
        opt_usage(&r.o, "unexpected operand \"%s\"", r.o.argv[r.status ? 0 : 1]);
    if (r.logout + r.status + r.l.device + r.l.browser + (r.l.token_file != NULL) > 1)
        opt_usage(&r.o, "one of --browser, --device, --logout, --status and --token-file");
    rc = run(&r, &e);
    if (rc == 0 && (fflush(stdout) || ferror(stdout)))
        rc = err_errno(&e, "standard output");
    if (rc < 0)
        log_err(&e);
    conf_free(r.conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
