/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many simulated devices in one process, against a real API: each has a key of its own, asks for
 * enrollment, polls at an interval over a new connection each time as the oneshot agent does, and
 * reports what it was given to run.
 */
#ifndef FC_CLIENT_SIMULATE_H
#define FC_CLIENT_SIMULATE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "crypto/identity.h"
#include "net/client.h"

enum {
    SIM_DEVICES_MAX = 100000, /* a few KiB each */
    SIM_WIDTH = 64,           /* requests under way at once, unless told otherwise */
    SIM_WIDTH_MAX = 1000,     /* each is a socket, a TLS connection and 100 KiB */
};

struct share { /* of all devices, or of what they do */
    int percent;
    int64_t us; /* how long, where it lasts */
};

struct simulation {
    const char *config;  /* the config.yaml of a device, as fc-sign enrollment writes it */
    const char *state;   /* file that keeps keys and certificates from run to run, or NULL */
    size_t devices, width;
    int64_t interval;    /* us from a device's poll to its next */
    int64_t time;        /* us after which it ends; 0: not by time */
    size_t rounds;       /* polls of a device after which it ends; 0: not by them */
    struct share slow;   /* devices that take so long to apply what they are given */
    struct share fail;   /* devices on which no new version works */
    struct share away;   /* devices that are without a network for so long, and with one for as long */
    struct share lost;   /* answers that do not arrive */
    uint64_t seed;       /* the same one chooses the same devices */
    jv labels;           /* that each asks for, an object of strings; borrowed */
    bool progress;       /* on a terminal */
    const volatile sig_atomic_t *stop; /* not 0: end now */
};

/* Runs it; *out is what came of it, see fc-simulate(1). -1 when it could not begin. */
int simulate(const struct simulation *s, jv *out, struct err *e);

/* --- between its parts ---------------------------------------------------------------------- */

enum sim_request { SIM_ENROLL, SIM_POLL, SIM_REPORT, SIM_REQUESTS };

enum sim_step { SIM_ASK, SIM_WAIT, SIM_IDLE, SIM_APPLY, SIM_DENIED };

struct sim_device {
    struct buf key, cert;        /* PEM; cert is empty until it is enrolled */
    struct client_conf as;       /* its identity */
    char name[DEVICE_NAME_LEN];
    size_t number;
    enum sim_step step;
    int64_t due, began;          /* us of the monotonic clock */
    int64_t known, runs, failed; /* versions: received, applied, given up; 0: none */
    size_t polls;
    bool slow, fails, roams;
    int64_t phase;               /* us of being away and back that are over when it begins */
};

/* simulate_device.c: who a device is and what it says. */
int sim_device_make(struct sim_device *d, const struct identity_module *crypto, struct err *e);
void sim_device_free(struct sim_device *d);
/* Makes the file if there is none, and keeps others from using it until its descriptor is closed.
 * FC_CONFLICT: another simulation has it. */
int sim_devices_lock(const char *file, struct err *e);
/* FC_INVALID: not what sim_devices_store wrote. Fewer or more than n devices are fine. */
int sim_devices_load(const char *file, struct sim_device *all, size_t n,
    const struct identity_module *crypto, struct err *e);
int sim_devices_store(const char *file, const struct sim_device *all, size_t n, struct err *e);
/* The body of its next request; empty for those that have none. */
int sim_device_body(const struct sim_device *d, const struct identity_module *crypto, jv labels,
    struct buf *body, struct err *e);
/* Takes an answer (of HTTP status 200 or 201): a certificate, a version. */
int sim_device_take(struct sim_device *d, enum sim_request what, const struct client_response *r,
    struct err *e);

/* simulate_count.c: what came of it. */
struct sim_count;
struct sim_count *sim_count_new(void);
void sim_count_free(struct sim_count *c);
/* An answer after us; status 0: there was none. */
void sim_count_add(struct sim_count *c, enum sim_request what, int status, int64_t us);
/* "requests": by what was asked for, count, errors, rate, and latencies in ms; "statuses". */
void sim_count_show(struct sim_count *c, int64_t us, jv *out);

#endif
