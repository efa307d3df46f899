/* SPDX-License-Identifier: Apache-2.0 */
/* Last-seen, lossy on purpose: noted in memory, written in batches, at most once a minute each. */
#include "api/core.h"

enum {
    BATCH = 4096,   /* devices of one write */
    SLOTS = 65536,  /* devices whose last write is remembered; a collision costs one more write */
};

struct seen_batch {
    struct seen pending[BATCH];
    size_t n;
    struct {
        int64_t id;
        int64_t at; /* us */
    } last[SLOTS];
};

struct seen_batch *seen_batch_new(void)
{
    return xcalloc(1, sizeof(struct seen_batch));
}

void seen_batch_free(struct seen_batch *b)
{
    free(b);
}

bool seen_batch_note(struct seen_batch *b, int64_t device, int64_t now)
{
    size_t slot = (uint64_t)device * UINT64_C(0x9e3779b97f4a7c15) >> 48;

    if (b->last[slot].id == device && now - b->last[slot].at < SEEN_EVERY &&
        now >= b->last[slot].at)
        return false;
    b->last[slot].id = device;
    b->last[slot].at = now;
    b->pending[b->n++] = (struct seen){device, now};
    return b->n == BATCH;
}

int seen_batch_flush(struct seen_batch *b, struct store *s, struct err *e)
{
    size_t n = b->n;

    b->n = 0; /* what cannot be written is lost, as it may be */
    return seen_write(s, b->pending, n, e);
}
