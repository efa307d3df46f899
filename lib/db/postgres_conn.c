/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to PostgreSQL. libpq never blocks here once it is made: every wait has an end, so
 * that a server that hangs is an error like one that is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "db/postgres.h"

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The first line of a message of libpq, without the blanks around it. */
static char *one_line(const char *s)
{
    s += strspn(s, " \n");
    return xstrndup(s, strcspn(s, "\n"));
}

void pg_lose(struct pg *p)
{
    PQfinish(p->c);
    p->c = NULL;
    p->posted = 0;
    if (p->tx != TX_NONE)
        p->tx = TX_LOST;
}

int pg_gone(struct pg *p, const char *why, struct err *e)
{
    bool open = p->tx != TX_NONE;
    char *m AUTO_FREE = one_line(why);

    pg_lose(p);
    return err_set(e, FC_AGAIN, "%s: the connection to the database was lost%s: %s", p->db.path,
        open ? ", the transaction is undone" : "", m);
}

/* --- errors that the server tells ------------------------------------------------------------ */

static bool of_class(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

static int state_error(const char *path, const char *state, const char *m, struct err *e)
{
    static const char *const busy[] = {"55P03", "40001", "40P01"};
    size_t i;

    for (i = 0; i < LEN(busy); i++)
        if (strcmp(state, busy[i]) == 0)
            return err_set(e, FC_AGAIN, "%s: the store is busy", path);
    if (strcmp(state, "23505") == 0)
        return err_set(e, FC_CONFLICT, "%s", m);
    if (strcmp(state, "53100") == 0)
        return err_set(e, FC_FAIL, "%s: no space left on the device", path);
    if (strcmp(state, "57014") == 0)
        return err_set(e, FC_AGAIN, "%s: the database stopped a statement: %s", path, m);
    if (strcmp(state, "25006") == 0)
        return err_set(e, FC_DENIED, "%s: the store cannot be written: %s", path, m);
    if (strcmp(state, "42501") == 0 || of_class(state, "28"))
        return err_set(e, FC_DENIED, "%s: %s", path, m);
    if (strcmp(state, "3D000") == 0)
        return err_set(e, FC_NOTFOUND, "%s: %s", path, m);
    if (of_class(state, "08") || of_class(state, "57P") || strcmp(state, "53300") == 0)
        return err_set(e, FC_AGAIN, "%s: %s", path, m);
    if (of_class(state, "22") || of_class(state, "54"))
        return err_set(e, FC_INVALID, "%s: %s", path, m);
    return err_set(e, FC_FAIL, "%s: %s", path, m);
}

int pg_check(struct pg *p, const PGresult *r, struct err *e)
{
    const char *state, *message;

    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return 0;
    case PGRES_FATAL_ERROR:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_COPY_BOTH:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
    state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (!message)
        message = PQresultErrorMessage(r);
    /* What a restarting server or its pooler says last. */
    if (!state || PQstatus(p->c) == CONNECTION_BAD || of_class(state, "57P0") ||
        of_class(state, "08"))
        return pg_gone(p, message, e);
    return state_error(p->db.path, state, message, e);
}

/* --- sending and waiting --------------------------------------------------------------------- */

/* Until libpq can go on. ms: what is left. */
static int wait_socket(PGconn *c, bool writing, int64_t ms)
{
    struct pollfd f = {PQsocket(c), (short)(POLLIN | (writing ? POLLOUT : 0)), 0};
    int rc;

    do
        rc = poll(&f, 1, ms > 0 ? (int)ms : 0);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* The next result, NULL at the end. -1: the connection does not work, *why. */
static int next_result(PGconn *c, int64_t end, PGresult **r, const char **why)
{
    for (;;) {
        int flush = PQflush(c), rc;

        if (flush == 0 && !PQisBusy(c)) {
            *r = PQgetResult(c);
            return 0;
        }
        rc = flush < 0 ? -1 : wait_socket(c, flush > 0, end - monotonic_ms());
        if (rc == 0) {
            *why = "it does not answer";
            return -1;
        }
        /* An error of either also shows in the result that PQgetResult makes of it. */
        if (rc < 0 || !PQconsumeInput(c)) {
            if (!PQisBusy(c) && (*r = PQgetResult(c)) != NULL)
                return 0;
            *why = PQerrorMessage(c);
            return -1;
        }
    }
}

PGresult *pg_wait(struct pg *p, int sent, int ms, struct err *e)
{
    int64_t end = monotonic_ms() + ms + PG_GRACE_MS;
    PGresult *last = NULL, *r;
    const char *why;

    if (!sent) {
        pg_gone(p, PQerrorMessage(p->c), e);
        return NULL;
    }
    for (;;) {
        if (next_result(p->c, end, &r, &why) < 0) {
            PQclear(last);
            pg_gone(p, why, e);
            return NULL;
        }
        if (!r)
            return last;
        if (last && PQresultStatus(last) == PGRES_FATAL_ERROR)
            PQclear(r);
        else {
            PQclear(last);
            last = r;
        }
        if (PQstatus(p->c) == CONNECTION_BAD) /* there is no end to wait for */
            return last;
    }
}

PGresult *pg_collect(struct pg *p, int sent, struct err *e)
{
    PGresult *last = NULL, *r;
    const char *why;

    if (!sent || !PQpipelineSync(p->c)) {
        pg_gone(p, PQerrorMessage(p->c), e);
        return NULL;
    }
    for (;;) {
        if (next_result(p->c, monotonic_ms() + p->limit + PG_GRACE_MS, &r, &why) < 0) {
            PQclear(last);
            pg_gone(p, why, e);
            return NULL;
        }
        if (PQstatus(p->c) == CONNECTION_BAD) {
            PQclear(last);
            if (r && PQresultStatus(r) == PGRES_FATAL_ERROR)
                return r;
            PQclear(r);
            pg_gone(p, PQerrorMessage(p->c), e);
            return NULL;
        }
        if (!r) /* the end of one statement's */
            continue;
        if (PQresultStatus(r) == PGRES_PIPELINE_SYNC)
            break;
        if (last && PQresultStatus(last) == PGRES_FATAL_ERROR) { /* those after it did not run */
            PQclear(r);
            continue;
        }
        if (PQresultStatus(r) == PGRES_COMMAND_OK && strtoll(PQcmdTuples(r), NULL, 10) > 0)
            p->wrote = true;
        PQclear(last);
        last = r;
    }
    PQclear(r);
    p->posted = 0;
    if (!PQexitPipelineMode(p->c)) {
        PQclear(last);
        pg_gone(p, PQerrorMessage(p->c), e);
        return NULL;
    }
    return last;
}

int pg_settle(struct pg *p, struct err *e)
{
    PGresult *r = p->posted ? pg_collect(p, 1, e) : NULL;
    int rc = !p->c || (r && pg_check(p, r, e) < 0) ? -1 : 0;

    PQclear(r);
    return rc;
}

PGresult *pg_query(struct pg *p, const char *sql, int ms, struct err *e)
{
    bool undoes = strncmp(sql, "ROLLBACK", 8) == 0;
    PGresult *r;

    if (pg_settle(p, undoes ? NULL : e) < 0 && !(undoes && p->c))
        return NULL;
    r = pg_wait(p, PQsendQuery(p->c, sql), ms, e);
    if (r && pg_check(p, r, e) < 0) {
        PQclear(r);
        return NULL;
    }
    return r;
}

/* --- connecting ------------------------------------------------------------------------------ */

static void no_notice(void *ctx, const PGresult *r)
{
    (void)ctx, (void)r;
}

/* The error of a connection that was refused. Its SQLSTATE is told only to a connection that was
 * made to be verbose, so the same one is tried again; it may even succeed. */
static int refused(PGconn *c, const char *shown, struct err *e)
{
    const char *m, *state = NULL;
    char *line AUTO_FREE = NULL;

    PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
    PQreset(c);
    if (PQstatus(c) == CONNECTION_OK) {
        PQsetErrorVerbosity(c, PQERRORS_DEFAULT);
        return 0;
    }
    /* "... FATAL:  28P01: password authentication failed for user ..." */
    for (m = PQerrorMessage(c); (m = strstr(m, ":  ")) != NULL; m += 3)
        if (strspn(m + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && m[8] == ':')
            state = m + 3;
    if (state) {
        char code[6];

        snprintf(code, sizeof code, "%.5s", state);
        line = one_line(state + 6);
        return state_error(shown, code, line, e);
    }
    line = one_line(PQerrorMessage(c));
    return err_set(e, PQconnectionNeedsPassword(c) ? FC_DENIED : FC_AGAIN,
        "%s: the database cannot be reached: %s", shown, line);
}

PGconn *pg_connection(const char *url, const char *shown, int seconds, struct err *e)
{
    char timeout[12];
    const char *keys[] = {"fallback_application_name", "connect_timeout", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname", "client_encoding",
        NULL};
    const char *values[] = {program_invocation_short_name, timeout, "30", "10", "3", "30000", url,
        "UTF8", NULL};
    PQconninfoOption *parsed = PQconninfoParse(url, NULL);
    int64_t begun = monotonic_ms();
    PGconn *c;

    if (!parsed) { /* what libpq says of it may show a password */
        err_set(e, FC_USAGE, "store %s: not a URL of a PostgreSQL database", shown);
        return NULL;
    }
    PQconninfoFree(parsed);
    snprintf(timeout, sizeof timeout, "%d", seconds);
    c = PQconnectdbParams(keys, values, 1);
    if (!c)
        die("out of memory");
    if (PQstatus(c) != CONNECTION_OK) {
        if (monotonic_ms() - begun >= seconds * 1000 / 2) {
            char *line AUTO_FREE = one_line(PQerrorMessage(c));

            err_set(e, FC_AGAIN, "%s: the database cannot be reached: %s", shown, line);
        } else if (refused(c, shown, e) == 0)
            goto connected;
        PQfinish(c);
        return NULL;
    }
connected:
    PQsetNoticeReceiver(c, no_notice, NULL);
    if (PQsetnonblocking(c, 1) < 0)
        die("out of memory");
    return c;
}

static void tell_options(PQconninfoOption *options, db_path_fn *tell, void *ctx)
{
    static const char *const files[] = {"passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl",
        "sslcrldir"};
    PQconninfoOption *o;
    size_t i;

    for (o = options; o && o->keyword; o++)
        for (i = 0; i < LEN(files); i++)
            if (o->val && strcmp(o->keyword, files[i]) == 0)
                tell(ctx, o->val, false);
    PQconninfoFree(options);
}

void pg_paths(const char *url, db_path_fn *tell, void *ctx)
{
    static const char *const of_user[] = {".pgpass", ".postgresql", ".pg_service.conf"};
    const char *home = getenv("HOME"), *service = getenv("PGSERVICEFILE");
    size_t i;

    tell_options(PQconninfoParse(url, NULL), tell, ctx);
    tell_options(PQconndefaults(), tell, ctx);
    if (service)
        tell(ctx, service, false);
    for (i = 0; home && i < LEN(of_user); i++) {
        char *path AUTO_FREE = xasprintf("%s/%s", home, of_user[i]);

        tell(ctx, path, false);
    }
    tell(ctx, "/etc/postgresql-common", false);
    tell(ctx, "/etc/passwd", false); /* who connects, where the URL names no user */
}

/* What the server is. schema: its meta table is expected, and asked for the version; one that is
 * not there is an error of the statement. */
static PGresult *hello(struct pg *p, bool schema, struct err *e)
{
    char sql[1024];
    int pid = PQbackendPID(p->c);

    snprintf(sql, sizeof sql, "SELECT pg_backend_pid() = %d, pg_is_in_recovery(), "
        "current_setting('server_encoding'), "
        "(extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint, "
        "%s, CASE WHEN pg_backend_pid() = %d AND current_setting('statement_timeout') = '0' "
        "THEN set_config('statement_timeout', '%d', false) END", pid,
        schema ? "(SELECT max(value) FROM meta WHERE key = 'fc-schema')" : "NULL", pid,
        PG_STATEMENT_MS);
    return pg_wait(p, PQsendQuery(p->c, sql), PG_CONNECT_S * 1000, e);
}

static int learn(struct pg *p, struct err *e)
{
    PGresult *r = hello(p, !p->create, e);
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    int64_t limit;
    int rc = -1;

    /* No such table, or another program's: db_schema says which. */
    if (state && (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0 ||
        strcmp(state, "42883") == 0)) {
        PQclear(r);
        r = hello(p, false, e);
    }
    if (!r || pg_check(p, r, e) < 0)
        goto out;
    if (strcmp(PQgetvalue(r, 0, 2), "UTF8") != 0) {
        err_set(e, FC_INVALID, "%s: the encoding of the database is %s, not UTF8", p->db.path,
            PQgetvalue(r, 0, 2));
        goto out;
    }
    p->direct = PQgetvalue(r, 0, 0)[0] == 't';
    p->replica = PQgetvalue(r, 0, 1)[0] == 't';
    limit = strtoll(PQgetvalue(r, 0, 3), NULL, 10);
    p->own_limit = limit == 0;
    p->limit = limit > 0 && limit < PG_MIGRATE_MS ? (int)limit : PG_STATEMENT_MS;
    p->version = PQgetisnull(r, 0, 4) ? -1 : strtoll(PQgetvalue(r, 0, 4), NULL, 10);
    rc = 0;
out:
    PQclear(r);
    return rc;
}

int pg_connect(struct pg *p, struct err *e)
{
    if (!(p->c = pg_connection(p->url, p->db.path, PG_CONNECT_S, e)))
        return -1;
    p->epoch++;
    if (learn(p, e) == 0)
        return 0;
    pg_lose(p);
    return -1;
}

int pg_reconnect(struct pg *p, struct err *e)
{
    int64_t end = monotonic_ms() + p->patience;
    struct timespec pause = {0, 20000000};

    for (;;) {
        struct err why = {0};

        pg_lose(p);
        if (pg_connect(p, &why) == 0)
            return 0;
        if (why.code != FC_AGAIN || monotonic_ms() >= end)
            return err_set(e, why.code, "%s", why.msg);
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 320000000)
            pause.tv_nsec *= 2;
    }
}
