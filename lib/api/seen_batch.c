/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last-seen, lossy on purpose: noted in memory, written in batches, at most once a minute each. When
 * that was, all processes of a host tell each other in a file of marks: a process of one request (CGI)
 * has no minute before. Losing it costs a write.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api/core.h"
#include "base/file.h"
#include "base/log.h"

enum {
    BATCH = 4096,   /* devices of one write */
    SLOTS = 65536,  /* devices whose last write is remembered; a collision costs one more write */
};

struct mark {
    uint64_t who; /* device and store */
    int64_t at;   /* us */
};

struct seen_batch {
    int fd;         /* of the marks, at the place of the device's slot; -1: none */
    uint64_t store; /* tells stores apart */
    struct seen pending[BATCH];
    size_t n;
    struct mark last[SLOTS];
};

/* FNV-1a */
static uint64_t hash_of(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

struct seen_batch *seen_batch_new(const struct conf *conf, const char *store_url)
{
    const char *path = conf_get(conf, "api", "seen-file");
    struct seen_batch *b = xcalloc(1, sizeof *b);

    b->store = hash_of(store_url);
    b->fd = file_open_own(path);
    if (b->fd < 0)
        log_debug("[api] seen-file: %s: %s", path, strerror(errno));
    return b;
}

void seen_batch_free(struct seen_batch *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    free(b);
}

static uint64_t who_of(const struct seen_batch *b, int64_t device)
{
    return b->store ^ (uint64_t)device * UINT64_C(0x9e3779b97f4a7c15);
}

static size_t slot_of(uint64_t who)
{
    return who >> 48;
}

static bool counts(const struct mark *m, uint64_t who, int64_t now)
{
    return m->who == who && now >= m->at && now - m->at < SEEN_EVERY;
}

/* Has another process written it? Then that is remembered here as well. */
static bool marked(struct seen_batch *b, uint64_t who, int64_t now)
{
    struct mark m;

    if (b->fd < 0 ||
        pread(b->fd, &m, sizeof m, (off_t)(slot_of(who) * sizeof m)) != (ssize_t)sizeof m ||
        !counts(&m, who, now))
        return false;
    b->last[slot_of(who)] = m;
    return true;
}

bool seen_batch_note(struct seen_batch *b, int64_t device, int64_t now)
{
    uint64_t who = who_of(b, device);
    struct mark *last = &b->last[slot_of(who)];

    if (counts(last, who, now) || marked(b, who, now))
        return false;
    *last = (struct mark){who, now};
    b->pending[b->n++] = (struct seen){device, now};
    return b->n == BATCH;
}

int seen_batch_flush(struct seen_batch *b, struct store *s, struct err *e)
{
    size_t n = b->n;

    b->n = 0; /* what cannot be written is lost, as it may be */
    if (seen_write(s, b->pending, n, e) < 0)
        return -1;
    for (size_t i = 0; i < n && b->fd >= 0; i++) {
        struct mark m = {who_of(b, b->pending[i].id), b->pending[i].at};

        if (pwrite(b->fd, &m, sizeof m, (off_t)(slot_of(m.who) * sizeof m)) < 0) {
            log_debug("[api] seen-file: %s", strerror(errno));
            break;
        }
    }
    return 0;
}
