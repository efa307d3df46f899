/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of the default route and its address, from the kernel's tables as /proc/net shows
 * them: asking it by netlink would take a socket. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sysinfo.h"

struct route {
    char name[IF_NAMESIZE]; /* of the interface; "" = no default route */
    unsigned metric;
};

/* The start of the line after this one; NULL behind the last. */
static const char *next_line(const char *p)
{
    p = strchr(p, '\n');
    return p && p[1] ? p + 1 : NULL;
}

static void keep_best(struct route *best, const char *name, unsigned flags, unsigned metric)
{
    if (!(flags & RTF_UP) || (flags & RTF_REJECT) || strcmp(name, "lo") == 0 || strchr(name, '/') ||
        (best->name[0] && best->metric <= metric))
        return;
    snprintf(best->name, sizeof best->name, "%s", name);
    best->metric = metric;
}

/* Numbers are as they stand in memory in network order, written as this machine's words. */
struct route4 {
    char name[IF_NAMESIZE];
    uint32_t to, gateway, mask;
    unsigned flags, metric;
};

static bool parse4(const char *line, struct route4 *r)
{
    return sscanf(line, "%15s %8" SCNx32 " %8" SCNx32 " %4X %*d %*u %u %8" SCNx32, r->name, &r->to,
        &r->gateway, &r->flags, &r->metric, &r->mask) == 6;
}

static struct route default4(const char *routes)
{
    struct route best = {0};
    struct route4 r;

    for (; routes; routes = next_line(routes))
        if (parse4(routes, &r) && r.to == 0 && r.mask == 0)
            keep_best(&best, r.name, r.flags, r.metric);
    return best;
}

/* Is it in a network that this interface reaches without a gateway? *prefix: of that network. */
static bool on_link(const char *routes, const char *name, uint32_t address, int *prefix)
{
    struct route4 r;

    for (; routes; routes = next_line(routes))
        if (parse4(routes, &r) && strcmp(r.name, name) == 0 && r.gateway == 0 && r.to != 0 &&
            (address & r.mask) == r.to) {
            *prefix = __builtin_popcount(r.mask);
            return true;
        }
    return false;
}

/* The first own address ("/32 host LOCAL" below it) in a network of the interface. */
static bool address4(const char *routes, const char *trie, const char *name, char *out, size_t size)
{
    uint32_t address = 0;

    for (; trie; trie = next_line(trie)) {
        const char *p = trie + strspn(trie, " |+-");
        char text[INET_ADDRSTRLEN];
        int prefix;

        if (strncmp(p, "/32 host LOCAL", 14) == 0) {
            if (!address || !on_link(routes, name, address, &prefix))
                continue;
            inet_ntop(AF_INET, &address, text, sizeof text);
            snprintf(out, size, "%s/%d", text, prefix);
            return true;
        }
        snprintf(text, sizeof text, "%.*s", (int)strspn(p, "0123456789."), p);
        if (*text && inet_pton(AF_INET, text, &address) != 1)
            address = 0;
    }
    return false;
}

static struct route default6(const char *routes)
{
    struct route best = {0};
    char to[33], name[IF_NAMESIZE];
    unsigned plen, flags, metric;

    for (; routes; routes = next_line(routes))
        if (sscanf(routes, "%32s %2x %*s %*s %*s %8x %*s %*s %8x %15s", to, &plen, &metric, &flags,
            name) == 5 && plen == 0 && strspn(to, "0") == 32)
            keep_best(&best, name, flags, metric);
    return best;
}

/* A global address that is neither tentative, temporary nor deprecated. */
static bool address6(const char *addresses, const char *name, char *out, size_t size)
{
    enum { TEMPORARY = 0x01, DEPRECATED = 0x20, TENTATIVE = 0x40 };
    char hex[33], of[IF_NAMESIZE], text[INET6_ADDRSTRLEN];
    unsigned plen, scope, flags;
    struct in6_addr address;
    int i;

    for (; addresses; addresses = next_line(addresses)) {
        if (sscanf(addresses, "%32s %*s %2x %2x %2x %15s", hex, &plen, &scope, &flags, of) != 5 ||
            strlen(hex) != 32 || scope != 0 || (flags & (TEMPORARY | DEPRECATED | TENTATIVE)) ||
            strcmp(of, name) != 0)
            continue;
        for (i = 0; i < 16; i++) {
            unsigned byte = 0;

            sscanf(hex + 2 * i, "%2x", &byte);
            address.s6_addr[i] = (uint8_t)byte;
        }
        inet_ntop(AF_INET6, &address, text, sizeof text);
        snprintf(out, size, "%s/%u", text, plen);
        return true;
    }
    return false;
}

void sysinfo_network(const struct agent *a, jv *o)
{
    struct buf routes AUTO_BUF = BUF_INIT, more AUTO_BUF = BUF_INIT;
    struct route r = {0};
    char address[INET6_ADDRSTRLEN + 8] = "";
    char *path AUTO_FREE = NULL;

    (void)a;
    if (sysinfo_read("/proc/net/route", &routes))
        r = default4(routes.p);
    if (r.name[0]) {
        if (sysinfo_read("/proc/net/fib_trie", &more))
            address4(routes.p, more.p, r.name, address, sizeof address);
    } else if (sysinfo_read("/proc/net/ipv6_route", &routes))
        r = default6(routes.p);
    if (!r.name[0])
        return;
    if (!*address && sysinfo_read("/proc/net/if_inet6", &more))
        address6(more.p, r.name, address, sizeof address);
    sysinfo_set(o, "netInterfaceDefault", r.name, strlen(r.name));
    sysinfo_set(o, "netIpDefault", address, strlen(address));
    path = xasprintf("/sys/class/net/%s/address", r.name);
    if (sysinfo_read(path, &more))
        sysinfo_set(o, "netMacDefault", more.p, more.len);
}
