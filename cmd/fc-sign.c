/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the certificate authority and signs with it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/print.h"
#include "crypto/crypto.h"

enum {
    DAYS_MAX = 36500,
    CSR_MAX = 64 << 10,    /* bytes; crypto refuses more */
    BUNDLE_MAX = 1 << 20,  /* bytes of --server-ca */
    NAMES_MAX = 100,
    O_STATE = OPT_FIRST, O_NAME, O_SERVER, O_SERVER_CA, O_SIGNER, O_CN,
};

#define DEFAULT_ORG "00000000-0000-0000-0000-000000000000"
#define O_DAYS(dflt) {'d', "days", "DAYS", NULL, "validity (default: " dflt ")"}
#define O_PREFIX(dflt) {'o', "out", "PREFIX", "file", \
    "write PREFIX.key and PREFIX.crt (default: " dflt ")"}
#define O_FORCE {'f', "force", NULL, NULL, "replace files that exist"}
#define O_DRY {OPT_DRY, "dry-run", NULL, NULL, "check and say what would be written"}
#define O_ORG {OPT_ORG, "org", "UUID", NULL, "organization (default: FC_ORG, then the default one)"}

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
    {O_SIGNER, "signer", "NAME", "device|renewal|enrollment|admin|server",
        "whose rules it is signed under (default: device)"},
    {O_CN, "cn", "NAME", NULL, "common name instead of the request's"},
    {O_NAME, "name", "NAME", NULL, "server: DNS name or IP address instead of the request's; may "
        "be repeated"},
    O_ORG,
    {0},
};

enum { CA_INIT, CA_SHOW, SERVER, ENROLLMENT, ADMIN, CSR };
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
    const char *conf_file, *state, *out, *name, *server, *server_ca, *signer, *cn, *org;
    const char *format, *filter;
    const char *names[NAMES_MAX + 1];
    int nnames;
    int days;
    bool force, dry;
    char *key_path, *cert_path; /* of the authority */
    bool own_folder;            /* they are where nothing else says, in STATE/ca */
};

static void args_read(struct sign *s, int argc, char **argv)
{
    int id;

    opt_start(&s->o, &command, argc, argv);
    while ((id = opt_next(&s->o)) != -1)
        switch (id) {
        case OPT_CONF: s->conf_file = s->o.arg; break;
        case O_STATE: s->state = s->o.arg; break;
        case 'd': s->days = (int)opt_num(&s->o, 1, DAYS_MAX); break;
        case 'f': s->force = true; break;
        case OPT_DRY: s->dry = true; break;
        case 'o': *(s->o.sub == &subs[CA_SHOW] ? &s->format : &s->out) = s->o.arg; break;
        case OPT_FILTER: s->filter = s->o.arg; break;
        case O_SERVER: s->server = s->o.arg; break;
        case O_SERVER_CA: s->server_ca = s->o.arg; break;
        case O_SIGNER: s->signer = s->o.arg; break;
        case O_CN: s->cn = s->o.arg; break;
        case OPT_ORG: s->org = s->o.arg; break;
        case O_NAME:
            if (s->nnames == NAMES_MAX)
                opt_usage(&s->o, "more than %d names", NAMES_MAX);
            s->names[s->nnames++] = s->name = s->o.arg;
            break;
        }
}

static int conf_read(struct sign *s, struct err *e)
{
    const char *key, *cert;

    if (conf_load(&s->conf, s->conf_file, e) < 0)
        return -1;
    if (!s->state)
        s->state = conf_state_dir(s->conf);
    key = conf_get(s->conf, "ca", "key-file");
    cert = conf_get(s->conf, "ca", "certificate-file");
    s->own_folder = !key && !cert;
    s->key_path = key ? xstrdup(key) : xasprintf("%s/ca/ca.key", s->state);
    s->cert_path = cert ? xstrdup(cert) : xasprintf("%s/ca/ca.crt", s->state);
    if (!s->org)
        s->org = conf_get(s->conf, "", "org");
    if (!s->org)
        s->org = DEFAULT_ORG;
    return 0;
}

/* --- results ------------------------------------------------------------------------------ */

static int out_check(struct err *e)
{
    return fflush(stdout) || ferror(stdout) ? err_errno(e, "standard output") : 0;
}

static const char *verb(const struct sign *s)
{
    return s->dry ? "would write" : "wrote";
}

static int say_cert(const struct sign *s, const char *path, const struct buf *cert, struct err *e)
{
    struct cert_detail d;
    char until[TIME_LEN];

    if (cert_detail(cert->p, cert->len, &d, e) < 0)
        return -1;
    time_format(d.info.not_after, until);
    printf("%s %s: certificate of %s, valid until %s\n", verb(s), path, d.info.cn, until);
    return out_check(e);
}

static int say_pair(const struct sign *s, const char *prefix, const struct buf *cert,
    struct err *e)
{
    char *path AUTO_FREE = xasprintf("%s.crt", prefix);

    printf("%s %s.key: private key\n", verb(s), prefix);
    return say_cert(s, path, cert, e);
}

/* --- the subcommands ---------------------------------------------------------------------- */

static int run_init(struct sign *s, struct err *e)
{
    struct buf cert AUTO_BUF = BUF_INIT;
    char *dir AUTO_FREE = xasprintf("%s/ca", s->state);
    struct stat st;

    if (s->dry) {
        if (lstat(s->cert_path, &st) == 0)
            return err_set(e, FC_CONFLICT, "%s: exists already", s->cert_path);
        printf("%s %s: private key\n%s %s: certificate of the authority\n", verb(s), s->key_path,
            verb(s), s->cert_path);
        return out_check(e);
    }
    if (s->own_folder && dir_make(dir, 0700, e) < 0)
        return -1;
    if (ca_init(s->key_path, s->cert_path, s->cn ? s->cn : "Flight Control CA",
            s->days ? s->days : CA_DAYS, e) < 0 ||
        file_read(s->cert_path, CSR_MAX, &cert, e) < 0)
        return -1;
    printf("%s %s: private key\n", verb(s), s->key_path);
    return say_cert(s, s->cert_path, &cert, e);
}

static const struct column show_columns[] = {
    {"SUBJECT", "subject", COL_TEXT, false},
    {"VALID UNTIL", "notAfter", COL_TEXT, false},
    {"KEY ID", "subjectKeyIdentifier", COL_TEXT, false},
    {"SINCE", "notBefore", COL_TEXT, true},
    {"SHA-256", "sha256", COL_TEXT, true},
    {"FILE", "file", COL_TEXT, true},
    {0},
};

static int run_show(struct sign *s, struct err *e)
{
    struct buf pem AUTO_BUF = BUF_INIT;
    jv doc AUTO_JV = jv_object();
    struct printer *p;
    struct cert_detail d;
    struct err ignored;
    char from[TIME_LEN], until[TIME_LEN];
    int rc;

    if (file_read(s->cert_path, CSR_MAX, &pem, e) < 0)
        return -1;
    if (cert_detail(pem.p, pem.len, &d, e) < 0)
        return err_wrap(e, "%s", s->cert_path);
    time_format(d.info.not_before, from);
    time_format(d.info.not_after, until);
    json_sets(&doc, "subject", d.info.cn);
    json_sets(&doc, "serial", d.info.serial);
    json_sets(&doc, "notBefore", from);
    json_sets(&doc, "notAfter", until);
    json_sets(&doc, "subjectKeyIdentifier", d.ski);
    json_sets(&doc, "sha256", d.sha256);
    json_sets(&doc, "file", s->cert_path);
    json_set(&doc, "ca", d.is_ca ? jv_true() : jv_false());
    if (printer_open(&p, stdout, s->format, s->filter, e) < 0)
        return -1;
    printer_columns(p, show_columns, NULL);
    rc = printer_put(p, d.info.cn, doc, e);
    return printer_close(p, rc < 0 ? &ignored : e) < 0 ? -1 : rc;
}

static struct issue issue_of(const struct sign *s, const char *signer)
{
    return (struct issue){
        .signer = signer,
        .org = s->org,
        .seconds = (int64_t)s->days * 86400,
    };
}

/* Key and certificate as files, at -o or at their usual place. */
static int run_pair(struct sign *s, const struct issue *i, const char *dflt, struct err *e)
{
    char *prefix AUTO_FREE = s->out ? xstrdup(s->out) : xasprintf("%s/%s", s->state, dflt);
    struct buf cert AUTO_BUF = BUF_INIT;
    struct ca *ca;
    int rc;

    if (ca_open(&ca, s->key_path, s->cert_path, e) < 0)
        return -1;
    rc = !s->out && !s->dry ? dir_make(s->state, 0700, e) : 0;
    if (!rc)
        rc = issue_files(ca, i, prefix, s->force, s->dry, &cert, e);
    ca_close(ca);
    return rc < 0 ? -1 : say_pair(s, prefix, &cert, e);
}

static int run_server(struct sign *s, struct err *e)
{
    struct issue i = issue_of(s, SIGNER_SERVER);

    if (!s->o.argc)
        opt_usage(&s->o, "a DNS name or an IP address is missing");
    i.names = (const char *const *)s->o.argv; /* ends with NULL as argv does */
    return run_pair(s, &i, "server", e);
}

static int config_out(const struct sign *s, const struct buf *text, const struct buf *cert,
    struct err *e)
{
    int (*write_file)(const char *, const void *, size_t, mode_t, struct err *) =
        s->force ? file_write : file_create;
    struct stat st;

    if (!s->out)
        return s->dry ? 0 : fd_write(STDOUT_FILENO, text->p, text->len, "standard output", e);
    if (s->dry && !s->force && lstat(s->out, &st) == 0)
        return err_set(e, FC_CONFLICT, "%s: exists already", s->out);
    if (!s->dry && write_file(s->out, text->p, text->len, 0600, e) < 0)
        return -1;
    return say_cert(s, s->out, cert, e);
}

static int run_config(struct sign *s, const struct issue *i, struct err *e)
{
    struct buf key = BUF_INIT, text = BUF_INIT, cert AUTO_BUF = BUF_INIT, trust AUTO_BUF = BUF_INIT;
    const char *trust_path = s->server_ca ? s->server_ca : s->cert_path;
    struct trust *t = NULL;
    struct ca *ca;
    int rc;

    if (ca_open(&ca, s->key_path, s->cert_path, e) < 0)
        return -1;
    rc = file_read(trust_path, BUNDLE_MAX, &trust, e);
    if (!rc && (rc = trust_open(&t, trust.p, trust.len, e)) < 0)
        err_wrap(e, "%s", trust_path);
    trust_close(t);
    if (!rc)
        rc = issue_pair(ca, i, &key, &cert, e);
    if (!rc)
        rc = bootstrap_config(s->server, &trust, &cert, &key, &text, e);
    if (!rc)
        rc = config_out(s, &text, &cert, e);
    buf_wipe(&key);
    buf_wipe(&text);
    ca_close(ca);
    return rc;
}

static int run_enrollment(struct sign *s, struct err *e)
{
    struct issue i = issue_of(s, SIGNER_ENROLLMENT);
    char *dflt AUTO_FREE = NULL;

    if (s->o.argc)
        opt_usage(&s->o, "unexpected operand \"%s\"", s->o.argv[0]);
    if (s->server_ca && !s->server)
        opt_usage(&s->o, "--server-ca goes with --server");
    if (s->name && (!*s->name || strchr(s->name, '/')))
        return err_set(e, FC_INVALID, "--name: must not be empty or have a /");
    i.cn = s->name ? s->name : "";
    if (s->server)
        return run_config(s, &i, e);
    dflt = xasprintf("enrollment%s%s", s->name ? "-" : "", s->name ? s->name : "");
    return run_pair(s, &i, dflt, e);
}

static int run_admin(struct sign *s, struct err *e)
{
    struct issue i = issue_of(s, SIGNER_ADMIN);
    char *dflt AUTO_FREE = NULL;

    if (s->o.argc != 1)
        opt_usage(&s->o, "one name is wanted");
    i.cn = s->o.argv[0];
    if (!s->out && strchr(i.cn, '/'))
        return err_set(e, FC_INVALID, "\"%s\" names no file: say where with -o", i.cn);
    dflt = xasprintf("admin-%s", i.cn);
    return run_pair(s, &i, dflt, e);
}

static int run_csr(struct sign *s, struct err *e)
{
    const char *signer = signer_find(s->signer ? s->signer : "device");
    struct issue i = issue_of(s, signer);
    struct buf csr AUTO_BUF = BUF_INIT, cert AUTO_BUF = BUF_INIT;
    struct ca *ca;
    int rc;

    if (s->o.argc != 1)
        opt_usage(&s->o, "one file is wanted");
    if (!signer)
        opt_usage(&s->o, "--signer: \"%s\" is none of device, renewal, enrollment, admin, server",
            s->signer);
    if (s->nnames && strcmp(signer, SIGNER_SERVER))
        opt_usage(&s->o, "--name goes with --signer server");
    i.cn = s->cn;
    i.names = s->nnames ? s->names : NULL;
    if (file_read(s->o.argv[0], CSR_MAX, &csr, e) < 0 ||
        ca_open(&ca, s->key_path, s->cert_path, e) < 0)
        return -1;
    rc = issue_csr(ca, csr.p ? csr.p : "", csr.len, &i, &cert, e);
    ca_close(ca);
    if (rc < 0)
        return err_wrap(e, "%s", strcmp(s->o.argv[0], "-") ? s->o.argv[0] : "(stdin)");
    if (s->dry)
        return say_cert(s, "(stdout)", &cert, e);
    return fd_write(STDOUT_FILENO, cert.p, cert.len, "standard output", e);
}

static int run(struct sign *s, struct err *e)
{
    static int (*const table[])(struct sign *, struct err *) = {
        [CA_INIT] = run_init, [CA_SHOW] = run_show, [SERVER] = run_server,
        [ENROLLMENT] = run_enrollment, [ADMIN] = run_admin, [CSR] = run_csr,
    };
    ptrdiff_t i = s->o.sub - subs;

    if ((i == CA_INIT || i == CA_SHOW) && s->o.argc)
        opt_usage(&s->o, "unexpected operand \"%s\"", s->o.argv[0]);
    return conf_read(s, e) < 0 ? -1 : table[i](s, e);
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
    free(s.key_path);
    free(s.cert_path);
    conf_free(s.conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
