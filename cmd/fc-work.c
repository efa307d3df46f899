/* SPDX-License-Identifier: Apache-2.0 */
/* Does what is due in the queue. */
#include <string.h>

#include "base/log.h"
#include "base/opt.h"
#include "service/service.h"
#include "service/session.h"

enum { QUEUES_MAX = 16, O_MAX = OPT_FIRST };

static const struct opt opts[] = {OPTS_STORE, {0}};
static const struct opt drain_opts[] = {
    {'Q', "queue", "QUEUE", "render|rollout|sign|issuer", "only this queue; may be repeated (default: "
        "all; sign only where the CA's key can be read)"},
    {O_MAX, "max", "N", NULL, "at most so many tasks, 0 for all (default: 0)"},
    {0},
};
static const struct sub subs[] = {
    {"drain", "", NULL, "do all tasks that are due, then end", drain_opts},
    {0},
};
static const struct command command = {
    .name = "fc-work",
    .brief = "do what is due",
    .opts = opts,
    .subs = subs,
};

struct work {
    struct opts o;
    struct session session;
    const char *queues[QUEUES_MAX + 1];
    size_t nqueues;
    bool sign;      /* asked for by name */
    int64_t max;
    size_t failed;
};

static void each(void *ctx, const struct task *t, const struct err *failed)
{
    struct work *w = ctx;
    const char *slash = *t->subject ? " " : "";

    if (!failed) {
        log_debug("%s: %s%s%s done", t->queue, t->type, slash, t->subject);
        return;
    }
    w->failed++;
    log_warn("%s: %s%s%s failed (attempt %d of %d): %s", t->queue, t->type, slash, t->subject,
        t->attempts, TASK_TRIES, failed->msg);
}

static int drain(struct work *w, struct err *e)
{
    struct work_options o = {
        .queues = w->nqueues ? w->queues : NULL,
        .max = w->max,
        .each = each,
        .ctx = w,
    };
    struct err why;
    int64_t n = 0;
    int rc;

    if (session_open(&w->session, e) < 0)
        return -1;
    o.conf = w->session.conf;
    if ((w->sign || !w->nqueues) && service_ca(w->session.conf, &o.ca, &why) < 0) {
        if (w->sign)
            return err_set(e, why.code, "%s", why.msg);
        log_debug("nothing is signed here: %s", why.msg);
    }
    rc = work_drain(&w->session.store, &o, &n, e);
    ca_close(o.ca);
    log_debug("%lld tasks, %zu of them failed", (long long)n, w->failed);
    return rc;
}

static void add_queue(struct work *w, const char *name)
{
    const char *const *q;

    for (q = work_queues; *q && strcmp(*q, name); q++)
        ;
    if (!*q)
        opt_usage(&w->o, "-Q %s: must be one of render, rollout, sign, issuer", name);
    if (w->nqueues == QUEUES_MAX)
        opt_usage(&w->o, "-Q: more than %d queues", QUEUES_MAX);
    w->queues[w->nqueues++] = *q;
    w->sign = w->sign || !strcmp(name, "sign");
}

int main(int argc, char **argv)
{
    struct work w = {0};
    struct err e = {FC_OK, ""};
    int id, rc;

    opt_start(&w.o, &command, argc, argv);
    while ((id = opt_next(&w.o)) != -1) {
        if (session_option(&w.session, id, w.o.arg))
            continue;
        switch (id) {
        case 'Q': add_queue(&w, w.o.arg); break;
        case O_MAX: w.max = opt_num(&w.o, 0, INT64_MAX); break;
        }
    }
    if (w.o.argc)
        opt_usage(&w.o, "unexpected operand \"%s\"", w.o.argv[0]);
    rc = drain(&w, &e);
    if (rc < 0)
        log_err(&e);
    session_close(&w.session);
    return rc < 0 ? (int)e.code : w.failed ? FC_FAIL : FC_OK;
}
