/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/mem.h"
#include "place.h"

#define DROPINS_MAX 256 /* files in conf.d */

enum value { STRING, BOOL, MAP, LIST, DURATION, ANY };

/* Keys and their types; `idle` ones have no effect in this agent. */
struct key {
    const char *path;
    enum value type;
    bool idle;
};

#define SERVICE(prefix) \
    {prefix, MAP, false}, \
    {prefix ".service", MAP, false}, \
    {prefix ".service.server", STRING, false}, \
    {prefix ".service.tls-server-name", STRING, false}, \
    {prefix ".service.certificate-authority", STRING, false}, \
    {prefix ".service.certificate-authority-data", STRING, false}, \
    {prefix ".service.insecureSkipVerify", BOOL, false}, \
    {prefix ".authentication", MAP, false}, \
    {prefix ".authentication.client-certificate", STRING, false}, \
    {prefix ".authentication.client-certificate-data", STRING, false}, \
    {prefix ".authentication.client-key", STRING, false}, \
    {prefix ".authentication.client-key-data", STRING, false}

static const struct key keys[] = {
    SERVICE("enrollment-service"),
    {"enrollment-service.enrollment-ui-endpoint", STRING, false},
    SERVICE("management-service"),
    {"default-labels", MAP, false},
    {"label-from-systeminfo", MAP, false},
    {"tpm", MAP, false},
    {"tpm.enabled", BOOL, false},
    {"run-timeout", DURATION, false},
    {"liveness-interval", DURATION, false},
    {"drift-policy", STRING, false},
    {"remote-access-service", ANY, true},
    {"spec-fetch-interval", ANY, true},
    {"spec-fetch-error-base-delay", ANY, true},
    {"spec-fetch-error-max-delay", ANY, true},
    {"status-update-interval", ANY, true},
    {"status-update-jitter", ANY, true},
    {"enrollment-verify-interval", ANY, true},
    {"enrollment-verify-cap", ANY, true},
    {"enrollment-verify-steps", ANY, true},
    {"enrollment", ANY, true},
    {"audit", ANY, true},
    {"log-level", ANY, true},
    {"log-prefix", ANY, true},
    {"system-info", LIST, false},
    {"system-info-custom", LIST, false},
    {"system-info-timeout", DURATION, false},
    {"system-info-custom-interval", DURATION, false},
    {"system-info-periodic", ANY, true},
    {"pull-timeout", STRING, false},
    {"application-timeout", DURATION, false},
    {"application-ready-timeout", STRING, false},
    {"pull-retry-steps", ANY, true},
    {"metrics-enabled", ANY, true},
    {"profiling-enabled", ANY, true},
    {"image-pruning", MAP, false},
    {"image-pruning.enabled", BOOL, false},
};

/* Where the configuration is read from: below the agent's root, or, when a file was named, the
 * host. */
struct place {
    int root;
    const char *prefix; /* of the root, for messages */
    char dir[PATH_LEN]; /* folder of config.yaml: relative paths in it start there */
};

static int wrong(const char *source, const struct doc *d, const char *path, const char *what,
    struct err *e)
{
    return err_set(e, FC_INVALID, "%s:%d: %s: %s", source, doc_line(d, path), path, what);
}

/* A list of strings? */
static bool is_list(jv v)
{
    bool good = jv_get_kind(v) == JV_KIND_ARRAY;

    if (good)
        jv_array_foreach(v, i, item) {
            good &= jv_get_kind(item) == JV_KIND_STRING;
            jv_free(item);
        }
    return good;
}

/* HTTPS to a host, as the client takes it; the host and port are looked at when they are used. */
static int check_server(const char *source, const struct doc *d, const char *service,
    struct err *e)
{
    char *path AUTO_FREE = xasprintf("%s.service.server", service);
    const char *s = json_str(d->v, path);
    char *skip AUTO_FREE = xasprintf("%s.service.insecureSkipVerify", service);

    if (json_bool(d->v, skip, false))
        return wrong(source, d, skip, "servers are always verified", e);
    if (!s || !*s || (strncasecmp(s, "https://", 8) == 0 && s[8] && !s[strcspn(s, " \t\r\n@?#")]))
        return 0;
    return wrong(source, d, path, "must be https://HOST[:PORT][/PATH]", e);
}

static int check_type(const char *source, const struct doc *d, const struct key *k, struct err *e)
{
    jv v AUTO_JV = json_at(d->v, k->path);
    jv_kind kind = jv_get_kind(v);

    if (kind == JV_KIND_INVALID || kind == JV_KIND_NULL)
        return 0;
    if (k->idle)
        log_debug("%s:%d: %s: has no effect in this agent", source, doc_line(d, k->path), k->path);
    if (k->type == STRING && kind != JV_KIND_STRING)
        return wrong(source, d, k->path, "must be a string", e);
    if (k->type == BOOL && kind != JV_KIND_TRUE && kind != JV_KIND_FALSE)
        return wrong(source, d, k->path, "must be true or false", e);
    if (k->type == MAP && kind != JV_KIND_OBJECT)
        return wrong(source, d, k->path, "must be a map", e);
    if (k->type == DURATION && (kind != JV_KIND_STRING ||
        duration_parse(jv_string_value(v)) < INT64_C(1000000) ||
        duration_parse(jv_string_value(v)) > RUN_MAX * INT64_C(1000000)))
        return wrong(source, d, k->path, "must be a duration from 1s to 168h, such as 10m", e);
    if (k->type == LIST && !is_list(v))
        return wrong(source, d, k->path, "must be a list of strings", e);
    return 0;
}

static bool known(const char *path)
{
    size_t i;

    for (i = 0; i < LEN(keys); i++)
        if (strcmp(keys[i].path, path) == 0)
            return true;
    return false;
}

/* Says which keys mean nothing to anybody. Below a map of free keys everything is allowed. */
static void warn_unknown(const char *source, const struct doc *d, jv v, const char *prefix)
{
    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return;
    jv_object_foreach(v, name, value) {
        char *path AUTO_FREE = xasprintf("%s%s%s", prefix, *prefix ? "." : "",
            jv_string_value(name));

        if (!known(path))
            log_warn("%s:%d: %s: unknown key, ignored", source, doc_line(d, path), path);
        else if (strncmp(path, "enrollment-service", 18) == 0 ||
            strncmp(path, "management-service", 18) == 0 || strcmp(path, "image-pruning") == 0)
            warn_unknown(source, d, value, path);
        jv_free(name);
        jv_free(value);
    }
}

static int check_strings(const char *source, const struct doc *d, const char *key, struct err *e)
{
    jv map AUTO_JV = json_get(d->v, key);
    int rc = 0;

    if (jv_get_kind(map) != JV_KIND_OBJECT)
        return 0;
    jv_object_foreach(map, name, value) {
        if (rc == 0 && jv_get_kind(value) != JV_KIND_STRING) {
            char *path AUTO_FREE = xasprintf("%s.%s", key, jv_string_value(name));

            rc = wrong(source, d, path, "must be a string", e);
        }
        jv_free(name);
        jv_free(value);
    }
    return rc;
}

/* s of a duration that was checked. */
static int64_t duration_of(jv all, const char *key, int64_t otherwise)
{
    const char *v = json_str(all, key);

    return v ? duration_parse(v) / 1000000 : otherwise;
}

static int check(const char *source, const struct doc *d, struct err *e)
{
    const char *drift;
    size_t i;

    if (jv_get_kind(d->v) != JV_KIND_OBJECT)
        return err_set(e, FC_INVALID, "%s:%d: must be a map", source, d->line);
    for (i = 0; i < LEN(keys); i++)
        if (check_type(source, d, &keys[i], e) < 0)
            return -1;
    drift = json_str(d->v, "drift-policy");
    if (drift && strcmp(drift, "repair") != 0 && strcmp(drift, "report") != 0)
        return wrong(source, d, "drift-policy", "must be repair or report", e);
    if (check_strings(source, d, "default-labels", e) < 0 ||
        check_strings(source, d, "label-from-systeminfo", e) < 0)
        return -1;
    if (duration_of(d->v, "system-info-timeout", 0) > INFO_TIMEOUT)
        return wrong(source, d, "system-info-timeout", "at most 2m", e);
    if (check_server(source, d, "enrollment-service", e) < 0 ||
        check_server(source, d, "management-service", e) < 0)
        return -1;
    warn_unknown(source, d, d->v, "");
    return 0;
}

/* b's members over a's, maps within maps too. Consumes a, borrows b. */
static jv merge(jv a, jv b)
{
    if (jv_get_kind(a) != JV_KIND_OBJECT || jv_get_kind(b) != JV_KIND_OBJECT) {
        jv_free(a);
        return jv_copy(b);
    }
    jv_object_foreach(b, name, value) {
        jv old = jv_object_get(jv_copy(a), jv_copy(name));

        if (jv_get_kind(value) != JV_KIND_NULL)
            a = jv_object_set(a, jv_copy(name), merge(jv_copy(old), value));
        jv_free(old);
        jv_free(value);
        jv_free(name);
    }
    return a;
}

static int read_one(const struct place *p, const char *path, jv *all, struct err *e)
{
    char *source AUTO_FREE = xasprintf("%s%s", p->prefix, path);
    struct buf b AUTO_BUF = BUF_INIT;
    struct docs docs = {0};
    int rc;

    if (place_read_path(p->root, path, source, CONFIG_MAX, &b, e) < 0 ||
        docs_parse(source, b.p ? b.p : "", b.len, &docs, e) < 0)
        return -1;
    rc = docs.n == 1 ? check(source, &docs.doc[0], e) :
        err_set(e, FC_INVALID, "%s: more than one document", source);
    if (rc == 0)
        *all = merge(*all, docs.doc[0].v);
    docs_free(&docs);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_yaml(const char *name)
{
    const char *dot = strrchr(name, '.');

    return name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static void read_dropins(const struct place *p, jv *all)
{
    char *dir AUTO_FREE = xasprintf("%s/conf.d", p->dir);
    int fd = place_open(p->root, dir, O_RDONLY | O_DIRECTORY, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char *names[DROPINS_MAX];
    struct dirent *ent;
    size_t i, n = 0;

    if (!d) {
        if (errno != ENOENT)
            log_warn("%s: %s", dir, strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    while (n < DROPINS_MAX && (ent = readdir(d)))
        if (is_yaml(ent->d_name))
            names[n++] = xstrdup(ent->d_name);
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (i = 0; i < n; i++) {
        char *path AUTO_FREE = xasprintf("%s/%s", dir, names[i]);
        struct err e = {0};

        if (read_one(p, path, all, &e) < 0)
            log_warn("%s: passed over", e.msg);
        free(names[i]);
    }
}

/* --- from the merged document to settings ------------------------------------------------- */

/* What is in it is for the network half to read; a wrong file is said here, with its key. */
static int check_pem(const struct buf *b, const char *path, struct err *e)
{
    static const char mark[] = "-----BEGIN ";

    return b->len && memmem(b->p, b->len, mark, sizeof mark - 1) ? 0 :
        err_set(e, FC_INVALID, "%s: not PEM", path);
}

/* Bytes given inline as base64 (KEY-data) or by the file that KEY names. 1: neither. */
static int load_pem(const struct place *p, jv all, const char *path, struct buf *out,
    struct err *e)
{
    char *data_path AUTO_FREE = xasprintf("%s-data", path);
    const char *data = json_str(all, data_path), *file = json_str(all, path);
    char *full AUTO_FREE = NULL, *source AUTO_FREE = NULL;

    if (data && *data)
        return base64_decode(out, data, strlen(data)) < 0 ?
            err_set(e, FC_INVALID, "%s: not base64", data_path) : check_pem(out, data_path, e);
    if (!file || !*file)
        return 1;
    full = *file == '/' ? xstrdup(file) : xasprintf("%s/%s", p->dir, file);
    source = xasprintf("%s%s", p->prefix, full);
    if (place_read_path(p->root, full, source, CONFIG_MAX, out, e) < 0)
        return err_wrap(e, "%s", path);
    return check_pem(out, path, e);
}

static int load_service(const struct place *p, jv all, const char *name, struct service *s,
    struct err *e)
{
    char *server AUTO_FREE = xasprintf("%s.service.server", name);
    char *tls AUTO_FREE = xasprintf("%s.service.tls-server-name", name);
    char *ca AUTO_FREE = xasprintf("%s.service.certificate-authority", name);
    const char *v = json_str(all, server);
    int rc;

    if (!v || !*v)
        return err_set(e, FC_INVALID, "%s: missing", server);
    s->server = xstrdup(v);
    v = json_str(all, tls);
    s->tls_name = v && *v ? xstrdup(v) : NULL;
    rc = load_pem(p, all, ca, &s->ca, e);
    return rc > 0 ? err_set(e, FC_INVALID, "%s: missing, and no other is trusted", ca) : rc;
}

static int load_bootstrap(const struct place *p, jv all, struct settings *s, struct err *e)
{
    const char *section = "enrollment-service.authentication";
    int cert = load_pem(p, all, "enrollment-service.authentication.client-certificate", &s->cert,
        e);
    int key = cert < 0 ? -1 :
        load_pem(p, all, "enrollment-service.authentication.client-key", &s->key, e);

    if (cert < 0 || key < 0)
        return -1;
    return cert || key ? err_set(e, FC_INVALID, "%s: needs client-certificate and client-key",
        section) : 0;
}

static jv map_of(jv all, const char *key)
{
    jv v = json_get(all, key);

    if (jv_get_kind(v) == JV_KIND_OBJECT)
        return v;
    jv_free(v);
    return jv_object();
}

/* The same of one that was not: other agents take forms that this one does not. */
static int64_t duration_or(jv all, const char *key, int64_t min, int64_t otherwise)
{
    const char *v = json_str(all, key);
    int64_t us = v ? duration_parse(v) : otherwise * 1000000;

    if (us >= min * 1000000 && us <= RUN_MAX * INT64_C(1000000))
        return us / 1000000;
    log_warn("%s: must be a duration, such as 90s or 10m: ignored", key);
    return otherwise;
}

static int load_all(const struct place *p, jv all, enum settings_need need, struct settings *s,
    struct err *e)
{
    const char *ui = json_str(all, "enrollment-service.enrollment-ui-endpoint");
    const char *drift = json_str(all, "drift-policy");
    const char *management = json_has(all, "management-service.service.server") ?
        "management-service" : "enrollment-service";

    if (need != SETTINGS_LOCAL &&
        (load_service(p, all, "enrollment-service", &s->enrollment, e) < 0 ||
            load_service(p, all, management, &s->management, e) < 0 ||
            (need == SETTINGS_BOOTSTRAP && load_bootstrap(p, all, s, e) < 0)))
        return -1;
    s->pull_timeout = (int)duration_or(all, "pull-timeout", 1, PULL_TIMEOUT);
    s->app_timeout = (int)duration_of(all, "application-timeout", APP_TIMEOUT);
    s->app_ready = (int)duration_or(all, "application-ready-timeout", 0, APP_READY);
    s->prune = json_bool(all, "image-pruning.enabled", false);
    if (json_bool(all, "tpm.enabled", false))
        log_warn("tpm.enabled: this agent keeps its key in a file");
    s->ui = ui && *ui ? xstrdup(ui) : NULL;
    s->labels = map_of(all, "default-labels");
    s->info_labels = map_of(all, "label-from-systeminfo");
    s->timeout = (int)duration_of(all, "run-timeout", RUN_TIMEOUT);
    s->drift_report = drift && strcmp(drift, "report") == 0;
    s->liveness = duration_of(all, "liveness-interval", LIVENESS);
    s->info = json_get(all, "system-info");
    s->info_custom = json_get(all, "system-info-custom");
    s->info_timeout = duration_of(all, "system-info-timeout", INFO_TIMEOUT);
    s->info_interval = duration_of(all, "system-info-custom-interval", INFO_INTERVAL);
    return 0;
}

int settings_load(const struct agent *a, enum settings_need need, struct settings *s,
    struct err *e)
{
    const char *file = a->config ? a->config : AGENT_CONFIG, *slash = strrchr(file, '/');
    int host AUTO_CLOSE = -1;
    struct place p = {.root = a->root_fd, .prefix = a->config ? "" : a->root_path};
    jv all AUTO_JV = jv_object();

    memset(s, 0, sizeof *s);
    s->labels = s->info_labels = s->info = s->info_custom = jv_invalid();
    if (a->config) {
        host = place_root("/", e);
        if (host < 0)
            return -1;
        p.root = host;
    }
    snprintf(p.dir, sizeof p.dir, "%.*s", slash ? (int)(slash - file) : 0, file);
    if (read_one(&p, file, &all, e) < 0 && (need != SETTINGS_LOCAL || e->code != FC_NOTFOUND))
        return -1;
    read_dropins(&p, &all);
    if (load_all(&p, all, need, s, e) < 0)
        return err_wrap(e, "%s%s", p.prefix, file);
    return 0;
}

void settings_free(struct settings *s)
{
    struct service *const services[] = {&s->enrollment, &s->management};
    size_t i;

    for (i = 0; i < LEN(services); i++) {
        free(services[i]->server);
        free(services[i]->tls_name);
        buf_free(&services[i]->ca);
    }
    buf_free(&s->cert);
    if (s->key.p)
        explicit_bzero(s->key.p, s->key.len);
    buf_free(&s->key);
    free(s->ui);
    jv_free(s->labels);
    jv_free(s->info_labels);
    jv_free(s->info);
    jv_free(s->info_custom);
}
