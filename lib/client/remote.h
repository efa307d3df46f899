/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API of a remote store, as the verbs of commands use it: requests with who asks, the
 * organization, a time limit, and patience with a server that is busy. libcurl comes with the
 * module curl when one is opened. What comes back is foreign: it is checked before it is used.
 */
#ifndef FC_CLIENT_REMOTE_H
#define FC_CLIENT_REMOTE_H

#include "base/conf.h"
#include "net/client.h"
#include "service/carried.h"
#include "service/list.h"
#include "service/preview.h"
#include "service/remove.h"
#include "service/request.h"
#include "service/service.h"
#include "store/labels.h"

enum {
    REMOTE_WIDTH = 16,     /* requests under way at once: its server commits those together */
    REMOTE_PAGE = LIST_MAX, /* resources asked for at once, fewer where these are too large */
    REMOTE_AFTER = 60,     /* s of Retry-After that are waited for at most */
};

struct remote;
/* url: "https://HOST[:PORT][/PATH]"; org: uid or name, NULL: the configured one, else the caller's.
 * Nothing is asked yet but, for an organization's name, its uid. FC_DENIED: neither a certificate
 * nor a token is configured. */
int remote_open(struct remote **out, const struct conf *conf, const char *url, const char *org,
    struct err *e);
void remote_close(struct remote *r); /* NULL is fine */
/* Why it is changed (-m), for the history; NULL: not said. Borrowed. */
void remote_reason(struct remote *r, const char *reason);

/* --- paths ------------------------------------------------------------------------------------ */

/* "/devices/x": appends, encoded. name: a store name, of a template version FLEET/VERSION;
 * NULL: all. parent: the fleet whose template versions are meant, or NULL. */
void remote_path(struct buf *b, const struct kind *k, const char *parent, const char *name);
/* A parameter; NULL or empty: nothing is appended. */
void remote_arg(struct buf *b, const char *key, const char *value);

/* --- requests --------------------------------------------------------------------------------- */

struct remote_request {
    const char *method;
    struct buf path;  /* below /api/v1, with its parameters */
    struct buf body;  /* empty: none */
    bool once;        /* it is not repeated where it may have been done */
    size_t max;       /* bytes of the answer; 0: JSON_MAX */
};
struct remote_answer {
    int status;
    jv doc;           /* invalid: without a body */
    struct buf text;  /* the same, as it came */
    char result[64];  /* CLIENT_RESULT */
};
#define REMOTE_ANSWER (struct remote_answer){.doc = jv_invalid()}
void remote_request_free(struct remote_request *q);
void remote_answer_free(struct remote_answer *a);

/* Asks, and again while the server is busy. -1: a refusal, by its status; FC_AGAIN: unreachable or
 * busy; FC_FAIL: what came is no answer of such an API. *too_large (may be NULL): it was larger
 * than q->max. remote_answer_free is due in any
 * case. */
int remote_ask(struct remote *r, const struct remote_request *q, struct remote_answer *out,
    bool *too_large, struct err *e);

/* n requests, REMOTE_WIDTH at a time. */
struct remote_batch {
    size_t n;
    /* The i-th, which comes zeroed. */
    int (*make)(void *ctx, size_t i, struct remote_request *q, struct err *e);
    /* Its answer, in the order of i; why: as remote_ask would say it, else FC_OK. -1: no more are
     * sent; those that were sent already are still told. */
    int (*done)(void *ctx, size_t i, const struct remote_answer *a, const struct err *why,
        struct err *e);
    void *ctx;
};
int remote_all(struct remote *r, const struct remote_batch *b, struct err *e);

/* Is doc a document of this kind and name (NULL: any)? FC_FAIL. */
int remote_check(const struct kind *k, const char *name, jv doc, struct err *e);

/* --- list.c: as the functions of service/list.h, target.h and store/labels.h ----------------- */

int remote_one(struct remote *r, struct arena *a, const struct list_query *q,
    const struct target *t, list_each *each, void *ctx, struct err *e);
int remote_list(struct remote *r, struct arena *a, const struct list_query *q, list_each *each,
    void *ctx, struct list_page *out, struct err *e);
int64_t remote_count(struct remote *r, const struct list_query *q, struct err *e);
int remote_summary(struct remote *r, const struct list_query *q, struct buf *b, struct err *e);
int remote_labels(struct remote *r, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e);

/* Appends the names of all of a kind that a selector picks (target.h); they live in the arena. */
int remote_select(struct remote *r, struct targets *t, struct arena *a, const struct kind *k,
    const struct selector *sel, struct err *e);

/* --- apply.c, remove.c: as apply_docs and remove_all, but that each resource is a request ------- */

/* What is sent already when one fails is done, and told. FC_USAGE: o->atomic. */
int remote_apply(struct remote *r, const struct docs *in, size_t n, const struct apply_options *o,
    struct err *e);
int remote_remove(struct remote *r, const struct targets *t, const struct remove_options *o,
    struct err *e);
/* carried.c: as carried_put, but that each report is a request, and that servers which do not say
 * what it came to, and a dry run, tell it as a change. */
int remote_carried(struct remote *r, const struct carried *c, const struct apply_options *o,
    struct err *e);

/* --- enroll.c: as target_find and request_decide ---------------------------------------------- */

int remote_find(struct remote *r, struct arena *a, const struct kind *k, const char *word,
    const char **name, struct err *e);
/* All are there and undecided, or none is decided about; signed is elsewhere, d->ca is not used. */
int remote_decide(struct remote *r, const char *const *names, size_t n, const struct decision *d,
    struct err *e);

/* --- render.c: as the functions of service/preview.h ------------------------------------------- */

int remote_preview_named(struct remote *r, const struct previews *p, int argc, char **argv,
    struct err *e);
int remote_preview_selected(struct remote *r, const struct previews *p, const char *selector,
    struct err *e);
int remote_preview_docs(struct remote *r, const struct previews *p, const struct docs *docs,
    struct err *e);
int remote_preview_compare(struct remote *r, const char *name, jv spec, bool colour,
    struct buf *out, struct err *e);

#endif
