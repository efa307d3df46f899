/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

enum {
    CREDENTIALS_MAX = 256 << 10, /* bytes of the file: a token has a few KiB */
    PORT_MAX = 65535,
};

static void wiped(char **s)
{
    if (*s)
        explicit_bzero(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

static void auto_wiped(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}
#define AUTO_WIPED __attribute__((cleanup(auto_wiped)))

void credential_free(struct credential *c)
{
    wiped(&c->token);
    wiped(&c->refresh);
    free(c->token_url);
    free(c->client_id);
    free(c->ca_file);
    *c = (struct credential){0};
}

char *credential_server(const char *url, struct err *e)
{
    const char *host = url + 8, *path, *port;
    struct buf b AUTO_BUF = BUF_INIT;
    int64_t number = 443;
    size_t n, i;

    if (strncasecmp(url, "https://", 8) != 0 || strpbrk(url, "@?# \t") || !*host) {
        err_set(e, FC_INVALID, "%s: must be https://HOST[:PORT][/PATH]", url);
        return NULL;
    }
    n = strcspn(host, "/");
    path = host + n;
    port = memchr(host, ']', n); /* of a numeric IPv6 address */
    port = memchr(port ? port : host, ':', n - (size_t)((port ? port : host) - host));
    if (port) {
        char *digits AUTO_FREE = xstrndup(port + 1, (size_t)(path - port - 1));

        if (num_parse(digits, 1, PORT_MAX, &number, "port", e) < 0) {
            err_wrap(e, "%s", url);
            e->code = FC_INVALID;
            return NULL;
        }
        n = (size_t)(port - host);
    }
    buf_adds(&b, "https://");
    for (i = 0; i < n; i++)
        buf_addc(&b, host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 32) : host[i]);
    buf_printf(&b, ":%lld", (long long)number);
    for (n = strlen(path); n && path[n - 1] == '/'; n--)
        ;
    buf_add(&b, path, n);
    return buf_steal(&b);
}

static char *place(const struct conf *conf, const char *name)
{
    return xasprintf("%s/%s", conf_state_dir(conf), name);
}

/* All of the file; an empty object when there is none. */
static int read_all(const char *path, jv *out, struct err *e)
{
    struct buf b AUTO_WIPED = BUF_INIT;
    struct stat st;

    *out = jv_invalid();
    if (stat(path, &st) < 0) {
        if (errno != ENOENT)
            return err_errno(e, "%s", path);
        *out = jv_object();
        return 0;
    }
    if (st.st_mode & 077)
        return err_set(e, FC_DENIED, "%s: tokens that others may read (mode %04o); chmod 600 %s",
            path, (unsigned)(st.st_mode & 07777), path);
    buf_reserve(&b, CREDENTIALS_MAX + 1); /* growing would leave copies in freed memory */
    if (file_read(path, CREDENTIALS_MAX, &b, e) < 0)
        return -1;
    if (json_parse(b.p, b.len, out, e) < 0)
        return err_wrap(e, "%s", path);
    if (jv_get_kind(*out) == JV_KIND_OBJECT)
        return 0;
    jv_free(*out);
    *out = jv_invalid();
    return err_set(e, FC_INVALID, "%s: must be an object", path);
}

static char *text(jv v, const char *key)
{
    const char *s = json_str(v, key);

    return s ? xstrdup(s) : NULL;
}

int credential_load(const struct conf *conf, const char *url, struct credential *out,
    struct err *e)
{
    char *path AUTO_FREE = place(conf, "credentials.json"), *server AUTO_FREE = NULL;
    jv all AUTO_JV = jv_invalid(), one AUTO_JV = jv_invalid();
    const char *until;

    *out = (struct credential){0};
    if (!(server = credential_server(url, e)) || read_all(path, &all, e) < 0)
        return -1;
    jv_free(one);
    one = json_get(all, server);
    if (!json_str(one, "token"))
        return 0;
    out->token = text(one, "token");
    out->refresh = text(one, "refreshToken");
    out->token_url = text(one, "tokenUrl");
    out->client_id = text(one, "clientId");
    out->ca_file = text(one, "caFile");
    until = json_str(one, "expires");
    if (until && time_parse(until, &out->expires) < 0) {
        credential_free(out);
        return err_set(e, FC_INVALID, "%s: %s: expires: not a time", path, server);
    }
    return 1;
}

int credential_lock(const struct conf *conf, struct err *e)
{
    char *path AUTO_FREE = place(conf, "credentials.lock");
    int fd, rc;

    if (dir_make(conf_state_dir(conf), 0700, e) < 0)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "%s", path);
    do
        rc = flock(fd, LOCK_EX);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return fd;
    err_errno(e, "%s", path);
    close(fd);
    return -1;
}

static jv to_json(const struct credential *c)
{
    jv v = jv_object();
    char until[TIME_LEN];

    json_sets(&v, "token", c->token);
    if (c->expires) {
        time_format(c->expires, until);
        json_sets(&v, "expires", until);
    }
    json_sets(&v, "refreshToken", c->refresh);
    json_sets(&v, "tokenUrl", c->token_url);
    json_sets(&v, "clientId", c->client_id);
    json_sets(&v, "caFile", c->ca_file);
    return v;
}

int credential_put(const struct conf *conf, const char *url, const struct credential *c,
    struct err *e)
{
    char *path AUTO_FREE = place(conf, "credentials.json"), *server AUTO_FREE = NULL;
    struct buf b AUTO_WIPED = BUF_INIT;
    jv all AUTO_JV = jv_invalid();

    if (!(server = credential_server(url, e)) || read_all(path, &all, e) < 0)
        return -1;
    if (c)
        json_set(&all, server, to_json(c));
    else
        json_del(&all, server);
    buf_reserve(&b, CREDENTIALS_MAX);
    json_pretty(&b, all);
    return file_write(path, b.p, b.len, 0600, e);
}

int credential_store(const struct conf *conf, const char *url, const struct credential *c,
    struct err *e)
{
    int fd AUTO_CLOSE = credential_lock(conf, e);

    return fd < 0 ? -1 : credential_put(conf, url, c, e);
}

int credential_list(const struct conf *conf, jv *out, struct err *e)
{
    char *path AUTO_FREE = place(conf, "credentials.json");
    jv all AUTO_JV = jv_invalid();

    *out = jv_invalid();
    if (read_all(path, &all, e) < 0)
        return -1;
    *out = jv_object();
    jv_object_foreach(all, server, one) {
        jv v = jv_object();

        json_sets(&v, "expires", json_str(one, "expires"));
        json_set(&v, "refreshes", json_has(one, "refreshToken") ? jv_true() : jv_false());
        json_set(out, jv_string_value(server), v);
        jv_free(server);
        jv_free(one);
    }
    return 0;
}
