/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the API in the way that it was started: CGI, inetd, socket activation, or by itself. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"
#include "base/opt.h"
#include "base/text.h"

enum {
    JOBS_MAX = 256,
    CONNECTIONS_MAX = 1 << 20,
    IDLE_MAX = 366 * 86400, /* s */
    O_CERTIFICATE = OPT_FIRST, O_KEY, O_IDLE, O_MAX_CONNECTIONS, O_OPENAPI, O_ROUTES,
};

static const struct opt opts[] = {
    {'l', "listen", "ADDRESS", NULL, "listen on ADDR:PORT or unix:PATH (default: the socket that "
        "was handed over)"},
    {'t', "tls", NULL, NULL, "speak TLS 1.3 and ask for client certificates"},
    {O_CERTIFICATE, "certificate", "FILE", "file", "the server's certificate and its chain, PEM "
        "(default: [api] certificate-file, then server.crt in the state folder)"},
    {O_KEY, "key", "FILE", "file", "the server's key, PEM (default: [api] key-file, then "
        "server.key in the state folder)"},
    {'j', "jobs", "N", NULL, "processes on a listening socket (default: [api] jobs, then 1)"},
    {O_IDLE, "idle", "SECONDS", NULL, "end after so long without a connection (default: [api] "
        "idle, then never)"},
    {O_MAX_CONNECTIONS, "max-connections", "N", NULL, "connections of one process (default: "
        "4096)"},
    {O_OPENAPI, "openapi", NULL, NULL, "print the OpenAPI document of the API, and end"},
    {O_ROUTES, "routes", NULL, NULL, "print all routes and who may call them, and end"},
    {OPT_STORE, "store", "URL", "file", "store: sqlite:PATH or postgres://... "
        "(default: FC_STORE, then the configuration)"},
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"},
    OPTS_OUTPUT,
    {0},
};

static const struct command command = {
    .name = "fc-api",
    .brief = "serve the API",
    .opts = opts,
    .section = 8,
};

struct args {
    struct serve_options serve;
    const char *listen, *conf_file, *cert, *key, *format, *filter;
    bool openapi, routes;
};

static void args_read(struct args *a, struct opts *o, int argc, char **argv)
{
    int id;

    opt_start(o, &command, argc, argv);
    while ((id = opt_next(o)) != -1)
        switch (id) {
        case 'l': a->listen = o->arg; break;
        case 't': a->serve.tls = true; break;
        case 'j': a->serve.jobs = (int)opt_num(o, 1, JOBS_MAX); break;
        case O_CERTIFICATE: a->cert = o->arg; break;
        case O_KEY: a->key = o->arg; break;
        case O_IDLE: a->serve.idle = opt_num(o, 0, IDLE_MAX) * 1000000; break;
        case O_MAX_CONNECTIONS:
            a->serve.max_connections = (int)opt_num(o, 1, CONNECTIONS_MAX);
            break;
        case OPT_STORE: a->serve.store_url = o->arg; break;
        case O_OPENAPI: a->openapi = true; break;
        case O_ROUTES: a->routes = true; break;
        case OPT_OUTPUT: a->format = o->arg; break;
        case OPT_FILTER: a->filter = o->arg; break;
        case OPT_CONF: a->conf_file = o->arg; break;
        }
    if (o->argc)
        opt_usage(o, "unexpected operand \"%s\"", o->argv[0]);
    if ((a->format || a->filter) && !a->routes)
        opt_usage(o, "-o and -q go with --routes");
}

/* A number of the section [api]; *n stays where it is not set. */
static int conf_num(const struct conf *c, const char *key, int64_t min, int64_t max, int64_t *n,
    struct err *e)
{
    const char *s = conf_get(c, "api", key);
    char what[32];

    snprintf(what, sizeof what, "[api] %s", key);
    if (!s || num_parse(s, min, max, n, what, e) == 0)
        return 0;
    e->code = FC_INVALID; /* no option is wrong */
    return -1;
}

/* What the command line left open: jobs 0, idle -1. */
static int conf_read(struct args *a, struct err *e)
{
    int64_t jobs = 1, idle = 0, near = 0;

    if (conf_num(a->serve.conf, "jobs", 1, JOBS_MAX, &jobs, e) < 0 ||
        conf_num(a->serve.conf, "idle", 0, IDLE_MAX, &idle, e) < 0 ||
        conf_num(a->serve.conf, "address-connections", 0, CONNECTIONS_MAX, &near, e) < 0)
        return -1;
    if (!a->serve.jobs)
        a->serve.jobs = (int)jobs;
    a->serve.max_near = (int)near;
    if (a->serve.idle < 0)
        a->serve.idle = idle * 1000000;
    return 0;
}

/* The loop needs a module that CGI and inetd do without. */
static int run_loop(struct args *a, int listen_fd, int conn_fd, struct err *e)
{
    const struct conf *c = a->serve.conf;
    const char *state = conf_state_dir(c);
    char *cert AUTO_FREE = xasprintf("%s/server.crt", state);
    char *key AUTO_FREE = xasprintf("%s/server.key", state);
    serve_fn *serve = (serve_fn *)mod_symbol("serve", "serve_run", e);

    if (!serve)
        return -1;
    if (!a->cert)
        a->cert = conf_get(c, "api", "certificate-file");
    if (!a->key)
        a->key = conf_get(c, "api", "key-file");
    a->serve.cert_file = a->cert ? a->cert : cert;
    a->serve.key_file = a->key ? a->key : key;
    a->serve.client_ca_file = conf_get(c, "api", "ca-file");
    a->serve.listen_fd = listen_fd;
    a->serve.conn_fd = conn_fd;
    a->serve.verbose = log_verbose;
    return serve(&a->serve, e);
}

static int run_once(struct args *a, int in, int out, bool cgi, struct err *e)
{
    struct api *api = NULL;
    int rc;

    if (api_open(&api, a->serve.conf, a->serve.store_url, e) < 0) {
        if (cgi)
            cgi_unavailable(e);
        return -1;
    }
    api_confine(api, &a->serve, false);
    rc = cgi ? cgi_run(api, e) : inetd_run(api, in, out, e);
    api_close(api);
    return rc;
}

/* A socket that listens goes to the loop; a connection goes there only for TLS. Under ssh they are
 * pipes. */
static int run_socket(struct args *a, int in, int out, struct err *e)
{
    struct pipes p;
    int rc;

    if (is_listening(in))
        return run_loop(a, in, -1, e);
    if (!a->serve.tls)
        return run_once(a, in, out, false, e);
    if (is_connected(in))
        return run_loop(a, -1, in, e);
    if (pipes_open(&p, in, out, e) < 0)
        return -1;
    rc = run_loop(a, -1, p.fd, e);
    pipes_close(&p);
    return rc;
}

static int run(struct args *a, const struct opts *o, struct err *e)
{
    int fd, rc;

    if (a->listen) {
        fd = listen_on(a->listen, e);
        if (fd < 0)
            return -1;
        a->serve.listen = a->listen;
        rc = run_loop(a, fd, -1, e);
        close(fd);
        listen_done(a->listen);
        return rc;
    }
    if (getenv("GATEWAY_INTERFACE"))
        return run_once(a, -1, -1, true, e);
    fd = listen_inherited(e);
    if (fd >= 0 || e->code != FC_OK)
        return fd < 0 ? -1 : run_socket(a, fd, fd, e);
    if (isatty(STDIN_FILENO))
        opt_usage(o, "nothing to serve: let a web server, inetd or systemd start it, or use -l");
    return run_socket(a, STDIN_FILENO, STDOUT_FILENO, e);
}

int main(int argc, char **argv)
{
    struct args a = {.serve = {.idle = -1, .max_connections = LIMIT_CONNECTIONS}};
    struct err e = {FC_OK, ""};
    struct conf *conf = NULL;
    struct opts o;
    int rc;

    signal(SIGPIPE, SIG_IGN);
    args_read(&a, &o, argc, argv);
    if (a.routes || a.openapi) {
        rc = a.routes ? api_routes(stdout, a.format, a.filter, &e) : api_openapi(stdout, &e);
        if (rc < 0)
            log_err(&e);
        return rc < 0 ? (int)e.code : FC_OK;
    }
    rc = conf_load(&conf, a.conf_file, &e);
    a.serve.conf = conf;
    if (rc == 0)
        rc = conf_read(&a, &e);
    if (rc == 0)
        rc = run(&a, &o, &e);
    if (rc < 0)
        log_err(&e);
    conf_free(conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
