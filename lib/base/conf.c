/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    CONF_MAX = 1 << 20, /* bytes of a configuration file */
};

const struct conf_key conf_keys[] = {
    {"", "state", "FC_STATE", NULL, NULL,
        "folder of the store, the CA and what else commands keep (default: /var/lib/fc for root, "
        "else ~/.local/share/fc)"},
    {"", "store", "FC_STORE", NULL, NULL,
        "the store: sqlite:PATH, postgres://... or an API, https://HOST (default: fc.db in the state "
        "folder)"},
    {"", "store-read", "FC_STORE_READ", NULL, NULL,
        "replica of a PostgreSQL store, for lists and counts"},
    {"", "store-listen", "FC_STORE_LISTEN", NULL, NULL,
        "direct URL of a PostgreSQL store behind a pooler, to hear of changes"},
    {"", "org", "FC_ORG", NULL, NULL, "organization that commands act on"},
    {"api", "trusted-header", NULL, NULL, NULL,
        "name of the header that carries a client certificate from a web server in front"},
    {"api", "trusted-uid", NULL, NULL, NULL,
        "user ids, separated by commas, whose connections on a Unix socket may send it"},
    {"api", "trusted-address", NULL, NULL, NULL,
        "addresses, separated by commas, whose connections may send it"},
    {"api", "ca-file", NULL, "STATE/ca/ca.crt", NULL,
        "certificates that client certificates must chain to"},
    {"api", "agent-url", NULL, NULL, NULL,
        "where agents reach the API, for their configuration (default: where the caller does)"},
    {"api", "agent-ca-file", NULL, NULL, NULL,
        "certificates that agents check the server's with (default: ca-file)"},
    {"api", "ui-url", NULL, NULL, NULL,
        "where people approve enrollments, for agents to show (default: agent-url)"},
    {"api", "certificate-file", NULL, NULL, NULL,
        "certificate of the server (default: server.crt in the state folder)"},
    {"api", "key-file", NULL, NULL, NULL,
        "its private key (default: server.key in the state folder)"},
    {"api", "authorizer", NULL, NULL, NULL,
        "URL (https) of a SpiceDB server that says what people may (default: the table of roles)"},
    {"api", "authorizer-token-file", NULL, NULL, NULL,
        "file that holds the token for it"},
    {"api", "authorizer-ca-file", NULL, NULL, NULL,
        "certificates that its own must chain to"},
    {"api", "authorizer-timeout", NULL, "2", NULL,
        "seconds to wait for its answer at most; then nobody may anything"},
    {"api", "authorizer-keep", NULL, "5", NULL,
        "seconds that its answers are kept, at most 300"},
    {"api", "idle", NULL, NULL, NULL,
        "seconds without a connection after which the server ends (default: never)"},
    {"api", "jobs", NULL, "1", NULL, "processes that serve"},
    {"api", "identity-rate", NULL, NULL, NULL,
        "requests of one identity: NUMBER/DURATION, such as 300/1m (default: no limit)"},
    {"api", "address-rate", NULL, NULL, NULL,
        "requests from one address, recognized or not (default: no limit)"},
    {"api", "auth-rate", NULL, NULL, NULL,
        "checks of a token from one address, such as 20/1h (default: no limit)"},
    {"api", "rate-file", NULL, "STATE/rates", NULL,
        "where the processes of a host count these"},
    {"api", "address-connections", NULL, NULL, NULL,
        "connections from one address to a process (default: no limit)"},
    {"api", "remote-user", NULL, "no", "yes|no",
        "whether a web server that starts fc-api (CGI) says by REMOTE_USER who calls"},
    {"api", "remote-groups", NULL, NULL, NULL,
        "the CGI variable in which it says their groups, separated by commas"},
    {"api", "seen-file", NULL, "STATE/seen", NULL,
        "where the processes of a host keep when they noted that a device was seen"},
    {"api", "verified-file", NULL, "STATE/verified", NULL,
        "where the processes of a host keep which certificates they have verified"},
    {"auth", "ca-file", NULL, NULL, NULL,
        "certificates that issuers of tokens must chain to (default: those that the system trusts)"},
    {"auth", "clock-skew", NULL, "60", NULL,
        "seconds by which an issuer's clock may differ from this one"},
    {"ca", "key-file", NULL, NULL, NULL,
        "private key of the CA (default: ca/ca.key in the state folder)"},
    {"ca", "certificate-file", NULL, NULL, NULL,
        "its certificate (default: ca/ca.crt in the state folder)"},
    {"client", "ca-file", NULL, NULL, NULL,
        "certificates that an API's must chain to (default: those that the system trusts)"},
    {"client", "certificate-file", NULL, NULL, NULL,
        "client certificate that commands show to an API"},
    {"client", "key-file", NULL, NULL, NULL, "its private key"},
    {"client", "patience", NULL, "30", NULL,
        "seconds for which an API is asked again that is busy or breaks off"},
    {"client", "server-name", NULL, NULL, NULL,
        "name in the API's certificate (default: the host of the URL)"},
    {"client", "timeout", NULL, "60", NULL, "seconds for one request to an API"},
    {"client", "token-file", NULL, NULL, NULL, "bearer token that commands show to an API"},
    {"history", "keep", NULL, "100", NULL, "revisions kept of each resource, 0 for all"},
    {"history", "age", NULL, NULL, NULL,
        "how long outdated revisions are kept, such as 90d (default: without end)"},
    {"gc", "templates", NULL, "10", NULL,
        "newest template versions of a fleet that are kept even if nothing uses them"},
    {"gc", "dead-tasks", NULL, "30d", NULL, "how long dead letters of the queue are kept"},
    {"tokens", "key-file", NULL, NULL, NULL,
        "key that fc-sign signs tokens with (default: ca/token.key in the state folder)"},
    {"tokens", "lifetime", NULL, "30d", NULL, "how long a token is valid unless --for says so"},
    {"tokens", "lifetime-max", NULL, "365d", NULL, "how long one can be valid at most"},
    {"secrets", "key-file", NULL, NULL, NULL,
        "keys that secrets are sealed with at rest (default: the systemd credential fc-secret-key, "
        "else secret.key in the state folder)"},
    {"events", "age", NULL, "30d", NULL, "how long events are kept: a number with s, m, h, d or w"},
    {"events", "keep", NULL, "0", NULL,
        "how many of the newest events are kept at most; 0: all"},
};
const unsigned conf_nkeys = LEN(conf_keys);

struct conf {
    char *value[LEN(conf_keys)]; /* NULL: not set anywhere, and no default */
    char *state;
};

static int find(const char *section, const char *key)
{
    size_t i;

    for (i = 0; i < LEN(conf_keys); i++)
        if (!strcmp(conf_keys[i].section, section) && !strcmp(conf_keys[i].key, key))
            return (int)i;
    return -1;
}

static bool known_section(const char *section)
{
    size_t i;

    for (i = 0; i < LEN(conf_keys); i++)
        if (!strcmp(conf_keys[i].section, section))
            return true;
    return false;
}

/* Is value one of "a|b|c"? */
static bool listed(const char *list, const char *value)
{
    size_t n = strlen(value), k;

    for (;; list += k + 1) {
        k = strcspn(list, "|");
        if (k == n && !strncmp(list, value, n))
            return true;
        if (!list[k])
            return false;
    }
}

/* what says where the value comes from. */
static int set(struct conf *c, int i, const char *value, const char *what, struct err *e)
{
    const struct conf_key *k = &conf_keys[i];

    if (!*value)
        return err_set(e, FC_INVALID, "%s: %s has no value", what, k->key);
    if (k->values && !listed(k->values, value))
        return err_set(e, FC_INVALID, "%s: %s must be one of %s", what, k->key, k->values);
    free(c->value[i]);
    c->value[i] = xstrdup(value);
    return 0;
}

/* Without the blanks around it; changes s. */
static char *trim(char *s)
{
    size_t n;

    s += strspn(s, " \t\r");
    n = strlen(s);
    while (n && strchr(" \t\r", s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}

struct place {
    const char *path;
    unsigned line;
    char *section;
    bool seen[LEN(conf_keys)];
};

static int read_line(struct conf *c, struct place *p, char *line, struct err *e)
{
    char *where AUTO_FREE = xasprintf("%s:%u", p->path, p->line);
    char *eq, *key;
    int i;

    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    if (*line == '[') {
        size_t n = strlen(line);

        if (line[n - 1] != ']')
            return err_set(e, FC_INVALID, "%s: expected [section]", where);
        line[n - 1] = '\0';
        p->section = trim(line + 1);
        return *p->section && known_section(p->section) ? 0 :
            err_set(e, FC_INVALID, "%s: unknown section [%s]", where, p->section);
    }
    eq = strchr(line, '=');
    if (!eq)
        return err_set(e, FC_INVALID, "%s: expected key = value", where);
    *eq = '\0';
    key = trim(line);
    i = find(p->section, key);
    if (i < 0)
        return err_set(e, FC_INVALID, "%s: unknown key \"%s\"%s%s%s", where, key,
            *p->section ? " in [" : "", p->section, *p->section ? "]" : "");
    if (p->seen[i])
        return err_set(e, FC_INVALID, "%s: %s is set twice", where, key);
    p->seen[i] = true;
    return set(c, i, trim(eq + 1), where, e);
}

static int read_file(struct conf *c, const char *path, bool must, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct place p = {.path = path, .section = (char[]){""}};
    char *line, *rest;
    struct err why;

    if (!must && access(path, F_OK) < 0)
        return 0;
    if (file_read(path, CONF_MAX, &b, &why) < 0)
        return err_set(e, why.code, "%s", why.msg);
    if (!b.len)
        return 0;
    if (memchr(b.p, '\0', b.len) || !utf8_valid(b.p, b.len))
        return err_set(e, FC_INVALID, "%s: not a text file", path);
    for (rest = b.p; (line = strsep(&rest, "\n")) != NULL; ) {
        p.line++;
        if (read_line(c, &p, line, e) < 0)
            return -1;
    }
    return 0;
}

static const char *env(const char *name)
{
    const char *s = name ? getenv(name) : NULL;

    return s && *s ? s : NULL;
}

/* $xdg/fc or ~/dir/fc, for the caller to free; NULL for who has no home. */
static char *home_path(const char *xdg, const char *dir)
{
    const char *base = env(xdg), *home = env("HOME");
    struct passwd *pw;

    if (base && *base == '/')
        return xasprintf("%s/fc", base);
    if (!home && (pw = getpwuid(geteuid())) != NULL)
        home = pw->pw_dir;
    return home ? xasprintf("%s/%s/fc", home, dir) : NULL;
}

static int read_files(struct conf *c, const char *file, struct err *e)
{
    char *dir AUTO_FREE = NULL, *path AUTO_FREE = NULL;

    if (!file)
        file = env("FC_CONF");
    if (file)
        return read_file(c, file, true, e);
    if (read_file(c, "/etc/fc/fc.conf", false, e) < 0)
        return -1;
    dir = home_path("XDG_CONFIG_HOME", ".config");
    if (!dir)
        return 0;
    path = xasprintf("%s/fc.conf", dir);
    return read_file(c, path, false, e);
}

static void set_state(struct conf *c)
{
    const char *state = conf_get(c, "", "state");

    if (state)
        c->state = xstrdup(state);
    else if (geteuid() != 0)
        c->state = home_path("XDG_DATA_HOME", ".local/share");
    if (!c->state)
        c->state = xstrdup("/var/lib/fc");
}

static void set_defaults(struct conf *c)
{
    size_t i;

    for (i = 0; i < LEN(conf_keys); i++) {
        const char *d = conf_keys[i].dflt;

        if (c->value[i] || !d)
            continue;
        c->value[i] = strncmp(d, "STATE/", 6) ? xstrdup(d) : xasprintf("%s%s", c->state, d + 5);
    }
}

int conf_load(struct conf **out, const char *file, struct err *e)
{
    struct conf *c = xcalloc(1, sizeof *c);
    int rc = read_files(c, file, e);
    size_t i;

    for (i = 0; i < LEN(conf_keys) && !rc; i++)
        if (env(conf_keys[i].env))
            rc = set(c, (int)i, env(conf_keys[i].env), conf_keys[i].env, e);
    *out = NULL;
    if (rc < 0) {
        conf_free(c);
        return -1;
    }
    set_state(c);
    set_defaults(c);
    *out = c;
    return 0;
}

void conf_free(struct conf *c)
{
    size_t i;

    if (!c)
        return;
    for (i = 0; i < LEN(conf_keys); i++)
        free(c->value[i]);
    free(c->state);
    free(c);
}

const char *conf_get(const struct conf *c, const char *section, const char *key)
{
    int i = find(section, key);

    if (i < 0)
        die("no setting [%s] %s", section, key);
    return c->value[i];
}

const char *conf_state_dir(const struct conf *c)
{
    return c->state;
}
