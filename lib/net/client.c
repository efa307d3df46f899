/* SPDX-License-Identifier: Apache-2.0 */
#include "net/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct client {
    struct client_conf conf;
    CURLU *base;
    char *host_header; /* "Host: ..." when tls_name stands in the URL, or NULL */
    struct curl_slist *connect_to;
    char *server;      /* for messages */
    struct transfer *one; /* of client_send */
};

/* A request on its way: a handle, which keeps its connection, and where the answer goes. */
struct transfer {
    const struct client *c;
    CURL *h;
    struct curl_slist *headers;
    struct client_response *r;
    struct client_response own;  /* of client_many */
    bool as;                     /* has the certificate of one request */
    size_t max, head, id;
    size_t passed; /* the limit that was too little; 0: none */
    char why[CURL_ERROR_SIZE];
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    n *= size;
    if (n > t->max - t->r->body.len) {
        t->passed = t->max;
        return 0;
    }
    buf_add(&t->r->body, p, n);
    return n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    (void)p;
    n *= size;
    if (n > CLIENT_HEAD_MAX - t->head) {
        t->passed = CLIENT_HEAD_MAX;
        return 0;
    }
    t->head += n;
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

static void set_cert(CURL *h, const struct client_conf *conf)
{
    set_blob(h, CURLOPT_SSLCERT_BLOB, conf->cert, conf->cert_len);
    set_blob(h, CURLOPT_SSLKEY_BLOB, conf->key, conf->key_len);
}

static void set_tls(CURL *h, const struct client_conf *conf)
{
    set(curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3));
    set(curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L));
    set(curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L));
    if (conf->ca) {
        set(curl_easy_setopt(h, CURLOPT_CAPATH, NULL)); /* else the system's is searched, too */
        set_blob(h, CURLOPT_CAINFO_BLOB, conf->ca, conf->ca_len);
    }
    if (conf->cert)
        set_cert(h, conf);
}

/* What another identity asks for goes by no connection and no session of the client's. */
static void set_identity(struct transfer *t, const struct client_conf *as)
{
    if (!as && !t->as)
        return;
    t->as = as != NULL;
    set(curl_easy_setopt(t->h, CURLOPT_SSLCERT_BLOB, NULL));
    set(curl_easy_setopt(t->h, CURLOPT_SSLKEY_BLOB, NULL));
    if (as || t->c->conf.cert)
        set_cert(t->h, as ? as : &t->c->conf);
    set(curl_easy_setopt(t->h, CURLOPT_FRESH_CONNECT, as ? 1L : 0L));
    set(curl_easy_setopt(t->h, CURLOPT_FORBID_REUSE, as ? 1L : 0L));
    set(curl_easy_setopt(t->h, CURLOPT_SSL_SESSIONID_CACHE, as ? 0L : 1L));
}

static struct transfer *transfer_new(const struct client *c)
{
    struct transfer *t = xcalloc(1, sizeof *t);
    CURL *h = curl_easy_init();

    if (!h)
        die("out of memory");
    t->c = c;
    t->h = h;
    set(curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https"));
    set(curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L));
    set(curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L));
    set(curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
    set(curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CLIENT_CONNECT_S));
    set(curl_easy_setopt(h, CURLOPT_ERRORBUFFER, t->why));
    set(curl_easy_setopt(h, CURLOPT_USERAGENT, c->conf.agent));
    set(curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body));
    set(curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header));
    set(curl_easy_setopt(h, CURLOPT_WRITEDATA, t));
    set(curl_easy_setopt(h, CURLOPT_HEADERDATA, t));
    set(curl_easy_setopt(h, CURLOPT_PRIVATE, t));
    if (c->connect_to)
        set(curl_easy_setopt(h, CURLOPT_CONNECT_TO, c->connect_to));
    set_tls(h, &c->conf);
    return t;
}

static void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    curl_easy_cleanup(t->h);
    curl_slist_free_all(t->headers);
    buf_free(&t->own.body);
    free(t);
}

int client_open(struct client **out, const struct client_conf *conf, struct err *e)
{
    struct client *c;

    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, FC_FAIL, "cannot start libcurl");
    c = xcalloc(1, sizeof *c);
    c->conf = *conf;
    c->server = xstrdup(conf->server);
    if (parse_server(c, conf, e) < 0) {
        client_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    transfer_free(c->one);
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

static int explain(struct transfer *t, CURLcode rc, struct err *e)
{
    const char *why = t->why[0] ? t->why : curl_easy_strerror(rc), *server = t->c->server;
    long verify = 0;

    t->r->too_large = t->passed != 0;
    if (t->passed)
        return err_set(e, FC_INVALID, "%s: the answer is larger than %zu bytes", server,
            t->passed);
    curl_easy_getinfo(t->h, CURLINFO_SSL_VERIFYRESULT, &verify);
    if (rc == CURLE_PEER_FAILED_VERIFICATION && verify == NOT_YET_VALID)
        return err_set(e, FC_DENIED, "%s: the server's certificate is not valid yet: is this "
            "machine's clock right?", server);
    if (rc == CURLE_PEER_FAILED_VERIFICATION && verify == HAS_EXPIRED)
        return err_set(e, FC_DENIED, "%s: the server's certificate has expired, or this machine's "
            "clock is wrong", server);
    /* A server that refuses a client certificate says so by an alert, under TLS 1.3 only after
     * the handshake. */
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CERTPROBLEM ||
        rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_SSL_ISSUER_ERROR ||
        ((rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_RECV_ERROR) && strstr(why, "alert")))
        return err_set(e, FC_DENIED, "%s: %s", server, why);
    return err_set(e, FC_AGAIN, "%s: %s", server, why);
}

/* The URL's own path, which is "/" when it has none, then the request's. */
static char *full_url(const struct client *c, const struct client_request *q)
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

static void start(struct transfer *t, const struct client_request *q, struct client_response *r)
{
    char *url AUTO_FREE = full_url(t->c, q);
    long timeout = q->timeout ? q->timeout : CLIENT_TIMEOUT_S;

    memset(r, 0, sizeof *r);
    t->r = r;
    t->max = q->max ? q->max : CLIENT_BODY_MAX;
    t->head = t->passed = 0;
    t->why[0] = '\0';
    t->headers = headers(t->c, q);
    set_identity(t, q->as);
    set(curl_easy_setopt(t->h, CURLOPT_URL, url));
    set(curl_easy_setopt(t->h, CURLOPT_HTTPHEADER, t->headers));
    set(curl_easy_setopt(t->h, CURLOPT_TIMEOUT, timeout));
    set(curl_easy_setopt(t->h, CURLOPT_HTTPGET, 1L));
    if (q->body) {
        set(curl_easy_setopt(t->h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len));
        set(curl_easy_setopt(t->h, CURLOPT_COPYPOSTFIELDS, q->body));
    }
    set(curl_easy_setopt(t->h, CURLOPT_CUSTOMREQUEST, q->method));
}

/* A header of the answer, "" when there is none; valid until the handle's next request. */
static const char *header_of(const struct transfer *t, const char *name)
{
    struct curl_header *found;

    return curl_easy_header(t->h, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value :
        "";
}

static int finish(struct transfer *t, CURLcode rc, struct err *e)
{
    struct client_response *r = t->r;
    const char *encoding;
    curl_off_t after = 0;
    char *type = NULL;
    long status = 0;

    set(curl_easy_setopt(t->h, CURLOPT_HTTPHEADER, NULL));
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (rc != CURLE_OK)
        return explain(t, rc, e);
    encoding = header_of(t, "Content-Encoding");
    if (*encoding && strcasecmp(encoding, "identity"))
        return err_set(e, FC_FAIL, "%s: the answer is compressed, which was not asked for",
            t->c->server);
    curl_easy_getinfo(t->h, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->h, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->h, CURLINFO_RETRY_AFTER, &after);
    r->status = (int)status;
    r->retry_after = after < 0 ? 0 : after < CLIENT_RETRY_MAX ? (int)after : CLIENT_RETRY_MAX;
    snprintf(r->type, sizeof r->type, "%s", type ? type : "");
    snprintf(r->result, sizeof r->result, "%s", header_of(t, CLIENT_RESULT));
    return 0;
}

int client_send(struct client *c, const struct client_request *q, struct client_response *r,
    struct err *e)
{
    if (!c->one)
        c->one = transfer_new(c);
    start(c->one, q, r);
    return finish(c->one, curl_easy_perform(c->one->h), e);
}

/* --- several at once -------------------------------------------------------------------------- */

struct many {
    CURLM *multi;
    const struct client_batch *b;
    struct transfer **idle; /* handles without a request: the array is a stack */
    size_t nidle, width, busy;
};

static void multi_set(CURLMcode rc)
{
    if (rc != CURLM_OK)
        die("libcurl: %s", curl_multi_strerror(rc));
}

/* Fills the free handles. -1: the caller's own error. */
static int fill(struct many *m, int *wait, struct err *e)
{
    *wait = -1;
    while (m->nidle) {
        struct transfer *t = m->idle[m->nidle - 1];
        struct client_request q = {0};
        int rc = m->b->next(m->b->ctx, &q, &t->id, wait, e);

        if (rc <= 0)
            return rc;
        m->nidle--;
        m->busy++;
        start(t, &q, &t->own);
        multi_set(curl_multi_add_handle(m->multi, t->h));
    }
    return 0;
}

static int take(struct many *m, struct err *e)
{
    int left, rc = 0;
    CURLMsg *msg;

    while (rc == 0 && (msg = curl_multi_info_read(m->multi, &left))) {
        struct err why = {FC_OK, ""};
        struct transfer *t;
        CURLcode code = msg->data.result;
        char *p;

        if (msg->msg != CURLMSG_DONE)
            continue;
        set(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &p));
        t = (struct transfer *)(void *)p;
        finish(t, code, &why);
        multi_set(curl_multi_remove_handle(m->multi, t->h));
        m->busy--;
        m->idle[m->nidle++] = t;
        rc = m->b->done(m->b->ctx, t->id, &t->own, &why, e);
        buf_free(&t->own.body);
    }
    return rc;
}

static int turn(struct many *m, struct err *e)
{
    int running, wait;

    for (;;) {
        if (fill(m, &wait, e) < 0)
            return -1;
        if (!m->busy && wait < 0)
            return 0;
        multi_set(curl_multi_perform(m->multi, &running));
        if (take(m, e) < 0)
            return -1;
        if (running == (int)m->busy && (m->busy || wait > 0))
            multi_set(curl_multi_poll(m->multi, NULL, 0, wait >= 0 && wait < 1000 ? wait : 1000,
                NULL));
    }
}

int client_many(struct client *c, const struct client_batch *b, struct err *e)
{
    struct transfer **all = xcalloc(b->width, sizeof(struct transfer *));
    struct many m = {curl_multi_init(), b, xcalloc(b->width, sizeof(struct transfer *)), 0,
        b->width, 0};
    int rc;

    if (!m.multi)
        die("out of memory");
    for (; m.nidle < m.width; m.nidle++)
        m.idle[m.nidle] = all[m.nidle] = transfer_new(c);
    rc = turn(&m, e);
    for (size_t i = 0; i < m.width; i++) {
        curl_multi_remove_handle(m.multi, all[i]->h);
        transfer_free(all[i]);
    }
    curl_multi_cleanup(m.multi);
    free(m.idle);
    free(all);
    return rc;
}
