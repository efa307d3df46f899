/* SPDX-License-Identifier: Apache-2.0 */
#include "client/oidc.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"
#include "base/proc.h"
#include "client/loopback.h"
#include "crypto/jwt.h"

enum {
    CA_MAX = 1 << 20,    /* bytes of certificates */
    WAIT_S = 300,        /* seconds that a person has to log in */
    POLL_S = 5,          /* seconds between two questions about a device code, unless told */
    POLL_MAX = 60,
};

static void forget(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}
#define AUTO_FORGET __attribute__((cleanup(forget)))

/* Appends a form's member. */
static void add(struct buf *b, const char *name, const char *value)
{
    buf_reserve(b, 3 * strlen(value) + 64); /* growing leaves copies */
    buf_printf(b, "%s%s=", b->len ? "&" : "", name);
    percent_encode(b, value, strlen(value));
}

static int load(struct oidc *o, struct err *e)
{
    if (!(o->client = mod_symbol("curl", "client_module", e)))
        return -1;
    return o->ca_file ? file_read(o->ca_file, CA_MAX, &o->ca, e) : 0;
}

static int ask(const struct oidc *o, const char *url, const char *form, int *status, jv *out,
    struct err *e)
{
    struct json_request q = {.url = url, .form = form, .ca = o->ca.p, .ca_len = o->ca.len,
        .agent = "fc-login"};

    return json_fetch(o->client, &q, status, out, e);
}

int oidc_open(struct oidc *o, const char *issuer, const char *client_id, const char *scope,
    const char *ca_file, struct err *e)
{
    size_t n = strlen(issuer);
    char *url AUTO_FREE = xasprintf("%.*s/.well-known/openid-configuration",
        (int)(n && issuer[n - 1] == '/' ? n - 1 : n), issuer);
    const char *said;
    int status;

    *o = (struct oidc){.issuer = issuer, .client_id = client_id, .scope = scope,
        .ca_file = ca_file, .found = jv_invalid()};
    if (load(o, e) < 0 || ask(o, url, NULL, &status, &o->found, e) < 0)
        return -1;
    said = json_str(o->found, "issuer");
    if (status != 200 || !said || strcmp(said, issuer) != 0 ||
        !json_str(o->found, "token_endpoint"))
        return err_set(e, FC_INVALID, "%s: status %d, and it is not the issuer %s", url, status,
            issuer);
    return 0;
}

void oidc_close(struct oidc *o)
{
    buf_free(&o->ca);
    jv_free(o->found);
    o->found = jv_invalid();
}

/* --- what the token endpoint answers ------------------------------------------------------------ */

static int refused(jv answer, int status, struct err *e)
{
    const char *why = json_str(answer, "error_description"), *what = json_str(answer, "error");

    return err_set(e, FC_DENIED, "the issuer refuses: %s%s%s (status %d)", what ? what : "",
        what && why ? ": " : "", why ? why : "", status);
}

/* Takes the tokens of an answer. It came from the issuer itself, over TLS: that is its signature
 * (OpenID Connect Core 3.1.3.7). nonce NULL: none was sent. */
static int take(jv answer, const char *issuer, const char *nonce, struct credential *out,
    struct err *e)
{
    const char *token = json_str(answer, "id_token"), *refresh = json_str(answer, "refresh_token");
    const char *said;
    struct jwt t;
    int rc;

    if (!token)
        return err_set(e, FC_INVALID, "the issuer gives no ID token: is openid among the scopes?");
    rc = jwt_parse(token, strlen(token), &t, e);
    if (!rc && issuer && strcmp(t.iss, issuer) != 0)
        rc = err_set(e, FC_DENIED, "the token is of another issuer, %s", t.iss);
    said = rc ? NULL : json_str(t.claims, "nonce");
    if (!rc && nonce && (!said || strcmp(said, nonce) != 0))
        rc = err_set(e, FC_DENIED, "the token is not the answer to this question");
    if (!rc) {
        free(out->token);
        out->token = xstrdup(token);
        out->expires = json_int(t.claims, "exp", 0) * 1000000;
        if (refresh) {
            free(out->refresh);
            out->refresh = xstrdup(refresh);
        }
    }
    jwt_free(&t);
    return rc;
}

/* Where and how the token is renewed. */
static void keep_place(const struct oidc *o, struct credential *out)
{
    if (!out->refresh)
        return;
    out->token_url = xstrdup(json_str(o->found, "token_endpoint"));
    out->client_id = xstrdup(o->client_id);
    out->ca_file = o->ca_file ? xstrdup(o->ca_file) : NULL;
}

int oidc_renew(struct credential *c, struct err *e)
{
    struct oidc o = {.ca_file = c->ca_file, .found = jv_invalid()};
    struct buf form AUTO_FORGET = BUF_INIT;
    jv answer AUTO_JV = jv_invalid();
    int status, rc = -1;

    add(&form, "grant_type", "refresh_token");
    add(&form, "client_id", c->client_id);
    add(&form, "refresh_token", c->refresh);
    if (load(&o, e) == 0 && ask(&o, c->token_url, form.p, &status, &answer, e) == 0)
        rc = status == 200 ? take(answer, NULL, NULL, c, e) : refused(answer, status, e);
    oidc_close(&o);
    return rc;
}

/* --- authorization code -------------------------------------------------------------------------- */

static int secret_text(char out[JWT_KID_LEN], struct err *e)
{
    struct buf b AUTO_FORGET = BUF_INIT;
    unsigned char raw[32];

    if (getrandom(raw, sizeof raw, 0) != sizeof raw)
        return err_errno(e, "getrandom");
    base64url_encode(&b, raw, sizeof raw);
    memcpy(out, b.p, JWT_KID_LEN);
    return 0;
}

struct question {
    char verifier[JWT_KID_LEN], state[JWT_KID_LEN], nonce[JWT_KID_LEN];
    char redirect[64];
};

static char *question_url(const struct oidc *o, const char *endpoint, const struct question *q)
{
    struct buf b AUTO_BUF = BUF_INIT, challenge AUTO_BUF = BUF_INIT;

    sha256_base64url(q->verifier, &challenge);
    add(&b, "response_type", "code");
    add(&b, "client_id", o->client_id);
    add(&b, "redirect_uri", q->redirect);
    add(&b, "scope", o->scope);
    add(&b, "state", q->state);
    add(&b, "nonce", q->nonce);
    add(&b, "code_challenge", challenge.p);
    add(&b, "code_challenge_method", "S256");
    add(&b, "prompt", "consent"); /* without which there is no refresh token */
    return xasprintf("%s%c%s", endpoint, strchr(endpoint, '?') ? '&' : '?', b.p);
}

static void open_browser(const char *url)
{
    const char *const argv[] = {"xdg-open", url, NULL};
    struct proc p = {.argv = argv, .env = (const char *const *)environ, .timeout = 10 * 1000000};
    struct proc_result r = {0};
    struct err why;

    if (proc_run(&p, &r, &why) < 0)
        log_err(&why);
    buf_free(&r.out);
    buf_free(&r.err);
}

static int redeem(struct oidc *o, const struct question *q, const char *code,
    struct credential *out, struct err *e)
{
    struct buf form AUTO_FORGET = BUF_INIT;
    jv answer AUTO_JV = jv_invalid();
    int status;

    add(&form, "grant_type", "authorization_code");
    add(&form, "code", code);
    add(&form, "redirect_uri", q->redirect);
    add(&form, "client_id", o->client_id);
    add(&form, "code_verifier", q->verifier);
    if (ask(o, json_str(o->found, "token_endpoint"), form.p, &status, &answer, e) < 0)
        return -1;
    if (status != 200)
        return refused(answer, status, e);
    if (take(answer, o->issuer, q->nonce, out, e) < 0)
        return -1;
    keep_place(o, out);
    return 0;
}

int oidc_by_code(struct oidc *o, bool browser, struct credential *out, struct err *e)
{
    const char *endpoint = json_str(o->found, "authorization_endpoint");
    char *url AUTO_FREE = NULL, *code AUTO_FREE = NULL;
    struct question q;
    int port, fd AUTO_CLOSE = loopback_listen(&port, e);

    if (fd < 0 || secret_text(q.verifier, e) < 0 || secret_text(q.state, e) < 0 ||
        secret_text(q.nonce, e) < 0)
        return -1;
    if (!endpoint)
        return err_set(e, FC_INVALID, "%s: it has no authorization endpoint", o->issuer);
    snprintf(q.redirect, sizeof q.redirect, "http://127.0.0.1:%d/callback", port);
    url = question_url(o, endpoint, &q);
    log_info("open this in a browser on this machine, within %d minutes:", WAIT_S / 60);
    puts(url);
    fflush(stdout);
    if (browser)
        open_browser(url);
    if (loopback_wait(fd, q.state, WAIT_S, &code, e) < 0)
        return -1;
    return redeem(o, &q, code, out, e);
}

/* --- device code --------------------------------------------------------------------------------- */

static void tell(jv answer)
{
    const char *whole = json_str(answer, "verification_uri_complete");

    log_info("open this in a browser anywhere, and enter %s:", json_str(answer, "user_code"));
    puts(whole ? whole : json_str(answer, "verification_uri"));
    fflush(stdout);
}

/* 1: there it is; 0: not yet. */
static int poll_device(struct oidc *o, const char *form, int64_t *interval, struct credential *out,
    struct err *e)
{
    jv answer AUTO_JV = jv_invalid();
    const char *what;
    int status;

    if (ask(o, json_str(o->found, "token_endpoint"), form, &status, &answer, e) < 0)
        return e->code == FC_AGAIN ? 0 : -1;
    if (status == 200)
        return take(answer, o->issuer, NULL, out, e) < 0 ? -1 : 1;
    what = json_str(answer, "error");
    if (what && strcmp(what, "slow_down") == 0)
        *interval += POLL_S;
    else if (!what || strcmp(what, "authorization_pending") != 0)
        return refused(answer, status, e);
    return 0;
}

int oidc_by_device(struct oidc *o, struct credential *out, struct err *e)
{
    const char *endpoint = json_str(o->found, "device_authorization_endpoint");
    struct buf form AUTO_FORGET = BUF_INIT, poll AUTO_FORGET = BUF_INIT;
    jv answer AUTO_JV = jv_invalid();
    int64_t interval, end;
    int status, rc;

    if (!endpoint)
        return err_set(e, FC_INVALID, "%s: it knows no device code", o->issuer);
    add(&form, "client_id", o->client_id);
    add(&form, "scope", o->scope);
    add(&form, "prompt", "consent");
    if (ask(o, endpoint, form.p, &status, &answer, e) < 0)
        return -1;
    if (status != 200 || !json_str(answer, "device_code") || !json_str(answer, "user_code") ||
        !json_str(answer, "verification_uri"))
        return refused(answer, status, e);
    tell(answer);
    interval = json_int(answer, "interval", POLL_S);
    end = now_us() + json_int(answer, "expires_in", WAIT_S) * 1000000;
    add(&poll, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    add(&poll, "device_code", json_str(answer, "device_code"));
    add(&poll, "client_id", o->client_id);
    do {
        struct timespec ts = {.tv_sec = interval < 1 ? 1 : interval > POLL_MAX ? POLL_MAX : interval};

        nanosleep(&ts, NULL);
        rc = poll_device(o, poll.p, &interval, out, e);
    } while (rc == 0 && now_us() < end);
    if (rc == 0)
        return err_set(e, FC_AGAIN, "nobody has entered the code in time");
    if (rc > 0)
        keep_place(o, out);
    return rc < 0 ? -1 : 0;
}
