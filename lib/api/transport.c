/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "api/transport.h"

int64_t monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void peer_of_fd(struct api_peer *p, int fd, const struct sockaddr *sa)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct ucred cred;

    if (!sa) {
        memset(&ss, 0, sizeof ss);
        if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
            return;
        sa = (const struct sockaddr *)&ss;
    }
    if (sa->sa_family == AF_UNIX) {
        len = sizeof cred;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
            p->is_unix = true;
            p->uid = cred.uid;
        }
    } else if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

        inet_ntop(AF_INET, &in->sin_addr, p->addr, sizeof p->addr);
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(a)) /* as the address is written in a configuration */
            inet_ntop(AF_INET, &a->s6_addr[12], p->addr, sizeof p->addr);
        else
            inet_ntop(AF_INET6, a, p->addr, sizeof p->addr);
    }
}

void api_write_now(struct api *a, const struct api_peer *peer, const struct http_request *q,
    struct api_response *r)
{
    struct err e;

    api_response_free(r); /* of api_handle */
    memset(r, 0, sizeof *r);
    if (api_begin(a, &e) == 0) {
        api_write(a, peer, q, r);
        if (api_commit(a, &e) == 0) {
            api_idle(a); /* who reports is seen when it has its answer */
            return;
        }
        api_response_free(r);
        memset(r, 0, sizeof *r);
    }
    api_commit_failed(&e, r);
}
