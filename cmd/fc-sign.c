/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the certificate authority and signs with it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "crypto/authority.h"
#include "service/service.h"
#include "service/token_cmd.h"

enum {
    DAYS_MAX = 36500,
    NAMES_MAX = 100,
    O_STATE = OPT_FIRST, O_NAME, O_SERVER, O_SERVER_CA, O_SIGNER, O_CN,
};

#define O_DAYS(dflt) {'d', "days", "DAYS", NULL, "validity (default: " dflt ")"}
#define O_PREFIX(dflt) {'o', "out", "PREFIX", "file", \
    "write PREFIX.key and PREFIX.crt (default: " dflt ")"}
#define O_FORCE {'f', "force", NULL, NULL, "replace files that exist"}
#define O_DRY {OPT_DRY, "dry-run", NULL, NULL, "check and say what would be written"}
#define O_ORG {OPT_ORG, "org", "NAME", NULL, "organization (default: FC_ORG, then the default one)"}

static const struct opt opts[] = {
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"},
    {O_STATE, "state", "DIR", "dir", "folder of the state (default: FC_STATE, then the "
        "configuration)"},
    {0},
};
static const struct opt init_opts[] = {
    O_DAYS("3650"),
    O_DRY,
    {O_CN, "cn", "NAME", NULL, "name of the authority (default: Flight Control CA)"},
    {0},
};
static const struct opt show_opts[] = {OPTS_OUTPUT, {0}};
static const struct opt server_opts[] = {
    O_DAYS("365"), O_FORCE, O_DRY, O_PREFIX("server in the state folder"), {0},
};
static const struct opt enrollment_opts[] = {
    O_DAYS("365"),
    O_FORCE,
    O_DRY,
    {'o', "out", "PREFIX", "file", "write PREFIX.key and PREFIX.crt (default: enrollment in the "
        "state folder); with --server the file to write (default: standard output)"},
    {O_NAME, "name", "NAME", NULL, "a name of its own: CN client-enrollment-NAME"},
    O_ORG,
    {O_SERVER, "server", "URL", NULL, "make a device's config.yaml for this server instead, with "
        "key and certificates in it"},
    {O_SERVER_CA, "server-ca", "FILE", "file", "with --server: certificates that the server's is "
        "checked with (default: this authority's)"},
    {0},
};
static const struct opt admin_opts[] = {
    O_DAYS("365"), O_FORCE, O_DRY, O_PREFIX("admin-NAME in the state folder"), O_ORG, {0},
};
static const struct opt csr_opts[] = {
    O_DAYS("365"),
    O_DRY,
    {O_SIGNER, "signer", "NAME", "device|renewal|enrollment|admin|user|server",
        "whose rules it is signed under (default: device)"},
    {O_CN, "cn", "NAME", NULL, "common name instead of the request's"},
    {O_NAME, "name", "NAME", NULL, "server: DNS name or IP address instead of the request's; may "
        "be repeated"},
    O_ORG,
    {0},
};

enum { CA_INIT, CA_SHOW, SERVER, ENROLLMENT, ADMIN, CSR, ISSUE, LIST, REVOKE };
static const struct sub subs[] = {
    [CA_INIT] = {"ca init", "", NULL, "make the authority's key and certificate", init_opts},
    [CA_SHOW] = {"ca show", "", NULL, "show the authority's certificate", show_opts},
    [SERVER] = {"server", "NAME ...", NULL, "key and certificate for a server's DNS names and IP "
        "addresses", server_opts},
    [ENROLLMENT] = {"enrollment", "", NULL, "bootstrap key and certificate, with which devices "
        "ask to be enrolled", enrollment_opts},
    [ADMIN] = {"admin", "NAME", NULL, "an administrator's key and certificate", admin_opts},
    [CSR] = {"csr", "FILE", "file", "sign a certificate request (- is standard input) and print "
        "the certificate", csr_opts},
    [ISSUE] = {"token issue", "SUBJECT", NULL, "print a token that a person or a program shows to "
        "the API", token_issue_opts},
    [LIST] = {"token list", "", NULL, "show which tokens there are, but not the tokens",
        token_list_opts},
    [REVOKE] = {"token revoke", "TOKEN ...", "!fc-sign token list -o name", "end tokens, named as "
        "the list does", token_revoke_opts},
    {0},
};
static const struct command command = {
    .name = "fc-sign",
    .brief = "make the certificate authority and sign with it",
    .opts = opts,
    .subs = subs,
};

/* What the command line and the configuration say. */
struct sign {
    struct opts o;
    struct conf *conf;
    const char *conf_file, *state, *name, *given, *server, *server_ca, *signer, *format, *filter;
    const char *names[NAMES_MAX + 1];
    char org[UUID_LEN];
    int nnames, days;
    struct token_cmd token;
    struct issue i;
    struct destination to;
    struct authority ca;
};

static void args_read(struct sign *s, int argc, char **argv)
{
    int id;

    opt_start(&s->o, &command, argc, argv);
    while ((id = opt_next(&s->o)) != -1) {
        if (s->o.sub >= &subs[ISSUE] && token_cmd_option(&s->token, &s->o, id))
            continue;
        switch (id) {
        case OPT_CONF: s->conf_file = s->o.arg; break;
        case O_STATE: s->state = s->o.arg; break;
        case 'd': s->days = (int)opt_num(&s->o, 1, DAYS_MAX); break;
        case 'f': s->to.force = true; break;
        case OPT_DRY: s->to.dry = true; break;
        case 'o': *(s->o.sub == &subs[CA_SHOW] ? &s->format : &s->to.path) = s->o.arg; break;
        case OPT_FILTER: s->filter = s->o.arg; break;
        case O_SERVER: s->server = s->o.arg; break;
        case O_SERVER_CA: s->server_ca = s->o.arg; break;
        case O_SIGNER: s->signer = s->o.arg; break;
        case O_CN: s->i.cn = s->o.arg; break;
        case OPT_ORG: s->given = s->o.arg; break;
        case O_NAME:
            if (s->nnames == NAMES_MAX)
                opt_usage(&s->o, "more than %d names", NAMES_MAX);
            s->names[s->nnames++] = s->name = s->o.arg;
            break;
        }
    }
    s->i.seconds = (int64_t)s->days * 86400;
}

static int conf_read(struct sign *s, struct err *e)
{
    if (conf_load(&s->conf, s->conf_file, e) < 0)
        return -1;
    authority_find(&s->ca, s->conf, s->state ? s->state : conf_state_dir(s->conf));
    s->i.org = s->org;
    return s->o.sub < &subs[ENROLLMENT] || s->o.sub > &subs[CSR] ? 0 : service_org_uid(s->conf, s->given, s->org, e);
}

static const char *verb(const struct sign *s)
{
    return s->to.dry ? "would write" : "wrote";
}

static int say_cert(const struct sign *s, const char *path, const struct buf *cert, struct err *e)
{
    struct cert_detail d;
    char until[TIME_LEN];

    if (cert_detail(cert->p, cert->len, &d, e) < 0)
        return -1;
    time_format(d.info.not_after, until);
    printf("%s %s: certificate of %s, valid until %s\n", verb(s), path, d.info.cn, until);
    return 0;
}

/* --- the subcommands ---------------------------------------------------------------------- */

static int run_init(struct sign *s, struct err *e)
{
    struct buf cert AUTO_BUF = BUF_INIT;

    if (authority_make(&s->ca, s->i.cn, s->days, s->to.dry, &cert, e) < 0)
        return -1;
    printf("%s %s: private key\n", verb(s), s->ca.key);
    if (!s->to.dry)
        return say_cert(s, s->ca.cert, &cert, e);
    printf("%s %s: certificate of the authority\n", verb(s), s->ca.cert);
    return 0;
}

static int run_show(struct sign *s, struct err *e)
{
    return authority_print(&s->ca, s->format, s->filter, e);
}

/* Key and certificate as files, at -o or at their usual place. */
static int run_pair(struct sign *s, struct err *e)
{
    char *prefix AUTO_FREE = NULL, *path AUTO_FREE = NULL;
    struct buf cert AUTO_BUF = BUF_INIT;

    if (authority_files(&s->ca, &s->i, &s->to, &prefix, &cert, e) < 0)
        return -1;
    path = xasprintf("%s.crt", prefix);
    printf("%s %s.key: private key\n", verb(s), prefix);
    return say_cert(s, path, &cert, e);
}

static int run_server(struct sign *s, struct err *e)
{
    if (!s->o.argc)
        opt_usage(&s->o, "a DNS name or an IP address is missing");
    s->i.signer = SIGNER_SERVER;
    s->i.names = (const char *const *)s->o.argv; /* ends with NULL as argv does */
    return run_pair(s, e);
}

static int run_enrollment(struct sign *s, struct err *e)
{
    struct buf cert AUTO_BUF = BUF_INIT;

    if (s->o.argc)
        opt_usage(&s->o, "unexpected operand \"%s\"", s->o.argv[0]);
    if (s->server_ca && !s->server)
        opt_usage(&s->o, "--server-ca goes with --server");
    if (s->name && (!*s->name || strchr(s->name, '/')))
        return err_set(e, FC_INVALID, "--name: must not be empty or have a /");
    s->i.signer = SIGNER_ENROLLMENT;
    s->i.cn = s->name ? s->name : "";
    if (!s->server)
        return run_pair(s, e);
    if (authority_config(&s->ca, &s->i, s->server, s->server_ca, &s->to, &cert, e) < 0)
        return -1;
    return s->to.path ? say_cert(s, s->to.path, &cert, e) : 0;
}

static int run_admin(struct sign *s, struct err *e)
{
    if (s->o.argc != 1)
        opt_usage(&s->o, "one name is wanted");
    s->i.signer = SIGNER_ADMIN;
    s->i.cn = s->o.argv[0];
    return run_pair(s, e);
}

static int run_csr(struct sign *s, struct err *e)
{
    struct buf cert AUTO_BUF = BUF_INIT;

    s->i.signer = signer_find(s->signer ? s->signer : "device");
    if (s->o.argc != 1)
        opt_usage(&s->o, "one file is wanted");
    if (!s->i.signer)
        opt_usage(&s->o, "--signer: \"%s\" is none of device, renewal, enrollment, admin, server",
            s->signer);
    if (s->nnames && strcmp(s->i.signer, SIGNER_SERVER))
        opt_usage(&s->o, "--name goes with --signer server");
    s->i.names = s->nnames ? s->names : NULL;
    if (authority_csr(&s->ca, &s->i, s->o.argv[0], &cert, e) < 0)
        return -1;
    if (s->to.dry)
        return say_cert(s, "(stdout)", &cert, e);
    return fd_write(STDOUT_FILENO, cert.p, cert.len, "standard output", e);
}

static int run_token(struct sign *s, struct err *e)
{
    static int (*const table[])(struct token_cmd *, const struct opts *, struct err *) = {
        [ISSUE] = token_cmd_issue, [LIST] = token_cmd_list, [REVOKE] = token_cmd_revoke,
    };

    s->token.conf = s->conf;
    return table[s->o.sub - subs](&s->token, &s->o, e);
}

static int run(struct sign *s, struct err *e)
{
    static int (*const table[])(struct sign *, struct err *) = {
        [CA_INIT] = run_init, [CA_SHOW] = run_show, [SERVER] = run_server,
        [ENROLLMENT] = run_enrollment, [ADMIN] = run_admin, [CSR] = run_csr,
        [ISSUE] = run_token, [LIST] = run_token, [REVOKE] = run_token,
    };
    ptrdiff_t i = s->o.sub - subs;

    if ((i == CA_INIT || i == CA_SHOW) && s->o.argc)
        opt_usage(&s->o, "unexpected operand \"%s\"", s->o.argv[0]);
    if (conf_read(s, e) < 0 || table[i](s, e) < 0)
        return -1;
    return fflush(stdout) || ferror(stdout) ? err_errno(e, "standard output") : 0;
}

int main(int argc, char **argv)
{
    struct sign s = {0};
    struct err e = {FC_OK, ""};
    int rc;

    args_read(&s, argc, argv);
    rc = run(&s, &e);
    if (rc < 0)
        log_err(&e);
    authority_free(&s.ca);
    conf_free(s.conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
