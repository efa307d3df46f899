/* SPDX-License-Identifier: Apache-2.0 */
/* What every command that works on a store opens: configuration, store, and who acts. */
#ifndef FC_SERVICE_SESSION_H
#define FC_SERVICE_SESSION_H

#include "base/conf.h"
#include "base/mem.h"
#include "store/store.h"

struct session {
    const char *conf_file, *url, *org; /* options -C, -S and --org, or NULL */
    bool once;                         /* session_open: it is closed soon, see DB_ONCE */
    struct conf *conf;
    struct store store;                /* its org is the one that was asked for */
    struct remote *remote;             /* an API in its place: lib/client alone sets it */
    struct arena *arena;               /* for the whole run */
    char user[64], path[4096];         /* of a URL that nothing names */
};

/* Takes an option of OPTS_STORE. False: it is none of them. */
bool session_option(struct session *s, int id, const char *arg);
/* The configuration, and which URL it, -S and FC_STORE name; the first half of session_open. */
int session_conf(struct session *s, const char **url, struct err *e);
/* session_close is due in any case. */
int session_open(struct session *s, struct err *e);
/* The process's user, with the command as the source. reason may be NULL. */
struct actor session_actor(struct session *s, const char *reason);
void session_close(struct session *s);

#endif
