/* SPDX-License-Identifier: Apache-2.0 */
/* Times queries of a store inside one process, without its start; prints one JSON document.
 *   query URL page SELECTOR ROUNDS     the first 100 devices; median of the rounds
 *   query URL count STATE ROUNDS       devices of an update state, after a sweep, as fc-select
 *                                      devices --summary counts them
 *   query URL probe                    a second writer: takes the write lock again and again until
 *                                      its standard input ends; how long it waited at most
 *   query URL get PREFIX N ROUNDS      devices PREFIX0000001 ... by name, one after the other
 *   query bare-sqlite FILE PREFIX N ROUNDS
 *   query bare-postgres CONNINFO PREFIX N ROUNDS
 * The bare ones do a get with the library alone. */
#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "service/service.h"
#include "store/counts.h"

enum { PAGE = 100, NAME = 64, PROBE_MS = 5 };

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *p, const void *q)
{
    const double *a = p, *b = q;

    return *a < *b ? -1 : *a > *b;
}

/* One measurement: how many rows it found, or -1. */
struct query {
    int (*run)(struct query *q, int round, struct err *e);
    struct store s;
    struct selector sel;
    sqlite3_stmt *sqlite;
    PGconn *pg;
    const char *prefix;
    int64_t n;
};

/* A device, far from the one before. */
static void device(const struct query *q, int round, char name[NAME])
{
    snprintf(name, NAME, "%s%07lld", q->prefix, 1 + (long long)round * 7919 % (long long)q->n);
}

static int page(struct query *q, int round, struct err *e)
{
    struct res_query l = {.org = q->s.org, .kind = kind_by_id(KIND_DEVICE), .labels = &q->sel,
        .limit = PAGE};
    struct res_iter *it;
    struct res r;
    int n = 0, rc;

    (void)round;
    if (res_list(&q->s, &l, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1)
        n++;
    res_list_end(it);
    return rc < 0 ? -1 : n;
}

static int count(struct query *q, int round, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct res_query l = {.org = q->s.org, .kind = kind_by_id(KIND_DEVICE), .now = now_us()};
    struct device_counts c = {0};

    (void)round;
    if (device_count(&q->s, a, &l, &c, e) < 0)
        return -1;
    for (size_t i = 0; i < c.n[STATE_UPDATED]; i++)
        if (strcmp(c.state[STATE_UPDATED][i].name, q->prefix) == 0)
            return (int)c.state[STATE_UPDATED][i].n;
    return 0;
}

static int probe(struct store *s, struct err *e)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    double longest = 0, start, waited;
    long n = 0;

    while (poll(&in, 1, PROBE_MS) == 0) {
        start = now_ms();
        if (store_begin(s, e) < 0)
            return -1;
        waited = now_ms() - start;
        store_rollback(s);
        if (waited > longest)
            longest = waited;
        n++;
    }
    printf("{\"times\":%ld,\"longest_wait_ms\":%.1f}\n", n, longest);
    return 0;
}

static int get(struct query *q, int round, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    char name[NAME];
    struct res r;

    device(q, round, name);
    return res_get(&q->s, a, q->s.org, kind_by_id(KIND_DEVICE), name, &r, e);
}

static const char bare_sql[] = "SELECT r.id, r.uid, r.labels, r.spec, s.version, s.status "
    "FROM resource r JOIN resource_status s ON s.id = r.id "
    "WHERE r.org = 1 AND r.kind = 1 AND r.name = $1";

static int bare_sqlite(struct query *q, int round, struct err *e)
{
    char name[NAME];
    int rc;

    device(q, round, name);
    sqlite3_bind_text(q->sqlite, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(q->sqlite);
    if (rc == SQLITE_ROW && !sqlite3_column_text(q->sqlite, 1))
        rc = SQLITE_ERROR;
    sqlite3_reset(q->sqlite);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : err_set(e, FC_FAIL, "sqlite: %d", rc);
}

static int bare_postgres(struct query *q, int round, struct err *e)
{
    const char *value[1];
    char name[NAME];
    PGresult *r;
    int n;

    device(q, round, name);
    value[0] = name;
    r = PQexecPrepared(q->pg, "get", 1, value, NULL, NULL, 0);
    n = PQresultStatus(r) == PGRES_TUPLES_OK ? PQntuples(r) : -1;
    PQclear(r);
    return n < 0 ? err_set(e, FC_FAIL, "%s", PQerrorMessage(q->pg)) : n;
}

static int measure(struct query *q, int rounds, struct err *e)
{
    double *ms = xcalloc((size_t)rounds, sizeof *ms);
    int i, n, rows = -1;

    for (i = 0; i < rounds; i++) {
        double start = now_ms();

        if ((n = q->run(q, i, e)) < 0)
            break;
        ms[i] = now_ms() - start;
        if (rows >= 0 && n != rows)
            n = rows = err_set(e, FC_FAIL, "round %d found %d rows, others %d", i, n, rows);
        rows = n;
        if (n < 0)
            break;
    }
    if (i == rounds) {
        qsort(ms, (size_t)rounds, sizeof *ms, by_value);
        printf("{\"rows\":%d,\"median_ms\":%.4f,\"slowest_ms\":%.4f}\n", rows, ms[rounds / 2],
            ms[rounds - 1]);
    }
    free(ms);
    return i == rounds ? 0 : -1;
}

static int store_query(struct query *q, const char *url, struct err *e)
{
    return store_open(&q->s, url, e) < 0 ? -1 : store_org(&q->s, ORG_DEFAULT, &q->s.org, e);
}

static int run(int argc, char **argv, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct query q = {0};
    sqlite3 *db = NULL;
    int rc = -1;

    if (argc == 5) {
        q.run = strcmp(argv[2], "page") ? count : page;
        q.prefix = argv[3];
        if (store_query(&q, argv[1], e) == 0 && (q.run == count ?
            sweep(&q.s, now_us(), &(struct actor){.name = "bench", .source = "bench"}, e) :
            selector_parse(a, argv[3], &q.sel, e)) == 0)
            rc = measure(&q, atoi(argv[4]), e);
        store_close(&q.s);
        return rc;
    }
    if (argc == 3 && strcmp(argv[2], "probe") == 0) {
        if (store_query(&q, argv[1], e) == 0)
            rc = probe(&q.s, e);
        store_close(&q.s);
        return rc;
    }
    if (argc != 6)
        return err_set(e, FC_USAGE, "see the head of test/bench/query.c");
    q.prefix = argv[3];
    q.n = atoll(argv[4]);
    if (strcmp(argv[1], "bare-sqlite") == 0) {
        q.run = bare_sqlite;
        if (sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, bare_sql, -1, &q.sqlite, NULL) == SQLITE_OK)
            rc = measure(&q, atoi(argv[5]), e);
        else
            err_set(e, FC_FAIL, "%s", sqlite3_errmsg(db));
        sqlite3_finalize(q.sqlite);
        sqlite3_close(db);
    } else if (strcmp(argv[1], "bare-postgres") == 0) {
        PGresult *r;

        q.run = bare_postgres;
        q.pg = PQconnectdb(argv[2]);
        r = PQprepare(q.pg, "get", bare_sql, 1, NULL);
        if (PQresultStatus(r) == PGRES_COMMAND_OK)
            rc = measure(&q, atoi(argv[5]), e);
        else
            err_set(e, FC_FAIL, "%s", PQerrorMessage(q.pg));
        PQclear(r);
        PQfinish(q.pg);
    } else if (strcmp(argv[2], "get") == 0) {
        q.run = get;
        if (store_query(&q, argv[1], e) == 0)
            rc = measure(&q, atoi(argv[5]), e);
        store_close(&q.s);
    } else
        err_set(e, FC_USAGE, "see the head of test/bench/query.c");
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {FC_OK, ""};

    if (run(argc, argv, &e) == 0)
        return 0;
    fprintf(stderr, "query: %s\n", e.msg);
    return (int)e.code;
}
