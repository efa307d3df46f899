/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may call: token buckets, in a file that all processes of a host map. It is as
 * lossy as it is fast: rows are taken from those that were quiet longest, nothing is locked, whoever
 * removes it gives all a full bucket. What stands in it is believed no further than a full or an
 * empty bucket.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "api/core.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

enum {
    SETS = 16384,           /* rows in 1 MiB: 65,536 callers that are near their limits at once */
    WAYS = 4,               /* rows that a caller may be in */
    COUNT_MAX = 1000000000, /* requests in a period */
    KEY_MAX = 512,          /* bytes of a caller's name with its organization */
};

/* A bucket is one number: when it will be full again (generic cell rate algorithm). Each request
 * moves that by the time in which its token comes back; no further than a whole bucket takes. */
struct row {
    _Atomic uint64_t caller;
    _Atomic int64_t full; /* us of CLOCK_BOOTTIME */
};

struct table {
    unsigned char salt[16]; /* so that nobody can share another's row on purpose */
    unsigned char unused[48];
    struct row row[SETS][WAYS];
};

struct limit {
    int64_t step; /* us in which one token comes back; 0: no limit */
    int64_t size; /* us in which a whole bucket does */
};

struct rates {
    struct limit identity, address, auth;
    struct table *table;
    int fd;
};

/* "NUMBER/DURATION". */
static int parse(const struct conf *conf, const char *key, struct limit *l, struct err *e)
{
    const char *s = conf_get(conf, "api", key), *slash = s ? strchr(s, '/') : NULL;
    char *count AUTO_FREE = slash ? xstrndup(s, (size_t)(slash - s)) : NULL;
    int64_t n, period = slash ? duration_parse(slash + 1) : -1;

    if (!s)
        return 0;
    if (period <= 0 || num_parse(count, 1, COUNT_MAX, &n, key, NULL) < 0 || n > period)
        return err_set(e, FC_INVALID, "[api] %s: \"%s\" is not NUMBER/DURATION, such as 300/1m", key,
            s);
    l->step = period / n;
    l->size = l->step * n;
    return 0;
}

/* Its own file, whatever else has that name. */
static int map(struct rates *t, const char *path)
{
    struct stat st;
    void *p;

    t->fd = file_open_own(path);
    if (t->fd < 0 || fstat(t->fd, &st) < 0)
        return -1;
    if (st.st_size < (off_t)sizeof *t->table && ftruncate(t->fd, sizeof *t->table) < 0)
        return -1;
    p = mmap(NULL, sizeof *t->table, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
    if (p == MAP_FAILED)
        return -1;
    t->table = p;
    return 0;
}

/* Of two that fill it at once one is right; the other's first rows are lost. */
static int salt(struct table *t)
{
    static const unsigned char none[sizeof t->salt];

    return memcmp(t->salt, none, sizeof none) != 0 ||
        getrandom(t->salt, sizeof t->salt, 0) == sizeof t->salt ? 0 : -1;
}

int rates_open(struct rates **out, const struct conf *conf, struct err *e)
{
    struct rates *t = xcalloc(1, sizeof *t);
    const char *path = conf_get(conf, "api", "rate-file");

    t->fd = -1;
    if (parse(conf, "identity-rate", &t->identity, e) < 0 ||
        parse(conf, "address-rate", &t->address, e) < 0 ||
        parse(conf, "auth-rate", &t->auth, e) < 0)
        goto fail;
    if ((t->identity.step || t->address.step || t->auth.step) &&
        (map(t, path) < 0 || salt(t->table) < 0)) {
        err_errno(e, "[api] rate-file: %s", path);
        goto fail;
    }
    *out = t;
    return 0;

fail:
    rates_free(t);
    return -1;
}

void rates_free(struct rates *t)
{
    if (!t)
        return;
    if (t->table)
        munmap(t->table, sizeof *t->table);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

/* Somebody cut the file: to read the map behind its end would end us. */
static bool whole(const struct rates *t)
{
    struct stat st;

    return fstat(t->fd, &st) == 0 && (st.st_size >= (off_t)sizeof *t->table ||
        ftruncate(t->fd, sizeof *t->table) == 0);
}

static uint64_t hash_of(const struct table *t, const char *key, size_t n)
{
    char salted[sizeof t->salt + KEY_MAX], hex[SHA256_HEX];

    memcpy(salted, t->salt, sizeof t->salt);
    memcpy(salted + sizeof t->salt, key, n);
    sha256_hex(salted, sizeof t->salt + n, hex);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16) | 1; /* 0: nobody */
}

/* The caller's row, or the one that is full for longest. */
static struct row *row_of(struct table *t, uint64_t caller)
{
    struct row *set = t->row[caller >> 1 & (SETS - 1)], *r = &set[0];

    for (int i = 0; i < WAYS; i++)
        if (set[i].caller == caller)
            return &set[i];
    for (int i = 1; i < WAYS; i++)
        if (set[i].full < r->full)
            r = &set[i];
    r->full = 0;
    r->caller = caller;
    return r;
}

/* us until there is a token; 0: there was one, and it is taken unless `look`. */
static int64_t take(struct rates *t, const struct limit *l, const char *key, size_t n, bool look)
{
    struct timespec ts;
    struct row *r;
    int64_t now, full, next;

    if (!whole(t))
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    now = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    r = row_of(t->table, hash_of(t->table, key, n));
    full = r->full;
    do {
        next = (full < now || full > now + l->size ? now : full) + l->step;
        if (next > now + l->size)
            return next - l->size - now;
    } while (!look && !atomic_compare_exchange_weak(&r->full, &full, next));
    return 0;
}

/* class and the two parts make the key; too long ones are cut, and share a bucket. */
static bool within(struct call *c, const struct limit *l, char class, const char *a, const char *b)
{
    char key[KEY_MAX];
    int n = snprintf(key, sizeof key, "%c%s %s", class, a, b);
    int64_t wait = take(c->api->rates, l, key, n < KEY_MAX ? (size_t)n : KEY_MAX - 1,
        c->pass != PASS_HANDLE);

    if (wait == 0)
        return true;
    refuse(c, 429, "too many requests");
    add_header(c->r, arena_printf(c->a, "Retry-After: %" PRId64 "\r\n", (wait + 999999) / 1000000));
    return false;
}

/* A web server in front is not its clients. */
static const char *address(const struct call *c)
{
    return api_is_front(c->api, c->peer) ? "" : c->peer->addr;
}

/* Does the request ask whether a token is right? */
static bool validates(const struct call *c)
{
    return c->api->rates->auth.step && c->route && strcmp(c->route->operation, "authValidate") == 0;
}

/* Before anybody is known, so that wrong tokens count. */
bool step_address_rate(struct call *c)
{
    const struct rates *t = c->api->rates;
    bool auth = validates(c);
    const char *addr = (t->address.step || auth) && c->pass != PASS_WRITE ? address(c) : "";

    if (!*addr)
        return true;
    return (!t->address.step || within(c, &t->address, 'a', addr, "")) &&
        (!auth || within(c, &t->auth, 'v', addr, ""));
}

bool step_rate(struct call *c)
{
    const struct rates *t = c->api->rates;

    if (c->pass == PASS_WRITE)
        return true;
    if (validates(c) && !*address(c) && !within(c, &t->auth, 'v', "", c->id->actor))
        return false;
    if (!t->identity.step || c->id->who & WHO_ANYONE)
        return true;
    /* Bootstrap certificates have one name: each counts by its bytes. */
    return c->id->who == WHO_ENROLLMENT ? within(c, &t->identity, 'b', c->id->key, "") :
        within(c, &t->identity, 'i', c->id->actor, c->id->org_uid);
}
