/* SPDX-License-Identifier: Apache-2.0 */
#include "api/verified.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    SETS = 8192, /* of rows, 16 MiB of a file with holes: 10,000 devices fit with hardly a collision */
    WAYS = 4,    /* rows that a certificate may be in */
    TEXT = 360,  /* bytes; a certificate that says more is verified each time */
    HEX = SHA256_HEX - 1,
};
#define LIFE (INT64_C(3600) * 1000000) /* us */

struct row {
    char sum[HEX]; /* SHA-256 of what follows */
    char key[HEX];
    int64_t at;    /* when it was verified */
    int64_t not_before, not_after;
    char text[TEXT]; /* common name, signer, organization, fingerprint, each with a NUL */
};
_Static_assert(sizeof(struct row) == 512, "rows have no padding, and lie in one page");

int verified_open(const struct conf *conf)
{
    const char *path = conf_get(conf, "api", "verified-file");
    int fd = file_open_own(path);

    if (fd < 0)
        log_debug("[api] verified-file: %s: %s", path, strerror(errno));
    return fd;
}

void verified_key(const char *authorities, bool header, const char *cert, size_t n,
    char key[SHA256_HEX])
{
    struct buf b AUTO_BUF = BUF_INIT;

    buf_printf(&b, "%s %s\n", authorities, header ? "header" : "plain");
    buf_add(&b, cert, n);
    sha256_hex(b.p, b.len, key);
}

/* Where the rows begin that the key may be in. */
static off_t set_of(const char *key)
{
    unsigned n = 0;

    for (int i = 0; i < 4; i++)
        n = n * 16 + (unsigned)(key[i] <= '9' ? key[i] - '0' : key[i] - 'a' + 10);
    return (off_t)(n % SETS * WAYS * sizeof(struct row));
}

/* Rows behind the end are empty. */
static void read_set(int fd, const char *key, struct row set[WAYS])
{
    ssize_t n = pread(fd, set, WAYS * sizeof *set, set_of(key));
    size_t got = n < 0 ? 0 : (size_t)n;

    memset((char *)set + got, 0, WAYS * sizeof *set - got);
}

static int way_of(const struct row set[WAYS], const char *key)
{
    for (int i = 0; i < WAYS; i++)
        if (memcmp(set[i].key, key, HEX) == 0)
            return i;
    return -1;
}

static void sum_of(const struct row *r, char sum[SHA256_HEX])
{
    sha256_hex(r->key, sizeof *r - offsetof(struct row, key), sum);
}

/* The next text of a row. */
static bool take(const char **p, const char *end, char *out, size_t size)
{
    size_t n = strnlen(*p, (size_t)(end - *p));

    if (n >= size || *p + n == end)
        return false;
    memcpy(out, *p, n + 1);
    *p += n + 1;
    return true;
}

bool verified_find(int fd, const char *key, int64_t now, struct cert_info *out)
{
    struct row set[WAYS];
    const struct row *r;
    const char *p, *end;
    char sum[SHA256_HEX];
    int i;

    if (fd < 0)
        return false;
    read_set(fd, key, set);
    if ((i = way_of(set, key)) < 0)
        return false;
    r = &set[i];
    sum_of(r, sum);
    if (memcmp(r->sum, sum, HEX) != 0 || now < r->at || now - r->at >= LIFE)
        return false;
    *out = (struct cert_info){.not_before = r->not_before, .not_after = r->not_after};
    p = r->text;
    end = p + sizeof r->text;
    return take(&p, end, out->cn, sizeof out->cn) &&
        take(&p, end, out->signer, sizeof out->signer) &&
        take(&p, end, out->org, sizeof out->org) &&
        take(&p, end, out->fingerprint, sizeof out->fingerprint);
}

/* It takes the place of the oldest. */
void verified_keep(int fd, const char *key, int64_t now, const struct cert_info *c)
{
    const char *const texts[] = {c->cn, c->signer, c->org, c->fingerprint};
    struct row set[WAYS], r = {.at = now, .not_before = c->not_before, .not_after = c->not_after};
    char sum[SHA256_HEX];
    size_t used = 0;
    int slot;

    for (size_t i = 0; i < LEN(texts); i++) {
        size_t n = strlen(texts[i]) + 1;

        if (fd < 0 || n > sizeof r.text - used)
            return;
        memcpy(r.text + used, texts[i], n);
        used += n;
    }
    memcpy(r.key, key, HEX);
    sum_of(&r, sum);
    memcpy(r.sum, sum, HEX);
    read_set(fd, key, set);
    if ((slot = way_of(set, key)) < 0) {
        slot = 0;
        for (int i = 1; i < WAYS; i++)
            if (set[i].at < set[slot].at)
                slot = i;
    }
    if (pwrite(fd, &r, sizeof r, set_of(key) + (off_t)((size_t)slot * sizeof r)) < 0)
        log_debug("[api] verified-file: %s", strerror(errno));
}
