/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include "base/clock.h"
#include "store/ints.h"

int task_add(struct store *s, const char *queue, const char *type, int64_t org, const char *subject,
    const char *payload, const char *dedupe, int64_t due, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_task_add, e);

    if (!st)
        return -1;
    st_text(st, 1, queue);
    st_text(st, 2, type);
    st_int(st, 3, org);
    st_text(st, 4, subject);
    st_text(st, 5, payload);
    st_text(st, 6, dedupe);
    st_int(st, 7, due);
    st_int(st, 8, now_us());
    return st_post(st, e);
}

int task_cancel(struct store *s, int64_t org, const char *dedupe, struct err *e)
{
    struct stmt *st = STMT(s, SQL_task_cancel, e, org);

    if (!st)
        return -1;
    st_text(st, 2, dedupe);
    return st_run(st, e) < 0 ? -1 : 0;
}

int task_lease(struct store *s, struct arena *a, const char *queue, const char *owner, int64_t now,
    struct task *out, struct err *e)
{
    struct stmt *st;
    int rc;

    if (store_begin(s, e) < 0)
        return -1;
    rc = -1;
    if (!(st = db_stmt(s->db, SQL_task_due, e)))
        goto end;
    st_int(st, 1, now);
    st_text(st, 2, queue);
    if ((rc = st_step(st, e)) != 1)
        goto end;
    *out = (struct task){
        .id = st_col_int(st, 0),
        .queue = arena_strdup(a, st_col_text(st, 1, NULL)),
        .type = arena_strdup(a, st_col_text(st, 2, NULL)),
        .org = st_col_int(st, 3),
        .subject = arena_strdup(a, st_col_text(st, 4, NULL)),
        .payload = arena_strdup(a, st_col_text(st, 5, NULL)),
        .attempts = (int)st_col_int(st, 6) + 1,
    };
    st_reset(st);
    rc = -1;
    if (!(st = db_stmt(s->db, SQL_task_lease, e)))
        goto end;
    st_int(st, 1, out->id);
    st_text(st, 2, owner);
    st_int(st, 3, now + TASK_LEASE);
    if (st_run(st, e) < 0 || store_commit(s, e) < 0)
        goto end;
    return 1;
end:
    store_rollback(s);
    return rc;
}

static int owned(struct stmt *st, const struct task *t, struct err *e)
{
    int64_t n = st_run(st, e);

    if (n < 0)
        return -1;
    return n > 0 ? 0 : err_set(e, FC_CONFLICT, "task %lld (%s): the lease was lost",
        (long long)t->id, t->type);
}

int task_done(struct store *s, const struct task *t, const char *owner, struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_task_done, e);

    if (!st)
        return -1;
    st_int(st, 1, t->id);
    st_text(st, 2, owner);
    return owned(st, t, e);
}

int task_extend(struct store *s, const struct task *t, const char *owner, int64_t until,
    struct err *e)
{
    struct stmt *st = db_stmt(s->db, SQL_task_extend, e);

    if (!st)
        return -1;
    st_int(st, 1, t->id);
    st_text(st, 2, owner);
    st_int(st, 3, until);
    return owned(st, t, e);
}

/* Makes a leased task ready again, unless an equal one was enqueued meanwhile. */
static int again(struct store *s, int64_t id, int64_t due, const char *why, bool uncounted,
    struct err *e)
{
    struct stmt *st = STMT(s, SQL_task_same_ready, e, id);
    int rc;

    if (!st || (rc = st_step(st, e)) < 0)
        return -1;
    if (rc == 1) {
        st_reset(st);
        return RUN(s, SQL_task_drop, e, id) < 0 ? -1 : 0;
    }
    if (!(st = db_stmt(s->db, SQL_task_again, e)))
        return -1;
    st_int(st, 1, id);
    st_int(st, 2, due);
    st_text(st, 3, why);
    st_int(st, 4, uncounted);
    return st_run(st, e) < 0 ? -1 : 0;
}

static int retry_or_bury(struct store *s, int64_t id, int attempts, const char *why, int64_t now,
    struct err *e)
{
    struct stmt *st;

    if (attempts < TASK_TRIES)
        return again(s, id, now + TASK_BACKOFF * (1 << (attempts - 1)), why, false, e);
    if (!(st = db_stmt(s->db, SQL_task_dead, e)))
        return -1;
    st_int(st, 1, id);
    st_text(st, 2, why);
    return st_run(st, e) < 0 ? -1 : 1;
}

int task_failed(struct store *s, const struct task *t, const char *owner, const struct err *why,
    int64_t now, struct err *e)
{
    struct stmt *st = STMT(s, SQL_task_owned, e, t->id);
    int rc;

    if (!st)
        return -1;
    st_text(st, 2, owner);
    if ((rc = st_step(st, e)) <= 0)
        return rc; /* the lease was lost: it is somebody else's */
    st_reset(st);
    if (why->code == FC_AGAIN)
        return again(s, t->id, now + TASK_BACKOFF, why->msg, true, e);
    return retry_or_bury(s, t->id, t->attempts, why->msg, now, e);
}

int task_recover(struct store *s, int64_t now, struct err *e)
{
    int n = 0, rc;

    for (;;) {
        struct stmt *st = STMT(s, SQL_task_expired, e, now);
        int64_t id;
        int attempts;

        if (!st)
            return -1;
        if ((rc = st_step(st, e)) <= 0)
            return rc < 0 ? -1 : n;
        id = st_col_int(st, 0);
        attempts = (int)st_col_int(st, 1);
        st_reset(st);
        if (retry_or_bury(s, id, attempts, "the lease ran out", now, e) < 0)
            return -1;
        n++;
    }
}
