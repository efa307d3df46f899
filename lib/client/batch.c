/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests at once, whose answers are told in order. */
#include <string.h>

#include "client/wire.h"

enum { AHEAD = 4 * REMOTE_WIDTH }; /* requests that are made before the oldest one is told of */

struct slot { /* of request i: slot[i % AHEAD] */
    struct remote_request q;
    struct remote_answer answer;
    struct err why;
    struct tries tries;
    int64_t due; /* ms; when it is tried again */
    enum { FREE, WAITS, SENT, DONE } state;
};

struct flight {
    struct remote *r;
    const struct remote_batch *b;
    struct slot slot[AHEAD];
    struct wire wire;  /* of the request that is being handed over */
    size_t told, made; /* requests told of, and made: in order */
    struct err why;    /* FC_OK until no more are to be made */
};

static void hand_over(struct flight *f, size_t i, struct client_request *q, size_t *id)
{
    struct slot *s = &f->slot[i % AHEAD];

    buf_free(&f->wire.path);
    wire_make(&f->wire, f->r, &s->q);
    s->state = SENT;
    *q = f->wire.q;
    *id = i;
}

/* One that waits for another try comes first. */
static int next(void *ctx, struct client_request *q, size_t *id, int *wait, struct err *e)
{
    struct flight *f = ctx;
    int64_t now = wire_now();
    struct slot *s;

    (void)e;
    *wait = -1;
    for (size_t i = f->told; i < f->made; i++) {
        s = &f->slot[i % AHEAD];
        if (s->state != WAITS)
            continue;
        if (s->due <= now) {
            hand_over(f, i, q, id);
            return 1;
        }
        if (*wait < 0 || s->due - now < *wait)
            *wait = (int)(s->due - now);
    }
    if (f->why.code != FC_OK || f->made == f->b->n || f->made - f->told == AHEAD)
        return 0;
    s = &f->slot[f->made % AHEAD];
    *s = (struct slot){.answer = REMOTE_ANSWER};
    if (f->b->make(f->b->ctx, f->made, &s->q, &f->why) < 0) {
        remote_request_free(&s->q);
        return 0;
    }
    hand_over(f, f->made++, q, id);
    return 1;
}

/* All that are done up to the first that is not. */
static void tell(struct flight *f)
{
    for (; f->told < f->made && f->slot[f->told % AHEAD].state == DONE; f->told++) {
        struct slot *s = &f->slot[f->told % AHEAD];
        struct err why = {FC_OK, ""};

        if (f->b->done(f->b->ctx, f->told, &s->answer, &s->why, &why) < 0 && f->why.code == FC_OK)
            f->why = why;
        remote_answer_free(&s->answer);
        remote_request_free(&s->q);
        s->state = FREE;
    }
}

static int done(void *ctx, size_t id, struct client_response *in, const struct err *why,
    struct err *e)
{
    struct flight *f = ctx;
    struct slot *s = &f->slot[id % AHEAD];
    int64_t wait = wire_again(f->r, &s->tries, &s->q, in, why);

    (void)e;
    if (wait >= 0) {
        s->due = wire_now() + wait;
        s->state = WAITS;
        return 0;
    }
    wire_done(f->r, in, why, &s->answer, &s->why);
    s->state = DONE;
    tell(f);
    return 0;
}

int remote_all(struct remote *r, const struct remote_batch *b, struct err *e)
{
    struct flight *f = xcalloc(1, sizeof *f);
    struct client_batch batch = {.next = next, .done = done, .ctx = f,
        .width = b->n < REMOTE_WIDTH ? b->n : REMOTE_WIDTH};
    int rc = 0;

    f->r = r;
    f->b = b;
    if (b->n)
        rc = r->http->many(r->c, &batch, &f->why);
    if (rc == 0 && f->why.code != FC_OK)
        rc = -1;
    if (rc < 0)
        *e = f->why;
    buf_free(&f->wire.path);
    free(f);
    return rc;
}
