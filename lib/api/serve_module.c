/* SPDX-License-Identifier: Apache-2.0 */
/* Module "serve": what of fc-api needs libevent and OpenSSL. */
#include <signal.h>

#include "api/loop.h"
#include "api/tls.h"
#include "base/log.h"

struct serving {
    const struct serve_options *o;
    SSL_CTX *tls;
};

static int run(void *arg, struct idle_slot *slots, int n, int i, struct err *e)
{
    const struct serving *s = arg;

    return loop_run(s->o, s->tls, slots, n, i, e);
}

serve_fn serve_run;

int serve_run(const struct serve_options *o, struct err *e)
{
    struct serving s = {.o = o};
    int rc;

    log_name = "fc-api"; /* the module has a copy of lib/base of its own */
    log_verbose = o->verbose;
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    /* Before forking: the key is read once, and may be unreadable after. */
    if (o->tls && tls_open(&s.tls, o->cert_file, o->key_file, o->client_ca_file, e) < 0)
        return -1;
    if (o->jobs > 1 && o->listen_fd >= 0)
        rc = prefork(o->jobs, run, &s, e);
    else
        rc = run(&s, NULL, 0, 0, e);
    tls_close(s.tls);
    return rc;
}
