/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session.h"

#include "base/log.h"
#include "base/opt.h"
#include "service/service.h"

bool session_option(struct session *s, int id, const char *arg)
{
    switch (id) {
    case OPT_STORE: s->url = arg; return true;
    case OPT_CONF: s->conf_file = arg; return true;
    case OPT_ORG: s->org = arg; return true;
    default: return false;
    }
}

int session_conf(struct session *s, const char **url, struct err *e)
{
    s->arena = arena_new();
    if (conf_load(&s->conf, s->conf_file, e) < 0)
        return -1;
    *url = service_url(s->conf, s->url, s->path);
    return 0;
}

int session_open(struct session *s, struct err *e)
{
    const char *url;

    return session_conf(s, &url, e) < 0 ? -1 :
        (s->once ? service_open_once : service_open)(&s->store, s->conf, s->url, s->org, e);
}

struct actor session_actor(struct session *s, const char *reason)
{
    return (struct actor){.name = service_user(s->user), .reason = reason, .source = log_name};
}

void session_close(struct session *s)
{
    store_close(&s->store);
    conf_free(s->conf);
    arena_free(s->arena);
}
