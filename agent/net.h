/* SPDX-License-Identifier: Apache-2.0 */
/* The network half of a run. */
#ifndef FC_AGENT_NET_H
#define FC_AGENT_NET_H

#include <sys/types.h>

#include "base/json.h"
#include "identity.h"
#include "net/client.h"
#include "settings.h"

struct net_job {                 /* what it is to do; all borrowed */
    const struct agent *a;
    const struct settings *settings;
    int certs;                   /* the folder of its identity */
    int64_t known;               /* newest version received; 0 = none */
    jv status;                   /* for an enrollment */
};

/* Starts it: a child process that gives up every right but its folder, one socket and the network,
 * under the agent's account if split. */
int net_start(const struct net_job *job, pid_t *pid, int *sock, struct err *e);
/* Ends it: closes the socket, waits a moment, kills it if need be. */
void net_stop(pid_t pid, int sock);

/* --- inside the child ---------------------------------------------------------------------- */

struct net {
    const struct net_job *job;
    const struct client_module *http;
    struct identity id;
    int sock;
    int after;                   /* s that the server wants to be left alone, by its last answer */
};

enum enroll_result { ENROLL_DONE, ENROLL_PENDING, ENROLL_FAILED };
/* Asks for a certificate, or whether it was granted meanwhile. */
enum enroll_result enroll(struct net *n, struct err *e);

/* Renews the certificate when a quarter of its life is over. What keeps it from that is said. */
void renew(struct net *n);

/* A client of a service, with the bootstrap identity or the device's own. */
int net_client(struct net *n, const struct service *s, bool bootstrap, struct client **out,
    struct err *e);
/* Sends a request with the headers that servers of this API expect; body (may be invalid) is
 * borrowed. */
int net_send(struct net *n, struct client *c, const char *method, const char *path, jv body,
    int wait, struct client_response *r, struct err *e);
/* What an unexpected status means: an error with the server's own message. Returns -1. */
int net_refused(const struct client_response *r, const char *what, struct err *e);

#endif
