/* SPDX-License-Identifier: Apache-2.0 */
#include "net/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct client {
    CURL *h;
    CURLU *base;
    char *host_header; /* "Host: ..." when tls_name stands in the URL, or NULL */
    struct curl_slist *connect_to;
    char *server;      /* for messages */
    char why[CURL_ERROR_SIZE];
};

/* Where the answer goes, and how much of it may come. */
struct sink {
    struct buf *body;
    size_t max, head;
    size_t passed; /* the limit that was too little; 0: none */
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct sink *s = arg;

    n *= size;
    if (n > s->max - s->body->len) {
        s->passed = s->max;
        return 0;
    }
    buf_add(s->body, p, n);
    return n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct sink *s = arg;

    (void)p;
    n *= size;
    if (n > CLIENT_HEAD_MAX - s->head) {
        s->passed = CLIENT_HEAD_MAX;
        return 0;
    }
    s->head += n;
    return n;
}

/* A part of the base URL; NULL when it has none. The caller frees with curl_free. */
static char *url_part(CURLU *u, CURLUPart part)
{
    char *s = NULL;

    return curl_url_get(u, part, &s, 0) == CURLUE_OK ? s : NULL;
}

static int bad_url(const char *server, const char *why, struct err *e)
{
    return err_set(e, FC_INVALID, "server %s: %s", server, why);
}

/* The certificate is checked against the host of the URL. With a name of its own, that name goes
 * into the URL, the connection to the real host, and so does the Host header. */
static int rename_host(struct client *c, const char *name, struct err *e)
{
    char *host = url_part(c->base, CURLUPART_HOST), *port = url_part(c->base, CURLUPART_PORT);
    const char *colon = port ? ":" : "", *number = port ? port : "";
    char to[1024];
    int rc = 0;

    snprintf(to, sizeof to, "%s:%s:%s:%s", name, number, host ? host : "", number);
    c->connect_to = curl_slist_append(NULL, to);
    c->host_header = xasprintf("Host: %s%s%s", host ? host : "", colon, number);
    if (!c->connect_to)
        die("out of memory");
    if (curl_url_set(c->base, CURLUPART_HOST, name, 0) != CURLUE_OK)
        rc = err_set(e, FC_INVALID, "tls-server-name %s: not a host name", name);
    curl_free(host);
    curl_free(port);
    return rc;
}

static int parse_server(struct client *c, const struct client_conf *conf, struct err *e)
{
    static const CURLUPart none[] = {
        CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT,
    };
    char *scheme;
    bool https;
    size_t i;

    c->base = curl_url();
    if (!c->base)
        die("out of memory");
    if (curl_url_set(c->base, CURLUPART_URL, conf->server, 0) != CURLUE_OK)
        return bad_url(conf->server, "not a URL", e);
    scheme = url_part(c->base, CURLUPART_SCHEME);
    https = scheme && strcmp(scheme, "https") == 0;
    curl_free(scheme);
    if (!https)
        return bad_url(conf->server, "must begin with https://", e);
    for (i = 0; i < LEN(none); i++) {
        char *part = url_part(c->base, none[i]);

        if (part) {
            curl_free(part);
            return bad_url(conf->server, "must be https://HOST[:PORT][/PATH] and no more", e);
        }
    }
    if (conf->tls_name && *conf->tls_name)
        return rename_host(c, conf->tls_name, e);
    return 0;
}

static void set(CURLcode rc)
{
    if (rc != CURLE_OK)
        die("libcurl: %s", curl_easy_strerror(rc));
}

static void set_blob(CURL *h, CURLoption opt, const char *p, size_t n)
{
    struct curl_blob blob = {(void *)(uintptr_t)p, n, CURL_BLOB_NOCOPY};

    set(curl_easy_setopt(h, opt, &blob));
}

static void set_tls(CURL *h, const struct client_conf *conf)
{
    set(curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3));
    set(curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L));
    set(curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L));
    set(curl_easy_setopt(h, CURLOPT_CAPATH, NULL)); /* else the system's folder is searched too */
    set_blob(h, CURLOPT_CAINFO_BLOB, conf->ca, conf->ca_len);
    if (!conf->cert)
        return;
    set_blob(h, CURLOPT_SSLCERT_BLOB, conf->cert, conf->cert_len);
    set_blob(h, CURLOPT_SSLKEY_BLOB, conf->key, conf->key_len);
}

int client_open(struct client **out, const struct client_conf *conf, struct err *e)
{
    struct client *c;

    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, FC_FAIL, "cannot start libcurl");
    c = xcalloc(1, sizeof *c);
    c->server = xstrdup(conf->server);
    c->h = curl_easy_init();
    if (!c->h)
        die("out of memory");
    if (parse_server(c, conf, e) < 0) {
        client_close(c);
        return -1;
    }
    set(curl_easy_setopt(c->h, CURLOPT_PROTOCOLS_STR, "https"));
    set(curl_easy_setopt(c->h, CURLOPT_FOLLOWLOCATION, 0L));
    set(curl_easy_setopt(c->h, CURLOPT_NOSIGNAL, 1L));
    set(curl_easy_setopt(c->h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    set(curl_easy_setopt(c->h, CURLOPT_CONNECTTIMEOUT, (long)CLIENT_CONNECT_S));
    set(curl_easy_setopt(c->h, CURLOPT_ERRORBUFFER, c->why));
    set(curl_easy_setopt(c->h, CURLOPT_USERAGENT, conf->agent));
    set(curl_easy_setopt(c->h, CURLOPT_WRITEFUNCTION, on_body));
    set(curl_easy_setopt(c->h, CURLOPT_HEADERFUNCTION, on_header));
    if (c->connect_to)
        set(curl_easy_setopt(c->h, CURLOPT_CONNECT_TO, c->connect_to));
    set_tls(c->h, conf);
    *out = c;
    return 0;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->h);
    curl_url_cleanup(c->base);
    curl_slist_free_all(c->connect_to);
    free(c->host_header);
    free(c->server);
    free(c);
    curl_global_cleanup();
}

static struct curl_slist *append(struct curl_slist *l, const char *s)
{
    struct curl_slist *n = curl_slist_append(l, s);

    if (!n)
        die("out of memory");
    return n;
}

static struct curl_slist *headers(const struct client *c, const struct client_request *q)
{
    struct curl_slist *l = append(NULL, "Accept: application/json");
    char type[160];
    size_t i;

    if (c->host_header)
        l = append(l, c->host_header);
    if (q->body) {
        snprintf(type, sizeof type, "Content-Type: %s", q->type ? q->type : "application/json");
        l = append(l, type);
        l = append(l, "Expect:"); /* no round trip before a small body */
    }
    for (i = 0; q->headers && q->headers[i]; i++)
        l = append(l, q->headers[i]);
    return l;
}

/* The numbers of X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED, as libcurl hands them out. */
enum { NOT_YET_VALID = 9, HAS_EXPIRED = 10 };

static int explain(struct client *c, CURLcode rc, const struct sink *s, struct err *e)
{
    const char *why = c->why[0] ? c->why : curl_easy_strerror(rc);
    long verify = 0;

    if (s->passed)
        return err_set(e, FC_INVALID, "%s: the answer is larger than %zu bytes", c->server,
            s->passed);
    curl_easy_getinfo(c->h, CURLINFO_SSL_VERIFYRESULT, &verify);
    if (rc == CURLE_PEER_FAILED_VERIFICATION && verify == NOT_YET_VALID)
        return err_set(e, FC_DENIED, "%s: the server's certificate is not valid yet: is this "
            "machine's clock right?", c->server);
    if (rc == CURLE_PEER_FAILED_VERIFICATION && verify == HAS_EXPIRED)
        return err_set(e, FC_DENIED, "%s: the server's certificate has expired, or this machine's "
            "clock is wrong", c->server);
    /* A server that refuses a client certificate says so by an alert, under TLS 1.3 only after
     * the handshake. */
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CERTPROBLEM ||
        rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_SSL_ISSUER_ERROR ||
        ((rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_RECV_ERROR) && strstr(why, "alert")))
        return err_set(e, FC_DENIED, "%s: %s", c->server, why);
    return err_set(e, FC_AGAIN, "%s: %s", c->server, why);
}

/* The URL's own path, which is "/" when it has none, then the request's. */
static char *full_url(struct client *c, const struct client_request *q)
{
    char *base = url_part(c->base, CURLUPART_URL), *url;
    size_t n;

    if (!base)
        die("out of memory");
    n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    url = xasprintf("%.*s%s", (int)n, base, q->path);
    curl_free(base);
    return url;
}

int client_send(struct client *c, const struct client_request *q, struct client_response *r,
    struct err *e)
{
    struct sink sink = {.body = &r->body, .max = q->max ? q->max : CLIENT_BODY_MAX};
    char *url AUTO_FREE = full_url(c, q), *type = NULL;
    struct curl_slist *list = headers(c, q);
    long status = 0, timeout = q->timeout ? q->timeout : CLIENT_TIMEOUT_S;
    curl_off_t after = 0;
    CURLcode rc;

    memset(r, 0, sizeof *r);
    c->why[0] = '\0';
    set(curl_easy_setopt(c->h, CURLOPT_URL, url));
    set(curl_easy_setopt(c->h, CURLOPT_HTTPHEADER, list));
    set(curl_easy_setopt(c->h, CURLOPT_WRITEDATA, &sink));
    set(curl_easy_setopt(c->h, CURLOPT_HEADERDATA, &sink));
    set(curl_easy_setopt(c->h, CURLOPT_TIMEOUT, timeout));
    set(curl_easy_setopt(c->h, CURLOPT_HTTPGET, 1L));
    if (q->body) {
        set(curl_easy_setopt(c->h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len));
        set(curl_easy_setopt(c->h, CURLOPT_POSTFIELDS, q->body));
    }
    set(curl_easy_setopt(c->h, CURLOPT_CUSTOMREQUEST, q->method));
    rc = curl_easy_perform(c->h);
    set(curl_easy_setopt(c->h, CURLOPT_HTTPHEADER, NULL));
    curl_slist_free_all(list);
    if (rc != CURLE_OK)
        return explain(c, rc, &sink, e);
    curl_easy_getinfo(c->h, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->h, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(c->h, CURLINFO_RETRY_AFTER, &after);
    r->status = (int)status;
    r->retry_after = after > 0 && after < 86400 ? (int)after : 0;
    snprintf(r->type, sizeof r->type, "%s", type ? type : "");
    return 0;
}
