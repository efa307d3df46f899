/* SPDX-License-Identifier: Apache-2.0 */
/* Simulates devices against an API. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/print.h"
#include "base/text.h"
#include "client/simulate.h"

enum { O_INTERVAL = OPT_FIRST, O_ROUNDS, O_TIME, O_SLOW, O_FAIL, O_OFFLINE, O_LOSE, O_SEED, O_STATE };

static const struct opt opts[] = {
    OPTS_OUTPUT,
    {O_FAIL, "fail", "PERCENT", NULL, "so many devices fail every version"},
    {O_INTERVAL, "interval", "TIME", NULL, "from a device's poll to its next (default: 60s)"},
    {'j', "jobs", "N", NULL, "requests under way at once (default: 64)"},
    {'l', "label", "KEY=VALUE", NULL, "that the devices ask for; repeated, or with commas"},
    {O_LOSE, "lose", "PERCENT", NULL, "so many answers do not arrive"},
    {'n', "devices", "N", NULL, "how many (default: 10)"},
    {O_OFFLINE, "offline", "PERCENT:TIME", NULL, "so many devices lose the network for this long, "
        "and have it for as long"},
    {O_ROUNDS, "rounds", "N", NULL, "end when each device has polled so often"},
    {O_SEED, "seed", "N", NULL, "choose other devices for --slow and the like (default: 0)"},
    {O_SLOW, "slow", "PERCENT:TIME", NULL, "so many devices take this long to apply a version"},
    {O_STATE, "state", "FILE", "file", "keep the devices' keys and certificates, for a later run"},
    {O_TIME, "time", "TIME", NULL, "end after this (default: 60s; with --rounds none)"},
    {0},
};
static const struct command command = {
    .name = "fc-simulate",
    .brief = "simulate devices against an API",
    .args = "CONFIG",
    .complete = "file",
    .opts = opts,
};

static const struct column columns[] = {
    {"DEVICES", "devices", COL_TEXT, false},
    {"ENROLLED", "enrolled", COL_TEXT, false},
    {"CURRENT", "current", COL_TEXT, false},
    {"FAILED", "failed", COL_TEXT, false},
    {"POLLS", "requests.poll.count", COL_TEXT, false},
    {"ERRORS", "requests.poll.errors", COL_TEXT, false},
    {"P50 MS", "requests.poll.p50", COL_TEXT, false},
    {"P99 MS", "requests.poll.p99", COL_TEXT, false},
    {"SECONDS", "seconds", COL_TEXT, true},
    {0},
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    stop = sig;
}

static int64_t duration(const struct opts *o, const char *text)
{
    int64_t us = strcmp(text, "0") == 0 ? 0 : duration_parse(text);

    if (us < 0)
        opt_usage(o, "--%s: \"%s\" is no time such as 90s, 10m or 2h", o->opt->name, text);
    return us;
}

/* "PERCENT" or "PERCENT:TIME". */
static struct share share(const struct opts *o, bool lasts)
{
    const char *colon = strchr(o->arg, ':');
    char percent[16];
    struct share s = {0};
    struct err e;
    int64_t n;

    if (lasts != (colon != NULL))
        opt_usage(o, "--%s: give it as %s", o->opt->name, o->opt->arg);
    snprintf(percent, sizeof percent, "%.*s", colon ? (int)(colon - o->arg) : 15, o->arg);
    if (num_parse(percent, 0, 100, &n, o->opt->name, &e) < 0)
        opt_usage(o, "--%s", e.msg);
    s.percent = (int)n;
    s.us = colon ? duration(o, colon + 1) : 0;
    return s;
}

struct run {
    struct opts o;
    struct simulation s;
    const char *format, *filter;
    bool timed;
};

static void parse(struct run *r)
{
    struct opts *o = &r->o;
    struct simulation *s = &r->s;
    int id;

    while ((id = opt_next(o)) >= 0)
        switch (id) {
        case 'n': s->devices = (size_t)opt_num(o, 1, SIM_DEVICES_MAX); break;
        case 'j': s->width = (size_t)opt_num(o, 1, SIM_WIDTH_MAX); break;
        case 'l': opt_labels(o, &s->labels); break;
        case O_INTERVAL: s->interval = duration(o, o->arg); break;
        case O_TIME: s->time = duration(o, o->arg); r->timed = true; break;
        case O_ROUNDS: s->rounds = (size_t)opt_num(o, 1, 1000000); break;
        case O_SLOW: s->slow = share(o, true); break;
        case O_OFFLINE: s->away = share(o, true); break;
        case O_FAIL: s->fail = share(o, false); break;
        case O_LOSE: s->lost = share(o, false); break;
        case O_SEED: s->seed = (uint64_t)opt_num(o, 0, INT64_MAX); break;
        case O_STATE: s->state = o->arg; break;
        case OPT_OUTPUT: r->format = o->arg; break;
        case OPT_FILTER: r->filter = o->arg; break;
        default: break;
        }
    if (o->argc != 1)
        opt_usage(o, "name a device's configuration, as fc-sign enrollment --server writes it");
    s->config = o->argv[0];
    if (s->rounds && !r->timed)
        s->time = 0;
}

int main(int argc, char **argv)
{
    struct run r = {.s = {.devices = 10, .width = SIM_WIDTH, .interval = 60000000, .time = 60000000,
        .labels = jv_object(), .stop = &stop}};
    struct sigaction act = {.sa_handler = on_signal};
    jv out AUTO_JV = jv_invalid();
    struct printer *p = NULL;
    struct err e = {0};
    int rc;

    opt_start(&r.o, &command, argc, argv);
    parse(&r);
    r.s.progress = isatty(STDERR_FILENO);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    rc = printer_open(&p, stdout, r.format, r.filter, &e);
    if (rc == 0) {
        printer_columns(p, columns, NULL);
        rc = simulate(&r.s, &out, &e);
        if (rc == 0)
            rc = printer_put(p, "simulation", out, &e);
        if (printer_close(p, rc < 0 ? NULL : &e) < 0)
            rc = -1;
    }
    jv_free(r.s.labels);
    if (rc < 0)
        log_err(&e);
    return rc < 0 ? (int)e.code : FC_OK;
}
