/* SPDX-License-Identifier: Apache-2.0 */
/* A second writer: takes a SQLite file's write lock again and again until its standard input ends,
 * then says how often it got it and how long it waited at most.
 *   probe FILE */
#include <poll.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { PAUSE_MS = 5, GIVE_UP_MS = 30000 };

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Once in a millisecond, so that what is measured is how long others have it. */
static int busy(void *ctx, int tries)
{
    (void)ctx;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return tries < GIVE_UP_MS;
}

static bool ended(void)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};

    return poll(&p, 1, PAUSE_MS) != 0;
}

int main(int argc, char **argv)
{
    double longest = 0, start, waited;
    sqlite3 *db = NULL;
    long n = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: probe FILE\n");
        return 2;
    }
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_handler(db, busy, NULL) != SQLITE_OK)
        goto fail;
    do {
        start = now_ms();
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            goto fail;
        waited = now_ms() - start;
        if (sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
            goto fail;
        if (waited > longest)
            longest = waited;
        n++;
    } while (!ended());
    sqlite3_close(db);
    printf("{\"times\":%ld,\"longest_wait_ms\":%.1f}\n", n, longest);
    return 0;
fail:
    fprintf(stderr, "probe: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return 1;
}
